//! Provisioning as an owner and the command line drive it. Runs are asked for here and carried out by a process of
//! their own; what is known of them is read from the folders they write to.

mod asking; // runs made, approved, applied, ended
#[cfg(feature = "local")]
mod follow; // into the snapshots
mod judging; // a plan, by the policies as they are now
mod look; // how an environment stands, read from its folder
mod reading; // plans that are kept, the audit trail
mod recovering; // a state that an apply couldn't write
mod watching; // noticing that something changed

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "local")]
pub(super) use self::follow::follow;
use self::look::Looker;
use self::watching::Watching;
use super::client::AskError;
use super::protocol::{Answer, Request};
use super::rehearsal::Rehearsal;
use super::runner::Job;
use crate::provisioning::audit::chain::Deed;
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::run::RunLogLine;
use crate::provisioning::runs::queue::Ticket;
use crate::provisioning::runs::seen::{self, Living};
use crate::provisioning::runs::store::Store;
use crate::provisioning::runs::{ask, log, record};
use crate::provisioning::status::{ProvisioningStatus, TerraformStatus};
use crate::provisioning::terraform::command::{Caller, Providers};
use crate::provisioning::terraform::find::{Terraform, status_of};
use crate::provisioning::terraform::mask::Masks;
use crate::provisioning::terraform::text;
use crate::provisioning::workspace::module;
use crate::provisioning::workspace::secrets;
use crate::settings::{EnvironmentKind, EnvironmentName, Folders, Layers, ProvisioningSettings, Roots, load};

/// Most lines of a log that one answer holds.
const MOST_LINES: usize = 10_000;

/// How the process of a run is started: this program with the arguments that lead to the same settings and folders.
/// `runner` is put before them, `--env NAME` and the run behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerCommand {
    /// The program.
    pub program: PathBuf,
    /// Flags such as `--config FILE` and `--data-dir DIR`.
    pub arguments: Vec<OsString>,
}

/// The one place that runs are asked for and looked at; clones share it. Works with and without an owner.
#[derive(Debug, Clone)]
pub struct Provisioner {
    roots: Roots,
    runner: RunnerCommand,
    settings: ProvisioningSettings,
    /// Where another environment's settings are read from.
    layers: Option<Layers>,
    looker: Arc<Mutex<Looker>>,
    watching: Arc<Watching>,
    terraform: Arc<tokio::sync::Mutex<Option<TerraformStatus>>>,
}

impl Provisioner {
    /// For the environments under `roots`. Each has its own settings in `layers`; without these, `settings` are
    /// everybody's.
    #[must_use]
    pub fn new(roots: Roots, runner: RunnerCommand, settings: ProvisioningSettings, layers: Option<Layers>) -> Self {
        let (looker, watching, terraform) = (Arc::default(), Arc::default(), Arc::default());
        Self { roots, runner, settings, layers, looker, watching, terraform }
    }

    /// The settings of `environment`, as they are now.
    fn settings_of(&self, environment: &EnvironmentName) -> Result<ProvisioningSettings, ProvisioningError> {
        let Some(layers) = &self.layers else { return Ok(self.settings.clone()) };
        match load(environment, layers) {
            Ok(loaded) => Ok(loaded.settings.provisioning),
            Err(error) => Err(ProvisioningError::Refused(error.to_string())),
        }
    }

    /// How provisioning stands now. Cheap where nothing has changed since the last time, once [`Provisioner::changed`]
    /// was called.
    pub async fn status(&self) -> ProvisioningStatus {
        let terraform = self.terraform_status().await;
        let this = self.clone();
        let environments = tokio::task::spawn_blocking(move || {
            let stores = this.stores();
            let mut looker = this.looker.lock().unwrap_or_else(PoisonError::into_inner);
            let (is_watched, is_dirty) = this.watching.take(&stores);
            looker.look(&stores, !is_watched || is_dirty)
        });
        ProvisioningStatus { terraform, environments: environments.await.unwrap_or_default() }
    }

    /// Makes the folder of an environment's runs, so that whatever another process does there is noticed.
    pub fn prepare(&self, environment: &EnvironmentName) -> Result<(), ProvisioningError> {
        self.store(environment)?.make()
    }

