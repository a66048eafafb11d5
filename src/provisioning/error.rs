//! What can go wrong with provisioning, in the words that people read.

use std::path::{Path, PathBuf};

use super::words::command;
use crate::database::WatchError;
use crate::settings::EnvironmentName;

/// Why something about runs can't be done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProvisioningError {
    /// A file or folder can't be used.
    #[error("{}: {reason}; check its permissions and the free space", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The disk has no room left.
    #[error("{}: {reason}; make room on that disk", path.display())]
    Full {
        /// What was to be written.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A state's file can't be understood.
    #[error("{}: the state is damaged, it {reason}; {next}", path.display())]
    State {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        next: String,
    },
    /// A file of ours can't be understood.
    #[error("{}: {reason}; move it away, or put the newest backup in place", path.display())]
    Damaged {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Terraform isn't there.
    #[error(
        "terraform: not on the PATH; install version 1.6 or newer (developer.hashicorp.com/terraform/install), or set provisioning.terraform to where it is"
    )]
    TerraformMissing,
    /// Terraform is there and of no use.
    #[error("terraform: {}: {reason}; install version 1.6 or newer", path.display())]
    TerraformUnusable {
        /// Where.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Terraform can't be started or ended badly.
    #[error("terraform {command}: {reason}")]
    Terraform {
        /// What it was asked for, as in `state show`.
        command: String,
        /// What it said, and what to do.
        reason: String,
    },
    /// The module can't be used.
    #[error("module {}: {reason}", path.display())]
    Module {
        /// Its folder, or the file in it.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// There is no such run.
    #[error(
        "run {number}: the environment {environment} has none of that number; {} lists them",
        command(environment, "runs")
    )]
    NoRun {
        /// The number asked for.
        number: u32,
        /// The environment.
        environment: EnvironmentName,
    },
    /// What was asked doesn't go with how things stand.
    #[error("{0}")]
    Refused(String),
    /// Somebody else is at work.
    #[error("{0}")]
    Locked(String),
    /// A resource, a policy, a plan's part that isn't there.
    #[error("{0}")]
    NotFound(String),
    /// The policies deny the plan.
    #[error("{0}")]
    Denied(String),
    /// Nobody approved the plan whose approval counts.
    #[error("{0}")]
    NotApproved(String),
    /// The plan or its approval is too old.
    #[error("{0}")]
    Expired(String),
    /// What the plan was made of has moved on.
    #[error("{0}")]
    Stale(String),
    /// Another process's output can't be followed.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

impl ProvisioningError {
    /// A file's or folder's.
    pub(super) fn file(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let (path, reason) = (path.to_owned(), error.to_string());
        match error.kind() {
            StorageFull | QuotaExceeded => Self::Full { path, reason },
            _ => Self::File { path, reason },
        }
    }
}
