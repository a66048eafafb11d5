//! Plans handed around: Markdown, HTML, JSON.

use serde_json::{Value, json};
use skydeck::provisioning::plan::export::{LONGEST_MARKDOWN, Report, Verdict, html, json, markdown};
use skydeck::provisioning::plan::model::PlanList;
use skydeck::provisioning::plan::read::PlanReading;
use skydeck::provisioning::run::Run;

use crate::fixtures;

pub fn run(emulated: bool, findings: &Value) -> Run {
    serde_json::from_value(json!({
        "number": 7, "id": "0198c0de-0000-7000-8000-000000000007",
        "environment": if emulated { "demo" } else { "staging" }, "emulated": emulated,
        "request": {}, "askedBy": "ada@roof", "askedAt": "2026-06-01T10:00:00Z", "phase": "planned", "steps": [],
        "changes": [], "drift": [], "changedOutputs": [], "counts": null, "plannedAt": "2026-06-01T10:01:00Z",
        "stateSerial": 3, "failure": null, "endedAt": null, "runnerPid": null, "findings": findings,
    }))
    .unwrap_or_else(|error| panic!("{error}"))
}

/// All three of a plan.
pub fn all(plan: &PlanReading, run: &Run) -> [String; 3] {
    let (outline, changes, drift): (_, Vec<_>, Vec<_>) =
        (plan.outline(), plan.details(PlanList::Changes).collect(), plan.details(PlanList::Drift).collect());
    let report = Report { run, plan: &outline, changes: &changes, drift: &drift, repository: None };
    [markdown(&report), html(&report), json(&report)]
}

/// Of the day the fixture was made, and of Terraform's version, nothing lasts.
fn lasting(text: &str) -> String {
    let day = regex::Regex::new(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\dZ)?|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
        .expect("an expression");
    day.replace_all(text, "…").into_owned()
}

fn findings() -> Value {
    json!([
        {"severity": "deny", "policy": "data-holders", "message": "azurerm_storage_account.a holds data; keep its name",
            "addresses": ["azurerm_storage_account.a"], "explanation": "policies.html#data-holders"},
        {"severity": "warn", "policy": "cost", "message": "S1 costs; see @ada's #12 and [this](https://example.org)",
            "addresses": [], "explanation": null},
    ])
}

#[test]
fn a_plan_is_told_alike_in_all_forms() {
    let [markdown, html, json] = all(&fixtures::plan("azure"), &run(true, &findings()));
    insta::assert_snapshot!("markdown", lasting(&markdown));
    insta::assert_snapshot!("html", lasting(&html));
    let value: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["verdict"], "denied");
    assert_eq!(value["emulated"], true);
    let keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    insta::assert_snapshot!("json_keys", keys.join("\n"));
    for text in [&markdown, &html] {
        assert!(text.contains("EMULATED") && text.contains("DENIED by 1 finding"), "{text}");
    }
    let [markdown, html, _] = all(&fixtures::plan("nested"), &run(false, &json!([])));
    insta::assert_snapshot!("markdown_nested", lasting(&markdown));
    assert!(!markdown.contains("EMULATED") && !html.contains("EMULATED"));
}

#[test]
fn what_explains_a_finding_is_a_link_that_is_whole_or_none() {
    let explained = |explanation: &str, repository: Option<&str>| {
        let findings =
            json!([{"severity": "deny", "policy": "tls", "message": "m", "addresses": [], "explanation": explanation}]);
        let (plan, run) = (fixtures::plan("nested").outline(), run(false, &findings));
        let report = Report { run: &run, plan: &plan, changes: &[], drift: &[], repository };
        (markdown(&report), html(&report))
    };
    let whole = "https://github.com/ada/skydeck/blob/main/docs/src/reference/policies.md#tls";
    let place = "docs/src/reference/policies.md#tls";
    for repository in ["https://github.com/ada/skydeck/blob/main", "https://github.com/ada/skydeck/blob/main/"] {
        let (markdown, html) = explained(place, Some(repository));
        assert!(markdown.contains(&format!("[why]({whole})")), "{markdown}");
        assert!(html.contains(&format!("<a href=\"{whole}\"")), "{html}");
    }
    let (markdown, html) = explained(whole, None);
    assert!(markdown.contains(&format!("[why]({whole})")) && html.contains("<a href="), "{markdown}");
    // Relative to a comment it would lead nowhere.
    let (markdown, html) = explained(place, None);
    assert!(markdown.contains(&format!("`{place}`")) && !markdown.contains("[why]") && !html.contains("<a href="));
    for evil in ["javascript:alert(1)", "https://x.y/) [a](https://z", "data:text/html,x", "https://x.y/\"onclick=\"z"]
    {
        let (markdown, html) = explained(evil, Some("https://github.com/ada/skydeck/blob/main"));
        assert!(!markdown.contains("[why]") && !html.contains("<a href="), "{evil}");
    }
}

