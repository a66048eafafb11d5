//! What policies say of a plan.

use serde::{Deserialize, Serialize};

use super::explain;

/// How much a finding weighs. The gravest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The plan may not be applied.
    Deny,
    /// Look at it.
    Warn,
    /// Good to know.
    Info,
}

/// One thing that a policy says of a plan. Printable, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// The policy, as in `public-access`.
    pub policy: String,
    /// What is wrong, and what to do.
    pub message: String,
    /// What it is about; may be empty.
    pub addresses: Vec<String>,
    /// Where the policy is explained: a page of the docs, an address of one's own.
    pub explanation: Option<String>,
}

impl Finding {
    /// Where whoever has skydeck alone finds the explanation: the command that writes it, or one's own address.
    #[must_use]
    pub fn see(&self) -> Option<String> {
        let explanation = self.explanation.as_ref()?;
        Some(match explain::policy_of(explanation) {
            Some(policy) => format!("`skydeck policy explain {policy}`"),
            None => explanation.clone(),
        })
    }
}

impl Severity {
    /// In a word: `DENY`, `WARN`, `INFO`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Deny => "DENY",
            Self::Warn => "WARN",
            Self::Info => "INFO",
        }
    }
}
