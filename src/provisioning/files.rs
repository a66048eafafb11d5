//! Files that only their owner may read, and that are whole whenever they are read.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::error::ProvisioningError;

/// Makes `folder` and its parents where they are missing (0700).
pub fn make_folder(folder: &Path) -> Result<(), ProvisioningError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| ProvisioningError::file(folder, &error))
}

/// Writes `content` to `path` (0600) so that whoever reads finds the old content or the new one, whole. It is on disk
/// when this comes back.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), ProvisioningError> {
    replace(path, content, true)
}

/// As [`write_whole`], but a power cut may bring the old content back: for what is written many times a second.
pub fn write_often(path: &Path, content: &[u8]) -> Result<(), ProvisioningError> {
    replace(path, content, false)
}

fn replace(path: &Path, content: &[u8], durable: bool) -> Result<(), ProvisioningError> {
    let failed = |error: std::io::Error| ProvisioningError::file(path, &error);
    let mut unfinished = path.as_os_str().to_owned();
    // By the same sign backups pass over what is being written.
    unfinished.push(format!("#{}", std::process::id()));
    let mut file = create(Path::new(&unfinished)).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    if durable {
        file.sync_data().map_err(failed)?;
    }
    std::fs::rename(&unfinished, path).map_err(failed)
}

/// Makes or empties a file (0600).
pub fn create(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Opens or makes a file to read, write and lock (0600).
pub fn open(path: &Path) -> std::io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// The text of `path`; `None` where there is no such file.
pub fn read(path: &Path) -> Result<Option<String>, ProvisioningError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ProvisioningError::file(path, &error)),
    }
}

/// Removes a file that needn't be there.
pub fn remove(path: &Path) -> Result<(), ProvisioningError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ProvisioningError::file(path, &error)),
        _ => Ok(()),
    }
}
