//! Whether a plan may be applied now. Pure: what is true at the moment comes in, the answer goes out.
//!
//! | environment | asked for |
//! | --- | --- |
//! | demo, local | nothing; where the policies deny: one approval that overrides them |
//! | `prod`, `prod-…` | signatures, and two persons: whoever planned and one approver, or two approvers where the plan isn't signed |
//! | every other one | one approval; signed by a key that counts where there is a file of approvers; by another than whoever planned where the policies deny |
//!
//! Where the policies deny, every approval that is needed has to override them.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::approvers::Approvers;
use super::record::{PlanRecord, Signed};
use super::weigh::{self, Maker, Weighed};
use crate::provisioning::error::ProvisioningError;
use crate::settings::{EnvironmentKind, EnvironmentName};

/// A run and what is asked of it.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// The run's number.
    pub run: u32,
    /// The run's id.
    pub run_id: &'a str,
    /// The record of its plan, as it was kept.
    pub record: &'a Signed,
    /// How many findings deny the plan now.
    pub denials: u32,
    /// Ids of approvals that were used, of any run.
    pub used: &'a BTreeSet<String>,
    /// How old a plan may be (`provisioning.plan_max_age_h`).
    pub plan_max_age: SignedDuration,
    /// How old an approval may be (`provisioning.approval_max_age_h`), whatever it says itself.
    pub approval_max_age: SignedDuration,
}

/// What is true at the moment of applying.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The run.
    pub case: Case<'a>,
    /// Digest of the plan file that would be applied.
    pub plan_sha256: String,
    /// Digest of what a plan made just now would change.
    pub content_digest: String,
    /// What that plan would do otherwise, a line each; only looked at where the digests differ.
    pub moved: Vec<String>,
    /// What denies it now and didn't when it was planned, a policy and an address each.
    pub denied_anew: Vec<String>,
    /// Digest of the configuration that is laid out.
    pub configuration_digest: String,
    /// Digest of the lock file of providers.
    pub lock_file_digest: Option<String>,
    /// Digest of the policies.
    pub policies_digest: String,
    /// Lineage of the state.
    pub state_lineage: Option<String>,
    /// Serial of the state.
    pub state_serial: Option<u64>,
    /// The version of Terraform that would apply it.
    pub terraform_version: String,
}

/// Why a plan may be applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The approvals that are relied upon, which are used up by it.
    pub approvals: Vec<Counted>,
    /// The name of whoever planned, where a signature tells it.
    pub planner: Option<String>,
    /// Digest of the file that says whose keys count, for the trail.
    pub approvers_digest: Option<String>,
}

/// An approval that is relied upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Its id.
    pub id: String,
    /// Who gave it: the signer's name, or else the label.
    pub by: String,
    /// Fingerprint of the key that signed it.
    pub key: Option<String>,
}

/// Why a plan may not be applied: "thing: cause; next step".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody approved it whose approval counts.
    NotApproved(String),
    /// The plan or its approval is too old.
    Expired(String),
    /// What the plan was made of has moved: a line each.
    Stale(Vec<String>),
    /// The policies deny it, and nobody overrode them.
    Denied(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotApproved(words) | Self::Expired(words) | Self::Denied(words) => f.write_str(words),
            Self::Stale(moved) => write!(f, "stale: {}; plan again", moved.join(", ")),
        }
    }
}

impl From<Refusal> for ProvisioningError {
    fn from(refusal: Refusal) -> Self {
        let words = refusal.to_string();
        match refusal {
            Refusal::NotApproved(_) => Self::NotApproved(words),
            Refusal::Expired(_) => Self::Expired(words),
            Refusal::Stale(_) => Self::Stale(words),
            Refusal::Denied(_) => Self::Denied(words),
        }
    }
}

/// Whether `environment` is under prod's rules: `prod`, and names that begin with `prod-`.
#[must_use]
pub fn is_prod(environment: &EnvironmentName) -> bool {
    let name = environment.as_str();
    name == "prod" || name.starts_with("prod-")
}

/// `the policies deny it (2 findings)`.
#[must_use]
pub fn denied(denials: u32) -> String {
    format!("the policies deny it ({denials} finding{})", if denials == 1 { "" } else { "s" })
}

