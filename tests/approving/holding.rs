//! What an approval is bound to: each of it moved, and nothing is applied.

use skydeck::local_cloud::cloud::Cloud;

use crate::place::{Home, Place, has_terraform};

/// A plan of `environment`, approved.
fn approved(place: &Place) -> Home {
    let ada = place.home("ada");
    place.let_sign("grace", "skydeck-approval");
    ada.run(&["plan", "--env", "staging"]).ends_with(3);
    place.home("grace").run(&["approve", "--env", "staging", "--yes"]).ends_with(0);
    ada.run(&["runs", "--env", "staging"]).ends_with(0).says("approved");
    ada
}

fn state(place: &Place) -> bool {
    place.path().join("state/staging.tfstate").exists()
}

#[test]
fn a_configuration_edited_after_the_approval_is_stale() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    let ada = approved(&place);
    place.write("module/environments/staging.tfvars", "size = \"large\"\n");
    ada.run(&["apply", "--env", "staging", "--yes"]).ends_with(6).says("configuration");
    assert!(!state(&place), "something was applied");
    // Once stale, always stale.
    place.write("module/environments/staging.tfvars", "size = \"small\"\n");
    ada.run(&["apply", "1", "--env", "staging", "--yes"]).ends_with(6);
}

#[test]
fn a_plan_file_that_was_changed_is_found() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    let ada = approved(&place);
    let plan = ada.runs("staging").join("runs/0001/plan");
    let mut bytes = std::fs::read(&plan).expect("the plan");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&plan, bytes).expect("written");
    ada.run(&["apply", "--env", "staging", "--yes"]).ends_with(6).says("plan file");
    assert!(!state(&place), "something was applied");
}

#[test]
fn a_state_that_moved_on_is_stale() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    let ada = approved(&place);
    let bob = place.home("bob");
    bob.run(&["plan", "--env", "staging"]).ends_with(3);
    place.home("grace").run(&["approve", "2", "--env", "staging", "--yes"]).ends_with(0);
    bob.run(&["apply", "2", "--env", "staging", "--yes"]).ends_with(0);
    ada.run(&["apply", "1", "--env", "staging", "--yes"]).ends_with(6).says("state");
}

#[test]
fn an_approval_is_for_its_own_run_and_environment_and_used_once() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    place.let_sign("grace", "skydeck-approval");
    let (ada, grace) = (place.home("ada"), place.home("grace"));
    ada.run(&["plan", "--env", "staging"]).ends_with(3);
    let file = place.path().join("approval.json").display().to_string();
    grace.run(&["approve", "--env", "staging", "--yes", "--reason", "looks right", "--out", &file]).ends_with(0);
    // For another run of the same environment.
    ada.run(&["plan", "--env", "staging"]).ends_with(3);
    ada.run(&["apply", "2", "--env", "staging", "--yes", "--approval", &file]).ends_with(5).says("run 1");
    // For another environment.
    ada.run(&["plan", "--env", "prod"]).ends_with(3);
    ada.run(&["apply", "1", "--env", "prod", "--yes", "--approval", &file]).ends_with(5).says("staging");
    // Changed.
    let text = place.read("approval.json");
    place.write("changed.json", &text.replace("looks", "locks").replace("\\\"run\\\":1", "\\\"run\\\":2"));
    let changed = place.path().join("changed.json").display().to_string();
    assert_ne!(text, place.read("changed.json"));
    ada.run(&["apply", "2", "--env", "staging", "--yes", "--approval", &changed]).ends_with(5);
    // Rubbish.
    place.write("rubbish.json", "{\"payload\": 7}");
    let rubbish = place.path().join("rubbish.json").display().to_string();
    ada.run(&["apply", "2", "--env", "staging", "--yes", "--approval", &rubbish]).ends_with(5).says("rubbish.json");
    // Its words changed, for the run that it is of: known by its id it stays refused.
    let reason = text.replace("looks right", "looks fine");
    assert_ne!(text, reason);
    place.write("reason.json", &reason);
    let reason = place.path().join("reason.json").display().to_string();
    let said = ada.run(&["apply", "1", "--env", "staging", "--yes", "--approval", &reason]).ends_with(5);
    assert!(said.err.contains("its signature doesn't fit"), "{said:?}");
    // As it was meant, once.
    ada.run(&["apply", "1", "--env", "staging", "--yes", "--approval", &file]).ends_with(0);
    let approved = ada.deeds("staging").into_iter().filter(|(_, event, _)| event == "approved").count();
    assert_eq!(approved, 1, "the same approval by another way is one");
    let again = ada.run(&["apply", "1", "--env", "staging", "--yes", "--approval", &file]);
    assert_ne!(again.code, Some(0), "{again:?}");
}

