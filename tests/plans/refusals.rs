//! What can't be planned or applied, in words and with its own exit code.

use serde_json::Value;

use crate::place::{MODULE, Place, Ran};
use crate::terraform;

#[test]
fn a_plan_that_was_overtaken_or_is_too_old_has_its_own_code() {
    if !terraform::is_here() {
        return;
    }
    let place = Place::new(MODULE);
    place.run(&["plan"]).says(3, &[]);
    place.run(&["plan", "--target", "terraform_data.words"]).says(3, &["+1 ~0"]);
    place.run(&["apply"]).says(0, &["run 2 "]);
    place.run(&["apply", "1"]).fails(6, "run 1 · demo · EMULATED: stale: ");
    place.run(&["plan"]).says(3, &["+1 ~0"]);
    let file = place.path().join("d/demo/data/provisioning/runs/0003/run.json");
    let mut run: Value = serde_json::from_slice(&std::fs::read(&file).expect("a run")).expect("JSON");
    run["plannedAt"] = "2020-01-01T00:00:00Z".into();
    std::fs::write(&file, run.to_string()).expect("written");
    place.run(&["apply"]).fails(5, "expired");
    place.run(&["--env", "prod", "apply", "1"]).fails(9, "prod");
    place.run(&["unlock", "9b2a1f04", "--yes"]).fails(9, "lock 9b2a1f04");
}

#[test]
fn a_module_that_is_wrong_and_terraform_that_is_missing_fail_in_words() {
    if !terraform::is_here() {
        return;
    }
    let place = Place::new("resource \"terraform_data\" \"a\" {\n  inptu = 1\n}\n");
    let ran = place.run(&["plan"]);
    ran.fails(1, "run 1 · demo · EMULATED: validating failed: Unsupported argument; ");
    ran.says(1, &["Error: Unsupported argument", "main.tf:2"]);
    std::fs::write(
        place.path().join("module/main.tf"),
        MODULE.replace("  default = \"one\"", "  default    = \"one\""),
    )
    .expect("written");
    place.run(&["plan"]).fails(1, "checking format failed");
    let without = place.command(&["plan"]).env("PATH", "").output().expect("the binary runs");
    Ran::of(without).fails(1, "not on the PATH; install");
    Ran::of(place.command(&["runs"]).env("PATH", "").output().expect("runs")).says(0, &["EMULATED", "failed"]);
}

#[test]
fn what_was_asked_for_wrongly_says_why() {
    if !terraform::is_here() {
        return;
    }
    let place = Place::new(MODULE);
    place.run(&["plan", "--var", "nonsense=1"]).fails(1, "planning failed: Value for undeclared variable");
    assert_eq!(place.run(&["plan", "--var", "nonsense"]).0.status.code(), Some(2));
    place.run(&["--env", "staging", "plan"]).fails(1, "tfvars");
    let wrong = MODULE.replace("input = var.words", "input = var.wrods");
    std::fs::write(place.path().join("module/main.tf"), wrong).expect("written");
    place.run(&["plan"]).says(1, &["main.tf:13", "wrods"]);
}
