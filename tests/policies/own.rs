//! A folder of one's own: asked beside the carried policies; whatever is wrong with it denies, and says where.

use std::path::Path;

use serde_json::json;
use skydeck::provisioning::policy::finding::Severity;
use skydeck::provisioning::policy::{Policies, verdict_digest};

use crate::{context, lines, made, plan};

/// A folder named `policies` with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("temporary folder");
    for (name, text) in files {
        let path = place.path().join("policies").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    place
}

/// What these files say of a plan of one resource.
fn judged(files: &[(&str, &str)]) -> Vec<String> {
    let place = folder(files);
    let changes = [made("terraform_data", "x", &json!({"input": "abc", "hidden": "s3cr3t-value"}))];
    let mut plan = plan(&changes);
    plan["resource_changes"][0]["change"]["after_sensitive"] = json!({"hidden": true});
    lines(&Policies::load(Some(&place.path().join("policies"))).judge(&plan, &context("staging")))
}

#[test]
fn they_are_asked_beside_the_carried_ones() {
    let mine =
        "package main\n\ndeny contains \"no data here\" if input.resource_changes[_].type == \"terraform_data\"\n";
    let more = r#"package team.names
import rego.v1
import data.skydeck.plan
warn_short contains {"message": "too short", "addresses": {c.address}, "policy": "names", "explanation": "https://example.org/names"} if some c in plan.standing({"terraform_data"})
info contains {"msg": "as conftest says it"} if true
"#;
    assert_eq!(
        judged(&[("mine.rego", mine), ("deep/er/more.rego", more), ("notes.txt", "no policy"), (".git/x.rego", "no")]),
        [
            "DENY mine: no data here []",
            "WARN names: too short [terraform_data.x]",
            "INFO names: as conftest says it []",
        ]
    );
}

#[test]
fn the_carried_ones_are_asked_whatever_is_wrong_with_ones_own() {
    let place = folder(&[("mine.rego", "package mine\ndeny contains x if y > 1\n")]);
    let policies = Policies::load(Some(&place.path().join("policies")));
    let open = made("azurerm_storage_container", "x", &json!({"container_access_type": "blob"}));
    let found = policies.judge(&plan(&[open]), &context("staging"));
    assert_eq!(found.iter().filter(|finding| finding.severity == Severity::Deny).count(), 2, "{:?}", lines(&found));
}