#[test]
fn a_plan_that_is_too_old_is_refused() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    let ada = approved(&place);
    let file = ada.runs("staging").join("runs/0001/run.json");
    let text = std::fs::read_to_string(&file).expect("the run");
    let mut run: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    run["plannedAt"] = "2026-01-01T00:00:00Z".into();
    std::fs::write(&file, run.to_string()).expect("written");
    ada.run(&["apply", "--env", "staging", "--yes"]).ends_with(5).says("older than");
    assert!(!state(&place), "something was applied");
}

#[test]
fn an_approval_expires() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    place.let_sign("grace", "skydeck-approval");
    let ada = place.home("ada");
    let file = place.path().join("approval.json").display().to_string();
    // What grace's key says of a run's plan, for so many seconds.
    let sign = |run: u32, seconds: i64| {
        let record = ada.runs("staging").join(format!("runs/{run:04}/record.json"));
        let record = std::fs::read_to_string(record).expect("a record");
        let record: serde_json::Value = serde_json::from_str(&record).expect("JSON");
        let record: serde_json::Value =
            serde_json::from_str(record["payload"].as_str().expect("a text")).expect("JSON");
        let now = jiff::Timestamp::now();
        let payload = serde_json::json!({
            "schema": 1, "id": format!("0198f2b4-0000-7000-8000-00000000000{run}"), "record": record,
            "approvedBy": "grace@desk", "approvedAt": now,
            "expiresAt": now + jiff::SignedDuration::from_secs(seconds), "reason": null, "overridesDenials": false,
        })
        .to_string();
        let signature = place.signature("grace", &payload);
        place.write("approval.json", &serde_json::json!({"payload": payload, "signature": signature}).to_string());
    };
    ada.run(&["plan", "--env", "staging"]).ends_with(3);
    sign(1, 1);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let said = ada.run(&["apply", "1", "--env", "staging", "--yes", "--approval", &file]).ends_with(5);
    assert!(said.err.contains("has expired at"), "{said:?}");
    assert!(!state(&place), "something was applied");
    // One like it that hasn't expired serves.
    sign(1, 600);
    ada.run(&["apply", "1", "--env", "staging", "--yes", "--approval", &file]).ends_with(0);
    assert!(state(&place), "nothing was applied");
}

/// A group and an account in it, with a tag.
const ACCOUNT: &str = r#"terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.81"
    }
  }
  backend "local" {}
}

provider "azurerm" {
  storage_use_azuread = true
  features {}
}

resource "azurerm_resource_group" "sky" {
  name     = "rg-sky"
  location = "Switzerland North"
  tags     = { step = "STEP" }
}

resource "azurerm_storage_account" "sky" {
  name                      = "stsky"
  resource_group_name       = azurerm_resource_group.sky.name
  location                  = azurerm_resource_group.sky.location
  account_tier              = "Standard"
  account_replication_type  = "LRS"
  shared_access_key_enabled = false

  allow_nested_items_to_be_public = false
}
"#;

#[test]
fn what_was_changed_behind_terraform_after_the_approval_makes_it_stale() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    let ada = place.home("ada");
    place.write("module/main.tf", &ACCOUNT.replace("STEP", "one"));
    ada.run(&["plan", "--env", "demo"]).ends_with(3);
    ada.run(&["apply", "--env", "demo", "--yes"]).ends_with(0);
    place.write("module/main.tf", &ACCOUNT.replace("STEP", "two"));
    ada.run(&["plan", "--env", "demo"]).ends_with(3);
    ada.run(&["approve", "--env", "demo", "--yes"]).ends_with(0);
    let state = || std::fs::read_to_string(ada.runs("demo").join("terraform.tfstate")).expect("a state");
    let before = state();

    let cloud = Cloud::open(&ada.runs("demo").with_file_name("cloud")).expect("the cloud that was applied to");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let resources = || runtime.block_on(cloud.resources()).expect("read");
    let mut account = resources().into_iter().find(|of| of.kind == "azurerm_storage_account").expect("an account");
    account.attributes["account_replication_type"] = "GRS".into();
    runtime.block_on(cloud.put(account)).expect("changed");

    let said = ada.run(&["apply", "--env", "demo", "--yes"]).ends_with(6);
    assert!(said.err.contains("azurerm_storage_account.sky"), "{said:?}");
    ada.run(&["runs", "2", "--env", "demo"]).ends_with(0).says("azurerm_storage_account.sky");
    assert_eq!(state(), before, "something was applied");
    let group = resources().into_iter().find(|of| of.kind == "azurerm_resource_group").expect("a group");
    assert_eq!(group.attributes["tags"]["step"], "one", "something was applied");
}
