//! Batches: what waits in the log becomes a blob when its window is over or it has grown large, and a
//! notice says so.
//!
//! A crash at any point loses and doubles nothing: the cut is recorded first (name and last message), the
//! blob is written whole under that name, its notice has an identity made from the batch, and only then are
//! the messages forgotten. What was interrupted is done again with the same name and content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::enqueued::{CutBatch, EnqueuedLog, EnqueuedMessage, OpenBatch};
use super::notices::{BlobCreated, NoticeQueue};
use super::returning::Returning;
use super::routing::UNROUTED;
use super::storage::{Containers, StorageError};
use super::topology::{FILE_NAME_FORMAT, Ground, Topology};
use super::trash::{Trash, TrashError};
use super::written::{self, BatchFile, Written};
use crate::clock::ledger::{Hop, Ledger};
use crate::clock::{Clock, ClockReading};
use crate::database::DatabaseError;

/// Messages read from the log at a time while a batch is written.
const CHUNK: usize = 200;
/// Bytes of lines made before they are handed to the blob. Nowcasts are some KiB each: a chunk of them is a lot.
const PIECE: usize = 64 * 1024;
/// Wall time before a batch that couldn't be written is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Wall time that is collected once a replay's clock stands still.
const LAST_WINDOW: Duration = Duration::from_secs(1);

/// Pipeline time that messages which no route takes wait for one, before they are kept aside.
const UNROUTED_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// What the batcher has done since it started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchStatus {
    /// Batches written.
    pub batches: u64,
    /// Messages in them.
    pub messages: u64,
    /// The last batch: container, blob name, bytes, and when it was cut.
    pub last: Option<(String, String, u64, Timestamp)>,
    /// Bytes of all batches written.
    pub bytes: u64,
    /// What was written lately, by container.
    pub written: BTreeMap<String, Arc<Written>>,
    /// Messages that no route took, kept in the container `unrouted`.
    pub unrouted: u64,
    /// Blobs that were written and announced nowhere, by container; until a refresh has looked for them, or until they
    /// come back from the trash.
    pub unannounced: BTreeMap<String, u64>,
    /// Containers that messages wait for and that don't exist.
    pub missing: BTreeSet<String>,
    /// What last went wrong.
    pub last_error: Option<String>,
}

/// Why a batch couldn't be written.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The log or the notice queue failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The container failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A blob couldn't come back from the trash.
    #[error(transparent)]
    Trash(#[from] TrashError),
    /// The container doesn't exist.
    #[error("container {0}: it doesn't exist; apply it again, its messages wait in the hub's log")]
    NoContainer(String),
}

/// Cuts batches until it is dropped.
pub struct Batcher {
    /// Where messages wait.
    pub log: EnqueuedLog,
    /// Where blobs go.
    pub containers: Containers,
    /// Where blobs are whose container was destroyed.
    pub trash: Trash,
    /// Where notices go.
    pub notices: NoticeQueue,
    /// When batches are cut, what they are called, and whether they are announced.
    pub ground: Ground,
    /// The environment's clock.
    pub clock: Clock,
    /// Where passing messages are noted.
    pub ledger: Ledger,
    /// What it has done.
    pub status: watch::Sender<BatchStatus>,
}

impl Batcher {
    /// Runs for good: finishes what a crash interrupted, then waits for windows to end. A changed topology holds at
    /// once, for batches that are open too.
    pub async fn run(mut self) {
        let (mut followed, mut held) = (None, BTreeSet::new());
        loop {
            let topology = self.ground.now();
            if !followed.as_ref().is_some_and(|followed| Arc::ptr_eq(followed, &topology)) {
                held = match self.follow(&topology).await {
                    Ok(held) => held,
                    Err(error) => {
                        self.failed(&error).await;
                        continue;
                    }
                };
                if followed.is_none() {
                    let written = written::recall(&self.log, &self.containers, &topology).await;
                    self.status.send_modify(|status| status.written = written);
                }
                followed = Some(Arc::clone(&topology));
            }
            self.tell_missing(&topology, &held);
            let ends = |(container, batch): (String, OpenBatch)| batch.first_at + window(&topology, &container);
            let next = self.waiting(&topology).into_iter().map(ends).min();
            if let ClockReading::Replay { end, ended, .. } = self.clock.reading()
                && (ended || next.is_some_and(|next| next > end))
            {
                self.cut_at_the_end(end, next.is_some()).await;
                continue;
            }
            tokio::select! {
                () = sleep_until(&self.clock, next) => {}
                () = self.log.grown() => {}
                () = self.ground.changed() => continue,
            }
            for (container, batch) in self.waiting(&topology) {
                let due = self.clock.now() >= batch.first_at + window(&topology, &container)
                    || topology.endpoint_of(&container).is_some_and(|endpoint| batch.bytes >= endpoint.max_bytes);
                if due {
                    self.cut(&topology, &container).await;
                }
            }
        }
    }

