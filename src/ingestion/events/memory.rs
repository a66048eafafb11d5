//! What outlives a start: how far each partition was read, which messages were seen when, what was measured each minute, notes of
//! pictures, and what was put aside.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, params};
use tokio::sync::watch;

use super::decode::Position;
use super::error::short;
use super::minutes::{self, Minute};
use crate::database::{Database, DatabaseError};
use crate::ingestion::warehouse::MeasurementRow;
use crate::station::{Message, PictureTaken};

/// Messages whose way can be told: a day and a half at five a second.
const SEEN: i64 = 600_000;
/// Messages kept aside.
const ASIDE: i64 = 1000;
/// Bytes kept of each.
const MOST_BODY: usize = 64 * 1024;
/// Notes of pictures: a month of one each five minutes.
const PICTURES: i64 = 10_000;

const MIGRATIONS: [&str; 3] = [
    "
CREATE TABLE checkpoint (
    place TEXT NOT NULL, partition TEXT NOT NULL, sequence INTEGER NOT NULL, enqueued_ms INTEGER NOT NULL,
    PRIMARY KEY (place, partition)
) WITHOUT ROWID;
CREATE TABLE seen (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, message_id TEXT NOT NULL, kind TEXT, measured_ms INTEGER,
    enqueued_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, partition TEXT NOT NULL, sequence INTEGER NOT NULL
);
CREATE INDEX seen_by_time ON seen (enqueued_ms, kind);
CREATE UNIQUE INDEX seen_by_message ON seen (message_id, device);
CREATE TABLE aside (
    id INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, partition TEXT NOT NULL, sequence INTEGER, device TEXT,
    reason TEXT NOT NULL, body BLOB NOT NULL
);
",
    "
CREATE TABLE picture (
    id INTEGER PRIMARY KEY, blob TEXT NOT NULL UNIQUE, taken_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX picture_by_time ON picture (taken_ms);
",
    minutes::TABLE,
];

/// When a message was where, as far as the feed saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its device.
    pub device_id: String,
    /// Its identity.
    pub message_id: String,
    /// `type` of its body.
    pub kind: Option<String>,
    /// When it was measured, by the device.
    pub measured_at: Option<Timestamp>,
    /// When the hub took it in, by the hub.
    pub enqueued_at: Timestamp,
    /// When it came here.
    pub received_at: Timestamp,
    /// Its partition.
    pub partition: String,
    /// Its number there.
    pub sequence: i64,
}

/// A message that couldn't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// When it came here.
    pub received_at: Timestamp,
    /// Its partition.
    pub partition: String,
    /// Its number there; absent where it has none.
    pub sequence: Option<i64>,
    /// Its device, where that is known.
    pub device_id: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// Its body, at most 64 KiB of it.
    pub body: Vec<u8>,
}

impl Aside {
    /// Whose it is, and what is wrong with it.
    #[must_use]
    pub fn words(&self) -> String {
        short(&format!("{}: {}", self.device_id.as_deref().unwrap_or("no device"), self.reason))
    }
}

/// A picture's note.
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    /// The note.
    pub note: PictureTaken,
    /// When it came here.
    pub received_at: Timestamp,
}

/// What was read of a partition since it was last remembered.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) seen: Vec<Seen>,
    pub(super) aside: Vec<Aside>,
    pub(super) measurements: Vec<MeasurementRow>,
    pub(super) pictures: Vec<Noted>,
}

impl Read {
    /// How much it is.
    pub(super) const fn len(&self) -> usize {
        self.seen.len() + self.aside.len()
    }
}

/// The feed's database; clones share it.
#[derive(Debug, Clone)]
pub struct EventsMemory {
    database: Database,
    /// Told whenever something was kept.
    kept: watch::Sender<()>,
}

impl EventsMemory {
    /// Opens or makes `feed.db` in an environment's data folder.
    pub fn open(data: &Path) -> Result<Self, DatabaseError> {
        let database = Database::open(&data.join("feed.db"), &MIGRATIONS)?;
        Ok(Self { database, kept: watch::Sender::default() })
    }

