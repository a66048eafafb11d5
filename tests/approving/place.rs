//! Homes of several people, a module in two environments of the cloud, and what they share.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

pub use crate::terraform_peer::is_here as has_terraform;

/// A module that needs no provider but Terraform's own.
pub const MODULE: &str = r#"terraform {
  backend "local" {}
}

variable "size" {
  type = string
}

variable "password" {
  type      = string
  sensitive = true
  default   = "tell-nobody-4711"
}

resource "terraform_data" "roof" {
  input = var.size
}

resource "terraform_data" "cellar" {
  input            = var.password
  triggers_replace = var.size
}
"#;

/// The value of `password`, which nobody may ever see.
pub const PASSWORD: &str = "tell-nobody-4711";

/// What several people share: a module, a state, a store of runs, a file of approvers.
pub struct Place {
    folder: tempfile::TempDir,
    store: Option<String>,
    variables: Vec<(String, String)>,
}

/// One person's machine.
pub struct Home {
    name: &'static str,
    place: PathBuf,
    /// More arguments of every command.
    config: PathBuf,
    variables: Vec<(String, String)>,
}

/// What a command answered.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// As JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.out.contains(PASSWORD) && !self.err.contains(PASSWORD), "the secret is told: {self:?}");
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.out.contains(words) || self.err.contains(words), "{words:?} isn't in {self:?}");
        self
    }
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let place = Self { folder, store: None, variables: Vec::new() };
        for folder in ["module/backend", "module/environments", "state", "store", "keys"] {
            std::fs::create_dir_all(place.path().join(folder)).expect("made");
        }
        place.write("module/main.tf", MODULE);
        place.write("module/environments/local.tfvars", "size = \"small\"\n");
        for environment in ["staging", "prod"] {
            let state = place.path().join(format!("state/{environment}.tfstate"));
            place.write(&format!("module/backend/{environment}.tfvars"), &format!("path = {:?}\n", state));
            place.write(&format!("module/environments/{environment}.tfvars"), "size = \"small\"\n");
        }
        let made = skydeck().args(["secrets", "plan-key", "--out"]).arg(place.path().join("plan.key")).output();
        let made = made.expect("it runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let said = String::from_utf8_lossy(&made.stdout);
        let recipient = said.split_whitespace().find(|word| word.starts_with("age1")).expect("a recipient");
        place.write("recipient", recipient);
        place.write("approvers", "");
        place
    }

    /// The same, whose runs are shared at `store`, where `variables` lead.
    pub fn sharing_at(store: &str, variables: Vec<(String, String)>) -> Self {
        Self { store: Some(store.to_owned()), variables, ..Self::new() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("written");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("read")
    }

    /// Makes a key for `name`, who may then do what `namespaces` says.
    pub fn let_sign(&self, name: &str, namespaces: &str) {
        let key = self.path().join("keys").join(name);
        if !key.exists() {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(&key)
                .status()
                .expect("ssh-keygen runs");
            assert!(made.success());
        }
        let public = std::fs::read_to_string(key.with_extension("pub")).expect("a public key");
        let line = format!("{name} namespaces=\"{namespaces}\" {public}");
        self.write("approvers", &(self.read("approvers") + &line));
    }

    /// What `ssh-keygen` signs with the key of `name`, as an approval.
    pub fn signature(&self, name: &str, payload: &str) -> String {
        self.write("payload", payload);
        let signed = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", "skydeck-approval", "-f"])
            .arg(self.path().join("keys").join(name))
            .arg(self.path().join("payload"))
            .status()
            .expect("ssh-keygen runs");
        assert!(signed.success());
        let signature = self.read("payload.sig").trim().to_owned();
        std::fs::remove_file(self.path().join("payload.sig")).expect("removed");
        signature
    }

    /// A machine of `name`, who signs with a key of that name where there is one.
    pub fn home(&self, name: &'static str) -> Home {
        self.home_with(name, "")
    }

    /// And more settings.
    pub fn home_with(&self, name: &'static str, settings: &str) -> Home {
        let path = |part: &str| self.path().join(part).display().to_string();
        let mut text = format!(
            "[provisioning]\nmodule = {:?}\nrun_store = {:?}\nplan_recipient = {:?}\nplan_identity = \"file:{}\"\napprovers = {:?}\n{settings}\n",
            path("module"),
            self.store.clone().unwrap_or_else(|| format!("file://{}", path("store"))),
            self.read("recipient"),
            path("plan.key"),
            path("approvers"),
        );
        let key = self.path().join("keys").join(name);
        if key.exists() && !settings.contains("signing_key") {
            text += &format!("signing_key = {:?}\n", key.display().to_string());
        }
        self.write(&format!("{name}.toml"), &text);
        Home {
            name,
            place: self.path().to_owned(),
            config: self.path().join(format!("{name}.toml")),
            variables: self.variables.clone(),
        }
    }
}

impl Home {
    /// Where this machine keeps an environment's runs.
    pub fn runs(&self, environment: &str) -> PathBuf {
        self.data().join(environment).join("data/provisioning")
    }

    /// The entries of an environment's audit trail, each as who did what.
    pub fn deeds(&self, environment: &str) -> Vec<(String, String, String)> {
        let said = self.run(&["audit", "--env", environment, "--json"]).ends_with(0);
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let entries = said.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object a line"));
        entries
            .map(|entry| {
                let who = text(&entry, "who");
                (who.split('@').next().unwrap_or_default().to_owned(), text(&entry, "event"), text(&entry, "words"))
            })
            .collect()
    }

    fn data(&self) -> PathBuf {
        self.place.join(format!("home-{}", self.name))
    }

    /// Runs a command without a terminal.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = skydeck()
            .args(arguments)
            .arg("--config")
            .arg(&self.config)
            .arg("--data-dir")
            .arg(self.data())
            .env("USER", self.name)
            .envs(self.variables.clone())
            .env("XDG_CONFIG_HOME", self.place.join("no-config"))
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

fn skydeck() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
    command.env("NO_COLOR", "1").env_remove("SSH_AUTH_SOCK");
    command
}
