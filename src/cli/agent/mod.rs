//! `skydeck agent`: the edge agent alone, and how it stands.

mod status;

use super::args::AgentCommand;
use super::context::Context;
use super::exit::{Exit, Failure};

/// Carries out a command.
pub fn run(context: &Context, command: AgentCommand) -> Result<Exit, Failure> {
    match command {
        AgentCommand::Run => Err(Failure::new(Exit::Failed, "TODO")),
        AgentCommand::Status => super::block_on(status::run(context)),
    }
}
