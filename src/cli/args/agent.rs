//! The commands about the edge agent.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with the agent.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Run the agent alone: source, outbox, camera and the link to a hub, without a pipeline behind it
    ///
    /// For the machine beside the sensors. It needs to know its hub: link.connection_string, or link.hub with link.key
    /// or link.certificate. Writes a line for each change: the link, the clock, an error. Any environment's name will
    /// do; settings and folders are that environment's. Ctrl-C or SIGTERM ends it in order, and what isn't sent waits
    /// in the outbox. The direct method `restart` makes it start itself anew, in the same process.
    #[command(
        after_help = "Examples:\n  skydeck --env roof agent run\n  SKYDECK_LINK__CONNECTION_STRING=file:/etc/skydeck/roof-01 skydeck --env roof agent run\n  skydeck --env roof --config roof.toml agent run --json"
    )]
    Run {
        /// As the system's service: in /var/lib/skydeck, and its group may ask it
        #[arg(long)]
        service: bool,
    },
    /// Make the agent a service of this machine, which systemd starts and watches
    ///
    /// Makes the user and group skydeck, the folders, the unit and /etc/skydeck/agent.env, which says that the service
    /// runs the environment of --env; then starts it. Says each step, takes only those that are left to take, and
    /// refuses what isn't of its own making. Needs root. Settings and secrets lie in /etc/skydeck.
    #[command(
        after_help = "Examples:\n  skydeck --env roof agent install --dry-run\n  sudo skydeck --env roof agent install\n  skydeck --env roof agent install --root /mnt/image --program /usr/bin/skydeck"
    )]
    Install(InstallFlags),
    /// Remove the service; data, settings and secrets stay
    #[command(
        after_help = "Examples:\n  skydeck agent uninstall --dry-run\n  sudo skydeck agent uninstall\n  sudo skydeck agent uninstall --purge"
    )]
    Uninstall(UninstallFlags),
    /// How the agent stands: link, backlog, clock, twin, pictures
    ///
    /// Asks the agent that runs alone, or else the owner of the environment for its own. Where --env, SKYDECK_ENV and
    /// --data-dir name none, that is the machine's service, with what systemd knows of it. Ends with 7 when the link is
    /// down or anything is wrong, with 9 when nobody runs it.
    #[command(
        after_help = "Examples:\n  skydeck --env roof agent status\n  skydeck --env roof agent status --log 50\n  skydeck agent status --json"
    )]
    Status {
        /// Then the newest N lines of its log, 1 to 2000
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=2000))]
        log: Option<u16>,
    },
}

/// How the service is made.
#[derive(Debug, Args)]
pub struct InstallFlags {
    /// Only say the steps
    #[arg(long)]
    pub dry_run: bool,
    /// Into an image whose root folder that is; nothing is started
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// The program as the service sees it; by default this one, in an image /usr/local/bin/skydeck
    #[arg(long, value_name = "PATH")]
    pub program: Option<PathBuf>,
    /// User, groups and folders only: for the scripts of a package that brings the unit
    #[arg(long)]
    pub package: bool,
}

/// How the service is removed.
#[derive(Debug, Args)]
pub struct UninstallFlags {
    /// Delete the data, what was never sent among it, the log and the user too; asks first
    #[arg(long)]
    pub purge: bool,
    /// With --purge: don't ask
    #[arg(long, requires = "purge")]
    pub yes: bool,
    /// Only say the steps
    #[arg(long)]
    pub dry_run: bool,
    /// From an image whose root folder that is
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}
