//! Whatever is marked as sensitive anywhere appears nowhere: in nothing that is shown, kept or handed around.

use proptest::prelude::*;
use serde_json::{Value, json};
use skydeck::provisioning::plan::kept;
use skydeck::provisioning::plan::model::PlanList;
use skydeck::provisioning::plan::read::PlanReading;

use crate::generator::{collect, forms, plans};
use crate::{fixtures, reports};

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
    fn no_masked_value_appears_anywhere((plan, secrets) in plans()) {
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
