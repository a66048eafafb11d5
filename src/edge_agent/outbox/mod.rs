//! The durable outbox: what the agent made and the hub hasn't acknowledged yet.
//!
//! A message is in it from the moment [`Outbox::append`] answers (committed and synced) until the link
//! removes it on the hub's acknowledgement. It survives kills and power cuts; a message can leave twice (the
//! acknowledgement was lost), never not at all.
//!
//! **Its bound.** It holds at most `max_rows` messages. Beyond them it gives up, in this order, only as much
//! as is needed:
//!
//! 1. the oldest `PictureTaken`,
//! 2. the oldest `DeviceHealth`,
//! 3. the oldest `Prediction`,
//! 4. every second `WeatherMeasurement` of the oldest day (UTC), beginning with its oldest; again and again,
//!    so that the oldest day is thinned to nothing before the next is touched.
//!
//! What is given up is counted by kind for good, logged and shown in the [`OutboxStatus`].
//!
//! What could not be processed at all (a reading that is no reading, a message the hub can never take) is
//! *set aside* with its reason: the newest 1,000 of them, at most 16 MiB; the count of all stays.
//!
//! **Messages without a time.** A message that this machine's clock stamped keeps the boot and the time since it
//! (`boots`). While the clock isn't set, such messages are *held*; afterwards their time is worked out and they are
//! free. What can never be dated is sent after everything else.
//!
//! The agent writes it, [`super::uplink`] reads and empties it.

mod aside;
mod boots;
mod bound;
mod ends;
mod rows;
mod salvage;
#[cfg(test)]
pub(super) mod samples;
mod schema;

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::database::{Database, DatabaseError};
use crate::station::{Message, MessageKind};
pub use boots::{Boot, Redated, Undated};
use rows::Totals;

/// So many messages are read on the thread that asks for them.
const LITTLE: i64 = 16;

/// When a message was made, by the time since the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The boot's number in this outbox, from [`Outbox::enter_boot`].
    pub boot: i64,
    /// Nanoseconds since that boot.
    pub boot_ns: i64,
    /// Whether it is held until the clock is set.
    pub held: bool,
}

/// A message, with its stamp where this machine's clock stamped it.
#[derive(Debug, Clone, PartialEq)]
pub struct Dated {
    /// The message.
    pub message: Message,
    /// Absent where its time comes from elsewhere, as a replay's does: such a time is never changed.
    pub stamp: Option<Stamp>,
}

impl From<Message> for Dated {
    fn from(message: Message) -> Self {
        Self { message, stamp: None }
    }
}

/// A message in the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Its place: ascending in the order of appending, never used twice.
    pub seq: i64,
    /// Identity of the message.
    pub message_id: String,
    /// Which message it is.
    pub kind: MessageKind,
    /// When what it says was measured.
    pub measured_at: Timestamp,
    /// The message as JSON.
    pub body: String,
}

/// How full the outbox is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutboxStatus {
    /// Messages waiting.
    pub rows: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// The bound, messages.
    pub max_rows: u64,
    /// Messages given up because the outbox was over its bound, since it was made.
    pub given_up: u64,
    /// What couldn't be processed and was set aside, since it was made.
    pub set_aside: u64,
    /// Messages of those waiting that are held until the clock is set.
    pub held: u64,
    /// The oldest measurement waiting.
    pub oldest_measured_at: Option<Timestamp>,
}

/// A handle on the outbox; clones share it.
#[derive(Clone, Debug)]
pub struct Outbox {
    database: Database,
    max_rows: u64,
    /// The status, and the version of the totals it was made from: commits may be heard of out of order.
    status: watch::Sender<OutboxStatus>,
    version: std::sync::Arc<std::sync::atomic::AtomicI64>,
    /// The number last given.
    newest: std::sync::Arc<std::sync::atomic::AtomicI64>,
}

impl Outbox {
    /// Opens or makes the outbox at `path`. It holds at most `max_rows` messages (at least one). Where the last end wasn't
    /// in order, its file is looked at first; what can be read of a broken one goes into a new one, and the broken one is
    /// kept beside it.
    pub fn open(path: &Path, max_rows: u64) -> Result<Self, DatabaseError> {
        salvage::check(path)?;
        let database = Database::open(path, schema::MIGRATIONS)?;
        let max_rows = max_rows.max(1);
        let totals = database.read_blocking(rows::totals)?;
        let version = std::sync::Arc::new(totals.version.into());
        let newest = std::sync::Arc::new(totals.newest.into());
        let status = watch::Sender::new(totals.status(max_rows));
        Ok(Self { database, max_rows, status, version, newest })
    }

