//! Plans that Terraform made (`tests/fixtures/plans`), as they are read and drawn.

use std::sync::Arc;

use super::*;
use crate::owner::{Answer, PlanList, ResourceChange};
use crate::provisioning::plan::model::PlannedChange;
use crate::provisioning::plan::read::PlanReading;

const CASES: [&str; 5] = ["shapes", "nested", "deposed", "errored", "azure"];

fn read(case: &str) -> PlanReading {
    let path = format!("{}/tests/fixtures/plans/{case}/plan.json", env!("CARGO_MANIFEST_DIR"));
    PlanReading::read(&std::fs::read(path).expect("a fixture")).expect("a plan")
}

/// What an owner that has this plan answers.
fn answered(plan: &PlanReading, request: &Request) -> Answer {
    match request {
        Request::Run { .. } => Answer::Run { run: Box::new(run(plan)) },
        Request::Plan { .. } => Answer::Plan { plan: Arc::new(plan.outline()) },
        Request::PlanDetails { list, from, count, .. } => {
            Answer::PlanDetails { details: plan.details(*list).skip(*from).take(*count).collect() }
        }
        Request::RunLog { .. } => Answer::RunLog { lines: Vec::new() },
        other => answer(other),
    }
}

fn run(plan: &PlanReading) -> crate::owner::Run {
    let outline = plan.outline();
    let told = |of: &PlannedChange| ResourceChange {
        address: of.address.clone(),
        kind: of.kind.clone(),
        action: of.action,
        reason: None,
        importing: of.importing.clone(),
        progress: crate::owner::Progress::Pending,
    };
    let mut run = crate::console::fixture::provisioning::run(PLANNED);
    run.changes = outline.changes.iter().map(told).collect();
    run.drift = outline.drift.iter().map(told).collect();
    run.counts = Some(outline.counts);
    run
}

fn fed(screen: &mut Plans, plan: &PlanReading, ctx: &crate::console::screens::Context<'_>) {
    for _ in 0..6 {
        for request in screen.wants(ctx) {
            screen.receive(&request, Ok(&answered(plan, &request)), ctx);
        }
    }
}

/// The screen with the change at `place` selected and its difference read whole.
fn drawn(plan: &PlanReading, downs: usize, columns: u16, rows: u16) -> String {
    let snapshot = snapshot(status(PLANNED));
    let mut screen = Plans::default();
    with_context(&snapshot, columns, rows, |ctx| {
        fed(&mut screen, plan, ctx);
        screen.update(Action::FocusNext, ctx);
        for _ in 0..downs {
            screen.update(Action::Down, ctx);
        }
        fed(&mut screen, plan, ctx);
        let mut buffer = ratatui::buffer::Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, ctx);
        text_of(&buffer)
    })
}

#[test]
fn plans_of_terraform_at_three_sizes() {
    // What Terraform makes up by the hour.
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID");
    settings.bind(|| {
        for case in CASES {
            let plan = read(case);
            for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
                insta::assert_snapshot!(format!("made_{case}_{columns}x{rows}"), drawn(&plan, 0, columns, rows));
            }
        }
    });
}

#[test]
fn every_change_of_terraforms_plans_is_drawn_without_its_secrets() {
    for case in CASES {
        let plan = read(case);
        let secrets: Vec<String> = marked(&plan);
        for downs in 0..plan.count(PlanList::Changes) + 8 {
            let text = drawn(&plan, downs, 250, 80);
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "{case}: {secret:?}\n{text}");
            }
        }
    }
}

/// Texts that stand under a mask, long enough to be told from a word.
fn marked(plan: &PlanReading) -> Vec<String> {
    fn collect(value: &serde_json::Value, mask: &serde_json::Value, found: &mut Vec<String>) {
        match (value, mask) {
            (serde_json::Value::String(text), serde_json::Value::Bool(true)) if text.len() >= 16 => {
                found.push(text.clone());
            }
            (serde_json::Value::Object(values), mask) => {
                let of = |key: &str| if mask == true { mask.clone() } else { mask[key].clone() };
                values.iter().for_each(|(key, value)| collect(value, &of(key), found));
            }
            (serde_json::Value::Array(values), mask) => {
                let of = |at: usize| if mask == true { mask.clone() } else { mask[at].clone() };
                values.iter().enumerate().for_each(|(at, value)| collect(value, &of(at), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for change in plan.json()["resource_changes"].as_array().into_iter().flatten() {
        for (side, mask) in [("before", "before_sensitive"), ("after", "after_sensitive")] {
            collect(&change["change"][side], &change["change"][mask], &mut found);
        }
    }
    found
}
