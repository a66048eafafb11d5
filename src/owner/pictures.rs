//! Pictures of the sky for viewers: which there are, and each of them decoded, turned upright and made small.
//!
//! What a camera wrote is read here and nowhere else: a viewer gets a JPEG of the owner's own. One picture is decoded at
//! a time, on a thread that may block, and what viewers looked at last is kept.
//!
//! `embedded` where they are in an embedded environment; where they are in the cloud is in `cloud::pictures` · `kept` what was
//! asked for last.

mod embedded;
mod kept;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;

pub use self::embedded::Embedded;
pub use self::kept::Kept;
use super::client::AskError;
use super::sky::OwnCamera;
use super::views::{CloudCover, KnownBy, PicturePlace, PictureView, ShownPicture};
use crate::edge_agent::sky::{self, CloudMask, Lens, Limits};
use crate::station::PictureTaken;
use crate::station::text::printable;

/// Bounds of the longer side that is asked for, pixels.
const SIDES: std::ops::RangeInclusive<u32> = 16..=2048;
/// Quality of what viewers get: no block is seen at a terminal's size.
const QUALITY: u8 = 90;
/// Bytes of answers that are kept.
const KEPT: usize = 8 * 1024 * 1024;
/// Notes that one answer holds at most.
const MOST: usize = 1000;
/// Covers that one answer holds at most.
const MOST_COVERS: usize = 10_000;

