//! What is wrong with the link, and what a test of the way to the hub found.

use super::super::words::{is_spent, minute, spent_words};
use super::DeviceFinding;
use crate::edge_agent::report::AgentReport;
use crate::edge_agent::uplink::{LinkStep, LinkTest, StepName, StepOutcome};
use crate::owner::lamp::Lamp;

/// How the link is; `test` is the way to the hub when it was last tried.
pub(super) fn link(report: &AgentReport, test: Option<&LinkTest>) -> Vec<DeviceFinding> {
    let link = &report.uplink;
    let mut found = Vec::new();
    if !link.connected {
        // A link that is down and the step at which it fails are one thing.
        found.push(test.and_then(LinkTest::failed).map_or_else(
            || {
                let cause = link.last_error.as_deref().unwrap_or("not connected");
                let step = "try the way step by step: skydeck diag --test-link; what is measured waits in the outbox";
                DeviceFinding::new(Lamp::Failed, "link", cause, step)
            },
            |failed| {
                let (cause, step) = halves(failed);
                DeviceFinding::new(Lamp::Failed, "link", format!("fails at {}: {cause}", failed.step.name()), step)
            },
        ));
    }
    if let Some(until) = link.waits_until {
        let cause = format!("nothing is sent until {}: {}", minute(until), spent_words(report));
        let step = if link.metered.as_ref().is_some_and(is_spent) {
            "wait, or raise link.budget_mib_per_day (the twin's budgetMibPerDay)"
        } else {
            "wait, or raise link.max_per_day if the hub has more units"
        };
        found.push(DeviceFinding::new(Lamp::Warning, "link", cause, step));
    }
    // It names its own next step.
    found.extend(link.warning.as_deref().map(|warning| {
        let (cause, step) = warning.split_once("; ").unwrap_or((warning, "have it renewed"));
        DeviceFinding::new(Lamp::Warning, "link", cause, step)
    }));
    found
}

/// Cause and next step in a step's words.
fn halves(step: &LinkStep) -> (&str, &str) {
    step.words.split_once("; ").unwrap_or((&step.words, "see the link test"))
}

/// What a test of the link found. A step that only fails because an earlier one did says nothing more, nor does the first
/// of a link that is down (`is_said`).
pub(in crate::owner::agent) fn test_findings(test: &LinkTest, is_said: bool) -> Vec<DeviceFinding> {
    let first = test.failed();
    let is_news = |step: &&LinkStep| match step.outcome {
        StepOutcome::Failed if first == Some(*step) => !is_said,
        StepOutcome::Failed => !matches!(step.step, StepName::SignIn | StepName::Publish),
        _ => true,
    };
    let lamp = |outcome| match outcome {
        StepOutcome::Failed => Some(Lamp::Failed),
        StepOutcome::Warning => Some(Lamp::Warning),
        StepOutcome::Ok | StepOutcome::Skipped => None,
    };
    let finding = |step: &LinkStep| {
        let (cause, next) = halves(step);
        lamp(step.outcome).map(|lamp| DeviceFinding::new(lamp, format!("link test, {}", step.step.name()), cause, next))
    };
    test.steps.iter().filter(is_news).filter_map(finding).collect()
}
