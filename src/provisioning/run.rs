//! One run: what was asked, the steps it went through, what it plans and did.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::approval::record::{ApprovalView, PlanRecord};
use super::policy::finding::Finding;
use super::status::LockHolder;
use crate::settings::EnvironmentName;

/// A run, as it is kept in its folder and shown. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its number in its environment, from 1.
    pub number: u32,
    /// What tells it from every other run, wherever it was made (UUID).
    #[serde(default)]
    pub id: String,
    /// Its environment.
    pub environment: EnvironmentName,
    /// Whether it runs on emulated providers, which can't touch a real account.
    pub emulated: bool,
    /// What was asked.
    pub request: RunRequest,
    /// Who asked, as `user@host`.
    pub asked_by: String,
    /// When, wall clock.
    pub asked_at: Timestamp,
    /// How far it is.
    pub phase: Phase,
    /// The steps it went through, in order.
    pub steps: Vec<StepRecord>,
    /// What it plans to change, in Terraform's order, and how far each is.
    pub changes: Vec<ResourceChange>,
    /// What was changed behind Terraform's back.
    pub drift: Vec<ResourceChange>,
    /// Names of the outputs that change.
    pub changed_outputs: Vec<String>,
    /// Counts of `changes`; absent before the plan.
    pub counts: Option<ChangeCounts>,
    /// When the plan was made, wall clock.
    pub planned_at: Option<Timestamp>,
    /// Serial of the state it was planned on.
    pub state_serial: Option<u64>,
    /// Why it failed, and what to do.
    pub failure: Option<Failure>,
    /// When it ended, wall clock; a plan that waits hasn't ended.
    pub ended_at: Option<Timestamp>,
    /// The process that carries it out, while there is one.
    pub runner_pid: Option<u32>,
    /// What its plan is bound to; absent before the plan.
    #[serde(default)]
    pub record: Option<PlanRecord>,
    /// What the policies say of its plan, the gravest first.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Its approvals, oldest first.
    #[serde(default)]
    pub approvals: Vec<ApprovalView>,
    /// Why the plan doesn't hold any more: what has moved since, a line each.
    #[serde(default)]
    pub moved: Vec<String>,
    /// Who planned: the signer's name among the approvers, where a signature tells it.
    #[serde(default)]
    pub planner: Option<String>,
    /// Who asked for its plan to be applied, as `user@host`; the last one where more than one did.
    #[serde(default)]
    pub applied_by: Option<String>,
    /// Where it is carried out, as `user@host`, where that isn't here: then this is a copy, taken from the shared runs.
    #[serde(default)]
    pub home: Option<String>,
}

/// What is asked of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunRequest {
    /// What kind of plan.
    pub operation: Operation,
    /// Addresses it is limited to; empty is everything.
    pub targets: Vec<String>,
    /// Addresses that are to be replaced.
    pub replace: Vec<String>,
    /// Variables set for this run only.
    pub variables: BTreeMap<String, String>,
}

/// What kind of plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Towards the configuration.
    #[default]
    Plan,
    /// Towards nothing.
    Destroy,
    /// Only looks whether what is there is what the state says; applying it takes the drift into the state.
    RefreshOnly,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Waits for runs before it.
    Queued,
    /// `terraform init`.
    Initialising,
    /// `terraform fmt -check`.
    CheckingFormat,
    /// `terraform validate`.
    Validating,
    /// `terraform plan`.
    Planning,
    /// The plan waits to be approved, applied or discarded.
    Planned,
    /// The plan is approved and waits to be applied or discarded.
    Approved,
    /// The plan changes nothing; ended.
    Unchanged,
    /// Before the apply: whether a fresh plan says what the saved one does.
    Checking,
    /// `terraform apply` of the saved plan.
    Applying,
    /// Ended, everything done.
    Applied,
    /// Ended by an error or an interrupt; see [`Run::failure`].
    Failed,
    /// Ended: somebody didn't want it.
    Discarded,
    /// Ended: the state has moved on since the plan.
    Stale,
    /// Ended: the plan is too old.
    Expired,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// Which.
    pub phase: Phase,
    /// When it began, wall clock.
    pub started_at: Timestamp,
    /// When it ended, wall clock; absent while it runs.
    pub ended_at: Option<Timestamp>,
    /// Whether it succeeded; absent while it runs.
    pub succeeded: Option<bool>,
}

