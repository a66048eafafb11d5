//! Opening, migrating and reading a database.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction};

use super::writer::Writer;

/// One step of a schema, applied once, in order; its number is its place in the list, from 1.
pub type Migration = &'static str;

/// What can go wrong with a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// The file can't be opened or made.
    #[error("{path}: can't open: {reason}; check that the folder exists, is writable and isn't a file")]
    Open {
        /// The database's file.
        path: PathBuf,
        /// SQLite's or the system's words.
        reason: String,
    },
    /// A newer skydeck wrote it.
    #[error(
        "{path}: made by a newer skydeck (schema {found}, this one knows {known}); update skydeck or restore a backup"
    )]
    Newer {
        /// The database's file.
        path: PathBuf,
        /// Schema number found.
        found: usize,
        /// Newest schema number known here.
        known: usize,
    },
    /// The disk is full.
    #[error("{path}: the disk is full; free some space, the write is tried again")]
    Full {
        /// The database's file.
        path: PathBuf,
    },
    /// A statement failed.
    #[error("{path}: {reason}")]
    Statement {
        /// The database's file.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
    /// The writer has ended.
    #[error("{path}: closed")]
    Closed {
        /// The database's file.
        path: PathBuf,
    },
}

impl DatabaseError {
    /// What a failed statement on the database at `path` comes to.
    #[must_use]
    pub fn statement(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full { path },
            _ => Self::Statement { path, reason: error.to_string() },
        }
    }
}

/// A handle on one open database; clones share it.
#[derive(Clone)]
pub struct Database {
    path: Arc<Path>,
    writer: Writer,
    reader: Arc<Mutex<Connection>>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Database {
    /// Opens or makes the database at `path` and brings it to the newest of `migrations`.
    ///
    /// Durable: WAL with `synchronous=FULL`, so a commit is on disk when the call that made it returns.
    pub fn open(path: &Path, migrations: &[Migration]) -> Result<Self, DatabaseError> {
        let failed = |reason: String| DatabaseError::Open { path: path.to_owned(), reason };
        let mut connection = Connection::open(path).map_err(|e| failed(e.to_string()))?;
        restrict(path).map_err(|e| failed(e.to_string()))?;
        prepare(&connection).map_err(|e| failed(e.to_string()))?;
        migrate(&mut connection, path, migrations)?;
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .and_then(|reader| prepare(&reader).map(|()| reader))
            .map_err(|e| failed(e.to_string()))?;
        reader.pragma_update(None, "query_only", true).map_err(|e| failed(e.to_string()))?;
        let path: Arc<Path> = Arc::from(path);
        let writer = Writer::start(connection, Arc::clone(&path)).map_err(|e| failed(e.to_string()))?;
        Ok(Self { path, writer, reader: Arc::new(Mutex::new(reader)) })
    }

    /// The database's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` in a transaction and answers once it is on disk. If `work` fails, nothing of it is kept;
    /// whatever else is committed with it isn't touched.
    pub async fn write<T, F>(&self, work: F) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer.write(work).await
    }

    /// Runs `work` on a read-only connection, off the async threads.
    pub async fn read<T, F>(&self, work: F) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.read_blocking(work))
            .await
            .map_err(|_| DatabaseError::Closed { path: self.path.to_path_buf() })?
    }

    /// As [`Database::read`], of a few rows: on the calling thread where no other read is under way, because waking
    /// another thread costs more than they do.
    pub async fn read_little<T, F>(&self, work: F) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        if let Ok(reader) = self.reader.try_lock() {
            return work(&reader).map_err(|error| DatabaseError::statement(&self.path, &error));
        }
        self.read(work).await
    }

    /// As [`Database::read`], on the calling thread.
    pub fn read_blocking<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, DatabaseError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        work(&reader).map_err(|error| DatabaseError::statement(&self.path, &error))
    }
}

/// Makes the database at `path`, or brings it to the newest of `migrations`, and closes it before it answers.
pub fn make(path: &Path, migrations: &[Migration]) -> Result<(), DatabaseError> {
    let failed = |reason: String| DatabaseError::Open { path: path.to_owned(), reason };
    let mut connection = Connection::open(path).map_err(|e| failed(e.to_string()))?;
    restrict(path).map_err(|e| failed(e.to_string()))?;
    prepare(&connection).map_err(|e| failed(e.to_string()))?;
    migrate(&mut connection, path, migrations)
}

/// SQLite's own integrity check of the file at `path`; an empty list is a sound database.
pub fn check(path: &Path) -> Result<Vec<String>, DatabaseError> {
    let failed = |e: rusqlite::Error| DatabaseError::Open { path: path.to_owned(), reason: e.to_string() };
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    let mut statement = connection.prepare("PRAGMA integrity_check").map_err(failed)?;
    let lines = statement
        .query_map([], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(failed)?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // After a burst the log is cut back to this many bytes.
    connection.pragma_update(None, "journal_size_limit", 4 * 1024 * 1024)?;
    // KiB of page cache a connection, negative by SQLite's convention: a dozen connections stay small.
    connection.pragma_update(None, "cache_size", -400)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[Migration]) -> Result<(), DatabaseError> {
    let statement = |error: rusqlite::Error| DatabaseError::statement(path, &error);
    let found: usize = connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        .map(|version| usize::try_from(version).unwrap_or(usize::MAX))
        .map_err(statement)?;
    if found > migrations.len() {
        return Err(DatabaseError::Newer { path: path.to_owned(), found, known: migrations.len() });
    }
    for (index, sql) in migrations.iter().enumerate().skip(found) {
        let transaction = connection.transaction().map_err(statement)?;
        transaction.execute_batch(sql).map_err(statement)?;
        transaction
            .pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX))
            .map_err(statement)?;
        transaction.commit().map_err(statement)?;
    }
    Ok(())
}

/// Only the owner may read it: messages, device keys and certificates lie in these files.
fn restrict(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}
