//! What can be asked of an agent that runs alone, and what it answers, where nothing else is built in.
//!
//! The same words as in the language of an environment.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::edge_agent::PreviewPicture;
use crate::edge_agent::report::AgentReport;
use crate::edge_agent::uplink::LinkTest;
use crate::owner::agent::Diagnosis;
use crate::owner::log_buffer::LogLine;

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Request {
    /// Lines of the log after a sequence number, oldest first.
    Logs {
        /// Only lines after this number.
        after: u64,
        /// Lines at most (the newest).
        limit: usize,
    },
    /// How the agent of this process stands.
    Agent,
    /// How the device of this process's agent is, with what to do.
    Diagnose {
        /// Whether to answer only once something has changed, or after a few seconds.
        wait: bool,
    },
    /// Try the agent's way to the hub, step by step. Takes a minute and a half at most.
    TestLink,
    /// The newest picture of the agent's camera, small.
    Preview {
        /// Pixels of its longer side at most, 8 to 320.
        max_px: u32,
    },
    /// Anything that only the owner of an environment can answer.
    #[serde(other)]
    Other,
}

/// An answer's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "of")]
pub enum Answer {
    /// To [`Request::Logs`].
    Logs {
        /// Oldest first.
        lines: Vec<LogLine>,
    },
    /// To [`Request::Agent`].
    Agent {
        /// What it says of itself.
        report: Arc<AgentReport>,
    },
    /// To [`Request::Diagnose`].
    Diagnosis {
        /// How it is.
        diagnosis: Arc<Diagnosis>,
    },
    /// To [`Request::TestLink`].
    LinkTest {
        /// How it went; absent where the agent has no link.
        test: Option<LinkTest>,
    },
    /// To [`Request::Preview`].
    Preview {
        /// The picture; absent before the first since the start.
        picture: Option<PreviewPicture>,
    },
}
