//! The carried module: denied in no environment, and with each fault put into it, named.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use skydeck::provisioning::policy::Policies;

use crate::{context, lines, peer};

/// What a fault changes, `(file, what stands there, what takes its place)`, and what is said of it, and of what.
const FAULTS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "storage_pictures.tf",
        "allow_nested_items_to_be_public   = false",
        "allow_nested_items_to_be_public   = true",
        "DENY public-access: blobs in it can be made public",
        "azurerm_storage_account.pictures",
    ),
    (
        "storage_telemetry.tf",
        "container_access_type = \"private\"",
        "container_access_type = \"blob\"",
        "DENY public-access: anybody may read it",
        "azurerm_storage_container.undelivered",
    ),
    (
        "storage_models.tf",
        "https_traffic_only_enabled        = true",
        "https_traffic_only_enabled        = false",
        "DENY tls: plain http is allowed",
        "azurerm_storage_account.models",
    ),
    (
        "storage_models.tf",
        "\"TLS1_2\"",
        "\"TLS1_1\"",
        "DENY tls: takes TLS older than 1.2",
        "azurerm_storage_account.models",
    ),
    (
        "registry.tf",
        "admin_enabled          = false",
        "admin_enabled          = true",
        "DENY shared-keys: has an admin user",
        "azurerm_container_registry.this",
    ),
    (
        "iothub.tf",
        "authentication_type = \"identityBased\"",
        "authentication_type = \"keyBased\"",
        "DENY shared-keys: the hub writes with a key",
        "azurerm_iothub.this",
    ),
    (
        "iothub.tf",
        "registry_write = true",
        "registry_write = true\n  service_connect = true",
        "DENY shared-keys: one key that may",
        "azurerm_iothub_shared_access_policy.registry",
    ),
    (
        "snowflake_stages_pipes.tf",
        "  storage_integration = snowflake_storage_integration_azure.this.name",
        "  credentials {\n    azure_sas_token = \"?sv=2023-11-03&se=2027-01-01\"\n  }",
        "DENY sas: holds a SAS token",
        "snowflake_stage_external_azure.messages[\"health\"]",
    ),
    (
        "snowflake_stages_pipes.tf",
        "  storage_integration = snowflake_storage_integration_azure.this.name",
        "  credentials {\n    azure_sas_token = \"?sv=2023-11-03&se=2026-11-30&sig=QUJDREVGR0hJSktMTU5PUA%3D\"\n  }",
        "DENY secrets: a key or a token stands in the configuration",
        "snowflake_stage_external_azure.messages",
    ),
    (
        "providers.tf",
        "role              = var.snowflake_role",
        "role              = \"ACCOUNTADMIN\"",
        "DENY grants: works as ACCOUNTADMIN",
        "provider.snowflake",
    ),
    (
        "snowflake_users_roles.tf",
        "= snowflake_account_role.operator.name\n  default_warehouse",
        "= \"ACCOUNTADMIN\"\n  default_warehouse",
        "DENY grants: hands out ACCOUNTADMIN",
        "snowflake_service_user.skydeck",
    ),
    (
        "snowflake_grants.tf",
        "  privileges        = [\"INSERT\", \"SELECT\"]",
        "  all_privileges    = true",
        "DENY grants: grants all privileges",
        "snowflake_grant_privileges_to_account_role.tables[\"loader-health\"]",
    ),
    (
        "roles_hub.tf",
        "scope                = azurerm_storage_account.pictures.id\n  role_definition_name = \"Storage Blob Delegator\"",
        "scope                = \"/subscriptions/00000000-0000-4000-8000-000000000001\"\n  role_definition_name = \"Owner\"",
        "DENY grants: is Owner of a whole subscription",
        "azurerm_role_assignment.hub_delegates_pictures",
    ),
    (
        "events.tf",
        "[azurerm_user_assigned_identity.events.id]",
        "[azurerm_user_assigned_identity.hub.id]",
        "DENY identities: stands for",
        "azurerm_user_assigned_identity.hub",
    ),
    (
        "variables_azure.tf",
        "variable \"location\" {",
        "variable \"hub_connection_string\" {\n  type    = string\n  default = \"x\"\n}\n\nvariable \"location\" {",
        "DENY secrets: the variable hub_connection_string bears a secret's name",
        "var.hub_connection_string",
    ),
    ("tags.tf", "    owner       = var.owner\n", "", "WARN tags: has no tag owner", "azurerm_iothub.this"),
    ("iothub.tf", "\"S1\"", "\"S3\"", "WARN cost: an IoT Hub of S3", "azurerm_iothub.this"),
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
    assert!(output.status.success(), "{arguments:?}\n{}", text(&output.stderr));
    text(&output.stdout)
}

