//! Carrying one run out, step by step, in a process of its own.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::arguments::{self, words};
use super::ask;
use super::queue::{Holder, Job, Ticket, Turn};
use super::record::{Recorder, settle};
use super::seen;
use super::store::Store;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::run::{Diagnostic, LogLevel, Operation, Phase, RunRequest};
use crate::provisioning::terraform::command::{Caller, Providers};
use crate::provisioning::terraform::event;
use crate::provisioning::terraform::find::Terraform;
use crate::provisioning::terraform::process::{self, Ended, Stream};
use crate::provisioning::terraform::secrets;
use crate::provisioning::workspace::module::Module;
use crate::settings::ProvisioningSettings;

/// Carries one run out.
#[derive(Debug)]
pub struct Carrier {
    store: Store,
    ticket: Ticket,
    recorder: Recorder,
    settings: ProvisioningSettings,
    /// Turns true when the run is to end.
    interrupt: watch::Receiver<bool>,
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
        Ok(Self { store: store.clone(), ticket, recorder, settings, interrupt })
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
                files::remove(&self.store.plan(number))?;
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
        let outcome = self.plan_steps(turn, variables, providers).await;
        let outcome = self.stand(outcome, adopt).await;
        self.conclude(outcome)
    }

    /// Applies the plan, once more after a look at whether it still holds. Answers how the run ended. Where everything
    /// that the module describes is applied then, `adopt` is called before that is told.
    pub async fn apply(
        &mut self,
        turn: &Turn,
        providers: Providers,
        adopt: impl AsyncFnOnce() -> Result<(), ProvisioningError>,
    ) -> Result<Phase, ProvisioningError> {
        let outdated = ask::outdated(&self.store, self.recorder.run(), &self.settings, Timestamp::now())?;
        if let Some((phase, words)) = outdated {
            self.recorder.say(LogLevel::Warning, &words)?;
            files::remove(&self.store.plan(self.recorder.run().number))?;
            self.recorder.rest(phase)?;
            return Ok(phase);
        }
        self.recorder.begin(Phase::Applying)?;
        let outcome = self.apply_step(turn, providers).await;
        let outcome = self.stand(outcome, adopt).await;
        // A failed apply has changed the state as well. Whoever sees this run at its end sees the others as they are then.
        if let Err(error) = ask::make_stale(&self.store, self.recorder.run().number) {
            self.recorder.say(LogLevel::Warning, &error.to_string())?;
        }
        self.conclude(outcome)
    }

    /// Ends the run as failed before it could begin.
    pub fn fail(&mut self, error: &dyn std::error::Error) -> Result<(), ProvisioningError> {
        self.recorder.diagnose(ours(&error.to_string()))?;
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
            files::remove(&self.store.plan(self.recorder.run().number))?;
        }
        match outcome {
            Ok(phase) => {
                self.recorder.rest(phase)?;
                Ok(phase)
            }
            Err(stop) => {
                // A log that can't be written, on a full disk say, keeps the run from nothing.
                let (interrupted, noted) = match stop {
                    Stop::Failed { interrupted } => (interrupted, Ok(())),
                    Stop::Error(error) => (false, self.recorder.diagnose(ours(&error.to_string()))),
                };
                self.recorder.fail(interrupted)?;
                noted?;
                Ok(Phase::Failed)
            }
        }
    }

    async fn plan_steps(
        &mut self,
        turn: &Turn,
        variables: &BTreeMap<String, Value>,
        providers: Providers,
    ) -> Result<Phase, Stop> {
        if let Some(state) = self.store.local_state()? {
            self.recorder.know(state.secrets())?;
        }
        let request = self.request().clone();
        let module = match &self.settings.module {
            Some(folder) => Module::read(folder),
            None => Module::carried(),
        };
        // Values that may be secret are for Terraform's ears only; without the module any may be.
        let sensitive = module.as_ref().ok().map(Module::sensitive_variables);
        self.recorder.hide_variables(|name| sensitive.as_ref().is_none_or(|names| names.contains(name)))?;
        let module = module?;
        self.recorder.say(LogLevel::Info, &format!("module: {}", module.place.display()))?;
        let workspace = self.store.workspace();
        workspace.lay_out(&module, variables)?;
        let caller = self.caller(providers).await?;

        let mut init = words(&["init", "-input=false", "-no-color"]);
        // Terraform 1.6 to 1.8 says the same in plain words.
        if caller.terraform().is_at_least(1, 9) {
            init.push("-json".to_owned());
        }
        init.extend(workspace.backend_arguments());
        self.step(turn, &caller, init, &[0]).await?;
        self.recorder.end(true);

        self.recorder.begin(Phase::CheckingFormat)?;
        self.step(turn, &caller, words(&["fmt", "-check", "-recursive", "-no-color"]), &[0]).await?;
        self.recorder.end(true);

        self.recorder.begin(Phase::Validating)?;
        self.step(turn, &caller, words(&["validate", "-json"]), &[0]).await?;
        self.recorder.end(true);

        self.recorder.begin(Phase::Planning)?;
        let number = self.recorder.run().number;
        let plan = self.store.plan(number);
        let mut call = words(&["plan", "-json", "-input=false", "-detailed-exitcode"]);
        call.push(format!("-lock-timeout={}s", self.settings.lock_timeout_s));
        call.push(format!("-out={}", plan.display()));
        call.extend(workspace.variable_arguments());
        call.extend(arguments::of_request(&request));
        // Terraform makes it with the process's umask, and it holds secrets.
        drop(files::create(&plan).map_err(|error| ProvisioningError::file(&plan, &error))?);
        let ended = self.step(turn, &caller, call, &[0, 2]).await?;
        self.read_plan(&caller, &plan.to_string_lossy()).await?;
        let serial = match workspace.local_state() {
            Some(_) => self.store.local_serial()?,
            None => caller.pulled_state().await?.map(|state| state.serial()),
        };
        self.recorder.planned(serial);
        self.recorder.end(true);
        // Terraform also plans to take new values of outputs into the state: that is no drift.
        let run = self.recorder.run();
        let drifted = request.operation != Operation::RefreshOnly || !run.drift.is_empty();
        Ok(if ended.status.code() == Some(2) && drifted { Phase::Planned } else { Phase::Unchanged })
    }

    async fn apply_step(&mut self, turn: &Turn, providers: Providers) -> Result<Phase, Stop> {
        if !self.store.workspace().is_initialised() {
            let words = "the configuration it was planned with isn't laid out any more; plan again";
            return Err(ProvisioningError::Refused(words.to_owned()).into());
        }
        let caller = self.caller(providers).await?;
        let plan = self.store.plan(self.recorder.run().number);
        self.read_plan(&caller, &plan.to_string_lossy()).await?;
        let mut call = words(&["apply", "-json", "-input=false"]);
        call.push(format!("-lock-timeout={}s", self.settings.lock_timeout_s));
        call.push(plan.to_string_lossy().into_owned());
        self.step(turn, &caller, call, &[0]).await?;
        settle(self.recorder.run_mut(), true, "");
        self.recorder.end(true);
        Ok(Phase::Applied)
    }

    async fn caller(&self, providers: Providers) -> Result<Caller, ProvisioningError> {
        let terraform = Terraform::find(self.settings.terraform.as_deref()).await?;
        Caller::new(terraform, self.store.workspace().folder(), providers, &self.store.shelter())
    }

    /// Learns from the plan what is secret.
    async fn read_plan(&mut self, caller: &Caller, plan: &str) -> Result<(), Stop> {
        let text = caller.ask(&["show", "-json", plan]).await?;
        let failed = |reason: String| ProvisioningError::Terraform { command: "show -json".to_owned(), reason };
        let plan: Value = serde_json::from_str(&text).map_err(|error| failed(format!("isn't JSON: {error}")))?;
        self.recorder.know(secrets::of_plan(&plan).map_err(failed)?)?;
        if let Some(address) = arguments::unknown_address(&self.recorder.run().request, &plan) {
            let words = format!(
                "{address}: neither the configuration nor the state has it; `skydeck state` and the module name what there is"
            );
            return Err(ProvisioningError::Refused(words).into());
        }
        let secret = secrets::sensitive_names(&plan);
        Ok(self.recorder.hide_variables(|name| secret.iter().any(|secret| secret == name))?)
    }

    /// One call of Terraform, to its end. Fails on an exit code that isn't among `good`.
    async fn step(
        &mut self,
        turn: &Turn,
        caller: &Caller,
        arguments: Vec<String>,
        good: &[i32],
    ) -> Result<Ended, Stop> {
        if *self.interrupt.borrow() {
            return Err(Stop::Failed { interrupted: true });
        }
        let shown: Vec<_> = arguments.iter().map(|argument| arguments::shown(argument)).collect();
        self.recorder.say(LogLevel::Info, &format!("$ terraform {}", shown.join(" ")))?;
        let phase = self.recorder.run().phase;
        let folder = self.store.run_folder(self.recorder.run().number).join("stream");
        let mut whole = String::new();
        let mut broken = None;
        let recorder = &mut self.recorder;
        let ended = process::follow(
            caller.command(&arguments),
            &folder,
            turn.held(),
            &mut self.interrupt,
            |pid| {
                if let Err(error) = turn.note(Some(pid)) {
                    tracing::warn!(target: "provisioning", "{error}");
                }
            },
            |lines| {
                // A full disk ends no apply: it goes on, and what can't be noted is told at its end.
                if let Err(error) = take(recorder, phase, lines, &mut whole) {
                    tracing::error!(target: "provisioning", "{error}");
                    broken = Some(error);
                }
            },
        )
        .await?;
        turn.note(None)?;
        if let Some(error) = broken {
            return Err(error.into());
        }
        let is_good = ended.status.code().is_some_and(|code| good.contains(&code));
        if phase == Phase::Validating {
            for diagnostic in event::validation(&whole).unwrap_or_default() {
                self.recorder.diagnose(diagnostic)?;
            }
        }
        if is_good {
            return Ok(ended);
        }
        if phase == Phase::CheckingFormat && ended.status.code() == Some(3) {
            for file in whole.lines() {
                let summary = format!("{file} isn't formatted as `terraform fmt` would");
                let place = Some(file.to_owned());
                self.recorder.diagnose(Diagnostic {
                    error: true,
                    summary,
                    detail: String::new(),
                    address: None,
                    place,
                })?;
            }
        } else if ended.status.code().is_none() {
            self.recorder.diagnose(ours(&format!("terraform was killed ({})", ended.status)))?;
        }
        Err(Stop::Failed { interrupted: ended.interrupted })
    }
}

/// Takes lines in, all of them whatever fails, and writes the run once for all. `whole` collects what only makes sense whole.
fn take(
    recorder: &mut Recorder,
    phase: Phase,
    lines: Vec<(Stream, String)>,
    whole: &mut String,
) -> Result<(), ProvisioningError> {
    let mut outcome = Ok(());
    for (stream, text) in lines {
        let taken = match (stream, phase) {
            (Stream::Out, Phase::Validating | Phase::CheckingFormat) => {
                whole.push_str(&text);
                whole.push('\n');
                Ok(())
            }
            (Stream::Out, _) => recorder.take(event::parse(&text)),
            (Stream::Error, _) => {
                let text = crate::provisioning::terraform::text::plain(&text);
                recorder.say(LogLevel::Error, &text)
            }
        };
        outcome = outcome.and(taken);
    }
    outcome.and(recorder.save_progress())
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
