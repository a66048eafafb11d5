//! The watched warehouse as viewers see it, and what may be asked of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something asked of the watched warehouse. Pipes and files go by their names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "act")]
pub enum WarehouseAsk {
    /// Ask for files and rows now: it wakes the warehouse.
    LookNow,
    /// Resume a pipe that was paused for over 14 days.
    ForceResume {
        /// The pipe.
        pipe: String,
    },
    /// Queue files again that a pipe hasn't seen.
    Refresh {
        /// The pipe.
        pipe: String,
        /// Only files whose path in the stage begins so.
        prefix: Option<String>,
        /// Only files changed since; seven days ago at most.
        since: Option<Timestamp>,
    },
    /// Read a file of the copy history as its pipe does, loading nothing: it wakes the warehouse.
    Validate {
        /// Its path, as in the copy history.
        file: String,
    },
}

impl WarehouseAsk {
    /// Whether it changes the world or costs something.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        true
    }
}

/// How the watched warehouse stands, and what watching it costs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WarehouseView {
    /// Why it doesn't answer; absent while it does.
    pub trouble: Option<String>,
    /// Why files and rows can't be asked for; absent while the warehouse runs.
    pub rows_trouble: Option<String>,
    /// When it last answered.
    pub asked_at: Option<Timestamp>,
    /// Whether that is so long ago that pipes may stand otherwise by now.
    pub is_stale: bool,
    /// Credits that a wake costs at least; absent where the warehouse's size isn't known.
    pub credits_per_wake: Option<f64>,
    /// When files and rows were last asked for.
    pub woke_at: Option<Timestamp>,
    /// Times it was woken today (UTC).
    pub wakes_today: u32,
    /// Times that watching may wake it in a day.
    pub wakes_per_day: u32,
    /// Credits that watching cost today; absent where the warehouse's size isn't known.
    pub credits_today: Option<f64>,
    /// Credits that watching may cost in a day.
    pub credits_per_day: f64,
    /// When it may be woken next, where something calls for it.
    pub next_wake_at: Option<Timestamp>,
    /// Whether the day's wakes or credits are spent.
    pub spent: bool,
}

/// What is known of a pipe that is watched and not run here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PipeWatch {
    /// Why its status isn't known: state, pending files and notices then say nothing.
    pub status_trouble: Option<String>,
    /// Why its files and rows aren't known.
    pub rows_trouble: Option<String>,
    /// Whether the rows are counted.
    pub rows_known: bool,
    /// Whether its copy history was asked for: files loaded and failed say something.
    pub files_known: bool,
    /// Whether duplicates were counted.
    pub duplicates_known: bool,
    /// When a notice was last handed to it.
    pub last_forwarded_at: Option<Timestamp>,
    /// Whether it was paused for over 14 days.
    pub stale: bool,
    /// Rows a minute over the hour before the warehouse was last asked.
    pub rows_per_min: Option<f64>,
    /// Credits that loading cost today.
    pub credits_today: Option<f64>,
    /// When it was made anew, where it was seen before.
    pub remade_at: Option<Timestamp>,
    /// Files that a refresh would load again, because the pipe was made anew.
    pub repeats: u64,
    /// What is wrong, the first to look at first.
    pub findings: Vec<String>,
}
