//! A run's log as it is written, until the run waits or has ended; and how that ends the command.

use std::io::Write as _;

use super::ground::Ground;
use super::stake;
use crate::cli::exit::{Exit, Failure};
use crate::cli::signals::Signals;
use crate::owner::{FindingSeverity, Operation, Phase, Request, Run, RunLogLine, command};
use crate::station::text::printable;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The run's plan, or its end.
    Planned,
    /// The run's end.
    Ended,
}

impl Until {
    const fn is_reached(self, phase: Phase) -> bool {
        // An apply whose look before it came to nothing waits again.
        phase.is_end() || phase.waits()
    }
}

/// Writes the lines of a run's log after `newest` to standard error as they come, and answers with the run once it is
/// as far as that. The first interrupt goes to the run, which is waited for; the second, or SIGTERM, leaves it alone.
pub async fn follow(ground: &mut Ground, number: u32, until: Until, mut newest: u64) -> Result<Run, Failure> {
    let mut signals = Signals::catch()?;
    let mut interrupted = false;
    loop {
        let status = ground.status().await;
        let summary = status.as_ref().and_then(|of| of.run(Some(number)));
        if let Some(summary) = summary {
            while summary.last_line > newest {
                let lines = ground.log(number, newest).await?;
                let Some(last) = lines.last() else { break };
                newest = last.number;
                lines.iter().for_each(|line| say(&line_text(line)));
            }
            if until.is_reached(summary.phase) && !summary.busy {
                // The owner's snapshot may still be of before what was asked last: an apply that begins, waits in it.
                let run = ground.run(number).await?;
                if until.is_reached(run.phase) {
                    return Ok(run);
                }
            }
        }
        tokio::select! {
            changed = ground.changed() => changed?,
            exit = signals.next() => match exit {
                Exit::Interrupted if !interrupted => {
                    interrupted = true;
                    say("interrupted: the run gets one interrupt and is waited for; once more leaves it alone");
                    let request = Request::CancelRun { environment: ground.environment.clone(), number };
                    // A run that has just ended can't be interrupted: its end is seen next.
                    if let Err(error) = ground.ask(request).await {
                        say(&printable(&error.to_string()));
                    }
                }
                _ => {
                    let words = format!("run {number}: it goes on by itself; `skydeck runs {number}` shows it");
                    return Err(Failure::new(Exit::Interrupted, words));
                }
            },
        }
    }
}

/// Where nobody reads standard error, nothing is lost: the log is kept.
fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// `13:02:31Z planning  text`.
pub fn line_text(line: &RunLogLine) -> String {
    let at = line.at.strftime("%H:%M:%SZ");
    format!("{at} {:<15} {}", line.phase.label(), printable(&line.text))
}

/// How a run that was waited for ends the command.
pub fn exit(run: &Run) -> Exit {
    match run.phase {
        Phase::Planned if run.request.operation == Operation::RefreshOnly && run.drift.is_empty() => Exit::Done,
        // The look before an apply came to nothing.
        Phase::Planned | Phase::Approved if run.failure.is_some() => failed(run),
        Phase::Planned | Phase::Approved if is_denied(run) => Exit::Denied,
        Phase::Planned | Phase::Approved => Exit::Pending,
        Phase::Applied | Phase::Unchanged => Exit::Done,
        Phase::Stale => Exit::Stale,
        Phase::Expired => Exit::NotApproved,
        Phase::Failed => failed(run),
        _ => Exit::Failed,
    }
}

fn failed(run: &Run) -> Exit {
    match &run.failure {
        Some(failure) if failure.lock.is_some() => Exit::Locked,
        Some(failure) if failure.interrupted => Exit::Interrupted,
        _ => Exit::Failed,
    }
}

/// What has moved, in a line that can be read.
fn moved_words(run: &Run, moved: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = moved.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match moved.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!(
            "{shown}, and {more} more ({} shows them)",
            command(&run.environment, &format!("runs {}", run.number))
        ),
    }
}

/// Whether a policy denies its plan and nobody has overridden that.
fn is_denied(run: &Run) -> bool {
    run.findings.iter().any(|finding| finding.severity == FindingSeverity::Deny)
        && !run.approvals.iter().any(|approval| approval.overrides_denials)
}

