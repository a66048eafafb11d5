//! Who may approve what.

use crate::place::{Place, has_terraform};

const PLANS: &str = "skydeck-plan";
const APPROVES: &str = "skydeck-approval";

#[test]
fn author_approver_and_ci_see_one_run_on_three_machines() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    place.let_sign("ada", PLANS);
    place.let_sign("grace", APPROVES);
    let (ada, grace, ci) = (place.home("ada"), place.home("grace"), place.home("ci"));
    ada.run(&["plan", "--env", "staging"]).ends_with(3);
    grace.run(&["show", "--env", "staging"]).ends_with(0).says("terraform_data.roof");
    ci.run(&["apply", "--env", "staging", "--yes"]).ends_with(5).says("approve");
    grace.run(&["approve", "--env", "staging", "--yes", "--reason", "looks right"]).ends_with(0);
    ci.run(&["apply", "--env", "staging", "--yes"]).ends_with(0);
    // Whoever looks sees how it ended, and who did what.
    let runs = ada.run(&["runs", "--env", "staging", "--json"]).ends_with(0);
    assert_eq!(runs.json()["runs"][0]["phase"], "applied", "{runs:?}");
    let audit = ada.run(&["audit", "--env", "staging"]).ends_with(0);
    for words in ["ada", "grace", "looks right", "ci"] {
        assert!(audit.out.contains(words), "{words}: {audit:?}");
    }
    let deeds = ada.deeds("staging");
    let of: Vec<_> = deeds.iter().map(|(who, event, _)| (who.as_str(), event.as_str())).collect();
    assert_eq!(
        of,
        [
            ("ada", "asked"),
            ("ada", "planned"),
            ("ci", "refused"),
            ("grace", "approved"),
            ("ci", "apply-asked"),
            ("ci", "applying"),
            ("ci", "ended")
        ],
        "{deeds:#?}"
    );
    assert_eq!(runs.json()["runs"][0]["number"], 1);
    ada.run(&["audit", "verify", "--env", "staging"]).ends_with(0);
    ada.run(&["plan", "--env", "staging"]).ends_with(0);
    // Once more, on the state that there is now.
    place.write("module/environments/staging.tfvars", "size = \"large\"\n");
    ci.run(&["plan", "--env", "staging"]).ends_with(3);
    grace.run(&["approve", "--env", "staging", "--yes"]).ends_with(0);
    ada.run(&["apply", "--env", "staging", "--yes"]).ends_with(0);
}

#[test]
fn prod_wants_two_different_people() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    place.let_sign("ada", "skydeck-plan,skydeck-approval");
    place.let_sign("grace", APPROVES);
    let (ada, grace) = (place.home("ada"), place.home("grace"));
    ada.run(&["plan", "--env", "prod"]).ends_with(3);
    // Whoever planned can't approve.
    ada.run(&["approve", "--env", "prod", "--yes"]).ends_with(5).says("another");
    let refused = |who: &str, words: &str| {
        let deeds = grace.deeds("prod");
        let told = deeds.iter().any(|(by, event, said)| by == who && event == "refused" && said.contains(words));
        assert!(told, "{who}: {words}: {deeds:#?}");
    };
    refused("ada", "by whoever planned");
    ada.run(&["apply", "--env", "prod", "--yes"]).ends_with(5);
    refused("ada", "nobody has approved it");
    grace.run(&["approve", "--env", "prod", "--yes"]).ends_with(0);
    ada.run(&["apply", "--env", "prod", "--yes"]).ends_with(0);
}

#[test]
fn one_signer_twice_is_one_in_prod_where_a_machine_planned() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    place.let_sign("ada", APPROVES);
    place.let_sign("grace", APPROVES);
    let (ci, ada, grace) = (place.home("ci"), place.home("ada"), place.home("grace"));
    ci.run(&["plan", "--env", "prod"]).ends_with(3);
    ada.run(&["approve", "--env", "prod", "--yes"]);
    ada.run(&["approve", "--env", "prod", "--yes"]);
    ci.run(&["apply", "--env", "prod", "--yes"]).ends_with(5);
    grace.run(&["approve", "--env", "prod", "--yes"]).ends_with(0);
    ci.run(&["apply", "--env", "prod", "--yes"]).ends_with(0);
}

#[test]
fn a_name_without_a_signature_approves_nothing_in_prod() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    place.let_sign("ada", PLANS);
    let (ada, eve) = (place.home("ada"), place.home("eve"));
    ada.run(&["plan", "--env", "prod"]).ends_with(3);
    eve.run(&["approve", "--env", "prod", "--yes"]).ends_with(5).says("sign");
    ada.run(&["apply", "--env", "prod", "--yes"]).ends_with(5);
}

#[test]
fn a_signature_of_somebody_who_is_no_approver_counts_nothing() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    place.let_sign("ada", PLANS);
    place.let_sign("mallory", APPROVES);
    let (ada, mallory) = (place.home("ada"), place.home("mallory"));
    ada.run(&["plan", "--env", "prod"]).ends_with(3);
    let file = place.path().join("approval.json");
    let out = file.display().to_string();
    mallory.run(&["approve", "--env", "prod", "--yes", "--out", &out]).ends_with(0);
    // A key that nobody knows.
    place.let_sign("eve", PLANS);
    place.home("eve").run(&["approve", "--env", "prod", "--yes"]).ends_with(5).says("the key SHA256:");
    let deeds = ada.deeds("prod");
    let told = |(who, event, words): &(String, String, String)| {
        who == "eve" && event == "refused" && words.contains("the key SHA256:")
    };
    assert!(deeds.iter().any(told), "{deeds:#?}");
    // Taken from the list since.
    let approvers: String = place.read("approvers").lines().filter(|line| !line.starts_with("mallory")).collect();
    place.write("approvers", &format!("{approvers}\n"));
    ada.run(&["apply", "--env", "prod", "--yes"]).ends_with(5).says("approver");
    ada.run(&["apply", "--env", "prod", "--yes", "--approval", &out]).ends_with(5).says("approver");
}
