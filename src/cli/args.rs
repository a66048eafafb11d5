//! The command line's shape: every command, flag, help text and example.

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "diag")]
mod diag;
mod exits;
#[cfg(feature = "local")]
mod hub;
#[cfg(feature = "local")]
mod nowcast;
#[cfg(feature = "local")]
mod pipe;
#[cfg(feature = "_ground")]
mod plans;
#[cfg(feature = "_ground")]
mod policy;
#[cfg(feature = "local")]
mod sky;
#[cfg(feature = "local")]
mod storage;

use std::path::PathBuf;

#[cfg(feature = "local")]
use clap::ValueEnum;
use clap::{Args, Parser, Subcommand};

use crate::clock::SPEED_RANGE;
use crate::settings::EnvironmentName;

#[cfg(feature = "agent")]
pub use agent::{AgentCommand, InstallFlags, UninstallFlags};
#[cfg(feature = "diag")]
pub use diag::{Diag, DiagAction};
pub use exits::EXIT_CODES;
#[cfg(feature = "local")]
pub use hub::{FaultCommand, HubCommand};
#[cfg(feature = "local")]
pub use nowcast::Nowcast;
#[cfg(feature = "local")]
pub use pipe::PipeCommand;
#[cfg(feature = "_ground")]
pub use plans::{Apply, Approve, AuditAction, Plan, Plans, Show, StateAction};
#[cfg(feature = "_ground")]
pub use policy::Policy;
#[cfg(feature = "local")]
pub use sky::{Method, Sky};
#[cfg(feature = "local")]
pub use storage::StorageCommand;

#[cfg(feature = "console")]
const EXAMPLES: &str = "\
Examples:
  skydeck                          the console on the demo environment
  skydeck --speed 600              the same, ten minutes a second
  skydeck | cat                    without a terminal: a line for each change
  skydeck --env local run          a station of your own, headless
  skydeck status loads --json      one screen's content for a script
  skydeck plan, skydeck apply      what Terraform would change, and changing it
  skydeck show --markdown          the newest plan for a pull request's comment";

#[cfg(all(feature = "local", not(feature = "console")))]
const EXAMPLES: &str = "\
Examples:
  skydeck                          the demo environment, headless: a line for each change
  skydeck --env local run          a station of your own
  skydeck status loads --json      what the pipeline does, for a script
  skydeck plan, skydeck apply      what Terraform would change, and changing it";

#[cfg(all(feature = "cloud", not(feature = "local")))]
const EXAMPLES: &str = "\
Examples:
  skydeck --env staging plan       what Terraform would change
  skydeck --env staging apply      changing it
  skydeck show --markdown          the newest plan for a pull request's comment";

#[cfg(not(feature = "_ground"))]
const EXAMPLES: &str = "\
Examples:
  skydeck --env roof agent run     the agent: its settings say which sensors and which hub
  skydeck --env roof agent status  how it stands
  skydeck config template          every setting, to start a settings file from";