/// Whether the plan may be applied, by everything: what it was made of still stands, and [`authorise`].
pub fn check(
    facts: &Facts<'_>,
    approvals: &[Signed],
    approvers: Option<&Approvers>,
    now: Timestamp,
) -> Result<Verdict, Refusal> {
    let (record, planner) = weigh::record(&facts.case, approvers, now)?;
    let moved = moved(facts, &record);
    if !moved.is_empty() {
        return Err(Refusal::Stale(moved));
    }
    if !facts.denied_anew.is_empty() {
        return Err(Refusal::Denied(format!(
            "run {}: the policies deny what they didn't when it was planned: {}; correct it, or plan again and have it approved with a reason",
            facts.case.run,
            facts.denied_anew.join(", ")
        )));
    }
    suffice(&facts.case, &record, &planner, approvals, approvers, now)
}

/// What has moved since the record was made, a line each.
fn moved(facts: &Facts<'_>, record: &PlanRecord) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |same: bool, words: String| {
        if !same {
            found.push(words);
        }
    };
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let was = |was: &str, is: &str| format!("was {}, is {}", short(was), short(is));
    let (one, two) = (&record.plan_sha256, &facts.plan_sha256);
    say(one == two, format!("plan file: isn't the one that was planned ({})", was(one, two)));
    let (one, two) = (&record.configuration_digest, &facts.configuration_digest);
    say(one == two, format!("configuration: was edited ({})", was(one, two)));
    let lock = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "none".to_owned());
    let (one, two) = (lock(&record.lock_file_digest), lock(&facts.lock_file_digest));
    say(one == two, format!("lock file of providers: has changed ({})", was(&one, &two)));
    let (one, two) = (&record.policies_digest, &facts.policies_digest);
    say(one == two, format!("policies: have changed ({})", was(one, two)));
    let lineage = |lineage: &Option<String>| lineage.clone().unwrap_or_else(|| "none".to_owned());
    let (one, two) = (lineage(&record.state_lineage), lineage(&facts.state_lineage));
    say(one == two, format!("state: is another one (lineage was {one}, is {two})"));
    let serial = |serial: Option<u64>| serial.map_or_else(|| "none".to_owned(), |serial| serial.to_string());
    let (one, two) = (serial(record.state_serial), serial(facts.state_serial));
    say(one == two, format!("state: has moved on (serial was {one}, is {two})"));
    let (one, two) = (&record.terraform_version, &facts.terraform_version);
    say(one == two, format!("terraform: is another version (was {one}, is {two})"));
    if record.content_digest != facts.content_digest {
        if facts.moved.is_empty() {
            let words = was(&record.content_digest, &facts.content_digest);
            found.push(format!("content: a plan made now would change other things ({words})"));
        }
        found.extend(facts.moved.iter().cloned());
    }
    found
}

/// Whether the plan is approved as its environment asks for: the part of [`check`] that needs no fresh plan.
pub fn authorise(
    case: &Case<'_>,
    approvals: &[Signed],
    approvers: Option<&Approvers>,
    now: Timestamp,
) -> Result<Verdict, Refusal> {
    let (record, planner) = weigh::record(case, approvers, now)?;
    suffice(case, &record, &planner, approvals, approvers, now)
}

/// Whether `approvals` of `record`, by `planner`, are what the environment asks for.
fn suffice(
    case: &Case<'_>,
    record: &PlanRecord,
    planner: &Maker,
    approvals: &[Signed],
    approvers: Option<&Approvers>,
    now: Timestamp,
) -> Result<Verdict, Refusal> {
    let run = case.run;
    if now.duration_since(record.planned_at) > case.plan_max_age {
        let hours = case.plan_max_age.as_hours();
        let words =
            format!("run {run}: its plan is older than {hours} hours (provisioning.plan_max_age_h); plan again");
        return Err(Refusal::Expired(words));
    }
    if case.denials > record.denials {
        return Err(Refusal::Denied(format!(
            "run {run}: {}, and there {} when it was planned; correct what they name, or plan again and have it approved with a reason",
            denied(case.denials),
            if record.denials == 1 { "was 1".to_owned() } else { format!("were {}", record.denials) }
        )));
    }
    let prod = is_prod(case.environment);
    if prod && approvers.is_none() {
        return Err(Refusal::NotApproved(format!(
            "run {run}: {} asks for signatures, and no file says whose count; write one and set provisioning.approvers",
            case.environment
        )));
    }
    let needed = match case.environment.kind() {
        EnvironmentKind::Cloud if prod && planner.person.is_none() => 2,
        EnvironmentKind::Cloud => 1,
        _ if case.denials > 0 => 1,
        _ => 0,
    };
    let found = gather(case, record, planner, approvals, approvers, now);
    let chosen = choose(&found.counting, needed).ok_or_else(|| found.lack(case, planner))?;
    Ok(Verdict {
        approvals: chosen.into_iter().map(Counted::from).collect(),
        planner: planner.person.as_ref().map(|person| person.name().to_owned()),
        approvers_digest: approvers.map(|approvers| approvers.digest().to_owned()),
    })
}

