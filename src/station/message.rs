//! The four messages a device sends, as they are on the wire.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::{InvalidMessage, check};
use super::forecast::VariableForecast;
use super::shape::given;
use super::{Machine, MessageId, QcFlag, SkyFeatures, Variable};

/// Version of the messages' shape, carried in each as `schema`.
pub const SCHEMA_VERSION: u16 = 1;

/// What a sensor source hands over: raw values, not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// When the sensors were read.
    pub measured_at: Timestamp,
    /// The raw values, each in its variable's unit.
    pub values: Vec<(Variable, f64)>,
    /// Flags the source itself sets: what it clipped or derived.
    pub qc: BTreeMap<Variable, QcFlag>,
}

/// How the message's time came about, where the device's clock wasn't set when it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClockNote {
    /// What became of the time.
    pub flag: ClockFlag,
    /// The boot of the device in which it was made: the kernel's random id, 1 to 64 characters.
    pub boot_id: String,
    /// Seconds since that boot, sleep included.
    #[schemars(range(min = 0))]
    pub boot_time_s: f64,
}

/// What became of a message's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClockFlag {
    /// Worked out from the time since the boot, once the clock was set.
    Restamped,
    /// The clock was never set in that boot: `measuredAt` is what it showed, and no instant.
    Unset,
}

/// One reading of the roof's sensors. A quantity without a sensor is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WeatherMeasurement {
    /// The device's id in the hub.
    pub device_id: String,
    /// Identity of this message.
    pub message_id: MessageId,
    /// When the sensors were read.
    pub measured_at: Timestamp,
    /// Version of this shape.
    pub schema: u16,
    /// How `measuredAt` came about, where the device's clock wasn't set.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "ClockNote")]
    pub clock: Option<ClockNote>,
    /// Air temperature, °C, −80 to 60.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = -80, max = 60))]
    pub temperature_c: Option<f64>,
    /// Relative humidity, %, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 100))]
    pub humidity_pct: Option<f64>,
    /// Pressure at station level, hPa, 300 to 1100.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 300, max = 1100))]
    pub pressure_hpa: Option<f64>,
    /// Illuminance, lx, 0 to 200,000.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 200000))]
    pub illuminance_lx: Option<f64>,
    /// Sound level, dB(A), 0 to 160.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 160))]
    pub sound_dba: Option<f64>,
    /// Precipitation since the previous measurement, mm, 0 to 500.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 500))]
    pub rain_mm: Option<f64>,
    /// Wind speed, m/s, 0 to 115.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 115))]
    pub wind_speed_ms: Option<f64>,
    /// Direction the wind comes from, degrees clockwise from north, 0 to 360.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 360))]
    pub wind_direction_deg: Option<f64>,
    /// Quality flags, by variable, where there is something to say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub qc: BTreeMap<Variable, QcFlag>,
    /// Features of the newest picture of the sky.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "SkyFeatures")]
    pub sky: Option<SkyFeatures>,
}

impl WeatherMeasurement {
    /// A measurement from a raw reading. A value that isn't finite or lies outside its physical range is left
    /// out and flagged; the second part of the answer names each such value, for whoever keeps it aside.
    #[must_use]
    pub fn from_reading(device_id: &str, reading: &Reading) -> (Self, Vec<InvalidMessage>) {
        let mut measurement = Self::empty(device_id, reading.measured_at);
        measurement.qc.clone_from(&reading.qc);
        let mut rejected = Vec::new();
        for &(variable, value) in &reading.values {
            match check(variable, value) {
                Ok(()) => measurement.set(variable, Some(value)),
                Err(reason) => {
                    let flag = if value.is_finite() { QcFlag::OutOfRange } else { QcFlag::NotFinite };
                    measurement.qc.insert(variable, flag);
                    rejected.push(reason);
                }
            }
        }
        (measurement, rejected)
    }

    /// A measurement with a new identity and no value yet.
    #[must_use]
    pub fn empty(device_id: &str, measured_at: Timestamp) -> Self {
        Self {
            device_id: device_id.to_owned(),
            message_id: MessageId::new(measured_at),
            measured_at,
            schema: SCHEMA_VERSION,
            clock: None,
            temperature_c: None,
            humidity_pct: None,
            pressure_hpa: None,
            illuminance_lx: None,
            sound_dba: None,
            rain_mm: None,
            wind_speed_ms: None,
            wind_direction_deg: None,
            qc: BTreeMap::new(),
            sky: None,
        }
    }

    /// The value of `variable`, in its unit.
    #[must_use]
    pub const fn get(&self, variable: Variable) -> Option<f64> {
        match variable {
            Variable::Temperature => self.temperature_c,
            Variable::Humidity => self.humidity_pct,
            Variable::Pressure => self.pressure_hpa,
            Variable::Light => self.illuminance_lx,
            Variable::Sound => self.sound_dba,
            Variable::Rain => self.rain_mm,
            Variable::WindSpeed => self.wind_speed_ms,
            Variable::WindDirection => self.wind_direction_deg,
        }
    }

