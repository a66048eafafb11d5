//! Provisioning as an owner and the command line drive it. Runs are asked for here and carried out by a process of
//! their own; what is known of them is read from the folders they write to.

use super::client::AskError;
use super::protocol::{Answer, Request};
use crate::provisioning::status::ProvisioningStatus;
use crate::settings::Roots;

/// How the process of a run is started: this program with the arguments that lead to the same settings and folders.
/// `--env NAME` and the run are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerCommand {
    /// The program.
    pub program: std::path::PathBuf,
    /// Its arguments before the command.
    pub arguments: Vec<std::ffi::OsString>,
}

/// The one place that runs are asked for and looked at; clones share it. Works with and without an owner.
#[derive(Debug, Clone)]
pub struct Provisioner {
    roots: Roots,
    runner: RunnerCommand,
}

impl Provisioner {
    /// For the environments under `roots`.
    #[must_use]
    pub const fn new(roots: Roots, runner: RunnerCommand) -> Self {
        Self { roots, runner }
    }

    /// How provisioning stands now.
    pub async fn status(&self) -> ProvisioningStatus {
        tracing::debug!(target: "owner", "provisioning of {:?} by {:?}", self.roots, self.runner);
        ProvisioningStatus::default()
    }

    /// Waits until something of a run, a lock or a state has changed since the last call. For one waiter.
    pub async fn changed(&self) {
        std::future::pending().await
    }

    /// Answers the requests about runs and states; anything else is refused.
    pub async fn answer(&self, request: Request) -> Result<Answer, AskError> {
        Err(AskError::Refused(format!("{request:?}: not a request about runs")))
    }
}
