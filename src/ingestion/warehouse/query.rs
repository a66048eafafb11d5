//! What screens and the command line ask of the warehouse.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::Warehouse;
use super::applied::{generation, table_name};
use super::schema::{MESSAGE_TABLES, table_of};
use crate::database::DatabaseError;
use crate::ingestion::bins::{Bin, Measured};
use crate::station::{Message, PictureTaken, Prediction, QcFlag, Variable, WeatherMeasurement};

/// A message's row.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    /// The container it was loaded from.
    pub container: &'static str,
    /// The pipe that loaded it; absent where the copy history doesn't know it any more.
    pub pipe: Option<String>,
    /// The table, by the name it goes by.
    pub table: String,
    /// The line as it was loaded: IoT Hub's JSON object.
    pub variant: String,
    /// The device.
    pub device_id: String,
    /// The message's identity.
    pub message_id: Option<String>,
    /// File it was loaded from.
    pub file: String,
    /// Line in that file, from 1.
    pub line: u64,
    /// When its load began.
    pub loaded_at: Option<Timestamp>,
    /// When the file was created, pipeline time.
    pub created_at: Option<Timestamp>,
    /// When its notice was received, pipeline time.
    pub received_at: Option<Timestamp>,
}

/// A measurement as charts need it.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasurementRow {
    /// The device.
    pub device_id: String,
    /// When it was made, Unix ms.
    pub at_ms: i64,
    /// Its values in the order of [`Variable::ALL`], each in its unit.
    pub values: [Option<f64>; 8],
    /// What quality control said of them.
    pub qc: BTreeMap<Variable, QcFlag>,
}

impl MeasurementRow {
    /// Of a measurement as it came.
    #[must_use]
    pub fn of(measurement: &WeatherMeasurement) -> Self {
        Self {
            device_id: measurement.device_id.clone(),
            at_ms: measurement.measured_at.as_millisecond(),
            values: Variable::ALL.map(|variable| measurement.get(variable)),
            qc: measurement.qc.clone(),
        }
    }
}

#[cfg(feature = "local")]
impl Measured for MeasurementRow {
    const STEP: SignedDuration = SignedDuration::ZERO;

    fn at_ms(&self) -> i64 {
        self.at_ms
    }

    fn is_of(&self, device: Option<&str>) -> bool {
        device.is_none_or(|device| device == self.device_id)
    }

    fn bin(&self, variable: Variable) -> Option<Bin> {
        self.values[variable.index()].map(|value| Bin::of(self.at_ms, value))
    }

    fn qc(&self) -> &BTreeMap<Variable, QcFlag> {
        &self.qc
    }
}

/// Counts of one pipe and its table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipeCounts {
    /// Rows in the table.
    pub rows: u64,
    /// `measuredAt` of the newest row.
    pub newest_row_at: Option<Timestamp>,
    /// Files pending.
    pub pending: u64,
    /// When the oldest of them was received.
    pub oldest_pending_at: Option<Timestamp>,
    /// Files loaded.
    pub loaded: u64,
    /// Files failed.
    pub failed: u64,
    /// Messages that came again.
    pub duplicates: u64,
    /// Rows whose body is no message of the current schema.
    pub invalid: u64,
    /// When the last notice was received.
    pub last_received_at: Option<Timestamp>,
    /// When the last file was loaded.
    pub last_loaded_at: Option<Timestamp>,
    /// When the newest failed files failed, newest first, at most 100.
    pub failed_at: Vec<Timestamp>,
    /// Whether the last file failed.
    pub is_failing: bool,
    /// The newest failed file's error.
    pub last_error: Option<String>,
}

