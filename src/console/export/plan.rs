//! A plan as Markdown, HTML and JSON, as `skydeck show` writes them.

use std::sync::Arc;

use super::Format;
use crate::owner::export::{Report, html, json, markdown};
use crate::owner::{ChangeDetail, PlanOutline, Run};

/// A run's plan. Its differences are empty until the console's runner has asked for all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanReport {
    /// Name for files and lists: `plan-staging-7`.
    pub name: String,
    /// The run.
    pub run: Arc<Run>,
    /// Its plan.
    pub plan: Arc<PlanOutline>,
    /// Differences of what changes, in the plan's order.
    pub changes: Vec<ChangeDetail>,
    /// Differences of what was changed behind Terraform's back, in the plan's order.
    pub drift: Vec<ChangeDetail>,
    /// Where the repository's files are read in a browser, once the console's runner has said so.
    pub repository: Option<String>,
}

impl PlanReport {
    /// A run's plan, its differences still to be asked for.
    #[must_use]
    pub fn of(run: &Run, plan: &Arc<PlanOutline>) -> Self {
        Self {
            name: format!("plan-{}-{}", run.environment, run.number),
            run: Arc::new(run.clone()),
            plan: Arc::clone(plan),
            changes: Vec::new(),
            drift: Vec::new(),
            repository: None,
        }
    }

    /// Differences that it has when it is whole.
    #[must_use]
    pub fn total(&self) -> usize {
        self.plan.changes.len() + self.plan.drift.len()
    }
}

/// The file's text; absent where a plan can't be written in that format.
pub(super) fn text(report: &PlanReport, format: Format) -> Option<String> {
    let of = Report {
        run: &report.run,
        plan: &report.plan,
        changes: &report.changes,
        drift: &report.drift,
        repository: report.repository.as_deref(),
    };
    match format {
        Format::Markdown => Some(markdown(&of)),
        Format::Html => Some(html(&of)),
        Format::Json => Some(json(&of)),
        Format::Csv | Format::Png | Format::Svg => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::export::Exportable;
    use crate::console::fixture::provisioning::{RICH, plan, run};

    #[test]
    fn a_plan_is_written_in_the_formats_it_names_and_in_no_other() {
        let report = PlanReport::of(&run(RICH), &Arc::new(plan::outline()));
        assert!(report.total() > 0);
        let item = Exportable::Plan(report.clone());
        let (pipeline, wall) = (jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::MAX);
        assert_eq!(item.at(pipeline, wall), wall, "a replay's time says nothing of a plan");
        for format in item.formats() {
            let text = text(&report, *format).expect("a format of plans");
            assert!(text.contains("azurerm_"), "{format:?}: {text}");
        }
        assert_eq!(text(&report, Format::Csv), None);
    }
}
