//! Telemetry topics: `devices/{id}/messages/events/{bag}`.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// The properties a device gave with a message.
#[derive(Debug, Default, PartialEq)]
pub struct PropertyBag {
    /// `$.mid`.
    pub message_id: Option<String>,
    /// `$.ct`.
    pub content_type: Option<String>,
    /// `$.ce`.
    pub content_encoding: Option<String>,
    /// `$.cid`, `$.uid` and `$.exp`, as IoT Hub names them in a message's system properties.
    pub system: BTreeMap<String, String>,
    /// The rest.
    pub properties: BTreeMap<String, String>,
}

/// A bag that can't be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("a property isn't UTF-8 after decoding")]
pub struct InvalidBag;

impl PropertyBag {
    /// Reads `name=value` pairs joined by `&`, both URL-encoded (`%20`; a `+` is a `+`). A name without `=`
    /// has an empty value; of a name that comes twice the last value holds.
    pub fn parse(text: &str) -> Result<Self, InvalidBag> {
        let mut bag = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            bag.put(decode(name)?, decode(value)?);
        }
        Ok(bag)
    }

    fn put(&mut self, name: String, value: String) {
        match name.as_str() {
            "$.mid" => self.message_id = Some(value),
            "$.ct" => self.content_type = Some(value),
            "$.ce" => self.content_encoding = Some(value),
            "$.cid" => drop(self.system.insert("correlationId".into(), value)),
            "$.uid" => drop(self.system.insert("userId".into(), value)),
            "$.exp" => drop(self.system.insert("expiryTimeUtc".into(), value)),
            _ => drop(self.properties.insert(name, value)),
        }
    }
}

fn decode(text: &str) -> Result<String, InvalidBag> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| InvalidBag)
}

/// The bag of a telemetry topic of `device_id`; `None` for any other topic.
pub(super) fn telemetry_bag<'a>(topic: &'a str, device_id: &str) -> Option<&'a str> {
    let rest = topic.strip_prefix("devices/")?.strip_prefix(device_id)?.strip_prefix("/messages/events")?;
    if rest.is_empty() {
        return Some("");
    }
    // Some clients end the topic with a slash; one inside a value is encoded.
    let bag = rest.strip_prefix('/')?;
    Some(bag.strip_suffix('/').unwrap_or(bag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_properties_are_told_from_the_devices_own() {
        let bag = PropertyBag::parse(
            "$.mid=a%2B1&%24.ct=application%2Fjson&$.ce=utf-8&$.cid=c&$.uid=u&$.exp=e&level=a+b%20c&flag&empty=&x=1&x=2",
        )
        .expect("a bag");
        assert_eq!(bag.message_id.as_deref(), Some("a+1"));
        assert_eq!(bag.content_type.as_deref(), Some("application/json"));
        assert_eq!(bag.content_encoding.as_deref(), Some("utf-8"));
        let pairs =
            |map: BTreeMap<String, String>| map.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
        assert_eq!(pairs(bag.system), ["correlationId=c", "expiryTimeUtc=e", "userId=u"]);
        assert_eq!(pairs(bag.properties), ["empty=", "flag=", "level=a+b c", "x=2"]);
        assert_eq!(PropertyBag::parse(""), Ok(PropertyBag::default()));
        assert_eq!(PropertyBag::parse("a=%ff"), Err(InvalidBag));
        // A per cent sign that begins no escape stands for itself.
        assert_eq!(PropertyBag::parse("a=5%").expect("a bag").properties["a"], "5%");
    }

    #[test]
    fn only_a_devices_own_telemetry_topic_has_a_bag() {
        assert_eq!(telemetry_bag("devices/d/messages/events", "d"), Some(""));
        assert_eq!(telemetry_bag("devices/d/messages/events/", "d"), Some(""));
        assert_eq!(telemetry_bag("devices/d/messages/events/a=b/", "d"), Some("a=b"));
        assert_eq!(telemetry_bag("devices/d2/messages/events/", "d"), None);
        assert_eq!(telemetry_bag("devices/d/messages/eventsx", "d"), None);
        assert_eq!(telemetry_bag("devices/d/messages/devicebound/", "d"), None);
        assert_eq!(telemetry_bag("$iothub/twin/GET/?$rid=1", "d"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            // Whatever is read holds no more than was there.
            if let Ok(bag) = PropertyBag::parse(&text) {
                proptest::prop_assert!(bag.properties.len() <= text.split('&').count());
            }
            let topic = format!("devices/d/messages/events/{text}/");
            proptest::prop_assert_eq!(telemetry_bag(&topic, "d"), Some(&*text));
        }
    }
}
