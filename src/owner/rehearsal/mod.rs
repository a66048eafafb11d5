//! Rehearsals: Terraform on emulated providers, which plan and apply on any machine and can't touch a real account.
//!
//! Which providers an environment's runs use is decided here, and whether this binary has them.

#[cfg(not(feature = "local"))]
mod absent;
#[cfg(feature = "local")]
mod emulated;

#[cfg(not(feature = "local"))]
pub use self::absent::Rehearsal;
#[cfg(feature = "local")]
pub use self::emulated::Rehearsal;
use crate::provisioning::error::ProvisioningError;
use crate::settings::{EnvironmentKind, EnvironmentName, Folders};

impl Rehearsal {
    /// The rehearsal that an environment's runs use; none where its providers are real. Refused where this binary is
    /// built without them.
    pub async fn of(environment: &EnvironmentName, folders: &Folders) -> Result<Option<Self>, ProvisioningError> {
        match environment.kind() {
            #[cfg(feature = "cloud")]
            EnvironmentKind::Cloud => Ok(None),
            #[cfg(not(feature = "cloud"))]
            EnvironmentKind::Cloud => Err(left_out(environment, "cloud")),
            #[cfg(feature = "local")]
            EnvironmentKind::Demo | EnvironmentKind::Local => Self::start(&folders.cloud()).await.map(Some),
            #[cfg(not(feature = "local"))]
            EnvironmentKind::Demo | EnvironmentKind::Local => {
                let _ = folders;
                Err(left_out(environment, "local"))
            }
        }
    }
}

#[cfg(not(all(feature = "local", feature = "cloud")))]
fn left_out(environment: &EnvironmentName, feature: &str) -> ProvisioningError {
    ProvisioningError::Refused(format!(
        "environment {environment}: this skydeck is built without the feature `{feature}`; take one that has it"
    ))
}
