//! Everything about a device in one document: what `skydeck diag` shows, writes and puts into a bundle.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::findings::DeviceFinding;
use crate::edge_agent::report::AgentReport;
use crate::edge_agent::uplink::LinkTest;
use crate::owner::log_buffer::LogLine;
use crate::station::Machine;

/// How a device is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// When it was made (wall clock).
    pub at: Timestamp,
    /// Version of whoever made it.
    pub version: String,
    /// The environment.
    pub environment: String,
    /// What the agent says of itself; absent where none runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Arc<AgentReport>>,
    /// The hardware, where no agent tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// What is the matter and what to do, worst first.
    #[serde(default)]
    pub findings: Vec<DeviceFinding>,
    /// The way to the hub when it was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_test: Option<LinkTest>,
    /// Why there is no hub to try the way to, and what to do; absent where there is one, or where an agent knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_hub: Option<String>,
    /// The newest warnings and errors of the agent's log since it started, oldest first.
    #[serde(default)]
    pub errors: Vec<LogLine>,
    /// The file with all of them, also those of before; absent where nobody tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_file: Option<PathBuf>,
}

impl Diagnosis {
    /// The hardware's figures, from whoever read them.
    #[must_use]
    pub fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref().or_else(|| self.agent.as_ref()?.machine.as_ref())
    }

    /// Whether anything doesn't work, or won't.
    #[must_use]
    pub fn is_well(&self) -> bool {
        use crate::owner::lamp::Lamp;
        self.agent.is_some() && !self.findings.iter().any(|found| matches!(found.lamp, Lamp::Failed | Lamp::Warning))
    }
}
