//! What is at stake with a plan, in words: what it loses, what policies say of it.

use jiff::Timestamp;

use super::text::{ago, instant};
use crate::cli::output::{Output, Paint};
use crate::cli::table::{Align, table};
use crate::owner::{Finding, FindingSeverity, Run};
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// Findings that a line of words names.
const NAMED: usize = 3;

/// Whether it is prod, where no plan is applied unasked.
pub fn is_prod(environment: &EnvironmentName) -> bool {
    environment.as_str() == "prod" || environment.as_str().starts_with("prod-")
}

/// Everything that policies say, the gravest first; nothing where they say nothing.
pub fn findings(findings: &[Finding], output: Output) -> String {
    let mut text = String::new();
    for finding in findings {
        let paint = match finding.severity {
            FindingSeverity::Deny => Paint::Fail,
            FindingSeverity::Warn => Paint::Warn,
            FindingSeverity::Info => Paint::Dim,
        };
        let label = output.paint(paint, finding.severity.label());
        text.push_str(&format!("{label}  {}: {}\n", printable(&finding.policy), printable(&finding.message)));
        if !finding.addresses.is_empty() {
            text.push_str(&format!("      {}\n", printable(&finding.addresses.join(", "))));
        }
        if let Some(explanation) = finding.see() {
            text.push_str(&format!("      see {}\n", printable(&explanation)));
        }
    }
    text
}

/// What denies the plan, in a line.
pub fn denials(run: &Run) -> String {
    let denials: Vec<_> = run.findings.iter().filter(|finding| finding.severity == FindingSeverity::Deny).collect();
    let mut words: Vec<_> =
        denials.iter().take(NAMED).map(|finding| format!("{}: {}", finding.policy, finding.message)).collect();
    if denials.len() > NAMED {
        words.push(format!("and {} more", denials.len() - NAMED));
    }
    printable(&words.join("; "))
}

/// Every deletion and replacement by address, before it is confirmed.
pub fn losses(run: &Run) -> String {
    let rows: Vec<_> = run
        .destroyed()
        .map(|change| {
            let why = change.why().map_or_else(String::new, |why| format!("({why})"));
            vec![change.action.sign().to_owned(), printable(&change.address), printable(&why)]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = [("", Align::Left), ("", Align::Left), ("", Align::Left)];
    let lines: String = table(&columns, &rows).lines().skip(1).map(|line| format!("  {line}\n")).collect();
    let trash = run.trash().map_or_else(String::new, |trash| format!("{trash}\n"));
    format!("{} destroys or replaces:\n{lines}{trash}", run.title())
}

/// What is approved: counts, the plan's age, losses, findings.
pub fn at_stake(run: &Run, now: Timestamp) -> String {
    let counts = run.counts.unwrap_or_default();
    let by = run.planned_by();
    let planned = run.planned_at.map_or_else(String::new, |at| format!(", planned {}", ago(at, now)));
    let mut text = format!("{}: {counts}{planned} by {}\n", run.title(), printable(by));
    text.push_str(&losses(run));
    text.push_str(&findings(&run.findings, Output { json: false, color: false }));
    for approval in &run.approvals {
        let until = instant(approval.expires_at);
        text.push_str(&format!("approved already by {} until {until}\n", printable(&approval.by)));
    }
    text
}

/// Why something has to be confirmed, in a few words.
pub fn stakes(run: &Run, overrides: bool) -> String {
    let lost = run.destroyed().count();
    let s = if lost == 1 { "" } else { "s" };
    match lost {
        0 if overrides => "it overrides what a policy denies".to_owned(),
        0 => format!("it changes {}", run.environment),
        lost => format!("it destroys or replaces {lost} resource{s}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn what_is_at_stake_is_repeated_whole() {
        let mut run = fixture::denied();
        run.approvals = fixture::approvals();
        insta::assert_snapshot!("at_stake", at_stake(&run, fixture::now()));
        insta::assert_snapshot!("losses", losses(&run));
        assert!(losses(&run).contains("EMULATED"));
    }

    #[test]
    fn prod_is_known_by_its_name_and_a_command_names_its_environment() {
        let is = |name: &str| is_prod(&name.parse().expect("a name"));
        assert_eq!(["prod", "prod-eu", "production", "staging"].map(is), [true, true, false, false]);
    }
}
