//! What can be asked of an agent that runs alone, and what it answers, where nothing else is built in.
//!
//! The same words as in the language of an environment.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::edge_agent::report::AgentReport;
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
}
