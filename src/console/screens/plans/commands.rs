//! What can be done now, why not, and the question before it is done.

use super::Plans;
use super::question::{Question, Weight};
use crate::console::Action;
use crate::console::screens::Context;
use crate::console::widgets::value::{age, date_time_zone};
use crate::owner::{EnvironmentStatus, LockHolder, Operation, Phase, Request, Run, RunRequest, RunSummary};
use crate::settings::EnvironmentKind;
use crate::station::text::printable;

/// What follows an action.
pub enum Step {
    /// A question is opened.
    Ask(Question),
    /// This is asked of the owner.
    Send(Request),
    /// The console ends.
    Quit,
    /// Nothing.
    Nothing,
}

/// Whether an action is one of those told of here.
pub const fn is_command(action: Action) -> bool {
    matches!(
        action,
        Action::PlanRun
            | Action::ApplyRun
            | Action::DiscardRun
            | Action::InterruptRun
            | Action::DestroyPlan
            | Action::RefreshOnly
            | Action::ShowState
            | Action::ShowOutputs
            | Action::Unlock
    )
}

/// Actions the footer hints at, most useful first.
pub fn hints(screen: &Plans, ctx: &Context<'_>) -> Vec<Action> {
    let order = [
        Action::PlanRun,
        Action::ApplyRun,
        Action::DiscardRun,
        Action::Unlock,
        Action::Mark,
        Action::RefreshOnly,
        Action::DestroyPlan,
        Action::ShowState,
        Action::ShowOutputs,
        Action::FocusNext,
        Action::Open,
        Action::Follow,
    ];
    order.into_iter().filter(|action| disabled(screen, *action, ctx).is_none()).collect()
}

/// What an action means now, where that isn't what the table says.
pub fn meaning(screen: &Plans, action: Action, ctx: &Context<'_>) -> Option<(&'static str, &'static str)> {
    let active = working(screen, ctx).is_some();
    match action {
        Action::InterruptRun if !active => Some(("quit", "End the console: nothing is at work here")),
        Action::DiscardRun if active => Some(("interrupt", "Interrupt the working run, once that is confirmed")),
        Action::PlanRun if !screen.marked(ctx).is_empty() => Some(("plan marked", "Plan only what is marked")),
        Action::Open if screen.listing.is_some() => Some(("read", "Read the selected resource whole")),
        _ => None,
    }
}

/// The shown run, while a process is at work on it.
fn working<'a>(screen: &Plans, ctx: &Context<'a>) -> Option<&'a RunSummary> {
    let (_, run) = screen.summary(ctx)?;
    (run.phase.is_active() && run.phase != Phase::Queued).then_some(run)
}

/// Why an action can't be done now; absent where it can.
pub fn disabled(screen: &Plans, action: Action, ctx: &Context<'_>) -> Option<String> {
    match action {
        Action::ShowState | Action::ShowOutputs => return no_state(screen, ctx),
        Action::Mark => {
            let nothing = screen.reading.is_some() || screen.address(ctx).is_none();
            return nothing.then(|| "nothing is selected here that could be marked; tab goes to the changes".into());
        }
        Action::InterruptRun if working(screen, ctx).is_none() || ctx.read_only => return None,
        _ if !is_command(action) => return None,
        _ => {}
    }
    if ctx.read_only {
        return Some("this console is read-only; start it without --read-only to run Terraform".into());
    }
    if ctx.stale {
        return Some("the owner of this environment has ended, so nothing can be changed".into());
    }
    if let Some(fault) = ctx.snapshot.provisioning.terraform.fault() {
        return Some(printable(&fault));
    }
    let Some(environment) = screen.environment(ctx) else {
        return Some("no environment is known yet; try again in a moment".into());
    };
    let name = &environment.environment;
    let run = screen.summary(ctx).map(|(_, run)| run);
    match (action, run) {
        (Action::ApplyRun, _) if name.kind() == EnvironmentKind::Cloud => {
            Some(format!("{name}: applying in the cloud needs an approval, which this release doesn't have"))
        }
        (Action::ApplyRun, None) => Some(format!("{name}: nothing is planned; make a plan first")),
        (Action::ApplyRun, Some(run)) if run.phase != Phase::Planned => {
            Some(format!("run {} is {}, so it can't be applied; make a new plan", run.number, run.phase.label()))
        }
        (Action::ApplyRun, Some(_)) => screen.shown_run(ctx).is_none().then(|| "the plan isn't here yet".into()),
        (Action::DiscardRun, None) => Some(format!("{name}: there is no run to discard")),
        (Action::DiscardRun, Some(run)) if run.phase.is_end() => {
            Some(format!("run {} has ended ({}); there is nothing to discard", run.number, run.phase.label()))
        }
        (Action::Unlock, _) => match &environment.lock {
            None => Some(format!("{name} isn't locked")),
            Some(LockHolder { by_live_run: Some(run), .. }) => {
                Some(format!("run {run} is at work and holds the lock; interrupt it instead"))
            }
            Some(_) => None,
        },
        _ => None,
    }
}

