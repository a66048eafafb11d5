//! An environment's data as a whole: checked, written into one file, put back, deleted.
//!
//! An archive is a gzipped tar of the data folder. Databases go in by SQLite's own online copy, so an owner may
//! run meanwhile. Each is whole, but they are copied one after the other: upstream first, so that a message on
//! its way may be in two of them and is never in none. What is there twice is told apart by its identity when it
//! is loaded again.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rusqlite::{Connection, OpenFlags};

use super::lock::{FolderLock, LockError, make_private};
use crate::database::{self, DatabaseError};
use crate::provisioning::runs;
use crate::settings::Folders;

/// Why data can't be archived, restored or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// An owner runs, or the data folder is unusable.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A database can't be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// There is nothing to do it to.
    #[error("{}: no data there; `skydeck run` makes it", folder.display())]
    Empty {
        /// The data folder.
        folder: PathBuf,
    },
    /// A file can't be read or written.
    #[error("{}: {reason}; check its permissions and the free space", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A Terraform run works in it.
    #[error("{}: run {run} is at work there; wait until it has ended, or end it", folder.display())]
    Run {
        /// The data folder.
        folder: PathBuf,
        /// The run.
        run: u32,
    },
    /// The archive would overwrite a file.
    #[error("{}: is there already and is not overwritten; name another file", path.display())]
    Exists {
        /// Its path.
        path: PathBuf,
    },
    /// The file is no archive of ours, or was damaged.
    #[error("{}: not a whole backup: {reason}; take another one, nothing was changed", path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A database and what SQLite finds wrong with it; nothing is a sound one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its path below the data folder.
    pub database: PathBuf,
    /// SQLite's words.
    pub faults: Vec<String>,
}

/// What an archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contents {
    /// Files.
    pub files: u64,
    /// Bytes of those files, uncompressed.
    pub bytes: u64,
}

/// Checks every database of the environment; an owner may run meanwhile.
pub fn check(folders: &Folders) -> Result<Vec<Checked>, ArchiveError> {
    let files = files_below(&folders.data)?;
    let databases: Vec<_> = files.into_iter().filter(|path| is_database(path)).collect();
    if databases.is_empty() {
        return Err(ArchiveError::Empty { folder: folders.data.clone() });
    }
    let check = |database: PathBuf| {
        let faults = database::check(&folders.data.join(&database))?;
        Ok(Checked { database, faults })
    };
    databases.into_iter().map(check).collect()
}

/// Writes the environment's data into `file`, which must not be there yet; an owner may run meanwhile.
pub fn back_up(folders: &Folders, file: &Path) -> Result<Contents, ArchiveError> {
    let mut files = files_below(&folders.data)?;
    if !files.iter().any(|path| is_database(path)) {
        return Err(ArchiveError::Empty { folder: folders.data.clone() });
    }
    files.sort_by_key(|path| (upstream_first(path), path.clone()));
    if file.exists() {
        return Err(ArchiveError::Exists { path: file.to_owned() });
    }
    // Written beside and renamed at the end: a file of that name is a whole backup.
    let unfinished = with_suffix(file, ".unfinished");
    let written = write_archive(&folders.data, &files, &unfinished);
    let finished = written.and_then(|contents| {
        std::fs::rename(&unfinished, file).map_err(|error| failed(file, &error)).map(|()| contents)
    });
    if finished.is_err() {
        drop(std::fs::remove_file(&unfinished));
    }
    finished
}

/// Puts the archive `file` in the place of the environment's data. What was there is moved aside, to the folder
/// that is answered. Refused while an owner runs. Nothing is touched before the archive is unpacked and every
/// database in it is found sound.
pub fn restore(folders: &Folders, file: &Path) -> Result<(Contents, Option<PathBuf>), ArchiveError> {
    let data = &folders.data;
    let had_data = data.join("owner.lock").exists();
    let lock = FolderLock::take(data)?;
    refuse_a_run(data)?;
    let fresh = with_suffix(data, ".restoring");
    drop(std::fs::remove_dir_all(&fresh));
    make_private(&fresh).map_err(|error| failed(&fresh, &error))?;
    let outcome = unpack(file, &fresh).and_then(|contents| {
        let aside = with_suffix(data, &format!(".before-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
        std::fs::rename(data, &aside).map_err(|error| failed(data, &error))?;
        std::fs::rename(&fresh, data).map_err(|error| failed(data, &error))?;
        if had_data {
            return Ok((contents, Some(aside)));
        }
        // Only the lock was in it, and taking that made it.
        drop(std::fs::remove_dir_all(&aside));
        Ok((contents, None))
    });
    if outcome.is_err() {
        drop(std::fs::remove_dir_all(&fresh));
    }
    drop(lock);
    outcome
}

/// Deletes the environment's data and logs. Refused while an owner runs. `false` where there was nothing.
pub fn delete(folders: &Folders) -> Result<bool, ArchiveError> {
    if !folders.data.exists() && !folders.state.exists() {
        return Ok(false);
    }
    let lock = FolderLock::take(&folders.data)?;
    refuse_a_run(&folders.data)?;
    for folder in [&folders.data, &folders.state] {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(folder, &error)),
            _ => {}
        }
    }
    drop(lock);
    Ok(true)
}

