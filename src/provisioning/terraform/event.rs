//! The JSON lines that Terraform's init, plan and apply write with `-json` (format `ui` 1.x).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::text::plain;
use crate::provisioning::run::{ChangeAction, Diagnostic, LogLevel, Progress, ResourceChange};
use crate::station::text::printable;

/// One line, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When Terraform wrote it; absent in a line that isn't JSON.
    pub at: Option<Timestamp>,
    /// How bad it is.
    pub level: LogLevel,
    /// What it says to people, printable; may have several lines. Secrets are still in it.
    pub text: String,
    /// What it says to programs.
    pub event: Event,
}

/// What a line says to programs.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A resource is to be changed.
    Planned(ResourceChange),
    /// A resource was changed behind Terraform's back.
    Drifted(ResourceChange),
    /// A resource is being changed, imported or read.
    Started {
        /// Its address.
        address: String,
        /// What is being done; `None` for an action that isn't known here.
        action: Option<ChangeAction>,
    },
    /// That was done.
    Done {
        /// Its address.
        address: String,
        /// What was done.
        action: Option<ChangeAction>,
    },
    /// That failed; a diagnostic says why.
    Failed {
        /// Its address.
        address: String,
    },
    /// An error or a warning.
    Diagnostic(Diagnostic),
    /// Outputs that change, by name.
    Outputs(Vec<String>),
    /// Only for people.
    Words,
    /// Of a type that isn't known here.
    Unknown(String),
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "@level", default)]
    level: String,
    #[serde(rename = "@message", default)]
    message: String,
    #[serde(rename = "@timestamp")]
    timestamp: Option<String>,
    #[serde(rename = "type", default)]
    kind: String,
    change: Option<RawChange>,
    hook: Option<RawHook>,
    diagnostic: Option<RawDiagnostic>,
    #[serde(default)]
    outputs: BTreeMap<String, RawOutput>,
}

#[derive(Deserialize)]
struct RawChange {
    resource: RawResource,
    action: String,
    reason: Option<String>,
    importing: Option<RawImport>,
}

#[derive(Deserialize)]
struct RawImport {
    #[serde(default)]
    id: String,
}

#[derive(Deserialize)]
struct RawHook {
    resource: Option<RawResource>,
    action: Option<String>,
}

#[derive(Deserialize)]
struct RawResource {
    addr: String,
    #[serde(default)]
    resource_type: String,
}

#[derive(Deserialize)]
struct RawOutput {
    action: Option<String>,
}

/// One diagnostic, as in the lines and in the answer of `validate -json`.
#[derive(Deserialize)]
struct RawDiagnostic {
    severity: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    detail: String,
    address: Option<String>,
    range: Option<RawRange>,
}

#[derive(Deserialize)]
struct RawRange {
    filename: String,
    start: RawPosition,
}

#[derive(Deserialize)]
struct RawPosition {
    line: u64,
}

#[derive(Deserialize)]
struct RawValidation {
    diagnostics: Vec<RawDiagnostic>,
}

/// Reads one line. What isn't JSON of that format is words.
#[must_use]
pub fn parse(line: &str) -> Line {
    let Ok(raw) = serde_json::from_str::<Raw>(line) else {
        return Line { at: None, level: LogLevel::Info, text: plain(line), event: Event::Words };
    };
    let level = match raw.level.as_str() {
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warning,
        _ => LogLevel::Info,
    };
    let at = raw.timestamp.as_deref().and_then(|time| time.parse().ok());
    let text = match (&raw.diagnostic, raw.message.is_empty()) {
        (Some(diagnostic), _) => diagnostic.words(),
        (None, true) => plain(line),
        (None, false) => plain(&raw.message),
    };
    Line { at, level, text, event: event(raw) }
}

/// The diagnostics of `validate -json`; `None` where `text` isn't its answer.
#[must_use]
pub fn validation(text: &str) -> Option<Vec<Diagnostic>> {
    let raw: RawValidation = serde_json::from_str(text).ok()?;
    Some(raw.diagnostics.into_iter().map(RawDiagnostic::into_diagnostic).collect())
}

