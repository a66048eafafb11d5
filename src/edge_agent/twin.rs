//! Desired properties: validated, applied without a restart, kept, and answered key by key.
//!
//! Each key is the twin's name of a setting and keeps that setting's bounds. A key that is removed gives the setting's
//! own value back. One that isn't taken is refused with its words and changes nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::report::{Verdict, VerdictStatus};
use crate::settings::{self, AgentSettings, CameraSettings, LinkSettings};
use crate::station::text::printable;

/// A desired value longer than this, as JSON, isn't repeated in the report, bytes.
const MAX_ECHO: usize = 512;
/// Unknown keys answered at most: the reported properties have room for 32 KB.
const MAX_UNKNOWN: usize = 32;
/// Characters of an unknown key that are repeated.
const MAX_NAME: usize = 64;

/// The keys of the twin, each with the setting whose bounds it keeps.
pub const KEYS: [(&str, &str); 7] = [
    ("measureEveryS", "agent.measure_every_s"),
    ("nowcastEveryMin", "agent.nowcast_every_min"),
    ("healthEveryMin", "agent.health_every_min"),
    ("captureEveryMin", "camera.every_min"),
    ("budgetMibPerDay", "link.budget_mib_per_day"),
    ("maxPerS", "link.max_per_s"),
    ("logFilter", "log.filter"),
];

/// The desired property that says which model should make the nowcasts: no setting, and judged by the slot.
pub const MODEL: &str = "model";

/// What the agent goes by: the settings, under the twin's desired properties.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effective {
    /// Least seconds between two measurements; absent takes every reading.
    pub measure_every_s: Option<u32>,
    /// Minutes between nowcasts.
    pub nowcast_every_min: u32,
    /// Minutes between health messages.
    pub health_every_min: u32,
    /// Minutes between pictures; absent takes one only when asked.
    pub capture_every_min: Option<u32>,
    /// MiB a day that may be sent; absent is no bound.
    pub budget_mib_per_day: Option<f64>,
    /// Messages a second at most; absent is the link's own choice.
    pub max_per_s: Option<u32>,
    /// The log's filter.
    pub log_filter: String,
}

impl Effective {
    /// The settings' own values.
    #[must_use]
    pub fn of(agent: &AgentSettings, camera: &CameraSettings, link: &LinkSettings, log_filter: &str) -> Self {
        Self {
            measure_every_s: agent.measure_every_s,
            nowcast_every_min: agent.nowcast_every_min,
            health_every_min: agent.health_every_min,
            capture_every_min: camera.every_min,
            budget_mib_per_day: link.budget_mib_per_day,
            max_per_s: link.max_per_s,
            log_filter: log_filter.to_owned(),
        }
    }

    fn put(&mut self, key: &str, value: &toml::Value) {
        let whole = value.as_integer().and_then(|number| u32::try_from(number).ok());
        match (key, whole) {
            ("measureEveryS", Some(_)) => self.measure_every_s = whole,
            ("nowcastEveryMin", Some(minutes)) => self.nowcast_every_min = minutes,
            ("healthEveryMin", Some(minutes)) => self.health_every_min = minutes,
            ("captureEveryMin", Some(_)) => self.capture_every_min = whole,
            ("maxPerS", Some(_)) => self.max_per_s = whole,
            ("budgetMibPerDay", _) => self.budget_mib_per_day = value.as_float(),
            ("logFilter", _) => value.as_str().unwrap_or_default().clone_into(&mut self.log_filter),
            _ => {}
        }
    }
}

/// What the agent can do where it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Whether it has a camera.
    pub camera: bool,
    /// Whether its log's filter can be changed while it runs.
    pub log_filter: bool,
}

/// What is kept of the twin, so that it holds over a restart without a network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeptTwin {
    /// Version of the desired properties; 0 before the first.
    pub version: u64,
    /// The desired properties.
    pub desired: Map<String, Value>,
    /// The version with which each key got its present value.
    pub since: BTreeMap<String, u64>,
    /// The interval that `set_interval` asked for after the twin had last spoken of it, seconds.
    pub interval_s: Option<u32>,
}

impl KeptTwin {
    /// Takes in the whole of the desired properties.
    pub fn replace(&mut self, version: u64, desired: &Value) {
        let desired = desired.as_object().map(without_meta).unwrap_or_default();
        self.take(version, desired);
    }

    /// Takes in a change (a JSON merge patch). One that is older than what is kept changes nothing.
    pub fn patch(&mut self, version: u64, patch: &Value) {
        if version <= self.version {
            return;
        }
        let mut desired = self.desired.clone();
        if let Some(patch) = patch.as_object() {
            merge(&mut desired, &without_meta(patch));
        }
        self.take(version, desired);
    }

    fn take(&mut self, version: u64, desired: Map<String, Value>) {
        if self.desired.get("measureEveryS") != desired.get("measureEveryS") {
            self.interval_s = None;
        }
        self.since.retain(|key, _| desired.contains_key(key));
        for (key, value) in &desired {
            if self.desired.get(key) != Some(value) || !self.since.contains_key(key) {
                self.since.insert(key.clone(), version);
            }
        }
        (self.version, self.desired) = (version, desired);
    }

