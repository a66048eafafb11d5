//! Any of the four messages, as one: reading it, checking it, and what all have in common.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::{InvalidMessage, check, check_clock, check_health, check_prediction};
use super::message::{ClockNote, DeviceHealth, PictureTaken, Prediction, SCHEMA_VERSION, WeatherMeasurement};
use super::sky::check_sky;
use super::{MessageId, Variable};

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
