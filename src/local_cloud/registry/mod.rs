//! The device registry: who may connect and how, what is wanted of them and what they say of themselves, and the
//! messages that wait for them. Durable.
//!
//! `identity` who may connect · `twin` twins · `merge` merge patches and their rules · `device_bound` messages that
//! wait for a device · `schema` the tables. Called by the hub alone; its values go out to whoever asks the hub.

mod device_bound;
mod identity;
mod merge;
mod schema;
#[cfg(test)]
mod tests;
mod twin;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

pub use device_bound::{DeviceBoundMessage, MAX_DELIVERIES, MAX_MESSAGE, MAX_PENDING, Pending, TIME_TO_LIVE};
pub use identity::{Authentication, DeviceIdentity, DeviceSpec, Thumbprint, is_device_id};
pub use merge::{MAX_DEPTH, MAX_PROPERTIES, MAX_TAGS};
pub use twin::{DesiredChange, Section, Twin, TwinChange};

use crate::database::{Database, DatabaseError};
use crate::station::text::printable;

/// Why the registry doesn't do what is asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// There is no such device.
    #[error("device {0}: not registered; skydeck hub devices lists those there are")]
    NotFound(String),
    /// A new device was asked for, and there is one of that id.
    #[error("device {0}: is registered already; to change it, say which state you know (If-Match)")]
    AlreadyExists(String),
    /// It has changed since the caller read it.
    #[error("it was changed in the meantime: its etag is {0} now; read it again")]
    Changed(String),
    /// What is asked breaks a rule; says which.
    #[error("{0}")]
    Invalid(String),
    /// As many messages wait for the device as may.
    #[error("device {0}: 50 messages wait already; they have to be fetched or purged first")]
    QueueFull(String),
    /// The registry's file.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl RegistryError {
    fn not_found(device_id: &str) -> Self {
        Self::NotFound(printable(device_id))
    }
}

/// Whether what a caller knows (`If-Match`, as it came) is the state there is; nothing and `*` are any.
pub(super) fn tag_matches(if_match: Option<&str>, etag: &str) -> bool {
    // Microsoft's service client puts the star in quotes too.
    if_match.map(|tag| tag.trim().trim_matches('"')).is_none_or(|tag| tag == "*" || tag == etag)
}

/// A handle on the registry; clones share it.
#[derive(Clone)]
pub(super) struct Registry(Database);

impl Registry {
    pub(super) async fn open(path: &Path) -> Result<Self, DatabaseError> {
        let registry = Self(Database::open(path, schema::MIGRATIONS)?);
        registry.0.write(schema::settle).await?;
        Ok(registry)
    }

    pub(super) async fn get(&self, device_id: &str) -> Result<Option<DeviceIdentity>, DatabaseError> {
        let device_id = device_id.to_owned();
        self.0.read(move |connection| get(connection, &device_id)).await
    }

    /// Devices by id; at most `most`.
    pub(super) async fn list(&self, most: u32) -> Result<Vec<DeviceIdentity>, DatabaseError> {
        self.0
            .read(move |connection| {
                let columns = identity::COLUMNS;
                connection
                    .prepare_cached(&format!("SELECT {columns} FROM identity i ORDER BY device_id LIMIT ?1"))?
                    .query_map([most], identity::read)?
                    .collect()
            })
            .await
    }

    /// How many devices there are, and how many of them are enabled.
    pub(super) async fn counts(&self) -> Result<(u64, u64), DatabaseError> {
        self.0
            .read(|connection| {
                connection.query_row("SELECT count(*), coalesce(sum(is_enabled), 0) FROM identity", [], |row| {
                    Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
                })
            })
            .await
    }

    /// The device; registered with new keys where it isn't yet.
    pub(super) async fn ensure(&self, device_id: &str, now: Timestamp) -> Result<DeviceIdentity, RegistryError> {
        if let Some(device) = self.get(device_id).await? {
            return Ok(device);
        }
        let id = device_id.to_owned();
        self.0
            .write(move |transaction| match get(transaction, &id)? {
                Some(device) => Ok(Ok(device)),
                None => put(transaction, &id, DeviceSpec::default(), None, now),
            })
            .await?
    }