    /// Puts `value`, in the variable's unit.
    pub const fn set(&mut self, variable: Variable, value: Option<f64>) {
        let field = match variable {
            Variable::Temperature => &mut self.temperature_c,
            Variable::Humidity => &mut self.humidity_pct,
            Variable::Pressure => &mut self.pressure_hpa,
            Variable::Light => &mut self.illuminance_lx,
            Variable::Sound => &mut self.sound_dba,
            Variable::Rain => &mut self.rain_mm,
            Variable::WindSpeed => &mut self.wind_speed_ms,
            Variable::WindDirection => &mut self.wind_direction_deg,
        };
        *field = value;
    }
}

/// A nowcast: quantile forecasts of every variable that has data, up to four hours ahead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prediction {
    /// The device's id in the hub.
    pub device_id: String,
    /// Identity of this message.
    pub message_id: MessageId,
    /// The issue time: the newest measurement the forecast knows.
    pub measured_at: Timestamp,
    /// Version of this shape.
    pub schema: u16,
    /// How `measuredAt` came about, where the device's clock wasn't set.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "ClockNote")]
    pub clock: Option<ClockNote>,
    /// The model that made it.
    pub model_id: String,
    /// One entry a variable.
    pub forecasts: Vec<VariableForecast>,
    /// Probability, 0 to 1, of at least 0.1 mm of rain within four hours; absent without a model for it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 1))]
    pub rain_probability: Option<f64>,
    /// Probability, 0 to 1, of a mostly cloudy sky at each lead of one hour; absent without a model for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cloud_probability: Vec<f64>,
}

/// How the device itself is doing. Every figure is optional: what can't be read isn't said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceHealth {
    /// The device's id in the hub.
    pub device_id: String,
    /// Identity of this message.
    pub message_id: MessageId,
    /// When the figures were read.
    pub measured_at: Timestamp,
    /// Version of this shape.
    pub schema: u16,
    /// How `measuredAt` came about, where the device's clock wasn't set.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "ClockNote")]
    pub clock: Option<ClockNote>,
    /// Version of the agent.
    pub agent_version: String,
    /// Seconds since the agent started (monotonic clock).
    pub agent_uptime_s: f64,
    /// Messages waiting in the outbox.
    pub outbox_rows: u64,
    /// Bytes waiting in the outbox.
    pub outbox_bytes: u64,
    /// Messages given up because the outbox was over its bound, since it was made.
    pub outbox_given_up: u64,
    /// Share of memory in use on the device, %, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 100))]
    pub memory_used_pct: Option<f64>,
    /// Resident memory of the agent's process, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub process_memory_mib: Option<f64>,
    /// Load average over one minute.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub load_average: Option<f64>,
    /// Free space in the agent's data folder, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub disk_free_mib: Option<f64>,
    /// Hottest thermal zone, °C.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub temperature_c: Option<f64>,
    /// The hardware's figures one by one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "Machine")]
    pub machine: Option<Box<Machine>>,
}

/// A picture of the sky was taken and uploaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PictureTaken {
    /// The device's id in the hub.
    pub device_id: String,
    /// Identity of this message.
    pub message_id: MessageId,
    /// When the picture was taken.
    pub measured_at: Timestamp,
    /// Version of this shape.
    pub schema: u16,
    /// How `measuredAt` came about, where the device's clock wasn't set.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "ClockNote")]
    pub clock: Option<ClockNote>,
    /// Name of the blob in the pictures' container.
    pub blob_name: String,
    /// Size of the blob, bytes.
    pub size_bytes: u64,
    /// Width of the picture as it stands upright, pixels.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "u32", range(min = 1))]
    pub width_px: Option<u32>,
    /// Height of the picture as it stands upright, pixels.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "u32", range(min = 1))]
    pub height_px: Option<u32>,
    /// Name of the blob of a small JPEG of it, in the same container.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub thumbnail: Option<String>,
    /// What was seen on it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "SkyFeatures")]
    pub analysis: Option<SkyFeatures>,
}

#[cfg(test)]
impl PictureTaken {
    /// One of roof-01, with nothing that a message may leave out.
    pub(crate) fn plain(blob_name: &str, measured_at: Timestamp, size_bytes: u64) -> Self {
        Self {
            device_id: "roof-01".into(),
            message_id: MessageId::new(measured_at),
            measured_at,
            schema: SCHEMA_VERSION,
            clock: None,
            blob_name: blob_name.into(),
            size_bytes,
            width_px: None,
            height_px: None,
            thumbnail: None,
            analysis: None,
        }
    }
}
