//! The shape of `skydeck storage`.

use clap::Subcommand;

/// What is asked of the storage: containers of batches, and the queue that announces them.
#[derive(Debug, Clone, Subcommand)]
pub enum StorageCommand {
    /// The containers, the queue and what ends; or the batches of one container
    #[command(
        after_help = "Examples:\n  skydeck storage list\n  skydeck storage list json-blob-messages --limit 5\n  skydeck --env staging storage list --json"
    )]
    List {
        /// The container whose batches are listed, newest first
        container: Option<String>,
        /// Batches at most, 1 to 10000
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
    },
    /// Lines of a batch
    ///
    /// It passes by and isn't kept: of one of 100 MiB no more is held than what is written.
    #[command(
        after_help = "Examples:\n  skydeck storage lines json-blob-messages skydeck-hub/0/2016-06-09/13-56\n  skydeck --env staging storage lines json-blob-messages skydeck-hub/03/2026-06-01/12-00 --from 17 --count 1"
    )]
    Lines {
        /// The container
        container: String,
        /// The batch's name in it, as `list` shows it
        file: String,
        /// The first line, from 1
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        from: u64,
        /// Lines at most, 1 to 1000
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
    },
    /// Take a notice that no pipe takes off the queue of the cloud
    ///
    /// It is received, kept in aside.db with its reason, and then deleted from the queue, it alone. Up to 31 notices that are
    /// received with it are hidden from their pipe for ten seconds, and come back by themselves.
    #[command(
        after_help = "Examples:\n  skydeck --env staging storage take-poison 5974b586-0df3-4e2d-ad0c-18e3892bfca2"
    )]
    TakePoison {
        /// Its id, as `list` shows it
        id: String,
    },
    /// Look at the storage account now, not only each minute
    #[command(after_help = "Examples:\n  skydeck --env staging storage look")]
    Look,
}
