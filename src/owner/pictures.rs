//! Pictures of the sky for viewers: which there are, and each of them decoded, turned upright and made small.
//!
//! What a camera wrote is read here and nowhere else: a viewer gets a JPEG of the owner's own. One picture is decoded at
//! a time, on a thread that may block, and what viewers looked at last is kept.

mod mask;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::client::AskError;
use super::views::{CloudCover, PicturePlace, PictureView, ShownPicture};
use crate::edge_agent::sky::{self, Limits, SkySetup};
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::storage::Containers;
use crate::ingestion::warehouse::Warehouse;
use crate::station::PictureTaken;
use crate::station::text::printable;

/// The largest picture that is read, bytes: what the agent takes from a camera at most.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// Bounds of the longer side that is asked for, pixels.
const SIDES: std::ops::RangeInclusive<u32> = 16..=2048;
/// Quality of what viewers get: no block is seen at a terminal's size.
const QUALITY: u8 = 90;
/// Bytes of answers that are kept.
const KEPT: usize = 8 * 1024 * 1024;
/// Notes that one answer holds at most.
const MOST: usize = 1000;
/// Blobs that are known to be there.
const MOST_SEEN: usize = 4096;

/// The pictures; clones share them.
#[derive(Clone)]
pub struct Pictures {
    containers: Containers,
    /// One is decoded at a time.
    gate: Arc<Semaphore>,
    kept: Arc<Mutex<Kept>>,
    /// Blobs that were seen in the container, so that a list that is asked for again and again doesn't look for each again.
    seen: Arc<Mutex<HashSet<String>>>,
    /// How the camera sees the sky, or what is wrong with its settings.
    setup: Arc<Result<SkySetup, String>>,
}

/// A picture as it is asked for: its blob, its longer side, whether the mask is drawn over it.
type Asked = (String, u32, bool);

/// Answers, the one that was looked at last at the end.
#[derive(Default)]
struct Kept {
    answers: VecDeque<(Asked, Arc<ShownPicture>)>,
    bytes: usize,
}

impl Kept {
    fn get(&mut self, asked: &Asked) -> Option<Arc<ShownPicture>> {
        let at = self.answers.iter().position(|(known, _)| known == asked)?;
        let found = self.answers.remove(at)?;
        let answer = Arc::clone(&found.1);
        self.answers.push_back(found);
        Some(answer)
    }

    fn put(&mut self, asked: Asked, answer: Arc<ShownPicture>) {
        self.bytes += answer.jpeg.len();
        self.answers.push_back((asked, answer));
        while self.bytes > KEPT {
            let Some((_, oldest)) = self.answers.pop_front() else { break };
            self.bytes -= oldest.jpeg.len();
        }
    }
}

impl Pictures {
    /// The pictures in `containers`, taken by a camera that sees the sky like this.
    pub fn new(containers: Containers, setup: Result<SkySetup, String>) -> Self {
        let gate = Arc::new(Semaphore::new(1));
        Self { containers, gate, kept: Arc::default(), seen: Arc::default(), setup: Arc::new(setup) }
    }