/// A diagnostic in the lines of a log: severity and summary, where, the detail.
#[must_use]
pub fn words(diagnostic: &Diagnostic) -> String {
    let mut text = format!("{}: {}", if diagnostic.error { "Error" } else { "Warning" }, diagnostic.summary);
    let place = [diagnostic.address.as_deref(), diagnostic.place.as_deref()];
    let place: Vec<_> = place.into_iter().flatten().collect();
    if !place.is_empty() {
        text += &format!("\n  {}", place.join(", "));
    }
    for line in diagnostic.detail.lines().filter(|line| !line.trim().is_empty()) {
        text += &format!("\n  {line}");
    }
    text
}

fn event(raw: Raw) -> Event {
    let address = |hook: Option<RawHook>| {
        let hook = hook?;
        Some((printable(&hook.resource?.addr), hook.action.as_deref().and_then(action)))
    };
    let known = match raw.kind.as_str() {
        "planned_change" => raw.change.and_then(RawChange::into_change).map(Event::Planned),
        "resource_drift" => raw.change.and_then(RawChange::into_change).map(Event::Drifted),
        "apply_start" => address(raw.hook).map(|(address, action)| Event::Started { address, action }),
        "apply_complete" => address(raw.hook).map(|(address, action)| Event::Done { address, action }),
        "apply_errored" => address(raw.hook).map(|(address, _)| Event::Failed { address }),
        "diagnostic" => raw.diagnostic.map(|raw| Event::Diagnostic(raw.into_diagnostic())),
        "outputs" => {
            let changes = raw.outputs.into_iter();
            let changed = changes.filter(|(_, output)| output.action.as_deref().is_some_and(|action| action != "noop"));
            Some(Event::Outputs(changed.map(|(name, _)| printable(&name)).collect()))
        }
        "version"
        | "log"
        | "init_output"
        | "refresh_start"
        | "refresh_complete"
        | "apply_progress"
        | "provision_start"
        | "provision_progress"
        | "provision_complete"
        | "provision_errored"
        | "change_summary"
        | "state_lock_acquire"
        | "state_lock_release"
        | "ephemeral_op_start"
        | "ephemeral_op_progress"
        | "ephemeral_op_complete"
        | "ephemeral_op_errored" => Some(Event::Words),
        _ => None,
    };
    known.unwrap_or_else(|| Event::Unknown(printable(&raw.kind)))
}

/// An action by its name in the lines; `None` for `noop` and what isn't known here.
fn action(name: &str) -> Option<ChangeAction> {
    Some(match name {
        "create" => ChangeAction::Create,
        "update" => ChangeAction::Update,
        "replace" => ChangeAction::Replace,
        "delete" => ChangeAction::Delete,
        "import" => ChangeAction::Import,
        "remove" | "forget" => ChangeAction::Forget,
        "move" => ChangeAction::Move,
        "read" => ChangeAction::Read,
        _ => return None,
    })
}

impl RawChange {
    fn into_change(self) -> Option<ResourceChange> {
        Some(ResourceChange {
            address: printable(&self.resource.addr),
            kind: printable(&self.resource.resource_type),
            action: action(&self.action)?,
            reason: self.reason.map(|reason| printable(&reason)),
            importing: self.importing.map(|importing| printable(&importing.id)),
            progress: Progress::Pending,
        })
    }
}

impl RawDiagnostic {
    fn into_diagnostic(self) -> Diagnostic {
        Diagnostic {
            error: self.severity != "warning",
            summary: printable(&self.summary),
            detail: plain(&self.detail),
            address: self.address.map(|address| printable(&address)),
            place: self.range.map(|range| format!("{}:{}", printable(&range.filename), range.start.line)),
        }
    }

    fn words(&self) -> String {
        let place = self.range.as_ref().map(|range| format!("{}:{}", printable(&range.filename), range.start.line));
        words(&Diagnostic {
            error: self.severity != "warning",
            summary: printable(&self.summary),
            detail: plain(&self.detail),
            address: self.address.as_deref().map(printable),
            place,
        })
    }
}

#[cfg(test)]
mod tests;