/// The plan of the module in `folder`.
fn planned(folder: &Path, environment: &str, more: &[&str]) -> Value {
    let variables = format!("-var-file=environments/{environment}.tfvars");
    terraform(folder, &[["plan", "-input=false", &variables, "-out=plan"].as_slice(), more].concat());
    serde_json::from_str(&terraform(folder, &["show", "-json", "plan"])).expect("JSON")
}

/// The module, ready to be planned.
fn module() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let module = folder.path().join("module");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/terraform"), &module);
    std::fs::write(module.join("here_override.tf"), "terraform {\n  backend \"local\" {}\n}\n").expect("written");
    terraform(&module, &["init", "-input=false"]);
    (folder, module)
}

#[test]
fn each_fault_is_named_and_the_module_has_none() {
    if !peer::is_here() {
        return;
    }
    let (_folder, module) = module();
    let policies = Policies::load(None);
    for environment in ["demo", "local", "staging", "prod"] {
        let found = lines(&policies.judge(&planned(&module, environment, &[]), &context(environment)));
        let (known, other): (Vec<_>, Vec<_>) = found.iter().partition(|line| line.starts_with("INFO "));
        assert_eq!(other, Vec::<&String>::new(), "{environment}");
        assert!(known.iter().any(|line| line.starts_with("INFO cost: new, and paid for")), "{environment}: {known:?}");
        let window = known.iter().any(|line| line.starts_with("INFO change-window: prod may be changed at any time"));
        assert_eq!(window, environment == "prod", "{known:?}");
    }
    // Several at once, where they don't stand in each other's place: what is said names the fault and its resource.
    let mut left = FAULTS.to_vec();
    while !left.is_empty() {
        let mut texts: BTreeMap<&str, String> = BTreeMap::new();
        let (put_in, later): (Vec<_>, Vec<_>) = left.into_iter().partition(|(file, right, wrong, ..)| {
            let text = texts.entry(*file).or_insert_with(|| original(&module, file));
            assert!(original(&module, file).contains(right), "{file} has no {right:?} any more");
            let fits = text.contains(right);
            *text = text.replace(right, wrong);
            fits
        });
        let originals: Vec<_> = texts.keys().map(|file| (module.join(file), original(&module, file))).collect();
        for (file, text) in &texts {
            std::fs::write(module.join(file), text).expect("written");
        }
        let found = lines(&policies.judge(&planned(&module, "staging", &[]), &context("staging")));
        for (file, _, wrong, words, address) in put_in {
            let named = found.iter().any(|line| line.starts_with(words) && line.contains(address));
            assert!(named, "{file}: {wrong}\nfound: {found:#?}");
        }
        for (path, text) in originals {
            std::fs::write(path, text).expect("written");
        }
        left = later;
    }
}

fn original(module: &Path, file: &str) -> String {
    std::fs::read_to_string(module.join(file)).expect("readable")
}

