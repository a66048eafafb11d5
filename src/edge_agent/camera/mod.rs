//! The camera: from a source to a picture in the spool, and what was seen on it.
//!
//! - [`source`]: which camera the settings name; [`command`], [`device`], [`folder`], [`snapshot`], [`drawn`]: one a file
//! - [`judge`]: decoded within limits, time and place written by [`exif`], analysed, made small
//! - [`newest`]: the newest features, for measurements, and the light, for pictures
//!
//! A picture that can't be used is kept aside with its reason; the next goes on.

mod command;
mod device;
mod drawn;
mod exif;
mod folder;
mod judge;
pub(super) mod newest;
pub(super) mod preview;
mod snapshot;
mod source;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

pub(super) use self::judge::setup;
use self::judge::{Facts, Judge, Judged};
pub(super) use self::source::CameraSource;
use super::shared::Shared;
use super::sky::{Format, SkySetup};
use super::spool::{Mark, Note, Picture, Spool};
use crate::database::FolderWatch;
use crate::station::MessageId;

/// The largest picture taken, bytes.
pub(super) const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// The largest that is kept aside when it can't be used, bytes.
const MAX_ASIDE_BYTES: u64 = 4 * 1024 * 1024;
/// Least wall time between two drawn pictures, however fast a replay runs.
const DRAWN_LEAST: Duration = Duration::from_secs(2);
/// Wall time before a folder that can't be watched is tried again.
const WATCH_RETRY: Duration = Duration::from_secs(60);

/// Where the count of pictures given up is kept.
pub(super) const GIVEN_UP: &str = "pictures.given_up";
/// Where the newest picture taken from a folder is kept.
const FOLDER_MARK: &str = "camera.folder";

/// Asks for a picture.
#[derive(Debug)]
pub(super) struct CaptureAsk {
    /// Where the answer goes.
    pub reply: Option<oneshot::Sender<Result<Captured, String>>>,
}

/// A picture that is in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Captured {
    /// The blob's name to be, with the device's.
    pub blob_name: String,
    pub bytes: u64,
}

/// The camera.
pub(super) struct Camera {
    shared: Arc<Shared>,
    source: CameraSource,
    spool: Arc<Spool>,
    setup: SkySetup,
    /// Away while it looks at a picture.
    judge: Option<Judge>,
    /// The newest picture taken from a folder.
    mark: Option<String>,
    watch: Option<FolderWatch>,
}

/// When a picture was taken, as far as is known.
struct Moment {
    at: Timestamp,
    is_known: bool,
    boot_ms: i64,
}

impl Camera {
    /// Opens what it remembers of earlier pictures.
    pub async fn open(
        shared: Arc<Shared>,
        source: CameraSource,
        mut setup: SkySetup,
        spool: Arc<Spool>,
    ) -> Result<Self, crate::database::DatabaseError> {
        let mark = shared.outbox.state(FOLDER_MARK).await?;
        if let CameraSource::Drawn(lens) = source {
            setup.lens = Some(lens);
        }
        let judge = Judge::open(&shared.folder, setup.clone(), shared.station.clone());
        let words = source.words();
        shared.report.send_modify(|report| report.camera.get_or_insert_default().source = words);
        Ok(Self { shared, source, spool, setup, judge: Some(judge), mark, watch: None })
    }

