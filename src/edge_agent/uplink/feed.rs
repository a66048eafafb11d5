//! What goes next: what came since the connection was made, then what lay there already, then what will never have a
//! time; each oldest first.

use crate::database::DatabaseError;
use crate::edge_agent::outbox::{Outbox, OutboxRow};

/// Bytes of bodies that are read at once.
const MAX_READ_BYTES: usize = 512 * 1024;

/// Where the reading of the outbox stands. A restart or a new connection begins anew, at the oldest.
#[derive(Debug)]
pub(super) struct Feed {
    outbox: Outbox,
    /// The last message of the backlog.
    mark: i64,
    backlog: i64,
    live: i64,
    /// Of what is sent last; absent where nothing more of it waits.
    last: Option<i64>,
    read: Class,
}

/// What was read last.
#[derive(Debug, Clone, Copy)]
enum Class {
    Live,
    Backlog,
    Last,
}

impl Feed {
    pub(super) fn new(outbox: Outbox) -> Self {
        let mark = outbox.newest_seq();
        Self { outbox, mark, backlog: 0, live: mark, last: Some(0), read: Class::Live }
    }

    /// Whether a message came since the connection was made.
    pub(super) const fn is_live(&self, seq: i64) -> bool {
        seq > self.mark
    }

    /// Messages that came since the connection was made, whether or not they are still there.
    pub(super) fn came(&self) -> u64 {
        u64::try_from(self.outbox.newest_seq() - self.mark).unwrap_or(0)
    }

    /// Whether there may be something to read: something live, and `with_backlog` anything.
    pub(super) fn has_more(&self, with_backlog: bool) -> bool {
        self.outbox.newest_seq() > self.live || with_backlog && (self.backlog < self.mark || self.last.is_some())
    }

    /// Up to `limit` messages; of the backlog only where nothing live waits, and only `with_backlog`.
    pub(super) async fn next(&mut self, limit: usize, with_backlog: bool) -> Result<Vec<OutboxRow>, DatabaseError> {
        let newest = self.outbox.newest_seq();
        if newest > self.live {
            let rows = self.outbox.peek_some(self.live, i64::MAX, limit, MAX_READ_BYTES).await?;
            // Nothing is there any more up to the newest known when nothing was found.
            self.live = rows.last().map_or(newest, |row| row.seq);
            if !rows.is_empty() {
                self.read = Class::Live;
                return Ok(rows);
            }
        }
        if with_backlog && self.backlog < self.mark {
            let rows = self.outbox.peek_some(self.backlog, self.mark, limit, MAX_READ_BYTES).await?;
            self.backlog = rows.last().map_or(self.mark, |row| row.seq);
            if !rows.is_empty() {
                self.read = Class::Backlog;
                return Ok(rows);
            }
        }
        let Some(last) = self.last.filter(|_| with_backlog) else { return Ok(Vec::new()) };
        let rows = self.outbox.peek_last(last, limit, MAX_READ_BYTES).await?;
        self.last = rows.last().map(|row| row.seq);
        self.read = Class::Last;
        Ok(rows)
    }

    /// Reads this message, of those read last, and what came after it once more.
    pub(super) const fn back_to(&mut self, seq: i64) {
        match self.read {
            Class::Live => self.live = seq - 1,
            Class::Backlog => self.backlog = seq - 1,
            Class::Last => self.last = Some(seq - 1),
        }
    }

    /// Begins at the oldest again: for when nothing is on its way, and something was held back before.
    pub(super) const fn rewind(&mut self) {
        self.backlog = 0;
        self.live = self.mark;
        self.last = Some(0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::outbox::samples::{at, measurement};
    use super::*;

    async fn append(outbox: &Outbox, count: usize) {
        let messages = vec![measurement(at("2016-06-08T00:00:00Z")); count];
        outbox.append(messages, Vec::new()).await.expect("appends");
    }

    async fn next(feed: &mut Feed, limit: usize, with_backlog: bool) -> Vec<i64> {
        feed.next(limit, with_backlog).await.expect("reads").iter().map(|row| row.seq).collect()
    }

    #[tokio::test]
    async fn what_is_new_overtakes_the_backlog() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
        append(&outbox, 5).await;
        let mut feed = Feed::new(outbox.clone());
        assert!(feed.has_more(true) && !feed.has_more(false));
        assert_eq!(next(&mut feed, 2, true).await, [1, 2]);
        append(&outbox, 3).await;
        assert!(feed.has_more(false));
        assert_eq!(next(&mut feed, 2, true).await, [6, 7]);
        assert_eq!(next(&mut feed, 2, true).await, [8]);
        assert_eq!(next(&mut feed, 2, false).await, [0i64; 0]);
        assert_eq!(next(&mut feed, 10, true).await, [3, 4, 5]);
        feed.back_to(4);
        assert_eq!(next(&mut feed, 10, true).await, [4, 5]);
        assert_eq!(next(&mut feed, 10, true).await, [0i64; 0], "nor anything to be sent last");
        assert_eq!((feed.came(), feed.is_live(5), feed.is_live(6)), (3, false, true));
        append(&outbox, 1).await;
        assert_eq!(next(&mut feed, 10, true).await, [9]);
        feed.back_to(9);
        assert_eq!(next(&mut feed, 10, true).await, [9]);
        assert!(!feed.has_more(true));
        // Removed before it was read: nothing more either.
        append(&outbox, 1).await;
        outbox.remove(vec![10]).await.expect("removes");
        assert!(feed.has_more(true));
        assert_eq!(next(&mut feed, 10, true).await, [0i64; 0]);
        assert!(!feed.has_more(true));
        feed.rewind();
        assert_eq!(next(&mut feed, 10, false).await, [6, 7, 8, 9]);
        // A new connection: all of it is backlog.
        let mut feed = Feed::new(outbox.clone());
        assert_eq!(next(&mut feed, 100, true).await.len(), 9);
        assert_eq!(next(&mut feed, 100, true).await.len(), 0);
        assert!(!feed.has_more(true));
    }

    #[tokio::test]
    async fn large_messages_are_read_a_few_at_a_time() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
        append(&outbox, 100).await;
        let size = outbox.peek(0, 1).await.expect("reads")[0].body.len();
        let rows = outbox.peek_some(0, i64::MAX, 100, size * 10).await.expect("reads");
        assert_eq!(rows.len(), 10);
        assert_eq!(outbox.peek_some(0, i64::MAX, 100, 0).await.expect("reads").len(), 1, "one at least");
    }
}