/// Whether one approval is one of those that the plan asks for, whether more are needed or not.
pub fn counts(
    case: &Case<'_>,
    approval: &Signed,
    approvers: Option<&Approvers>,
    now: Timestamp,
) -> Result<Counted, Refusal> {
    let (record, planner) = weigh::record(case, approvers, now)?;
    let found = gather(case, &record, &planner, std::slice::from_ref(approval), approvers, now);
    found.counting.first().map(Counted::from).ok_or_else(|| found.lack(case, &planner))
}

impl From<&Weighed> for Counted {
    fn from(weighed: &Weighed) -> Self {
        Self {
            id: weighed.approval.id.clone(),
            by: weighed.maker.name().to_owned(),
            key: weighed.maker.fingerprint.clone(),
        }
    }
}

/// Approvals, sorted by whether they count.
#[derive(Debug, Default)]
struct Found {
    counting: Vec<Weighed>,
    /// Those that would count if they overrode what is denied.
    without_override: usize,
    refusals: Vec<Refusal>,
}

fn gather(
    case: &Case<'_>,
    record: &PlanRecord,
    planner: &Maker,
    approvals: &[Signed],
    approvers: Option<&Approvers>,
    now: Timestamp,
) -> Found {
    let mut found = Found::default();
    for signed in approvals {
        let weighed = match weigh::approval(case, record, signed, approvers, now) {
            Ok(weighed) => weighed,
            Err(refusal) => {
                found.refusals.push(refusal);
                continue;
            }
        };
        if is_by_planner(case, &weighed, planner) {
            found.refusals.push(Refusal::NotApproved(format!(
                "approval {} by {}: is by whoever planned, and {} asks for another person; have somebody else approve it",
                weighed.approval.id,
                weighed.maker.name(),
                case.environment
            )));
        } else if case.denials > 0 && !weighed.approval.overrides_denials {
            found.without_override += 1;
        } else {
            found.counting.push(weighed);
        }
    }
    found
}

/// Whether an approval counts for nothing because it is by whoever planned.
fn is_by_planner(case: &Case<'_>, weighed: &Weighed, planner: &Maker) -> bool {
    if is_prod(case.environment) {
        // Labels are no identities. Where the plan isn't signed two approvers are asked for, and who planned may be one.
        planner.person.is_some() && weighed.maker.is(planner)
    } else {
        case.environment.kind() == EnvironmentKind::Cloud && case.denials > 0 && weighed.maker.is(planner)
    }
}

/// `needed` (at most two) of `weighed`, each by another person.
fn choose(weighed: &[Weighed], needed: usize) -> Option<Vec<&Weighed>> {
    match needed {
        0 => Some(Vec::new()),
        1 => weighed.first().map(|first| vec![first]),
        _ => weighed.iter().enumerate().find_map(|(at, one)| {
            let other = weighed[at + 1..].iter().find(|other| !other.maker.is(&one.maker))?;
            Some(vec![one, other])
        }),
    }
}

impl Found {
    /// Why these aren't enough.
    fn lack(&self, case: &Case<'_>, planner: &Maker) -> Refusal {
        let run = case.run;
        if let Some(one) = self.counting.first() {
            return Refusal::NotApproved(format!(
                "run {run}: approved by {}, and {} asks for two persons; as {} didn't sign the plan, have somebody else approve it too",
                one.maker.name(),
                case.environment,
                planner.label
            ));
        }
        if self.without_override > 0 {
            return Refusal::Denied(format!(
                "run {run}: {}, and its approval doesn't override them; correct what they name, or have it approved with a reason that overrides them",
                denied(case.denials)
            ));
        }
        if self.refusals.is_empty() && case.denials > 0 {
            return Refusal::Denied(format!(
                "run {run}: {}; correct what they name, or have it approved with a reason that overrides them",
                denied(case.denials)
            ));
        }
        if self.refusals.is_empty() {
            return Refusal::NotApproved(format!(
                "run {run}: nobody has approved it, and {} asks for it; `skydeck approve {run} --env {}` does",
                case.environment, case.environment
            ));
        }
        let words = self.refusals.iter().map(Refusal::to_string).collect::<Vec<_>>().join("; ");
        if self.refusals.iter().all(|refusal| matches!(refusal, Refusal::Expired(_))) {
            return Refusal::Expired(words);
        }
        Refusal::NotApproved(words)
    }
}
