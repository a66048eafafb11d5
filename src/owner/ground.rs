//! What the pipeline runs on, as viewers see it.

use serde::{Deserialize, Serialize};

#[cfg(feature = "local")]
use crate::ingestion::topology::Topology;

/// What the pipeline runs on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopologySummary {
    /// Whether it was applied; otherwise it is the built-in one.
    pub applied: bool,
    /// The hub's name in blob names; absent where there is none.
    pub hub: Option<String>,
    /// Longest window of a batch, pipeline seconds; absent without an endpoint.
    pub window_s: Option<f64>,
    /// What was applied and can't be followed: each with its cause and the next step.
    pub faults: Vec<String>,
}

#[cfg(feature = "local")]
impl From<&Topology> for TopologySummary {
    fn from(topology: &Topology) -> Self {
        Self {
            applied: topology.applied,
            hub: topology.hub.as_ref().map(|hub| hub.name.clone()),
            window_s: topology.windows().map(|(_, longest)| longest.as_secs_f64()),
            faults: topology.faults.iter().map(ToString::to_string).collect(),
        }
    }
}
