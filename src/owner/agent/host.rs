//! What a process does for the agent in it.

use std::sync::Arc;

use crate::edge_agent::{Host, LogEntry};
use crate::owner::log_buffer::{LogBuffer, LogLine};

/// What this process does for its agent.
pub(in crate::owner) fn host(log: &LogBuffer) -> Host {
    let filter = log.clone();
    let set_filter = move |text: &str| filter.set_filter(text);
    let log = log.clone();
    let tail = move |lines: usize, level: Option<&str>| {
        let line =
            |line: LogLine| LogEntry { at: line.at, level: line.level, target: line.target, message: line.message };
        log.newest(lines, level).into_iter().map(line).collect()
    };
    Host { tail_log: Some(Arc::new(tail)), set_log_filter: Some(Arc::new(set_filter)) }
}
