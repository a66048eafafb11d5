//! Messages that no route took, once a route takes them.

use jiff::Timestamp;
use rusqlite::params;

use super::EnqueuedLog;
use super::message::{COLUMNS, message_row};
use crate::database::DatabaseError;
use crate::ingestion::routing::UNROUTED;

/// What a batch has to know of a message.
struct Waiting {
    container: String,
    seq: i64,
    enqueued_at: Timestamp,
    bytes: usize,
}

impl EnqueuedLog {
    /// Moves what no route took, and what a route takes now, to where it is collected; answers how many messages.
    /// They are numbered anew, at the end of the log: their old numbers may be those of a batch that is finished.
    pub async fn reroute(&self) -> Result<usize, DatabaseError> {
        if !self.lock().contains_key(UNROUTED) {
            return Ok(0);
        }
        let topology = self.ground.peek();
        let waiting = self
            .database
            .write(move |transaction| {
                let sql = format!(
                    "SELECT {COLUMNS} FROM enqueued WHERE container = ?1
                     AND seq > coalesce((SELECT max(last_seq) FROM batch WHERE container = ?1), 0) ORDER BY seq"
                );
                let mut waiting = Vec::new();
                let mut select = transaction.prepare_cached(&sql)?;
                let mut rows = select.query([UNROUTED])?;
                while let Some(row) = rows.next()? {
                    let (seq, message) = message_row(row)?;
                    let containers = topology.containers_for(message.body_type().as_deref());
                    waiting.extend(containers.into_iter().map(|container| Waiting {
                        container: container.to_owned(),
                        seq,
                        enqueued_at: message.enqueued_at,
                        bytes: message.body.len(),
                    }));
                }
                let mut copy = transaction.prepare_cached(
                    "INSERT INTO enqueued(container, enqueued_at, device_id, message_id, content_type,
                     content_encoding, properties, system_properties, body)
                     SELECT ?1, enqueued_at, device_id, message_id, content_type, content_encoding, properties,
                     system_properties, body FROM enqueued WHERE seq = ?2",
                )?;
                let mut moved = Vec::new();
                for message in waiting.iter_mut().filter(|message| message.container != UNROUTED) {
                    moved.push(message.seq);
                    message.seq = copy.insert(params![message.container, message.seq])?;
                }
                let mut delete = transaction.prepare_cached("DELETE FROM enqueued WHERE seq = ?1")?;
                for seq in moved {
                    delete.execute([seq])?;
                }
                Ok(waiting)
            })
            .await?;
        self.lock().remove(UNROUTED);
        let moved = waiting.iter().filter(|message| message.container != UNROUTED).count();
        for message in waiting {
            self.grow(message.container, message.enqueued_at, message.bytes, message.seq);
        }
        Ok(moved)
    }
}
