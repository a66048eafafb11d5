//! The hub's answers for people.

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::output::{Output, Paint};
use crate::cli::table::{Align, table};
use crate::cli::words::seconds;
use crate::owner::{HubAnswer, HubDevice, HubFaults, HubTwin, Standing, twin_lines};
use crate::station::text::printable;

use Align::{Left, Right};

/// Longest value of a twin's property that is written, characters.
const LONGEST: usize = 60;

/// An answer; `now` is pipeline time. Ends in a line break.
pub fn answer(answer: &HubAnswer, now: Timestamp, output: Output) -> String {
    match answer {
        HubAnswer::Devices { devices } => fleet(devices, now),
        HubAnswer::Device { device } => one(device, now),
        HubAnswer::Twin { twin } => twin_text(twin, output),
        HubAnswer::Faults { faults } => fault_text(faults, output),
        HubAnswer::Method { status, payload } => method(*status, payload),
        // A secret isn't written by the way.
        HubAnswer::ConnectionString { .. } => String::new(),
    }
}

/// The answer to a direct method: the status, and the payload indented.
pub fn method(status: u16, payload: &Value) -> String {
    let payload = match payload {
        Value::String(text) => text.lines().map(printable).collect::<Vec<_>>().join("\n"),
        other => {
            let text = serde_json::to_string_pretty(other).unwrap_or_default();
            text.lines().map(printable).collect::<Vec<_>>().join("\n")
        }
    };
    format!("status {status}\n{payload}\n")
}

fn fleet(devices: &[HubDevice], now: Timestamp) -> String {
    if devices.is_empty() {
        return "no device is registered; `skydeck hub add ID` registers one\n".to_owned();
    }
    let row = |device: &HubDevice| {
        vec![
            printable(&device.device_id),
            printable(&device.status),
            if device.is_connected() { "connected" } else { "not connected" }.to_owned(),
            ago(device.connection_state_updated_time, now),
            ago(device.last_activity_time, now),
            printable(device.proof()),
            device.cloud_to_device_message_count.to_string(),
        ]
    };
    let columns = [
        ("device", Left),
        ("status", Left),
        ("connection", Left),
        ("since", Right),
        ("last seen", Right),
        ("shows", Left),
        ("waiting for it", Right),
    ];
    table(&columns, &devices.iter().map(row).collect::<Vec<_>>())
}

fn one(device: &HubDevice, now: Timestamp) -> String {
    let prints = &device.authentication.x509_thumbprint;
    let connection = if device.is_connected() { "connected" } else { "not connected" };
    let reason = device.status_reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let facts = [
        ("status", Some(format!("{}{reason}", device.status))),
        (
            "connection",
            Some(device.connection_state_updated_time.map_or_else(
                || format!("{connection}, never yet"),
                |at| format!("{connection}, for {}", ago(Some(at), now)),
            )),
        ),
        ("last seen", Some(ago(device.last_activity_time, now))),
        ("shows", Some(device.proof().to_owned())),
        ("thumbprint", prints.primary_thumbprint.clone()),
        ("next thumbprint", prints.secondary_thumbprint.clone()),
        ("waiting for it", Some(format!("{} messages", device.cloud_to_device_message_count))),
        ("generation", Some(device.generation_id.clone())),
    ];
    let mut text = format!("{}\n", printable(&device.device_id));
    for (label, value) in facts {
        if let Some(value) = value {
            text.push_str(&format!("  {label:<16}{}\n", printable(&value)));
        }
    }
    text
}

