//! The trash: what a destroyed table or container held, kept for a while, as `NAME-TIME.db` or a folder `NAME-TIME`.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

/// Wall time that what is in the trash is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Wall time of a name, UTC, to the millisecond.
const TIME: &str = "%Y%m%dT%H%M%S%.3fZ";

/// What can go wrong with the trash.
#[derive(Debug, Clone, thiserror::Error)]
#[error("trash: {path}: {reason}; check that there is room and that the folder can be written, it is tried again")]
pub struct TrashError {
    /// What couldn't be made, moved or deleted.
    pub path: PathBuf,
    /// The system's or SQLite's words.
    pub reason: String,
}

fn failed(path: &Path, error: impl std::fmt::Display) -> TrashError {
    TrashError { path: path.to_owned(), reason: error.to_string() }
}

/// The trash of an environment; clones share it. Its folder is made when something is put in.
#[derive(Debug, Clone)]
pub struct Trash {
    root: Arc<Path>,
}

impl Trash {
    /// The trash in the folder `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: Arc::from(root) }
    }

    /// Copies the rows of `rows_in` in the database `warehouse` into a database of their own, whole and on disk when
    /// this answers: its file, or `None` where there are no rows. Blocks.
    pub fn keep_table(
        &self,
        warehouse: &Path,
        rows_in: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<PathBuf>, TrashError> {
        self.make()?;
        let path = self.root.join(format!("{}-{}.db", file_name(name), stamp(now)));
        let unfinished = path.with_extension("db.unfinished");
        drop(std::fs::remove_file(&unfinished));
        let made = File::options().write(true).create_new(true).mode(0o600).open(&unfinished);
        made.map_err(|error| failed(&unfinished, error))?;
        let copied = copy_rows(&unfinished, warehouse, rows_in, name).map_err(|error| failed(&unfinished, error));
        if !matches!(copied, Ok(rows) if rows > 0) {
            drop(std::fs::remove_file(&unfinished));
            return copied.map(|_| None);
        }
        std::fs::rename(&unfinished, &path)
            .and_then(|()| File::open(&*self.root)?.sync_all())
            .map_err(|e| failed(&path, e))?;
        Ok(Some(path))
    }

    /// Moves the folder of the container `name` here: where to, or `None` where there is no such folder. Blocks.
    pub fn keep_container(&self, folder: &Path, name: &str, now: Timestamp) -> Result<Option<PathBuf>, TrashError> {
        if !folder.exists() {
            return Ok(None);
        }
        self.make()?;
        let path = self.root.join(format!("{}-{}", file_name(name), stamp(now)));
        std::fs::rename(folder, &path).map_err(|error| failed(&path, error))?;
        Ok(Some(path))
    }

    /// The file of a blob that was in a container when that was destroyed; the newest, where there are several. Blocks.
    #[must_use]
    pub fn find_blob(&self, container: &str, blob: &str) -> Option<PathBuf> {
        let mut kept: Vec<_> = self.entries().ok()?;
        kept.retain(|entry| entry.name == file_name(container) && !entry.is_database);
        kept.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        kept.into_iter().map(|entry| entry.path.join(blob)).find(|path| path.is_file())
    }

    /// Puts a blob of a destroyed container to `file`, where its container is again; answers whether it is there. It also
    /// stays here for its time, so that whoever is about to read it finds it. Blocks.
    pub fn bring_back(&self, container: &str, blob: &str, file: &Path) -> Result<bool, TrashError> {
        let Some(kept) = self.find_blob(container, blob) else { return Ok(false) };
        let back = || {
            std::fs::create_dir_all(file.parent().unwrap_or(file))?;
            match std::fs::hard_link(&kept, file) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            }
        };
        back().map(|()| true).map_err(|error| failed(file, error))
    }

    /// Deletes what was put in before `before`, wall time; answers how many tables and containers. Blocks.
    pub fn forget_before(&self, before: Timestamp) -> Result<usize, TrashError> {
        let mut deleted = 0;
        for entry in self.entries()?.into_iter().filter(|entry| entry.at < before) {
            let outcome = match entry.is_database {
                true => std::fs::remove_file(&entry.path),
                false => std::fs::remove_dir_all(&entry.path),
            };
            outcome.map_err(|error| failed(&entry.path, error))?;
            deleted += 1;
        }
        Ok(deleted)
    }

    fn make(&self) -> Result<(), TrashError> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.root).map_err(|error| failed(&self.root, error))
    }

    /// What is in it by name and time; anything else in the folder isn't the trash's.
    fn entries(&self) -> Result<Vec<Entry>, TrashError> {
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&self.root, error)),
        };
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
        Ok(paths.map_err(|error| failed(&self.root, error))?.into_iter().filter_map(Entry::of).collect())
    }
}