#[test]
fn what_is_lost_when_it_is_replaced_or_destroyed_is_named() {
    if !peer::is_here() {
        return;
    }
    let (_folder, module) = module();
    let policies = Policies::load(None);
    let applied = ["apply", "-input=false", "-auto-approve", "-var-file=environments/demo.tfvars"];
    terraform(&module, &applied);

    // The emulated place lasts as long as one command: what stands is told by the state.
    let replace = ["-refresh=false", "-replace=azurerm_iothub.this", "-replace=snowflake_pipe.messages[\"health\"]"];
    let plan = planned(&module, "demo", &replace);
    let found = lines(&policies.judge(&plan, &context("demo")));
    let said = |found: &[String], words: &str, address: &str| {
        assert!(found.iter().any(|line| line.starts_with(words) && line.contains(address)), "{words}: {found:#?}");
    };
    said(&found, "WARN data-holders: would be replaced", "azurerm_iothub.this");
    said(&found, "WARN pipes: would be made anew", "snowflake_pipe.messages[\"health\"]");
    let lost = "WARN cascades: goes with azurerm_iothub.this, and only the next plan makes it again";
    for address in ["azurerm_iothub_route.live", "azurerm_iothub_shared_access_policy.feed", "consumer_group.skydeck"] {
        said(&found, lost, address);
    }
    assert!(!found.iter().any(|line| line.starts_with("DENY")), "{found:#?}");
    // The plan itself makes them again: their hub's id is another one.
    let cascade = found.iter().find(|line| line.starts_with(lost)).expect("a cascade");
    assert!(!cascade.contains("azurerm_iothub_endpoint_storage_container"), "{cascade}");
    for environment in ["local", "staging"] {
        let found = lines(&policies.judge(&plan, &context(environment)));
        said(&found, "DENY data-holders: would be replaced", "azurerm_iothub.this");
        said(&found, "WARN pipes: would be made anew", "snowflake_pipe");
    }
    said(&lines(&policies.judge(&plan, &context("prod"))), "DENY pipes: would be made anew", "snowflake_pipe");

    let plan = planned(&module, "demo", &["-refresh=false", "-destroy"]);
    let found = lines(&policies.judge(&plan, &context("demo")));
    assert!(!found.iter().any(|line| line.starts_with("DENY")), "{found:#?}");
    let found = lines(&policies.judge(&plan, &context("local")));
    for address in ["snowflake_table.messages[\"health\"]", "azurerm_key_vault.this", "azurerm_resource_group.this"] {
        said(&found, "DENY data-holders: would be destroyed", address);
    }

    odd_values_break_no_policy(&policies, &planned(&module, "demo", &["-refresh=false", replace[1]]));
}

/// Whatever a provider writes in an attribute's place, no policy fails on it.
fn odd_values_break_no_policy(policies: &Policies, plan: &Value) {
    let part = json!([{"all": 1, "name": null, "capacity": "x", "object_type": 1, "authentication_type": []}]);
    let odd = [json!(null), json!("x"), json!(5), json!(true), json!([]), json!({}), json!([null]), json!([[]]), part];
    for odd in odd {
        let mut plan = plan.clone();
        for change in plan["resource_changes"].as_array_mut().expect("changes") {
            for side in ["before", "after"] {
                let attributes = change["change"][side].as_object_mut();
                attributes.into_iter().flatten().for_each(|(_, value)| *value = odd.clone());
            }
        }
        let variables = plan["variables"].as_object_mut().expect("variables");
        variables.values_mut().for_each(|variable| variable["value"] = odd.clone());
        for resource in plan["configuration"]["root_module"]["resources"].as_array_mut().expect("resources") {
            resource["expressions"]["identity"] = odd.clone();
        }
        plan["configuration"]["provider_config"]["snowflake"]["expressions"]["role"] = odd.clone();
        let found = policies.judge(&plan, &context("prod"));
        let broken: Vec<_> = found.iter().filter(|finding| finding.policy == "policies").collect();
        assert!(broken.is_empty(), "{odd}: {broken:#?}");
    }
}
