//! The warehouse of an embedded environment: SQLite tables shaped as Snowflake's are.
//!
//! `schema` the tables and views · `applied` in step with what is applied · `load` Snowpipe's semantics for one file · `query` what screens ask ·
//! `scores` verification.

mod applied;
mod load;
mod query;
mod schema;
mod scores;

use std::path::Path;

use crate::database::{Database, DatabaseError};

pub use applied::DroppedTable;
pub use load::{FileLoad, LoadStatus, NewFile};
pub use query::{HistoryFile, MeasurementRow, PipeCounts, TableRow};
pub use scores::{DueNowcast, Progress, ScoreRow, VerifiedLead};

/// The warehouse; clones share it.
#[derive(Debug, Clone)]
pub struct Warehouse {
    database: Database,
}

impl Warehouse {
    /// Opens or makes the warehouse at `path`.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        Ok(Self { database: Database::open(path, schema::MIGRATIONS)? })
    }

    /// The database under it.
    #[must_use]
    pub const fn database(&self) -> &Database {
        &self.database
    }
}