    /// What was cut and isn't written yet is written where it can be, and what no route took goes where one takes it.
    /// Answers the containers of what can't be written.
    async fn follow(&self, topology: &Topology) -> Result<BTreeSet<String>, BatchError> {
        let moved = self.log.reroute().await?;
        if moved > 0 {
            tracing::info!(target: "ingestion", "{moved} messages that no route took are collected now");
        }
        self.bring_back(topology).await?;
        let mut held = BTreeSet::new();
        for batch in self.log.unfinished().await? {
            if topology.has_container(&batch.container) {
                tracing::info!(target: "ingestion", blob = %batch.name, "finishing a batch that was interrupted");
                self.write(&batch).await?;
            } else {
                held.insert(batch.container);
            }
        }
        Ok(held)
    }

    /// What can't come back now is told, holds nothing else up, and is tried with the next change.
    async fn bring_back(&self, topology: &Topology) -> Result<(), DatabaseError> {
        let Self { log, containers, trash, notices, .. } = self;
        match (Returning { log, containers, trash, notices }).bring_back(topology).await {
            Ok(0) => return Ok(()),
            Ok(announced) => {
                tracing::info!(target: "ingestion", "{announced} blobs came back from the trash with their container and are announced");
            }
            Err(error) => tracing::error!(target: "ingestion", "{error}"),
        }
        let unannounced = log.unannounced().await?;
        self.status.send_modify(|status| status.unannounced = unannounced);
        Ok(())
    }

    /// Says once which containers messages wait for that don't exist.
    fn tell_missing(&self, topology: &Topology, held: &BTreeSet<String>) {
        let waiting = self.log.open_batches().into_iter().map(|(container, _)| container);
        let missing: BTreeSet<_> =
            waiting.filter(|container| !topology.has_container(container)).chain(held.iter().cloned()).collect();
        self.status.send_if_modified(|status| {
            for container in missing.difference(&status.missing) {
                let error = BatchError::NoContainer(container.clone());
                tracing::error!(target: "ingestion", "batch not written: {error}");
            }
            let is_new = status.missing != missing;
            status.missing = missing;
            is_new
        });
    }

    /// What can be cut: it waits for a container that exists, and there is a hub to cut it.
    fn waiting(&self, topology: &Topology) -> Vec<(String, OpenBatch)> {
        let mut open = self.log.open_batches();
        open.retain(|(container, _)| topology.hub.is_some() && topology.has_container(container));
        open
    }

    /// A replay's clock stands still at its end, where no window ends any more: what waits then, or comes later (from
    /// an outbox that was full, say), is cut a moment after.
    async fn cut_at_the_end(&mut self, end: Timestamp, waits: bool) {
        tokio::select! {
            () = self.clock.sleep_until(end) => {}
            // Another window may end before.
            () = self.ground.changed() => return,
            () = self.log.grown() => return,
        }
        if !waits {
            tokio::select! {
                () = self.log.grown() => {}
                // What waits for a container may find it now.
                () = self.ground.changed() => {}
            }
        }
        tokio::time::sleep(LAST_WINDOW).await;
        self.flush().await;
    }

    /// Cuts every waiting batch now, whatever its window says.
    pub async fn flush(&self) {
        let topology = self.ground.peek();
        for (container, _) in self.waiting(&topology) {
            self.cut(&topology, &container).await;
        }
    }

    /// Cuts and writes one container's batch; tries again for as long as it takes and the container is there.
    async fn cut(&self, topology: &Topology, container: &str) {
        let now = self.clock.now();
        let hub = topology.hub.as_ref().map_or("hub", |hub| &hub.name).to_owned();
        let format = topology.endpoint_of(container).map_or(FILE_NAME_FORMAT, |e| &e.file_name_format).to_owned();
        let batch = loop {
            let (hub, format) = (hub.clone(), format.clone());
            match self.log.cut(container, now, move |number| blob_name(&format, &hub, now, number)).await {
                Ok(Some(batch)) => break batch,
                Ok(None) => return,
                Err(error) => self.failed(&error.into()).await,
            }
        };
        while let Err(error) = self.write(&batch).await {
            // It is finished when the container is back.
            if matches!(error, BatchError::NoContainer(_)) {
                return;
            }
            self.failed(&error).await;
        }
    }

    async fn failed(&self, error: &BatchError) {
        let words = error.to_string();
        tracing::error!(target: "ingestion", "batch not written, tried again in {} s: {words}", RETRY.as_secs());
        self.status.send_modify(|status| status.last_error = Some(words));
        tokio::time::sleep(RETRY).await;
    }

