//! What the hub sends, by its topic; and the twin's texts.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::control::{DeviceBound, TwinDocument};
use crate::station::text::printable;

pub(super) const TWIN_ANSWERS: &str = "$iothub/twin/res/#";
pub(super) const DESIRED: &str = "$iothub/twin/PATCH/properties/desired/#";
pub(super) const METHODS: &str = "$iothub/methods/POST/#";
/// A body to a device: IoT Hub's 64 KB.
const MAX_DEVICE_BOUND: usize = 64 * 1024;
/// A request's number: IoT Hub's are short and hexadecimal.
const MAX_RID: usize = 64;
/// A method's name: IoT Hub's bound is 100.
const MAX_NAME: usize = 128;
/// Properties of a message to a device, and bytes of one.
const MAX_PROPERTIES: usize = 64;
const MAX_PROPERTY: usize = 8 * 1024;

/// A message from the hub, by its topic.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FromHub<'a> {
    /// The answer to a twin request of ours.
    TwinAnswer { status: u16, rid: u64 },
    /// Desired properties have changed.
    Desired { version: Option<u64> },
    /// A method is called.
    Method { name: String, rid: &'a str },
    /// A message to the device, with its property bag.
    DeviceBound { bag: &'a str },
    /// Nothing that we know.
    Unknown,
}

impl<'a> FromHub<'a> {
    pub(super) fn of(topic: &'a str, device_id: &str) -> Self {
        Self::known(topic, device_id).unwrap_or(Self::Unknown)
    }

    fn known(topic: &'a str, device_id: &str) -> Option<Self> {
        if let Some(rest) = topic.strip_prefix("$iothub/twin/res/") {
            let (status, query) = rest.split_once("/?")?;
            return Some(Self::TwinAnswer { status: status.parse().ok()?, rid: value(query, "$rid")?.parse().ok()? });
        }
        if let Some(query) = topic.strip_prefix("$iothub/twin/PATCH/properties/desired/?") {
            return Some(Self::Desired { version: value(query, "$version").and_then(|text| text.parse().ok()) });
        }
        if let Some(rest) = topic.strip_prefix("$iothub/methods/POST/") {
            let (name, query) = rest.split_once("/?")?;
            let rid = value(query, "$rid")?;
            // It goes into the topic of the answer.
            let is_rid = (1..=MAX_RID).contains(&rid.len())
                && rid.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:%".contains(c));
            let name = printable(&percent_decode_str(name).decode_utf8().ok()?);
            return (is_rid && (1..=MAX_NAME).contains(&name.len())).then_some(Self::Method { name, rid });
        }
        let rest = topic.strip_prefix("devices/")?.strip_prefix(device_id)?;
        rest.strip_prefix("/messages/devicebound/").map(|bag| Self::DeviceBound { bag })
    }
}

fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// A message to the device; `None` where it is larger than any may be.
pub(super) fn device_bound(bag: &str, body: &[u8]) -> Option<DeviceBound> {
    if body.len() > MAX_DEVICE_BOUND {
        return None;
    }
    let mut message = DeviceBound { body: body.to_vec(), ..DeviceBound::default() };
    let mut properties = BTreeMap::new();
    for pair in bag.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (name, value) = (decode(name), decode(value));
        if name.len() + value.len() > MAX_PROPERTY || properties.len() >= MAX_PROPERTIES {
            return None;
        }
        match name.as_str() {
            "$.mid" => message.message_id = Some(printable(&value)),
            "$.cid" => message.correlation_id = Some(printable(&value)),
            // Where it was sent to, and what else the hub adds.
            name if name.starts_with("$.") => {}
            _ => {
                properties.insert(name, value);
            }
        }
    }
    message.properties = properties;
    Some(message)
}

/// The twin out of the answer to a GET: the agent's copy, and the reported properties as an object.
pub(super) fn document(payload: &[u8]) -> Option<(TwinDocument, Map<String, Value>)> {
    let Value::Object(mut whole) = serde_json::from_slice(payload).ok()? else { return None };
    let (desired, desired_version) = section(&mut whole, "desired")?;
    let (reported, _) = section(&mut whole, "reported")?;
    let document = TwinDocument {
        desired: Value::Object(desired),
        desired_version: desired_version?,
        reported: Value::Object(reported.clone()),
    };
    Some((document, reported))
}

fn section(whole: &mut Map<String, Value>, name: &str) -> Option<(Map<String, Value>, Option<u64>)> {
    let Value::Object(mut section) = whole.remove(name)? else { return None };
    let version = section.remove("$version").and_then(|version| version.as_u64());
    section.remove("$metadata");
    Some((section, version))
}

