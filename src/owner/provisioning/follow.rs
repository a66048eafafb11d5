//! Provisioning in the snapshots that viewers get.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Provisioner;
use crate::owner::snapshot::Snapshot;
use crate::provisioning::run::{ChangeCounts, Phase};
use crate::provisioning::status::{ProvisioningStatus, TerraformStatus};
use crate::settings::EnvironmentName;

/// Least wall time between two snapshots for provisioning's sake.
const FLOOR: Duration = Duration::from_millis(100);

/// While Terraform isn't there: how long until it is looked for again. Somebody may be installing it.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Puts how provisioning stands into the snapshots, at every change and for good.
pub async fn follow(provisioner: Provisioner, snapshots: watch::Sender<Arc<Snapshot>>) {
    let own = snapshots.borrow().environment.clone();
    let mut known = None;
    loop {
        let status = provisioner.status().await;
        let phases = phases(&status, &own);
        if let Some(known) = &known {
            tell(&own, known, &phases);
        }
        known = Some(phases);
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

/// How far each run of an environment is.
type Phases = BTreeMap<u32, (Phase, Option<ChangeCounts>)>;

fn phases(status: &ProvisioningStatus, environment: &EnvironmentName) -> Phases {
    let own = status.environments.iter().filter(|one| one.environment == *environment);
    own.flat_map(|one| &one.runs).map(|run| (run.number, (run.phase, run.counts))).collect()
}

/// Runs tell of their end in their own folders; the audit has it from here.
fn tell(environment: &EnvironmentName, before: &Phases, now: &Phases) {
    for (number, (phase, counts)) in now {
        let was = before.get(number).map(|(phase, _)| *phase);
        if was != Some(*phase) && (phase.is_end() || *phase == Phase::Planned) {
            let counts = counts.map(|counts| format!(", {counts}")).unwrap_or_default();
            tracing::info!(target: "audit", "run {number} of {}: {}{counts}", super::shown(environment), phase.label());
        }
    }
}
