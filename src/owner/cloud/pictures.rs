//! Pictures of an environment in the cloud: notes that the feed has read, and the container that devices upload to.
//!
//! A picture is shown whether its note was seen or not, and a note whether its picture is there or not. What was fetched is
//! kept in memory for a while: the film strip, the large picture and other viewers ask for the same ones.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;

use crate::edge_agent::sky::Limits;
use crate::ingestion::account::{AccountError, PictureContainer, PicturesStatus, name_tells};
use crate::ingestion::events::{EventsMemory, Noted};
use crate::ingestion::feed::LiveFeed;
use crate::owner::client::AskError;
use crate::owner::pictures::{Kept, PictureFile, PictureSource, merged, seen};
use crate::owner::views::{KnownBy, PicturePlace, PictureView, PictureWatch};
use crate::station::PictureTaken;
use crate::station::text::printable;

/// Bytes of files that are kept.
const KEPT: usize = 16 * 1024 * 1024;
/// Pixels of a thumbnail's longer side, as the agent makes it.
const THUMBNAIL_PX: u32 = 160;

/// Where they are; clones share it.
#[derive(Clone)]
pub(super) struct CloudPictures {
    feed: LiveFeed,
    memory: Option<EventsMemory>,
    container: Option<PictureContainer>,
    files: Arc<Mutex<Kept<String, Bytes>>>,
}

impl CloudPictures {
    /// Notes of `feed` and of its `memory`, which is absent where no feed is read; bytes of `container`, which is absent where
    /// none is watched.
    pub(super) fn new(feed: LiveFeed, memory: Option<EventsMemory>, container: Option<PictureContainer>) -> Self {
        Self { feed, memory, container, files: Arc::new(Mutex::new(Kept::new(KEPT))) }
    }

    /// The notes between two instants with the time that each came, newest first.
    async fn noted(&self, from: Timestamp, to: Timestamp, limit: usize) -> Result<Vec<Noted>, AskError> {
        match &self.memory {
            Some(memory) => memory.pictures(from, to, limit).await.map_err(refused),
            None => Ok(Vec::new()),
        }
    }

    fn is_watched(&self) -> Result<(), AskError> {
        if self.memory.is_none() && self.container.is_none() {
            let words = "pictures: not watched; set azure.pictures_account, and azure.feed for what was seen on them, and start \
                         the owner again";
            return Err(AskError::Refused(words.into()));
        }
        Ok(())
    }

    async fn fetch(&self, container: &PictureContainer, name: &str) -> Result<Option<Bytes>, AccountError> {
        if let Some(kept) = self.files().get(&name.to_owned()) {
            return Ok(Some(kept));
        }
        let found = container.read(name, Limits::default().max_bytes).await?;
        if let Some(bytes) = &found {
            self.files().put(name.to_owned(), bytes.clone(), bytes.len());
        }
        Ok(found)
    }

    fn files(&self) -> std::sync::MutexGuard<'_, Kept<String, Bytes>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PictureSource for CloudPictures {
    const AT_ONCE: usize = 3;

    async fn list(&self, from: Timestamp, to: Timestamp, limit: usize) -> Result<Vec<PictureView>, AskError> {
        self.is_watched()?;
        let stored = self.noted(from, to, limit).await?;
        let live = self.feed.pictures(from, to);
        let look = match &self.container {
            Some(container) => Some(container.known().await),
            None => None,
        };
        let pictures = views(stored, live, look.as_ref(), (from, to), limit);
        match look.and_then(|look| look.trouble) {
            Some(trouble) if pictures.is_empty() => Err(AskError::Refused(printable(&trouble.to_string()))),
            _ => Ok(pictures),
        }
    }

    async fn notes(&self, from: Timestamp, to: Timestamp, limit: usize) -> Result<Vec<PictureTaken>, AskError> {
        self.is_watched()?;
        let stored = self.noted(from, to, limit).await?.into_iter().map(|noted| noted.note).collect();
        Ok(merged(stored, self.feed.pictures(from, to), limit))
    }

