//! The four messages a device sends, as they are on the wire.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::{InvalidMessage, check, check_clock, check_health, check_prediction, check_sky};
use super::forecast::VariableForecast;
use super::shape::given;
use super::{QcFlag, Variable};

/// Version of the messages' shape, carried in each as `schema`.
pub const SCHEMA_VERSION: u16 = 1;

/// A message's identity: unique together with the device's, from the sensor to the row.
///
/// 1 to 128 characters of the set IoT Hub allows in `$.mid` (ASCII letters, digits and `-:.+%_#*?!(),=@;$'`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[A-Za-z0-9\\-:.+%_#*?!(),=@;$']{1,128}$"))]
pub struct MessageId(String);

impl MessageId {
    /// A new identity: a UUID of version 7 whose time is `measured_at`, so that identities sort by time.
    #[must_use]
    pub fn new(measured_at: Timestamp) -> Self {
        let seconds = u64::try_from(measured_at.as_second()).unwrap_or(0);
        let nanoseconds = u32::try_from(measured_at.subsec_nanosecond()).unwrap_or(0);
        let stamp = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds);
        Self(uuid::Uuid::new_v7(stamp).to_string())
    }

    /// The identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MessageId {
    type Error = InvalidMessage;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-:.+%_#*?!(),=@;$'".contains(c);
        if text.is_empty() || text.len() > 128 || !text.chars().all(allowed) {
            return Err(InvalidMessage::Identity { field: "messageId", value: super::text::printable(&text) });
        }
        Ok(Self(text))
    }
}

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        id.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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

/// What the newest picture of the sky shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SkyFeatures {
    /// When the picture was taken.
    pub taken_at: Timestamp,
    /// Share of the visible sky covered by cloud, %.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 100))]
    pub cloud_cover_pct: Option<f64>,
    /// Direction the clouds move to, degrees clockwise from north.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 360))]
    pub motion_direction_deg: Option<f64>,
    /// Speed of that motion across the picture, degrees of sky per minute.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0))]
    pub motion_deg_per_min: Option<f64>,
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
    /// What was seen on it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "SkyFeatures")]
    pub analysis: Option<SkyFeatures>,
}

/// Any of the four messages; `type` on the wire says which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Message {
    /// A reading of the sensors.
    WeatherMeasurement(WeatherMeasurement),
    /// A nowcast.
    Prediction(Prediction),
    /// The device's own health.
    DeviceHealth(DeviceHealth),
    /// A picture's note.
    PictureTaken(PictureTaken),
}

/// Which of the four messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum MessageKind {
    /// [`WeatherMeasurement`].
    WeatherMeasurement,
    /// [`Prediction`].
    Prediction,
    /// [`DeviceHealth`].
    DeviceHealth,
    /// [`PictureTaken`].
    PictureTaken,
}

impl MessageKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::WeatherMeasurement, Self::Prediction, Self::DeviceHealth, Self::PictureTaken];

    /// The value of `type` on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WeatherMeasurement => "WeatherMeasurement",
            Self::Prediction => "Prediction",
            Self::DeviceHealth => "DeviceHealth",
            Self::PictureTaken => "PictureTaken",
        }
    }

    /// The kind whose name on the wire is `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Message {
    /// Reads and checks a message. Errors name the field.
    pub fn from_json(bytes: &[u8]) -> Result<Self, InvalidMessage> {
        let message: Self = serde_json::from_slice(bytes).map_err(|error| super::shape::why(bytes, &error))?;
        message.validate()?;
        Ok(message)
    }

    /// The message as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Serialising plain structs of numbers and strings with string keys has no failing path.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Checks ranges and shape. Errors name the field and the bound it broke.
    pub fn validate(&self) -> Result<(), InvalidMessage> {
        let device_id = self.device_id();
        if device_id.is_empty() || device_id.len() > 128 || device_id.chars().any(|c| c.is_control() || c == '/') {
            return Err(InvalidMessage::Identity { field: "deviceId", value: super::text::printable(device_id) });
        }
        if self.schema() != SCHEMA_VERSION {
            return Err(InvalidMessage::Shape(format!("schema: {} isn't known here", self.schema())));
        }
        if let Some(clock) = self.clock() {
            check_clock(clock)?;
        }
        match self {
            Self::WeatherMeasurement(m) => {
                for variable in Variable::ALL {
                    if let Some(value) = m.get(variable) {
                        check(variable, value)?;
                    }
                }
                m.sky.as_ref().map_or(Ok(()), check_sky)
            }
            Self::Prediction(p) => check_prediction(p),
            Self::DeviceHealth(h) => check_health(h),
            Self::PictureTaken(p) => p.analysis.as_ref().map_or(Ok(()), check_sky),
        }
    }

    /// Which of the four it is.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::WeatherMeasurement(_) => MessageKind::WeatherMeasurement,
            Self::Prediction(_) => MessageKind::Prediction,
            Self::DeviceHealth(_) => MessageKind::DeviceHealth,
            Self::PictureTaken(_) => MessageKind::PictureTaken,
        }
    }

    /// The device that sent it.
    #[must_use]
    pub fn device_id(&self) -> &str {
        match self {
            Self::WeatherMeasurement(m) => &m.device_id,
            Self::Prediction(m) => &m.device_id,
            Self::DeviceHealth(m) => &m.device_id,
            Self::PictureTaken(m) => &m.device_id,
        }
    }

    /// Its identity.
    #[must_use]
    pub const fn message_id(&self) -> &MessageId {
        match self {
            Self::WeatherMeasurement(m) => &m.message_id,
            Self::Prediction(m) => &m.message_id,
            Self::DeviceHealth(m) => &m.message_id,
            Self::PictureTaken(m) => &m.message_id,
        }
    }

    /// Version of its shape.
    #[must_use]
    pub const fn schema(&self) -> u16 {
        match self {
            Self::WeatherMeasurement(m) => m.schema,
            Self::Prediction(m) => m.schema,
            Self::DeviceHealth(m) => m.schema,
            Self::PictureTaken(m) => m.schema,
        }
    }

    /// When what it says was measured.
    #[must_use]
    pub const fn measured_at(&self) -> Timestamp {
        match self {
            Self::WeatherMeasurement(m) => m.measured_at,
            Self::Prediction(m) => m.measured_at,
            Self::DeviceHealth(m) => m.measured_at,
            Self::PictureTaken(m) => m.measured_at,
        }
    }
}

impl Message {
    /// How its time came about; absent where the clock was set.
    #[must_use]
    pub const fn clock(&self) -> Option<&ClockNote> {
        match self {
            Self::WeatherMeasurement(m) => m.clock.as_ref(),
            Self::Prediction(m) => m.clock.as_ref(),
            Self::DeviceHealth(m) => m.clock.as_ref(),
            Self::PictureTaken(m) => m.clock.as_ref(),
        }
    }

    /// Gives it another time, with the note of how that came about. Its identity stays.
    pub fn restamp(&mut self, at: Timestamp, note: ClockNote) {
        let (measured_at, clock) = match self {
            Self::WeatherMeasurement(m) => (&mut m.measured_at, &mut m.clock),
            Self::Prediction(m) => (&mut m.measured_at, &mut m.clock),
            Self::DeviceHealth(m) => (&mut m.measured_at, &mut m.clock),
            Self::PictureTaken(m) => (&mut m.measured_at, &mut m.clock),
        };
        *measured_at = at;
        *clock = Some(note);
    }
}
