//! An outbox whose file is broken: what can be read of it goes into a new one, the broken one is kept beside it.
//!
//! It is looked for at each start after an end that wasn't in order (SQLite's `quick_check`), and where the file can't be
//! opened at all. A crash on the way is no harm: until the new file is whole, the broken one stays where it is.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};

use super::{ends, schema};
use crate::database::{self, DatabaseError};
use crate::station::text::printable;
use crate::station::{Message, MessageKind};

/// Where the count of salvages and the newest one's words are kept.
pub(super) const COUNT: &str = "outbox.salvages";
pub(super) const NEWEST: &str = "outbox.salvaged";
/// Messages copied in one transaction.
const CHUNK: i64 = 1000;
/// Furthest step over what can't be read; beyond a file that holds as many messages there is nothing.
const MAX_STEP: i64 = 1 << 32;

/// What a salvage did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Saved {
    messages: u64,
    /// Gaps in what could be read; how many messages were in one can't be told.
    gaps: u64,
    /// Rows that could be read and are no messages.
    rubbish: u64,
    has_state: bool,
}

/// Looks whether the outbox at `path` is sound, where that is in doubt, and salvages it if it isn't.
pub(super) fn check(path: &Path) -> Result<(), DatabaseError> {
    let fresh = beside(path, "salvaged");
    if !path.exists() {
        // The new one was whole; the last rename was missing.
        if fresh.exists() {
            rename(&fresh, path)?;
        }
        return Ok(());
    }
    let was_clean = ends::take_clean(path);
    if was_clean {
        return Ok(());
    }
    match trouble(path) {
        None => Ok(()),
        Some(reason) => salvage(path, &fresh, &reason),
    }
}

/// What is wrong with the file, if something is.
fn trouble(path: &Path) -> Option<String> {
    let look = || -> rusqlite::Result<Option<String>> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        let mut statement = connection.prepare("PRAGMA quick_check(5)")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        let lines: Vec<String> = lines.collect::<rusqlite::Result<_>>()?;
        let wrong: Vec<_> = lines.into_iter().filter(|line| line != "ok").collect();
        Ok((!wrong.is_empty()).then(|| printable(&wrong.join("; "))))
    };
    match look() {
        Ok(found) => found,
        Err(error) => match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Some(printable(&error.to_string()))
            }
            // Not readable, locked, out of memory: nothing that a new file would mend. Opening it says so.
            _ => None,
        },
    }
}

fn salvage(path: &Path, fresh: &Path, reason: &str) -> Result<(), DatabaseError> {
    let at = Timestamp::now();
    let broken = beside(path, &format!("broken-{}", at.strftime("%Y%m%dT%H%M%S%3fZ")));
    // A salvage that was cut short.
    remove_database(fresh);
    // Without a writer's thread, which would still hold the file when it is closed whole.
    database::make(fresh, schema::MIGRATIONS)?;
    let saved = copy(path, fresh, at).map_err(|error| DatabaseError::statement(fresh, &error))?;
    let state = if saved.has_state { "" } else { "; where the source was read up to is lost: it is read anew" };
    let words = format!(
        "{at}: the outbox was broken ({reason}): {} messages saved, {} gaps that can't be read, {} rows that are no \
         messages{state}; the broken file is kept as {}",
        saved.messages,
        saved.gaps,
        saved.rubbish,
        broken.file_name().unwrap_or_default().to_string_lossy()
    );
    note(path, fresh, &words).map_err(|error| DatabaseError::statement(fresh, &error))?;
    let said = broken.with_extension("txt");
    drop(std::fs::write(said, format!("{words}\n")));
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&broken, suffix));
        if from.exists() {
            rename(&from, &to)?;
        }
    }
    rename(fresh, path)?;
    tracing::error!(target: "agent", "{words}");
    Ok(())
}

/// Copies what can be read, and closes the new file whole.
fn copy(path: &Path, fresh: &Path, at: Timestamp) -> rusqlite::Result<Saved> {
    let old = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut new = Connection::open(fresh)?;
    new.pragma_update(None, "synchronous", "FULL")?;
    let mut saved = Saved::default();
    copy_messages(&old, &mut new, at, &mut saved)?;
    let transaction = new.transaction()?;
    let has_copy = copy_table(&old, &transaction, ["state_copy", "state"], "key, value");
    saved.has_state = copy_table(&old, &transaction, ["state"; 2], "key, value") || has_copy;
    copy_table(&old, &transaction, ["given_up"; 2], "kind, messages");
    copy_table(&old, &transaction, ["set_aside"; 2], "at, raw, reason");
    copy_table(&old, &transaction, ["boot"; 2], "id, boot_id, offset_ns");
    transaction.execute_batch(
        "UPDATE totals SET version = version + 1,
             rows = (SELECT count(*) FROM message),
             bytes = (SELECT coalesce(sum(octet_length(body)), 0) FROM message),
             given_up = (SELECT coalesce(sum(messages), 0) FROM given_up),
             set_aside = (SELECT count(*) FROM set_aside),
             set_aside_bytes = (SELECT coalesce(sum(octet_length(raw)), 0) FROM set_aside)",
    )?;
    transaction.commit()?;
    Ok(saved)
}

/// One message as it lies in the table.
type Raw = (i64, String, String, i64, String, Option<i64>, Option<i64>, i64);

