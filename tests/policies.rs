//! The policies: nothing to say of the carried module, and a word for each classic mistake that is put into it.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "peers/terraform.rs"]
mod peer;

use std::path::Path;
use std::process::Command;

const POLICY: &str = include_str!("../config/policies/classic_mistakes.rego");

/// What a mistake changes, `(file, what stands there, what takes its place)`, and what the policy says of it.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    (
        "storage_pictures.tf",
        "allow_nested_items_to_be_public   = false",
        "allow_nested_items_to_be_public   = true",
        "azurerm_storage_account.pictures: blobs in it can be made public",
    ),
    (
        "storage_telemetry.tf",
        "container_access_type = \"private\"",
        "container_access_type = \"blob\"",
        "anybody may read it",
    ),
    (
        "storage_models.tf",
        "https_traffic_only_enabled        = true",
        "https_traffic_only_enabled        = false",
        "azurerm_storage_account.models: plain http is allowed",
    ),
    ("storage_models.tf", "\"TLS1_2\"", "\"TLS1_1\"", "azurerm_storage_account.models: takes TLS older than 1.2"),
    ("registry.tf", "admin_enabled          = false", "admin_enabled          = true", "has an admin user"),
    (
        "snowflake_stages_pipes.tf",
        "  storage_integration = snowflake_storage_integration_azure.this.name",
        "  credentials {\n    azure_sas_token = \"?sv=2023-11-03&se=2027-01-01\"\n  }",
        "holds a SAS token",
    ),
    (
        "providers.tf",
        "role              = var.snowflake_role",
        "role              = \"ACCOUNTADMIN\"",
        "provider snowflake: works as ACCOUNTADMIN",
    ),
    (
        "snowflake_users_roles.tf",
        "= snowflake_account_role.operator.name\n  default_warehouse",
        "= \"ACCOUNTADMIN\"\n  default_warehouse",
        "snowflake_service_user.skydeck: hands out ACCOUNTADMIN",
    ),
    (
        "events.tf",
        "[azurerm_user_assigned_identity.events.id]",
        "[azurerm_user_assigned_identity.hub.id]",
        "azurerm_user_assigned_identity.hub: stands for",
    ),
];

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let name = entry.file_name();
        // What Terraform leaves in a checkout is no part of the module.
        if name.to_string_lossy().starts_with(".terraform") {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            std::fs::copy(entry.path(), to.join(name)).expect("copied");
        }
    }
}

/// What Terraform writes on the emulated providers.
fn terraform(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_skydeck"))
        .args(["terraform", "--chdir"])
        .arg(folder)
        .arg("--")
        .args(arguments)
        .env("HOME", folder)
        .env("SKYDECK_DATA_DIR", folder)
        .output()
        .expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// What the policy denies in a plan of the module in `folder`.
fn denied(folder: &Path) -> Vec<String> {
    terraform(folder, &["plan", "-input=false", "-var-file=environments/staging.tfvars", "-out=plan"]);
    let plan = terraform(folder, &["show", "-json", "plan"]);
    let mut engine = regorus::Engine::new();
    engine.add_policy("classic_mistakes.rego".to_owned(), POLICY.to_owned()).expect("a policy");
    engine.set_input_json(&plan).expect("JSON");
    let found = engine.eval_rule("data.skydeck.classic_mistakes.deny".to_owned()).expect("it can be evaluated");
    let found: serde_json::Value = serde_json::from_str(&found.to_json_str().expect("JSON")).expect("JSON");
    found.as_array().expect("a set").iter().map(|words| words.as_str().expect("words").to_owned()).collect()
}

#[test]
fn each_classic_mistake_is_caught_and_the_module_has_none() {
    if !peer::is_here() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let module = folder.path().join("module");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/terraform"), &module);
    std::fs::write(module.join("here_override.tf"), "terraform {\n  backend \"local\" {}\n}\n").expect("written");
    terraform(&module, &["init", "-input=false"]);
    assert_eq!(denied(&module), Vec::<String>::new(), "the module as it is");

    for (file, right, wrong, words) in MISTAKES {
        let path = module.join(file);
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.contains(right), "{file} has no {right:?} any more");
        std::fs::write(&path, text.replace(right, wrong)).expect("written");
        let found = denied(&module);
        assert!(found.iter().any(|sentence| sentence.contains(words)), "{file}: {wrong}\nfound: {found:#?}");
        std::fs::write(&path, text).expect("written");
    }
}
