//! How Terraform is called: its folder, its environment, the providers it is given.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::find::Terraform;
use super::state::State;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;

/// Where Terraform's providers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Providers {
    /// Emulated by this process.
    Emulated {
        /// `TF_REATTACH_PROVIDERS`: which provider answers on which socket.
        reattach: String,
    },
    /// The real ones, with the credentials of this process's environment.
    Real,
}

/// Calls Terraform for one environment.
#[derive(Debug, Clone)]
pub struct Caller {
    terraform: Terraform,
    /// The folder with the configuration.
    folder: PathBuf,
    providers: Providers,
    /// Home folder and configuration of emulated runs.
    shelter: PathBuf,
}

/// What an emulated run keeps of the environment it was asked in. Everything else is left out, known credentials
/// and unknown ones alike.
const KEPT: &[&str] = &["PATH", "TMPDIR", "TZ", "LANG", "USER", "LOGNAME"];

/// What would lead Terraform elsewhere than to the folder, state and output that a run counts on.
const NEVER: &[&str] = &[
    "TF_CLI_ARGS",
    "TF_DATA_DIR",
    "TF_WORKSPACE",
    "TF_LOG",
    "TF_REATTACH_PROVIDERS",
    "TF_STATE_PERSIST_INTERVAL",
    "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE",
];

impl Caller {
    /// Calls in `folder`. `shelter` is made the home of emulated runs: a folder with nothing in it but a
    /// configuration that allows no download.
    pub fn new(
        terraform: Terraform,
        folder: &Path,
        providers: Providers,
        shelter: &Path,
    ) -> Result<Self, ProvisioningError> {
        if matches!(providers, Providers::Emulated { .. }) {
            let mirror = shelter.join("no-providers");
            files::make_folder(&mirror)?;
            files::write_whole(&shelter.join("terraformrc"), configuration(&mirror).as_bytes())?;
        }
        Ok(Self { terraform, folder: folder.to_owned(), providers, shelter: shelter.to_owned() })
    }

    /// The program that is called.
    #[must_use]
    pub const fn terraform(&self) -> &Terraform {
        &self.terraform
    }

    /// Terraform with `arguments`, not started yet.
    #[must_use]
    pub fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.terraform.path);
        match &self.providers {
            Providers::Emulated { reattach } => {
                command.env_clear();
                for (name, value) in std::env::vars_os() {
                    let name_text = name.to_string_lossy();
                    if KEPT.contains(&name_text.as_ref()) || name_text.starts_with("LC_") {
                        command.env(name, value);
                    }
                }
                command
                    .env("HOME", &self.shelter)
                    .env("TF_CLI_CONFIG_FILE", self.shelter.join("terraformrc"))
                    .env("TF_REATTACH_PROVIDERS", reattach);
            }
            Providers::Real => {
                for (name, _) in std::env::vars_os() {
                    if NEVER.iter().any(|never| name.to_string_lossy().starts_with(never)) {
                        command.env_remove(name);
                    }
                }
            }
        }
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1");
        command
    }

    /// Runs Terraform to its end and answers what it wrote to standard output. Not for what takes long.
    pub async fn ask(&self, arguments: &[&str]) -> Result<String, ProvisioningError> {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let what = arguments.iter().take_while(|argument| !argument.starts_with('-')).cloned().collect::<Vec<_>>();
        let failed = |reason: String| ProvisioningError::Terraform { command: what.join(" "), reason };
        let output = tokio::process::Command::from(self.command(&arguments))
            .stdin(std::process::Stdio::null())
            .output()
            .await
            .map_err(|error| failed(format!("can't be started: {error}; check {}", self.terraform.path.display())))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = super::text::plain(&String::from_utf8_lossy(&output.stderr));
        Err(failed(if said.trim().is_empty() {
            format!("ended with {}", output.status)
        } else {
            said.trim().to_owned()
        }))
    }
}

impl Caller {
    /// The state, wherever it is kept; `None` where there is none yet.
    pub async fn pulled_state(&self) -> Result<Option<State>, ProvisioningError> {
        let text = self.ask(&["state", "pull"]).await?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let failed = |reason: String| ProvisioningError::Terraform { command: "state pull".to_owned(), reason };
        State::read(&text).map(Some).map_err(failed)
    }
}

/// A configuration under which every provider that isn't emulated is missing, and nobody is asked for newer versions.
fn configuration(mirror: &Path) -> String {
    let path = serde_json::Value::from(mirror.to_string_lossy()).to_string();
    // In HCL a JSON string says the same, but for its templates.
    let path = path.replace("${", "$${").replace("%{", "%%{");
    format!(
        "disable_checkpoint = true\n\nprovider_installation {{\n  filesystem_mirror {{\n    path = {path}\n  }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(providers: Providers) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let terraform = Terraform { path: "/usr/bin/env".into(), version: "1.11.4".into() };
        let caller = Caller::new(terraform, folder.path(), providers, folder.path()).expect("a caller");
        let mut command = caller.command(&[]);
        // As if they had been set in this process.
        let output = command.output().expect("env runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().filter_map(|l| l.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    }

    #[test]
    fn an_emulated_run_is_given_what_it_needs_and_nothing_else() {
        let names: Vec<_> = variables(Providers::Emulated { reattach: "{}".into() }).into_iter().collect();
        let allowed = [
            "HOME",
            "TF_CLI_CONFIG_FILE",
            "TF_REATTACH_PROVIDERS",
            "TF_IN_AUTOMATION",
            "TF_INPUT",
            "CHECKPOINT_DISABLE",
        ];
        for (name, value) in &names {
            assert!(
                allowed.contains(&name.as_str()) || KEPT.contains(&name.as_str()) || name.starts_with("LC_"),
                "{name}"
            );
            assert!(name != "HOME" || Some(value.as_str()) != std::env::var("HOME").ok().as_deref());
        }
        // Cargo sets it for tests, as a shell sets credentials.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        assert!(variables(Providers::Real).iter().any(|(name, _)| name == "CARGO_MANIFEST_DIR"));
    }
}
