//! The Terraform module: formatted, valid, its own tests, each environment, applied and destroyed; all through the real
//! binary's emulated providers, in a copy. And that it names what the local pipeline names.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "peers/terraform.rs"]
mod terraform;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jiff::SignedDuration;
use skydeck::ingestion::topology::{MESSAGE_CONTAINERS, Topology};
use skydeck::local_cloud::{cloud::Cloud, topology};

fn module() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/terraform")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        // What somebody's own run may have left beside the module.
        if name.starts_with('.') || name.ends_with("_override.tf") || name.contains(".tfstate") {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(&name));
        } else {
            std::fs::copy(&path, to.join(&name)).expect("copied");
        }
    }
}

/// A copy of the module, an empty command-line configuration, and a cloud that lasts as long as the copy.
struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        copy(&module(), &folder.path().join("module"));
        std::fs::write(folder.path().join("terraform.rc"), "").expect("written");
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("module")
    }

    /// Runs `terraform ARGS` on the emulated providers.
    fn terraform(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_skydeck"))
            .arg("terraform")
            .arg("--chdir")
            .arg(self.path())
            .arg("--cloud")
            .arg(self.folder.path().join("cloud"))
            .arg("--")
            .args(args)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_CLI_CONFIG_FILE", self.folder.path().join("terraform.rc"))
            .env_remove("TF_PLUGIN_CACHE_DIR")
            .output()
            .expect("skydeck starts")
    }

    /// The same, which must end with `code`; what it wrote.
    fn ends_with(&self, code: i32, args: &[&str]) -> String {
        let output = self.terraform(args);
        let written = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "terraform {}:\n{written}", args.join(" "));
        written
    }

    /// What the pipeline would run on, of what is applied in this copy's cloud.
    fn topology(&self) -> Topology {
        let cloud = Cloud::open(&self.folder.path().join("cloud")).expect("opens");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        topology::read(&runtime.block_on(cloud.resources_made()).expect("readable"))
    }

    fn initialised() -> Self {
        let copy = Self::new();
        copy.ends_with(0, &["init", "-backend=false", "-input=false", "-no-color"]);
        copy
    }

    /// With state in a file beside the module, as the embedded environments have it.
    fn with_local_state() -> Self {
        let copy = Self::new();
        std::fs::write(copy.path().join("backend_override.tf"), "terraform {\n  backend \"local\" {}\n}\n")
            .expect("written");
        copy.ends_with(0, &["init", "-input=false", "-no-color"]);
        copy
    }
}

#[test]
fn it_is_formatted_and_valid() {
    if !terraform::is_here() {
        return;
    }
    let copy = Copy::initialised();
    copy.ends_with(0, &["fmt", "-check", "-recursive", "-diff", "-no-color"]);
    let written = copy.ends_with(0, &["validate", "-no-color"]);
    assert!(written.contains("Success!") && !written.contains("Warning"), "{written}");
}

#[test]
fn its_own_tests_pass() {
    if !terraform::is_here() {
        return;
    }
    let written = Copy::initialised().ends_with(0, &["test", "-no-color"]);
    assert!(written.contains("Success!") && written.contains(", 0 failed"), "{written}");
}

#[test]
fn every_environment_is_itself() {
    if !terraform::is_here() {
        return;
    }
    let copy = Copy::initialised();
    for environment in ["demo", "local", "staging", "prod"] {
        let variables = format!("-var-file=environments/{environment}.tfvars");
        let written =
            copy.ends_with(0, &["test", "-no-color", "-test-directory=tests/environments", variables.as_str()]);
        assert!(written.contains("1 passed, 0 failed"), "{environment}: {written}");
    }
}

/// The types that take tags, by the published schema.
fn taggable() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/providers/azurerm.schema.json");
    let schema: serde_json::Value = serde_json::from_str(&read(&path)).expect("JSON");
    let kinds = schema["resource_schemas"].as_object().expect("resources");
    let takes = |schema: &serde_json::Value| schema["block"]["attributes"]["tags"].is_object();
    kinds.iter().filter(|(_, schema)| takes(schema)).map(|(kind, _)| kind.clone()).collect()
}

