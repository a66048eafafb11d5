//! The registry's tables, and what of them is random.

use rand::TryRngCore;
use rand::rngs::OsRng;
use rusqlite::Transaction;

use crate::database::Migration;

pub(super) const MIGRATIONS: &[Migration] = &[
    "
CREATE TABLE device(
    device_id TEXT PRIMARY KEY,
    generation_id TEXT NOT NULL,
    primary_key BLOB NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE identity(
    device_id TEXT PRIMARY KEY,
    generation_id TEXT NOT NULL,
    etag TEXT NOT NULL,
    is_enabled INTEGER NOT NULL DEFAULT 1,
    status_reason TEXT,
    status_updated_at TEXT,
    authentication TEXT NOT NULL,
    primary_key BLOB,
    secondary_key BLOB,
    primary_thumbprint TEXT,
    secondary_thumbprint TEXT,
    is_connected INTEGER NOT NULL DEFAULT 0,
    connection_updated_at TEXT,
    last_activity_at TEXT,
    -- The subscriptions of a device that connected without a clean session, as JSON: filter to QoS.
    subscriptions TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL
) STRICT;
CREATE TABLE twin(
    device_id TEXT PRIMARY KEY REFERENCES identity(device_id) ON DELETE CASCADE,
    etag INTEGER NOT NULL DEFAULT 1,
    version INTEGER NOT NULL DEFAULT 1,
    tags TEXT NOT NULL DEFAULT '{}',
    desired TEXT NOT NULL DEFAULT '{}',
    desired_metadata TEXT NOT NULL,
    desired_version INTEGER NOT NULL DEFAULT 1,
    reported TEXT NOT NULL DEFAULT '{}',
    reported_metadata TEXT NOT NULL,
    reported_version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TABLE device_bound(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id TEXT NOT NULL REFERENCES identity(device_id) ON DELETE CASCADE,
    message_id TEXT,
    correlation_id TEXT,
    system_properties TEXT NOT NULL,
    properties TEXT NOT NULL,
    body BLOB NOT NULL,
    enqueued_at TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    delivery_count INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX device_bound_by_device ON device_bound(device_id, seq);
INSERT INTO identity(device_id, generation_id, etag, authentication, primary_key, created_at)
    SELECT device_id, generation_id, 'MQ==', 'sas', primary_key, created_at FROM device;
INSERT INTO twin(device_id, desired_metadata, reported_metadata)
    SELECT device_id, json_object('$lastUpdated', created_at, '$lastUpdatedVersion', 1),
           json_object('$lastUpdated', created_at) FROM device;
DROP TABLE device;
",
];

/// Bytes of a device's key.
pub(super) const KEY_BYTES: usize = 32;

/// Devices of before there were secondary keys get one, and nobody is connected at a start.
pub(super) fn settle(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let keyless: Vec<String> = transaction
        .prepare("SELECT device_id FROM identity WHERE authentication = 'sas' AND secondary_key IS NULL")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for device_id in keyless {
        transaction.execute(
            "UPDATE identity SET secondary_key = ?2 WHERE device_id = ?1",
            rusqlite::params![device_id, random::<KEY_BYTES>()?],
        )?;
    }
    transaction.execute("UPDATE identity SET is_connected = 0 WHERE is_connected", [])?;
    Ok(())
}

/// 18 decimal digits, as IoT Hub's are.
pub(super) fn generation_id() -> rusqlite::Result<String> {
    Ok(format!("{:018}", u64::from_be_bytes(random()?) % 1_000_000_000_000_000_000))
}

/// From the system's generator; a failure of it fails the transaction.
pub(super) fn random<const N: usize>() -> rusqlite::Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    Ok(bytes)
}
