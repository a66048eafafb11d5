//! The carried policies: their tests hold, and each is tested, explained and listed.

use std::path::Path;

use skydeck::provisioning::policy::finding::Severity;
use skydeck::provisioning::policy::{Policies, explain};

use crate::{context, lines, made, plan};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/policies")
}

#[test]
fn their_tests_hold() {
    let report = Policies::test(&[]);
    assert_eq!(report.failed, [], "{} passed", report.passed);
    assert_eq!(report.skipped, 0);
    // Every test that is written is run: none is lost to a file that isn't carried or a name that isn't seen.
    let mut written = 0;
    for entry in std::fs::read_dir(folder()).expect("policies") {
        let path = entry.expect("readable").path();
        if path.to_string_lossy().ends_with("_test.rego") {
            let text = std::fs::read_to_string(&path).expect("text");
            written += text.lines().filter(|line| line.starts_with("test_")).count();
        }
    }
    assert!(written > 90, "{written}");
    assert_eq!(report.passed, written);
}

#[test]
fn each_is_tested_explained_and_listed() {
    let policies = Policies::load(None);
    assert_eq!(policies.faults(), []);
    let listed = policies.list();
    assert!(listed.len() >= 14, "{listed:?}");
    for policy in &listed {
        assert!(policy.carried);
        let file = policy.name.replace('-', "_");
        assert_eq!(policy.file, format!("skydeck:{file}.rego"));
        assert!(folder().join(format!("{file}_test.rego")).is_file(), "{file} has no tests");
        let section = explain(&policy.name).unwrap_or_else(|| panic!("{} isn't explained", policy.name));
        assert!(section.starts_with(&format!("## {}\n", policy.name)));
        assert!(section.len() > 150 && !section[3..].contains("\n## "), "{section}");
        for severity in &policy.severities {
            assert!(section.contains(severity.label()), "{}: {} isn't explained", policy.name, severity.label());
        }
    }
    let files = std::fs::read_dir(folder()).expect("policies").map(|entry| entry.expect("readable").file_name());
    let names: Vec<String> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    let judging = names.iter().filter(|name| name.ends_with(".rego") && !name.ends_with("_test.rego"));
    // plan.rego is what they share.
    assert_eq!(judging.count(), listed.len() + 1);
    assert!(explain("policies").is_some());
    assert_eq!(explain("public_access"), explain("public-access"));
    assert_eq!(explain("nothing"), None);
    assert_eq!(explain(""), None);
}

#[test]
fn a_finding_leads_to_its_explanation() {
    let open = made("azurerm_storage_container", "x", &serde_json::json!({"container_access_type": "blob"}));
    let found = Policies::load(None).judge(&plan(&[open]), &context("staging"));
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert_eq!(finding.severity, Severity::Deny);
    let place = finding.explanation.as_deref().expect("a place");
    let (file, anchor) = place.split_once('#').expect("an anchor");
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a page");
    assert!(page.contains(&format!("\n## {anchor}\n")), "{place}");
}

#[test]
fn what_is_the_same_of_several_is_one_finding() {
    let open = serde_json::json!({"container_access_type": "blob"});
    let changes = [made("azurerm_storage_container", "b", &open), made("azurerm_storage_container", "a", &open)];
    assert_eq!(
        lines(&Policies::load(None).judge(&plan(&changes), &context("staging"))),
        [
            "DENY public-access: anybody may read it; set container_access_type = \"private\" [azurerm_storage_container.a, azurerm_storage_container.b]"
        ]
    );
}
