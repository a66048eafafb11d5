//! A message as the hub took it in, and as a row of the log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::Row;
use serde::Deserialize;
use serde_json::Value;

use super::CutBatch;

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

/// Columns of a message's row, in [`message_row`]'s order.
pub(super) const COLUMNS: &str = "seq, enqueued_at, device_id, message_id, content_type, content_encoding, properties,
    system_properties, body";

pub(super) fn message_row(row: &Row<'_>) -> rusqlite::Result<(i64, EnqueuedMessage)> {
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

/// A row of `id, container, name, last_seq, cut_at`.
pub(super) fn cut_batch(row: &Row<'_>) -> rusqlite::Result<CutBatch> {
    Ok(CutBatch {
        id: row.get(0)?,
        container: row.get(1)?,
        name: row.get(2)?,
        last_seq: row.get(3)?,
        cut_at: timestamp(row, 4)?,
    })
}

pub(super) fn timestamp(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    row.get::<_, String>(index)?.parse().map_err(|error: jiff::Error| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
    })
}