    async fn note(&self, blob_name: &str) -> Result<Option<PictureTaken>, AskError> {
        let live = self.feed.pictures(Timestamp::MIN, Timestamp::MAX);
        if let Some(note) = live.into_iter().find(|note| note.blob_name == blob_name) {
            return Ok(Some(note));
        }
        let Some(memory) = &self.memory else { return Ok(None) };
        Ok(memory.picture(blob_name).await.map_err(refused)?.map(|noted| noted.note))
    }

    async fn read(&self, blob_name: &str, max_px: Option<u32>) -> Result<PictureFile, String> {
        let Some(container) = &self.container else {
            return Err("its account isn't watched; set azure.pictures_account and start the owner again".to_owned());
        };
        let words = |error: AccountError| printable(&error.to_string());
        if max_px.is_some_and(|most| most <= THUMBNAIL_PX) {
            let note = self.note(blob_name).await.map_err(|error| error.to_string())?;
            let size = note.as_ref().and_then(|note| note.width_px.zip(note.height_px));
            let listed = || container.status().borrow().blobs.get(blob_name)?.thumbnail.clone();
            if let Some(name) = note.and_then(|note| note.thumbnail).or_else(listed)
                // One that is gone is no loss.
                && let Some(bytes) = self.fetch(container, &name).await.map_err(words)?
            {
                return Ok(PictureFile { bytes, thumbnail_of: Some(size.unwrap_or_default()) });
            }
        }
        match self.fetch(container, blob_name).await.map_err(words)? {
            Some(bytes) => Ok(PictureFile::whole(bytes)),
            None => Err("it isn't in the container: it waits on the device still, or was taken away".to_owned()),
        }
    }
}

fn refused(error: crate::database::DatabaseError) -> AskError {
    AskError::Refused(error.to_string())
}

/// How the container stands, as viewers see it.
pub(super) fn watch(look: &PicturesStatus) -> PictureWatch {
    PictureWatch {
        listed: look.blobs.len() as u64,
        newest: look.newest().map(|file| file.name),
        trouble: look.trouble.as_ref().map(|trouble| printable(&trouble.to_string())),
    }
}

/// Pictures of which there is a note, a blob, or both, taken between two instants (inclusive), newest first.
fn views(
    stored: Vec<Noted>,
    live: Vec<PictureTaken>,
    look: Option<&PicturesStatus>,
    (from, to): (Timestamp, Timestamp),
    limit: usize,
) -> Vec<PictureView> {
    let came: BTreeMap<String, Timestamp> =
        stored.iter().map(|noted| (noted.note.blob_name.clone(), noted.received_at)).collect();
    let notes = merged(stored.into_iter().map(|noted| noted.note).collect(), live, limit);
    let mut known: HashSet<String> = notes.iter().filter_map(|note| note.thumbnail.clone()).collect();
    known.extend(notes.iter().map(|note| note.blob_name.clone()));
    let mut pictures: Vec<PictureView> = Vec::with_capacity(notes.len());
    for note in notes {
        let place = place(&note, came.get(&note.blob_name).copied(), look);
        pictures.push(seen(note, place));
    }
    let blobs = look.into_iter().flat_map(|look| look.blobs.iter()).filter(|(name, _)| !known.contains(*name));
    for (name, blob) in blobs {
        let tells = name_tells(name);
        let taken_at = tells.taken_at.unwrap_or(blob.written_at);
        if (from..=to).contains(&taken_at) {
            pictures.push(PictureView {
                blob_name: name.clone(),
                device_id: tells.device_id.unwrap_or_default(),
                taken_at,
                size_bytes: blob.bytes,
                analysis: None,
                place: PicturePlace::Uploaded,
                known_by: if tells.taken_at.is_some() { KnownBy::Name } else { KnownBy::Writing },
            });
        }
    }
    pictures.sort_by(|a, b| (b.taken_at, &b.blob_name).cmp(&(a.taken_at, &a.blob_name)));
    pictures.truncate(limit);
    pictures
}

