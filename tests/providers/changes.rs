//! From nothing to something and on: changes, replacements, drift, imports, data sources.

use serde_json::json;

use crate::place::{Place, actions, has_terraform};

const GROUP: &str = r#"
resource "azurerm_resource_group" "g" {
  name     = "rg-a"
  location = "Switzerland North"
}
"#;

fn account(name: &str, replication: &str) -> String {
    format!(
        r#"{GROUP}
resource "azurerm_storage_account" "a" {{
  name                     = "{name}"
  resource_group_name      = azurerm_resource_group.g.name
  location                 = azurerm_resource_group.g.location
  account_tier             = "Standard"
  account_replication_type = "{replication}"
}}
resource "azurerm_storage_container" "c" {{
  name               = "pictures"
  storage_account_id = azurerm_storage_account.a.id
}}
"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_changed_in_place_is_and_keeps_what_was_computed() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(&account("stone", "LRS")).await;
    place.apply().await;
    place.is_clean(&[]).await;
    let before = place.attributes("azurerm_storage_account.a").await;
    assert_eq!(before["primary_blob_endpoint"], "https://stone.blob.core.windows.net/");
    assert_eq!(before["location"], "switzerlandnorth");
    assert_eq!(before["min_tls_version"], "TLS1_2", "a default");

    place.apply_for_good(&account("stone", "GRS")).await;
    let after = place.attributes("azurerm_storage_account.a").await;
    assert_eq!(after["account_replication_type"], "GRS");
    for kept in ["id", "primary_access_key", "primary_connection_string"] {
        assert_eq!(before[kept], after[kept], "{kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_changed_in_place_is_made_anew_with_what_hangs_on_it() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(&account("stone", "LRS")).await;
    place.apply().await;
    let key = place.attributes("azurerm_storage_account.a").await["primary_access_key"].clone();
    place.write(&account("sttwo", "LRS"));
    let plan = place.plan(&[]).await;
    assert_eq!(actions(&plan, "azurerm_storage_account.a"), "delete,create");
    assert_eq!(actions(&plan, "azurerm_storage_container.c"), "delete,create");
    assert_eq!(actions(&plan, "azurerm_resource_group.g"), "no-op");
    let changes = plan["resource_changes"].as_array().expect("changes");
    let account = changes.iter().find(|change| change["address"] == "azurerm_storage_account.a").expect("planned");
    assert_eq!(account["change"]["replace_paths"], json!([["name"]]));

    place.apply().await;
    place.is_clean(&[]).await;
    let made = place.only("azurerm_storage_account").await;
    assert_eq!(made.text("name"), "sttwo");
    assert_ne!(json!(made.text("primary_access_key")), key);
    assert!(place.only("azurerm_storage_container").await.id.contains("/storageAccounts/sttwo/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_changed_or_deleted_is_drift() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(&account("stone", "LRS")).await;
    place.apply().await;
    place.change_behind("azurerm_storage_account", "min_tls_version", json!("TLS1_0")).await;
    let container = place.only("azurerm_storage_container").await;
    assert!(place.cloud().delete(&container.kind, &container.id).await.expect("deleted"));

    let plan = place.plan(&[]).await;
    let drift = plan["resource_drift"].as_array().expect("drift");
    let drifted: Vec<_> = drift.iter().map(|one| (one["address"].as_str(), &one["change"]["actions"][0])).collect();
    let (update, delete) = (json!("update"), json!("delete"));
    assert!(drifted.contains(&(Some("azurerm_storage_account.a"), &update)), "{drifted:?}");
    assert!(drifted.contains(&(Some("azurerm_storage_container.c"), &delete)), "{drifted:?}");
    assert_eq!(actions(&plan, "azurerm_storage_account.a"), "update");
    assert_eq!(actions(&plan, "azurerm_storage_container.c"), "create");
    place.apply().await;
    place.is_clean(&[]).await;
    assert_eq!(place.only("azurerm_storage_account").await.text("min_tls_version"), "TLS1_2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_already_is_destroyed_without_a_fault() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(&account("stone", "LRS")).await;
    place.apply().await;
    let account = place.only("azurerm_storage_account").await;
    place.cloud().delete(&account.kind, &account.id).await.expect("deleted");
    place.ends_with(0, &["destroy", "-refresh=false", "-auto-approve", "-input=false", "-no-color"]).await;
    assert_eq!(place.cloud().resources().await.expect("readable"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_takes_what_is_there_and_says_what_is_not() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(GROUP).await;
    place.apply().await;
    let id = place.only("azurerm_resource_group").await.id;
    assert_eq!(id, "/subscriptions/00000000-0000-4000-8000-0000000000aa/resourceGroups/rg-a");
    place.ends_with(0, &["state", "rm", "azurerm_resource_group.g"]).await;
    let args = ["apply", "-auto-approve", "-input=false", "-no-color"];
    place.refused(&args, &["azurerm_resource_group rg-a: is there already", "import it"]).await;
    place.refused(&["import", "-no-color", "azurerm_resource_group.g", "/none"], &["no resource with the id"]).await;
    place.ends_with(0, &["import", "-no-color", "azurerm_resource_group.g", &id]).await;
    place.is_clean(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_sources_say_what_the_provider_is_configured_with() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(
        r#"
data "azurerm_client_config" "me" {}
data "azurerm_subscription" "ours" {}
data "snowflake_current_account" "account" {}
output "said" {
  value = [data.azurerm_client_config.me.subscription_id, data.azurerm_subscription.ours.display_name, data.snowflake_current_account.account.account]
}
"#,
    )
    .await;
    place.apply().await;
    let said = place.ends_with(0, &["output", "-json", "said"]).await.out;
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said, json!(["00000000-0000-4000-8000-0000000000aa", "EMULATED", "SKYDECK"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snowflake_object_is_renamed_in_place_where_snowflake_can() {
    if !has_terraform() {
        return;
    }
    let role = |name: &str| format!("resource \"snowflake_account_role\" \"r\" {{\n  name = \"{name}\"\n}}\n");
    let place = Place::new(&role("ONE")).await;
    place.apply().await;
    place.write(&role("TWO"));
    let plan = place.plan(&[]).await;
    assert_eq!(actions(&plan, "snowflake_account_role.r"), "update");
    place.apply().await;
    place.is_clean(&[]).await;
    assert_eq!(place.only("snowflake_account_role").await.id, "\"TWO\"");
}
