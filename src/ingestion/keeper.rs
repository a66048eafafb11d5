//! The keeper: brings warehouse, containers and trash in step with what is applied, before the pipeline runs on it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::storage::Containers;
use super::topology::{Ground, Topology};
use super::trash::{Trash, TrashError, off_thread};
use super::warehouse::{DroppedTable, Warehouse};
use crate::database::DatabaseError;

/// Wall time before something that couldn't be moved or copied is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// Why the ground couldn't be followed whole.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The warehouse failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Something couldn't be put into the trash.
    #[error(transparent)]
    Trash(#[from] TrashError),
}

/// The keeper; clones share what they keep.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// Tables and history.
    pub warehouse: Warehouse,
    /// Blobs.
    pub containers: Containers,
    /// Where rows and blobs of what was destroyed go.
    pub trash: Trash,
}

impl Keeper {
    /// Brings everything in step with `topology`. What was destroyed goes into the trash. The first error is answered
    /// once all the rest is done; what failed is kept, out of use, and done by the next call.
    pub async fn keep(&self, topology: &Topology) -> Result<(), KeepError> {
        let mut outcome = Ok(());
        for table in self.warehouse.mark_dropped(topology).await? {
            if let Err(error) = self.drop_table(&table).await {
                outcome = outcome.and(Err(error));
            }
        }
        for container in self.warehouse.gone_containers(topology).await? {
            if let Err(error) = self.drop_container(&container).await {
                outcome = outcome.and(Err(error));
            }
        }
        self.warehouse.take_over(topology).await?;
        outcome
    }

    /// Follows `applied` for good: keeps each topology and then publishes it to the pipeline.
    pub async fn run(self, mut applied: Ground, pipeline: watch::Sender<Arc<Topology>>) {
        loop {
            let topology = applied.now();
            let kept = self.keep(&topology).await;
            pipeline.send_if_modified(|current| {
                let is_new = **current != *topology;
                if is_new {
                    *current = topology;
                }
                is_new
            });
            let Err(error) = kept else {
                applied.changed().await;
                continue;
            };
            tracing::error!(target: "ingestion", "{error}");
            tokio::select! {
                () = applied.changed() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    async fn drop_table(&self, table: &DroppedTable) -> Result<(), KeepError> {
        let (trash, warehouse) = (self.trash.clone(), self.warehouse.database().path().to_owned());
        let (rows_in, name) = (table.rows_in, table.name.clone());
        let kept = off_thread(move || trash.keep_table(&warehouse, rows_in, &name, Timestamp::now())).await?;
        self.warehouse.empty(table).await?;
        if let Some(path) = kept {
            tracing::warn!(target: "ingestion", "table {} was destroyed; its rows are kept for 30 days in {}", table.name, path.display());
        }
        Ok(())
    }

    async fn drop_container(&self, name: &str) -> Result<(), KeepError> {
        let (trash, folder, container) = (self.trash.clone(), self.containers.folder(name), name.to_owned());
        let kept = off_thread(move || trash.keep_container(&folder, &container, Timestamp::now())).await?;
        self.warehouse.forget_container(name).await?;
        if let Some(path) = kept {
            tracing::warn!(target: "ingestion", "container {name} was destroyed; its blobs are kept for 30 days in {}", path.display());
        }
        Ok(())
    }
}
