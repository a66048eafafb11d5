//! Answers about plans that are kept, and about the audit trail.

use std::sync::Arc;

use super::{Provisioner, blocking, tell};
use crate::owner::protocol::Answer;
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::plan::kept;
use crate::provisioning::plan::model::PlanList;
use crate::provisioning::plan::read::PlanReading;
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
        let trail = self.store(environment)?.trail();
        blocking(move || Ok(Answer::Audit { entries: trail.read(after, limit)? })).await
    }

    pub(super) async fn verify_audit(&self, environment: &EnvironmentName) -> Result<Answer, ProvisioningError> {
        let trail = self.store(environment)?.trail();
        blocking(move || {
            let verdict = trail.verify()?;
            Ok(Answer::AuditVerdict { entries: verdict.entries, faults: verdict.faults })
        })
        .await
    }
}
