//! The documentation: every link leads somewhere, every page is in the book, the README's figures hold.

#![allow(clippy::panic, reason = "a test may panic in its helpers as well")]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file below `folder`.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text without fenced and inline code, where brackets are no links.
fn prose(text: &str) -> String {
    let mut in_fence = false;
    let mut found = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence {
            found.extend(line.split('`').step_by(2));
            found.push('\n');
        }
    }
    found
}

/// Targets of `[text](target)` and `![text](target)`.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The anchor that renderers make from a heading.
fn anchor(heading: &str) -> String {
    let plain = heading.trim_start_matches('#').trim().to_lowercase();
    plain.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).collect::<String>().replace(' ', "-")
}

fn fault(page: &Path, target: &str) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { page.to_owned() } else { page.parent().expect("a folder").join(file) };
    if !path.exists() {
        return Some(format!("{}: {target} leads nowhere", page.display()));
    }
    let has_anchor = || read(&path).lines().any(|line| line.starts_with('#') && anchor(line) == fragment);
    (!fragment.is_empty() && !has_anchor()).then(|| format!("{}: {target} has no such heading", page.display()))
}

#[test]
fn every_link_leads_somewhere() {
    let mut all = pages(&root().join("docs/src"));
    all.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut checked = 0;
    let mut faults = Vec::new();
    for page in &all {
        for target in links(&read(page)) {
            checked += 1;
            faults.extend(fault(page, &target));
        }
    }
    assert!(checked > 60, "only {checked} links were found");
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_dead_link_and_a_missing_heading_are_found() {
    let page = root().join("docs/src/SUMMARY.md");
    assert!(fault(&page, "nowhere.md").is_some());
    assert!(fault(&page, "architecture/house.md#the-cellar").is_some());
    assert!(fault(&page, "architecture/house.md#who-may-know-whom").is_none());
    assert_eq!(links("a [b](c.md) `[d](e.md)` ![f](g.png)\n```\n[h](i.md)\n```\n"), ["c.md", "g.png"]);
}

#[test]
fn every_page_is_in_the_book_and_every_include_is_there() {
    let source = root().join("docs/src");
    let summary = links(&read(&source.join("SUMMARY.md")));
    for page in pages(&source) {
        let name = page.strip_prefix(&source).expect("below").to_string_lossy().replace('\\', "/");
        assert!(name == "SUMMARY.md" || summary.contains(&name), "{name} is not in SUMMARY.md");
        for include in read(&page).split("{{#include ").skip(1).filter_map(|rest| rest.split_once("}}")) {
            let path = page.parent().expect("a folder").join(include.0);
            assert!(path.is_file(), "{name} includes {}", include.0);
        }
    }
}

#[test]
fn the_readme_says_what_cargo_says() {
    let readme = read(&root().join("README.md"));
    let manifest = read(&root().join("Cargo.toml"));
    let version =
        manifest.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a version");
    assert!(readme.contains(&format!("({version} or newer)")), "README.md names another Rust than {version}");
}

#[test]
fn every_alarm_threshold_is_in_the_reference() {
    let reference = read(&root().join("docs/src/reference/alarms.md"));
    let thresholds = skydeck::settings::KEYS.iter().filter(|key| key.section() == "alarms");
    for key in thresholds {
        assert!(reference.contains(&format!("{}`", key.name())), "{} is not in the reference", key.path);
    }
}