#[test]
fn everything_that_takes_tags_has_the_mandatory_ones() {
    if !terraform::is_here() {
        return;
    }
    let (copy, taggable) = (Copy::with_local_state(), taggable());
    for environment in ["local", "staging"] {
        let variables = format!("-var-file=environments/{environment}.tfvars");
        copy.ends_with(0, &["plan", "-input=false", "-no-color", "-out=plan", variables.as_str()]);
        let shown = copy.terraform(&["show", "-json", "plan"]);
        let plan: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
        let mut seen = BTreeSet::new();
        for change in plan["resource_changes"].as_array().expect("changes") {
            let kind = change["type"].as_str().expect("a type");
            if change["mode"] != "managed" || !taggable.contains(kind) {
                continue;
            }
            let tags = &change["change"]["after"]["tags"];
            for tag in ["managed-by", "environment", "owner", "contact"] {
                let value = tags[tag].as_str().unwrap_or_default();
                assert!(!value.is_empty(), "{}: no tag {tag}: {tags}", change["address"]);
            }
            assert_eq!(tags["managed-by"], "terraform", "{}", change["address"]);
            assert_eq!(tags["environment"], environment, "{}", change["address"]);
            seen.insert(kind.to_owned());
        }
        assert!(seen.contains("azurerm_iothub") && seen.len() > 10, "{environment}: {seen:?}");
    }
}

#[test]
fn staging_and_prod_have_a_locked_backend() {
    for environment in ["staging", "prod"] {
        let text = read(&module().join(format!("backend/{environment}.tfvars")));
        assert!(text.contains("use_azuread_auth     = true"), "{environment}: {text}");
        assert!(!text.contains("access_key") && !text.contains("sas_token"), "{environment}: {text}");
    }
}

#[test]
fn demo_is_applied_planned_clean_changed_and_destroyed() {
    if !terraform::is_here() {
        return;
    }
    let copy = Copy::with_local_state();
    let plan = ["plan", "-input=false", "-no-color", "-detailed-exitcode", "-var-file=environments/demo.tfvars"];
    let apply = ["apply", "-input=false", "-no-color", "-auto-approve", "-var-file=environments/demo.tfvars"];

    let written = copy.ends_with(0, &apply);
    assert!(written.contains("0 changed, 0 destroyed"), "{written}");
    let written = copy.ends_with(0, &plan);
    assert!(written.contains("No changes"), "{written}");
    is_what_the_demo_runs_on(&copy.topology(), SignedDuration::from_secs(300));

    // A batch window is changed in place, in the three endpoints and nowhere else.
    let window = ["-var=batch_window_s=60"];
    copy.ends_with(2, &[plan.as_slice(), &window].concat());
    let written = copy.ends_with(0, &[apply.as_slice(), &window].concat());
    assert!(written.contains("0 added, 3 changed, 0 destroyed"), "{written}");
    is_what_the_demo_runs_on(&copy.topology(), SignedDuration::from_secs(60));

    let state = read(&copy.path().join("terraform.tfstate"));
    let outputs = copy.ends_with(0, &["output", "-json"]);
    for secret in secrets(&state) {
        assert!(!outputs.contains(&secret), "a secret is in an output");
    }

    let written = copy.ends_with(0, &[&["destroy"], &apply[1..]].concat());
    assert!(written.contains("Destroy complete!") && !written.contains(" 0 destroyed"), "{written}");
    let left = copy.topology();
    assert!(left.hub.is_none() && left.containers.is_empty() && left.pipes.is_empty(), "{left:?}");
}

/// What is applied is what was there before the first apply: routes, batches, announcements, pipes and tables.
fn is_what_the_demo_runs_on(applied: &Topology, window: SignedDuration) {
    assert!(applied.faults.is_empty(), "{:?}", applied.faults);
    let built_in = Topology::built_in("demo", "skydeck-demo-hub", window, 100 * 1024 * 1024);
    for message in ["WeatherMeasurement", "Prediction", "DeviceHealth", "PictureTaken", "Nonsense"] {
        assert_eq!(applied.containers_for(Some(message)), built_in.containers_for(Some(message)), "{message}");
    }
    for container in MESSAGE_CONTAINERS {
        assert_eq!(applied.endpoint_of(container), built_in.endpoint_of(container), "{container}");
        assert!(applied.announces(container), "{container}");
        let name = |topology: &Topology| {
            topology.pipe_of(container).map(|pipe| (pipe.full_name.clone(), pipe.full_table.clone()))
        };
        assert!(name(applied).is_some());
        assert_eq!(name(applied), name(&built_in), "{container}");
    }
    assert!(!applied.announces("pictures") && !applied.announces("undelivered-notices"));
    assert!(applied.tables.keys().eq(built_in.tables.keys()), "{:?}", applied.tables);
    let name = |topology: &Topology| topology.hub.as_ref().map(|hub| hub.name.clone());
    assert_eq!(name(applied), name(&built_in));
}

