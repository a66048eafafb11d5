//! Loading one file: Snowpipe's semantics. By path once, the file as a whole (`ON_ERROR = SKIP_FILE`),
//! one row a message.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;

use super::Warehouse;
use super::applied::{generation, has_table};
use super::schema::{MESSAGE_TABLES, table_of};
use crate::database::DatabaseError;
use crate::ingestion::notices::BlobCreated;
use crate::ingestion::topology::PipeTopology;
use crate::station::text::printable;
use crate::station::{Message, MessageKind};

/// Longest line of a file that is read, bytes: IoT Hub's 256 KB body as base64, and room for its envelope.
const MAX_LINE: u64 = 1024 * 1024;

/// State of a file, in the words of Snowflake's copy history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadStatus {
    /// Noticed, waiting.
    Pending,
    /// Loaded.
    Loaded,
    /// Failed: nothing of it was stored.
    Failed,
}

impl LoadStatus {
    /// The word in the copy history.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Loaded => "Loaded",
            Self::Failed => "Load failed",
        }
    }
}

/// A file that waits to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its entry in the copy history.
    pub id: i64,
    /// Its name in the pipe's container.
    pub file: String,
}

/// What came of a load.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileLoad {
    /// Rows parsed.
    pub rows_parsed: u64,
    /// Rows stored.
    pub rows_loaded: u64,
    /// Rows left out because their message was there already.
    pub duplicates: u64,
    /// Rows stored whose body is no message of the current schema.
    pub invalid: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Identities of the messages stored.
    pub stored: Vec<String>,
    /// The error that failed the file: text, line and column, from 1.
    pub error: Option<(String, u64, Option<u64>)>,
    /// The first row whose body is no message, and why.
    pub first_invalid: Option<(u64, String)>,
}

impl Warehouse {
    /// Notes a noticed file as pending. `false` where its path is in the copy history already: a path is
    /// loaded once, whatever its content.
    pub async fn receive(&self, pipe: PipeTopology, event: BlobCreated, at: Timestamp) -> Result<bool, DatabaseError> {
        self.database
            .write(move |transaction| {
                let inserted = transaction.execute(
                    "INSERT INTO copy_history(container, file, generation, pipe, table_name, status, created_at,
                     received_at, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
                    params![
                        pipe.container,
                        event.name,
                        generation(transaction, &pipe.container)?,
                        pipe.name,
                        pipe.table,
                        LoadStatus::Pending.word(),
                        event.created_at.to_string(),
                        at.to_string(),
                        i64::try_from(event.bytes).unwrap_or(i64::MAX)
                    ],
                )?;
                Ok(inserted == 1)
            })
            .await
    }

