//! The process of one run: detached from whoever asked for it, it carries the run out and ends.
//!
//! It is started by [`super::provisioning::Provisioner`] as `skydeck runner …`, in a session of its own, so that neither
//! the end of the asking process nor that of its terminal reaches it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::provisioning::asker;
use super::rehearsal::Rehearsal;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::run::{LogLevel, Phase};
use crate::provisioning::runs::carry::{Carrier, Moment};
use crate::provisioning::runs::log::LogWriter;
use crate::provisioning::runs::store::Store;
use crate::provisioning::shared::layout::Purpose;
use crate::provisioning::shared::publish::Published;
use crate::provisioning::shared::sync::Sharing;
use crate::provisioning::terraform::command::Providers;
use crate::settings::{EnvironmentName, Folders, Settings};

pub use crate::provisioning::runs::queue::Job;

/// Wall time that Terraform has for saying that it was told to end as well.
const MOMENT: Duration = Duration::from_secs(2);

/// Carries the run `number` of `environment` out. How it ended is in the run's folder; an error here is one that
/// couldn't be written there.
pub async fn run(
    environment: &EnvironmentName,
    settings: &Settings,
    folders: &Folders,
    number: u32,
    job: Job,
) -> Result<(), ProvisioningError> {
    if let Err(error) = rustix::process::setsid() {
        // It leads its group already: somebody started it by hand, and is refused below.
        tracing::debug!(target: "provisioning", "setsid: {error}");
    }
    // States, plans and lock files are Terraform's to make, and hold secrets.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let store = Store::of(environment, &folders.data);
    let interrupt = interrupts(&store, number)?;
    let mut carrier = Carrier::open(&store, number, job, settings.provisioning.clone(), interrupt)?;
    let outcome = carry(environment, settings, folders, number, job, &mut carrier).await;
    let outcome = match outcome {
        Err(error) => {
            tracing::error!(target: "provisioning", "run {number}: {error}");
            carrier.fail(&error)
        }
        Ok(phase) => {
            if let Some(phase) = phase {
                tracing::info!(target: "provisioning", "run {number}: {}", phase.label());
            }
            Ok(())
        }
    };
    publish(environment, settings, folders, number).await;
    carrier.leave();
    outcome
}

async fn carry(
    environment: &EnvironmentName,
    settings: &Settings,
    folders: &Folders,
    number: u32,
    job: Job,
    carrier: &mut Carrier,
) -> Result<Option<Phase>, ProvisioningError> {
    let Some(turn) = carrier.turn().await? else { return Ok(None) };
    let rehearsal = Rehearsal::of(environment, folders).await?;
    let providers = rehearsal.as_ref().map_or(Providers::Real, Rehearsal::providers);
    let adopt = async || match &rehearsal {
        Some(rehearsal) => rehearsal.adopt().await,
        None => Ok(()),
    };
    let variables = variables(environment, settings);
    let phase = match job {
        Job::Plan => carrier.plan(&turn, &variables, providers, adopt).await?,
        Job::Apply => {
            let sharing = sharing(environment, settings, folders)?;
            let share = async |moment: Moment<'_>| match (&sharing, moment) {
                (Some(sharing), Moment::Using(verdict)) => {
                    let ids: Vec<_> = verdict.approvals.iter().map(|approval| approval.id.clone()).collect();
                    Ok(sharing.use_once(number, Purpose::Apply, &ids).await?)
                }
                (Some(sharing), Moment::Begun) => Ok(sharing.publish(number).await.map(|_| ())?),
                (None, _) => Ok(()),
            };
            let phase = carrier.apply(&turn, &variables, providers, share, adopt).await?;
            if let (Some(sharing), Phase::Stale | Phase::Expired) = (&sharing, phase) {
                sharing.use_once(number, Purpose::End, &[]).await?;
            }
            phase
        }
    };
    Ok(Some(phase))
}

/// The sharing of an environment's runs; none of demo's and local's.
fn sharing(
    environment: &EnvironmentName,
    settings: &Settings,
    folders: &Folders,
) -> Result<Option<Sharing>, ProvisioningError> {
    Ok(Sharing::open(&Store::of(environment, &folders.data), &settings.provisioning, &asker())?)
}

/// Tells the other machines how a run stands. What can't be sent now is sent by the next refresh; the log says so.
async fn publish(environment: &EnvironmentName, settings: &Settings, folders: &Folders, number: u32) {
    let published = match sharing(environment, settings, folders) {
        Ok(Some(sharing)) => sharing.publish(number).await.map_err(ProvisioningError::from),
        Ok(None) => return,
        Err(error) => Err(error),
    };
    let words = match published {
        Ok(Published { taken_over: Some(home), .. }) => {
            format!("carried on by {home}; what this machine says of it isn't shared")
        }
        Ok(Published { held_back: Some(words), .. }) => format!("its plan isn't shared with other machines: {words}"),
        Ok(_) => return,
        Err(error) => format!("not shared with other machines yet: {error}"),
    };
    tracing::warn!(target: "provisioning", "run {number}: {words}");
    let store = Store::of(environment, &folders.data);
    let log = store.read(number).and_then(|stored| {
        LogWriter::open(&store.run_folder(number))?.append(stored.run.phase, LogLevel::Warning, &words)
    });
    if let Err(error) = log {
        tracing::warn!(target: "provisioning", "run {number}: {error}");
    }
}

/// What the settings say to the module of demo and local.
fn variables(environment: &EnvironmentName, settings: &Settings) -> BTreeMap<String, Value> {
    let values = [
        ("environment", json!(environment.as_str())),
        ("iothub_name", json!(settings.hub.name)),
        ("batch_window_s", json!(settings.ingestion.batch_window_s)),
        ("batch_max_mib", json!(settings.ingestion.batch_max_mib)),
        ("access_granted", json!(true)),
    ];
    values.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Turns true at the first signal that asks this process to end, or where somebody asked before it could listen.
/// A lost terminal's SIGHUP is none of them.
fn interrupts(store: &Store, number: u32) -> Result<watch::Receiver<bool>, ProvisioningError> {
    let failed = |error: std::io::Error| ProvisioningError::Refused(format!("signals: {error}; try again"));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(failed)?;
    let asked = watch::Sender::new(store.mark(number).exists());
    let receiver = asked.subscribe();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(()) = interrupted.recv() => {}
                // A service manager tells every process of its unit, Terraform too. It says so when it was told.
                Some(()) = terminated.recv() => tokio::time::sleep(MOMENT).await,
                Some(()) = hung_up.recv() => continue,
                else => break,
            }
            asked.send_replace(true);
        }
    });
    Ok(receiver)
}