/// Every text of a state under a name that holds a secret; at least one.
fn secrets(state: &str) -> Vec<String> {
    fn walk(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    let is_secret = ["_key", "connection_string", "_password"].iter().any(|end| name.ends_with(end));
                    match value.as_str() {
                        Some(text) if is_secret && text.len() >= 16 => found.push(text.to_owned()),
                        _ => walk(value, found),
                    }
                }
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&serde_json::from_str(state).expect("JSON"), &mut found);
    found.retain(|text| !text.starts_with("MII"));
    assert!(!found.is_empty(), "the state holds no key to look for");
    found
}

/// What a view's outermost SELECT calls its columns: the words behind AS, and bare names.
fn columns(select: &str) -> Vec<String> {
    let list = select.rsplit_once("SELECT").expect("a SELECT").1;
    let list = list.split("\nFROM ").next().expect("a list");
    let mut depth = 0_i32;
    let mut column = String::new();
    let mut found = Vec::new();
    for c in list.chars().chain([',']) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                let name = column.split_whitespace().last().expect("a column");
                found.push(name.rsplit('.').next().expect("a name").to_lowercase());
                column.clear();
                continue;
            }
            _ => {}
        }
        column.push(c);
    }
    found
}

#[test]
fn views_have_the_local_warehouses_columns() {
    let schema = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ingestion/warehouse/schema.rs"));
    for (view, file) in [
        ("WEATHER_MEASUREMENTS_V", "measurements.sql"),
        ("WEATHER_PREDICTIONS_V", "predictions.sql"),
        ("WEATHER_HEALTH_V", "health.sql"),
    ] {
        let local = schema.rsplit(&format!("CREATE VIEW {view} AS ")).next().expect("the newest view");
        let local = columns(local.split(';').next().expect("an end"));
        assert!(local.len() > 10, "{view}: {local:?}");
        assert_eq!(columns(&read(&module().join("sql").join(file))), local, "{view} and {file}");
    }
}

#[test]
fn it_names_what_the_local_pipeline_names() {
    let topology = Topology::built_in("demo", "a-hub", jiff::SignedDuration::from_secs(300), 1024);
    let prefixes = read(&module().join("variables_snowflake.tf"));
    for pipe in &topology.pipes {
        for name in [&pipe.name, &pipe.table] {
            let prefix = name.strip_suffix("DEMO").unwrap_or_else(|| panic!("{name} doesn't end with its environment"));
            assert!(prefixes.contains(&format!("\"{prefix}\"")), "{prefix} is no default prefix");
        }
    }
    let messages = read(&module().join("messages.tf"));
    let hub = topology.hub.expect("a hub");
    for (route, endpoint) in hub.routes.iter().zip(&hub.endpoints) {
        assert!(messages.contains(&format!("\n    {} = {{", route.name)), "no message {}", route.name);
        assert!(messages.contains(&format!("container = \"{}\"", endpoint.container)), "no {}", endpoint.container);
    }
}

#[test]
fn every_variable_and_output_is_described_and_in_the_readme() {
    let readme = read(&module().join("README.md"));
    let mut found = 0;
    for entry in std::fs::read_dir(module()).expect("readable") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "tf") {
            continue;
        }
        let text = read(&path);
        for kind in ["variable", "output"] {
            for block in text.split(&format!("\n{kind} \"")).skip(1).chain(
                text.strip_prefix(&format!("{kind} \"")).map(|rest| rest.split("\n}\n").next().expect("a block")),
            ) {
                let name = block.split('"').next().expect("a name");
                let body = block.split("\n}").next().expect("a body");
                assert!(body.contains("\n  description = \"") || body.contains("\n  description ="), "{name}");
                assert!(readme.contains(&format!("`{name}`")), "{kind} {name} is not in README.md");
                found += 1;
            }
        }
    }
    assert!(found > 50, "only {found} variables and outputs were found");
}
