//! Carrying one run out, step by step, in a process of its own.
//!
//! [`plan`] goes up to a plan, [`judge`] reads, judges and records it; [`apply`] looks whether it still holds, and applies
//! it; [`step`] is one call of Terraform.

mod apply; // the look before an apply, and the apply
mod judge; // a plan read, judged and recorded
mod plan; // the steps up to a plan
mod step; // one call of Terraform

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use self::apply::Looked;
use super::ask;
use super::queue::{Holder, Job, Ticket, Turn};
use super::record::Recorder;
use super::seen;
use super::store::Store;
use crate::provisioning::approval::check::Verdict;
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::run::{Diagnostic, LogLevel, Operation, Phase, RunRequest};
use crate::provisioning::terraform::command::{Caller, Providers};
use crate::provisioning::terraform::find::Terraform;
use crate::settings::ProvisioningSettings;

/// Carries one run out.
#[derive(Debug)]
pub struct Carrier {
    store: Store,
    ticket: Ticket,
    job: Job,
    recorder: Recorder,
    settings: ProvisioningSettings,
    /// Turns true when the run is to end.
    interrupt: watch::Receiver<bool>,
}

/// What other machines are told in an apply.
#[derive(Debug, Clone, Copy)]
pub enum Moment<'a> {
    /// The plan and the approvals that it relies on are about to be used; refused where another machine was faster.
    Using(&'a Verdict),
    /// Applying has begun.
    Begun,
}

/// How a step failed.
enum Stop {
    /// Terraform said so, or was interrupted.
    Failed { interrupted: bool },
    /// We did.
    Error(ProvisioningError),
}

impl From<ProvisioningError> for Stop {
    fn from(error: ProvisioningError) -> Self {
        Self::Error(error)
    }
}

impl Carrier {
    /// For the run `number`, whose ticket this process was given as its standard input.
    pub fn open(
        store: &Store,
        number: u32,
        job: Job,
        settings: ProvisioningSettings,
        interrupt: watch::Receiver<bool>,
    ) -> Result<Self, ProvisioningError> {
        let ticket = Ticket::inherited(store, number, job)?;
        let mut recorder = Recorder::open(store, number)?;
        let pid = std::process::id();
        ticket.write(&Holder { run: number, job, pid: Some(pid) })?;
        recorder.run_mut().runner_pid = Some(pid);
        recorder.save()?;
        Ok(Self { store: store.clone(), ticket, job, recorder, settings, interrupt })
    }

    const fn request(&self) -> &RunRequest {
        &self.recorder.run().request
    }

    /// Waits for the run's turn. `None` where it was discarded meanwhile.
    pub async fn turn(&mut self) -> Result<Option<Turn>, ProvisioningError> {
        let number = self.recorder.run().number;
        let before = self.ticket.before(&self.store)?;
        if !before.is_empty() {
            let runs: Vec<_> = before.iter().map(u32::to_string).collect();
            self.recorder.say(LogLevel::Info, &format!("waits for run {}", runs.join(", ")))?;
            self.recorder.save()?;
        }
        let waiting = {
            let (store, ticket) = (self.store.clone(), self.ticket.twin()?);
            tokio::task::spawn_blocking(move || ticket.wait(&store, number))
        };
        let mut interrupt = self.interrupt.clone();
        tokio::select! {
            biased;
            _ = interrupt.wait_for(|asked| *asked) => {
                self.recorder.say(LogLevel::Info, "discarded while it waited")?;
                self.store.forget_plan(number)?;
                self.tell_end("discarded while it waited");
                self.recorder.rest(Phase::Discarded)?;
                Ok(None)
            }
            turn = waiting => {
                let cut_off =
                    |_| ProvisioningError::Refused(format!("run {number}: waiting was cut off; ask again"));
                let turn = turn.map_err(cut_off)??;
                // Nobody else is at work now: what a killed process has left can be written down.
                seen::bury(&self.store, &self.store.lock()?)?;
                Ok(Some(turn))
            }
        }
    }

    /// Plans: init, format, validate, plan. Answers how the run stands then. Where everything that the module describes
    /// is applied already, `adopt` is called before that is told.
    pub async fn plan(
        &mut self,
        turn: &Turn,
        variables: &BTreeMap<String, Value>,
        providers: Providers,
        adopt: impl AsyncFnOnce() -> Result<(), ProvisioningError>,
    ) -> Result<Phase, ProvisioningError> {
        self.recorder.begin(Phase::Initialising)?;
        let outcome = match self.store.refuse_unsaved() {
            Ok(()) => self.plan_steps(turn, variables, providers).await,
            Err(error) => Err(error.into()),
        };
        let outcome = self.stand(outcome, adopt).await;
        self.conclude(outcome)
    }

