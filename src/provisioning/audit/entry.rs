//! One line of the audit trail.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::settings::EnvironmentName;

/// One line of the audit trail. Printable, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditEntry {
    /// Its number in the environment's trail, from 1.
    pub number: u64,
    /// When, wall clock.
    pub at: Timestamp,
    /// Who, as `user@host`, or the signer's name among the approvers.
    pub who: String,
    /// What.
    pub event: AuditEvent,
    /// The environment.
    pub environment: EnvironmentName,
    /// Whether nothing real was touched.
    pub emulated: bool,
    /// The run it is about.
    pub run: Option<u32>,
    /// The rest, in words.
    pub words: String,
    /// Digests that pin down what it was about, by name: `plan`, `content`, `approval`, `policies`, `verdict`.
    pub digests: BTreeMap<String, String>,
    /// Hash of the entry before, lower-case hex; 64 zeros before the first.
    pub previous: String,
    /// SHA-256 of everything above.
    pub hash: String,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditEvent {
    /// A run was asked for.
    Asked,
    /// Its plan was made.
    Planned,
    /// The policies deny its plan.
    Denied,
    /// Its plan was approved.
    Approved,
    /// It was asked to be applied.
    ApplyAsked,
    /// An apply or an approval was refused.
    Refused,
    /// Its apply began.
    Applying,
    /// It ended: applied, unchanged, failed, discarded, stale or expired; the words say which.
    Ended,
    /// Somebody saw its secrets.
    Revealed,
    /// The state's lock was taken from whoever held it.
    Unlocked,
    /// A state that an apply couldn't write was put in place.
    Recovered,
    /// Something of the running pipeline was commanded: a pipe paused, resumed or asked to look again.
    Commanded,
}

impl AuditEntry {
    /// Its words, and before them that nothing real was touched, where that is so.
    #[must_use]
    pub fn shown(&self) -> String {
        match (self.emulated, self.words.is_empty()) {
            (false, _) => self.words.clone(),
            (true, true) => "EMULATED".to_owned(),
            (true, false) => format!("EMULATED {}", self.words),
        }
    }
}

impl AuditEvent {
    /// In a word, as the JSON names it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Planned => "planned",
            Self::Denied => "denied",
            Self::Approved => "approved",
            Self::ApplyAsked => "apply-asked",
            Self::Refused => "refused",
            Self::Applying => "applying",
            Self::Ended => "ended",
            Self::Revealed => "revealed",
            Self::Unlocked => "unlocked",
            Self::Recovered => "recovered",
            Self::Commanded => "commanded",
        }
    }
}