    /// Registers a device (`if_match` is absent) or changes one. `now` is pipeline time.
    pub(super) async fn put(
        &self,
        device_id: &str,
        spec: DeviceSpec,
        if_match: Option<String>,
        now: Timestamp,
    ) -> Result<DeviceIdentity, RegistryError> {
        if !is_device_id(device_id) {
            return Err(RegistryError::Invalid(format!(
                "{:?} is no device id: 1 to 128 letters, digits or any of -.%_*?!(),:=@$' are",
                printable(device_id)
            )));
        }
        let id = device_id.to_owned();
        self.0.write(move |transaction| put(transaction, &id, spec, if_match.as_deref(), now)).await?
    }

    /// Removes a device with its twin and its messages.
    pub(super) async fn delete(&self, device_id: &str, if_match: Option<String>) -> Result<(), RegistryError> {
        let id = device_id.to_owned();
        self.0
            .write(move |transaction| {
                let Some(device) = get(transaction, &id)? else { return Ok(Err(RegistryError::not_found(&id))) };
                if !tag_matches(if_match.as_deref(), &device.etag) {
                    return Ok(Err(RegistryError::Changed(device.etag)));
                }
                transaction.execute("DELETE FROM identity WHERE device_id = ?1", [&id])?;
                Ok(Ok(()))
            })
            .await?
    }

    /// Notes that a device has connected or left, pipeline time, and when it was last heard of.
    pub(super) async fn connection(
        &self,
        device_id: &str,
        is_connected: bool,
        now: Timestamp,
        last_activity: Timestamp,
    ) -> Result<(), DatabaseError> {
        let id = device_id.to_owned();
        self.0
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "UPDATE identity SET is_connected = ?2, connection_updated_at = ?3, last_activity_at = ?4
                         WHERE device_id = ?1",
                    )?
                    .execute(params![id, is_connected, now.to_string(), last_activity.to_string()])
            })
            .await
            .map(|_| ())
    }

    /// The subscriptions that a device's session without a clean start keeps, as filter to QoS.
    pub(super) async fn subscriptions(&self, device_id: &str) -> Result<BTreeMap<String, u8>, DatabaseError> {
        let id = device_id.to_owned();
        let text = self
            .0
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT subscriptions FROM identity WHERE device_id = ?1")?
                    .query_row([id], |row| row.get::<_, String>(0))
                    .optional()
            })
            .await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Keeps a session's subscriptions.
    pub(super) async fn keep_subscriptions(
        &self,
        device_id: &str,
        subscriptions: &BTreeMap<String, u8>,
    ) -> Result<(), DatabaseError> {
        let id = device_id.to_owned();
        let text = serde_json::json!(subscriptions).to_string();
        self.0
            .write(move |transaction| {
                transaction.execute("UPDATE identity SET subscriptions = ?2 WHERE device_id = ?1", [id, text])
            })
            .await
            .map(|_| ())
    }

    pub(super) async fn twin(&self, device_id: &str) -> Result<Option<Twin>, DatabaseError> {
        let device_id = device_id.to_owned();
        self.0.read(move |connection| twin::get(connection, &device_id)).await
    }

    /// Twins by device id; at most `most`.
    pub(super) async fn twins(&self, most: u32) -> Result<Vec<Twin>, DatabaseError> {
        self.0.read(move |connection| twin::all(connection, most)).await
    }

    /// Carries out an operator's change of a twin; answers with the twin after it and what its device is to be told.
    pub(super) async fn change_twin(
        &self,
        device_id: &str,
        change: TwinChange,
        if_match: Option<String>,
        now: Timestamp,
    ) -> Result<(Twin, Option<DesiredChange>), RegistryError> {
        let id = device_id.to_owned();
        self.0.write(move |transaction| twin::change(transaction, &id, change, if_match.as_deref(), now)).await?
    }

    /// Merges what a device says of itself; answers the new version of its reported properties.
    pub(super) async fn report(
        &self,
        device_id: &str,
        patch: Map<String, Value>,
        now: Timestamp,
    ) -> Result<u64, RegistryError> {
        let id = device_id.to_owned();
        self.0.write(move |transaction| twin::report(transaction, &id, patch, now)).await?
    }

    /// Puts a message at the end of a device's queue. `now` is wall time.
    pub(super) async fn push(
        &self,
        device_id: &str,
        message: DeviceBoundMessage,
        now: Timestamp,
    ) -> Result<i64, RegistryError> {
        let id = device_id.to_owned();
        self.0.write(move |transaction| device_bound::push(transaction, &id, message, now)).await?
    }

    /// The first message to deliver at one of `places`; counts the delivery. `now` is wall time.
    pub(super) async fn take(
        &self,
        device_id: &str,
        places: RangeInclusive<i64>,
        now: Timestamp,
    ) -> Result<Option<Pending>, DatabaseError> {
        let id = device_id.to_owned();
        self.0.write(move |transaction| device_bound::take(transaction, &id, &places, now)).await
    }

    /// Takes an acknowledged message out of the queue.
    pub(super) async fn complete(&self, device_id: &str, seq: i64) -> Result<(), DatabaseError> {
        let id = device_id.to_owned();
        self.0.write(move |transaction| device_bound::complete(transaction, &id, seq)).await
    }

    /// Empties a device's queue; answers how many there were.
    pub(super) async fn purge(&self, device_id: &str) -> Result<u64, RegistryError> {
        let id = device_id.to_owned();
        self.0
            .write(move |transaction| match get(transaction, &id)? {
                Some(_) => device_bound::purge(transaction, &id).map(Ok),
                None => Ok(Err(RegistryError::not_found(&id))),
            })
            .await?
    }
}

