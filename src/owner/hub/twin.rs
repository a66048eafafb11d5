//! A twin as people read it: each property once, what is desired beside what the device reports.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::view::HubTwin;
use crate::station::text::printable;

/// How a property stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The device reports what is desired.
    Same,
    /// It reports something else, or nothing yet.
    Waits,
    /// It waits for something before it can do what is desired, in its words.
    WaitsFor(String),
    /// It has refused what is desired, and why.
    Refused(String),
    /// Something else was asked for after it, in its words, and holds.
    Overruled(String),
    /// It reports it, and nothing is desired.
    Own,
}

/// A property of a twin. Texts are printable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwinLine {
    /// Its name, nested ones with dots.
    pub key: String,
    /// What is desired, as JSON.
    pub desired: Option<String>,
    /// What is reported, as JSON.
    pub reported: Option<String>,
    /// How it stands.
    pub standing: Standing,
}

/// Each property of `twin`: what is desired first, then what is reported alone.
///
/// A device may report a desired property by its own name, or below `settings` with its value, the version it answers
/// and its verdict, as skydeck's agent does.
#[must_use]
pub fn twin_lines(twin: &HubTwin) -> Vec<TwinLine> {
    let TwinProperties { desired, mut reported, mut answers, version } = TwinProperties::of(twin);
    let mut lines = Vec::new();
    for (key, wanted) in desired {
        let answer = answers.remove(&key);
        let plain = reported.remove(&key);
        let value = answer.as_ref().map_or(plain, |answer| answer.value.clone());
        let standing = match answer {
            Some(Answer { refused: Some(why), version: answered, .. }) if answered == version => {
                Standing::Refused(printable(&why))
            }
            Some(Answer { waits_for: Some(why), version: answered, .. }) if answered == version => {
                Standing::WaitsFor(printable(&why))
            }
            Some(Answer { overruled: Some(why), .. }) if value.as_ref() == Some(&wanted) => {
                Standing::Overruled(printable(&why))
            }
            _ if value.as_ref() == Some(&wanted) => Standing::Same,
            _ => Standing::Waits,
        };
        lines.push(TwinLine {
            key: printable(&key),
            desired: Some(text(&wanted)),
            reported: value.as_ref().map(text),
            standing,
        });
    }
    let answered = answers.into_iter().filter_map(|(key, answer)| Some((format!("settings.{key}"), answer.value?)));
    for (key, value) in reported.into_iter().chain(answered) {
        lines.push(TwinLine {
            key: printable(&key),
            desired: None,
            reported: Some(text(&value)),
            standing: Standing::Own,
        });
    }
    lines
}

/// What a device says to one desired property.
struct Answer {
    value: Option<Value>,
    version: Option<u64>,
    refused: Option<String>,
    waits_for: Option<String>,
    overruled: Option<String>,
}

/// Both sides, flattened.
struct TwinProperties {
    desired: BTreeMap<String, Value>,
    reported: BTreeMap<String, Value>,
    answers: BTreeMap<String, Answer>,
    version: Option<u64>,
}

