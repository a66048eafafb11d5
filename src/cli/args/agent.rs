//! The commands about the edge agent.

use clap::Subcommand;

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
    Run,
    /// How the agent stands: link, backlog, clock, twin, pictures
    ///
    /// Asks the agent that runs alone, or else the owner of the environment for its own. Ends with 7 when the link is
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
