//! Settings of the model slot.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The model slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSettings {
    /// Public keys whose signatures under packages count, one a line as in a `.pub` file; absent takes any package whose
    /// digest is named.
    pub trusted_keys: Option<PathBuf>,
    /// Packages kept on the device, 2 to 20: that in the slot, the one before, the newest of the others.
    pub keep: u8,
    /// Seconds that a nowcast may take, 1 to 600.
    pub max_run_s: u32,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self { trusted_keys: None, keep: 3, max_run_s: 30 }
    }
}
