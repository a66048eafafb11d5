//! Thresholds of the alarms.

use serde::{Deserialize, Serialize};

/// Thresholds of the alarms. Times are seconds of pipeline time, ages 1 to 31,536,000 (a year).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmSettings {
    /// How long a condition holds before its alarm is raised, and is gone before it is cleared, 0 to 86,400.
    pub hold_s: u32,
    /// No telemetry: age of the newest message at the hub.
    pub telemetry_age_s: u32,
    /// Batch gap: time since the last batch of measurements.
    pub batch_gap_s: u32,
    /// Notice age: age of the oldest notice not taken.
    pub notice_age_s: u32,
    /// Load errors: files failed within the last hour, 1 to 1,000,000.
    pub load_errors: u32,
    /// Row age: age of the newest row.
    pub row_age_s: u32,
    /// Prediction missing: age of the newest prediction's issue time.
    pub prediction_age_s: u32,
    /// Outbox filling: share of its bound in use, %, 1 to 100.
    pub outbox_pct: u32,
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self {
            hold_s: 120,
            telemetry_age_s: 300,
            batch_gap_s: 900,
            notice_age_s: 300,
            load_errors: 1,
            row_age_s: 1200,
            prediction_age_s: 1800,
            outbox_pct: 50,
        }
    }
}
