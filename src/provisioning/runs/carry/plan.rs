//! The steps up to a plan.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{Carrier, Stop};
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::plan::read::PlanReading;
use crate::provisioning::run::{LogLevel, Operation, Phase, RunRequest};
use crate::provisioning::runs::arguments::{self, words};
use crate::provisioning::runs::queue::Turn;
use crate::provisioning::terraform::command::{Caller, Providers};
use crate::provisioning::terraform::process::Ended;
use crate::provisioning::workspace::module::Module;
use crate::provisioning::workspace::secrets;

/// The state that a plan is made on; absent where there is none yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StateMark {
    pub lineage: Option<String>,
    pub serial: Option<u64>,
}

impl Carrier {
    /// Init, format, validate, plan; then the plan is read, judged and recorded.
    pub(super) async fn plan_steps(
        &mut self,
        turn: &Turn,
        variables: &BTreeMap<String, Value>,
        providers: Providers,
    ) -> Result<Phase, Stop> {
        let request = self.request().clone();
        self.lay_out(variables)?;
        let caller = self.caller(providers).await?;
        self.initialise(turn, &caller).await?;
        self.learn_state(&caller).await?;
        self.recorder.end(true);

        self.recorder.begin(Phase::CheckingFormat)?;
        self.step(turn, &caller, words(&["fmt", "-check", "-recursive", "-no-color"]), &[0]).await?;
        self.recorder.end(true);

        self.recorder.begin(Phase::Validating)?;
        self.step(turn, &caller, words(&["validate", "-json"]), &[0]).await?;
        self.recorder.end(true);

        self.recorder.begin(Phase::Planning)?;
        let plan = self.store.plan(self.recorder.run().number);
        let (ended, reading) = self.make_plan(turn, &caller, &request, &plan).await?;
        self.refuse_secret_addresses(&request)?;
        if let Some(address) = arguments::unknown_address(&request, reading.json()) {
            let words = format!(
                "{address}: neither the configuration nor the state has it; `skydeck state` and the module name what there is"
            );
            return Err(ProvisioningError::Refused(words).into());
        }
        let state = self.state_mark(&caller).await?;
        self.recorder.planned(state.serial);
        self.judge(&caller, &reading, state)?;
        self.recorder.end(true);
        // Terraform also plans to take new values of outputs into the state: that is no drift.
        let run = self.recorder.run();
        let drifted = request.operation != Operation::RefreshOnly || !run.drift.is_empty();
        Ok(if ended.status.code() == Some(2) && drifted { Phase::Planned } else { Phase::Unchanged })
    }

    /// Refuses a run that is limited to addresses in which secrets stand: they would be kept with it.
    fn refuse_secret_addresses(&mut self, asked: &RunRequest) -> Result<(), ProvisioningError> {
        let masks = self.recorder.masks().clone();
        let request = &mut self.recorder.run_mut().request;
        for address in request.targets.iter_mut().chain(&mut request.replace) {
            *address = masks.apply(address);
        }
        let changed = asked.targets.iter().zip(&request.targets).chain(asked.replace.iter().zip(&request.replace));
        match changed.into_iter().find(|(asked, masked)| asked != masked) {
            None => Ok(()),
            Some((_, masked)) => Err(ProvisioningError::Refused(format!(
                "{masked}: holds what is secret in the plan, and an address is kept in clear; name the resource without its key"
            ))),
        }
    }

    /// Lays out the configuration, and learns before that what is secret.
    pub(super) fn lay_out(&mut self, variables: &BTreeMap<String, Value>) -> Result<(), ProvisioningError> {
        if let Some(state) = self.store.local_state()? {
            self.recorder.know(state.secrets())?;
        }
        let module = match &self.settings.module {
            Some(folder) => Module::read(folder),
            None => Module::carried(),
        };
        // Values that may be secret are for Terraform's ears only; without the module any may be.
        let sensitive = module.as_ref().ok().map(Module::sensitive_variables);
        self.recorder.hide_variables(|name| sensitive.as_ref().is_none_or(|names| names.contains(name)))?;
        let module = module?;
        let file = self.store.workspace().variables_file();
        self.recorder.know(secrets::of_module(&module, &file, |name| std::env::var(name).ok()))?;
        self.recorder.say(LogLevel::Info, &format!("module: {}", module.place.display()))?;
        self.store.workspace().lay_out(&module, variables)
    }