/// Runs and watches a weather-nowcasting pipeline, from the roof to the warehouse.
#[cfg_attr(
    feature = "console",
    doc = "\nAlone it opens the console on the environment: it attaches to the process that owns it, or owns it until\nit is closed. Without a terminal it writes a line for each change."
)]
#[cfg_attr(
    all(feature = "local", not(feature = "console")),
    doc = "\nAlone it attaches to the process that owns the environment, or owns it until it is ended, and writes a line for\neach change."
)]
#[derive(Debug, Parser)]
#[command(name = "skydeck", version, after_help = EXAMPLES, after_long_help = [EXAMPLES, "\n\n", EXIT_CODES].concat())]
#[command(disable_help_subcommand = true)]
pub struct Arguments {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// Flags of the console.
    #[cfg(feature = "console")]
    #[command(flatten)]
    pub console: ConsoleFlags,
    /// What to do; the console without one.
    #[cfg(feature = "local")]
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to do.
    #[cfg(not(feature = "local"))]
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    #[cfg_attr(feature = "local", doc = "Environment: demo, local, or one in the cloud")]
    #[cfg_attr(not(feature = "local"), doc = "Environment: whose settings and folders are used")]
    #[arg(
        long,
        global = true,
        env = "SKYDECK_ENV",
        hide_env_values = true,
        default_value = "demo",
        value_name = "NAME"
    )]
    pub env: EnvironmentName,
    /// Whether `env` was named by a flag or a variable.
    #[arg(skip)]
    pub is_env_named: bool,
    /// `--config` and `--data-dir` as they were given, to be copied behind `skydeck`; empty without them.
    #[arg(skip)]
    pub copied: String,
    /// Write JSON, one object a line where there are several
    #[arg(long, global = true)]
    pub json: bool,
    /// Write no colours; NO_COLOR does the same
    #[arg(long, global = true)]
    pub no_color: bool,
    /// A settings file laid over those in the settings folders
    #[arg(long, global = true, env = "SKYDECK_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One folder for data, socket and logs, instead of the user's folders
    #[arg(long, global = true, env = "SKYDECK_DATA_DIR", hide_env_values = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Theme of the console: a name or a file
    #[cfg(feature = "console")]
    #[arg(long, global = true, value_name = "THEME")]
    pub theme: Option<String>,
    /// Replay: seconds of the series a second, 1 to 600
    #[arg(long, global = true, value_name = "N", value_parser = speed())]
    pub speed: Option<u32>,
    /// Log more: -v debug, -vv trace; headless, the log is also written to standard error
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Flags of the console.
#[cfg(feature = "console")]
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Console")]
pub struct ConsoleFlags {
    /// Only look: commands that change something are off
    #[arg(long)]
    pub read_only: bool,
    /// Print one frame as text and end
    #[arg(long)]
    pub once: bool,
    /// With --once: the screen, by its name or its key
    #[arg(long, value_enum, requires = "once", default_value_t = Screen::Overview, value_name = "NAME")]
    pub screen: Screen,
    /// With --once: columns x rows, each 1 to 1000
    #[arg(long, requires = "once", default_value = "100x30", value_name = "WxH")]
    pub size: Size,
}

#[cfg(feature = "console")]
impl Default for ConsoleFlags {
    fn default() -> Self {
        Self { read_only: false, once: false, screen: Screen::Overview, size: Size { width: 100, height: 30 } }
    }
}

/// The console's screens.
#[cfg(feature = "console")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Screen {
    #[value(alias = "1")]
    Overview,
    #[value(alias = "2")]
    Plans,
    #[value(alias = "3")]
    Telemetry,
    #[value(alias = "4")]
    Sky,
    #[value(alias = "5")]
    Loads,
    #[value(alias = "6")]
    Nowcast,
    #[value(alias = "7")]
    Devices,
    #[value(alias = "8")]
    Logs,
}

/// A frame's size in columns and rows.
#[cfg(feature = "console")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns, 1 to 1000.
    pub width: u16,
    /// Rows, 1 to 1000.
    pub height: u16,
}

#[cfg(feature = "console")]
impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let side = |text: &str| text.parse::<u16>().ok().filter(|side| (1..=1000).contains(side));
        text.split_once('x')
            .and_then(|(width, height)| Some(Self { width: side(width)?, height: side(height)? }))
            .ok_or_else(|| "a size is columns x rows, each 1 to 1000, as in 100x30".to_owned())
    }
}

#[cfg(feature = "console")]
impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

