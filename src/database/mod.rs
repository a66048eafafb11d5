//! SQLite as the embedded environments use it: opened durable, migrated by number, written in groups.
//!
//! Every store of an environment (outbox, hub, notices, warehouse, history) is a [`Database`]: one writer
//! thread that commits whatever has come in as one transaction, so that many small durable writes cost one
//! `fsync`, and readers beside it (WAL). [`FolderWatch`] tells when another process wrote to a folder.

mod open;
mod watch;
mod writer;

pub use open::{Database, DatabaseError, Migration, check, make};
pub use watch::{FolderWatch, WatchError};
