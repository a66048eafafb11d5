//! What follows a plan: it is kept to be read, judged by the policies, and recorded with everything that it is bound to.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Carrier;
use super::plan::StateMark;
use crate::provisioning::approval::approvers::Approvers;
use crate::provisioning::approval::digest;
use crate::provisioning::approval::make::{self, SCHEMA};
use crate::provisioning::approval::record::PlanRecord;
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::plan::kept;
use crate::provisioning::plan::read::PlanReading;
use crate::provisioning::policy::finding::{Finding, Severity};
use crate::provisioning::policy::{Policies, PolicyContext, verdict_digest};
use crate::provisioning::runs::record::masked_finding;
use crate::provisioning::terraform::command::Caller;
use crate::settings::{EnvironmentKind, InvalidChangeWindow};

impl Carrier {
    /// Keeps, judges and records the plan that `reading` is of.
    pub(super) fn judge(
        &mut self,
        caller: &Caller,
        reading: &PlanReading,
        state: StateMark,
    ) -> Result<(), ProvisioningError> {
        let number = self.recorder.run().number;
        let folder = self.store.run_folder(number);
        kept::write(&folder, reading)?;
        // In clear, for whoever reveals it; it goes when the plan goes.
        files::write_whole(&self.store.plan_json(number), reading.json().to_string().as_bytes())?;
        let policies = Policies::load(self.settings.policies.as_deref());
        let findings = self.ask_policies(&policies, reading)?;
        self.recorder.judged(findings)?;
        let run = self.recorder.run();
        let workspace = self.store.workspace();
        let record = PlanRecord {
            schema: SCHEMA,
            environment: run.environment.clone(),
            run: number,
            run_id: run.id.clone(),
            plan_sha256: digest::of_file(&self.store.plan(number))?,
            content_digest: reading.content_digest(),
            state_lineage: state.lineage,
            state_serial: state.serial,
            configuration_digest: digest::of_configuration(workspace.folder())?,
            lock_file_digest: digest::of_lock_file(workspace.folder())?,
            policies_digest: policies.digest(),
            verdict_digest: verdict_digest(&run.findings),
            denials: run.denials(),
            terraform_version: caller.terraform().version.clone(),
            planned_by: run.asked_by.clone(),
            planned_at: run.planned_at.unwrap_or_else(Timestamp::now),
        };
        self.record(record)
    }

    /// Writes the record, signed where the environment is in the cloud and a key is set.
    fn record(&mut self, record: PlanRecord) -> Result<(), ProvisioningError> {
        let key = self.settings.signing_key.as_deref();
        let key = key.filter(|_| self.store.environment().kind() == EnvironmentKind::Cloud);
        let signed = make::sign_record(&record, key)?;
        self.store.write_record(record.run, &signed)?;
        let approvers = Approvers::find(self.settings.approvers.as_deref())?;
        self.recorder.run_mut().planner = make::planner(&signed, approvers.as_ref(), record.planned_at);
        let counts = self.recorder.run().counts.map(|counts| counts.short()).unwrap_or_default();
        self.tell(AuditEvent::Planned, &counts, record.digests())?;
        if record.denials > 0 {
            let denied = self.recorder.run().findings.iter().filter(|finding| finding.severity == Severity::Deny);
            let mut policies: Vec<_> = denied.map(|finding| finding.policy.clone()).collect();
            policies.dedup();
            let words = format!("by {}", policies.join(", "));
            self.tell(AuditEvent::Denied, &words, record.digests())?;
        }
        self.recorder.run_mut().record = Some(record);
        Ok(())
    }

    /// What the policies say of a plan now, without its secrets.
    pub(super) fn ask_policies(
        &self,
        policies: &Policies,
        reading: &PlanReading,
    ) -> Result<Vec<Finding>, ProvisioningError> {
        let window = self.settings.change_window.as_deref().map(str::parse).transpose();
        let refused = |error| ProvisioningError::Refused(format!("provisioning.change_window: {error}"));
        let context = PolicyContext {
            environment: self.store.environment().clone(),
            now: Timestamp::now(),
            change_window: window.map_err(|error: InvalidChangeWindow| refused(error))?,
            emulated: self.recorder.run().emulated,
        };
        let findings = policies.judge(reading.json(), &context).into_iter();
        Ok(findings.map(|finding| masked_finding(finding, self.recorder.masks())).collect())
    }

    /// Writes to the audit trail what whoever has the run carried out does, with digests of what it is about.
    pub(super) fn tell(
        &self,
        event: AuditEvent,
        words: &str,
        digests: BTreeMap<String, String>,
    ) -> Result<(), ProvisioningError> {
        self.recorder.tell(event, words, digests)
    }

    /// Writes to the audit trail how the run ended. A run that has ended has ended, whether that can be written or not.
    pub(super) fn tell_end(&mut self, words: &str) {
        let digests = self.recorder.run().record.as_ref().map(PlanRecord::digests).unwrap_or_default();
        if let Err(error) = self.recorder.tell(AuditEvent::Ended, words, digests) {
            tracing::error!(target: "provisioning", "audit trail: {error}");
        }
    }
}
