//! Pictures that wait to be uploaded, each a file of its own.
//!
//! A file's name says where its picture comes from: `WALLMS_MARK_BOOT_BOOTMS_ID.jpg`, or `.png`. `MARK` is `s` where the clock
//! was set, `u` while it isn't, `r` once the time was worked out, `x` where it never will be. A name is changed by
//! renaming, so that a picture is whole and known at every moment; it is there durably once [`Spool::keep`] answers. Beside
//! it lie `ID.json`, what was seen on it, `ID.thumb`, its thumbnail, and `ID.sent`, how much of it is in the storage already.
//! When room is wanted, [`thin`] says which picture goes.

mod thin;

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::timekeeping::{dated, note};
use crate::station::{ClockFlag, ClockNote, MessageId, SkyFeatures};

/// Where pictures that are none are kept, with their reasons.
const ASIDE: &str = "aside";
/// How many of them are kept.
const MAX_ASIDE: usize = 10;

/// A picture that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// When it was taken, milliseconds since the epoch, as far as is known.
    pub wall_ms: i64,
    pub mark: Mark,
    /// The boot in which it was taken.
    pub boot_id: String,
    /// Milliseconds since that boot.
    pub boot_ms: i64,
    /// The identity of the message that tells of it.
    pub id: MessageId,
    pub bytes: u64,
    /// Whether it is a PNG; else it is a JPEG.
    pub is_png: bool,
}

/// What was seen on a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Note {
    /// Of the upright picture, pixels.
    pub width_px: u32,
    pub height_px: u32,
    /// Absent where its time wasn't known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<SkyFeatures>,
}

/// What lies beside a picture, by its ending.
const NOTE: &str = "json";
const THUMBNAIL: &str = "thumb";
const SENT: &str = "sent";

/// How a picture's time came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Set,
    Unset,
    Restamped,
    Never,
}

const MARKS: [(Mark, &str); 4] = [(Mark::Set, "s"), (Mark::Unset, "u"), (Mark::Restamped, "r"), (Mark::Never, "x")];

impl Picture {
    fn file_name(&self) -> String {
        let mark = MARKS.iter().find(|(mark, _)| *mark == self.mark).map_or("s", |(_, letter)| letter);
        let Self { wall_ms, boot_id, boot_ms, id, .. } = self;
        format!("{:015}_{mark}_{boot_id}_{boot_ms}_{id}.{}", wall_ms.max(&0), self.extension())
    }

    fn read(name: &str, bytes: u64) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let is_png = extension == "png";
        (is_png || extension == "jpg").then_some(())?;
        let mut parts = stem.split('_');
        let wall_ms = parts.next()?.parse().ok()?;
        let letter = parts.next()?;
        let mark = MARKS.iter().find(|(_, known)| *known == letter)?.0;
        let boot_id = parts.next()?.to_owned();
        let boot_ms = parts.next()?.parse().ok()?;
        let id = MessageId::try_from(parts.next()?.to_owned()).ok()?;
        parts.next().is_none().then_some(Self { wall_ms, mark, boot_id, boot_ms, id, bytes, is_png })
    }

    /// When it was taken, as far as is known.
    pub fn taken_at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.wall_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    const fn extension(&self) -> &'static str {
        if self.is_png { "png" } else { "jpg" }
    }

    /// What it is, as HTTP names it.
    pub const fn content_type(&self) -> &'static str {
        if self.is_png { "image/png" } else { "image/jpeg" }
    }

    /// The blob's name, without the device's: a folder a day, and of a time's pictures no two alike.
    pub fn blob_name(&self) -> String {
        format!("{}.{}", self.blob_stem(), self.extension())
    }

    /// The name of its thumbnail's blob, which lies beside it.
    pub fn thumbnail_name(&self) -> String {
        format!("{}.thumb.jpg", self.blob_stem())
    }

    fn blob_stem(&self) -> String {
        let id = self.id.as_str();
        let tail = id.get(id.len().saturating_sub(8)..).unwrap_or(id);
        format!("{}-{tail}", self.taken_at().strftime("%Y-%m-%d/%H-%M-%S"))
    }

    /// The note of its time, where there is something to say.
    pub fn note(&self) -> Option<ClockNote> {
        let flag = match self.mark {
            Mark::Set => return None,
            Mark::Restamped => ClockFlag::Restamped,
            Mark::Unset | Mark::Never => ClockFlag::Unset,
        };
        Some(note(flag, &self.boot_id, self.boot_ms.saturating_mul(1_000_000)))
    }

    /// The picture with its time worked out from the offset of its boot, or without one for good.
    pub fn dated(&self, offset_ns: Option<i64>) -> Self {
        let Some(offset_ns) = offset_ns else { return Self { mark: Mark::Never, ..self.clone() } };
        let at = dated(self.boot_ms.saturating_mul(1_000_000), offset_ns);
        Self { wall_ms: at.as_millisecond(), mark: Mark::Restamped, ..self.clone() }
    }
}

