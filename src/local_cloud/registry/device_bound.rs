//! Messages from the cloud that wait for their device.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use super::RegistryError;

/// Messages that wait for one device at most.
pub const MAX_PENDING: u64 = 50;
/// Times a message is delivered before it is given up.
pub const MAX_DELIVERIES: u32 = 10;
/// How long a message waits where its sender says nothing.
pub const TIME_TO_LIVE: SignedDuration = SignedDuration::from_hours(1);
/// The longest a sender can ask for.
pub const MAX_TIME_TO_LIVE: SignedDuration = SignedDuration::from_hours(48);
/// Bytes of a body with its properties.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// A message to a device.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceBoundMessage {
    /// `$.mid`.
    pub message_id: Option<String>,
    /// `$.cid`.
    pub correlation_id: Option<String>,
    /// Other system properties by the name they have in a property bag: `$.uid`, `$.ct`, `$.ce`.
    pub system: BTreeMap<String, String>,
    /// The sender's own properties.
    pub properties: BTreeMap<String, String>,
    /// The body; with the properties at most 64 KiB.
    pub body: Vec<u8>,
    /// When it is given up, wall time; absent is in an hour.
    pub expires_at: Option<Timestamp>,
}

impl DeviceBoundMessage {
    pub(super) fn size(&self) -> usize {
        let pairs = self.properties.iter().chain(&self.system);
        let ids = [&self.message_id, &self.correlation_id];
        self.body.len()
            + pairs.map(|(name, value)| name.len() + value.len()).sum::<usize>()
            + ids.iter().filter_map(|id| id.as_ref()).map(String::len).sum::<usize>()
    }
}

/// A message of the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Its place.
    pub seq: i64,
    /// The message; `expires_at` is set.
    pub message: DeviceBoundMessage,
    /// How often it has been delivered, with this time.
    pub delivery_count: u32,
}

/// Puts a message at the end of a device's queue; answers its place. `now` is wall time.
pub(super) fn push(
    transaction: &Transaction<'_>,
    device_id: &str,
    message: DeviceBoundMessage,
    now: Timestamp,
) -> rusqlite::Result<Result<i64, RegistryError>> {
    let is_there: bool = transaction
        .prepare_cached("SELECT count(*) FROM identity WHERE device_id = ?1")?
        .query_row([device_id], |row| row.get::<_, i64>(0).map(|count| count > 0))?;
    if !is_there {
        return Ok(Err(RegistryError::not_found(device_id)));
    }
    let size = message.size();
    if size > MAX_MESSAGE {
        return Ok(Err(RegistryError::Invalid(format!("a message has {size} bytes; at most {MAX_MESSAGE} are taken"))));
    }
    let expires_at = message.expires_at.unwrap_or(now.saturating_add(TIME_TO_LIVE).unwrap_or(Timestamp::MAX));
    if expires_at <= now || expires_at.duration_since(now) > MAX_TIME_TO_LIVE {
        return Ok(Err(RegistryError::Invalid(format!(
            "expiryTimeUtc is {expires_at}; it must lie within the next 48 hours"
        ))));
    }
    sweep(transaction, now)?;
    if count(transaction, device_id)? >= MAX_PENDING {
        return Ok(Err(RegistryError::QueueFull(device_id.to_owned())));
    }
    transaction
        .prepare_cached(
            "INSERT INTO device_bound(device_id, message_id, correlation_id, system_properties, properties, body,
             enqueued_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            device_id,
            message.message_id,
            message.correlation_id,
            text(message.system),
            text(message.properties),
            message.body,
            now.to_string(),
            expires_at.as_millisecond(),
        ])?;
    Ok(Ok(transaction.last_insert_rowid()))
}

fn text(map: BTreeMap<String, String>) -> String {
    map.into_iter().map(|(name, value)| (name, Value::String(value))).collect::<Value>().to_string()
}

/// Gives up what is too old or was delivered too often.
fn sweep(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    let given_up = transaction
        .prepare_cached("DELETE FROM device_bound WHERE expires_at <= ?1")?
        .execute([now.as_millisecond()])?;
    if given_up > 0 {
        tracing::info!(count = given_up, "messages to devices have expired");
    }
    Ok(())
}

pub(super) fn count(connection: &Connection, device_id: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM device_bound WHERE device_id = ?1")?
        .query_row([device_id], |row| row.get::<_, i64>(0).map(i64::unsigned_abs))
}

/// The first message of a device at one of `places` that is to be delivered; counts the delivery. Messages that are too old
/// or were delivered [`MAX_DELIVERIES`] times are given up instead.
pub(super) fn take(
    transaction: &Transaction<'_>,
    device_id: &str,
    places: &RangeInclusive<i64>,
    now: Timestamp,
) -> rusqlite::Result<Option<Pending>> {
    sweep(transaction, now)?;
    let given_up = transaction
        .prepare_cached(
            "DELETE FROM device_bound WHERE device_id = ?1 AND seq BETWEEN ?2 AND ?3 AND delivery_count >= ?4",
        )?
        .execute(params![device_id, places.start(), places.end(), MAX_DELIVERIES])?;
    if given_up > 0 {
        tracing::warn!(
            device = device_id,
            count = given_up,
            "messages were delivered 10 times and never acknowledged: given up"
        );
    }
    let first = transaction
        .prepare_cached(
            "SELECT seq, message_id, correlation_id, system_properties, properties, body, expires_at,
             delivery_count + 1 FROM device_bound WHERE device_id = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq LIMIT 1",
        )?
        .query_row(params![device_id, places.start(), places.end()], read)
        .optional()?;
    if let Some(pending) = &first {
        transaction
            .prepare_cached("UPDATE device_bound SET delivery_count = delivery_count + 1 WHERE seq = ?1")?
            .execute([pending.seq])?;
    }
    Ok(first)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Pending> {
    let map = |column: usize| {
        let text: String = row.get(column)?;
        serde_json::from_str(&text).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
        })
    };
    let message = DeviceBoundMessage {
        message_id: row.get(1)?,
        correlation_id: row.get(2)?,
        system: map(3)?,
        properties: map(4)?,
        body: row.get(5)?,
        expires_at: Timestamp::from_millisecond(row.get(6)?).ok(),
    };
    Ok(Pending { seq: row.get(0)?, message, delivery_count: row.get(7)? })
}

/// Takes a message that its device acknowledged out of the queue.
pub(super) fn complete(transaction: &Transaction<'_>, device_id: &str, seq: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM device_bound WHERE device_id = ?1 AND seq = ?2")?
        .execute(params![device_id, seq])
        .map(|_| ())
}

/// Empties a device's queue; answers how many there were.
pub(super) fn purge(transaction: &Transaction<'_>, device_id: &str) -> rusqlite::Result<u64> {
    let removed = transaction.prepare_cached("DELETE FROM device_bound WHERE device_id = ?1")?.execute([device_id])?;
    Ok(u64::try_from(removed).unwrap_or(u64::MAX))
}
