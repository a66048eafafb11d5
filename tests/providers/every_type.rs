//! Every emulated type, made, changed and destroyed.

use std::collections::BTreeSet;
use std::path::Path;

use crate::place::{Place, actions, has_terraform};

/// Types that have nothing that can be changed in place, or of which the fixtures change what can't be.
const REPLACED: [&str; 4] = [
    "azurerm_iothub_consumer_group",
    "azurerm_role_assignment",
    "snowflake_grant_account_role",
    "snowflake_grant_ownership",
];

/// The types that have an overlay.
fn emulated() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/providers/overlay");
    let mut found = BTreeSet::new();
    for provider in ["azurerm", "snowflake"] {
        for entry in std::fs::read_dir(root.join(provider)).expect("a folder") {
            let path = entry.expect("readable").path();
            let text = std::fs::read_to_string(&path).expect("readable");
            let file: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.extend(file.keys().filter(|name| !["mixin", "data"].contains(&name.as_str())).cloned());
        }
    }
    found
}

async fn there(place: &Place) -> BTreeSet<String> {
    place.cloud().resources().await.expect("readable").into_iter().map(|resource| resource.kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_made_changed_and_destroyed() {
    if !has_terraform() {
        return;
    }
    let place = Place::of_folder("types").await;
    let emulated = emulated();

    place.ends_with(0, &["validate", "-no-color"]).await;
    let made = place.plan(&[]).await;
    place.apply().await;
    assert_eq!(there(&place).await, emulated, "the fixtures have one of every type");
    place.is_clean(&[]).await;

    let changed = place.plan(&["-var=step=2"]).await;
    for kind in &emulated {
        let address = format!("{kind}.it");
        assert_eq!(actions(&made, &address), "create", "{kind}");
        let wanted = if REPLACED.contains(&kind.as_str()) { "delete,create" } else { "update" };
        assert_eq!(actions(&changed, &address), wanted, "{kind}");
    }
    place.ends_with(0, &["apply", "-input=false", "-no-color", "plan"]).await;
    assert_eq!(there(&place).await, emulated);
    place.is_clean(&["-var=step=2"]).await;

    place.ends_with(0, &["destroy", "-auto-approve", "-input=false", "-no-color", "-var=step=2"]).await;
    assert_eq!(there(&place).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_taken_into_a_state_by_its_id() {
    if !has_terraform() {
        return;
    }
    let place = Place::of_folder("types").await;
    place.apply().await;
    let mut imports = String::new();
    for resource in place.cloud().resources().await.expect("readable") {
        imports.push_str(&format!("import {{\n  to = {}.it\n  id = {:?}\n}}\n", resource.kind, resource.id));
    }
    // As if somebody else had made them: nothing is known of them here.
    std::fs::remove_file(place.module().join("terraform.tfstate")).expect("removed");
    std::fs::write(place.module().join("imports.tf"), imports).expect("written");
    let plan = place.plan(&[]).await;
    for kind in emulated() {
        assert_eq!(actions(&plan, &format!("{kind}.it")), "no-op", "{kind}");
    }
    let taken = place.ends_with(0, &["apply", "-input=false", "-no-color", "plan"]).await;
    assert!(taken.text.contains("0 added, 0 changed, 0 destroyed"), "{}", taken.text);
    place.is_clean(&[]).await;
}
