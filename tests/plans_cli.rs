//! The commands about plans, with the real binary and the real Terraform: exit codes, what is written where, JSON.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "peers/terraform.rs"]
mod terraform;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

const MODULE: &str = r#"variable "words" {
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

const SLOW: &str = r#"resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "sleep 30"
  }
}
"#;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(module: &str) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(folder.path().join("module")).expect("made");
        std::fs::write(folder.path().join("module/main.tf"), module).expect("written");
        std::fs::write(folder.path().join("skydeck.toml"), "[provisioning]\nmodule = \"module\"\n").expect("written");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
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

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.command(arguments).output().expect("the binary runs"))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(arguments);
        serde_json::from_str(&ran.out()).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out(), ran.err()))
    }

    /// Asks again and again until the run is as it should be.
    #[track_caller]
    fn wait_for(&self, run: &str, is_so: impl Fn(&Value) -> bool) -> Value {
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
}

struct Ran(Output);

impl Ran {
    fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("UTF-8")
    }

    fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("UTF-8")
    }

    /// It ended with `code`, and says these words on standard output.
    #[track_caller]
    fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.0.status.code(), Some(code), "{}{}", self.out(), self.err());
        for word in words {
            assert!(self.out().contains(word), "not said: {word}\n{}", self.out());
        }
    }

    /// It ended with `code`, and its last words on standard error are these.
    #[track_caller]
    fn fails(&self, code: i32, words: &str) {
        assert_eq!(self.0.status.code(), Some(code), "{}{}", self.out(), self.err());
        let last = self.err().lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("skydeck: ") && last.contains(words), "{}", self.err());
    }
}

#[test]
fn a_plan_is_made_applied_replaced_and_destroyed() {
    if !terraform::is_here() {
        return;
    }
    let place = Place::new(MODULE);
    place.run(&["apply"]).fails(9, "environment demo: nothing is planned; `skydeck plan --env demo` makes a plan");
    place.run(&["runs"]).says(0, &["demo, EMULATED: no state yet", "no run yet"]);

    let planned = place.run(&["plan"]);
    planned.says(3, &["run 1 · demo · EMULATED: planned\n", "+  terraform_data.window", "+2 ~0 -/+0 -0"]);
    assert!(planned.err().contains("EMULATED: ") && planned.err().contains("planning"), "{}", planned.err());
    let applied = place.run(&["apply"]);
    applied.says(0, &["run 1 · demo · EMULATED: applied\n", "terraform_data.words   done in "]);
    assert!(!applied.err().contains("initialising"), "what was read already isn't written again: {}", applied.err());
    place.run(&["plan"]).says(0, &["run 2 · demo · EMULATED: no changes\n"]);
    place.run(&["drift"]).says(0, &["run 3 · demo · EMULATED · drift: no changes\n"]);

    let replacing = place.run(&["plan", "--var", "words=two", "--json"]);
    replacing.says(3, &["\"emulated\": true"]);
    let run: Value = serde_json::from_str(&replacing.out()).expect("one object");
    assert_eq!((&run["phase"], &run["counts"]["replace"]), (&"planned".into(), &1.into()), "{run:#}");
    place.run(&["apply"]).fails(2, "run 4 · demo · EMULATED: it destroys or replaces 1 resource, and there is no");
    place.run(&["apply", "4", "--yes"]).says(0, &["-/+", "can't be changed in place"]);
    place.run(&["apply", "4"]).fails(9, "run 4 · demo · EMULATED: it is applied, not planned");

    place.run(&["state"]).says(0, &["demo, EMULATED: serial ", ", 2 addresses\nterraform_data.window\n"]);
    place.run(&["state", "terraform_data.words"]).says(0, &["# demo, EMULATED\n", "input  = \"two\""]);
    place.run(&["state", "terraform_data.none"]).fails(9, "terraform_data.none");
    let outputs = place.run(&["outputs"]);
    outputs.says(0, &["demo, EMULATED", "key     (sensitive)", "words   \"two\""]);
    let outputs = place.json(&["outputs", "--json"]);
    assert_eq!((&outputs["emulated"], &outputs["outputs"][0]["value"]), (&true.into(), &Value::Null), "{outputs:#}");

    place.run(&["destroy"]).says(3, &["EMULATED · destroy: planned", "nothing is destroyed yet", "+0 ~0 -/+0 -2"]);
    place.run(&["discard"]).says(0, &["run 5 · demo · EMULATED · destroy: ", "discarded"]);
    place.run(&["discard"]).fails(9, "every run has ended");
    place.run(&["runs"]).says(0, &["demo, EMULATED: 2 resources", "5  destroy", "discarded"]);
    place.run(&["runs", "1"]).says(0, &["run 1 · demo · EMULATED: applied", "step    applying: done in"]);
    place.run(&["runs", "77"]).fails(9, "run 77: ");
    let log = place.run(&["runs", "1", "--log", "--json"]);
    let first: Value = serde_json::from_str(log.out().lines().next().unwrap_or_default()).expect("an object a line");
    assert!(first["text"].as_str().is_some_and(|text| text.starts_with("EMULATED")), "{first}");
    let everything = place.path().join("d/demo/data/provisioning/runs");
    for run in ["0001", "0004"] {
        let log = std::fs::read_to_string(everything.join(run).join("log.jsonl")).expect("a log");
        assert!(!log.contains("hunter2"), "{log}");
    }
}

