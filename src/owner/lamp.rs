//! How something is doing, for whoever looks.

use serde::{Deserialize, Serialize};

/// How a stage, or a part of an agent, is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lamp {
    /// Not provisioned, not reached yet, or unknown.
    Unknown,
    /// Works.
    Ok,
    /// Works, but late or with losses.
    Warning,
    /// Doesn't work.
    Failed,
}
