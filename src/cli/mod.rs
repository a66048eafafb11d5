//! The command line: one file a command, each a thin caller of a backend.
//!
//! [`args`] is its shape, [`exit`] how it ends, `host` the one place that starts or attaches to an owner. A
//! command answers with its exit code or with a failure; [`main`] writes the failure's words to standard error
//! as `skydeck: thing: cause; next step`.

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "local")]
mod alarms;
mod args;
mod completions;
mod config;
#[cfg(feature = "local")]
mod console;
mod context;
#[cfg(feature = "local")]
mod db;
#[cfg(feature = "local")]
mod demo;
#[cfg(feature = "diag")]
mod diag;
mod exit;
#[cfg(feature = "local")]
mod headless;
#[cfg(feature = "local")]
mod host;
#[cfg(feature = "local")]
mod hub;
mod info;
#[cfg(any(feature = "agent", feature = "local"))]
mod logging;
mod man;
#[cfg(feature = "local")]
mod nowcast;
mod output;
#[cfg(feature = "local")]
mod pipe;
#[cfg(feature = "_ground")]
mod plans;
#[cfg(feature = "_ground")]
mod policy;
#[cfg(feature = "local")]
mod run;
#[cfg(feature = "_ground")]
mod runner;
#[cfg(feature = "_ground")]
mod secrets;
mod signals;
#[cfg(feature = "local")]
mod sky;
#[cfg(feature = "local")]
mod speed;
#[cfg(feature = "local")]
mod status;
#[cfg(feature = "local")]
mod storage;
#[cfg(feature = "_ground")]
mod table;
#[cfg(feature = "local")]
mod terraform;
#[cfg(feature = "local")]
mod trace;
mod words;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
#[cfg(any(feature = "agent", feature = "diag", feature = "_ground"))]
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _};

#[cfg(feature = "local")]
use args::Global;
#[cfg(feature = "_ground")]
use args::Secrets;
use args::{Arguments, Command, Config};
#[cfg(feature = "local")]
use args::{Db, Demo};
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
        #[cfg(feature = "_ground")]
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
    let matches = command().color(choice).try_get_matches_from(arguments)?;
    let mut arguments = Arguments::from_arg_matches(&matches)?;
    arguments.global.is_env_named = matches.value_source("env") != Some(ValueSource::DefaultValue);
    let global = &arguments.global;
    let paths = [("config", "--config", &global.config), ("data_dir", "--data-dir", &global.data_dir)];
    // What a variable says holds for the next command too.
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let copied = paths.into_iter().filter(|(id, ..)| is_given(id));
    let copied = copied.filter_map(|(_, flag, path)| Some(format!(" {flag} {}", words::quoted(path.as_deref()?))));
    arguments.global.copied = copied.collect();
    Ok(arguments)
}

fn carry_out(arguments: Arguments) -> Result<Exit, Failure> {
    #[cfg(feature = "console")]
    let (command, global) = {
        let Arguments { global, console, command } = arguments;
        let Some(command) = command else {
            return block_on(console::run(&Context::for_console(&global, &console)?, &console));
        };
        if console != args::ConsoleFlags::default() {
            let words = "arguments: the console's flags go with no command; leave out the flag or the command";
            return Err(Failure::new(Exit::Usage, words));
        }
        (command, global)
    };
    #[cfg(all(feature = "local", not(feature = "console")))]
    let (command, global) = match arguments {
        Arguments { global, command: Some(command) } => (command, global),
        Arguments { global, command: None } => return block_on(console::run(&Context::new(&global)?)),
    };
    #[cfg(not(feature = "local"))]
    let Arguments { global, command } = arguments;
    #[cfg(feature = "local")]
    let global = Global { env: command.environment().unwrap_or(global.env), ..global };
    let context = || Context::new(&global);
    match command {
        #[cfg(feature = "agent")]
        Command::Agent(command) => agent::run(&global, command),
        #[cfg(feature = "diag")]
        Command::Diag(command) => block_on_one(diag::run(&Context::of_device(&global)?, command)),
        Command::Config(Config::Show { origin }) => config::show(&context()?, origin),
        Command::Config(Config::Template) => config::template(&global),
        #[cfg(feature = "local")]
        Command::Sky(command) => sky::run(&context()?, command),
        Command::Completions { shell } => completions::run(&global, shell),
        Command::Man { dir } => man::run(&global, dir.as_deref()),
        Command::Info => info::run(&global),
        #[cfg(feature = "_ground")]
        Command::Secrets(Secrets::PlanKey { out }) => secrets::plan_key(&global, &out),
        #[cfg(feature = "_ground")]
        Command::Policy(command) => block_on(policy::run(&context()?, command)),
        #[cfg(feature = "_ground")]
        Command::Plans(command) => block_on(plans::run(&context()?, command)),
        #[cfg(feature = "local")]
        Command::Run { .. } => block_on(run::run(&context()?)),
        #[cfg(feature = "local")]
        Command::Demo(Demo::Reset { yes }) => block_on(demo::reset(&context()?, yes)),
        #[cfg(feature = "local")]
        Command::Status { section, watch } => block_on(status::run(&context()?, section, watch)),
        #[cfg(feature = "local")]
        Command::Trace { message, last: _, row } => block_on(trace::run(&context()?, message, row)),
        #[cfg(feature = "local")]
        Command::Alarms { action } => block_on(alarms::run(&context()?, action)),
        #[cfg(feature = "local")]
        Command::Hub(command) => block_on(hub::run(&context()?, command)),
        #[cfg(feature = "local")]
        Command::Nowcast(command) => block_on(nowcast::run(&context()?, command)),
        #[cfg(feature = "local")]
        Command::Pipe(command) => block_on(pipe::run(&context()?, command)),
        #[cfg(feature = "local")]
        Command::Storage { action } => block_on(storage::run(&context()?, action)),
        #[cfg(feature = "local")]
        Command::Speed { speed } => block_on(speed::run(&context()?, speed)),
        #[cfg(feature = "local")]
        Command::Db(Db::Check) => db::check(&context()?),
        #[cfg(feature = "local")]
        Command::Db(Db::Backup { file }) => db::back_up(&context()?, &file),
        #[cfg(feature = "local")]
        Command::Db(Db::Restore { file }) => db::restore(&context()?, &file),
        #[cfg(feature = "local")]
        Command::Terraform { chdir, cloud, arguments } => {
            block_on(terraform::run(&context()?, &chdir, cloud, &arguments))
        }
    }
}

/// Runs a command that has little to do at a time: on this one thread, with few others for files.
#[cfg(any(feature = "agent", feature = "diag"))]
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
#[cfg(feature = "_ground")]
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
