//! The tests beside the policies: rules named `test_…` in files named `…_test.rego`, each true or failed.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use regorus::Value;
use serde::Serialize;

use super::engine::{self, Fault};
use super::policies::Policies;
use super::source::{self, Source};

/// How long one test may take.
const LIMIT: Duration = Duration::from_secs(20);

/// What the tests gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestReport {
    /// How many were true.
    pub passed: usize,
    /// Those named `todo_test_…`, which weren't run.
    pub skipped: usize,
    /// Those that weren't true, and files that couldn't be used.
    pub failed: Vec<TestFailure>,
}

/// A test that failed, or a file that couldn't be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestFailure {
    /// The file, as in `policies/mine_test.rego`.
    pub file: String,
    /// From 1; `None` where it isn't known.
    pub line: Option<u32>,
    /// The test; empty where it is a file.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
}

impl Policies {
    /// Runs the tests of the carried policies, and those below each of `folders` beside the policies that lie there.
    #[must_use]
    pub fn test(folders: &[&Path]) -> TestReport {
        let mut report = TestReport::default();
        run(&source::carried(), &mut report);
        for folder in folders {
            let (found, unread) = source::own(folder);
            report.failed.extend(unread.into_iter().map(|(place, reason)| failure(Fault { place, reason })));
            let library = source::carried().into_iter().filter(|source| source.name == source::LIBRARY);
            run(&library.chain(found).collect::<Vec<_>>(), &mut report);
        }
        report
    }
}

fn run(sources: &[Source], report: &mut TestReport) {
    static TEST: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?m)^[ \t]*((?:todo_)?test_[A-Za-z0-9_]+)\b").ok());
    let (ready, faults) = engine::prepare(sources);
    report.failed.extend(faults.into_iter().map(failure));
    let mut asked = ready.engine;
    for (source, package) in ready.files.iter().filter(|(source, _)| source.is_test()) {
        let mut last = "";
        for named in TEST.iter().flat_map(|pattern| pattern.captures_iter(&source.text)).filter_map(|at| at.get(1)) {
            // A test of several bodies is one; a name within a body is none.
            let (name, path) = (named.as_str(), format!("{package}.{}", named.as_str()));
            let is_rule = asked.has_declared_rule_rooted_at(&source.name, name).unwrap_or(true);
            if name == std::mem::replace(&mut last, name) || !is_rule {
                continue;
            }
            if name.starts_with("todo_") {
                report.skipped += 1;
                continue;
            }
            let line = source.text[..named.start()].lines().count();
            let line =
                u32::try_from(line + usize::from(source.text[..named.start()].ends_with('\n') || line == 0)).ok();
            let failed = |reason| TestFailure { file: source.name.clone(), line, name: name.to_owned(), reason };
            match engine::ask(&mut asked, &path, LIMIT) {
                Ok(Value::Bool(true)) => report.passed += 1,
                Ok(_) => report.failed.push(failed("isn't true".to_owned())),
                Err(error) => {
                    let fault = engine::fault(&source.name, &error, false);
                    report.failed.push(failed(format!("{}: {}", fault.place, fault.reason)));
                }
            }
        }
    }
}

/// `policies/mine.rego:7`, taken apart.
fn failure(fault: Fault) -> TestFailure {
    let placed = fault.place.rsplit_once(':').and_then(|(file, line)| Some((file.to_owned(), line.parse().ok()?)));
    let (file, line) = placed.map_or((fault.place, None), |(file, line)| (file, Some(line)));
    TestFailure { file, line, name: String::new(), reason: fault.reason }
}
