//! The digest of a plan, and what differs between an approved plan and a fresh one.

use proptest::prelude::{Just, prop_oneof};
use serde_json::{Value, json};
use skydeck::provisioning::plan::read::PlanReading;

use crate::fixtures;

fn read(plan: &Value) -> PlanReading {
    PlanReading::read(plan.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn resource(name: &str, actions: &[&str], after: Value) -> Value {
    json!({"address": format!("t.{name}"), "type": "t", "mode": "managed", "change": {
        "actions": actions, "before": {"k": "old", "secret": "a-secret-of-before"}, "after": after,
        "before_sensitive": {"secret": true}, "after_sensitive": {"secret": true}}})
}

fn plan(changes: &[Value]) -> Value {
    json!({"format_version": "1.2", "timestamp": "2026-06-01T10:00:00Z", "resource_changes": changes,
        "output_changes": {}, "variables": {"v": {"value": "one"}}})
}

#[test]
fn the_order_and_the_time_make_no_difference() {
    let (a, b) = (resource("a", &["update"], json!({"k": 1})), resource("b", &["update"], json!({"k": 2})));
    let one = read(&plan(&[a.clone(), b.clone()]));
    let mut other = plan(&[b, a]);
    other["timestamp"] = json!("2026-06-02T11:00:00Z");
    other["terraform_version"] = json!("1.12.0");
    other["prior_state"] = json!({"values": {}});
    let other = read(&other);
    assert_eq!(one.content_digest(), other.content_digest());
    assert_eq!(one.content_digest().len(), 64);
    assert!(one.moved(&other).is_empty());
}

#[test]
fn what_moved_is_told_by_address_and_without_secrets() {
    let secret = |text: &str| json!({"k": "new", "secret": text});
    let approved = read(&plan(&[
        resource("hub", &["update"], secret("s-one-long-enough")),
        resource("same", &["update"], secret("s")),
        resource("later", &["update"], secret("s-two-long-enough")),
        resource("done", &["create"], secret("x")),
        resource("quiet", &["no-op"], secret("x")),
    ]));
    let mut fresh = plan(&[
        resource("hub", &["delete", "create"], secret("s-one-long-enough")),
        resource("same", &["update"], secret("s")),
        resource("later", &["update"], secret("s-three-long-enough")),
        resource("quiet", &["no-op"], json!({"k": "changed by hand"})),
        resource("new", &["delete"], json!(null)),
    ]);
    fresh["variables"] = json!({"v": {"value": "two"}, "w": {"value": 1}});
    fresh["output_changes"] = json!({"o": {"actions": ["create"], "before": null, "after": "x"}});
    fresh["resource_drift"] = json!([resource("drifted", &["update"], json!({}))]);
    let moved = approved.moved(&read(&fresh));
    assert_eq!(
        moved,
        [
            "t.done: would no longer be created",
            "t.hub: would now be replaced, was updated",
            "t.later: would still be updated, and not in the same way: secret",
            "t.new: would now be destroyed, wasn't in the plan",
            "t.quiet: isn't as it was: k, secret",
            "t.drifted: has been changed behind Terraform's back since",
            "output o: is new",
            "variable v: has another value",
            "variable w: is new",
        ]
    );
}

#[test]
fn very_many_differences_are_counted() {
    let changes: Vec<_> = (0..500).map(|n| resource(&n.to_string(), &["update"], json!({}))).collect();
    let moved = read(&plan(&[])).moved(&read(&plan(&changes)));
    assert_eq!((moved.len(), moved.last().map(String::as_str)), (201, Some("and 300 more")));
}

proptest::proptest! {
    /// Whatever is changed in what counts changes the digest, and something is told of it.
    #[test]
    fn any_change_is_noticed(place in 0_usize..10_000, value in prop_oneof![Just(json!("other")), Just(json!(12_345)), Just(json!([null]))]) {
        let whole: Value = serde_json::from_slice(&fixtures::bytes("shapes")).expect("JSON");
        let mut paths = Vec::new();
        for part in ["resource_changes", "output_changes"] {
            leaves(&whole[part], &format!("/{part}"), &mut paths);
        }
        let mut changed = whole.clone();
        let path = &paths[place % paths.len()];
        *changed.pointer_mut(path).expect("there") = value;
        // What can't be read any more can't be applied either.
        if let Ok(changed) = PlanReading::read(changed.to_string().as_bytes()) {
            let approved = fixtures::plan("shapes");
            proptest::prop_assert_ne!(approved.content_digest(), changed.content_digest(), "{}", path);
            proptest::prop_assert!(!approved.moved(&changed).is_empty(), "{}", path);
        }
    }
}

fn leaves(value: &Value, path: &str, paths: &mut Vec<String>) {
    let mut below = |key: &str, value: &Value| {
        leaves(value, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), paths);
    };
    match value {
        Value::Object(entries) if !entries.is_empty() => entries.iter().for_each(|(key, value)| below(key, value)),
        Value::Array(values) if !values.is_empty() => {
            values.iter().enumerate().for_each(|(at, value)| below(&at.to_string(), value));
        }
        _ => paths.push(path.to_owned()),
    }
}
