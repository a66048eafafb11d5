//! Lines and messages, mapped to variables.

use serde_json::Value;

use super::board::Desk;
use crate::settings::sensors::mapping::Mapping;
use crate::settings::sensors::model::{LineFormat, Mapped, RainIs};
use crate::station::Variable;
use crate::station::text::printable;

/// What is taken of a line, and how.
#[derive(Debug)]
pub(super) struct LineMap {
    format: LineFormat,
    rain_is: RainIs,
    mappings: Vec<(Variable, Mapping)>,
}

impl LineMap {
    pub fn new(format: LineFormat, rain_is: RainIs, mapped: &Mapped) -> Self {
        Self { format, rain_is, mappings: mapped.mappings() }
    }

    /// Puts the values of `line` on the desk; what is wrong with it is kept aside. Answers whether it had any value.
    pub fn take(&self, line: &[u8], desk: &Desk) -> bool {
        let read = match self.format {
            LineFormat::Json => self.of_json(line),
            LineFormat::Csv => self.of_csv(line),
        };
        let (values, wrong) = read.unwrap_or_else(|reason| (Vec::new(), vec![reason]));
        put(desk, &values, self.rain_is);
        if !wrong.is_empty() {
            desk.reject(line, &wrong.join("; "));
        }
        !values.is_empty()
    }

    fn of_json(&self, line: &[u8]) -> Result<Read, String> {
        let json: Value =
            serde_json::from_slice(line).map_err(|error| format!("no JSON: {}", printable(&error.to_string())))?;
        let read = self.mappings.iter().map(|(variable, mapping)| {
            let found =
                if mapping.place.starts_with('/') { json.pointer(&mapping.place) } else { json.get(&mapping.place) };
            (*variable, mapping, found.filter(|value| !value.is_null()).map(number))
        });
        collect(read)
    }

    fn of_csv(&self, line: &[u8]) -> Result<Read, String> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(line);
        let mut record = csv::ByteRecord::new();
        reader.read_byte_record(&mut record).map_err(|error| printable(&error.to_string()))?;
        let read = self.mappings.iter().map(|(variable, mapping)| {
            let field = mapping.column().and_then(|column| record.get(column)).filter(|field| !field.is_empty());
            (*variable, mapping, field.map(|field| text_number(&String::from_utf8_lossy(field))))
        });
        collect(read)
    }
}

/// Values, and what is wrong with others.
pub(super) type Read = (Vec<(Variable, f64)>, Vec<String>);

