//! One signed text at a time: who made it, and whether an approval counts for a run.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::approvers::{Approvers, Person};
use super::check::{Case, Refusal, is_prod};
use super::make::{approval_of, record_of};
use super::record::{Approval, PlanRecord, Signed};
use super::signature::{self, APPROVAL, PLAN, Signer};
use crate::settings::EnvironmentKind;
use crate::station::text::printable;

/// How far the clocks of two machines may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(2);

/// Who made something that may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// As they call themselves, `user@host`.
    pub label: String,
    /// Fingerprint of the key; absent where nobody signed.
    pub fingerprint: Option<String>,
    /// Whose key it is; absent where nobody signed, or nobody says whose it is.
    pub person: Option<Person>,
}

impl Maker {
    /// Whether it is the same one: by person where both are known, else by key, else by label.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.person, &other.person) {
            (Some(one), Some(two)) => one.is(two),
            _ => (self.fingerprint.is_some() && self.fingerprint == other.fingerprint) || self.label == other.label,
        }
    }

    /// The name, or the label where nobody says whose key it is.
    pub fn name(&self) -> &str {
        self.person.as_ref().map_or(&self.label, Person::name)
    }
}

/// An approval that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// What it says.
    pub approval: Approval,
    /// Who gave it.
    pub maker: Maker,
}

/// The record of `case` and who made it. Refused where it isn't the run's own, or not as it was signed.
pub fn record(case: &Case<'_>, approvers: Option<&Approvers>, now: Timestamp) -> Result<(PlanRecord, Maker), Refusal> {
    let refused = |words: String| Refusal::NotApproved(format!("record of run {}: {words}", case.run));
    let record = record_of(case.record).map_err(|error| Refusal::NotApproved(error.to_string()))?;
    if record.environment != *case.environment {
        let words = format!("is of the environment {}, not of {}; plan again", record.environment, case.environment);
        return Err(refused(words));
    }
    if record.run != case.run || record.run_id != case.run_id {
        return Err(refused(format!("is of another run ({}); plan again", record.run)));
    }
    if record.planned_at.duration_since(now) > SKEW {
        return Err(refused(format!("was made at {}, which is yet to come; correct the clock", record.planned_at)));
    }
    let mut maker = Maker { label: printable(&record.planned_by), fingerprint: None, person: None };
    if let Some(signature) = &case.record.signature {
        let signer = signature::verify(signature, PLAN, case.record.payload.as_bytes())
            .map_err(|reason| refused(format!("its signature {reason}")))?;
        maker.person = match approvers {
            Some(approvers) => match person(approvers, PLAN, &signer, [record.planned_at, now]) {
                Ok(person) => Some(person),
                // Elsewhere the planner's signature isn't asked for, and says what it can.
                Err(_) if !is_prod(case.environment) => None,
                Err(words) => return Err(refused(format!("{words}; or plan again without a key"))),
            },
            None => None,
        };
        maker.fingerprint = Some(signer.fingerprint);
    }
    Ok((record, maker))
}

/// Whose the key is, by a line that counts at each of `times`.
fn person(approvers: &Approvers, namespace: &str, signer: &Signer, times: [Timestamp; 2]) -> Result<Person, String> {
    let look = |at| {
        approvers
            .person(namespace, &signer.key, at)
            .map_err(|reason| format!("the key {} {reason}", signer.fingerprint))
    };
    look(times[0])?;
    look(times[1])
}

/// Whether `signed` counts as an approval of `record` in `case`. Refused with its own words where it doesn't.
pub fn approval(
    case: &Case<'_>,
    record: &PlanRecord,
    signed: &Signed,
    approvers: Option<&Approvers>,
    now: Timestamp,
) -> Result<Weighed, Refusal> {
    let approval = approval_of(signed).map_err(|error| Refusal::NotApproved(error.to_string()))?;
    let shown = format!("approval {} by {}", printable(&approval.id), printable(&approval.approved_by));
    let refused = |words: String| Err(Refusal::NotApproved(format!("{shown}: {words}")));
    let signer = match &signed.signature {
        Some(signature) => match signature::verify(signature, APPROVAL, signed.payload.as_bytes()) {
            Ok(signer) => Some(signer),
            Err(reason) => return refused(format!("its signature {reason}")),
        },
        None => None,
    };
    if let Some(words) = other_plan(&approval.record, record, case) {
        return refused(words);
    }
    if case.used.contains(&approval.id) {
        return refused("was used already, an approval counts once; approve again".to_owned());
    }
    if let Some(words) = untimely(&approval) {
        return refused(words);
    }
    if approval.approved_at.duration_since(now) > SKEW {
        let words = format!("counts from {} on, which is yet to come; correct the clocks", approval.approved_at);
        return refused(words);
    }
    let age = now.duration_since(approval.approved_at);
    if now >= approval.expires_at || age >= case.approval_max_age {
        let longest = approval.approved_at.checked_add(case.approval_max_age).unwrap_or(approval.expires_at);
        let end = approval.expires_at.min(longest);
        return Err(Refusal::Expired(format!("{shown}: has expired at {end}; approve again")));
    }
    if approval.overrides_denials && approval.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
        return refused("overrides denials without a reason; approve again and say why".to_owned());
    }
    let mut maker = Maker {
        label: printable(&approval.approved_by),
        fingerprint: signer.as_ref().map(|s| s.fingerprint.clone()),
        person: None,
    };
    if case.environment.kind() == EnvironmentKind::Cloud {
        match (approvers, &signer) {
            (Some(approvers), Some(signer)) => match person(approvers, APPROVAL, signer, [approval.approved_at, now]) {
                Ok(person) => maker.person = Some(person),
                Err(words) => return refused(words),
            },
            (Some(approvers), None) => {
                let path = approvers.path().display();
                return refused(format!(
                    "isn't signed, and {path} says whose signatures count; sign it (provisioning.signing_key)"
                ));
            }
            (None, _) => {}
        }
    }
    Ok(Weighed { approval, maker })
}

/// What tells the plan that was approved from the one there is.
fn other_plan(approved: &PlanRecord, record: &PlanRecord, case: &Case<'_>) -> Option<String> {
    if approved.environment != *case.environment {
        let words = format!("is for the environment {}, not for {}", approved.environment, case.environment);
        return Some(format!("{words}; approve a plan of {}", case.environment));
    }
    if approved.run != case.run || approved.run_id != case.run_id {
        return Some(format!("is for another run ({}); approve run {}", approved.run, case.run));
    }
    if approved == record {
        return None;
    }
    let fields = |record: &PlanRecord| serde_json::to_value(record).unwrap_or(Value::Null);
    let (one, other) = (fields(approved), fields(record));
    let differing: Vec<&str> = one
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| other.get(name.as_str()) != Some(value))
        .map(|(name, _)| name.as_str())
        .collect();
    Some(format!("approves another plan than the run has ({} differ); approve it again", differing.join(", ")))
}

/// Times that can't be.
fn untimely(approval: &Approval) -> Option<String> {
    if approval.record.planned_at.duration_since(approval.approved_at) > SKEW {
        return Some("was given before its plan was made; approve again".to_owned());
    }
    (approval.expires_at <= approval.approved_at).then(|| "ends before it begins; approve again".to_owned())
}
