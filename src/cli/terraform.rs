//! `skydeck terraform`: Terraform on the emulated providers, for whoever works on a module.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::owner::rehearsal::Rehearsal;

/// Runs Terraform with `arguments` in `folder`; answers with its own exit code.
pub async fn run(
    context: &Context,
    folder: &Path,
    cloud: Option<PathBuf>,
    arguments: &[String],
) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("temporary folder: {error}; check TMPDIR"));
    let shelter = tempfile::Builder::new().prefix("skydeck-").tempdir().map_err(failed)?;
    let cloud = cloud.unwrap_or_else(|| shelter.path().join("cloud"));
    let fails = |error| Failure::new(Exit::Failed, error);
    let rehearsal = Rehearsal::start(&cloud).await.map_err(fails)?;
    // A standard error that is closed is no reason not to run.
    drop(writeln!(std::io::stderr(), "EMULATED: azurerm and snowflake are emulated; no account is touched"));
    let terraform = context.loaded.settings.provisioning.terraform.as_deref();
    let command = rehearsal.command(terraform, folder, shelter.path(), arguments).await.map_err(fails)?;
    // Ctrl-C reaches Terraform by the terminal; this process waits for its end.
    let mut signals = super::signals::Signals::catch()?;
    let mut child = tokio::process::Command::from(command)
        .spawn()
        .map_err(|error| Failure::new(Exit::Failed, format!("terraform: can't be started: {error}; check it")))?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            exit = signals.next() => {
                // A service manager's SIGTERM reaches this process alone.
                if exit == Exit::Done {
                    interrupt(&child);
                }
            }
        }
    };
    let status = status.map_err(|error| Failure::new(Exit::Failed, format!("terraform: {error}; try again")))?;
    match status.code() {
        Some(0) => Ok(Exit::Done),
        Some(code) => Err(Failure::passed_on(u8::try_from(code).unwrap_or(1))),
        None => {
            let signal = status.signal().unwrap_or_default();
            Err(Failure::new(Exit::Failed, format!("terraform: ended by signal {signal}; run it again")))
        }
    }
}

/// Asks Terraform to end in order.
fn interrupt(child: &tokio::process::Child) {
    if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()))
        && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::INT)
    {
        tracing::warn!("terraform: can't be interrupted: {error}");
    }
}