/// A resource that a run plans to change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceChange {
    /// Its address, as in `azurerm_iothub.hub` or `snowflake_pipe.pipe["health"]`.
    pub address: String,
    /// Its type, as in `azurerm_iothub`.
    pub kind: String,
    /// What is done to it.
    pub action: ChangeAction,
    /// Why, in Terraform's words, where it says so (`replace_because_cannot_update`).
    pub reason: Option<String>,
    /// The id it is imported by.
    pub importing: Option<String>,
    /// How far the apply is with it.
    pub progress: Progress,
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeAction {
    /// Made.
    Create,
    /// Changed in place.
    Update,
    /// Destroyed and made again.
    Replace,
    /// Destroyed.
    Delete,
    /// Taken into the state as it is.
    Import,
    /// Taken out of the state and left as it is.
    Forget,
    /// Known by another address from now on.
    Move,
    /// A data source is read.
    Read,
}

/// How far an apply is with a resource.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Progress {
    /// Not begun.
    #[default]
    Pending,
    /// Being worked on.
    #[serde(rename_all = "camelCase")]
    Running {
        /// Since when, wall clock.
        since: Timestamp,
    },
    /// Done.
    #[serde(rename_all = "camelCase")]
    Done {
        /// Seconds it took.
        took_s: f64,
    },
    /// Failed.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// The diagnostic, whole.
        error: String,
    },
    /// Left undone, because the apply ended before.
    Skipped,
}

/// How many resources a run changes, by action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeCounts {
    /// Made.
    pub create: u32,
    /// Changed in place.
    pub update: u32,
    /// Destroyed and made again.
    pub replace: u32,
    /// Destroyed.
    pub delete: u32,
    /// Imported.
    pub import: u32,
    /// Forgotten.
    pub forget: u32,
    /// Known by another address, and else as they were.
    #[serde(default)]
    pub moved: u32,
    /// Data sources that are read in the apply.
    #[serde(default)]
    pub read: u32,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// In which phase.
    pub phase: Phase,
    /// Whether it was interrupted on purpose.
    pub interrupted: bool,
    /// What failed: the diagnostics, whole, printable, without secrets.
    pub diagnostics: Vec<Diagnostic>,
    /// What to do next.
    pub advice: String,
    /// Who holds the state lock, where that was it.
    pub lock: Option<LockHolder>,
}

/// One of Terraform's diagnostics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Whether it is an error; otherwise a warning.
    pub error: bool,
    /// In a line.
    pub summary: String,
    /// The rest.
    pub detail: String,
    /// The resource it is about.
    pub address: Option<String>,
    /// Where in the configuration, as `file.tf:12`.
    pub place: Option<String>,
}

/// One line of a run's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunLogLine {
    /// Its number in the run, from 1.
    pub number: u64,
    /// When, wall clock.
    pub at: Timestamp,
    /// In which phase.
    pub phase: Phase,
    /// How bad it is.
    pub level: LogLevel,
    /// What Terraform or the runner said, printable, without secrets.
    pub text: String,
}

/// How bad a line of a run's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// As it goes.
    Info,
    /// Look at it.
    Warning,
    /// Failed.
    Error,
}