/// Where pictures are, and what is known of them.
pub trait PictureSource: Send + Sync + 'static {
    /// Pictures that are read at once at most.
    const AT_ONCE: usize;

    /// The pictures taken between two instants (inclusive), newest first, at most `limit`.
    fn list(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<PictureView>, AskError>> + Send;

    /// The notes of pictures taken between two instants (inclusive), newest first, at most `limit`.
    fn notes(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<PictureTaken>, AskError>> + Send;

    /// The note of one picture.
    fn note(&self, blob_name: &str) -> impl Future<Output = Result<Option<PictureTaken>, AskError>> + Send;

    /// A picture's file, at most [`Limits::max_bytes`] of it; where no more than `max_px` of its longer side are needed, its
    /// thumbnail will do. Errors say what is wrong, and what to do.
    fn read(&self, blob_name: &str, max_px: Option<u32>) -> impl Future<Output = Result<PictureFile, String>> + Send;
}

/// What was read of a picture.
pub struct PictureFile {
    /// A JPEG or a PNG.
    pub bytes: Bytes,
    /// Where it is the thumbnail: the picture's own size, pixels, 0 where it isn't known.
    pub thumbnail_of: Option<(u32, u32)>,
}

impl PictureFile {
    /// The picture itself.
    pub const fn whole(bytes: Bytes) -> Self {
        Self { bytes, thumbnail_of: None }
    }
}

/// The pictures; clones share them.
#[derive(Clone)]
pub struct Pictures<S> {
    source: S,
    /// A picture has its lane by its name, so that what several ask for is read once.
    lanes: Arc<[tokio::sync::Mutex<()>]>,
    /// One is decoded at a time.
    decoding: Arc<tokio::sync::Mutex<()>>,
    kept: Arc<Mutex<Kept<Asked, Arc<ShownPicture>>>>,
    /// How the camera sees the sky, or what is wrong with its settings.
    camera: Arc<Result<OwnCamera, String>>,
}

/// A picture as it is asked for: its blob, its longer side, whether the mask is drawn over it.
type Asked = (String, u32, bool);

impl<S: PictureSource> Pictures<S> {
    /// The pictures of `source`, taken by a camera that sees the sky like this.
    pub fn new(source: S, camera: Result<OwnCamera, String>) -> Self {
        Self {
            source,
            lanes: (0..S::AT_ONCE).map(|_| tokio::sync::Mutex::default()).collect(),
            decoding: Arc::default(),
            kept: Arc::new(Mutex::new(Kept::new(KEPT))),
            camera: Arc::new(camera),
        }
    }

    /// Pictures taken before an instant, newest first, and where each is.
    pub async fn list(&self, before: Option<Timestamp>, limit: usize) -> Result<Vec<PictureView>, AskError> {
        let to = match before {
            Some(before) => before.checked_sub(jiff::SignedDuration::from_millis(1)).unwrap_or(Timestamp::MIN),
            None => Timestamp::MAX,
        };
        self.source.list(Timestamp::MIN, to, limit.min(MOST)).await
    }

    /// The cover that pictures between two instants showed, oldest first.
    pub async fn covers(&self, from: Timestamp, to: Timestamp) -> Result<Vec<CloudCover>, AskError> {
        let mut notes = self.source.notes(from, to, MOST_COVERS).await?;
        notes.reverse();
        let cover = |note: PictureTaken| {
            let analysis = note.analysis?;
            Some(CloudCover { at: note.measured_at, cover_pct: analysis.cloud_cover_pct?, okta: analysis.okta })
        };
        Ok(notes.into_iter().filter_map(cover).collect())
    }

    /// One picture. Errors name it, what is wrong with it, and what to do.
    pub async fn one(&self, blob_name: String, max_px: u32, overlay: bool) -> Result<Arc<ShownPicture>, AskError> {
        let refused = |why: String| AskError::Refused(format!("picture {}: {why}", printable(&blob_name)));
        if !SIDES.contains(&max_px) {
            let (least, most) = (SIDES.start(), SIDES.end());
            return Err(refused(format!("{max_px} pixels were asked for; ask for {least} to {most}")));
        }
        let asked = (blob_name.clone(), max_px, overlay);
        if let Some(answer) = self.kept(&asked) {
            return Ok(answer);
        }
        let _lane = self.lane(&blob_name).lock().await;
        // Whoever had the turn before may have asked for the same.
        if let Some(answer) = self.kept(&asked) {
            return Ok(answer);
        }
        let note = if overlay {
            Some(self.source.note(&blob_name).await?.ok_or_else(|| refused(NO_NOTE.to_owned()))?)
        } else {
            None
        };
        // What is seen on it is seen on the whole picture.
        let file = self.source.read(&blob_name, (!overlay).then_some(max_px)).await.map_err(refused)?;
        // Whoever asked may leave; what is decoded then has its turn still.
        let turn = Arc::clone(&self.decoding).lock_owned().await;
        let (name, camera) = (blob_name.clone(), Arc::clone(&self.camera));
        let shown = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            shown(name, &file, max_px, note.as_ref(), &camera)
        });
        let shown = shown.await.unwrap_or_else(|_| Err("decoding was interrupted; ask again".to_owned()));
        let answer = Arc::new(shown.map_err(refused)?);
        self.lock().put(asked, Arc::clone(&answer), answer.jpeg.len());
        Ok(answer)
    }

    fn kept(&self, asked: &Asked) -> Option<Arc<ShownPicture>> {
        self.lock().get(asked)
    }

    fn lane(&self, blob_name: &str) -> &tokio::sync::Mutex<()> {
        let mut hasher = DefaultHasher::new();
        blob_name.hash(&mut hasher);
        let lanes = self.lanes.len().max(1) as u64;
        &self.lanes[usize::try_from(hasher.finish() % lanes).unwrap_or(0)]
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept<Asked, Arc<ShownPicture>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without a note it isn't known how the sun stood, or whether the picture was drawn.
const NO_NOTE: &str = "no note tells when it was taken, so no cloud mask can be drawn; ask without";

/// Notes that were stored and notes that have just come, newest first, each picture once.
pub fn merged(stored: Vec<PictureTaken>, live: Vec<PictureTaken>, limit: usize) -> Vec<PictureTaken> {
    let mut notes: BTreeMap<(Timestamp, String), PictureTaken> = BTreeMap::new();
    for note in stored.into_iter().chain(live) {
        notes.insert((note.measured_at, note.blob_name.clone()), note);
    }
    notes.into_values().rev().take(limit).collect()
}

/// A picture as its note tells of it.
pub fn seen(note: PictureTaken, place: PicturePlace) -> PictureView {
    PictureView {
        blob_name: note.blob_name,
        device_id: note.device_id,
        taken_at: note.measured_at,
        size_bytes: note.size_bytes,
        analysis: note.analysis,
        place,
        known_by: KnownBy::Note,
    }
}

/// Decodes a picture and makes it small; with its note, its cloud mask is drawn over it. It blocks.
fn shown(
    blob_name: String,
    file: &PictureFile,
    max_px: u32,
    note: Option<&PictureTaken>,
    camera: &Result<OwnCamera, String>,
) -> Result<ShownPicture, String> {
    let limits = Limits { wanted_px: max_px.max(Limits::default().wanted_px), ..Limits::default() };
    let decoded = sky::decode(&file.bytes, &limits).map_err(|error| printable(&error.to_string()))?;
    let picture = decoded.picture;
    let (original_width, original_height) = file.thumbnail_of.unwrap_or_else(|| picture.full_size());
    let mut small = picture.shrunk(max_px);
    let mut words = None;
    if let Some(note) = note {
        let camera = camera.clone().map_err(|why| format!("no cloud mask: {}", printable(&why)))?;
        let mut setup = camera.into_setup();
        if note.analysis.as_ref().is_some_and(|features| features.rendered) {
            setup.lens.get_or_insert(Lens::DRAWN);
        }
        let seen = sky::analyse(&picture, &setup, note.measured_at, None, None);
        small = sky::overlay(&small, &seen.mask, seen.sun);
        words = Some(mask_in_words(&seen.mask, seen.features.method.as_deref().unwrap_or("no rule")));
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
        taken_at: camera.as_ref().ok().and_then(|camera| camera.time(&decoded.exif)),
    })
}

/// What the mask shows, in words.
fn mask_in_words(mask: &CloudMask, rule: &str) -> String {
    match mask.cover() {
        Some(cover) => format!("mask by {rule}: {:.0} % cloud", cover * 100.0),
        None => "mask: nothing could be judged on this picture".to_owned(),
    }
}

#[cfg(test)]
mod tests;
