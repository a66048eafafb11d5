//! Devices, twins and faults as viewers see them. Names and shapes are those of IoT Hub's REST API (2021-04-12), less
//! every key.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A registered device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HubDevice {
    /// Its id.
    pub device_id: String,
    /// Distinguishes it from a removed device of the same id.
    pub generation_id: String,
    /// `enabled` or `disabled`.
    pub status: String,
    /// Why, where somebody said so.
    pub status_reason: Option<String>,
    /// `Connected` or `Disconnected`.
    pub connection_state: String,
    /// When that began, pipeline time.
    #[serde(deserialize_with = "time")]
    pub connection_state_updated_time: Option<Timestamp>,
    /// When the hub last heard of it, pipeline time.
    #[serde(deserialize_with = "time")]
    pub last_activity_time: Option<Timestamp>,
    /// Messages that wait for it.
    pub cloud_to_device_message_count: u64,
    /// As what it shows itself.
    pub authentication: Authentication,
}

impl HubDevice {
    /// Whether it is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection_state == "Connected"
    }

    /// Whether it may connect.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.status == "enabled"
    }

    /// As what it shows itself, in a word or two.
    #[must_use]
    pub fn proof(&self) -> &str {
        match self.authentication.kind.as_str() {
            "sas" => "key",
            "selfSigned" => "certificate",
            "certificateAuthority" => "authority",
            other => other,
        }
    }
}

/// As what a device shows itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Authentication {
    /// `sas`, `selfSigned` or `certificateAuthority`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of its certificates, where it has some.
    pub x509_thumbprint: Thumbprints,
}

/// Thumbprints of a device's certificates, hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Thumbprints {
    /// The first.
    pub primary_thumbprint: Option<String>,
    /// The one that takes its place some day.
    pub secondary_thumbprint: Option<String>,
}

/// A device's twin.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HubTwin {
    /// Whose.
    pub device_id: String,
    /// Rises with every change.
    pub version: u64,
    /// What the service side keeps about the device.
    pub tags: Value,
    /// Both sides.
    pub properties: TwinProperties,
}

/// A twin's two sides, each with `$version` and `$metadata`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TwinProperties {
    /// What is asked of the device.
    pub desired: Value,
    /// What the device says.
    pub reported: Value,
}

/// What the hub does wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HubFaults {
    /// Refuses every connection.
    pub refuse: bool,
    /// Milliseconds it waits before each packet; 0 is not at all.
    pub slow_ms: u32,
    /// Messages a second over which a connection is ended.
    pub throttle_per_s: Option<u32>,
    /// Keeps connections and answers nothing.
    pub half_open: bool,
    /// Seconds that its wall clock is ahead.
    pub clock_offset_s: i64,
}

impl HubFaults {
    /// Each fault that is on, in words.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        [
            self.refuse.then(|| "refuses every connection".to_owned()),
            (self.slow_ms > 0).then(|| format!("waits {} ms before each packet", self.slow_ms)),
            self.throttle_per_s.map(|n| match n {
                1 => "takes 1 message a second".to_owned(),
                n => format!("takes {n} messages a second"),
            }),
            self.half_open.then(|| "keeps connections and answers nothing".to_owned()),
            (self.clock_offset_s != 0).then(|| format!("has a clock that is {:+} s off", self.clock_offset_s)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// An instant; IoT Hub writes the year 1 for never.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let at = text.and_then(|text| text.parse::<Timestamp>().ok());
    Ok(at.filter(|at| *at > Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_device_is_read_as_the_rest_api_writes_it_and_loses_its_keys() {
        let device: HubDevice = serde_json::from_value(json!({
            "deviceId": "roof-02", "generationId": "638", "etag": "MQ==", "connectionState": "Connected",
            "status": "enabled", "statusReason": null, "connectionStateUpdatedTime": "0001-01-01T00:00:00Z",
            "lastActivityTime": "2026-06-01T12:00:00Z", "cloudToDeviceMessageCount": 2,
            "authentication": {"type": "selfSigned", "symmetricKey": {"primaryKey": "c2VjcmV0", "secondaryKey": null},
                "x509Thumbprint": {"primaryThumbprint": "0A1B", "secondaryThumbprint": null}},
            "capabilities": {"iotEdge": false}
        }))
        .expect("read");
        assert!(device.is_connected() && device.is_enabled());
        assert_eq!(device.connection_state_updated_time, None, "the year 1 is never");
        assert_eq!(device.last_activity_time, Some("2026-06-01T12:00:00Z".parse().expect("a time")));
        assert_eq!((device.proof(), device.cloud_to_device_message_count), ("certificate", 2));
        assert!(!serde_json::to_string(&device).expect("JSON").contains("c2VjcmV0"));
        let again: HubDevice = serde_json::from_value(serde_json::to_value(&device).expect("JSON")).expect("read");
        assert_eq!(again, device);
    }

    #[test]
    fn faults_are_told_in_words_and_none_says_nothing() {
        assert!(HubFaults::default().words().is_empty());
        let faults = HubFaults { slow_ms: 500, clock_offset_s: -60, ..HubFaults::default() };
        assert_eq!(faults.words(), ["waits 500 ms before each packet", "has a clock that is -60 s off"]);
    }
}