/// A twin, differences marked. Ends in a line break.
pub fn twin_text(twin: &HubTwin, output: Output) -> String {
    let lines = twin_lines(twin);
    let version = |side: &Value| side.get("$version").and_then(Value::as_u64).map_or_else(dash, |v| v.to_string());
    let properties = &twin.properties;
    let mut text = format!(
        "{}  desired version {}, reported version {}\n",
        printable(&twin.device_id),
        version(&properties.desired),
        version(&properties.reported)
    );
    if lines.is_empty() {
        text.push_str("nothing desired, nothing reported\n");
        return text;
    }
    let cell = |value: &Option<String>| value.as_deref().map_or_else(dash, short);
    let rows: Vec<_> = lines
        .iter()
        .map(|line| {
            let (mark, words) = match &line.standing {
                Standing::Same => ("=", String::new()),
                Standing::Waits => ("≠", "the device reports something else".to_owned()),
                Standing::WaitsFor(why) => ("≠", why.clone()),
                Standing::Refused(why) => ("!", format!("refused: {why}")),
                Standing::Overruled(why) => ("≠", format!("overruled: {why}")),
                Standing::Own => (" ", String::new()),
            };
            let words = if line.standing == Standing::Waits && line.reported.is_none() {
                "not reported yet".to_owned()
            } else {
                words
            };
            vec![mark.to_owned(), line.key.clone(), cell(&line.desired), cell(&line.reported), words]
        })
        .collect();
    let columns = [("", Left), ("property", Left), ("desired", Left), ("reported", Left), ("", Left)];
    let paints = std::iter::once(None).chain(lines.iter().map(|line| match line.standing {
        Standing::Waits | Standing::WaitsFor(_) | Standing::Overruled(_) => Some(Paint::Warn),
        Standing::Refused(_) => Some(Paint::Fail),
        Standing::Same | Standing::Own => None,
    }));
    for (line, paint) in table(&columns, &rows).lines().zip(paints) {
        text.push_str(&paint.map_or_else(|| line.to_owned(), |paint| output.paint(paint, line)));
        text.push('\n');
    }
    text
}

fn fault_text(faults: &HubFaults, output: Output) -> String {
    let words = faults.words();
    if words.is_empty() {
        return "no fault is on\n".to_owned();
    }
    words.iter().map(|fault| output.paint(Paint::Warn, &format!("the hub {fault}")) + "\n").collect()
}

fn short(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(std::iter::once('…')).collect()
}

fn ago(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(dash, |at| seconds(now.duration_since(at).as_secs_f64().max(0.0)))
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PLAIN: Output = Output { json: false, color: false };

    fn devices() -> Vec<HubDevice> {
        let device = |id: &str, state: &str, kind: &str| {
            json!({"deviceId": id, "generationId": "638000", "status": "enabled", "connectionState": state,
                "connectionStateUpdatedTime": "2026-06-01T11:00:00Z", "lastActivityTime": "2026-06-01T11:59:48Z",
                "authentication": {"type": kind}})
        };
        serde_json::from_value(json!([
            device("roof-01", "Connected", "sas"),
            device("roof-\u{1b}[2J", "Disconnected", "certificateAuthority")
        ]))
        .expect("devices")
    }

    #[test]
    fn a_fleet_and_a_device_read_well() {
        let now = "2026-06-01T12:00:00Z".parse().expect("a time");
        insta::assert_snapshot!("fleet", fleet(&devices(), now));
        insta::assert_snapshot!("device", one(&devices()[0], now));
        assert!(fleet(&[], now).contains("skydeck hub add ID"));
    }

    #[test]
    fn a_twins_differences_are_marked() {
        let twin: HubTwin = serde_json::from_value(json!({"deviceId": "roof-01", "version": 9, "properties": {
            "desired": {"measureEveryS": 60, "maxPerS": 0, "logFilter": "debug", "$version": 3},
            "reported": {"agent": {"version": "0.1.0"}, "$version": 12, "settings": {
                "measureEveryS": {"value": 60, "version": 3, "status": "applied"},
                "maxPerS": {"value": null, "version": 3, "status": "refused", "error": "1 to 100,000"}}}}}))
        .expect("a twin");
        insta::assert_snapshot!("twin", twin_text(&twin, PLAIN));
        let colour = twin_text(&twin, Output { json: false, color: true });
        assert!(colour.contains("\u{1b}[31m!  maxPerS"), "{colour}");
    }

    #[test]
    fn a_method_answers_with_its_status_and_a_text_line_by_line() {
        assert_eq!(method(200, &json!({"seconds": 60})), "status 200\n{\n  \"seconds\": 60\n}\n");
        assert_eq!(method(404, &json!("no camera\nset camera.command")), "status 404\nno camera\nset camera.command\n");
    }

    #[test]
    fn faults_are_told_or_their_absence() {
        assert_eq!(fault_text(&HubFaults::default(), PLAIN), "no fault is on\n");
        let faults = HubFaults { refuse: true, throttle_per_s: Some(10), ..HubFaults::default() };
        assert_eq!(
            fault_text(&faults, PLAIN),
            "the hub refuses every connection\nthe hub takes 10 messages a second\n"
        );
    }
}