    /// Takes pictures for good: when asked, at the interval, and of a folder without an interval each new one.
    pub async fn run(mut self, mut asks: mpsc::Receiver<CaptureAsk>) {
        let mut effective = self.shared.effective.subscribe();
        let mut last = tokio::time::Instant::now();
        loop {
            let every = effective.borrow_and_update().capture_every_min;
            let reply = tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => ask.reply,
                    None => return,
                },
                () = self.due(every, last) => None,
                changed = effective.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            if reply.is_none() {
                last = tokio::time::Instant::now();
                if self.has_nothing_new() {
                    continue;
                }
            }
            let outcome = self.capture().await;
            self.say(&outcome);
            if let Some(reply) = reply {
                // Whoever asked may have gone; the picture is in the spool.
                drop(reply.send(outcome));
            }
        }
    }

    /// Waits until the next picture is due.
    async fn due(&mut self, every_min: Option<u32>, last: tokio::time::Instant) {
        match (&self.source, every_min) {
            (CameraSource::Drawn(_), Some(minutes)) => {
                tokio::time::sleep_until(last + DRAWN_LEAST).await;
                self.shared.clock.sleep_until(next_multiple(self.shared.clock.now(), minutes)).await;
            }
            (_, Some(minutes)) => tokio::time::sleep_until(last + Duration::from_secs(60 * u64::from(minutes))).await,
            (CameraSource::Folder(folder), None) => {
                if self.watch.is_none() {
                    match FolderWatch::start(folder) {
                        // What came before it was watched is seen at once.
                        Ok(watch) => return self.watch = Some(watch),
                        Err(error) => {
                            let words = error.to_string();
                            self.shared.report.send_modify(|report| {
                                report.camera.get_or_insert_default().last_error = Some(words);
                            });
                            return tokio::time::sleep(WATCH_RETRY).await;
                        }
                    }
                }
                match &self.watch {
                    Some(watch) => watch.changed().await,
                    None => std::future::pending().await,
                }
            }
            (_, None) => std::future::pending().await,
        }
    }

    /// Whether a folder holds nothing that wasn't taken: no reason to fail at the interval.
    fn has_nothing_new(&self) -> bool {
        match &self.source {
            CameraSource::Folder(path) => folder::newest(path, self.mark.as_deref()) == Ok(None),
            _ => false,
        }
    }

    fn say(&self, outcome: &Result<Captured, String>) {
        let at = self.shared.clock.now();
        let (waiting, bytes) = self.spool.size();
        if let Err(words) = outcome {
            tracing::warn!(target: "agent", "camera: {words}");
        }
        self.shared.report.send_modify(|report| {
            let camera = report.camera.get_or_insert_default();
            (camera.waiting, camera.waiting_bytes) = (waiting, bytes);
            match outcome {
                Ok(_) => {
                    camera.taken += 1;
                    camera.last_taken_at = Some(at);
                    camera.last_error = None;
                }
                Err(words) => {
                    camera.failed += 1;
                    camera.last_error = Some(words.clone());
                }
            }
        });
    }

    async fn capture(&mut self) -> Result<Captured, String> {
        let machine = self.shared.machine.now();
        let now = if self.shared.is_wall { machine.wall } else { self.shared.clock.now() };
        let mut moment = Moment {
            at: whole_ms(now),
            is_known: !self.shared.is_wall || machine.is_set(),
            boot_ms: machine.boot_ns / 1_000_000,
        };
        let id = MessageId::new(now);
        let draft = self.spool.draft(&id);
        let taken = match self.take(&draft, &mut moment).await {
            Ok(()) => self.look(&draft, &moment).await,
            Err(words) => Err(words),
        };
        let judged = match taken {
            Ok(judged) => judged,
            Err(words) => {
                if let Err(error) = self.spool.set_aside(&draft, &id, &words, MAX_ASIDE_BYTES) {
                    tracing::warn!(target: "agent", "camera: what it wrote can't be kept aside: {error}");
                }
                return Err(words);
            }
        };
        if let Some(mark) = &self.mark
            && matches!(self.source, CameraSource::Folder(_))
            && let Err(error) = self.shared.outbox.put_state(vec![(FOLDER_MARK.to_owned(), mark.clone())]).await
        {
            tracing::warn!(target: "agent", "the folder's picture may be taken again at the next start: {error}");
        }
        self.keep(&draft, id, &moment, judged).await
    }

    /// Has the source write its picture to `draft`.
    async fn take(&mut self, draft: &Path, moment: &mut Moment) -> Result<(), String> {
        match &self.source {
            CameraSource::Command(program) => program.take(draft).await,
            CameraSource::Device(device) => device.take(draft).await,
            CameraSource::Url(snapshot) => snapshot.take(draft).await,
            CameraSource::Folder(path) => {
                let found = folder::take(path, self.mark.as_deref(), draft).await?;
                // It was taken when it was written; a time to come is a wrong one.
                if let Some(at) = found.at().filter(|at| moment.is_known && *at <= moment.at) {
                    let ago_ms = moment.at.duration_since(at).as_millis();
                    moment.boot_ms = moment.boot_ms.saturating_sub(i64::try_from(ago_ms).unwrap_or(i64::MAX)).max(0);
                    moment.at = whole_ms(at);
                }
                self.mark = Some(found.mark());
                Ok(())
            }
            CameraSource::Drawn(lens) => {
                let (at, lens, station) = (moment.at, *lens, self.shared.station.clone());
                let clearness = self.shared.newest.clearness(at, &station);
                let clearness = clearness.or_else(|| self.shared.newest.last_clearness());
                let clearness =
                    clearness.ok_or("no light was measured by day yet, so that nothing tells how cloudy the sky is")?;
                let draft = draft.to_owned();
                let drawn = tokio::task::spawn_blocking(move || drawn::draw(&draft, at, clearness, lens, &station));
                drawn.await.map_err(|_| "the agent is ending")?
            }
        }
    }

    /// Looks at the picture on a thread that may block; the newest features are told.
    async fn look(&mut self, draft: &Path, moment: &Moment) -> Result<Judged, String> {
        // After a picture that brought it down it begins anew.
        let opened = || Judge::open(&self.shared.folder, self.setup.clone(), self.shared.station.clone());
        let mut judge = self.judge.take().unwrap_or_else(opened);
        let facts = Facts {
            taken_at: moment.is_known.then_some(moment.at),
            clearness: self.shared.newest.clearness(moment.at, &self.shared.station),
            rendered: matches!(self.source, CameraSource::Drawn(_)),
        };
        let draft = draft.to_owned();
        let looked = tokio::task::spawn_blocking(move || {
            let judged = judge.judge(&draft, &facts);
            (judge, judged)
        });
        let (judge, judged) = looked.await.map_err(
            |_| "looking at the picture failed; this is a fault of skydeck's, please report it with the picture",
        )?;
        self.judge = Some(judge);
        if let Some(features) = judged.as_ref().ok().and_then(|judged| judged.analysis.clone()) {
            self.shared.newest.put_sky(features);
        }
        judged
    }

    async fn keep(&self, draft: &Path, id: MessageId, moment: &Moment, judged: Judged) -> Result<Captured, String> {
        let bytes = judged.bytes;
        let picture = Picture {
            wall_ms: moment.at.as_millisecond(),
            mark: if moment.is_known { Mark::Set } else { Mark::Unset },
            boot_id: self.shared.boot.boot_id.clone(),
            boot_ms: moment.boot_ms,
            id,
            bytes,
            is_png: judged.format == Format::Png,
        };
        let blob_name = format!("{}/{}", self.shared.device_id, picture.blob_name());
        let note = Note { width_px: judged.width_px, height_px: judged.height_px, analysis: judged.analysis };
        let (spool, draft, thumbnail) =
            (Arc::clone(&self.spool), draft.to_owned(), Arc::<[u8]>::from(judged.thumbnail));
        self.shared.preview.put(moment.at, Arc::clone(&thumbnail));
        let kept = tokio::task::spawn_blocking(move || spool.keep(&draft, picture, &note, &thumbnail));
        let given_up = match kept.await {
            Ok(Ok(given_up)) => given_up,
            Ok(Err(error)) => return Err(format!("the picture can't be kept: {error}; check the disk")),
            Err(_) => return Err("the agent is ending".to_owned()),
        };
        if given_up > 0 {
            self.count_given_up(given_up).await;
        }
        self.shared.pictures.notify_one();
        Ok(Captured { blob_name, bytes })
    }

    async fn count_given_up(&self, pictures: u64) {
        let total = self.shared.report.borrow().camera.as_ref().map_or(0, |camera| camera.given_up) + pictures;
        tracing::warn!(
            target: "agent",
            total,
            "gave up {pictures} pictures: the spool is over camera.spool_mib; of an hour one is kept, then of a day; check the link to the hub"
        );
        self.shared.report.send_modify(|report| report.camera.get_or_insert_default().given_up = total);
        if let Err(error) = self.shared.outbox.put_state(vec![(GIVEN_UP.to_owned(), total.to_string())]).await {
            tracing::warn!(target: "agent", "the count of pictures given up holds until the next start only: {error}");
        }
    }
}

/// How long a picture's features ride in measurements: twice the interval between pictures.
pub(super) fn features_last(every_min: Option<u32>) -> SignedDuration {
    SignedDuration::from_mins(2 * i64::from(every_min.unwrap_or(10)))
}

/// As the spool keeps it, so that all that is said of a picture bears one time.
fn whole_ms(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// The next whole multiple of `minutes` since the epoch after `now`.
fn next_multiple(now: Timestamp, minutes: u32) -> Timestamp {
    let step = 60 * i64::from(minutes.max(1));
    Timestamp::from_second((now.as_second().div_euclid(step) + 1) * step).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_pictures_fall_on_whole_intervals() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert_eq!(next_multiple(at("2026-05-01T12:03:07Z"), 10), at("2026-05-01T12:10:00Z"));
        assert_eq!(next_multiple(at("2026-05-01T12:10:00Z"), 10), at("2026-05-01T12:20:00Z"));
        assert_eq!(features_last(Some(5)), SignedDuration::from_mins(10));
        assert_eq!(features_last(None), SignedDuration::from_mins(20));
    }
}