fn speed() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(*SPEED_RANGE.start())..=i64::from(*SPEED_RANGE.end()))
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[cfg(feature = "local")]
    /// Own the environment headless, until ended
    ///
    /// Writes a line for each change: a stage's lamp, an alarm, the hub's address, the replay's end. Consoles
    /// and other commands attach to it. Ctrl-C or SIGTERM ends it in order.
    #[command(after_help = "Examples:\n  skydeck run\n  skydeck run local --json\n  skydeck run demo --speed 1 &")]
    Run {
        /// Environment; the same as --env
        #[arg(value_name = "ENV")]
        environment: Option<EnvironmentName>,
    },
    #[cfg(feature = "local")]
    /// The demo environment
    #[command(subcommand)]
    Demo(Demo),
    #[cfg(feature = "local")]
    /// What a screen shows, as text or JSON
    ///
    /// Ends with 7 when a stage has failed or an alarm is raised, with 9 when nobody runs the environment.
    #[command(
        after_help = "Examples:\n  skydeck status\n  skydeck status loads\n  skydeck status telemetry --json\n  skydeck status alarms --watch"
    )]
    Status {
        /// Which screen's content
        #[arg(value_enum, default_value_t = Section::Overview)]
        section: Section,
        /// Write it again at every change, at most once a second, until ended
        #[arg(long)]
        watch: bool,
    },
    #[cfg(feature = "local")]
    /// One message's way from the sensor to its row
    ///
    /// Each hop with its time, its latency and the clock that was read for it. Ends with 9 when the message
    /// isn't known.
    #[command(
        after_help = "Examples:\n  skydeck trace\n  skydeck trace --last --json\n  skydeck trace 01552c3a-8a00-7b1c-9f4e-0123456789ab\n  skydeck --env staging trace --last --row"
    )]
    Trace {
        /// The message's id
        #[arg(value_name = "MESSAGE_ID", conflicts_with = "last")]
        message: Option<String>,
        /// The newest measurement that has a row; the same as no id
        #[arg(long)]
        last: bool,
        /// Ask for its row where that wakes a warehouse, which costs
        #[arg(long)]
        row: bool,
    },
    #[cfg(feature = "local")]
    /// Alarms: list them, acknowledge one
    ///
    /// Ends with 7 when any is raised.
    #[command(after_help = "Examples:\n  skydeck alarms\n  skydeck alarms list --json\n  skydeck alarms ack row-age")]
    Alarms {
        /// What to do; list without one
        #[command(subcommand)]
        action: Option<AlarmAction>,
    },
    #[cfg(feature = "agent")]
    /// The edge agent alone, and how it stands
    #[command(subcommand)]
    Agent(AgentCommand),
    #[cfg(feature = "diag")]
    /// How this device is and what to do, for whoever stands beside it
    ///
    /// On a terminal a full screen: findings with what to do, hardware, sensors, the way to the hub, the camera, the
    /// newest errors; ? shows its keys. Asks the agent that runs here; where none does, it looks itself and tries the hub
    /// by its own settings: give it the agent's --config and --data-dir. As text and JSON it ends with 7 where anything is
    /// wrong.
    #[command(
        after_help = "Examples:\n  skydeck --env roof diag\n  skydeck --env roof diag --once --test-link\n  skydeck --env roof diag --json --watch\n  skydeck --env roof diag bundle"
    )]
    Diag(Diag),
    #[cfg(feature = "local")]
    /// The environment's local hub: its devices, their twins and methods, faults
    ///
    /// For demo and local, while somebody runs them.
    #[command(subcommand)]
    Hub(HubCommand),
    #[cfg(feature = "local")]
    /// Models of nowcasts: packages, and which of them devices have at work
    #[command(subcommand)]
    Nowcast(Nowcast),
    #[cfg(feature = "local")]
    /// Pipes: pause, resume and refresh them; files of the copy history
    #[command(subcommand)]
    Pipe(PipeCommand),
    #[cfg(feature = "local")]
    /// Containers of batches and their lines, the queue of notices, what ends
    #[command(
        after_help = "Examples:\n  skydeck storage\n  skydeck storage list json-blob-messages\n  skydeck --env staging storage look"
    )]
    Storage {
        /// What to do; list without one
        #[command(subcommand)]
        action: Option<StorageCommand>,
    },
    #[cfg(feature = "local")]
    /// Set the replay's speed while it runs
    #[command(after_help = "Examples:\n  skydeck speed 1\n  skydeck speed 600")]
    Speed {
        /// Seconds of the series a second, 1 to 600
        #[arg(value_parser = speed())]
        speed: u32,
    },
    #[cfg(feature = "_ground")]
    /// Plans, runs and states
    #[command(flatten)]
    Plans(Plans),
    #[cfg(feature = "_ground")]
    /// Policies: list, test, explain them; judge a plan by them
    #[command(subcommand)]
    Policy(Policy),
    #[cfg(feature = "local")]
    /// Pictures of the sky: how well clouds are told from it
    #[command(subcommand)]
    Sky(Sky),
    /// Settings: what holds and where it came from
    #[command(subcommand)]
    Config(Config),
    #[cfg(feature = "local")]
    /// The environment's databases: check, back up, restore
    #[command(subcommand)]
    Db(Db),
    #[cfg(feature = "_ground")]
    /// Keys that settings refer to
    #[command(subcommand)]
    Secrets(Secrets),
    /// Completions for a shell, on standard output
    #[command(
        after_help = "Examples:\n  skydeck completions bash > ~/.local/share/bash-completion/completions/skydeck\n  skydeck completions zsh > ~/.zfunc/_skydeck"
    )]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// The manual page, on standard output
    #[command(after_help = "Examples:\n  skydeck man | man -l -\n  skydeck man --dir ~/.local/share/man/man1")]
    Man {
        /// Write a page for each command into this folder instead
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Versions, folders, features, themes and what skydeck is built on
    #[command(after_help = "Examples:\n  skydeck info\n  skydeck info --json")]
    Info,
    #[cfg(feature = "local")]
    /// Terraform on the emulated providers, for whoever works on a module
    ///
    /// Runs the terraform on the PATH with the arguments after `--`. azurerm and snowflake are emulated: nothing is
    /// downloaded, no account is touched, no credential of the environment is passed on. Exits as terraform does.
    #[command(
        after_help = "Examples:\n  skydeck terraform --chdir config/terraform -- init -backend=false\n  skydeck terraform --chdir config/terraform -- test\n  skydeck terraform --cloud /tmp/cloud -- apply"
    )]
    Terraform {
        /// The folder terraform works in
        #[arg(long, value_name = "DIR", default_value = ".")]
        chdir: PathBuf,
        /// Keep what is applied in this folder; without it the cloud is gone when terraform ends
        #[arg(long, value_name = "DIR")]
        cloud: Option<PathBuf>,
        /// Terraform's own arguments
        #[arg(last = true, required = true, value_name = "ARGS")]
        arguments: Vec<String>,
    },
}