/// The spool.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    max_bytes: u64,
    /// Oldest first by time.
    waiting: Mutex<Vec<Picture>>,
}

impl Spool {
    /// Opens or makes the spool in `folder`, which holds at most `max_bytes`.
    pub fn open(folder: &Path, max_bytes: u64) -> io::Result<Self> {
        std::fs::create_dir_all(folder.join(ASIDE))?;
        let (mut waiting, mut others) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let metadata = entry.metadata()?;
            match name.to_str().and_then(|name| Picture::read(name, metadata.len())) {
                Some(picture) if metadata.is_file() => waiting.push(picture),
                _ if metadata.is_file() => others.push(entry.path()),
                _ => {}
            }
        }
        // A picture that was being taken when the power went, and what lies beside one that is gone.
        let known: HashSet<_> = waiting.iter().map(|picture| picture.id.as_str()).collect();
        for path in others {
            let is_beside =
                path.extension().is_some_and(|ending| [NOTE, THUMBNAIL, SENT].iter().any(|one| ending == *one));
            if !is_beside || !path.file_stem().is_some_and(|stem| known.contains(stem.to_string_lossy().as_ref())) {
                drop(std::fs::remove_file(path));
            }
        }
        drop(known);
        waiting.sort_by(|a, b| (a.wall_ms, &a.id).cmp(&(b.wall_ms, &b.id)));
        Ok(Self { folder: folder.to_owned(), max_bytes, waiting: Mutex::new(waiting) })
    }

    /// Where a picture that is being taken is written to.
    pub fn draft(&self, id: &MessageId) -> PathBuf {
        self.folder.join(format!("taking-{id}.jpg"))
    }

    /// Takes the file of a new picture in, durably, with what was seen on it and its thumbnail. Answers how many others were
    /// given up to make room for it.
    pub fn keep(&self, draft: &Path, picture: Picture, note: &Note, thumbnail: &[u8]) -> io::Result<u64> {
        // What lies beside comes first: without its picture it is removed at the next start.
        self.write_beside(&picture, NOTE, &serde_json::to_vec(note)?)?;
        self.write_beside(&picture, THUMBNAIL, thumbnail)?;
        File::open(draft)?.sync_all()?;
        let mut given_up = 0;
        {
            let mut waiting = self.lock();
            while total(&waiting) + picture.bytes > self.max_bytes
                && let Some(place) = thin::next(&waiting)
            {
                let one = waiting.remove(place);
                std::fs::remove_file(self.path(&one))?;
                self.remove_beside(&one);
                given_up += 1;
            }
            std::fs::rename(draft, self.path(&picture))?;
            // A folder's picture may be older than others.
            let place = waiting.partition_point(|known| (known.wall_ms, &known.id) <= (picture.wall_ms, &picture.id));
            waiting.insert(place, picture);
        }
        self.sync()?;
        Ok(given_up)
    }

    fn write_beside(&self, picture: &Picture, ending: &str, content: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.beside(picture, ending))?;
        io::Write::write_all(&mut file, content)?;
        file.sync_all()
    }

    fn beside(&self, picture: &Picture, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", picture.id))
    }

    fn remove_beside(&self, picture: &Picture) {
        for ending in [NOTE, THUMBNAIL, SENT] {
            // What isn't there needn't be removed, and what can't be is at the next start.
            drop(std::fs::remove_file(self.beside(picture, ending)));
        }
    }

    /// What was seen on a picture; `None` where that can't be read any more.
    pub fn note(&self, picture: &Picture) -> Option<Note> {
        serde_json::from_slice(&std::fs::read(self.beside(picture, NOTE)).ok()?).ok()
    }

    /// The file of its thumbnail and its size, where there is one.
    pub fn thumbnail(&self, picture: &Picture) -> Option<(PathBuf, u64)> {
        let path = self.beside(picture, THUMBNAIL);
        let bytes = std::fs::metadata(&path).ok()?.len();
        (bytes > 0).then_some((path, bytes))
    }

    /// Where it is kept how much of a picture is in the storage already.
    pub fn sent(&self, picture: &Picture) -> PathBuf {
        self.beside(picture, SENT)
    }

    /// The picture that is uploaded next: the oldest of which `is_ready` holds.
    pub fn next(&self, is_ready: impl Fn(&Picture) -> bool) -> Option<Picture> {
        self.lock().iter().find(|picture| is_ready(picture)).cloned()
    }

    /// Puts `dated` in the place of `picture`, durably.
    pub fn redate(&self, picture: &Picture, dated: Picture) -> io::Result<()> {
        let mut waiting = self.lock();
        let Some(place) = waiting.iter_mut().find(|known| *known == picture) else { return Ok(()) };
        std::fs::rename(self.path(picture), self.path(&dated))?;
        *place = dated;
        drop(waiting);
        self.sync()
    }

    /// The file of a picture.
    pub fn path(&self, picture: &Picture) -> PathBuf {
        self.folder.join(picture.file_name())
    }

    /// Removes a picture that was uploaded. One that isn't there any more is no fault.
    pub fn remove(&self, picture: &Picture) -> io::Result<()> {
        match std::fs::remove_file(self.path(picture)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.remove_beside(picture);
        self.lock().retain(|known| known.id != picture.id);
        self.sync()
    }

    /// Keeps what is no picture aside with its reason: the newest few. Without its content where that is larger than
    /// `max_bytes`.
    pub fn set_aside(&self, draft: &Path, id: &MessageId, reason: &str, max_bytes: u64) -> io::Result<()> {
        let aside = self.folder.join(ASIDE);
        let size = std::fs::metadata(draft).map_or(0, |metadata| metadata.len());
        if size <= max_bytes && draft.exists() {
            std::fs::rename(draft, aside.join(format!("{id}.bin")))?;
        } else {
            drop(std::fs::remove_file(draft));
        }
        std::fs::write(aside.join(format!("{id}.txt")), format!("{reason}\n"))?;
        let mut names: Vec<_> = std::fs::read_dir(&aside)?.flatten().map(|entry| entry.path()).collect();
        names.sort();
        let notes: Vec<_> = names.iter().filter(|name| name.extension().is_some_and(|e| e == "txt")).collect();
        for note in notes.iter().take(notes.len().saturating_sub(MAX_ASIDE)) {
            drop(std::fs::remove_file(note.with_extension("bin")));
            std::fs::remove_file(note)?;
        }
        Ok(())
    }

    /// Pictures waiting, and their bytes.
    pub fn size(&self) -> (u64, u64) {
        let waiting = self.lock();
        (waiting.len() as u64, total(&waiting))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Picture>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn total(waiting: &[Picture]) -> u64 {
    waiting.iter().map(|picture| picture.bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(wall_ms: i64, mark: Mark, bytes: u64) -> Picture {
        let at = Timestamp::from_millisecond(wall_ms).expect("in range");
        Picture { wall_ms, mark, boot_id: "b-1".into(), boot_ms: 7000, id: MessageId::new(at), bytes, is_png: false }
    }

    fn note() -> Note {
        let at = Timestamp::from_millisecond(1_800_000_000_000).expect("in range");
        Note { width_px: 640, height_px: 480, analysis: Some(SkyFeatures::at(at)) }
    }

    fn keep(spool: &Spool, picture: &Picture) -> u64 {
        let draft = spool.draft(&picture.id);
        std::fs::write(&draft, vec![0; usize::try_from(picture.bytes).expect("small")]).expect("written");
        spool.keep(&draft, picture.clone(), &note(), b"small").expect("kept")
    }

    #[test]
    fn a_picture_is_known_by_its_file_after_a_restart() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let spool = Spool::open(folder.path(), 1000).expect("opens");
        let (old, new) = (picture(1_800_000_000_000, Mark::Unset, 10), picture(1_800_000_060_000, Mark::Set, 20));
        assert_eq!(keep(&spool, &new), 0);
        keep(&spool, &old);
        std::fs::write(spool.draft(&MessageId::new(Timestamp::UNIX_EPOCH)), "half").expect("written");
        let spool = Spool::open(folder.path(), 1000).expect("opens");
        assert_eq!(spool.size(), (2, 30), "what was being taken when the power went is gone");
        assert_eq!(spool.note(&old), Some(note()), "what was seen on it is known still");
        assert_eq!(spool.thumbnail(&old).expect("there").1, 5);
        assert_eq!(spool.next(|_| true), Some(old.clone()));
        assert_eq!(spool.next(|picture| picture.mark == Mark::Set), Some(new));
        let offset = 1_900_000_000 * 1_000_000_000;
        let dated = old.dated(Some(offset));
        assert_eq!((dated.wall_ms, dated.mark), (1_900_000_007_000, Mark::Restamped));
        spool.redate(&old, dated.clone()).expect("renamed");
        let spool = Spool::open(folder.path(), 1000).expect("opens");
        assert_eq!(spool.next(|picture| picture.mark == Mark::Restamped), Some(dated.clone()));
        assert_eq!(dated.note().expect("a note").boot_time_s, 7.0);
        assert_eq!(old.dated(None).note().expect("a note").flag, ClockFlag::Unset);
        spool.remove(&dated).expect("removed");
        spool.remove(&dated).expect("no fault");
        assert_eq!(spool.size(), (1, 20));
    }

    #[test]
    fn of_an_hour_the_first_is_kept_over_the_bound() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let spool = Spool::open(folder.path(), 100).expect("opens");
        let pictures: Vec<_> = (0..4).map(|i| picture(1_800_000_000_000 + i, Mark::Set, 40)).collect();
        let given_up: Vec<_> = pictures.iter().map(|picture| keep(&spool, picture)).collect();
        assert_eq!(given_up, [0, 0, 1, 1]);
        assert_eq!(spool.next(|_| true), Some(pictures[0].clone()));
        let newest = spool.next(|picture| picture.id != pictures[0].id);
        assert_eq!(newest, Some(pictures[3].clone()));
        assert_eq!((spool.note(&pictures[1]), spool.thumbnail(&pictures[1])), (None, None), "all of it is gone");
        assert_eq!(keep(&spool, &picture(1_800_000_000_009, Mark::Set, 500)), 2, "a large one alone is kept");
    }

    #[test]
    fn blobs_are_named_by_day_and_time() {
        let picture = picture(1_780_000_000_000, Mark::Set, 1);
        let name = picture.blob_name();
        assert!(name.starts_with("2026-05-28/20-26-40-") && name.ends_with(".jpg"), "{name}");
        assert_eq!(name.len(), "2026-05-28/20-26-40-12345678.jpg".len());
        assert_eq!(picture.thumbnail_name(), name.replace(".jpg", ".thumb.jpg"));
        let png = Picture { is_png: true, ..picture };
        assert!(png.blob_name().ends_with(".png") && Picture::read(&png.file_name(), 1) == Some(png));
    }

    #[test]
    fn what_is_no_picture_is_kept_aside_with_its_reason_and_the_newest_few_alone() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let spool = Spool::open(folder.path(), 100).expect("opens");
        for i in 0..MAX_ASIDE + 2 {
            let id = MessageId::new(Timestamp::from_second(i64::try_from(i).expect("small")).expect("in range"));
            std::fs::write(spool.draft(&id), "rubbish").expect("written");
            spool.set_aside(&spool.draft(&id), &id, "no JPEG", if i == 5 { 3 } else { 100 }).expect("kept");
            assert!(!spool.draft(&id).exists());
        }
        let names: Vec<_> = std::fs::read_dir(folder.path().join(ASIDE)).expect("read").flatten().collect();
        assert_eq!(names.len(), 2 * MAX_ASIDE - 1, "one was too large to be kept");
    }
}
