//! `skydeck policy`: the policies listed, tested, explained, and asked about a plan.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use super::args::Policy;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::Paint;
use super::plans::{self, Ground};
use super::table::{Align, table};
use crate::owner::policies::{Policies, explain, judge_file};
use crate::owner::{Finding, FindingSeverity};
use crate::station::text::printable;

/// Carries out one of the commands.
pub async fn run(context: &Context, command: Policy) -> Result<Exit, Failure> {
    match command {
        Policy::List => list(context),
        Policy::Test { folder } => test(context, folder),
        Policy::Explain { name } => explained(context, &name),
        Policy::Check { run, plan } => check(context, run, plan).await,
    }
}

/// Lists the policies; what can't be loaded denies every plan, and fails the command.
fn list(context: &Context) -> Result<Exit, Failure> {
    let policies = Policies::load(context.loaded.settings.provisioning.policies.as_deref());
    let (rules, faults) = (policies.list(), policies.faults());
    if context.output.json {
        let rules: Vec<_> = rules
            .iter()
            .map(|rule| json!({ "name": rule.name, "file": rule.file, "carried": rule.carried, "severities": rule.severities }))
            .collect();
        context.output.json_page(&json!({ "policies": rules, "faults": faults, "digest": policies.digest() }))?;
    } else {
        let row = |rule: &crate::owner::policies::PolicyRules| {
            let says: Vec<_> = rule.severities.iter().map(|severity| severity.label()).collect();
            vec![printable(&rule.name), says.join(" "), printable(&rule.file)]
        };
        let columns = [("policy", Align::Left), ("says", Align::Left), ("file", Align::Left)];
        context.output.text(&table(&columns, &rules.iter().map(row).collect::<Vec<_>>()))?;
        context.output.text(&plans::findings(faults, context.output))?;
    }
    match faults.len() {
        0 => Ok(Exit::Done),
        count => {
            let words = format!("policies: {count} can't be used, and deny every plan; correct what is named");
            Err(Failure::new(Exit::Failed, words))
        }
    }
}

/// Runs the tests of what skydeck carries, and of a folder.
fn test(context: &Context, folder: Option<PathBuf>) -> Result<Exit, Failure> {
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
        let words = format!("{}: no such folder; name the one with your *.rego files", folder.display());
        return Err(Failure::new(Exit::NotFound, words));
    }
    let folder = folder.or_else(|| context.loaded.settings.provisioning.policies.clone());
    let folders: Vec<_> = folder.iter().map(PathBuf::as_path).collect();
    let report = Policies::test(&folders);
    if context.output.json {
        context.output.json_page(&report)?;
    } else {
        for failed in &report.failed {
            let line = failed.line.map_or_else(String::new, |line| format!(":{line}"));
            let label = context.output.paint(Paint::Fail, "FAILED");
            let name = if failed.name.is_empty() { String::new() } else { format!(" {}", failed.name) };
            let words = printable(&format!("{}{line}{name}: {}", failed.file, failed.reason));
            context.output.line(&format!("{label}  {words}"))?;
        }
        let skipped = if report.skipped > 0 { format!(", {} skipped", report.skipped) } else { String::new() };
        context.output.line(&format!("{} passed, {} failed{skipped}", report.passed, report.failed.len()))?;
    }
    Ok(if report.failed.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Writes what the docs say of a policy.
fn explained(context: &Context, name: &str) -> Result<Exit, Failure> {
    let Some(text) = explain(name) else {
        let words = format!("policy {name}: skydeck carries none of that name; `skydeck policy list` names them");
        return Err(Failure::new(Exit::NotFound, words));
    };
    if context.output.json {
        context.output.json_line(&json!({ "policy": name, "markdown": text }))?;
    } else {
        context.output.line(text)?;
    }
    Ok(Exit::Done)
}

/// Judges a plan's file, or the plan of a run that waits.
async fn check(context: &Context, run: Option<u32>, plan: Option<PathBuf>) -> Result<Exit, Failure> {
    let environment = &context.environment;
    let (what, findings) = match plan {
        Some(file) => {
            let what = file.display().to_string();
            let (name, settings) = (environment.clone(), context.loaded.settings.provisioning.clone());
            let judged = tokio::task::spawn_blocking(move || judge_file(&file, &name, &settings, Timestamp::now()));
            let cut_off = |_| Failure::new(Exit::Failed, "policies: judging was cut off; ask again");
            let findings = judged.await.map_err(cut_off)?.map_err(crate::owner::AskError::from)?;
            (what, findings)
        }
        None => {
            let ground = Ground::of(context).await?;
            ground.refresh().await;
            let run = plans::waiting(&ground, run).await?;
            (run.title(), context.provisioner.judge(environment, run.number).await?)
        }
    };
    write(context, &what, &findings)?;
    let denials = findings.iter().filter(|finding| finding.severity == FindingSeverity::Deny).count();
    if denials == 0 {
        return Ok(Exit::Done);
    }
    let s = if denials == 1 { "finding denies" } else { "findings deny" };
    Err(Failure::new(Exit::Denied, format!("{what}: {denials} {s} it; correct the configuration and plan again")))
}

fn write(context: &Context, what: &str, findings: &[Finding]) -> Result<(), Failure> {
    if context.output.json {
        return context.output.json_page(&json!({
            "environment": context.environment, "what": what, "findings": findings,
        }));
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (deny, warn) = (count(FindingSeverity::Deny), count(FindingSeverity::Warn));
    let head = format!("{}: {deny} DENY, {warn} WARN, {} INFO\n", printable(what), count(FindingSeverity::Info));
    context.output.text(&(head + &plans::findings(findings, context.output)))
}
