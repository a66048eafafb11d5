//! `skydeck plan`, `destroy` and `drift`: a run is made, and its plan waited for.

use super::follow::{Until, exit, follow, words};
use super::ground::Ground;
use super::show::{Form, plan_text};
use super::text;
use crate::cli::args::Plan;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unexpected};
use crate::owner::{Answer, Operation, Request, RunRequest};

/// Plans.
pub async fn plan(context: &Context, plan: Plan) -> Result<Exit, Failure> {
    let operation = if plan.destroy { Operation::Destroy } else { Operation::Plan };
    let request = RunRequest {
        operation,
        targets: plan.targets,
        replace: plan.replace,
        variables: plan.variables.into_iter().collect(),
    };
    make(context, request, plan.detach, plan.markdown).await
}

/// Plans to destroy.
pub async fn destroy(context: &Context, targets: Vec<String>, detach: bool) -> Result<Exit, Failure> {
    make(context, RunRequest { operation: Operation::Destroy, targets, ..RunRequest::default() }, detach, false).await
}

/// Looks for drift.
pub async fn drift(context: &Context, detach: bool) -> Result<Exit, Failure> {
    make(context, RunRequest { operation: Operation::RefreshOnly, ..RunRequest::default() }, detach, false).await
}

async fn make(context: &Context, run: RunRequest, detach: bool, markdown: bool) -> Result<Exit, Failure> {
    let mut ground = Ground::of(context).await?;
    ground.terraform().await?;
    let environment = ground.environment.clone();
    let Answer::RunStarted { number } = ground.ask(Request::StartRun { environment, run }).await? else {
        return Err(unexpected());
    };
    if detach {
        return started(context, &ground, number).await;
    }
    let run = follow(&mut ground, number, Until::Planned, 0).await?;
    if context.output.json {
        context.output.json_page(&run)?;
    } else if markdown && run.counts.is_some() {
        context.output.text(&plan_text(&ground, &run, Form::Markdown, context.output).await?)?;
    } else {
        context.output.text(&text::plan(&run, context.output))?;
    }
    match words(&run) {
        Some(words) => Err(Failure::new(exit(&run), words)),
        None => Ok(exit(&run)),
    }
}

/// Says which run was started, and that it goes on by itself.
pub async fn started(context: &Context, ground: &Ground, number: u32) -> Result<Exit, Failure> {
    let run = ground.run(number).await?;
    if context.output.json {
        context.output.json_line(&serde_json::json!({
            "environment": run.environment, "emulated": run.emulated, "number": number, "phase": run.phase,
        }))?;
    } else {
        let words = format!("{}: goes on by itself; `skydeck runs {number}` shows it", run.title());
        context.output.line(&words)?;
    }
    Ok(Exit::Done)
}
