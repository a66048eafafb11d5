//! A hub for tests: the station's own device, one with a certificate, and one that may not connect.

use serde_json::json;

use super::{HubAnswer, HubAsk, HubDevice, HubFaults, HubTwin};

/// Its devices.
pub fn devices() -> Vec<HubDevice> {
    let device = |id: &str, status: &str, state: &str, kind: &str, seen: &str| {
        json!({"deviceId": id, "generationId": "638000000000000001", "status": status, "connectionState": state,
            "connectionStateUpdatedTime": "2016-06-09T12:00:00Z", "lastActivityTime": seen,
            "authentication": {"type": kind}})
    };
    serde_json::from_value(json!([
        device("mast-02", "enabled", "Disconnected", "selfSigned", "2016-06-09T12:00:00Z"),
        device("mast-03", "disabled", "Disconnected", "certificateAuthority", "0001-01-01T00:00:00Z"),
        device("roof-01", "enabled", "Connected", "sas", "2016-06-09T14:05:00Z"),
    ]))
    .expect("devices")
}

/// The station's own device's twin.
pub fn twin() -> HubTwin {
    serde_json::from_value(json!({"deviceId": "roof-01", "version": 19, "tags": {"roof": 7}, "properties": {
        "desired": {"measureEveryS": 60, "maxPerS": 0, "logFilter": "debug", "$version": 7},
        "reported": {"agent": {"version": "0.1.0", "model": "anomaly-persistence"}, "$version": 12, "settings": {
            "measureEveryS": {"value": 60, "version": 7, "status": "applied"},
            "logFilter": {"value": "info", "version": 6, "status": "applied"},
            "maxPerS": {"value": null, "version": 7, "status": "refused", "error": "it takes 1 to 100000"}}}}}))
    .expect("a twin")
}

/// What it answers.
pub fn answer(ask: &HubAsk) -> Option<HubAnswer> {
    match ask {
        HubAsk::Devices => Some(HubAnswer::Devices { devices: devices() }),
        HubAsk::Twin { id } if id == "roof-01" => Some(HubAnswer::Twin { twin: Box::new(twin()) }),
        HubAsk::Faults => Some(HubAnswer::Faults { faults: HubFaults::default() }),
        _ => None,
    }
}
