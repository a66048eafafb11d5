//! The folder of a process's sockets: in the temporary folder, since a socket's path has a bound.
//!
//! Whoever is killed leaves it behind. A lock in it, which the system frees with the process, says whether anybody is
//! left; the next one to need such a folder removes those that nobody holds.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use tempfile::TempDir;

/// How the names of these folders begin.
const PREFIX: &str = "skydeck-sockets-";
/// The locked file.
const HELD: &str = "held";

/// A folder for sockets (0700), removed when it is dropped.
#[derive(Debug)]
pub(super) struct SocketFolder {
    folder: TempDir,
    _held: File,
}

impl SocketFolder {
    /// Makes one in the folder `temporary`, and removes what killed processes of this user have left there.
    pub(super) fn make(temporary: &Path) -> io::Result<Self> {
        remove_left_behind(temporary);
        let private = std::fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(temporary)?;
        // It has its name once it is locked: nobody takes a folder that is being made for one left behind.
        let unlocked = folder.path().join("unlocked");
        let held = File::create_new(&unlocked)?;
        held.lock()?;
        std::fs::rename(unlocked, folder.path().join(HELD))?;
        Ok(Self { folder, _held: held })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// What can't be looked at or removed stays: it is in nobody's way.
fn remove_left_behind(temporary: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user);
        if !is_ours {
            continue;
        }
        let Ok(held) = File::open(entry.path().join(HELD)) else { continue };
        if held.try_lock().is_ok()
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::debug!(target: "provisioning", "{}: {error}", entry.path().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_removes_what_the_dead_have_left_and_nothing_else() {
        let temporary = tempfile::tempdir().expect("temporary folder");
        let names = || {
            let entries = std::fs::read_dir(temporary.path()).expect("readable").flatten();
            let mut names: Vec<_> = entries.map(|entry| entry.path()).collect();
            names.sort();
            names
        };
        // A process that is killed drops nothing, but its lock is freed.
        let dead = temporary.path().join("skydeck-sockets-dead");
        std::fs::create_dir(&dead).expect("made");
        std::fs::write(dead.join(HELD), "").expect("written");
        std::fs::write(dead.join("azurerm.sock"), "").expect("written");
        let being_made = temporary.path().join("skydeck-sockets-new");
        std::fs::create_dir(&being_made).expect("made");
        let strange = temporary.path().join("skydeck-other");
        std::fs::create_dir(&strange).expect("made");
        std::fs::write(strange.join(HELD), "").expect("written");
        let linked = temporary.path().join("skydeck-sockets-link");
        std::os::unix::fs::symlink(&strange, &linked).expect("linked");

        let alive = SocketFolder::make(temporary.path()).expect("made");
        let mode = std::fs::metadata(alive.path()).expect("there").mode();
        assert_eq!(mode & 0o777, 0o700, "nobody else may talk to the providers");
        let mut expected = vec![being_made, strange, linked, alive.path().to_owned()];
        expected.sort();
        assert_eq!(names(), expected);
        let other = SocketFolder::make(temporary.path()).expect("made beside it");
        assert!(alive.path().join(HELD).exists(), "who lives keeps theirs");
        drop((alive, other));
        assert_eq!(names().len(), 3);
    }
}
