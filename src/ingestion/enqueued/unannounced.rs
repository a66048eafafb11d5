//! Batches whose blobs were announced nowhere, remembered until they are.

use std::collections::BTreeMap;

use super::message::cut_batch;
use super::{CutBatch, EnqueuedLog};
use crate::database::DatabaseError;

impl EnqueuedLog {
    /// Batches that were announced nowhere, by container.
    pub async fn unannounced(&self) -> Result<BTreeMap<String, u64>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection
                    .prepare("SELECT container, count(*) FROM batch WHERE unannounced = 1 GROUP BY container")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
                rows.collect()
            })
            .await
    }

    /// The batches of `container` that were announced nowhere, in order.
    pub async fn unannounced_in(&self, container: &str) -> Result<Vec<CutBatch>, DatabaseError> {
        let container = container.to_owned();
        self.database
            .read(|connection| {
                let mut statement = connection.prepare(
                    "SELECT id, container, name, last_seq, cut_at FROM batch
                     WHERE container = ?1 AND unannounced = 1 ORDER BY id",
                )?;
                let rows = statement.query_map([container], cut_batch)?;
                rows.collect()
            })
            .await
    }

    /// A batch that was announced nowhere is announced now.
    pub async fn announced(&self, batch: &CutBatch) -> Result<(), DatabaseError> {
        let id = batch.id;
        self.database
            .write(move |transaction| transaction.execute("UPDATE batch SET unannounced = 0 WHERE id = ?1", [id]))
            .await
            .map(|_| ())
    }

    /// What lay unannounced in `container` was found in another way.
    pub async fn settle(&self, container: &str) -> Result<(), DatabaseError> {
        let container = container.to_owned();
        self.database
            .write(|transaction| {
                transaction
                    .execute("UPDATE batch SET unannounced = 0 WHERE container = ?1 AND unannounced = 1", [container])
            })
            .await
            .map(|_| ())
    }
}
