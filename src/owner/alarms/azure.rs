//! The rules about Azure's part of the cloud: feed, containers, queue, and what ends.

use super::Rule;
use super::link::holds;
use super::warehouse::several;
use crate::owner::snapshot::{Severity, StageName};

/// What these rules look at; everything is empty where nothing of Azure's is watched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AzureInputs {
    /// Why the feed isn't read.
    pub feed: Option<String>,
    /// Partitions that aren't read while the others are.
    pub partitions: Vec<String>,
    /// Why containers or pictures can't be looked at.
    pub storage: Vec<String>,
    /// Telemetry of which no batch was written.
    pub gaps: Vec<String>,
    /// Why the queue can't be looked into.
    pub queue: Option<String>,
    /// Notices that no pipe will take.
    pub poison: Vec<String>,
    /// What ends within 14 days, within 3 and within one: each step is told anew.
    pub ends: [Vec<String>; 3],
}

/// The rules.
pub const RULES: [Rule; 9] = [
    Rule {
        name: "feed-down",
        severity: Severity::Critical,
        stage: StageName::Hub,
        needs: &[],
        condition: |i, _| i.azure.feed.as_ref().and_then(|words| holds(true, || words.clone())),
        at_once: false,
    },
    Rule {
        name: "partition-down",
        severity: Severity::Warn,
        stage: StageName::Hub,
        needs: &[],
        condition: |i, _| several(&i.azure.partitions),
        at_once: false,
    },
    Rule {
        name: "storage-unreachable",
        severity: Severity::Critical,
        stage: StageName::Blob,
        needs: &[],
        condition: |i, _| several(&i.azure.storage),
        at_once: false,
    },
    Rule {
        name: "batch-missing",
        severity: Severity::Critical,
        stage: StageName::Route,
        needs: &[],
        condition: |i, _| several(&i.azure.gaps),
        at_once: true,
    },
    Rule {
        name: "queue-unreachable",
        severity: Severity::Warn,
        stage: StageName::Event,
        needs: &[],
        condition: |i, _| i.azure.queue.as_ref().and_then(|words| holds(true, || words.clone())),
        at_once: false,
    },
    Rule {
        name: "notice-poison",
        severity: Severity::Warn,
        stage: StageName::Event,
        needs: &[],
        condition: |i, _| several(&i.azure.poison),
        at_once: true,
    },
    Rule {
        name: "ends-in-14-days",
        severity: Severity::Warn,
        stage: StageName::Blob,
        needs: &[],
        condition: |i, _| several(&i.azure.ends[0]),
        at_once: true,
    },
    Rule {
        name: "ends-in-3-days",
        severity: Severity::Warn,
        stage: StageName::Blob,
        needs: &[],
        condition: |i, _| several(&i.azure.ends[1]),
        at_once: true,
    },
    Rule {
        name: "ends-in-a-day",
        severity: Severity::Critical,
        stage: StageName::Blob,
        needs: &[],
        condition: |i, _| several(&i.azure.ends[2]),
        at_once: true,
    },
];

#[cfg(test)]
mod tests {
    use super::super::tests::inputs;
    use super::super::{Alarms, Inputs};
    use super::*;
    use crate::settings::AlarmSettings;

    #[test]
    fn each_rule_is_raised_by_its_own_words_and_by_no_other() {
        let settings = AlarmSettings { hold_s: 0, ..AlarmSettings::default() };
        let none = AzureInputs::default;
        let (word, words) = (|| Some("words".to_owned()), || vec!["words".to_owned()]);
        for (azure, rule) in [
            (AzureInputs { feed: word(), ..none() }, "feed-down"),
            (AzureInputs { partitions: words(), ..none() }, "partition-down"),
            (AzureInputs { storage: words(), ..none() }, "storage-unreachable"),
            (AzureInputs { gaps: words(), ..none() }, "batch-missing"),
            (AzureInputs { queue: word(), ..none() }, "queue-unreachable"),
            (AzureInputs { poison: words(), ..none() }, "notice-poison"),
            (AzureInputs { ends: [words(), vec![], vec![]], ..none() }, "ends-in-14-days"),
            (AzureInputs { ends: [vec![], words(), vec![]], ..none() }, "ends-in-3-days"),
            (AzureInputs { ends: [vec![], vec![], words()], ..none() }, "ends-in-a-day"),
        ] {
            let raised = Alarms::default().evaluate(&Inputs { azure, ..inputs(1, 1) }, &settings);
            assert_eq!(raised.len(), 1, "{rule}: {raised:?}");
            assert_eq!((raised[0].rule.as_str(), raised[0].message.as_str()), (rule, "words"));
        }
    }
}
