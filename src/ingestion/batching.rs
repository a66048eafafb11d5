//! Batches: what waits in the log becomes a blob when its window is over or it has grown large, and a
//! notice says so.
//!
//! A crash at any point loses and doubles nothing: the cut is recorded first (name and last message), the
//! blob is written whole under that name, its notice has an identity made from the batch, and only then are
//! the messages forgotten. What was interrupted is done again with the same name and content.

use std::time::Duration;

use base64::Engine;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::enqueued::{CutBatch, EnqueuedLog, EnqueuedMessage};
use super::notices::{BlobCreated, NoticeQueue};
use super::storage::{Containers, StorageError};
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

/// How batches are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRules {
    /// The hub's name in blob names.
    pub hub_name: String,
    /// Pipeline time a batch is collected at most.
    pub window: SignedDuration,
    /// Bytes it grows to at most.
    pub max_bytes: u64,
}

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
    /// Messages that no route took, kept in the container `unrouted`.
    pub unrouted: u64,
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
}

/// Cuts batches until it is dropped.
pub struct Batcher {
    /// Where messages wait.
    pub log: EnqueuedLog,
    /// Where blobs go.
    pub containers: Containers,
    /// Where notices go.
    pub notices: NoticeQueue,
    /// When batches are cut.
    pub rules: BatchRules,
    /// The environment's clock.
    pub clock: Clock,
    /// Where passing messages are noted.
    pub ledger: Ledger,
    /// What it has done.
    pub status: watch::Sender<BatchStatus>,
}

impl Batcher {
    /// Runs for good: finishes what a crash interrupted, then waits for windows to end.
    pub async fn run(self) {
        loop {
            match self.recover().await {
                Ok(()) => break,
                Err(error) => self.failed(&error).await,
            }
        }
        loop {
            let next = self.log.open_batches().into_iter().map(|(_, b)| b.first_at + self.rules.window).min();
            if let ClockReading::Replay { end, ended, .. } = self.clock.reading()
                && (ended || next.is_some_and(|next| next > end))
            {
                self.cut_at_the_end(end, next.is_some()).await;
                continue;
            }
            tokio::select! {
                () = sleep_until(&self.clock, next) => {}
                () = self.log.grown() => {}
            }
            for (container, batch) in self.log.open_batches() {
                let due = self.clock.now() >= batch.first_at + self.rules.window || batch.bytes >= self.rules.max_bytes;
                if due {
                    self.cut(&container).await;
                }
            }
        }
    }

    /// A replay's clock stands still at its end, where no window ends any more: what waits then, or comes later (from
    /// an outbox that was full, say), is cut a moment after.
    async fn cut_at_the_end(&self, end: Timestamp, waits: bool) {
        self.clock.sleep_until(end).await;
        if !waits {
            self.log.grown().await;
        }
        tokio::time::sleep(LAST_WINDOW).await;
        self.flush().await;
    }

    /// Cuts every waiting batch now, whatever its window says.
    pub async fn flush(&self) {
        for (container, _) in self.log.open_batches() {
            self.cut(&container).await;
        }
    }

    async fn recover(&self) -> Result<(), BatchError> {
        for batch in self.log.unfinished().await? {
            tracing::info!(target: "ingestion", blob = %batch.name, "finishing a batch that was interrupted");
            self.write(&batch).await?;
        }
        Ok(())
    }

    /// Cuts and writes one container's batch; tries again for as long as it takes.
    async fn cut(&self, container: &str) {
        let now = self.clock.now();
        let hub = self.rules.hub_name.clone();
        let batch = loop {
            let name = hub.clone();
            match self.log.cut(container, now, move |number| blob_name(&name, now, number)).await {
                Ok(Some(batch)) => break batch,
                Ok(None) => return,
                Err(error) => self.failed(&error.into()).await,
            }
        };
        while let Err(error) = self.write(&batch).await {
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
        if batch.container == super::routing::UNROUTED {
            tracing::warn!(target: "ingestion", blob = %batch.name, "{count} messages that no route takes were kept aside");
        } else {
            let event = BlobCreated::new(&batch.container, &batch.name, bytes, batch.cut_at, batch.id);
            self.notices.push(&event).await?;
        }
        self.log.finish(batch).await?;
        self.status.send_modify(|status| {
            status.batches += 1;
            status.messages += count;
            status.bytes += bytes;
            status.last = Some((batch.container.clone(), batch.name.clone(), bytes, batch.cut_at));
            if batch.container == super::routing::UNROUTED {
                status.unrouted += count;
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

/// `{iothub}/{partition}/{YYYY}-{MM}-{DD}/{HH}-{mm}`, with `_N` where the minute has a batch already.
/// The local hub has one partition, `0`.
fn blob_name(hub: &str, cut_at: Timestamp, number: u32) -> String {
    let minute = cut_at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d/%H-%M").to_string();
    if number == 0 { format!("{hub}/0/{minute}") } else { format!("{hub}/0/{minute}_{number}") }
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
        assert_eq!(blob_name("hub", at, 0), "hub/0/2016-06-08/00-05");
        assert_eq!(blob_name("hub", at, 2), "hub/0/2016-06-08/00-05_2");
        assert_eq!(enqueued_time(at), "2016-06-08T00:05:02.2860000Z");
    }
}
