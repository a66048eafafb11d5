//! The look before an apply, and the apply.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{Carrier, Stop};
use crate::provisioning::approval::approvers::Approvers;
use crate::provisioning::approval::check::{Facts, Refusal, Verdict, check};
use crate::provisioning::approval::record::PlanRecord;
use crate::provisioning::approval::{digest, make};
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::plan::read::PlanReading;
use crate::provisioning::policy::finding::Severity;
use crate::provisioning::policy::{Policies, denied_anew, verdict_digest};
use crate::provisioning::run::{LogLevel, Phase, RunRequest};
use crate::provisioning::runs::approve;
use crate::provisioning::runs::arguments::words;
use crate::provisioning::runs::kept::Kept;
use crate::provisioning::runs::queue::Turn;
use crate::provisioning::runs::record::settle;
use crate::provisioning::terraform::command::{Caller, Providers};
use crate::provisioning::terraform::state::State;

/// How long a state that is kept elsewhere is asked for after a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A plan that may be applied.
pub(super) struct Held {
    pub caller: Caller,
    pub verdict: Verdict,
    pub record: PlanRecord,
}

/// What the look before an apply found.
pub(super) enum Looked {
    /// Nothing has moved, and it is approved as it must be.
    Holds(Box<Held>),
    /// It may not be applied.
    Refused(Refusal),
}

impl Carrier {
    /// Looks whether the plan still says what would be done now, and whether it is approved: by a fresh plan, and
    /// everything that the record is bound to.
    pub(super) async fn look(
        &mut self,
        turn: &Turn,
        variables: &BTreeMap<String, Value>,
        providers: Providers,
    ) -> Result<Looked, Stop> {
        self.recorder.begin(Phase::Checking)?;
        let run = self.recorder.run();
        let (number, run_id) = (run.number, run.id.clone());
        let findings_before = run.findings.clone();
        let signed = self.store.record(number)?.ok_or_else(|| older(number))?;
        let record = make::record_of(&signed)?;
        let planned = self.planned(number)?;
        self.recorder.know(planned.masks().clone())?;
        // A run that came from elsewhere is a text that others could write; what was found then is in the record.
        if verdict_digest(&findings_before) != record.verdict_digest {
            return Ok(Looked::Refused(Refusal::Stale(vec!["findings: aren't those that were recorded".to_owned()])));
        }
        let request = with_values(self.request().clone(), &planned);
        self.lay_out(variables)?;
        let caller = self.caller(providers).await?;
        let approvers = Approvers::find(self.settings.approvers.as_deref())?;
        let approvals = self.store.approvals(number)?;
        let used = self.store.used()?;
        let policies = Policies::load(self.settings.policies.as_deref());
        let workspace = self.store.workspace();
        let environment = self.store.environment().clone();
        // What needs no fresh plan comes first: a configuration that was edited may not even be one.
        let mut facts = Facts {
            case: approve::case(&environment, (number, &run_id), &signed, record.denials, &used, &self.settings),
            plan_sha256: digest::of_file(&self.store.plan(number))?,
            content_digest: record.content_digest.clone(),
            moved: Vec::new(),
            denied_anew: Vec::new(),
            configuration_digest: digest::of_configuration(workspace.folder())?,
            lock_file_digest: record.lock_file_digest.clone(),
            policies_digest: policies.digest(),
            state_lineage: record.state_lineage.clone(),
            state_serial: record.state_serial,
            terraform_version: caller.terraform().version.clone(),
        };
        if let Err(refusal) = check(&facts, &approvals, approvers.as_ref(), Timestamp::now()) {
            return Ok(Looked::Refused(refusal));
        }
        if !workspace.is_embedded() || !workspace.is_initialised() {
            self.initialise(turn, &caller).await?;
        }
        self.learn_state(&caller).await?;
        let fresh = self.fresh(turn, &caller, &request).await?;
        let state = self.state_mark(&caller).await?;
        let findings = self.ask_policies(&policies, &fresh)?;
        let denials = findings.iter().filter(|finding| finding.severity == Severity::Deny).count();
        facts.case.denials = u32::try_from(denials).unwrap_or(u32::MAX);
        facts.denied_anew = denied_anew(&findings_before, &findings);
        facts.content_digest = fresh.content_digest();
        facts.moved = planned.moved(&fresh);
        facts.lock_file_digest = digest::of_lock_file(workspace.folder())?;
        (facts.state_lineage, facts.state_serial) = (state.lineage, state.serial);
        Ok(match check(&facts, &approvals, approvers.as_ref(), Timestamp::now()) {
            Ok(verdict) => Looked::Holds(Box::new(Held { caller, verdict, record })),
            Err(refusal) => Looked::Refused(refusal),
        })
    }

    /// The run's plan, as it was read when it was made.
    fn planned(&self, number: u32) -> Result<PlanReading, ProvisioningError> {
        let text = files::read(&self.store.plan_json(number))?.ok_or_else(|| older(number))?;
        Ok(PlanReading::read(text.as_bytes())?)
    }