fn collect<'a>(
    read: impl Iterator<Item = (Variable, &'a Mapping, Option<Result<f64, String>>)>,
) -> Result<Read, String> {
    let (mut values, mut wrong, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (variable, mapping, found) in read {
        match found {
            Some(Ok(raw)) => values.push((variable, mapping.apply(raw))),
            Some(Err(reason)) => wrong.push(format!("{variable} at {}: {reason}", printable(&mapping.place))),
            None => places.push(printable(&mapping.place)),
        }
    }
    if values.is_empty() && wrong.is_empty() {
        return Err(format!("holds none of {}", places.join(", ")));
    }
    Ok((values, wrong))
}

/// Puts values on the desk, rain as what it is.
pub(super) fn put(desk: &Desk, values: &[(Variable, f64)], rain_is: RainIs) {
    if values.is_empty() {
        return;
    }
    let total = values.iter().find(|(variable, value)| {
        *variable == Variable::Rain && rain_is == RainIs::Total && value.is_finite() && *value >= 0.0
    });
    if let Some((_, total)) = total {
        desk.put_total(*total, 1.0);
    }
    let others: Vec<_> = values.iter().filter(|of| total != Some(of)).copied().collect();
    if !others.is_empty() {
        desk.put(&others);
    }
}

/// The number that a JSON value is, or that its text is.
pub(super) fn number(value: &Value) -> Result<f64, String> {
    match value {
        Value::Number(number) => number.as_f64().ok_or_else(|| "no number".to_owned()),
        Value::String(text) => text_number(text),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null => Err("no number".to_owned()),
    }
}

/// The number that a text is; `nan` is one that isn't finite, and is flagged later.
pub(super) fn text_number(text: &str) -> Result<f64, String> {
    let shown = || printable(&text.chars().take(40).collect::<String>());
    text.trim().parse().map_err(|_| format!("{:?} is no number", shown()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::board::Taken;
    use super::*;
    use crate::settings::sensors::model::SensorSettings;

    fn settings(text: &str) -> SensorSettings {
        let defaults = "rank = 1\nretry_s = 60\nkind = \"serial\"\ndevice = \"x\"\nbaud = 9600\nsilent_s = 60\n";
        toml::from_str(&format!("{defaults}{text}")).expect("settings")
    }

    fn desk_and_map(text: &str) -> (Desk, LineMap) {
        let settings = settings(text);
        let crate::settings::sensors::model::Driver::Serial(serial) = &settings.driver else { panic!("serial") };
        let map = LineMap::new(serial.format, serial.rain_is, &serial.mapped);
        (Desk::new("board", &settings, &std::sync::Arc::new(tokio::sync::watch::Sender::new(None))), map)
    }

    fn values(taken: Taken) -> Vec<(Variable, f64)> {
        taken.values.into_iter().map(|(variable, value, _)| (variable, value)).collect()
    }

    #[test]
    fn json_is_mapped_by_name_and_by_pointer() {
        let (desk, map) = desk_and_map(
            "format = \"json\"\nrain_is = \"amount\"\ntemperature = \"t * 0.1\"\npressure = \"/bme/p * 0.01\"\nrain = \"r\"",
        );
        assert!(map.take(br#"{"t":"215","bme":{"p":98765.0},"r":0.2}"#, &desk));
        assert!(map.take(br#"{"t":216,"bme":null,"r":0.4}"#, &desk), "what isn't there is absent");
        let taken = desk.take();
        assert_eq!(taken.aside, []);
        let found = values(taken);
        let expected = [(Variable::Temperature, 21.6), (Variable::Pressure, 987.65), (Variable::Rain, 0.6)];
        assert_eq!(found.len(), 3);
        for ((variable, value), (known, wanted)) in found.into_iter().zip(expected) {
            assert!(variable == known && (value - wanted).abs() < 1e-9, "{variable} {value}");
        }
        assert_eq!(desk.take(), Taken::default(), "nothing is repeated");
    }

    #[test]
    fn csv_is_mapped_by_column_and_what_is_good_in_a_line_is_taken() {
        let (desk, map) =
            desk_and_map("format = \"csv\"\nrain_is = \"total\"\ntemperature = \"2\"\nhumidity = \"3\"\nrain = \"4\"");
        assert!(map.take(b"7, 21.5 ,oops,10.0", &desk));
        let taken = desk.take();
        assert_eq!(taken.aside.len(), 1);
        assert_eq!(taken.aside[0].reason, "sensors.board: humidity at 3: \"oops\" is no number");
        assert_eq!(values(taken), [(Variable::Temperature, 21.5)], "the first total has nothing before it");
        assert!(map.take(b"8,21.5,50,10.5", &desk) && map.take(b"9,nan,51,10.75", &desk));
        let found = values(desk.take());
        assert!(found[0].1.is_nan(), "to be flagged");
        assert_eq!(found[1..], [(Variable::Humidity, 51.0), (Variable::Rain, 0.75)]);
        // The board began anew after 11.0, of which a quarter wasn't in a measurement yet.
        assert!(map.take(b"8,21.5,50,11.0", &desk) && map.take(b"9,21.5,51,0.5", &desk));
        assert_eq!(values(desk.take())[2], (Variable::Rain, 0.75));
        assert_eq!(desk.mark(), Some(0.5));
        for (line, words) in [(&b"1"[..], "holds none of 2, 3, 4"), (b"\xff,\xff,\xff", "\"\u{fffd}\" is no number")] {
            assert!(!map.take(line, &desk));
            let taken = desk.take();
            assert!(taken.aside[0].reason.contains(words), "{}", taken.aside[0].reason);
        }
    }

    #[test]
    fn a_flood_of_garbage_is_kept_aside_within_bounds_and_counted() {
        let (desk, map) = desk_and_map("format = \"json\"\nrain_is = \"amount\"\ntemperature = \"t\"");
        for _ in 0..10_000 {
            assert!(!map.take(b"}{", &desk));
        }
        let taken = desk.take();
        assert_eq!(taken.aside.len(), 4);
        assert!(taken.aside[3].reason.ends_with("; and 9996 more since the last measurement, not kept"));
        assert_eq!(desk.report().errors, 10_000);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_fail_otherwise(line in proptest::collection::vec(any::<u8>(), 0..200), csv in any::<bool>()) {
            let format = if csv { "csv" } else { "json" };
            let (desk, map) = desk_and_map(&format!("format = \"{format}\"\nrain_is = \"total\"\ntemperature = \"1\"\nrain = \"2\""));
            let had_value = map.take(&line, &desk);
            let taken = desk.take();
            prop_assert!(had_value || taken.aside.len() == 1);
            prop_assert!(taken.aside.iter().all(|aside| !aside.reason.chars().any(char::is_control)));
        }
    }
}
