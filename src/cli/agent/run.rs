//! `skydeck agent run`: the process of an agent alone.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use jiff::Timestamp;

use super::change::{Change, changes, write};
use super::watchdog;
use crate::cli::block_on_one;
use crate::cli::context::{Context, program};
use crate::cli::exit::{Exit, Failure};
use crate::cli::signals::Signals;
use crate::owner::agent::{self, AgentAlone, AloneEnd, AloneError};
use crate::owner::service::ServiceManager;
use crate::owner::{Access, LockError};

/// Runs it until a signal ends it. Where the hub has it restarted, this process becomes a new one of the program as it
/// is then: under a service manager its process id stays, and without one nobody else would start it again.
pub fn run(context: &Context) -> Result<Exit, Failure> {
    run_for(context, Access::User)
}

/// As [`run`], as the system's service: its group may ask it.
pub fn run_as_service(context: &Context) -> Result<Exit, Failure> {
    run_for(context, Access::Group)
}

fn run_for(context: &Context, access: Access) -> Result<Exit, Failure> {
    let mut wants_restart = false;
    let exit = block_on_one(async {
        let (exit, end) = live(context, access).await?;
        wants_restart = end == AloneEnd::Restart;
        Ok(exit)
    })?;
    if !wants_restart {
        return Ok(exit);
    }
    let mut arguments = std::env::args_os();
    let program = program().unwrap_or_else(|| arguments.next().unwrap_or_default().into());
    // Answers only where it fails.
    let error = Command::new(&program).args(std::env::args_os().skip(1)).exec();
    let words = format!("{}: can't be started anew: {error}; start `skydeck agent run` again", program.display());
    Err(Failure::new(Exit::Failed, words))
}

async fn live(context: &Context, access: Access) -> Result<(Exit, AloneEnd), Failure> {
    let mut signals = Signals::catch()?;
    context.folders.make()?;
    let log = crate::cli::logging::start(context, "agent.log", context.verbose > 0)?;
    let manager = ServiceManager::of_this_process();
    // One that starts itself anew is watched already.
    manager.iter().for_each(ServiceManager::alive);
    let settings = &context.loaded.settings;
    let mut alone = agent::start(&context.environment, settings, &context.folders, &log, access).await?;
    manager.iter().for_each(ServiceManager::ready);
    let first = Change::Agent {
        device_id: settings.station.device_id.clone(),
        environment: context.environment.to_string(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_dir: context.folders.data.display().to_string(),
    };
    say(context, &first)?;
    let outcome = follow(&mut alone, context, &mut signals, manager.as_ref()).await;
    match outcome {
        Ok((_, AloneEnd::Restart)) => {
            say(context, &Change::Restart)?;
            outcome
        }
        // A second signal cuts the end short.
        _ => {
            manager.iter().for_each(ServiceManager::stopping);
            tokio::select! {
                ended = alone.shutdown() => ended.map_err(Failure::from).and(outcome),
                _ = signals.next() => outcome,
            }
        }
    }
}

/// Writes a line for each change, and tells the service manager, until a signal comes or it ends by itself.
async fn follow(
    alone: &mut AgentAlone,
    context: &Context,
    signals: &mut Signals,
    manager: Option<&ServiceManager>,
) -> Result<(Exit, AloneEnd), Failure> {
    let mut reports = alone.report();
    let mut before = None;
    let feeding = watchdog::feed(manager, alone.pulse());
    tokio::pin!(feeding);
    loop {
        let now = reports.borrow_and_update().clone();
        if let Some(manager) = manager {
            manager.status(&watchdog::words(&now));
        }
        for change in changes(before.as_ref(), &now) {
            say(context, &change)?;
        }
        before = Some(now);
        let changed = async {
            // An agent that is gone says so by its end.
            if reports.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = changed => {}
            () = &mut feeding => {}
            end = alone.ended() => return Ok((Exit::Done, end?)),
            exit = signals.next() => return Ok((exit, AloneEnd::Done)),
        }
    }
}

/// Writes a change. Measuring goes on where it can't be written, as onto a full disk; only a reader that has gone ends it.
fn say(context: &Context, change: &Change) -> Result<(), Failure> {
    let written = write(context.output, Timestamp::now(), change);
    match written.as_ref().err().and_then(Failure::words) {
        Some(words) => {
            tracing::warn!(target: "agent", "{words}");
            Ok(())
        }
        None => written,
    }
}

impl From<AloneError> for Failure {
    fn from(error: AloneError) -> Self {
        let exit = match error {
            AloneError::Lock(LockError::Owned { .. }) => Exit::Locked,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}
