//! A place of its own for each test: a module, settings, data; and what a command said.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What no command may say: the value of the module's sensitive variable.
pub const SECRET: &str = "hunter2";

/// Two things, one of which is replaced where the words change, and a secret.
pub const MODULE: &str = r#"variable "words" {
  type    = string
  default = "one"
}

variable "key" {
  type      = string
  sensitive = true
  default   = "hunter2"
}

resource "terraform_data" "words" {
  input = var.words
}

resource "terraform_data" "window" {
  triggers_replace = var.words
}

output "words" {
  value = terraform_data.words.output
}

output "key" {
  value     = var.key
  sensitive = true
}
"#;

pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new(module: &str) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(folder.path().join("module")).expect("made");
        std::fs::write(folder.path().join("module/main.tf"), module).expect("written");
        std::fs::write(folder.path().join("skydeck.toml"), "[provisioning]\nmodule = \"module\"\n").expect("written");
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        command
            .args(["--config", "skydeck.toml", "--data-dir", "d"])
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the binary runs"))
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(arguments);
        serde_json::from_str(&ran.out()).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out(), ran.err()))
    }

    /// Asks again and again until the run is as it should be.
    #[track_caller]
    pub fn wait_for(&self, run: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.json(&["runs", run, "--json"]);
            if is_so(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "{found:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Asks again and again until the audit trail has an entry of that kind: the run's own process writes its end.
    #[track_caller]
    pub fn wait_for_event(&self, event: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let entries = self.run(&["audit", "--json"]).out();
            let entry = |line: &str| serde_json::from_str::<Value>(line).expect("an object a line");
            if entries.lines().any(|line| entry(line)["event"] == event) {
                return;
            }
            assert!(Instant::now() < deadline, "{event}\n{entries}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

pub struct Ran(pub Output);

impl Ran {
    /// What a command said; fails where that holds the secret.
    #[track_caller]
    pub fn of(output: Output) -> Self {
        let ran = Self(output);
        assert!(!(ran.out() + &ran.err()).contains(SECRET), "a secret is shown\n{}{}", ran.out(), ran.err());
        ran
    }

    pub fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("UTF-8")
    }

    pub fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("UTF-8")
    }

    /// It ended with `code`, and says these words on standard output.
    #[track_caller]
    pub fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.0.status.code(), Some(code), "{}{}", self.out(), self.err());
        for word in words {
            assert!(self.out().contains(word), "not said: {word}\n{}", self.out());
        }
    }

    /// It ended with `code`, and its last words on standard error are these.
    #[track_caller]
    pub fn fails(&self, code: i32, words: &str) {
        assert_eq!(self.0.status.code(), Some(code), "{}{}", self.out(), self.err());
        let last = self.err().lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("skydeck: ") && last.contains(words), "{}", self.err());
    }
}