    /// A plan of the same request, made now. Only its reading is kept.
    async fn fresh(&mut self, turn: &Turn, caller: &Caller, request: &RunRequest) -> Result<PlanReading, Stop> {
        let plan = self.store.fresh_plan(self.recorder.run().number);
        let made = self.make_plan(turn, caller, request, &plan).await;
        files::remove(&plan)?;
        Ok(made?.1)
    }

    /// Ends the run, whose plan may not be applied. Answers as what.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Result<Phase, ProvisioningError> {
        let number = self.recorder.run().number;
        let words = refusal.to_string();
        let (phase, moved) = match refusal {
            Refusal::Stale(moved) => (Phase::Stale, moved),
            Refusal::Expired(words) => (Phase::Expired, vec![words]),
            Refusal::NotApproved(words) | Refusal::Denied(words) => {
                return Err(ProvisioningError::Refused(words));
            }
        };
        for line in &moved {
            self.recorder.say(LogLevel::Warning, line)?;
        }
        self.recorder.end(false);
        let masks = self.recorder.masks();
        let moved = moved.iter().map(|line| masks.apply(line)).collect();
        self.recorder.run_mut().moved = moved;
        self.store.forget_plan(number)?;
        self.tell_end(&words);
        self.recorder.rest(phase)?;
        Ok(phase)
    }

    /// Uses the approvals up, and begins.
    pub(super) fn begin_apply(&mut self, Held { verdict, record, .. }: &Held) -> Result<(), ProvisioningError> {
        self.recorder.end(true);
        self.recorder.begin(Phase::Applying)?;
        self.store.use_up(record.run, verdict.approvals.iter().map(|approval| approval.id.as_str()))?;
        let by: Vec<_> = verdict.approvals.iter().map(|approval| approval.by.as_str()).collect();
        let words = if by.is_empty() { String::new() } else { format!("approved by {}", by.join(" and ")) };
        let mut digests = record.digests();
        digests.extend(verdict.approvers_digest.clone().map(|digest| ("approvers".to_owned(), digest)));
        for (i, approval) in verdict.approvals.iter().enumerate() {
            digests.insert(format!("approval {}", i + 1), approval.id.clone());
        }
        self.tell(AuditEvent::Applying, &words, digests)
    }

    /// `terraform apply` of the saved plan.
    pub(super) async fn apply_steps(&mut self, turn: &Turn, Held { caller, record, .. }: &Held) -> Result<Phase, Stop> {
        let plan = self.store.plan(record.run);
        let mut call = words_of_apply(self.settings.lock_timeout_s);
        call.push(plan.to_string_lossy().into_owned());
        let applied = self.call(turn, caller, call, &[0]).await;
        let learned = self.learn_what_was_applied(caller).await;
        self.recorder.release()?;
        if applied.is_err() {
            let kept = self.kept(caller).await;
            self.recorder.note_kept(kept);
        }
        applied?;
        learned?;
        settle(self.recorder.run_mut(), true, "");
        self.recorder.end(true);
        Ok(Phase::Applied)
    }

    /// An apply makes secrets that no plan knew, and its errors may hold them.
    async fn learn_what_was_applied(&mut self, caller: &Caller) -> Result<(), ProvisioningError> {
        // Where it couldn't keep the state Terraform leaves it here.
        let left = files::read(&self.store.workspace().folder().join("errored.tfstate"))?;
        if let Some(state) = left.and_then(|text| State::read(&text).ok()) {
            self.recorder.know(state.secrets())?;
        }
        match self.store.workspace().local_state() {
            Some(_) => match self.store.local_state()? {
                Some(state) => self.recorder.know(state.secrets()),
                None => Ok(()),
            },
            None => self.learn_state(caller).await,
        }
    }
}

impl Carrier {
    /// What the state keeps of an apply that failed, read back.
    async fn kept(&self, caller: &Caller) -> Kept {
        let here = Kept::here(&self.store);
        if here != Kept::Unknown {
            return here;
        }
        // A backend that couldn't be written to may not answer either.
        match tokio::time::timeout(PATIENCE, caller.pulled_state()).await {
            Ok(Ok(state)) => Kept::of(state.as_ref()),
            Ok(Err(_)) | Err(_) => Kept::Unknown,
        }
    }
}

fn words_of_apply(lock_timeout_s: u32) -> Vec<String> {
    let mut call = words(&["apply", "-json", "-input=false"]);
    call.push(format!("-lock-timeout={lock_timeout_s}s"));
    call
}

/// The request with the values that its variables had: in the run secret ones are masked.
fn with_values(mut request: RunRequest, planned: &PlanReading) -> RunRequest {
    for (name, value) in &mut request.variables {
        match planned.json().pointer(&format!("/variables/{name}/value")) {
            Some(Value::String(text)) => value.clone_from(text),
            Some(other) => *value = other.to_string(),
            None => {}
        }
    }
    request
}

fn older(number: u32) -> ProvisioningError {
    ProvisioningError::Stale(format!(
        "run {number}: its plan was recorded by an older skydeck, or its files are gone; plan again"
    ))
}
