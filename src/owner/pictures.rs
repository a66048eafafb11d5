//! Pictures of the sky for viewers: which there are, and each of them decoded, turned upright and made small.
//!
//! What a camera wrote is read here and nowhere else: a viewer gets a JPEG of the owner's own. One picture is decoded at
//! a time, on a thread that may block, and what viewers looked at last is kept.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt as _;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::client::AskError;
use super::views::{CloudCover, PicturePlace, PictureView, ShownPicture};
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::storage::Containers;
use crate::ingestion::warehouse::Warehouse;
use crate::station::PictureTaken;
use crate::station::text::printable;

/// The largest picture that is read, bytes: what the agent takes from a camera at most.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// The largest picture that is decoded, pixels; in memory a pixel takes three bytes.
const MAX_PIXELS: u64 = 50_000_000;
/// Memory that a decoder may take, bytes.
const MAX_MEMORY: u64 = 256 * 1024 * 1024;
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
    /// One is decoded at a time: a picture of 50 megapixels takes 150 MB meanwhile.
    gate: Arc<Semaphore>,
    kept: Arc<Mutex<Kept>>,
    /// Blobs that were seen in the container, so that a list that is asked for again and again doesn't look for each again.
    seen: Arc<Mutex<HashSet<String>>>,
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
    /// The pictures in `containers`.
    pub fn new(containers: Containers) -> Self {
        Self { containers, gate: Arc::new(Semaphore::new(1)), kept: Arc::default(), seen: Arc::default() }
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
        let bytes = self.read(container, &blob_name).await.map_err(refused)?;
        let name = blob_name.clone();
        let shown = tokio::task::spawn_blocking(move || shown(name, &bytes, max_px, overlay));
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

/// Decodes a picture and makes it small. It blocks.
fn shown(blob_name: String, bytes: &[u8], max_px: u32, overlay: bool) -> Result<ShownPicture, String> {
    let picture = decode(bytes)?;
    let (original_width, original_height) = (picture.width(), picture.height());
    if overlay {
        return Err("no cloud mask can be drawn over it".to_owned());
    }
    let small = if original_width.max(original_height) > max_px {
        // The mean of the pixels that fall into one: fast, and good where it is made much smaller.
        picture.thumbnail(max_px, max_px)
    } else {
        picture
    };
    let small = small.into_rgb8();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode_image(&small)
        .map_err(|error| format!("it can't be made small: {error}"))?;
    Ok(ShownPicture {
        blob_name,
        width: small.width(),
        height: small.height(),
        original_width,
        original_height,
        jpeg: STANDARD.encode(jpeg),
        mask: None,
    })
}

/// A picture from its file, turned as its EXIF says. Its size is looked at before anything is decoded.
fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    if !matches!(reader.format(), Some(ImageFormat::Jpeg | ImageFormat::Png)) {
        return Err("it is neither a JPEG nor a PNG".to_owned());
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let broken = |error: image::ImageError| format!("it can't be decoded: {}", printable(&error.to_string()));
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        return Err(format!(
            "it has {width}×{height} pixels, {} megapixels; at most {} are decoded",
            pixels / 1_000_000,
            MAX_PIXELS / 1_000_000
        ));
    }
    let orientation = decoder.orientation().map_err(broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

#[cfg(test)]
mod tests;
