//! The shape of `skydeck pipe`.

use clap::Subcommand;
use jiff::Timestamp;

/// What is done with a pipe or a file of the copy history.
#[derive(Debug, Clone, Subcommand)]
pub enum PipeCommand {
    /// Pause a pipe: files go on arriving and wait
    #[command(after_help = "Examples:\n  skydeck pipe pause WEATHER_PIPE_DQ_DEMO")]
    Pause {
        /// The pipe
        pipe: String,
    },
    /// Resume a pipe: the files that wait are loaded
    ///
    /// In Snowflake a pipe that was paused for over 14 days is stale and refuses: with --force it is resumed all the same.
    /// Snowflake has forgotten its notices by then; refresh it afterwards.
    #[command(
        after_help = "Examples:\n  skydeck pipe resume WEATHER_PIPE_DQ_DEMO\n  skydeck --env staging pipe resume WEATHER_PIPE_DQ_STAGING --force"
    )]
    Resume {
        /// The pipe
        pipe: String,
        /// Although it is stale
        #[arg(long)]
        force: bool,
    },
    /// Queue again the files of the last seven days that a pipe hasn't seen
    ///
    /// A pipe that was made anew has seen none: what the one before loaded is loaded again, and is there twice.
    #[command(
        after_help = "Examples:\n  skydeck pipe refresh WEATHER_PIPE_DQ_DEMO\n  skydeck --env staging pipe refresh WEATHER_PIPE_DQ_STAGING --prefix skydeck-hub/00/2026-06-01 --since 2026-06-01T06:00:00Z"
    )]
    Refresh {
        /// The pipe
        pipe: String,
        /// Only files whose path in the stage begins so
        #[arg(long, value_name = "PATH")]
        prefix: Option<String>,
        /// Only files changed since then, seven days ago at most
        #[arg(long, value_name = "TIME")]
        since: Option<Timestamp>,
    },
    /// Read a file of the copy history as its pipe does, loading nothing
    ///
    /// In the cloud it wakes the warehouse.
    #[command(after_help = "Examples:\n  skydeck --env staging pipe validate skydeck-hub/00/2026-06-01/12-00")]
    Validate {
        /// Its path, as in `status loads`
        file: String,
    },
    /// One line of a file of the copy history
    #[command(after_help = "Examples:\n  skydeck pipe line skydeck-hub/00/2016-06-09/13-56 17")]
    Line {
        /// Its path, as in `status loads`
        file: String,
        /// The line, from 1
        #[arg(value_parser = clap::value_parser!(u64).range(1..))]
        line: u64,
    },
    /// Ask for files and rows as they are now
    ///
    /// In the cloud; it wakes the warehouse, and counts as one of the day's wakes.
    #[command(after_help = "Examples:\n  skydeck --env staging pipe look")]
    Look,
}