    /// The pending files of a container, oldest first.
    pub async fn pending(&self, container: &str) -> Result<Vec<NewFile>, DatabaseError> {
        let container = container.to_owned();
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, file FROM copy_history WHERE status = 'Pending' AND container = ?1 ORDER BY id",
                )?;
                let rows =
                    statement.query_map([container], |row| Ok(NewFile { id: row.get(0)?, file: row.get(1)? }))?;
                rows.collect()
            })
            .await
    }

    /// Whether a path is in the copy history of a container's pipe.
    pub async fn knows(&self, container: &str, file: String) -> Result<bool, DatabaseError> {
        let container = container.to_owned();
        self.database
            .read(move |connection| {
                let generation = generation(connection, &container)?;
                connection
                    .prepare_cached(
                        "SELECT 1 FROM copy_history WHERE container = ?1 AND file = ?2 AND generation = ?3",
                    )?
                    .exists(params![container, file, generation])
            })
            .await
    }

    /// Loads `file` from `path` in one transaction: all its rows, or none and the reason. `None` where the pipe's table
    /// doesn't exist: the file stays pending.
    pub async fn load(
        &self,
        pipe: PipeTopology,
        file: NewFile,
        path: PathBuf,
        at: Timestamp,
    ) -> Result<Option<FileLoad>, DatabaseError> {
        self.database
            .write(move |transaction| {
                let Some(table) = table_of(&pipe.container) else { return Ok(None) };
                if !has_table(transaction, &pipe)? {
                    return Ok(None);
                }
                transaction.execute_batch("SAVEPOINT file")?;
                let mut load = FileLoad::default();
                if let Err(failure) = read_file(transaction, table, &file, &path, at, &mut load) {
                    // The database's own failure undoes the whole write, and is what has to be told.
                    let (text, line, column) = failure?;
                    transaction.execute_batch("ROLLBACK TO file")?;
                    load = FileLoad {
                        rows_parsed: load.rows_parsed,
                        bytes: load.bytes,
                        error: Some((text, line, column)),
                        ..FileLoad::default()
                    };
                }
                transaction.execute_batch("RELEASE file")?;
                record(transaction, &pipe, &file, &load, at)?;
                Ok(Some(load))
            })
            .await
    }

    /// Whether the table of `pipe` exists.
    pub async fn has_table(&self, pipe: PipeTopology) -> Result<bool, DatabaseError> {
        self.database.read(move |connection| has_table(connection, &pipe)).await
    }

    /// Pauses or resumes the pipe of a container.
    pub async fn set_paused(&self, container: &str, paused: bool) -> Result<(), DatabaseError> {
        let container = container.to_owned();
        self.database
            .write(move |transaction| {
                transaction
                    .execute(
                        "INSERT INTO pipe_paused VALUES (?1, ?2) ON CONFLICT(container) DO UPDATE SET paused = ?2",
                        params![container, paused],
                    )
                    .map(|_| ())
            })
            .await
    }

    /// Whether the pipe of a container is paused.
    pub async fn is_paused(&self, container: &str) -> Result<bool, DatabaseError> {
        let container = container.to_owned();
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT paused FROM pipe_paused WHERE container = ?1")?
                    .query_row([container], |row| row.get(0))
                    .optional()
                    .map(|paused| paused.unwrap_or(false))
            })
            .await
    }

    /// Deletes rows measured before `before` from every message table; answers how many.
    pub async fn forget_before(&self, before: Timestamp) -> Result<u64, DatabaseError> {
        self.database
            .write(move |transaction| {
                let mut deleted = 0;
                for (_, table) in MESSAGE_TABLES {
                    let sql = format!("DELETE FROM {table} WHERE measured_at_ms < ?1");
                    deleted += transaction.execute(&sql, [before.as_millisecond()])? as u64;
                }
                let before = [before.as_millisecond()];
                transaction.execute("DELETE FROM NOWCAST_VERIFICATION WHERE issued_at_ms < ?1", before)?;
                transaction.execute("DELETE FROM verification_due WHERE issued_at_ms < ?1", before)?;
                Ok(deleted)
            })
            .await
    }
}

/// A file's own fault (text, line, column), or the database's.
type FileFault = rusqlite::Result<(String, u64, Option<u64>)>;

