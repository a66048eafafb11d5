//! Whatever is marked as sensitive anywhere appears nowhere: in nothing that is shown, kept or handed around.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use skydeck::provisioning::plan::kept;
use skydeck::provisioning::plan::model::PlanList;
use skydeck::provisioning::plan::read::PlanReading;

use crate::{fixtures, reports};

/// A value and what of it is marked.
#[derive(Debug, Clone)]
enum Node {
    Open(String),
    Number(u16),
    Nothing,
    /// A secret where it is marked.
    Secret(usize),
    /// A secret where it isn't.
    Leak(usize, u8),
    List(Vec<Node>, bool),
    Map(BTreeMap<String, Node>, bool),
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        "OQ[A-Z ]{0,9}".prop_map(Node::Open),
        any::<u16>().prop_map(|n| Node::Number(n % 1_000)),
        Just(Node::Nothing),
        any::<usize>().prop_map(Node::Secret),
        (any::<usize>(), any::<u8>()).prop_map(|(which, form)| Node::Leak(which, form)),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let whole = prop::bool::weighted(0.15);
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..5), whole.clone())
                .prop_map(|(nodes, whole)| Node::List(nodes, whole)),
            (prop::collection::btree_map("[A-Z]{1,3}", inner, 0..5), whole)
                .prop_map(|(nodes, whole)| Node::Map(nodes, whole)),
        ]
    })
}

/// The value and its mask. What is secret by it comes into `secrets`.
fn made(node: &Node, pool: &[Value], marked: bool, secrets: &mut Vec<Value>) -> (Value, Value) {
    let of = |which: usize| pool[which % pool.len()].clone();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (value, mask) = match node {
        Node::Open(open) => (json!(open), json!(marked)),
        Node::Number(number) => (json!(number), json!(marked)),
        Node::Nothing => (Value::Null, json!(marked)),
        Node::Secret(which) => (of(*which), json!(true)),
        Node::Leak(which, form) => {
            let secret = of(*which);
            let leaked = match form % 5 {
                0 => secret,
                1 => json!(format!("Key={};Host=H", text(&secret))),
                2 => json!(json!({"K": secret, "L": [text(&secret)]}).to_string()),
                3 => json!({text(&secret): 1}),
                _ => json!(format!("LINE\n{}\nLINE", text(&secret))),
            };
            (leaked, json!(marked))
        }
        Node::List(nodes, whole) => {
            let both: Vec<_> = nodes.iter().map(|node| made(node, pool, marked || *whole, secrets)).collect();
            let (values, masks): (Vec<_>, Vec<_>) = both.into_iter().unzip();
            (json!(values), if marked || *whole { json!(true) } else { json!(masks) })
        }
        Node::Map(nodes, whole) => {
            let both = nodes.iter().map(|(key, node)| (key, made(node, pool, marked || *whole, secrets)));
            let (mut values, mut masks) = (serde_json::Map::new(), serde_json::Map::new());
            for (key, (value, mask)) in both {
                values.insert(key.clone(), value);
                masks.insert(key.clone(), mask);
            }
            (Value::Object(values), if marked || *whole { json!(true) } else { Value::Object(masks) })
        }
    };
    if mask == json!(true) {
        collect(&value, secrets);
    }
    (value, mask)
}

fn collect(value: &Value, secrets: &mut Vec<Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, secrets)),
        Value::Object(values) => values.values().for_each(|value| collect(value, secrets)),
        Value::String(_) | Value::Number(_) => secrets.push(value.clone()),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Everything that is shown, kept or handed around of a plan.
fn renderings(plan: &PlanReading) -> Vec<(&'static str, String)> {
    let folder = tempfile::tempdir().expect("temporary folder");
    kept::write(folder.path(), plan).unwrap_or_else(|error| panic!("{error}"));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("readable");
    let [markdown, html, json] = reports::all(plan, &reports::run(true, &json!([])));
    let other = PlanReading::read(br#"{"format_version":"1.2"}"#).expect("a plan");
    let text = |value: &dyn erased::Json| value.json();
    let details: Vec<_> = plan.details(PlanList::Changes).chain(plan.details(PlanList::Drift)).collect();
    vec![
        ("outline", text(&plan.outline())),
        ("details", text(&details)),
        ("kept outline", read(kept::OUTLINE)),
        ("kept details", read(kept::DETAILS)),
        ("markdown", markdown),
        ("html", html),
        ("json", json),
        ("moved", other.moved(plan).join("\n")),
        ("moved back", plan.moved(&other).join("\n")),
        ("debug", format!("{plan:?}")),
    ]
}

mod erased {
    pub trait Json {
        fn json(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).expect("JSON")
        }
    }
}

