//! What is shown of a plan. Nothing in it is secret: what Terraform marks as sensitive anywhere stands as
//! [`Shown::Sensitive`] here, unless it was revealed on purpose.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::provisioning::run::{ChangeAction, ChangeCounts};

/// A plan without the differences within its resources, which are read one at a time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanOutline {
    /// The version of Terraform that made it, as in `1.11.4`.
    pub terraform_version: String,
    /// Version of the format it was read from, as in `1.2`.
    pub format_version: String,
    /// When Terraform made it, wall clock.
    pub made_at: Option<Timestamp>,
    /// Whether Terraform would apply it.
    pub applyable: bool,
    /// Whether it is all there; a targeted plan isn't.
    pub complete: bool,
    /// Whether planning failed half-way.
    pub errored: bool,
    /// Counts of `changes`.
    pub counts: ChangeCounts,
    /// What changes, in Terraform's order; what stays as it is isn't among it.
    pub changes: Vec<PlannedChange>,
    /// What was changed behind Terraform's back, in Terraform's order.
    pub drift: Vec<PlannedChange>,
    /// Resources that stay as they are.
    pub unchanged: u32,
    /// Outputs that change, by name.
    pub outputs: Vec<DiffNode>,
    /// Variables, by name.
    pub variables: Vec<PlanVariable>,
    /// Checks of the configuration.
    pub checks: Vec<PlanCheck>,
}

/// What a plan does to one resource, without the difference within it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedChange {
    /// Its address, as in `module.azure.azurerm_iothub.hub["a"]`.
    pub address: String,
    /// The address of its module, as in `module.azure`; empty in the root module.
    pub module: String,
    /// Its type, as in `azurerm_iothub`.
    pub kind: String,
    /// Whether it is a data source.
    pub data: bool,
    /// What is done to it.
    pub action: ChangeAction,
    /// Where it is replaced: whether the new one is made before the old one is destroyed.
    pub create_first: bool,
    /// Why, in words; absent where Terraform gives no reason.
    pub cause: Option<String>,
    /// Attributes that force the replacement, as in `name` or `endpoint[0].type`.
    pub replace_paths: Vec<String>,
    /// The address it had before.
    pub previous_address: Option<String>,
    /// Key of a deposed object: one that was replaced and couldn't be destroyed then.
    pub deposed: Option<String>,
    /// The id it is imported by.
    pub importing: Option<String>,
}

/// Which list of a plan a change is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanList {
    /// What changes.
    #[default]
    Changes,
    /// What was changed behind Terraform's back.
    Drift,
}

/// The difference within one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeDetail {
    /// Which list it is in.
    pub list: PlanList,
    /// Its place there, from 0.
    pub index: usize,
    /// What is done.
    pub change: PlannedChange,
    /// Its attributes, those that stay as they are too, by name.
    pub attributes: Vec<DiffNode>,
    /// Whether secrets stand in clear, because somebody asked to see them.
    pub revealed: bool,
}

/// One attribute, key or element, before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffNode {
    /// Name of the attribute or key, or place in a list as `[0]`; empty for an element of a set.
    pub name: String,
    /// How it differs.
    pub difference: Difference,
    /// Whether it forces the replacement.
    pub forces_replacement: bool,
    /// What it holds.
    pub content: Content,
}

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// Only after.
    Added,
    /// Only before.
    Removed,
    /// Before and after, not the same.
    Changed,
    /// The same before and after.
    Same,
}

/// What an attribute holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "as")]
pub enum Content {
    /// One value.
    #[serde(rename_all = "camelCase")]
    Value {
        /// Before; absent where there was none.
        before: Option<Shown>,
        /// After; absent where there is none.
        after: Option<Shown>,
    },
    /// Parts, each with its own difference.
    #[serde(rename_all = "camelCase")]
    Parts {
        /// What they are parts of.
        of: Container,
        /// The parts: by key in a map, by place in a list, what goes before what comes in a set.
        parts: Vec<DiffNode>,
    },
}

/// What has parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    /// Keys and values.
    Map,
    /// In order.
    List,
    /// Without order.
    Set,
    /// A text that holds JSON.
    Json,
}

/// A value as it is shown. Texts may hold control characters: whoever draws them strips these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// A text, number, truth value, null, or an empty list or object; a list or object whole where the other side is
    /// another kind of value or unknown, its secrets as texts `(sensitive)`.
    Value(serde_json::Value),
    /// Secret.
    Sensitive,
    /// Known after apply.
    Unknown,
    /// Known after apply, and secret then.
    SensitiveUnknown,
}

/// A variable of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Shown,
}

/// A check of the configuration: a condition, or a `check` block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanCheck {
    /// What is checked, as in `check.health` or `azurerm_iothub.hub`.
    pub address: String,
    /// `pass`, `fail`, `error` or `unknown`.
    pub status: String,
    /// What it says where it fails, printable and without secrets.
    pub problems: Vec<String>,
}

impl PlanOutline {
    /// How many checks pass, in words: `24 of 25 pass`.
    #[must_use]
    pub fn checks_passed(&self) -> String {
        let passed = self.checks.iter().filter(|check| check.status == "pass").count();
        match self.checks.len() {
            all if all == passed => format!("all {all} pass"),
            all => format!("{passed} of {all} pass"),
        }
    }
}

impl PlanCheck {
    /// Whether it doesn't hold, or couldn't be looked at.
    #[must_use]
    pub fn fails(&self) -> bool {
        matches!(self.status.as_str(), "fail" | "error")
    }
}