/// A change of desired properties, without its version; the version where only the body has it.
pub(super) fn desired_patch(payload: &[u8]) -> Option<(Value, Option<u64>)> {
    let Value::Object(mut patch) = serde_json::from_slice(payload).ok()? else { return None };
    let version = patch.remove("$version").and_then(|version| version.as_u64());
    patch.remove("$metadata");
    Some((Value::Object(patch), version))
}

pub(super) fn get_topic(rid: u64) -> String {
    format!("$iothub/twin/GET/?$rid={rid}")
}

pub(super) fn report_topic(rid: u64) -> String {
    format!("$iothub/twin/PATCH/properties/reported/?$rid={rid}")
}

pub(super) fn reply_topic(status: u16, rid: &str) -> String {
    format!("$iothub/methods/res/{status}/?$rid={rid}")
}

pub(super) fn device_bound_filter(device_id: &str) -> String {
    format!("devices/{device_id}/messages/devicebound/#")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn topics_are_read_as_iot_hub_documents_them() {
        let method = |name: &str, rid| FromHub::Method { name: name.into(), rid };
        for (topic, what) in [
            ("$iothub/twin/res/200/?$rid=7", FromHub::TwinAnswer { status: 200, rid: 7 }),
            ("$iothub/twin/res/204/?$rid=8&$version=6", FromHub::TwinAnswer { status: 204, rid: 8 }),
            ("$iothub/twin/res/204/?$version=6&$rid=8", FromHub::TwinAnswer { status: 204, rid: 8 }),
            ("$iothub/twin/res/ok/?$rid=7", FromHub::Unknown),
            ("$iothub/twin/PATCH/properties/desired/?$version=12", FromHub::Desired { version: Some(12) }),
            ("$iothub/twin/PATCH/properties/desired/?", FromHub::Desired { version: None }),
            ("$iothub/methods/POST/capture/?$rid=a1", method("capture", "a1")),
            ("$iothub/methods/POST/set%20it%1b/?$rid=1", method("set it", "1")),
            ("$iothub/methods/POST/x/?$rid=+", FromHub::Unknown),
            ("$iothub/methods/POST/x/?$rid=", FromHub::Unknown),
            ("$iothub/methods/POST//?$rid=1", FromHub::Unknown),
            ("devices/roof-01/messages/devicebound/%24.mid=1", FromHub::DeviceBound { bag: "%24.mid=1" }),
            ("devices/roof-012/messages/devicebound/", FromHub::Unknown),
            ("devices/roof-01/messages/events/", FromHub::Unknown),
            ("", FromHub::Unknown),
        ] {
            assert_eq!(FromHub::of(topic, "roof-01"), what, "{topic}");
        }
    }

    #[test]
    fn a_message_to_the_device_keeps_its_properties() {
        let bag = "%24.to=%2Fdevices%2Froof-01%2Fmessages%2Fdevicebound&%24.mid=m%0A1&$.cid=c&level=50%20%25&empty&iothub-ack=full";
        let message = device_bound(bag, b"hello").expect("a message");
        let properties = [("level", "50 %"), ("empty", ""), ("iothub-ack", "full")];
        assert_eq!(
            message,
            DeviceBound {
                message_id: Some("m 1".into()),
                correlation_id: Some("c".into()),
                properties: properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
                body: b"hello".to_vec(),
            }
        );
        assert!(device_bound("", &vec![0; MAX_DEVICE_BOUND]).is_some());
        assert!(device_bound("", &vec![0; MAX_DEVICE_BOUND + 1]).is_none());
        let many: String = (0..70).map(|i| format!("p{i}=1&")).collect();
        assert!(device_bound(&many, b"").is_none());
    }

    #[test]
    fn a_twin_is_read_without_its_bookkeeping() {
        let text = r#"{"desired":{"measureEveryS":5,"$version":3},"reported":{"agent":{"version":"1"},"$version":9}}"#;
        let (document, reported) = document(text.as_bytes()).expect("a twin");
        assert_eq!((document.desired_version, document.desired), (3, json!({"measureEveryS": 5})));
        assert_eq!(Value::Object(reported), json!({"agent": {"version": "1"}}));
        for wrong in ["", "[]", "{}", r#"{"desired":{},"reported":{}}"#, r#"{"desired":{"$version":1}}"#] {
            assert!(super::document(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert_eq!(desired_patch(br#"{"a":null,"$version":4}"#), Some((json!({"a": null}), Some(4))));
        assert_eq!(desired_patch(b"1"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_topic_is_read(topic in "(\\$iothub/|devices/roof-01/|twin/res/|methods/POST/|messages/devicebound/|/|\\?|\\$rid=|%|&|.)*") {
            if let FromHub::Method { rid, .. } = FromHub::of(&topic, "roof-01") {
                proptest::prop_assert!(!reply_topic(200, rid).contains(['+', '#']));
            }
        }
    }
}
