//! `[sensors.NAME]`: the table of what each kind of sensor can be told, and the check of one that is whole.
//!
//! Such sections aren't in [`super::KEYS`]: their names are the user's. Every key has its bounds, its kinds and its
//! default here; [`model`] has the same in types. `config/default.toml` has an example of every kind, held to this
//! table by a test.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use super::keys::Takes;
use super::layers::Origin;

pub mod mapping;
pub mod model;
#[cfg(test)]
mod tests;

use mapping::Mapping;
use model::SensorSettings;

/// The kinds, as `kind` names them.
pub const KINDS: [&str; 10] =
    ["bme280", "bh1750", "tsl2591", "sound", "serial", "command", "mqtt", "rain", "wind", "vane"];
/// Kinds on an I²C bus.
const I2C: &[&str] = &["bme280", "bh1750", "tsl2591"];
/// Kinds whose lines or messages are mapped to variables.
const MAPPED: &[&str] = &["serial", "command", "mqtt"];
/// Kinds on a GPIO line.
const PULSES: &[&str] = &["rain", "wind"];
/// Kinds that are read, or put together, each interval.
const TIMED: &[&str] = &["bme280", "bh1750", "tsl2591", "sound", "wind", "vane"];
/// Kinds that send by themselves.
const SENDING: &[&str] = &["sound", "serial"];

const MAPPING: &str =
    "a place, and where needed a scale and an offset, as in \"temp\", \"/bme/p * 0.01\" or \"3 * 0.1 - 40\"";

/// One setting of a sensor.
#[derive(Debug, Clone, Copy)]
pub struct SensorKey {
    /// Its name, as in `interval_s`.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// The kinds that have it.
    pub kinds: &'static [&'static str],
    /// Whether it has to be set.
    pub presence: Presence,
}

/// Whether a setting has to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It has to be.
    Needed,
    /// It may be left out.
    Optional,
    /// Left out, it is this, in TOML.
    Default(&'static str),
}