/// A run belongs to a process of its own, which works in the folder without owning it.
fn refuse_a_run(data: &Path) -> Result<(), ArchiveError> {
    let folder = data.to_owned();
    match runs::ask::at_work(data) {
        Ok(None) => Ok(()),
        Ok(Some(run)) => Err(ArchiveError::Run { folder, run }),
        Err(error) => Err(ArchiveError::File { path: folder, reason: error.to_string() }),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> ArchiveError {
    ArchiveError::File { path: path.to_owned(), reason: error.to_string() }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn is_database(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "db")
}

/// Place of a file in the flow of messages: the outbox, the hub, the containers, the notices, the warehouse.
fn upstream_first(path: &Path) -> u8 {
    let first = path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    match first.as_deref() {
        Some("outbox.db" | "agent") => 0,
        Some("hub") => 1,
        Some("containers") => 2,
        Some("notices.db") => 3,
        _ => 4,
    }
}

/// Every file below `folder`, relative to it, less what SQLite keeps beside a database, the owner's lock, what runs lay
/// out and lock anew each time, and files that are being written (`name#1`, by the object store's convention).
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries = match std::fs::read_dir(&next) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&next, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| failed(&next, &error))?;
            let kind = entry.file_type().map_err(|error| failed(&entry.path(), &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let passing =
                name == "owner.lock" || name.contains('#') || name.ends_with("-wal") || name.ends_with("-shm");
            if runs::store::is_passing(entry.path().strip_prefix(folder).unwrap_or(Path::new(""))) {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && !passing {
                found.extend(entry.path().strip_prefix(folder).map(Path::to_owned));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn write_archive(data: &Path, files: &[PathBuf], to: &Path) -> Result<Contents, ArchiveError> {
    let failed_to = |error: std::io::Error| failed(to, &error);
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    // Device keys and certificates go in.
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(to).map_err(failed_to)?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
    archive.mode(tar::HeaderMode::Complete);
    let mut contents = Contents::default();
    for path in files {
        let from = data.join(path);
        let copied = if is_database(path) { Some(copy_database(&from, &with_suffix(to, ".db"))?) } else { None };
        let source = copied.as_ref().map_or(from.as_path(), |copy| copy.0.as_path());
        match File::open(source) {
            Ok(mut opened) => {
                contents.files += 1;
                contents.bytes += opened.metadata().map_err(failed_to)?.len();
                archive.append_file(path, &mut opened).map_err(failed_to)?;
            }
            // Deleted since the folder was listed: retention, or the owner at work.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(source, &error)),
        }
    }
    let mut file = archive.into_inner().and_then(GzEncoder::finish).map_err(failed_to)?;
    file.flush().and_then(|()| file.sync_all()).map_err(failed_to)?;
    Ok(contents)
}

/// A file that is deleted when it is no longer needed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn copy_database(from: &Path, to: &Path) -> Result<Temporary, ArchiveError> {
    let failed = |error: rusqlite::Error| DatabaseError::Open { path: from.to_owned(), reason: error.to_string() };
    drop(std::fs::remove_file(to));
    let copy = Temporary(to.to_owned());
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    source.busy_timeout(std::time::Duration::from_secs(10)).map_err(failed)?;
    let mut target = Connection::open(to).map_err(failed)?;
    let backup = rusqlite::backup::Backup::new(&source, &mut target).map_err(failed)?;
    // All pages in one step: what is copied is one moment's state, however busy the owner is.
    backup.run_to_completion(i32::MAX, std::time::Duration::ZERO, None).map_err(failed)?;
    drop(backup);
    target.pragma_update(None, "journal_mode", "DELETE").map_err(failed)?;
    Ok(copy)
}

fn unpack(file: &Path, to: &Path) -> Result<Contents, ArchiveError> {
    let damaged = |reason: String| ArchiveError::Damaged { path: file.to_owned(), reason };
    let opened = File::open(file).map_err(|error| failed(file, &error))?;
    let mut archive = tar::Archive::new(GzDecoder::new(opened));
    archive.set_preserve_permissions(true);
    let mut contents = Contents::default();
    for entry in archive.entries().map_err(|error| damaged(error.to_string()))? {
        let mut entry = entry.map_err(|error| damaged(error.to_string()))?;
        let path = entry.path().map_err(|error| damaged(error.to_string()))?.into_owned();
        // Links and paths out of the folder are nothing we ever wrote.
        if !entry.header().entry_type().is_file() {
            return Err(damaged(format!("{} is no plain file", path.display())));
        }
        if !entry.unpack_in(to).map_err(|error| damaged(error.to_string()))? {
            return Err(damaged(format!("{} leads out of the data folder", path.display())));
        }
        contents.files += 1;
        contents.bytes += entry.size();
    }
    let databases: Vec<_> = files_below(to)?.into_iter().filter(|path| is_database(path)).collect();
    if databases.is_empty() {
        return Err(damaged("there is no database in it".to_owned()));
    }
    for path in databases {
        let faults = database::check(&to.join(&path)).map_err(|error| damaged(error.to_string()))?;
        if let Some(fault) = faults.first() {
            return Err(damaged(format!("{}: {fault}", path.display())));
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests;
