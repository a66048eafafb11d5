//! The topics that devices publish to, and those that the hub publishes to.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::bag::telemetry_bag;
use crate::local_cloud::registry::DeviceBoundMessage;

/// What is encoded in a bag and in a method's name: all but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Bytes of a request id that a device may make up.
const MAX_REQUEST_ID: usize = 256;

/// What a device wants with a topic it publishes to.
#[derive(Debug, PartialEq)]
pub(super) enum Asked<'a> {
    /// Telemetry, with this property bag.
    Telemetry(&'a str),
    /// Its twin. The request id is as it came.
    Twin { request_id: &'a str },
    /// To report properties.
    Report { request_id: &'a str },
    /// To answer a method; the request id is decoded.
    MethodAnswer { status: i32, request_id: String },
}

/// Reads a topic of `device_id`; [`None`] is one that isn't served.
pub(super) fn asked<'a>(topic: &'a str, device_id: &str) -> Option<Asked<'a>> {
    let Some(own) = topic.strip_prefix("$iothub/") else {
        return telemetry_bag(topic, device_id).map(Asked::Telemetry);
    };
    let (path, query) = own.split_once('?')?;
    let request_id = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (percent_decode_str(name).decode_utf8().ok()? == "$rid").then_some(value)
    })?;
    if request_id.len() > MAX_REQUEST_ID {
        return None;
    }
    match path.trim_end_matches('/') {
        "twin/GET" => Some(Asked::Twin { request_id }),
        "twin/PATCH/properties/reported" => Some(Asked::Report { request_id }),
        path => {
            let status = path.strip_prefix("methods/res/")?;
            let request_id = percent_decode_str(request_id).decode_utf8().ok()?.into_owned();
            Some(Asked::MethodAnswer { status: status.parse().ok()?, request_id })
        }
    }
}

/// Where an answer about the twin goes; with the version of the reported properties where it has changed.
pub(super) fn twin_answer(status: u16, request_id: &str, version: Option<u64>) -> String {
    match version {
        Some(version) => format!("$iothub/twin/res/{status}/?$rid={request_id}&$version={version}"),
        None => format!("$iothub/twin/res/{status}/?$rid={request_id}"),
    }
}

/// Where a change of the desired properties goes.
pub(super) fn desired(version: u64) -> String {
    format!("$iothub/twin/PATCH/properties/desired/?$version={version}")
}

/// Where a call of a method goes.
pub(super) fn method(name: &str, request_id: &str) -> String {
    format!("$iothub/methods/POST/{}/?$rid={request_id}", utf8_percent_encode(name, ENCODED))
}

/// Where a message to a device goes: its properties are in the topic.
pub(super) fn device_bound(device_id: &str, message: &DeviceBoundMessage) -> String {
    let to = format!("/devices/{device_id}/messages/devicebound");
    let expires = message.expires_at.map(|at| at.to_string());
    let own = [
        ("$.mid", message.message_id.as_deref()),
        ("$.cid", message.correlation_id.as_deref()),
        ("$.to", Some(&*to)),
        ("$.exp", expires.as_deref()),
    ];
    let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let given = message.system.iter().chain(&message.properties).map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs: Vec<_> = own
        .chain(given)
        .map(|(name, value)| format!("{}={}", utf8_percent_encode(name, ENCODED), utf8_percent_encode(value, ENCODED)))
        .collect();
    format!("devices/{device_id}/messages/devicebound/{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::super::bag::PropertyBag;
    use super::*;

    #[test]
    fn a_device_asks_as_microsofts_clients_do() {
        assert_eq!(asked("$iothub/twin/GET/?$rid=a%2D1", "d"), Some(Asked::Twin { request_id: "a%2D1" }));
        let report = Some(Asked::Report { request_id: "7" });
        assert_eq!(asked("$iothub/twin/PATCH/properties/reported/?$rid=7", "d"), report);
        assert_eq!(asked("$iothub/twin/PATCH/properties/reported/?x=1&%24rid=7", "d"), report);
        let answer = Asked::MethodAnswer { status: -3, request_id: "a-1".into() };
        assert_eq!(asked("$iothub/methods/res/-3/?$rid=a%2D1", "d"), Some(answer));
        assert_eq!(asked("devices/d/messages/events/a=b", "d"), Some(Asked::Telemetry("a=b")));
    }

    #[test]
    fn other_topics_are_nobodys() {
        let long = format!("$iothub/twin/GET/?$rid={}", "x".repeat(257));
        for topic in [
            "$iothub/twin/GET/",
            "$iothub/twin/GET/?rid=1",
            "$iothub/twin/PATCH/properties/desired/?$rid=1",
            "$iothub/methods/res/ok/?$rid=1",
            "$iothub/methods/res/99999999999/?$rid=1",
            "$iothub/methods/res/200/?$rid=%ff",
            "$iothub/",
            "$iothub/twin/?$rid=1",
            "devices/e/messages/events/",
            "devices/d/messages/devicebound/",
            &long,
        ] {
            assert_eq!(asked(topic, "d"), None, "{topic}");
        }
    }

    #[test]
    fn what_the_hub_says_has_its_topics() {
        assert_eq!(twin_answer(204, "7", Some(3)), "$iothub/twin/res/204/?$rid=7&$version=3");
        assert_eq!(twin_answer(200, "7", None), "$iothub/twin/res/200/?$rid=7");
        assert_eq!(desired(4), "$iothub/twin/PATCH/properties/desired/?$version=4");
        assert_eq!(method("tail log/ä", "1"), "$iothub/methods/POST/tail%20log%2F%C3%A4/?$rid=1");
    }

    proptest::proptest! {
        #[test]
        fn any_topic_is_read_or_refused(topic in "(\\$iothub/)?(twin|methods|devices)?/?(GET|PATCH|res)?[/?$&=%a-z0-9]*") {
            if let Some(Asked::Twin { request_id } | Asked::Report { request_id }) = asked(&topic, "d") {
                proptest::prop_assert!(topic.contains(request_id));
            }
        }

        #[test]
        fn what_a_sender_gives_comes_out_of_the_bag(
            id in ".*",
            properties in proptest::collection::btree_map("[^$].*", ".*", 0..4),
        ) {
            let message = DeviceBoundMessage { message_id: Some(id.clone()), properties: properties.clone(), ..Default::default() };
            let topic = device_bound("d", &message);
            proptest::prop_assert!(!topic.contains(['+', '#', '\0']), "{}", topic);
            let bag = PropertyBag::parse(topic.strip_prefix("devices/d/messages/devicebound/").expect("its own")).expect("a bag");
            proptest::prop_assert_eq!(bag.message_id, Some(id));
            let mut expected = properties;
            expected.insert("$.to".into(), "/devices/d/messages/devicebound".into());
            proptest::prop_assert_eq!(bag.properties, expected);
        }
    }
}