    /// Writes to an environment's audit trail what was commanded.
    pub fn note(&self, environment: &EnvironmentName, words: &str) -> Result<(), ProvisioningError> {
        tell(&self.store(environment)?, AuditEvent::Commanded, None, words)
    }

    /// Waits until something of a run, a lock or a state has changed since the last call. The first call answers at
    /// once. For one waiter.
    pub async fn changed(&self) {
        self.watching.changed(&self.stores()).await;
    }

    /// Answers the requests about runs and states; anything else is refused.
    pub async fn answer(&self, request: Request) -> Result<Answer, AskError> {
        let answer = match request {
            Request::StartRun { environment, run } => self.start(&environment, run).await,
            Request::ApplyRun { environment, number } => self.apply(&environment, number).await,
            Request::CheckApply { environment, number } => self.check_apply(&environment, number).await,
            Request::CancelRun { environment, number } => self.cancel(&environment, number).await,
            Request::EndElsewhere { environment, number } => self.end_elsewhere(&environment, number).await,
            Request::Unlock { environment, id } => self.unlock(&environment, &id).await,
            Request::RecoverState { environment } => self.recover_state(&environment).await,
            Request::Runs { environment, before, limit } => self.runs(&environment, before, limit).await,
            Request::Run { environment, number } => self.run(&environment, number).await,
            Request::RunLog { environment, number, after, limit } => {
                self.log(&environment, number, (after, limit), log::read).await
            }
            Request::RunLogPage { environment, number, after, limit } => {
                self.log(&environment, number, (after, limit), log::page).await
            }
            Request::Approve { environment, number, reason, override_denials } => {
                self.approve(&environment, number, reason.as_deref(), override_denials).await
            }
            Request::ImportApproval { environment, number, approval } => {
                self.import(&environment, number, approval).await
            }
            Request::RefreshRuns { environment } => self.refresh(&environment).await,
            Request::Plan { environment, number } => self.plan(&environment, number).await,
            Request::PlanDetails { environment, number, list, from, count } => {
                self.plan_details(&environment, number, list, (from, count)).await
            }
            Request::RevealChange { environment, number, list, index } => {
                self.reveal(&environment, number, list, index).await
            }
            Request::Audit { environment, after, limit } => self.audit(&environment, after, limit).await,
            Request::VerifyAudit { environment } => self.verify_audit(&environment).await,
            Request::State { environment } => self.state(&environment).await,
            Request::StateShow { environment, address } => self.state_show(&environment, &address).await,
            other => Err(ProvisioningError::Refused(format!("{other:?}: not a request about runs"))),
        };
        answer.map_err(AskError::from)
    }

    /// Refuses an environment of the cloud that the module knows nothing of: a slip of the pen makes no folder.
    fn check_name(&self, environment: &EnvironmentName) -> Result<(), ProvisioningError> {
        let known = module::environments(self.settings.module.as_deref());
        if environment.kind() != EnvironmentKind::Cloud || known.contains(environment) {
            return Ok(());
        }
        let names: Vec<_> = known.iter().map(EnvironmentName::as_str).collect();
        let others = if names.is_empty() { String::new() } else { format!(", or take one of {}", names.join(", ")) };
        let words = format!(
            "environment {environment}: the module has no environments/{environment}.tfvars; write that file{others}"
        );
        Err(ProvisioningError::Refused(words))
    }