    /// Makes `messages` durable, together with key/value `state` of the agent (a replay's position, say), so
    /// that neither is without the other. Gives up what is over the bound.
    ///
    /// Dropped before it answers, it may still take place, and the link hears of it with the next change only.
    pub async fn append(&self, messages: Vec<Message>, state: Vec<(String, String)>) -> Result<(), DatabaseError> {
        self.append_dated(messages.into_iter().map(Dated::from).collect(), state).await
    }

    /// As [`Outbox::append`], with what the messages' times can be worked out from.
    pub async fn append_dated(&self, messages: Vec<Dated>, state: Vec<(String, String)>) -> Result<(), DatabaseError> {
        let max_rows = self.max_rows;
        let (totals, given_up) = self
            .database
            .write(move |transaction| {
                rows::insert(transaction, &messages)?;
                rows::put_state(transaction, &state)?;
                let given_up = bound::enforce(transaction, max_rows)?;
                Ok((rows::totals(transaction)?, given_up))
            })
            .await?;
        bound::log(&given_up, totals.given_up, max_rows);
        self.publish(&totals);
        Ok(())
    }

    /// The value last stored under `key`.
    pub async fn state(&self, key: &str) -> Result<Option<String>, DatabaseError> {
        let key = key.to_owned();
        self.database.read(move |connection| rows::state(connection, &key)).await
    }

    /// Up to `limit` messages after `after_seq`, in order; neither those that are held nor those sent last.
    pub async fn peek(&self, after_seq: i64, limit: usize) -> Result<Vec<OutboxRow>, DatabaseError> {
        self.peek_until(after_seq, i64::MAX, limit).await
    }

