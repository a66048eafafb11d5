//! What can be done now, why not, and the question before it is done.

use super::question::{Question, Weight};
use super::{Focus, Plans, details, judging};
use crate::console::Action;
use crate::console::screens::Context;
use crate::console::widgets::value::{age, date_time_zone};
use crate::owner::{EnvironmentStatus, LockHolder, Operation, Phase, Request, RunRequest, RunSummary};
use crate::settings::EnvironmentKind;
use crate::station::text::{counted, printable};

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
            | Action::ApproveRun
            | Action::ApplyRun
            | Action::DiscardRun
            | Action::InterruptRun
            | Action::DestroyPlan
            | Action::RefreshOnly
            | Action::ShowState
            | Action::ShowOutputs
            | Action::Reveal
            | Action::Unlock
    )
}

/// Actions the footer hints at, most useful first.
pub fn hints(screen: &Plans, ctx: &Context<'_>) -> Vec<Action> {
    let order = [
        Action::PlanRun,
        Action::ApproveRun,
        Action::ApplyRun,
        Action::DiscardRun,
        Action::Unlock,
        Action::Jump,
        Action::Mark,
        Action::Reveal,
        Action::Unchanged,
        Action::ToggleLog,
        Action::RefreshOnly,
        Action::DestroyPlan,
        Action::ShowState,
        Action::ShowOutputs,
        Action::RefreshRuns,
        Action::FocusNext,
        Action::Open,
        Action::FoldAll,
        Action::Follow,
    ];
    let is_near = |action: &Action| match action {
        Action::Jump => screen.focus == Focus::Findings,
        Action::Reveal | Action::Unchanged => matches!(screen.focus, Focus::Changes | Focus::Diff),
        _ => true,
    };
    order.into_iter().filter(is_near).filter(|action| disabled(screen, *action, ctx).is_none()).collect()
}

/// What an action means now, where that isn't what the table says.
pub fn meaning(screen: &Plans, action: Action, ctx: &Context<'_>) -> Option<(&'static str, &'static str)> {
    let active = working(screen, ctx).is_some();
    match action {
        Action::InterruptRun if !active => Some(("quit", "End the console: nothing is at work here")),
        Action::DiscardRun if active => Some(("interrupt", "Interrupt the working run, once that is confirmed")),
        Action::PlanRun if !screen.marked(ctx).is_empty() => Some(("plan marked", "Plan only what is marked")),
        Action::Reveal if screen.details.is_revealed() => Some(("hide", "Hide the secrets again")),
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
        Action::RefreshRuns => return not_shared(screen, ctx),
        Action::Jump => {
            let nothing = screen.finding(ctx).is_none_or(|finding| finding.addresses.is_empty());
            return nothing.then(|| "no finding is selected that is about a resource".into());
        }
        Action::Reveal => {
            if let Some(reason) = nothing_secret(screen, ctx) {
                return Some(reason);
            }
        }
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
        (Action::ApplyRun | Action::ApproveRun, None) => Some(format!("{name}: nothing is planned; make a plan first")),
        (Action::ApproveRun, Some(run)) if !run.phase.waits() => {
            Some(format!("run {} is {}, so it can't be approved; make a new plan", run.number, run.phase.label()))
        }
        (Action::ApplyRun, Some(run)) => judging::not_applicable(screen, run, name, ctx)
            .or_else(|| screen.shown_run(ctx).is_none().then(|| "the plan isn't here yet".into())),
        (Action::ApproveRun, Some(_)) => screen.shown_run(ctx).is_none().then(|| "the plan isn't here yet".into()),
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

/// Why an environment has no shared store of runs to be looked into; absent where it has.
fn not_shared(screen: &Plans, ctx: &Context<'_>) -> Option<String> {
    let environment = screen.environment(ctx)?;
    let name = &environment.environment;
    let is_local = name.kind() != EnvironmentKind::Cloud;
    is_local.then(|| format!("{name}: its runs are all on this machine; there is no shared store to look into"))
}

/// Why there is nothing to reveal; absent where there is.
fn nothing_secret(screen: &Plans, ctx: &Context<'_>) -> Option<String> {
    let nothing = || Some("no resource is selected; go to one in the plan first".into());
    let Some(run) = screen.shown_run(ctx) else { return nothing() };
    let Some((list, index)) = screen.picked_change(ctx) else { return nothing() };
    match screen.details.get(&(run.environment.clone(), run.number), list, index) {
        Some(Ok(detail)) if detail.revealed || details::holds_secrets(&detail.attributes) => None,
        Some(Ok(_)) => Some("nothing in it is secret".into()),
        _ => Some("its difference isn't here".into()),
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
        Action::ApplyRun => {
            screen.shown_run(ctx).map_or(Step::Nothing, |run| Step::Ask(judging::apply(screen, run, environment, ctx)))
        }
        Action::ApproveRun => screen
            .shown_run(ctx)
            .map_or(Step::Nothing, |run| Step::Ask(judging::approve(screen, run, environment, ctx))),
        Action::Reveal => match (screen.shown_run(ctx), screen.picked_change(ctx), screen.picked_address(ctx)) {
            (Some(run), Some((list, index)), Some(address)) => {
                let request = Request::RevealChange { environment: name, number: run.number, list, index };
                Step::Ask(judging::reveal(&address, environment, request))
            }
            _ => Step::Nothing,
        },
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

fn targeted(environment: &EnvironmentStatus, marked: &[String], request: Request) -> Question {
    let mut text = vec![(Weight::Plain, judging::head(environment)), (Weight::Plain, String::new())];
    text.push((Weight::Plain, format!("Plan only these {} and what they need:", counted(marked.len(), "resource"))));
    text.extend(marked.iter().map(|address| (Weight::Plain, format!("  {}", printable(address)))));
    let aside = "A targeted plan leaves the rest as it is; a plan of everything should follow.";
    text.extend([(Weight::Plain, String::new()), (Weight::Aside, aside.into())]);
    Question::new("Plan what is marked", text, request)
}

fn destroy(environment: &EnvironmentStatus, request: Request) -> Question {
    let count =
        environment.resources.map_or_else(|| "everything".into(), |n| format!("all {}", counted(n, "resource")));
    let text = vec![
        (Weight::Plain, judging::head(environment)),
        (Weight::Plain, String::new()),
        (Weight::Plain, format!("Plan to destroy {count} in it? Only a plan is made; nothing is destroyed yet.")),
        (Weight::Aside, "It destroys when it is applied, which asks for the environment's name.".into()),
    ];
    Question::new("Plan to destroy", text, request)
}

fn cancel(environment: &EnvironmentStatus, run: &RunSummary) -> Question {
    let request = Request::CancelRun { environment: environment.environment.clone(), number: run.number };
    let mut text = vec![(Weight::Plain, judging::head(environment)), (Weight::Plain, String::new())];
    if run.phase == Phase::Queued || run.phase.waits() {
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
        (Weight::Plain, judging::head(environment)),
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
