//! What demo and local add to a module: the local backend, and variables from the settings.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Overrides the module's backend.
pub const OVERRIDE: &str = "skydeck_override.tf";
/// Variables from the settings.
pub const VARIABLES: &str = "skydeck.auto.tfvars.json";

/// A backend that keeps the state in the file `state`, as `terraform fmt` would write it.
#[must_use]
pub fn local_backend(state: &Path) -> String {
    format!(
        "# Written by skydeck at every run: demo and local keep their state on this machine.\nterraform {{\n  backend \"local\" {{\n    path = {}\n  }}\n}}\n",
        quoted(&state.to_string_lossy())
    )
}

/// Variables as Terraform reads them.
#[must_use]
pub fn variables<'a>(given: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let given: BTreeMap<_, _> = given.collect();
    format!("{}\n", serde_json::to_string_pretty(&given).unwrap_or_else(|_| "{}".to_owned()))
}

/// A text as HCL writes it: as in JSON, but for what would begin a template.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}
