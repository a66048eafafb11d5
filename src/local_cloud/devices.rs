//! The device registry: who may connect, with which key.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rand::TryRngCore;
use rand::rngs::OsRng;
use rusqlite::{Connection, OptionalExtension};
use secrecy::{ExposeSecret, SecretBox, SecretString};

use crate::database::{Database, DatabaseError, Migration};

const MIGRATIONS: &[Migration] = &["
CREATE TABLE device(
    device_id TEXT PRIMARY KEY,
    generation_id TEXT NOT NULL,
    primary_key BLOB NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"];

/// Bytes of a device's key.
const KEY_BYTES: usize = 32;

/// A registered device.
pub(super) struct Device {
    /// Distinguishes it from a device of the same id that was deleted.
    pub(super) generation_id: String,
    /// Its symmetric key.
    pub(super) key: SecretBox<Vec<u8>>,
}

impl Device {
    /// The key as devices are given it: base64.
    pub(super) fn key_text(&self) -> SecretString {
        STANDARD.encode(self.key.expose_secret()).into()
    }
}

/// A handle on the registry; clones share it.
#[derive(Clone)]
pub(super) struct Devices(Database);

impl Devices {
    pub(super) fn open(path: &Path) -> Result<Self, DatabaseError> {
        Database::open(path, MIGRATIONS).map(Self)
    }

    pub(super) async fn get(&self, device_id: &str) -> Result<Option<Device>, DatabaseError> {
        let device_id = device_id.to_owned();
        self.0.read(move |connection| get(connection, &device_id)).await
    }

    /// The device; registered with a new key where it isn't yet.
    pub(super) async fn ensure(&self, device_id: &str) -> Result<Option<Device>, DatabaseError> {
        if let Some(device) = self.get(device_id).await? {
            return Ok(Some(device));
        }
        let id = device_id.to_owned();
        self.0
            .write(move |transaction| {
                let (generation_id, key) = (generation_id()?, random::<KEY_BYTES>()?);
                transaction
                    .execute(
                        "INSERT INTO device VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                        rusqlite::params![id, generation_id, key, Timestamp::now().to_string()],
                    )
                    .map(|_| ())
            })
            .await?;
        self.get(device_id).await
    }
}

fn get(connection: &Connection, device_id: &str) -> rusqlite::Result<Option<Device>> {
    connection
        .prepare_cached("SELECT generation_id, primary_key FROM device WHERE device_id = ?1")?
        .query_row([device_id], |row| {
            Ok(Device { generation_id: row.get(0)?, key: SecretBox::new(Box::new(row.get(1)?)) })
        })
        .optional()
}

/// 18 decimal digits, as IoT Hub's are.
fn generation_id() -> rusqlite::Result<String> {
    Ok(format!("{:018}", u64::from_be_bytes(random()?) % 1_000_000_000_000_000_000))
}

/// From the system's generator; a failure of it fails the transaction.
fn random<const N: usize>() -> rusqlite::Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    Ok(bytes)
}

/// Whether `id` can name a device: 1 to 128 characters of the set that IoT Hub allows.
pub(super) fn is_device_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.%_*?!(),:=@$'".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_device_keeps_its_key_and_no_two_share_one() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("devices.db");
        let devices = Devices::open(&path).expect("opens");
        assert!(devices.get("roof-01").await.expect("reads").is_none());
        let (a, b) = tokio::join!(devices.ensure("roof-01"), devices.ensure("roof-02"));
        let (a, b) = (a.expect("made").expect("there"), b.expect("made").expect("there"));
        assert_eq!(a.key.expose_secret().len(), KEY_BYTES);
        assert_ne!(a.key.expose_secret(), b.key.expose_secret());
        drop(devices);
        let again = Devices::open(&path).expect("opens").ensure("roof-01").await.expect("reads").expect("there");
        assert_eq!(again.key.expose_secret(), a.key.expose_secret());
        assert_eq!(again.generation_id, a.generation_id);
        assert_eq!(a.generation_id.len(), 18);
    }

    #[test]
    fn device_ids_are_those_iot_hub_allows() {
        assert!(is_device_id("roof-01") && is_device_id("A.b_c:1"));
        for wrong in ["", "a/b", "a b", "ä", "a#", "a+b", &"x".repeat(129)] {
            assert!(!is_device_id(wrong), "{wrong}");
        }
    }
}
