//! The slot as it is kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::edge_agent::report::{FallbackReport, ModelReport};
use crate::nowcast::package::manifest;
use crate::nowcast::{MODEL_ID, Model};
use crate::station::text::printable;

/// Where the slot is kept.
pub(in crate::edge_agent) const SLOT: &str = "model.slot";

/// A model that can be in the slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(in crate::edge_agent) enum Entry {
    /// One that comes with skydeck, by its id.
    BuiltIn(String),
    /// A package's.
    Package(PackageEntry),
}

/// A package, as twin and methods name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::edge_agent) struct PackageEntry {
    pub name: String,
    pub version: String,
    /// Of its file, lower-case hexadecimal.
    pub sha256: String,
}

impl PackageEntry {
    /// The model's id, as predictions carry it.
    pub fn id(&self) -> String {
        manifest::id(&self.name, &self.version)
    }
}

impl Entry {
    /// The one that is always there.
    pub fn zero() -> Self {
        Self::BuiltIn(MODEL_ID.to_owned())
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::zero()
    }

    /// The model's id, as predictions carry it.
    pub fn id(&self) -> String {
        match self {
            Self::BuiltIn(id) => id.clone(),
            Self::Package(package) => package.id(),
        }
    }

    /// The package it is of, if any.
    pub const fn package(&self) -> Option<&PackageEntry> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Package(package) => Some(package),
        }
    }

    /// Whether this version can know it.
    fn is_known(&self) -> bool {
        match self {
            Self::BuiltIn(id) => Model::id_of(id).is_some(),
            Self::Package(package) => {
                manifest::is_name(&package.name)
                    && manifest::is_version(&package.version)
                    && crate::nowcast::package::is_sha256(&package.sha256)
            }
        }
    }
}

/// Why the slot fell back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::edge_agent) struct Fallback {
    /// The model that was given up.
    pub from: Entry,
    /// Why, printable.
    pub reason: String,
    pub at: Timestamp,
}

/// The slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::edge_agent) struct Slot {
    pub current: Entry,
    /// The one before, for a rollback and to fall back to.
    pub previous: Option<Entry>,
    pub deployed_at: Option<Timestamp>,
    /// Absent once something is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

impl Default for Slot {
    fn default() -> Self {
        Self { current: Entry::zero(), previous: None, deployed_at: None, fallback: None }
    }
}

impl Slot {
    /// The slot as it was kept. What can't be read is the slot as skydeck comes; a model that this version can't know is
    /// replaced by the one before it, or the one that is always there.
    pub fn read(kept: Option<&str>) -> Self {
        let Some(kept) = kept else { return Self::default() };
        let slot: Self = match serde_json::from_str(kept) {
            Ok(slot) => slot,
            Err(error) => {
                tracing::warn!(target: "agent", "the model slot can't be read ({error}); going on with {MODEL_ID}");
                return Self::default();
            }
        };
        let previous = slot.previous.filter(Entry::is_known);
        if slot.current.is_known() {
            return Self { previous, ..slot };
        }
        let gone = printable(&slot.current.id());
        let current = previous.unwrap_or_else(Entry::zero);
        tracing::warn!(target: "agent", "the model {gone} isn't in this version; going on with {}", current.id());
        Self { current, ..Self::default() }
    }

    /// The slot with `entry` in it.
    pub fn deployed(&self, entry: Entry, now: Timestamp) -> Self {
        let previous = (entry != self.current).then(|| self.current.clone()).or_else(|| self.previous.clone());
        Self { current: entry, previous, deployed_at: Some(now), fallback: None }
    }

    /// The slot once its model was given up: with the one before, and where there is none, the one that is always there.
    /// Absent where that is the one that was given up.
    pub fn fallen_back(&self, reason: String, now: Timestamp) -> Option<Self> {
        if self.current.is_zero() {
            return None;
        }
        let current = self.previous.clone().filter(|entry| *entry != self.current).unwrap_or_else(Entry::zero);
        let fallback = Fallback { from: self.current.clone(), reason, at: now };
        Some(Self { current, previous: None, deployed_at: Some(now), fallback: Some(fallback) })
    }

    /// The packages that mustn't be removed.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.package().map(|package| package.sha256.as_str()))
    }

    /// What the report says of it.
    pub fn tell(&self, report: &mut ModelReport) {
        report.current = self.current.id();
        report.sha256 = self.current.package().map(|package| package.sha256.clone());
        report.previous = self.previous.as_ref().map(Entry::id);
        report.deployed_at = self.deployed_at;
        report.fallback = self.fallback.as_ref().map(|fallback| FallbackReport {
            from: fallback.from.id(),
            reason: fallback.reason.clone(),
            at: fallback.at,
        });
    }
}
