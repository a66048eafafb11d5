//! `skydeck show`: a plan to read, as text or exported.

use std::path::Path;

use jiff::Timestamp;

use super::confirm::{Answered, confirm};
use super::ground::Ground;
use super::reading::{self, Reading};
use crate::cli::args::Show;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unexpected};
use crate::cli::output::Output;
use crate::owner::export::{self, Report};
use crate::owner::{Answer, PlanList, PlanOutline, Request, Run};
use crate::station::text::printable;

/// What has to be typed before secrets are shown.
const REVEAL: &str = "reveal";

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Text {
        /// Whether drift, outputs, variables and checks are left out.
        changes_only: bool,
    },
    /// For a pull request's comment.
    Markdown,
    /// For a browser.
    Html,
    /// For programs.
    Json,
}

/// Shows a run's plan; without a number, the newest that has one.
pub async fn show(context: &Context, show: Show) -> Result<Exit, Failure> {
    let ground = Ground::of(context).await?;
    ground.refresh().await;
    let run = ground.run(number(&ground, show.run).await?).await?;
    if let Some(address) = &show.reveal {
        return reveal(context, &ground, &run, address, show.yes).await;
    }
    let form = match (show.markdown, show.html, context.output.json) {
        (true, ..) => Form::Markdown,
        (_, true, _) => Form::Html,
        (.., true) => Form::Json,
        _ => Form::Text { changes_only: show.changes_only },
    };
    match show.out {
        None => context.output.text(&plan_text(&ground, &run, form, context.output).await?)?,
        Some(file) => {
            let text = plan_text(&ground, &run, form, Output { color: false, ..context.output }).await?;
            write(&file, &text)?;
            context.output.line(&format!("{}: written to {}", run.title(), printable(&file.display().to_string())))?;
        }
    }
    Ok(Exit::Done)
}

/// A run's plan in that form.
pub async fn plan_text(ground: &Ground, run: &Run, form: Form, output: Output) -> Result<String, Failure> {
    let plan = ground.plan(run.number).await?;
    let changes = ground.details(run.number, PlanList::Changes, plan.changes.len()).await?;
    let drift = match form {
        Form::Text { changes_only: true } => Vec::new(),
        _ => ground.details(run.number, PlanList::Drift, plan.drift.len()).await?,
    };
    let report = Report { run, plan: &plan, changes: &changes, drift: &drift, repository: ground.repository() };
    Ok(match form {
        Form::Text { changes_only } => {
            let reading = Reading { run, plan: &plan, changes: &changes, drift: &drift };
            reading::text(&reading, changes_only, Timestamp::now(), output)
        }
        Form::Markdown => export::markdown(&report),
        Form::Html => export::html(&report),
        Form::Json => export::json(&report),
    })
}

async fn number(ground: &Ground, asked: Option<u32>) -> Result<u32, Failure> {
    if let Some(number) = asked {
        return Ok(number);
    }
    let status = ground.known().await?;
    let name = &ground.environment;
    let none = || {
        let words = format!("environment {name}: no run has a plan; `skydeck --env {name} plan` makes one");
        Failure::new(Exit::NotFound, words)
    };
    Ok(status.runs.iter().find(|run| run.counts.is_some()).ok_or_else(none)?.number)
}

/// Shows one resource in clear, once that is confirmed.
async fn reveal(context: &Context, ground: &Ground, run: &Run, address: &str, yes: bool) -> Result<Exit, Failure> {
    let plan = ground.plan(run.number).await?;
    let Some((list, index)) = place(&plan, address) else {
        let words =
            format!("{address}: {} doesn't change it; `skydeck show {}` says what it changes", run.title(), run.number);
        return Err(Failure::new(Exit::NotFound, words));
    };
    if !yes {
        let question = format!(
            "{}: the secrets of {} are shown in clear, and that you saw them is written to the audit trail.\nType {REVEAL} to see them: ",
            run.title(),
            printable(address)
        );
        match confirm(&question, &[REVEAL])? {
            Answered::Yes => {}
            Answered::No => {
                context.output.line(&format!("{}: nothing was revealed", run.title()))?;
                return Ok(Exit::Done);
            }
            Answered::NoTerminal => {
                let words = "show: there is no terminal to confirm on that secrets are shown; give --yes";
                return Err(Failure::new(Exit::Usage, words));
            }
        }
    }
    let request = Request::RevealChange { environment: ground.environment.clone(), number: run.number, list, index };
    let Answer::PlanDetails { details } = ground.ask(request).await? else { return Err(unexpected()) };
    let Some(detail) = details.first() else { return Err(unexpected()) };
    if context.output.json {
        context.output.json_page(detail)?;
    } else {
        context.output.text(&reading::revealed(run, detail, context.output))?;
    }
    Ok(Exit::Done)
}

fn place(plan: &PlanOutline, address: &str) -> Option<(PlanList, usize)> {
    let find = |list: &[crate::owner::PlannedChange]| list.iter().position(|change| change.address == address);
    let changed = find(&plan.changes).map(|index| (PlanList::Changes, index));
    changed.or_else(|| find(&plan.drift).map(|index| (PlanList::Drift, index)))
}

/// Writes a file anew.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("{}: {error}; name a file in a folder that can be written to", path.display()),
        )
    })
}
