//! What is repeated before a plan is approved or applied: the environment, its counts, its age, what the policies say, and
//! everything that is destroyed or replaced.

use super::question::{Question, Weight};
use super::words;
use super::{Plans, findings, rows};
use crate::console::screens::Context;
use crate::console::widgets::value::age;
use crate::owner::{ChangeAction, EnvironmentStatus, FindingSeverity, Operation, PlannedChange, Request, Run};
use crate::settings::{EnvironmentKind, EnvironmentName};
use crate::station::text::{counted, printable};

/// Whether an environment is production: `prod`, or any whose name begins with `prod-`.
pub fn is_prod(name: &EnvironmentName) -> bool {
    let name = name.to_string();
    name == "prod" || name.starts_with("prod-")
}

/// How many findings deny the plan of a run.
pub fn denials(run: &Run) -> usize {
    run.findings.iter().filter(|finding| finding.severity == FindingSeverity::Deny).count()
}

/// The environment, for the head of a question.
pub fn head(environment: &EnvironmentStatus) -> String {
    let emulated = if environment.emulated { ", EMULATED: no account is touched" } else { "" };
    format!("Environment {}{emulated}.", environment.environment)
}

/// What is destroyed or replaced, what holds data first.
fn lost(screen: &Plans, run: &Run) -> Vec<PlannedChange> {
    let all = if screen.held.is_whole() { screen.held.plan().clone() } else { rows::outline_of(run) };
    let is_lost = |change: &PlannedChange| matches!(change.action, ChangeAction::Replace | ChangeAction::Delete);
    let mut lost: Vec<PlannedChange> = all.changes.into_iter().filter(is_lost).collect();
    lost.sort_by_key(|change| !words::holds_data(&change.kind));
    lost
}

fn repeated(screen: &Plans, run: &Run, environment: &EnvironmentStatus, ctx: &Context<'_>) -> Vec<(Weight, String)> {
    let mut text = vec![(Weight::Plain, head(environment))];
    let counts = run.counts.unwrap_or_default();
    text.push((Weight::Plain, format!("Run {}, {}: {counts}", run.number, run.request.operation.label())));
    let planned = run.planned_at.map(|at| format!("Planned {} ago, by {}.", age(at, ctx.now), run.planned_by()));
    text.extend(planned.map(|planned| (Weight::Plain, printable(&planned))));
    if !run.request.targets.is_empty() {
        text.push((Weight::Plain, format!("Only {}.", counted(run.request.targets.len(), "target"))));
    }
    let lost = lost(screen, run);
    if !lost.is_empty() {
        text.push((Weight::Plain, String::new()));
        text.push((Weight::Loss, format!("Destroys or replaces {}:", counted(lost.len(), "resource"))));
        let holding = lost.iter().filter(|change| words::holds_data(&change.kind)).count();
        if holding > 0 && holding < lost.len() {
            text.push((Weight::Loss, "what holds data:".into()));
        }
        for (i, change) in lost.iter().enumerate() {
            if i == holding && holding > 0 {
                text.push((Weight::Loss, "the rest:".into()));
            }
            let why = words::why(change, crate::owner::PlanList::Changes);
            let why = if why.is_empty() { why } else { format!(" ({why})") };
            text.push((Weight::Loss, printable(&format!("  {} {}{why}", words::change_sign(change), change.address))));
        }
        text.extend(run.trash().map(|trash| (Weight::Loss, trash.to_owned())));
    }
    if !run.findings.is_empty() {
        text.push((Weight::Plain, String::new()));
        text.push((Weight::Plain, format!("The policies say ({}):", findings::tally(&run.findings))));
        text.extend(run.findings.iter().map(|finding| {
            let weight = match finding.severity {
                FindingSeverity::Deny => Weight::Loss,
                FindingSeverity::Warn => Weight::Warning,
                FindingSeverity::Info => Weight::Aside,
            };
            (weight, format!("  {}", findings::in_words(finding)))
        }));
    }
    text.push((Weight::Plain, String::new()));
    text
}

fn loses(screen: &Plans, run: &Run) -> bool {
    !lost(screen, run).is_empty()
}

