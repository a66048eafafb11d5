//! Signs and styles of runs and changes; never a colour alone.

use jiff::Timestamp;
use ratatui::style::Style;

use crate::console::theme::Theme;
use crate::console::widgets::value::{age, age_s, seconds};
use crate::owner::{
    ChangeAction, EnvironmentStatus, FindingSeverity, LogLevel, Operation, Phase, PlanList, PlanOutline, PlannedChange,
    Progress, RunSummary,
};
use crate::station::text::printable;

/// A phase's sign, one cell wide.
pub const fn sign(phase: Phase) -> &'static str {
    match phase {
        Phase::Applied | Phase::Unchanged => "●",
        Phase::Failed => "✖",
        Phase::Planned => "▲",
        Phase::Approved => "◆",
        Phase::Queued | Phase::Discarded | Phase::Stale | Phase::Expired => "○",
        Phase::Initialising
        | Phase::CheckingFormat
        | Phase::Validating
        | Phase::Planning
        | Phase::Checking
        | Phase::Applying => "»",
    }
}

/// A phase's style.
pub const fn style(phase: Phase, theme: &Theme) -> Style {
    match phase {
        Phase::Applied | Phase::Unchanged => theme.ok,
        Phase::Failed => theme.fail,
        Phase::Planned | Phase::Approved => theme.warn,
        Phase::Queued | Phase::Discarded | Phase::Stale | Phase::Expired => theme.dim,
        Phase::Initialising
        | Phase::CheckingFormat
        | Phase::Validating
        | Phase::Planning
        | Phase::Checking
        | Phase::Applying => theme.notice,
    }
}

/// An action's style.
pub const fn action_style(action: ChangeAction, theme: &Theme) -> Style {
    match action {
        ChangeAction::Create | ChangeAction::Import => theme.ok,
        ChangeAction::Update | ChangeAction::Replace => theme.warn,
        ChangeAction::Delete => theme.fail,
        ChangeAction::Move | ChangeAction::Forget | ChangeAction::Read => theme.dim,
    }
}

/// A change's sign; a new one that is made before the old one is destroyed has `+/-`.
pub const fn change_sign(change: &PlannedChange) -> &'static str {
    match change.action {
        ChangeAction::Replace if change.create_first => "+/-",
        action => action.sign(),
    }
}

/// Why a change is made and what else is to know of it, in a line; not printable yet.
pub fn why(change: &PlannedChange, list: PlanList) -> String {
    let mut parts = Vec::new();
    if list == PlanList::Drift {
        parts.push("changed behind Terraform".to_owned());
    }
    parts.extend(change.deposed.as_ref().map(|key| format!("deposed {key}")));
    parts.extend(change.previous_address.as_ref().map(|before| format!("was {before}")));
    parts.extend(change.importing.as_ref().map(|id| format!("imports {id}")));
    if change.replace_paths.is_empty() {
        parts.extend(change.cause.clone());
    } else {
        parts.push(format!("forces replacement: {}", change.replace_paths.join(", ")));
    }
    parts.join(" · ")
}

/// One of a plan's two lists.
pub fn listed(plan: &PlanOutline, list: PlanList) -> &[PlannedChange] {
    match list {
        PlanList::Changes => &plan.changes,
        PlanList::Drift => &plan.drift,
    }
}

/// Whether resources of this type hold data that are lost with them.
pub fn holds_data(kind: &str) -> bool {
    matches!(
        kind,
        "azurerm_resource_group"
            | "azurerm_storage_account"
            | "azurerm_storage_container"
            | "azurerm_iothub"
            | "azurerm_key_vault"
            | "snowflake_database"
            | "snowflake_schema"
            | "snowflake_table"
    )
}

/// A finding's style.
pub const fn severity_style(severity: FindingSeverity, theme: &Theme) -> Style {
    match severity {
        FindingSeverity::Deny => theme.fail,
        FindingSeverity::Warn => theme.warn,
        FindingSeverity::Info => theme.dim,
    }
}

/// A log line's style.
pub const fn level_style(level: LogLevel, theme: &Theme) -> Style {
    match level {
        LogLevel::Info => theme.text,
        LogLevel::Warning => theme.warn,
        LogLevel::Error => theme.fail,
    }
}

/// How far an apply is with a resource, and its style.
pub fn progress(progress: &Progress, now: Timestamp, theme: &Theme) -> (String, Style) {
    match progress {
        Progress::Pending => ("○ pending".into(), theme.dim),
        Progress::Running { since } => (format!("» {}", age(*since, now)), theme.notice),
        Progress::Done { took_s } => (format!("✓ {}", seconds(*took_s)), theme.ok),
        Progress::Failed { .. } => ("✖ failed".into(), theme.fail),
        Progress::Skipped => ("○ not begun".into(), theme.warn),
    }
}

/// A run's operation and phase: `planned`, `destroy planned`, `applying 12/46`.
pub fn standing(run: &RunSummary) -> String {
    match run.operation {
        Operation::Plan => run.standing(),
        operation => format!("{} {}", operation.label(), run.standing()),
    }
}

/// How long a run has been as it is: at work, waiting, or ended.
pub fn since(run: &RunSummary, now: Timestamp) -> String {
    let from = match run.phase {
        Phase::Planned => run.planned_at,
        _ => run.ended_at,
    };
    let whole = age(from.unwrap_or(run.asked_at), now);
    // Its first unit is enough in a list.
    whole.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// How long a run's steps took, where it has ended or is at work.
pub fn took(run: &RunSummary, now: Timestamp) -> String {
    if run.phase.is_active() { seconds(age_s(run.asked_at, now)) } else { seconds(run.took_s) }
}

/// A run in a line of text.
pub fn run_line(environment: &EnvironmentStatus, run: &RunSummary) -> String {
    let emulated = if environment.emulated { " EMULATED" } else { "" };
    let counts = run.counts.map(|counts| format!(" {counts}")).unwrap_or_default();
    printable(&format!("run {} of {}{emulated}: {}{counts}", run.number, environment.environment, standing(run)))
}