impl Phase {
    /// Whether nothing more happens to the run.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Unchanged | Self::Applied | Self::Failed | Self::Discarded | Self::Stale | Self::Expired)
    }

    /// Whether a process should be at work on the run.
    #[must_use]
    pub const fn is_active(self) -> bool {
        !self.is_end() && !self.waits()
    }

    /// Where a run goes back to that could neither be applied nor be refused: its plan waits as before.
    #[must_use]
    pub const fn before_apply(approved: bool) -> Self {
        if approved { Self::Approved } else { Self::Planned }
    }

    /// Whether it has a plan that waits for somebody.
    #[must_use]
    pub const fn waits(self) -> bool {
        matches!(self, Self::Planned | Self::Approved)
    }

    /// For people, in one or two words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Initialising => "initialising",
            Self::CheckingFormat => "checking format",
            Self::Validating => "validating",
            Self::Planning => "planning",
            Self::Planned => "planned",
            Self::Approved => "approved",
            Self::Unchanged => "no changes",
            Self::Checking => "checking the plan",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }
}

impl ChangeAction {
    /// Terraform's sign: `+`, `~`, `-/+`, `-`, `<=`; `>` imports, `.` forgets, `=>` moves.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Replace => "-/+",
            Self::Delete => "-",
            Self::Import => ">",
            Self::Forget => ".",
            Self::Move => "=>",
            Self::Read => "<=",
        }
    }
}

impl ChangeCounts {
    /// Counts `changes`. An imported resource that is changed too counts as both.
    #[must_use]
    pub fn of(changes: &[ResourceChange]) -> Self {
        let mut counts = Self::default();
        changes.iter().for_each(|change| counts.count(change.action, change.importing.is_some()));
        counts
    }

    /// Counts one more.
    pub const fn count(&mut self, action: ChangeAction, imported: bool) {
        match action {
            ChangeAction::Create => self.create += 1,
            ChangeAction::Update => self.update += 1,
            ChangeAction::Replace => self.replace += 1,
            ChangeAction::Delete => self.delete += 1,
            ChangeAction::Forget => self.forget += 1,
            ChangeAction::Move => self.moved += 1,
            ChangeAction::Read => self.read += 1,
            ChangeAction::Import => {}
        }
        if imported {
            self.import += 1;
        }
    }

    /// These and those of `other`.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            create: self.create + other.create,
            update: self.update + other.update,
            replace: self.replace + other.replace,
            delete: self.delete + other.delete,
            import: self.import + other.import,
            forget: self.forget + other.forget,
            moved: self.moved + other.moved,
            read: self.read + other.read,
        }
    }

    /// Whether nothing is changed: what is only read isn't.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Self { read: 0, ..*self } == Self::default()
    }
}

/// `+27 ~1 -/+1 -0`, and what is imported, forgotten or moved where there is any.
impl fmt::Display for ChangeCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{} ~{} -/+{} -{}", self.create, self.update, self.replace, self.delete)?;
        let more = [(">", self.import), (".", self.forget), ("=>", self.moved)];
        more.iter().filter(|(_, count)| *count > 0).try_for_each(|(sign, count)| write!(f, " {sign}{count}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(action: ChangeAction, importing: Option<&str>) -> ResourceChange {
        ResourceChange {
            address: "a.b".into(),
            kind: "a".into(),
            action,
            reason: None,
            importing: importing.map(str::to_owned),
            progress: Progress::Pending,
        }
    }

    #[test]
    fn counts_are_by_action() {
        use ChangeAction::{Create, Delete, Forget, Import, Move, Read, Replace, Update};
        let changes = [Create, Create, Update, Replace, Delete, Read].map(|action| change(action, None));
        assert_eq!(ChangeCounts::of(&changes).to_string(), "+2 ~1 -/+1 -1");
        assert_eq!(ChangeCounts::of(&changes).read, 1);
        assert!(ChangeCounts::of(&[change(Read, None)]).is_empty(), "nothing is changed by reading");
        let imported = [change(Import, Some("x")), change(Update, Some("y"))];
        assert_eq!(ChangeCounts::of(&imported).to_string(), "+0 ~1 -/+0 -0 >2");
        let moved = ChangeCounts::of(&[change(Move, None), change(Forget, None)]);
        assert_eq!((moved.to_string().as_str(), moved.short().as_str()), ("+0 ~0 -/+0 -0 .1 =>1", ".1 =>1"));
        assert!(!moved.is_empty() && ChangeCounts::of(&[]).is_empty());
    }
}
