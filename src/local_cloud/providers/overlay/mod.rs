//! What the schemas don't say about a resource type, and a cloud does: what can't be changed in place, defaults,
//! ids, names, ranges, what has to be there first. Written by hand, in `config/providers/overlay/*.toml`.
//!
//! A type without an overlay isn't emulated. Paths are names joined by dots; lists and sets on the way are gone
//! into, each element of them.

mod check;
mod expression;
mod files;
mod grant;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use expression::{Expression, Scope, Template, filtered};
pub use files::{azurerm, snowflake};
pub use rule::Rule;

/// The overlays of a provider.
#[derive(Debug, Clone, Default)]
pub struct Overlays {
    /// Resources, by type.
    pub resources: BTreeMap<String, Overlay>,
    /// Data sources, by type.
    pub data: BTreeMap<String, Overlay>,
}

/// What is known of a resource type.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overlay {
    /// Mixins of the same provider that are laid under it.
    pub uses: Vec<String>,
    /// One line for the reference: what is emulated beyond the attributes, and what isn't.
    pub note: String,
    /// The feature that the provider's configuration has to name before such a resource may be made.
    pub preview: Option<String>,
    /// Attributes whose change makes a new resource.
    pub force_new: Vec<String>,
    /// Attributes whose change from one list to another makes a new resource; within a list it is made in place.
    pub force_new_between: BTreeMap<String, Vec<Vec<String>>>,
    /// Attributes that the provider would change in place and the cloud refuses to.
    pub fixed: Vec<String>,
    /// Attributes that aren't unset any more: true stays true.
    pub lasting: Vec<String>,
    /// Attributes that aren't shown, where the schema has lost that.
    pub sensitive: Vec<String>,
    /// Names that must differ within the whole cloud, not only within their group.
    pub unique: Vec<String>,
    /// Computed attributes that are known when a creation is planned.
    pub known_at_plan: Vec<String>,
    /// Computed attributes that are unknown again whenever anything changes.
    pub refreshed: Vec<String>,
    /// Values of attributes that aren't set.
    pub defaults: BTreeMap<String, Expression>,
    /// What the cloud computes.
    pub computed: BTreeMap<String, Expression>,
    /// Filter that gives an attribute the form in which it is kept and compared.
    pub normal: BTreeMap<String, String>,
    /// What a value has to be like.
    pub rules: BTreeMap<String, Rule>,
    /// Attributes that aren't taken, with what to do instead.
    pub refused: BTreeMap<String, String>,
    /// What has to be there first.
    pub references: Vec<Reference>,
    /// Of each list exactly one has to be set.
    pub exactly_one_of: Vec<Vec<String>>,
    /// Of each list one at least has to be set.
    pub at_least_one_of: Vec<Vec<String>>,
    /// Of each list one at most may be set.
    pub at_most_one_of: Vec<Vec<String>>,
    /// What has to be set, or must not be, under a condition.
    pub conditions: Vec<Condition>,
    /// Checks that are written in Rust.
    pub hooks: Vec<Hook>,
}

/// Something that has to be there first.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The attribute that names it.
    pub attribute: String,
    /// What it is compared by, where that is more than the attribute's value.
    pub value: Option<Template>,
    /// Types it may be of.
    pub to: Vec<String>,
    /// The attribute of it that has the name.
    #[serde(default = "id")]
    pub by: String,
    /// Names that are there always; `{@role}` is the role that the provider works as.
    #[serde(default)]
    pub except: Vec<Template>,
    /// Holds only where these attributes have these values.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
    /// What becomes of this one when that is deleted.
    #[serde(default)]
    pub on_delete: OnDelete,
}

fn id() -> String {
    "id".to_owned()
}

/// What becomes of a resource when what it stands on is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// It stays, broken.
    #[default]
    Leave,
    /// It goes, too.
    Cascade,
    /// The deletion is refused.
    Refuse,
}

/// What has to be set, or must not be, where `when` has one of the values `is`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The attribute that decides.
    pub when: String,
    /// Its values, as text.
    pub is: Vec<String>,
    /// What has to be set.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Of what one at least has to be set.
    #[serde(default)]
    pub requires_one: Vec<String>,
    /// What must not be set.
    #[serde(default)]
    pub forbids: Vec<String>,
    /// What has to have one of these values, as text.
    #[serde(default)]
    pub wants: BTreeMap<String, Vec<String>>,
}

/// Checks that can't be data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// `file_name_format` of a hub's endpoint has every token, once.
    FileNameFormat,
    /// A pipe's COPY names a table and a stage that are there.
    CopyStatement,
    /// A stage lies where its storage integration allows it.
    StageLocation,
    /// An RSA public key, without the lines around it.
    RsaPublicKey,
}

impl Overlay {
    /// This, laid over `under`.
    fn over(mut self, under: &Self) -> Self {
        fn before<T: Clone>(list: &mut Vec<T>, under: &[T]) {
            let mut whole = under.to_vec();
            whole.append(list);
            *list = whole;
        }
        fn below<T: Clone>(map: &mut BTreeMap<String, T>, under: &BTreeMap<String, T>) {
            for (name, value) in under {
                map.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        before(&mut self.force_new, &under.force_new);
        before(&mut self.fixed, &under.fixed);
        before(&mut self.lasting, &under.lasting);
        below(&mut self.force_new_between, &under.force_new_between);
        before(&mut self.sensitive, &under.sensitive);
        before(&mut self.known_at_plan, &under.known_at_plan);
        before(&mut self.refreshed, &under.refreshed);
        before(&mut self.references, &under.references);
        before(&mut self.hooks, &under.hooks);
        before(&mut self.conditions, &under.conditions);
        before(&mut self.exactly_one_of, &under.exactly_one_of);
        before(&mut self.at_least_one_of, &under.at_least_one_of);
        before(&mut self.at_most_one_of, &under.at_most_one_of);
        below(&mut self.defaults, &under.defaults);
        below(&mut self.computed, &under.computed);
        below(&mut self.normal, &under.normal);
        below(&mut self.rules, &under.rules);
        below(&mut self.refused, &under.refused);
        self
    }
}
