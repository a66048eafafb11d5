//! How an account and its pipes stand, as the watcher publishes it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::copies::RowFigures;
use super::credits::WarehouseCost;
use super::error::SnowflakeError;
use super::history::{PipeFiles, Remade};
use super::pipe::PipeInfo;
use super::schedule::Verdict;
use super::status::PipeStatus;
use crate::station::text::printable;

/// A pipe as it is watched.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedPipe {
    /// The pipe.
    pub info: PipeInfo,
    /// What Snowflake says of it; absent where it may not be asked, or wasn't yet.
    pub status: Option<PipeStatus>,
    /// Why its status can't be had.
    pub trouble: Option<SnowflakeError>,
    /// What mends it, where it can't read its notices or its stage.
    pub mend: Option<String>,
    /// Why files or rows can't be had.
    pub rows_trouble: Option<SnowflakeError>,
    /// That it was made anew, where it was seen before.
    pub remade: Option<Remade>,
    /// Rows of its table, as Snowflake counts them.
    pub table_rows: Option<u64>,
    /// Figures of the rows of the last day, as of the last wake.
    pub rows: Option<RowFigures>,
    /// What it has done; absent until its copy history was asked for once.
    pub files: Option<PipeFiles>,
    /// Credits that loading cost today.
    pub credits_today: Option<f64>,
}

impl WatchedPipe {
    /// Whether a right is missing to see how it stands.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.trouble.as_ref().is_some_and(SnowflakeError::is_not_authorised)
    }

    /// What is wrong with it, the first to look at first.
    #[must_use]
    pub fn findings(&self, now: Timestamp) -> Vec<String> {
        let mut found: Vec<String> = self.status.iter().flat_map(|status| status.findings(&self.info, now)).collect();
        found.extend(self.mend.clone());
        let troubles = [&self.trouble, &self.rows_trouble].into_iter().flatten();
        found.extend(troubles.map(|error| printable(&error.to_string())));
        found.extend(self.repeats());
        found.extend(self.duplicates());
        found
    }

    fn repeats(&self) -> Option<String> {
        let Remade { at, repeats } = self.remade.filter(|remade| remade.repeats > 0)?;
        Some(format!(
            "made anew at {}: it has forgotten what the one before loaded; a refresh loads {repeats} files of the last 7 \
             days again",
            at.round(jiff::Unit::Second).unwrap_or(at),
        ))
    }

    /// Rows that are there twice, in words.
    #[must_use]
    pub fn duplicates(&self) -> Option<String> {
        let rows = self.rows.filter(|rows| rows.duplicates > 0)?;
        Some(format!(
            "{} of the {} rows loaded within a day repeat a message: a file came again under another name, or was loaded \
             again by a pipe made anew; the view shows each message once",
            rows.duplicates, rows.loaded
        ))
    }
}

/// How the account stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WarehouseStatus {
    /// By name, without database and schema; absent until they were listed once.
    pub pipes: Option<BTreeMap<String, WatchedPipe>>,
    /// Why the account doesn't answer.
    pub trouble: Option<SnowflakeError>,
    /// Why the warehouse doesn't run: files and rows are as of the last wake.
    pub warehouse_trouble: Option<SnowflakeError>,
    /// When it last answered.
    pub asked_at: Option<Timestamp>,
    /// What the warehouse costs; absent where its size isn't known.
    pub cost: Option<WarehouseCost>,
    /// When the warehouse was last woken.
    pub woke_at: Option<Timestamp>,
    /// Times it was woken today (UTC).
    pub wakes_today: u32,
    /// Credits that watching cost today; absent where the warehouse's size isn't known.
    pub credits_today: Option<f64>,
    /// What the schedule says of the next wake.
    pub next_wake: Option<Verdict>,
}

/// Pipes' states are asked for each half minute; an account that hasn't answered for so long is told with its age.
pub const FRESH: SignedDuration = SignedDuration::from_secs(90);
