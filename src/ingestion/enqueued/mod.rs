//! The hub's durable log: what devices sent and no batch holds yet, by the container it is routed to.
//!
//! `message` a message and its row · `reroute` what no route took, once one takes it · `unannounced` blobs without a notice ·
//! `batches` what was cut of a container.

mod batches;
mod message;
mod reroute;
mod unannounced;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::broadcast;

pub use batches::KnownBatch;
pub use message::EnqueuedMessage;
use message::{COLUMNS, cut_batch, message_row, timestamp};

use super::pulse::Pulse;
use super::routing::UNROUTED;
use super::topology::Ground;
use crate::database::{Database, DatabaseError, Migration};

const MIGRATIONS: &[Migration] = &[
    "
CREATE TABLE enqueued(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    container TEXT NOT NULL,
    enqueued_at TEXT NOT NULL,
    device_id TEXT NOT NULL,
    message_id TEXT,
    content_type TEXT,
    content_encoding TEXT,
    properties TEXT NOT NULL,
    system_properties TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX enqueued_by_container ON enqueued(container, seq);
CREATE INDEX enqueued_by_message ON enqueued(message_id);
CREATE TABLE batch(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    container TEXT NOT NULL,
    name TEXT NOT NULL,
    last_seq INTEGER NOT NULL,
    cut_at TEXT NOT NULL,
    UNIQUE(container, name)
) STRICT;
",
    "
ALTER TABLE batch ADD COLUMN unannounced INTEGER NOT NULL DEFAULT 0;
CREATE INDEX batch_unannounced ON batch(container) WHERE unannounced = 1;
",
    "
ALTER TABLE batch ADD COLUMN bytes INTEGER;
CREATE INDEX batch_by_container ON batch(container, id);
",
];

/// Why a message isn't taken in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// There is no hub that could take it.
    #[error("hub: it doesn't exist; apply it again, messages wait at their devices")]
    NoHub,
    /// The log failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What waits in the log for one container.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenBatch {
    /// When the first message came, pipeline time.
    pub first_at: Timestamp,
    /// Messages.
    pub count: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Sequence number of the newest.
    pub last_seq: i64,
}

/// A batch that was cut: named, and not finished before its notice is queued.
#[derive(Debug, Clone, PartialEq)]
pub struct CutBatch {
    /// Its number.
    pub id: i64,
    /// Its container.
    pub container: String,
    /// Name of its blob.
    pub name: String,
    /// It holds the container's messages up to this number.
    pub last_seq: i64,
    /// When it was cut, pipeline time.
    pub cut_at: Timestamp,
}

/// The log; clones share it.
#[derive(Debug, Clone)]
pub struct EnqueuedLog {
    database: Database,
    ground: Ground,
    open: Arc<Mutex<HashMap<String, OpenBatch>>>,
    grown: Pulse,
    arrivals: broadcast::Sender<Arc<EnqueuedMessage>>,
}

impl EnqueuedLog {
    /// Opens or makes the log at `path`; the routes of `ground` say where its messages are collected.
    pub fn open(path: &Path, ground: Ground) -> Result<Self, DatabaseError> {
        let database = Database::open(path, MIGRATIONS)?;
        let open = database.read_blocking(|connection| {
            let mut statement = connection.prepare(
                "SELECT container, min(enqueued_at), count(*), sum(length(body)), max(seq) FROM enqueued e
                 WHERE seq > coalesce((SELECT max(last_seq) FROM batch b WHERE b.container = e.container), 0)
                 GROUP BY container",
            )?;
            let rows = statement.query_map([], |row| {
                let batch = OpenBatch {
                    first_at: timestamp(row, 1)?,
                    count: row.get::<_, i64>(2)?.unsigned_abs(),
                    bytes: row.get::<_, i64>(3)?.unsigned_abs(),
                    last_seq: row.get(4)?,
                };
                Ok((row.get(0)?, batch))
            })?;
            rows.collect()
        })?;
        Ok(Self {
            database,
            ground,
            open: Arc::new(Mutex::new(open)),
            grown: Pulse::default(),
            arrivals: broadcast::Sender::new(4096),
        })
    }

