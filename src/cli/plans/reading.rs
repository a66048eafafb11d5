//! A plan to read, as text: findings first, changes by module, what differs within each.

use jiff::Timestamp;

use super::diff;
use super::stake::findings;
use super::text::{ago, instant};
use crate::cli::output::{Output, Paint};
use crate::owner::{ChangeAction, ChangeDetail, PlanOutline, PlannedChange, Run};
use crate::station::text::printable;

/// What is shown of a plan, with the differences within its resources.
pub struct Reading<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its plan.
    pub plan: &'a PlanOutline,
    /// The differences of what changes, in the plan's order.
    pub changes: &'a [ChangeDetail],
    /// The differences of what has drifted, in the plan's order.
    pub drift: &'a [ChangeDetail],
}

/// The plan; without drift, outputs, variables and checks where only the changes are asked for.
pub fn text(of: &Reading<'_>, changes_only: bool, now: Timestamp, output: Output) -> String {
    let mut text = head(of, now, output);
    text.push_str(&findings(&of.run.findings, output));
    if of.plan.changes.is_empty() {
        text.push_str("\nno changes\n");
    } else {
        text.push_str(&format!("\nchanges: {}\n", of.plan.counts));
        text.push_str(&by_module(&of.plan.changes, of.changes, output));
    }
    if changes_only {
        return text;
    }
    if !of.plan.drift.is_empty() {
        text.push_str(&format!("\nchanged behind Terraform ({}):\n", of.plan.drift.len()));
        text.push_str(&by_module(&of.plan.drift, of.drift, output));
    }
    if !of.plan.outputs.is_empty() {
        text.push_str(&format!("\noutputs:\n{}", diff::lines(&of.plan.outputs, 2, output)));
    }
    if !of.plan.variables.is_empty() {
        text.push_str("\nvariables:\n");
        for variable in &of.plan.variables {
            text.push_str(&format!("  {} = {}\n", printable(&variable.name), variable.value.line()));
        }
    }
    if !of.plan.checks.is_empty() {
        text.push_str(&format!("\nchecks: {}\n", of.plan.checks_passed()));
        for check in of.plan.checks.iter().filter(|check| check.status != "pass") {
            let paint = if check.fails() { Paint::Fail } else { Paint::Dim };
            let status = output.paint(paint, &printable(&check.status));
            text.push_str(&format!("  {status}  {}\n", printable(&check.address)));
            for problem in &check.problems {
                text.push_str(&format!("        {}\n", printable(problem)));
            }
        }
    }
    text
}

fn head(of: &Reading<'_>, now: Timestamp, output: Output) -> String {
    let (run, plan) = (of.run, of.plan);
    let mut text = format!("{}: {}\n", output.paint(Paint::Bold, &run.title()), run.phase.label());
    let by = run.planned_by();
    let age = run.planned_at.map_or_else(String::new, |at| format!(" {}", ago(at, now)));
    text.push_str(&format!("planned{age} by {} with Terraform {}", printable(by), printable(&plan.terraform_version)));
    text.push_str(&format!(", {} unchanged\n", plan.unchanged));
    for approval in &run.approvals {
        let until = instant(approval.expires_at);
        text.push_str(&format!("approved by {} until {until}\n", printable(&approval.by)));
    }
    for moved in &run.moved {
        text.push_str(&format!("{} {}\n", output.paint(Paint::Warn, "moved since:"), printable(moved)));
    }
    if plan.errored {
        text.push_str(&output.paint(Paint::Fail, "planning failed half-way: this isn't all"));
        text.push('\n');
    } else if !plan.complete {
        text.push_str("limited to some addresses: this isn't all that the configuration would change\n");
    }
    text
}

/// The changes under headings of their modules, each with its difference.
fn by_module(changes: &[PlannedChange], details: &[ChangeDetail], output: Output) -> String {
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by(|a, b| changes[*a].module.cmp(&changes[*b].module).then(a.cmp(b)));
    let detail_of: std::collections::HashMap<usize, &ChangeDetail> =
        details.iter().map(|detail| (detail.index, detail)).collect();
    let mut text = String::new();
    let mut module = "";
    for index in order {
        let change = &changes[index];
        if change.module != module {
            module = &change.module;
            text.push_str(&format!("  {}\n", output.paint(Paint::Bold, &printable(module))));
        }
        let indent = if module.is_empty() { 2 } else { 4 };
        text.push_str(&format!("{}{}\n", " ".repeat(indent), title(change, output)));
        if let Some(detail) = detail_of.get(&index) {
            text.push_str(&diff::lines(&detail.attributes, indent + 4, output));
        }
    }
    text
}

/// One resource with its secrets in clear, as somebody asked for.
pub fn revealed(run: &Run, detail: &ChangeDetail, output: Output) -> String {
    let head = format!("{}: REVEALED, written to the audit trail", run.title());
    let mut text = format!("{}\n{}\n", output.paint(Paint::Warn, &head), title(&detail.change, output));
    text.push_str(&diff::lines(&detail.attributes, 2, output));
    text
}

/// `-/+ azurerm_storage_account.messages  (can't be changed in place: name)`.
fn title(change: &PlannedChange, output: Output) -> String {
    let sign = match (change.action, change.create_first) {
        (ChangeAction::Replace, true) => "+/-",
        (action, _) => action.sign(),
    };
    let paint = match change.action {
        ChangeAction::Create | ChangeAction::Import => Paint::Ok,
        ChangeAction::Delete | ChangeAction::Replace => Paint::Fail,
        ChangeAction::Update | ChangeAction::Move | ChangeAction::Forget => Paint::Warn,
        ChangeAction::Read => Paint::Dim,
    };
    let mut notes: Vec<String> = Vec::new();
    let paths = change.replace_paths.join(", ");
    match (&change.cause, paths.is_empty()) {
        (Some(cause), true) => notes.push(cause.clone()),
        (Some(cause), false) => notes.push(format!("{cause}: {paths}")),
        (None, false) => notes.push(format!("because of {paths}")),
        (None, true) => {}
    }
    notes.extend(change.previous_address.as_ref().map(|before| format!("was {before}")));
    notes.extend(change.deposed.as_ref().map(|key| format!("deposed object {key}")));
    notes.extend(change.importing.as_ref().map(|id| format!("imports {id}")));
    let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join("; ")) };
    format!("{} {}{}", output.paint(paint, sign), printable(&change.address), printable(&notes))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::owner::PlanList;

    const PLAIN: Output = Output { json: false, color: false };

    #[test]
    fn a_plan_is_read_from_its_findings_to_its_checks() {
        let (run, plan) = (fixture::denied(), fixture::plan());
        let (changes, drift) = (fixture::details(PlanList::Changes, 0, 9), fixture::details(PlanList::Drift, 0, 9));
        let reading = Reading { run: &run, plan: &plan, changes: &changes, drift: &drift };
        insta::assert_snapshot!("reading", text(&reading, false, fixture::now(), PLAIN));
        let short = text(&reading, true, fixture::now(), PLAIN);
        assert!(!short.contains("outputs") && short.contains("EMULATED"), "{short}");
        let coloured = text(&reading, true, fixture::now(), Output { json: false, color: true });
        assert!(coloured.contains("\u{1b}[31m-/+\u{1b}[0m") || coloured.contains("\u{1b}[31m+/-\u{1b}[0m"));
        assert!(revealed(&run, &changes[0], PLAIN).contains("REVEALED"));
    }
}
