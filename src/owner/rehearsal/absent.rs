//! No emulated providers: they are left out of this binary.

use std::convert::Infallible;

use crate::provisioning::error::ProvisioningError;
use crate::provisioning::terraform::command::Providers;

/// None can be.
#[derive(Debug)]
pub struct Rehearsal(Infallible);

impl Rehearsal {
    /// How Terraform finds them.
    #[must_use]
    pub fn providers(&self) -> Providers {
        match self.0 {}
    }

    /// Takes in what runs already.
    pub async fn adopt(&self) -> Result<(), ProvisioningError> {
        match self.0 {}
    }
}
