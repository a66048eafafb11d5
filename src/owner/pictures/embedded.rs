//! Pictures of an embedded environment: notes in table and feed, bytes in its own container.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;

use super::{MOST, PictureFile, PictureSource, merged, seen};
use crate::edge_agent::sky::Limits;
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::storage::Containers;
use crate::ingestion::topology::{Ground, PICTURES};
use crate::ingestion::warehouse::Warehouse;
use crate::owner::client::AskError;
use crate::owner::views::{PicturePlace, PictureView};
use crate::station::PictureTaken;

/// Blobs that are known to be there.
const MOST_SEEN: usize = 4096;

/// Where they are; clones share it.
#[derive(Clone)]
pub struct Embedded {
    warehouse: Warehouse,
    feed: LiveFeed,
    containers: Containers,
    ground: Ground,
    /// Blobs that were seen in the container, so that a list that is asked for again and again doesn't look for each again.
    seen: Arc<Mutex<HashSet<String>>>,
}

impl Embedded {
    /// Notes of `warehouse` and `feed`; bytes in the container that `ground` has devices upload to.
    pub fn new(warehouse: Warehouse, feed: LiveFeed, containers: Containers, ground: Ground) -> Self {
        Self { warehouse, feed, containers, ground, seen: Arc::default() }
    }

    /// The container that pictures are in: the applied one, or the one there is by default.
    fn container(&self) -> String {
        self.ground.peek().upload_container().unwrap_or(PICTURES).to_owned()
    }

    async fn is_there(&self, container: &str, blob_name: &str) -> bool {
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen().contains(blob_name) {
            return true;
        }
        // A store that can't be asked is told of when the picture itself is wanted.
        let is_there = self.containers.exists(container, blob_name).await.unwrap_or(true);
        let mut seen = seen();
        if seen.len() >= MOST_SEEN {
            seen.clear();
        }
        if is_there {
            seen.insert(blob_name.to_owned());
        }
        is_there
    }
}

impl PictureSource for Embedded {
    const AT_ONCE: usize = 1;

    async fn list(&self, from: Timestamp, to: Timestamp, limit: usize) -> Result<Vec<PictureView>, AskError> {
        let (notes, container) = (self.notes(from, to, limit).await?, self.container());
        let mut pictures = Vec::with_capacity(notes.len());
        for note in notes {
            let is_there = self.is_there(&container, &note.blob_name).await;
            pictures.push(seen(note, if is_there { PicturePlace::Uploaded } else { PicturePlace::Absent }));
        }
        Ok(pictures)
    }

    async fn notes(&self, from: Timestamp, to: Timestamp, limit: usize) -> Result<Vec<PictureTaken>, AskError> {
        let stored = self.warehouse.pictures(from, to, limit).await;
        let stored = stored.map_err(|error| AskError::Refused(error.to_string()))?;
        // What the feed has before its batch is loaded.
        Ok(merged(stored, self.feed.pictures(from, to), limit))
    }

    async fn note(&self, blob_name: &str) -> Result<Option<PictureTaken>, AskError> {
        let notes = self.notes(Timestamp::MIN, Timestamp::MAX, MOST).await?;
        Ok(notes.into_iter().find(|note| note.blob_name == blob_name))
    }

    async fn read(&self, blob_name: &str, _max_px: Option<u32>) -> Result<PictureFile, String> {
        let (container, most) = (self.container(), Limits::default().max_bytes as u64);
        let found = self.containers.open_range(&container, blob_name, None).await.map_err(|error| error.to_string())?;
        let Some((meta, pieces)) = found else {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(blob_name);
            return Err("it isn't in the container: it waits on the device still, or was taken away".to_owned());
        };
        if meta.bytes > most {
            return Err(format!("it has {} bytes; at most {most} are read", meta.bytes));
        }
        let whole = pieces.try_fold(Vec::new(), |mut whole, piece| {
            whole.extend_from_slice(&piece);
            futures_util::future::ready(Ok(whole))
        });
        Ok(PictureFile::whole(whole.await.map_err(|error| error.to_string())?.into()))
    }
}
