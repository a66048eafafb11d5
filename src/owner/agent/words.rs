//! An agent's report as people read it: the same facts on the screen Devices, in `status devices` and in
//! `agent status`.

mod model;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::edge_agent::report::{AgentReport, CameraReport, MethodReport, SensorReport, SensorState, VerdictStatus};
use crate::edge_agent::uplink::{Metered, Quota};
use crate::owner::figures::{bytes_in_words, span};
use crate::owner::lamp::Lamp;
use crate::station::text::{printable, thousands};

/// Why an agent has no camera.
pub const NO_CAMERA: &str = "no camera: none of camera.command, camera.device, camera.folder and camera.url is set";

/// One fact. Its text is printable.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// What it is about, in a word or two.
    pub label: &'static str,
    /// What is known.
    pub text: String,
    /// How it is doing; [`Lamp::Unknown`] where it can't do well or badly.
    pub lamp: Lamp,
    /// How much of a bound is used, 0 to 1; absent where there is no bound.
    pub share: Option<f64>,
}

impl Fact {
    fn plain(label: &'static str, text: impl AsRef<str>) -> Self {
        Self { label, text: printable(text.as_ref()), lamp: Lamp::Unknown, share: None }
    }

    fn lit(label: &'static str, lamp: Lamp, text: impl AsRef<str>) -> Self {
        Self { lamp, ..Self::plain(label, text) }
    }
}

/// Which of the two bounds a day has is used up.
pub(super) fn spent_words(report: &AgentReport) -> &'static str {
    let budget = report.uplink.metered.as_ref().is_some_and(is_spent);
    if budget { "the day's budget is used up" } else { "the day's quota is used up" }
}

/// Whether a metered line's budget is used up.
pub(in crate::owner) const fn is_spent(metered: &Metered) -> bool {
    metered.spent_bytes >= metered.budget_bytes
}

/// Whether a day's quota is used up.
pub(in crate::owner) fn is_quota_spent(quota: &Quota) -> bool {
    quota.max_per_day.is_some_and(|most| quota.sent_today >= u64::from(most))
}

/// Everything known of an agent, but for its machine. `now` is wall time: a certificate's end is told by it.
#[must_use]
pub fn agent_facts(report: &AgentReport, now: Timestamp) -> Vec<Fact> {
    let mut facts = link_facts(report, now);
    facts.insert(1, source(report));
    let newest = newest_reading(report, now);
    facts.splice(2..2, newest.into_iter().chain(report.source.sensors.iter().map(sensor)));
    facts.push(outbox(report));
    facts.push(clock(report));
    facts.push(twin(report));
    facts.push(model::fact(report));
    facts.push(pictures(report.camera.as_ref()));
    facts.push(methods(report));
    if let Some(newest) = report.received.last() {
        let text = match &newest.command {
            Some(command) => format!("{command}: {}", newest.outcome),
            None => format!("{}: {}", newest.body, newest.outcome),
        };
        facts.push(Fact::plain("last message", text));
    }
    if let Some(salvage) = &report.last_salvage {
        facts.push(Fact::lit("salvaged", Lamp::Warning, salvage));
    }
    facts
}

fn link_facts(report: &AgentReport, now: Timestamp) -> Vec<Fact> {
    let link = &report.uplink;
    let by = link.transport.map(|way| format!(" by {}", way.name())).unwrap_or_default();
    let connects = format!("connection {} since the start", link.connects);
    let mut facts = vec![match (&link.last_error, link.connected) {
        (_, true) => Fact::lit("link", Lamp::Ok, format!("connected{by}, {connects}")),
        (Some(error), false) => Fact::lit("link", Lamp::Failed, format!("not connected: {error}")),
        (None, false) => Fact::lit("link", Lamp::Failed, "not connected yet"),
    }];
    facts.push(match link.credential_ends_at {
        None => Fact::plain("credential", "a key, by tokens that are renewed"),
        Some(end) => {
            let days = end.duration_since(now).as_hours() / 24;
            let lamp = match (end <= now, &link.warning) {
                (true, _) => Lamp::Failed,
                (false, Some(_)) => Lamp::Warning,
                (false, None) => Lamp::Ok,
            };
            let left = if end <= now { "it has ended".to_owned() } else { format!("{days} d left") };
            Fact::lit("credential", lamp, format!("a certificate until {}, {left}", minute(end)))
        }
    });
    facts.push(backlog(report));
    if let Some(until) = link.waits_until {
        let text = format!("until {}: {}", minute(until), spent_words(report));
        facts.push(Fact::lit("sends nothing", Lamp::Warning, text));
    }
    facts.extend(link.quota.as_ref().map(quota));
    facts.extend(link.metered.as_ref().map(metered));
    facts
}

