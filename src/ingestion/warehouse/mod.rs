//! The warehouse: of an embedded environment SQLite tables shaped as Snowflake's are, in the cloud Snowflake itself, which
//! is watched (`snowflake`).
//!
//! `schema` the tables and views · `applied` in step with what is applied · `load` Snowpipe's semantics for one file · `history` what became of
//! files · `query` what else screens ask · `scores` verification.

#[cfg(feature = "local")]
mod applied;
#[cfg(feature = "local")]
mod history;
#[cfg(feature = "local")]
mod load;
#[cfg(feature = "local")]
mod query;
#[cfg(feature = "local")]
mod schema;
#[cfg(feature = "local")]
mod scores;
#[cfg(feature = "cloud")]
pub mod snowflake;
#[cfg(feature = "local")]
mod sqlite;

#[cfg(feature = "local")]
pub use {
    applied::DroppedTable,
    history::{HistoryFile, HistoryPage},
    load::{FileLoad, LoadStatus, NewFile, validate},
    query::{MeasurementRow, PipeCounts, TableRow},
    scores::{DueNowcast, Progress, ScoreRow, VerifiedLead},
    sqlite::Warehouse,
};
