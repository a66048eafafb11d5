//! Runs, changes and states in words. Whatever is of an emulated environment says EMULATED.

use jiff::Timestamp;

use super::stake::findings;
use crate::cli::output::{Output, Paint};
use crate::cli::table::{Align, table};
use crate::cli::words::seconds;
use crate::owner::{
    ChangeAction, EnvironmentStatus, FindingSeverity, Operation, OutputValue, Phase, Progress, ResourceChange, Run,
    RunSummary, StateView, command,
};
#[cfg(feature = "local")]
use crate::owner::{ProvisioningStatus, TerraformStatus};
use crate::settings::{EnvironmentKind, EnvironmentName};
use crate::station::text::{counted, printable};

use Align::{Left, Right};

/// Runs that `status` shows.
#[cfg(feature = "local")]
const RUNS: usize = 20;

/// A run's plan: what it changes, what has drifted, and what to do next.
pub fn plan(run: &Run, output: Output) -> String {
    let mut text = run_text(run, output);
    if let Some(next) = next(run) {
        text.push_str(&format!("next: {next}\n"));
    }
    text
}

/// What to do with a plan that waits.
fn next(run: &Run) -> Option<String> {
    let said = |words: &str| command(&run.environment, &format!("{words} {}", run.number));
    let (show, approve, apply, discard) = (said("show"), said("approve"), said("apply"), said("discard"));
    if !run.phase.waits() {
        return None;
    }
    let denied = run.findings.iter().any(|finding| finding.severity == FindingSeverity::Deny);
    Some(match run.request.operation {
        Operation::RefreshOnly => {
            let plan = command(&run.environment, "plan");
            format!("{plan} shows what would undo it, {apply} takes it into the state")
        }
        _ if denied && run.approvals.is_empty() => {
            format!("{show} reads it; it is denied: correct it and plan again, or {discard}")
        }
        Operation::Destroy => format!("nothing is destroyed yet; {apply} destroys, {discard} lets it be"),
        Operation::Plan if run.environment.kind() == EnvironmentKind::Cloud && run.approvals.is_empty() => {
            format!("{show} reads it, {approve} lets it be applied, or {discard}")
        }
        Operation::Plan => format!("{show} reads it, {apply}, or {discard}"),
    })
}

/// What an apply did.
pub fn applied(run: &Run, output: Output) -> String {
    run_text(run, output)
}

/// One run, whole: who asked for what, its steps, its changes, why it failed.
pub fn run(run: &Run, output: Output) -> String {
    let mut text = run_text(run, output);
    text.push_str(&format!("\nasked   {} by {}\n", instant(run.asked_at), printable(&run.asked_by)));
    for approval in &run.approvals {
        let key = approval.key.as_ref().map_or_else(|| "unsigned".to_owned(), |key| format!("signed with {key}"));
        let (at, until) = (instant(approval.at), instant(approval.expires_at));
        let reason = approval.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        let overrides = if approval.overrides_denials { ", overriding denials" } else { "" };
        let words = format!("{at} by {}, {key}, until {until}{overrides}{reason}", approval.by);
        text.push_str(&format!("approved {}\n", printable(&words)));
    }
    for (name, list) in [("targets", &run.request.targets), ("replace", &run.request.replace)] {
        if !list.is_empty() {
            text.push_str(&format!("{name} {}\n", printable(&list.join(", "))));
        }
    }
    if !run.request.variables.is_empty() {
        let names: Vec<&str> = run.request.variables.keys().map(String::as_str).collect();
        text.push_str(&format!("set     {}\n", printable(&names.join(", "))));
    }
    for step in &run.steps {
        let took = step.ended_at.map(|end| seconds(end.duration_since(step.started_at).as_secs_f64().max(0.0)));
        let word = match step.succeeded {
            Some(true) => "done",
            Some(false) => "failed",
            None => "at work",
        };
        let took = took.map_or_else(String::new, |took| format!(" in {took}"));
        text.push_str(&format!("step    {}: {word}{took}\n", step.phase.label()));
    }
    if let Some(failure) = &run.failure {
        text.push_str(&format!("next    {}\n", printable(&failure.advice)));
    }
    text
}

