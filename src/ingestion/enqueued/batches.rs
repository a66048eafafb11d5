//! The batches of a container, as they were cut and written.

use jiff::Timestamp;

use super::EnqueuedLog;
use super::message::timestamp;
use crate::database::DatabaseError;

/// A batch that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBatch {
    /// Name of its blob.
    pub name: String,
    /// The blob's size, bytes; absent before it is written, and of blobs that an earlier version wrote.
    pub bytes: Option<u64>,
    /// When it was cut, pipeline time.
    pub cut_at: Timestamp,
}

impl EnqueuedLog {
    /// The newest batches of `container`, newest first, at most `limit`.
    pub async fn batches(&self, container: &str, limit: usize) -> Result<Vec<KnownBatch>, DatabaseError> {
        let (container, limit) = (container.to_owned(), i64::try_from(limit).unwrap_or(i64::MAX));
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT name, bytes, cut_at FROM batch WHERE container = ?1 ORDER BY id DESC LIMIT ?2",
                )?;
                let rows = statement.query_map(rusqlite::params![container, limit], |row| {
                    Ok(KnownBatch {
                        name: row.get(0)?,
                        bytes: row.get::<_, Option<i64>>(1)?.map(i64::unsigned_abs),
                        cut_at: timestamp(row, 2)?,
                    })
                })?;
                rows.collect()
            })
            .await
    }
}
