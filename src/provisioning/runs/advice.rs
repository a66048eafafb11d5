//! What to do after a failure.

use crate::provisioning::run::{Diagnostic, Phase, Progress, Run};
use crate::provisioning::status::LockHolder;
use crate::provisioning::words::command;

/// What to do after `run` failed in `phase`.
#[must_use]
pub fn after(
    run: &Run,
    phase: Phase,
    interrupted: bool,
    diagnostics: &[Diagnostic],
    lock: Option<&LockHolder>,
) -> String {
    if let Some(lock) = lock {
        return format!(
            "{} holds the state lock {}; wait until that has ended, or take the lock with {} once you know that it is left behind",
            if lock.who.is_empty() { "somebody else" } else { &lock.who },
            lock.id,
            command(&run.environment, "unlock")
        );
    }
    let says = |words: &str| diagnostics.iter().any(|d| d.summary.contains(words) || d.detail.contains(words));
    match phase {
        Phase::Applying if says("plan is stale") => "plan again: the state has moved on since this plan".to_owned(),
        // Terraform writes to that disk as well: its last words may be lost with ours.
        Phase::Applying if says("No space left on device") => {
            "make room on that disk, then plan again to see what is left; what was done is in the state".to_owned()
        }
        Phase::Applying => applying(run, interrupted),
        _ if interrupted && phase != Phase::Checking => "plan again when you want to".to_owned(),
        Phase::Checking => "nothing was changed, and the plan still waits; apply it again".to_owned(),
        Phase::CheckingFormat => "run `terraform fmt -recursive` in the module's folder, then plan again".to_owned(),
        Phase::Initialising if run.emulated && says("was not found in any of the search locations") => {
            "demo and local have the emulated providers azurerm and snowflake only, and download none; take the other provider out of the module, or plan for a cloud environment".to_owned()
        }
        Phase::Initialising if run.emulated => "see what init says, correct the module, then plan again".to_owned(),
        Phase::Initialising => "see what init says; sign in (`az login`) if it couldn't, check the network and the module's backend/ENV.tfvars, then plan again".to_owned(),
        Phase::Validating | Phase::Planning => "correct what the diagnostics name, then plan again".to_owned(),
        _ => "plan again".to_owned(),
    }
}

fn applying(run: &Run, interrupted: bool) -> String {
    let count = |wanted: fn(&Progress) -> bool| run.changes.iter().filter(|change| wanted(&change.progress)).count();
    let done = count(|progress| matches!(progress, Progress::Done { .. }));
    let failed = count(|progress| matches!(progress, Progress::Failed { .. }));
    let skipped = count(|progress| matches!(progress, Progress::Skipped));
    let what = format!("{done} of {} changes were made and are in the state", run.changes.len());
    let rest = match (failed, skipped) {
        (0, 0) => String::new(),
        (failed, 0) => format!(", {failed} failed"),
        (0, skipped) => format!(", {skipped} were not begun"),
        (failed, skipped) => format!(", {failed} failed, {skipped} were not begun"),
    };
    let next = if interrupted {
        "plan again to see what is left"
    } else {
        "correct what failed, then plan again: the next plan holds what is left"
    };
    format!("{what}{rest}; {next}")
}