/// Title, changes, drift, counts, failure.
fn run_text(run: &Run, output: Output) -> String {
    let phase = match run.phase {
        Phase::Failed if run.failure.as_ref().is_some_and(|failure| failure.interrupted) => {
            output.paint(Paint::Warn, "interrupted")
        }
        Phase::Failed => output.paint(Paint::Fail, run.phase.label()),
        Phase::Applied | Phase::Unchanged => output.paint(Paint::Ok, run.phase.label()),
        phase => phase.label().to_owned(),
    };
    let mut text = format!("{}: {phase}\n", output.paint(Paint::Bold, &run.title()));
    for moved in &run.moved {
        text.push_str(&format!("{} {}\n", output.paint(Paint::Warn, "moved since:"), printable(moved)));
    }
    text.push_str(&findings(&run.findings, output));
    let is_told = |change: &&ResourceChange| change.action != ChangeAction::Read;
    let rows: Vec<_> = run.changes.iter().filter(is_told).map(|change| row(change, run)).collect();
    text.push_str(&indented(&rows));
    if !run.drift.is_empty() {
        text.push_str(&format!("\nchanged behind Terraform ({}):\n", run.drift.len()));
        let rows: Vec<_> = run.drift.iter().map(|change| vec!["≠".into(), printable(&change.address)]).collect();
        text.push_str(&indented(&rows));
    }
    if !run.changed_outputs.is_empty() {
        text.push_str(&format!("outputs that change: {}\n", printable(&run.changed_outputs.join(", "))));
    }
    if let Some(counts) = run.counts {
        text.push_str(&format!("{counts}\n"));
    }
    if let Some(failure) = &run.failure {
        text.push_str(&outcome(run));
        for diagnostic in &failure.diagnostics {
            let word = if diagnostic.error { "Error" } else { "Warning" };
            let place = [&diagnostic.address, &diagnostic.place].into_iter().flatten().map(|text| printable(text));
            let place = place.collect::<Vec<_>>().join(", ");
            text.push_str(&format!("\n{word}: {}\n", printable(&diagnostic.summary)));
            if !place.is_empty() {
                text.push_str(&format!("  {place}\n"));
            }
            for line in diagnostic.detail.lines() {
                text.push_str(format!("  {}", printable(line)).trim_end());
                text.push('\n');
            }
        }
    }
    text
}

/// What a failed apply made and what not.
fn outcome(run: &Run) -> String {
    if !run.failure.as_ref().is_some_and(|failure| failure.phase == Phase::Applying) {
        return String::new();
    }
    let count = |is: fn(&Progress) -> bool| run.changes.iter().filter(|change| is(&change.progress)).count();
    let done = count(|progress| matches!(progress, Progress::Done { .. }));
    let failed = count(|progress| matches!(progress, Progress::Failed { .. }));
    let left = count(|progress| matches!(progress, Progress::Pending | Progress::Skipped));
    format!("done {done}, failed {failed}, not begun {left}\n")
}

fn row(change: &ResourceChange, run: &Run) -> Vec<String> {
    let applied = run.steps.iter().any(|step| step.phase == Phase::Applying);
    let progress = match &change.progress {
        _ if !applied => String::new(),
        Progress::Pending => "pending".into(),
        Progress::Running { .. } => "at work".into(),
        Progress::Done { took_s } => format!("done in {}", seconds(*took_s)),
        Progress::Failed { .. } => "FAILED".into(),
        Progress::Skipped => "not begun".into(),
    };
    let why = change.why().map_or_else(String::new, |why| printable(&why));
    vec![change.action.sign().to_owned(), printable(&change.address), progress, why]
}

/// Columns without a heading, indented.
fn indented(rows: &[Vec<String>]) -> String {
    let columns = [("", Left), ("", Left), ("", Left), ("", Left)];
    let width = rows.first().map_or(0, Vec::len).min(columns.len());
    table(&columns[..width], rows).lines().skip(1).map(|line| format!("  {line}\n")).collect()
}

/// An environment and its runs, newest first.
pub fn runs(of: &EnvironmentStatus, now: Timestamp) -> String {
    let emulated = if of.emulated { ", EMULATED" } else { "" };
    let mut text = format!("{}{emulated}: {}\n", of.environment, printable(&of.standing()));
    if let Some(lock) = &of.lock {
        let since = lock.since.map_or_else(String::new, |at| format!(" since {}", instant(at)));
        let words = format!("lock {} held by {} for {}{since}", lock.id, lock.who, lock.purpose());
        text.push_str(&format!("{}\n", printable(&words)));
    }
    if let Some(fault) = &of.state_fault {
        text.push_str(&format!("{}\n", printable(fault)));
    }
    if of.runs.is_empty() {
        return text + &format!("no run yet: {} makes one\n", command(&of.environment, "plan"));
    }
    text.push_str(&runs_table(&of.runs, now));
    if of.older > 0 {
        text.push_str(&format!("{} before these; --limit N or --all shows them\n", counted(of.older, "run")));
    }
    text
}

/// `1 DENY 2 WARN`.
fn said_of(run: &RunSummary) -> String {
    let parts = [(run.denials, FindingSeverity::Deny), (run.warnings, FindingSeverity::Warn)];
    let some = parts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = some.map(|(count, severity)| format!("{count} {}", severity.label())).collect();
    if words.is_empty() { "-".into() } else { words.join(" ") }
}

