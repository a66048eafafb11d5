//! How the feed stands.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// What the connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineState {
    /// It is being made.
    #[default]
    Connecting,
    /// Messages are read as they come.
    Reading,
    /// It failed, and is tried again at this time.
    Waiting {
        /// When.
        until: Timestamp,
    },
}

/// How the feed stands, as its reader knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventsStatus {
    /// The connection.
    pub line: LineState,
    /// The endpoint, as `hub NAME at HOST`; empty before it is known.
    pub place: String,
    /// What is wrong now, with what to do.
    pub problem: Option<String>,
    /// What was wrong last, and when.
    pub last_problem: Option<(Timestamp, String)>,
    /// Times the connection was made since the start.
    pub connections: u64,
    /// Times the hub asked for less.
    pub throttled: u64,
    /// Messages read for the first time since the start.
    pub received: u64,
    /// Messages put aside since the start, because they can't be read.
    pub aside: u64,
    /// The last of them: when it came, whose it is and what is wrong with it.
    pub last_aside: Option<(Timestamp, String)>,
    /// Messages that the hub no longer had when they were asked for.
    pub missed: u64,
    /// When the token in use ends.
    pub token_ends_at: Option<Timestamp>,
    /// Each partition that is read.
    pub partitions: BTreeMap<String, PartitionStatus>,
}

/// How the reading of one partition stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartitionStatus {
    /// Number of the last message read.
    pub sequence: Option<i64>,
    /// When the hub took that in.
    pub enqueued_at: Option<Timestamp>,
    /// Messages that the partition had more when it was last asked.
    pub behind: u64,
    /// What is wrong with it, with what to do.
    pub problem: Option<String>,
}