/// Before a plan is approved.
pub fn approve(screen: &Plans, run: &Run, environment: &EnvironmentStatus, ctx: &Context<'_>) -> Question {
    let name = &run.environment;
    let mut text = repeated(screen, run, environment, ctx);
    let denials = denials(run);
    let is_cloud = name.kind() == EnvironmentKind::Cloud;
    text.push((Weight::Plain, "Approve exactly this plan? Nothing is applied yet.".into()));
    if denials > 0 {
        let words = format!(
            "The policies deny it ({}): a written reason is kept with the approval.",
            counted(denials, "finding")
        );
        text.push((Weight::Loss, words));
        if is_cloud {
            text.push((Weight::Loss, "A second person has to give it: not the one who planned.".into()));
        }
    }
    if is_prod(name) {
        let words =
            "In production approvals are signed, and two different persons must have signed before it is applied.";
        text.push((Weight::Aside, words.into()));
    } else if !is_cloud {
        text.push((Weight::Aside, format!("{name} needs an approval only where a policy denies.")));
    }
    let request =
        Request::Approve { environment: name.clone(), number: run.number, reason: None, override_denials: denials > 0 };
    let question = Question::new("Approve the plan", text, request).with_reason(denials > 0);
    if loses(screen, run) || is_prod(name) { question.typed(vec![name.to_string()]) } else { question }
}

/// Before a plan is applied.
pub fn apply(screen: &Plans, run: &Run, environment: &EnvironmentStatus, ctx: &Context<'_>) -> Question {
    let name = &run.environment;
    let mut text = repeated(screen, run, environment, ctx);
    if !run.approvals.is_empty() {
        let names: Vec<String> = run.approvals.iter().map(|approval| printable(&approval.by)).collect();
        text.push((Weight::Plain, format!("Approved by {}.", names.join(" and "))));
    }
    if run.request.operation == Operation::RefreshOnly {
        let count = counted(run.drift.len(), "drifted resource");
        text.push((Weight::Plain, format!("Take {count} into the state as they are? Nothing else is changed.")));
    } else {
        text.push((Weight::Plain, "Apply it now? It goes on without this console.".into()));
    }
    let request = Request::ApplyRun { environment: name.clone(), number: run.number };
    let question = Question::new("Apply the plan", text, request);
    if loses(screen, run) || is_prod(name) { question.typed(vec![name.to_string()]) } else { question }
}

/// Before secrets are shown.
pub fn reveal(address: &str, environment: &EnvironmentStatus, request: Request) -> Question {
    let text = vec![
        (Weight::Plain, head(environment)),
        (Weight::Plain, printable(address)),
        (Weight::Plain, String::new()),
        (Weight::Plain, "Show its secrets in clear, until another resource is selected?".into()),
        (Weight::Warning, "This is written to the audit trail.".into()),
    ];
    Question::new("Reveal", text, request)
}

/// Why a plan that waits can't be applied; absent where it can.
pub fn not_applicable(
    screen: &Plans,
    run: &crate::owner::RunSummary,
    name: &EnvironmentName,
    ctx: &Context<'_>,
) -> Option<String> {
    use crate::owner::Phase;
    let number = run.number;
    match run.phase {
        Phase::Approved if run.approved_until.is_some_and(|until| until <= ctx.now) => {
            Some(format!("run {number}: its approval has expired; approve it again (a), or make a new plan"))
        }
        Phase::Approved => None,
        Phase::Planned if name.kind() == EnvironmentKind::Cloud => {
            let so_far = screen.shown_run(ctx).is_some_and(|run| !run.approvals.is_empty());
            let what = if so_far { "needs another approval" } else { "isn't approved" };
            Some(format!("{name}: run {number} {what}; approve it first (a)"))
        }
        Phase::Planned if run.denials > 0 => {
            let denied = screen.shown_run(ctx).map(|run| {
                let denied = run.findings.iter().filter(|finding| finding.severity == FindingSeverity::Deny);
                denied.map(|finding| printable(&finding.policy)).collect::<Vec<_>>().join(", ")
            });
            let by = denied.unwrap_or_else(|| counted(run.denials as usize, "finding"));
            Some(format!("run {number} is denied by policy: {by}; correct it, or approve it with a reason (a)"))
        }
        Phase::Planned => None,
        phase => Some(format!("run {number} is {}, so it can't be applied; make a new plan", phase.label())),
    }
}