/// Where a picture is. Devices tell of it once it is uploaded: it is gone only where it should have been seen since.
fn place(note: &PictureTaken, came_at: Option<Timestamp>, look: Option<&PicturesStatus>) -> PicturePlace {
    let Some((look, looked_at)) = look.and_then(|look| Some((look, look.looked_at?))) else {
        return PicturePlace::Uploaded;
    };
    let is_expected = note.measured_at >= look.since && came_at.is_some_and(|came_at| came_at < looked_at);
    if is_expected && !look.blobs.contains_key(&note.blob_name) { PicturePlace::Absent } else { PicturePlace::Uploaded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingestion::account::PictureBlob;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn note(blob_name: &str, taken: i64) -> PictureTaken {
        PictureTaken::plain(blob_name, at(taken), 8)
    }

    fn noted(blob_name: &str, taken: i64, came: i64) -> Noted {
        Noted { note: note(blob_name, taken), received_at: at(came) }
    }

    fn look(since: i64, looked: i64, blobs: &[(&str, i64)]) -> PicturesStatus {
        let blob = |&(name, written): &(&str, i64)| {
            (name.to_owned(), PictureBlob { bytes: 9, written_at: at(written), thumbnail: None })
        };
        PicturesStatus {
            looked_at: Some(at(looked)),
            since: at(since),
            blobs: Arc::new(blobs.iter().map(blob).collect()),
            ..PicturesStatus::default()
        }
    }

    const EVER: (Timestamp, Timestamp) = (Timestamp::MIN, Timestamp::MAX);

    #[test]
    fn notes_and_blobs_are_one_list_and_each_picture_is_in_it_once() {
        let by_name = "roof-02/2026-01-31/12-00-05-0123abcd.jpg";
        let noon = "2026-01-31T12:00:05Z".parse::<Timestamp>().expect("an instant").as_second();
        let look = look(0, noon, &[("a.jpg", 100), (by_name, noon + 900), ("flat.jpg", 300)]);
        let found = views(vec![noted("a.jpg", 90, 120)], vec![note("b.jpg", 200)], Some(&look), EVER, 9);
        let told: Vec<_> = found
            .iter()
            .map(|view| (view.blob_name.as_str(), view.device_id.as_str(), view.taken_at.as_second(), view.known_by))
            .collect();
        assert_eq!(
            told,
            [
                (by_name, "roof-02", noon, KnownBy::Name),
                ("flat.jpg", "", 300, KnownBy::Writing),
                ("b.jpg", "roof-01", 200, KnownBy::Note),
                ("a.jpg", "roof-01", 90, KnownBy::Note),
            ]
        );
        let before = views(vec![noted("a.jpg", 90, 120)], Vec::new(), Some(&look), (Timestamp::MIN, at(299)), 9);
        assert_eq!(before.len(), 1, "{before:?}");
        assert_eq!(views(Vec::new(), Vec::new(), Some(&look), EVER, 2).len(), 2);
    }

    #[test]
    fn a_thumbnail_that_a_note_names_is_no_picture() {
        let thumbnail = PictureTaken { thumbnail: Some("small/a.jpg".into()), ..note("a.jpg", 90) };
        let look = look(0, 500, &[("a.jpg", 100), ("small/a.jpg", 99)]);
        let found = views(Vec::new(), vec![thumbnail], Some(&look), EVER, 9);
        assert_eq!(found.iter().map(|view| view.blob_name.as_str()).collect::<Vec<_>>(), ["a.jpg"]);
    }

    #[test]
    fn a_picture_is_gone_only_where_a_look_since_its_note_should_have_seen_it() {
        let look = look(1000, 2000, &[("there.jpg", 1100)]);
        let is_absent = |note: &PictureTaken, came: Option<i64>, look: Option<&PicturesStatus>| {
            place(note, came.map(at), look) == PicturePlace::Absent
        };
        assert!(!is_absent(&note("there.jpg", 1100), Some(1200), Some(&look)));
        assert!(is_absent(&note("gone.jpg", 1100), Some(1200), Some(&look)));
        assert!(!is_absent(&note("new.jpg", 1990), Some(2001), Some(&look)), "it came after the look");
        assert!(!is_absent(&note("live.jpg", 1990), None, Some(&look)), "it has just come");
        assert!(!is_absent(&note("old.jpg", 900), Some(950), Some(&look)), "older than what is listed");
        assert!(!is_absent(&note("gone.jpg", 1100), Some(1200), None));
        assert!(!is_absent(&note("gone.jpg", 1100), Some(1200), Some(&PicturesStatus::default())));
    }
}
