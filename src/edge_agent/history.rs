//! The device's own memory of the last weeks: ten-minute means, from which the model is rebuilt at a start.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::params;

use crate::database::{Database, DatabaseError, Migration};
use crate::nowcast::Mean;

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

    /// Every mean kept that ends at or before `until`, in order of time.
    pub async fn means(&self, until: Timestamp) -> Result<Vec<Mean>, DatabaseError> {
        let rows: Vec<(i64, String)> = self
            .0
            .read(move |connection| {
                let mut statement = connection
                    .prepare("SELECT ends_at_s, value_list FROM mean WHERE ends_at_s <= ?1 ORDER BY ends_at_s")?;
                let rows = statement.query_map([until.as_second()], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect()
            })
            .await?;
        let mean = |(ends_at, values): (i64, String)| {
            Some(Mean { ends_at: Timestamp::from_second(ends_at).ok()?, values: serde_json::from_str(&values).ok()? })
        };
        Ok(rows.into_iter().filter_map(mean).collect())
    }

    /// Forgets the means that end after `at`: made while the clock was ahead.
    pub async fn forget_after(&self, at: Timestamp) -> Result<(), DatabaseError> {
        let at = at.as_second();
        self.0
            .write(move |transaction| transaction.execute("DELETE FROM mean WHERE ends_at_s > ?1", [at]).map(drop))
            .await
    }
}
