//! The JSON of a plan, read.

use std::sync::OnceLock;

use jiff::Timestamp;
use serde_json::Value;

use super::diff::{Differ, Forces};
use super::error::PlanError;
use super::fingerprint;
use super::half::Half;
use super::model::{ChangeDetail, PlanList, PlanOutline};
use super::outline::{self, Entry};
use super::redaction::Redaction;
use super::types;
use crate::provisioning::run::ChangeCounts;
use crate::provisioning::terraform::mask::Masks;
use crate::provisioning::terraform::secrets;
use crate::station::text::printable;

/// A plan, read. It holds secrets; what it answers doesn't, but for [`PlanReading::json`] and what is revealed on purpose.
pub struct PlanReading {
    json: Value,
    masks: Masks,
    changes: Vec<Entry>,
    drift: Vec<Entry>,
    unchanged: u32,
    digest: OnceLock<String>,
}

/// The plan without a word of what it holds.
impl std::fmt::Debug for PlanReading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("PlanReading");
        shown.field("changes", &self.changes.len()).field("drift", &self.drift.len()).finish_non_exhaustive()
    }
}

impl PlanReading {
    /// Reads what `terraform show -json PLAN` writes, format 1.x. Fails on anything else, in words and without a word of
    /// what it holds.
    pub fn read(bytes: &[u8]) -> Result<Self, PlanError> {
        let json: Value = serde_json::from_slice(bytes).map_err(|error| PlanError::NotJson(error.to_string()))?;
        if !json.is_object() {
            return Err(PlanError::shape("it", "isn't an object"));
        }
        let version = json["format_version"].as_str().unwrap_or("none");
        if version.split('.').next() != Some("1") {
            return Err(PlanError::Format(printable(version).chars().take(32).collect()));
        }
        for (part, is_right) in [
            ("output_changes", Value::is_object as fn(&Value) -> bool),
            ("variables", Value::is_object),
            ("configuration", Value::is_object),
            ("checks", Value::is_array),
        ] {
            if json.get(part).is_some_and(|value| !value.is_null() && !is_right(value)) {
                let what = if part == "checks" { "isn't a list" } else { "isn't an object" };
                return Err(PlanError::shape(part, what));
            }
        }
        let masks = secrets::of_plan(&json).map_err(PlanError::Format)?;
        let redaction = Redaction::of(&masks);
        let (changes, unchanged) = outline::entries(&json, "resource_changes", redaction)?;
        let (drift, _) = outline::entries(&json, "resource_drift", redaction)?;
        Ok(Self { json, masks, changes, drift, unchanged, digest: OnceLock::new() })
    }

    /// What it changes, without the differences within resources.
    #[must_use]
    pub fn outline(&self) -> PlanOutline {
        let redaction = Redaction::of(&self.masks);
        let text = |name: &str| redaction.name(self.json[name].as_str().unwrap_or_default());
        let is = |name: &str| self.json[name].as_bool();
        let mut counts = ChangeCounts::default();
        self.changes.iter().for_each(|entry| counts.count(entry.change.action, entry.change.importing.is_some()));
        let errored = is("errored").unwrap_or(false);
        let changes_of = |entries: &[Entry]| entries.iter().map(|entry| entry.change.clone()).collect();
        PlanOutline {
            terraform_version: text("terraform_version"),
            format_version: text("format_version"),
            made_at: self.json["timestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok()),
            // Terraform 1.6 doesn't say; what it has planned without an error it applies.
            applyable: is("applyable").unwrap_or(!errored),
            complete: is("complete").unwrap_or(true),
            errored,
            counts,
            changes: changes_of(&self.changes),
            drift: changes_of(&self.drift),
            unchanged: self.unchanged,
            outputs: outline::outputs(&self.json, redaction),
            variables: outline::variables(&self.json, redaction),
            checks: outline::checks(&self.json, redaction),
        }
    }

    /// How many changes a list has.
    #[must_use]
    pub fn count(&self, list: PlanList) -> usize {
        self.entries(list).len()
    }

    /// The difference within one resource; `None` where the list isn't that long. With `revealed` its secrets stand in
    /// clear: only for somebody who asked for it, never to be kept.
    #[must_use]
    pub fn detail(&self, list: PlanList, index: usize, revealed: bool) -> Option<ChangeDetail> {
        let entry = self.entries(list).get(index)?;
        let name = match list {
            PlanList::Changes => "resource_changes",
            PlanList::Drift => "resource_drift",
        };
        let raw = &self.json[name][entry.at]["change"];
        let before = Half::of(&raw["before"], &raw["before_sensitive"], &Value::Null);
        let after = Half::of(&raw["after"], &raw["after_sensitive"], &raw["after_unknown"]);
        let redaction = if revealed { Redaction::revealed() } else { Redaction::of(&self.masks) };
        let kind = self.json[name][entry.at]["type"].as_str().and_then(types::of);
        let attributes = Differ::new(redaction).attributes(before, after, &Forces::of(&raw["replace_paths"]), kind);
        Some(ChangeDetail { list, index, change: entry.change.clone(), attributes, revealed })
    }

    /// The differences within every resource of a list, in its order, without secrets.
    pub fn details(&self, list: PlanList) -> impl Iterator<Item = ChangeDetail> {
        (0..self.count(list)).filter_map(move |index| self.detail(list, index, false))
    }

    /// Its secrets.
    #[must_use]
    pub const fn masks(&self) -> &Masks {
        &self.masks
    }

    /// The plan itself, with its secrets: for policies.
    #[must_use]
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// SHA-256, in lower-case hex, of everything it would change and of what it was planned with: two plans of the same
    /// thing share it, whenever they were made.
    #[must_use]
    pub fn content_digest(&self) -> String {
        self.digest.get_or_init(|| fingerprint::digest(&self.json)).clone()
    }

    /// What `fresh`, a later plan of the same configuration, would do otherwise than this one: a line each, without
    /// secrets. Empty exactly where both have the same digest.
    #[must_use]
    pub fn moved(&self, fresh: &Self) -> Vec<String> {
        if self.content_digest() == fresh.content_digest() {
            return Vec::new();
        }
        let mut masks = self.masks.clone();
        masks.extend(fresh.masks.clone());
        fingerprint::moved(&self.json, &fresh.json, Redaction::of(&masks))
    }

    fn entries(&self, list: PlanList) -> &[Entry] {
        match list {
            PlanList::Changes => &self.changes,
            PlanList::Drift => &self.drift,
        }
    }
}
