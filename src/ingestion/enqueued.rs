//! The hub's durable log: what devices sent and no batch holds yet, by the container it is routed to.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::Row;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::broadcast;

use super::pulse::Pulse;
use super::routing::Routes;
use crate::database::{Database, DatabaseError, Migration};

const MIGRATIONS: &[Migration] = &["
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
"];

/// A device-to-cloud message as the hub took it in.
#[derive(Debug, Clone, PartialEq)]
pub struct EnqueuedMessage {
    /// When the hub took it in, pipeline time.
    pub enqueued_at: Timestamp,
    /// The device that sent it.
    pub device_id: String,
    /// `$.mid`.
    pub message_id: Option<String>,
    /// `$.ct`.
    pub content_type: Option<String>,
    /// `$.ce`.
    pub content_encoding: Option<String>,
    /// Properties the device set.
    pub properties: BTreeMap<String, String>,
    /// Properties the hub set, beside content type, encoding and enqueued time: `connectionDeviceId`,
    /// `connectionAuthMethod`, `connectionDeviceGenerationId`, and `correlationId`, `userId` where given.
    pub system_properties: BTreeMap<String, String>,
    /// The payload as it came.
    pub body: Vec<u8>,
}

impl EnqueuedMessage {
    /// Whether the device said that the body is JSON in UTF-8: only then can a route look into it.
    #[must_use]
    pub fn is_json(&self) -> bool {
        let is =
            |value: &Option<String>, expected: &str| value.as_deref().is_some_and(|v| v.eq_ignore_ascii_case(expected));
        is(&self.content_type, "application/json") && is(&self.content_encoding, "utf-8")
    }

    /// The body as JSON, where the device said it is and it is.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        if self.is_json() { serde_json::from_slice(&self.body).ok() } else { None }
    }

    /// `type` of the body, where the body is a JSON object that has one.
    #[must_use]
    pub fn body_type(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Typed {
            r#type: Option<String>,
        }
        if self.is_json() { serde_json::from_slice::<Typed>(&self.body).ok()?.r#type } else { None }
    }
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
    routes: Arc<Routes>,
    open: Arc<Mutex<HashMap<String, OpenBatch>>>,
    grown: Pulse,
    arrivals: broadcast::Sender<Arc<EnqueuedMessage>>,
}

impl EnqueuedLog {
    /// Opens or makes the log at `path`; `routes` say where its messages are collected.
    pub fn open(path: &Path, routes: Routes) -> Result<Self, DatabaseError> {
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
            routes: Arc::new(routes),
            open: Arc::new(Mutex::new(open)),
            grown: Pulse::default(),
            arrivals: broadcast::Sender::new(4096),
        })
    }

    /// Makes `message` durable. Concurrent calls share one commit. Only after this answers may the device be
    /// told that its message arrived.
    pub async fn append(&self, message: EnqueuedMessage) -> Result<(), DatabaseError> {
        let message = Arc::new(message);
        let container = self.routes.container(message.body_type().as_deref()).to_owned();
        let (row, into) = (Arc::clone(&message), container.clone());
        let seq = self
            .database
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "INSERT INTO enqueued(container, enqueued_at, device_id, message_id, content_type,
                         content_encoding, properties, system_properties, body)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    )?
                    .insert(rusqlite::params![
                        into,
                        row.enqueued_at.to_string(),
                        row.device_id,
                        row.message_id,
                        row.content_type,
                        row.content_encoding,
                        serde_json::to_string(&row.properties).unwrap_or_default(),
                        serde_json::to_string(&row.system_properties).unwrap_or_default(),
                        row.body,
                    ])
            })
            .await?;
        self.grow(container, &message, seq);
        // Nobody listening is no fault.
        drop(self.arrivals.send(message));
        Ok(())
    }

    fn grow(&self, container: String, message: &EnqueuedMessage, seq: i64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = open.entry(container).or_insert_with(|| OpenBatch {
            first_at: message.enqueued_at,
            count: 0,
            bytes: 0,
            last_seq: seq,
        });
        batch.count += 1;
        batch.bytes += message.body.len() as u64;
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
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batches: Vec<_> = open.iter().map(|(container, batch)| (container.clone(), batch.clone())).collect();
        batches.sort_by(|a, b| a.0.cmp(&b.0));
        batches
    }

    /// The routes.
    #[must_use]
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Cuts the container's batch: everything up to now goes into a blob whose name `name` makes from a
    /// number that rises from 0 until the name is free. `None` where nothing waits.
    pub async fn cut(
        &self,
        container: &str,
        cut_at: Timestamp,
        name: impl Fn(u32) -> String + Send + 'static,
    ) -> Result<Option<CutBatch>, DatabaseError> {
        let taken = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(container);
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
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
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
                let rows = statement.query_map([], |row| {
                    Ok(CutBatch {
                        id: row.get(0)?,
                        container: row.get(1)?,
                        name: row.get(2)?,
                        last_seq: row.get(3)?,
                        cut_at: timestamp(row, 4)?,
                    })
                })?;
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
                let mut statement = connection.prepare_cached(
                    "SELECT seq, enqueued_at, device_id, message_id, content_type, content_encoding, properties,
                     system_properties, body FROM enqueued WHERE container = ?1 AND seq > ?2 AND seq <= ?3
                     ORDER BY seq LIMIT ?4",
                )?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let rows = statement.query_map(rusqlite::params![container, after, last_seq, limit], message_row)?;
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
                let sql = format!(
                    "SELECT seq, enqueued_at, device_id, message_id, content_type, content_encoding, properties,
                     system_properties, body FROM enqueued {clause}"
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map([parameter], |row| Ok(message_row(row)?.1))?;
                rows.collect()
            })
            .await
    }

    /// Forgets the messages of a batch whose blob and notice are durable.
    pub async fn finish(&self, batch: &CutBatch) -> Result<(), DatabaseError> {
        let (container, last_seq) = (batch.container.clone(), batch.last_seq);
        self.database
            .write(move |transaction| {
                transaction
                    .prepare_cached("DELETE FROM enqueued WHERE container = ?1 AND seq <= ?2")?
                    .execute(rusqlite::params![container, last_seq])
                    .map(|_| ())
            })
            .await
    }
}

fn message_row(row: &Row<'_>) -> rusqlite::Result<(i64, EnqueuedMessage)> {
    let properties = |index| row.get::<_, String>(index).map(|text| serde_json::from_str(&text).unwrap_or_default());
    let message = EnqueuedMessage {
        enqueued_at: timestamp(row, 1)?,
        device_id: row.get(2)?,
        message_id: row.get(3)?,
        content_type: row.get(4)?,
        content_encoding: row.get(5)?,
        properties: properties(6)?,
        system_properties: properties(7)?,
        body: row.get(8)?,
    };
    Ok((row.get(0)?, message))
}

fn timestamp(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    row.get::<_, String>(index)?.parse().map_err(|error: jiff::Error| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
    })
}
