//! What a device has subscribed to, of the few topics that IoT Hub has for it.

use std::collections::BTreeMap;

use rmqtt_codec::v3::{QoS, SubscribeReturnCode};

/// Subscriptions a device may have.
const MAX: usize = 5;

/// What the hub sends to devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Calls of direct methods.
    Methods,
    /// Answers to what the device asks of its twin.
    TwinAnswers,
    /// Changes of desired properties.
    Desired,
    /// Messages to the device.
    DeviceBound,
}

/// A device's subscriptions: filter to granted QoS.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Subscriptions(BTreeMap<String, u8>);

impl Subscriptions {
    /// Those of a kept session, less what isn't served any more.
    pub(super) fn kept(filters: BTreeMap<String, u8>, device_id: &str) -> Self {
        Self(filters.into_iter().filter(|(filter, _)| kind(filter, device_id).is_some()).take(MAX).collect())
    }

    pub(super) fn filters(&self) -> &BTreeMap<String, u8> {
        &self.0
    }

    /// Adds a subscription; answers as SUBACK does. QoS 2 is granted as 1.
    pub(super) fn add(&mut self, filter: &str, asked: QoS, device_id: &str) -> SubscribeReturnCode {
        let is_new = !self.0.contains_key(filter);
        if kind(filter, device_id).is_none() || is_new && self.0.len() >= MAX {
            return SubscribeReturnCode::Failure;
        }
        let granted = if asked == QoS::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        self.0.insert(filter.to_owned(), u8::from(granted != QoS::AtMostOnce));
        SubscribeReturnCode::Success(granted)
    }

    pub(super) fn remove(&mut self, filter: &str) {
        self.0.remove(filter);
    }

    /// The QoS at which the device takes `wanted`; [`None`] where it doesn't.
    pub(super) fn qos(&self, wanted: Kind, device_id: &str) -> Option<u8> {
        self.0.iter().filter(|(filter, _)| kind(filter, device_id) == Some(wanted)).map(|(_, qos)| *qos).max()
    }
}

/// What a filter of `device_id` asks for.
fn kind(filter: &str, device_id: &str) -> Option<Kind> {
    match filter {
        "$iothub/methods/POST/#" => return Some(Kind::Methods),
        "$iothub/twin/res/#" => return Some(Kind::TwinAnswers),
        "$iothub/twin/PATCH/properties/desired/#" => return Some(Kind::Desired),
        _ => {}
    }
    let rest = filter.strip_prefix("devices/")?.strip_prefix(device_id)?.strip_prefix("/messages/devicebound")?;
    matches!(rest, "" | "/" | "/#").then_some(Kind::DeviceBound)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURE: SubscribeReturnCode = SubscribeReturnCode::Failure;

    #[test]
    fn a_device_subscribes_to_its_own_topics_at_qos_1_at_most() {
        let mut subscriptions = Subscriptions::default();
        let granted = |qos| SubscribeReturnCode::Success(qos);
        assert_eq!(subscriptions.add("$iothub/twin/res/#", QoS::AtMostOnce, "d"), granted(QoS::AtMostOnce));
        let device_bound = "devices/d/messages/devicebound/#";
        assert_eq!(subscriptions.add(device_bound, QoS::ExactlyOnce, "d"), granted(QoS::AtLeastOnce));
        assert_eq!(subscriptions.qos(Kind::DeviceBound, "d"), Some(1));
        assert_eq!(subscriptions.qos(Kind::TwinAnswers, "d"), Some(0));
        assert_eq!(subscriptions.qos(Kind::Methods, "d"), None);
        for other in [
            "#",
            "$iothub/#",
            "devices/e/messages/devicebound/#",
            "devices/d/#",
            "devices/+/messages/devicebound/#",
            "",
        ] {
            assert_eq!(subscriptions.add(other, QoS::AtMostOnce, "d"), FAILURE, "{other}");
        }
        subscriptions.remove(device_bound);
        assert_eq!(subscriptions.qos(Kind::DeviceBound, "d"), None);
    }

    #[test]
    fn a_sixth_subscription_is_refused_and_the_same_again_is_not() {
        let mut subscriptions = Subscriptions::default();
        let filters = [
            "$iothub/twin/res/#",
            "$iothub/methods/POST/#",
            "$iothub/twin/PATCH/properties/desired/#",
            "devices/d/messages/devicebound/#",
            "devices/d/messages/devicebound/",
        ];
        for filter in filters {
            assert_ne!(subscriptions.add(filter, QoS::AtLeastOnce, "d"), FAILURE, "{filter}");
        }
        assert_eq!(subscriptions.add("devices/d/messages/devicebound", QoS::AtLeastOnce, "d"), FAILURE);
        assert_ne!(subscriptions.add(filters[0], QoS::AtMostOnce, "d"), FAILURE);
        let kept = subscriptions.filters().clone();
        assert_eq!(Subscriptions::kept(kept.clone(), "d"), subscriptions);
        assert_eq!(Subscriptions::kept(kept, "e").filters().len(), 3, "another's messages aren't taken over");
    }
}
