//! What is no plan is refused in words, and never panics.

use serde_json::{Value, json};
use skydeck::provisioning::plan::error::PlanError;
use skydeck::provisioning::plan::model::PlanList;
use skydeck::provisioning::plan::read::PlanReading;

use crate::fixtures;

fn refused(bytes: &[u8]) -> String {
    PlanReading::read(bytes).expect_err("isn't a plan").to_string()
}

#[track_caller]
fn says(value: &Value, words: &str) {
    let said = refused(value.to_string().as_bytes());
    assert!(said.contains(words), "{words:?} isn't in {said:?}");
    assert!(said.starts_with("plan: ") && said.contains("; "), "a thing, a cause, a next step: {said}");
}

fn with(part: &str, value: Value) -> Value {
    let mut plan = json!({"format_version": "1.2"});
    plan[part] = value;
    plan
}

#[test]
fn rubbish_is_refused() {
    for bytes in [&b""[..], b"null", b"[]", b"\"plan\"", b"\xff\xfe", b"{", b"{\"format_version\":\"1.2\"} and more"] {
        assert!(refused(bytes).starts_with("plan: "), "{bytes:?}");
    }
    assert!(refused("{\"a\":".repeat(5_000).as_bytes()).contains("isn't JSON"));
    assert!(refused(format!("{{\"a\":{}", "[".repeat(200_000)).as_bytes()).contains("isn't JSON"));
}

#[test]
fn another_format_is_refused_by_its_number() {
    says(&json!({"format_version": "2.0"}), "its format is 2.0");
    says(&json!({}), "its format is none");
    says(&json!({"format_version": 1.2}), "its format is none");
    says(&json!({"format_version": "2\u{1b}[31m"}), "its format is 2[31m,");
    assert!(PlanReading::read(b"{\"format_version\":\"1.99\"}").is_ok());
}

#[test]
fn wrong_shapes_are_named_by_their_place() {
    says(&with("resource_changes", json!({})), "resource_changes isn't a list");
    says(&with("resource_changes", json!([1])), "resource_changes[0].address isn't a text");
    says(&with("resource_drift", json!([{"address": "a.b"}])), "resource_drift[0].type isn't a text");
    let change = |change: Value| json!([{"address": "a.b", "type": "a", "change": change}]);
    says(&with("resource_changes", change(json!(null))), "resource_changes[0].change isn't an object");
    says(&with("resource_changes", change(json!({}))), "resource_changes[0].change.actions isn't a list of texts");
    says(&with("resource_changes", change(json!({"actions": ["create", 1]}))), "isn't a list of texts");
    says(
        &with("resource_changes", change(json!({"actions": ["explode"]}))),
        "resource_changes[0].change.actions are explode, which isn't known here",
    );
    says(&with("resource_changes", change(json!({"actions": ["update"], "before": "x"}))), "objects before and after");
    says(&with("output_changes", json!([])), "output_changes isn't an object");
    says(&with("variables", json!(7)), "variables isn't an object");
    says(&with("checks", json!({})), "checks isn't a list");
}

#[test]
fn an_error_holds_nothing_of_the_plan() {
    let text = r#"{"format_version":"1.2","variables":{"password":{"value":"hunter2-hunter2"}},"#;
    assert!(!refused(text.as_bytes()).contains("hunter2"));
    let plan = PlanReading::read(&fixtures::bytes("nested")).expect("a plan");
    let shown = format!("{plan:?}");
    assert!(shown.len() < 100 && !shown.contains("horse"), "{shown}");
}

#[test]
fn a_plan_cut_off_anywhere_is_refused() {
    let whole = fixtures::bytes("errored");
    // The last byte is a line break.
    for length in 0..whole.len() - 2 {
        assert!(matches!(PlanReading::read(&whole[..length]), Err(PlanError::NotJson(_))), "{length}");
    }
}

/// Every value of a plan, one after the other, is something else: it is read or refused, and whatever is asked answers.
#[test]
fn no_wrong_value_anywhere_makes_it_panic() {
    let whole: Value = serde_json::from_slice(&fixtures::bytes("shapes")).expect("JSON");
    let mut paths = Vec::new();
    collect(&whole, String::new(), &mut paths);
    let strange = [json!(null), json!(true), json!("text"), json!(-1.5), json!([[]]), json!({"a": [null]})];
    for (n, path) in paths.iter().enumerate() {
        let mut plan = whole.clone();
        *plan.pointer_mut(path).expect("there") = strange[n % strange.len()].clone();
        if let Ok(plan) = PlanReading::read(plan.to_string().as_bytes()) {
            assert_eq!(plan.outline().changes.len(), plan.count(PlanList::Changes));
            let details = plan.details(PlanList::Changes).chain(plan.details(PlanList::Drift));
            assert_eq!(details.count(), plan.count(PlanList::Changes) + plan.count(PlanList::Drift));
            assert!(plan.detail(PlanList::Changes, 0, true).is_none_or(|detail| detail.revealed));
            assert_eq!(plan.content_digest().len(), 64);
        }
    }
}

fn collect(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            collect(value, format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), paths);
        }),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| collect(value, format!("{path}/{at}"), paths));
        }
        _ => {}
    }
    if !path.is_empty() {
        paths.push(path);
    }
}
