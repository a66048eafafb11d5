//! What is approved, and the approval of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::settings::EnvironmentName;

/// What a plan is bound to. Digests are SHA-256 in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRecord {
    /// Version of this form: 1.
    pub schema: u32,
    /// The environment.
    pub environment: EnvironmentName,
    /// The run's number.
    pub run: u32,
    /// What tells the run from every other one, wherever it was made (UUID).
    pub run_id: String,
    /// Of the plan file.
    pub plan_sha256: String,
    /// Of what the plan changes, in a form that two plans of the same thing share.
    pub content_digest: String,
    /// The state's lineage; absent where there is no state.
    pub state_lineage: Option<String>,
    /// The state's serial; absent where there is no state.
    pub state_serial: Option<u64>,
    /// Of the configuration as it was laid out.
    pub configuration_digest: String,
    /// Of the lock file of providers; absent where there is none.
    pub lock_file_digest: Option<String>,
    /// Of the policies that judged it.
    pub policies_digest: String,
    /// Of what they said.
    pub verdict_digest: String,
    /// How many of their findings deny it.
    pub denials: u32,
    /// As in `1.11.4`.
    pub terraform_version: String,
    /// Who planned, as `user@host`: a label.
    pub planned_by: String,
    /// When, wall clock.
    pub planned_at: Timestamp,
}

/// An approval of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// Version of this form: 1.
    pub schema: u32,
    /// What tells it from every other approval (UUID).
    pub id: String,
    /// What is approved.
    pub record: PlanRecord,
    /// Who approves, as `user@host`: a label.
    pub approved_by: String,
    /// When, wall clock.
    pub approved_at: Timestamp,
    /// From when on it is worth nothing, wall clock.
    pub expires_at: Timestamp,
    /// Why; must be there where a denial is overridden.
    pub reason: Option<String>,
    /// Whether it also approves what the policies deny.
    pub overrides_denials: bool,
    /// Whether nothing real is touched by what is approved. Written only where that is so: an approval of something real
    /// reads as it always did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emulated: bool,
}

/// A text and the signature over exactly its bytes: how records and approvals are kept and handed around.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signed {
    /// The JSON of a [`PlanRecord`] or an [`Approval`].
    pub payload: String,
    /// `-----BEGIN SSH SIGNATURE-----` …, as `ssh-keygen -Y sign` makes it; absent where nobody signed.
    pub signature: Option<String>,
}

/// An approval as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalView {
    /// Its id.
    pub id: String,
    /// Who: the signer's name among the approvers, or else the label, `user@host`.
    pub by: String,
    /// Fingerprint of the key that signed it, `SHA256:…`; absent where nobody signed.
    pub key: Option<String>,
    /// When, wall clock.
    pub at: Timestamp,
    /// Until when, wall clock.
    pub expires_at: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// Whether it overrides denials.
    pub overrides_denials: bool,
}

impl PlanRecord {
    /// The digests that pin the plan down, by the names that the audit trail has for them.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<String, String> {
        let digests = [
            ("plan", &self.plan_sha256),
            ("content", &self.content_digest),
            ("configuration", &self.configuration_digest),
            ("policies", &self.policies_digest),
            ("verdict", &self.verdict_digest),
        ];
        digests.map(|(name, digest)| (name.to_owned(), digest.clone())).into()
    }
}
