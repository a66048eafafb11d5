//! The device's own memory of the last weeks: ten-minute means, from which the model is rebuilt at a start.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::params;

use crate::database::{Database, DatabaseError, Migration};
use crate::nowcast::{Mean, Model};

/// Means kept: 30 days.
const KEPT: i64 = 30 * 144;

const MIGRATIONS: &[Migration] =
    &["CREATE TABLE mean(ends_at_s INTEGER PRIMARY KEY, value_list TEXT NOT NULL) STRICT;"];

/// The memory; clones share it.
#[derive(Debug, Clone)]
pub struct History(Database);

impl History {
    /// Opens or makes it at `path`.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        Database::open(path, MIGRATIONS).map(Self)
    }

    /// Adds means, durably; a mean of the same ten minutes is replaced.
    pub async fn append(&self, means: Vec<Mean>) -> Result<(), DatabaseError> {
        if means.is_empty() {
            return Ok(());
        }
        self.0
            .write(move |transaction| {
                let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO mean VALUES (?1, ?2)")?;
                for mean in &means {
                    let values = serde_json::to_string(&mean.values).unwrap_or_default();
                    insert.execute(params![mean.ends_at.as_second(), values])?;
                }
                transaction
                    .prepare_cached("DELETE FROM mean WHERE ends_at_s < (SELECT max(ends_at_s) FROM mean) - ?1 * 600")?
                    .execute([KEPT])
                    .map(|_| ())
            })
            .await
    }

    /// Shows `model` every mean kept that ends at or before `until`.
    pub async fn teach(&self, model: &mut Model, until: Timestamp) -> Result<(), DatabaseError> {
        let rows: Vec<(i64, String)> = self
            .0
            .read(move |connection| {
                let mut statement = connection
                    .prepare("SELECT ends_at_s, value_list FROM mean WHERE ends_at_s <= ?1 ORDER BY ends_at_s")?;
                let rows = statement.query_map([until.as_second()], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect()
            })
            .await?;
        for (ends_at, values) in rows {
            if let (Ok(ends_at), Ok(values)) = (Timestamp::from_second(ends_at), serde_json::from_str(&values)) {
                model.observe(&Mean { ends_at, values });
            }
        }
        Ok(())
    }

    /// Forgets the means that end after `at`: made while the clock was ahead.
    pub async fn forget_after(&self, at: Timestamp) -> Result<(), DatabaseError> {
        let at = at.as_second();
        self.0
            .write(move |transaction| transaction.execute("DELETE FROM mean WHERE ends_at_s > ?1", [at]).map(drop))
            .await
    }
}
