//! Provisioning in the snapshots that viewers get.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Provisioner;
use crate::owner::snapshot::Snapshot;
use crate::provisioning::status::TerraformStatus;

/// Least wall time between two snapshots for provisioning's sake.
const FLOOR: Duration = Duration::from_millis(100);

/// While Terraform isn't there: how long until it is looked for again. Somebody may be installing it.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Puts how provisioning stands into the snapshots, at every change and for good.
pub async fn follow(provisioner: Provisioner, snapshots: watch::Sender<Arc<Snapshot>>) {
    loop {
        let status = provisioner.status().await;
        snapshots.send_if_modified(|current| {
            if current.provisioning == status {
                return false;
            }
            let next = Arc::make_mut(current);
            next.provisioning = status.clone();
            next.version += 1;
            next.taken_at = Timestamp::now();
            true
        });
        if matches!(status.terraform, TerraformStatus::Found { .. }) {
            provisioner.changed().await;
        } else if tokio::time::timeout(LOOK_AGAIN, provisioner.changed()).await.is_err() {
            provisioner.look_for_terraform().await;
        }
        // A burst is one snapshot.
        tokio::time::sleep(FLOOR).await;
    }
}
