//! The model slot in words.

use super::{Fact, minute};
use crate::edge_agent::report::{AgentReport, DeployReport, DeployState, FallbackReport};
use crate::owner::figures::bytes_in_words;
use crate::owner::lamp::Lamp;

/// Which model makes the nowcasts, which did before, and what is on its way.
pub(super) fn fact(report: &AgentReport) -> Fact {
    let model = &report.model;
    if model.current.is_empty() {
        return Fact::plain("model", report.source.model_id.as_deref().unwrap_or("none"));
    }
    let deployed = model.deployed_at.map_or_else(|| ", built in".to_owned(), |at| format!(", deployed {}", minute(at)));
    let before = model.previous.as_ref().map(|before| format!("; before it {before}")).unwrap_or_default();
    let skill = model
        .skill
        .map(|skill| format!("; skill {:+.0} % beside persistence, over 1 to 4 h", skill * 100.0))
        .unwrap_or_default();
    let coming = model.deploying.as_ref().map(|coming| format!("; {}", deploying(coming))).unwrap_or_default();
    let text = format!("{}{deployed}{before}{skill}{coming}", model.current);
    match &model.fallback {
        Some(FallbackReport { from, reason, at }) => {
            Fact::lit("model", Lamp::Warning, format!("{text}; {from} was given up {}: {reason}", minute(*at)))
        }
        None => Fact::plain("model", text),
    }
}

fn deploying(coming: &DeployReport) -> String {
    let model = &coming.model;
    match (coming.state, coming.total_bytes, &coming.error) {
        (DeployState::Fetching, Some(total), _) => {
            format!("{model} is fetched, {} of {}", bytes_in_words(coming.done_bytes), bytes_in_words(total))
        }
        (DeployState::Fetching, None, _) => format!("{model} is fetched"),
        (DeployState::Checking, ..) => format!("{model} is checked"),
        (DeployState::Priming, ..) => format!("{model} takes in the history"),
        (DeployState::Failed, _, error) => {
            format!("{model} wasn't put to work: {}", error.as_deref().unwrap_or("it doesn't say why"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::agent::fixture::report;

    #[test]
    fn what_came_of_a_model_is_said() {
        let mut report = report();
        report.model.current = "anomaly-persistence-1".into();
        report.model.skill = Some(0.314);
        report.model.fallback = Some(FallbackReport {
            from: "roof@1.2".into(),
            reason: "a nowcast takes longer than 30 s".into(),
            at: "2026-03-02T12:40:00Z".parse().expect("a time"),
        });
        report.model.deploying = Some(DeployReport {
            model: "roof@1.3".into(),
            done_bytes: 1_048_576,
            total_bytes: Some(4_194_304),
            ..DeployReport::default()
        });
        let fact = fact(&report);
        assert_eq!(fact.lamp, Lamp::Warning);
        for words in [
            "skill +31 % beside persistence, over 1 to 4 h",
            "roof@1.3 is fetched, 1.0 MiB of 4.0 MiB",
            "roof@1.2 was given up 2026-03-02 12:40Z: a nowcast takes longer than 30 s",
        ] {
            assert!(fact.text.contains(words), "{}", fact.text);
        }
        report.model.deploying = Some(DeployReport {
            model: "roof@1.3".into(),
            state: DeployState::Failed,
            error: Some("self-test: x".into()),
            ..DeployReport::default()
        });
        assert!(super::fact(&report).text.contains("roof@1.3 wasn't put to work: self-test: x"));
    }
}
