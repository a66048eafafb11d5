//! The commands about plans, runs and states.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do about plans, runs and states.
#[derive(Debug, Subcommand)]
pub enum Plans {
    /// What Terraform would change
    ///
    /// Makes a run and waits for its plan: init, fmt, validate, plan, policies. The log goes to standard error, the
    /// changes to standard output; --json writes the run as one object, --markdown the plan as `show` does. demo and
    /// local are EMULATED: no account is needed, and none is touched. Ends with 3 when changes are pending, with 4 when
    /// they are and a policy denies them, with 0 when there are none, with 8 when somebody holds the state lock. The
    /// first Ctrl-C interrupts the run and waits for it; a closed terminal leaves it at work.
    #[command(
        after_help = "Examples:\n  skydeck plan\n  skydeck --env local plan --json\n  skydeck plan --markdown > plan.md\n  skydeck plan --target azurerm_iothub.hub --var batch_window_s=60\n  skydeck plan --destroy --detach"
    )]
    Plan(Plan),
    /// A plan to read: findings, changes by module, what differs within each
    ///
    /// Nothing secret is shown: what Terraform marks as sensitive stands as (sensitive). --reveal shows one resource in
    /// clear while its plan still waits, and is written to the audit trail. The exports are for a pull request
    /// (--markdown), a browser (--html, one file) and programs (--json).
    #[command(
        after_help = "Examples:\n  skydeck show\n  skydeck show 7 --changes-only\n  skydeck show --markdown --out plan.md\n  skydeck --env local show 7 --json\n  skydeck show --reveal azurerm_key_vault_secret.hub"
    )]
    Show(Show),
    /// Approve a plan, so that it may be applied
    ///
    /// Repeats what is approved: environment, counts, every deletion and replacement, findings, the plan's age. Where
    /// something is destroyed or replaced, a denial is overridden, or the environment is prod, the environment's name
    /// has to be typed, or --yes given. The approval holds for exactly this plan, once, and expires. It is signed where
    /// provisioning.signing_key is set. Ends with 4 when a policy denies the plan and --override isn't given.
    #[command(
        after_help = "Examples:\n  skydeck --env staging approve\n  skydeck --env prod approve 7 --out approval.json\n  skydeck approve 7 --override --reason emptied-before --yes"
    )]
    Approve(Approve),
    /// Apply a plan
    ///
    /// In demo and local a plan that no policy denies needs no approval; everywhere else it does. Where something is
    /// destroyed or replaced, or the environment is prod, the environment's name has to be typed, or --yes given. Ends
    /// with 4 when a policy denies the plan, with 5 when it isn't approved or has expired, with 6 when what it was made
    /// of has moved on, with 8 when somebody holds the state lock, with 9 when nothing is planned.
    #[command(
        after_help = "Examples:\n  skydeck apply\n  skydeck apply 7 --yes\n  skydeck --env staging apply --approval approval.json\n  skydeck --env local apply --json"
    )]
    Apply(Apply),
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
        after_help = "Examples:\n  skydeck runs\n  skydeck runs 7\n  skydeck runs 7 --log\n  skydeck runs --all --json"
    )]
    Runs {
        /// One run, whole
        #[arg(value_name = "RUN")]
        run: Option<u32>,
        /// Its log; with --json one object a line
        #[arg(long, requires = "run")]
        log: bool,
        /// Runs at most, the newest
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["run", "all"])]
        limit: u32,
        /// Every run there ever was
        #[arg(long, conflicts_with = "run")]
        all: bool,
    },
    /// Discard a plan, or interrupt a run that is at work
    ///
    /// A queued or planned run is discarded. One at work gets one interrupt, and ends by itself.
    #[command(
        after_help = "Examples:\n  skydeck discard\n  skydeck discard 7\n  skydeck --env staging discard 12 --gone"
    )]
    Discard {
        /// The run; the newest that hasn't ended without it
        #[arg(value_name = "RUN")]
        run: Option<u32>,
        /// End a run at work elsewhere, whose machine is gone for good: look first that nobody holds the state's lock
        #[arg(long, requires = "run")]
        gone: bool,
        /// With --gone: ask nothing
        #[arg(long, requires = "gone")]
        yes: bool,
    },
    /// What the state holds: its addresses, or one resource
    #[command(args_conflicts_with_subcommands = true)]
    #[command(
        after_help = "Examples:\n  skydeck state\n  skydeck state azurerm_iothub.hub\n  skydeck --env local state --json\n  skydeck --env local state recover"
    )]
    State {
        /// What to do; list without one
        #[command(subcommand)]
        action: Option<StateAction>,
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
    /// The audit trail: who asked, planned, approved, applied, revealed what
    ///
    /// Each entry holds the hash of the one before; `verify` finds what was changed, removed or put elsewhere.
    #[command(args_conflicts_with_subcommands = true)]
    #[command(
        after_help = "Examples:\n  skydeck audit\n  skydeck --env staging audit --after 40 --json\n  skydeck audit verify"
    )]
    Audit {
        /// What to do; list without one
        #[command(subcommand)]
        action: Option<AuditAction>,
        /// Only entries after this number
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
        /// Entries at most, the newest
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
    },
}

