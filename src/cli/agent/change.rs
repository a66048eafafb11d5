//! The lines that an agent alone writes: one for each change of how it stands.

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::owner::AgentReport;
use crate::station::text::printable;

/// One change, as JSON; its text is [`Change::words`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum Change {
    /// The first line: who runs what.
    Agent { device_id: String, environment: String, pid: u32, version: String, data_dir: String },
    /// The link has come up or gone down.
    Link { connected: bool, transport: Option<&'static str>, error: Option<String> },
    /// A day's quota or budget is used up, or isn't any more.
    Waits { until: Option<Timestamp> },
    /// Something will go wrong unless something is done.
    Warning { warning: String },
    /// The source says something else.
    Source { source: String, ended: bool },
    /// The first that could not be taken: readings, values or messages.
    Aside { count: u64 },
    /// Something went wrong with the source or the stores.
    Error { error: String },
    /// The machine's clock is set, or isn't.
    Clock { set: bool, held: u64 },
    /// The twin has another version.
    Twin { version: u64, refused: Vec<String> },
    /// Another model makes the nowcasts; which was given up by the agent itself, and why.
    Model { model: String, given_up: Option<String>, reason: Option<String> },
    /// A method was served.
    Method { name: String, status: u16 },
    /// The hub has it start anew.
    Restart,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Wall time.
    at: Timestamp,
    #[serde(flatten)]
    change: &'a Change,
}

/// Writes a change.
pub fn write(output: Output, at: Timestamp, change: &Change) -> Result<(), Failure> {
    if output.json {
        output.json_line(&Line { at, change })
    } else {
        output.line(&format!("{}  {}", at.strftime("%Y-%m-%dT%H:%M:%SZ"), change.words()))
    }
}

/// What differs between two reports; what isn't as it should be, where there was none before.
pub fn changes(before: Option<&AgentReport>, now: &AgentReport) -> Vec<Change> {
    let unknown = AgentReport::default();
    let is_first = before.is_none();
    let before = before.unwrap_or(&unknown);
    let mut found = Vec::new();
    let (was, link) = (&before.uplink, &now.uplink);
    if was.connected != link.connected
        || (!link.connected && link.last_error.is_some() && was.last_error != link.last_error)
    {
        found.push(Change::Link {
            connected: link.connected,
            transport: link.transport.map(|way| way.name()),
            error: link.last_error.clone().filter(|_| !link.connected),
        });
    }
    if was.waits_until.is_some() != link.waits_until.is_some() {
        found.push(Change::Waits { until: link.waits_until });
    }
    if let Some(warning) = link.warning.as_ref().filter(|_| was.warning != link.warning) {
        found.push(Change::Warning { warning: warning.clone() });
    }
    if is_first || before.source.source_ended != now.source.source_ended {
        found.push(Change::Source { source: now.source.source.clone(), ended: now.source.source_ended });
    }
    if let Some(error) = now.source.last_error.as_ref().filter(|_| before.source.last_error != now.source.last_error) {
        found.push(Change::Error { error: error.clone() });
    }
    if before.outbox.set_aside == 0 && now.outbox.set_aside > 0 {
        found.push(Change::Aside { count: now.outbox.set_aside });
    }
    let was_set = is_first || before.clock.is_set;
    if was_set != now.clock.is_set {
        found.push(Change::Clock { set: now.clock.is_set, held: now.outbox.held });
    }
    if before.twin.version != now.twin.version {
        let refused = |(key, verdict): (&String, &_)| is_refused(verdict).then(|| key.clone());
        found.push(Change::Twin {
            version: now.twin.version,
            refused: now.twin.verdicts.iter().filter_map(refused).collect(),
        });
    }
    let (was, model) = (&before.model, &now.model);
    if was.current != model.current && (!was.current.is_empty() || model.fallback.is_some()) {
        found.push(Change::Model {
            model: model.current.clone(),
            given_up: model.fallback.as_ref().map(|fallback| fallback.from.clone()),
            reason: model.fallback.as_ref().map(|fallback| fallback.reason.clone()),
        });
    }
    for (name, method) in &now.methods {
        if before.methods.get(name).map_or(0, |was| was.calls) != method.calls {
            found.push(Change::Method { name: name.clone(), status: method.last_status });
        }
    }
    found
}

fn is_refused(verdict: &crate::owner::Verdict) -> bool {
    verdict.status == crate::owner::VerdictStatus::Refused
}

impl Change {
    /// The change in words, printable.
    fn words(&self) -> String {
        printable(&self.raw_words())
    }

