//! What is wrong with a plan's JSON.

use crate::provisioning::error::ProvisioningError;
use crate::station::text::printable;

/// Why a plan can't be read. Holds nothing of what the plan holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It isn't JSON, is cut off, or nested too deep.
    #[error("plan: isn't JSON: {0}; make it with `terraform show -json PLAN`, whole")]
    NotJson(String),
    /// Its format isn't known.
    #[error("plan: its format is {0}, this skydeck reads 1.x; use a Terraform from 1.6 on that writes it")]
    Format(String),
    /// It is JSON of another shape.
    #[error("plan: {at} {fault}; make it with `terraform show -json PLAN`, or use a newer skydeck")]
    Shape {
        /// Where, as in `resource_changes[3].change.actions`.
        at: String,
        /// What is wrong there.
        fault: String,
    },
}

impl PlanError {
    /// Something of a wrong shape, `fault` as in `isn't a list`.
    pub(super) fn shape(at: impl Into<String>, fault: &str) -> Self {
        Self::Shape { at: at.into(), fault: printable(fault) }
    }
}

impl From<PlanError> for ProvisioningError {
    fn from(error: PlanError) -> Self {
        Self::Terraform { command: "show -json".to_owned(), reason: error.to_string() }
    }
}
