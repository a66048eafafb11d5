//! A message of the endpoint as every screen has it.

use std::collections::BTreeMap;

use fe2o3_amqp::types::messaging::annotations::AnnotationKey;
use fe2o3_amqp::types::messaging::{AmqpValue, Body, Message, MessageId};
use fe2o3_amqp::types::primitives::{SimpleValue, Value};
use jiff::Timestamp;

use super::error::short;
use super::line::{instant, whole};
use crate::ingestion::enqueued::EnqueuedMessage;

/// A message, and where in its partition it is.
#[derive(Debug, PartialEq)]
pub(super) struct Event {
    pub(super) message: EnqueuedMessage,
    pub(super) position: Position,
}

/// Where in a partition a message is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Its number, which rises by one.
    pub(super) sequence: i64,
    /// When the hub took it in.
    pub(super) enqueued_at: Timestamp,
}

/// A message that can't be one of a device, where it was and why.
#[derive(Debug, PartialEq)]
pub(super) struct Unreadable {
    pub(super) position: Option<Position>,
    pub(super) device: Option<String>,
    pub(super) reason: String,
    pub(super) body: Vec<u8>,
}

/// Names of the hub's annotations, and as routed blobs call them.
const SYSTEM: [(&str, &str); 4] = [
    ("iothub-connection-device-id", "connectionDeviceId"),
    ("iothub-connection-auth-method", "connectionAuthMethod"),
    ("iothub-connection-auth-generation-id", "connectionDeviceGenerationId"),
    ("iothub-message-source", "messageSource"),
];

/// Reads a delivery.
pub(super) fn decode(delivery: Message<Body<Value>>) -> Result<Event, Unreadable> {
    let annotations = delivery.message_annotations.unwrap_or_default();
    let annotation = |name: &str| annotations.get(&name as &dyn AnnotationKey);
    let position = match (annotation("x-opt-sequence-number").and_then(whole), annotation("x-opt-enqueued-time")) {
        (Some(sequence), Some(at)) => instant(at).map(|enqueued_at| Position { sequence, enqueued_at }),
        _ => None,
    };
    let system: BTreeMap<String, String> =
        SYSTEM.into_iter().filter_map(|(name, called)| Some((called.to_owned(), words(annotation(name)?)?))).collect();
    let device = system.get("connectionDeviceId").cloned();
    let body = match delivery.body {
        Body::Data(parts) => Ok(parts.into_iter().flat_map(|part| part.0.into_vec()).collect::<Vec<u8>>()),
        Body::Value(AmqpValue(Value::Binary(bytes))) => Ok(bytes.into_vec()),
        Body::Value(AmqpValue(Value::String(text))) => Ok(text.into_bytes()),
        Body::Empty => Ok(Vec::new()),
        _ => Err("its body is an AMQP value, not bytes"),
    };
    let unreadable = |reason: &str, body: Vec<u8>| Unreadable {
        position: position.clone(),
        device: device.clone(),
        reason: reason.to_owned(),
        body,
    };
    let body = body.map_err(|reason| unreadable(reason, Vec::new()))?;
    let Some(position) = position.clone() else {
        return Err(unreadable("it has no sequence number and enqueued time: the hub didn't set them", body));
    };
    let Some(device_id) = device.clone() else {
        return Err(unreadable("no device sent it: the hub didn't set iothub-connection-device-id", body));
    };
    let properties = delivery.properties.unwrap_or_default();
    let mut system_properties = system;
    if let Some(id) = properties.correlation_id.as_ref() {
        system_properties.insert("correlationId".to_owned(), id_words(id));
    }
    if let Some(user) = properties.user_id.as_ref() {
        system_properties.insert("userId".to_owned(), String::from_utf8_lossy(user).into_owned());
    }
    let set = delivery.application_properties.unwrap_or_default();
    let message = EnqueuedMessage {
        enqueued_at: position.enqueued_at,
        device_id,
        message_id: properties.message_id.as_ref().map(id_words),
        content_type: properties.content_type.map(|kind| kind.as_str().to_owned()),
        content_encoding: properties.content_encoding.map(|kind| kind.as_str().to_owned()),
        properties: set.iter().map(|(name, value)| (name.clone(), simple_words(value))).collect(),
        system_properties,
        body,
    };
    Ok(Event { message, position })
}

fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Symbol(text) => Some(text.as_str().to_owned()),
        Value::Bool(flag) => Some(flag.to_string()),
        other => whole(other).map(|number| number.to_string()),
    }
}

fn id_words(id: &MessageId) -> String {
    match id {
        MessageId::Ulong(number) => number.to_string(),
        MessageId::Uuid(id) => uuid::Uuid::from_bytes(id.clone().into_inner()).to_string(),
        MessageId::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        MessageId::String(text) => text.clone(),
    }
}

fn simple_words(value: &SimpleValue) -> String {
    let value = Value::from(value.clone());
    words(&value).unwrap_or_else(|| short(&format!("{value:?}")))
}

#[cfg(test)]
pub(super) mod tests {
    use fe2o3_amqp::types::messaging::{ApplicationProperties, Batch, Data, MessageAnnotations, Properties};
    use fe2o3_amqp::types::primitives::{Symbol, Timestamp as Instant};

    use super::*;

    /// A delivery as IoT Hub makes it.
    pub(in crate::ingestion::events) fn delivery(
        sequence: i64,
        device: Option<&str>,
        body: &[u8],
    ) -> Message<Body<Value>> {
        let mut annotations = MessageAnnotations::builder()
            .insert("x-opt-sequence-number", Value::Long(sequence))
            .insert("x-opt-enqueued-time", Value::Timestamp(Instant::from(1_700_000_000_123)))
            .insert("iothub-message-source", Value::from("Telemetry"));
        if let Some(device) = device {
            annotations = annotations.insert("iothub-connection-device-id", Value::from(device));
        }
        Message {
            header: None,
            delivery_annotations: None,
            message_annotations: Some(annotations.build()),
            properties: Some(
                Properties::builder()
                    .message_id("m-1".to_owned())
                    .content_type("application/json")
                    .content_encoding("utf-8")
                    .correlation_id("c-1".to_owned())
                    .build(),
            ),
            application_properties: Some(
                ApplicationProperties::builder().insert("level", "storm").insert("count", 3_i32).build(),
            ),
            body: Body::Data(Batch::new(vec![Data::from(body)])),
            footer: None,
        }
    }

    #[test]
    fn a_delivery_becomes_what_the_embedded_hub_s_log_has() {
        let event = decode(delivery(7, Some("roof-01"), b"{}")).expect("readable");
        assert_eq!(event.position.sequence, 7);
        let message = event.message;
        assert_eq!(message.enqueued_at.to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!((message.device_id.as_str(), message.message_id.as_deref()), ("roof-01", Some("m-1")));
        assert!(message.is_json());
        let properties: Vec<_> = message.properties.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(properties, [("count", "3"), ("level", "storm")]);
        let system: Vec<_> = message.system_properties.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            system,
            [("connectionDeviceId", "roof-01"), ("correlationId", "c-1"), ("messageSource", "Telemetry")]
        );
    }

    #[test]
    fn what_no_device_sent_is_put_aside_with_its_place_and_its_bytes() {
        let error = decode(delivery(9, None, b"x")).expect_err("unreadable");
        assert_eq!(error.position.expect("a place").sequence, 9);
        assert!(error.reason.contains("iothub-connection-device-id"), "{}", error.reason);
        assert_eq!(error.body, b"x");
        let mut value = delivery(9, Some("roof-01"), b"x");
        value.body = Body::Value(AmqpValue(Value::Symbol(Symbol::from("s"))));
        assert!(decode(value).expect_err("unreadable").reason.contains("AMQP value"));
        let mut bare = delivery(9, Some("roof-01"), b"x");
        bare.message_annotations = None;
        assert!(decode(bare).expect_err("unreadable").reason.contains("sequence number"));
    }
}