    fn raw_words(&self) -> String {
        match self {
            Self::Agent { device_id, environment, pid, version, data_dir } => {
                format!(
                    "agent {device_id} of {environment}: run by process {pid} (skydeck {version}), data in {data_dir}"
                )
            }
            Self::Link { connected: true, transport, .. } => {
                format!("link: connected by {}", transport.unwrap_or("mqtt"))
            }
            Self::Link { error: Some(error), .. } => format!("link: down: {error}"),
            Self::Link { .. } => "link: down".to_owned(),
            Self::Waits { until: Some(until) } => {
                format!("link: the day's quota or budget is used up; nothing is sent until {until}")
            }
            Self::Waits { until: None } => "link: sends again".to_owned(),
            Self::Warning { warning } => format!("link: {warning}"),
            Self::Source { source, ended: true } => format!("source: {source}; it has ended"),
            Self::Source { source, .. } => format!("source: {source}"),
            Self::Aside { count } => {
                format!("agent: set aside, because they couldn't be taken: {count}; agent.log says why")
            }
            Self::Error { error } => format!("agent: {error}"),
            Self::Clock { set: true, .. } => "clock: set".to_owned(),
            Self::Clock { held, .. } => format!("clock: not set; {held} messages are held until it is"),
            Self::Twin { version, refused } if refused.is_empty() => format!("twin: desired version {version} applied"),
            Self::Twin { version, refused } => {
                format!("twin: desired version {version}, refused: {}", refused.join(", "))
            }
            Self::Model { model, given_up: Some(given_up), reason } => {
                let reason = reason.as_deref().unwrap_or("it doesn't say why");
                format!("model: {model} makes the nowcasts; {given_up} was given up: {reason}")
            }
            Self::Model { model, .. } => format!("model: {model} makes the nowcasts"),
            Self::Method { name, status } => format!("method {name}: status {status}"),
            Self::Restart => "agent: starts anew".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::agent::fixture::report;

    fn words(before: Option<&AgentReport>, now: &AgentReport) -> Vec<String> {
        changes(before, now).iter().map(Change::words).collect()
    }

    #[test]
    fn the_first_report_says_what_is_known_and_an_unchanged_one_nothing() {
        let now = report();
        let first = words(None, &now);
        assert!(first.contains(&"link: connected by websocket".to_owned()), "{first:?}");
        assert!(first.contains(&"twin: desired version 7, refused: maxPerS".to_owned()), "{first:?}");
        assert!(first.iter().any(|line| line.starts_with("source: replay")), "{first:?}");
        assert_eq!(words(Some(&now), &now), Vec::<String>::new());
    }

    #[test]
    fn each_change_is_one_line() {
        let before = report();
        let mut now = report();
        now.uplink.acknowledged += 100;
        assert!(words(Some(&before), &now).is_empty(), "figures that only rise are no news");
        (now.uplink.connected, now.uplink.last_error) = (false, Some("refused\u{1b}[2J".into()));
        assert_eq!(words(Some(&before), &now), ["link: down: refused[2J"]);
        let mut now = report();
        now.methods.entry("diagnose".into()).or_default().calls += 1;
        assert_eq!(words(Some(&before), &now), ["method diagnose: status 200"]);
        let mut now = report();
        now.model.current = "roof@1.0.0".into();
        let mut built_in = report();
        built_in.model.current = "anomaly-persistence-1".into();
        assert_eq!(words(Some(&built_in), &now), ["model: roof@1.0.0 makes the nowcasts"]);
        built_in.model.fallback = Some(crate::owner::FallbackReport {
            from: "roof@1.0.0".into(),
            reason: "it was slow".into(),
            ..Default::default()
        });
        let line = "model: anomaly-persistence-1 makes the nowcasts; roof@1.0.0 was given up: it was slow";
        assert_eq!(words(Some(&now), &built_in), [line]);
        let mut now = report();
        now.outbox.set_aside = 2;
        let mut none = report();
        none.outbox.set_aside = 0;
        assert_eq!(
            words(Some(&none), &now),
            ["agent: set aside, because they couldn't be taken: 2; agent.log says why"]
        );
        let later = AgentReport {
            outbox: {
                let mut outbox = now.outbox.clone();
                outbox.set_aside = 9;
                outbox
            },
            ..now.clone()
        };
        assert!(words(Some(&now), &later).is_empty(), "the first is news, the others are a figure");
        let mut now = report();
        (now.clock.is_set, now.outbox.held) = (false, 3);
        assert_eq!(words(Some(&before), &now), ["clock: not set; 3 messages are held until it is"]);
        assert_eq!(words(Some(&now), &before), ["clock: set"]);
    }

    #[test]
    fn a_line_of_json_bears_its_time_and_event() {
        let change = Change::Method { name: "flush".into(), status: 200 };
        let at = "2026-06-01T12:00:00Z".parse().expect("a time");
        let line = serde_json::to_string(&Line { at, change: &change }).expect("JSON");
        assert_eq!(line, r#"{"at":"2026-06-01T12:00:00Z","event":"method","name":"flush","status":200}"#);
    }
}
