//! Our own history of what Snowflake forgets after 14 days: what became of every file, and how often and for how much the
//! warehouse was woken.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{OptionalExtension as _, Row, params};

use super::copies::{Copied, RowFigures};
use super::credits::WarehouseCost;
use crate::database::{Database, DatabaseError, Migration};

const MIGRATIONS: &[Migration] = &[
    "
CREATE TABLE files(
    id INTEGER PRIMARY KEY,
    change INTEGER NOT NULL DEFAULT 0,
    table_name TEXT NOT NULL,
    file TEXT NOT NULL,
    loaded_at_ms INTEGER NOT NULL,
    pipe TEXT NOT NULL,
    received_at_ms INTEGER,
    status TEXT NOT NULL,
    rows_loaded INTEGER NOT NULL,
    rows_parsed INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    bytes_billed INTEGER,
    error TEXT,
    error_line INTEGER,
    error_character INTEGER,
    error_column TEXT,
    seen_at_ms INTEGER NOT NULL,
    UNIQUE(table_name, file, loaded_at_ms)
) STRICT;
CREATE INDEX files_by_time ON files(loaded_at_ms);
CREATE INDEX files_by_pipe ON files(pipe, loaded_at_ms);
CREATE INDEX files_by_name ON files(file);
CREATE INDEX files_not_loaded ON files(loaded_at_ms) WHERE status <> 'Loaded';
CREATE INDEX files_by_change ON files(change);
CREATE TRIGGER file_added AFTER INSERT ON files BEGIN
    UPDATE files SET change = (SELECT MAX(change) + 1 FROM files) WHERE id = NEW.id;
END;
CREATE TRIGGER file_changed AFTER UPDATE OF status, loaded_at_ms, rows_loaded ON files BEGIN
    UPDATE files SET change = (SELECT MAX(change) + 1 FROM files) WHERE id = NEW.id;
END;
CREATE TABLE asked(table_name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
CREATE TABLE wakes(at_ms INTEGER PRIMARY KEY, busy_s REAL NOT NULL, credits REAL) STRICT;
CREATE TABLE pipes(pipe TEXT PRIMARY KEY, created_at_ms INTEGER NOT NULL, remade INTEGER NOT NULL) STRICT;
",
    "
CREATE TABLE figures(
    table_name TEXT PRIMARY KEY, loaded INTEGER NOT NULL, duplicates INTEGER NOT NULL, last_hour INTEGER NOT NULL,
    newest_at_ms INTEGER
) STRICT;
",
];

/// The history; clones share it.
#[derive(Debug, Clone)]
pub struct History {
    database: Database,
}

/// A file of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFile {
    /// Its entry in the history.
    pub id: u64,
    /// The pipe, without database and schema.
    pub pipe: String,
    /// The table, with database and schema, each in quotes.
    pub table: String,
    /// What became of it.
    pub copied: Copied,
}

impl KnownFile {
    /// The table, without database and schema.
    #[must_use]
    pub fn table_name(&self) -> &str {
        self.table.rsplit('.').next().unwrap_or_default().trim_matches('"')
    }
}

/// What a pipe has done, as far as the history goes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PipeFiles {
    /// Files loaded, whole or in part.
    pub loaded: u64,
    /// Files that failed or were skipped.
    pub failed: u64,
    /// Of those, seen for the first time since the time that was asked about, and not more than three hours older: a first look
    /// sees two weeks of them.
    pub newly_failed: u64,
    /// The last load.
    pub last_loaded_at: Option<Timestamp>,
    /// The last failure: file and first error.
    pub last_failure: Option<(String, Option<String>)>,
    /// Bytes billed on the day that was asked about.
    pub bytes_of_day: u64,
}

/// Some files of the history, and how far it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilePage {
    /// Files.
    pub files: Vec<KnownFile>,
    /// The last change in it; none there: the one that was asked about.
    pub upto: u64,
    /// Files there are.
    pub total: u64,
}

/// A pipe that was made anew, and so has forgotten what the one before loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remade {
    /// When.
    pub at: Timestamp,
    /// Files that a refresh would load again: loaded before, within what it looks at, and not since.
    pub repeats: u64,
}

/// Wakes of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Wakes {
    /// How many.
    pub count: u32,
    /// What they cost; absent where that couldn't be told of one.
    pub credits: Option<f64>,
    /// The last of any day.
    pub last: Option<Timestamp>,
}

fn time(ms: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// A count as SQLite has it.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(index).map(|count| u64::try_from(count).unwrap_or(0))
}

