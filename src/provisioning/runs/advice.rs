//! What to do after a failure.

use super::kept::Kept;
use crate::provisioning::run::{Operation, Phase, Progress, Run};
use crate::provisioning::status::LockHolder;
use crate::provisioning::words::command;

/// Addresses that are named; the others are counted.
const NAMED: usize = 3;

/// What gives a failure's cause away, noticed in the words as they come: masking may take the very word that tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs {
    /// A disk has no room left.
    pub disk_full: bool,
    /// The state that is there can't be understood.
    pub state_damaged: bool,
    /// The saved plan is of an older state.
    pub plan_stale: bool,
    /// A provider isn't among those that are emulated.
    pub provider_missing: bool,
}

impl Signs {
    /// Notices what `text` gives away.
    pub fn notice(&mut self, text: &str) {
        let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
        // The system's words in Go and in Rust, a quota's, and SQLite's.
        self.disk_full |= says(&[
            "no space left on device",
            "No space left on device",
            "isk quota exceeded",
            "database or disk is full",
        ]);
        self.state_damaged |= says(&["the state is damaged", "Unsupported state file format"]);
        self.plan_stale |= says(&["plan is stale"]);
        self.provider_missing |= says(&["was not found in any of the search locations"]);
    }
}

/// How a step failed.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// Which.
    pub phase: Phase,
    /// Whether it was interrupted on purpose.
    pub interrupted: bool,
    /// What was noticed.
    pub signs: Signs,
    /// Who holds the state lock, where that was it.
    pub lock: Option<&'a LockHolder>,
    /// What the state keeps of it, where it applied.
    pub kept: &'a Kept,
}

/// What to do after `run` failed like that.
#[must_use]
pub fn after(run: &Run, ending: &Ending<'_>) -> String {
    if let Some(lock) = ending.lock {
        return format!(
            "{} holds the state lock {}; wait until that has ended, or take the lock with {} once you know that it is left behind",
            if lock.who.is_empty() { "somebody else" } else { &lock.who },
            lock.id,
            command(&run.environment, format!("unlock {}", lock.id).trim_end())
        );
    }
    let words = by_phase(run, ending);
    if ending.signs.disk_full { format!("make room on that disk; {words}") } else { words }
}

fn by_phase(run: &Run, ending: &Ending<'_>) -> String {
    let again = again(run);
    let signs = ending.signs;
    match ending.phase {
        Phase::Applying if signs.plan_stale => format!("{again} again: the state has moved on since this plan"),
        Phase::Applying => applied(run, ending.kept, ending.interrupted),
        _ if ending.interrupted && ending.phase != Phase::Checking => format!("{again} again when you want to"),
        Phase::Checking => "nothing was changed, and the plan still waits; apply it again".to_owned(),
        Phase::CheckingFormat => {
            format!("run `terraform fmt -recursive` in the module's folder, then {again} again")
        }
        _ if signs.state_damaged => format!("put the state right as it says, then {again} again"),
        Phase::Initialising if run.emulated && signs.provider_missing => {
            "demo and local have the emulated providers azurerm and snowflake only, and download none; take the other provider out of the module, or plan for a cloud environment".to_owned()
        }
        Phase::Initialising if run.emulated => format!("see what init says, correct the module, then {again} again"),
        Phase::Initialising => format!(
            "see what init says; sign in (`az login`) if it couldn't, check the network and the module's backend/ENV.tfvars, then {again} again"
        ),
        Phase::Validating | Phase::Planning => format!("correct what the diagnostics name, then {again} again"),
        _ => format!("{again} again"),
    }
}

/// How the same is asked for: after half a destruction a plain plan would make again what is gone.
fn again(run: &Run) -> String {
    match run.request.operation {
        Operation::Plan => "plan".to_owned(),
        Operation::Destroy => format!("plan with {}", command(&run.environment, "destroy")),
        Operation::RefreshOnly => format!("look with {}", command(&run.environment, "drift")),
    }
}

