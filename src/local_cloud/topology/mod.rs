//! What is applied is what runs: the topology read from the emulated cloud's resources, and followed.
//!
//! `read` resources into a topology · `azure` hub, endpoints, routes · `announcements` Event Grid's filters ·
//! `snowflake` tables, stages, pipes · `copy` the COPY statement of a pipe. Called by the owner of an embedded
//! environment. Until an apply has come to its end the built-in topology runs.

mod announcements;
mod azure;
pub(super) mod copy;
mod read;
mod snowflake;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::cloud::Cloud;
use crate::database::{DatabaseError, FolderWatch};
use crate::ingestion::topology::{Ground, Topology};

pub use read::read;

/// Wall time that changes are collected before they are looked at.
const SETTLE: Duration = Duration::from_millis(50);
/// Wall time before a store that can't be read is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Follows what is applied.
#[derive(Debug)]
pub struct Follower {
    cloud: Cloud,
    /// Absent where the system gives none: then changes are seen at the next start.
    watch: Option<FolderWatch>,
    built_in: Arc<Topology>,
    applied: watch::Sender<Arc<Topology>>,
}

/// Reads what is applied in `cloud`, which was opened in `folder`; `built_in` until something is. The topology
/// changes for as long as the follower runs.
pub async fn follow(cloud: Cloud, folder: &Path, built_in: Topology) -> Result<(Follower, Ground), DatabaseError> {
    // Watched before it is read: nothing falls in between.
    let watch = FolderWatch::start(folder);
    if let Err(error) = &watch {
        tracing::error!(target: "ingestion", "what is applied from now on is followed after a restart only: {error}");
    }
    let built_in = Arc::new(built_in);
    let first = current(&cloud, &built_in).await?;
    tell(&first, &[]);
    let applied = watch::Sender::new(first);
    let ground = Ground::from(applied.subscribe());
    Ok((Follower { cloud, watch: watch.ok(), built_in, applied }, ground))
}

impl Follower {
    /// Runs for good.
    pub async fn run(self) {
        let Some(watch) = &self.watch else { return std::future::pending().await };
        loop {
            watch.changed().await;
            tokio::time::sleep(SETTLE).await;
            let next = loop {
                match current(&self.cloud, &self.built_in).await {
                    Ok(next) => break next,
                    Err(error) => {
                        tracing::error!(target: "ingestion", "what is applied can't be read: {error}");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            };
            self.applied.send_if_modified(|known| {
                let is_new = **known != *next;
                if is_new {
                    tracing::info!(target: "ingestion", "what is applied has changed; the pipeline follows");
                    tell(&next, &known.faults);
                    *known = next;
                }
                is_new
            });
        }
    }
}

async fn current(cloud: &Cloud, built_in: &Arc<Topology>) -> Result<Arc<Topology>, DatabaseError> {
    if !cloud.is_adopted().await? {
        return Ok(Arc::clone(built_in));
    }
    Ok(Arc::new(read(&cloud.resources_made().await?)))
}

/// Says what can't be followed, once.
fn tell(topology: &Topology, known: &[crate::ingestion::topology::TopologyFault]) {
    for fault in topology.faults.iter().filter(|fault| !known.contains(fault)) {
        tracing::warn!(target: "ingestion", "{fault}");
    }
}