    /// Pictures taken before an instant, newest first, and where each is.
    pub async fn list(
        &self,
        (warehouse, feed): (&Warehouse, &LiveFeed),
        container: &str,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<PictureView>, AskError> {
        let to = match before {
            Some(before) => before.checked_sub(jiff::SignedDuration::from_millis(1)).unwrap_or(Timestamp::MIN),
            None => Timestamp::MAX,
        };
        let notes = notes(warehouse, feed, Timestamp::MIN, to, limit.min(MOST)).await?;
        let mut pictures = Vec::with_capacity(notes.len());
        for note in notes {
            let is_there = self.is_there(container, &note.blob_name).await;
            pictures.push(PictureView {
                blob_name: note.blob_name,
                device_id: note.device_id,
                taken_at: note.measured_at,
                size_bytes: note.size_bytes,
                analysis: note.analysis,
                place: if is_there { PicturePlace::Uploaded } else { PicturePlace::Absent },
            });
        }
        Ok(pictures)
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

    /// One picture. Errors name it, what is wrong with it, and what to do.
    pub async fn one(
        &self,
        known: (&Warehouse, &LiveFeed),
        container: &str,
        blob_name: String,
        max_px: u32,
        overlay: bool,
    ) -> Result<Arc<ShownPicture>, AskError> {
        let refused = |why: String| AskError::Refused(format!("picture {}: {why}", printable(&blob_name)));
        if !SIDES.contains(&max_px) {
            return Err(refused(format!(
                "{max_px} pixels were asked for; ask for {} to {}",
                SIDES.start(),
                SIDES.end()
            )));
        }
        let asked = (blob_name.clone(), max_px, overlay);
        if let Some(answer) = self.lock().get(&asked) {
            return Ok(answer);
        }
        let Ok(_turn) = self.gate.acquire().await else {
            return Err(refused("the owner is ending".to_owned()));
        };
        // Whoever had the turn before may have asked for the same.
        if let Some(answer) = self.lock().get(&asked) {
            return Ok(answer);
        }
        let mask_at = if overlay { Some(taken_at(known, &blob_name).await?) } else { None };
        let bytes = self.read(container, &blob_name).await.map_err(refused)?;
        let (name, setup) = (blob_name.clone(), Arc::clone(&self.setup));
        let shown = tokio::task::spawn_blocking(move || shown(name, &bytes, max_px, mask_at, &setup));
        let shown = shown.await.unwrap_or_else(|_| Err("decoding was interrupted; ask again".to_owned()));
        let answer = Arc::new(shown.map_err(refused)?);
        self.lock().put(asked, Arc::clone(&answer));
        Ok(answer)
    }

    async fn read(&self, container: &str, blob_name: &str) -> Result<Vec<u8>, String> {
        let found = self.containers.open_range(container, blob_name, None).await.map_err(|error| error.to_string())?;
        let Some((meta, pieces)) = found else {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(blob_name);
            return Err("it isn't in the container: it waits on the device still, or was taken away".to_owned());
        };
        if meta.bytes > MAX_BYTES {
            return Err(format!("it has {} bytes; at most {MAX_BYTES} are read", meta.bytes));
        }
        let whole = pieces.try_fold(Vec::new(), |mut whole, piece| {
            whole.extend_from_slice(&piece);
            futures_util::future::ready(Ok(whole))
        });
        whole.await.map_err(|error| error.to_string())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The notes of pictures between two instants, newest first: the table's, and what the feed has before its batch is loaded.
async fn notes(
    warehouse: &Warehouse,
    feed: &LiveFeed,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Result<Vec<PictureTaken>, AskError> {
    let stored = warehouse.pictures(from, to, limit).await.map_err(|error| AskError::Refused(error.to_string()))?;
    let mut notes: BTreeMap<(Timestamp, String), PictureTaken> = BTreeMap::new();
    for note in stored.into_iter().chain(feed.pictures(from, to)) {
        notes.insert((note.measured_at, note.blob_name.clone()), note);
    }
    Ok(notes.into_values().rev().take(limit).collect())
}

/// When a picture was taken, which its cloud mask needs: the sun stands elsewhere at every hour.
async fn taken_at((warehouse, feed): (&Warehouse, &LiveFeed), blob_name: &str) -> Result<Timestamp, AskError> {
    let notes = notes(warehouse, feed, Timestamp::MIN, Timestamp::MAX, MOST).await?;
    let found = notes.into_iter().find(|note| note.blob_name == blob_name);
    found.map(|note| note.measured_at).ok_or_else(|| {
        let name = printable(blob_name);
        AskError::Refused(format!(
            "picture {name}: no note tells when it was taken, so no cloud mask can be drawn; ask without"
        ))
    })
}

/// The cover that pictures between two instants showed, oldest first; at most `limit`, the newest.
pub async fn covers(
    warehouse: &Warehouse,
    feed: &LiveFeed,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Result<Vec<CloudCover>, AskError> {
    let mut notes = notes(warehouse, feed, from, to, limit).await?;
    notes.reverse();
    let cover = |note: PictureTaken| {
        let analysis = note.analysis?;
        Some(CloudCover { at: note.measured_at, cover_pct: analysis.cloud_cover_pct?, okta: analysis.okta })
    };
    Ok(notes.into_iter().filter_map(cover).collect())
}

/// Decodes a picture and makes it small; with the time it was taken at, its cloud mask is drawn over it. It blocks.
fn shown(
    blob_name: String,
    bytes: &[u8],
    max_px: u32,
    mask_at: Option<Timestamp>,
    setup: &Result<SkySetup, String>,
) -> Result<ShownPicture, String> {
    let limits = Limits { wanted_px: max_px.max(Limits::default().wanted_px), ..Limits::default() };
    let picture = sky::decode(bytes, &limits).map_err(|error| printable(&error.to_string()))?.picture;
    let (original_width, original_height) = picture.full_size();
    let mut small = picture.shrunk(max_px);
    let mut words = None;
    if let Some(taken_at) = mask_at {
        let setup = setup.as_ref().map_err(|why| format!("no cloud mask: {}", printable(why)))?;
        let seen = sky::analyse(&picture, setup, taken_at, None, None);
        small = mask::drawn(&small, &seen.mask).unwrap_or(small);
        words = Some(mask::words(&seen.mask, seen.features.method.as_deref().unwrap_or("no rule")));
    }
    let jpeg = sky::encode::jpeg(&small, QUALITY, None).map_err(|error| format!("it can't be made small: {error}"))?;
    Ok(ShownPicture {
        blob_name,
        width: small.width(),
        height: small.height(),
        original_width,
        original_height,
        jpeg: STANDARD.encode(jpeg),
        mask: words,
    })
}

#[cfg(test)]
mod tests;
