//! The command line: one file a command, each a thin caller of a backend.
//!
//! [`args`] is its shape, [`exit`] how it ends, `host` the one place that starts or attaches to an owner. A
//! command answers with its exit code or with a failure; [`main`] writes the failure's words to standard error
//! as `skydeck: thing: cause; next step`.

mod agent;
mod alarms;
mod args;
mod completions;
mod config;
mod console;
mod context;
mod db;
mod demo;
mod exit;
mod headless;
mod host;
mod hub;
mod info;
mod logging;
mod man;
mod output;
mod plans;
mod policy;
mod run;
mod runner;
mod secrets;
mod signals;
mod sky;
mod speed;
mod status;
mod table;
mod terraform;
mod trace;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _};

use args::{Arguments, Command, Config, Db, Demo, Secrets};
use context::Context;
use exit::{Exit, Failure};

pub use args::EXIT_CODES;

/// The command line's description, for help, manual pages, completions and their tests.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Reads the process's arguments, carries them out and answers with its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let outcome = match parse(&arguments) {
        _ if runner::is_meant(&arguments) => runner::main(&arguments),
        Ok(arguments) => carry_out(arguments),
        Err(error) => {
            // Help goes to standard output, errors to the other; a reader that has gone misses it quietly.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8));
        }
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if let Some(words) = failure.words() {
                // Where nobody can be told, the exit code still tells.
                drop(writeln!(std::io::stderr(), "skydeck: {words}"));
            }
            failure.code()
        }
    }
}

fn parse(arguments: &[OsString]) -> Result<Arguments, clap::Error> {
    let plain = arguments.iter().any(|argument| argument == "--no-color");
    let choice = if plain { ColorChoice::Never } else { ColorChoice::Auto };
    Arguments::from_arg_matches(&command().color(choice).try_get_matches_from(arguments)?)
}

fn carry_out(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments { mut global, console, command } = arguments;
    let Some(command) = command else {
        return block_on(console::run(&Context::for_console(&global, &console)?, &console));
    };
    if console != args::ConsoleFlags::default() {
        let words = "arguments: the console's flags go with no command; leave out the flag or the command";
        return Err(Failure::new(Exit::Usage, words));
    }
    if let Command::Run { environment: Some(environment) } = &command {
        global.env = environment.clone();
    }
    if matches!(command, Command::Demo(_)) {
        global.env = crate::settings::EnvironmentName::demo();
    }
    let context = || Context::new(&global);
    match command {
        Command::Run { .. } => block_on(run::run(&context()?)),
        Command::Demo(Demo::Reset { yes }) => block_on(demo::reset(&context()?, yes)),
        Command::Status { section, watch } => block_on(status::run(&context()?, section, watch)),
        Command::Trace { message, last: _ } => block_on(trace::run(&context()?, message)),
        Command::Alarms { action } => block_on(alarms::run(&context()?, action)),
        Command::Agent(command) => agent::run(&context()?, command),
        Command::Hub(command) => block_on(hub::run(&context()?, command)),
        Command::Speed { speed } => block_on(speed::run(&context()?, speed)),
        Command::Config(Config::Show { origin }) => config::show(&context()?, origin),
        Command::Config(Config::Template) => config::template(&global),
        Command::Db(Db::Check) => db::check(&context()?),
        Command::Db(Db::Backup { file }) => db::back_up(&context()?, &file),
        Command::Db(Db::Restore { file }) => db::restore(&context()?, &file),
        Command::Secrets(Secrets::PlanKey { out }) => secrets::plan_key(&global, &out),
        Command::Policy(command) => block_on(policy::run(&context()?, command)),
        Command::Plans(command) => block_on(plans::run(&context()?, command)),
        Command::Sky(command) => sky::run(&context()?, command),
        Command::Completions { shell } => completions::run(&global, shell),
        Command::Man { dir } => man::run(&global, dir.as_deref()),
        Command::Info => info::run(&global),
        Command::Terraform { chdir, cloud, arguments } => {
            block_on(terraform::run(&context()?, &chdir, cloud, &arguments))
        }
    }
}

/// Runs a command that has little to do at a time: on this one thread, with few others for files.
fn block_on_one(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(5))
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("threads: {error}; end something else and try again")))?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}

/// Runs a command that talks to an owner, or is one.
fn block_on(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("threads: {error}; end something else and try again")))?;
    let outcome = runtime.block_on(command);
    // What still waits in a blocking call (a terminal's read, say) isn't waited for.
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}
