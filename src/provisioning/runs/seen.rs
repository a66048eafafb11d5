//! A run as it must be shown when its process is gone.
//!
//! A process that was killed can't say so. What it leaves is a run that claims to be at work and a ticket that nobody
//! holds: that is a failed run. Terraform may still be at work then, and what it wrote until now is read for what was
//! done.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use jiff::Timestamp;

use super::kept::Kept;
use super::log::LogWriter;
use super::queue::{self, Holder, Worker};
use super::record::{Follower, settle};
use super::store::{Store, StoreLock, Stored};
use super::{advice, ask};
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::plan::read::PlanReading;
use crate::provisioning::run::{Diagnostic, Failure, LogLevel, Phase, Progress, Run};
use crate::provisioning::terraform::event::{self, Event};
use crate::provisioning::terraform::mask::Masks;

/// Who lives in an environment's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Living {
    /// Whose tickets are held.
    pub holders: Vec<Holder>,
    /// Who works with Terraform.
    pub worker: Option<Worker>,
}

impl Living {
    /// Looks who lives.
    pub fn look(store: &Store) -> Result<Self, ProvisioningError> {
        Ok(Self { holders: queue::holders(store)?, worker: queue::worker(store) })
    }

    /// The one who carries `run` out.
    #[must_use]
    pub fn holder(&self, run: u32) -> Option<&Holder> {
        self.holders.iter().find(|holder| holder.run == run)
    }
}

/// A run, and whether its process is gone.
pub fn read(store: &Store, number: u32, living: &Living) -> Result<Stored, ProvisioningError> {
    let stored = store.read(number)?;
    // What is carried out elsewhere has its process there: who lives here says nothing of it.
    if !stored.run.phase.is_active() || stored.run.home.is_some() || living.holder(number).is_some() {
        return Ok(stored);
    }
    // It may have come to its end between the look at who lives and now: its last word was written before.
    let stored = store.read(number)?;
    let is_alive = || queue::holders(store).is_ok_and(|holders| holders.iter().any(|holder| holder.run == number));
    if !stored.run.phase.is_active() || is_alive() {
        return Ok(stored);
    }
    Ok(Stored { revision: stored.revision + 1, run: ended(store, stored.run, living) })
}

/// Writes down that runs are gone whose process is. One whose Terraform is still at work has time: what that does is to
/// be told as well.
pub fn bury(store: &Store, _lock: &StoreLock) -> Result<(), ProvisioningError> {
    let living = Living::look(store)?;
    for number in store.numbers()? {
        // A run whose file can't be read is in nobody's way.
        let Ok(stored) = store.read(number) else { continue };
        if living.worker.is_some_and(|worker| worker.run == number) {
            continue;
        }
        let mut seen = read(store, number, &living)?;
        if seen.run.phase != stored.run.phase && stored.run.phase.is_active() && seen.revision == stored.revision + 1 {
            seen.revision = stored.revision;
            if let Some(failure) = &seen.run.failure {
                let words = format!("{}; {}", failure.diagnostics[0].summary, failure.advice);
                LogWriter::open(&store.run_folder(number))?.append(Phase::Failed, LogLevel::Error, &words)?;
            }
            if seen.run.phase.is_end() {
                store.forget_plan(number)?;
                let words = format!("{}: its process was gone", seen.run.phase.label());
                ask::tell(store, &seen.run, "", AuditEvent::Ended, &words)?;
            } else {
                files::remove(&store.fresh_plan(number))?;
                ask::tell(store, &seen.run, "", AuditEvent::Refused, "not checked: its process was gone")?;
            }
            store.write(&mut seen)?;
            files::remove(&stream(store, number))?;
        }
    }
    Ok(())
}

fn ended(store: &Store, mut run: Run, living: &Living) -> Run {
    let phase = run.phase;
    let last_sign = std::fs::metadata(store.run_file(run.number)).and_then(|metadata| metadata.modified()).ok();
    let ended_at = last_sign.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or(run.asked_at);
    run.ended_at = Some(ended_at);
    if phase == Phase::Queued && store.mark(run.number).exists() {
        run.phase = Phase::Discarded;
        run.runner_pid = None;
        return run;
    }
    let was_to_be_applied = phase == Phase::Checking || (phase == Phase::Queued && run.record.is_some());
    if phase == Phase::Applying {
        replay(store, &mut run);
        settle(&mut run, false, "the runner ended before it was done");
    }
    if let Some(step) = run.steps.last_mut().filter(|step| step.ended_at.is_none()) {
        step.ended_at = Some(ended_at);
        step.succeeded = Some(false);
    }
    let pid = run.runner_pid.take().map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let working = living.worker.filter(|worker| worker.run == run.number);
    let advice = match (phase, working) {
        (_, Some(Worker { terraform_pid: Some(pid), .. })) => format!(
            "Terraform (pid {pid}) is still at work and holds the state lock; let it end, or interrupt it with `kill -INT {pid}`, then see here what it has done"
        ),
        (Phase::Applying, _) => {
            let words = advice::applied(&run, &Kept::here(store).masked(&masks(store, run.number)), true);
            format!("{words}; unlock the state if a lock is left behind")
        }
        _ if was_to_be_applied => "nothing was changed, and the plan still waits; apply it again".to_owned(),
        _ => "nothing was changed; plan again".to_owned(),
    };
    let room = store.full_mark(run.number).exists();
    let advice = if room { format!("make room on that disk; {advice}") } else { advice };
    let full = || format!(": the disk of {} is full", store.folder().display());
    let summary = format!("the runner ended{pid}{}", if room { full() } else { String::new() });
    let detail = format!("The process that carried the run out is gone; it was {}.", phase.label());
    let diagnostics = vec![Diagnostic { error: true, summary, detail, address: None, place: None }];
    run.failure = Some(Failure { phase, interrupted: false, diagnostics, advice, lock: None });
    run.phase = Phase::Failed;
    if was_to_be_applied {
        run.phase = Phase::before_apply(!run.approvals.is_empty());
        run.ended_at = None;
    }
    run
}

fn stream(store: &Store, number: u32) -> PathBuf {
    store.run_folder(number).join("stream").join("out")
}

/// Those that a run's addresses are masked by: until it is buried its plan is there.
fn masks(store: &Store, number: u32) -> Masks {
    let plan = files::read(&store.plan_json(number)).ok().flatten();
    let plan = plan.and_then(|text| PlanReading::read(text.as_bytes()).ok());
    plan.map(|plan| plan.masks().clone()).unwrap_or_default()
}

/// What Terraform wrote with nobody left to note it.
fn replay(store: &Store, run: &mut Run) {
    let Ok(file) = File::open(stream(store, run.number)) else { return };
    for change in &mut run.changes {
        change.progress = Progress::Pending;
    }
    let masks = masks(store, run.number);
    let mut follower = Follower::default();
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        let line = event::parse(&line);
        // What a diagnostic holds may be secret, and nobody is left who would know.
        if !matches!(line.event, Event::Diagnostic(_)) {
            follower.note(run, &line, &masks, run.asked_at);
        }
    }
}
