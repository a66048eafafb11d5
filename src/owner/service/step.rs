//! One step of installing or removing, which can be told before it is done.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Place, ServiceError, USER};
use crate::station::text::printable;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Another program is run; the words say what for.
    Run(&'static str, Vec<String>),
    /// A folder is made, with its mode; the service's own where `is_own`.
    Folder {
        /// It.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Whether it is the service's, and not root's.
        is_own: bool,
    },
    /// A file of root's is written anew, mode 0644.
    Write {
        /// It.
        path: PathBuf,
        /// What is in it.
        text: String,
    },
    /// A secret becomes the service's own, mode 0600.
    HandOver(PathBuf),
    /// A link is made.
    Link {
        /// It.
        path: PathBuf,
        /// Where it leads.
        to: PathBuf,
    },
    /// A file, link or folder with all that is in it goes.
    Delete(PathBuf),
    /// Something to know; nothing is done.
    Note(String),
}

impl Step {
    /// What is done, in one line, printable.
    #[must_use]
    pub fn words(&self) -> String {
        printable(&self.raw_words())
    }

    fn raw_words(&self) -> String {
        match self {
            Self::Run(what, command) => format!("{what}: {}", command.join(" ")),
            Self::Folder { path, mode, is_own } => {
                let owner = if *is_own { USER } else { "root" };
                format!("folder {}, mode {mode:04o}, of {owner}", path.display())
            }
            Self::Write { path, .. } => format!("write {}, mode 0644", path.display()),
            Self::HandOver(path) => format!("secret {}: mode 0600, of {USER}", path.display()),
            Self::Link { path, to } => format!("link {} to {}", path.display(), to.display()),
            Self::Delete(path) => format!("delete {}", path.display()),
            Self::Note(words) => format!("note: {words}"),
        }
    }

    /// Whether it changes something.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        !matches!(self, Self::Note(_))
    }

    /// Does it. Owners are set where this process may: as root.
    pub fn carry_out(&self, place: &Place) -> Result<(), ServiceError> {
        match self {
            Self::Run(_, command) => run(command),
            Self::Folder { path, mode, is_own } => at(path, || {
                std::fs::create_dir_all(path)?;
                std::fs::set_permissions(path, Permissions::from_mode(*mode))?;
                own(path, if *is_own { place.ids(USER) } else { Some((0, 0)) })
            }),
            Self::Write { path, text } => at(path, || {
                let folder = path.parent().unwrap_or(Path::new("/"));
                std::fs::create_dir_all(folder)?;
                // Whole or not at all: a power cut leaves the one before.
                let mut file = tempfile::NamedTempFile::new_in(folder)?;
                file.write_all(text.as_bytes())?;
                file.as_file().set_permissions(Permissions::from_mode(0o644))?;
                file.as_file().sync_all()?;
                file.persist(path).map_err(|error| error.error)?;
                own(path, Some((0, 0)))
            }),
            Self::HandOver(path) => at(path, || {
                std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
                own(path, place.ids(USER))
            }),
            Self::Link { path, to } => at(path, || {
                std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
                symlink(to, path)
            }),
            Self::Delete(path) => at(path, || match std::fs::symlink_metadata(path) {
                Ok(about) if about.is_dir() => std::fs::remove_dir_all(path),
                Ok(_) => std::fs::remove_file(path),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            }),
            Self::Note(_) => Ok(()),
        }
    }
}

fn at(path: &Path, change: impl FnOnce() -> std::io::Result<()>) -> Result<(), ServiceError> {
    change().map_err(|error| ServiceError::File { path: path.to_owned(), reason: error.to_string() })
}

/// Gives it to a user and a group, where this process may: as root.
fn own(path: &Path, ids: Option<(u32, u32)>) -> std::io::Result<()> {
    match ids {
        Some((user, group)) if rustix::process::geteuid().is_root() => lchown(path, Some(user), Some(group)),
        _ => Ok(()),
    }
}

/// Runs another program to its end, quietly; what it said is told where it fails.
fn run(command: &[String]) -> Result<(), ServiceError> {
    let failed = |reason: String| ServiceError::Command { command: command.join(" "), reason };
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let ended = Command::new(program).args(arguments).stdin(Stdio::null()).output().map_err(|error| {
        failed(format!("{error}; install what brings {program}, or do by hand what it is for and run this again"))
    })?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let said = if said.is_empty() { ended.status.to_string() } else { said };
    let look = if program == "systemctl" { "; look: journalctl -u skydeck-agent -n 20" } else { "" };
    Err(failed(format!("{said}{look}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_or_is_missing_is_told_with_its_words() {
        let words = |command: &[&str]| {
            run(&command.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).expect_err("fails").to_string()
        };
        assert_eq!(
            words(&["sh", "-c", "echo no such user >&2; exit 3"]),
            "sh -c echo no such user >&2; exit 3: no such user"
        );
        assert!(words(&["sh", "-c", "exit 3"]).ends_with(": exit status: 3"));
        assert!(words(&["no-such-program"]).contains("install what brings no-such-program"));
    }

    #[test]
    fn what_is_to_be_deleted_may_be_gone_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let place = Place::new(Some(folder.path())).expect("a folder");
        let (kept, link) = (folder.path().join("kept"), folder.path().join("link"));
        std::fs::create_dir(&kept).expect("made");
        std::fs::write(kept.join("file"), "x").expect("written");
        symlink(&kept, &link).expect("linked");
        Step::Delete(link.clone()).carry_out(&place).expect("deleted");
        assert!(!link.exists() && kept.join("file").exists());
        Step::Delete(link).carry_out(&place).expect("gone already");
        Step::Delete(kept.clone()).carry_out(&place).expect("deleted");
        assert!(!kept.exists());
    }
}
