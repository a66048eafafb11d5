//! From the hub's own address to its built-in endpoint: asked for its events, IoT Hub says where they are.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fe2o3_amqp::Receiver;
use fe2o3_amqp::link::{LinkStateError, ReceiverAttachError, RecvError};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::types::definitions::{self, ErrorCondition, LinkError};
use fe2o3_amqp::types::messaging::Body;
use fe2o3_amqp::types::primitives::{Symbol, Value};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use super::dial::{Way, dial};
use super::error::{EventsError, Fault, short};
use super::line::{attach, in_time, lost, open, session};
use super::place::{Place, SharedKey, host_and_port};
use super::token::signature;

/// How long the token for the question holds.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// Where the events of the hub at `host` are read, after Microsoft's sample of translating its connection string: a link to
/// `messages/events/$management` is answered with `amqp:link:redirect`.
pub(super) async fn endpoint(
    host: &str,
    port: Option<u16>,
    key: &SharedKey,
    way: &Way,
    now: Timestamp,
) -> Result<Place, EventsError> {
    let words = format!("hub {host}");
    let hub = host.split('.').next().unwrap_or(host);
    let (username, password) = match key {
        SharedKey::Policy { name, key } => {
            let key = STANDARD.decode(key.expose_secret()).map_err(|_| {
                let words = "azure.feed: its SharedAccessKey isn't base64; copy the hub's connection string again";
                EventsError::new(Fault::Settings, words)
            })?;
            let ends_at = now.saturating_add(LIFE).unwrap_or(Timestamp::MAX);
            (format!("{name}@sas.root.{hub}"), signature(host, name, &key, ends_at))
        }
        SharedKey::Signature(_) => {
            let words = "azure.feed: a signature alone doesn't lead from the hub to its endpoint; name the endpoint itself, \
                         Endpoint=sb://…";
            return Err(EventsError::new(Fault::Settings, words));
        }
    };
    let sasl = SaslProfile::Plain { username, password: password.expose_secret().to_owned() };
    let stream = dial(host, port, way).await?;
    let mut connection = open(stream, host, sasl, &words).await?;
    let mut session = session(&mut connection, &words).await?;
    let address = format!("amqps://{host}/messages/events/$management");
    let attached = in_time(&words, Receiver::attach(&mut session, "skydeck-redirect", address)).await?;
    let found = match attached {
        Err(ReceiverAttachError::RemoteClosedWithError(error)) => place(&words, &error),
        Err(error) => Err(attach(&words, error)),
        Ok(mut receiver) => match in_time(&words, receiver.recv::<Body<Value>>()).await? {
            Err(RecvError::LinkStateError(
                LinkStateError::RemoteClosedWithError(error) | LinkStateError::RemoteDetachedWithError(error),
            )) => place(&words, &error),
            Err(error) => Err(lost(&words, &error.to_string())),
            Ok(_) => Err(lost(&words, "it leads nowhere")),
        },
    };
    // The answer is had; how the connection ends is nobody's concern.
    drop(tokio::time::timeout(Duration::from_secs(2), connection.close()).await);
    found
}

fn place(words: &str, error: &definitions::Error) -> Result<Place, EventsError> {
    if error.condition != ErrorCondition::LinkError(LinkError::Redirect) {
        return Err(EventsError::said(words, error));
    }
    let info = error.info.as_deref();
    let part = |name: &str| match info.and_then(|info| info.get(&Symbol::from(name))) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Symbol(text)) => Some(text.as_str().to_owned()),
        _ => None,
    };
    let leads = || -> Option<Place> {
        let address = part("address")?;
        let (authority, path) = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest).split_once('/')?;
        let (host, port) = host_and_port(authority)?;
        let entity = path.split('/').next().filter(|entity| !entity.is_empty())?;
        Some(Place { host: part("hostname").unwrap_or(host), port, entity: entity.to_owned() })
    };
    leads().ok_or_else(|| {
        let said = part("address").map(|address| short(&address)).unwrap_or_default();
        lost(words, &format!("it leads to {said:?}, which is no endpoint"))
    })
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::definitions::Fields;

    use super::*;

    #[test]
    fn the_endpoint_is_read_from_the_redirect() {
        let mut info = Fields::new();
        info.insert(Symbol::from("hostname"), Value::from("ihsu.servicebus.windows.net"));
        info.insert(
            Symbol::from("address"),
            Value::from("amqps://ihsu.servicebus.windows.net:5671/iothub-ehub-x/$management"),
        );
        let error = definitions::Error::new(LinkError::Redirect, None, info);
        let place = place("hub h", &error).expect("an endpoint");
        assert_eq!((place.host.as_str(), place.port), ("ihsu.servicebus.windows.net", Some(5671)));
        assert_eq!(place.entity, "iothub-ehub-x");
        let empty = definitions::Error::new(LinkError::Redirect, None, None);
        assert!(super::place("hub h", &empty).expect_err("nowhere").words.contains("no endpoint"));
    }
}
