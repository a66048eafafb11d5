//! `skydeck runner`: the process of one run. Started by skydeck itself and not by people, so that no help names it.

use std::ffi::OsString;

use clap::Parser;

use super::args::Global;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::owner::runner::{self, Job};

/// What skydeck starts it with.
#[derive(Debug, Parser)]
#[command(name = "runner", disable_help_flag = true)]
pub struct Runner {
    #[command(flatten)]
    global: Global,
    number: u32,
    job: Job,
}

/// Whether `arguments` are those of a run's process.
pub fn is_meant(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|argument| argument == "runner")
}

/// Reads them and carries the run out.
pub fn main(arguments: &[OsString]) -> Result<Exit, Failure> {
    let words = |error: clap::Error| Failure::new(Exit::Usage, format!("runner: {}", error.kind()));
    let Runner { global, number, job } = Runner::try_parse_from(&arguments[1..]).map_err(words)?;
    super::block_on(run(&Context::new(&global)?, number, job))
}

/// Carries a run out.
async fn run(context: &Context, number: u32, job: Job) -> Result<Exit, Failure> {
    // What can't be told in the run's folder is told in the file that standard error leads to.
    drop(
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            // Else a full disk, on which that file is, ends the run: a failed write is told by one that panics.
            .log_internal_errors(false)
            .with_writer(std::io::stderr)
            .try_init(),
    );
    let settings = &context.loaded.settings;
    runner::run(&context.environment, settings, &context.folders, number, job)
        .await
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(Exit::Done)
}
