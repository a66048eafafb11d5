//! The configuration as it is laid out for Terraform: the module's files, and what is generated beside them.
//!
//! One folder an environment, so that nothing is written into a module of one's own and two environments never meet.
//! [`module`] reads the files, carried in the binary or from a folder; [`generated`] writes what demo and local add;
//! [`secrets`] finds what the files set sensitive variables to, by [`hcl`].
//! Called by `runs`.

pub mod generated; // the override for the local backend, the variables from the settings
pub mod hcl; // blocks, attributes and literals of a file
pub mod module; // the module's files
pub mod secrets; // what sensitive variables are set to

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::generated::{OVERRIDE, VARIABLES};
use self::module::Module;
use super::error::ProvisioningError;
use super::files;
use crate::settings::{EnvironmentKind, EnvironmentName};

/// The folder in which Terraform runs for one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    environment: EnvironmentName,
    folder: PathBuf,
    state: PathBuf,
}

impl Workspace {
    /// The workspace of `environment` in its provisioning folder. Nothing is made.
    #[must_use]
    pub fn of(environment: &EnvironmentName, provisioning: &Path) -> Self {
        Self {
            environment: environment.clone(),
            folder: provisioning.join("module"),
            state: provisioning.join("terraform.tfstate"),
        }
    }

    /// Where Terraform is called.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The state's file; `None` where the state is kept elsewhere.
    #[must_use]
    pub fn local_state(&self) -> Option<&Path> {
        self.is_embedded().then_some(self.state.as_path())
    }

    /// The state that an apply couldn't write where it belongs, where there is one.
    #[must_use]
    pub fn unsaved_state(&self) -> Option<PathBuf> {
        Some(self.folder.join(module::UNSAVED)).filter(|path| path.is_file())
    }

    /// Whether it is demo or local.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.environment.kind() != EnvironmentKind::Cloud
    }

    /// Whether Terraform was ever called here.
    #[must_use]
    pub fn is_initialised(&self) -> bool {
        self.folder.join(".terraform").is_dir()
    }

    /// Lays out `module`, and beside it what its environment adds. `variables` are what the settings say; only those
    /// that the module declares are written. What an earlier module left is removed, Terraform's own files stay.
    pub fn lay_out(&self, module: &Module, variables: &BTreeMap<String, Value>) -> Result<(), ProvisioningError> {
        let mut wanted = module.files.clone();
        if self.is_embedded() {
            wanted.insert(OVERRIDE.into(), generated::local_backend(&self.state).into_bytes());
            let declared = module.declared_variables();
            let given = variables.iter().filter(|(name, _)| declared.contains(*name));
            wanted.insert(VARIABLES.into(), generated::variables(given).into_bytes());
        } else {
            for file in [self.backend_file(), self.variables_file()] {
                if !wanted.contains_key(Path::new(&file)) {
                    let path = module.place.join(&file);
                    let reason = format!(
                        "the environment {} needs it and it isn't there; write it, or name a module that has it in provisioning.module",
                        self.environment
                    );
                    return Err(ProvisioningError::Module { path, reason });
                }
            }
        }
        files::make_folder(&self.folder)?;
        module::remove_others(&self.folder, &wanted)?;
        for (name, content) in &wanted {
            let path = self.folder.join(name);
            if let Some(parent) = path.parent() {
                files::make_folder(parent)?;
            }
            if std::fs::read(&path).ok().as_ref() != Some(content) {
                files::write_whole(&path, content)?;
            }
        }
        Ok(())
    }

    /// What `init` is told about the backend.
    #[must_use]
    pub fn backend_arguments(&self) -> Vec<String> {
        if self.is_embedded() {
            // The path is absolute: a data folder that was moved is another backend to Terraform, and the state in it
            // is already where it belongs.
            vec!["-reconfigure".to_owned()]
        } else {
            vec![format!("-backend-config={}", self.backend_file())]
        }
    }

    /// What `plan` is told about variables; a later file wins.
    #[must_use]
    pub fn variable_arguments(&self) -> Vec<String> {
        let own = self.variables_file();
        let has_own = self.folder.join(&own).is_file();
        let generated = self.is_embedded().then(|| VARIABLES.to_owned());
        has_own.then_some(own).into_iter().chain(generated).map(|file| format!("-var-file={file}")).collect()
    }

    fn backend_file(&self) -> String {
        format!("backend/{}.tfvars", self.environment)
    }

    /// The file of the environment's own variables, within the module.
    #[must_use]
    pub fn variables_file(&self) -> String {
        format!("environments/{}.tfvars", self.environment)
    }
}

#[cfg(test)]
mod tests;