    /// What holds of it over `own`, the settings' values, and what became of each key.
    #[must_use]
    pub fn apply(&self, own: &Effective, abilities: Abilities) -> (Effective, BTreeMap<String, Verdict>) {
        let mut effective = own.clone();
        let mut verdicts = BTreeMap::new();
        let mut unknown = 0;
        for (name, value) in self.desired.iter().filter(|(name, _)| *name != MODEL) {
            let known = KEYS.iter().any(|(key, _)| key == name);
            if !known {
                unknown += 1;
                if unknown > MAX_UNKNOWN {
                    continue;
                }
            }
            let judged = judge(name, value).and_then(|accepted| match name.as_str() {
                "captureEveryMin" if !abilities.camera => {
                    Err("there is no camera; set camera.command, camera.device, camera.folder or camera.url on it"
                        .to_owned())
                }
                "logFilter" if !abilities.log_filter => {
                    Err("this agent's log keeps the filter that it started with".to_owned())
                }
                _ => Ok(accepted),
            });
            let (status, error) = match judged {
                Ok(accepted) => {
                    effective.put(name, &accepted);
                    match self.interval_s {
                        Some(seconds) if name == "measureEveryS" => (
                            VerdictStatus::Overruled,
                            Some(format!("the method set_interval asked for {seconds} s after it")),
                        ),
                        _ => (VerdictStatus::Applied, None),
                    }
                }
                Err(words) => (VerdictStatus::Refused, Some(words)),
            };
            let version = self.since.get(name).copied().unwrap_or(self.version);
            let name: String = printable(name).chars().take(MAX_NAME).collect();
            verdicts.insert(name, Verdict { value: echo(value), version, status, error });
        }
        if self.interval_s.is_some() {
            effective.measure_every_s = self.interval_s;
        }
        (effective, verdicts)
    }
}

/// The reported properties' `settings`.
#[must_use]
pub fn reported_settings(verdicts: &BTreeMap<String, Verdict>) -> Value {
    json!(verdicts)
}

/// The value of a key, if its setting takes it.
pub fn judge(name: &str, value: &Value) -> Result<toml::Value, String> {
    let Some((_, path)) = KEYS.iter().find(|(key, _)| *key == name) else {
        let known: Vec<_> = KEYS.iter().map(|(key, _)| *key).collect();
        return Err(format!("no such setting; there are {}, {MODEL}", known.join(", ")));
    };
    let Some(setting) = settings::KEYS.iter().find(|key| key.path == *path) else {
        return Err(format!("{path} isn't a setting of this version"));
    };
    let given = match value {
        Value::Number(number) if number.is_i64() => toml::Value::Integer(number.as_i64().unwrap_or_default()),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            // A twin's editor may write 60 as 60.0.
            #[expect(clippy::cast_possible_truncation, reason = "a whole number far below 2^53")]
            if number.fract() == 0.0 && number.abs() < 1e15 {
                toml::Value::Integer(number as i64)
            } else {
                toml::Value::Float(number)
            }
        }
        Value::String(text) => toml::Value::String(text.clone()),
        Value::Bool(flag) => toml::Value::Boolean(*flag),
        _ => toml::Value::String(String::new()),
    };
    setting.takes.accept(&given).ok_or_else(|| format!("expected {}", setting.takes.words()))
}

fn echo(value: &Value) -> Value {
    if value.to_string().len() > MAX_ECHO { Value::Null } else { value.clone() }
}

