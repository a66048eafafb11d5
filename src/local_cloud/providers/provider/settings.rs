//! What a configuration of the provider says. Each connection has its own: Terraform opens one for each
//! configuration.

use std::collections::{BTreeMap, BTreeSet};

use crate::local_cloud::providers::value::Value;

/// The subscription where the configuration names none.
const SUBSCRIPTION: &str = "00000000-0000-4000-8000-000000000001";
/// The tenant where the configuration names none.
const TENANT: &str = "00000000-0000-4000-8000-000000000002";

/// A provider's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What expressions take with `{@name}`.
    pub values: BTreeMap<String, String>,
    /// Features that the configuration allows.
    pub previews: BTreeSet<String>,
    /// A group with resources in it isn't deleted.
    pub keep_full_groups: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self::from_config(&Value::Null)
    }
}

impl Settings {
    /// From the configuration of either provider; what isn't said is made up, as there is no account to ask.
    #[must_use]
    pub fn from_config(config: &Value) -> Self {
        let text = |name: &str, instead: &str| {
            let said = config.get(name).as_text().filter(|text| !text.is_empty());
            said.unwrap_or(instead).to_owned()
        };
        let values = [
            ("subscription", text("subscription_id", SUBSCRIPTION)),
            ("tenant", text("tenant_id", TENANT)),
            ("client", text("client_id", "00000000-0000-4000-8000-000000000003")),
            ("object", "00000000-0000-4000-8000-000000000004".to_owned()),
            ("organization", text("organization_name", "EMULATED").to_uppercase()),
            ("account", text("account_name", "SKYDECK").to_uppercase()),
            ("role", text("role", "SYSADMIN").to_uppercase()),
            ("region", "AZURE_SWITZERLANDNORTH".to_owned()),
        ];
        let previews = match config.get("preview_features_enabled") {
            Value::List(elements) => elements.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
            _ => BTreeSet::new(),
        };
        let keep = config.at("features.resource_group.prevent_deletion_if_contains_resources");
        Self {
            values: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            previews,
            keep_full_groups: !matches!(keep.first(), Some(Value::Bool(false))),
        }
    }
}
