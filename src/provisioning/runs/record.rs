//! What Terraform says, noted in the run: changes, progress, diagnostics, log.

mod follower; // the progress of changes
mod masking; // a run without secrets

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use self::follower::{Follower, settle};
pub(super) use self::masking::finding as masked_finding;
use super::advice::{self, Ending, Signs};
use super::kept::Kept;
use super::log::{self, LogWriter};
use super::store::{Store, Stored};
use crate::provisioning::audit::chain::Deed;
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::policy::finding::{Finding, Severity};
use crate::provisioning::run::{ChangeCounts, Diagnostic, Failure, LogLevel, Phase, Run, StepRecord};
use crate::provisioning::terraform::event::{self, Event, Line};
use crate::provisioning::terraform::lock;
use crate::provisioning::terraform::mask::{MASK, Masks};
use crate::provisioning::workspace::secrets;

/// Writes a run as it goes on.
#[derive(Debug)]
pub struct Recorder {
    store: Store,
    stored: Stored,
    log: LogWriter,
    masks: Masks,
    follower: Follower,
    /// Of the step at hand.
    diagnostics: Vec<Diagnostic>,
    /// Lines of the step at hand that wait until it is known what is secret in them.
    held: Vec<Line>,
    /// What its words gave away before they were masked.
    signs: Signs,
    /// What the state keeps of the apply.
    kept: Kept,
}

impl Recorder {
    /// For the run `number` of `store`.
    pub fn open(store: &Store, number: u32) -> Result<Self, ProvisioningError> {
        Ok(Self {
            store: store.clone(),
            stored: store.read(number)?,
            log: LogWriter::open(&store.run_folder(number))?,
            masks: Masks::default(),
            follower: Follower::default(),
            diagnostics: Vec::new(),
            held: Vec::new(),
            signs: Signs::default(),
            kept: Kept::default(),
        })
    }

    /// The run as it is noted now.
    #[must_use]
    pub const fn run(&self) -> &Run {
        &self.stored.run
    }

    /// The run, to be changed; [`Recorder::save`] writes it.
    pub const fn run_mut(&mut self) -> &mut Run {
        &mut self.stored.run
    }

    /// Writes the run.
    pub fn save(&mut self) -> Result<(), ProvisioningError> {
        let written = self.store.write(&mut self.stored);
        self.noted(written)
    }

    /// Writes the run's progress.
    pub fn save_progress(&mut self) -> Result<(), ProvisioningError> {
        let written = self.store.write_often(&mut self.stored);
        self.noted(written)
    }

    /// Leaves a mark where the disk was full: this process may not get to say so, and later there may be room.
    fn noted<T>(&mut self, written: Result<T, ProvisioningError>) -> Result<T, ProvisioningError> {
        if let Err(ProvisioningError::Full { .. }) = &written {
            self.signs.disk_full = true;
            drop(files::create(&self.store.full_mark(self.stored.run.number)));
        }
        written
    }

    /// Notes what the state keeps of the apply.
    pub fn note_kept(&mut self, kept: Kept) {
        self.kept = kept.masked(&self.masks);
    }

    /// Adds secrets; what was noted and written already is masked afterwards.
    pub fn know(&mut self, masks: Masks) -> Result<(), ProvisioningError> {
        self.masks.extend(masks);
        let masks = &self.masks;
        masking::mask(&mut self.stored.run, masks);
        for diagnostic in &mut self.diagnostics {
            *diagnostic = masks.apply_to(diagnostic.clone());
        }
        self.log.mask(masks)
    }

    /// Takes the values of variables for secrets, by their names.
    pub fn hide_variables(&mut self, is_secret: impl Fn(&str) -> bool) -> Result<(), ProvisioningError> {
        let mut masks = Masks::default();
        for (name, value) in &mut self.stored.run.request.variables {
            if is_secret(name) && value != MASK {
                masks.extend(secrets::of_value(value));
                MASK.clone_into(value);
            }
        }
        self.know(masks)
    }

