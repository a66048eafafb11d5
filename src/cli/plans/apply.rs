//! `skydeck apply`: a plan is applied, once what it loses is confirmed.

use super::confirm::{Answered, confirm};
use super::follow::{Until, exit, follow, words};
use super::ground::Ground;
use super::{make, text};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::owner::{Operation, Phase, Request, Run, RunSummary};

/// Applies a run's plan; without a number, the newest one that waits.
pub async fn apply(context: &Context, number: Option<u32>, yes: bool, detach: bool) -> Result<Exit, Failure> {
    let mut ground = Ground::of(context).await?;
    let run = planned(&ground, number).await?;
    ground.terraform().await?;
    if !yes && !confirmed(&run)? {
        context.output.line(&format!("{}: nothing was applied", run.title()))?;
        return Ok(Exit::Done);
    }
    let written = ground.status().await.and_then(|of| of.run(Some(run.number)).map(|run| run.last_line));
    let request = Request::ApplyRun { environment: ground.environment.clone(), number: run.number };
    ground.ask(request).await?;
    if detach {
        return make::started(context, &ground, run.number).await;
    }
    let run = follow(&mut ground, run.number, Until::Ended, written.unwrap_or(0)).await?;
    if context.output.json {
        context.output.json_page(&run)?;
    } else {
        context.output.text(&text::applied(&run, context.output))?;
    }
    match words(&run) {
        Some(words) => Err(Failure::new(exit(&run), words)),
        None => Ok(exit(&run)),
    }
}

/// The run that is to be applied, which must wait for that.
async fn planned(ground: &Ground, number: Option<u32>) -> Result<Run, Failure> {
    let name = &ground.environment;
    let number = match number {
        Some(number) => number,
        None => {
            let status = ground.status().await;
            // What a look for drift found is taken into the state only where it is named.
            let is_plan = |run: &&RunSummary| run.phase == Phase::Planned && run.operation != Operation::RefreshOnly;
            let waiting = status.as_ref().and_then(|of| of.runs.iter().find(is_plan));
            let none = || {
                let words = format!("environment {name}: nothing is planned; `skydeck plan --env {name}` makes a plan");
                Failure::new(Exit::NotFound, words)
            };
            waiting.ok_or_else(none)?.number
        }
    };
    let run = ground.run(number).await?;
    match run.phase {
        Phase::Planned => Ok(run),
        Phase::Stale | Phase::Expired => {
            let words = words(&run).unwrap_or_default();
            Err(Failure::new(exit(&run), words))
        }
        phase => {
            let words = format!("{}: it is {}, not planned; `skydeck runs` lists them all", run.title(), phase.label());
            Err(Failure::new(Exit::NotFound, words))
        }
    }
}

/// Asks where something is lost.
fn confirmed(run: &Run) -> Result<bool, Failure> {
    let lost = run.destroyed().count();
    if lost == 0 {
        return Ok(true);
    }
    let name = run.environment.to_string();
    let question = format!("{}Type {name} to apply {}: ", text::losses(run), run.title());
    match confirm(&question, &[name.as_str()])? {
        Answered::Yes => Ok(true),
        Answered::No => Ok(false),
        Answered::NoTerminal => {
            let s = if lost == 1 { "" } else { "s" };
            let words = format!(
                "{}: it destroys or replaces {lost} resource{s}, and there is no terminal to confirm that on; give --yes",
                run.title()
            );
            Err(Failure::new(Exit::Usage, words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::settings::EnvironmentName;

    #[tokio::test]
    async fn the_newest_plan_that_waits_is_applied_and_no_other() {
        let ground = Ground::with(EnvironmentName::demo(), fixture::client());
        assert_eq!(planned(&ground, None).await.expect("one waits").number, 7);
        let failure = planned(&ground, Some(8)).await.expect_err("it has failed");
        assert_eq!(failure.exit, Exit::NotFound);
        assert!(failure.words().is_some_and(|words| words.contains("it is failed, not planned")));
        let other = Ground::with("local".parse().expect("a name"), fixture::client());
        let failure = planned(&other, None).await.expect_err("nothing is planned there");
        assert!(failure.words().is_some_and(|words| words.contains("environment local: nothing is planned")));
    }
}