#[test]
fn a_plan_that_was_overtaken_or_is_too_old_has_its_own_code() {
    if !terraform::is_here() {
        return;
    }
    let place = Place::new(MODULE);
    place.run(&["plan"]).says(3, &[]);
    place.run(&["plan", "--target", "terraform_data.words"]).says(3, &["+1 ~0"]);
    place.run(&["apply"]).says(0, &["run 2 "]);
    place.run(&["apply", "1"]).fails(6, "run 1 · demo · EMULATED: stale: ");
    place.run(&["plan"]).says(3, &["+1 ~0"]);
    let file = place.path().join("d/demo/data/provisioning/runs/0003/run.json");
    let mut run: Value = serde_json::from_slice(&std::fs::read(&file).expect("a run")).expect("JSON");
    run["plannedAt"] = "2020-01-01T00:00:00Z".into();
    std::fs::write(&file, run.to_string()).expect("written");
    place.run(&["apply"]).fails(5, "expired");
    place.run(&["unlock", "9b2a1f04", "--yes"]).fails(9, "lock 9b2a1f04");
}

#[test]
fn a_module_that_is_wrong_and_terraform_that_is_missing_fail_in_words() {
    if !terraform::is_here() {
        return;
    }
    let place = Place::new("resource \"terraform_data\" \"a\" {\n  inptu = 1\n}\n");
    let ran = place.run(&["plan"]);
    ran.fails(1, "run 1 · demo · EMULATED: validating failed: Unsupported argument; ");
    ran.says(1, &["Error: Unsupported argument", "main.tf:2"]);
    let without = place.command(&["plan"]).env("PATH", "").output().expect("the binary runs");
    Ran(without).fails(1, "not on the PATH; install");
    Ran(place.command(&["runs"]).env("PATH", "").output().expect("runs")).says(0, &["EMULATED", "failed"]);
}

/// A process that is killed when the test is over.
struct Kept(Child);

impl Kept {
    fn send(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.0.id().cast_signed()).expect("a process"), signal).expect("sent");
    }
}

impl Place {
    /// `skydeck apply`, once the first resource of that run is being made.
    fn applying(&self, run: &str) -> Kept {
        let child = self.command(&["apply", run, "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = Kept(child.expect("starts"));
        self.wait_for(run, |run| run["changes"][0]["progress"]["state"] == "running");
        child
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn an_interrupt_goes_to_the_run_and_a_closed_terminal_leaves_it_alone() {
    if !terraform::is_here() {
        return;
    }
    let place = Place::new(SLOW);
    place.run(&["plan", "--detach"]).says(0, &["run 1 · demo · EMULATED: goes on by itself"]);
    place.wait_for("1", |run| run["phase"] == "planned");
    let mut hung_up = place.applying("1");
    hung_up.send(Signal::HUP);
    assert_eq!(hung_up.0.wait().expect("ended").code(), None, "the signal ended it");
    assert_eq!(place.json(&["runs", "1", "--json"])["phase"], "applying", "it goes on");

    // Whoever comes later takes it up again: discard interrupts it.
    place.run(&["discard"]).says(0, &["run 1 · demo · EMULATED: ", "interrupted once"]);
    let ended = place.wait_for("1", |run| run["phase"] == "failed");
    assert_eq!(ended["failure"]["interrupted"], true);

    place.run(&["plan"]).says(3, &[]);
    let mut child = place.applying("2");
    child.send(Signal::INT);
    let status = child.0.wait().expect("ended");
    assert_eq!(status.code(), Some(130));
    let mut words = String::new();
    std::io::Read::read_to_string(&mut child.0.stderr.take().expect("piped"), &mut words).expect("UTF-8");
    assert!(words.contains("the run gets one interrupt and is waited for"), "{words}");
    assert!(words.lines().last().is_some_and(|line| line.starts_with("skydeck: run 2 · demo · EMULATED: ")), "{words}");
    assert_eq!(place.json(&["runs", "2", "--json"])["phase"], "failed");
}
