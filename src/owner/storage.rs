//! The storage of an environment as viewers see it, and what may be asked of it: containers of batches, the queue of notices,
//! and what ends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lamp::Lamp;

/// Something asked of the storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "act")]
pub enum StorageAsk {
    /// The batches of a container, newest first.
    Batches {
        /// The container.
        container: String,
        /// Batches at most; 10,000 where more are asked for.
        limit: usize,
    },
    /// Lines of a batch.
    Lines {
        /// The container.
        container: String,
        /// The batch's name in it.
        file: String,
        /// The first line, from 1.
        from: u64,
        /// Lines at most; 1,000 where more are asked for.
        count: usize,
    },
    /// Take a notice that no pipe will take off a watched queue; it is kept aside first.
    TakePoison {
        /// Its id.
        id: String,
    },
    /// Look at a watched account now.
    LookNow,
}

impl StorageAsk {
    /// Whether it changes the world.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        matches!(self, Self::TakePoison { .. })
    }
}

/// What the storage answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "what")]
pub enum StorageAnswer {
    /// To [`StorageAsk::Batches`].
    Batches {
        /// Newest first.
        batches: Vec<BatchView>,
        /// How far back they were looked for; absent where as far as there are any.
        since: Option<Timestamp>,
    },
    /// To [`StorageAsk::Lines`].
    Lines {
        /// In order.
        lines: Vec<BatchLine>,
        /// Whether there are more behind them.
        more: bool,
    },
}

/// How the storage stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageView {
    /// Whether it is the environment's own, and so shown as it is now; otherwise it is an account that is watched.
    pub own: bool,
    /// When a watched account was last looked at; absent before the first time.
    pub looked_at: Option<Timestamp>,
    /// The containers of batches.
    pub containers: Vec<ContainerView>,
    /// The newest picture; absent where pictures aren't watched, or none has been taken.
    pub picture: Option<LastPicture>,
    /// The queue of notices; absent where none is watched.
    pub queue: Option<QueueWatch>,
    /// What ends, the first to end first.
    pub expiries: Vec<ExpiryView>,
}

/// A container of batches, over the last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerView {
    /// Its name.
    pub name: String,
    /// What is wrong, with what to do; absent where nothing is.
    pub trouble: Option<String>,
    /// The newest batch; absent where none is known.
    pub newest: Option<BatchView>,
    /// Batches in each of the last 24 hours, the newest hour last; empty where it isn't known.
    pub per_hour: Vec<u32>,
    /// Bytes of them all.
    pub bytes: u64,
    /// Those that are empty.
    pub empty: u64,
    /// Times in which telemetry came and no batch was written; absent where it isn't known what came.
    pub gaps: Option<Vec<GapView>>,
}

impl ContainerView {
    /// Batches of the last hour; absent where it isn't known.
    #[must_use]
    pub fn last_hour(&self) -> Option<u32> {
        self.per_hour.last().copied()
    }
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchView {
    /// Its name in the container.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// When it was written: by the account's clock, in an embedded environment in the pipeline's time.
    pub written_at: Timestamp,
}

/// A time in which telemetry came and no batch was written of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapView {
    /// When its first message came.
    pub from: Timestamp,
    /// When its last one did.
    pub to: Timestamp,
    /// How many did.
    pub messages: u64,
}

/// A line of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLine {
    /// Its number, from 1.
    pub number: u64,
    /// Its text, printable, cut at 16,384 characters with `…`.
    pub text: String,
}

/// The newest picture, or why it isn't known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LastPicture {
    /// Why it isn't known.
    pub trouble: Option<String>,
    /// The picture; absent where there was none in the last three days.
    pub newest: Option<BatchView>,
}

/// The queue of notices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueWatch {
    /// Why it isn't known how it stands: the figures then say nothing.
    pub trouble: Option<String>,
    /// Notices in it.
    pub depth: u64,
    /// When the oldest was put in.
    pub oldest_at: Option<Timestamp>,
    /// Notices of empty batches among the first 32; absent where nobody looks.
    pub of_empty_batches: Option<u64>,
    /// Notices in it that no pipe will take, of the first 32.
    pub poison: Vec<PoisonView>,
    /// Notices that were taken off and kept aside, the newest 32, newest first.
    pub aside: Vec<PoisonView>,
}

/// A notice that no pipe takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PoisonView {
    /// Its id.
    pub id: String,
    /// When it was put in; absent where that isn't known.
    pub put_at: Option<Timestamp>,
    /// When it was kept aside; absent while it is in the queue.
    pub aside_at: Option<Timestamp>,
    /// What is wrong with it.
    pub reason: String,
    /// Its beginning, printable.
    pub content: String,
}

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpiryView {
    /// What: the setting that names it.
    pub what: String,
    /// When.
    pub ends_at: Timestamp,
    /// That in words: `azure.storage_sas ends in 3 d`.
    pub words: String,
    /// A warning from 14 days on, failed on the last day.
    pub lamp: Lamp,
}
