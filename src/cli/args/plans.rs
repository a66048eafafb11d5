//! The commands about plans, runs and states.

use clap::{Args, Subcommand};

/// What to do about plans, runs and states.
#[derive(Debug, Subcommand)]
pub enum Plans {
    /// What Terraform would change
    ///
    /// Makes a run and waits for its plan: init, fmt, validate, plan. The log goes to standard error, the changes to
    /// standard output; --json writes the run as one object. demo and local are EMULATED: no account is needed, and
    /// none is touched. Ends with 3 when changes are pending, with 0 when there are none, with 8 when somebody holds
    /// the state lock. The first Ctrl-C interrupts the run and waits for it; a closed terminal leaves it at work.
    #[command(
        after_help = "Examples:\n  skydeck plan\n  skydeck --env local plan --json\n  skydeck plan --target azurerm_iothub.hub --var batch_window_s=60\n  skydeck plan --destroy --detach"
    )]
    Plan(Plan),
    /// Apply a plan
    ///
    /// Where it destroys or replaces something, the environment's name has to be typed, or --yes given. Only demo and
    /// local are applied. Ends with 6 when the state has moved on since the plan, with 5 when the plan has expired,
    /// with 8 when somebody holds the state lock, with 9 when nothing is planned.
    #[command(after_help = "Examples:\n  skydeck apply\n  skydeck apply 7 --yes\n  skydeck --env local apply --json")]
    Apply {
        /// The run whose plan is applied; the newest planned one without it
        #[arg(value_name = "RUN")]
        run: Option<u32>,
        /// Don't ask, even where something is destroyed or replaced
        #[arg(long, short)]
        yes: bool,
        /// Don't wait for its end
        #[arg(long)]
        detach: bool,
    },
    /// Plan to destroy everything; `apply` follows
    ///
    /// The same as `plan --destroy`: nothing is destroyed until the plan is applied.
    #[command(after_help = "Examples:\n  skydeck destroy\n  skydeck destroy --target snowflake_pipe.health")]
    Destroy {
        /// Only this resource and what needs it; may be given again
        #[arg(long = "target", value_name = "ADDRESS")]
        targets: Vec<String>,
        /// Don't wait for the plan
        #[arg(long)]
        detach: bool,
    },
    /// What was changed behind Terraform's back
    ///
    /// Ends with 3 when something has drifted. Applying the run takes the drift into the state.
    #[command(after_help = "Examples:\n  skydeck drift\n  skydeck --env local drift --json")]
    Drift {
        /// Don't wait for its end
        #[arg(long)]
        detach: bool,
    },
    /// Runs: their history, or one of them
    #[command(
        after_help = "Examples:\n  skydeck runs\n  skydeck runs 7\n  skydeck runs 7 --log\n  skydeck runs --json"
    )]
    Runs {
        /// One run, whole
        #[arg(value_name = "RUN")]
        run: Option<u32>,
        /// Its log; with --json one object a line
        #[arg(long, requires = "run")]
        log: bool,
    },
    /// Discard a plan, or interrupt a run that is at work
    ///
    /// A queued or planned run is discarded. One at work gets one interrupt, and ends by itself.
    #[command(after_help = "Examples:\n  skydeck discard\n  skydeck discard 7")]
    Discard {
        /// The run; the newest that hasn't ended without it
        #[arg(value_name = "RUN")]
        run: Option<u32>,
    },
    /// What the state holds: its addresses, or one resource
    #[command(
        after_help = "Examples:\n  skydeck state\n  skydeck state azurerm_iothub.hub\n  skydeck --env local state --json"
    )]
    State {
        /// One resource, as `terraform state show` writes it; sensitive values are masked
        #[arg(value_name = "ADDRESS")]
        address: Option<String>,
    },
    /// The state's outputs; sensitive ones have no value
    #[command(after_help = "Examples:\n  skydeck outputs\n  skydeck outputs --json")]
    Outputs,
    /// Take the state lock from whoever holds it
    ///
    /// Only when nobody is at work: two at once can lose what the state knows. Asks for the first eight characters of
    /// the lock's id, unless --yes is given.
    #[command(after_help = "Examples:\n  skydeck unlock 9b2a1f04-55aa-4b0c-8a4e-6b1f0c7d2e11 --yes")]
    Unlock {
        /// The lock's id, as `runs` shows it
        #[arg(value_name = "ID")]
        id: String,
        /// Don't ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// What is asked of a plan.
#[derive(Debug, Args)]
pub struct Plan {
    /// Plan to destroy everything
    #[arg(long)]
    pub destroy: bool,
    /// Only this resource and what it needs; may be given again
    #[arg(long = "target", value_name = "ADDRESS")]
    pub targets: Vec<String>,
    /// Replace this resource; may be given again
    #[arg(long, value_name = "ADDRESS", conflicts_with = "destroy")]
    pub replace: Vec<String>,
    /// Set a variable for this run; may be given again
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// Don't wait for the plan
    #[arg(long)]
    pub detach: bool,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    text.split_once('=')
        .filter(|(name, _)| is_name(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "a variable is NAME=VALUE, as in batch_window_s=60".to_owned())
}
