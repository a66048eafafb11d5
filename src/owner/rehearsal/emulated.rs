//! Emulated providers, served in this process.

use std::path::Path;
use std::process::Command;

use crate::local_cloud::cloud::Cloud;
use crate::local_cloud::providers::{self, Serving};
use crate::owner::sockets::SocketFolder;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::terraform::command::{Caller, Providers};
use crate::provisioning::terraform::find::Terraform;

/// Emulated providers that are being served, and the cloud they apply to. Dropping it ends them.
#[derive(Debug)]
pub struct Rehearsal {
    serving: Serving,
    cloud: Cloud,
    _sockets: SocketFolder,
}

impl Rehearsal {
    /// Serves the providers on the cloud in `folder`, which is made if need be.
    pub async fn start(folder: &Path) -> Result<Self, ProvisioningError> {
        files::make_folder(folder)?;
        let cloud = Cloud::open(folder).map_err(|error| ProvisioningError::Refused(error.to_string()))?;
        let sockets = SocketFolder::make(&std::env::temp_dir())
            .map_err(|error| ProvisioningError::Refused(format!("temporary folder: {error}; check TMPDIR")))?;
        let serving = providers::serve(sockets.path(), cloud.clone())
            .await
            .map_err(|error| ProvisioningError::Refused(error.to_string()))?;
        Ok(Self { serving, cloud, _sockets: sockets })
    }

    /// How Terraform finds them.
    #[must_use]
    pub fn providers(&self) -> Providers {
        Providers::Emulated { reattach: self.serving.reattach() }
    }

    /// The cloud they apply to.
    #[must_use]
    pub const fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// Takes in what runs already, so that a first apply finds it there.
    pub async fn adopt(&self) -> Result<(), ProvisioningError> {
        self.cloud.adopt().await.map_err(|error| ProvisioningError::Refused(error.to_string()))
    }

    /// Terraform with `arguments` in `folder` on these providers, not started yet. `shelter` is its home, with nothing
    /// of the user's in it.
    pub async fn command(
        &self,
        terraform: Option<&Path>,
        folder: &Path,
        shelter: &Path,
        arguments: &[String],
    ) -> Result<Command, ProvisioningError> {
        let terraform = Terraform::find(terraform).await?;
        Ok(Caller::new(terraform, folder, self.providers(), shelter)?.command(arguments))
    }
}
