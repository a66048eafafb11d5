//! `skydeck agent`: the edge agent alone, and how it stands.
//!
//! `run` is its process, `change` the lines it writes, `status` asks a running one.

mod change;
mod run;
mod status;

use super::args::AgentCommand;
use super::context::Context;
use super::exit::{Exit, Failure};

/// Carries out a command.
pub fn run(context: &Context, command: AgentCommand) -> Result<Exit, Failure> {
    match command {
        AgentCommand::Run => run::run(context),
        AgentCommand::Status { log } => super::block_on_one(status::run(context, log)),
    }
}
