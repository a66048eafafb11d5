//! The kernel's files under a root: `/` on a device, a recorded tree in a test.
//!
//! What isn't there is absent. What is there and can't be read is noted, as `path: cause`, and is absent too.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::patience::Progress;

/// Bytes of a file that are read.
const MAX_BYTES: u64 = 256 * 1024;
/// Bytes of a file that are searched through, and of a paragraph found there.
const MAX_SEARCHED: u64 = 64 * 1024 * 1024;
const MAX_PARAGRAPH: usize = 64 * 1024;
/// Entries of a folder that are looked at.
const MAX_ENTRIES: usize = 1024;
/// Notes that are kept.
const MAX_NOTES: usize = 64;

/// A file system's size, bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Space {
    /// In all.
    pub total: f64,
    /// Free for whoever asks.
    pub free: f64,
}

/// The files under a root, for one reading.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    root: &'a Path,
    progress: &'a Progress,
    /// Paths where a reader is stuck already.
    stuck: BTreeSet<PathBuf>,
    space: fn(&Path) -> std::io::Result<Space>,
    notes: RefCell<Vec<String>>,
    /// Errors that reading gives, by path.
    #[cfg(test)]
    pub faults: std::collections::BTreeMap<String, i32>,
}

impl<'a> Tree<'a> {
    pub fn new(root: &'a Path, progress: &'a Progress, stuck: BTreeSet<PathBuf>) -> Self {
        Self {
            root,
            progress,
            stuck,
            space,
            notes: RefCell::default(),
            #[cfg(test)]
            faults: std::collections::BTreeMap::new(),
        }
    }

