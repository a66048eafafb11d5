//! Blobs that were announced nowhere and went to the trash with their container: once that is made again they come back
//! and are announced. Called by the batcher, the one who writes and announces blobs.
//!
//! Every step may be done again: the file is linked, the notice has its batch's identity, a path is loaded once.

use super::batching::BatchError;
use super::enqueued::EnqueuedLog;
use super::notices::{BlobCreated, NoticeQueue};
use super::storage::Containers;
use super::topology::Topology;
use super::trash::{Trash, TrashError};

/// What blobs come back from, through and to.
#[derive(Clone, Copy)]
pub(super) struct Returning<'a> {
    pub(super) log: &'a EnqueuedLog,
    pub(super) containers: &'a Containers,
    pub(super) trash: &'a Trash,
    pub(super) notices: &'a NoticeQueue,
}

impl Returning<'_> {
    /// Brings back what can come back on `topology`; answers how many blobs were announced.
    pub(super) async fn bring_back(self, topology: &Topology) -> Result<u64, BatchError> {
        let mut announced = 0;
        for container in self.log.unannounced().await?.into_keys() {
            if !topology.containers.contains_key(&container) {
                continue;
            }
            for batch in self.log.unannounced_in(&container).await? {
                let file = self.containers.file(&container, &batch.name);
                // One that never left is for a refresh to find, as in the cloud.
                if !self.link(&container, &batch.name, file.clone()).await? || !topology.announces(&container) {
                    continue;
                }
                let bytes = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
                let event = BlobCreated::new(&container, &batch.name, bytes, batch.cut_at, batch.id);
                self.notices.push(&event).await?;
                self.log.announced(&batch).await?;
                announced += 1;
            }
        }
        Ok(announced)
    }

    async fn link(self, container: &str, name: &str, file: std::path::PathBuf) -> Result<bool, TrashError> {
        let (trash, container, name) = (self.trash.clone(), container.to_owned(), name.to_owned());
        super::trash::off_thread(move || trash.bring_back(&container, &name, &file)).await
    }
}
