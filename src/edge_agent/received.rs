//! Messages from the cloud to the device: commands for a device that was offline, and everything else, kept to be
//! looked at.
//!
//! A message with the property `command` is carried out as the method of that name, its body being the payload. It is
//! acknowledged to the hub once it is dealt with and kept; one that comes again (its acknowledgement was lost) is known
//! by its identity and isn't carried out twice. `restart` is kept *before* it is carried out, since nothing is after.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::methods::{Answer, Methods};
use super::report::Received;
use super::shared::{RECEIVED, RETRY};
use super::uplink::control::DeviceBound;
use crate::station::text::printable;

/// Messages kept.
const KEPT: usize = 50;
/// Characters of a body that are kept.
const MAX_BODY: usize = 400;
/// The command whose body may hold a link, which is a secret, and what is kept in the body's stead.
const DEPLOY: &str = "deploy_model";
const WITH_LINK: &str = "(not kept: it may hold a link)";
/// Properties that are kept, and characters of each name and value.
const MAX_PROPERTIES: usize = 8;
const MAX_PROPERTY: usize = 64;

/// A message, and where its acknowledgement goes.
pub(super) type Delivery = (DeviceBound, oneshot::Sender<()>);

/// Deals with messages one after the other, in the order in which they came. Calls `restart` where one asks for it.
pub(super) async fn serve(methods: Methods, mut deliveries: mpsc::UnboundedReceiver<Delivery>, restart: impl Fn()) {
    while let Some((message, done)) = deliveries.recv().await {
        let restarts = deal_with(&methods, &message).await;
        // The link may be gone: then it comes again, and is known.
        let _ = done.send(());
        if restarts {
            restart();
        }
    }
}

async fn deal_with(methods: &Methods, message: &DeviceBound) -> bool {
    let mut entry = entry(message);
    entry.at = Some(methods.shared.clock.now());
    let name = message.message_id.as_deref().unwrap_or("without an identity");
    if is_known(methods, message) {
        tracing::info!(target: "agent", "message {} came again; it is dealt with already", printable(name));
        return false;
    }
    let Some(command) = message.properties.get("command") else {
        tracing::info!(
            target: "agent",
            "message {} to the device, {} bytes: {}",
            printable(name),
            message.body.len(),
            entry.body
        );
        "kept".clone_into(&mut entry.outcome);
        keep(methods, entry).await;
        return false;
    };
    let answer = match (payload(&message.body), command.as_str(), &message.message_id) {
        (Err(answer), ..) => answer,
        // Without an identity it would be carried out at every start, if its acknowledgement were lost.
        (Ok(_), "restart", None) => Answer::new(400, "a restart needs a message id, so that it is carried out once"),
        (Ok(payload), ..) => methods.call(command, payload).await,
    };
    entry.outcome = answer.words();
    keep(methods, entry).await;
    answer.restarts
}

/// Only what was given an identity can be known.
fn is_known(methods: &Methods, message: &DeviceBound) -> bool {
    message.message_id.is_some()
        && methods.shared.report.borrow().received.iter().any(|known| known.message_id == message.message_id)
}

fn payload(body: &[u8]) -> Result<Value, Answer> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|error| Answer::new(400, format!("the body isn't JSON: {error}")))
}

/// Keeps what became of a message: in the report, and durably. Tries for as long as it takes: the hub keeps the message
/// meanwhile.
async fn keep(methods: &Methods, entry: Received) {
    let mut kept = methods.shared.report.borrow().received.clone();
    kept.push(entry);
    kept.drain(..kept.len().saturating_sub(KEPT));
    let json = json!(kept).to_string();
    while let Err(error) = methods.shared.outbox.put_state(vec![(RECEIVED.to_owned(), json.clone())]).await {
        tracing::error!(target: "agent", "a message to the device waits: {error}");
        tokio::time::sleep(RETRY).await;
    }
    methods.shared.report.send_modify(|report| report.received = kept);
}

fn entry(message: &DeviceBound) -> Received {
    let short = |text: &str, most: usize| printable(text).chars().take(most).collect::<String>();
    let properties: BTreeMap<_, _> = message
        .properties
        .iter()
        .take(MAX_PROPERTIES)
        .map(|(name, value)| (short(name, MAX_PROPERTY), short(value, MAX_PROPERTY)))
        .collect();
    let command = message.properties.get("command");
    let body = if command.is_some_and(|command| command == DEPLOY) {
        WITH_LINK.to_owned()
    } else {
        short(&String::from_utf8_lossy(&message.body), MAX_BODY)
    };
    Received {
        at: None,
        message_id: message.message_id.clone(),
        command: command.map(|command| short(command, MAX_PROPERTY)),
        properties,
        body,
        outcome: String::new(),
    }
}