#[test]
fn the_verdict_is_the_gravest() {
    let words = |case: &str, findings: Value| {
        let (plan, run) = (fixtures::plan(case), run(false, &findings));
        let outline = plan.outline();
        let report = Report { run: &run, plan: &outline, changes: &[], drift: &[], repository: None };
        (report.verdict(), report.words())
    };
    assert_eq!(words("errored", findings()).0, Verdict::Errored);
    assert_eq!(words("nested", findings()), (Verdict::Denied, "DENIED by 1 finding".into()));
    assert_eq!(words("nested", json!([])).0, Verdict::Changes);
    let nothing = PlanReading::read(br#"{"format_version":"1.2"}"#).expect("a plan").outline();
    let run = run(false, &json!([]));
    assert_eq!(
        Report { run: &run, plan: &nothing, changes: &[], drift: &[], repository: None }.verdict(),
        Verdict::NoChanges
    );
}

#[test]
fn values_cannot_break_out() {
    let evil = "</code></pre></details><script>alert(1)</script>\n```\n````\n# heading\n@ada \u{1b}[31m\u{202e}";
    let change = json!({"actions": ["update"], "before": {"x": "y"}, "after": {"x": evil, evil: [evil]}});
    let plan = json!({"format_version": "1.2", "terraform_version": evil, "resource_changes": [
        {"address": format!("a.b[\"{evil}\"]"), "type": "a", "mode": "managed", "change": change, "action_reason": evil,
            "previous_address": evil},
        {"address": "a.c", "type": "a", "mode": "managed", "change": {"actions": ["delete"]}, "action_reason": evil}],
        "checks": [{"address": {"to_display": evil}, "status": "fail", "instances": [{"problems": [{"message": evil}]}]}],
        "variables": {"v": {"value": evil}}});
    let plan = PlanReading::read(plan.to_string().as_bytes()).expect("a plan");
    let findings =
        json!([{"severity": "warn", "policy": evil, "message": evil, "addresses": [evil], "explanation": evil}]);
    let mut run = run(false, &findings);
    run.asked_by = evil.to_owned();
    run.moved = vec![evil.to_owned()];
    let [markdown, html, _] = all(&plan, &run);
    assert!(!html.contains("<script") && !html.contains("</code></pre>"), "{html}");
    for text in [&markdown, &html] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
    // Outside of fences and code there is no tag but ours, no heading but ours and no mention.
    let mut fence: Option<String> = None;
    let code = regex::Regex::new(r"<code>[^<]*</code>").expect("an expression");
    let ticked = regex::Regex::new(r"`````[^`].*?[^`]`````").expect("an expression");
    for line in markdown.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks == *open && line == ticks => fence = None,
            Some(open) => assert!(ticks.len() < open.len(), "{line}"),
            None if ticks.len() >= 3 && line.ends_with("diff") => fence = Some(ticks),
            None if line.starts_with('<') => {
                let bare = code.replace_all(line, "");
                assert!(!bare.contains("<script") && !bare.contains("@ada") && !bare.contains("</pre"), "{bare}");
            }
            None => {
                let bare = ticked.replace_all(line, "");
                assert!(!bare.contains("<script") && !bare.contains("@ada") && !bare.contains("```"), "{bare}");
                assert!(!line.contains("# heading") || !line.starts_with('#'), "{line}");
            }
        }
    }
    assert!(fence.is_none());
}

#[test]
fn a_comment_is_never_too_long_and_says_what_is_left_out() {
    let changes: Vec<Value> = (0..2_000)
        .map(|n| {
            json!({"address": format!("a.r{n}"), "type": "a", "mode": "managed", "action_reason": "replace_because_tainted",
                "change": {"actions": ["delete", "create"], "before": {"x": "ä".repeat(400)}, "after": {"x": n}}})
        })
        .collect();
    let plan = json!({"format_version": "1.2", "resource_changes": changes});
    let plan = PlanReading::read(plan.to_string().as_bytes()).expect("a plan");
    let [markdown, ..] = all(&plan, &run(false, &findings()));
    assert!(markdown.len() <= LONGEST_MARKDOWN, "{}", markdown.len());
    assert!(markdown.contains("DENIED") && markdown.contains("data-holders"));
    let last = markdown.lines().last().unwrap_or_default();
    assert!(last.contains("Left out") && last.contains("changes") && last.contains("skydeck show 7"), "{last}");
    let huge: Vec<Value> = (0..300).map(|n| json!({"severity": "warn", "policy": "p", "message": "m".repeat(n * 20), "addresses": vec!["a".repeat(500); 50], "explanation": null})).collect();
    let [markdown, ..] = all(&plan, &run(false, &json!(huge)));
    assert!(markdown.len() <= LONGEST_MARKDOWN && markdown.contains("findings"), "{}", markdown.len());
}