/// What an apply that failed has done, what the state knows of that, and what to do. `interrupted` where nothing needs to
/// be corrected.
#[must_use]
pub fn applied(run: &Run, kept: &Kept, interrupted: bool) -> String {
    let count = |wanted: fn(&Progress) -> bool| run.changes.iter().filter(|change| wanted(&change.progress)).count();
    let done = count(|progress| matches!(progress, Progress::Done { .. }));
    let failed = count(|progress| matches!(progress, Progress::Failed { .. }));
    let skipped = count(|progress| matches!(progress, Progress::Skipped));
    let rest = match (failed, skipped) {
        (0, 0) => String::new(),
        (failed, 0) => format!(", {failed} failed"),
        (0, skipped) => format!(", {skipped} were not begun"),
        (failed, skipped) => format!(", {failed} failed, {skipped} were not begun"),
    };
    let total = run.changes.len();
    let what = match run.request.operation {
        Operation::Plan => format!("{done} of {total} changes were made"),
        Operation::Destroy => format!("{done} of {total} resources were removed"),
        Operation::RefreshOnly => "nothing but the state was to be changed".to_owned(),
    };
    let next = next(run, interrupted);
    match kept {
        Kept::Unsaved(path) => format!(
            "{what}{rest}, but Terraform couldn't write the state: what it would hold is in {}, and nowhere else; put it back with {}, then {next}",
            path.display(),
            command(&run.environment, "state recover")
        ),
        Kept::CutOff { path, state } => format!(
            "{}; Terraform's copy of the state, {}, is cut off as well: remove it before you plan",
            applied(run, state, interrupted),
            path.display()
        ),
        Kept::Damaged(words) => {
            format!("{what}{rest}; {words}; what this run did isn't in the backup: {}", orphans(run, kept))
        }
        Kept::Unknown => format!(
            "{what}{rest}; whether the state knows of it couldn't be read: look with {}, then {next}",
            command(&run.environment, "state")
        ),
        Kept::Nothing if done > 0 && run.request.operation != Operation::Destroy => {
            format!("{what}{rest}, but the state was never written: {}", orphans(run, kept))
        }
        Kept::Nothing | Kept::State { .. } => {
            let lost = kept.lost(run);
            if lost.is_empty() || matches!(kept, Kept::Nothing) {
                format!("{what}{}{rest}; {next}", if done == 0 { "" } else { in_state(run) })
            } else {
                format!(
                    "{what}{rest}; of {} the state knows nothing ({}): {}",
                    if lost.len() == done { "all of that".to_owned() } else { format!("{} of that", lost.len()) },
                    named(&lost),
                    if run.request.operation == Operation::Plan { orphans(run, kept) } else { next }
                )
            }
        }
    }
}

const fn in_state(run: &Run) -> &'static str {
    match run.request.operation {
        Operation::Plan => " and are in the state",
        Operation::Destroy => " and are no longer in the state",
        Operation::RefreshOnly => "",
    }
}

/// How to get at what is left.
fn next(run: &Run, interrupted: bool) -> String {
    let correct = if interrupted { "" } else { "correct what failed, then " };
    match run.request.operation {
        Operation::Plan if interrupted => "plan again to see what is left".to_owned(),
        Operation::Plan => format!("{correct}plan again: the next plan holds what is left"),
        Operation::Destroy => format!(
            "{correct}plan the rest with {}; a plain plan would make again what is gone",
            command(&run.environment, "destroy")
        ),
        Operation::RefreshOnly => format!("{correct}look again with {}", command(&run.environment, "drift")),
    }
}

/// How to come by what was made and the state knows nothing of.
fn orphans(run: &Run, kept: &Kept) -> String {
    let import = format!(
        "take each into the state by an import block in the module ({} shows what it imports), or remove it by hand; a plan without that wants to make it again",
        command(&run.environment, "plan")
    );
    let lost = match kept {
        Kept::Nothing | Kept::Damaged(_) => format!("{}; ", named(&kept.lost(run))),
        _ => String::new(),
    };
    match run.environment.as_str() {
        "demo" => format!("{lost}`skydeck demo reset` makes the demo anew; to keep it, {import}"),
        _ => format!("{lost}{import}"),
    }
}

fn named(addresses: &[&str]) -> String {
    let shown = addresses.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match addresses.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
