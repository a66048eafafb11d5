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

/// Runs that are shown of an environment at once.
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
        let (runs, older) = self.runs(store, &living).unwrap_or_else(|error| {
            tracing::error!(target: "provisioning", "{error}");
            (Vec::new(), 0)
        });
        let is_embedded = store.environment().kind() != EnvironmentKind::Cloud;
        let lock = if is_embedded {
            ask::local_lock(store, &living).map(|lock| lock.holder)
        } else {
            // Nobody can be asked who holds it now; the newest run was told.
            runs.first().and_then(|newest| newest.lock.clone())
        };
        let (resources, damaged) = self.resources(store, living.worker.is_some());
        EnvironmentStatus {
            environment: store.environment().clone(),
            emulated: is_embedded,
            resources,
            lock,
            drift: drift(&runs),
            runs: runs.into_iter().map(|known| known.summary).collect(),
            older,
            state_fault: store.refuse_unsaved().err().map(|error| error.to_string()).or(damaged),
        }
    }

    /// The newest runs, and how many there are before them.
    fn runs(&mut self, store: &Store, living: &Living) -> Result<(Vec<Known>, u32), ProvisioningError> {
        let mut found = Vec::new();
        let numbers = store.numbers()?;
        let older = u32::try_from(numbers.len().saturating_sub(MOST_RUNS)).unwrap_or(u32::MAX);
        for number in numbers.into_iter().take(MOST_RUNS) {
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
        Ok((found, older))
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

    /// How many resources there are in the local state, and what is wrong with it. `at_work` says whether it may be being
    /// written.
    fn resources(&mut self, store: &Store, at_work: bool) -> (Option<u32>, Option<String>) {
        let Some(path) = store.workspace().local_state().map(Path::to_owned) else { return (None, None) };
        let stamp = stamp(&path);
        if let Some((known, count)) = self.states.get(&path)
            && *known == stamp
        {
            return (Some(*count), None);
        }
        match store.local_state() {
            Ok(Some(state)) => {
                self.states.insert(path, (stamp, state.count()));
                (Some(state.count()), None)
            }
            Ok(None) => (None, None),
            // Half written, it seems: what was known stays, and the next look is near.
            Err(_) if at_work => (self.states.get(&path).map(|(_, count)| *count), None),
            Err(error) => (None, Some(error.to_string())),
        }
    }
}

/// Runs before a number in a line each, newest first.
pub fn page(store: &Store, before: Option<u32>, limit: usize) -> Result<Vec<RunSummary>, ProvisioningError> {
    let living = Living::look(store)?;
    let numbers = store.numbers()?.into_iter().filter(|number| before.is_none_or(|before| *number < before));
    let mut found = Vec::new();
    for number in numbers.take(limit.min(MOST_RUNS)) {
        match seen::read(store, number, &living) {
            Ok(stored) => {
                let last_line = log::last_line(&record::log_of(store, number))?;
                let mut summary = RunSummary::of(&stored.run, last_line, stored.revision);
                summary.busy = living.holder(number).is_some();
                found.push(summary);
            }
            Err(error) => tracing::error!(target: "provisioning", "{error}"),
        }
    }
    Ok(found)
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
