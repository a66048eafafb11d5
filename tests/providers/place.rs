//! A place for one test: a module of its own, an emulated cloud, the real Terraform.

pub use crate::terraform_peer::is_here as has_terraform;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use skydeck::local_cloud::cloud::{Cloud, Fault, Resource};
use skydeck::owner::rehearsal::Rehearsal;

/// How long one call of Terraform may take, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

const HEAD: &str = r#"
terraform {
  required_providers {
    azurerm   = { source = "hashicorp/azurerm" }
    snowflake = { source = "snowflakedb/snowflake" }
  }
}
provider "azurerm" {
  subscription_id = "00000000-0000-4000-8000-0000000000aa"
  features {}
}
provider "snowflake" {
  preview_features_enabled = ["snowflake_current_account_datasource"]
}
"#;

pub struct Place {
    folder: tempfile::TempDir,
    rehearsal: Rehearsal,
}

/// What one call of Terraform ended with.
pub struct Ended {
    pub code: i32,
    /// Standard output and error, lines joined where Terraform breaks them within its frames.
    pub text: String,
    pub out: String,
}

impl Place {
    /// With `main` behind a head that names both providers, initialised.
    pub async fn new(main: &str) -> Self {
        let place = Self::bare().await;
        place.write(main);
        place.ends_with(0, &["init", "-input=false"]).await;
        place
    }

    /// With the files of a folder beside this one, initialised.
    pub async fn of_folder(name: &str) -> Self {
        let place = Self::bare().await;
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/providers").join(name);
        for entry in std::fs::read_dir(from).expect("a folder") {
            let path = entry.expect("readable").path();
            std::fs::copy(&path, place.module().join(path.file_name().expect("a name"))).expect("copied");
        }
        place.ends_with(0, &["init", "-input=false"]).await;
        place
    }

    async fn bare() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(folder.path().join("module")).expect("made");
        std::fs::create_dir(folder.path().join("shelter")).expect("made");
        let rehearsal = Rehearsal::start(&folder.path().join("cloud")).await.unwrap_or_else(|error| panic!("{error}"));
        Self { folder, rehearsal }
    }

    pub fn module(&self) -> PathBuf {
        self.folder.path().join("module")
    }

    pub fn cloud(&self) -> &Cloud {
        self.rehearsal.cloud()
    }

    /// Writes the module's only file. What `main` says follows what every module here has.
    pub fn write(&self, main: &str) {
        std::fs::write(self.module().join("main.tf"), format!("{HEAD}{main}")).expect("written");
    }

    /// The number of the line of `main.tf` with `text` in it.
    pub fn line_of(&self, text: &str) -> usize {
        let written = std::fs::read_to_string(self.module().join("main.tf")).expect("readable");
        1 + written.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no line has {text}"))
    }

    pub async fn command(&self, args: &[&str]) -> tokio::process::Command {
        let shelter = self.folder.path().join("shelter");
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let command = self.rehearsal.command(None, &self.module(), &shelter, &args).await;
        let mut command = tokio::process::Command::from(command.unwrap_or_else(|error| panic!("{error}")));
        command.current_dir(self.module()).env("TF_IN_AUTOMATION", "1").stdin(std::process::Stdio::null());
        command.kill_on_drop(true);
        command
    }

    /// Runs Terraform to its end.
    pub async fn terraform(&self, args: &[&str]) -> Ended {
        let mut command = self.command(args).await;
        let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("ends in time").expect("starts");
        Ended::of(&output)
    }

    pub async fn ends_with(&self, code: i32, args: &[&str]) -> Ended {
        let ended = self.terraform(args).await;
        assert_eq!(ended.code, code, "terraform {}:\n{}", args.join(" "), ended.text);
        ended
    }

    pub async fn apply(&self) -> Ended {
        self.ends_with(0, &["apply", "-auto-approve", "-input=false", "-no-color"]).await
    }

    /// `apply` of a changed `main`, and a plan behind it that finds nothing more to do.
    pub async fn apply_for_good(&self, main: &str) {
        self.write(main);
        self.apply().await;
        self.is_clean(&[]).await;
    }

    /// Fails where a plan with `args` has anything to do.
    pub async fn is_clean(&self, args: &[&str]) {
        let args = [&["plan", "-detailed-exitcode", "-input=false", "-no-color"], args].concat();
        self.ends_with(0, &args).await;
    }

    /// The plan as JSON.
    pub async fn plan(&self, args: &[&str]) -> Value {
        let args = [&["plan", "-out=plan", "-input=false", "-no-color"], args].concat();
        self.ends_with(0, &args).await;
        let shown = self.ends_with(0, &["show", "-json", "plan"]).await;
        serde_json::from_str(&shown.out).expect("JSON")
    }

    /// A resource's attributes as the state has them.
    pub async fn attributes(&self, address: &str) -> Value {
        let shown = self.ends_with(0, &["show", "-json"]).await;
        let state: Value = serde_json::from_str(&shown.out).expect("JSON");
        let resources = state["values"]["root_module"]["resources"].as_array().expect("resources").clone();
        let found = resources.into_iter().find(|resource| resource["address"] == address);
        found.unwrap_or_else(|| panic!("{address} isn't in the state"))["values"].clone()
    }

    /// The only resource of `kind` in the cloud.
    pub async fn only(&self, kind: &str) -> Resource {
        let all = self.cloud().resources().await.expect("readable");
        let mut of_kind = all.into_iter().filter(|resource| resource.kind == kind);
        let found = of_kind.next().unwrap_or_else(|| panic!("no {kind} in the cloud"));
        assert!(of_kind.next().is_none(), "more than one {kind}");
        found
    }

    /// Changes an attribute of the only resource of `kind`, as somebody else would.
    pub async fn change_behind(&self, kind: &str, attribute: &str, value: Value) {
        let mut resource = self.only(kind).await;
        resource.attributes[attribute] = value;
        self.cloud().put(resource).await.expect("put");
    }

    pub async fn fault(&self, kind: &str, name: &str, fault: Fault) {
        self.cloud().set_fault(kind, name, Some(fault)).await.expect("set");
    }

    /// Fails unless `terraform ARGS` is refused with each of `words`.
    pub async fn refused(&self, args: &[&str], words: &[&str]) {
        let ended = self.ends_with(1, args).await;
        for word in words {
            assert!(ended.text.contains(word), "{word:?} isn't said:\n{}", ended.text);
        }
    }
}

impl Ended {
    pub fn of(output: &std::process::Output) -> Self {
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let both = format!("{out}{}", String::from_utf8_lossy(&output.stderr));
        let lines = both.lines().map(|line| line.trim_start_matches(['│', '╷', '╵', ' ']).trim_end());
        let text = lines.collect::<Vec<_>>().join(" ");
        Self { code: output.status.code().unwrap_or(-1), text, out }
    }
}

/// The change of `address` in a plan: its actions, joined with commas.
pub fn actions(plan: &Value, address: &str) -> String {
    let changes = plan["resource_changes"].as_array().expect("changes");
    let change = changes.iter().find(|change| change["address"] == address);
    let actions = &change.unwrap_or_else(|| panic!("{address} isn't in the plan"))["change"]["actions"];
    actions
        .as_array()
        .expect("actions")
        .iter()
        .map(|action| action.as_str().expect("text"))
        .collect::<Vec<_>>()
        .join(",")
}
