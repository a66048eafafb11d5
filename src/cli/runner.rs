//! `skydeck runner`: the process of one run. Started by skydeck itself, not by people.

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::owner::runner::{self, Job};

/// Carries a run out.
pub async fn run(context: &Context, number: u32, job: Job) -> Result<Exit, Failure> {
    // What can't be told in the run's folder is told in the file that standard error leads to.
    drop(tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).try_init());
    let settings = &context.loaded.settings;
    runner::run(&context.environment, settings, &context.folders, number, job)
        .await
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(Exit::Done)
}
