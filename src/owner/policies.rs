//! Policies as the command line asks for them: listed, tested, explained, and asked about a plan that lies in a file.

use std::path::Path;

use jiff::Timestamp;

use crate::provisioning::error::ProvisioningError;
use crate::provisioning::policy::finding::Finding;
use crate::settings::{EnvironmentKind, EnvironmentName, ProvisioningSettings};

pub use crate::provisioning::policy::{Policies, PolicyContext, PolicyRules, TestFailure, TestReport, explain};

/// Longest plan that is read, bytes: some 10,000 changes take 40 MB.
const LONGEST: u64 = 1024 * 1024 * 1024;

/// What the policies are told of an environment beside a plan. Fails in words where the change window isn't one.
pub fn circumstances(
    environment: &EnvironmentName,
    settings: &ProvisioningSettings,
    now: Timestamp,
) -> Result<PolicyContext, ProvisioningError> {
    let window = settings.change_window.as_ref().map(|window| window.parse()).transpose();
    let change_window = window.map_err(|error: crate::settings::InvalidChangeWindow| {
        ProvisioningError::Refused(format!("provisioning.change_window: {error}"))
    })?;
    let emulated = environment.kind() != EnvironmentKind::Cloud;
    Ok(PolicyContext { environment: environment.clone(), now, change_window, emulated })
}

/// What the policies say of a plan as `terraform show -json` writes it, the gravest first. Reads and judges for as long
/// as that takes. Fails where there is no such file or no JSON in it.
pub fn judge_file(
    plan: &Path,
    environment: &EnvironmentName,
    settings: &ProvisioningSettings,
    now: Timestamp,
) -> Result<Vec<Finding>, ProvisioningError> {
    let refused = |reason: String| ProvisioningError::Refused(format!("{}: {reason}", plan.display()));
    let file = std::fs::File::open(plan).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ProvisioningError::NotFound(format!(
            "{}: no such file; `terraform show -json PLAN > FILE` writes one",
            plan.display()
        )),
        _ => refused(error.to_string()),
    })?;
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, LONGEST), &mut text)
        .map_err(|error| refused(error.to_string()))?;
    judge(&text, environment, settings, now)
        .map_err(|error| refused(format!("{error}; write it with `terraform show -json PLAN`")))
}

/// The same of its text. Fails with what is wrong with it.
pub(super) fn judge(
    plan: &[u8],
    environment: &EnvironmentName,
    settings: &ProvisioningSettings,
    now: Timestamp,
) -> Result<Vec<Finding>, ProvisioningError> {
    let plan =
        serde_json::from_slice(plan).map_err(|error| ProvisioningError::Refused(format!("no plan ({error})")))?;
    let context = circumstances(environment, settings, now)?;
    Ok(Policies::load(settings.policies.as_deref()).judge(&plan, &context))
}
