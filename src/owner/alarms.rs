//! Alarms: rules, each raised once its condition has held for a while, cleared once it has been gone for as long, and
//! acknowledged by hand. `link` has those about the agent's link and the hub, `warehouse` those about a watched warehouse.

mod azure;
mod link;
mod warehouse;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

pub use self::azure::AzureInputs;
pub use self::link::LinkInputs;
pub use self::warehouse::WarehouseInputs;
use super::snapshot::{Alarm, Severity, StageName};
use crate::settings::AlarmSettings;

/// What the rules look at. Times are pipeline time.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Now.
    pub now: Timestamp,
    /// When the owner started: ages of what has never been seen count from here.
    pub started_at: Timestamp,
    /// Whether readings are to be expected: a source is set up and has not ended, or one was heard of.
    pub expects_readings: bool,
    /// When the newest message reached the hub.
    pub telemetry_at: Option<Timestamp>,
    /// When the last batch was cut.
    pub batch_at: Option<Timestamp>,
    /// When the oldest notice was queued that waits in the queue, or whose file waits in its pipe.
    pub oldest_notice_at: Option<Timestamp>,
    /// Files that failed to load within the last hour.
    pub failed_files: u64,
    /// `measuredAt` of the newest row.
    pub row_at: Option<Timestamp>,
    /// Issue time of the newest prediction.
    pub prediction_at: Option<Timestamp>,
    /// Share of the outbox's bound in use, %.
    pub outbox_pct: f64,
    /// Stages that aren't provisioned, or that nobody watches: what needs them isn't measured.
    pub missing: BTreeSet<StageName>,
    /// What the link's rules look at.
    pub link: LinkInputs,
    /// What the rules about Azure's part look at.
    pub azure: AzureInputs,
    /// What the rules about a watched warehouse look at.
    pub warehouse: WarehouseInputs,
}

/// A condition: its figure and its limit, in the same unit.
struct Condition {
    figure: f64,
    limit: f64,
    text: String,
}

struct Rule {
    name: &'static str,
    severity: Severity,
    stage: StageName,
    /// Stages without which it says nothing.
    needs: &'static [StageName],
    condition: fn(&Inputs, &AlarmSettings) -> Option<Condition>,
    /// Whether it comes and goes with its condition, without waiting.
    at_once: bool,
}

/// The figure has to fall below this share of its limit before an alarm counts as gone.
const CLEAR_AT: f64 = 0.9;

const RULES: [Rule; 7] = [
    Rule {
        name: "no-telemetry",
        severity: Severity::Critical,
        stage: StageName::Hub,
        needs: &[StageName::Hub],
        condition: |i, s| expected_age(i, i.telemetry_at, s.telemetry_age_s, "no telemetry for"),
        at_once: false,
    },
    Rule {
        name: "batch-gap",
        severity: Severity::Warn,
        stage: StageName::Blob,
        needs: &[StageName::Hub, StageName::Route, StageName::Blob],
        condition: |i, s| expected_age(i, i.batch_at, s.batch_gap_s, "no batch for"),
        at_once: false,
    },
    Rule {
        name: "notice-age",
        severity: Severity::Warn,
        stage: StageName::Event,
        needs: &[StageName::Pipe],
        condition: |i, s| age(i.now, i.oldest_notice_at?, s.notice_age_s, "oldest file waits"),
        at_once: false,
    },
    Rule {
        name: "load-errors",
        severity: Severity::Warn,
        stage: StageName::Pipe,
        needs: &[StageName::Pipe],
        condition: |i, s| {
            let (figure, limit) = (i.failed_files as f64, f64::from(s.load_errors) - 0.5);
            Some(Condition {
                figure,
                limit,
                text: format!(
                    "{} file{} failed to load within the hour (limit {})",
                    i.failed_files,
                    if i.failed_files == 1 { "" } else { "s" },
                    s.load_errors
                ),
            })
        },
        at_once: false,
    },
    Rule {
        name: "row-age",
        severity: Severity::Warn,
        stage: StageName::Table,
        needs: &[
            StageName::Hub,
            StageName::Route,
            StageName::Blob,
            StageName::Event,
            StageName::Pipe,
            StageName::Table,
        ],
        condition: |i, s| expected_age(i, i.row_at, s.row_age_s, "newest row is"),
        at_once: false,
    },
    Rule {
        name: "prediction-missing",
        severity: Severity::Warn,
        stage: StageName::Nowcast,
        needs: &[StageName::Hub],
        condition: |i, s| expected_age(i, i.prediction_at, s.prediction_age_s, "no new nowcast for"),
        at_once: false,
    },
    Rule {
        name: "outbox-filling",
        severity: Severity::Critical,
        stage: StageName::Roof,
        needs: &[],
        condition: |i, s| {
            let limit = f64::from(s.outbox_pct);
            Some(Condition {
                figure: i.outbox_pct,
                limit,
                text: format!("outbox {:.0} % full (limit {limit:.0} %)", i.outbox_pct),
            })
        },
        at_once: false,
    },
];

