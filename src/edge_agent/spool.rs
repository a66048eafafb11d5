//! Pictures that wait to be uploaded, each a file of its own.
//!
//! A file's name says all there is to know of its picture: `WALLMS_MARK_BOOT_BOOTMS_ID.jpg`. `MARK` is `s` where the clock
//! was set, `u` while it isn't, `r` once the time was worked out, `x` where it never will be. A name is changed by
//! renaming, so that a picture is whole and known at every moment; it is there durably once [`Spool::keep`] answers.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::timekeeping::{dated, note};
use crate::station::{ClockFlag, ClockNote, MessageId};

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
}

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
        format!("{:015}_{mark}_{boot_id}_{boot_ms}_{id}.jpg", wall_ms.max(&0))
    }

    fn read(name: &str, bytes: u64) -> Option<Self> {
        let mut parts = name.strip_suffix(".jpg")?.split('_');
        let wall_ms = parts.next()?.parse().ok()?;
        let letter = parts.next()?;
        let mark = MARKS.iter().find(|(_, known)| *known == letter)?.0;
        let boot_id = parts.next()?.to_owned();
        let boot_ms = parts.next()?.parse().ok()?;
        let id = MessageId::try_from(parts.next()?.to_owned()).ok()?;
        parts.next().is_none().then_some(Self { wall_ms, mark, boot_id, boot_ms, id, bytes })
    }

    /// When it was taken, as far as is known.
    pub fn taken_at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.wall_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The blob's name, without the device's: a folder a day, and of a time's pictures no two alike.
    pub fn blob_name(&self) -> String {
        let id = self.id.as_str();
        let tail = id.get(id.len().saturating_sub(8)..).unwrap_or(id);
        format!("{}-{tail}.jpg", self.taken_at().strftime("%Y-%m-%d/%H-%M-%S"))
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
    /// Oldest first by identity, which is by time.
    waiting: Mutex<Vec<Picture>>,
}

/// What keeping a picture did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct GivenUp {
    pub pictures: u64,
}

impl Spool {
    /// Opens or makes the spool in `folder`, which holds at most `max_bytes`.
    pub fn open(folder: &Path, max_bytes: u64) -> io::Result<Self> {
        std::fs::create_dir_all(folder.join(ASIDE))?;
        let mut waiting = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let metadata = entry.metadata()?;
            match name.to_str().and_then(|name| Picture::read(name, metadata.len())) {
                Some(picture) if metadata.is_file() => waiting.push(picture),
                // A picture that was being taken when the power went.
                _ if metadata.is_file() => drop(std::fs::remove_file(entry.path())),
                _ => {}
            }
        }
        waiting.sort_by(|a, b| (a.wall_ms, &a.id).cmp(&(b.wall_ms, &b.id)));
        Ok(Self { folder: folder.to_owned(), max_bytes, waiting: Mutex::new(waiting) })
    }

    /// Where a picture that is being taken is written to.
    pub fn draft(&self, id: &MessageId) -> PathBuf {
        self.folder.join(format!("taking-{id}.jpg"))
    }

    /// Takes the file of a new picture in, durably. The oldest are given up where there is no room for it.
    pub fn keep(&self, draft: &Path, picture: Picture) -> io::Result<GivenUp> {
        File::open(draft)?.sync_all()?;
        let mut given_up = GivenUp::default();
        {
            let mut waiting = self.lock();
            while !waiting.is_empty() && total(&waiting) + picture.bytes > self.max_bytes {
                let oldest = waiting.remove(0);
                std::fs::remove_file(self.path(&oldest))?;
                given_up.pictures += 1;
            }
            std::fs::rename(draft, self.path(&picture))?;
            waiting.push(picture);
        }
        self.sync()?;
        Ok(given_up)
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
        Picture { wall_ms, mark, boot_id: "b-1".into(), boot_ms: 7000, id: MessageId::new(at), bytes }
    }

    fn keep(spool: &Spool, picture: &Picture) -> GivenUp {
        let draft = spool.draft(&picture.id);
        std::fs::write(&draft, vec![0; usize::try_from(picture.bytes).expect("small")]).expect("written");
        spool.keep(&draft, picture.clone()).expect("kept")
    }

    #[test]
    fn a_picture_is_known_by_its_file_after_a_restart() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let spool = Spool::open(folder.path(), 1000).expect("opens");
        let (old, new) = (picture(1_800_000_000_000, Mark::Unset, 10), picture(1_800_000_060_000, Mark::Set, 20));
        assert_eq!(keep(&spool, &new), GivenUp::default());
        keep(&spool, &old);
        std::fs::write(spool.draft(&MessageId::new(Timestamp::UNIX_EPOCH)), "half").expect("written");
        let spool = Spool::open(folder.path(), 1000).expect("opens");
        assert_eq!(spool.size(), (2, 30), "what was being taken when the power went is gone");
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
    fn the_oldest_are_given_up_over_the_bound() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let spool = Spool::open(folder.path(), 100).expect("opens");
        let pictures: Vec<_> = (0..4).map(|i| picture(1_800_000_000_000 + i, Mark::Set, 40)).collect();
        let given_up: Vec<_> = pictures.iter().map(|picture| keep(&spool, picture).pictures).collect();
        assert_eq!(given_up, [0, 0, 1, 1]);
        assert_eq!(spool.next(|_| true), Some(pictures[2].clone()));
        assert_eq!(keep(&spool, &picture(1_800_000_000_009, Mark::Set, 500)).pictures, 2, "a large one alone is kept");
    }

    #[test]
    fn blobs_are_named_by_day_and_time() {
        let picture = picture(1_780_000_000_000, Mark::Set, 1);
        let name = picture.blob_name();
        assert!(name.starts_with("2026-05-28/20-26-40-") && name.ends_with(".jpg"), "{name}");
        assert_eq!(name.len(), "2026-05-28/20-26-40-12345678.jpg".len());
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
