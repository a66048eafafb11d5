//! A state that an apply couldn't write where it belongs, put in place.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::super::rehearsal::Rehearsal;
use super::{Provisioner, asker, blocking, shown, tell};
use crate::owner::protocol::Answer;
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::run::Phase;
use crate::provisioning::runs::ask;
use crate::provisioning::runs::queue::Turn;
use crate::provisioning::runs::store::Store;
use crate::provisioning::terraform::command::{Caller, Providers};
use crate::provisioning::terraform::state::State;
use crate::settings::EnvironmentName;

/// A state that waits, read.
struct Unsaved {
    path: PathBuf,
    text: String,
    state: State,
}

impl Provisioner {
    /// Puts the state in place that an apply couldn't write, and removes its file. Refused where there is none, where
    /// somebody is at work, or where the state has moved on since.
    pub(super) async fn recover_state(&self, environment: &EnvironmentName) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        let unsaved = read(&store)?;
        let (turn, run) = {
            let store = store.clone();
            blocking(move || {
                let run = store.numbers()?.first().copied().unwrap_or_default();
                Ok((Turn::at_once(&store, &store.lock()?, run)?, run))
            })
            .await?
        };
        let rehearsal = Rehearsal::of(environment, &self.folders(environment)?).await?;
        let providers = rehearsal.as_ref().map_or(Providers::Real, Rehearsal::providers);
        let caller = self.initialised(&store, providers).await?;
        let current = current(&store, &caller).await?;
        let text = fitting(&store, &unsaved, current.as_ref())?;
        let lock_timeout_s = self.settings_of(environment)?.lock_timeout_s;
        push(&store, &caller, turn.held(), lock_timeout_s, &text).await?;
        let pushed = current_count(&store, &caller).await?;
        if pushed != unsaved.state.count() {
            let words = format!(
                "state of {environment}: {} resources were put in place and {pushed} are there; {} stays, compare both before anything else is planned",
                unsaved.state.count(),
                unsaved.path.display()
            );
            return Err(ProvisioningError::Refused(words));
        }
        let message = format!(
            "state of {environment}: {pushed} resources are in it again, from {}; plan to see what is left",
            unsaved.path.display()
        );
        tell(&store, AuditEvent::Recovered, Some(run).filter(|run| *run > 0), &message)?;
        files::remove(&unsaved.path)?;
        tracing::info!(target: "audit", "{message}, in {}, asked for by {}", shown(environment), asker());
        // Plans that waited were made without it.
        blocking(move || ask::make_stale(&store, run)).await?;
        drop(turn);
        self.watching.ring();
        Ok(Answer::Done { message })
    }
}

fn read(store: &Store) -> Result<Unsaved, ProvisioningError> {
    let none = || {
        let words = format!(
            "state of {}: no apply has left one behind that it couldn't write; there is nothing to recover",
            store.environment()
        );
        ProvisioningError::NotFound(words)
    };
    let path = store.workspace().unsaved_state().ok_or_else(none)?;
    let text = files::read(&path)?.ok_or_else(none)?;
    let state = State::read(&text).map_err(|reason| {
        let next = "what was made is in the run's log, and can be taken in by import blocks in the module; move this file away then".to_owned();
        ProvisioningError::State { path: path.clone(), reason, next }
    })?;
    Ok(Unsaved { path, text, state })
}

/// The state as it is now. A local one that can't be understood is set aside: what waits takes its place.
async fn current(store: &Store, caller: &Caller) -> Result<Option<State>, ProvisioningError> {
    let Some(path) = store.workspace().local_state().map(Path::to_owned) else {
        return caller.pulled_state().await;
    };
    match store.local_state() {
        Err(ProvisioningError::State { .. }) => {
            let aside = path.with_extension(format!("tfstate.damaged-{}", jiff::Timestamp::now().as_second()));
            std::fs::rename(&path, &aside).map_err(|error| {
                ProvisioningError::Refused(format!("{}: can't be set aside: {error}; move it away", path.display()))
            })?;
            tracing::warn!(target: "provisioning", "{}: damaged, set aside as {}", path.display(), aside.display());
            Ok(None)
        }
        read => read,
    }
}

async fn current_count(store: &Store, caller: &Caller) -> Result<u32, ProvisioningError> {
    Ok(current(store, caller).await?.map_or(0, |state| state.count()))
}

/// What waits, as Terraform takes it: the local backend may have left it with the serial that is there, and another
/// state of the same serial isn't taken.
fn fitting(store: &Store, unsaved: &Unsaved, current: Option<&State>) -> Result<String, ProvisioningError> {
    let Some(current) = current else { return Ok(unsaved.text.clone()) };
    let (was, is) = (unsaved.state.serial(), current.serial());
    // Where that serial is there already and wasn't when the apply began, somebody else has written it.
    let begun_on = begun_on(store)?;
    let by_others = is > was || (is == was && !store.workspace().is_embedded() && begun_on != Some(is));
    if current.lineage() != unsaved.state.lineage() || by_others {
        let words = format!(
            "state of {}: it has moved on (serial {is}) since {} was left behind (serial {was}); take what only that file knows into the state by import blocks in the module, then move the file away",
            store.environment(),
            unsaved.path.display()
        );
        return Err(ProvisioningError::Stale(words));
    }
    if is < was {
        return Ok(unsaved.text.clone());
    }
    // In the text, so that nothing else of it is written anew.
    let raised = unsaved.text.replacen(&format!("\"serial\": {was},"), &format!("\"serial\": {},", was + 1), 1);
    match State::read(&raised) {
        Ok(state) if state.serial() == was + 1 => Ok(raised),
        _ => Err(ProvisioningError::Refused(format!(
            "{}: its serial can't be found; raise it by one, then try again",
            unsaved.path.display()
        ))),
    }
}

/// The serial of the state that the newest failed apply began on.
fn begun_on(store: &Store) -> Result<Option<u64>, ProvisioningError> {
    let runs = store.numbers()?.into_iter().filter_map(|number| store.read(number).ok());
    let failed = runs.map(|stored| stored.run).find(|run| {
        run.phase == Phase::Failed && run.failure.as_ref().is_some_and(|failure| failure.phase == Phase::Applying)
    });
    Ok(failed.and_then(|run| run.state_serial))
}

/// `terraform state push`, under the state's lock.
async fn push(
    store: &Store,
    caller: &Caller,
    held: &File,
    lock_timeout_s: u32,
    text: &str,
) -> Result<(), ProvisioningError> {
    let file = store.folder().join("recovering.tfstate");
    files::write_whole(&file, text.as_bytes())?;
    let failed = |reason: String| ProvisioningError::Terraform { command: "state push".to_owned(), reason };
    let lock = format!("-lock-timeout={lock_timeout_s}s");
    let arguments = ["state", "push", &lock, &file.to_string_lossy()].map(str::to_owned);
    let held = held.try_clone().map_err(|error| failed(error.to_string()))?;
    let output = tokio::process::Command::from(caller.command(&arguments))
        // Terraform has its turn for as long as it lives, whatever becomes of this process.
        .stdin(Stdio::from(held))
        .output()
        .await
        .map_err(|error| failed(format!("can't be started: {error}; check provisioning.terraform")))?;
    files::remove(&file)?;
    if output.status.success() {
        return Ok(());
    }
    let said = crate::provisioning::terraform::text::plain(&String::from_utf8_lossy(&output.stderr));
    Err(failed(format!("{}; the file it was to write is where it was, try again once that is mended", said.trim())))
}
