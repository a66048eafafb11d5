//! `skydeck apply`: a plan is applied, once what it loses is confirmed.

use std::path::Path;

use super::approve::{is_grave, waiting};
use super::confirm::{Answered, confirm};
use super::follow::{Until, exit, follow, words};
use super::ground::Ground;
use super::{make, stake, text};
use crate::cli::args::Apply;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::owner::{Approval, FindingSeverity, Request, Run, Signed, command};
use crate::settings::EnvironmentKind;

/// Longest approval that is read, bytes.
const LONGEST: u64 = 256 * 1024;

/// Applies a run's plan; without a number, the approval's, or the newest one that waits.
pub async fn apply(context: &Context, asked: Apply) -> Result<Exit, Failure> {
    let mut ground = Ground::of(context).await?;
    ground.refresh().await;
    let approval = asked.approval.as_deref().map(|path| read(path, &ground, asked.run)).transpose()?;
    let number = asked.run.or(approval.as_ref().map(|(number, _)| *number));
    let run = waiting(&ground, number).await?;
    ground.terraform().await?;
    if let Err(failure) = check(&run, approval.is_some()) {
        // Asked all the same: the audit trail tells of it.
        let asked = Request::CheckApply { environment: ground.environment.clone(), number: run.number };
        drop(ground.ask(asked).await);
        return Err(failure);
    }
    if !asked.yes && !confirmed(&run)? {
        context.output.line(&format!("{}: nothing was applied", run.title()))?;
        return Ok(Exit::Done);
    }
    let environment = ground.environment.clone();
    if let Some((_, approval)) = approval {
        ground.ask(Request::ImportApproval { environment, number: run.number, approval }).await?;
    }
    let written = ground.status().await.and_then(|of| of.run(Some(run.number)).map(|run| run.last_line));
    ground.ask(Request::ApplyRun { environment: ground.environment.clone(), number: run.number }).await?;
    if asked.detach {
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

/// An approval's file: the run it is of, and its text. What it is worth is the owner's to say.
fn read(path: &Path, ground: &Ground, asked: Option<u32>) -> Result<(u32, String), Failure> {
    let refused = |exit: Exit, words: String| Failure::new(exit, format!("{}: {words}", path.display()));
    let unreadable = |error: std::io::Error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        refused(exit, format!("{error}; name the file that `skydeck approve --out FILE` wrote"))
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    std::io::Read::read_to_string(&mut std::io::Read::take(file, LONGEST), &mut text).map_err(unreadable)?;
    let not_one = |error: serde_json::Error| {
        refused(Exit::NotApproved, format!("no approval ({error}); `skydeck approve --out FILE` writes one"))
    };
    let signed: Signed = serde_json::from_str(&text).map_err(not_one)?;
    let approval: Approval = serde_json::from_str(&signed.payload).map_err(not_one)?;
    let (of, number) = (&approval.record.environment, approval.record.run);
    if *of != ground.environment {
        let words = format!("approves run {number} of {of}, not one of {}; give --env {of}", ground.environment);
        return Err(refused(Exit::NotApproved, words));
    }
    match asked {
        Some(asked) if asked != number => {
            let words = format!("approves run {number}, not run {asked}; leave out the number, or name the other file");
            Err(refused(Exit::NotApproved, words))
        }
        _ => Ok((number, text)),
    }
}

/// Refuses what the owner would refuse too, before anything is asked.
fn check(run: &Run, brings_approval: bool) -> Result<(), Failure> {
    let approve = |arguments: &str| command(&run.environment, &format!("approve {}{arguments}", run.number));
    let overridden = run.approvals.iter().any(|approval| approval.overrides_denials);
    let is_denied = run.findings.iter().any(|finding| finding.severity == FindingSeverity::Deny);
    if is_denied && !overridden && !brings_approval {
        let words = format!(
            "{}: denied by policy: {}; correct it and plan again, or {} approves it all the same",
            run.title(),
            stake::denials(run),
            approve(" --override --reason TEXT")
        );
        return Err(Failure::new(Exit::Denied, words));
    }
    let needs_approval = run.environment.kind() == EnvironmentKind::Cloud;
    if needs_approval && run.approvals.is_empty() && !brings_approval {
        let words = format!("{}: nobody has approved it; {} does", run.title(), approve(""));
        return Err(Failure::new(Exit::NotApproved, words));
    }
    Ok(())
}

/// Asks where something is lost, or in prod.
fn confirmed(run: &Run) -> Result<bool, Failure> {
    if !is_grave(run) {
        return Ok(true);
    }
    let name = run.environment.as_str();
    match confirm(&format!("{}Type {name} to apply {}: ", stake::losses(run), run.title()), &[name])? {
        Answered::Yes => Ok(true),
        Answered::No => Ok(false),
        Answered::NoTerminal => {
            let stakes = stake::stakes(run, false);
            let words = format!("{}: {stakes}, and there is no terminal to confirm that on; give --yes", run.title());
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
    async fn an_approval_of_another_environment_or_run_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("approval.json");
        std::fs::write(&path, fixture::approval()).expect("written");
        let ground = Ground::with(EnvironmentName::demo(), fixture::client());
        assert_eq!(read(&path, &ground, None).expect("it is of demo").0, 7);
        assert_eq!(read(&path, &ground, Some(8)).expect_err("another run").exit, Exit::NotApproved);
        let other = Ground::with("staging".parse().expect("a name"), fixture::client());
        let failure = read(&path, &other, None).expect_err("another environment");
        assert!(failure.words().is_some_and(|words| words.contains("of demo, not one of staging; give --env demo")));
        std::fs::write(&path, "{\"payload\": 1}").expect("written");
        assert_eq!(read(&path, &ground, None).expect_err("rubbish").exit, Exit::NotApproved);
        assert_eq!(read(&folder.path().join("none"), &ground, None).expect_err("none").exit, Exit::NotFound);
    }

    #[test]
    fn what_is_denied_or_unapproved_has_its_code() {
        assert!(check(&fixture::planned(), false).is_ok(), "one key applies in demo");
        assert_eq!(check(&fixture::denied(), false).expect_err("denied").exit, Exit::Denied);
        assert!(check(&fixture::denied(), true).is_ok(), "the owner judges the approval");
        let mut staging = fixture::planned();
        staging.environment = "staging".parse().expect("a name");
        let failure = check(&staging, false).expect_err("nobody approved it");
        assert_eq!(failure.exit, Exit::NotApproved);
        assert!(
            failure.words().is_some_and(|words| words.contains("`skydeck --env staging approve 7`")),
            "{failure:?}"
        );
        staging.approvals = fixture::approvals();
        assert!(check(&staging, false).is_ok());
    }
}
