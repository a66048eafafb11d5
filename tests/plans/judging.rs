//! Plans read, judged, approved and told of in the audit trail.

use crate::place::{MODULE, Place};
use crate::terraform;

/// Denies the second words.
const POLICY: &str = r#"package house.words

deny contains {"policy": "house-words", "message": "two is a word too many", "addresses": ["terraform_data.words"]} if {
    some change in input.resource_changes
    change.address == "terraform_data.words"
    change.change.after.input == "two"
}
"#;

fn place() -> Place {
    let place = Place::new(MODULE);
    std::fs::create_dir(place.path().join("policies")).expect("made");
    std::fs::write(place.path().join("policies/words.rego"), POLICY).expect("written");
    let settings = "[provisioning]\nmodule = \"module\"\npolicies = \"policies\"\n";
    std::fs::write(place.path().join("skydeck.toml"), settings).expect("written");
    place
}

#[test]
fn a_plan_is_shown_as_text_and_in_every_form() {
    if !terraform::is_here() {
        return;
    }
    let place = place();
    place.run(&["show"]).fails(9, "no run");
    place.run(&["plan", "--markdown"]).says(3, &["EMULATED", "terraform_data.window"]);
    place
        .run(&["show"])
        .says(0, &["run 1 · demo · EMULATED: planned", "+ terraform_data.words", "\"one\"", "(sensitive)"]);
    place.run(&["show", "1", "--changes-only"]).says(0, &["changes: +2"]);
    let shown = place.json(&["show", "--json"]);
    assert_eq!((&shown["run"], &shown["emulated"]), (&1.into(), &true.into()), "{shown:#}");
    for (flag, file, words) in [("--markdown", "plan.md", "EMULATED"), ("--html", "plan.html", "<html")] {
        place.run(&["show", flag, "--out", file]).says(0, &["written to"]);
        let text = std::fs::read_to_string(place.path().join(file)).expect("written");
        assert!(text.contains(words) && text.contains("terraform_data.window"), "{text}");
    }
    place.run(&["show", "1", "--reveal", "terraform_data.words"]).fails(2, "give --yes");
    place.run(&["show", "1", "--reveal", "terraform_data.none", "--yes"]).fails(9, "doesn't change it");
    place.run(&["show", "1", "--reveal", "terraform_data.words", "--yes"]).says(0, &["REVEALED", "\"one\""]);
    place.run(&["audit"]).says(0, &["demo, EMULATED", "planned", "revealed"]);
    place
        .run(&["show", "--markdown", "--html"])
        .0
        .status
        .code()
        .map_or_else(|| panic!("killed"), |code| assert_eq!(code, 2));
}

#[test]
fn what_is_denied_is_applied_only_with_a_reason() {
    if !terraform::is_here() {
        return;
    }
    let place = place();
    place.run(&["plan", "--var", "words=two"]).fails(4, "denied by policy: house-words: two is a word too many");
    place.run(&["policy", "check"]).says(4, &["DENY  house-words", "terraform_data.words"]);
    place.run(&["apply", "--yes"]).fails(4, "house-words");
    place.run(&["approve", "--yes"]).fails(4, "--override");
    assert_eq!(place.run(&["approve", "--override", "--yes"]).0.status.code(), Some(2), "a reason is needed");
    let reason = ["approve", "--override", "--reason", "it has to be two"];
    place.run(&reason).fails(2, "there is no terminal to confirm that on");
    let approve = [&reason[..], &["--yes", "--out", "approval.json"]].concat();
    place.run(&approve).says(0, &["run 1 · demo · EMULATED: ", "next: `skydeck apply 1`"]);
    let file = std::fs::read_to_string(place.path().join("approval.json")).expect("written");
    assert!(file.contains("it has to be two"), "{file}");
    place.run(&["runs", "1"]).says(0, &["approved", "overriding denials: it has to be two"]);
    place.run(&["apply", "--approval", "nowhere.json", "--yes"]).fails(9, "nowhere.json");
    place.run(&["--env", "local", "apply", "--approval", "approval.json"]).fails(5, "approves run 1 of demo");
    place.run(&["apply", "--yes"]).says(0, &["applied"]);

    for event in ["planned", "denied", "approved", "applying", "ended"] {
        place.wait_for_event(event);
    }
    place.run(&["audit", "verify"]).says(0, &["unbroken"]);
    place.run(&["audit", "--after", "100000"]).says(0, &["no entry after 100000"]);
}

#[test]
fn policies_are_listed_tested_explained_and_asked() {
    let place = place();
    place.run(&["policy", "list"]).says(0, &["policies/words.rego", "DENY", "data-holders"]);
    place.run(&["policy", "explain", "data-holders"]).says(0, &["## data-holders"]);
    place.run(&["policy", "explain", "nonsense"]).fails(9, "policy list");
    let plan = r#"{"format_version":"1.2","resource_changes":[{"address":"terraform_data.words","mode":"managed",
        "type":"terraform_data","name":"words","change":{"actions":["create"],"before":null,"after":{"input":"two"},
        "after_unknown":{},"before_sensitive":false,"after_sensitive":{}}}]}"#;
    std::fs::write(place.path().join("plan.json"), plan).expect("written");
    place.run(&["policy", "check", "--plan", "plan.json"]).says(4, &["plan.json: 1 DENY", "two is a word too many"]);
    let judged = place.json(&["policy", "check", "--plan", "plan.json", "--json"]);
    assert_eq!(judged["findings"][0]["severity"], "deny", "{judged:#}");
    std::fs::write(place.path().join("plan.json"), plan.replace("\"two\"", "\"one\"")).expect("written");
    place.run(&["policy", "check", "--plan", "plan.json"]).says(0, &["plan.json: 0 DENY"]);
    place.run(&["policy", "check", "--plan", "none.json"]).fails(9, "none.json");
    std::fs::write(place.path().join("plan.json"), "[]").expect("written");
    place.run(&["policy", "check", "--plan", "plan.json"]).fails(4, "plan.json");

    let test = "package house.words_test\n\nimport data.house.words\n\ntest_one if { count(words.deny) == 0 with input as {\"resource_changes\": []} }\n";
    std::fs::write(place.path().join("policies/words_test.rego"), test).expect("written");
    place.run(&["policy", "test"]).says(0, &["passed, 0 failed"]);
    std::fs::write(place.path().join("policies/words_test.rego"), test.replace("== 0", "== 1")).expect("written");
    place.run(&["policy", "test", "policies"]).says(1, &["FAILED", "words_test.rego:5", "test_one"]);
    std::fs::write(place.path().join("policies/words.rego"), "package house.words\n\ndeny contains if {\n")
        .expect("written");
    place.run(&["policy", "list"]).says(1, &["DENY", "words.rego:"]);
    place.run(&["policy", "test", "nowhere"]).fails(9, "nowhere");
}
