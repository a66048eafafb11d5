//! `skydeck config`: the settings that hold and the template.

use serde_json::{Map, Value, json};

use super::args::Global;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{Output, Paint};
use crate::settings::{Loaded, template};

/// Writes the settings that hold: as TOML that can be read again, or as JSON.
pub fn show(context: &Context, origin: bool) -> Result<Exit, Failure> {
    let output = context.output;
    if output.json {
        output.json_page(&as_json(&context.loaded, origin))?;
    } else {
        output.text(&as_toml(&context.loaded, origin, output))?;
    }
    Ok(Exit::Done)
}

/// Writes every setting with its default and comment; after it, what the environment sets otherwise.
pub fn template(global: &Global) -> Result<Exit, Failure> {
    Output::new(false, global.no_color).text(template::DEFAULTS)?;
    Ok(Exit::Done)
}

/// The settings that hold as a settings file, with where each comes from where `origin`.
pub fn as_toml(loaded: &Loaded, origin: bool, output: Output) -> String {
    let mut text = String::new();
    let mut section = "";
    for (key, value, from) in loaded.entries() {
        if key.section() != section {
            section = key.section();
            let break_before = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{break_before}{}\n", output.paint(Paint::Bold, &format!("[{section}]"))));
        }
        let line = match value {
            Some(value) => format!("{} = {value}", key.name()),
            None => output.paint(Paint::Dim, &format!("# {} is not set", key.name())),
        };
        match value {
            Some(_) if origin => {
                text.push_str(&format!("{line:<44} {}\n", output.paint(Paint::Dim, &format!("# {from}"))));
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    let mut sensor = "";
    for (path, value, from) in loaded.sensor_entries() {
        let Some((section, name)) = path.rsplit_once('.') else { continue };
        if section != sensor {
            sensor = section;
            text.push_str(&format!("\n{}\n", output.paint(Paint::Bold, &format!("[{section}]"))));
        }
        let line = format!("{name} = {value}");
        if origin {
            text.push_str(&format!("{line:<44} {}\n", output.paint(Paint::Dim, &format!("# {from}"))));
        } else {
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}

fn as_json(loaded: &Loaded, origin: bool) -> Value {
    let mut sections: Map<String, Value> = Map::new();
    for (key, value, from) in loaded.entries() {
        let value = value.map_or(Value::Null, |value| json!(value));
        let shown = if origin { json!({ "value": value, "origin": from }) } else { value };
        if let Value::Object(section) = sections.entry(key.section()).or_insert_with(|| json!({})) {
            section.insert(key.name().to_owned(), shown);
        }
    }
    let mut sensors: Map<String, Value> = Map::new();
    for (path, value, from) in loaded.sensor_entries() {
        let Some((sensor, name)) = path.strip_prefix("sensors.").and_then(|rest| rest.split_once('.')) else {
            continue;
        };
        let shown = if origin { json!({ "value": value, "origin": from }) } else { json!(value) };
        if let Value::Object(sensor) = sensors.entry(sensor).or_insert_with(|| json!({})) {
            sensor.insert(name.to_owned(), shown);
        }
    }
    if !sensors.is_empty() {
        sections.insert("sensors".to_owned(), Value::Object(sensors));
    }
    Value::Object(sections)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{EnvironmentName, Layers, Settings, load};

    #[test]
    fn what_is_shown_can_be_read_again() {
        let flags = vec![("--speed", "source.speed", "7".to_owned())];
        let loaded = load(&EnvironmentName::demo(), &Layers { flags, ..Layers::default() }).expect("loads");
        let plain = Output { json: false, color: false };
        for origin in [false, true] {
            let read: Settings = toml::from_str(&as_toml(&loaded, origin, plain)).expect("TOML");
            assert_eq!(read, loaded.settings);
        }
        assert!(as_toml(&loaded, true, plain).contains("speed = 7                                    # --speed\n"));
        assert_eq!(
            as_json(&loaded, true)["source"]["speed"],
            json!({"value": 7, "origin": {"from": "flag", "name": "--speed"}})
        );
        assert_eq!(as_json(&loaded, false)["source"]["path"], Value::Null);
        let set = |key: &str, value: &str| (format!("SKYDECK_SENSORS__ROOF__{key}").into(), value.into());
        let variables = vec![set("KIND", "bme280"), set("INTERVAL_S", "7")];
        let loaded = load(&EnvironmentName::demo(), &Layers { variables, ..Layers::default() }).expect("loads");
        let read: Settings = toml::from_str(&as_toml(&loaded, true, plain)).expect("TOML");
        assert_eq!((read.sensors.len(), &read), (1, &loaded.settings));
        assert_eq!(as_json(&loaded, false)["sensors"]["roof"]["address"], json!(0x76));
        assert_eq!(
            as_json(&loaded, true)["sensors"]["roof"]["interval_s"],
            json!({"value": 7, "origin": {"from": "variable", "name": "SKYDECK_SENSORS__ROOF__INTERVAL_S"}})
        );
    }
}