    /// Writes to the log.
    pub fn say(&mut self, level: LogLevel, text: &str) -> Result<(), ProvisioningError> {
        let text = self.masks.apply(text);
        let written = self.log.append(self.stored.run.phase, level, &text);
        self.noted(written)
    }

    /// Begins a step.
    pub fn begin(&mut self, phase: Phase) -> Result<(), ProvisioningError> {
        let run = &mut self.stored.run;
        run.phase = phase;
        run.steps.push(StepRecord { phase, started_at: Timestamp::now(), ended_at: None, succeeded: None });
        self.diagnostics.clear();
        self.signs = Signs::default();
        self.save()
    }

    /// Ends the step that was begun last, if it hasn't ended.
    pub fn end(&mut self, succeeded: bool) {
        if let Some(step) = self.stored.run.steps.last_mut().filter(|step| step.ended_at.is_none()) {
            step.ended_at = Some(Timestamp::now());
            step.succeeded = Some(succeeded);
        }
    }

    /// Takes a line of Terraform's output in; in the run also where the log can't be written. Of a plan and an apply only
    /// progress is told at once: the rest may hold what only the plan or the state tells to be secret, and waits for
    /// [`Recorder::release`].
    pub fn take(&mut self, line: Line) -> Result<(), ProvisioningError> {
        let is_progress = match &line.event {
            Event::Started { .. } | Event::Done { .. } | Event::Failed { .. } => true,
            Event::Words => line.at.is_some(),
            _ => false,
        };
        if !is_progress && matches!(self.stored.run.phase, Phase::Planning | Phase::Checking | Phase::Applying) {
            self.held.push(line);
            return Ok(());
        }
        self.note(&line)
    }

    /// Tells what was held back. Called once everything is known that tells what is secret in it.
    pub fn release(&mut self) -> Result<(), ProvisioningError> {
        let held = std::mem::take(&mut self.held);
        // All of them, whatever fails.
        held.iter().map(|line| self.note(line)).fold(Ok(()), Result::and)
    }

    /// Drops what was held back: nobody can tell what is secret in it. `why` is told instead.
    pub fn withhold(&mut self, why: &str) -> Result<(), ProvisioningError> {
        let lost = std::mem::take(&mut self.held);
        let is_told = |line: &&Line| matches!(line.event, Event::Diagnostic(_)) || line.at.is_none();
        match lost.iter().filter(is_told).count() {
            0 => Ok(()),
            count => self.say(LogLevel::Warning, &format!("{count} messages aren't shown: {why}")),
        }
    }

    fn note(&mut self, line: &Line) -> Result<(), ProvisioningError> {
        let text = match &line.event {
            Event::Unknown(kind) => format!("{} (a message of the type {kind}, which is not known here)", line.text),
            _ => line.text.clone(),
        };
        if let Event::Diagnostic(diagnostic) = &line.event {
            self.notice(diagnostic);
        }
        let said = self.say(line.level, &text);
        let (run, masks) = (&mut self.stored.run, &self.masks);
        match run.phase {
            Phase::Planning => match &line.event {
                Event::Planned(change) => run.changes.push(masking::change(change.clone(), masks)),
                Event::Drifted(change) => run.drift.push(masking::change(change.clone(), masks)),
                Event::Outputs(names) => run.changed_outputs = names.iter().map(|name| masks.apply(name)).collect(),
                _ => {}
            },
            Phase::Applying => self.follower.note(run, line, masks, Timestamp::now()),
            _ => {}
        }
        if let Event::Diagnostic(diagnostic) = &line.event {
            self.diagnostics.push(masks.apply_to(diagnostic.clone()));
        }
        said
    }

    fn notice(&mut self, diagnostic: &Diagnostic) {
        self.signs.notice(&diagnostic.summary);
        self.signs.notice(&diagnostic.detail);
    }

    /// Notes a diagnostic of the step at hand and writes it to the log; notes it also where that can't be written.
    pub fn diagnose(&mut self, diagnostic: Diagnostic) -> Result<(), ProvisioningError> {
        self.notice(&diagnostic);
        let diagnostic = self.masks.apply_to(diagnostic);
        let level = if diagnostic.error { LogLevel::Error } else { LogLevel::Warning };
        let words = event::words(&diagnostic);
        self.diagnostics.push(diagnostic);
        self.say(level, &words)
    }

