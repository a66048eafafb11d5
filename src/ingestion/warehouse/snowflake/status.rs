//! What `SYSTEM$PIPE_STATUS` says of a pipe, and what an operator is to look at first, in Snowflake's own order of triage:
//! the state, notices received against forwarded, pending files and the oldest, the last error of a file.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::pipe::PipeInfo;
use crate::station::text::printable;

/// A pipe paused for longer is stale: Snowflake has forgotten its notices.
pub const STALE_AFTER: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A notice that was received and not forwarded for so long hangs: it is Snowflake's usual minute, five times.
const FORWARDED_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// The state of a pipe that may not read its stage.
const STAGE_REFUSED: &str = "STALLED_STAGE_PERMISSION_ERROR";

/// The answer; every field may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PipeStatus {
    /// `RUNNING`, `PAUSED`, `STOPPED_…`, `STALLED_…`, `READ_ONLY`, `FAILING_OVER`.
    pub execution_state: Option<String>,
    /// Files that wait.
    pub pending_file_count: Option<u64>,
    /// The oldest of them.
    pub oldest_pending_file_path: Option<String>,
    /// When that was queued.
    pub oldest_file_timestamp: Option<Timestamp>,
    /// When a file was last loaded.
    pub last_ingested_timestamp: Option<Timestamp>,
    /// Which.
    pub last_ingested_file_path: Option<String>,
    /// When the pipe last failed.
    pub last_pipe_error_timestamp: Option<Timestamp>,
    /// When Snowflake itself last failed.
    pub last_pipe_fault_timestamp: Option<Timestamp>,
    /// The pipe's error.
    pub error: Option<String>,
    /// Snowflake's own fault.
    pub fault: Option<String>,
    /// Notices that lie in the channel, and aren't this pipe's alone.
    pub num_outstanding_messages_on_channel: Option<u64>,
    /// When a notice last came.
    pub last_received_message_timestamp: Option<Timestamp>,
    /// When a notice was last handed to this pipe.
    pub last_forwarded_message_timestamp: Option<Timestamp>,
    /// The file of that notice.
    pub last_forwarded_file_path: Option<String>,
    /// When the channel was last looked into.
    pub last_pulled_from_channel_timestamp: Option<Timestamp>,
    /// Why the channel can't be read.
    pub channel_error_message: Option<String>,
    /// When a row was last refused.
    pub last_error_record_timestamp: Option<Timestamp>,
    /// Refreshes under way.
    pub pending_history_refresh_jobs_count: Option<u64>,
}

/// What of a status says that something became of a file: when it has moved, the copy history has news.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    ingested: Option<Timestamp>,
    error: Option<Timestamp>,
    error_record: Option<Timestamp>,
    state: Option<String>,
}