#[test]
fn what_cannot_be_understood_denies_with_file_and_line() {
    for (text, words) in [
        ("package mine\n\ndeny contains \"x\" if {\n", "DENY policies: policies/mine.rego:"),
        ("package mine\n\n\ndeny contains \"x\" if ] \n", "DENY policies: policies/mine.rego:4: "),
        (
            "package mine\ndeny[msg] {\n  msg := \"x\"\n}\n",
            "DENY policies: policies/mine.rego:2: this is Rego version 0",
        ),
        ("deny contains \"x\" if true\n", "DENY policies: policies/mine.rego:1: "),
        ("", "DENY policies: policies/mine.rego:1: "),
        ("package mine\ndeny contains x if y > 1\n", "DENY policies: policies/mine.rego:2: "),
        ("package mine\ndeny contains \"x\" if nosuch.function(1)\n", "DENY policies: policies/mine.rego:2"),
        ("package skydeck.tls\ndeny contains \"x\" if true\n", "skydeck.tls is skydeck's own"),
        ("package mine\na if b\nb if a\ndeny contains \"x\" if a\n", "DENY policies: policies/mine.rego:"),
    ] {
        let found = judged(&[("mine.rego", text)]);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        assert!(found[0].starts_with("DENY policies: policies/mine.rego"), "{text:?}: {found:?}");
        assert!(found[0].contains(words), "{text:?}: {found:?}");
        assert!(found[0].contains("; "), "{text:?} has no next step: {found:?}");
        assert!(!found[0].contains("/tmp"), "{found:?}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    let text = format!("package mine\ndeny contains \"x\" if {}1{} == 1\n", "(".repeat(20_000), ")".repeat(20_000));
    assert!(judged(&[("mine.rego", &text)])[0].starts_with("DENY policies: policies/mine.rego"), "refused");
}

#[test]
fn what_goes_wrong_while_it_is_asked_denies() {
    for (rule, words) in [
        ("deny contains \"x\" if to_number(input.resource_changes[0].type) > 1", "mine.deny: "),
        ("f(x) := 1 if x > 0\nf(x) := 2 if x > 1\ndeny contains \"x\" if f(5) == 1", "mine.deny: "),
        ("deny contains \"x\" if time.now_ns() > 1", "policies/mine.rego:2"),
        ("deny contains \"x\" if http.send({\"url\": \"http://127.0.0.1\"})", "policies/mine.rego:2"),
    ] {
        let found = judged(&[("mine.rego", &format!("package mine\n{rule}\n"))]);
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        assert!(
            found[0].starts_with("DENY policies: policies/mine.rego") && found[0].contains(words),
            "{rule}: {found:?}"
        );
    }
}

#[test]
fn a_result_of_an_unknown_shape_denies_and_says_which() {
    for (rule, words) in [
        ("deny if true", "mine.deny gave true"),
        ("default deny := false", "mine.deny gave false"),
        ("deny := \"no\"", "mine.deny gave an empty text"),
        ("warn := 5", "mine.warn gave a number"),
        ("info := {\"a\": \"b\"}", "mine.info gave an object"),
        ("warn contains 5", "mine.warn gave a number"),
        ("warn contains \"  \"", "mine.warn gave an empty text"),
        ("warn contains {\"text\": \"x\"}", "mine.warn gave an object without a message"),
        ("warn contains {\"message\": 5}", "mine.warn gave an object without a message"),
        ("warn contains {\"message\": \"x\", \"addresses\": \"a.b\"}", "or with a field of another kind"),
        ("warn contains {\"message\": \"x\", \"addresses\": [5]}", "or with a field of another kind"),
        ("warn contains {\"message\": \"x\", \"policy\": null}", "or with a field of another kind"),
        ("deny[x] := 1 if some x in [\"a\"]", "mine.deny gave an object"),
    ] {
        let found = judged(&[("mine.rego", &format!("package mine\nimport rego.v1\n{rule}\n"))]);
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        assert!(found[0].starts_with("DENY policies: policies/mine.rego: ") && found[0].contains(words), "{found:?}");
    }
}

#[test]
fn a_rule_that_says_nothing_is_well() {
    let words = "# What we deny, warn of and info.\nhelper := \"deny_all\"";
    for rule in [words, "deny contains \"x\" if false", "deny := [\"x\"] if false", "other := 5", "warn := []"] {
        assert_eq!(judged(&[("mine.rego", &format!("package mine\n{rule}\n"))]), Vec::<String>::new(), "{rule}");
    }
}

#[test]
fn what_is_secret_in_the_plan_is_masked_in_their_words() {
    let rule = r#"package mine
deny contains {"message": sprintf("holds %s", [c.change.after.hidden]), "addresses": [c.change.after.hidden]} if some c in input.resource_changes
deny contains sprintf("also \u001b[31m%s\n", [c.change.after.hidden]) if some c in input.resource_changes
"#;
    assert_eq!(
        judged(&[("mine.rego", rule)]),
        ["DENY mine: also [31m(sensitive)  []", "DENY mine: holds (sensitive) [(sensitive)]"]
    );
}

#[test]
fn what_they_print_reaches_nobody() {
    let rule = "package mine\ndeny contains \"x\" if {\n\tprint(\"on the screen\")\n\tfalse\n}\n";
    assert_eq!(judged(&[("mine.rego", rule)]), Vec::<String>::new());
}

#[test]
fn a_folder_that_cannot_be_read_denies() {
    let place = folder(&[("empty/notes.txt", "x")]);
    let file = place.path().join("policies/empty/notes.txt");
    std::fs::write(place.path().join("policies/latin.txt"), "x").expect("written");
    std::fs::create_dir(place.path().join("latin")).expect("made");
    std::fs::write(place.path().join("latin/a.rego"), b"package a # \xff\n").expect("written");
    std::os::unix::fs::symlink("nowhere", place.path().join("latin/b.rego")).expect("linked");
    for (path, words) in [
        (place.path().join("nowhere"), ["nowhere: ", "check provisioning.policies"].as_slice()),
        (file, &["notes.txt: ", "check provisioning.policies"]),
        (place.path().join("policies"), &["policies: there is no .rego file in it"]),
        (place.path().join("latin"), &["latin/a.rego: is no UTF-8 text", "latin/b.rego: "]),
    ] {
        let found = lines(&Policies::load(Some(&path)).judge(&plan(&[]), &context("demo")));
        let all = found.join("\n");
        assert!(!found.is_empty() && found.iter().all(|line| line.starts_with("DENY policies: ")), "{all}");
        assert!(words.iter().all(|words| all.contains(words)), "{all}");
        let absolute = place.path().to_string_lossy().into_owned();
        assert!(!all.contains(&absolute), "{all}");
    }
}

#[test]
fn a_plan_that_is_none_denies() {
    for (plan, words) in [
        (json!([]), "format is none"),
        (json!(null), "format is none"),
        (json!({"format_version": "2.0", "resource_changes": []}), "format is 2.0"),
        (json!({"resource_changes": []}), "format is none"),
    ] {
        let found = lines(&Policies::load(None).judge(&plan, &context("demo")));
        assert!(found.len() == 1 && found[0].starts_with("DENY policies: ") && found[0].contains(words), "{found:?}");
    }
}

#[test]
fn the_digest_is_of_names_and_texts_and_not_of_the_place() {
    let digest = |files: &[(&str, &str)]| {
        let place = folder(files);
        Policies::load(Some(&place.path().join("policies"))).digest()
    };
    let one = ("a.rego", "package a\n");
    let first = digest(&[one]);
    assert_eq!(first.len(), 64);
    assert_eq!(first, digest(&[one]));
    assert_eq!(first, digest(&[one, ("a_test.rego", "package a_test\n"), ("notes.md", "x")]));
    assert_ne!(first, digest(&[("b.rego", "package a\n")]));
    assert_ne!(first, digest(&[("a.rego", "package a\n\n")]));
    assert_ne!(first, digest(&[one, ("b.rego", "package b\n")]));
    assert_ne!(first, Policies::load(None).digest());
    assert_ne!(first, Policies::load(Some(Path::new("/nowhere/policies"))).digest());
}

#[test]
fn a_verdict_s_digest_is_of_all_that_was_said() {
    let finding = Policies::load(Some(Path::new("/nowhere"))).faults()[0].clone();
    let mut other = finding.clone();
    other.addresses.push("a.b".to_owned());
    let both = verdict_digest(&[finding.clone(), other.clone()]);
    assert_eq!(both, verdict_digest(&[other.clone(), finding.clone()]));
    let digests = [both, verdict_digest(&[finding]), verdict_digest(&[other]), verdict_digest(&[])];
    assert_eq!(digests.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn many_findings_are_counted() {
    let rule = "package mine\nwarn contains sprintf(\"number %d\", [n]) if some n in numbers.range(1, 1000)\n";
    let found = judged(&[("mine.rego", rule)]);
    assert_eq!(found.len(), 201);
    assert_eq!(found[200], "WARN mine: 800 more findings of this policy aren't shown; correct these first []");
}

#[test]
fn tests_of_ones_own_are_run() {
    let place = folder(&[
        ("names.rego", "package names\n\ndeny contains \"short\" if count(input.name) < 3\n"),
        (
            "names_test.rego",
            r#"package names_test
import rego.v1
import data.names

test_short if count(names.deny) == 1 with input as {"name": "ab"}

test_long if count(names.deny) == 1 with input as {"name": "abc"}

todo_test_later if false

test_odd if to_number("x") == 1

# A text that looks like one:
text := `
test_text if`
"#,
        ),
    ]);
    let own = place.path().join("policies");
    let alone = Policies::test(&[]).passed;
    let report = Policies::test(&[&own]);
    assert_eq!((report.passed, report.skipped), (alone + 1, 1));
    let failed: Vec<_> = report.failed.iter().map(|at| (at.file.as_str(), at.line, at.name.as_str())).collect();
    let file = "policies/names_test.rego";
    assert_eq!(failed, [(file, Some(7), "test_long"), (file, Some(11), "test_odd")]);
    assert_eq!(report.failed[0].reason, "isn't true");

    std::fs::write(own.join("broken_test.rego"), "package broken\ntest_x if {\n").expect("written");
    let report = Policies::test(&[&own]);
    let broken = report.failed.iter().find(|failure| failure.file == "policies/broken_test.rego").expect("it failed");
    assert!(broken.line.is_some() && broken.name.is_empty(), "{broken:?}");
    // Tests judge no plan.
    assert_eq!(Policies::load(Some(&own)).faults(), []);
}