    /// As [`Outbox::peek`], of messages up to and with number `until_seq`.
    pub async fn peek_until(
        &self,
        after_seq: i64,
        until_seq: i64,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, DatabaseError> {
        self.peek_some(after_seq, until_seq, limit, usize::MAX).await
    }

    /// As [`Outbox::peek_until`], and no more after the one with which the
    /// bodies come to `max_bytes`.
    pub async fn peek_some(
        &self,
        after_seq: i64,
        until_seq: i64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<OutboxRow>, DatabaseError> {
        let read =
            move |connection: &rusqlite::Connection| rows::peek(connection, after_seq, until_seq, limit, max_bytes);
        let behind = self.newest_seq().min(until_seq).saturating_sub(after_seq);
        if behind <= LITTLE { self.database.read_little(read).await } else { self.database.read(read).await }
    }

    /// As [`Outbox::peek_some`], of those that are sent when nothing else is left to send: their times will never be
    /// known.
    pub async fn peek_last(
        &self,
        after_seq: i64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<OutboxRow>, DatabaseError> {
        self.database.read(move |connection| rows::peek_last(connection, after_seq, limit, max_bytes)).await
    }

    /// The number last given to a message, whether or not it is still there; 0 before the first.
    #[must_use]
    pub fn newest_seq(&self) -> i64 {
        self.newest.load(std::sync::atomic::Ordering::Acquire)
    }

    /// The waiting message of `kind` that was measured last.
    pub async fn newest_of(&self, kind: MessageKind) -> Result<Option<i64>, DatabaseError> {
        self.database.read(move |connection| rows::newest_of(connection, kind)).await
    }

    /// How many messages up to and with number `until_seq` wait to be sent.
    pub async fn count_until(&self, until_seq: i64) -> Result<u64, DatabaseError> {
        self.database
            .read(move |connection| {
                connection
                    .query_row("SELECT count(*) FROM message WHERE seq <= ?1 AND held = 0", [until_seq], |row| {
                        row.get(0)
                    })
                    .map(|count: i64| u64::try_from(count).unwrap_or(0))
            })
            .await
    }

    /// Makes key/value `state` durable.
    pub async fn put_state(&self, state: Vec<(String, String)>) -> Result<(), DatabaseError> {
        self.database.write(move |transaction| rows::put_state(transaction, &state)).await
    }

    /// The message with this identity, while it waits.
    pub async fn find(&self, message_id: &str) -> Result<Option<OutboxRow>, DatabaseError> {
        let message_id = message_id.to_owned();
        self.database.read(move |connection| rows::find(connection, &message_id)).await
    }

    /// Removes what the hub has acknowledged. A message that isn't there any more is no fault.
    pub async fn remove(&self, seqs: Vec<i64>) -> Result<(), DatabaseError> {
        self.settle(seqs, Vec::new()).await
    }

    /// As [`Outbox::remove`], together with key/value `state` of the link, so that neither is without the other.
    pub async fn settle(&self, seqs: Vec<i64>, state: Vec<(String, String)>) -> Result<(), DatabaseError> {
        let totals = self
            .database
            .write(move |transaction| {
                rows::remove(transaction, seqs)?;
                rows::put_state(transaction, &state)?;
                rows::totals(transaction)
            })
            .await?;
        self.publish(&totals);
        Ok(())
    }

    /// Keeps `raw` aside with the reason why it couldn't be processed.
    pub async fn set_aside(&self, raw: String, reason: String, at: Timestamp) -> Result<(), DatabaseError> {
        self.aside(None, raw, reason, at).await
    }

    /// Takes a message out of the queue and keeps it aside, in one transaction.
    pub async fn set_row_aside(&self, row: OutboxRow, reason: String, at: Timestamp) -> Result<(), DatabaseError> {
        self.aside(Some(row.seq), row.body, reason, at).await
    }

    async fn aside(&self, seq: Option<i64>, raw: String, reason: String, at: Timestamp) -> Result<(), DatabaseError> {
        let totals = self
            .database
            .write(move |transaction| {
                aside::put(transaction, &raw, &reason, at)?;
                rows::remove(transaction, seq.into_iter().collect())?;
                rows::totals(transaction)
            })
            .await?;
        self.publish(&totals);
        Ok(())
    }

    /// The newest things set aside, newest first: when, the raw text, the reason.
    pub async fn set_aside_list(&self, limit: usize) -> Result<Vec<(Timestamp, String, String)>, DatabaseError> {
        self.database.read(move |connection| aside::list(connection, limit)).await
    }

    /// Why the newest things were set aside, newest first: when, and the reason.
    pub async fn set_aside_reasons(&self, limit: usize) -> Result<Vec<(Timestamp, String)>, DatabaseError> {
        self.database.read(move |connection| aside::reasons(connection, limit)).await
    }

    /// Messages given up since the outbox was made, by kind; a kind of which none was is absent.
    pub async fn given_up(&self) -> Result<Vec<(MessageKind, u64)>, DatabaseError> {
        self.database.read(bound::given_up).await
    }

    /// How often a broken file was salvaged, and what the newest salvage saved and lost, in words.
    pub async fn salvages(&self) -> Result<(u64, Option<String>), DatabaseError> {
        let count = self.state(salvage::COUNT).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok((count, self.state(salvage::NEWEST).await?))
    }

    /// Notes that the agent ended in order, so that the next start needn't look whether the file is sound.
    pub fn note_clean_end(&self) {
        ends::note_clean(self.database.path());
    }

    /// A file of at most so many pages stands for a disk of that size.
    #[cfg(test)]
    pub(super) async fn limit_pages(&self, pages: u32) {
        let sql = format!("PRAGMA max_page_count = {pages}");
        let limited = self.database.write(move |t| t.query_row(&sql, [], |row| row.get::<_, i64>(0)));
        limited.await.expect("a pragma");
    }

    /// How full it is; changes with every append and removal.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<OutboxStatus> {
        self.status.subscribe()
    }

    fn publish(&self, totals: &Totals) {
        self.newest.fetch_max(totals.newest, std::sync::atomic::Ordering::Release);
        self.status.send_if_modified(|status| {
            let newest = self.version.fetch_max(totals.version, std::sync::atomic::Ordering::Relaxed);
            if totals.version <= newest {
                return false;
            }
            *status = totals.status(self.max_rows);
            true
        });
    }
}

#[cfg(test)]
mod tests;