    /// `terraform init`.
    pub(super) async fn initialise(&mut self, turn: &Turn, caller: &Caller) -> Result<(), Stop> {
        let mut init = words(&["init", "-input=false", "-no-color"]);
        // Terraform 1.6 to 1.8 says the same in plain words.
        if caller.terraform().is_at_least(1, 9) {
            init.push("-json".to_owned());
        }
        init.extend(self.store.workspace().backend_arguments());
        self.step(turn, caller, init, &[0]).await?;
        Ok(())
    }

    /// Learns what is secret in a state that is kept elsewhere, before a plan says anything of it.
    pub(super) async fn learn_state(&mut self, caller: &Caller) -> Result<(), ProvisioningError> {
        if self.store.workspace().is_embedded() {
            return Ok(());
        }
        match caller.pulled_state().await {
            Ok(state) => self.recorder.know(state.map(|state| state.secrets()).unwrap_or_default()),
            // The plan finds the same in a moment, and says it in Terraform's words.
            Err(error) => {
                tracing::debug!(target: "provisioning", "{error}");
                Ok(())
            }
        }
    }

    /// `terraform plan` of `request` into the file `plan`, and the plan read. What is secret in it is learned before
    /// anything is told that may hold it: from a plan that failed as well, which Terraform writes too.
    pub(super) async fn make_plan(
        &mut self,
        turn: &Turn,
        caller: &Caller,
        request: &RunRequest,
        plan: &Path,
    ) -> Result<(Ended, PlanReading), Stop> {
        let mut call = words(&["plan", "-json", "-input=false", "-detailed-exitcode"]);
        call.push(format!("-lock-timeout={}s", self.settings.lock_timeout_s));
        call.push(format!("-out={}", plan.display()));
        call.extend(self.store.workspace().variable_arguments());
        call.extend(arguments::of_request(request));
        // Terraform makes it with the process's umask, and it holds secrets.
        drop(files::create(plan).map_err(|error| ProvisioningError::file(plan, &error))?);
        let ended = self.call(turn, caller, call, &[0, 2]).await;
        let is_written = std::fs::metadata(plan).is_ok_and(|file| file.len() > 0);
        let reading = match &ended {
            Err(_) if !is_written => None,
            _ => Some(self.read_plan(caller, plan).await),
        };
        match &reading {
            Some(Err(_)) => self.recorder.withhold("what is secret in the plan can't be told")?,
            _ => self.recorder.release()?,
        }
        match (ended, reading) {
            (Ok(ended), Some(reading)) => Ok((ended, reading?)),
            (Err(stop), _) => Err(stop),
            (Ok(_), None) => Err(Stop::Failed { interrupted: false }),
        }
    }

    /// Reads a plan file, and learns from it what is secret.
    async fn read_plan(&mut self, caller: &Caller, plan: &Path) -> Result<PlanReading, Stop> {
        let text = caller.ask(&["show", "-json", &plan.to_string_lossy()]).await?;
        let failed = |reason: String| ProvisioningError::Terraform { command: "show -json".to_owned(), reason };
        let reading = PlanReading::read(text.as_bytes()).map_err(|error| failed(error.to_string()))?;
        self.recorder.know(reading.masks().clone())?;
        let secret = crate::provisioning::terraform::secrets::sensitive_names(reading.json());
        self.recorder.hide_variables(|name| secret.iter().any(|secret| secret == name))?;
        Ok(reading)
    }

    /// Which state there is now.
    pub(super) async fn state_mark(&self, caller: &Caller) -> Result<StateMark, ProvisioningError> {
        let state = match self.store.workspace().local_state() {
            Some(_) => self.store.local_state()?,
            None => caller.pulled_state().await?,
        };
        Ok(state.map_or_else(StateMark::default, |state| StateMark {
            lineage: Some(state.lineage().to_owned()),
            serial: Some(state.serial()),
        }))
    }
}