const fn key(name: &'static str, takes: Takes, kinds: &'static [&'static str], presence: Presence) -> SensorKey {
    SensorKey { name, takes, kinds, presence }
}

use Presence::{Default, Needed, Optional};

/// Every setting of every kind; one with several defaults stands once for each.
pub const SENSOR_KEYS: &[SensorKey] = &[
    key("kind", Takes::OneOf(&KINDS), &KINDS, Needed),
    key("rank", Takes::Whole(1, 100), &KINDS, Default("1")),
    key(
        "only",
        Takes::Text(mapping::is_list, "variables with commas between, as in \"humidity, pressure\""),
        &KINDS,
        Optional,
    ),
    key("retry_s", Takes::Whole(1, 3600), &KINDS, Default("60")),
    key("interval_s", Takes::Whole(1, 3600), TIMED, Default("5")),
    key("interval_s", Takes::Whole(1, 3600), &["command"], Default("60")),
    key("bus", Takes::Path, I2C, Default("\"/dev/i2c-1\"")),
    key("address", Takes::Whole(8, 119), &["bme280"], Default("0x76")),
    key("address", Takes::Whole(8, 119), &["bh1750"], Default("0x23")),
    key("address", Takes::Whole(8, 119), &["tsl2591"], Default("0x29")),
    key(
        "command",
        Takes::Text(is_command, "a program and its arguments"),
        &["sound"],
        Default("\"arecord -q -t raw -f S16_LE -r 48000 -c 1\""),
    ),
    key("command", Takes::Text(is_command, "a program and its arguments"), &["command"], Needed),
    key("timeout_s", Takes::Whole(1, 600), &["command"], Default("10")),
    key("rate_hz", Takes::Whole(44_100, 192_000), &["sound"], Default("48000")),
    key("full_scale_dba", Takes::Number(60.0, 200.0), &["sound"], Default("120.0")),
    key("device", Takes::Path, &["serial"], Needed),
    key("baud", Takes::Whole(300, 4_000_000), &["serial"], Default("115200")),
    key("format", Takes::OneOf(&["json", "csv"]), &["serial", "command"], Default("\"json\"")),
    key("silent_s", Takes::Whole(1, 86_400), SENDING, Default("60")),
    key("silent_s", Takes::Whole(1, 86_400), &["mqtt"], Default("600")),
    key("broker", Takes::Text(super::keys::is_host, super::keys::HOST), &["mqtt"], Default("\"127.0.0.1\"")),
    key("port", Takes::Whole(1, 65_535), &["mqtt"], Default("1883")),
    key("username", Takes::Text(is_command, "1 to 400 characters"), &["mqtt"], Optional),
    key("password", Takes::Secret, &["mqtt"], Optional),
    key("rain_is", Takes::OneOf(&["amount", "total"]), MAPPED, Default("\"amount\"")),
    key("temperature", Takes::Text(mapping::is_mapping, MAPPING), MAPPED, Optional),
    key("humidity", Takes::Text(mapping::is_mapping, MAPPING), MAPPED, Optional),
    key("pressure", Takes::Text(mapping::is_mapping, MAPPING), MAPPED, Optional),
    key("light", Takes::Text(mapping::is_mapping, MAPPING), MAPPED, Optional),
    key("sound", Takes::Text(mapping::is_mapping, MAPPING), MAPPED, Optional),
    key("rain", Takes::Text(mapping::is_mapping, MAPPING), MAPPED, Optional),
    key("wind_speed", Takes::Text(mapping::is_mapping, MAPPING), MAPPED, Optional),
    key("wind_direction", Takes::Text(mapping::is_mapping, MAPPING), MAPPED, Optional),
    key("chip", Takes::Path, PULSES, Default("\"/dev/gpiochip0\"")),
    key("line", Takes::Whole(0, 1023), PULSES, Needed),
    key("edge", Takes::OneOf(&["falling", "rising"]), PULSES, Default("\"falling\"")),
    key("bias", Takes::OneOf(&["pull-up", "pull-down", "as-is"]), PULSES, Default("\"pull-up\"")),
    key("debounce_ms", Takes::Whole(0, 1000), &["rain"], Default("100")),
    key("debounce_ms", Takes::Whole(0, 1000), &["wind"], Default("2")),
    key("mm_per_tip", Takes::Number(0.001, 10.0), &["rain"], Needed),
    key("ms_per_hz", Takes::Number(0.001, 100.0), &["wind"], Needed),
    key("offset_ms", Takes::Number(0.0, 10.0), &["wind"], Default("0.0")),
    key("path", Takes::Path, &["vane"], Needed),
    key(
        "table",
        Takes::Text(mapping::is_table, "degrees=value pairs with commas, as in \"0=3143, 90=372, 180=1137, 270=3781\""),
        &["vane"],
        Optional,
    ),
    key("deg_per_unit", Takes::Number(-360.0, 360.0), &["vane"], Optional),
    key("north_deg", Takes::Number(0.0, 360.0), &["vane"], Default("0.0")),
];

/// The setting called `name` of some kind: they differ in their defaults alone.
#[must_use]
pub fn find(name: &str) -> Option<&'static SensorKey> {
    SENSOR_KEYS.iter().find(|key| key.name == name)
}

/// The setting's name that is nearest to `name`, if any is near enough to be meant.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    let likely = SENSOR_KEYS.iter().map(|key| (strsim::normalized_damerau_levenshtein(key.name, name), key.name));
    likely.filter(|(likeness, _)| *likeness > 0.6).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// Whether a section may be called `[sensors.NAME]`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    (1..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(plain)
        && !name.contains("__")
}

/// What a sensor's name is, in words.
pub const NAME: &str = "1 to 32 lower-case letters, digits, - and _, a letter first";

fn is_command(text: &str) -> bool {
    (1..=400).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && shlex::split(text).is_some_and(|words| !words.is_empty())
}

/// A sensor's kind isn't set, in words.
pub(super) fn no_kind(name: &str) -> String {
    format!("sensors.{name}.kind is not set; it takes one of {}", KINDS.join(", "))
}

/// The values of one sensor, as they were laid over each other: key → value, origin.
pub(super) type Laid<'a> = BTreeMap<&'a str, (&'a Value, &'a Origin)>;

/// What is wrong with a sensor's section: where, and words.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong {
    pub origin: Option<Origin>,
    pub words: String,
}

