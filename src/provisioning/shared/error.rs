//! What can go wrong with shared runs, in the words that people read.

use crate::provisioning::error::ProvisioningError;
use crate::settings::SecretError;

/// Why something about shared runs can't be done. No word of a secret is in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SharedError {
    /// Nobody answers.
    #[error("run store {place}: not reachable: {reason}; what is known here stays, try again when the network is back")]
    Unreachable {
        /// The store's URL.
        place: String,
        /// The system's words.
        reason: String,
    },
    /// Nobody is signed in.
    #[error(
        "run store {place}: not signed in: {reason}; run `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE or AZURE_CLIENT_SECRET"
    )]
    NotSignedIn {
        /// The store's URL.
        place: String,
        /// What was said.
        reason: String,
    },
    /// Signed in, and not allowed.
    #[error("run store {place}: not authorised ({reason}); {next}")]
    Unauthorised {
        /// The store's URL.
        place: String,
        /// Azure's code, or the system's words.
        reason: String,
        /// What to do.
        next: &'static str,
    },
    /// The container or folder isn't there.
    #[error("run store {place}: isn't there; make it: {how}")]
    Missing {
        /// The store's URL.
        place: String,
        /// How it is made.
        how: String,
    },
    /// Somebody else was first.
    #[error("{0}")]
    Conflict(String),
    /// What is in the store can't be understood.
    #[error("run store {place}: {object}: {reason}")]
    Damaged {
        /// The store's URL.
        place: String,
        /// The object's path.
        object: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The store failed in another way.
    #[error("run store {place}: {object}: {reason}; try again, and look at the store's own status if it stays")]
    Failed {
        /// The store's URL.
        place: String,
        /// The object's path.
        object: String,
        /// What was said.
        reason: String,
    },
    /// A setting or a request that can't be used.
    #[error("{0}")]
    Refused(String),
    /// A plan can't be encrypted or decrypted.
    #[error("{0}")]
    Key(String),
    /// A secret can't be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A file here.
    #[error(transparent)]
    Here(#[from] ProvisioningError),
}

impl SharedError {
    /// Whether trying again later may help without anybody doing anything.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Failed { .. })
    }
}

impl From<SharedError> for ProvisioningError {
    fn from(error: SharedError) -> Self {
        match error {
            SharedError::Here(error) => error,
            other => Self::Refused(other.to_string()),
        }
    }
}