    /// How far a partition of `place` was read.
    pub(super) async fn checkpoint(&self, place: &str, partition: &str) -> Result<Option<Position>, DatabaseError> {
        let (place, partition) = (place.to_owned(), partition.to_owned());
        let sql = "SELECT sequence, enqueued_ms FROM checkpoint WHERE place = ?1 AND partition = ?2";
        self.database
            .read_little(move |connection| {
                connection
                    .query_row(sql, params![place, partition], |row| {
                        Ok(Position { sequence: row.get(0)?, enqueued_at: millis(row.get(1)?) })
                    })
                    .optional()
            })
            .await
    }

    /// Keeps what was read of a partition and how far that is, together: whatever a crash leaves out is read again.
    pub(super) async fn keep(
        &self,
        place: &str,
        partition: &str,
        position: Option<Position>,
        read: Read,
    ) -> Result<(), DatabaseError> {
        let (place, partition) = (place.to_owned(), partition.to_owned());
        self.database
            .write(move |transaction| {
                let mut insert = transaction.prepare_cached(
                    "INSERT OR IGNORE INTO seen (device, message_id, kind, measured_ms, enqueued_ms, received_ms, partition,
                     sequence) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?;
                for seen in &read.seen {
                    insert.execute(params![
                        seen.device_id,
                        seen.message_id,
                        seen.kind,
                        seen.measured_at.map(Timestamp::as_millisecond),
                        seen.enqueued_at.as_millisecond(),
                        seen.received_at.as_millisecond(),
                        seen.partition,
                        seen.sequence
                    ])?;
                }
                for aside in &read.aside {
                    let body = aside.body.get(..MOST_BODY).unwrap_or(&aside.body);
                    transaction.prepare_cached(
                        "INSERT INTO aside (received_ms, partition, sequence, device, reason, body)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![
                        aside.received_at.as_millisecond(),
                        aside.partition,
                        aside.sequence,
                        aside.device_id,
                        aside.reason,
                        body
                    ])?;
                }
                minutes::keep(transaction, &read.measurements)?;
                for noted in &read.pictures {
                    let body = serde_json::to_string(&Message::PictureTaken(noted.note.clone())).unwrap_or_default();
                    if body.len() > MOST_BODY {
                        continue;
                    }
                    // When the first note of it came stays: what is read again is no news.
                    transaction.prepare_cached(
                        "INSERT INTO picture (blob, taken_ms, received_ms, body) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (blob) DO UPDATE SET taken_ms = excluded.taken_ms, body = excluded.body",
                    )?
                    .execute(params![
                        noted.note.blob_name,
                        noted.note.measured_at.as_millisecond(),
                        noted.received_at.as_millisecond(),
                        body
                    ])?;
                }
                transaction.execute("DELETE FROM picture WHERE id <= (SELECT max(id) FROM picture) - ?1", [PICTURES])?;
                transaction.execute("DELETE FROM seen WHERE id <= (SELECT max(id) FROM seen) - ?1", [SEEN])?;
                transaction.execute("DELETE FROM aside WHERE id <= (SELECT max(id) FROM aside) - ?1", [ASIDE])?;
                let Some(position) = position else { return Ok(()) };
                transaction.execute(
                    "INSERT INTO checkpoint VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET
                     sequence = excluded.sequence, enqueued_ms = excluded.enqueued_ms",
                    params![place, partition, position.sequence, position.enqueued_at.as_millisecond()],
                )?;
                Ok(())
            })
            .await?;
        self.kept.send_replace(());
        Ok(())
    }

    /// The same as [`Self::find`] of a message that was read a moment ago, once it is kept; waits for no longer than `patience`.
    pub async fn find_soon(&self, message_id: &str, patience: Duration) -> Result<Option<Seen>, DatabaseError> {
        let mut kept = self.kept.subscribe();
        let search = async {
            loop {
                let found = self.find(Some(message_id)).await?;
                if found.is_some() || kept.changed().await.is_err() {
                    return Ok(found);
                }
            }
        };
        tokio::time::timeout(patience, search).await.unwrap_or(Ok(None))
    }

    /// What is known of a message by its id, or of the newest measurement without one.
    pub async fn find(&self, message_id: Option<&str>) -> Result<Option<Seen>, DatabaseError> {
        const COLUMNS: &str = "device, message_id, kind, measured_ms, enqueued_ms, received_ms, partition, sequence";
        let message_id = message_id.map(str::to_owned);
        self.database
            .read_little(move |connection| {
                let row = |row: &rusqlite::Row<'_>| {
                    Ok(Seen {
                        device_id: row.get(0)?,
                        message_id: row.get(1)?,
                        kind: row.get(2)?,
                        measured_at: row.get::<_, Option<i64>>(3)?.map(millis),
                        enqueued_at: millis(row.get(4)?),
                        received_at: millis(row.get(5)?),
                        partition: row.get(6)?,
                        sequence: row.get(7)?,
                    })
                };
                match message_id {
                    Some(id) => {
                        let sql = format!("SELECT {COLUMNS} FROM seen WHERE message_id = ?1 ORDER BY id DESC LIMIT 1");
                        connection.query_row(&sql, [id], row).optional()
                    }
                    None => {
                        let sql = format!(
                            "SELECT {COLUMNS} FROM seen WHERE kind = 'WeatherMeasurement' ORDER BY id DESC LIMIT 1"
                        );
                        connection.query_row(&sql, [], row).optional()
                    }
                }
            })
            .await
    }

    /// How many messages of these kinds the hub took in since a time, by slots of `slot`, in order; slots without any are left
    /// out.
    pub async fn came(
        &self,
        kinds: &'static [&'static str],
        since: Timestamp,
        slot: SignedDuration,
    ) -> Result<Vec<(Timestamp, u64)>, DatabaseError> {
        let slot = i64::try_from(slot.as_millis()).unwrap_or(i64::MAX).max(1);
        let since = since.as_millisecond();
        self.database
            .read(move |connection| {
                let mut slots: BTreeMap<i64, u64> = BTreeMap::new();
                let sql =
                    "SELECT enqueued_ms / ?1 * ?1, count(*) FROM seen WHERE enqueued_ms >= ?2 AND kind = ?3 GROUP BY 1";
                let mut statement = connection.prepare_cached(sql)?;
                for kind in kinds {
                    let rows = statement.query_map(params![slot, since, kind], |row| Ok((row.get(0)?, row.get(1)?)))?;
                    for row in rows {
                        let (at, count): (i64, i64) = row?;
                        *slots.entry(at).or_default() += u64::try_from(count).unwrap_or(0);
                    }
                }
                Ok(slots.into_iter().map(|(at, count)| (millis(at), count)).collect())
            })
            .await
    }

    /// What was measured in the minutes that begin between two instants (inclusive), in order of time, by a device, or by all
    /// together. The last million minutes are known.
    pub async fn minutes(
        &self,
        device: Option<&str>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Minute>, DatabaseError> {
        let (device, span) = (device.map(str::to_owned), (from.as_millisecond(), to.as_millisecond()));
        self.database.read(move |connection| minutes::between(connection, device.as_deref(), span)).await
    }

    /// Notes of the pictures taken between two instants (inclusive), newest first; the newest 10,000 that came are known.
    pub async fn pictures(&self, from: Timestamp, to: Timestamp, limit: usize) -> Result<Vec<Noted>, DatabaseError> {
        let (from, to) = (from.as_millisecond(), to.as_millisecond());
        let limit = i64::try_from(limit).unwrap_or(PICTURES);
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached(
                        "SELECT body, received_ms FROM picture WHERE taken_ms BETWEEN ?1 AND ?2
                         ORDER BY taken_ms DESC, blob DESC LIMIT ?3",
                    )?
                    .query_map([from, to, limit], |row| Ok(noted(row.get::<_, String>(0)?.as_bytes(), row.get(1)?)))?
                    .filter_map(Result::transpose)
                    .collect()
            })
            .await
    }

    /// The note of one picture.
    pub async fn picture(&self, blob_name: &str) -> Result<Option<Noted>, DatabaseError> {
        let blob_name = blob_name.to_owned();
        self.database
            .read_little(move |connection| {
                let row = |row: &rusqlite::Row<'_>| Ok(noted(row.get::<_, String>(0)?.as_bytes(), row.get(1)?));
                let sql = "SELECT body, received_ms FROM picture WHERE blob = ?1";
                connection.query_row(sql, [blob_name], row).optional().map(Option::flatten)
            })
            .await
    }

    /// The newest messages that were put aside, newest first.
    pub async fn aside(&self, limit: usize) -> Result<Vec<Aside>, DatabaseError> {
        let limit = i64::try_from(limit).unwrap_or(ASIDE);
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached(
                        "SELECT received_ms, partition, sequence, device, reason, body FROM aside
                         ORDER BY id DESC LIMIT ?1",
                    )?
                    .query_map([limit], |row| {
                        Ok(Aside {
                            received_at: millis(row.get(0)?),
                            partition: row.get(1)?,
                            sequence: row.get(2)?,
                            device_id: row.get(3)?,
                            reason: row.get(4)?,
                            body: row.get(5)?,
                        })
                    })?
                    .collect()
            })
            .await
    }
}