fn optional_count(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<u64>> {
    row.get::<_, Option<i64>>(index).map(|count| count.and_then(|count| u64::try_from(count).ok()))
}

fn file(row: &Row<'_>) -> rusqlite::Result<KnownFile> {
    Ok(KnownFile {
        id: count(row, 14)?,
        table: row.get(0)?,
        pipe: row.get(3)?,
        copied: Copied {
            file: row.get(1)?,
            loaded_at: time(row.get(2)?)?,
            received_at: row.get::<_, Option<i64>>(4)?.map(time).transpose()?,
            status: row.get(5)?,
            rows_loaded: count(row, 6)?,
            rows_parsed: count(row, 7)?,
            bytes: count(row, 8)?,
            bytes_billed: optional_count(row, 9)?,
            error: row.get(10)?,
            error_line: optional_count(row, 11)?,
            error_character: optional_count(row, 12)?,
            error_column: row.get(13)?,
            pipe: None,
        },
    })
}

const COLUMNS: &str = "table_name, file, loaded_at_ms, pipe, received_at_ms, status, rows_loaded, rows_parsed, bytes, \
                       bytes_billed, error, error_line, error_character, error_column";
/// Behind [`COLUMNS`] where files are read.
const NUMBERS: &str = "id, change";
/// Files of which something was loaded.
const LOADED: &str = "status IN ('Loaded', 'Partially loaded')";

/// First and one-past-last millisecond of a day (UTC).
fn bounds(day: Date) -> (i64, i64) {
    let start = day.to_zoned(TimeZone::UTC).map_or(0, |zoned| zoned.timestamp().as_millisecond());
    (start, start + 86_400_000)
}

impl History {
    /// Opens or makes the history at `path`.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        Ok(Self { database: Database::open(path, MIGRATIONS)? })
    }

    /// Notes what became of files of a table, those of no named pipe as `pipe`'s. What is known already is brought up to date, and
    /// stays seen when it was.
    pub async fn note(
        &self,
        (pipe, table): (String, String),
        files: Vec<Copied>,
        seen_at: Timestamp,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |tx| {
                // A file that was being loaded has its end's time now: the entry stays the same.
                let mut done = tx.prepare_cached(
                    "UPDATE OR IGNORE files SET loaded_at_ms = ?3, seen_at_ms = ?4
                     WHERE table_name = ?1 AND file = ?2 AND status = 'Load in progress'",
                )?;
                let mut add = tx.prepare_cached(&format!(
                    "INSERT INTO files({COLUMNS}, seen_at_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
                     ON CONFLICT DO UPDATE SET status = excluded.status, rows_loaded = excluded.rows_loaded,
                     rows_parsed = excluded.rows_parsed, bytes_billed = excluded.bytes_billed, error = excluded.error,
                     error_line = excluded.error_line, error_character = excluded.error_character
                     WHERE status <> excluded.status OR rows_loaded <> excluded.rows_loaded
                     OR bytes_billed IS NOT excluded.bytes_billed OR error IS NOT excluded.error"
                ))?;
                for copied in files {
                    done.execute(params![
                        table,
                        copied.file,
                        copied.loaded_at.as_millisecond(),
                        seen_at.as_millisecond()
                    ])?;
                    add.execute(params![
                        table,
                        copied.file,
                        copied.loaded_at.as_millisecond(),
                        copied.pipe.as_ref().unwrap_or(&pipe),
                        copied.received_at.map(Timestamp::as_millisecond),
                        copied.status,
                        signed(copied.rows_loaded),
                        signed(copied.rows_parsed),
                        signed(copied.bytes),
                        copied.bytes_billed.map(signed),
                        copied.error,
                        copied.error_line.map(signed),
                        copied.error_character.map(signed),
                        copied.error_column,
                        seen_at.as_millisecond(),
                    ])?;
                }
                tx.execute(
                    "INSERT INTO asked VALUES (?1, ?2) ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms",
                    params![table, seen_at.as_millisecond()],
                )?;
                Ok(())
            })
            .await
    }

    /// When a table's copy history was last asked for.
    pub async fn asked_at(&self, table: String) -> Result<Option<Timestamp>, DatabaseError> {
        self.database
            .read(move |connection| {
                let ms: Option<i64> = connection
                    .query_row("SELECT at_ms FROM asked WHERE table_name = ?1", [table], |row| row.get(0))
                    .optional()?;
                ms.map(time).transpose()
            })
            .await
    }

    /// Keeps what a table's rows were when the warehouse was last awake: a new start needn't wake it to show that.
    pub async fn keep_figures(&self, table: String, figures: RowFigures) -> Result<(), DatabaseError> {
        self.database
            .write(move |tx| {
                let newest = figures.newest_at.map(Timestamp::as_millisecond);
                let (loaded, duplicates, last_hour) =
                    (signed(figures.loaded), signed(figures.duplicates), signed(figures.last_hour));
                let sql = "INSERT OR REPLACE INTO figures VALUES (?1, ?2, ?3, ?4, ?5)";
                tx.execute(sql, params![table, loaded, duplicates, last_hour, newest]).map(drop)
            })
            .await
    }

    /// What a table's rows were when they were last asked for.
    pub async fn figures(&self, table: String) -> Result<Option<RowFigures>, DatabaseError> {
        self.database
            .read(move |connection| {
                let sql = "SELECT loaded, duplicates, last_hour, newest_at_ms FROM figures WHERE table_name = ?1";
                let figures = |row: &Row<'_>| {
                    Ok(RowFigures {
                        loaded: count(row, 0)?,
                        duplicates: count(row, 1)?,
                        last_hour: count(row, 2)?,
                        newest_at: row.get::<_, Option<i64>>(3)?.map(time).transpose()?,
                    })
                };
                connection.query_row(sql, [table], figures).optional()
            })
            .await
    }

    /// Files, the newest first: all, or those that weren't loaded whole.
    pub async fn files(&self, failed_only: bool, limit: usize) -> Result<FilePage, DatabaseError> {
        let which = if failed_only { "?1 = 0 AND status <> 'Loaded'" } else { "?1 = 0" };
        self.page(format!("{which} ORDER BY loaded_at_ms DESC"), 0, limit).await
    }

    /// Files that came or changed after the change `after`, in the order of their changes.
    pub async fn changed(&self, after: u64, limit: usize) -> Result<FilePage, DatabaseError> {
        self.page("change > ?1 ORDER BY change".to_owned(), after, limit).await
    }

    async fn page(&self, which: String, after: u64, limit: usize) -> Result<FilePage, DatabaseError> {
        let sql = format!("SELECT {COLUMNS}, {NUMBERS} FROM files WHERE {which} LIMIT ?2");
        self.database
            .read(move |connection| {
                let mut page = FilePage { upto: after, ..FilePage::default() };
                let mut statement = connection.prepare_cached(&sql)?;
                let mut rows = statement.query(params![signed(after), i64::try_from(limit).unwrap_or(i64::MAX)])?;
                while let Some(row) = rows.next()? {
                    page.files.push(file(row)?);
                    page.upto = page.upto.max(count(row, 15)?);
                }
                // Behind the files, so that one that comes meanwhile isn't missing among them.
                page.total = connection.query_row("SELECT COUNT(*) FROM files", [], |row| count(row, 0))?;
                Ok(page)
            })
            .await
    }

    /// The newest entry of a file.
    pub async fn find(&self, name: String) -> Result<Option<KnownFile>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS}, {NUMBERS} FROM files WHERE file = ?1 ORDER BY loaded_at_ms DESC LIMIT 1");
        self.database.read(move |connection| connection.query_row(&sql, [name], file).optional()).await
    }

    /// Notes when a pipe was made. One that was another time before was made anew: answers with that, and what a refresh of
    /// the files since `reach` would load again.
    pub async fn saw_pipe(
        &self,
        pipe: String,
        created_at: Timestamp,
        reach: Timestamp,
    ) -> Result<Option<Remade>, DatabaseError> {
        self.database
            .write(move |tx| {
                let made = created_at.as_millisecond();
                tx.execute(
                    "INSERT INTO pipes VALUES (?1, ?2, 0) ON CONFLICT DO UPDATE
                     SET remade = 1, created_at_ms = excluded.created_at_ms WHERE created_at_ms <> excluded.created_at_ms",
                    params![pipe, made],
                )?;
                let remade: bool =
                    tx.query_row("SELECT remade FROM pipes WHERE pipe = ?1", [&pipe], |row| row.get(0))?;
                if !remade {
                    return Ok(None);
                }
                let sql = format!(
                    "SELECT COUNT(DISTINCT file) FROM files AS old WHERE pipe = ?1 AND {LOADED}
                     AND loaded_at_ms >= ?2 AND loaded_at_ms < ?3 AND NOT EXISTS (SELECT 1 FROM files AS new
                     WHERE new.file = old.file AND new.table_name = old.table_name AND new.loaded_at_ms >= ?3)"
                );
                let repeats =
                    tx.query_row(&sql, params![pipe, reach.as_millisecond(), made], |row| count(row, 0))?;
                Ok(Some(Remade { at: created_at, repeats }))
            })
            .await
    }

    /// What a pipe has done, and that of it since `since` and on `day`.
    pub async fn of_pipe(&self, pipe: String, since: Timestamp, day: Date) -> Result<PipeFiles, DatabaseError> {
        let (from, to) = bounds(day);
        self.database
            .read(move |connection| {
                let mut files = connection.query_row(
                    "SELECT COUNT(*) FILTER (WHERE status IN ('Loaded', 'Partially loaded')),
                        COUNT(*) FILTER (WHERE status IN ('Load failed', 'Load skipped', 'Partially loaded')),
                        COUNT(*) FILTER (WHERE status IN ('Load failed', 'Load skipped', 'Partially loaded') AND seen_at_ms >= ?2
                            AND loaded_at_ms >= ?2 - 10800000),
                        MAX(loaded_at_ms) FILTER (WHERE status IN ('Loaded', 'Partially loaded')),
                        COALESCE(SUM(COALESCE(bytes_billed, bytes)) FILTER (WHERE loaded_at_ms >= ?3 AND loaded_at_ms < ?4), 0)
                     FROM files WHERE pipe = ?1",
                    params![pipe, since.as_millisecond(), from, to],
                    |row| {
                        Ok(PipeFiles {
                            loaded: count(row, 0)?,
                            failed: count(row, 1)?,
                            newly_failed: count(row, 2)?,
                            last_loaded_at: row.get::<_, Option<i64>>(3)?.map(time).transpose()?,
                            last_failure: None,
                            bytes_of_day: count(row, 4)?,
                        })
                    },
                )?;
                files.last_failure = connection
                    .query_row(
                        "SELECT file, error FROM files WHERE pipe = ?1 AND status IN ('Load failed', 'Partially loaded')
                         ORDER BY loaded_at_ms DESC LIMIT 1",
                        [pipe],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )
                    .optional()?;
                Ok(files)
            })
            .await
    }

    /// Notes that the warehouse worked for `busy_s` seconds from `at` on. Where it was awake still from the last time,
    /// that wake has gone on; otherwise this is another one.
    pub async fn worked(&self, at: Timestamp, busy_s: f64, cost: Option<WarehouseCost>) -> Result<(), DatabaseError> {
        self.database
            .write(move |tx| {
                let last = tx
                    .query_row("SELECT at_ms, busy_s FROM wakes ORDER BY at_ms DESC LIMIT 1", [], |row| {
                        Ok((time(row.get(0)?)?, row.get::<_, f64>(1)?))
                    })
                    .optional()?;
                let since = last.map(|(last, busy)| (last, busy, at.duration_since(last).as_secs_f64()));
                let awake_s = WarehouseCost::awake_behind_s(cost);
                let (at, busy_s) = match since {
                    Some((last, busy, since)) if (0.0..busy + awake_s).contains(&since) => (last, since + busy_s),
                    _ => (at, busy_s),
                };
                let credits = cost.map(|cost| cost.of_a_wake(busy_s));
                let sql = "INSERT OR REPLACE INTO wakes VALUES (?1, ?2, ?3)";
                tx.execute(sql, params![at.as_millisecond(), busy_s, credits]).map(drop)
            })
            .await
    }

    /// Wakes of a day.
    pub async fn wakes(&self, day: Date) -> Result<Wakes, DatabaseError> {
        let (from, to) = bounds(day);
        self.database
            .read(move |connection| {
                let last: Option<i64> = connection.query_row("SELECT MAX(at_ms) FROM wakes", [], |row| row.get(0))?;
                connection.query_row(
                    "SELECT COUNT(*), COUNT(*) FILTER (WHERE credits IS NULL), COALESCE(SUM(credits), 0)
                     FROM wakes WHERE at_ms >= ?1 AND at_ms < ?2",
                    [from, to],
                    |row| {
                        let untold: u32 = row.get(1)?;
                        let credits = if untold == 0 { Some(row.get(2)?) } else { None };
                        Ok(Wakes { count: row.get(0)?, credits, last: last.map(time).transpose()? })
                    },
                )
            })
            .await
    }
}

#[cfg(test)]
mod tests;
