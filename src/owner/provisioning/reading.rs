//! Answers about plans that are kept, and about the audit trail.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Provisioner, blocking, tell};
use crate::owner::protocol::Answer;
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::plan::kept;
use crate::provisioning::plan::model::PlanList;
use crate::provisioning::plan::read::PlanReading;
use crate::provisioning::runs::store::Store;
use crate::settings::EnvironmentName;

/// Most resources that one answer tells the differences of.
const MOST_DETAILS: usize = 1000;

impl Provisioner {
    pub(super) async fn plan(&self, environment: &EnvironmentName, number: u32) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        blocking(move || {
            store.read(number)?;
            Ok(Answer::Plan { plan: Arc::new(kept::outline(&store.run_folder(number))?) })
        })
        .await
    }

    pub(super) async fn plan_details(
        &self,
        environment: &EnvironmentName,
        number: u32,
        list: PlanList,
        (from, count): (usize, usize),
    ) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        blocking(move || {
            store.read(number)?;
            let details = kept::details(&store.run_folder(number), list, from, count.min(MOST_DETAILS))?;
            Ok(Answer::PlanDetails { details })
        })
        .await
    }

    /// Shows secrets, once it is written down that somebody asked for them.
    pub(super) async fn reveal(
        &self,
        environment: &EnvironmentName,
        number: u32,
        list: PlanList,
        index: usize,
    ) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        blocking(move || {
            store.read(number)?;
            let refused = |words: &str| ProvisioningError::Refused(format!("run {number}: {words}"));
            let text = files::read(&store.plan_json(number))?
                .ok_or_else(|| refused("its plan isn't kept any more, and its secrets went with it; plan again"))?;
            let reading = PlanReading::read(text.as_bytes()).map_err(|error| refused(&error.to_string()))?;
            let detail = reading
                .detail(list, index, true)
                .ok_or_else(|| refused("its plan has no such change; read the plan again"))?;
            let words = format!("secrets of {} in the plan", detail.change.address);
            tell(&store, AuditEvent::Revealed, Some(number), &words)?;
            Ok(Answer::PlanDetails { details: vec![detail] })
        })
        .await
    }

    pub(super) async fn audit(
        &self,
        environment: &EnvironmentName,
        after: u64,
        limit: usize,
    ) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        if let Some(sharing) = self.sharing(&store, &self.settings_of(environment)?)? {
            return Ok(Answer::Audit { entries: sharing.trail(after, limit).await? });
        }
        blocking(move || Ok(Answer::Audit { entries: store.trail().read(after, limit)? })).await
    }

    pub(super) async fn verify_audit(&self, environment: &EnvironmentName) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        let here = {
            let store = store.clone();
            blocking(move || {
                let mut verdict = store.trail().verify()?;
                verdict.faults.extend(untold(&store)?);
                Ok(verdict)
            })
            .await?
        };
        let Some(sharing) = self.sharing(&store, &self.settings_of(environment)?)? else {
            return Ok(Answer::AuditVerdict { entries: here.entries, faults: here.faults });
        };
        let shared = sharing.verify_trail().await?;
        let ours = here.faults.iter().map(|fault| format!("this machine's own trail: {fault}"));
        Ok(Answer::AuditVerdict { entries: shared.entries, faults: shared.faults.into_iter().chain(ours).collect() })
    }
}

/// Runs that were asked for here and that the trail knows nothing of.
fn untold(store: &Store) -> Result<Vec<String>, ProvisioningError> {
    let told: BTreeSet<u32> = store.trail().read(0, usize::MAX)?.iter().filter_map(|entry| entry.run).collect();
    let mut faults = Vec::new();
    for number in store.numbers()?.into_iter().rev().filter(|number| !told.contains(number)) {
        // Runs of other machines are in their own trails, and those of an older skydeck in none.
        if store.read(number).is_ok_and(|stored| stored.run.home.is_none() && !stored.run.id.is_empty()) {
            faults.push(format!("run {number}: was asked for, and no entry says so; entries were removed"));
        }
    }
    Ok(faults)
}
