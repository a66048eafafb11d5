//! The queue itself: statements on messages, state and totals.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Dated, OutboxRow, OutboxStatus};
use crate::station::MessageKind;

/// The counters as the transaction that read them left them.
#[derive(Debug, Clone)]
pub(super) struct Totals {
    pub(super) version: i64,
    pub(super) newest: i64,
    pub(super) given_up: u64,
    rows: u64,
    bytes: u64,
    set_aside: u64,
    held: u64,
    oldest: Option<i64>,
}

impl Totals {
    pub(super) fn status(&self, max_rows: u64) -> OutboxStatus {
        OutboxStatus {
            rows: self.rows,
            bytes: self.bytes,
            max_rows,
            given_up: self.given_up,
            set_aside: self.set_aside,
            held: self.held,
            oldest_measured_at: self.oldest.map(from_nanoseconds),
        }
    }
}

/// Nanoseconds since the epoch, as they are stored: 1677 to 2262, times outside at the nearer end.
pub(super) fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}

pub(super) fn from_nanoseconds(nanoseconds: i64) -> Timestamp {
    // Every i64 of nanoseconds lies within what a timestamp can hold.
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn insert(transaction: &Transaction<'_>, messages: &[Dated]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO message(message_id, kind, measured_at, body, boot, boot_ns, held) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut bytes = 0;
    for Dated { message, stamp } in messages {
        let body = message.to_json();
        bytes += i64::try_from(body.len()).unwrap_or(i64::MAX);
        statement.execute(params![
            message.message_id().as_str(),
            message.kind().name(),
            nanoseconds(message.measured_at()),
            body,
            stamp.map(|stamp| stamp.boot),
            stamp.map(|stamp| stamp.boot_ns),
            stamp.is_some_and(|stamp| stamp.held),
        ])?;
    }
    count(transaction, i64::try_from(messages.len()).unwrap_or(i64::MAX), bytes)
}

/// Adds to the counted messages and bytes; negative when they leave.
pub(super) fn count(transaction: &Transaction<'_>, rows: i64, bytes: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE totals SET version = version + 1, rows = rows + ?1, bytes = bytes + ?2")?
        .execute([rows, bytes])
        .map(|_| ())
}

pub(super) fn put_state(transaction: &Transaction<'_>, state: &[(String, String)]) -> rusqlite::Result<()> {
    for (key, value) in state {
        transaction
            .prepare_cached("INSERT INTO state VALUES (?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value")?
            .execute([key, value])?;
    }
    Ok(())
}

pub(super) fn state(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection.prepare_cached("SELECT value FROM state WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

pub(super) fn find(connection: &Connection, message_id: &str) -> rusqlite::Result<Option<OutboxRow>> {
    connection
        .prepare_cached("SELECT seq, message_id, kind, measured_at, body FROM message WHERE message_id = ?1 LIMIT 1")?
        .query_row([message_id], row)
        .optional()
}

pub(super) fn newest_of(connection: &Connection, kind: MessageKind) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT seq FROM message WHERE kind = ?1 ORDER BY measured_at DESC, seq DESC LIMIT 1")?
        .query_row([kind.name()], |row| row.get(0))
        .optional()
}

pub(super) fn peek(
    connection: &Connection,
    after_seq: i64,
    until_seq: i64,
    limit: usize,
    max_bytes: usize,
) -> rusqlite::Result<Vec<OutboxRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, message_id, kind, measured_at, body FROM message
         WHERE seq > ?1 AND seq <= ?2 AND held = 0 ORDER BY seq LIMIT ?3",
    )?;
    taken(statement.query_map([after_seq, until_seq, i64::try_from(limit).unwrap_or(i64::MAX)], row)?, max_bytes)
}

/// As [`peek`], of what is sent last.
pub(super) fn peek_last(
    connection: &Connection,
    after_seq: i64,
    limit: usize,
    max_bytes: usize,
) -> rusqlite::Result<Vec<OutboxRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, message_id, kind, measured_at, body FROM message
         WHERE seq > ?1 AND held = 2 ORDER BY seq LIMIT ?2",
    )?;
    taken(statement.query_map([after_seq, i64::try_from(limit).unwrap_or(i64::MAX)], row)?, max_bytes)
}

/// Rows up to the one with which their bodies come to `max_bytes`.
fn taken(
    rows: impl Iterator<Item = rusqlite::Result<OutboxRow>>,
    max_bytes: usize,
) -> rusqlite::Result<Vec<OutboxRow>> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let row = row?;
        bytes += row.body.len();
        taken.push(row);
        if bytes >= max_bytes {
            break;
        }
    }
    Ok(taken)
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<OutboxRow> {
    let kind: String = row.get(2)?;
    let kind = MessageKind::from_name(&kind)
        .ok_or_else(|| rusqlite::Error::InvalidColumnType(2, kind, rusqlite::types::Type::Text))?;
    Ok(OutboxRow {
        seq: row.get(0)?,
        message_id: row.get(1)?,
        kind,
        measured_at: from_nanoseconds(row.get(3)?),
        body: row.get(4)?,
    })
}

/// Deletes the messages, run by run of consecutive numbers, and counts what was really there.
pub(super) fn remove(transaction: &Transaction<'_>, mut seqs: Vec<i64>) -> rusqlite::Result<()> {
    seqs.sort_unstable();
    seqs.dedup();
    for run in seqs.chunk_by(|a, b| a + 1 == *b) {
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            let (rows, bytes): (i64, i64) = transaction
                .prepare_cached(
                    "SELECT count(*), coalesce(sum(octet_length(body)), 0) FROM message WHERE seq BETWEEN ?1 AND ?2",
                )?
                .query_row([first, last], |row| Ok((row.get(0)?, row.get(1)?)))?;
            transaction.prepare_cached("DELETE FROM message WHERE seq BETWEEN ?1 AND ?2")?.execute([first, last])?;
            count(transaction, -rows, -bytes)?;
        }
    }
    Ok(())
}

/// The counters, and the oldest measurement by one look into the index for each kind.
pub(super) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    let count = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or(0));
    connection
        .prepare_cached(
            "SELECT version, rows, bytes, given_up, set_aside, held, (SELECT min(m) FROM (
                 SELECT min(measured_at) AS m FROM message WHERE kind = 'WeatherMeasurement'
                 UNION ALL SELECT min(measured_at) FROM message WHERE kind = 'Prediction'
                 UNION ALL SELECT min(measured_at) FROM message WHERE kind = 'DeviceHealth'
                 UNION ALL SELECT min(measured_at) FROM message WHERE kind = 'PictureTaken')),
                 (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'message')
             FROM totals",
        )?
        .query_row([], |row| {
            Ok(Totals {
                version: row.get(0)?,
                rows: count(row, 1)?,
                bytes: count(row, 2)?,
                given_up: count(row, 3)?,
                set_aside: count(row, 4)?,
                held: count(row, 5)?,
                oldest: row.get(6)?,
                newest: row.get(7)?,
            })
        })
}