fn source(report: &AgentReport) -> Fact {
    let ended = if report.source.source_ended { "; it has ended" } else { "" };
    Fact::plain("readings from", format!("{}{ended}", report.source.source))
}

fn newest_reading(report: &AgentReport, now: Timestamp) -> Option<Fact> {
    let source = &report.source;
    source.quiet_since?;
    let text = match (quiet_s(report, now), source.measured) {
        (Some(seconds), 0) => format!("none yet, in {}", span(seconds)),
        (Some(seconds), _) => format!("{} ago", span(seconds)),
        (None, 0) => "none yet".to_owned(),
        (None, _) => "before the clock was set".to_owned(),
    };
    Some(Fact::plain("newest reading", text))
}

/// Seconds since the newest reading came, or since the first is waited for; absent without a source, and where the clock was
/// set since.
pub(super) fn quiet_s(report: &AgentReport, now: Timestamp) -> Option<f64> {
    let since = report.source.quiet_since?;
    let was_set = report.clock.last_set_at.is_some_and(|set_at| set_at > since);
    (!was_set).then(|| now.duration_since(since).as_secs_f64().max(0.0))
}

fn sensor(sensor: &SensorReport) -> Fact {
    let name = format!("{} ({})", sensor.name, sensor.kind);
    let last = sensor.last_read_at.map(|at| format!(", last read {}", minute(at))).unwrap_or_default();
    let errors = match (sensor.errors, &sensor.last_error) {
        (0, _) | (_, None) => String::new(),
        (count, Some(words)) => format!("; {} errors, the last: {words}", thousands(count)),
    };
    match sensor.state {
        SensorState::Waiting => Fact::plain("sensor", format!("{name}: not read yet")),
        SensorState::Read => {
            Fact::lit("sensor", Lamp::Ok, format!("{name}: {} readings{last}{errors}", thousands(sensor.reads)))
        }
        SensorState::Absent => {
            let since = sensor.since.map(|at| format!(" since {}", minute(at))).unwrap_or_default();
            Fact::lit("sensor", Lamp::Warning, format!("{name}: absent{since}{last}{errors}"))
        }
    }
}

fn backlog(report: &AgentReport) -> Fact {
    let link = &report.uplink;
    if !link.connected && report.outbox.rows > 0 {
        return Fact::lit("waiting", Lamp::Warning, format!("{} for the link", thousands(report.outbox.rows)));
    }
    if link.backlog + link.live == 0 {
        return Fact::plain(
            "waiting",
            format!("nothing; {} acknowledged since the start", thousands(link.acknowledged)),
        );
    }
    let remaining = link
        .remaining_s
        .map_or_else(|| "how long isn't known yet".to_owned(), |seconds| format!("through in about {}", span(seconds)));
    let text = format!("{} new, {} from before; {remaining}", thousands(link.live), thousands(link.backlog));
    Fact::plain("waiting", text)
}

fn quota(quota: &Quota) -> Fact {
    let a_second = quota.max_per_s.map(|most| format!("at most {} a second", thousands(u64::from(most))));
    let a_day = quota
        .max_per_day
        .map(|most| format!("{} of {} today", thousands(quota.sent_today), thousands(u64::from(most))));
    let anew = quota.max_per_day.and(quota.resets_at).map(|at| format!("anew at {}", minute(at)));
    let text: Vec<_> = [a_day, a_second, anew].into_iter().flatten().collect();
    let share = quota.max_per_day.map(|most| share(quota.sent_today, u64::from(most)));
    let lamp = if is_quota_spent(quota) { Lamp::Warning } else { Lamp::Unknown };
    Fact { share, ..Fact::lit("quota", lamp, text.join(", ")) }
}