impl TwinProperties {
    fn of(twin: &HubTwin) -> Self {
        let (mut desired, mut reported, mut answers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let empty = Map::new();
        for (key, value) in own(twin.properties.reported.as_object().unwrap_or(&empty)) {
            match (key.as_str(), value) {
                ("settings", Value::Object(settings)) if settings.values().all(is_answer) => {
                    answers.extend(settings.iter().map(|(key, value)| (key.clone(), answer(value))));
                }
                (_, Value::Object(inner)) => flatten(key, inner, &mut reported),
                _ => {
                    reported.insert(key.clone(), value.clone());
                }
            }
        }
        for (key, value) in own(twin.properties.desired.as_object().unwrap_or(&empty)) {
            match value {
                // What is answered as a whole is compared as a whole.
                Value::Object(inner) if !inner.is_empty() && !answers.contains_key(key) => {
                    flatten(key, inner, &mut desired);
                }
                _ => drop(desired.insert(key.clone(), value.clone())),
            }
        }
        let version = twin.properties.desired.get("$version").and_then(Value::as_u64);
        Self { desired, reported, answers, version }
    }
}

fn is_answer(value: &Value) -> bool {
    value.get("status").is_some()
}

fn answer(value: &Value) -> Answer {
    let why = value["error"].as_str().unwrap_or("it doesn't say why");
    let said = |status: &str| (value["status"] == status).then(|| why.to_owned());
    Answer {
        value: value.get("value").filter(|value| !value.is_null()).cloned(),
        version: value["version"].as_u64(),
        refused: said("refused"),
        waits_for: said("waiting"),
        overruled: said("overruled"),
    }
}

/// The device's and the service's own properties: what begins with `$` is the hub's.
fn own(object: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.iter().filter(|(key, _)| !key.starts_with('$'))
}

fn flatten(under: &str, object: &Map<String, Value>, found: &mut BTreeMap<String, Value>) {
    for (key, value) in own(object) {
        let path = if under.is_empty() { key.clone() } else { format!("{under}.{key}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten(&path, inner, found),
            _ => {
                found.insert(path, value.clone());
            }
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::view;
    use super::*;

    fn lines(desired: Value, reported: Value) -> Vec<(String, Option<String>, Option<String>, Standing)> {
        let properties = view::TwinProperties { desired, reported };
        let twin = HubTwin { properties, ..HubTwin::default() };
        twin_lines(&twin).into_iter().map(|line| (line.key, line.desired, line.reported, line.standing)).collect()
    }

    #[test]
    fn what_the_agent_answers_stands_beside_what_is_desired() {
        let desired = json!({"measureEveryS": 60, "maxPerS": 0, "logFilter": "debug", "$version": 7,
            "$metadata": {"measureEveryS": {"$lastUpdated": "2026-06-01T12:00:00Z"}}});
        let reported = json!({"agent": {"version": "0.1.0"}, "settings": {
            "measureEveryS": {"value": 60, "version": 7, "status": "applied"},
            "maxPerS": {"value": null, "version": 7, "status": "refused", "error": "1 to 100,000"},
            "logFilter": {"value": "info", "version": 6, "status": "applied"}}, "$version": 12});
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            lines(desired, reported),
            [
                ("logFilter".to_owned(), some("debug"), some("info"), Standing::Waits),
                ("maxPerS".to_owned(), some("0"), None, Standing::Refused("1 to 100,000".to_owned())),
                ("measureEveryS".to_owned(), some("60"), some("60"), Standing::Same),
                ("agent.version".to_owned(), None, some("0.1.0"), Standing::Own),
            ]
        );
    }

    #[test]
    fn a_refusal_of_an_earlier_version_is_none_of_this_one() {
        let reported = json!({"settings": {"maxPerS": {"value": 5, "version": 6, "status": "refused", "error": "no"}}});
        let found = lines(json!({"maxPerS": 9, "$version": 7}), reported);
        assert_eq!(found[0].3, Standing::Waits);
    }

    #[test]
    fn what_a_method_overruled_is_not_as_desired_though_its_value_is_repeated() {
        let reported = json!({"settings": {"measureEveryS": {"value": 5, "version": 6, "status": "overruled",
            "error": "the method set_interval asked for 7 s after it"}}});
        let found = lines(json!({"measureEveryS": 5, "$version": 7}), reported.clone());
        let why = "the method set_interval asked for 7 s after it".to_owned();
        assert_eq!(found[0].3, Standing::Overruled(why));
        assert_eq!(lines(json!({"measureEveryS": 9, "$version": 8}), reported)[0].3, Standing::Waits);
    }

    #[test]
    fn a_model_that_waits_for_its_link_says_so_as_a_whole() {
        let desired = json!({"model": {"name": "roof", "version": "2", "sha256": "ab"}, "$version": 7});
        let why = "waits for a link to fetch it";
        let reported = json!({"settings": {"model": {"value": "anomaly-persistence-1", "version": 7, "status": "waiting",
            "error": why}}});
        let found = lines(desired, reported);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0.as_str(), &found[0].3), ("model", &Standing::WaitsFor(why.to_owned())));
        assert_eq!(found[0].2.as_deref(), Some("anomaly-persistence-1"));
    }

    #[test]
    fn another_devices_properties_are_compared_by_name_and_depth() {
        let found =
            lines(json!({"fan": {"rpm": 900, "on": true}}), json!({"fan": {"rpm": 850, "on": true}, "x": "\u{1b}[2J"}));
        let standing: Vec<_> = found.iter().map(|line| (line.0.as_str(), line.3.clone())).collect();
        assert_eq!(standing, [("fan.on", Standing::Same), ("fan.rpm", Standing::Waits), ("x", Standing::Own)]);
        assert_eq!(found[2].2.as_deref(), Some("[2J"), "no control character reaches a terminal");
    }

    #[test]
    fn nothing_on_either_side_is_no_line() {
        assert!(lines(Value::Null, json!({"$version": 1})).is_empty());
    }
}