/// The defaults that the sensor `name` leaves to its kind; or what it lacks, or has too much.
pub(super) fn complete(name: &str, laid: &Laid<'_>) -> Result<Vec<(&'static str, Value)>, Wrong> {
    let somewhere = laid.values().next().map(|(_, origin)| (*origin).clone());
    let wrong = |origin: Option<&Origin>, words: String| Wrong { origin: origin.cloned(), words };
    let Some(kind) = laid.get("kind").and_then(|(value, _)| value.as_str()) else {
        return Err(Wrong { origin: somewhere, words: no_kind(name) });
    };
    let own: Vec<&SensorKey> = SENSOR_KEYS.iter().filter(|key| key.kinds.contains(&kind)).collect();
    for (key, (_, origin)) in laid {
        if !own.iter().any(|known| known.name == *key) {
            let known: Vec<_> = own.iter().map(|key| key.name).collect();
            let words = format!(
                "sensors.{name}.{key} is set, and a sensor of kind {kind} has no such setting; it has {}",
                known.join(", ")
            );
            return Err(wrong(Some(origin), words));
        }
    }
    let kind_origin = laid.get("kind").map(|(_, origin)| *origin);
    let mut defaults = Vec::new();
    for key in &own {
        match key.presence {
            _ if laid.contains_key(key.name) => {}
            Needed => {
                let words = format!(
                    "sensors.{name}.{} is not set; a sensor of kind {kind} needs it: {}",
                    key.name,
                    key.takes.words()
                );
                return Err(wrong(kind_origin, words));
            }
            Optional => {}
            Default(text) => defaults.extend(literal(text).map(|value| (key.name, value))),
        }
    }
    together(name, kind, laid).map_err(|(key, words)| {
        let origin = laid.get(key).map(|(_, origin)| *origin).or(kind_origin);
        wrong(origin, words)
    })?;
    Ok(defaults)
}

/// What keys of one sensor have to say together.
fn together<'a>(name: &str, kind: &str, laid: &Laid<'_>) -> Result<(), (&'a str, String)> {
    let text = |key: &str| laid.get(key).and_then(|(value, _)| value.as_str());
    if MAPPED.contains(&kind) {
        let mapped: Vec<_> = mapping::NAMES.iter().filter_map(|(key, _)| Some((*key, text(key)?))).collect();
        if mapped.is_empty() {
            let names: Vec<_> = mapping::NAMES.iter().map(|(key, _)| *key).collect();
            return Err(("kind", format!("sensors.{name} maps nothing; set one of {}", names.join(", "))));
        }
        for (key, value) in mapped {
            let Some(mapping) = Mapping::parse(value) else { continue };
            let words = match (kind, text("format").unwrap_or("json")) {
                ("mqtt", _) => mapping
                    .topic()
                    .is_none()
                    .then_some("a topic, and where it sends JSON a pointer, as in \"garden/weather /temp * 0.1\""),
                (_, "csv") => {
                    mapping.column().is_none().then_some("a column's number from 1, as in \"3\" or \"3 * 0.1\"")
                }
                _ => None,
            };
            if let Some(words) = words {
                return Err((key, format!("sensors.{name}.{key} is \"{value}\"; it takes {words}")));
            }
        }
    }
    if kind == "vane" && laid.contains_key("table") == laid.contains_key("deg_per_unit") {
        return Err((
            "kind",
            format!("sensors.{name} needs either table or deg_per_unit, to make degrees of what it reads"),
        ));
    }
    if laid.contains_key("password") && !laid.contains_key("username") {
        return Err(("password", format!("sensors.{name}.password is set without sensors.{name}.username; set both")));
    }
    Ok(())
}

fn literal(text: &str) -> Option<Value> {
    format!("v = {text}").parse::<toml::Table>().ok()?.remove("v")
}

/// Two sensors that give the same variable and are of the same rank, in words.
pub(super) fn clash(sensors: &BTreeMap<String, SensorSettings>) -> Option<(String, String)> {
    let mut seen = BTreeMap::new();
    for (name, sensor) in sensors {
        for variable in sensor.gives() {
            if let Some(other) = seen.insert((variable, sensor.rank), name) {
                let words = format!(
                    "sensors.{other} and sensors.{name} both give {variable}, and both have rank {}; set \
                     sensors.{name}.rank: the lower one is taken, the other stands in when it is absent",
                    sensor.rank
                );
                return Some((name.clone(), words));
            }
        }
    }
    None
}

/// Names of the sensors among `paths`, which are `sensors.NAME.key`.
pub(super) fn names<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    paths.filter_map(|path| path.strip_prefix("sensors.")?.split_once('.').map(|(name, _)| name)).collect()
}
