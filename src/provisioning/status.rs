//! How provisioning stands: Terraform itself, each environment's runs, lock and state.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::policy::finding::Severity;
use super::run::{ChangeCounts, Operation, Phase, Run};
use crate::settings::EnvironmentName;

/// How provisioning stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvisioningStatus {
    /// Terraform on this machine.
    pub terraform: TerraformStatus,
    /// The environments: demo, local, then those in the cloud, by name.
    pub environments: Vec<EnvironmentStatus>,
}

/// Terraform on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum TerraformStatus {
    /// Not looked for yet.
    #[default]
    Unknown,
    /// Not on the PATH.
    Missing,
    /// There, but older than 1.6 or not to be asked.
    Unusable {
        /// Where.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There.
    Found {
        /// Where.
        path: PathBuf,
        /// Its version, as in `1.11.4`.
        version: String,
    },
}

/// How one environment's provisioning stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentStatus {
    /// Which.
    pub environment: EnvironmentName,
    /// Whether its providers are emulated.
    pub emulated: bool,
    /// Resources in its state; absent where there is no state here, or it is kept elsewhere.
    pub resources: Option<u32>,
    /// Who holds the state lock.
    pub lock: Option<LockHolder>,
    /// Drift found by the newest run that looked: how many resources, and when.
    #[serde(default, with = "found_drift")]
    pub drift: Option<(u32, Timestamp)>,
    /// Its runs, newest first, at most 100.
    pub runs: Vec<RunSummary>,
    /// How many runs there are before those.
    #[serde(default)]
    pub older: u32,
    /// What is wrong with its state, and what to do: it is damaged, or an apply couldn't write it.
    #[serde(default)]
    pub state_fault: Option<String>,
}

/// A run in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Its number.
    pub number: u32,
    /// What kind of plan.
    pub operation: Operation,
    /// Whether it is limited to some addresses.
    pub targeted: bool,
    /// How far it is.
    pub phase: Phase,
    /// Counts of what it changes; absent before the plan.
    pub counts: Option<ChangeCounts>,
    /// How many of its changes are done.
    pub done: u32,
    /// How many resources have drifted.
    pub drift: u32,
    /// When it was asked for, wall clock.
    pub asked_at: Timestamp,
    /// When the plan was made, wall clock.
    pub planned_at: Option<Timestamp>,
    /// When it ended, wall clock.
    pub ended_at: Option<Timestamp>,
    /// Seconds its steps took together so far; waiting isn't counted.
    pub took_s: f64,
    /// Number of its newest log line.
    pub last_line: u64,
    /// Rises with every change of the run.
    pub revision: u64,
    /// How many findings deny its plan.
    #[serde(default)]
    pub denials: u32,
    /// How many findings warn of its plan.
    #[serde(default)]
    pub warnings: u32,
    /// Until when it may be applied, where it is approved; wall clock.
    #[serde(default)]
    pub approved_until: Option<Timestamp>,
    /// Whether a process of this machine is at it still: one that has planned or applied may be telling other machines.
    #[serde(default)]
    pub busy: bool,
}

/// What was found of drift, with names to its parts in JSON: `{"resources": 2, "at": "…"}`.
mod found_drift {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Found {
        resources: u32,
        at: Timestamp,
    }

    #[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
    pub fn serialize<S: Serializer>(drift: &Option<(u32, Timestamp)>, to: S) -> Result<S::Ok, S::Error> {
        drift.map(|(resources, at)| Found { resources, at }).serialize(to)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Option<(u32, Timestamp)>, D::Error> {
        Ok(Option::<Found>::deserialize(from)?.map(|found| (found.resources, found.at)))
    }
}

/// Who holds a state lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockHolder {
    /// The lock's id; unlocking names it.
    pub id: String,
    /// Who, as `user@host`.
    pub who: String,
    /// What for, as in `OperationTypeApply`.
    pub operation: String,
    /// Since when; absent where it isn't told.
    pub since: Option<Timestamp>,
    /// Whether a run of this machine that is still alive holds it.
    pub by_live_run: Option<u32>,
}

/// What a state holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateView {
    /// Its serial; absent where there is no state.
    pub serial: Option<u64>,
    /// Addresses with their types and ids, sorted.
    pub resources: Vec<StateResource>,
    /// Outputs; a sensitive one has no value.
    pub outputs: Vec<OutputValue>,
}

/// A resource in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateResource {
    /// Its address.
    pub address: String,
    /// Its type.
    pub kind: String,
    /// The provider's id.
    pub id: Option<String>,
}

/// An output of a state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputValue {
    /// Its name.
    pub name: String,
    /// Its value as JSON; absent where it is sensitive.
    pub value: Option<serde_json::Value>,
}

impl RunSummary {
    /// `run` in a line; `last_line` and `revision` as its store counts them.
    #[must_use]
    pub fn of(run: &Run, last_line: u64, revision: u64) -> Self {
        let took = |step: &super::run::StepRecord| {
            step.ended_at.map_or(0.0, |end| end.duration_since(step.started_at).as_secs_f64())
        };
        let weight = |severity: Severity| {
            let count = run.findings.iter().filter(|finding| finding.severity == severity).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let done = run.changes.iter().filter(|c| matches!(c.progress, super::run::Progress::Done { .. })).count();
        Self {
            number: run.number,
            operation: run.request.operation,
            targeted: !run.request.targets.is_empty(),
            phase: run.phase,
            counts: run.counts,
            done: u32::try_from(done).unwrap_or(u32::MAX),
            drift: u32::try_from(run.drift.len()).unwrap_or(u32::MAX),
            asked_at: run.asked_at,
            planned_at: run.planned_at,
            ended_at: run.ended_at,
            // A sum of nothing is −0.
            took_s: run.steps.iter().map(took).sum::<f64>() + 0.0,
            last_line,
            revision,
            denials: weight(Severity::Deny),
            warnings: weight(Severity::Warn),
            busy: false,
            approved_until: run.approvals.iter().map(|approval| approval.expires_at).max(),
        }
    }
}
