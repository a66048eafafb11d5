//! `skydeck approve`: a plan is approved, once what it comes to is confirmed.

use std::io::Write as _;
use std::path::Path;

use jiff::Timestamp;

use super::confirm::{Answered, confirm};
use super::ground::Ground;
use super::stake;
use crate::cli::args::Approve;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unexpected};
use crate::owner::{Answer, FindingSeverity, Operation, Phase, Request, Run, RunSummary, command};
use crate::station::text::printable;

/// Approves a run's plan; without a number, the newest that waits.
pub async fn approve(context: &Context, asked: Approve) -> Result<Exit, Failure> {
    let ground = Ground::of(context).await?;
    ground.refresh().await;
    let run = waiting(&ground, asked.run).await?;
    check(&run, asked.overrides)?;
    if !asked.yes && !confirmed(&run, asked.overrides)? {
        context.output.line(&format!("{}: nothing was approved", run.title()))?;
        return Ok(Exit::Done);
    }
    // Before it is approved: an approval that nobody can be handed is worse than none.
    let file = asked.out.as_deref().map(create).transpose()?;
    let request = Request::Approve {
        environment: ground.environment.clone(),
        number: run.number,
        reason: asked.reason,
        override_denials: asked.overrides,
    };
    let answer = ground.ask(request).await;
    let (message, approval) = match answer {
        Ok(Answer::Approved { message, approval }) => (message, approval),
        other => {
            if let Some((_, path)) = &file {
                // It is empty; one that stays in the way is told of by the next try.
                drop(std::fs::remove_file(path));
            }
            return Err(other.map_or_else(Failure::from, |_| unexpected()));
        }
    };
    if let Some((mut file, path)) = file {
        file.write_all(approval.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("{}: {error}; the plan is approved, approve again for the file", path.display()),
            )
        })?;
    }
    if context.output.json {
        let approval: serde_json::Value = serde_json::from_str(&approval).unwrap_or_else(|_| approval.into());
        context.output.json_page(&serde_json::json!({
            "environment": run.environment, "emulated": run.emulated, "number": run.number,
            "done": message, "approval": approval,
        }))?;
    } else {
        let words = message.strip_prefix(&format!("run {}: ", run.number)).unwrap_or(&message);
        context.output.line(&format!("{}: {}", run.title(), printable(words)))?;
        // Where another approval is needed, nothing can be applied yet.
        if ground.run(run.number).await.is_ok_and(|run| run.phase == Phase::Approved) {
            let next = command(&run.environment, &format!("apply {}", run.number));
            context.output.line(&format!("next: {next}"))?;
        }
    }
    Ok(Exit::Done)
}

/// The run that is to be approved or applied, which must wait for that: this one, or else the newest.
pub async fn waiting(ground: &Ground, number: Option<u32>) -> Result<Run, Failure> {
    let name = &ground.environment;
    let number = match number {
        Some(number) => number,
        None => {
            let status = ground.status().await;
            // What a look for drift found is taken into the state only where it is named.
            let is_plan = |run: &&RunSummary| run.phase.waits() && run.operation != Operation::RefreshOnly;
            let waiting = status.as_ref().and_then(|of| of.runs.iter().find(is_plan));
            let none = || {
                let plan = command(name, "plan");
                Failure::new(Exit::NotFound, format!("environment {name}: nothing is planned; {plan} makes a plan"))
            };
            waiting.ok_or_else(none)?.number
        }
    };
    let run = ground.run(number).await?;
    match run.phase {
        Phase::Planned | Phase::Approved => Ok(run),
        Phase::Stale | Phase::Expired => {
            let words = super::follow::words(&run).unwrap_or_default();
            Err(Failure::new(super::follow::exit(&run), words))
        }
        phase => {
            let runs = command(name, "runs");
            let words = format!("{}: it is {}, not planned; {runs} lists them all", run.title(), phase.label());
            Err(Failure::new(Exit::NotFound, words))
        }
    }
}

/// Refuses what the owner would refuse too, before anything is asked.
fn check(run: &Run, overrides: bool) -> Result<(), Failure> {
    let is_denied = run.findings.iter().any(|finding| finding.severity == FindingSeverity::Deny);
    if is_denied && !overrides {
        let words = format!(
            "{}: denied by policy: {}; correct it and plan again, or approve it all the same with --override --reason TEXT",
            run.title(),
            stake::denials(run)
        );
        return Err(Failure::new(Exit::Denied, words));
    }
    if !is_denied && overrides {
        let words = format!("{}: no policy denies it; leave out --override", run.title());
        return Err(Failure::new(Exit::Usage, words));
    }
    Ok(())
}

/// Asks where much is at stake; elsewhere only says what is approved.
fn confirmed(run: &Run, overrides: bool) -> Result<bool, Failure> {
    let summary = stake::at_stake(run, Timestamp::now());
    if !overrides && !is_grave(run) {
        std::io::stderr().write_all(summary.as_bytes())?;
        return Ok(true);
    }
    let name = run.environment.as_str();
    match confirm(&format!("{summary}Type {name} to approve {}: ", run.title()), &[name])? {
        Answered::Yes => Ok(true),
        Answered::No => Ok(false),
        Answered::NoTerminal => {
            let words = format!(
                "{}: {}, and there is no terminal to confirm that on; give --yes",
                run.title(),
                stake::stakes(run, overrides)
            );
            Err(Failure::new(Exit::Usage, words))
        }
    }
}

/// Whether something is destroyed or replaced, or the environment is prod.
pub fn is_grave(run: &Run) -> bool {
    run.destroyed().next().is_some() || stake::is_prod(&run.environment)
}

/// A new file that others may read: an approval is no secret.
fn create(path: &Path) -> Result<(std::fs::File, &Path), Failure> {
    let file = std::fs::File::options().write(true).create_new(true).open(path).map_err(|error| {
        Failure::new(Exit::Failed, format!("{}: {error}; name a file that isn't there yet", path.display()))
    })?;
    Ok((file, path))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::settings::EnvironmentName;

    #[tokio::test]
    async fn the_newest_plan_that_waits_is_meant_and_no_other() {
        let ground = Ground::with(EnvironmentName::demo(), fixture::client());
        assert_eq!(waiting(&ground, None).await.expect("one waits").number, 7);
        let failure = waiting(&ground, Some(8)).await.expect_err("it has failed");
        assert_eq!(failure.exit, Exit::NotFound);
        assert!(failure.words().is_some_and(|words| words.contains("it is failed, not planned")));
        let other = Ground::with("local".parse().expect("a name"), fixture::client());
        let failure = waiting(&other, None).await.expect_err("nothing is planned there");
        assert!(failure.words().is_some_and(|words| words.contains("environment local: nothing is planned")));
    }

    #[test]
    fn what_is_denied_needs_an_override_and_nothing_else_takes_one() {
        let run = fixture::denied();
        let failure = check(&run, false).expect_err("denied");
        assert_eq!(failure.exit, Exit::Denied);
        assert!(failure.words().is_some_and(|words| words.contains("data-holders: destroys")), "{failure:?}");
        assert!(check(&run, true).is_ok());
        assert_eq!(check(&fixture::planned(), true).expect_err("nothing is denied").exit, Exit::Usage);
    }
}
