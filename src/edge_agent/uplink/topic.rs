//! The topic a message is sent to, with its properties.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::station::MessageKind;

/// What is escaped in names, values and tokens: all but RFC 3986's unreserved characters. Also keeps `+`,
/// `#` and `/`, which mean something to MQTT, out of a topic.
pub(in crate::edge_agent) const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The property bag of `devices/{id}/messages/events/{bag}`. Names that begin with `$.` are IoT Hub's system
/// properties and keep their `$`.
#[must_use]
pub fn property_bag<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut bag = String::new();
    for (name, value) in properties {
        if !bag.is_empty() {
            bag.push('&');
        }
        let name = match name.strip_prefix('$') {
            Some(rest) => {
                bag.push('$');
                rest
            }
            None => name,
        };
        bag.extend(utf8_percent_encode(name, ENCODED));
        bag.push('=');
        bag.extend(utf8_percent_encode(value, ENCODED));
    }
    bag
}

/// The topic a device's telemetry goes to: identity, content type and encoding as system properties, the
/// time of sending and the type as the message's own.
pub(super) fn telemetry(device_id: &str, message_id: &str, kind: MessageKind, sent_at: Timestamp) -> String {
    let sent_at = sent_at.to_string();
    let bag = property_bag([
        ("$.mid", message_id),
        ("$.ct", "application/json"),
        ("$.ce", "utf-8"),
        ("sentAt", &sent_at),
        ("type", kind.name()),
    ]);
    format!("devices/{device_id}/messages/events/{bag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_is_as_iot_hub_documents_it() {
        let sent_at = "2016-06-09T14:05:00Z".parse().expect("a timestamp");
        assert_eq!(
            telemetry("roof-01", "a#1", MessageKind::WeatherMeasurement, sent_at),
            "devices/roof-01/messages/events/$.mid=a%231&$.ct=application%2Fjson&$.ce=utf-8\
             &sentAt=2016-06-09T14%3A05%3A00Z&type=WeatherMeasurement"
        );
        assert_eq!(property_bag([("a b", "50 % + ä/#")]), "a%20b=50%20%25%20%2B%20%C3%A4%2F%23");
        assert_eq!(property_bag([]), "");
    }
}
