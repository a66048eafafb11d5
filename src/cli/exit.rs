//! How a command ends: its exit code, and the words on standard error.

use std::fmt;
use std::process::ExitCode;

use crate::owner::{AskError, AttachError, Refusal};
#[cfg(any(feature = "agent", feature = "diag"))]
use crate::settings::ServiceFileError;
use crate::settings::{FolderError, SettingsError};
use crate::station::text::printable;

/// The exit codes of this release, from the one table in `--help` and the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// Changes are pending.
    #[cfg(feature = "_ground")]
    Pending = 3,
    /// The policies deny the plan.
    Denied = 4,
    /// The plan isn't approved, or it or its approval is too old.
    NotApproved = 5,
    /// The state has moved on since the plan.
    Stale = 6,
    /// Unhealthy.
    Unhealthy = 7,
    /// Locked by somebody else.
    Locked = 8,
    /// Not found.
    NotFound = 9,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends early.
#[derive(Debug)]
pub struct Failure {
    /// With which code.
    pub exit: Exit,
    /// `thing: cause; next step`, printable; `None` where there is nothing to say.
    words: Option<String>,
    /// Another program's exit code, passed on instead.
    passed_on: Option<u8>,
}

impl Failure {
    /// An end with words: `thing: cause; next step`.
    pub fn new(exit: Exit, words: impl fmt::Display) -> Self {
        Self { exit, words: Some(printable(&words.to_string())), passed_on: None }
    }

    /// An end in silence.
    pub const fn quiet(exit: Exit) -> Self {
        Self { exit, words: None, passed_on: None }
    }

    /// Another program has failed and said why: its exit code, not 0, is ours.
    #[cfg(feature = "local")]
    pub const fn passed_on(code: u8) -> Self {
        Self { exit: Exit::Failed, words: None, passed_on: Some(code) }
    }

    /// What the process ends with.
    pub fn code(&self) -> ExitCode {
        self.passed_on.map_or_else(|| self.exit.into(), ExitCode::from)
    }

    /// What goes to standard error, without the program's name.
    pub fn words(&self) -> Option<&str> {
        self.words.as_deref()
    }
}

/// The reader of our output has gone (`| head`): a quiet end. Anything else is a failure.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::quiet(Exit::Done),
            _ => Self::new(Exit::Failed, format!("standard output: {error}; check where it is redirected to")),
        }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

#[cfg(any(feature = "agent", feature = "diag"))]
impl From<ServiceFileError> for Failure {
    fn from(error: ServiceFileError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::new(error.why().map_or(Exit::Failed, Exit::of), error)
    }
}

/// An owner that answers something else is of another version than its protocol says.
#[cfg(feature = "_ground")]
pub fn unexpected() -> Failure {
    Failure::new(Exit::Failed, "owner: it answered what wasn't asked; restart it with this skydeck")
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl Exit {
    /// What a refusal of that kind ends a command with.
    pub const fn of(why: Refusal) -> Self {
        match why {
            Refusal::NotFound => Self::NotFound,
            Refusal::Denied => Self::Denied,
            Refusal::NotApproved | Refusal::Expired => Self::NotApproved,
            Refusal::Stale => Self::Stale,
            Refusal::Locked => Self::Locked,
        }
    }
}
