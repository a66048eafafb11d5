//! Messages whose time may have to be worked out: from the boot and the time since it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::rows::{from_nanoseconds, nanoseconds};
use super::{Outbox, rows};
use crate::database::DatabaseError;
use crate::station::MessageKind;

/// Boots beyond which those of which nothing waits any more are forgotten: to look for them reads every message.
const MAX_BOOTS: i64 = 64;

/// A boot of this machine, as the outbox knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Its number in this outbox.
    pub id: i64,
    /// The kernel's random id.
    pub boot_id: String,
    /// What is added to the time since the boot for the time, nanoseconds; absent while the clock wasn't set in it.
    pub offset_ns: Option<i64>,
}

/// A waiting message whose time this machine's clock gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Undated {
    /// Its place in the outbox.
    pub seq: i64,
    /// Which message it is.
    pub kind: MessageKind,
    /// Nanoseconds since the boot.
    pub boot_ns: i64,
    /// The time it carries now.
    pub measured_at: Timestamp,
    /// The message as JSON.
    pub body: String,
}

/// A message that was given its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Redated {
    /// Its place in the outbox.
    pub seq: i64,
    /// Its new time.
    pub measured_at: Timestamp,
    /// The message with it, as JSON.
    pub body: String,
    /// Whether it is sent after everything else: its time will never be known.
    pub is_last: bool,
}

impl Outbox {
    /// The number of the boot whose id this is; made where it isn't known.
    pub async fn enter_boot(&self, boot_id: &str) -> Result<Boot, DatabaseError> {
        let boot_id = boot_id.to_owned();
        self.database
            .write(move |transaction| {
                transaction.execute(
                    "DELETE FROM boot WHERE boot_id <> ?1 AND (SELECT count(*) FROM boot) > ?2
                     AND id NOT IN (SELECT DISTINCT boot FROM message WHERE boot IS NOT NULL)",
                    params![boot_id, MAX_BOOTS],
                )?;
                transaction.execute("INSERT OR IGNORE INTO boot(boot_id) VALUES (?1)", [&boot_id])?;
                transaction.query_row("SELECT id, boot_id, offset_ns FROM boot WHERE boot_id = ?1", [&boot_id], boot)
            })
            .await
    }

    /// The boots of which messages are held, oldest first.
    pub async fn held_boots(&self) -> Result<Vec<Boot>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, boot_id, offset_ns FROM boot
                     WHERE id IN (SELECT DISTINCT boot FROM message WHERE held = 1) ORDER BY id",
                )?;
                let boots = statement.query_map([], boot)?;
                boots.collect()
            })
            .await
    }

    /// The offset known of the boot with this id.
    pub async fn boot_offset(&self, boot_id: &str) -> Result<Option<i64>, DatabaseError> {
        let boot_id = boot_id.to_owned();
        self.database
            .read(move |connection| {
                connection
                    .query_row("SELECT offset_ns FROM boot WHERE boot_id = ?1", [boot_id], |row| row.get(0))
                    .optional()
                    .map(Option::flatten)
            })
            .await
    }

    /// Remembers durably what is added to the time since a boot for the time, nanoseconds.
    pub async fn set_boot_offset(&self, boot: i64, offset_ns: i64) -> Result<(), DatabaseError> {
        self.database
            .write(move |transaction| {
                transaction.execute("UPDATE boot SET offset_ns = ?2 WHERE id = ?1", [boot, offset_ns]).map(|_| ())
            })
            .await
    }

    /// Up to `limit` messages of a boot after `after_seq`, in order; those that are held alone, or all.
    pub async fn of_boot(
        &self,
        boot: i64,
        held_alone: bool,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<Undated>, DatabaseError> {
        self.database.read(move |connection| of_boot(connection, boot, held_alone, after_seq, limit)).await
    }

    /// Gives messages their time and frees them, together with key/value `state`. One that isn't there any more is
    /// no fault.
    pub async fn redate(&self, messages: Vec<Redated>, state: Vec<(String, String)>) -> Result<(), DatabaseError> {
        let totals = self
            .database
            .write(move |transaction| {
                for message in &messages {
                    redate(transaction, message)?;
                }
                rows::put_state(transaction, &state)?;
                rows::totals(transaction)
            })
            .await?;
        self.publish(&totals);
        Ok(())
    }
}

fn boot(row: &rusqlite::Row<'_>) -> rusqlite::Result<Boot> {
    Ok(Boot { id: row.get(0)?, boot_id: row.get(1)?, offset_ns: row.get(2)? })
}

