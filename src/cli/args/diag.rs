//! The command for whoever stands beside the device.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// How the device is shown.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Diag {
    /// Write it once as text (with --json as JSON) instead of showing it
    #[arg(long)]
    pub once: bool,
    /// Write it again whenever it changes, at most every SECONDS, until ended
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "10",
        conflicts_with = "once",
        value_parser = clap::value_parser!(u16).range(1..=3600)
    )]
    pub watch: Option<u16>,
    /// Try the way to the hub first, step by step; with text and JSON only
    #[arg(long)]
    pub test_link: bool,
    /// What else to do
    #[command(subcommand)]
    pub action: Option<DiagAction>,
}

/// What else to do.
#[derive(Debug, Subcommand)]
pub enum DiagAction {
    /// Write diagnosis, log and settings into an archive for support, without secrets
    ///
    /// Tries the way to the hub first. The file's mode is 0600, and one that is there isn't written over.
    #[command(
        after_help = "Examples:\n  skydeck --env roof diag bundle\n  skydeck --env roof diag bundle --out /tmp/roof-01.tar.gz"
    )]
    Bundle {
        /// The file; by default skydeck-diag-DEVICE-TIME.tar.gz in the working folder
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}