fn runs_table(runs: &[RunSummary], now: Timestamp) -> String {
    let row = |run: &RunSummary| {
        let targeted = if run.targeted { " (targeted)" } else { "" };
        let drift = if run.drift > 0 { run.drift.to_string() } else { "-".into() };
        let age = |at: Timestamp| seconds(now.duration_since(at).as_secs_f64().max(0.0));
        vec![
            run.number.to_string(),
            format!("{}{targeted}", run.operation.label()),
            run.standing(),
            run.counts.map_or_else(|| "-".into(), |counts| counts.to_string()),
            said_of(run),
            drift,
            seconds(run.took_s),
            age(run.asked_at),
        ]
    };
    let columns = [
        ("run", Right),
        ("asked for", Left),
        ("phase", Left),
        ("changes", Left),
        ("findings", Left),
        ("drifted", Right),
        ("took", Right),
        ("age", Right),
    ];
    table(&columns, &runs.iter().map(row).collect::<Vec<_>>())
}

/// Data sources have addresses too, and are no resources.
fn addresses(count: usize) -> String {
    if count == 1 { "1 address".to_owned() } else { format!("{count} addresses") }
}

/// The state's addresses.
pub fn state(of: &EnvironmentName, emulated: bool, state: &StateView) -> String {
    let mut text = head(of, emulated, state, &addresses(state.resources.len()));
    for resource in &state.resources {
        text.push_str(&format!("{}\n", printable(&resource.address)));
    }
    text
}

/// The state's outputs.
pub fn outputs(of: &EnvironmentName, emulated: bool, state: &StateView) -> String {
    let mut text = head(of, emulated, state, &counted(state.outputs.len(), "output"));
    let value = |output: &OutputValue| {
        output.value.as_ref().map_or_else(|| "(sensitive)".into(), |value| printable(&value.to_string()))
    };
    let rows: Vec<_> = state.outputs.iter().map(|output| vec![printable(&output.name), value(output)]).collect();
    text.push_str(&table(&[("output", Left), ("value", Left)], &rows));
    text
}

fn head(of: &EnvironmentName, emulated: bool, state: &StateView, count: &str) -> String {
    let emulated = if emulated { ", EMULATED" } else { "" };
    let serial = state.serial.map_or_else(|| "no state yet".into(), |serial| format!("serial {serial}"));
    format!("{of}{emulated}: {serial}, {count}\n")
}

/// Text of several lines, each printable.
pub fn lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", printable(line))).collect()
}

/// What `status plans` writes.
#[cfg(feature = "local")]
pub fn status_text(plans: &ProvisioningStatus, of: &EnvironmentName, now: Timestamp, output: Output) -> String {
    let mut text = match (&plans.terraform, plans.terraform.fault()) {
        (TerraformStatus::Found { path, version }, _) => {
            format!("Terraform {} at {}\n", printable(version), printable(&path.display().to_string()))
        }
        (_, Some(fault)) => output.paint(Paint::Warn, &printable(&fault)) + "\n",
        (_, None) => String::new(),
    };
    let row = |of: &EnvironmentStatus| {
        let emulated = if of.emulated { "EMULATED" } else { "" };
        let resources = of.resources.map_or_else(|| "-".into(), |count| count.to_string());
        let lock =
            of.lock.as_ref().map_or_else(|| "-".into(), |lock| printable(&format!("{} by {}", lock.id, lock.who)));
        vec![of.environment.to_string(), emulated.to_owned(), printable(&of.standing()), resources, lock]
    };
    let columns = [("environment", Left), ("", Left), ("standing", Left), ("resources", Right), ("state lock", Left)];
    text.push_str(&format!("\n{}", table(&columns, &plans.environments.iter().map(row).collect::<Vec<_>>())));
    if let Some(of) = plans.environment(of).filter(|of| !of.runs.is_empty()) {
        let newest = &of.runs[..of.runs.len().min(RUNS)];
        text.push_str(&format!("\n{}", runs_table(newest, now)));
    }
    text
}

/// How long ago something was: `12 s ago`.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", seconds(now.duration_since(at).as_secs_f64().max(0.0)))
}

/// An instant to the second, UTC.
pub fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    const PLAIN: Output = Output { json: false, color: false };

    #[test]
    fn a_plan_an_apply_and_a_history_read_well() {
        insta::assert_snapshot!("plan", plan(&fixture::planned(), PLAIN));
        insta::assert_snapshot!("failed", run(&fixture::failed(), PLAIN));
        let status = fixture::status();
        insta::assert_snapshot!("runs", runs(&status.environments[0], fixture::now()));
        insta::assert_snapshot!("state", state(&EnvironmentName::demo(), true, &fixture::state()));
        insta::assert_snapshot!("outputs", outputs(&EnvironmentName::demo(), true, &fixture::state()));
    }

    #[test]
    fn everything_emulated_says_so() {
        let status = fixture::status();
        let of = &EnvironmentName::demo();
        let texts = [
            plan(&fixture::planned(), PLAIN),
            run(&fixture::failed(), PLAIN),
            applied(&fixture::failed(), PLAIN),
            runs(&status.environments[0], fixture::now()),
            state(of, true, &fixture::state()),
            outputs(of, true, &fixture::state()),
            status_text(&status, of, fixture::now(), PLAIN),
        ];
        for text in texts {
            assert!(text.contains("EMULATED"), "{text}");
        }
    }
}