fn of_boot(
    connection: &Connection,
    boot: i64,
    held_alone: bool,
    after_seq: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Undated>> {
    // The unary plus keeps SQLite on the index of those that are held.
    let sql = if held_alone {
        "SELECT seq, kind, boot_ns, measured_at, body FROM message
         WHERE held = 1 AND +boot = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
    } else {
        "SELECT seq, kind, boot_ns, measured_at, body FROM message
         WHERE boot = ?1 AND held < 2 AND seq > ?2 ORDER BY seq LIMIT ?3"
    };
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map([boot, after_seq, limit], |row| {
        let kind: String = row.get(1)?;
        let kind = MessageKind::from_name(&kind)
            .ok_or_else(|| rusqlite::Error::InvalidColumnType(1, kind, rusqlite::types::Type::Text))?;
        Ok(Undated {
            seq: row.get(0)?,
            kind,
            boot_ns: row.get::<_, Option<i64>>(2)?.unwrap_or(0),
            measured_at: from_nanoseconds(row.get(3)?),
            body: row.get(4)?,
        })
    })?;
    rows.collect()
}

fn redate(transaction: &Transaction<'_>, message: &Redated) -> rusqlite::Result<()> {
    let old: Option<(i64, i64)> = transaction
        .prepare_cached("SELECT octet_length(body), held FROM message WHERE seq = ?1")?
        .query_row([message.seq], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((old, held)) = old else { return Ok(()) };
    let measured_at = nanoseconds(message.measured_at);
    if held == 1 && !message.is_last {
        // The link has read past its number already: it comes behind what there is, under a new one.
        transaction
            .prepare_cached(
                "INSERT INTO message(message_id, kind, measured_at, body, boot, boot_ns, held)
                 SELECT message_id, kind, ?2, ?3, boot, boot_ns, 0 FROM message WHERE seq = ?1",
            )?
            .execute(params![message.seq, measured_at, message.body])?;
        transaction.prepare_cached("DELETE FROM message WHERE seq = ?1")?.execute([message.seq])?;
    } else {
        transaction
            .prepare_cached("UPDATE message SET measured_at = ?2, body = ?3, held = ?4 WHERE seq = ?1")?
            .execute(params![message.seq, measured_at, message.body, if message.is_last { 2 } else { 0 }])?;
    }
    rows::count(transaction, 0, i64::try_from(message.body.len()).unwrap_or(i64::MAX) - old)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{at, measurement};
    use super::super::{Dated, Stamp};
    use super::*;

    #[tokio::test]
    async fn a_held_message_is_counted_and_not_sent_until_it_has_its_time() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 100).expect("opens");
        let boot = outbox.enter_boot("b1").await.expect("enters");
        assert_eq!(outbox.enter_boot("b1").await.expect("enters"), boot, "a boot keeps its number");
        let dated = |text: &str, held| Dated {
            message: measurement(at(text)),
            stamp: Some(Stamp { boot: boot.id, boot_ns: 5, held }),
        };
        let held = dated("1970-01-01T00:00:05Z", true);
        let free = dated("2026-06-01T00:00:00Z", false);
        outbox.append_dated(vec![held.clone(), free], Vec::new()).await.expect("appends");
        assert_eq!((outbox.status().borrow().rows, outbox.status().borrow().held), (2, 1));
        assert_eq!(outbox.peek(0, 10).await.expect("peeks").len(), 1);
        assert_eq!(outbox.held_boots().await.expect("reads"), std::slice::from_ref(&boot));
        assert_eq!(outbox.of_boot(boot.id, false, 0, 10).await.expect("reads").len(), 2);

        let waiting = outbox.of_boot(boot.id, true, 0, 10).await.expect("reads").remove(0);
        assert_eq!((waiting.boot_ns, &waiting.body), (5, &held.message.to_json()));
        let longer = waiting.body.replace("14.2", "14.25");
        let redated =
            Redated { seq: waiting.seq, measured_at: at("2026-05-31T00:00:00Z"), body: longer, is_last: false };
        let gone = Redated { seq: 999, ..redated.clone() };
        let bytes = outbox.status().borrow().bytes;
        outbox.redate(vec![redated, gone], vec![("k".into(), "v".into())]).await.expect("redates");
        assert_eq!((outbox.status().borrow().held, outbox.status().borrow().bytes), (0, bytes + 1));
        assert_eq!(outbox.state("k").await.expect("reads").as_deref(), Some("v"));
        let rows = outbox.peek(0, 10).await.expect("peeks");
        assert_eq!((rows.len(), rows[1].measured_at), (2, at("2026-05-31T00:00:00Z")));
        assert_eq!(rows[1].seq, outbox.newest_seq(), "the link finds it behind what it has read");
        assert!(outbox.held_boots().await.expect("reads").is_empty());
    }

    #[tokio::test]
    async fn what_is_sent_last_is_apart_and_a_boot_of_which_nothing_waits_is_forgotten() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 100).expect("opens");
        let boot = outbox.enter_boot("b1").await.expect("enters");
        outbox.set_boot_offset(boot.id, 7).await.expect("remembers");
        assert_eq!(outbox.boot_offset("b1").await.expect("reads"), Some(7));
        let stamp = Some(Stamp { boot: boot.id, boot_ns: 5, held: true });
        let message = measurement(at("1970-01-01T00:00:05Z"));
        outbox.append_dated(vec![Dated { message, stamp }], Vec::new()).await.expect("appends");
        let row = outbox.of_boot(boot.id, true, 0, 1).await.expect("reads").remove(0);
        let last = Redated { seq: row.seq, measured_at: row.measured_at, body: row.body, is_last: true };
        outbox.redate(vec![last], Vec::new()).await.expect("redates");
        assert!(outbox.peek(0, 10).await.expect("peeks").is_empty());
        assert_eq!(outbox.peek_last(0, 10, usize::MAX).await.expect("peeks").len(), 1);
        for boot in 2..=66 {
            outbox.enter_boot(&format!("b{boot}")).await.expect("enters");
        }
        assert_eq!(outbox.boot_offset("b1").await.expect("reads"), Some(7), "a message of it waits");
        outbox.remove(vec![row.seq]).await.expect("removes");
        assert_eq!(outbox.status().borrow().held, 0);
        for boot in 67..=140 {
            outbox.enter_boot(&format!("b{boot}")).await.expect("enters");
        }
        assert_eq!(outbox.boot_offset("b1").await.expect("reads"), None);
        assert_eq!(outbox.newest_seq(), row.seq);
    }
}
