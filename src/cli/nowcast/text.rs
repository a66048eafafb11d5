//! Packages and models for people.

use crate::cli::output::{Output, Paint};
use crate::cli::table::{Align, table};
use crate::owner::models::{DeviceModel, Inspection, ModelAnswer, PublishedModel};
use crate::station::text::printable;

use Align::{Left, Right};

/// Digits of a digest that are written in a table.
const SHORT: usize = 12;

/// An answer. Ends in a line break.
pub fn answer(answer: &ModelAnswer, output: Output) -> String {
    match answer {
        ModelAnswer::Models { published, devices } => models(published, devices, output),
        ModelAnswer::Published { model, was_there } => {
            let (id, next) = (model.id(), format!("skydeck nowcast deploy {}", model.id()));
            let how = if *was_there { "is published already" } else { "is published" };
            format!("{id} {how}: {} bytes, sha256 {}\nput it to work with `{next}`\n", model.bytes, model.sha256)
        }
        ModelAnswer::Asked { device, model, status, payload } => {
            let device = printable(device);
            let what = model.as_deref().map_or_else(|| "the model before".to_owned(), printable);
            match (*status, payload["error"].as_str()) {
                (202, _) => {
                    format!("{device} takes {what}; `skydeck nowcast models` says how it stands\n")
                }
                (200..300, _) => {
                    let current = payload["current"].as_str().map_or_else(|| what.clone(), printable);
                    format!("{device} has {current} at work\n")
                }
                (status, Some(words)) => {
                    output.paint(Paint::Fail, &format!("{device} refuses {what} ({status}): {}", printable(words)))
                        + "\n"
                }
                (status, None) => output.paint(Paint::Fail, &format!("{device} answers {status} to {what}")) + "\n",
            }
        }
    }
}

fn models(published: &[PublishedModel], devices: &[DeviceModel], output: Output) -> String {
    let mut text = if published.is_empty() {
        "no model is published; `skydeck nowcast publish FILE` publishes one\n".to_owned()
    } else {
        let row = |model: &PublishedModel| {
            let at = model.published_at.map_or_else(dash, |at| at.strftime("%Y-%m-%d %H:%MZ").to_string());
            vec![model.id(), model.sha256.chars().take(SHORT).collect(), model.bytes.to_string(), at]
        };
        let columns = [("published", Left), ("sha256", Left), ("bytes", Right), ("at", Left)];
        table(&columns, &published.iter().map(row).collect::<Vec<_>>())
    };
    if devices.is_empty() {
        return text;
    }
    text.push('\n');
    let shown = |value: &Option<String>| value.as_deref().map_or_else(dash, printable);
    let row = |stands: &DeviceModel| {
        vec![printable(&stands.device), shown(&stands.current), shown(&stands.previous), shown(&stands.desired)]
    };
    let columns = [("device", Left), ("model", Left), ("before it", Left), ("desired", Left)];
    text.push_str(&table(&columns, &devices.iter().map(row).collect::<Vec<_>>()));
    for stands in devices {
        text.push_str(&notes(stands, output));
    }
    text
}

/// How a device stands. Ends in a line break.
pub fn device(stands: &DeviceModel, output: Output) -> String {
    let current = stands.current.as_deref().map_or_else(dash, printable);
    format!("{} has {current} at work\n{}", printable(&stands.device), notes(stands, output))
}

/// What else is known of a device's model: on its way, given up.
fn notes(stands: &DeviceModel, output: Output) -> String {
    let device = printable(&stands.device);
    let mut text = String::new();
    if let Some(given_up) = &stands.given_up {
        text.push_str(&output.paint(Paint::Warn, &format!("{device} gave up {}", printable(given_up))));
        text.push('\n');
    }
    if let Some(coming) = &stands.deploying {
        let (model, state) = (printable(&coming.model), printable(&coming.state));
        let percent = coming.percent.map(|percent| format!(", {percent} %")).unwrap_or_default();
        match &coming.error {
            Some(error) => {
                let words = format!("{device} hasn't put {model} to work: {}", printable(error));
                text.push_str(&output.paint(Paint::Fail, &words));
            }
            None => text.push_str(&format!("{device}: {model} is on its way ({state}{percent})")),
        }
        text.push('\n');
    }
    text
}

