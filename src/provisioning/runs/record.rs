//! What Terraform says, noted in the run: changes, progress, diagnostics, log.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::advice::{self, Ending, Signs};
use super::kept::Kept;
use super::log::{self, LogWriter};
use super::store::{Store, Stored};
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::policy::finding::{Finding, Severity};
use crate::provisioning::run::{
    ChangeAction, ChangeCounts, Diagnostic, Failure, LogLevel, Phase, Progress, Run, StepRecord,
};
use crate::provisioning::terraform::event::{self, Event, Line};
use crate::provisioning::terraform::lock;
use crate::provisioning::terraform::mask::{MASK, Masks};

/// Progress of a run's changes, from the lines of an apply.
#[derive(Debug, Default)]
pub struct Follower {
    /// Replacements of which one half is done.
    half_done: BTreeSet<String>,
}

impl Follower {
    /// Notes what a line of an apply says in the run's changes.
    pub fn note(&mut self, run: &mut Run, line: &Line, now: Timestamp) {
        let at = line.at.unwrap_or(now);
        match &line.event {
            Event::Started { address, .. } => self.change(run, address, |progress, _| {
                if !matches!(progress, Progress::Running { .. }) {
                    *progress = Progress::Running { since: at };
                }
            }),
            Event::Done { address, .. } => {
                let half = &mut self.half_done;
                if let Some(change) = run.changes.iter_mut().find(|change| change.address == *address) {
                    let is_first_half = change.action == ChangeAction::Replace && half.insert(address.clone());
                    if let Progress::Running { since } = change.progress
                        && !is_first_half
                    {
                        change.progress = Progress::Done { took_s: at.duration_since(since).as_secs_f64() };
                    }
                }
            }
            Event::Failed { address } => {
                self.change(run, address, |progress, _| *progress = Progress::Failed { error: String::new() });
            }
            Event::Diagnostic(diagnostic) if diagnostic.error => {
                if let Some(address) = &diagnostic.address {
                    self.change(run, address, |progress, _| add_error(progress, diagnostic));
                }
            }
            _ => {}
        }
    }

    fn change(&self, run: &mut Run, address: &str, change: impl FnOnce(&mut Progress, ChangeAction)) {
        if let Some(found) = run.changes.iter_mut().find(|change| change.address == address) {
            change(&mut found.progress, found.action);
        }
    }
}

fn add_error(progress: &mut Progress, diagnostic: &Diagnostic) {
    let words = event::words(diagnostic);
    match progress {
        Progress::Failed { error } if error.is_empty() => *error = words,
        Progress::Failed { error } => *error = format!("{error}\n{words}"),
        _ => *progress = Progress::Failed { error: words },
    }
}

/// Brings the changes to rest once an apply has ended: what was begun and not told of has failed, what wasn't begun was
/// left out. After a success, what Terraform doesn't tell of (imports, moves) was done with the rest.
pub fn settle(run: &mut Run, succeeded: bool, reason: &str) {
    for change in &mut run.changes {
        match &mut change.progress {
            Progress::Pending if succeeded => change.progress = Progress::Done { took_s: 0.0 },
            Progress::Pending => change.progress = Progress::Skipped,
            Progress::Running { .. } => change.progress = Progress::Failed { error: reason.to_owned() },
            Progress::Failed { error } if error.is_empty() => *error = reason.to_owned(),
            _ => {}
        }
    }
}

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
        self.kept = kept;
    }

    /// Adds secrets; what was written already is masked afterwards.
    pub fn know(&mut self, masks: Masks) -> Result<(), ProvisioningError> {
        self.masks.extend(masks);
        let masks = &self.masks;
        for change in self.stored.run.changes.iter_mut().chain(&mut self.stored.run.drift) {
            change.importing = change.importing.take().map(|id| masks.apply(&id));
        }
        for value in self.stored.run.request.variables.values_mut() {
            *value = masks.apply(value);
        }
        self.log.mask(masks)
    }

    /// Takes the values of variables for secrets, by their names.
    pub fn hide_variables(&mut self, is_secret: impl Fn(&str) -> bool) -> Result<(), ProvisioningError> {
        let mut masks = Masks::default();
        for (name, value) in &mut self.stored.run.request.variables {
            if is_secret(name) {
                masks.add(value);
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

    /// Takes a line of Terraform's output in; in the run also where the log can't be written.
    pub fn take(&mut self, line: Line) -> Result<(), ProvisioningError> {
        let now = Timestamp::now();
        let text = match &line.event {
            Event::Unknown(kind) => format!("{} (a message of the type {kind}, which is not known here)", line.text),
            _ => line.text.clone(),
        };
        if let Event::Diagnostic(diagnostic) = &line.event {
            self.notice(diagnostic);
        }
        let said = self.say(line.level, &text);
        let line = self.masked(line);
        let run = &mut self.stored.run;
        match run.phase {
            Phase::Planning => match &line.event {
                Event::Planned(change) => run.changes.push(change.clone()),
                Event::Drifted(change) => run.drift.push(change.clone()),
                Event::Outputs(names) => run.changed_outputs.clone_from(names),
                _ => {}
            },
            Phase::Applying => self.follower.note(run, &line, now),
            _ => {}
        }
        if let Event::Diagnostic(diagnostic) = line.event {
            self.diagnostics.push(diagnostic);
        }
        said
    }

    fn notice(&mut self, diagnostic: &Diagnostic) {
        self.signs.notice(&diagnostic.summary);
        self.signs.notice(&diagnostic.detail);
    }

    fn masked(&self, line: Line) -> Line {
        match line.event {
            Event::Diagnostic(diagnostic) => {
                let event = Event::Diagnostic(self.masks.apply_to(diagnostic));
                Line { event, ..line }
            }
            _ => line,
        }
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
        for finding in &findings {
            let level = if finding.severity == Severity::Info { LogLevel::Info } else { LogLevel::Warning };
            let words = format!("{} {}: {}", finding.severity.label(), finding.policy, finding.message);
            self.say(level, &words)?;
        }
        self.stored.run.findings = findings;
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