fn no_state(screen: &Plans, ctx: &Context<'_>) -> Option<String> {
    let Some(environment) = screen.environment(ctx) else {
        return Some("no environment is known yet; try again in a moment".into());
    };
    let name = &environment.environment;
    match environment.resources {
        Some(_) => None,
        None if environment.emulated => Some(format!("{name} has no state yet; it comes with the first apply")),
        None => Some(format!("{name}: its state is kept elsewhere and isn't read here")),
    }
}

/// What an action that can be done leads to.
pub fn step(screen: &Plans, action: Action, ctx: &Context<'_>) -> Step {
    let Some(environment) = screen.environment(ctx) else {
        return if action == Action::InterruptRun { Step::Quit } else { Step::Nothing };
    };
    let name = environment.environment.clone();
    let start = |run: RunRequest| Request::StartRun { environment: name.clone(), run };
    let of = |operation| RunRequest { operation, ..RunRequest::default() };
    match action {
        Action::PlanRun => match screen.marked(ctx) {
            marked if marked.is_empty() => Step::Send(start(of(Operation::Plan))),
            marked => Step::Ask(targeted(
                environment,
                &marked,
                start(RunRequest { targets: marked.clone(), ..RunRequest::default() }),
            )),
        },
        Action::RefreshOnly => Step::Send(start(of(Operation::RefreshOnly))),
        Action::DestroyPlan => Step::Ask(destroy(environment, start(of(Operation::Destroy)))),
        Action::ApplyRun => screen.shown_run(ctx).map_or(Step::Nothing, |run| Step::Ask(apply(run, environment, ctx))),
        Action::InterruptRun if working(screen, ctx).is_none() || ctx.read_only => Step::Quit,
        Action::DiscardRun | Action::InterruptRun => match screen.summary(ctx) {
            Some((environment, run)) => Step::Ask(cancel(environment, run)),
            None => Step::Nothing,
        },
        Action::Unlock => match &environment.lock {
            Some(lock) => Step::Ask(unlock(environment, lock, ctx)),
            None => Step::Nothing,
        },
        _ => Step::Nothing,
    }
}

fn head(environment: &EnvironmentStatus) -> String {
    let emulated = if environment.emulated { ", EMULATED: no account is touched" } else { "" };
    format!("Environment {}{emulated}.", environment.environment)
}

fn targeted(environment: &EnvironmentStatus, marked: &[String], request: Request) -> Question {
    let mut text = vec![(Weight::Plain, head(environment)), (Weight::Plain, String::new())];
    text.push((Weight::Plain, format!("Plan only these {} and what they need:", counted(marked.len(), "resource"))));
    text.extend(marked.iter().map(|address| (Weight::Plain, format!("  {}", printable(address)))));
    let aside = "A targeted plan leaves the rest as it is; a plan of everything should follow.";
    text.extend([(Weight::Plain, String::new()), (Weight::Aside, aside.into())]);
    Question::new("Plan what is marked", text, request)
}

fn destroy(environment: &EnvironmentStatus, request: Request) -> Question {
    let count = environment.resources.map_or_else(|| "everything".into(), |n| format!("all {}", counted_u(n)));
    let text = vec![
        (Weight::Plain, head(environment)),
        (Weight::Plain, String::new()),
        (Weight::Plain, format!("Plan to destroy {count} in it? Only a plan is made; nothing is destroyed yet.")),
        (Weight::Aside, "It destroys when it is applied, which asks for the environment's name.".into()),
    ];
    Question::new("Plan to destroy", text, request)
}

