//! Plans in which what is marked as sensitive in one place leaks in every other.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

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
            (prop::collection::vec(inner.clone(), 0..5), whole).prop_map(|(nodes, whole)| Node::List(nodes, whole)),
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

pub fn collect(value: &Value, secrets: &mut Vec<Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, secrets)),
        Value::Object(values) => values.values().for_each(|value| collect(value, secrets)),
        Value::String(_) | Value::Number(_) => secrets.push(value.clone()),
        Value::Null | Value::Bool(_) => {}
    }
}

/// How `secret` may stand in a rendering.
pub fn forms(secret: &Value) -> Vec<String> {
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

/// A plan, and what nobody may see of it.
pub fn plans() -> impl Strategy<Value = (Value, Vec<Value>)> {
    let texts = prop::collection::vec("zq[a-z0-9]{3,9}[a-z0-9\"<&\\\\]{0,12}x", 1..6);
    let parts = (texts, 700_000_000_u64..799_999_999, node(), node(), node(), any::<bool>());
    parts.prop_map(|(texts, number, before, after, open, errored)| {
        let pool: Vec<Value> = texts.iter().map(|text| json!(text)).chain([json!(number)]).collect();
        let mut secrets = pool.clone();
        let (before, before_mask) = made(&before, &pool, false, &mut secrets);
        let (after, after_mask) = made(&after, &pool, false, &mut secrets);
        let (open, _) = made(&open, &pool, false, &mut Vec::new());
        let first = &texts[0];
        let plan = json!({
            "format_version": "1.2", "errored": errored, "applyable": !errored,
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
        (plan, secrets)
    })
}
