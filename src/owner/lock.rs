//! One owner a data folder: a locked file that names the process.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Why a data folder can't be owned.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody owns it.
    #[error("{folder}: owned by the running process {pid}; attach to it with `skydeck`, or end it first")]
    Owned {
        /// The data folder.
        folder: PathBuf,
        /// The owner's process id.
        pid: String,
    },
    /// The lock file can't be made or locked.
    #[error(
        "{path}: {reason}; check that the data folder is a folder you can write to, or name another with --data-dir"
    )]
    Unusable {
        /// The lock file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

/// The data folder's lock, held until it is dropped or the process ends in whatever way.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of `folder`, which is made where it's missing (0700).
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("owner.lock");
        let unusable = |error: std::io::Error| LockError::Unusable { path: path.clone(), reason: error.to_string() };
        make_private(folder).map_err(unusable)?;
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                drop(file.read_to_string(&mut pid));
                return Err(LockError::Owned { folder: folder.to_owned(), pid: pid.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        file.set_len(0).map_err(unusable)?;
        file.rewind().map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

/// Makes `folder` and its parents; the folder itself is its owner's alone.
pub fn make_private(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = FolderLock::take(folder.path()).expect("free");
        let pid = std::process::id().to_string();
        match FolderLock::take(folder.path()) {
            Err(LockError::Owned { pid: named, .. }) => assert_eq!(named, pid),
            other => panic!("{other:?}"),
        }
        drop(first);
        FolderLock::take(folder.path()).expect("free again");
    }

    #[test]
    fn a_file_in_the_folders_place_is_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("data");
        std::fs::write(&path, "x").expect("written");
        assert!(FolderLock::take(&path).expect_err("a file").to_string().contains("data"));
    }
}