    /// Applies the plan, after a look at whether it still holds and is approved. `share` tells the other machines of each
    /// [`Moment`]. Answers how the run ended. Where everything that the module describes is applied
    /// then, `adopt` is called before that is told.
    pub async fn apply(
        &mut self,
        turn: &Turn,
        variables: &BTreeMap<String, Value>,
        providers: Providers,
        share: impl AsyncFn(Moment<'_>) -> Result<(), ProvisioningError>,
        adopt: impl AsyncFnOnce() -> Result<(), ProvisioningError>,
    ) -> Result<Phase, ProvisioningError> {
        let outdated = ask::outdated(&self.store, self.recorder.run(), &self.settings, Timestamp::now())?;
        if let Some((phase, words)) = outdated {
            self.recorder.say(LogLevel::Warning, &words)?;
            self.store.forget_plan(self.recorder.run().number)?;
            self.recorder.run_mut().moved = vec![words.clone()];
            self.tell_end(&words);
            self.recorder.rest(phase)?;
            return Ok(phase);
        }
        if let Err(error) = self.store.refuse_unsaved() {
            return self.step_back(error.into());
        }
        let outcome = match self.look(turn, variables, providers).await {
            Ok(Looked::Refused(refusal)) => match self.refuse(refusal) {
                Ok(phase) => return Ok(phase),
                Err(error) => Err(error.into()),
            },
            Ok(Looked::Holds(held)) => match share(Moment::Using(&held.verdict)).await {
                Ok(()) => match self.begin_apply(&held) {
                    Ok(()) => {
                        if let Err(error) = share(Moment::Begun).await {
                            self.recorder.say(LogLevel::Warning, &error.to_string())?;
                        }
                        self.apply_steps(turn, &held).await
                    }
                    Err(error) => Err(error.into()),
                },
                Err(error) => {
                    // Another machine was faster: how the run ends is that one's to tell.
                    let words = error.to_string();
                    self.tell(AuditEvent::Refused, &words, held.record.digests())?;
                    self.recorder.diagnose(ours(&words))?;
                    self.recorder.fail(false)?;
                    return Ok(Phase::Failed);
                }
            },
            Err(stop) => return self.step_back(stop),
        };
        let outcome = self.stand(outcome, adopt).await;
        // A failed apply has changed the state as well. Whoever sees this run at its end sees the others as they are then.
        if let Err(error) = ask::make_stale(&self.store, self.recorder.run().number) {
            self.recorder.say(LogLevel::Warning, &error.to_string())?;
        }
        self.conclude(outcome)
    }

    /// The look before an apply came to nothing: nothing was changed, and the plan waits as before.
    fn step_back(&mut self, stop: Stop) -> Result<Phase, ProvisioningError> {
        let interrupted = match stop {
            Stop::Failed { interrupted } => interrupted,
            Stop::Error(error) => {
                self.recorder.diagnose(ours(&error.to_string()))?;
                false
            }
        };
        files::remove(&self.store.fresh_plan(self.recorder.run().number))?;
        self.recorder.step_back(interrupted)?;
        let run = self.recorder.run();
        let why = run.failure.as_ref().and_then(|failure| failure.diagnostics.first());
        let words = why.map_or_else(|| "interrupted".to_owned(), |why| format!("not checked: {}", why.summary));
        ask::tell(&self.store, run, "", AuditEvent::Refused, &words)?;
        Ok(run.phase)
    }

    /// Ends the run as failed before it could begin. One that was to be applied waits again.
    pub fn fail(&mut self, error: &dyn std::error::Error) -> Result<(), ProvisioningError> {
        if self.job == Job::Apply && matches!(self.recorder.run().phase, Phase::Queued | Phase::Checking) {
            self.recorder.diagnose(ours(&error.to_string()))?;
            return self.recorder.step_back(false);
        }
        self.recorder.diagnose(ours(&error.to_string()))?;
        self.tell_end("failed");
        self.recorder.fail(false)
    }

    /// Gives the ticket back.
    pub fn leave(self) {
        self.ticket.give_back();
    }

    /// What is applied whole is what runs from then on. A part of it, or a look at it, mustn't take the ground away from
    /// under the rest.
    async fn stand(
        &self,
        outcome: Result<Phase, Stop>,
        adopt: impl AsyncFnOnce() -> Result<(), ProvisioningError>,
    ) -> Result<Phase, Stop> {
        let request = self.request();
        let is_whole = request.operation == Operation::Plan && request.targets.is_empty();
        if is_whole && matches!(outcome, Ok(Phase::Applied | Phase::Unchanged)) {
            adopt().await?;
        }
        outcome
    }

    fn conclude(&mut self, outcome: Result<Phase, Stop>) -> Result<Phase, ProvisioningError> {
        let waits = matches!(outcome, Ok(Phase::Planned));
        if !waits {
            // It holds secrets and is of no more use.
            self.store.forget_plan(self.recorder.run().number)?;
        }
        match outcome {
            Ok(phase) => {
                // Whoever sees its end finds it in the trail.
                if phase.is_end() {
                    self.tell_end(phase.label());
                }
                self.recorder.rest(phase)?;
                Ok(phase)
            }
            Err(stop) => {
                // A log that can't be written, on a full disk say, keeps the run from nothing.
                let (interrupted, noted) = match stop {
                    Stop::Failed { interrupted } => (interrupted, Ok(())),
                    Stop::Error(error) => (false, self.recorder.diagnose(ours(&error.to_string()))),
                };
                self.tell_end(if interrupted { "interrupted" } else { "failed" });
                self.recorder.fail(interrupted)?;
                noted?;
                Ok(Phase::Failed)
            }
        }
    }

    async fn caller(&self, providers: Providers) -> Result<Caller, ProvisioningError> {
        let terraform = Terraform::find(self.settings.terraform.as_deref()).await?;
        Caller::new(terraform, self.store.workspace().folder(), providers, &self.store.shelter())
    }
}

/// What we have to say, as a diagnostic.
fn ours(words: &str) -> Diagnostic {
    Diagnostic {
        error: true,
        summary: crate::station::text::printable(words),
        detail: String::new(),
        address: None,
        place: None,
    }
}
