//! Policies that deny.

use crate::place::{Place, has_terraform};

const NO_ROOFS: &str = r#"package own.roofs

import rego.v1

deny contains {"policy": "no-roofs", "message": "roofs aren't allowed; take it out", "addresses": [c.address]} if {
	some c in input.resource_changes
	c.name == "roof"
}
"#;

#[test]
fn what_a_policy_denies_is_applied_only_with_a_second_persons_reason() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.path().join("policies")).expect("made");
    place.write("policies/roofs.rego", NO_ROOFS);
    place.let_sign("grace", "skydeck-approval");
    let policies = format!("policies = {:?}\n", place.path().join("policies").display().to_string());
    let ada = place.home_with("ada", &policies);
    let grace = place.home_with("grace", &policies);
    ada.run(&["plan", "--env", "staging"]).ends_with(4).says("roofs aren't allowed");
    grace.run(&["approve", "--env", "staging", "--yes"]).ends_with(4).says("no-roofs");
    grace.run(&["approve", "--env", "staging", "--yes", "--override"]).says("reason");
    ada.run(&["apply", "--env", "staging", "--yes"]).ends_with(4);
    grace.run(&["approve", "--env", "staging", "--yes", "--override", "--reason", "the old roof leaks"]).ends_with(0);
    ada.run(&["apply", "--env", "staging", "--yes"]).ends_with(0);
    ada.run(&["audit", "--env", "staging"]).ends_with(0).says("the old roof leaks");
}

#[test]
fn a_policy_that_cannot_be_read_denies_and_names_its_line() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.path().join("policies")).expect("made");
    place.write("policies/broken.rego", "package own.broken\n\nimport rego.v1\n\ndeny contains if if\n");
    let policies = format!("policies = {:?}\n", place.path().join("policies").display().to_string());
    let ada = place.home_with("ada", &policies);
    ada.run(&["plan", "--env", "staging"]).ends_with(4).says("broken.rego").says("5");
}

#[test]
fn policies_that_changed_after_the_approval_make_it_stale() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.path().join("policies")).expect("made");
    place.let_sign("grace", "skydeck-approval");
    let policies = format!("policies = {:?}\n", place.path().join("policies").display().to_string());
    let ada = place.home_with("ada", &policies);
    ada.run(&["plan", "--env", "staging"]).ends_with(3);
    place.home_with("grace", &policies).run(&["approve", "--env", "staging", "--yes"]).ends_with(0);
    place.write("policies/roofs.rego", NO_ROOFS);
    ada.run(&["apply", "--env", "staging", "--yes"]).ends_with(6).says("policies");
}