impl PipeStatus {
    /// From the statement's one cell.
    pub fn read(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| printable(&error.to_string()))
    }

    /// What moves when the copy history does.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            ingested: self.last_ingested_timestamp,
            error: self.last_pipe_error_timestamp,
            error_record: self.last_error_record_timestamp,
            state: self.execution_state.clone(),
        }
    }

    /// The state; `UNKNOWN` where Snowflake says none.
    #[must_use]
    pub fn state(&self) -> String {
        self.execution_state.as_deref().map_or_else(|| "UNKNOWN".to_owned(), printable)
    }

    /// Whether the pipe runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.execution_state.as_deref() == Some("RUNNING")
    }

    /// Whether it is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.execution_state.as_deref() == Some("PAUSED")
    }

    /// Whether its notices can't be read.
    #[must_use]
    pub const fn is_deaf(&self) -> bool {
        self.channel_error_message.is_some()
    }

    /// Whether it may not read its stage.
    #[must_use]
    pub fn is_shut_out(&self) -> bool {
        self.execution_state.as_deref() == Some(STAGE_REFUSED)
    }

    /// Whether it is paused, and has seen nothing for so long that a plain resume is refused.
    #[must_use]
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let told = self.error.as_deref().is_some_and(|error| error.to_ascii_lowercase().contains("stale"));
        let forwarded = self.last_forwarded_message_timestamp;
        self.is_paused() && (told || forwarded.is_some_and(|at| now.duration_since(at) > STALE_AFTER))
    }

    /// What is wrong, the first to look at first; empty where nothing is.
    #[must_use]
    pub fn findings(&self, pipe: &PipeInfo, now: Timestamp) -> Vec<String> {
        let mut found = Vec::new();
        found.extend(pipe.invalid_reason.as_ref().map(|reason| format!("invalid: {reason}")));
        found.extend(self.of_the_state(now));
        let said = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(printable);
        found.extend(said(&self.error).map(|error| format!("error: {error}")));
        found.extend(said(&self.fault).map(|fault| {
            format!("fault of Snowflake's own: {fault}; it is tried again there, ask its support if it stays")
        }));
        found.extend(said(&self.channel_error_message).map(|error| {
            format!(
                "its channel can't be read: {error}; the queue's role may be missing, see `terraform output consent`"
            )
        }));
        found.extend(self.of_the_notices());
        found.extend(self.of_pending(now));
        found
    }

    fn of_the_state(&self, now: Timestamp) -> Option<String> {
        let state = self.state();
        let next = match state.as_str() {
            "RUNNING" => return None,
            "PAUSED" if self.is_stale(now) => {
                "paused for over 14 days, its notices are forgotten; force-resume it, then refresh the last 7 days"
            }
            "PAUSED" => "resume it; what arrives meanwhile waits, 14 days at most",
            "READ_ONLY" => "this account has a replica of it; look at the primary",
            "FAILING_OVER" => "a fail-over is under way; wait for its end",
            "STOPPED_STAGE_ALTERED" => "its stage changed place; make the pipe anew: plan and apply",
            "STOPPED_STAGE_DROPPED"
            | "STOPPED_FILE_FORMAT_DROPPED"
            | "STOPPED_NOTIFICATION_INTEGRATION_DROPPED"
            | "STOPPED_MISSING_PIPE"
            | "STOPPED_MISSING_TABLE" => "what it needs is gone; plan and apply make it again",
            "STOPPED_CLONED" => "a clone's pipe doesn't run; make it anew",
            "STOPPED_BY_SNOWFLAKE_ADMIN" | "STOPPED_FEATURE_DISABLED" => "Snowflake stopped it; ask its support",
            STAGE_REFUSED => "it may not read its stage any more; files wait at it, and refresh it once that is mended",
            state if state.starts_with("STALLED_") => "see the error; refresh it once that is mended",
            _ => "a state skydeck doesn't know; see Snowflake's SYSTEM$PIPE_STATUS",
        };
        Some(format!("{state}: {next}"))
    }

    fn of_the_notices(&self) -> Option<String> {
        let (received, forwarded) = (self.last_received_message_timestamp?, self.last_forwarded_message_timestamp);
        let late = forwarded.is_none_or(|forwarded| received.duration_since(forwarded) > FORWARDED_WITHIN);
        (late && self.is_running()).then(|| {
            let last = forwarded.map_or_else(|| "never".to_owned(), |at| at.to_string());
            format!("a notice came at {received} and the last was forwarded {last}; its path or pattern may not match")
        })
    }

    fn of_pending(&self, now: Timestamp) -> Option<String> {
        let (count, oldest) = (self.pending_file_count?, self.oldest_file_timestamp?);
        let minutes = now.duration_since(oldest).as_mins();
        (count > 0 && self.is_running() && minutes >= 5).then(|| {
            let which = self
                .oldest_pending_file_path
                .as_deref()
                .map_or_else(String::new, |path| format!(", {}", printable(path)));
            format!("{count} files pending, the oldest for {minutes} min{which}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::pipe::Name;
    use super::*;

    fn pipe() -> PipeInfo {
        PipeInfo {
            name: Name::of("D", "S", "P"),
            table: None,
            stage: None,
            file_format: None,
            integration: None,
            invalid_reason: None,
            created_at: None,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn every_field_may_be_missing_and_strange_ones_may_come() {
        assert_eq!(PipeStatus::read("{}"), Ok(PipeStatus::default()));
        let status = PipeStatus::read(r#"{"executionState":"RUNNING","pendingFileCount":0,"somethingNew":[1]}"#);
        assert_eq!(status.expect("read").findings(&pipe(), at("2026-06-01T12:00:00Z")), Vec::<String>::new());
        assert!(PipeStatus::read("nonsense").is_err());
    }

    #[test]
    fn triage_goes_from_the_state_to_the_files() {
        let json = r#"{"executionState":"RUNNING","error":"no table","lastReceivedMessageTimestamp":"2026-06-01T11:59:00Z",
            "lastForwardedMessageTimestamp":"2026-06-01T11:00:00Z","pendingFileCount":3,
            "oldestFileTimestamp":"2026-06-01T11:50:00Z","oldestPendingFilePath":"hub/0/a\u001b[2J"}"#;
        let invalid = PipeInfo { invalid_reason: Some("no stage".to_owned()), ..pipe() };
        let found = PipeStatus::read(json).expect("read").findings(&invalid, at("2026-06-01T12:00:00Z"));
        let starts = [
            "invalid: no stage",
            "error: no table",
            "a notice came",
            "3 files pending, the oldest for 10 min, hub/0/a[2J",
        ];
        assert_eq!(found.len(), starts.len(), "{found:?}");
        for (finding, start) in found.iter().zip(starts) {
            assert!(finding.starts_with(start), "{finding}");
        }
    }

    #[test]
    fn paused_is_stale_after_fourteen_days() {
        let json = r#"{"executionState":"PAUSED","lastForwardedMessageTimestamp":"2026-06-01T00:00:00Z"}"#;
        let status = PipeStatus::read(json).expect("read");
        assert!(!status.is_stale(at("2026-06-15T00:00:00Z")));
        assert!(status.is_stale(at("2026-06-15T00:00:01Z")));
        assert!(status.findings(&pipe(), at("2026-06-20T00:00:00Z"))[0].contains("force-resume"));
    }

    #[test]
    fn what_moves_with_the_copy_history_is_the_mark() {
        let read = |json: &str| PipeStatus::read(json).expect("read").mark();
        let first = read(r#"{"executionState":"RUNNING","pendingFileCount":1}"#);
        assert_eq!(first, read(r#"{"executionState":"RUNNING","pendingFileCount":9}"#));
        assert_ne!(first, read(r#"{"executionState":"RUNNING","lastIngestedTimestamp":"2026-06-01T00:00:00Z"}"#));
    }
}
