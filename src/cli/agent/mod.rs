//! `skydeck agent`: the edge agent alone, as a process and as a service, and how it stands.
//!
//! `run` is its process, `change` the lines it writes, `watchdog` what it tells a service manager; `status` asks a running
//! one; `install` makes the service of it.

mod change;
mod install;
mod run;
mod status;
mod watchdog;

use super::args::{AgentCommand, Global};
use super::context::Context;
use super::exit::{Exit, Failure};

/// Carries out a command.
pub fn run(global: &Global, command: AgentCommand) -> Result<Exit, Failure> {
    match command {
        AgentCommand::Run { service: false } => run::run(&Context::new(global)?),
        AgentCommand::Run { service: true } => run::run_as_service(&Context::of_running_service(global)?),
        AgentCommand::Install(flags) => install::install(global, flags),
        AgentCommand::Uninstall(flags) => install::uninstall(global, flags),
        AgentCommand::Status { log } => super::block_on_one(status::run(&Context::of_device(global)?, log)),
    }
}
