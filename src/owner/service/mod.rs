//! The agent as a service of the system.
//!
//! [`install`] plans what is to be done on a machine or in an image, as [`Step`]s; `unit` is the unit, `place` where
//! things go; [`systemd`] is what the service manager knows of it, [`notify`] what the agent tells the service manager.
//! Called by `cli`; knows `settings`.

pub mod install;
pub mod notify;
mod place;
mod step;
pub mod systemd;
mod unit;

pub use install::{Install, Scope, Uninstall};
pub use notify::ServiceManager;
pub use place::Place;
pub use step::Step;
pub use systemd::UnitState;

use std::path::PathBuf;

use crate::settings::{ServiceFileError, SettingsError};

/// The unit's name.
pub const UNIT: &str = "skydeck-agent.service";
/// The user that the service runs as, and the group that may ask it.
pub const USER: &str = "skydeck";

/// Why the service can't be installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Not the superuser.
    #[error(
        "agent {0}: only root may do that; run it with sudo, look at the steps with --dry-run, or name an image with --root DIR"
    )]
    NotRoot(&'static str),
    /// No systemd runs here.
    #[error(
        "systemd: it doesn't run this machine (no /run/systemd/system); for an image name its folder with --root DIR, else have `skydeck --env NAME agent run` started by what starts programs here"
    )]
    NoSystemd,
    /// Nobody says which environment it is.
    #[error("agent install: no environment is named; say which one the service runs: skydeck --env NAME agent install")]
    NoEnvironment,
    /// The program lies where the service can't reach it.
    #[error("{}: {reason}; put it elsewhere (sudo install -m 755 {} /usr/local/bin/skydeck) and run that one, or name it with --program", path.display(), path.display())]
    Program {
        /// The program.
        path: PathBuf,
        /// Why it won't do.
        reason: &'static str,
    },
    /// A unit of that name is there, and not of skydeck's making.
    #[error(
        "{}: it isn't of skydeck's making ({reason}) and is left as it is; move it away and run this again, or keep it and write what differs with `systemctl edit {UNIT}`",
        path.display()
    )]
    ForeignUnit {
        /// The unit.
        path: PathBuf,
        /// How that is known.
        reason: &'static str,
    },
    /// A file or folder can't be read or changed.
    #[error("{}: {reason}; check the path and its permissions", path.display())]
    File {
        /// It.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Another program failed.
    #[error("{command}: {reason}")]
    Command {
        /// It, with its arguments.
        command: String,
        /// What it said, and what to do.
        reason: String,
    },
    /// The file that names the environment isn't understood.
    #[error(transparent)]
    Environment(#[from] ServiceFileError),
    /// The environment's settings don't hold.
    #[error(transparent)]
    Settings(#[from] Box<SettingsError>),
}