fn copy_messages(old: &Connection, new: &mut Connection, at: Timestamp, saved: &mut Saved) -> rusqlite::Result<()> {
    // Without the newer columns an outbox of before; with a broken schema there is nothing to be read at all.
    let newer = "SELECT seq, message_id, kind, measured_at, body, boot, boot_ns, held FROM message
         WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let older = "SELECT seq, message_id, kind, measured_at, body, NULL, NULL, 0 FROM message
         WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let Ok(mut statement) = old.prepare(newer).or_else(|_| old.prepare(older)) else {
        saved.gaps += 1;
        return Ok(());
    };
    let mut after = 0;
    loop {
        let (rows, broke) = read_on(&mut statement, after);
        after = rows.last().map_or(after, |row| row.0);
        let is_end = rows.is_empty() && !broke;
        put(new, rows, at, saved)?;
        if is_end {
            return Ok(());
        }
        if broke {
            saved.gaps += 1;
            let Some(next) = step_over(&mut statement, after) else { return Ok(()) };
            after = next;
        }
    }
}

/// The messages after `after` until one can't be read, and whether there was such a one.
fn read_on(statement: &mut rusqlite::Statement<'_>, after: i64) -> (Vec<Raw>, bool) {
    let mut rows: Vec<Raw> = Vec::new();
    let found = statement.query_map([after, CHUNK], |row| {
        let text = |index| row.get::<_, String>(index);
        Ok((row.get(0)?, text(1)?, text(2)?, row.get(3)?, text(4)?, row.get(5)?, row.get(6)?, row.get(7)?))
    });
    let Ok(found) = found else { return (rows, true) };
    for row in found {
        let Ok(row) = row else { return (rows, true) };
        rows.push(row);
    }
    (rows, false)
}

/// The smallest number after which messages can be read again, found by doubling steps and then halving them.
fn step_over(statement: &mut rusqlite::Statement<'_>, broken_after: i64) -> Option<i64> {
    let mut readable = |after: i64| {
        let row = statement.query_row([after, 1], |row| {
            // Every column is read, so that a page that holds the rest of a long message counts too.
            row.get::<_, String>(4).and_then(|_| row.get::<_, i64>(0))
        });
        match row.optional() {
            Ok(found) => Ok(found),
            Err(_) => Err(()),
        }
    };
    let (mut bad, mut step) = (broken_after, 1);
    let good = loop {
        let try_at = broken_after.checked_add(step)?;
        match readable(try_at) {
            Ok(Some(_)) => break try_at,
            // Beyond the last message: what lies between may still be read from a nearer one.
            Ok(None) if step == 1 => return None,
            Ok(None) => break try_at,
            Err(()) => bad = try_at,
        }
        step *= 2;
        if step > MAX_STEP {
            return None;
        }
    };
    let mut good = good;
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        if readable(middle).is_ok() { good = middle } else { bad = middle }
    }
    Some(good)
}

fn put(new: &mut Connection, rows: Vec<Raw>, at: Timestamp, saved: &mut Saved) -> rusqlite::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let transaction = new.transaction()?;
    for (seq, message_id, kind, measured_at, body, boot, boot_ns, held) in rows {
        let is_message = Message::from_json(body.as_bytes())
            .is_ok_and(|message| message.message_id().as_str() == message_id)
            && MessageKind::from_name(&kind).is_some();
        if is_message {
            transaction
                .prepare_cached("INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
                .execute(params![seq, message_id, kind, measured_at, body, boot, boot_ns, held])?;
            saved.messages += 1;
        } else {
            super::aside::put(&transaction, &body, "in a broken outbox: no message any more", at)?;
            saved.rubbish += 1;
        }
    }
    transaction.commit()
}

/// Copies the rows of a small table into another until one can't be read. `false` where one couldn't.
fn copy_table(old: &Connection, new: &Transaction<'_>, [from, into]: [&str; 2], columns: &str) -> bool {
    let count = columns.split(',').count();
    let places: Vec<_> = (1..=count).map(|place| format!("?{place}")).collect();
    let insert = format!("INSERT OR REPLACE INTO {into}({columns}) VALUES ({})", places.join(", "));
    let Ok(mut statement) = old.prepare(&format!("SELECT {columns} FROM {from}")) else { return false };
    let Ok(mut rows) = statement.query([]) else { return false };
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return true,
            Err(_) => return false,
        };
        let values: rusqlite::Result<Vec<rusqlite::types::Value>> = (0..count).map(|index| row.get(index)).collect();
        let Ok(values) = values else { return false };
        if new.execute(&insert, rusqlite::params_from_iter(values)).is_err() {
            return false;
        }
    }
}

/// Counts the salvage in the new file and says what it did, then closes that file whole: no log beside it.
fn note(path: &Path, fresh: &Path, words: &str) -> rusqlite::Result<()> {
    let new = Connection::open(fresh)?;
    let before: Option<String> =
        new.query_row("SELECT value FROM state WHERE key = ?1", [COUNT], |row| row.get(0)).optional()?;
    let count = before.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) + 1;
    for (key, value) in [(COUNT, count.to_string()), (NEWEST, words.to_owned())] {
        new.execute("INSERT OR REPLACE INTO state VALUES (?1, ?2)", [key, &value])?;
    }
    new.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    new.pragma_update(None, "journal_mode", "DELETE")?;
    drop(new);
    // The folder's entry of the new file is durable before the old one leaves its place.
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    drop(std::fs::File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

fn beside(path: &Path, what: &str) -> PathBuf {
    path.with_extension(format!("{what}.db"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove_database(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(with_suffix(path, suffix)));
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), DatabaseError> {
    std::fs::rename(from, to)
        .map_err(|error| DatabaseError::Open { path: to.to_owned(), reason: format!("can't be put in place: {error}") })
}

#[cfg(test)]
mod tests;
