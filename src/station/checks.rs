//! What a message has to keep: ranges and shape.

use super::forecast::MAX_LEAD_MINUTES;
use super::machine::check_machine;
use super::message::{ClockNote, DeviceHealth, Prediction, SCHEMA_VERSION};
use super::variable::Variable;

/// Why something isn't one of the four messages.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidMessage {
    /// Not JSON, a field missing, unknown or of the wrong type.
    #[error("not a message of schema {SCHEMA_VERSION}: {0}")]
    Shape(String),
    /// A device or message id outside what IoT Hub allows.
    #[error("{field} {value:?} is not an identity IoT Hub accepts (1 to 128 characters, no control characters)")]
    Identity {
        /// The field.
        field: &'static str,
        /// What stood there, made printable.
        value: String,
    },
    /// A value outside its physical range.
    #[error("{field} {value} is outside {low} to {high}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// The value.
        value: f64,
        /// The least allowed.
        low: f64,
        /// The greatest allowed.
        high: f64,
    },
    /// A value that is no number.
    #[error("{field} is not a finite number")]
    NotFinite {
        /// The field.
        field: &'static str,
    },
    /// A forecast that contradicts itself.
    #[error("forecast of {variable} at {lead_minutes} min: {reason}")]
    Forecast {
        /// The variable.
        variable: Variable,
        /// The lead it concerns.
        lead_minutes: u16,
        /// What is wrong.
        reason: &'static str,
    },
}

pub(super) fn check(variable: Variable, value: f64) -> Result<(), InvalidMessage> {
    let (low, high) = variable.range();
    check_interval(variable.field(), value, low, high)
}

pub(super) fn check_interval(field: &'static str, value: f64, low: f64, high: f64) -> Result<(), InvalidMessage> {
    if !value.is_finite() {
        return Err(InvalidMessage::NotFinite { field });
    }
    if value < low || value > high {
        return Err(InvalidMessage::OutOfRange { field, value, low, high });
    }
    Ok(())
}

pub(super) fn check_clock(clock: &ClockNote) -> Result<(), InvalidMessage> {
    let id = &clock.boot_id;
    if id.is_empty() || id.len() > 64 || id.chars().any(char::is_control) {
        return Err(InvalidMessage::Identity { field: "clock.bootId", value: super::text::printable(id) });
    }
    check_interval("clock.bootTimeS", clock.boot_time_s, 0.0, f64::MAX)
}

pub(super) fn check_health(health: &DeviceHealth) -> Result<(), InvalidMessage> {
    check_interval("agentUptimeS", health.agent_uptime_s, 0.0, f64::MAX)?;
    let figures = [
        ("memoryUsedPct", health.memory_used_pct, 0.0, 100.0),
        ("processMemoryMib", health.process_memory_mib, 0.0, f64::MAX),
        ("loadAverage", health.load_average, 0.0, f64::MAX),
        ("diskFreeMib", health.disk_free_mib, 0.0, f64::MAX),
        ("temperatureC", health.temperature_c, -273.15, f64::MAX),
    ];
    for (field, value, low, high) in figures {
        if let Some(value) = value {
            check_interval(field, value, low, high)?;
        }
    }
    health.machine.as_deref().map_or(Ok(()), check_machine)
}

pub(super) fn check_prediction(prediction: &Prediction) -> Result<(), InvalidMessage> {
    if let Some(rain) = prediction.rain_probability {
        check_interval("rainProbability", rain, 0.0, 1.0)?;
    }
    for &cloud in &prediction.cloud_probability {
        check_interval("cloudProbability", cloud, 0.0, 1.0)?;
    }
    for forecast in &prediction.forecasts {
        check(forecast.variable, forecast.persistence)?;
        let (low, high) = forecast.variable.range();
        let mut previous = 0;
        for lead in &forecast.leads {
            let wrong = |reason| InvalidMessage::Forecast {
                variable: forecast.variable,
                lead_minutes: lead.lead_minutes,
                reason,
            };
            if lead.lead_minutes == 0 || lead.lead_minutes > MAX_LEAD_MINUTES {
                return Err(wrong("the lead is outside 1 to 240 minutes"));
            }
            if lead.lead_minutes <= previous {
                return Err(wrong("the leads don't ascend"));
            }
            if !lead.quantiles.is_valid() {
                return Err(wrong("the quantiles cross or aren't finite"));
            }
            if lead.quantiles.q05 < low || lead.quantiles.q95 > high {
                return Err(wrong("a quantile is outside the variable's physical range"));
            }
            previous = lead.lead_minutes;
        }
    }
    Ok(())
}
