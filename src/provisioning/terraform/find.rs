//! Finding Terraform: where it is and whether it is new enough.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::provisioning::error::ProvisioningError;
use crate::provisioning::status::TerraformStatus;
use crate::station::text::printable;

/// The oldest version that is used, major and minor.
pub const OLDEST: (u32, u32) = (1, 6);

/// How long Terraform may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// Terraform on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terraform {
    /// The program.
    pub path: PathBuf,
    /// Its version, as in `1.11.4`.
    pub version: String,
}

#[derive(Deserialize)]
struct Version {
    terraform_version: String,
}

impl Terraform {
    /// Finds Terraform: the program at `named`, else the first on the PATH. Starts it once, to ask its version.
    pub async fn find(named: Option<&Path>) -> Result<Self, ProvisioningError> {
        let path = match named {
            Some(named) => named.to_owned(),
            None => on_the_path().ok_or(ProvisioningError::TerraformMissing)?,
        };
        let unusable = |reason: String| ProvisioningError::TerraformUnusable { path: path.clone(), reason };
        let asked = tokio::process::Command::new(&path)
            .args(["version", "-json"])
            // Its answer also names the providers of the folder it is asked in: there are none here. The look for
            // newer versions goes over the network.
            .current_dir("/")
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_CLI_CONFIG_FILE", "/dev/null")
            .env_remove("TF_LOG")
            .env_remove("TF_CLI_ARGS")
            .env_remove("TF_CLI_ARGS_version")
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, asked)
            .await
            .map_err(|_| unusable(format!("doesn't tell its version within {} s", PATIENCE.as_secs())))?
            .map_err(|error| unusable(format!("can't be started: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version: Version = serde_json::from_str(&text).map_err(|_| {
            let said: String = printable(&String::from_utf8_lossy(&output.stderr)).chars().take(200).collect();
            unusable(format!("doesn't tell its version ({}) {said}", output.status))
        })?;
        let version = printable(&version.terraform_version);
        if is_new_enough(&version) {
            Ok(Self { path, version })
        } else {
            Err(unusable(format!("version {version} is older than {}.{}", OLDEST.0, OLDEST.1)))
        }
    }
}

impl Terraform {
    /// Whether its version is `major.minor` or newer.
    #[must_use]
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        is_at_least(&self.version, (major, minor))
    }
}

/// How a search ended, for the screens.
#[must_use]
pub fn status_of(found: &Result<Terraform, ProvisioningError>) -> TerraformStatus {
    match found {
        Ok(found) => TerraformStatus::Found { path: found.path.clone(), version: found.version.clone() },
        Err(ProvisioningError::TerraformUnusable { path, reason }) => {
            TerraformStatus::Unusable { path: path.clone(), reason: reason.clone() }
        }
        Err(_) => TerraformStatus::Missing,
    }
}

fn on_the_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let programs = std::env::split_paths(&path).map(|folder| folder.join("terraform"));
    // It is started in another folder than this one.
    programs.filter_map(|program| std::path::absolute(program).ok()).find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn is_new_enough(version: &str) -> bool {
    is_at_least(version, OLDEST)
}

fn is_at_least(version: &str, oldest: (u32, u32)) -> bool {
    let mut parts = version.split(['.', '-', '+']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= oldest,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_by_its_numbers() {
        for (version, enough) in [
            ("1.11.4", true),
            ("1.6.0", true),
            ("1.5.7", false),
            ("0.15.5", false),
            ("2.0.0-beta1", true),
            ("x", false),
        ] {
            assert_eq!(is_new_enough(version), enough, "{version}");
        }
    }

    #[tokio::test]
    async fn a_program_that_is_no_terraform_is_named() {
        let found = Terraform::find(Some(Path::new("/bin/echo"))).await;
        let words = found.as_ref().expect_err("not terraform").to_string();
        assert!(words.starts_with("terraform: /bin/echo: doesn't tell its version"), "{words}");
        assert!(matches!(status_of(&found), TerraformStatus::Unusable { .. }));
        let missing = Terraform::find(Some(Path::new("/no/terraform"))).await.expect_err("missing").to_string();
        assert!(missing.contains("can't be started"), "{missing}");
    }
}
