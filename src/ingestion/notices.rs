//! Notices: a durable queue of Event Grid's `BlobCreated` events, as a storage queue holds them.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pulse::Pulse;
use crate::database::{Database, DatabaseError, Migration};
use crate::station::text::printable;

const MIGRATIONS: &[Migration] = &["
CREATE TABLE notice(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    inserted_at TEXT NOT NULL,
    content TEXT NOT NULL
) STRICT;
CREATE TABLE notice_aside(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    set_aside_at TEXT NOT NULL,
    content TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
"];

/// Notices kept aside that are told.
const TOLD: i64 = 32;

const EVENT_TYPE: &str = "Microsoft.Storage.BlobCreated";

/// A blob was created: what of Event Grid's event the loader needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobCreated {
    /// The event's identity.
    pub event_id: String,
    /// When the blob was created, pipeline time.
    pub created_at: Timestamp,
    /// Its container.
    pub container: String,
    /// Its name.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
}

/// A notice that isn't a `BlobCreated` event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("notice is no {EVENT_TYPE} event: {0}")]
pub struct InvalidNotice(String);

impl BlobCreated {
    /// The event of batch number `batch`.
    #[must_use]
    pub fn new(container: &str, name: &str, bytes: u64, created_at: Timestamp, batch: i64) -> Self {
        Self {
            event_id: format!("batch-{batch}-{container}-{name}"),
            created_at,
            container: container.into(),
            name: name.into(),
            bytes,
        }
    }

    /// The event as Event Grid puts it into a storage queue: base64 of one JSON object.
    #[must_use]
    pub fn encode(&self) -> String {
        let event = serde_json::json!({
            "topic": "/local",
            "subject": format!("/blobServices/default/containers/{}/blobs/{}", self.container, self.name),
            "eventType": EVENT_TYPE,
            "eventTime": self.created_at.to_string(),
            "id": self.event_id,
            "data": {
                "api": "PutBlob",
                "contentType": "application/octet-stream",
                "contentLength": self.bytes,
                "blobType": "BlockBlob",
                "url": format!("file:///{}/{}", self.container, self.name),
            },
            "dataVersion": "",
            "metadataVersion": "1",
        });
        STANDARD.encode(event.to_string())
    }

    /// Reads a notice: base64 or plain, one event or an array of one, Event Grid's schema or CloudEvents.
    pub fn decode(content: &str) -> Result<Self, InvalidNotice> {
        let invalid = |reason: &str| InvalidNotice(reason.to_owned());
        let content = content.trim();
        let plain = if content.starts_with(['{', '[']) {
            content.as_bytes().to_vec()
        } else {
            STANDARD.decode(content).map_err(|_| invalid("neither JSON nor base64"))?
        };
        let mut event: Value =
            serde_json::from_slice(&plain).map_err(|error| InvalidNotice(printable(&error.to_string())))?;
        if let Value::Array(events) = &mut event {
            event = if events.len() == 1 {
                events.remove(0)
            } else {
                return Err(invalid("an array, but not of one event"));
            };
        }
        let text = |key: &str| event.get(key).and_then(Value::as_str);
        let kind = text("eventType").or_else(|| text("type")).ok_or_else(|| invalid("eventType is missing"))?;
        if kind != EVENT_TYPE {
            return Err(InvalidNotice(format!("eventType is {:?}", printable(kind))));
        }
        let subject = text("subject").ok_or_else(|| invalid("subject is missing"))?;
        let (container, name) = subject
            .strip_prefix("/blobServices/default/containers/")
            .and_then(|rest| rest.split_once("/blobs/"))
            .ok_or_else(|| invalid("subject names no blob"))?;
        // A name that climbs out of its container is no blob's.
        if [container, name].iter().any(|part| part.split('/').any(|p| p.is_empty() || p == "." || p == "..")) {
            return Err(invalid("subject names no blob inside a container"));
        }
        let created_at = text("eventTime")
            .or_else(|| text("time"))
            .and_then(|time| time.parse().ok())
            .ok_or_else(|| invalid("eventTime is missing or no time"))?;
        Ok(Self {
            event_id: text("id").ok_or_else(|| invalid("id is missing"))?.to_owned(),
            created_at,
            container: container.to_owned(),
            name: name.to_owned(),
            bytes: event.pointer("/data/contentLength").and_then(Value::as_u64).unwrap_or(0),
        })
    }
}

/// A notice that couldn't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideNotice {
    /// Its number there.
    pub id: i64,
    /// When it was kept aside, pipeline time.
    pub at: Timestamp,
    /// Its content, as it came.
    pub content: String,
    /// What is wrong with it.
    pub reason: String,
}