/// What to do with the state.
#[derive(Debug, Subcommand)]
pub enum StateAction {
    /// Put a state in place that an apply couldn't write
    ///
    /// Terraform keeps it in errored.tfstate then, and nothing is planned or applied until it is put back: only that file
    /// knows what was made. It is pushed under the state's lock, and removed once the state has it. Ends with 6 when the
    /// state has moved on since, with 8 when a run is at work, with 9 when there is nothing to put back.
    #[command(after_help = "Examples:\n  skydeck state recover\n  skydeck --env prod state recover --json")]
    Recover,
}

/// What to do with the audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditAction {
    /// Look whether the trail is as it was written
    ///
    /// Ends with 1 when it isn't, naming the entries.
    #[command(after_help = "Examples:\n  skydeck audit verify\n  skydeck --env prod audit verify --json")]
    Verify,
}

/// What of a plan is shown.
#[derive(Debug, Args)]
pub struct Show {
    /// The run; the newest that has a plan without it
    #[arg(value_name = "RUN")]
    pub run: Option<u32>,
    /// As Markdown, short enough for a comment
    #[arg(long, conflicts_with_all = ["json", "html"])]
    pub markdown: bool,
    /// As HTML, one file that needs no other
    #[arg(long, conflicts_with = "json")]
    pub html: bool,
    /// Write it into this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Only what changes: no drift, outputs, variables or checks
    #[arg(long, conflicts_with_all = ["json", "markdown", "html"])]
    pub changes_only: bool,
    /// One resource with its secrets in clear; asks first, and is audited
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["markdown", "html", "out", "changes_only"])]
    pub reveal: Option<String>,
    /// With --reveal: don't ask
    #[arg(long, short, requires = "reveal")]
    pub yes: bool,
}

/// How a plan is approved.
#[derive(Debug, Args)]
pub struct Approve {
    /// The run; the newest that waits without it
    #[arg(value_name = "RUN")]
    pub run: Option<u32>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Approve what policies deny too; needs a reason
    #[arg(long = "override", requires = "reason")]
    pub overrides: bool,
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
    /// Write the approval into this file too, to be handed to whoever applies
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// How a plan is applied.
#[derive(Debug, Args)]
pub struct Apply {
    /// The run whose plan is applied; the approval's, or the newest that waits, without it
    #[arg(value_name = "RUN")]
    pub run: Option<u32>,
    /// An approval made elsewhere, as `approve --out` writes it
    #[arg(long, value_name = "FILE")]
    pub approval: Option<PathBuf>,
    /// Don't ask, even where something is destroyed or replaced
    #[arg(long, short)]
    pub yes: bool,
    /// Don't wait for its end
    #[arg(long)]
    pub detach: bool,
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
    /// Write the plan as Markdown
    #[arg(long, conflicts_with_all = ["json", "detach"])]
    pub markdown: bool,
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
