//! The emulated cloud: the resources that have been applied, durable, shared by the processes that apply and the
//! one that runs what is applied.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use serde_json::Value;

use crate::database::{Database, DatabaseError, Migration};

const MIGRATIONS: &[Migration] = &["
CREATE TABLE resource(
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    attributes TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY(kind, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE fact(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE fault(
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    delay_ms INTEGER NOT NULL DEFAULT 0,
    message TEXT,
    PRIMARY KEY(kind, name)
) STRICT, WITHOUT ROWID;
"];

/// One resource as the cloud has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Terraform's resource type, as in `azurerm_iothub`.
    pub kind: String,
    /// The provider's id, unique in its kind.
    pub id: String,
    /// Every attribute, as JSON by the provider's schema. Holds secrets.
    pub attributes: Value,
}

impl Resource {
    /// A text attribute; empty where it is absent.
    #[must_use]
    pub fn text(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What a scenario lets happen to a resource when it is applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// Milliseconds it takes.
    pub delay_ms: u32,
    /// With which words it fails; absent is not at all.
    pub message: Option<String>,
}

/// The store; clones share it. Other processes may have it open at the same time.
#[derive(Debug, Clone)]
pub struct Cloud {
    database: Database,
}

impl Cloud {
    /// Name of its file in the folder it is opened in.
    pub const FILE: &'static str = "cloud.db";

    /// Opens or makes the store in `folder`, which must be there.
    pub fn open(folder: &Path) -> Result<Self, DatabaseError> {
        Ok(Self { database: Database::open(&folder.join(Self::FILE), MIGRATIONS)? })
    }

    /// Every resource, by kind and id.
    pub async fn resources(&self) -> Result<Vec<Resource>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement =
                    connection.prepare_cached("SELECT kind, id, attributes FROM resource ORDER BY kind, id")?;
                let rows = statement.query_map([], resource)?;
                rows.collect()
            })
            .await
    }

    /// Every resource by kind and id, with the wall time it was made.
    pub async fn resources_made(&self) -> Result<Vec<(Resource, Timestamp)>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection
                    .prepare_cached("SELECT kind, id, attributes, created_at FROM resource ORDER BY kind, id")?;
                let rows = statement.query_map([], |row| {
                    let made: String = row.get(3)?;
                    Ok((resource(row)?, made.parse().unwrap_or(Timestamp::UNIX_EPOCH)))
                })?;
                rows.collect()
            })
            .await
    }

    /// One resource, where it is there.
    pub async fn get(&self, kind: &str, id: &str) -> Result<Option<Resource>, DatabaseError> {
        let key = [kind.to_owned(), id.to_owned()];
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT kind, id, attributes FROM resource WHERE kind = ?1 AND id = ?2")?
                    .query_row(key, resource)
                    .optional()
            })
            .await
    }

    /// Makes a resource, or gives it other attributes.
    pub async fn put(&self, resource: Resource) -> Result<(), DatabaseError> {
        let now = Timestamp::now().to_string();
        self.database
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "INSERT INTO resource(kind, id, attributes, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)
                         ON CONFLICT(kind, id) DO UPDATE SET attributes = ?3, updated_at = ?4",
                    )?
                    .execute([resource.kind, resource.id, resource.attributes.to_string(), now])
            })
            .await
            .map(|_| ())
    }

    /// Gives the resource `id` the id and attributes of `resource`, of the same kind: it stays the one that was made.
    pub async fn rename(&self, id: &str, resource: Resource) -> Result<(), DatabaseError> {
        let (id, now) = (id.to_owned(), Timestamp::now().to_string());
        self.database
            .write(move |transaction| {
                transaction.execute(
                    "UPDATE resource SET id = ?3, attributes = ?4, updated_at = ?5 WHERE kind = ?1 AND id = ?2",
                    [resource.kind, id, resource.id, resource.attributes.to_string(), now],
                )
            })
            .await
            .map(|_| ())
    }

    /// Removes a resource; answers whether it was there.
    pub async fn delete(&self, kind: &str, id: &str) -> Result<bool, DatabaseError> {
        let key = [kind.to_owned(), id.to_owned()];
        self.database
            .write(|transaction| transaction.execute("DELETE FROM resource WHERE kind = ?1 AND id = ?2", key))
            .await
            .map(|removed| removed == 1)
    }

    /// Whether an apply has come to its end here. Until then the built-in topology runs; from then on what is applied.
    pub async fn is_adopted(&self) -> Result<bool, DatabaseError> {
        self.database
            .read(|connection| {
                connection.query_row("SELECT count(*) FROM fact WHERE name = 'adopted'", [], |row| {
                    row.get::<_, i64>(0).map(|count| count > 0)
                })
            })
            .await
    }

    /// Notes that an apply has come to its end.
    pub async fn adopt(&self) -> Result<(), DatabaseError> {
        let now = Timestamp::now().to_string();
        self.database
            .write(|transaction| {
                transaction
                    .execute("INSERT INTO fact(name, value) VALUES ('adopted', ?1) ON CONFLICT(name) DO NOTHING", [now])
            })
            .await
            .map(|_| ())
    }

    /// What a scenario lets happen to `name` of `kind`; nothing, outside of tests.
    pub async fn fault(&self, kind: &str, name: &str) -> Result<Option<Fault>, DatabaseError> {
        let key = [kind.to_owned(), name.to_owned()];
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT delay_ms, message FROM fault WHERE kind = ?1 AND name IN (?2, '*')")?
                    .query_row(key, |row| Ok(Fault { delay_ms: row.get(0)?, message: row.get(1)? }))
                    .optional()
            })
            .await
    }

    /// Lets something happen to `name` of `kind` (`*` is every name) from now on; `None` takes that back.
    pub async fn set_fault(&self, kind: &str, name: &str, fault: Option<Fault>) -> Result<(), DatabaseError> {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        self.database
            .write(move |transaction| match fault {
                Some(fault) => transaction.execute(
                    "INSERT OR REPLACE INTO fault(kind, name, delay_ms, message) VALUES (?1, ?2, ?3, ?4)",
                    rusqlite::params![kind, name, fault.delay_ms, fault.message],
                ),
                None => transaction.execute("DELETE FROM fault WHERE kind = ?1 AND name = ?2", [kind, name]),
            })
            .await
            .map(|_| ())
    }
}

