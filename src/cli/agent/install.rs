//! `skydeck agent install` and `uninstall`: the agent as a service of the system.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::args::{Global, InstallFlags, UninstallFlags};
use crate::cli::context::program;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;
use crate::owner::service::{Install, Place, Scope, ServiceError, Step, Uninstall};

/// Makes the service, saying each step that it takes.
pub fn install(global: &Global, flags: InstallFlags) -> Result<Exit, Failure> {
    let place = Place::new(flags.root.as_deref())?;
    let program = match flags.program {
        Some(program) => program,
        None if place.is_live() => program().unwrap_or_else(|| PathBuf::from("/usr/local/bin/skydeck")),
        None => PathBuf::from("/usr/local/bin/skydeck"),
    };
    let install = Install {
        environment: global.is_env_named.then(|| global.env.clone()),
        program,
        scope: if flags.package { Scope::Package } else { Scope::Service },
    };
    let steps = install.plan(&place, flags.dry_run)?;
    take(&place, &steps, flags.dry_run, Output::new(global.json, global.no_color))
}

/// Removes it.
pub fn uninstall(global: &Global, flags: UninstallFlags) -> Result<Exit, Failure> {
    let place = Place::new(flags.root.as_deref())?;
    let output = Output::new(global.json, global.no_color);
    let steps = Uninstall { purge: flags.purge }.plan(&place, flags.dry_run)?;
    if flags.purge && !flags.dry_run && !flags.yes && !confirmed()? {
        output.line("nothing was deleted")?;
        return Ok(Exit::Done);
    }
    take(&place, &steps, flags.dry_run, output)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    step: &'a str,
    is_done: bool,
}

/// Says and takes the steps, one after the other; the first that fails is the last.
fn take(place: &Place, steps: &[Step], is_dry: bool, output: Output) -> Result<Exit, Failure> {
    for step in steps {
        let words = step.words();
        if !output.json {
            output.line(&words)?;
        }
        if !is_dry {
            step.carry_out(place)?;
        }
        if output.json {
            output.json_line(&Line { step: &words, is_done: !is_dry && step.is_change() })?;
        }
    }
    if !output.json && !steps.iter().any(Step::is_change) {
        output.line("nothing to do")?;
    }
    Ok(Exit::Done)
}

fn confirmed() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        let words = "agent uninstall: there is no terminal to ask on; give --yes to delete without asking";
        return Err(Failure::new(Exit::Usage, words));
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "Delete the agent's data and log, with what was never sent? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let exit = match error {
            ServiceError::NoEnvironment => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}