fn metered(metered: &Metered) -> Fact {
    let anew = metered.resets_at.map(|at| format!(", anew at {}", minute(at))).unwrap_or_default();
    let holding =
        if metered.holding.is_empty() { String::new() } else { format!("; {} wait", metered.holding.join(" and ")) };
    let text = format!(
        "{} of {} today, {} saved{anew}{holding}",
        bytes_in_words(metered.spent_bytes),
        bytes_in_words(metered.budget_bytes),
        bytes_in_words(metered.saved_bytes)
    );
    let lamp = if is_spent(metered) { Lamp::Warning } else { Lamp::Unknown };
    Fact { share: Some(share(metered.spent_bytes, metered.budget_bytes)), ..Fact::lit("metered", lamp, text) }
}

fn outbox(report: &AgentReport) -> Fact {
    let outbox = &report.outbox;
    let mut text = format!(
        "{} of {} messages, {}",
        thousands(outbox.rows),
        thousands(outbox.max_rows),
        bytes_in_words(outbox.bytes)
    );
    if outbox.given_up > 0 {
        text.push_str(&format!("; {} given up over the bound", thousands(outbox.given_up)));
    }
    if outbox.set_aside > 0 {
        text.push_str(&format!("; {} set aside (the log says why)", thousands(outbox.set_aside)));
    }
    let lamp = if outbox.given_up > 0 { Lamp::Warning } else { Lamp::Unknown };
    Fact { share: Some(share(outbox.rows, outbox.max_rows)), ..Fact::lit("outbox", lamp, text) }
}

fn clock(report: &AgentReport) -> Fact {
    let clock = &report.clock;
    let mut text = if clock.is_set {
        "set".to_owned()
    } else {
        format!("not set; {} messages held until it is", thousands(report.outbox.held))
    };
    if clock.restamped > 0 {
        text.push_str(&format!(", {} messages dated after the fact", thousands(clock.restamped)));
    }
    if clock.never_dated > 0 {
        text.push_str(&format!(", {} never", thousands(clock.never_dated)));
    }
    if let Some(step) = clock.last_step_s {
        text.push_str(&format!(", stepped by {step:+.1} s"));
    }
    if let Some(skew) = report.uplink.clock_skew_s {
        text.push_str(&format!("; {skew:+.0} s beside the hub's"));
    }
    Fact::lit("clock", if clock.is_set { Lamp::Ok } else { Lamp::Warning }, text)
}

fn twin(report: &AgentReport) -> Fact {
    let twin = &report.twin;
    if twin.version == 0 {
        return Fact::plain("twin", "not heard of yet");
    }
    if twin.verdicts.is_empty() {
        return Fact::plain("twin", format!("nothing desired, at version {}", twin.version));
    }
    let count = |status: VerdictStatus| twin.verdicts.values().filter(|verdict| verdict.status == status).count();
    let refused: Vec<_> =
        twin.verdicts.iter().filter(|(_, v)| v.status == VerdictStatus::Refused).map(|(key, _)| key.clone()).collect();
    let applied = format!("desired version {}: {} applied", twin.version, count(VerdictStatus::Applied));
    let overruled = count(VerdictStatus::Overruled);
    let overruled = if overruled > 0 { format!(", {overruled} overruled by a method") } else { String::new() };
    let waiting = count(VerdictStatus::Waiting);
    let overruled = if waiting > 0 { format!("{overruled}, {waiting} waiting") } else { overruled };
    if refused.is_empty() {
        return Fact::plain("twin", applied + &overruled);
    }
    Fact::lit("twin", Lamp::Warning, format!("{applied}{overruled}, refused: {}", refused.join(", ")))
}

fn pictures(camera: Option<&CameraReport>) -> Fact {
    let Some(camera) = camera else {
        return Fact::plain("pictures", NO_CAMERA);
    };
    let newest = camera.last_taken_at.map(|at| format!(", the newest {}", minute(at))).unwrap_or_default();
    let source = if camera.source.is_empty() { String::new() } else { format!("{}: ", camera.source) };
    let mut text = format!(
        "{source}{} taken{newest}, {} uploaded, {} waiting ({})",
        camera.taken,
        camera.uploaded,
        camera.waiting,
        bytes_in_words(camera.waiting_bytes)
    );
    if camera.given_up > 0 {
        text.push_str(&format!(", {} given up", camera.given_up));
    }
    if let Some(state) = &camera.upload_state {
        text.push_str(&format!("; upload: {state}"));
    }
    match &camera.last_error {
        Some(error) => Fact::lit("pictures", Lamp::Warning, format!("{text}; {error}")),
        None => Fact::plain("pictures", text),
    }
}