/// How `secret` may stand in a rendering.
fn forms(secret: &Value) -> Vec<String> {
    let text = secret.as_str().map_or_else(|| secret.to_string(), |text| text.trim().to_owned());
    if text.chars().count() < 4 {
        return Vec::new();
    }
    let escaped = Value::from(text.as_str()).to_string();
    let escaped = escaped[1..escaped.len() - 1].to_owned();
    let twice = Value::from(escaped.as_str()).to_string();
    let html = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    vec![html(&text), html(&escaped), twice[1..twice.len() - 1].to_owned(), escaped, text]
}

#[track_caller]
fn holds_none(plan: &PlanReading, secrets: &[Value]) {
    for (what, text) in renderings(plan) {
        for form in secrets.iter().flat_map(forms) {
            assert!(!text.contains(&form), "{form:?} is in the {what}:\n{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_masked_value_appears_anywhere(
        texts in prop::collection::vec("zq[a-z0-9]{3,9}[a-z0-9\"<&\\\\]{0,12}x", 1..6),
        number in 700_000_000_u64..799_999_999,
        (before, after, open) in (node(), node(), node()),
    ) {
        let pool: Vec<Value> = texts.iter().map(|text| json!(text)).chain([json!(number)]).collect();
        let mut secrets = pool.clone();
        let (before, before_mask) = made(&before, &pool, false, &mut secrets);
        let (after, after_mask) = made(&after, &pool, false, &mut secrets);
        let (open, _) = made(&open, &pool, false, &mut Vec::new());
        let first = &texts[0];
        let plan = json!({
            "format_version": "1.2",
            "terraform_version": format!("1.11.4 {first}"),
            "resource_changes": [
                {"address": format!("module.m[\"{first}\"].a.b[{first:?}]"), "module_address": format!("module.m[\"{first}\"]"),
                    "type": "a", "mode": "managed", "action_reason": format!("because of {first}"),
                    "previous_address": format!("a.b[{first:?}]"), "deposed": first, "change": {
                    "actions": ["update"], "importing": {"id": format!("/ids/{first}")},
                    "before": {"v": before, "all": pool}, "after": {"v": after, "open": open},
                    "before_sensitive": {"v": before_mask, "all": true}, "after_sensitive": {"v": after_mask},
                    "after_unknown": {"later": true}, "replace_paths": [["v", first]]}},
                {"address": "a.c", "type": "a", "mode": "managed", "change": {
                    "actions": ["create"], "before": null, "after": {"v": open}, "importing": {"identity": {"k": first}}}},
            ],
            "resource_drift": [{"address": "a.d", "type": "a", "mode": "managed", "change": {
                "actions": ["delete"], "before": {"v": open}, "after": null}}],
            "output_changes": {"o": {"actions": ["update"], "before": before, "after": open, "before_sensitive": before_mask}},
            "variables": {"v": {"value": open}, "w": {"value": first}},
            "checks": [{"address": {"to_display": "check.c"}, "status": "fail", "instances": [
                {"address": {"to_display": format!("c[{first:?}]")}, "problems": [{"message": format!("it was {first}.")}]}]}],
        });
        let plan = PlanReading::read(plan.to_string().as_bytes()).expect("a plan");
        holds_none(&plan, &secrets);
    }
}

#[test]
fn the_secrets_of_terraforms_own_plans_appear_nowhere() {
    for case in fixtures::CASES {
        let plan = fixtures::plan(case);
        let mut secrets = Vec::new();
        for list in ["resource_changes", "resource_drift"] {
            for change in plan.json()[list].as_array().into_iter().flatten() {
                for (side, mask) in [("before", "before_sensitive"), ("after", "after_sensitive")] {
                    marked(&change["change"][side], &change["change"][mask], &mut secrets);
                }
            }
        }
        // A word of everyday is masked where it stands alone; within others it isn't the secret.
        let word = |text: &str| text.len() < 16 && text.chars().all(|c| c.is_alphanumeric() || c == '_');
        secrets.retain(|secret| !secret.as_str().is_some_and(word));
        assert!(case != "azure" && case != "nested" || secrets.len() >= 4, "{case}: {}", secrets.len());
        holds_none(&plan, &secrets);
    }
}

/// What `mask` marks, found without the code under test.
fn marked(value: &Value, mask: &Value, secrets: &mut Vec<Value>) {
    match mask {
        Value::Bool(true) => collect(value, secrets),
        Value::Array(masks) => masks.iter().enumerate().for_each(|(at, mask)| marked(&value[at], mask, secrets)),
        Value::Object(masks) => masks.iter().for_each(|(key, mask)| marked(&value[key], mask, secrets)),
        _ => {}
    }
}

#[test]
fn revealing_one_resource_shows_its_secrets_and_nothing_is_kept_of_it() {
    let plan = fixtures::plan("nested");
    let revealed = serde_json::to_string(&plan.detail(PlanList::Changes, 0, true)).expect("JSON");
    assert!(revealed.contains("correct-horse-battery") && revealed.contains("\"revealed\":true"));
    holds_none(&plan, &[json!("correct-horse-battery"), json!("staple-and-more-words")]);
}
