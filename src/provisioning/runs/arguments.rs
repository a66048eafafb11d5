//! A run's request as Terraform's arguments, and as the log shows them.

use serde_json::Value;

use crate::provisioning::run::{Operation, RunRequest};

/// Words as arguments.
#[must_use]
pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What is asked of a run, as `plan` takes it.
#[must_use]
pub fn of_request(request: &RunRequest) -> Vec<String> {
    let operation = match request.operation {
        Operation::Plan => None,
        Operation::Destroy => Some("-destroy".to_owned()),
        Operation::RefreshOnly => Some("-refresh-only".to_owned()),
    };
    let targets = request.targets.iter().map(|address| format!("-target={address}"));
    let replace = request.replace.iter().map(|address| format!("-replace={address}"));
    let variables = request.variables.iter().map(|(name, value)| format!("-var={name}={value}"));
    operation.into_iter().chain(targets).chain(replace).chain(variables).collect()
}

/// An argument as the log shows it: a variable's value may be secret.
#[must_use]
pub fn shown(argument: &str) -> String {
    let variable = argument.strip_prefix("-var=").and_then(|rest| rest.split_once('='));
    variable.map_or_else(|| argument.to_owned(), |(name, _)| format!("-var={name}=…"))
}

/// The first address that a run is limited to and that neither the configuration nor the state of `plan` (`terraform show
/// -json`) has: Terraform passes over such a one in silence. Addresses within modules are left to Terraform.
pub fn unknown_address(request: &RunRequest, plan: &Value) -> Option<String> {
    let addresses = |pointer: &str| {
        let resources = plan.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        resources.filter_map(|resource| resource["address"].as_str()).map(bare).collect::<Vec<_>>()
    };
    let configured = addresses("/configuration/root_module/resources");
    let stored = addresses("/prior_state/values/root_module/resources");
    let is_known = |address: &str| {
        address.starts_with("module.") || configured.contains(&bare(address)) || stored.contains(&bare(address))
    };
    request.targets.iter().chain(&request.replace).find(|address| !is_known(address)).cloned()
}

/// An address without its index.
fn bare(address: &str) -> &str {
    address.split('[').next().unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_that_nobody_has_is_found() {
        let plan = json!({
            "configuration": {"root_module": {"resources": [{"address": "azurerm_iothub.this"}, {"address": "snowflake_pipe.messages"}]}},
            "prior_state": {"values": {"root_module": {"resources": [{"address": "terraform_data.old[\"a\"]"}]}}},
        });
        let asked = |target: &str| {
            unknown_address(&RunRequest { targets: vec![target.to_owned()], ..RunRequest::default() }, &plan)
        };
        for known in
            ["azurerm_iothub.this", "snowflake_pipe.messages[\"health\"]", "terraform_data.old", "module.x.a.b"]
        {
            assert_eq!(asked(known), None, "{known}");
        }
        assert_eq!(asked("nosuch.thing").as_deref(), Some("nosuch.thing"));
    }
}
