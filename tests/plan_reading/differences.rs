//! Differences, by hand.

use serde_json::{Value, json};
use skydeck::provisioning::plan::model::{ChangeDetail, Content, Difference, PlanList, Shown};
use skydeck::provisioning::plan::read::PlanReading;

use crate::shown;

/// A plan with one updated resource.
pub fn plan(change: &Value) -> PlanReading {
    let mut change = change.clone();
    if change["actions"].is_null() {
        change["actions"] = json!(["update"]);
    }
    let plan = json!({"format_version": "1.2", "resource_changes": [
        {"address": "a.b", "type": "a", "mode": "managed", "change": change}
    ]});
    PlanReading::read(plan.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn detail(change: &Value) -> ChangeDetail {
    plan(change).detail(PlanList::Changes, 0, false).expect("one")
}

#[track_caller]
fn differs(change: &Value, lines: &[&str]) {
    let shown = shown::nodes(&detail(change).attributes);
    assert_eq!(shown.lines().map(|line| &line[2..]).collect::<Vec<_>>(), lines);
}

fn change(before: Value, after: Value) -> Value {
    json!({"before": {"x": before}, "after": {"x": after}})
}

#[test]
fn values_come_go_change_and_stay() {
    let before = json!({"come": null, "gone": 1, "new": "a", "same": true, "never": null});
    let after = json!({"come": 2, "gone": null, "new": "b", "same": true, "never": null});
    differs(
        &json!({"before": before, "after": after}),
        &["+ come: 2", "- gone: 1", "~ new: \"a\" → \"b\"", "  same: true"],
    );
}

#[test]
fn a_resource_that_comes_or_goes_shows_all_it_has() {
    let has = json!({"a": 1, "b": {"c": []}, "n": null});
    differs(&json!({"actions": ["create"], "before": null, "after": has}), &["+ a: 1", "+ b:", "  + c: []"]);
    differs(&json!({"actions": ["delete"], "before": has, "after": null}), &["- a: 1", "- b:", "  - c: []"]);
}

/// Which of a resource's lists are sets isn't in the plan; the carried schemas know it.
#[test]
fn a_resources_sets_have_no_places() {
    let of = |kind: &str, before: Value, after: Value| {
        let change = json!({"actions": ["update"], "before": before, "after": after});
        let plan = json!({"format_version": "1.2", "resource_changes": [
            {"address": "a.b", "type": kind, "mode": "managed", "change": change}
        ]});
        let plan = PlanReading::read(plan.to_string().as_bytes()).expect("a plan");
        let detail = plan.detail(PlanList::Changes, 0, false).expect("one");
        shown::nodes(&detail.attributes).lines().map(|line| line[2..].to_owned()).collect::<Vec<_>>()
    };
    let (kind, were, are) = (
        "snowflake_grant_privileges_to_account_role",
        json!({"privileges": ["MONITOR", "OPERATE"]}),
        json!({"privileges": ["USAGE", "OPERATE"]}),
    );
    assert_eq!(
        of(kind, were.clone(), are.clone()),
        ["~ privileges:", "  - \"MONITOR\"", "    \"OPERATE\"", "  + \"USAGE\""]
    );
    // Of a provider that isn't carried it is a list.
    assert!(of("other_grant", were, are)[1].contains("[0]"));
    // Of two objects of one name only what changes is told, wherever they stand.
    let contacts = |phone: &str, first: bool| {
        let (ada, bob) = (json!({"name": "ada", "phone": phone}), json!({"name": "bob", "phone": "2"}));
        json!({"contact": if first { [ada, bob] } else { [bob, ada] }})
    };
    let lines = of("azurerm_key_vault", contacts("1", true), contacts("3", false));
    assert_eq!(lines.iter().filter(|line| line.trim_start().starts_with(['+', '-'])).count(), 0, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("~ phone: \"1\" → \"3\"")), "{lines:?}");
}

#[test]
fn an_insertion_into_a_list_marks_nothing_behind_it() {
    differs(
        &change(json!(["a", "b", "c"]), json!(["a", "x", "b", "c"])),
        &["~ x:", "    [0]: \"a\"", "  + [1]: \"x\"", "    [2]: \"b\"", "    [3]: \"c\""],
    );
    let long: Vec<u32> = (0..3_000).collect();
    let mut longer = long.clone();
    longer.insert(1_500, 9_999);
    longer.remove(10);
    let Content::Parts { parts, .. } = detail(&change(json!(long), json!(longer))).attributes[0].content.clone() else {
        panic!("parts");
    };
    assert_eq!(parts.iter().filter(|part| part.difference != Difference::Same).count(), 2);
}

#[test]
fn lists_far_too_long_are_compared_by_place() {
    let old: Vec<u32> = (0..9_000).collect();
    let new: Vec<u32> = (10_000..19_000).collect();
    let Content::Parts { parts, .. } = detail(&change(json!(old), json!(new))).attributes[0].content.clone() else {
        panic!("parts");
    };
    assert!(parts.len() == 9_000 && parts.iter().all(|part| part.difference == Difference::Changed));
}

#[test]
fn blocks_of_the_same_name_belong_together() {
    let before = json!([{"name": "a", "size": 1}, {"name": "b", "size": 2}]);
    let after = json!([{"name": "b", "size": 3}]);
    differs(
        &change(before, after),
        &[
            "~ x:",
            "  - [0]:",
            "    - name: \"a\"",
            "    - size: 1",
            "  ~ [0]:",
            "      name: \"b\"",
            "    ~ size: 2 → 3",
        ],
    );
}

#[test]
fn another_order_is_a_change() {
    differs(
        &change(json!(["a", "b"]), json!(["b", "a"])),
        &["~ x:", "  + [0]: \"b\"", "    [1]: \"a\"", "  - [1]: \"b\""],
    );
}

#[test]
fn another_kind_of_value_stands_whole() {
    differs(&change(json!("a"), json!(["a"])), &["~ x: \"a\" → [\"a\"]"]);
    differs(&change(json!({"k": 1}), json!([1])), &["~ x: {\"k\":1} → [1]"]);
    differs(&change(json!({"k": 1}), json!({})), &["~ x:", "  - k: 1"]);
    differs(&change(json!([]), json!({})), &["~ x: [] → {}"]);
}

#[test]
fn null_against_missing_is_shown_where_it_is_all_that_differs() {
    differs(&change(json!({"a": null, "b": 1}), json!({"b": 1})), &["~ x:", "  - a: null", "    b: 1"]);
}

#[test]
fn unknown_values_are_known_after_apply_alone_and_within_trees() {
    let change = json!({
        "before": {"a": "x", "b": {"c": 1, "d": 2}, "l": [1, 2], "s": "secret-before"},
        "after": {"b": {"c": 1}, "l": [1, null]},
        "after_unknown": {"a": true, "b": {"d": true}, "l": [false, true], "new": true, "s": true, "no": false, "empty": {}},
        "before_sensitive": {"s": true}, "after_sensitive": {"s": true},
    });
    differs(
        &change,
        &[
            "~ a: \"x\" → (known after apply)",
            "~ b:",
            "    c: 1",
            "  ~ d: 2 → (known after apply)",
            "~ l:",
            "    [0]: 1",
            "  ~ [1]: 2 → (known after apply)",
            "+ new: (known after apply)",
            "~ s: (sensitive) → (sensitive, known after apply)",
        ],
    );
    let created = json!({"actions": ["create"], "before": null, "after": null, "after_unknown": {"id": true}});
    differs(&created, &["+ id: (known after apply)"]);
}

#[test]
fn what_is_sensitive_on_either_side_is_hidden_on_both_and_told_as_changed() {
    let change = json!({
        "before": {"a": "one", "b": true, "c": "same-same", "d": {"k": 1, "o": 2}, "e": [10, 20], "n": null},
        "after": {"a": "two", "b": false, "c": "same-same", "d": {"k": 2, "o": 2}, "e": [10, 30], "n": null},
        "before_sensitive": {"a": true, "c": true, "d": {"k": true}, "e": [false, true], "n": true},
        "after_sensitive": {"b": true, "c": true, "d": {"k": true}, "e": [false, true], "n": true},
    });
    differs(
        &change,
        &[
            "~ a: (sensitive) → (sensitive)",
            "~ b: (sensitive) → (sensitive)",
            "  c: (sensitive)",
            "~ d:",
            "  ~ k: (sensitive) → (sensitive)",
            "    o: 2",
            "~ e:",
            "    [0]: 10",
            "  ~ [1]: (sensitive) → (sensitive)",
        ],
    );
}

#[test]
fn revealed_values_stand_in_clear() {
    let change = json!({
        "before": {"a": "old-secret"}, "after": {"a": "new-secret", "b": "has new-secret within"},
        "before_sensitive": {"a": true}, "after_sensitive": {"a": true},
    });
    let plan = plan(&change);
    let detail = plan.detail(PlanList::Changes, 0, true).expect("one");
    assert!(detail.revealed);
    let shown = shown::nodes(&detail.attributes);
    assert!(shown.contains(r#"~ a: "old-secret" → "new-secret""#) && shown.contains("has new-secret"), "{shown}");
    assert!(plan.detail(PlanList::Changes, 1, true).is_none() && plan.detail(PlanList::Drift, 0, false).is_none());
}

#[test]
fn json_texts_are_opened_and_others_are_not() {
    let before = json!(r#"{"a": 1, "b": {"c": [1]}, "in": "[1]"}"#);
    let after = json!(r#"{"a":1,"b":{"c":[1,2]},"in":"[1,2]","n":null}"#);
    differs(
        &change(before, after),
        &[
            "~ x: (JSON)",
            "    a: 1",
            "  ~ b:",
            "    ~ c:",
            "        [0]: 1",
            "      + [1]: 2",
            "  ~ in: (JSON)",
            "      [0]: 1",
            "    + [1]: 2",
            "  + n: null",
        ],
    );
    differs(&change(json!("{\"a\":1}"), json!("{ \"a\": 1 }")), &[r#"~ x: "{\"a\":1}" → "{ \"a\": 1 }""#]);
    differs(&change(json!("[1]"), json!("{no")), &[r#"~ x: "[1]" → "{no""#]);
    differs(&change(json!(null), json!("[7]")), &["+ x: (JSON)", "  + [0]: 7"]);
    differs(&change(json!("{\"a\":1}"), json!("{\"a\":1}")), &[r#"  x: "{\"a\":1}""#]);
}

#[test]
fn what_forces_the_replacement_is_marked_where_it_is() {
    let change = json!({
        "actions": ["delete", "create"],
        "before": {"name": "a", "e": [{"type": "x"}], "tags": {"a b": "1"}, "same": 1},
        "after": {"name": "b", "e": [{"type": "y"}], "tags": {"a b": "2"}, "same": 1},
        "replace_paths": [["name"], ["e", 0, "type"], ["tags", "a b"], ["same"]],
    });
    let detail = detail(&change);
    assert_eq!(detail.change.replace_paths, ["name", "e[0].type", "tags[\"a b\"]", "same"]);
    let shown = shown::nodes(&detail.attributes);
    let marked: Vec<&str> = shown.lines().filter(|line| line.contains("# forces")).map(str::trim).collect();
    assert_eq!(
        marked,
        [
            "~ type: \"x\" → \"y\"  # forces replacement",
            "~ name: \"a\" → \"b\"  # forces replacement",
            "same: 1  # forces replacement",
            "~ a b: \"1\" → \"2\"  # forces replacement",
        ]
    );
}

#[test]
fn an_update_of_marks_alone_says_so() {
    let change = json!({"before": {"a": "x"}, "after": {"a": "x"}, "after_sensitive": {"a": true}});
    assert_eq!(detail(&change).change.cause.as_deref(), Some("only what counts as sensitive changes"));
}

#[test]
fn marks_that_do_not_fit_hide_everything() {
    let change =
        json!({"before": {"x": {"k": "vvvv"}}, "after": {"x": {"k": "wwww"}}, "after_sensitive": {"x": [true]}});
    let attributes = detail(&change).attributes;
    let hidden = Content::Value { before: Some(Shown::Sensitive), after: Some(Shown::Sensitive) };
    assert_eq!(attributes[0].content, hidden);
    assert_eq!(attributes[0].difference, Difference::Changed);
}
