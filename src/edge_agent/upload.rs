//! Carries pictures from the spool to the hub's storage, by IoT Hub's file upload, and tells of each.
//!
//! A picture leaves the spool once its message is in the outbox; the message's identity was given when the picture was
//! taken, and the identities of those told of are kept in the same transaction. So a crash anywhere neither loses a
//! picture nor tells of it twice; at worst the same blob is written again.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::sync::watch;

use super::camera::Captured;
use super::files::{Cargo, FileUpload, Lane, UploadError};
use super::outbox::Dated;
use super::shared::{RETRY, Shared};
use super::spool::{Mark, Picture, Spool};
use super::uplink::UplinkSettings;
use crate::database::DatabaseError;
use crate::station::{Message, PictureTaken, SCHEMA_VERSION};

/// The shortest and the longest wait between attempts.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LAST_BACKOFF: Duration = Duration::from_secs(300);
/// Pictures told of that are remembered: more than can be told of between a crash and the next look.
const REMEMBERED: usize = 32;

/// Where they are kept.
const TOLD: &str = "pictures.told";

/// The part of the agent that uploads.
pub(super) struct Uploader {
    pub shared: Arc<Shared>,
    pub spool: Arc<Spool>,
    pub settings: watch::Receiver<UplinkSettings>,
    /// KiB a second at most.
    pub max_kib_per_s: Option<u32>,
}

impl Uploader {
    /// Uploads for good, while the link is connected.
    pub async fn run(mut self) {
        let mut backoff = FIRST_BACKOFF;
        let mut lane = Lane {
            outbox: self.shared.outbox.status(),
            uplink: self.shared.uplink.subscribe(),
            meter: self.shared.meter.clone(),
            max_per_s: self.max_kib_per_s.map(|kib| u64::from(kib) * 1024),
            free_at: tokio::time::Instant::now(),
        };
        loop {
            self.date().await;
            let waits = lane.held().map(str::to_owned);
            let next = self.spool.next(|picture| picture.mark != Mark::Unset);
            let (Some(picture), None) = (next, &waits) else {
                self.say(waits);
                self.wait(&mut lane).await;
                continue;
            };
            match self.carry(&picture, &mut lane).await {
                Ok(()) => {
                    backoff = FIRST_BACKOFF;
                    self.say(None);
                }
                Err(error) => {
                    tracing::warn!(target: "agent", "picture {}: {}", picture.blob_name(), error.words);
                    self.say(Some(error.words));
                    let jittered = backoff.mul_f64(rand::rng().random_range(0.5..1.0));
                    // New settings may be what was missing.
                    tokio::select! {
                        () = tokio::time::sleep(error.retry_after.unwrap_or(jittered)) => {}
                        Ok(()) = self.settings.changed() => {}
                    }
                    backoff = (backoff * 2).min(LAST_BACKOFF);
                }
            }
        }
    }

    /// Waits until there may be something to do.
    async fn wait(&self, lane: &mut Lane) {
        let changed = self.shared.pictures.notified();
        // A picture without its time waits for the clock, which rings like a new picture.
        if self.spool.next(|picture| picture.mark != Mark::Unset).is_none() {
            return changed.await;
        }
        tokio::select! {
            () = changed => {}
            () = lane.ready() => {}
        }
    }

    /// Works out the times of pictures taken while the clock wasn't set.
    async fn date(&self) {
        while let Some(picture) = self.spool.next(|picture| picture.mark == Mark::Unset) {
            let of_this_boot = picture.boot_id == self.shared.boot.boot_id;
            let moment = self.shared.machine.now();
            let offset_ns = match (of_this_boot, moment.is_set()) {
                (true, true) => Some(moment.offset_ns()),
                (true, false) => return,
                (false, _) => match self.shared.outbox.boot_offset(&picture.boot_id).await {
                    Ok(offset) => offset,
                    Err(error) => {
                        return tracing::warn!(target: "agent", "a picture's time can't be looked up: {error}");
                    }
                },
            };
            if let Err(error) = self.spool.redate(&picture, picture.dated(offset_ns)) {
                return tracing::warn!(target: "agent", "a picture can't be given its time: {error}");
            }
        }
    }

    async fn carry(&self, picture: &Picture, lane: &mut Lane) -> Result<(), UploadError> {
        let store = |error: DatabaseError| UploadError { words: error.to_string(), retry_after: None };
        let kept = self.shared.outbox.state(TOLD).await.map_err(store)?;
        let mut told: Vec<String> = kept.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        if !told.iter().any(|id| id == picture.id.as_str()) {
            let note = self.spool.note(picture);
            let (name, thumbnail) = self.upload(picture, lane).await?;
            let message = Message::PictureTaken(PictureTaken {
                device_id: self.shared.device_id.clone(),
                message_id: picture.id.clone(),
                measured_at: picture.taken_at(),
                schema: SCHEMA_VERSION,
                clock: picture.note(),
                blob_name: name.blob_name,
                size_bytes: name.bytes,
                width_px: note.as_ref().map(|note| note.width_px),
                height_px: note.as_ref().map(|note| note.height_px),
                thumbnail,
                analysis: note.and_then(|note| note.analysis),
            });
            told.push(picture.id.as_str().to_owned());
            told.drain(..told.len().saturating_sub(REMEMBERED));
            let state = vec![(TOLD.to_owned(), serde_json::to_string(&told).unwrap_or_default())];
            while let Err(error) =
                self.shared.outbox.append_dated(vec![Dated::from(message.clone())], state.clone()).await
            {
                tracing::error!(target: "agent", "a picture's message waits: {error}");
                tokio::time::sleep(RETRY).await;
            }
            self.shared.report.send_modify(|report| report.camera.get_or_insert_default().uploaded += 1);
        }
        let failed = |error| UploadError { words: format!("the spool: {error}; check the disk"), retry_after: None };
        self.spool.remove(picture).map_err(failed)
    }

    /// The thumbnail first, so that whoever is told of the picture finds both.
    async fn upload(&self, picture: &Picture, lane: &mut Lane) -> Result<(Captured, Option<String>), UploadError> {
        let settings = self.settings.borrow().clone();
        let files = FileUpload::new(&settings).map_err(|words| UploadError { words, retry_after: None })?;
        let sent = self.spool.sent(picture);
        let mut thumbnail = None;
        if let Some((file, bytes)) = self.spool.thumbnail(picture) {
            let name = picture.thumbnail_name();
            let small = Cargo { name: &name, file: &file, bytes, content_type: "image/jpeg", sent: &sent };
            thumbnail = Some(files.upload(small, lane).await?.blob_name);
        }
        let (name, file) = (picture.blob_name(), self.spool.path(picture));
        let content_type = picture.content_type();
        let whole = Cargo { name: &name, file: &file, bytes: picture.bytes, content_type, sent: &sent };
        Ok((files.upload(whole, lane).await?, thumbnail))
    }

    fn say(&self, state: Option<String>) {
        let (waiting, bytes) = self.spool.size();
        self.shared.report.send_if_modified(|report| {
            let camera = report.camera.get_or_insert_default();
            let state = state.filter(|_| waiting > 0);
            let is_new = (camera.waiting, camera.waiting_bytes, &camera.upload_state) != (waiting, bytes, &state);
            (camera.waiting, camera.waiting_bytes, camera.upload_state) = (waiting, bytes, state);
            is_new
        });
    }
}