/// How the queue stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// Notices waiting.
    pub depth: u64,
    /// When the oldest came, pipeline time.
    pub oldest_at: Option<Timestamp>,
    /// Notices that couldn't be read and were kept aside.
    pub set_aside: u64,
    /// The newest 32 of them, newest first.
    pub aside: Arc<[AsideNotice]>,
    /// Notices that have come since the start.
    pub received: u64,
}

/// The queue; clones share it.
#[derive(Debug, Clone)]
pub struct NoticeQueue {
    database: Database,
    arrived: Pulse,
    status: Arc<Mutex<QueueStatus>>,
}

impl NoticeQueue {
    /// Opens or makes the queue at `path`.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let database = Database::open(path, MIGRATIONS)?;
        let mut status = database.read_blocking(counts)?;
        status.aside = database.read_blocking(aside)?.into();
        let queue = Self { database, arrived: Pulse::default(), status: Arc::new(Mutex::new(status)) };
        queue.arrived.ring();
        Ok(queue)
    }

    /// Queues an event durably. The same event again changes nothing.
    pub async fn push(&self, event: &BlobCreated) -> Result<(), DatabaseError> {
        self.push_raw(event.event_id.clone(), event.encode(), event.created_at).await
    }

    /// Queues a notice as it comes, whatever it holds.
    pub async fn push_raw(&self, event_id: String, content: String, at: Timestamp) -> Result<(), DatabaseError> {
        self.database
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "INSERT INTO notice(event_id, inserted_at, content) VALUES (?1, ?2, ?3)
                         ON CONFLICT(event_id) DO NOTHING",
                    )?
                    .execute([event_id, at.to_string(), content])
            })
            .await?;
        self.recount(1).await?;
        self.arrived.ring();
        Ok(())
    }

    /// Waits for a notice that has come since the last call.
    pub async fn arrived(&self) {
        self.arrived.rung().await;
    }

    /// The oldest notices behind number `after`, with their numbers, at most `limit`; they stay until
    /// [`NoticeQueue::remove`].
    pub async fn peek(&self, after: i64, limit: u32) -> Result<Vec<(i64, String)>, DatabaseError> {
        self.database
            .read(move |connection| {
                let mut statement =
                    connection.prepare_cached("SELECT id, content FROM notice WHERE id > ?1 ORDER BY id LIMIT ?2")?;
                let rows = statement.query_map([after, limit.into()], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect()
            })
            .await
    }

    /// Forgets a notice that was dealt with.
    pub async fn remove(&self, id: i64) -> Result<(), DatabaseError> {
        self.database.write(move |t| t.execute("DELETE FROM notice WHERE id = ?1", [id]).map(|_| ())).await?;
        self.recount(0).await
    }

    /// Keeps aside, with its reason, a notice that can't be read.
    pub async fn set_aside(&self, id: i64, reason: String, at: Timestamp) -> Result<(), DatabaseError> {
        self.database
            .write(move |transaction| {
                transaction.execute(
                    "INSERT INTO notice_aside(set_aside_at, content, reason) SELECT ?2, content, ?3 FROM notice WHERE id = ?1",
                    rusqlite::params![id, at.to_string(), reason],
                )?;
                transaction.execute("DELETE FROM notice WHERE id = ?1", [id]).map(|_| ())
            })
            .await?;
        let told = self.database.read(aside).await?;
        self.lock().aside = told.into();
        self.recount(0).await
    }

    /// How the queue stands.
    #[must_use]
    pub fn status(&self) -> QueueStatus {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, QueueStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn recount(&self, received: u64) -> Result<(), DatabaseError> {
        let now = self.database.read(counts).await?;
        let mut status = self.lock();
        *status = QueueStatus { received: status.received + received, aside: Arc::clone(&status.aside), ..now };
        Ok(())
    }
}

fn counts(connection: &rusqlite::Connection) -> rusqlite::Result<QueueStatus> {
    let (depth, oldest): (i64, Option<String>) =
        connection.query_row("SELECT count(*), min(inserted_at) FROM notice", [], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let set_aside: i64 = connection.query_row("SELECT count(*) FROM notice_aside", [], |row| row.get(0))?;
    Ok(QueueStatus {
        depth: depth.unsigned_abs(),
        oldest_at: oldest.and_then(|text| text.parse().ok()),
        set_aside: set_aside.unsigned_abs(),
        received: 0,
        aside: Arc::default(),
    })
}

fn aside(connection: &rusqlite::Connection) -> rusqlite::Result<Vec<AsideNotice>> {
    let mut statement =
        connection.prepare("SELECT id, set_aside_at, content, reason FROM notice_aside ORDER BY id DESC LIMIT ?1")?;
    let rows = statement.query_map([TOLD], |row| {
        let at = row.get::<_, String>(1)?.parse().unwrap_or_default();
        Ok(AsideNotice { id: row.get(0)?, at, content: row.get(2)?, reason: row.get(3)? })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event() -> BlobCreated {
        let at = "2016-06-08T00:05:00Z".parse().expect("a time");
        BlobCreated::new("json-blob-messages", "hub/0/2016-06-08/00-05", 812, at, 3)
    }

    #[test]
    fn an_event_is_read_in_every_form_it_comes_in() {
        let encoded = event().encode();
        assert_eq!(BlobCreated::decode(&encoded), Ok(event()));
        let plain = String::from_utf8(STANDARD.decode(&encoded).expect("base64")).expect("UTF-8");
        assert_eq!(BlobCreated::decode(&plain), Ok(event()));
        assert_eq!(BlobCreated::decode(&format!("[{plain}]")), Ok(event()));
        let cloud = plain.replace("\"eventType\"", "\"type\"").replace("\"eventTime\"", "\"time\"");
        assert_eq!(BlobCreated::decode(&cloud), Ok(event()));
    }

    #[test]
    fn what_is_no_event_says_why() {
        let plain = String::from_utf8(STANDARD.decode(event().encode()).expect("base64")).expect("UTF-8");
        for (content, reason) in [
            ("%%%", "neither JSON nor base64"),
            ("{}", "eventType is missing"),
            (&plain.replace("BlobCreated", "BlobDeleted"), "BlobDeleted"),
            (&plain.replace("/blobs/hub", "/blobs/../hub"), "inside a container"),
            (&format!("[{plain},{plain}]"), "not of one"),
        ] {
            let error = BlobCreated::decode(content).expect_err(content).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(content in ".{0,200}") {
            drop(BlobCreated::decode(&content));
        }
    }

    #[tokio::test]
    async fn the_same_event_is_queued_once_and_survives() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("queue.db");
        let queue = NoticeQueue::open(&path).expect("opens");
        queue.push(&event()).await.expect("queued");
        queue.push(&event()).await.expect("queued again");
        assert_eq!(queue.status().depth, 1);
        drop(queue);
        let queue = NoticeQueue::open(&path).expect("opens again");
        let waiting = queue.peek(0, 10).await.expect("peeks");
        assert_eq!(BlobCreated::decode(&waiting[0].1), Ok(event()));
        queue.set_aside(waiting[0].0, "a test".into(), event().created_at).await.expect("set aside");
        assert_eq!((queue.status().depth, queue.status().set_aside), (0, 1));
        let told = queue.status().aside;
        let queue = NoticeQueue::open(&path).expect("opens once more");
        assert_eq!(queue.status().aside, told);
        assert_eq!((told.len(), told[0].reason.as_str(), told[0].at), (1, "a test", event().created_at));
        assert_eq!(BlobCreated::decode(&told[0].content), Ok(event()));
    }
}
