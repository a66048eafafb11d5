//! The commands about policies.

use std::path::PathBuf;

use clap::Subcommand;

/// What to do about policies.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// The policies that judge plans: skydeck's, and your own
    #[command(after_help = "Examples:\n  skydeck policy list\n  skydeck policy list --json")]
    List,
    /// Run the policies' tests
    ///
    /// Runs every `test_…` rule: skydeck's own, and those of a folder. Ends with 1 when one fails.
    #[command(after_help = "Examples:\n  skydeck policy test\n  skydeck policy test policies --json")]
    Test {
        /// A folder of policies with their tests; the one of provisioning.policies without it
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// What a policy is about, and what to do when it speaks
    #[command(after_help = "Examples:\n  skydeck policy explain public-access")]
    Explain {
        /// Its name, as `list` and findings show it
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Judge a plan by the policies as they are now
    ///
    /// Ends with 4 when one denies it, with 0 when none does.
    #[command(
        after_help = "Examples:\n  skydeck policy check\n  skydeck policy check 7 --json\n  skydeck --env prod policy check --plan plan.json"
    )]
    Check {
        /// The run whose plan is judged, while it waits; the newest that waits without it
        #[arg(value_name = "RUN", conflicts_with = "plan")]
        run: Option<u32>,
        /// A plan as `terraform show -json` writes it
        #[arg(long, value_name = "FILE")]
        plan: Option<PathBuf>,
    },
}
