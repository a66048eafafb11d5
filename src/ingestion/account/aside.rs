//! Notices that were taken off the queue, kept with what was wrong with them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::params;

use super::queue::PoisonNotice;
use crate::database::{Database, DatabaseError};

/// Notices kept.
const KEPT: i64 = 1000;
/// Those that are told.
const TOLD: i64 = 32;

const MIGRATIONS: [&str; 1] = ["
CREATE TABLE notice (
    id INTEGER PRIMARY KEY, taken_ms INTEGER NOT NULL, queue TEXT NOT NULL, message_id TEXT NOT NULL, put_ms INTEGER,
    reason TEXT NOT NULL, content TEXT NOT NULL
);
"];

/// A notice that was taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideNotice {
    /// When.
    pub taken_at: Timestamp,
    /// What it was.
    pub notice: PoisonNotice,
}

/// The notices taken off an environment's queue; clones share them.
#[derive(Debug, Clone)]
pub struct AsideNotices {
    database: Database,
    newest: Arc<Mutex<Arc<[AsideNotice]>>>,
}

impl AsideNotices {
    /// Opens or makes `aside.db` in an environment's data folder.
    pub fn open(data: &Path) -> Result<Self, DatabaseError> {
        let database = Database::open(&data.join("aside.db"), &MIGRATIONS)?;
        let newest = database.read_blocking(newest)?;
        Ok(Self { database, newest: Arc::new(Mutex::new(newest.into())) })
    }

    /// The newest 32, newest first.
    #[must_use]
    pub fn newest(&self) -> Arc<[AsideNotice]> {
        Arc::clone(&self.newest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps a notice, whole and durably; the 1,000 newest stay.
    pub async fn keep(&self, queue: &str, taken_at: Timestamp, notice: PoisonNotice) -> Result<(), DatabaseError> {
        let queue = queue.to_owned();
        self.database
            .write(move |transaction| {
                transaction.execute(
                    "INSERT INTO notice (taken_ms, queue, message_id, put_ms, reason, content)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        taken_at.as_millisecond(),
                        queue,
                        notice.id,
                        notice.put_at.map(Timestamp::as_millisecond),
                        notice.reason,
                        notice.content
                    ],
                )?;
                transaction.execute("DELETE FROM notice WHERE id <= (SELECT max(id) FROM notice) - ?1", [KEPT])
            })
            .await?;
        let told = self.database.read(newest).await?;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = told.into();
        Ok(())
    }
}

fn newest(connection: &rusqlite::Connection) -> rusqlite::Result<Vec<AsideNotice>> {
    let millis = |ms: i64| Timestamp::from_millisecond(ms).ok();
    let mut statement = connection
        .prepare("SELECT taken_ms, message_id, put_ms, reason, content FROM notice ORDER BY id DESC LIMIT ?1")?;
    let rows = statement.query_map([TOLD], |row| {
        Ok(AsideNotice {
            taken_at: millis(row.get(0)?).unwrap_or_default(),
            notice: PoisonNotice {
                id: row.get(1)?,
                put_at: row.get::<_, Option<i64>>(2)?.and_then(millis),
                reason: row.get(3)?,
                content: row.get(4)?,
            },
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_kept_whole_and_survives() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let aside = AsideNotices::open(folder.path()).expect("opens");
        assert!(aside.newest().is_empty());
        let at = Timestamp::from_second(1_700_000_000).expect("in range");
        let notice = |id: &str, content: &str| PoisonNotice {
            id: id.to_owned(),
            put_at: Some(at),
            reason: "neither JSON nor base64".to_owned(),
            content: content.to_owned(),
        };
        let long = "%".repeat(60_000);
        aside.keep("q", at, notice("a", &long)).await.expect("kept");
        aside.keep("q", at, notice("b", "x")).await.expect("kept");
        drop(aside);
        let aside = AsideNotices::open(folder.path()).expect("opens again");
        let kept: Vec<_> = aside.newest().iter().map(|kept| kept.notice.clone()).collect();
        assert_eq!(kept, [notice("b", "x"), notice("a", &long)]);
    }
}