/// IoT Hub's own `$version` and `$metadata` aren't properties.
fn without_meta(desired: &Map<String, Value>) -> Map<String, Value> {
    let own = desired.iter().filter(|(key, _)| !key.starts_with('$'));
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// RFC 7396.
fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => drop(target.remove(key)),
            Value::Object(inner) => {
                let entry = target.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !entry.is_object() {
                    *entry = Value::Object(Map::new());
                }
                if let Value::Object(entry) = entry {
                    merge(entry, inner);
                }
            }
            value => drop(target.insert(key.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Abilities = Abilities { camera: true, log_filter: true };
    const NONE: Abilities = Abilities { camera: false, log_filter: false };

    fn own() -> Effective {
        Effective::of(&AgentSettings::default(), &CameraSettings::default(), &LinkSettings::default(), "info")
    }

    #[test]
    fn every_key_is_a_setting_and_is_applied() {
        for (_, path) in KEYS {
            assert!(settings::KEYS.iter().any(|key| key.path == path), "{path}");
        }
        let mut twin = KeptTwin::default();
        let desired = json!({"measureEveryS": 60, "nowcastEveryMin": 20.0, "healthEveryMin": 5, "captureEveryMin": 15,
            "budgetMibPerDay": 2, "maxPerS": 50, "logFilter": "debug", "$version": 4});
        twin.replace(4, &desired);
        let (effective, verdicts) = twin.apply(&own(), ALL);
        let expected = Effective {
            measure_every_s: Some(60),
            nowcast_every_min: 20,
            health_every_min: 5,
            capture_every_min: Some(15),
            budget_mib_per_day: Some(2.0),
            max_per_s: Some(50),
            log_filter: "debug".into(),
        };
        assert_eq!(effective, expected);
        assert_eq!(verdicts.len(), KEYS.len());
        assert!(verdicts.values().all(|v| v.status == VerdictStatus::Applied && v.version == 4));
        let (_, verdicts) = twin.apply(&own(), NONE);
        for key in ["captureEveryMin", "logFilter"] {
            assert_eq!(verdicts[key].status, VerdictStatus::Refused);
        }
    }

    #[test]
    fn what_is_not_taken_is_refused_with_words_and_changes_nothing_else() {
        let mut twin = KeptTwin::default();
        let long = "x".repeat(2000);
        let desired = json!({"measureEveryS": 0, "maxPerS": "many", "nowcastEveryMin": 10.5, "healthEveryMin": [1],
            "budgetMibPerDay": 0.1, "logFilter": "a=b=c", "colour\u{1b}": long});
        twin.replace(7, &desired);
        let (effective, verdicts) = twin.apply(&own(), ALL);
        assert_eq!(effective, Effective { budget_mib_per_day: Some(0.1), ..own() });
        let error = |key: &str| verdicts[key].error.clone().expect("refused");
        assert_eq!(error("measureEveryS"), "expected a whole number from 1 to 3600");
        assert_eq!(error("maxPerS"), "expected a whole number from 1 to 100000");
        assert!(error("logFilter").starts_with("expected a level"));
        assert!(error("colour").starts_with("no such setting; there are measureEveryS, "));
        assert_eq!(verdicts["colour"].value, Value::Null, "too long to be repeated");
        assert_eq!(verdicts["healthEveryMin"].status, VerdictStatus::Refused);
        let json = reported_settings(&verdicts);
        assert_eq!(json["budgetMibPerDay"], json!({"value": 0.1, "version": 7, "status": "applied"}));
        assert_eq!(json["maxPerS"]["status"], "refused");
    }

    #[test]
    fn patches_merge_null_gives_the_settings_own_value_back_and_an_old_patch_changes_nothing() {
        let mut twin = KeptTwin::default();
        twin.replace(1, &json!({"measureEveryS": 60, "maxPerS": 5}));
        twin.patch(2, &json!({"maxPerS": null, "healthEveryMin": 2, "$version": 2}));
        let (effective, verdicts) = twin.apply(&own(), ALL);
        assert_eq!(effective, Effective { measure_every_s: Some(60), health_every_min: 2, ..own() });
        assert_eq!((verdicts["measureEveryS"].version, verdicts["healthEveryMin"].version), (1, 2));
        assert!(!verdicts.contains_key("maxPerS"));
        let before = twin.clone();
        twin.patch(2, &json!({"measureEveryS": 9}));
        assert_eq!(twin, before);
        twin.patch(3, &json!({"deep": {"a": 1}}));
        twin.patch(4, &json!({"deep": {"a": null, "b": 2}}));
        assert_eq!(twin.desired["deep"], json!({"b": 2}));
        let again: KeptTwin = serde_json::from_value(json!(twin)).expect("kept and read");
        assert_eq!(again, twin);
    }

    #[test]
    fn an_interval_asked_for_by_method_holds_until_the_twin_says_otherwise() {
        let mut twin = KeptTwin::default();
        twin.replace(1, &json!({"measureEveryS": 60}));
        twin.interval_s = Some(5);
        twin.replace(1, &json!({"measureEveryS": 60}));
        twin.patch(2, &json!({"maxPerS": 5}));
        let (effective, verdicts) = twin.apply(&own(), ALL);
        assert_eq!(effective.measure_every_s, Some(5), "the twin was silent on it");
        assert_eq!(verdicts["measureEveryS"].status, VerdictStatus::Overruled);
        twin.patch(3, &json!({"measureEveryS": 30}));
        assert_eq!(twin.apply(&own(), ALL).0.measure_every_s, Some(30));
        twin.interval_s = Some(5);
        twin.patch(4, &json!({"measureEveryS": null}));
        assert_eq!(twin.apply(&own(), ALL).0.measure_every_s, None);
    }

    #[test]
    fn a_flood_of_unknown_keys_is_answered_within_bounds() {
        let mut twin = KeptTwin::default();
        let many: Map<String, Value> = (0..500).map(|i| (format!("k{i}"), json!(i))).collect();
        twin.replace(1, &Value::Object(many));
        let (_, verdicts) = twin.apply(&own(), ALL);
        assert_eq!(verdicts.len(), MAX_UNKNOWN);
        assert!(reported_settings(&verdicts).to_string().len() < 32 * 1024);
    }
}
