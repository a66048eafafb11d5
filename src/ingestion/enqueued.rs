//! The hub's durable log: what devices sent and no batch holds yet.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

use crate::database::{Database, DatabaseError, Migration};

/// The log's schema.
pub const MIGRATIONS: &[Migration] = &["
CREATE TABLE enqueued(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    enqueued_at TEXT NOT NULL,
    device_id TEXT NOT NULL,
    message_id TEXT,
    content_type TEXT,
    content_encoding TEXT,
    properties TEXT NOT NULL,
    system_properties TEXT NOT NULL,
    body BLOB NOT NULL
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
}

/// The log; clones share it.
#[derive(Debug, Clone)]
pub struct EnqueuedLog {
    database: Database,
    arrivals: tokio::sync::broadcast::Sender<std::sync::Arc<EnqueuedMessage>>,
}

impl EnqueuedLog {
    /// Opens or makes the log at `path`.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        Ok(Self { database: Database::open(path, MIGRATIONS)?, arrivals: tokio::sync::broadcast::Sender::new(4096) })
    }

    /// Makes `message` durable. Concurrent calls share one commit. Only after this answers may the device be
    /// told that its message arrived.
    pub async fn append(&self, message: EnqueuedMessage) -> Result<(), DatabaseError> {
        let message = std::sync::Arc::new(message);
        let row = std::sync::Arc::clone(&message);
        self.database
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "INSERT INTO enqueued(enqueued_at, device_id, message_id, content_type, content_encoding,
                         properties, system_properties, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    )?
                    .execute(rusqlite::params![
                        row.enqueued_at.to_string(),
                        row.device_id,
                        row.message_id,
                        row.content_type,
                        row.content_encoding,
                        serde_json::to_string(&row.properties).unwrap_or_default(),
                        serde_json::to_string(&row.system_properties).unwrap_or_default(),
                        row.body,
                    ])
                    .map(|_| ())
            })
            .await?;
        // Nobody listening is no fault.
        drop(self.arrivals.send(message));
        Ok(())
    }

    /// Every message made durable from now on.
    #[must_use]
    pub fn arrivals(&self) -> tokio::sync::broadcast::Receiver<std::sync::Arc<EnqueuedMessage>> {
        self.arrivals.subscribe()
    }
}
