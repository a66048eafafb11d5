//! Packages in the agent's folder, each under its digest.
//!
//! `SHA256.model` is a whole package; it takes its name once it is on disk with the digest it bears. `SHA256.part` is one that
//! is being fetched: what a cut leaves of it is gone on with.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::nowcast::package::{MAX_PACKAGE, Package, hex, is_sha256};

/// Bytes that stay free on the disk: measurements need them more than a model does.
const RESERVE: u64 = 64 * 1024 * 1024;
const WHOLE: &str = "model";
const PART: &str = "part";

/// The folder.
#[derive(Debug, Clone)]
pub(in crate::edge_agent) struct Store {
    folder: PathBuf,
    /// Packages that are kept.
    keep: usize,
}

impl Store {
    /// Opens or makes the folder. Parts of before are left; [`Store::prune`] removes what nobody wants.
    pub fn open(folder: PathBuf, keep: usize) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder, keep })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a package that is being fetched.
    pub fn part(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.{PART}"))
    }

    fn whole(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.{WHOLE}"))
    }

    /// Whether there is a package of this digest.
    pub fn has(&self, sha256: &str) -> bool {
        is_sha256(sha256) && self.whole(sha256).is_file()
    }

    /// Whether `more` bytes leave enough room on the disk; else in words why not. Where that can't be known, writing tells.
    pub fn check_room(&self, more: u64) -> Result<(), String> {
        let Ok(disk) = rustix::fs::statvfs(&self.folder) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= more.saturating_add(RESERVE) {
            return Ok(());
        }
        let [free, more, reserve] = [free, more, RESERVE].map(|bytes| bytes.div_ceil(1024 * 1024));
        Err(format!(
            "the disk has {free} MiB left, and {more} MiB more have to leave {reserve} MiB free for measurements; free some \
             space and deploy it again"
        ))
    }

    /// Gives a part that is complete its name. Its digest was checked.
    pub fn finish(&self, sha256: &str) -> io::Result<()> {
        let part = self.part(sha256);
        File::open(&part)?.sync_all()?;
        fs::rename(&part, self.whole(sha256))?;
        File::open(&self.folder)?.sync_all()
    }

    /// Removes a package.
    pub fn remove(&self, sha256: &str) {
        // What stays is removed by the next look.
        drop(fs::remove_file(self.whole(sha256)));
    }

    /// Reads a package, if its file still has the digest it is called by. Fails in words.
    pub fn read(&self, sha256: &str) -> Result<Package, String> {
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => "it isn't kept here any more; deploy it again".to_owned(),
            _ => format!("it can't be read: {error}"),
        };
        let mut file = File::open(self.whole(sha256)).map_err(missing)?;
        let mut hash = Sha256::new();
        io::copy(&mut (&mut file).take(MAX_PACKAGE + 1), &mut hash).map_err(missing)?;
        if hex(&hash.finalize()) != sha256 {
            return Err(
                "its file was changed or is broken: it hasn't the digest it is called by; deploy it again".to_owned()
            );
        }
        file.rewind().map_err(missing)?;
        Package::read(file).map_err(|error| error.to_string())
    }

    /// Removes what isn't a package's, parts but that of `fetching`, and the oldest packages over the bound. Those of `used`
    /// stay whatever the bound is.
    pub fn prune<'a>(&self, used: impl Iterator<Item = &'a str>, fetching: Option<&str>) {
        let used: BTreeSet<&str> = used.collect();
        let mut others: Vec<(SystemTime, String)> = Vec::new();
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.rsplit_once('.') {
                Some((sha256, PART)) if Some(sha256) == fetching => {}
                Some((sha256, WHOLE)) if used.contains(sha256) => {}
                Some((sha256, WHOLE)) if is_sha256(sha256) => {
                    let at = entry.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
                    others.push((at, name));
                }
                // What stays is looked at again with the next.
                _ => drop(fs::remove_file(entry.path())),
            }
        }
        others.sort();
        let over = (others.len() + used.len()).saturating_sub(self.keep);
        for (_, name) in others.into_iter().take(over) {
            drop(fs::remove_file(self.folder.join(name)));
        }
    }
}