impl Warehouse {
    /// Counts of a container's pipe, since it was made, and of its table; of one that no pipe can load from, none.
    pub async fn counts(&self, container: &str) -> Result<PipeCounts, DatabaseError> {
        let Some(table) = table_of(container) else { return Ok(PipeCounts::default()) };
        let container = container.to_owned();
        self.database
            .read(move |connection| {
                let of_pipe = params![container, generation(connection, &container)?];
                let mut counts = connection
                    .prepare_cached(
                        "SELECT sum(status = 'Pending'), sum(status = 'Loaded'), sum(status = 'Load failed'),
                         sum(duplicates), sum(invalid), max(received_at),
                         min(CASE WHEN status = 'Pending' THEN received_at END),
                         max(CASE WHEN status = 'Loaded' THEN loaded_at END), sum(rows_loaded)
                         FROM copy_history WHERE container = ?1 AND generation = ?2",
                    )?
                    .query_row(of_pipe, |row| {
                        Ok(PipeCounts {
                            pending: count(row, 0)?,
                            loaded: count(row, 1)?,
                            failed: count(row, 2)?,
                            duplicates: count(row, 3)?,
                            invalid: count(row, 4)?,
                            last_received_at: time(row, 5)?,
                            oldest_pending_at: time(row, 6)?,
                            last_loaded_at: time(row, 7)?,
                            ..PipeCounts::default()
                        })
                    })?;
                // The newest row and the count by index; counting is a scan of the smallest index.
                let sql = format!("SELECT count(*), max(measured_at_ms) FROM {table}");
                let (rows, newest): (i64, Option<i64>) =
                    connection.prepare_cached(&sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                counts.rows = rows.unsigned_abs();
                counts.newest_row_at = newest.and_then(|ms| Timestamp::from_millisecond(ms).ok());
                counts.last_error = connection
                    .prepare_cached(
                        "SELECT file, first_error, first_error_line FROM copy_history
                         WHERE container = ?1 AND generation = ?2 AND status = 'Load failed' ORDER BY id DESC LIMIT 1",
                    )?
                    .query_row(of_pipe, last_error)
                    .optional()?
                    .flatten();
                counts.is_failing = connection
                    .prepare_cached(
                        "SELECT status = 'Load failed' FROM copy_history
                         WHERE container = ?1 AND generation = ?2 AND status <> 'Pending' ORDER BY id DESC LIMIT 1",
                    )?
                    .query_row(of_pipe, |row| row.get(0))
                    .optional()?
                    .unwrap_or(false);
                let mut failures = connection.prepare_cached(
                    "SELECT loaded_at FROM copy_history
                     WHERE container = ?1 AND generation = ?2 AND status = 'Load failed' ORDER BY id DESC LIMIT 100",
                )?;
                let times = failures.query_map(of_pipe, |row| time(row, 0))?;
                counts.failed_at = times.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?;
                Ok(counts)
            })
            .await
    }

    /// The row of a message; without an identity, the newest measurement's.
    pub async fn find(&self, message_id: Option<String>) -> Result<Option<TableRow>, DatabaseError> {
        self.database
            .read(move |connection| {
                for (container, table) in MESSAGE_TABLES {
                    let clause = match &message_id {
                        Some(_) => "t.message_id = ?1",
                        None => "?1 IS NULL AND t.measured_at_ms = (SELECT max(measured_at_ms) FROM WEATHER_JSON)",
                    };
                    let sql = row_sql(table, clause);
                    let name = table_name(connection, container)?;
                    let found = connection
                        .prepare_cached(&sql)?
                        .query_row(params![message_id, container], |row| table_row(row, container, name))
                        .optional()?;
                    if found.is_some() || message_id.is_none() {
                        return Ok(found);
                    }
                }
                Ok(None)
            })
            .await
    }

    /// The newest pipeline time in the copy history.
    pub async fn newest_time(&self) -> Result<Option<Timestamp>, DatabaseError> {
        self.database
            .read(|connection| {
                connection
                    .query_row("SELECT max(coalesce(loaded_at, received_at)) FROM copy_history", [], |row| time(row, 0))
            })
            .await
    }

    /// The newest prediction issued at or before `at`, or the newest of all.
    pub async fn prediction(&self, at: Option<Timestamp>) -> Result<Option<Prediction>, DatabaseError> {
        let at = at.map_or(i64::MAX, Timestamp::as_millisecond);
        let body: Option<String> = self
            .database
            .read(move |connection| {
                connection
                    .prepare_cached(
                        "SELECT json_extract(variant, '$.Body') FROM WEATHER_PREDICTIONS
                         WHERE measured_at_ms <= ?1 AND invalid IS NULL ORDER BY measured_at_ms DESC LIMIT 1",
                    )?
                    .query_row([at], |row| row.get(0))
                    .optional()
            })
            .await?;
        Ok(body.and_then(|body| match Message::from_json(body.as_bytes()) {
            Ok(Message::Prediction(prediction)) => Some(prediction),
            _ => None,
        }))
    }

    /// Measurements between two instants (inclusive), oldest first; at most `limit`, the newest.
    pub async fn measurements(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<MeasurementRow>, DatabaseError> {
        let (from, to) = (from.as_millisecond(), to.as_millisecond());
        self.database
            .read(move |connection| {
                let fields: Vec<_> =
                    Variable::ALL.iter().map(|v| format!("json_extract(variant, '$.Body.{}')", v.field())).collect();
                let sql = format!(
                    "SELECT device_id, measured_at_ms, json_extract(variant, '$.Body.qc'), {} FROM WEATHER_JSON
                     WHERE measured_at_ms BETWEEN ?1 AND ?2 AND invalid IS NULL
                     ORDER BY measured_at_ms DESC LIMIT ?3",
                    fields.join(", ")
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let rows = statement.query_map(params![from, to, limit], |row| {
                    let mut values = [None; 8];
                    for (index, value) in values.iter_mut().enumerate() {
                        *value = row.get(index + 3)?;
                    }
                    let qc: Option<String> = row.get(2)?;
                    // A row that passed the checks has flags that can be read.
                    let qc = qc.and_then(|qc| serde_json::from_str(&qc).ok()).unwrap_or_default();
                    Ok(MeasurementRow { device_id: row.get(0)?, at_ms: row.get(1)?, values, qc })
                })?;
                let mut rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
                rows.reverse();
                Ok(rows)
            })
            .await
    }

    /// Notes of pictures taken between two instants (inclusive), newest first.
    pub async fn pictures(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<PictureTaken>, DatabaseError> {
        let (from, to) = (from.as_millisecond(), to.as_millisecond());
        let bodies: Vec<String> = self
            .database
            .read(move |connection| {
                // The words of the index WEATHER_HEALTH_PICTURES, or it isn't used.
                let mut statement = connection.prepare_cached(
                    "SELECT json_extract(variant, '$.Body') FROM WEATHER_HEALTH
                     WHERE json_extract(variant, '$.Body.type') = 'PictureTaken' AND invalid IS NULL
                     AND measured_at_ms BETWEEN ?1 AND ?2 ORDER BY measured_at_ms DESC LIMIT ?3",
                )?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let rows = statement.query_map(params![from, to, limit], |row| row.get(0))?;
                rows.collect()
            })
            .await?;
        let read = |body: &String| match Message::from_json(body.as_bytes()) {
            Ok(Message::PictureTaken(picture)) => Some(picture),
            _ => None,
        };
        Ok(bodies.iter().filter_map(read).collect())
    }
}

fn row_sql(table: &str, clause: &str) -> String {
    format!(
        "SELECT t.variant, t.device_id, t.message_id, t.file_name, t.file_row_number, h.loaded_at, h.created_at, h.received_at, h.pipe
         FROM {table} t LEFT JOIN copy_history h
         ON h.container = ?2 AND h.file = t.file_name AND h.loaded_at = t.start_scan_time
         WHERE {clause} LIMIT 1"
    )
}

fn table_row(row: &Row<'_>, container: &'static str, table: String) -> rusqlite::Result<TableRow> {
    Ok(TableRow {
        container,
        pipe: row.get(8)?,
        table,
        variant: row.get(0)?,
        device_id: row.get(1)?,
        message_id: row.get(2)?,
        file: row.get(3)?,
        line: count(row, 4)?,
        loaded_at: time(row, 5)?,
        created_at: time(row, 6)?,
        received_at: time(row, 7)?,
    })
}

fn last_error(row: &Row<'_>) -> rusqlite::Result<Option<String>> {
    let (file, error, line): (String, Option<String>, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(error.map(|error| match line {
        Some(line) => format!("{file}, line {line}: {error}"),
        None => format!("{file}: {error}"),
    }))
}

pub(super) fn count(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, Option<i64>>(index)?.unwrap_or(0).unsigned_abs())
}

pub(super) fn optional_count(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(i64::unsigned_abs))
}

pub(super) fn time(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<String>>(index)?.and_then(|text| text.parse().ok()))
}
