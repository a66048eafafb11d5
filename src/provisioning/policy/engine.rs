//! Regorus: made ready once, asked rule by rule, its errors in words.

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use super::finding::Severity;
use super::source::Source;
use crate::station::text::printable;

/// Steps of an evaluation between two looks at the clock.
const STEPS: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);

/// Files that were understood, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    /// Cloned for each judgement: an engine keeps what it was asked.
    pub engine: Engine,
    /// The rules that judge.
    pub rules: Vec<Rule>,
    /// Files with their packages, as in `data.skydeck.tls`.
    pub files: Vec<(Source, String)>,
}

/// A rule that judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// As in `data.skydeck.tls.deny`.
    pub path: String,
    /// By its name.
    pub severity: Severity,
    /// The file it begins in.
    pub file: String,
    /// What its findings are called where they don't say: `public-access`.
    pub policy: String,
    /// Whether skydeck carries it.
    pub carried: bool,
}

/// What is wrong with a file: where (`policies/mine.rego:7`), and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The file, with the line where it is known.
    pub place: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// An engine that says nothing on the standard error.
fn fresh() -> Engine {
    let mut engine = Engine::new();
    engine.set_gather_prints(true);
    // Version 0's silence about a wrong argument would let a plan pass.
    engine.set_strict_builtin_errors(true);
    engine
}

/// The files, made ready. What can't be understood is left out, with why.
pub(super) fn prepare(sources: &[Source]) -> (Ready, Vec<Fault>) {
    let mut ready = Ready { engine: fresh(), rules: Vec::new(), files: Vec::new() };
    let mut faults = Vec::new();
    for source in sources {
        match ready.engine.add_policy(source.name.clone(), source.text.clone()) {
            Ok(package) if !source.carried && (package == "data.skydeck" || package.starts_with("data.skydeck.")) => {
                let package = package.trim_start_matches("data.").to_owned();
                let reason = format!("the package {package} is skydeck's own; choose another name");
                faults.push(Fault { place: source.name.clone(), reason });
            }
            Ok(package) => ready.files.push((source.clone(), package)),
            Err(error) => faults.push(fault(&source.name, &error.to_string(), is_version_0(source))),
        }
    }
    if ready.files.len() < sources.len() {
        // One that was refused for its package is in the engine already.
        ready.engine = fresh();
        for (source, _) in &ready.files {
            drop(ready.engine.add_policy(source.name.clone(), source.text.clone()));
        }
    }
    // What goes wrong between files (an unsafe variable, a circle) shows once all are there.
    if let Err(error) = ready.engine.eval_query("true".to_owned(), false) {
        let place = sources.iter().find(|source| !source.carried).map_or("policies", |source| source.name.as_str());
        faults.push(fault(place, &error.to_string(), false));
        return (Ready { engine: fresh(), rules: Vec::new(), files: ready.files }, faults);
    }
    ready.rules = ready.files.iter().flat_map(|(source, package)| rules(&ready.engine, source, package)).collect();
    // A rule of several files is asked once.
    ready.rules.sort_by(|a, b| (&a.path, &a.file).cmp(&(&b.path, &b.file)));
    ready.rules.dedup_by(|later, first| later.path == first.path);
    (ready, faults)
}

/// The judging rules that a file declares: `deny`, `violation`, `warn`, `info`, also with a name behind as in
/// `deny_buckets`.
fn rules(engine: &Engine, source: &Source, package: &str) -> Vec<Rule> {
    static NAME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\b(deny|violation|warn|info)(?:_[A-Za-z0-9_]+)?\b").ok());
    let mut found = Vec::new();
    for name in NAME.iter().flat_map(|name| name.captures_iter(&source.text)) {
        let path = format!("{package}.{}", &name[0]);
        let known = found.iter().any(|rule: &Rule| rule.path == path);
        if known || !engine.has_declared_rule_rooted_at(&source.name, &name[0]).unwrap_or(true) {
            continue;
        }
        let severity = match &name[1] {
            "warn" => Severity::Warn,
            "info" => Severity::Info,
            _ => Severity::Deny,
        };
        let last = package.rsplit('.').next().unwrap_or(package);
        let stem = source.name.rsplit('/').next().and_then(|file| file.strip_suffix(".rego")).unwrap_or(last);
        let policy = if last == "main" { stem } else { last };
        found.push(Rule {
            path,
            severity,
            file: source.name.clone(),
            policy: printable(policy).replace('_', "-"),
            carried: source.carried,
        });
    }
    found
}

/// What the rule at `path` gives within `limit`.
pub(super) fn ask(engine: &mut Engine, path: &str, limit: Duration) -> Result<Value, String> {
    engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: STEPS });
    let answer = engine.eval_rule(path.to_owned());
    // What policies print is nobody's; kept, it would only grow.
    drop(engine.take_prints());
    answer.map_err(|error| error.to_string())
}

/// The engine's error as a place and words.
pub(super) fn fault(file: &str, error: &str, version_0: bool) -> Fault {
    static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"--> (.+):(\d+):\d+\n").ok());
    let place = PLACE.as_ref().and_then(|pattern| pattern.captures(error));
    let place = place.map_or_else(|| printable(file), |place| format!("{}:{}", printable(&place[1]), &place[2]));
    if version_0 {
        let reason = "this is Rego version 0, version 1 is read; write `deny contains message if { … }` (opa fmt does)";
        return Fault { place, reason: reason.to_owned() };
    }
    if error.contains("execution exceeded time limit") || error.contains("time limit exceeded") {
        return Fault { place: printable(file), reason: "took too long and was ended; make it simpler".to_owned() };
    }
    // The last line says what is wrong, those before it show where.
    let reason = error.rsplit_once("error: ").map_or(error, |(_, reason)| reason);
    let reason = printable(reason.trim()).trim_end_matches('.').to_owned();
    Fault { place, reason: format!("{reason}; correct it, or move it out of the folder") }
}

/// Whether a file that isn't understood would be, as version 0.
fn is_version_0(source: &Source) -> bool {
    let mut engine = fresh();
    engine.set_rego_v0(true);
    engine.add_policy(source.name.clone(), source.text.clone()).is_ok()
}