    /// The secrets that are known.
    #[must_use]
    pub const fn masks(&self) -> &Masks {
        &self.masks
    }

    /// Notes what the policies say, and writes it to the log.
    pub fn judged(&mut self, findings: Vec<Finding>) -> Result<(), ProvisioningError> {
        let findings: Vec<_> = findings.into_iter().map(|finding| masked_finding(finding, &self.masks)).collect();
        for finding in &findings {
            let level = if finding.severity == Severity::Info { LogLevel::Info } else { LogLevel::Warning };
            let words = format!("{} {}: {}", finding.severity.label(), finding.policy, finding.message);
            self.say(level, &words)?;
        }
        self.stored.run.findings = findings;
        Ok(())
    }

    /// Writes to the audit trail what whoever has the run carried out does, with digests of what it is about.
    pub fn tell(
        &self,
        event: AuditEvent,
        words: &str,
        digests: BTreeMap<String, String>,
    ) -> Result<(), ProvisioningError> {
        let run = &self.stored.run;
        self.store.trail().append(Deed {
            who: run.carried_by().to_owned(),
            event,
            emulated: run.emulated,
            run: Some(run.number),
            words: self.masks.apply(words),
            digests,
        })?;
        Ok(())
    }

    /// Notes that the plan is made.
    pub fn planned(&mut self, serial: Option<u64>) {
        let run = &mut self.stored.run;
        run.counts = Some(ChangeCounts::of(&run.changes));
        run.planned_at = Some(Timestamp::now());
        run.state_serial = serial;
    }

    /// Ends the run in `phase`, or lets its plan wait.
    pub fn rest(&mut self, phase: Phase) -> Result<(), ProvisioningError> {
        let run = &mut self.stored.run;
        run.phase = phase;
        run.ended_at = phase.is_end().then(Timestamp::now);
        run.runner_pid = None;
        self.save()
    }

    /// Lets the plan wait again, after a look before the apply that came to nothing, with the diagnostics of that step.
    pub fn step_back(&mut self, interrupted: bool) -> Result<(), ProvisioningError> {
        self.stored.run.phase = Phase::Checking;
        let said = self.note_failure(interrupted);
        let is_approved = !self.stored.run.approvals.is_empty();
        self.rest(Phase::before_apply(is_approved))?;
        said
    }

    /// Ends the run as failed in its phase, with the diagnostics of the step at hand.
    pub fn fail(&mut self, interrupted: bool) -> Result<(), ProvisioningError> {
        // A log that can't be written, on a full disk say, keeps the run from nothing.
        let said = self.note_failure(interrupted);
        self.rest(Phase::Failed)?;
        said
    }

    fn note_failure(&mut self, interrupted: bool) -> Result<(), ProvisioningError> {
        let phase = self.stored.run.phase;
        if phase == Phase::Applying {
            let reason =
                if interrupted { "interrupted before it was done" } else { "ended before it was done; see the log" };
            settle(&mut self.stored.run, false, reason);
        }
        self.end(false);
        // Errors first; one that is told twice is one.
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for diagnostic in self.diagnostics.drain(..) {
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
        diagnostics.sort_by_key(|diagnostic| !diagnostic.error);
        let lock = diagnostics.iter().find_map(lock::from_diagnostic);
        let run = &self.stored.run;
        let (signs, kept) = (self.signs, &self.kept);
        let advice = advice::after(run, &Ending { phase, interrupted, signs, lock: lock.as_ref(), kept });
        let what = if interrupted { "interrupted" } else { "failed" };
        let said = self.say(LogLevel::Error, &format!("{}: {what}; {advice}", phase.label()));
        self.stored.run.failure = Some(Failure { phase, interrupted, diagnostics, advice, lock });
        said
    }
}

/// Where the log of run `number` is.
#[must_use]
pub fn log_of(store: &Store, number: u32) -> std::path::PathBuf {
    log::path(&store.run_folder(number))
}

#[cfg(test)]
pub(super) mod tests;
