//! Plans as text, for snapshots.

use std::fmt::Write as _;

use skydeck::provisioning::plan::lines::lines;
use skydeck::provisioning::plan::model::{ChangeDetail, DiffNode, PlanOutline, PlannedChange};

pub fn nodes(nodes: &[DiffNode]) -> String {
    let mut text = String::new();
    for line in lines(nodes, 200, true) {
        let line = format!("{}{} {}", "  ".repeat(line.depth), line.difference.sign(), line.text);
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    text
}

fn change(change: &PlannedChange) -> String {
    let mut line = format!("{} {}", change.action.sign(), change.address);
    for (what, value) in [
        ("module", Some(&change.module).filter(|module| !module.is_empty())),
        ("cause", change.cause.as_ref()),
        ("was", change.previous_address.as_ref()),
        ("deposed", change.deposed.as_ref()),
        ("imports", change.importing.as_ref()),
    ] {
        if let Some(value) = value {
            let _ = write!(line, " | {what} {value}");
        }
    }
    if change.create_first {
        line.push_str(" | create first");
    }
    if change.data {
        line.push_str(" | data");
    }
    line
}

pub fn outline(plan: &PlanOutline) -> String {
    let mut text = format!(
        "format {} | applyable {} | complete {} | errored {} | {} | {} unchanged\n",
        plan.format_version, plan.applyable, plan.complete, plan.errored, plan.counts, plan.unchanged
    );
    plan.changes.iter().for_each(|one| text.push_str(&format!("{}\n", change(one))));
    text.push_str("drift\n");
    plan.drift.iter().for_each(|one| text.push_str(&format!("{}\n", change(one))));
    let _ = write!(text, "outputs\n{}", nodes(&plan.outputs));
    for variable in &plan.variables {
        let _ = writeln!(text, "variable {} = {}", variable.name, variable.value.line());
    }
    for check in &plan.checks {
        let _ = writeln!(text, "check {} {} {:?}", check.address, check.status, check.problems);
    }
    text
}

pub fn detail(detail: &ChangeDetail) -> String {
    format!("{}\n{}", change(&detail.change), nodes(&detail.attributes))
}