    /// Blob, then notice, then the messages are forgotten.
    async fn write(&self, batch: &CutBatch) -> Result<(), BatchError> {
        let topology = self.ground.peek();
        if !topology.has_container(&batch.container) {
            return Err(BatchError::NoContainer(batch.container.clone()));
        }
        let mut blob = self.containers.create(&batch.container, &batch.name);
        let mut after = 0;
        let mut ids = Vec::new();
        let mut count = 0;
        let mut lines = Vec::new();
        loop {
            let messages = self.log.messages(&batch.container, after, batch.last_seq, CHUNK).await?;
            let Some((last, _)) = messages.last() else { break };
            after = *last;
            count += messages.len() as u64;
            for (_, message) in messages {
                // Writing a JSON value to memory has no failing path.
                drop(serde_json::to_writer(&mut lines, &blob_line(&message)));
                lines.push(b'\n');
                ids.extend(message.message_id);
                if lines.len() >= PIECE {
                    blob.write(&lines).await?;
                    lines.clear();
                }
            }
        }
        if count == 0 {
            return Ok(());
        }
        blob.write(&lines).await?;
        let bytes = blob.finish().await?;
        self.ledger.stamp(Hop::Batched, ids.iter().map(String::as_str));
        let is_unrouted = batch.container == UNROUTED;
        let is_announced = !is_unrouted && topology.announces(&batch.container);
        if is_unrouted {
            tracing::warn!(target: "ingestion", blob = %batch.name, "{count} messages that no route takes were kept aside");
        } else if is_announced {
            let event = BlobCreated::new(&batch.container, &batch.name, bytes, batch.cut_at, batch.id);
            self.notices.push(&event).await?;
        } else {
            tracing::warn!(target: "ingestion", blob = %batch.name, "a blob in {} is announced nowhere; apply the event subscription, then refresh its pipe", batch.container);
        }
        self.log.finish(batch, bytes, !is_unrouted && !is_announced).await?;
        self.status.send_modify(|status| {
            status.batches += 1;
            status.messages += count;
            status.bytes += bytes;
            status.last = Some((batch.container.clone(), batch.name.clone(), bytes, batch.cut_at));
            let file = BatchFile { name: batch.name.clone(), bytes, written_at: batch.cut_at };
            Arc::make_mut(status.written.entry(batch.container.clone()).or_default()).push(file);
            status.unrouted += if is_unrouted { count } else { 0 };
            if !is_unrouted && !is_announced {
                *status.unannounced.entry(batch.container.clone()).or_default() += 1;
            }
            status.last_error = None;
        });
        Ok(())
    }
}

async fn sleep_until(clock: &Clock, deadline: Option<Timestamp>) {
    match deadline {
        Some(deadline) => clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Pipeline time that messages for `container` are collected at most. Without an endpoint, what still waits is cut now.
fn window(topology: &Topology, container: &str) -> SignedDuration {
    match topology.endpoint_of(container) {
        _ if container == UNROUTED => UNROUTED_WINDOW,
        Some(endpoint) => endpoint.window,
        None => SignedDuration::ZERO,
    }
}

/// `format` with its tokens filled in, and `_N` at its end where that name has a batch already. The local hub has one
/// partition, `0`.
fn blob_name(format: &str, hub: &str, cut_at: Timestamp, number: u32) -> String {
    let at = cut_at.to_zoned(TimeZone::UTC);
    let two = |number: i8| format!("{number:02}");
    let tokens = [
        ("{iothub}", hub.to_owned()),
        ("{partition}", "0".to_owned()),
        ("{YYYY}", format!("{:04}", at.year())),
        ("{MM}", two(at.month())),
        ("{DD}", two(at.day())),
        ("{HH}", two(at.hour())),
        ("{mm}", two(at.minute())),
    ];
    let name = tokens.into_iter().fold(format.to_owned(), |name, (token, value)| name.replace(token, &value));
    if number == 0 { name } else { format!("{name}_{number}") }
}

/// The message as IoT Hub writes it into a routed blob.
fn blob_line(message: &EnqueuedMessage) -> Value {
    let enqueued = enqueued_time(message.enqueued_at);
    let mut system: Map<String, Value> =
        message.system_properties.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let mut put = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            system.insert(key.to_owned(), json!(value));
        }
    };
    put("messageId", &message.message_id);
    put("contentType", &message.content_type);
    put("contentEncoding", &message.content_encoding);
    put("enqueuedTime", &Some(enqueued.clone()));
    // Without content type and encoding IoT Hub can't know what the body is and writes it as base64.
    let body = message.json().unwrap_or_else(|| json!(base64::engine::general_purpose::STANDARD.encode(&message.body)));
    json!({ "EnqueuedTimeUtc": enqueued, "Properties": message.properties, "SystemProperties": system, "Body": body })
}

/// `2020-02-13T21:59:49.2860000Z`: seven digits, as .NET writes a time.
fn enqueued_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%7fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_times_are_iot_hubs() {
        let at: Timestamp = "2016-06-08T00:05:02.286Z".parse().expect("a time");
        assert_eq!(blob_name(FILE_NAME_FORMAT, "hub", at, 0), "hub/0/2016-06-08/00-05");
        assert_eq!(blob_name(FILE_NAME_FORMAT, "hub", at, 2), "hub/0/2016-06-08/00-05_2");
        let other = "{YYYY}/{MM}/{DD}/{HH}{mm}.{iothub}.{partition}";
        assert_eq!(blob_name(other, "hub", at, 1), "2016/06/08/0005.hub.0_1");
        assert_eq!(enqueued_time(at), "2016-06-08T00:05:02.2860000Z");
    }
}