/// A note as it is kept; `None` where another version wrote what this one can't read.
fn noted(body: &[u8], received_ms: i64) -> Option<Noted> {
    match Message::from_json(body) {
        Ok(Message::PictureTaken(note)) => Some(Noted { note, received_at: millis(received_ms) }),
        _ => None,
    }
}

fn millis(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingestion::bins::Measured as _;
    use crate::station::{QcFlag, Variable};

    fn noted(blob_name: &str, taken_ms: i64) -> Noted {
        let note = PictureTaken::plain(blob_name, millis(taken_ms), 8);
        Noted { note, received_at: millis(7) }
    }

    fn seen(id: &str, sequence: i64) -> Seen {
        Seen {
            device_id: "roof-01".into(),
            message_id: id.into(),
            kind: Some("WeatherMeasurement".into()),
            measured_at: Some(millis(1_700_000_000_000)),
            enqueued_at: millis(1_700_000_001_000),
            received_at: millis(1_700_000_002_000),
            partition: "0".into(),
            sequence,
        }
    }

    #[tokio::test]
    async fn what_was_read_is_known_after_a_new_start() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let memory = EventsMemory::open(folder.path()).expect("opens");
        assert_eq!(memory.checkpoint("e", "0").await.expect("read"), None);
        let position = Position { sequence: 4, enqueued_at: millis(1_700_000_001_000) };
        let aside = Aside {
            received_at: millis(1),
            partition: "0".into(),
            sequence: Some(3),
            device_id: None,
            reason: "no device".into(),
            body: vec![b'x'; MOST_BODY + 9],
        };
        let pictures = vec![noted("roof-01/b.jpg", 2000), noted("roof-01/a.jpg", 1000), noted("roof-01/c.jpg", 3000)];
        let read = Read {
            seen: vec![seen("m-1", 2), seen("m-2", 4)],
            aside: vec![aside.clone()],
            pictures: pictures.clone(),
            ..Read::default()
        };
        memory.keep("e", "0", Some(position.clone()), read).await.expect("kept");
        let again = Noted { received_at: millis(99), ..noted("roof-01/b.jpg", 2500) };
        let read = Read { pictures: vec![again], ..Read::default() };
        memory.keep("e", "0", None, read).await.expect("kept");
        drop(memory);
        let memory = EventsMemory::open(folder.path()).expect("opens");
        assert_eq!(memory.checkpoint("e", "0").await.expect("read"), Some(position));
        assert_eq!(memory.checkpoint("another", "0").await.expect("read"), None);
        assert_eq!(memory.find(Some("m-1")).await.expect("read"), Some(seen("m-1", 2)));
        let came = memory.came(&["WeatherMeasurement"], millis(0), SignedDuration::from_mins(1)).await.expect("read");
        assert_eq!(came, [(millis(1_699_999_980_000), 2)]);
        assert_eq!(memory.find(None).await.expect("read"), Some(seen("m-2", 4)));
        let found = memory.pictures(millis(1000), millis(2999), 9).await.expect("read");
        let found: Vec<_> = found.iter().map(|noted| (noted.note.blob_name.as_str(), noted.received_at)).collect();
        assert_eq!(found, [("roof-01/b.jpg", millis(7)), ("roof-01/a.jpg", millis(7))], "the first came at 7");
        assert_eq!(memory.pictures(millis(0), millis(9999), 1).await.expect("read"), [pictures[2].clone()]);
        let one = memory.picture("roof-01/b.jpg").await.expect("read").expect("known");
        assert_eq!(one.note.measured_at, millis(2500), "the last note of it holds");
        assert_eq!(memory.picture("roof-01/d.jpg").await.expect("read"), None);
        let kept = memory.aside(9).await.expect("read");
        assert_eq!(kept, [Aside { body: vec![b'x'; MOST_BODY], ..aside }]);
    }

    #[tokio::test]
    async fn a_minute_is_what_was_measured_in_it_of_a_device_and_of_all() {
        let row = |device_id: &str, at_ms: i64, values: [Option<f64>; 3], flag: Option<QcFlag>| {
            let [temperature, humidity, pressure] = values;
            MeasurementRow {
                device_id: device_id.into(),
                at_ms,
                values: [temperature, humidity, pressure, None, None, None, None, None],
                qc: flag.map(|flag| (Variable::Humidity, flag)).into_iter().collect(),
            }
        };
        let folder = tempfile::tempdir().expect("temporary folder");
        let memory = EventsMemory::open(folder.path()).expect("opens");
        let measurements = vec![
            row("a", 60_000, [Some(2.0), None, Some(1000.0)], None),
            row("a", 90_000, [Some(5.0), Some(60.0), None], Some(QcFlag::OutOfRange)),
            row("b", 119_999, [Some(-1.0), None, None], None),
            row("a", 120_000, [Some(9.0), None, None], None),
        ];
        memory.keep("e", "0", None, Read { measurements, ..Read::default() }).await.expect("kept");
        // One that comes late is of its minute.
        let measurements = vec![row("a", 61_000, [Some(-4.0), None, None], None)];
        memory.keep("e", "0", None, Read { measurements, ..Read::default() }).await.expect("kept");

        let asked = async |device, from, to| memory.minutes(device, millis(from), millis(to)).await.expect("read");
        let of_a = asked(Some("a"), 0, 200_000).await;
        let told =
            |minute: &Minute, variable| minute.bin(variable).map(|bin| (bin.from_ms, bin.mean, bin.min, bin.max));
        let temperatures: Vec<_> = of_a.iter().filter_map(|minute| told(minute, Variable::Temperature)).collect();
        assert_eq!(temperatures, [(60_000, 1.0, -4.0, 5.0), (120_000, 9.0, 9.0, 9.0)]);
        assert_eq!(told(&of_a[0], Variable::Humidity), Some((60_000, 60.0, 60.0, 60.0)));
        assert_eq!(told(&of_a[0], Variable::Pressure), Some((60_000, 1000.0, 1000.0, 1000.0)));
        assert_eq!(told(&of_a[0], Variable::Light), None);
        assert_eq!(of_a[0].qc(), &BTreeMap::from([(Variable::Humidity, QcFlag::OutOfRange)]));
        let of_all = asked(None, 60_000, 60_000).await;
        assert_eq!(
            of_all.iter().map(|minute| told(minute, Variable::Temperature)).collect::<Vec<_>>(),
            [Some((60_000, 0.5, -4.0, 5.0))]
        );
        assert!(of_all[0].is_of(None) && !of_all[0].is_of(Some("a")) && of_a[0].is_of(Some("a")));
        assert_eq!(asked(Some("c"), 0, 200_000).await, []);
        assert_eq!(asked(Some("a"), 60_001, 119_999).await, []);
    }
}
