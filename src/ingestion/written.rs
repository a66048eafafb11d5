//! What was written to a container lately.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::batching::BatchError;
use super::enqueued::{EnqueuedLog, KnownBatch};
use super::routing::UNROUTED;
use super::storage::Containers;
use super::topology::Topology;

/// How far back batches are remembered.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// Batches of that time that are remembered at most: one each nine seconds.
pub const MOST: usize = 10_000;

/// A blob that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchFile {
    /// Its name in the container.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// When it was written: by the account's clock, or in the pipeline's time.
    pub written_at: Timestamp,
}

/// The newest batch of a container, and those of the 24 hours before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// The newest.
    pub newest: Option<BatchFile>,
    /// When each was written, and its bytes; oldest first.
    recent: VecDeque<(Timestamp, u64)>,
}

impl Written {
    /// Remembers a batch; those come in order of time.
    pub fn push(&mut self, file: BatchFile) {
        let since = file.written_at.checked_sub(REMEMBERED).unwrap_or(file.written_at);
        self.recent.push_back((file.written_at, file.bytes));
        while self.recent.len() > MOST || self.recent.front().is_some_and(|(at, _)| *at < since) {
            self.recent.pop_front();
        }
        self.newest = Some(file);
    }

    /// Batches in each of the 24 hours before `now`, their bytes, and how many are empty.
    #[must_use]
    pub fn last_day(&self, now: Timestamp) -> Day {
        Day::of(self.recent.iter().copied(), now)
    }
}

/// The batches of 24 hours, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// Batches in each of them, the newest hour last.
    pub per_hour: Vec<u32>,
    /// Bytes of them all.
    pub bytes: u64,
    /// Those that are empty.
    pub empty: u64,
}

impl Day {
    /// Counts what was written in the 24 hours before `now`, each with its bytes. What is later than `now` is of the last
    /// hour: clocks differ.
    #[must_use]
    pub fn of(written: impl Iterator<Item = (Timestamp, u64)>, now: Timestamp) -> Self {
        let mut day = Self { per_hour: vec![0; 24], bytes: 0, empty: 0 };
        for (at, bytes) in written {
            let hours = usize::try_from(now.duration_since(at).as_hours()).unwrap_or(0);
            let Some(count) = day.per_hour.iter_mut().rev().nth(hours) else { continue };
            *count += 1;
            day.bytes += bytes;
            day.empty += u64::from(bytes == 0);
        }
        day
    }
}

/// The newest blobs of a container of this environment, newest first, at most `limit`. Those of which only the name is known
/// are looked at, and those that aren't there are left out.
pub async fn batch_files(
    log: &EnqueuedLog,
    containers: &Containers,
    container: &str,
    limit: usize,
) -> Result<Vec<BatchFile>, BatchError> {
    let mut files = Vec::new();
    for KnownBatch { name, bytes, cut_at } in log.batches(container, limit).await? {
        let bytes = match bytes {
            Some(bytes) => Some(bytes),
            None => containers.size(container, &name).await?,
        };
        files.extend(bytes.map(|bytes| BatchFile { name, bytes, written_at: cut_at }));
    }
    Ok(files)
}

/// What was written before the start, by container: of those that the hub writes to. What can't be read is told in the log.
pub(super) async fn recall(
    log: &EnqueuedLog,
    containers: &Containers,
    topology: &Topology,
) -> BTreeMap<String, Arc<Written>> {
    let endpoints = topology.hub.iter().flat_map(|hub| &hub.endpoints).map(|endpoint| endpoint.container.as_str());
    let mut found = BTreeMap::new();
    for container in endpoints.chain([UNROUTED]) {
        let files = match batch_files(log, containers, container, MOST).await {
            Ok(files) => files,
            Err(error) => {
                tracing::error!(target: "ingestion", "container {container}: what was written lately isn't known: {error}");
                continue;
            }
        };
        let since = files.first().and_then(|newest| newest.written_at.checked_sub(REMEMBERED).ok());
        let mut written = Written::default();
        for file in files.into_iter().rev().filter(|file| since.is_none_or(|since| file.written_at >= since)) {
            written.push(file);
        }
        if written.newest.is_some() {
            found.insert(container.to_owned(), Arc::new(written));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(minute: i64, bytes: u64) -> BatchFile {
        let written_at = Timestamp::from_second(1_700_000_000 + minute * 60).expect("in range");
        BatchFile { name: format!("b/{minute}"), bytes, written_at }
    }

    #[test]
    fn a_day_is_remembered_and_counted_by_the_hour() {
        let mut written = Written::default();
        for (minute, bytes) in [(0, 5), (30, 7), (60 * 23, 0), (60 * 24 + 10, 9)] {
            written.push(file(minute, bytes));
        }
        // The first is older than a day before the newest.
        assert_eq!(written.recent.len(), 3);
        let now = file(60 * 24 + 20, 0).written_at;
        let day = written.last_day(now);
        assert_eq!((day.bytes, day.empty, day.per_hour.len()), (16, 1, 24));
        // 23 h 50 min, 80 min and 10 min ago.
        let counted: Vec<_> = day.per_hour.iter().enumerate().filter(|(_, count)| **count > 0).collect();
        assert_eq!(counted, [(0, &1), (22, &1), (23, &1)]);
        assert_eq!(written.newest, Some(file(60 * 24 + 10, 9)));
        // A day later nothing is counted, and the newest is still known.
        let later = written.last_day(file(60 * 50, 0).written_at);
        assert_eq!((later.per_hour.iter().sum::<u32>(), later.bytes), (0, 0));
    }
}
