//! A folder into which something else puts pictures: the newest whole one is taken. The folder's files stay as they are.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::MAX_BYTES;
use crate::station::text::printable;

/// How long a file keeps its size before it counts as whole.
const STABLE: Duration = Duration::from_secs(2);
/// How long a file that still grows is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Files looked at in the folder at most: the newest of more can't be told in a moment.
const MAX_FILES: usize = 100_000;

/// A picture of a folder: when it was last written, and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    modified: SystemTime,
    path: PathBuf,
}

impl Found {
    /// When it was written.
    pub fn at(&self) -> Option<Timestamp> {
        Timestamp::try_from(self.modified).ok()
    }

    /// As it is kept over a restart.
    pub fn mark(&self) -> String {
        let since = self.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        format!("{} {}", since.as_nanos(), self.path.file_name().unwrap_or_default().to_string_lossy())
    }

    /// Whether it is newer than what was kept. A mark that isn't one is older than everything.
    fn is_newer_than(&self, mark: &str) -> bool {
        let number =
            |mark: &str| mark.split_once(' ').and_then(|(ns, name)| Some((ns.parse::<u128>().ok()?, name.to_owned())));
        number(&self.mark()) > number(mark)
    }
}

/// The folder's newest picture that is newer than `mark`; `None` where there is none.
pub(super) fn newest(folder: &Path, mark: Option<&str>) -> Result<Option<Found>, String> {
    let failed =
        |error: std::io::Error| format!("{}: {error}; check camera.folder", printable(&folder.to_string_lossy()));
    let mut newest: Option<Found> = None;
    for (count, entry) in std::fs::read_dir(folder).map_err(failed)?.enumerate() {
        if count == MAX_FILES {
            let words = "it holds more than 100000 files; have old pictures removed";
            return Err(format!("{}: {words}", printable(&folder.to_string_lossy())));
        }
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        // By name alone: hidden ones are some program's drafts. What it is, is seen when it is taken.
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let is_picture = extension.is_some_and(|extension| matches!(extension.as_str(), "jpg" | "jpeg" | "png"));
        // A file may have gone meanwhile.
        let Ok(metadata) = entry.metadata() else { continue };
        if is_hidden || !is_picture || !metadata.is_file() {
            continue;
        }
        let Ok(modified) = metadata.modified() else { continue };
        newest = newest.max(Some(Found { modified, path }));
    }
    Ok(newest.filter(|found| mark.is_none_or(|mark| found.is_newer_than(mark))))
}

/// Copies the newest picture to `draft`, once it is whole.
pub(super) async fn take(folder: &Path, mark: Option<&str>, draft: &Path) -> Result<Found, String> {
    let shown = printable(&folder.to_string_lossy());
    let ends = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found =
            newest(folder, mark)?.ok_or_else(|| format!("{shown}: no new picture there (.jpg, .jpeg or .png)"))?;
        let size = |path: &Path| std::fs::metadata(path).map(|metadata| (metadata.len(), metadata.modified().ok()));
        let before = size(&found.path).ok();
        let age = found.modified.elapsed().unwrap_or_default();
        if age < STABLE {
            tokio::time::sleep(STABLE).await;
        }
        if let Some(known) = before
            && size(&found.path).ok() == before
        {
            if known.0 > MAX_BYTES {
                let name = printable(&found.path.to_string_lossy());
                return Err(format!("{name} has {} bytes; a picture has at most {MAX_BYTES}", known.0));
            }
            let copied = tokio::fs::copy(&found.path, draft).await;
            copied.map_err(|error| format!("{}: {error}", printable(&found.path.to_string_lossy())))?;
            return Ok(found);
        }
        if tokio::time::Instant::now() > ends {
            let name = printable(&found.path.to_string_lossy());
            return Err(format!("{name} was still being written after {} s", PATIENCE.as_secs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, name: &str, age_s: u64) {
        let path = folder.join(name);
        std::fs::write(&path, name).expect("written");
        let at = SystemTime::now() - Duration::from_secs(age_s);
        std::fs::File::options().write(true).open(&path).expect("opens").set_modified(at).expect("dated");
    }

    #[tokio::test]
    async fn the_newest_picture_is_taken_once() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (path, draft) = (folder.path(), folder.path().join("draft"));
        let words = take(path, None, &draft).await.expect_err("nothing there");
        assert!(words.contains("no new picture there"), "{words}");
        for (name, age_s) in [("a.jpg", 100), ("b.JPEG", 50), ("notes.txt", 20), (".c.jpg", 10)] {
            put(path, name, age_s);
        }
        let found = take(path, None, &draft).await.expect("taken");
        assert_eq!(std::fs::read_to_string(&draft).expect("read"), "b.JPEG");
        let mark = found.mark();
        assert_eq!(newest(path, Some(&mark)), Ok(None), "it was taken");
        put(path, "d.png", 5);
        let found = take(path, Some(&mark), &draft).await.expect("taken");
        assert!(found.path.ends_with("d.png") && path.join("a.jpg").exists());
    }

    #[tokio::test]
    async fn a_file_that_is_being_written_is_waited_for() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (path, draft) = (folder.path().to_owned(), folder.path().join("draft"));
        std::fs::write(path.join("a.jpg"), "half").expect("written");
        let writer = {
            let path = path.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(700)).await;
                std::fs::write(path.join("a.jpg"), "half and half").expect("written");
            })
        };
        take(&path, None, &draft).await.expect("taken");
        writer.await.expect("wrote");
        assert_eq!(std::fs::read_to_string(&draft).expect("read"), "half and half");
    }
}
