//! The copy history: what became of every file.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::Warehouse;
use super::query::{count, optional_count, time};
use crate::database::DatabaseError;

/// A file in the copy history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryFile {
    /// Its entry in the history.
    pub id: u64,
    /// Path in the container.
    pub file: String,
    /// The container.
    pub container: String,
    /// The name of the pipe that took it.
    pub pipe: String,
    /// The name of the table it went into.
    pub table: String,
    /// When its load was done or failed; its notice's time while it is pending.
    pub at: Timestamp,
    /// Status, in Snowflake's words.
    pub status: String,
    /// Rows parsed, stored, left out as known.
    pub rows: (u64, u64, u64),
    /// Size, bytes.
    pub bytes: u64,
    /// First error with line and column.
    pub error: Option<(String, Option<u64>, Option<u64>)>,
}

/// Some files of the history, and how far it goes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryPage {
    /// Files.
    pub files: Vec<HistoryFile>,
    /// The last change in it; none there: the one that was asked about.
    pub upto: u64,
    /// Files there are.
    pub total: u64,
}

impl Warehouse {
    /// The container of a file that the history names.
    pub async fn container_of(&self, file: String) -> Result<Option<String>, DatabaseError> {
        self.database
            .read(move |connection| {
                connection
                    .query_row(
                        "SELECT container FROM copy_history WHERE file = ?1 ORDER BY id DESC LIMIT 1",
                        [file],
                        |row| row.get(0),
                    )
                    .optional()
            })
            .await
    }

    /// The copy history, newest first.
    ///
    /// With `after`, what came or changed after that change, in the order of the changes.
    pub async fn copy_history(
        &self,
        failed_only: bool,
        limit: usize,
        after: Option<u64>,
    ) -> Result<HistoryPage, DatabaseError> {
        self.database
            .read(move |connection| {
                let which = match after {
                    Some(_) => "change > ?1 ORDER BY change",
                    None => "?1 = 0 OR status = 'Load failed' ORDER BY id DESC",
                };
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT file, container, pipe, table_name, coalesce(loaded_at, received_at), status, rows_parsed, rows_loaded, duplicates,
                     bytes, first_error, first_error_line, first_error_column, id, change
                     FROM copy_history WHERE {which} LIMIT ?2"
                ))?;
                let bound = after.map_or(i64::from(failed_only), |after| i64::try_from(after).unwrap_or(i64::MAX));
                let mut rows = statement.query(params![bound, i64::try_from(limit).unwrap_or(i64::MAX)])?;
                let mut page = HistoryPage { upto: after.unwrap_or(0), ..HistoryPage::default() };
                while let Some(row) = rows.next()? {
                    page.files.push(history_file(row)?);
                    page.upto = page.upto.max(count(row, 14)?);
                }
                // Behind the files, so that one that comes meanwhile isn't missing among them.
                page.total = connection.query_row("SELECT COUNT(*) FROM copy_history", [], |row| count(row, 0))?;
                Ok(page)
            })
            .await
    }
}

fn history_file(row: &Row<'_>) -> rusqlite::Result<HistoryFile> {
    let error: Option<String> = row.get(10)?;
    let place = (optional_count(row, 11)?, optional_count(row, 12)?);
    Ok(HistoryFile {
        id: count(row, 13)?,
        file: row.get(0)?,
        container: row.get(1)?,
        pipe: row.get(2)?,
        table: row.get(3)?,
        at: time(row, 4)?.unwrap_or(Timestamp::UNIX_EPOCH),
        status: row.get(5)?,
        rows: (count(row, 6)?, count(row, 7)?, count(row, 8)?),
        bytes: count(row, 9)?,
        error: error.map(|text| (text, place.0, place.1)),
    })
}