fn apply(run: &Run, environment: &EnvironmentStatus, ctx: &Context<'_>) -> Question {
    let mut text = vec![(Weight::Plain, head(environment))];
    let counts = run.counts.unwrap_or_default();
    text.push((Weight::Plain, format!("Run {}, {}: {counts}", run.number, run.request.operation.label())));
    let planned = run.planned_at.map(|at| format!("Planned {} ago, by {}.", age(at, ctx.now), run.asked_by));
    text.extend(planned.map(|planned| (Weight::Plain, printable(&planned))));
    if !run.request.targets.is_empty() {
        let only = format!("Only {}.", counted(run.request.targets.len(), "target"));
        text.push((Weight::Plain, only));
    }
    let lost: Vec<_> = run.destroyed().collect();
    if !lost.is_empty() {
        text.push((Weight::Plain, String::new()));
        text.push((Weight::Loss, format!("Destroys or replaces {}:", counted(lost.len(), "resource"))));
    }
    for change in &lost {
        let why = change.why().map(|why| format!(" ({why})")).unwrap_or_default();
        let line = format!("  {} {}{why}", change.action.sign(), change.address);
        text.push((Weight::Loss, printable(&line)));
    }
    text.extend(run.trash().map(|trash| (Weight::Loss, trash.to_owned())));
    text.push((Weight::Plain, String::new()));
    if run.request.operation == Operation::RefreshOnly {
        let count = counted(run.drift.len(), "drifted resource");
        text.push((Weight::Plain, format!("Take {count} into the state as they are? Nothing else is changed.")));
    } else {
        text.push((Weight::Plain, "Apply it now? It goes on without this console.".into()));
    }
    let request = Request::ApplyRun { environment: run.environment.clone(), number: run.number };
    let question = Question::new("Apply the plan", text, request);
    if lost.is_empty() { question } else { question.typed(vec![run.environment.to_string()]) }
}

fn cancel(environment: &EnvironmentStatus, run: &RunSummary) -> Question {
    let request = Request::CancelRun { environment: environment.environment.clone(), number: run.number };
    let mut text = vec![(Weight::Plain, head(environment)), (Weight::Plain, String::new())];
    if matches!(run.phase, Phase::Queued | Phase::Planned) {
        text.push((Weight::Plain, format!("Discard run {}, which is {}?", run.number, run.phase.label())));
        text.push((Weight::Aside, "Nothing was changed by it; it stays in the history.".into()));
        return Question::new("Discard the run", text, request);
    }
    text.push((Weight::Plain, format!("Interrupt run {}, which is {}?", run.number, run.standing())));
    let what = if run.phase == Phase::Applying {
        "Terraform gets one interrupt: it ends or gives up what it is at, begins nothing more, and keeps what was made in the state."
    } else {
        "Terraform gets one interrupt. Nothing was changed by this run yet."
    };
    text.push((Weight::Plain, what.into()));
    text.push((Weight::Aside, "To leave it at work, just leave the screen or the console.".into()));
    Question::new("Interrupt the run", text, request)
}

fn unlock(environment: &EnvironmentStatus, lock: &LockHolder, ctx: &Context<'_>) -> Question {
    let name = &environment.environment;
    let request = Request::Unlock { environment: name.clone(), id: lock.id.clone() };
    let since = lock
        .since
        .map_or_else(String::new, |at| format!(", since {} ({} ago)", date_time_zone(at, ctx.zone), age(at, ctx.now)));
    let text = vec![
        (Weight::Plain, head(environment)),
        (Weight::Plain, printable(&format!("Held by {} for {}{since}.", lock.who, lock.purpose()))),
        (Weight::Plain, printable(&format!("Lock {}", lock.id))),
        (Weight::Plain, String::new()),
        (
            Weight::Loss,
            "Take it only when you know that nobody is at work: two at once can lose what the state knows.".into(),
        ),
        (Weight::Aside, "A holder on this machine gets one interrupt and is waited for.".into()),
    ];
    Question::new("Take the state lock", text, request).typed(vec![lock.short_id(), name.to_string()])
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn counted_u(count: u32) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "resource")
}