struct Entry {
    path: PathBuf,
    name: String,
    at: Timestamp,
    is_database: bool,
}

impl Entry {
    fn of(path: PathBuf) -> Option<Self> {
        let whole = path.file_name()?.to_str()?;
        let plain = whole.strip_suffix(".db");
        let (name, time) = plain.unwrap_or(whole).rsplit_once('-')?;
        let at = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(Self { name: name.to_owned(), at, is_database: plain.is_some(), path: path.clone() })
    }
}

fn stamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime(TIME).to_string()
}

/// A name that is one file's, whatever characters a table may have.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' }).take(100).collect()
}

/// Answers how many rows were copied.
fn copy_rows(to: &Path, warehouse: &Path, rows_in: &str, name: &str) -> rusqlite::Result<usize> {
    let copy = Connection::open(to)?;
    copy.busy_timeout(std::time::Duration::from_secs(10))?;
    copy.pragma_update(None, "synchronous", "FULL")?;
    copy.execute("ATTACH ?1 AS warehouse", [warehouse.to_string_lossy()])?;
    let name = format!("\"{}\"", name.replace('"', "\"\""));
    copy.execute_batch(&format!("CREATE TABLE {name} AS SELECT * FROM warehouse.{rows_in}"))?;
    let rows: i64 = copy.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0))?;
    Ok(usize::try_from(rows).unwrap_or(0))
}

/// Does what blocks on a thread for that.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TrashError> + Send + 'static,
) -> Result<T, TrashError> {
    let interrupted = |_| TrashError { path: "trash".into(), reason: "interrupted".into() };
    tokio::task::spawn_blocking(work).await.map_err(interrupted)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_and_forgotten_after_its_time() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let trash = Trash::new(&folder.path().join("trash"));
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
        assert_eq!(trash.forget_before(now).expect("nothing there"), 0);
        let container = folder.path().join("json-blob-health");
        for day in [0, 1] {
            std::fs::create_dir_all(container.join("hub")).expect("made");
            std::fs::write(container.join("hub/a"), day.to_string()).expect("written");
            let at = now + SignedDuration::from_hours(24 * day);
            trash.keep_container(&container, "json-blob-health", at).expect("moved").expect("somewhere");
        }
        assert!(trash.keep_container(&container, "json-blob-health", now).expect("nothing there").is_none());
        std::fs::write(folder.path().join("trash/a stranger"), "").expect("written");
        let newest = trash.find_blob("json-blob-health", "hub/a").expect("found");
        assert_eq!(std::fs::read_to_string(newest).expect("read"), "1");
        assert!(trash.find_blob("json-blob", "hub/a").is_none());
        for _ in 0..2 {
            assert!(trash.bring_back("json-blob-health", "hub/a", &container.join("hub/a")).expect("brought back"));
        }
        assert_eq!(std::fs::read_to_string(container.join("hub/a")).expect("read"), "1");
        assert!(!trash.bring_back("json-blob-health", "hub/b", &container.join("hub/b")).expect("not there"));
        assert_eq!(trash.forget_before(now + SignedDuration::from_hours(1)).expect("deleted"), 1);
        assert!(trash.find_blob("json-blob-health", "hub/a").is_some(), "the newer one stays");
        assert_eq!(trash.forget_before(now + KEPT).expect("deleted"), 1);
        assert!(folder.path().join("trash/a stranger").exists());
    }

    #[test]
    fn rows_are_kept_in_a_database_of_their_own() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let warehouse = folder.path().join("warehouse.db");
        let open = Connection::open(&warehouse).expect("opens");
        open.execute_batch("CREATE TABLE t(a); CREATE TABLE empty(a); INSERT INTO t VALUES (1), (2)").expect("made");
        let trash = Trash::new(&folder.path().join("trash"));
        let now = Timestamp::now();
        assert!(trash.keep_table(&warehouse, "empty", "E", now).expect("nothing").is_none());
        let path = trash.keep_table(&warehouse, "t", "A \"B\"/..", now).expect("kept").expect("a file");
        assert_eq!(path.parent(), Some(folder.path().join("trash").as_path()));
        let kept = Connection::open(path).expect("opens");
        let sum: i64 = kept.query_row("SELECT sum(a) FROM \"A \"\"B\"\"/..\"", [], |row| row.get(0)).expect("rows");
        assert_eq!(sum, 3);
        assert_eq!(std::fs::read_dir(folder.path().join("trash")).expect("read").count(), 1, "nothing unfinished");
    }
}