/// What is seen in a package. Ends in a line break.
pub fn inspection(seen: &Inspection, output: Output) -> String {
    let manifest = &seen.manifest;
    let signed = match (&seen.signed_by, seen.is_trusted) {
        (None, Some(false)) => {
            output.paint(Paint::Fail, "not signed; a device with these model.trusted_keys refuses it")
        }
        (None, _) => "not signed".to_owned(),
        (Some(key), Some(true)) => format!("{key}, in model.trusted_keys"),
        (Some(key), Some(false)) => output.paint(Paint::Fail, &format!("{key}, which isn't in model.trusted_keys")),
        (Some(key), None) => format!("{key}; model.trusted_keys isn't set here"),
    };
    let files: Vec<_> =
        manifest.files.iter().map(|file| format!("{} ({} bytes)", file.name, file.size_bytes)).collect();
    let facts = [
        ("kind", manifest.kind.clone()),
        ("created", manifest.created.to_string()),
        ("needs", format!("skydeck {}, {} days of history", manifest.minimum_agent, manifest.needs.history_days)),
        ("files", files.join(", ")),
        ("sha256", seen.sha256.clone()),
        ("size", format!("{} bytes", seen.bytes)),
        ("signed by", signed),
        ("self-test", format!("{} forecasts are as expected", seen.tested)),
    ];
    let mut text = format!("{}\n", manifest.id());
    for (label, value) in facts {
        text.push_str(&format!("  {label:<12}{value}\n"));
    }
    if let Some(card) = &seen.card {
        text.push_str(&format!("\n{}\n", card.trim_end()));
    }
    text
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::owner::models::Deploying;

    const PLAIN: Output = Output { json: false, color: false };

    #[test]
    fn models_and_how_devices_stand_read_well() {
        let published = vec![PublishedModel {
            name: "roof".into(),
            version: "1.0.0".into(),
            sha256: "ab".repeat(32),
            bytes: 40_123,
            published_at: Some("2026-06-01T12:00:00Z".parse().expect("a time")),
        }];
        let devices = vec![
            DeviceModel {
                device: "roof-01".into(),
                current: Some("anomaly-persistence-1".into()),
                desired: Some("roof@1.0.0".into()),
                deploying: Some(Deploying {
                    model: "roof@1.0.0".into(),
                    asked_at: None,
                    state: "fetching".into(),
                    percent: Some(40),
                    error: None,
                }),
                ..DeviceModel::default()
            },
            DeviceModel {
                device: "roof-\u{1b}[2J".into(),
                current: Some("persistence-1".into()),
                given_up: Some("roof@0.9: a nowcast takes longer than 30 s".into()),
                ..DeviceModel::default()
            },
        ];
        let answer = ModelAnswer::Models { published, devices };
        insta::assert_snapshot!("models", super::answer(&answer, PLAIN));
        let none = ModelAnswer::Models { published: Vec::new(), devices: Vec::new() };
        assert!(super::answer(&none, PLAIN).contains("skydeck nowcast publish"));
    }

    #[test]
    fn what_a_device_answers_is_said() {
        let asked = |status, payload: Value| ModelAnswer::Asked {
            device: "roof-01".into(),
            model: Some("roof@1".into()),
            status,
            payload,
        };
        let refused = super::answer(&asked(409, json!({"error": "no\u{1b}"})), PLAIN);
        assert_eq!(refused, "roof-01 refuses roof@1 (409): no\n");
        assert!(super::answer(&asked(202, json!({})), PLAIN).starts_with("roof-01 takes roof@1; "));
        assert_eq!(super::answer(&asked(200, json!({"current": "roof@1"})), PLAIN), "roof-01 has roof@1 at work\n");
    }
}
