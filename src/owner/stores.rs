//! The stores of an environment below its data folder: opened, in step with what is applied, and kept from growing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::lock::make_private;
use super::running::StartError;
use crate::clock::Clock;
use crate::database::DatabaseError;
use crate::ingestion::enqueued::EnqueuedLog;
use crate::ingestion::keeper::Keeper;
use crate::ingestion::notices::NoticeQueue;
use crate::ingestion::storage::Containers;
use crate::ingestion::topology::{Ground, Topology};
use crate::ingestion::trash::{KEPT, Trash};
use crate::ingestion::warehouse::Warehouse;
use crate::local_cloud::cloud::Cloud;
use crate::local_cloud::topology::{self, Follower};

/// Wall time between looks at what retention lets go.
const RETENTION_EVERY: Duration = Duration::from_secs(3600);

/// What is applied, and the way from it to the pipeline.
pub(super) struct Applied {
    /// Reads what is applied.
    pub(super) follower: Follower,
    /// What is applied, as the follower reads it.
    pub(super) next: Ground,
    /// What the pipeline runs on.
    pub(super) ground: Ground,
    /// Where the keeper publishes it.
    pub(super) pipeline: watch::Sender<Arc<Topology>>,
}

impl Applied {
    /// Opens the emulated cloud below `data`; `built_in` runs until something is applied.
    pub(super) async fn open(data: &Path, built_in: Topology) -> Result<Self, StartError> {
        let folder = data.join("cloud");
        make_private(&folder)
            .map_err(|error| StartError::Folder { path: folder.clone(), reason: error.to_string() })?;
        let cloud = Cloud::open(&folder)?;
        let (follower, next) = topology::follow(cloud, &folder, built_in).await?;
        let pipeline = watch::Sender::new(next.peek());
        let ground = Ground::from(pipeline.subscribe());
        Ok(Self { follower, next, ground, pipeline })
    }
}

/// The stores of an environment.
pub(super) struct Stores {
    pub(super) log: EnqueuedLog,
    pub(super) notices: NoticeQueue,
    pub(super) containers: Containers,
    pub(super) warehouse: Warehouse,
    pub(super) trash: Trash,
}

impl Stores {
    pub(super) fn open(data: &Path, ground: Ground) -> Result<Self, StartError> {
        make_private(&data.join("hub"))
            .map_err(|error| StartError::Folder { path: data.join("hub"), reason: error.to_string() })?;
        Ok(Self {
            log: EnqueuedLog::open(&data.join("hub").join("enqueued.db"), ground)?,
            notices: NoticeQueue::open(&data.join("notices.db"))?,
            containers: Containers::open(&data.join("containers"))?,
            warehouse: Warehouse::open(&data.join("warehouse.db"))?,
            trash: Trash::new(&data.join("trash")),
        })
    }

    /// Who brings them in step with what is applied.
    pub(super) fn keeper(&self) -> Keeper {
        let (warehouse, containers, trash) = (self.warehouse.clone(), self.containers.clone(), self.trash.clone());
        Keeper { warehouse, containers, trash }
    }

    /// The newest pipeline time that anything was stamped with, so that a replay's clock never goes back.
    pub(super) async fn newest_time(&self) -> Result<Option<Timestamp>, DatabaseError> {
        let enqueued = self.log.newest(1).await?.first().map(|message| message.enqueued_at);
        let loaded = self.warehouse.newest_time().await?;
        Ok(enqueued.max(loaded))
    }
}

/// Lets go what is older than it is kept: rows, where a retention is set, and what is in the trash.
pub(super) async fn forget_old(warehouse: Warehouse, trash: Trash, clock: Clock, days: Option<u32>) {
    loop {
        if let Some(days) = days {
            let before = clock.now() - SignedDuration::from_hours(24 * i64::from(days));
            match warehouse.forget_before(before).await {
                Ok(0) => {}
                Ok(rows) => {
                    tracing::info!(target: "ingestion", "retention: {rows} rows older than {days} days deleted")
                }
                Err(error) => tracing::error!(target: "ingestion", "retention: {error}"),
            }
        }
        let trash = trash.clone();
        match tokio::task::spawn_blocking(move || trash.forget_before(Timestamp::now() - KEPT)).await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(count)) => tracing::info!(target: "ingestion", "trash: {count} older than 30 days deleted"),
            Ok(Err(error)) => tracing::error!(target: "ingestion", "{error}"),
        }
        tokio::time::sleep(RETENTION_EVERY).await;
    }
}
