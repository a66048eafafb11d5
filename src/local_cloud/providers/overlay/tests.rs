//! Expressions and rules.

use std::collections::BTreeMap;

use super::*;
use crate::local_cloud::providers::value::{Number, Type, Value};

fn expression(written: &str) -> Expression {
    #[derive(Deserialize)]
    struct File {
        value: Expression,
    }
    let file: Result<File, _> = toml::from_str(&format!("value = {written}"));
    file.unwrap_or_else(|error| panic!("{written}: {error}")).value
}

fn resource() -> Value {
    let entries = [
        ("name", Value::text("Hub")),
        ("location", Value::text("Switzerland North")),
        ("size", Value::Number(Number::Int(3))),
        ("on", Value::Bool(true)),
        ("later", Value::Unknown),
        ("nothing", Value::Null),
        ("id", Value::text("/subscriptions/s/resourceGroups/rg/providers/P/hubs/h")),
        ("list", Value::List(vec![Value::text("a"), Value::text("b")])),
        ("row", Value::List(vec![Value::Map([("cell".to_owned(), Value::text("c"))].into())])),
        ("full", Value::text("\"D\".S")),
    ];
    Value::Map(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn value(written: &str, ty: &Type) -> Value {
    let resource = resource();
    let block = Value::Map([("cell".to_owned(), Value::text("own"))].into());
    let settings: BTreeMap<String, String> = [("tenant".to_owned(), "t-1".to_owned())].into();
    expression(written).value(Scope { resource: &resource, block: &block, settings: &settings }, ty)
}

#[test]
fn holes_are_filled_from_the_resource_its_block_and_the_settings() {
    for (written, made) in [
        ("\"{name|lower}.azure-devices.net\"", "hub.azure-devices.net"),
        ("\"{name|upper}\"", "HUB"),
        ("\"{location|location}\"", "switzerlandnorth"),
        ("\"{row.cell}-{.cell}-{@tenant}\"", "c-own-t-1"),
        ("\"{id|last}\"", "h"),
        ("\"{id|segment:resourcegroups}\"", "rg"),
        ("'{full|quote}'", "\"D\".\"S\""),
        ("'{full|unquote}'", "D.S"),
        ("\"{list|join}/{list|count}\"", "a,b/2"),
        ("\"{nothing|or:STANDARD}\"", "STANDARD"),
        ("\"{name|or:STANDARD}\"", "Hub"),
        ("\"{{name}}\"", "{name}"),
        ("\"{size} {on}\"", "3 true"),
    ] {
        assert_eq!(value(written, &Type::Text), Value::text(made), "{written}");
    }
}

#[test]
fn null_makes_null_and_unknown_makes_unknown() {
    assert_eq!(value("\"a-{later}\"", &Type::Text), Value::Unknown);
    assert_eq!(value("\"a-{nothing}\"", &Type::Text), Value::Null);
    assert_eq!(value("\"a-{nowhere}\"", &Type::Text), Value::Null);
    assert_eq!(value("\"{later|upper}\"", &Type::Text), Value::Unknown);
    assert_eq!(value("\"{id|segment:zones}\"", &Type::Text), Value::Null);
}

#[test]
fn a_hole_alone_keeps_its_type_and_anything_is_made_to_fit() {
    assert_eq!(value("\"{size}\"", &Type::Number), Value::Number(Number::Int(3)));
    assert_eq!(value("\"{size}\"", &Type::Text), Value::text("3"));
    assert_eq!(value("\"{on|not}\"", &Type::Bool), Value::Bool(false));
    assert_eq!(value("\"{name}\"", &Type::Number), Value::Null, "no number");
    assert_eq!(value("\"{list}\"", &Type::List(Box::new(Type::Text))), resource().get("list").clone());
    let object = Type::Object([("a".to_owned(), Type::Bool), ("b".to_owned(), Type::Text)].into());
    let made = value("[{ a = true }, { b = \"{name}\" }]", &Type::List(Box::new(object)));
    assert_eq!(made.to_json(), serde_json::json!([{"a": true, "b": null}, {"a": null, "b": "Hub"}]));
}

#[test]
fn what_is_fresh_differs_every_time() {
    for (written, length) in [("\"{@uuid}\"", 36), ("\"{@key:32}\"", 44), ("\"{@hex:8}\"", 16)] {
        assert!(expression(written).is_fresh());
        let (one, two) = (value(written, &Type::Text), value(written, &Type::Text));
        assert_ne!(one, two, "{written}");
        assert_eq!(one.as_text().map(str::len), Some(length), "{written}");
    }
    assert!(!expression("\"{name}\"").is_fresh());
    assert!(expression("[{ at = \"{@now}\" }]").is_fresh());
}

#[test]
fn what_an_overlay_writes_wrong_is_said() {
    let refused = |text: &str| toml::from_str::<Overlay>(text).expect_err("refused").to_string();
    assert!(refused("defaults.a = \"{b\"").contains("isn't closed"));
    assert!(refused("defaults.a = \"{b|shout}\"").contains("{b|shout} isn't known"));
    assert!(refused("force_knew = []").contains("unknown field `force_knew`"));
    assert!(refused("defaults.a = 2026-01-01").contains("a time is written as text"));
}

fn rule(text: &str) -> Rule {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn rules_hold_lengths_ranges_patterns_and_lists() {
    let number = |whole| Value::Number(Number::Int(whole));
    for (text, fits, breaks, says) in [
        ("length = [2, 3]", Value::text("äö"), Value::text("a"), "have 2 to 3 characters, has 1"),
        ("range = [60, 720]", number(60), number(721), "be 60 to 720, is 721"),
        ("range = [1, 5]", Value::text("5"), Value::text("x"), "be 1 to 5, is \"x\""),
        ("step = 15", number(30), number(31), "be a multiple of 15, is 31"),
        ("pattern = 'a|b'\nsays = 'a or b'", Value::text("b"), Value::text("ab"), "be a or b, is \"ab\""),
        ("one_of = ['ON', 'OFF']", Value::text("ON"), Value::text("on"), "be one of ON, OFF, is \"on\""),
        ("none_of = ['events']", Value::text("event"), Value::text("events"), "be none of events"),
        ("one_of = ['30', '60']", number(30), number(31), "be one of 30, 60, is \"31\""),
        ("items = [1, 1]", Value::List(vec![number(1)]), Value::List(vec![]), "have 1 to 1 elements, has 0"),
        ("range = [1, 2]", Value::List(vec![number(1)]), Value::List(vec![number(1), number(3)]), "be 1 to 2, is 3"),
    ] {
        let rule = rule(text);
        assert_eq!(rule.breach(&fits, false), None, "{text}");
        assert_eq!(rule.breach(&breaks, false).as_deref(), Some(says), "{text}");
        assert_eq!(rule.breach(&Value::Null, false), None);
        assert_eq!(rule.breach(&Value::Unknown, false), None);
    }
    assert_eq!(rule("one_of = ['ON']\nany_case = true").breach(&Value::text("on"), false), None);
}

#[test]
fn a_secret_that_breaks_a_rule_is_not_said() {
    let secret = Value::text("hunter2");
    for text in ["pattern = '\\d+'\nsays = 'digits'", "one_of = ['a']", "range = [1, 2]", "length = [1, 2]"] {
        let breach = rule(text).breach(&secret, true).expect("broken");
        assert!(!breach.contains("hunter2"), "{breach}");
    }
}

#[test]
fn of_many_values_the_nearest_is_said() {
    let many: Vec<String> = (10..40).map(|n| format!("'region{n}'")).collect();
    let rule = rule(&format!("one_of = [{}]", many.join(", ")));
    let breach = rule.breach(&Value::text("Region-21"), false).expect("broken");
    assert_eq!(breach, "be one of 30 known values (nearest: \"region21\"), is \"Region-21\"");
}
