//! What couldn't be processed, kept with its reason: the newest 1,000, at most 16 MiB.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::rows::{from_nanoseconds, nanoseconds};

/// Entries kept at most.
const MAX_ENTRIES: i64 = 1000;
/// Bytes of raw text kept at most.
const MAX_BYTES: i64 = 16 * 1024 * 1024;

pub(super) fn put(transaction: &Transaction<'_>, raw: &str, reason: &str, at: Timestamp) -> rusqlite::Result<()> {
    transaction.prepare_cached("INSERT INTO set_aside(at, raw, reason) VALUES (?1, ?2, ?3)")?.execute(params![
        nanoseconds(at),
        raw,
        reason
    ])?;
    transaction
        .prepare_cached(
            "UPDATE totals SET version = version + 1, set_aside = set_aside + 1,
             set_aside_bytes = set_aside_bytes + ?1",
        )?
        .execute([i64::try_from(raw.len()).unwrap_or(i64::MAX)])?;
    while over(transaction)? {
        drop_oldest(transaction)?;
    }
    Ok(())
}

fn over(transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached(
            // Numbers are given without gaps and only the oldest ever leave.
            "SELECT coalesce(max(id) - min(id) + 1, 0) > ?1
                 OR coalesce(max(id) - min(id), 0) > 0 AND (SELECT set_aside_bytes FROM totals) > ?2 FROM set_aside",
        )?
        .query_row([MAX_ENTRIES, MAX_BYTES], |row| row.get(0))
}

fn drop_oldest(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let dropped: Option<i64> = transaction
        .prepare_cached("DELETE FROM set_aside WHERE id = (SELECT min(id) FROM set_aside) RETURNING octet_length(raw)")?
        .query_row([], |row| row.get(0))
        .optional()?;
    transaction
        .prepare_cached("UPDATE totals SET set_aside_bytes = set_aside_bytes - ?1")?
        .execute([dropped.unwrap_or(0)])
        .map(|_| ())
}

pub(super) fn list(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<(Timestamp, String, String)>> {
    let mut statement = connection.prepare_cached("SELECT at, raw, reason FROM set_aside ORDER BY id DESC LIMIT ?1")?;
    let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok((from_nanoseconds(row.get(0)?), row.get(1)?, row.get(2)?))
    })?;
    rows.collect()
}

/// Without what it is about, which may be long.
pub(super) fn reasons(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<(Timestamp, String)>> {
    let mut statement = connection.prepare_cached("SELECT at, reason FROM set_aside ORDER BY id DESC LIMIT ?1")?;
    let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok((from_nanoseconds(row.get(0)?), row.get(1)?))
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::super::Outbox;
    use super::super::samples::at;

    #[tokio::test]
    async fn the_newest_are_kept_and_all_are_counted() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 10).expect("opens");
        let now = at("2016-06-08T00:00:00Z");
        let puts = (0..1003).map(|i| {
            let outbox = outbox.clone();
            tokio::spawn(async move { outbox.set_aside(i.to_string(), "why".into(), now).await })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.expect("joins").expect("sets aside");
        }
        assert_eq!(outbox.set_aside_list(2000).await.expect("lists").len(), 1000);
        assert_eq!(
            outbox.set_aside_reasons(2).await.expect("lists"),
            [(now, "why".to_owned()), (now, "why".to_owned())]
        );
        assert_eq!(outbox.status().borrow().set_aside, 1003);
        // 17 MiB in three pieces: the last two remain, and nothing older.
        for size in [6, 6, 5] {
            let raw = "x".repeat(size * 1024 * 1024);
            outbox.set_aside(raw, "large".into(), now).await.expect("sets aside");
        }
        let sizes: Vec<usize> =
            outbox.set_aside_list(10).await.expect("lists").iter().map(|(_, raw, _)| raw.len() >> 20).collect();
        assert_eq!(sizes, [5, 6]);
    }
}
