//! Provisioning in the snapshots that viewers get.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Provisioner;
use crate::owner::snapshot::Snapshot;

/// Least wall time between two snapshots for provisioning's sake.
const FLOOR: Duration = Duration::from_millis(100);

/// Puts how provisioning stands into the snapshots, at every change and for good.
pub async fn follow(provisioner: Provisioner, snapshots: watch::Sender<Arc<Snapshot>>) {
    loop {
        let status = provisioner.status().await;
        snapshots.send_if_modified(|current| {
            if current.provisioning == status {
                return false;
            }
            let next = Arc::make_mut(current);
            next.provisioning = status;
            next.version += 1;
            next.taken_at = Timestamp::now();
            true
        });
        provisioner.changed().await;
        // A burst is one snapshot.
        tokio::time::sleep(FLOOR).await;
    }
}
