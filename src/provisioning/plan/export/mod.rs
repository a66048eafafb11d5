//! A plan to be handed around: as Markdown for a pull request's comment, as one HTML file, as JSON.
//!
//! All say whether the plan is emulated. Nothing in them is secret as long as nothing in the report was revealed.

mod html;
mod json;
mod markdown;

pub use html::html;
pub use json::json;
pub use markdown::{LONGEST as LONGEST_MARKDOWN, markdown};

use super::model::{ChangeDetail, PlanOutline, PlannedChange};
use crate::provisioning::policy::finding::Severity;
use crate::provisioning::run::{ChangeAction, Run};
use crate::station::text::counted;

/// What is exported: a run, its plan, and the differences within what it changes.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its plan.
    pub plan: &'a PlanOutline,
    /// Differences of its changes; those that aren't given are listed without.
    pub changes: &'a [ChangeDetail],
    /// Differences of what was changed behind Terraform's back.
    pub drift: &'a [ChangeDetail],
    /// Where the repository's files are read in a browser (`provisioning.repository_url`).
    pub repository: Option<&'a str>,
}

/// What matters most of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Planning failed half-way.
    Errored,
    /// The policies deny it.
    Denied,
    /// It changes something.
    Changes,
    /// It changes nothing.
    NoChanges,
}

impl Report<'_> {
    /// What matters most of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.plan.errored {
            Verdict::Errored
        } else if self.findings(Severity::Deny) > 0 {
            Verdict::Denied
        } else if self.plan.changes.is_empty() && self.plan.drift.is_empty() && self.plan.outputs.is_empty() {
            Verdict::NoChanges
        } else {
            Verdict::Changes
        }
    }

    /// The verdict in words, without a full stop.
    #[must_use]
    pub fn words(&self) -> String {
        match self.verdict() {
            Verdict::Errored => "Planning failed half-way: this plan can't be applied".to_owned(),
            Verdict::Denied => format!("DENIED by {}", counted(self.findings(Severity::Deny), "finding")),
            Verdict::NoChanges => "No changes: everything is as it is described".to_owned(),
            Verdict::Changes => match self.findings(Severity::Warn) {
                0 => "Changes are planned, and no policy has anything against them".to_owned(),
                warnings => format!("Changes are planned, with {}", counted(warnings, "warning")),
            },
        }
    }

    /// The address at which `explanation` is read: its own, or that of a file of the repository. `None` where it is a file
    /// and nobody said where the repository is.
    fn link(&self, explanation: &str) -> Option<String> {
        // Nothing in it may end the link.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@$&*+,;=%".contains(c);
        if !explanation.chars().all(is_plain) {
            return None;
        }
        if explanation.starts_with("https://") {
            return Some(explanation.to_owned());
        }
        let is_file = !explanation.contains(':') && !explanation.starts_with('/');
        let base = self.repository.filter(|_| is_file)?;
        Some(format!("{}/{explanation}", base.trim_end_matches('/')))
    }

    fn findings(&self, severity: Severity) -> usize {
        self.run.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// `run 7 · staging · EMULATED · destroy`.
    fn title(&self) -> String {
        self.run.title()
    }

    /// Who planned it: a label.
    fn planned_by(&self) -> &str {
        self.run.planned_by()
    }

    /// When and by whom and with what.
    fn origin(&self) -> String {
        let mut parts = vec![format!("{} unchanged", self.plan.unchanged)];
        if let Some(at) = self.plan.made_at.or(self.run.planned_at) {
            parts.push(format!("planned {} by {}", at.strftime("%Y-%m-%d %H:%M UTC"), self.planned_by()));
        }
        parts.push(format!("Terraform {}", self.plan.terraform_version));
        parts.push(format!("run is {}", self.run.phase.label()));
        parts.join(" · ")
    }

    /// What is destroyed for good or to make it again.
    fn destroyed(&self) -> impl Iterator<Item = &PlannedChange> {
        self.plan.changes.iter().filter(|change| matches!(change.action, ChangeAction::Replace | ChangeAction::Delete))
    }
}

/// Terraform's sign; a replacement that makes the new one first has its own.
const fn sign(change: &PlannedChange) -> &'static str {
    match change.action {
        ChangeAction::Replace if change.create_first => "+/-",
        action => action.sign(),
    }
}

/// What is done to a resource, in a line, without its address: `can't be changed in place: name · was a.b`.
fn remarks(change: &PlannedChange) -> String {
    let mut remarks: Vec<String> = change.cause.clone().into_iter().collect();
    if change.action == ChangeAction::Replace && change.create_first {
        remarks.push("the new one is made first".to_owned());
    }
    if let Some(previous) = &change.previous_address {
        remarks.push(format!("moved from {previous}"));
    }
    if let Some(id) = &change.importing {
        remarks.push(format!("imported by {id}"));
    }
    if let Some(key) = &change.deposed {
        remarks.push(format!("deposed {key}"));
    }
    remarks.join(" · ")
}

/// Characters of a value before it is cut in the outputs of a report.
const LONGEST_VALUE: usize = 600;
