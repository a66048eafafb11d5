//! One line of JSON as a reading.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::Stamped;
use crate::station::text::printable;
use crate::station::{QcFlag, Reading, Variable};

/// The fields of a `WeatherMeasurement` that a sensor knows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    #[serde(default, deserialize_with = "given")]
    measured_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "given")]
    temperature_c: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    humidity_pct: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    pressure_hpa: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    illuminance_lx: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    sound_dba: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    rain_mm: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    wind_speed_ms: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    wind_direction_deg: Option<f64>,
    #[serde(default)]
    qc: BTreeMap<Variable, QcFlag>,
}

/// A field that may be left out, but holds a value where it stands: `null` is an error.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a line without its line break. A reading without a time was measured `now`. Errors name the field and
/// are printable.
pub(super) fn parse(line: &str, now: Timestamp) -> Result<(Reading, Stamped), String> {
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let line: Line = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = error.path().to_string();
        let words = error.inner().to_string();
        printable(&if field == "." { words } else { format!("{field}: {words}") })
    })?;
    deserializer.end().map_err(|error| printable(&error.to_string()))?;
    let values: Vec<_> = [
        (Variable::Temperature, line.temperature_c),
        (Variable::Humidity, line.humidity_pct),
        (Variable::Pressure, line.pressure_hpa),
        (Variable::Light, line.illuminance_lx),
        (Variable::Sound, line.sound_dba),
        (Variable::Rain, line.rain_mm),
        (Variable::WindSpeed, line.wind_speed_ms),
        (Variable::WindDirection, line.wind_direction_deg),
    ]
    .into_iter()
    .filter_map(|(variable, value)| value.map(|value| (variable, value)))
    .collect();
    if values.is_empty() {
        return Err("holds no value".to_owned());
    }
    let stamped = if line.measured_at.is_some() { Stamped::ByWriter } else { Stamped::Here };
    Ok((Reading { measured_at: line.measured_at.unwrap_or(now), values, qc: line.qc }, stamped))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_line_is_a_reading() {
        let (reading, stamped) = parse(
            r#" {"measuredAt":"2026-06-01T14:00:00+02:00","temperatureC":14.2,"rainMm":0,"qc":{"rain":"derived"}} "#,
            NOW,
        )
        .expect("a reading");
        assert_eq!(reading.measured_at.to_string(), "2026-06-01T12:00:00Z");
        assert_eq!(reading.values, [(Variable::Temperature, 14.2), (Variable::Rain, 0.0)]);
        assert_eq!(reading.qc, BTreeMap::from([(Variable::Rain, QcFlag::Derived)]));
        assert_eq!(stamped, Stamped::ByWriter);
        let (reading, stamped) = parse(r#"{"soundDba":40}"#, NOW).expect("a reading");
        assert_eq!((reading.measured_at, stamped), (NOW, Stamped::Here));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_field() {
        for (line, words) in [
            (r#"{"temperature":1}"#, "unknown field `temperature`"),
            (r#"{"temperatureC":"1"}"#, "temperatureC: invalid type: string \"1\", expected f64"),
            (r#"{"temperatureC":null}"#, "temperatureC: invalid type: null"),
            (r#"{"humidityPct":NaN}"#, "humidityPct: expected value"),
            (r#"{"humidityPct":1e999}"#, "humidityPct: number out of range"),
            (r#"{"measuredAt":"noon","humidityPct":1}"#, "measuredAt: "),
            (r#"{"humidityPct":1,"humidityPct":2}"#, "duplicate field `humidityPct`"),
            (r#"{"humidityPct":1} {}"#, "trailing characters"),
            (r#"{"measuredAt":"2026-06-01T12:00:00Z"}"#, "holds no value"),
            ("[1]", "invalid type"),
            ("", "EOF"),
        ] {
            let reason = parse(line, NOW).expect_err(line);
            assert!(reason.contains(words), "{line}: {reason}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail_otherwise(line in ".{0,200}") {
            if let Err(reason) = parse(&line, NOW) {
                prop_assert!(!reason.is_empty() && !reason.chars().any(char::is_control));
            }
        }

        #[test]
        fn every_finite_value_arrives_exactly(temperature in -1e6f64..1e6, wind in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let line = serde_json::json!({"temperatureC": temperature, "windSpeedMs": wind}).to_string();
            let (reading, _) = parse(&line, NOW).expect("a reading");
            prop_assert_eq!(reading.values, vec![(Variable::Temperature, temperature), (Variable::WindSpeed, wind)]);
        }
    }
}
