//! `plan`, `apply` and what goes with them, by the real binary and the real Terraform: words, JSON, exit codes.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "peers/terraform.rs"]
mod terraform;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// A module that needs no provider: two things, and a secret that one of them holds.
const MODULE: &str = r#"variable "size" {
  type    = number
  default = 1
}

variable "password" {
  type      = string
  default   = "correct horse"
  sensitive = true
}

resource "terraform_data" "one" {
  input = var.size
}

resource "terraform_data" "two" {
  input            = { from = terraform_data.one.output, secret = var.password }
  triggers_replace = var.size
}

output "size" {
  value = terraform_data.one.output
}
"#;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// `None` where Terraform isn't here; fails where it must be.
    fn new() -> Option<Self> {
        if !terraform::is_here() {
            return None;
        }
        let place = Self { folder: tempfile::tempdir().expect("temporary folder") };
        std::fs::create_dir(place.path().join("module")).expect("made");
        std::fs::write(place.path().join("module/main.tf"), MODULE).expect("written");
        std::fs::write(place.path().join("skydeck.toml"), "[provisioning]\nmodule = \"module\"\n").expect("written");
        Some(place)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Exit code, standard output and standard error of `skydeck ARGUMENTS`.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SKYDECK_") {
                command.env_remove(name);
            }
        }
        let output = command
            .args(arguments)
            .env("SKYDECK_DATA_DIR", self.path().join("d"))
            .env("SKYDECK_CONFIG", self.path().join("skydeck.toml"))
            .env("HOME", self.path())
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code().expect("not killed"), text(output.stdout), text(output.stderr))
    }

    /// The same; the exit code has to be `code`. Answers standard output and error together.
    #[track_caller]
    fn ends(&self, arguments: &[&str], code: i32) -> String {
        let (found, out, err) = self.run(arguments);
        assert_eq!(found, code, "{arguments:?}\n{out}{err}");
        let all = out + &err;
        assert!(!all.contains("correct horse"), "a secret is shown by {arguments:?}\n{all}");
        all
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let (_, out, err) = self.run(arguments);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{out}{err}"))
    }
}

#[test]
fn a_plan_is_pending_until_it_is_applied() {
    let Some(place) = Place::new() else { return };
    assert!(place.ends(&["apply"], 9).contains("skydeck plan"), "it says what to do");

    let words = place.ends(&["plan"], 3);
    for expected in ["EMULATED", "terraform_data.one", "terraform_data.two", "+2 ~0 -/+0 -0", "skydeck apply"] {
        assert!(words.contains(expected), "{expected}\n{words}");
    }
    let words = place.ends(&["apply"], 0);
    assert!(words.contains("run 1 · demo · EMULATED: applied"), "{words}");
    place.ends(&["plan"], 0);
    place.ends(&["drift"], 0);

    let state = place.json(&["state", "--json"]);
    assert_eq!(state["resources"].as_array().map(Vec::len), Some(2), "{state:#}");
    assert!(place.ends(&["state", "terraform_data.two"], 0).contains("(sensitive"));
    place.ends(&["state", "terraform_data.three"], 9);
    assert!(place.ends(&["outputs"], 0).contains("size"));

    let runs = place.json(&["runs", "--json"]);
    let text = runs.to_string();
    assert!(text.contains("\"applied\"") && text.contains("\"unchanged\""), "{runs:#}");
    let run = place.json(&["runs", "1", "--json"]);
    assert_eq!((&run["phase"], &run["emulated"]), (&Value::from("applied"), &Value::from(true)));
    assert!(place.ends(&["runs", "1", "--log"], 0).contains("Apply complete!"));
    place.ends(&["runs", "99"], 9);
}

#[test]
fn what_is_lost_has_to_be_said_yes_to() {
    let Some(place) = Place::new() else { return };
    place.ends(&["plan"], 3);
    place.ends(&["apply"], 0);
    // The second thing is replaced where the size changes.
    let words = place.ends(&["plan", "--var", "size=2"], 3);
    assert!(words.contains("+0 ~1 -/+1 -0"), "{words}");
    let words = place.ends(&["apply"], 2);
    assert!(words.contains("--yes"), "{words}");
    place.ends(&["apply", "--yes"], 0);
    assert!(place.ends(&["destroy"], 3).contains("+0 ~0 -/+0 -2"));
    place.ends(&["discard"], 0);
    place.ends(&["apply", "--yes"], 9);
    place.ends(&["destroy"], 3);
    place.ends(&["apply", "--yes"], 0);
    assert_eq!(place.json(&["state", "--json"])["resources"], Value::Array(Vec::new()));
}

#[test]
fn what_cannot_be_planned_says_why() {
    let Some(place) = Place::new() else { return };
    let words = place.ends(&["plan", "--var", "nonsense=1"], 1);
    assert!(words.contains("nonsense"), "{words}");
    place.ends(&["plan", "--var", "nonsense"], 2);
    let words = place.ends(&["--env", "staging", "plan"], 1);
    assert!(words.contains("tfvars"), "{words}");
    std::fs::write(place.path().join("module/main.tf"), MODULE.replace("var.size\n}", "var.siez\n}")).expect("written");
    let words = place.ends(&["plan"], 1);
    assert!(words.contains("main.tf:13") && words.contains("siez"), "{words}");
    std::fs::write(place.path().join("module/main.tf"), MODULE.replace("  default = 1", "  default    = 1"))
        .expect("written");
    let words = place.ends(&["plan"], 1);
    assert!(words.contains("main.tf") && words.contains("fmt"), "{words}");
}

#[test]
fn a_plan_that_was_overtaken_is_stale() {
    let Some(place) = Place::new() else { return };
    place.ends(&["plan"], 3);
    place.ends(&["plan"], 3);
    place.ends(&["apply", "2"], 0);
    let words = place.ends(&["apply", "1"], 6);
    assert!(words.contains("stale") && words.contains("plan"), "{words}");
    let words = place.ends(&["--env", "prod", "apply", "1"], 9);
    assert!(words.contains("prod"), "{words}");
}
