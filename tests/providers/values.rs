//! What becomes of values on their way: unknown, secret, in sets and blocks.

use serde_json::{Value, json};

use crate::place::{Place, has_terraform};

const CHAIN: &str = r#"
resource "azurerm_resource_group" "g" {
  name     = "rg-a"
  location = "westeurope"
}
resource "azurerm_user_assigned_identity" "i" {
  name                = "id-a"
  resource_group_name = azurerm_resource_group.g.name
  location            = azurerm_resource_group.g.location
}
resource "azurerm_storage_account" "a" {
  name                     = "stone"
  resource_group_name      = azurerm_resource_group.g.name
  location                 = azurerm_resource_group.g.location
  account_tier             = "Standard"
  account_replication_type = "LRS"
}
resource "azurerm_role_assignment" "r" {
  scope                = azurerm_storage_account.a.id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = azurerm_user_assigned_identity.i.principal_id
}
resource "azurerm_iothub" "h" {
  name                = "iot-${substr(azurerm_user_assigned_identity.i.principal_id, 0, 8)}"
  resource_group_name = azurerm_resource_group.g.name
  location            = azurerm_resource_group.g.location
  sku {
    name     = "S1"
    capacity = 1
  }
  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.i.id]
  }
  file_upload {
    connection_string = azurerm_storage_account.a.primary_blob_connection_string
    container_name    = azurerm_storage_container.c.name
  }
  tags = { principal = azurerm_user_assigned_identity.i.principal_id }
}
resource "azurerm_storage_container" "c" {
  name               = "pictures"
  storage_account_id = azurerm_storage_account.a.id
}
"#;

fn after_unknown<'a>(plan: &'a Value, address: &str) -> &'a Value {
    let changes = plan["resource_changes"].as_array().expect("changes");
    let change = changes.iter().find(|change| change["address"] == address).expect("planned");
    &change["change"]["after_unknown"]
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_values_pass_through_a_chain_and_are_known_in_the_end() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(CHAIN).await;
    let plan = place.plan(&[]).await;
    let hub = after_unknown(&plan, "azurerm_iothub.h");
    assert_eq!(hub["name"], true);
    assert_eq!(hub["identity"][0]["identity_ids"], json!([true]), "one, but which");
    assert_eq!(hub["tags"]["principal"], true, "only what is unknown of a map");
    assert_eq!(hub["hostname"], true);
    assert_eq!(after_unknown(&plan, "azurerm_role_assignment.r")["principal_id"], true);
    assert_eq!(after_unknown(&plan, "azurerm_role_assignment.r")["role_definition_name"], Value::Null);
    place.ends_with(0, &["apply", "-input=false", "-no-color", "plan"]).await;

    let identity = place.attributes("azurerm_user_assigned_identity.i").await;
    let hub = place.attributes("azurerm_iothub.h").await;
    let principal = identity["principal_id"].as_str().expect("text");
    assert_eq!(hub["name"], format!("iot-{}", &principal[..8]));
    assert_eq!(hub["hostname"], format!("iot-{}.azure-devices.net", &principal[..8]));
    assert_eq!(hub["identity"][0]["identity_ids"], json!([identity["id"]]));
    place.is_clean(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_masked_and_random() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(CHAIN).await;
    let applied = place.apply().await;
    let account = place.attributes("azurerm_storage_account.a").await;
    let key = account["primary_access_key"].as_str().expect("text");
    assert_eq!(key.len(), 88, "64 bytes in base64");
    assert_ne!(account["primary_access_key"], account["secondary_access_key"]);
    // The hub's list of policies, too, whose keys the published schema has lost.
    let hub = place.attributes("azurerm_iothub.h").await;
    let policy = hub["shared_access_policy"][0]["primary_key"].as_str().expect("text");

    // An update shows whatever of these attributes is shown at all.
    place.write(&CHAIN.replace("LRS", "GRS").replace("capacity = 1", "capacity = 2"));
    let planned = place.ends_with(0, &["plan", "-input=false", "-no-color"]).await;
    let shown = place.ends_with(0, &["show", "-no-color"]).await;
    assert!(shown.text.contains("(sensitive value)"));
    for ended in [applied, planned, shown] {
        for secret in [key, policy] {
            assert!(!ended.text.contains(secret), "{}", ended.text);
        }
    }
    place.write(&format!("{CHAIN}output \"key\" {{\n  value = azurerm_storage_account.a.primary_access_key\n}}\n"));
    place.refused(&["plan", "-input=false", "-no-color"], &["Output refers to sensitive values"]).await;
}

const SETS: &str = r#"
resource "azurerm_resource_group" "g" {
  name     = "rg-a"
  location = "westeurope"
}
resource "azurerm_storage_account" "a" {
  name                     = "stone"
  resource_group_name      = azurerm_resource_group.g.name
  location                 = azurerm_resource_group.g.location
  account_tier             = "Standard"
  account_replication_type = "LRS"
  network_rules {
    default_action = "Deny"
    ip_rules       = ["198.51.100.9", "198.51.100.1", "203.0.113.4"]
    bypass         = ["Metrics", "AzureServices"]
  }
}
resource "azurerm_monitor_diagnostic_setting" "d" {
  name               = "logs"
  target_resource_id = azurerm_storage_account.a.id
  storage_account_id = azurerm_storage_account.a.id
  enabled_log {
    category = "StorageWrite"
  }
  enabled_log {
    category = "StorageDelete"
  }
}
resource "azurerm_storage_management_policy" "m" {
  storage_account_id = azurerm_storage_account.a.id
  rule {
    name    = "one"
    enabled = true
    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["b/", "a/"]
    }
    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = 30
      }
    }
  }
  rule {
    name    = "two"
    enabled = false
    filters {
      blob_types = ["blockBlob"]
    }
    actions {
      snapshot {
        delete_after_days_since_creation_greater_than = 3
      }
    }
  }
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn sets_and_nested_blocks_come_back_as_they_were() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(SETS).await;
    place.apply().await;
    place.is_clean(&[]).await;
    let policy = place.attributes("azurerm_storage_management_policy.m").await;
    assert_eq!(policy["rule"][0]["filters"][0]["prefix_match"], json!(["a/", "b/"]));
    let snapshot = &policy["rule"][1]["actions"][0]["snapshot"][0];
    assert_eq!(snapshot["delete_after_days_since_creation_greater_than"], 3);
    assert_eq!(policy["rule"][1]["actions"][0]["base_blob"], json!([]));

    // A set's order is no change; its elements are.
    let turned = SETS
        .replace("\"198.51.100.9\", \"198.51.100.1\"", "\"198.51.100.1\", \"198.51.100.9\"")
        .replace("StorageWrite", "Other")
        .replace("StorageDelete", "StorageWrite")
        .replace("Other", "StorageDelete");
    place.write(&turned);
    place.is_clean(&[]).await;
    place
        .apply_for_good(
            &turned
                .replace("\"203.0.113.4\"", "\"203.0.113.5\"")
                .replace("days_since_creation_greater_than = 3", "days_since_creation_greater_than = 4"),
        )
        .await;
    // A list's order is one.
    place.write(&SETS.replace("\"one\"", "\"three\"").replace("\"two\"", "\"one\"").replace("\"three\"", "\"two\""));
    place.ends_with(2, &["plan", "-detailed-exitcode", "-input=false", "-no-color"]).await;
}