/// The demo environment.
#[cfg(feature = "local")]
#[derive(Debug, Subcommand)]
pub enum Demo {
    /// Delete the demo's data, so that it begins anew
    ///
    /// Refused while a process owns it. Asks first, unless --yes is given.
    #[command(after_help = "Examples:\n  skydeck demo reset\n  skydeck demo reset --yes")]
    Reset {
        /// Don't ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Which screen's content.
#[cfg(feature = "local")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Stages, weather now, alarms
    Overview,
    /// Terraform, the environments' runs, state locks
    Plans,
    /// The newest value of each variable, its tendency and the last day's range
    Telemetry,
    /// The pictures, what was seen on them, the cloud cover of the last hours
    Sky,
    /// Pipes, the notice queue, containers of batches, the copy history
    Loads,
    /// The newest nowcast and verification so far
    Nowcast,
    /// The devices
    Devices,
    /// The owner's log
    Logs,
    /// Alarms that are raised
    Alarms,
}

/// What to do with alarms.
#[cfg(feature = "local")]
#[derive(Debug, Subcommand)]
pub enum AlarmAction {
    /// List the alarms that are raised
    #[command(after_help = "Examples:\n  skydeck alarms list\n  skydeck alarms list --json")]
    List,
    /// Acknowledge an alarm
    #[command(after_help = "Examples:\n  skydeck alarms ack row-age")]
    Ack {
        /// The rule's name, as `list` shows it
        rule: String,
    },
}

/// Settings.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// The settings that hold, as TOML
    #[command(after_help = "Examples:\n  skydeck config show\n  skydeck --env local config show --origin --json")]
    Show {
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
    },
    /// Every setting with its default and a comment, to start a settings file from
    #[command(after_help = "Examples:\n  skydeck config template > ~/.config/skydeck/skydeck.toml")]
    Template,
}

/// Keys that settings refer to.
#[cfg(feature = "_ground")]
#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// Make the pair of keys that shared plans are encrypted with
    ///
    /// The secret one goes into a new file that only you can read, the public one to standard output: it is what
    /// provisioning.plan_recipient takes, and provisioning.plan_identity takes file:/PATH of the file. Whoever
    /// applies plans of others needs the file too; hand it over as you would a password.
    #[command(
        after_help = "Examples:\n  skydeck secrets plan-key --out ~/.config/skydeck/plan.key\n  skydeck secrets plan-key --out plan.key --json"
    )]
    PlanKey {
        /// The file to write; must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// The environment's databases.
#[cfg(feature = "local")]
#[derive(Debug, Subcommand)]
pub enum Db {
    /// Check the integrity of every database
    #[command(after_help = "Examples:\n  skydeck db check\n  skydeck --env local db check --json")]
    Check,
    /// Write the environment's data into one file; it may run meanwhile
    #[command(after_help = "Examples:\n  skydeck --env local db backup station.skydeck.tar.gz")]
    Backup {
        /// The file to write; must not be there yet
        file: PathBuf,
    },
    /// Put a backup in place; what was there is moved aside
    ///
    /// Refused while a process owns the environment.
    #[command(after_help = "Examples:\n  skydeck --env local db restore station.skydeck.tar.gz")]
    Restore {
        /// The file that `db backup` wrote
        file: PathBuf,
    },
}

#[cfg(feature = "local")]
impl Command {
    /// The environment that the command itself names.
    #[must_use]
    pub fn environment(&self) -> Option<EnvironmentName> {
        match self {
            Self::Run { environment } => environment.clone(),
            Self::Demo(_) => Some(EnvironmentName::demo()),
            _ => None,
        }
    }
}