fn resource(row: &rusqlite::Row<'_>) -> rusqlite::Result<Resource> {
    let text: String = row.get(2)?;
    let attributes = serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error)))?;
    Ok(Resource { kind: row.get(0)?, id: row.get(1)?, attributes })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_is_applied_is_there_for_another_process() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let one = Cloud::open(folder.path()).expect("opens");
        let other = Cloud::open(folder.path()).expect("opens beside it");
        let hub = Resource {
            kind: "azurerm_iothub".into(),
            id: "/hubs/a".into(),
            attributes: json!({"name": "a", "sku": [{"capacity": 1}]}),
        };
        one.put(hub.clone()).await.expect("put");
        assert_eq!(other.get("azurerm_iothub", "/hubs/a").await.expect("read"), Some(hub.clone()));
        assert_eq!(hub.text("name"), "a");
        assert_eq!(hub.text("location"), "");
        assert_eq!(other.resources().await.expect("read").len(), 1);
        assert!(!other.is_adopted().await.expect("read"));
        one.adopt().await.expect("adopted");
        one.adopt().await.expect("adopted again");
        assert!(other.is_adopted().await.expect("read"));
        let made = one.resources_made().await.expect("read")[0].1;
        let renamed = Resource { id: "/hubs/b".into(), ..hub };
        other.rename("/hubs/a", renamed.clone()).await.expect("renamed");
        assert_eq!(one.resources_made().await.expect("read"), [(renamed, made)]);
        assert!(other.delete("azurerm_iothub", "/hubs/b").await.expect("deleted"));
        assert!(!one.delete("azurerm_iothub", "/hubs/a").await.expect("nothing left"));
    }
}
