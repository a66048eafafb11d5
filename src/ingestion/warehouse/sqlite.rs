//! The handle on the warehouse of an embedded environment.

use std::path::Path;

use super::schema;
use crate::database::{Database, DatabaseError};

/// The warehouse; clones share it.
#[derive(Debug, Clone)]
pub struct Warehouse {
    pub(super) database: Database,
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