fn get(connection: &Connection, device_id: &str) -> rusqlite::Result<Option<DeviceIdentity>> {
    let columns = identity::COLUMNS;
    connection
        .prepare_cached(&format!("SELECT {columns} FROM identity i WHERE i.device_id = ?1"))?
        .query_row([device_id], identity::read)
        .optional()
}

fn put(
    transaction: &Transaction<'_>,
    device_id: &str,
    spec: DeviceSpec,
    if_match: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<Result<DeviceIdentity, RegistryError>> {
    let old = get(transaction, device_id)?;
    match (&old, if_match) {
        (Some(_), None) => return Ok(Err(RegistryError::AlreadyExists(printable(device_id)))),
        (None, Some(_)) => return Ok(Err(RegistryError::not_found(device_id))),
        (Some(old), Some(_)) if !tag_matches(if_match, &old.etag) => {
            return Ok(Err(RegistryError::Changed(old.etag.clone())));
        }
        _ => {}
    }
    let authentication = match (spec.authentication, &old) {
        (Some(authentication), _) => Some(authentication),
        // What there is stays where nothing is said of it.
        (None, Some(old)) if !spec.wants_keys || old.authentication.keys()[0].is_some() => None,
        (None, _) => Some(Authentication::new_keys()?),
    };
    let etag = STANDARD.encode((u64::from_be_bytes(schema::random()?) % 1_000_000_000).to_string());
    if old.is_none() {
        transaction.execute(
            "INSERT INTO identity(device_id, generation_id, etag, authentication, created_at)
             VALUES (?1, ?2, '', '', ?3)",
            params![device_id, schema::generation_id()?, now.to_string()],
        )?;
        twin::make(transaction, device_id, now)?;
    }
    if let Some(authentication) = authentication {
        let [primary_key, secondary_key] = authentication.keys().map(|key| key.map(|key| key.expose_secret().clone()));
        let [primary, secondary] = authentication.thumbprints().map(|print| print.map(Thumbprint::as_str));
        transaction.execute(
            "UPDATE identity SET authentication = ?2, primary_key = ?3, secondary_key = ?4, primary_thumbprint = ?5,
             secondary_thumbprint = ?6 WHERE device_id = ?1",
            params![device_id, authentication.kind(), primary_key, secondary_key, primary, secondary],
        )?;
    }
    let status_changes = old.as_ref().is_some_and(|old| old.is_enabled != spec.is_enabled);
    transaction.execute(
        "UPDATE identity SET etag = ?2, is_enabled = ?3, status_reason = ?4,
         status_updated_at = CASE WHEN ?5 THEN ?6 ELSE status_updated_at END WHERE device_id = ?1",
        params![device_id, etag, spec.is_enabled, spec.status_reason, status_changes, now.to_string()],
    )?;
    Ok(get(transaction, device_id)?.ok_or(RegistryError::not_found(device_id)))
}
