//! What the hub asks of the device beside taking its messages, and what the device tells it of itself: the border
//! between the link and the agent.
//!
//! The link hands over [`HubRequest`]s in the order in which they came and waits for none of them; the agent keeps
//! its reported properties in a [`watch`](tokio::sync::watch) channel, and the link brings the hub's copy to that
//! state after each connection and each change.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::sync::oneshot;

/// Something the hub asks.
#[derive(Debug)]
pub enum HubRequest {
    /// The device's twin as the hub has it: after each connection, before anything else.
    Twin(TwinDocument),
    /// Desired properties have changed, while connected.
    Desired {
        /// The desired properties' version after the change.
        version: u64,
        /// What changed, as a JSON merge patch (RFC 7396): `null` removes.
        patch: Value,
    },
    /// A direct method. The link answers the hub with what comes back, or with 500 where nothing does.
    Method {
        /// Its name, printable.
        name: String,
        /// Its payload; `null` where there was none.
        payload: Value,
        /// Where the answer goes.
        reply: oneshot::Sender<MethodReply>,
    },
    /// A message to the device.
    DeviceBound {
        /// The message.
        message: DeviceBound,
        /// To be sent once it is dealt with: only then is it acknowledged. Dropped, it comes again.
        done: oneshot::Sender<()>,
    },
}

/// A twin as a device sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TwinDocument {
    /// The desired properties, without `$version`.
    pub desired: Value,
    /// Their version.
    pub desired_version: u64,
    /// The reported properties as the hub has them, without `$version`.
    pub reported: Value,
}

/// The answer to a direct method.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodReply {
    /// Like HTTP's: 200 done, 400 a wrong payload, 404 no such thing, 409 not now, 500 failed, 501 no such method.
    pub status: u16,
    /// A JSON value, at most 128 KiB as text.
    pub payload: Value,
}

/// A message from the cloud to the device.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceBound {
    /// `$.mid`, printable; absent where the sender gave none.
    pub message_id: Option<String>,
    /// `$.cid`, printable.
    pub correlation_id: Option<String>,
    /// The sender's own properties, as they came.
    pub properties: BTreeMap<String, String>,
    /// The body, at most 64 KiB.
    pub body: Vec<u8>,
}
