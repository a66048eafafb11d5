//! A plan read, refused because a policy denies it, corrected, approved by typing the name, and applied; a secret revealed;
//! a plan of somebody else approved.

use std::fs;

use crate::place::Place;
use crate::terminal::Terminal;
use crate::walk::ONE_DAY;

/// An account with a container in it: `PUBLIC` and `NAME` are to be filled in.
const MODULE: &str = r#"terraform {
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
}

resource "azurerm_storage_account" "sky" {
  name                            = "stsky"
  resource_group_name             = azurerm_resource_group.sky.name
  location                        = azurerm_resource_group.sky.location
  account_tier                    = "Standard"
  account_replication_type        = "LRS"
  shared_access_key_enabled       = false
  allow_nested_items_to_be_public = PUBLIC
}

resource "azurerm_storage_container" "sky" {
  name               = "NAME"
  storage_account_id = azurerm_storage_account.sky.id
}
"#;

fn write_module(place: &Place, public: bool, container: &str) {
    let text = MODULE.replace("PUBLIC", if public { "true" } else { "false" }).replace("NAME", container);
    fs::create_dir_all(place.path().join("module")).expect("made");
    fs::write(place.path().join("module/main.tf"), text).expect("written");
}

/// The first key of the account, as the state holds it.
fn secret(place: &Place) -> String {
    let text = fs::read_to_string(place.data("demo").join("provisioning/terraform.tfstate")).expect("a state");
    let state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let resources = state["resources"].as_array().expect("resources");
    let account = resources.iter().find(|of| of["type"] == "azurerm_storage_account").expect("the account");
    account["instances"][0]["attributes"]["primary_access_key"].as_str().expect("a key").to_owned()
}

/// The console with the account applied and its container named `one`.
fn with_an_account(place: &Place) -> Terminal {
    write_module(place, false, "one");
    let module = place.path().join("module").display().to_string();
    place.write_settings("demo.toml", &format!("[provisioning]\nmodule = {module:?}\n"));
    let mut console = Terminal::start_with(place, &[], (120, 40), &[ONE_DAY, ("USER", "ada")]);
    console.wait_for("▸1 Overview");
    console.press("2", "no run yet");
    console.press("p", "plan 1 · demo · EMULATED · +3 ~0 -/+0 -0");
    console.wait_for("A apply");
    console.press("A", "Apply it now?");
    console.press("\r", "3/3");
    console.wait_for("● applied");
    console
}

/// Looks at the account in the plan that is shown.
fn look_at_the_account(console: &mut Terminal) {
    console.press("\t", "unchanged attributes hidden (u shows)");
    console.wait_for(" azurerm_storage_account.sky ─");
}

#[test]
fn what_is_denied_is_corrected_approved_by_name_and_applied() {
    if !crate::terraform_peer::is_here() {
        return;
    }
    let place = Place::new();
    let mut console = with_an_account(&place);

    // Read: what changes, why something is replaced, and what stays as it is.
    write_module(&place, true, "two");
    console.press("p", "plan 2 · demo · EMULATED · +0 ~1 -/+1 -0");
    console.wait_for("DENY blobs in it can be made public");
    console.wait_for("forces replacement: name");
    look_at_the_account(&mut console);
    console.wait_for("false → true");
    console.wait_without("account_tier");
    console.press("u", "account_tier");
    console.keys("u");
    console.wait_without("account_tier");

    // Refused, in words.
    console.press("A", "run 2 is denied by policy: public-access; correct it, or approve it with a reason (a)");

    // Handed around as it is.
    console.press("e", "plan-demo-2");
    console.press("\r", "written: ./skydeck-plan-demo-2-");
    let files = fs::read_dir(place.path()).expect("a folder").filter_map(Result::ok);
    let report = files.map(|file| file.path()).find(|path| path.extension().is_some_and(|of| of == "md"));
    let report = fs::read_to_string(report.expect("a report")).expect("read");
    for words in
        ["EMULATED", "DENY", "public-access", "azurerm_storage_container.sky", "allow_nested_items_to_be_public"]
    {
        assert!(report.contains(words), "{words}: {report}");
    }
    assert!(!report.contains(&secret(&place)), "the report tells a secret");

    // Corrected; what is left replaces a container, so that the name is typed.
    write_module(&place, false, "two");
    console.press("p", "plan 3 · demo · EMULATED · +0 ~0 -/+1 -0");
    console.wait_for("a approve");
    console.press("a", "Destroys or replaces 1 resource");
    console.wait_for("-/+ azurerm_storage_container.sky");
    console.keys("its name was wrong\r");
    console.press("prod\r", "not the same: type `demo`");
    console.press("\u{15}demo\r", "◆ approved");
    // Once the run itself is here again, and not only word of it.
    console
        .wait_until("until when it is approved", |text| text.contains("approved by ada@") && text.contains(" until "));
    console.press("A", "Approved by ada@");
    console.press("demo\r", "1/1");
    console.wait_for("● applied");

    // Who did what, and that nobody touched it since.
    console.press("8", "▸8 Logs");
    console.press("a", "entries, unbroken");
    let trail = console.wait_for("its name was wrong");
    for words in ["denied", "by public-access", "approved", "applying", "ada@"] {
        assert!(trail.contains(words), "{words}: {trail}");
    }
    console.keys("Q");
    assert_eq!(console.ended(), 0);
    console.is_restored();
}