    async fn unlock(&self, environment: &EnvironmentName, id: &str) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        let message = if environment.kind() == EnvironmentKind::Cloud {
            self.unlock_remote(&store, id).await?
        } else {
            ask::unlock_local(&store, id).await?
        };
        tracing::info!(target: "audit", "{message}, in {}, asked for by {}", shown(environment), asker());
        tell(&store, AuditEvent::Unlocked, None, &message)?;
        self.watching.ring();
        Ok(Answer::Done { message })
    }

    /// The lock of a state that is kept elsewhere is Terraform's to take.
    async fn unlock_remote(&self, store: &Store, id: &str) -> Result<String, ProvisioningError> {
        let words_of = |words: &str| format!("lock {}: {words}", crate::station::text::printable(id));
        let status = self.status().await;
        let known = status.environments.into_iter().find(|one| one.environment == *store.environment());
        let holder = known
            .and_then(|one| one.lock)
            .ok_or_else(|| words_of("no run was refused for it; a run that is refused names who holds the lock"))
            .map_err(ProvisioningError::NotFound)?;
        ask::confirm(id, &holder)?;
        if !store.workspace().is_initialised() || Living::look(store)?.worker.is_some() {
            let words = words_of("a run is at work or none was yet; end it, or plan once, and try again");
            return Err(ProvisioningError::Locked(words));
        }
        self.caller(store, Providers::Real).await?.ask(&["force-unlock", "-force", id]).await?;
        Ok(format!("lock {id}: taken from {}", holder.who))
    }

    async fn run(&self, environment: &EnvironmentName, number: u32) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        blocking(move || {
            let run = seen::read(&store, number, &Living::look(&store)?)?.run;
            Ok(Answer::Run { run: Box::new(run) })
        })
        .await
    }

    async fn runs(
        &self,
        environment: &EnvironmentName,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        blocking(move || Ok(Answer::Runs { runs: look::page(&store, before, limit)? })).await
    }

    /// Lines of a run's log after a number, as `read` picks them.
    async fn log(
        &self,
        environment: &EnvironmentName,
        number: u32,
        (after, limit): (u64, usize),
        read: fn(&Path, u64, usize) -> Result<Vec<RunLogLine>, ProvisioningError>,
    ) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        blocking(move || {
            store.read(number)?;
            let lines = read(&record::log_of(&store, number), after, limit.min(MOST_LINES))?;
            Ok(Answer::RunLog { lines })
        })
        .await
    }

    async fn state(&self, environment: &EnvironmentName) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        let state = if environment.kind() == EnvironmentKind::Cloud {
            self.initialised(&store, Providers::Real).await?.pulled_state().await?
        } else {
            blocking({
                let store = store.clone();
                move || store.local_state()
            })
            .await?
        };
        Ok(Answer::State { state: state.map(|state| state.view(self.known(&store))).unwrap_or_default() })
    }

    async fn state_show(&self, environment: &EnvironmentName, address: &str) -> Result<Answer, ProvisioningError> {
        ask::check_address(address)?;
        let store = self.store(environment)?;
        let rehearsal = Rehearsal::of(environment, &self.folders(environment)?).await?;
        let providers = rehearsal.as_ref().map_or(Providers::Real, Rehearsal::providers);
        let caller = self.initialised(&store, providers).await?;
        let state = match store.workspace().local_state() {
            Some(_) => store.local_state()?,
            None => caller.pulled_state().await?,
        };
        let mut masks = state.map(|state| state.secrets()).unwrap_or_default();
        masks.extend(self.known(&store));
        let shown = caller.ask(&["state", "show", "-no-color", address]).await?;
        Ok(Answer::StateShow { text: masks.apply(&text::plain(&shown)) })
    }

    /// What the configuration tells to be secret.
    fn known(&self, store: &Store) -> Masks {
        let settings = self.settings_of(store.environment()).unwrap_or_else(|_| self.settings.clone());
        secrets::known(settings.module.as_deref(), &store.workspace())
    }

    /// A caller for a workspace that Terraform knows already.
    async fn initialised(&self, store: &Store, providers: Providers) -> Result<Caller, ProvisioningError> {
        if store.workspace().is_initialised() {
            return self.caller(store, providers).await;
        }
        let environment = store.environment();
        let words = format!(
            "state of {environment}: nothing was planned there yet; plan once with `skydeck plan --env {environment}`"
        );
        Err(ProvisioningError::Refused(words))
    }

    async fn caller(&self, store: &Store, providers: Providers) -> Result<Caller, ProvisioningError> {
        let terraform = self.find_terraform().await?;
        Caller::new(terraform, store.workspace().folder(), providers, &store.shelter())
    }

    /// Starts the process of a run, which takes the ticket over.
    fn spawn(&self, store: &Store, number: u32, job: Job, ticket: &Ticket) -> Result<(), ProvisioningError> {
        let path = store.run_folder(number).join("runner.log");
        let failed = |error: std::io::Error| {
            ProvisioningError::Refused(format!("run {number}: its process can't be started: {error}; ask for it again"))
        };
        let mut options = std::fs::File::options();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let output = options.append(true).create(true).open(&path).map_err(failed)?;
        tokio::process::Command::new(&self.runner.program)
            .arg("runner")
            .args(&self.runner.arguments)
            .args(["--env", store.environment().as_str(), &number.to_string(), &job.to_string()])
            .stdin(Stdio::from(ticket.hand_over()?))
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            .spawn()
            .map_err(failed)?;
        self.watching.ring();
        Ok(())
    }

    async fn terraform_status(&self) -> TerraformStatus {
        let mut known = self.terraform.lock().await;
        match &*known {
            Some(known) => known.clone(),
            None => {
                let found = status_of(&Terraform::find(self.settings.terraform.as_deref()).await);
                *known = Some(found.clone());
                found
            }
        }
    }

    /// Looks for Terraform anew: it may have been installed or removed meanwhile.
    async fn find_terraform(&self) -> Result<Terraform, ProvisioningError> {
        let found = Terraform::find(self.settings.terraform.as_deref()).await;
        let status = status_of(&found);
        if self.terraform.lock().await.replace(status.clone()).is_none_or(|known| known != status) {
            self.watching.ring();
        }
        found
    }

    /// Looks whether Terraform is there by now.
    #[cfg(feature = "local")]
    async fn look_for_terraform(&self) {
        // What is found is kept for the next status; what isn't is known already.
        drop(self.find_terraform().await);
    }

    fn folders(&self, environment: &EnvironmentName) -> Result<Folders, ProvisioningError> {
        self.roots.of(environment).map_err(|error| ProvisioningError::Refused(error.to_string()))
    }

    fn store(&self, environment: &EnvironmentName) -> Result<Store, ProvisioningError> {
        Ok(Store::of(environment, &self.folders(environment)?.data))
    }

    /// Demo, local, then those in the cloud, by name: the module's and those that have runs.
    fn stores(&self) -> Vec<Store> {
        let mut cloud = module::environments(self.settings.module.as_deref());
        cloud.extend(self.roots.environments());
        cloud.retain(|name| name.kind() == EnvironmentKind::Cloud);
        let embedded = ["demo", "local"].iter().filter_map(|name| name.parse().ok());
        embedded.chain(cloud).filter_map(|name| self.store(&name).ok()).collect()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProvisioningError> + Send + 'static,
) -> Result<T, ProvisioningError> {
    let cut_off = |_| ProvisioningError::Refused("runs: the answer was cut off; ask again".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(cut_off)?
}

/// Who asks, as `user@host`.
pub(super) fn asker() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty());
    let uid = rustix::process::getuid().as_raw();
    let user = user.or_else(|| name_of(uid)).unwrap_or_else(|| format!("uid {uid}"));
    let host = rustix::system::uname();
    format!("{user}@{}", host.nodename().to_string_lossy())
}

/// A user's name, where the variables don't tell it: in a container, in cron.
fn name_of(uid: u32) -> Option<String> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut entries = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entries.find(|entry| entry.get(2).and_then(|field| field.parse().ok()) == Some(uid))?;
    entry.first().map(|name| (*name).to_owned())
}

/// An environment in the words of the audit.
fn shown(environment: &EnvironmentName) -> String {
    match environment.kind() {
        EnvironmentKind::Cloud => environment.to_string(),
        EnvironmentKind::Demo | EnvironmentKind::Local => format!("{environment} (EMULATED)"),
    }
}

/// Writes to an environment's audit trail what this user does.
fn tell(store: &Store, event: AuditEvent, run: Option<u32>, words: &str) -> Result<(), ProvisioningError> {
    store.trail().append(Deed {
        who: asker(),
        event,
        emulated: store.environment().kind() != EnvironmentKind::Cloud,
        run,
        words: words.to_owned(),
        digests: BTreeMap::new(),
    })?;
    Ok(())
}
