//! The way of a plan: made, applied, replaced, destroyed; and what tells of it.

use serde_json::Value;

use crate::place::{MODULE, Place, SECRET};
use crate::terraform;

#[test]
fn a_plan_is_made_applied_replaced_and_destroyed() {
    if !terraform::is_here() {
        return;
    }
    let place = Place::new(MODULE);
    place.run(&["apply"]).fails(9, "environment demo: nothing is planned; `skydeck plan` makes a plan");
    place.run(&["runs"]).says(0, &["demo, EMULATED: no state yet", "no run yet"]);

    let planned = place.run(&["plan"]);
    planned.says(3, &["run 1 · demo · EMULATED: planned\n", "+  terraform_data.window", "+2 ~0 -/+0 -0"]);
    assert!(planned.err().contains("EMULATED: ") && planned.err().contains("planning"), "{}", planned.err());
    let applied = place.run(&["apply"]);
    applied.says(0, &["run 1 · demo · EMULATED: applied\n", "terraform_data.words   done in "]);
    assert!(!applied.err().contains("initialising"), "what was read already isn't written again: {}", applied.err());
    place.run(&["plan"]).says(0, &["run 2 · demo · EMULATED: no changes\n"]);
    place.run(&["drift"]).says(0, &["run 3 · demo · EMULATED · drift: no changes\n"]);

    let replacing = place.run(&["plan", "--var", "words=two", "--json"]);
    replacing.says(3, &["\"emulated\": true"]);
    let run: Value = serde_json::from_str(&replacing.out()).expect("one object");
    assert_eq!((&run["phase"], &run["counts"]["replace"]), (&"planned".into(), &1.into()), "{run:#}");
    place.run(&["apply"]).fails(2, "run 4 · demo · EMULATED: it destroys or replaces 1 resource, and there is no");
    place.run(&["apply", "4", "--yes"]).says(0, &["-/+", "can't be changed in place"]);
    place.run(&["apply", "4"]).fails(9, "run 4 · demo · EMULATED: it is applied, not planned");

    place.run(&["state"]).says(0, &["demo, EMULATED: serial ", ", 2 addresses\nterraform_data.window\n"]);
    place.run(&["state", "terraform_data.words"]).says(0, &["# demo, EMULATED\n", "input  = \"two\""]);
    place.run(&["state", "terraform_data.none"]).fails(9, "terraform_data.none: the state of demo has no such address");
    let outputs = place.run(&["outputs"]);
    outputs.says(0, &["demo, EMULATED", "key     (sensitive)", "words   \"two\""]);
    let outputs = place.json(&["outputs", "--json"]);
    assert_eq!((&outputs["emulated"], &outputs["outputs"][0]["value"]), (&true.into(), &Value::Null), "{outputs:#}");

    let state = place.json(&["state", "--json"]);
    assert_eq!(state["resources"].as_array().map(Vec::len), Some(2), "{state:#}");

    place.run(&["destroy"]).says(3, &["EMULATED · destroy: planned", "nothing is destroyed yet", "+0 ~0 -/+0 -2"]);
    place.run(&["discard"]).says(0, &["run 5 · demo · EMULATED · destroy: ", "discarded"]);
    place.run(&["discard"]).fails(9, "every run has ended");
    place.run(&["runs"]).says(0, &["demo, EMULATED: 2 resources", "5  destroy", "discarded"]);
    place.run(&["runs", "1"]).says(0, &["run 1 · demo · EMULATED: applied", "step    applying: done in"]);
    place.run(&["runs", "77"]).fails(9, "run 77: ");
    let text = place.json(&["runs", "--json"]).to_string();
    assert!(text.contains("\"applied\"") && text.contains("\"unchanged\"") && text.contains("\"drift\":{"), "{text}");
    place.run(&["runs", "1", "--log"]).says(0, &["Apply complete!"]);
    let log = place.run(&["runs", "1", "--log", "--json"]);
    let first: Value = serde_json::from_str(log.out().lines().next().unwrap_or_default()).expect("an object a line");
    assert!(first["text"].as_str().is_some_and(|text| text.starts_with("EMULATED")), "{first}");
    let everything = place.path().join("d/demo/data/provisioning/runs");
    for run in ["0001", "0004"] {
        let log = std::fs::read_to_string(everything.join(run).join("log.jsonl")).expect("a log");
        assert!(!log.contains(SECRET), "{log}");
    }

    place.run(&["destroy"]).says(3, &[]);
    place.run(&["apply", "--yes"]).says(0, &["terraform_data.window"]);
    assert_eq!(place.json(&["state", "--json"])["resources"], Value::Array(Vec::new()));
}