    /// The same with sizes of file systems told by `space`.
    #[cfg(test)]
    pub fn with_space(self, space: fn(&Path) -> std::io::Result<Space>) -> Self {
        Self { space, ..self }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Does `read` at a path under the root, unless a reader is stuck there already.
    fn patiently<T>(&self, path: &Path, read: impl FnOnce(&Path) -> std::io::Result<T>) -> std::io::Result<T> {
        if self.stuck.contains(path) {
            return Err(std::io::Error::other("it doesn't answer; it is left out until it does"));
        }
        #[cfg(test)]
        if let Some(number) =
            path.strip_prefix(self.root).ok().and_then(|path| self.faults.get(&format!("/{}", path.display())))
        {
            return Err(std::io::Error::from_raw_os_error(*number));
        }
        if !self.progress.enter(path) {
            return Err(ErrorKind::NotFound.into());
        }
        let outcome = read(path);
        self.progress.leave();
        outcome
    }

    /// A file's first 256 KiB; `None` where there is none, an error where it can't be read.
    pub fn read(&self, path: &str) -> std::io::Result<Option<String>> {
        let read = |path: &Path| {
            let mut bytes = Vec::new();
            File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        match self.patiently(&self.at(path), read) {
            Ok(text) => Ok(Some(text)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A file's text without what surrounds it; what can't be read is noted. An empty one is absent.
    pub fn text(&self, path: &str) -> Option<String> {
        match self.read(path) {
            Ok(text) => text.map(|text| trimmed(&text).to_owned()).filter(|text| !text.is_empty()),
            Err(error) => {
                self.note(path, &error);
                None
            }
        }
    }

    /// The paragraph of a file, however long that is, which begins with `line`: up to the next empty line.
    pub fn paragraph(&self, path: &str, line: &str) -> Option<String> {
        let look = |path: &Path| {
            let mut file = BufReader::new(File::open(path)?.take(MAX_SEARCHED));
            let (mut bytes, mut found) = (Vec::new(), String::new());
            loop {
                bytes.clear();
                let is_end = file.by_ref().take(MAX_BYTES).read_until(b'\n', &mut bytes)? == 0;
                let text = String::from_utf8_lossy(&bytes);
                let text = text.trim_end();
                if is_end || (text.is_empty() && !found.is_empty()) {
                    return Ok(found);
                }
                if (!found.is_empty() || text == line) && found.len() < MAX_PARAGRAPH {
                    found.extend([text, "\n"]);
                }
            }
        };
        match self.patiently(&self.at(path), look) {
            Ok(found) => (!found.is_empty()).then_some(found),
            Err(error) => {
                if !is_absence(&error) {
                    self.note(path, &error);
                }
                None
            }
        }
    }

    /// A file's number; anything else in it is noted.
    pub fn number(&self, path: &str) -> Option<f64> {
        let text = self.text(path)?;
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        if number.is_none() {
            self.say(path, "it holds no number");
        }
        number
    }

    /// As [`Self::number`], and what can't be read is absent without a word: a file that often can't be.
    pub fn number_if(&self, path: &str) -> Option<f64> {
        let text = self.read(path).ok().flatten()?;
        trimmed(&text).parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A folder's names in their natural order, `zone2` before `zone10`; none where there is no such folder.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let list = |path: &Path| {
            let entries = std::fs::read_dir(path)?;
            let names = entries.take(MAX_ENTRIES).map(|entry| entry.map(|entry| entry.file_name()));
            names.map(|name| name.map(|name| name.to_string_lossy().into_owned())).collect::<Result<Vec<_>, _>>()
        };
        let mut names = match self.patiently(&self.at(folder), list) {
            Ok(names) => names,
            Err(error) => {
                if !is_absence(&error) {
                    self.note(folder, &error);
                }
                return Vec::new();
            }
        };
        names.sort_by_cached_key(|name| natural(name));
        names
    }

    /// The folders `folder/NAME`, of names that begin with `prefix` and go on with a number, in order.
    pub fn numbered(&self, folder: &str, prefix: &str) -> Vec<(u32, String)> {
        let number = |name: &String| name.strip_prefix(prefix)?.parse().ok();
        let names = self.names(folder).into_iter();
        names.filter_map(|name| Some((number(&name)?, format!("{folder}/{name}")))).collect()
    }

    pub fn has(&self, path: &str) -> bool {
        let look = |path: &Path| Ok(path.exists());
        self.patiently(&self.at(path), look).unwrap_or(false)
    }

    /// Where a path leads once its links are followed.
    pub fn target(&self, path: &str) -> Option<PathBuf> {
        self.patiently(&self.at(path), |path| std::fs::canonicalize(path)).ok()
    }

    /// The size of the file system that is mounted at `mount`; what can't be asked is noted.
    pub fn space(&self, mount: &str) -> Option<Space> {
        match self.patiently(Path::new(mount), self.space) {
            Ok(space) => Some(space),
            Err(error) => {
                if !is_absence(&error) {
                    self.note(mount, &error);
                }
                None
            }
        }
    }

    /// Notes why something that is there can't be read.
    pub fn note(&self, path: &str, error: &std::io::Error) {
        let cause = error.to_string();
        self.say(path, cause.split(" (os error").next().unwrap_or_default());
    }

    /// Notes that something is there and can't be read.
    pub fn say(&self, path: &str, cause: &str) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() < MAX_NOTES {
            notes.push(format!("{path}: {cause}"));
        }
    }

    /// What was noted.
    pub fn into_notes(self) -> Vec<String> {
        self.notes.into_inner()
    }
}

/// Whether an error says that there is nothing: no file, no such device behind it any more, or nobody told of it.
fn is_absence(error: &std::io::Error) -> bool {
    // ENXIO, ENODEV.
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        || matches!(error.raw_os_error(), Some(6 | 19))
}

/// Text without white space and the zero that ends a device tree's strings.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\0')
}

/// A name's text and the number at its end.
fn natural(name: &str) -> (String, u64) {
    let text = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (text.to_owned(), name[text.len()..].parse().unwrap_or(0))
}

/// To one decimal: more is noise, and costs bytes on a metered line.
pub(super) fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(unix)]
#[expect(clippy::cast_precision_loss, reason = "sizes are shown in MiB")]
fn space(path: &Path) -> std::io::Result<Space> {
    let stat = rustix::fs::statvfs(path)?;
    let block = stat.f_frsize as f64;
    Ok(Space { total: stat.f_blocks as f64 * block, free: stat.f_bavail as f64 * block })
}

#[cfg(not(unix))]
fn space(_path: &Path) -> std::io::Result<Space> {
    Err(ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_node_is_absent_and_one_that_fails_is_noted() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir_all(folder.path().join("sys/z/dir")).expect("made");
        std::fs::write(folder.path().join("sys/z/temp"), "41500\n").expect("written");
        std::fs::write(folder.path().join("sys/z/model"), "Jetson\0").expect("written");
        std::fs::write(folder.path().join("sys/z/odd"), "N/A\n").expect("written");
        let progress = Progress::default();
        let mut tree = Tree::new(folder.path(), &progress, BTreeSet::new());
        for (path, number) in [("/sys/z/broken", 5), ("/sys/z/shut", 13), ("/sys/z/unplugged", 19)] {
            tree.faults.insert(path.into(), number);
        }
        assert_eq!(
            (tree.number("/sys/z/temp"), tree.text("/sys/z/model").as_deref()),
            (Some(41_500.0), Some("Jetson"))
        );
        let absent =
            ["/sys/z/none", "/sys/z/temp/none", "/sys/z/broken", "/sys/z/shut", "/sys/z/unplugged", "/sys/z/dir"];
        assert!(absent.iter().all(|path| tree.text(path).is_none()));
        assert_eq!((tree.number("/sys/z/odd"), tree.number_if("/sys/z/broken")), (None, None));
        let notes = [
            "/sys/z/broken: Input/output error",
            "/sys/z/shut: Permission denied",
            "/sys/z/dir: Is a directory",
            "/sys/z/odd: it holds no number",
        ];
        assert_eq!(tree.into_notes(), notes);
    }

    #[test]
    fn names_stand_in_their_natural_order() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for name in ["zone10", "zone2", "cooling", "zone1"] {
            std::fs::create_dir(folder.path().join(name)).expect("made");
        }
        let progress = Progress::default();
        let tree = Tree::new(folder.path(), &progress, BTreeSet::new());
        assert_eq!(tree.names("/"), ["cooling", "zone1", "zone2", "zone10"]);
        assert_eq!(tree.numbered("", "zone").iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 10]);
        assert!(tree.names("/none").is_empty());
    }

    #[test]
    fn a_paragraph_is_found_by_its_first_line() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let status = "Package: a\nVersion: 1\n\nPackage: nvidia-jetpack\nVersion: 6.1+b123\nDescription: x\n \u{e4}\n\nPackage: b\n";
        std::fs::write(folder.path().join("status"), status).expect("written");
        let progress = Progress::default();
        let tree = Tree::new(folder.path(), &progress, BTreeSet::new());
        let found = tree.paragraph("/status", "Package: nvidia-jetpack");
        assert_eq!(found.as_deref(), Some("Package: nvidia-jetpack\nVersion: 6.1+b123\nDescription: x\n \u{e4}\n"));
        assert_eq!(tree.paragraph("/status", "Package: b").as_deref(), Some("Package: b\n"), "the file ends there");
        assert_eq!((tree.paragraph("/status", "Package: c"), tree.paragraph("/none", "x")), (None, None));
    }

    #[test]
    fn a_file_is_read_up_to_a_bound() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("long"), vec![b'x'; 300 * 1024]).expect("written");
        let progress = Progress::default();
        let tree = Tree::new(folder.path(), &progress, BTreeSet::new());
        assert_eq!(tree.text("/long").map(|text| text.len()), Some(256 * 1024));
    }
}