#[test]
fn a_secret_is_seen_after_a_question_until_one_moves_on_and_the_trail_has_it() {
    if !crate::terraform_peer::is_here() {
        return;
    }
    let place = Place::new();
    let mut console = with_an_account(&place);
    write_module(&place, true, "one");
    console.press("p", "plan 2 · demo · EMULATED · +0 ~1 -/+0 -0");
    look_at_the_account(&mut console);
    let secret = secret(&place);
    // What is too wide for the pane is cut; the beginning of it is enough to know it by.
    let secret = &secret[..16];
    console.press("x", "This is written to the audit trail.");
    console.keys("\u{1b}");
    console.wait_without("This is written to the audit trail.");
    assert!(!console.text().contains(secret), "{}", console.text());
    console.press("x", "This is written to the audit trail.");
    console.press("\r", "REVEALED");
    console.wait_for(secret);
    console.press("1", "▸1 Overview");
    console.press("2", "▸2 Plans");
    console.wait_without("REVEALED");
    assert!(!console.text().contains(secret), "{}", console.text());
    console.press("8", "▸8 Logs");
    console.press("a", "entries, unbroken");
    console.wait_for("secrets of azurerm_storage_account.sky");
    console.keys("Q");
    assert_eq!(console.ended(), 0);
    assert!(
        !fs::read_to_string(place.data("demo").join("provisioning/audit/trail.jsonl"))
            .expect("a trail")
            .contains(secret)
    );
}

/// A module that needs no provider but Terraform's own, for an environment of the cloud.
const SHARED: &str = r#"terraform {
  backend "local" {}
}

variable "size" {
  type = string
}

resource "terraform_data" "roof" {
  input = var.size
}
"#;

#[test]
fn what_somebody_else_has_planned_is_read_and_approved() {
    if !crate::terraform_peer::is_here() {
        return;
    }
    let (shared, ada, grace) = (Place::new(), Place::new(), Place::new());
    let path = |name: &str| shared.path().join(name).display().to_string();
    for folder in ["module/backend", "module/environments", "store"] {
        fs::create_dir_all(shared.path().join(folder)).expect("made");
    }
    let key = ada.run(&["secrets", "plan-key", "--out", &path("plan.key")]).out();
    let recipient = key.split_whitespace().find(|word| word.starts_with("age1")).expect("a recipient");
    let settings = format!(
        "[provisioning]\nmodule = {:?}\nrun_store = \"file://{}\"\nplan_recipient = {recipient:?}\nplan_identity = \"file:{}\"\n",
        path("module"),
        path("store"),
        path("plan.key"),
    );
    for (name, text) in [
        ("module/main.tf", SHARED.to_owned()),
        ("module/backend/staging.tfvars", format!("path = {:?}\n", path("staging.tfstate"))),
        ("module/environments/staging.tfvars", "size = \"small\"\n".to_owned()),
        ("shared.toml", settings),
    ] {
        fs::write(shared.path().join(name), text).expect("written");
    }
    let config = path("shared.toml");
    let planned = ada.command(&["plan", "--env", "staging", "--config", &config]).env("USER", "ada").output();
    assert_eq!(planned.expect("it runs").status.code(), Some(3));

    let mut console = Terminal::start_with(&grace, &["--config", &config], (120, 40), &[ONE_DAY, ("USER", "grace")]);
    console.wait_for("▸1 Overview");
    console.press("2", "Environments & runs");
    // The frame is there before it is known which environments there are.
    console.wait_for("▸ staging");
    console.press("G", "plan 1 · staging · +1 ~0 -/+0 -0");
    console.wait_for("by ada@");
    console.wait_for("+ input   \"small\"");
    console.press("A", "staging: run 1 isn't approved; approve it first (a)");
    console.press("a", "Environment staging.");
    console.press("looks right\r", "◆ approved");
    console.keys("Q");
    assert_eq!(console.ended(), 0);

    // Whoever planned applies what the other one approved.
    let applied = ada.command(&["apply", "--env", "staging", "--yes", "--config", &config]).env("USER", "ada").output();
    let applied = applied.expect("it runs");
    assert_eq!(applied.status.code(), Some(0), "{}", String::from_utf8_lossy(&applied.stderr));
    let audit = ada.command(&["audit", "--env", "staging", "--config", &config]).output().expect("it runs");
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(audit.contains("grace@") && audit.contains("looks right"), "{audit}");
}
