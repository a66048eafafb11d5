//! A viewer's side: the newest snapshot, and a way to ask.

#[cfg(feature = "_ground")]
use std::sync::Arc;

#[cfg(feature = "_ground")]
use tokio::sync::watch;

use super::protocol::{Answer, Refusal, Request};
#[cfg(feature = "_ground")]
use super::snapshot::Snapshot;
#[cfg(feature = "_ground")]
use crate::provisioning::error::ProvisioningError;
#[cfg(feature = "_ground")]
use crate::station::text::printable;

/// Why a request got no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// The owner refused it; its words say why and what to do next.
    #[error("{0}")]
    Refused(String),
    /// The same, for a reason that a program can act on.
    #[error("{words}")]
    Barred {
        /// The kind of reason.
        why: Refusal,
        /// Why, and what to do next.
        words: String,
    },
    /// The owner is gone.
    #[error("the owner of this environment has ended; start it again with `skydeck run`, or `skydeck` alone")]
    Gone,
}

impl AskError {
    /// A refusal: `why` is absent where no program could act on it.
    #[must_use]
    pub const fn refused(why: Option<Refusal>, words: String) -> Self {
        match why {
            Some(why) => Self::Barred { why, words },
            None => Self::Refused(words),
        }
    }

    /// The kind of reason, where a program can act on it.
    #[must_use]
    pub const fn why(&self) -> Option<Refusal> {
        match self {
            Self::Barred { why, .. } => Some(*why),
            Self::Refused(_) | Self::Gone => None,
        }
    }
}

/// The refusal as viewers are told it, printable.
#[cfg(feature = "_ground")]
impl From<ProvisioningError> for AskError {
    fn from(error: ProvisioningError) -> Self {
        let why = match error {
            ProvisioningError::NoRun { .. } | ProvisioningError::NotFound(_) => Some(Refusal::NotFound),
            ProvisioningError::Denied(_) => Some(Refusal::Denied),
            ProvisioningError::NotApproved(_) => Some(Refusal::NotApproved),
            ProvisioningError::Expired(_) => Some(Refusal::Expired),
            ProvisioningError::Stale(_) => Some(Refusal::Stale),
            ProvisioningError::Locked(_) => Some(Refusal::Locked),
            _ => None,
        };
        Self::refused(why, printable(&error.to_string()))
    }
}

/// One request on its way to the owner, with where its answer goes.
#[derive(Debug)]
pub struct Ask {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub answer: tokio::sync::oneshot::Sender<Result<Answer, AskError>>,
}

/// A viewer's handle on an owner, in this process or behind its socket; clones share it.
#[cfg(feature = "_ground")]
#[derive(Clone, Debug)]
pub struct OwnerClient {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    asks: tokio::sync::mpsc::Sender<Ask>,
}

#[cfg(feature = "_ground")]
impl OwnerClient {
    /// A handle from its two channels: the owner's own, or a socket's.
    #[must_use]
    pub const fn new(snapshots: watch::Receiver<Arc<Snapshot>>, asks: tokio::sync::mpsc::Sender<Ask>) -> Self {
        Self { snapshots, asks }
    }

    /// The snapshots: `borrow` is the newest, `changed` waits for the next and fails once the owner is gone.
    #[must_use]
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Asks, and waits for the answer.
    pub async fn ask(&self, request: Request) -> Result<Answer, AskError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.asks.send(Ask { request, answer }).await.map_err(|_| AskError::Gone)?;
        answered.await.map_err(|_| AskError::Gone)?
    }
}
