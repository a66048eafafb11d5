//! Topics of an existing broker, each mapped to a variable.
//!
//! A retained message is of unknown age and is passed over: a value is taken when it is sent. A payload is a number, or
//! JSON into which the mapping's pointer leads.

use std::time::Duration;

use rumqttc::{
    AsyncClient, Broker, ConnectReturnCode, ConnectionError, Event, MqttOptions, NetworkOptions, Packet, QoS,
};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout_at};

use super::board::Desk;
use super::intake::{MAX_LINE, MAX_RATE, Rate};
use super::mapped;
use crate::settings::SecretReference;
use crate::settings::sensors::mapping::Mapping;
use crate::settings::sensors::model::MqttSettings;
use crate::station::Variable;
use crate::station::text::printable;

const KEEP_ALIVE_S: u16 = 30;
const CONNECT_TIMEOUT_S: u64 = 15;
/// Largest packet taken, bytes.
const MAX_PACKET: usize = 64 * 1024;
/// Bytes that a message costs, whatever it holds.
const MESSAGE_COSTS: usize = 64;

/// Listens until the connection fails or nothing comes; answers why.
pub(super) async fn session(settings: &MqttSettings, desk: &Desk) -> String {
    let shown = format!("{}:{}", printable(&settings.broker), settings.port);
    match listen(settings, desk, &shown).await {
        Ok(never) => match never {},
        Err(words) => format!("{shown}: {words}"),
    }
}

async fn listen(settings: &MqttSettings, desk: &Desk, shown: &str) -> Result<std::convert::Infallible, String> {
    let id = format!("skydeck-{}-{}", desk.name, std::process::id());
    let mut options = MqttOptions::new(id, Broker::tcp(settings.broker.clone(), settings.port));
    options.set_keep_alive(KEEP_ALIVE_S).set_max_packet_size(MAX_PACKET, MAX_PACKET);
    if let Some(username) = &settings.username {
        let password = match &settings.password {
            None => Vec::new(),
            Some(reference) => {
                let reference: SecretReference = reference.parse().map_err(|error| format!("{error}"))?;
                let secret = reference.resolve().map_err(|error| error.to_string())?;
                secret.expose_secret().as_bytes().to_vec()
            }
        };
        options.set_credentials(username.clone(), password);
    }
    let (client, mut events) = AsyncClient::builder(options).capacity(16).build();
    let mut network = NetworkOptions::new();
    network.set_connection_timeout(CONNECT_TIMEOUT_S);
    events.set_network_options(network);
    let mappings = settings.mapped.mappings();
    let mut topics: Vec<&str> = mappings.iter().filter_map(|(_, mapping)| Some(mapping.topic()?.0)).collect();
    topics.sort_unstable();
    topics.dedup();
    let patience = Duration::from_secs(u64::from(settings.silent_s));
    let mut heard = Instant::now();
    let mut rate = Rate::new(MAX_RATE);
    loop {
        let Ok(event) = timeout_at(heard + patience, events.poll()).await else {
            return Err(format!("no value for {} s on {}", settings.silent_s, printable(&topics.join(", "))));
        };
        match event.map_err(|error| words(&error))? {
            Event::Incoming(Packet::ConnAck(_)) => {
                tracing::info!(target: "agent", "sensors.{}: listens at {shown}", desk.name);
                for topic in &topics {
                    client.subscribe(*topic, QoS::AtMostOnce).await.map_err(|error| error.to_string())?;
                }
            }
            Event::Incoming(Packet::SubAck(answer)) if answer.return_codes.iter().any(is_refused) => {
                return Err("the broker refuses a topic; check its access rules".to_owned());
            }
            Event::Incoming(Packet::Publish(message)) => {
                if !message.retain && take(&mappings, &message.topic, &message.payload, settings, desk) {
                    heard = Instant::now();
                }
                if let Some(wait) = rate.count(message.payload.len() + MESSAGE_COSTS) {
                    desk.note("floods: more than 65,536 bytes in a second; the broker is read at that rate");
                    tokio::time::sleep(wait).await;
                }
            }
            _ => {}
        }
    }
}

fn is_refused(code: &rumqttc::SubscribeReasonCode) -> bool {
    matches!(code, rumqttc::SubscribeReasonCode::Failure)
}

/// Puts what a message says on the desk; answers whether it had any value.
fn take(mappings: &[(Variable, Mapping)], topic: &[u8], payload: &[u8], settings: &MqttSettings, desk: &Desk) -> bool {
    let beginning = &payload[..payload.len().min(MAX_LINE)];
    let (mut values, mut wrong) = (Vec::new(), Vec::new());
    for (variable, mapping) in mappings {
        let Some((of, pointer)) = mapping.topic().filter(|(of, _)| of.as_bytes() == topic) else { continue };
        match read(payload, pointer) {
            Ok(Some(raw)) => values.push((*variable, mapping.apply(raw))),
            Ok(None) => {}
            Err(reason) => wrong.push(format!("{} ({variable}): {reason}", printable(of))),
        }
    }
    mapped::put(desk, &values, settings.rain_is);
    if !wrong.is_empty() {
        desk.reject(beginning, &wrong.join("; "));
    }
    !values.is_empty()
}

/// The number in a payload; `None` where its JSON has none at the pointer.
fn read(payload: &[u8], pointer: Option<&str>) -> Result<Option<f64>, String> {
    match pointer {
        None => {
            let text = std::str::from_utf8(payload).map_err(|_| "isn't UTF-8".to_owned())?;
            mapped::text_number(text).map(Some)
        }
        Some(pointer) => {
            let json: serde_json::Value = serde_json::from_slice(payload)
                .map_err(|error| format!("no JSON: {}", printable(&error.to_string())))?;
            json.pointer(pointer).filter(|value| !value.is_null()).map(mapped::number).transpose()
        }
    }
}

fn words(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::NotAuthorized | ConnectReturnCode::BadUserNamePassword,
        ) => "the broker refuses username and password".to_owned(),
        ConnectionError::NetworkTimeout => "no answer; is the broker running?".to_owned(),
        error => format!("{}; is the broker running?", printable(&error.to_string())),
    }
}

#[cfg(test)]
mod tests;
