//! What the hub sends to a connected device by itself: method calls, changes of desired properties, and the messages
//! that wait for it.
//!
//! Methods and changes go out at QoS 0, as IoT Hub's do. Messages go out at the QoS of the subscription: at 0 they are
//! done when they are sent, at 1 when the device acknowledges them; until then they stay in the queue, and come again
//! after a minute or with the next connection.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rmqtt_codec::types::Publish;
use rmqtt_codec::v3::{Packet, QoS};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::replies::Reply;
use super::shared::{Line, Shared};
use super::subscriptions::{Kind, Subscriptions};
use super::topics;
use crate::database::DatabaseError;
use crate::local_cloud::registry::{DesiredChange, Pending};

/// How long a device may take to acknowledge a message before it comes again; IoT Hub's default.
const LOCK: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });

/// Something to send.
pub(super) enum Down {
    /// A method call.
    Method(MethodCall),
    /// A change of the desired properties.
    Desired(DesiredChange),
}

/// A method call.
pub(super) struct MethodCall {
    pub(super) request_id: String,
    pub(super) name: String,
    /// JSON.
    pub(super) payload: Vec<u8>,
}

impl Line {
    /// Hands something over for sending. A device that doesn't take what it has already loses its connection, and asks
    /// for its twin when it is back.
    pub(super) fn send(&self, device_id: &str, down: Down) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.down.try_send(down) {
            tracing::warn!(device = device_id, "it doesn't take what it is sent: its connection is ended");
            self.cancel.cancel();
        }
    }
}

/// Messages that were sent and not acknowledged yet.
#[derive(Default)]
pub(super) struct InFlight {
    /// By packet id: the message's place and when it is sent again.
    sent: BTreeMap<NonZeroU16, (i64, Instant)>,
    last_id: u16,
}

impl InFlight {
    fn put(&mut self, seq: i64) -> NonZeroU16 {
        // There are at most 50 messages, so that an id is found soon.
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if let Some(id) = NonZeroU16::new(self.last_id)
                && let std::collections::btree_map::Entry::Vacant(vacant) = self.sent.entry(id)
            {
                vacant.insert((seq, Instant::now() + LOCK));
                return id;
            }
        }
    }

    /// The place of the message that a device acknowledges.
    pub(super) fn acknowledged(&mut self, id: NonZeroU16) -> Option<i64> {
        self.sent.remove(&id).map(|(seq, _)| seq)
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.sent.values().map(|(_, deadline)| *deadline).min()
    }

    /// Takes out what wasn't acknowledged in time.
    fn overdue(&mut self, now: Instant) -> Vec<i64> {
        self.sent.extract_if(.., |_, (_, deadline)| *deadline <= now).map(|(_, (seq, _))| seq).collect()
    }
}

/// The sender of one connection.
pub(super) struct Downlink<'a> {
    pub(super) shared: &'a Shared,
    pub(super) device_id: &'a str,
    pub(super) line: &'a Line,
    pub(super) in_flight: &'a Mutex<InFlight>,
    pub(super) replies: mpsc::Sender<Reply>,
}

/// Why a downlink ends; the connection ends with it.
pub(super) enum Ended {
    /// The sending half has.
    Closed,
    /// The registry can't be read.
    Database(DatabaseError),
}

impl From<DatabaseError> for Ended {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl Downlink<'_> {
    /// Sends until the connection ends.
    pub(super) async fn run(&self, mut queue: mpsc::Receiver<Down>) -> Result<(), Ended> {
        // The place of the newest message that was sent on this connection.
        let mut after = 0;
        loop {
            let deadline = lock(self.in_flight).next_deadline();
            tokio::select! {
                down = queue.recv() => match down {
                    Some(down) => self.send(down).await?,
                    None => return Ok(()),
                },
                () = self.line.device_bound.notified() => {
                    while let Some(qos) = self.takes(Kind::DeviceBound) {
                        let now = self.shared.faults.wall_now();
                        let next = self.shared.registry.take(self.device_id, after + 1..=i64::MAX, now).await?;
                        let Some(pending) = next else { break };
                        after = pending.seq;
                        self.deliver(pending, qos).await?;
                    }
                }
                () = until(deadline) => {
                    let overdue = lock(self.in_flight).overdue(Instant::now());
                    for seq in overdue {
                        let Some(qos) = self.takes(Kind::DeviceBound) else { continue };
                        let now = self.shared.faults.wall_now();
                        if let Some(pending) = self.shared.registry.take(self.device_id, seq..=seq, now).await? {
                            self.deliver(pending, qos).await?;
                        }
                    }
                }
            }
        }
    }

    fn takes(&self, kind: Kind) -> Option<u8> {
        self.line.subscriptions().qos(kind, self.device_id)
    }

    async fn send(&self, down: Down) -> Result<(), Ended> {
        let (kind, topic, body) = match down {
            Down::Method(call) => (Kind::Methods, topics::method(&call.name, &call.request_id), call.payload),
            Down::Desired(change) => {
                let mut patch = change.patch;
                patch.insert("$version".into(), change.version.into());
                (Kind::Desired, topics::desired(change.version), Value::from(patch).to_string().into_bytes())
            }
        };
        match self.takes(kind) {
            Some(_) => self.reply(publish(topic, body, None, false)).await,
            None => Ok(()),
        }
    }

    async fn deliver(&self, pending: Pending, qos: u8) -> Result<(), Ended> {
        let topic = topics::device_bound(self.device_id, &pending.message);
        let id = (qos > 0).then(|| lock(self.in_flight).put(pending.seq));
        self.reply(publish(topic, pending.message.body, id, pending.delivery_count > 1)).await?;
        if id.is_none() {
            self.shared.registry.complete(self.device_id, pending.seq).await?;
        }
        Ok(())
    }

    async fn reply(&self, packet: Packet) -> Result<(), Ended> {
        self.replies.send(Reply::Packet(packet)).await.map_err(|_| Ended::Closed)
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn lock(in_flight: &Mutex<InFlight>) -> std::sync::MutexGuard<'_, InFlight> {
    in_flight.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A PUBLISH; at QoS 1 where it has an id.
pub(super) fn publish(topic: String, body: impl Into<Bytes>, id: Option<NonZeroU16>, is_again: bool) -> Packet {
    let qos = if id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    Publish {
        dup: is_again && id.is_some(),
        retain: false,
        qos,
        topic: topic.into(),
        packet_id: id,
        payload: body.into(),
        properties: None,
    }
    .into()
}

impl Line {
    /// Whether the device takes direct methods.
    pub(super) fn takes_methods(&self, device_id: &str) -> bool {
        self.subscriptions().qos(Kind::Methods, device_id).is_some()
    }

    /// What the device has subscribed to at the moment.
    pub(super) fn subscriptions(&self) -> std::sync::MutexGuard<'_, Subscriptions> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn packet_ids_are_never_zero_and_never_in_use() {
        let mut flight = InFlight { last_id: u16::MAX - 1, ..InFlight::default() };
        let ids: Vec<_> = (0..3).map(|seq| flight.put(seq).get()).collect();
        assert_eq!(ids, [u16::MAX, 1, 2]);
        flight.last_id = 0;
        assert_eq!(flight.put(9).get(), 3);
        assert_eq!(flight.acknowledged(NonZeroU16::MIN), Some(1));
        assert_eq!(flight.acknowledged(NonZeroU16::MIN), None);
        assert_eq!(flight.overdue(Instant::now()), [] as [i64; 0]);
        let mut overdue = flight.overdue(Instant::now() + LOCK);
        overdue.sort_unstable();
        assert_eq!(overdue, [0, 2, 9]);
    }
}
