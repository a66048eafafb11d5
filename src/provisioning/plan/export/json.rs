//! A plan as JSON, for other programs. The shape is described in `docs/src/reference/plans.md`.

use jiff::Timestamp;
use serde::Serialize;

use super::{Report, Verdict};
use crate::provisioning::approval::record::{ApprovalView, PlanRecord};
use crate::provisioning::plan::model::{ChangeDetail, PlanOutline};
use crate::provisioning::policy::finding::Finding;
use crate::provisioning::run::{Operation, Phase};
use crate::settings::EnvironmentName;

/// Version of the shape. It rises when something is taken away or means something else.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema: u32,
    environment: &'a EnvironmentName,
    emulated: bool,
    run: u32,
    operation: Operation,
    phase: Phase,
    verdict: Verdict,
    words: String,
    planned_by: &'a str,
    planned_at: Option<Timestamp>,
    plan: &'a PlanOutline,
    findings: &'a [Finding],
    approvals: &'a [ApprovalView],
    moved: &'a [String],
    record: Option<&'a PlanRecord>,
    changes: &'a [ChangeDetail],
    drift: &'a [ChangeDetail],
}

/// The report as indented JSON with a line break at its end.
#[must_use]
pub fn json(report: &Report<'_>) -> String {
    let run = report.run;
    let document = Document {
        schema: SCHEMA,
        environment: &run.environment,
        emulated: run.emulated,
        run: run.number,
        operation: run.request.operation,
        phase: run.phase,
        verdict: report.verdict(),
        words: report.words(),
        planned_by: report.planned_by(),
        planned_at: report.plan.made_at.or(run.planned_at),
        plan: report.plan,
        findings: &run.findings,
        approvals: &run.approvals,
        moved: &run.moved,
        record: run.record.as_ref(),
        changes: report.changes,
        drift: report.drift,
    };
    // Every key is a text and every number finite: it can't fail.
    serde_json::to_string_pretty(&document).map_or_else(|_| "{}\n".to_owned(), |text| text + "\n")
}
