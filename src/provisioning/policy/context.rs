//! What the policies are told beside the plan: `input.skydeck`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::settings::{ChangeWindow, EnvironmentKind, EnvironmentName};

/// How far ahead a policy may look for what ends soon.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The circumstances under which a plan is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyContext {
    /// The environment.
    pub environment: EnvironmentName,
    /// Wall clock.
    pub now: Timestamp,
    /// When prod may be changed; absent is always.
    pub change_window: Option<ChangeWindow>,
    /// Whether the providers are emulated.
    pub emulated: bool,
}

impl PolicyContext {
    /// As the policies see it: `{environment, kind, emulated, now, in_30_days, within_change_window}`.
    pub(super) fn document(&self) -> Value {
        let kind = match self.environment.kind() {
            EnvironmentKind::Demo => "demo",
            EnvironmentKind::Local => "local",
            EnvironmentKind::Cloud => "cloud",
        };
        let soon = self.now.checked_add(SOON).unwrap_or(Timestamp::MAX);
        json!({
            "environment": self.environment.as_str(),
            "kind": kind,
            "emulated": self.emulated,
            "now": self.now.to_string(),
            "in_30_days": soon.to_string(),
            "within_change_window": self.change_window.as_ref().map(|window| window.holds(self.now)),
        })
    }
}
