//! The rules about the agent's link, its clock and its identity, and about the hub's faults.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Condition, Rule};
use crate::owner::snapshot::{Severity, StageName};

/// What these rules look at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinkInputs {
    /// When the device's certificate ends, where the link warns of it.
    pub certificate_ends_at: Option<Timestamp>,
    /// Whether readings wait for the machine's clock to be set.
    pub is_clock_unset: bool,
    /// Messages that are held until it is.
    pub held: u64,
    /// Devices whose identity two have.
    pub rivals: Vec<String>,
    /// Until when nothing is sent because the metered line's budget is used up.
    pub budget_spent_until: Option<Timestamp>,
    /// Until when nothing is sent because the day's quota is used up.
    pub quota_spent_until: Option<Timestamp>,
    /// What the hub does wrong on purpose, in words.
    pub faults: Vec<String>,
}

/// The rules.
pub const RULES: [Rule; 6] = [
    Rule {
        name: "certificate-expiring",
        severity: Severity::Critical,
        stage: StageName::Roof,
        needs: &[],
        condition: |i, _| holds(i.link.certificate_ends_at.is_some(), || certificate(i.link.certificate_ends_at)),
        at_once: true,
    },
    Rule {
        name: "clock-unset",
        severity: Severity::Warn,
        stage: StageName::Roof,
        needs: &[],
        condition: |i, _| {
            holds(i.link.is_clock_unset, || {
                format!("the machine's clock isn't set; {} messages are held until it is", i.link.held)
            })
        },
        at_once: false,
    },
    Rule {
        name: "same-identity",
        severity: Severity::Critical,
        stage: StageName::Hub,
        needs: &[StageName::Hub],
        condition: |i, _| {
            holds(!i.link.rivals.is_empty(), || {
                format!("two devices connect as {} and end each other's connections", i.link.rivals.join(", "))
            })
        },
        at_once: true,
    },
    Rule {
        name: "link-metered-out",
        severity: Severity::Warn,
        stage: StageName::Roof,
        needs: &[],
        condition: |i, _| waits(i.link.budget_spent_until, "the metered line's budget"),
        at_once: true,
    },
    Rule {
        name: "quota-spent",
        severity: Severity::Warn,
        stage: StageName::Roof,
        needs: &[],
        condition: |i, _| waits(i.link.quota_spent_until, "the hub's quota"),
        at_once: true,
    },
    Rule {
        name: "hub-fault",
        severity: Severity::Warn,
        stage: StageName::Hub,
        needs: &[],
        condition: |i, _| {
            holds(!i.link.faults.is_empty(), || {
                format!("on purpose, the hub {}; `skydeck hub fault none` ends it", i.link.faults.join(", "))
            })
        },
        at_once: true,
    },
];

/// A condition that is or isn't.
pub(super) fn holds(is_bad: bool, text: impl FnOnce() -> String) -> Option<Condition> {
    is_bad.then(|| Condition { figure: 1.0, limit: 0.5, text: text() })
}

fn certificate(ends_at: Option<Timestamp>) -> String {
    let end = ends_at.map(|at| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%MZ").to_string());
    format!("the device's certificate ends at {}; put a renewed one in its place", end.unwrap_or_default())
}

fn waits(until: Option<Timestamp>, what: &str) -> Option<Condition> {
    let until = until?.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%MZ").to_string();
    holds(true, || format!("{what} for the day is used up; nothing is sent until {until}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::inputs;
    use super::super::{Alarms, Inputs};
    use super::*;
    use crate::settings::AlarmSettings;

    fn raised(link: LinkInputs) -> Vec<(String, String)> {
        let settings = AlarmSettings { hold_s: 0, ..AlarmSettings::default() };
        let alarms = Alarms::default().evaluate(&Inputs { link, ..inputs(1, 1) }, &settings);
        alarms.into_iter().map(|alarm| (alarm.rule, alarm.message)).collect()
    }

    #[test]
    fn each_rule_is_raised_by_its_own_figure_and_by_no_other() {
        let at: Option<Timestamp> = Some("2026-03-14T00:00:00Z".parse().expect("a time"));
        let none = LinkInputs::default;
        let until = "nothing is sent until 2026-03-14 00:00Z";
        for (link, rule, words) in [
            (LinkInputs { certificate_ends_at: at, ..none() }, "certificate-expiring", "ends at 2026-03-14 00:00Z"),
            (LinkInputs { is_clock_unset: true, held: 12, ..none() }, "clock-unset", "12 messages are held"),
            (LinkInputs { rivals: vec!["roof-01".into()], ..none() }, "same-identity", "connect as roof-01"),
            (LinkInputs { budget_spent_until: at, ..none() }, "link-metered-out", until),
            (LinkInputs { quota_spent_until: at, ..none() }, "quota-spent", until),
            (LinkInputs { faults: vec!["refuses every connection".into()], ..none() }, "hub-fault", "the hub refuses"),
        ] {
            let found = raised(link);
            assert_eq!(found.len(), 1, "{rule}: {found:?}");
            assert_eq!(found[0].0, rule);
            assert!(found[0].1.contains(words), "{}", found[0].1);
        }
        assert!(raised(none()).is_empty());
    }

    #[test]
    fn a_fault_is_told_at_once_and_gone_with_it_and_an_unset_clock_waits() {
        let settings = AlarmSettings::default();
        let mut alarms = Alarms::default();
        let faults = LinkInputs { faults: vec!["x".into()], is_clock_unset: true, ..LinkInputs::default() };
        let found = alarms.evaluate(&Inputs { link: faults, ..inputs(1, 1) }, &settings);
        assert_eq!(found.iter().map(|alarm| alarm.rule.as_str()).collect::<Vec<_>>(), ["hub-fault"]);
        assert!(alarms.evaluate(&inputs(1, 1), &settings).is_empty());
    }
}