fn expected_age(inputs: &Inputs, at: Option<Timestamp>, limit_s: u32, what: &str) -> Option<Condition> {
    if !inputs.expects_readings {
        return None;
    }
    age(inputs.now, at.unwrap_or(inputs.started_at).max(inputs.started_at), limit_s, what)
}

fn age(now: Timestamp, at: Timestamp, limit_s: u32, what: &str) -> Option<Condition> {
    let figure = now.duration_since(at).as_secs_f64();
    let limit = f64::from(limit_s);
    Some(Condition { figure, limit, text: format!("{what} {} (limit {})", minutes(figure), minutes(limit)) })
}

fn minutes(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

/// The rules' memory.
#[derive(Debug, Clone, Default)]
pub struct Alarms {
    states: BTreeMap<&'static str, State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// Since when the condition contradicts what is shown.
    turning_since: Option<Timestamp>,
    raised: Option<Alarm>,
}

impl Alarms {
    /// Evaluates every rule; answers the raised alarms, newest first.
    pub fn evaluate(&mut self, inputs: &Inputs, settings: &AlarmSettings) -> Vec<Alarm> {
        let held = SignedDuration::from_secs(i64::from(settings.hold_s));
        for rule in RULES.iter().chain(&link::RULES).chain(&warehouse::RULES).chain(&azure::RULES) {
            let hold = if rule.at_once { SignedDuration::ZERO } else { held };
            let state = self.states.entry(rule.name).or_default();
            let is_measured = !rule.needs.iter().any(|stage| inputs.missing.contains(stage));
            let condition = if is_measured { (rule.condition)(inputs, settings) } else { None };
            let limit_share = if state.raised.is_some() { CLEAR_AT } else { 1.0 };
            let is_bad = condition.as_ref().is_some_and(|c| c.figure > c.limit * limit_share);
            if is_bad == state.raised.is_some() {
                state.turning_since = None;
            } else {
                let since = *state.turning_since.get_or_insert(inputs.now);
                if inputs.now.duration_since(since) >= hold {
                    state.turning_since = None;
                    state.raised = is_bad.then(|| Alarm {
                        rule: rule.name.to_owned(),
                        severity: rule.severity,
                        stage: rule.stage,
                        message: String::new(),
                        raised_at: inputs.now,
                        acknowledged_at: None,
                    });
                }
            }
            if let (Some(alarm), Some(condition)) = (&mut state.raised, condition)
                && is_bad
            {
                alarm.message = condition.text;
            }
        }
        let mut raised: Vec<_> = self.states.values().filter_map(|state| state.raised.clone()).collect();
        raised.sort_by(|a, b| b.raised_at.cmp(&a.raised_at).then_with(|| a.rule.cmp(&b.rule)));
        raised
    }

    /// Acknowledges a raised alarm; `false` where no such alarm is raised.
    pub fn acknowledge(&mut self, rule: &str, now: Timestamp) -> bool {
        let alarm = self.states.get_mut(rule).and_then(|state| state.raised.as_mut());
        alarm.is_some_and(|alarm| {
            alarm.acknowledged_at.get_or_insert(now);
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        let start: Timestamp = "2016-06-08T00:00:00Z".parse().expect("a time");
        start + SignedDuration::from_mins(minute)
    }

    pub(super) fn inputs(minute: i64, telemetry: i64) -> Inputs {
        Inputs {
            now: at(minute),
            started_at: at(0),
            expects_readings: true,
            telemetry_at: Some(at(telemetry)),
            batch_at: Some(at(minute)),
            oldest_notice_at: None,
            failed_files: 0,
            row_at: Some(at(minute)),
            prediction_at: Some(at(minute)),
            outbox_pct: 1.0,
            missing: BTreeSet::new(),
            link: LinkInputs::default(),
            azure: AzureInputs::default(),
            warehouse: WarehouseInputs::default(),
        }
    }

    #[test]
    fn an_alarm_needs_its_time_to_come_and_to_go() {
        // Limit 5 min, hold 2 min.
        let settings = AlarmSettings::default();
        let mut alarms = Alarms::default();
        assert!(alarms.evaluate(&inputs(5, 0), &settings).is_empty());
        assert!(alarms.evaluate(&inputs(6, 0), &settings).is_empty(), "over the limit, not long enough");
        let raised = alarms.evaluate(&inputs(8, 0), &settings);
        assert_eq!(raised[0].rule, "no-telemetry");
        assert_eq!(raised[0].raised_at, at(8));
        assert_eq!(raised[0].message, "no telemetry for 8 min (limit 5 min)");
        assert!(alarms.acknowledge("no-telemetry", at(9)));
        assert_eq!(alarms.evaluate(&inputs(9, 9), &settings)[0].acknowledged_at, Some(at(9)), "gone, not long enough");
        assert!(alarms.evaluate(&inputs(11, 11), &settings).is_empty());
        assert!(!alarms.acknowledge("no-telemetry", at(11)));
    }

    #[test]
    fn a_figure_just_below_its_limit_does_not_clear() {
        let settings = AlarmSettings { hold_s: 0, ..AlarmSettings::default() };
        let mut alarms = Alarms::default();
        let filled = |pct| Inputs { outbox_pct: pct, ..inputs(1, 1) };
        assert_eq!(alarms.evaluate(&filled(51.0), &settings).len(), 1);
        assert_eq!(alarms.evaluate(&filled(46.0), &settings).len(), 1);
        assert_eq!(alarms.evaluate(&filled(44.0), &settings).len(), 0);
    }

    #[test]
    fn a_flapping_condition_is_never_raised() {
        let settings = AlarmSettings::default();
        let mut alarms = Alarms::default();
        for minute in (10..40).step_by(2) {
            assert!(alarms.evaluate(&inputs(minute, minute - 6), &settings).is_empty());
            assert!(alarms.evaluate(&inputs(minute + 1, minute + 1), &settings).is_empty());
        }
    }

    #[test]
    fn no_source_raises_nothing() {
        let mut alarms = Alarms::default();
        let silent = Inputs { expects_readings: false, ..inputs(100, 0) };
        let settings = AlarmSettings { hold_s: 0, ..AlarmSettings::default() };
        assert!(alarms.evaluate(&silent, &settings).is_empty());
    }

    #[test]
    fn what_is_not_provisioned_is_not_measured() {
        let mut alarms = Alarms::default();
        let settings = AlarmSettings { hold_s: 0, ..AlarmSettings::default() };
        let without = |missing: &[StageName]| Inputs { missing: missing.iter().copied().collect(), ..inputs(100, 0) };
        assert_eq!(alarms.evaluate(&without(&[StageName::Pipe]), &settings)[0].rule, "no-telemetry");
        assert!(alarms.evaluate(&without(&[StageName::Hub]), &settings).is_empty(), "no hub, no telemetry to miss");
    }

    #[test]
    fn one_failed_file_is_enough_by_default() {
        let settings = AlarmSettings { hold_s: 0, ..AlarmSettings::default() };
        let mut alarms = Alarms::default();
        let failed = |n| Inputs { failed_files: n, ..inputs(1, 1) };
        assert_eq!(alarms.evaluate(&failed(1), &settings)[0].rule, "load-errors");
        assert!(alarms.evaluate(&failed(0), &settings).is_empty());
    }
}
