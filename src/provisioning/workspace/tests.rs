use serde_json::json;

use super::*;
use crate::provisioning::runs::store::is_passing;

fn module(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).expect("below").to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn demo_gets_a_local_backend_and_the_variables_it_declares() {
    let own = module(&[
        ("main.tf", "variable \"batch_window_s\" {\n  type = number\n}\n"),
        ("more.tf.json", r#"{"variable": {"environment": {}}}"#),
        ("sub/part.tf", "variable \"other\" {}\n"),
        ("environments/demo.tfvars", "x = 1\n"),
        (".terraform/providers/x", ""),
        (".git/config", ""),
        ("terraform.tfstate.backup", "{}"),
    ]);
    let data = tempfile::tempdir().expect("temporary folder");
    let workspace = Workspace::of(&EnvironmentName::demo(), data.path());
    let values: BTreeMap<_, _> = ["batch_window_s", "environment", "other"].map(|n| (n.to_owned(), json!(60))).into();
    let read = Module::read(own.path()).expect("a module");
    workspace.lay_out(&read, &values).expect("laid out");
    assert_eq!(
        names(workspace.folder()),
        [
            "environments/demo.tfvars",
            "main.tf",
            "more.tf.json",
            "skydeck.auto.tfvars.json",
            "skydeck_override.tf",
            "sub/part.tf"
        ]
    );
    let written = std::fs::read_to_string(workspace.folder().join(VARIABLES)).expect("read");
    assert_eq!(
        serde_json::from_str::<Value>(&written).expect("JSON"),
        json!({"batch_window_s": 60, "environment": 60})
    );
    assert_eq!(
        workspace.variable_arguments(),
        ["-var-file=environments/demo.tfvars", "-var-file=skydeck.auto.tfvars.json"]
    );

    // Another module takes its place; what Terraform keeps stays.
    std::fs::create_dir_all(workspace.folder().join(".terraform/providers")).expect("made");
    let other = module(&[("other.tf", "")]);
    workspace.lay_out(&Module::read(other.path()).expect("a module"), &values).expect("laid out");
    assert_eq!(names(workspace.folder()), ["other.tf", "skydeck.auto.tfvars.json", "skydeck_override.tf"]);
    assert!(workspace.is_initialised());
}

#[test]
fn a_cloud_environment_needs_its_two_files() {
    let own = module(&[("main.tf", ""), ("backend/staging.tfvars", "")]);
    let data = tempfile::tempdir().expect("temporary folder");
    let workspace = Workspace::of(&"staging".parse().expect("a name"), data.path());
    let read = Module::read(own.path()).expect("a module");
    let words = workspace.lay_out(&read, &BTreeMap::new()).expect_err("one is missing").to_string();
    assert!(words.contains("environments/staging.tfvars: the environment staging needs it"), "{words}");
    assert_eq!(workspace.backend_arguments(), ["-backend-config=backend/staging.tfvars"]);
    assert_eq!(workspace.local_state(), None);
}

#[test]
fn a_folder_without_configuration_is_no_module() {
    let own = module(&[("README.md", "")]);
    assert!(Module::read(own.path()).expect_err("none").to_string().contains("no .tf file"));
    let missing = own.path().join("missing");
    assert!(Module::read(&missing).expect_err("none").to_string().contains("check provisioning.module"));
}

#[test]
fn a_path_with_quotes_and_templates_is_only_a_path() {
    let text = generated::local_backend(Path::new("/a \"b\"/${c}/%{d}"));
    assert!(text.contains(r#"path = "/a \"b\"/$${c}/%%{d}""#), "{text}");
}

#[test]
fn sensitive_variables_are_told_from_the_others() {
    let own = module(&[
        (
            "a.tf",
            "variable \"one\" {}\nvariable \"key\" {\n  type      = string\n  sensitive = true\n}\n\nvariable \"two\" {\n  sensitive = false\n}\n",
        ),
        ("b.tf.json", r#"{"variable": {"token": {"sensitive": true}, "three": {}}}"#),
    ]);
    let read = Module::read(own.path()).expect("a module");
    assert_eq!(read.declared_variables().into_iter().collect::<Vec<_>>(), ["key", "one", "three", "token", "two"]);
    assert_eq!(read.sensitive_variables().into_iter().collect::<Vec<_>>(), ["key", "token"]);
}

#[test]
fn a_state_that_could_not_be_written_survives_every_plan_and_is_backed_up() {
    let own = module(&[("main.tf", "")]);
    let provisioning = tempfile::tempdir().expect("temporary folder");
    let workspace = Workspace::of(&EnvironmentName::demo(), provisioning.path());
    let read = Module::read(own.path()).expect("a module");
    workspace.lay_out(&read, &BTreeMap::new()).expect("laid out");
    assert_eq!(workspace.unsaved_state(), None);
    let before = crate::provisioning::approval::digest::of_configuration(workspace.folder()).expect("a digest");
    let path = workspace.folder().join("errored.tfstate");
    std::fs::write(&path, "all that is known").expect("written");
    workspace.lay_out(&read, &BTreeMap::new()).expect("laid out");
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "all that is known");
    assert_eq!(workspace.unsaved_state(), Some(path));
    let after = crate::provisioning::approval::digest::of_configuration(workspace.folder()).expect("a digest");
    assert_eq!(before, after, "it is no part of the configuration");
    assert!(!is_passing(Path::new("provisioning/module/errored.tfstate")));
    assert!(!is_passing(Path::new("provisioning/module")), "it is gone into");
    assert!(is_passing(Path::new("provisioning/module/main.tf")) && is_passing(Path::new("provisioning/queue")));
}
