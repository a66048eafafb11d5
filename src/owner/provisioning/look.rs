//! How environments stand, read from their folders; what hasn't changed isn't read again.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::provisioning::error::ProvisioningError;
use crate::provisioning::run::Phase;
use crate::provisioning::runs::seen::{self, Living};
use crate::provisioning::runs::store::Store;
use crate::provisioning::runs::{ask, log, record};
use crate::provisioning::status::{EnvironmentStatus, LockHolder, RunSummary};
use crate::settings::EnvironmentKind;

/// Runs that are shown of an environment.
const MOST_RUNS: usize = 100;

/// What tells that a file was written: its inode, length and time.
type Stamp = (u64, u64, i64, i64);

/// Looks, and remembers.
#[derive(Debug, Default)]
pub struct Looker {
    newest: Vec<EnvironmentStatus>,
    runs: HashMap<PathBuf, (Stamp, Stamp, Known)>,
    states: HashMap<PathBuf, (Stamp, u32)>,
}

/// A run in a line, and the lock that refused it.
#[derive(Debug, Clone)]
struct Known {
    summary: RunSummary,
    lock: Option<LockHolder>,
}

impl Looker {
    /// How the environments of `stores` stand; `again` where something may have changed since the last time.
    pub fn look(&mut self, stores: &[Store], again: bool) -> Vec<EnvironmentStatus> {
        if again || self.newest.len() != stores.len() {
            self.newest = stores.iter().map(|store| self.environment(store)).collect();
        }
        self.newest.clone()
    }

    fn environment(&mut self, store: &Store) -> EnvironmentStatus {
        let living = Living::look(store).unwrap_or_default();
        let runs = self.runs(store, &living).unwrap_or_else(|error| {
            tracing::error!(target: "provisioning", "{error}");
            Vec::new()
        });
        let is_embedded = store.environment().kind() != EnvironmentKind::Cloud;
        let lock = if is_embedded {
            ask::local_lock(store, &living).map(|lock| lock.holder)
        } else {
            // Nobody can be asked who holds it now; the newest run was told.
            runs.first().and_then(|newest| newest.lock.clone())
        };
        EnvironmentStatus {
            environment: store.environment().clone(),
            emulated: is_embedded,
            resources: self.resources(store),
            lock,
            drift: drift(&runs),
            runs: runs.into_iter().map(|known| known.summary).collect(),
        }
    }

    fn runs(&mut self, store: &Store, living: &Living) -> Result<Vec<Known>, ProvisioningError> {
        let mut found = Vec::new();
        for number in store.numbers()?.into_iter().take(MOST_RUNS) {
            match self.run(store, number, living) {
                Ok(mut known) => {
                    known.summary.busy = living.holder(number).is_some();
                    found.push(known);
                }
                // Its folder is there a moment before its file.
                Err(ProvisioningError::NoRun { .. }) => {}
                Err(error) => tracing::error!(target: "provisioning", "{error}"),
            }
        }
        Ok(found)
    }

    fn run(&mut self, store: &Store, number: u32, living: &Living) -> Result<Known, ProvisioningError> {
        let path = store.run_file(number);
        let log = record::log_of(store, number);
        let stamps = (stamp(&path), stamp(&log));
        if let Some((run, text, known)) = self.runs.get(&path)
            && (*run, *text) == stamps
            && !known.summary.phase.is_active()
        {
            return Ok(known.clone());
        }
        let stored = seen::read(store, number, living)?;
        let summary = RunSummary::of(&stored.run, log::last_line(&log)?, stored.revision);
        let lock = stored.run.failure.and_then(|failure| failure.lock);
        let known = Known { summary, lock };
        self.runs.insert(path, (stamps.0, stamps.1, known.clone()));
        Ok(known)
    }

    fn resources(&mut self, store: &Store) -> Option<u32> {
        let path = store.workspace().local_state()?.to_owned();
        let stamp = stamp(&path);
        if let Some((known, count)) = self.states.get(&path)
            && *known == stamp
        {
            return Some(*count);
        }
        // While Terraform writes it, it may be half there: what was known stays, and the next look is near.
        match store.local_state() {
            Ok(Some(state)) => {
                self.states.insert(path, (stamp, state.count()));
                Some(state.count())
            }
            Ok(None) => None,
            Err(_) => self.states.get(&path).map(|(_, count)| *count),
        }
    }
}

/// What the last run that looked at everything found. Applying it took care of that.
fn drift(runs: &[Known]) -> Option<(u32, Timestamp)> {
    let looks = runs.iter().map(|known| &known.summary).filter(|run| !run.targeted).filter_map(|run| {
        match (run.phase, run.ended_at) {
            (Phase::Applied, Some(ended_at)) => Some((0, ended_at)),
            _ => Some((run.drift, run.planned_at?)),
        }
    });
    // A plan that waited while another one was applied looked before that one ended.
    looks.max_by_key(|(_, at)| *at)
}

fn stamp(path: &Path) -> Stamp {
    std::fs::metadata(path)
        .map_or((0, 0, 0, 0), |metadata| (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}
