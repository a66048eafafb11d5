//! What is refused, in which words, with which file and line.

use crate::place::{Place, has_terraform};

const PLAN: [&str; 3] = ["plan", "-input=false", "-no-color"];
const VALIDATE: [&str; 2] = ["validate", "-no-color"];
const APPLY: [&str; 4] = ["apply", "-auto-approve", "-input=false", "-no-color"];

fn group(lines: &str) -> String {
    format!("resource \"azurerm_resource_group\" \"g\" {{\n{lines}\n}}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typo_a_wrong_type_and_a_missing_argument_come_with_file_and_line() {
    if !has_terraform() {
        return;
    }
    let whole = "  name     = \"rg-a\"\n  location = \"westeurope\"";
    let place = Place::new(&group(whole)).await;
    place.ends_with(0, &VALIDATE).await;
    for (lines, at, words) in [
        (
            "  name = \"rg-a\"\n  location = \"westeurope\"\n  lokation = 1",
            "lokation",
            "An argument named \"lokation\" is not expected",
        ),
        ("  name = \"rg-a\"\n  location = [\"westeurope\"]", "location", "string required"),
        ("  name = \"rg-a\"", "azurerm_resource_group\"", "The argument \"location\" is required"),
        ("  name = \"rg-a.\"\n  location = \"westeurope\"", "rg-a.", "name: has to be letters, digits"),
        ("  name = \"rg-a\"\n  location = \"atlantis\"", "atlantis", "location: has to be one of"),
    ] {
        place.write(&group(lines));
        let line = format!("on main.tf line {}", place.line_of(at));
        place.refused(&VALIDATE, &[words, &line]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_a_nested_block_is_shown_in_its_line() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(
        r#"
resource "azurerm_iothub" "h" {
  name                = "iot-a"
  resource_group_name = "rg-a"
  location            = "westeurope"
  sku {
    name     = "S9"
    capacity = 1
  }
  endpoint {
    type                       = "AzureIotHub.StorageContainer"
    name                       = "batches"
    connection_string          = "x"
    batch_frequency_in_seconds = 10
  }
}
"#,
    )
    .await;
    let (sku, batches) = (place.line_of("S9"), place.line_of("batch_frequency"));
    let (sku, batches) = (format!("on main.tf line {sku}"), format!("on main.tf line {batches}"));
    place.refused(&VALIDATE, &["sku[0].name: has to be one of B1", &sku, "has to be 60 to 720, is 10", &batches]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_is_not_emulated_is_refused_by_its_name() {
    if !has_terraform() {
        return;
    }
    let place = Place::new("resource \"snowflake_network_policy\" \"p\" {\n  name = \"P\"\n}\n").await;
    let words = ["snowflake_network_policy: not emulated by skydeck; leave it out here"];
    place.refused(&PLAN, &words).await;
    // What no schema has, Terraform itself refuses.
    place.write("resource \"azurerm_atlantis\" \"a\" {}\n");
    let line = format!("on main.tf line {}", place.line_of("atlantis"));
    place.refused(&PLAN, &["does not support resource type \"azurerm_atlantis\"", &line]).await;
    place.write("data \"azurerm_storage_account_blob_container_sas\" \"s\" {\n  connection_string = \"c\"\n  container_name = \"c\"\n  start = \"2026-01-01\"\n  expiry = \"2027-01-01\"\n  permissions {\n    read = true\n    add = false\n    create = false\n    write = false\n    delete = false\n    list = false\n  }\n}\n");
    place.refused(&PLAN, &["data source azurerm_storage_account_blob_container_sas: not emulated"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_be_there_first_is_looked_up() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(
        r#"
resource "azurerm_user_assigned_identity" "i" {
  name                = "id-a"
  resource_group_name = "rg-nowhere"
  location            = "westeurope"
}
"#,
    )
    .await;
    let line = format!("on main.tf line {}", place.line_of("rg-nowhere"));
    let words = ["azurerm_resource_group \"rg-nowhere\" isn't there; make it first", &line];
    place.refused(&APPLY, &words).await;
    assert_eq!(place.cloud().resources().await.expect("readable"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_everywhere_is_refused() {
    if !has_terraform() {
        return;
    }
    let account = |label: &str, group: &str| {
        format!(
            "resource \"azurerm_resource_group\" \"{label}\" {{\n  name = \"{group}\"\n  location = \"westeurope\"\n}}\n\
             resource \"azurerm_key_vault\" \"{label}\" {{\n  name = \"kv-same\"\n  location = \"westeurope\"\n  \
             resource_group_name = azurerm_resource_group.{label}.name\n  sku_name = \"standard\"\n  \
             tenant_id = \"00000000-0000-4000-8000-000000000002\"\n}}\n"
        )
    };
    let place = Place::new(&format!("{}{}", account("one", "rg-one"), account("two", "rg-two"))).await;
    place.refused(&APPLY, &["azurerm_key_vault: the name \"kv-same\" is taken"]).await;
    place.only("azurerm_key_vault").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_something_in_it_is_not_deleted_unless_the_features_say_so() {
    if !has_terraform() {
        return;
    }
    let main = group("  name     = \"rg-a\"\n  location = \"westeurope\"");
    let identity = r#"
resource "azurerm_user_assigned_identity" "i" {
  name                = "id-a"
  resource_group_name = azurerm_resource_group.g.name
  location            = "westeurope"
}
"#;
    let place = Place::new(&format!("{main}{identity}")).await;
    place.apply().await;
    place.ends_with(0, &["state", "rm", "azurerm_user_assigned_identity.i"]).await;
    let destroy = ["destroy", "-auto-approve", "-input=false", "-no-color"];
    place.write(&main);
    place.refused(&destroy, &["azurerm_user_assigned_identity id-a still stands on it; delete that first"]).await;

    let path = place.module().join("main.tf");
    let lenient = std::fs::read_to_string(&path).expect("readable").replace(
        "features {}",
        "features {\n    resource_group {\n      prevent_deletion_if_contains_resources = false\n    }\n  }",
    );
    std::fs::write(&path, lenient).expect("written");
    place.ends_with(0, &destroy).await;
    assert_eq!(place.cloud().resources().await.expect("readable"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_resource_needs_its_feature() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(
        r#"
resource "snowflake_table" "t" {
  database = "D"
  schema   = "S"
  name     = "T"
  column {
    name = "C"
    type = "VARIANT"
  }
}
"#,
    )
    .await;
    place.refused(&PLAN, &["add \"snowflake_table_resource\" to preview_features_enabled"]).await;

    place.write("data \"snowflake_current_account\" \"a\" {}\n");
    place.ends_with(0, &PLAN).await;
    let path = place.module().join("main.tf");
    let without =
        std::fs::read_to_string(&path).expect("readable").replace("\"snowflake_current_account_datasource\"", "");
    std::fs::write(&path, without).expect("written");
    place.refused(&PLAN, &["add \"snowflake_current_account_datasource\" to preview_features_enabled"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_azure_never_changes_is_planned_and_refused() {
    if !has_terraform() {
        return;
    }
    let hub = |partitions: u8| {
        format!(
            "{}resource \"azurerm_iothub\" \"h\" {{\n  name = \"iot-a\"\n  location = \"westeurope\"\n  \
             resource_group_name = azurerm_resource_group.g.name\n  event_hub_partition_count = {partitions}\n  \
             sku {{\n    name = \"S1\"\n    capacity = 1\n  }}\n}}\n",
            group("  name     = \"rg-a\"\n  location = \"westeurope\"")
        )
    };
    let place = Place::new(&hub(4)).await;
    place.apply().await;
    place.write(&hub(8));
    let plan = place.plan(&[]).await;
    assert_eq!(crate::place::actions(&plan, "azurerm_iothub.h"), "update");
    let line = format!("on main.tf line {}", place.line_of("event_hub_partition_count"));
    place.refused(&APPLY, &["iot-a: event_hub_partition_count can't be changed once it is made", &line]).await;
    assert_eq!(place.only("azurerm_iothub").await.attributes["event_hub_partition_count"], 4);
    place.ends_with(0, &["apply", "-replace=azurerm_iothub.h", "-auto-approve", "-input=false", "-no-color"]).await;
    assert_eq!(place.only("azurerm_iothub").await.attributes["event_hub_partition_count"], 8);
}