/// Reads the file at `path` as its pipe does, loading nothing; answers its lines, or what is wrong with which.
pub fn validate(path: &std::path::Path) -> Result<u64, (String, u64)> {
    let unreadable = |error: std::io::Error, line: u64| (format!("can't be read: {error}"), line);
    let mut reader = BufReader::with_capacity(64 * 1024, std::fs::File::open(path).map_err(|e| unreadable(e, 0))?);
    let (mut lines, mut line) = (0, Vec::new());
    for number in 1.. {
        line.clear();
        let taken = std::io::Read::take(&mut reader, MAX_LINE + 1).read_until(b'\n', &mut line);
        let taken = taken.map_err(|e| unreadable(e, number))? as u64;
        if taken == 0 {
            break;
        }
        if taken > MAX_LINE {
            return Err((format!("the line is longer than {MAX_LINE} bytes"), number));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        Row::parse(line.trim_ascii()).map_err(|(reason, _)| (reason, number))?;
        lines += 1;
    }
    Ok(lines)
}

fn read_file(
    transaction: &Transaction<'_>,
    table: &str,
    file: &NewFile,
    path: &std::path::Path,
    at: Timestamp,
    load: &mut FileLoad,
) -> Result<(), FileFault> {
    let unreadable = |error: std::io::Error, line: u64| Ok((format!("can't be read: {error}"), line, None));
    let metadata = std::fs::metadata(path).map_err(|e| unreadable(e, 0))?;
    if metadata.is_dir() {
        return Err(Ok(("is a folder, not a file".to_owned(), 0, None)));
    }
    let mut reader = BufReader::with_capacity(64 * 1024, std::fs::File::open(path).map_err(|e| unreadable(e, 0))?);
    let insert = format!(
        "INSERT INTO {table}(variant, file_name, file_row_number, start_scan_time, device_id, message_id, measured_at_ms, invalid)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(device_id, message_id) DO NOTHING"
    );
    let mut insert = transaction.prepare_cached(&insert).map_err(Err)?;
    let mut due = transaction
        .prepare_cached("INSERT INTO verification_due VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")
        .map_err(Err)?;
    let (started, mut line) = (at.to_string(), Vec::new());
    for number in 1.. {
        line.clear();
        let taken = std::io::Read::take(&mut reader, MAX_LINE + 1).read_until(b'\n', &mut line);
        let taken = taken.map_err(|e| unreadable(e, number))? as u64;
        if taken == 0 {
            break;
        }
        load.bytes += taken;
        if taken > MAX_LINE {
            return Err(Ok((format!("the line is longer than {MAX_LINE} bytes"), number, None)));
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let row = Row::parse(text).map_err(|(reason, column)| Ok((reason, number, column)))?;
        load.rows_parsed += 1;
        let inserted = insert
            .execute(params![
                row.variant,
                file.file,
                i64::try_from(number).unwrap_or(i64::MAX),
                started,
                row.device_id,
                row.message_id,
                row.measured_at_ms,
                row.invalid
            ])
            .map_err(Err)?;
        if inserted == 0 {
            load.duplicates += 1;
            continue;
        }
        load.rows_loaded += 1;
        if let Some(reason) = row.invalid {
            load.invalid += 1;
            load.first_invalid.get_or_insert((number, reason));
        } else if let (Some(id), Some(at), true) = (&row.message_id, row.measured_at_ms, row.is_prediction) {
            due.execute(params![row.device_id, id, at, at]).map_err(Err)?;
        }
        load.stored.extend(row.message_id);
    }
    Ok(())
}

fn record(
    transaction: &Transaction<'_>,
    pipe: &PipeTopology,
    file: &NewFile,
    load: &FileLoad,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let status = if load.error.is_some() { LoadStatus::Failed } else { LoadStatus::Loaded };
    let (text, line, column) = match &load.error {
        Some((text, line, column)) => (Some(text), Some(*line), *column),
        None => (None, None, None),
    };
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    transaction
        .execute(
            "UPDATE copy_history SET status = ?2, loaded_at = ?3, rows_parsed = ?4, rows_loaded = ?5, duplicates = ?6,
             invalid = ?7, first_error = ?8, first_error_line = ?9, first_error_column = ?10, bytes = max(bytes, ?11),
             pipe = ?12, table_name = ?13 WHERE id = ?1",
            params![
                file.id,
                status.word(),
                at.to_string(),
                number(load.rows_parsed),
                number(load.rows_loaded),
                number(load.duplicates),
                number(load.invalid),
                text,
                line.map(number),
                column.map(number),
                number(load.bytes),
                pipe.name,
                pipe.table
            ],
        )
        .map(|_| ())
}

/// One line of a file, taken apart.
struct Row<'a> {
    variant: &'a str,
    device_id: String,
    message_id: Option<String>,
    measured_at_ms: Option<i64>,
    invalid: Option<String>,
    is_prediction: bool,
}

impl<'a> Row<'a> {
    /// A line has to be a JSON object; errors give the reason and the column, from 1. That its body is a
    /// message isn't asked: VARIANT takes any JSON, and what the body lacks is said in `invalid`.
    fn parse(text: &'a [u8]) -> Result<Self, (String, Option<u64>)> {
        let variant = std::str::from_utf8(text)
            .map_err(|error| ("the line is not UTF-8".to_owned(), Some(error.valid_up_to() as u64 + 1)))?;
        let value: Value = serde_json::from_str(variant).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            (format!("the line is not JSON: {}", printable(reason)), Some(error.column() as u64))
        })?;
        if !value.is_object() {
            return Err(("the line is JSON, but no object".to_owned(), Some(1)));
        }
        let body = value.get("Body");
        let text_at = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        // The hub's word for who sent it counts; the body's is only a claim.
        let device_id =
            text_at("/SystemProperties/connectionDeviceId").or_else(|| text_at("/Body/deviceId")).unwrap_or_default();
        let message_id = text_at("/Body/messageId").or_else(|| text_at("/SystemProperties/messageId"));
        let message = body.map_or_else(
            || Err("the line has no Body".to_owned()),
            |body| Message::from_json(body.to_string().as_bytes()).map_err(|error| error.to_string()),
        );
        let message = message.and_then(|message| {
            if message.device_id() == device_id {
                Ok(message)
            } else {
                Err(format!("deviceId {:?} is not the sender's {device_id:?}", printable(message.device_id())))
            }
        });
        let measured_at = message.as_ref().ok().map(Message::measured_at);
        let is_prediction = matches!(&message, Ok(m) if m.kind() == MessageKind::Prediction);
        Ok(Self {
            variant,
            device_id,
            message_id,
            measured_at_ms: measured_at.map(Timestamp::as_millisecond),
            invalid: message.err(),
            is_prediction,
        })
    }
}
