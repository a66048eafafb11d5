//! One settings file: read, split into settings with their lines, checked against the table of keys.

use std::path::{Path, PathBuf};

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::error::{Place, SettingsError};
use super::keys::{self, SENSORS, Takes};
use super::sensors;
use crate::station::text::printable;

/// Largest settings file that is read, bytes: far more than any needs, far less than memory.
const MAX_BYTES: u64 = 1024 * 1024;

/// One setting as a file gives it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// `section.name`, or `sensors.NAME.name`.
    pub key: String,
    pub value: Value,
    /// From 1.
    pub line: usize,
}

/// The text of the file at `path`; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, SettingsError> {
    let failed = |reason: String| SettingsError::Unreadable { file: path.to_owned(), reason };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    if metadata.is_dir() {
        return Err(SettingsError::Folder { file: path.to_owned() });
    }
    if metadata.len() > MAX_BYTES {
        return Err(failed(format!("{} bytes is more than the {MAX_BYTES} a settings file may have", metadata.len())));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        SettingsError::Syntax { file: path.to_owned(), line, reason: "not UTF-8; save the file as UTF-8".into() }
    })
}

/// The settings in `text`, in no particular order. `file` is what errors name; relative paths are taken from
/// its folder.
pub(super) fn parse(text: &str, file: &Path) -> Result<Vec<Entry>, SettingsError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = DeTable::parse(text).map_err(|error| SettingsError::Syntax {
        file: file.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        reason: printable(error.message()),
    })?;
    let mut found = Vec::new();
    for (section, body) in document.get_ref() {
        let line = line_of(text, section.span().start);
        let name = section.get_ref().as_ref();
        match body.get_ref() {
            _ if !keys::is_section(name) => found.push((line, Err(unknown(file, line, name)))),
            DeValue::Table(body) if name == SENSORS => {
                for (sensor, body) in body {
                    let line = line_of(text, sensor.span().start);
                    let name = sensor.get_ref().as_ref();
                    match body.get_ref() {
                        _ if !sensors::is_name(name) => {
                            let key = format!("{SENSORS}.{name}");
                            found.push((line, Err(wrong(file, line, &key, "so called".into(), sensors::NAME.into()))));
                        }
                        DeValue::Table(body) if body.is_empty() => {
                            let place = Place::Line(file.to_owned(), line).to_string();
                            let words = sensors::no_kind(name);
                            found.push((line, Err(SettingsError::Sensor { place, words })));
                        }
                        DeValue::Table(body) => {
                            for (key, value) in body {
                                let line = line_of(text, key.span().start);
                                found.push((line, sensor_entry(file, line, name, key.get_ref(), value.get_ref())));
                            }
                        }
                        other => {
                            let wanted = format!("a section, written [{SENSORS}.{name}]");
                            found.push((
                                line,
                                Err(wrong(file, line, &format!("{SENSORS}.{name}"), shown(other), wanted)),
                            ));
                        }
                    }
                }
            }
            DeValue::Table(body) => {
                for (key, value) in body {
                    let line = line_of(text, key.span().start);
                    found.push((line, entry(file, line, &format!("{name}.{}", key.get_ref()), value.get_ref())));
                }
            }
            other => {
                found.push((line, Err(wrong(file, line, name, shown(other), format!("a section, written [{name}]")))))
            }
        }
    }
    // The parser sorts by name; a person reads by line, and so the first error is the one highest in the file.
    found.sort_by_key(|(line, _)| *line);
    found.into_iter().map(|(_, entry)| entry).collect()
}

fn entry(file: &Path, line: usize, path: &str, value: &DeValue<'_>) -> Result<Entry, SettingsError> {
    let key = keys::find(path).ok_or_else(|| unknown(file, line, path))?;
    let value = taken(file, line, path, key.takes, value)?;
    Ok(Entry { key: path.to_owned(), value, line })
}

/// One setting of the sensor `name`.
fn sensor_entry(file: &Path, line: usize, name: &str, key: &str, value: &DeValue<'_>) -> Result<Entry, SettingsError> {
    let path = format!("{SENSORS}.{name}.{key}");
    let known = sensors::find(key)
        .ok_or_else(|| SettingsError::unknown_of_sensor(Place::Line(file.to_owned(), line), &path, key))?;
    let value = taken(file, line, &path, known.takes, value)?;
    Ok(Entry { key: path, value, line })
}

fn taken(file: &Path, line: usize, path: &str, takes: Takes, value: &DeValue<'_>) -> Result<Value, SettingsError> {
    let accepted = plain(value).and_then(|value| takes.accept(&value));
    match (takes, accepted) {
        (Takes::Path, Some(Value::String(path))) => Ok(Value::String(from_folder(file, &path))),
        (_, Some(value)) => Ok(value),
        (_, None) => {
            let found = shown_for(takes, || shown(value));
            Err(wrong(file, line, path, found, takes.words()))
        }
    }
}

fn unknown(file: &Path, line: usize, path: &str) -> SettingsError {
    SettingsError::unknown(Place::Line(file.to_owned(), line), path)
}

fn wrong(file: &Path, line: usize, key: &str, found: String, wanted: String) -> SettingsError {
    let place = Place::Line(file.to_owned(), line);
    SettingsError::Value { place, key: printable(key), found, wanted }
}

/// A relative path in a file is meant from the file's folder, wherever skydeck is started.
fn from_folder(file: &Path, path: &str) -> String {
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    folder.join(path).to_string_lossy().into_owned()
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

fn plain(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::String(text.to_string())),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Integer),
        DeValue::Float(number) => number.as_str().parse().ok().map(Value::Float),
        DeValue::Boolean(flag) => Some(Value::Boolean(*flag)),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => shown_text(text),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(moment) => format!("the date {moment}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a section".to_owned(),
    }
}

/// What is refused, as `shown` says it, or without a word of it where it may be a secret.
pub(super) fn shown_for(takes: Takes, shown: impl FnOnce() -> String) -> String {
    let found = shown();
    if matches!(takes, Takes::Secret) || found.to_ascii_uppercase().contains("SECRET-KEY") {
        return "something else (not shown, it may be a secret)".to_owned();
    }
    found
}

/// `text` between quotes, printable, cut at 60 characters.
pub(super) fn shown_text(text: &str) -> String {
    let printable = printable(text);
    if printable.chars().count() > 60 {
        format!("\"{}…\"", printable.chars().take(59).collect::<String>())
    } else {
        format!("\"{printable}\"")
    }
}
