//! Names of a store's objects, below their environment, and what they hold.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::provisioning::runs::store::Stored;

/// The run as it was known last; written after everything else, so that whoever sees it finds the rest.
pub const RUN: &str = "run.json";
/// Who has claimed the number.
pub const CLAIM: &str = "claim.json";
/// What became of the plan.
pub const USED: &str = "used.json";
/// Who has ended the run in the stead of a home that is gone.
pub const ENDED: &str = "ended.json";
/// The folder of approvals.
pub const APPROVALS: &str = "approvals";

/// A file of a run that is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its name in the run's folder here.
    pub local: &'static str,
    /// Its name in the store.
    pub name: &'static str,
    /// Whether it holds secrets, and is encrypted.
    pub sealed: bool,
}

const fn clear(name: &'static str) -> Part {
    Part { local: name, name, sealed: false }
}

/// What is shared of a run beside [`RUN`], in the order it is written.
pub const PARTS: &[Part] = &[
    clear("record.json"),
    Part { local: "plan", name: "plan.age", sealed: true },
    Part { local: "plan.json", name: "plan.json.age", sealed: true },
    clear("outline.json"),
    clear("details.jsonl"),
    clear("details.index"),
    clear("log.jsonl"),
];

/// Who has claimed a run's number, and is the first to carry it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The run (UUID).
    pub run_id: String,
    /// The home that carries it out.
    pub home_id: String,
    /// Who, as `user@host`.
    pub who: String,
    /// When, wall clock.
    pub at: Timestamp,
}

/// What became of a plan. It is made once, and whoever makes it carries the run out from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// The run (UUID).
    pub run_id: String,
    /// What is done with the plan.
    pub purpose: Purpose,
    /// Ids of the approvals it is applied with.
    pub approvals: Vec<String>,
    /// The home that does it.
    pub home_id: String,
    /// Who, as `user@host`.
    pub who: String,
    /// When, wall clock.
    pub at: Timestamp,
}

/// What a plan is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// It is applied.
    Apply,
    /// It is ended unapplied: discarded, stale or expired.
    End,
}

/// A run as it is in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedRun {
    /// The home that wrote it.
    pub home_id: String,
    /// Who, as `user@host`.
    pub home_of: String,
    /// The run with its revision.
    pub stored: Stored,
}

/// `runs/0007/NAME`.
#[must_use]
pub fn of_run(number: u32, name: &str) -> String {
    format!("runs/{number:04}/{name}")
}

/// Number and name of an object of a run. Anything else in the store is passed over.
#[must_use]
pub fn read_run(object: &str) -> Option<(u32, &str)> {
    let (number, name) = object.strip_prefix("runs/")?.split_once('/')?;
    let parsed: u32 = number.parse().ok()?;
    let known = matches!(name, RUN | CLAIM | USED | ENDED)
        || PARTS.iter().any(|part| part.name == name)
        || approval_id(name).is_some();
    (parsed > 0 && format!("{parsed:04}") == number && known).then_some((parsed, name))
}

/// `approvals/ID.json`; `None` where the id isn't a UUID, which keeps paths out of it.
#[must_use]
pub fn of_approval(id: &str) -> Option<String> {
    is_id(id).then(|| format!("{APPROVALS}/{id}.json"))
}

/// The id in `approvals/ID.json`.
#[must_use]
pub fn approval_id(name: &str) -> Option<&str> {
    let id = name.strip_prefix(APPROVALS)?.strip_prefix('/')?.strip_suffix(".json")?;
    is_id(id).then_some(id)
}

/// `audit/00000042.json`.
#[must_use]
pub fn of_audit(number: u64) -> String {
    format!("audit/{number:08}.json")
}

/// The number in `audit/00000042.json`.
#[must_use]
pub fn read_audit(object: &str) -> Option<u64> {
    let number: u64 = object.strip_prefix("audit/")?.strip_suffix(".json")?.parse().ok()?;
    (of_audit(number) == object && number > 0).then_some(number)
}

fn is_id(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok_and(|id| id.hyphenated().to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(read_run(&of_run(7, RUN)), Some((7, "run.json")));
        assert_eq!(read_run(&of_run(12_345, "plan.age")), Some((12_345, "plan.age")));
        let id = "0197f9d2-3c5e-7000-8000-000000000001";
        let name = of_approval(id).expect("an id");
        assert_eq!(read_run(&of_run(7, &name)), Some((7, name.as_str())));
        assert_eq!(approval_id(&name), Some(id));
        assert_eq!(read_audit(&of_audit(42)), Some(42));
    }

    #[test]
    fn strangers_are_passed_over() {
        for object in [
            "runs/7/run.json",
            "runs/0000/run.json",
            "runs/0007/plan",
            "runs/0007/../x/run.json",
            "runs/0007/approvals/../../x.json",
            "runs/0007/approvals/x.json",
            "runs/-001/run.json",
            "other/0007/run.json",
            "runs/0007",
        ] {
            assert_eq!(read_run(object), None, "{object}");
        }
        for object in ["audit/42.json", "audit/00000000.json", "audit/x.json", "audit/00000042.json.tmp"] {
            assert_eq!(read_audit(object), None, "{object}");
        }
        assert_eq!(of_approval("../../x"), None);
        assert_eq!(of_approval("0197F9D2-3C5E-7000-8000-000000000001"), None);
    }
}