    /// Makes `message` durable, once for each container its routes collect it in. Concurrent calls share one commit.
    /// Only after this answers may the device be told that its message arrived.
    pub async fn append(&self, message: EnqueuedMessage) -> Result<(), AppendError> {
        let message = Arc::new(message);
        let topology = self.ground.peek();
        if topology.hub.is_none() {
            return Err(AppendError::NoHub);
        }
        let containers = topology.containers_for(message.body_type().as_deref());
        let containers: Vec<String> = containers.into_iter().map(str::to_owned).collect();
        let row = Arc::clone(&message);
        let rows: Vec<(String, i64)> = self
            .database
            .write(move |transaction| {
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO enqueued(container, enqueued_at, device_id, message_id, content_type,
                     content_encoding, properties, system_properties, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?;
                let append = |container: String| {
                    let seq = insert.insert(rusqlite::params![
                        container,
                        row.enqueued_at.to_string(),
                        row.device_id,
                        row.message_id,
                        row.content_type,
                        row.content_encoding,
                        serde_json::to_string(&row.properties).unwrap_or_default(),
                        serde_json::to_string(&row.system_properties).unwrap_or_default(),
                        row.body,
                    ])?;
                    Ok((container, seq))
                };
                containers.into_iter().map(append).collect()
            })
            .await?;
        let is_unrouted = rows.iter().any(|(container, _)| container == UNROUTED);
        for (container, seq) in rows {
            self.grow(container, message.enqueued_at, message.body.len(), seq);
        }
        // The routes may have changed while the message was on its way to disk.
        if is_unrouted && !Arc::ptr_eq(&topology, &self.ground.peek()) {
            self.reroute().await?;
        }
        // Nobody listening is no fault.
        drop(self.arrivals.send(message));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, OpenBatch>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grow(&self, container: String, enqueued_at: Timestamp, bytes: usize, seq: i64) {
        let mut open = self.lock();
        let batch = open.entry(container).or_insert_with(|| OpenBatch {
            first_at: enqueued_at,
            count: 0,
            bytes: 0,
            last_seq: seq,
        });
        batch.first_at = batch.first_at.min(enqueued_at);
        batch.count += 1;
        batch.bytes += bytes as u64;
        batch.last_seq = batch.last_seq.max(seq);
        drop(open);
        self.grown.ring();
    }

    /// Every message made durable from now on.
    #[must_use]
    pub fn arrivals(&self) -> broadcast::Receiver<Arc<EnqueuedMessage>> {
        self.arrivals.subscribe()
    }

    /// Waits until a message has come since the last call.
    pub async fn grown(&self) {
        self.grown.rung().await;
    }

    /// What waits, by container.
    #[must_use]
    pub fn open_batches(&self) -> Vec<(String, OpenBatch)> {
        let open = self.lock();
        let mut batches: Vec<_> = open.iter().map(|(container, batch)| (container.clone(), batch.clone())).collect();
        batches.sort_by(|a, b| a.0.cmp(&b.0));
        batches
    }

    /// Cuts the container's batch: everything up to now goes into a blob whose name `name` makes from a
    /// number that rises from 0 until the name is free. `None` where nothing waits.
    pub async fn cut(
        &self,
        container: &str,
        cut_at: Timestamp,
        name: impl Fn(u32) -> String + Send + 'static,
    ) -> Result<Option<CutBatch>, DatabaseError> {
        let taken = self.lock().remove(container);
        let Some(taken) = taken else { return Ok(None) };
        let last_seq = taken.last_seq;
        let into = container.to_owned();
        let cut = self.database.write(move |transaction| {
            let mut number = 0;
            loop {
                let batch_name = name(number);
                let inserted = transaction
                    .prepare_cached(
                        "INSERT INTO batch(container, name, last_seq, cut_at) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT(container, name) DO NOTHING",
                    )?
                    .execute(rusqlite::params![into, batch_name, last_seq, cut_at.to_string()])?;
                if inserted == 1 {
                    let id = transaction.last_insert_rowid();
                    return Ok(CutBatch { id, container: into, name: batch_name, last_seq, cut_at });
                }
                number += 1;
            }
        });
        match cut.await {
            Ok(batch) => Ok(Some(batch)),
            Err(error) => {
                self.put_back(container, taken);
                Err(error)
            }
        }
    }

    /// A batch that couldn't be cut waits on, together with what has come meanwhile.
    fn put_back(&self, container: &str, taken: OpenBatch) {
        let mut open = self.lock();
        let batch =
            open.entry(container.to_owned()).or_insert_with(|| OpenBatch { count: 0, bytes: 0, ..taken.clone() });
        batch.first_at = batch.first_at.min(taken.first_at);
        batch.count += taken.count;
        batch.bytes += taken.bytes;
        batch.last_seq = batch.last_seq.max(taken.last_seq);
    }

    /// Batches that were cut and not finished, in order: what a crash interrupted.
    pub async fn unfinished(&self) -> Result<Vec<CutBatch>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection.prepare(
                    "SELECT b.id, b.container, b.name, b.last_seq, b.cut_at FROM batch b
                     WHERE EXISTS (SELECT 1 FROM enqueued e WHERE e.container = b.container AND e.seq <= b.last_seq)
                     ORDER BY b.id",
                )?;
                let rows = statement.query_map([], cut_batch)?;
                rows.collect()
            })
            .await
    }

    /// The container's messages after `after` and up to `last_seq`, at most `limit`, in order.
    pub async fn messages(
        &self,
        container: &str,
        after: i64,
        last_seq: i64,
        limit: usize,
    ) -> Result<Vec<(i64, EnqueuedMessage)>, DatabaseError> {
        let container = container.to_owned();
        self.database
            .read(move |connection| {
                let sql = format!(
                    "SELECT {COLUMNS} FROM enqueued WHERE container = ?1 AND seq > ?2 AND seq <= ?3
                     ORDER BY seq LIMIT ?4"
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let rows = statement.query_map(rusqlite::params![container, after, last_seq, limit], message_row)?;
                rows.collect()
            })
            .await
    }

    /// The containers that messages wait for, cut into a batch or not.
    pub async fn containers(&self) -> Result<Vec<String>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection.prepare_cached("SELECT DISTINCT container FROM enqueued ORDER BY 1")?;
                let rows = statement.query_map([], |row| row.get(0))?;
                rows.collect()
            })
            .await
    }

    /// The newest messages still in the log, newest first.
    pub async fn newest(&self, limit: usize) -> Result<Vec<EnqueuedMessage>, DatabaseError> {
        self.select("ORDER BY seq DESC LIMIT ?1", i64::try_from(limit).unwrap_or(i64::MAX)).await
    }

    /// The message with this identity, while it is still in the log.
    pub async fn find(&self, message_id: &str) -> Result<Option<EnqueuedMessage>, DatabaseError> {
        Ok(self.select("WHERE message_id = ?1 ORDER BY seq LIMIT 1", message_id.to_owned()).await?.pop())
    }

    async fn select(
        &self,
        clause: &'static str,
        parameter: impl rusqlite::ToSql + Send + 'static,
    ) -> Result<Vec<EnqueuedMessage>, DatabaseError> {
        self.database
            .read(move |connection| {
                let sql = format!("SELECT {COLUMNS} FROM enqueued {clause}");
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map([parameter], |row| Ok(message_row(row)?.1))?;
                rows.collect()
            })
            .await
    }

    /// Forgets the messages of a batch whose blob of `bytes` and notice are durable; one that is `unannounced` has no notice,
    /// and is remembered until [`EnqueuedLog::settle`].
    pub async fn finish(&self, batch: &CutBatch, bytes: u64, unannounced: bool) -> Result<(), DatabaseError> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let (id, container, last_seq) = (batch.id, batch.container.clone(), batch.last_seq);
        self.database
            .write(move |transaction| {
                transaction
                    .prepare_cached("UPDATE batch SET bytes = ?2, unannounced = max(unannounced, ?3) WHERE id = ?1")?
                    .execute(rusqlite::params![id, bytes, unannounced])?;
                transaction
                    .prepare_cached("DELETE FROM enqueued WHERE container = ?1 AND seq <= ?2")?
                    .execute(rusqlite::params![container, last_seq])
                    .map(|_| ())
            })
            .await
    }
}