/// Words for standard error where a run didn't come to what was asked for.
pub fn words(run: &Run) -> Option<String> {
    let title = run.title();
    Some(match (run.phase, &run.failure) {
        (Phase::Failed | Phase::Planned | Phase::Approved, Some(failure)) => {
            let first = failure.diagnostics.iter().find(|diagnostic| diagnostic.error);
            let lock = failure.lock.as_ref().map(|_| "the state is locked".to_owned());
            let cause = lock.or_else(|| first.map(|diagnostic| diagnostic.summary.clone()));
            let cause =
                cause.unwrap_or_else(|| if failure.interrupted { "interrupted" } else { "no reason given" }.into());
            if failure.interrupted && failure.lock.is_none() {
                return Some(format!("{title}: {} was interrupted; {}", failure.phase.label(), failure.advice));
            }
            format!("{title}: {} failed: {cause}; {}", failure.phase.label(), failure.advice)
        }
        (Phase::Failed, None) => format!("{title}: failed; `skydeck runs {} --log` shows why", run.number),
        (Phase::Stale, _) => match run.moved.as_slice() {
            [] => format!("{title}: stale: the state has moved on since the plan; plan again"),
            moved => format!("{title}: stale: {}; plan again", moved_words(run, moved)),
        },
        (Phase::Planned | Phase::Approved, _) if is_denied(run) => {
            let fix = "correct it and plan again, or approve it with --override --reason TEXT";
            format!("{title}: denied by policy: {}; {fix}", stake::denials(run))
        }
        (Phase::Expired, _) => match run.moved.as_slice() {
            [] => format!("{title}: expired: the plan is too old; plan again"),
            moved => format!("{title}: expired: {}; plan again", moved.join("; ")),
        },
        (Phase::Discarded, _) => format!("{title}: discarded before it was done; plan again"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::owner::LockHolder;
    use crate::settings::EnvironmentName;

    #[tokio::test]
    async fn a_run_is_followed_until_it_waits_or_has_ended() {
        let mut ground = Ground::with(EnvironmentName::demo(), fixture::client());
        let run = follow(&mut ground, 7, Until::Planned, 0).await.expect("it waits");
        assert_eq!((run.number, exit(&run)), (7, Exit::Pending));
        let run = follow(&mut ground, 8, Until::Ended, 2).await.expect("it has ended");
        assert_eq!((run.number, exit(&run)), (8, Exit::Failed));
        let words = words(&run).expect("words");
        assert!(words.contains("EMULATED: applying failed: creating the account: denied; correct"), "{words}");
        let failure = ground.run(9).await.expect_err("there is none");
        assert_eq!(failure.exit, Exit::NotFound);
    }

    #[test]
    fn every_end_has_its_code() {
        let ended = |phase| {
            let mut run = fixture::planned();
            run.phase = phase;
            run
        };
        for (phase, code) in [
            (Phase::Planned, Exit::Pending),
            (Phase::Unchanged, Exit::Done),
            (Phase::Applied, Exit::Done),
            (Phase::Stale, Exit::Stale),
            (Phase::Expired, Exit::NotApproved),
            (Phase::Discarded, Exit::Failed),
        ] {
            assert_eq!(exit(&ended(phase)), code, "{phase:?}");
            assert_eq!(words(&ended(phase)).is_some(), !matches!(code, Exit::Done | Exit::Pending), "{phase:?}");
        }
        let mut run = fixture::failed();
        let failure = run.failure.as_mut().expect("it failed");
        failure.interrupted = true;
        assert_eq!(exit(&run), Exit::Interrupted);
        let said = words(&run).expect("words");
        assert!(said.contains("applying was interrupted; ") && !said.contains("failed:"), "{said}");
        let lock = LockHolder {
            id: "9b2a".into(),
            who: "grace".into(),
            operation: "OperationTypePlan".into(),
            since: None,
            by_live_run: None,
        };
        run.failure.as_mut().expect("it failed").lock = Some(lock);
        assert_eq!(exit(&run), Exit::Locked);
        assert!(words(&run).is_some_and(|words| words.contains("the state is locked")));
    }
}
