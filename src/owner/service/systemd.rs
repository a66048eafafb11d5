//! What systemd knows of the service.

use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::UNIT;
use crate::station::text::printable;

/// How systemd sees the unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitState {
    /// As in `active`, `activating`, `failed`, `inactive`.
    pub active: String,
    /// More exactly, as in `running`, `auto-restart`.
    pub sub: String,
    /// Whether it starts with the machine, as in `enabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<String>,
    /// How its last run ended, where not well, as in `exit-code`, `watchdog`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Since when it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How often systemd has restarted it since it was started by hand or with the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u64>,
    /// What the agent last told systemd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

impl UnitState {
    /// Asks systemd; `None` where there is none, or none of that name.
    #[must_use]
    pub fn ask() -> Option<Self> {
        let properties =
            "LoadState,ActiveState,SubState,UnitFileState,Result,StateChangeTimestampMonotonic,NRestarts,StatusText";
        let mut command = Command::new("systemctl");
        command.args(["show", UNIT, "--property", properties]).env("LC_ALL", "C");
        let answer = command.output().ok().filter(|answer| answer.status.success())?;
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let since_boot = Duration::from_secs(u64::try_from(boot.tv_sec).ok()?);
        Self::parse(&String::from_utf8_lossy(&answer.stdout), Timestamp::now(), since_boot)
    }

    /// From `KEY=VALUE` lines; `now` is `since_boot` after the boot.
    fn parse(text: &str, now: Timestamp, since_boot: Duration) -> Option<Self> {
        let value = |key: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(printable(value)).filter(|value| !value.is_empty())
        };
        if value("LoadState")? == "not-found" {
            return None;
        }
        let changed = value("StateChangeTimestampMonotonic").and_then(|text| text.parse().ok()).filter(|at| *at > 0);
        let ago = changed.and_then(|at| since_boot.checked_sub(Duration::from_micros(at)));
        Some(Self {
            active: value("ActiveState")?,
            sub: value("SubState")?,
            enabled: value("UnitFileState"),
            result: value("Result").filter(|result| result != "success"),
            since: ago.and_then(|ago| {
                let since = now.checked_sub(SignedDuration::try_from(ago).ok()?).ok()?;
                Timestamp::from_second(since.as_second()).ok()
            }),
            restarts: value("NRestarts").and_then(|text| text.parse().ok()),
            status: value("StatusText"),
        })
    }

    /// In one line.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = format!("{} ({})", self.active, self.sub);
        if let Some(since) = self.since {
            words.push_str(&since.strftime(" since %Y-%m-%d %H:%MZ").to_string());
        }
        if let Some(result) = &self.result {
            words.push_str(&format!(", ended by {result}"));
        }
        match self.restarts {
            Some(0) | None => {}
            Some(1) => words.push_str(", restarted once"),
            Some(times) => words.push_str(&format!(", restarted {times} times")),
        }
        if self.enabled.as_deref().is_some_and(|enabled| enabled != "enabled") {
            words.push_str(", doesn't start with the machine: systemctl enable skydeck-agent");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<UnitState> {
        UnitState::parse(text, "2026-06-01T12:00:00Z".parse().expect("a time"), Duration::from_secs(7200))
    }

    #[test]
    fn what_runs_says_since_when_and_how_often_it_was_restarted() {
        let state = parse(
            "ActiveState=active\nSubState=running\nLoadState=loaded\nUnitFileState=enabled\nResult=success\n\
             StateChangeTimestampMonotonic=3600000000\nNRestarts=3\nStatusText=link: connected by mqtt\n",
        );
        let state = state.expect("there");
        assert_eq!(state.words(), "active (running) since 2026-06-01 11:00Z, restarted 3 times");
        assert_eq!(
            serde_json::to_value(&state).expect("JSON"),
            serde_json::json!({
                "active": "active", "sub": "running", "enabled": "enabled", "since": "2026-06-01T11:00:00Z",
                "restarts": 3, "status": "link: connected by mqtt",
            })
        );
    }

    #[test]
    fn what_failed_says_by_what_and_an_older_systemd_knows_less() {
        let failed = "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=watchdog\nNRestarts=1\n";
        assert_eq!(
            parse(failed).expect("there").words(),
            "activating (auto-restart), ended by watchdog, restarted once"
        );
        let old = "LoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=disabled\nStateChangeTimestampMonotonic=0\n";
        assert_eq!(
            parse(old).expect("there").words(),
            "inactive (dead), doesn't start with the machine: systemctl enable skydeck-agent"
        );
        for none in ["LoadState=not-found\nActiveState=inactive\nSubState=dead\n", "", "nonsense"] {
            assert_eq!(parse(none), None, "{none:?}");
        }
    }
}