fn methods(report: &AgentReport) -> Fact {
    let served = |(name, method): (&String, &MethodReport)| {
        let newest = method.last_at.map(|at| format!(" at {}", minute(at))).unwrap_or_default();
        format!("{name} ×{} (last {}{newest})", method.calls, method.last_status)
    };
    let served: Vec<_> = report.methods.iter().filter(|(_, method)| method.calls > 0).map(served).collect();
    Fact::plain("methods", if served.is_empty() { "none called yet".to_owned() } else { served.join(", ") })
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown with two figures")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64).min(1.0) }
}

pub(super) fn minute(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%MZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::report;
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn written(report: &AgentReport) -> String {
        let facts = agent_facts(report, at("2026-03-02T13:04:31Z"));
        let line = |fact: &Fact| {
            let share = fact.share.map(|share| format!(" [{:.0} %]", share * 100.0)).unwrap_or_default();
            format!("{:<14}{:?}  {}{share}\n", fact.label, fact.lamp, fact.text)
        };
        facts.iter().map(line).collect()
    }

    #[test]
    fn every_fact_of_a_busy_agent_and_of_one_that_just_started() {
        insta::assert_snapshot!("busy", written(&report()));
        insta::assert_snapshot!("started", written(&AgentReport::default()));
    }

    #[test]
    fn what_waits_while_the_link_is_down_is_the_outbox() {
        let mut report = report();
        (report.uplink.connected, report.uplink.backlog, report.uplink.live) = (false, 0, 0);
        report.outbox.rows = 3214;
        let text = written(&report);
        assert!(text.contains("waiting       Warning  3,214 for the link\n"), "{text}");
        report.twin.verdicts.clear();
        assert!(written(&report).contains("nothing desired, at version 7"));
    }

    #[test]
    fn the_age_of_the_newest_reading_is_told() {
        let mut report = report();
        report.source.quiet_since = Some(at("2026-03-02T13:03:50Z"));
        let line = |report: &AgentReport| {
            let text = written(report);
            text.lines().find_map(|line| line.strip_prefix("newest reading")).map(str::to_owned)
        };
        assert_eq!(line(&report).as_deref(), Some("Unknown  41 s ago"));
        report.source.measured = 0;
        assert_eq!(line(&report).as_deref(), Some("Unknown  none yet, in 41 s"));
        report.clock.last_set_at = Some(at("2026-03-02T13:04:00Z"));
        assert_eq!(line(&report).as_deref(), Some("Unknown  none yet"));
        report.source.quiet_since = None;
        assert_eq!(line(&report), None, "there is no source");
    }

    #[test]
    fn every_sensor_says_how_it_is() {
        let sensor = |name: &str, state, reads, errors, last_error: Option<&str>| SensorReport {
            name: name.into(),
            kind: "serial".into(),
            state,
            since: Some(at("2026-03-02T12:00:00Z")),
            last_read_at: (reads > 0).then(|| at("2026-03-02T13:04:00Z")),
            reads,
            errors,
            last_error: last_error.map(Into::into),
            ..SensorReport::default()
        };
        let mut report = report();
        report.source.sensors = vec![
            sensor("board", SensorState::Read, 1234, 2, Some("sensors.board: no JSON\u{1b}")),
            sensor("gone", SensorState::Absent, 7, 3, Some("sensors.gone: was unplugged")),
            sensor("new", SensorState::Waiting, 0, 0, None),
        ];
        let text = written(&report);
        for line in [
            "sensor        Ok  board (serial): 1,234 readings, last read 2026-03-02 13:04Z; 2 errors, the last: sensors.board: no JSON",
            "sensor        Warning  gone (serial): absent since 2026-03-02 12:00Z, last read 2026-03-02 13:04Z; 3 errors, the last: \
             sensors.gone: was unplugged",
            "sensor        Unknown  new (serial): not read yet",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
    }
}
