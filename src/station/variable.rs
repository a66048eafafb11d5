//! The quantities a station measures: name, unit, physical range.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One measured quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Variable {
    /// Air temperature, °C.
    Temperature,
    /// Relative humidity, %.
    Humidity,
    /// Air pressure at station level, hPa.
    Pressure,
    /// Illuminance on the horizontal, lx.
    Light,
    /// A-weighted sound level, dB(A).
    Sound,
    /// Precipitation since the previous measurement, mm.
    Rain,
    /// Wind speed, m/s.
    WindSpeed,
    /// Direction the wind comes from, degrees clockwise from north.
    WindDirection,
}

impl Variable {
    /// Every variable, in the order in which screens and tables show them.
    pub const ALL: [Self; 8] = [
        Self::Temperature,
        Self::Humidity,
        Self::Pressure,
        Self::Light,
        Self::Sound,
        Self::Rain,
        Self::WindSpeed,
        Self::WindDirection,
    ];

    /// Position in [`Variable::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name used in keys, filters and settings: `temperature`, `windSpeed`, …
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::Humidity => "humidity",
            Self::Pressure => "pressure",
            Self::Light => "light",
            Self::Sound => "sound",
            Self::Rain => "rain",
            Self::WindSpeed => "windSpeed",
            Self::WindDirection => "windDirection",
        }
    }

    /// The field of a `WeatherMeasurement` that carries it: the name with its unit.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Temperature => "temperatureC",
            Self::Humidity => "humidityPct",
            Self::Pressure => "pressureHpa",
            Self::Light => "illuminanceLx",
            Self::Sound => "soundDba",
            Self::Rain => "rainMm",
            Self::WindSpeed => "windSpeedMs",
            Self::WindDirection => "windDirectionDeg",
        }
    }

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::Humidity => "humidity",
            Self::Pressure => "pressure",
            Self::Light => "light",
            Self::Sound => "sound",
            Self::Rain => "rain",
            Self::WindSpeed => "wind speed",
            Self::WindDirection => "wind direction",
        }
    }

    /// Unit for people.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Temperature => "°C",
            Self::Humidity => "%",
            Self::Pressure => "hPa",
            Self::Light => "lx",
            Self::Sound => "dB(A)",
            Self::Rain => "mm",
            Self::WindSpeed => "m/s",
            Self::WindDirection => "°",
        }
    }

    /// Decimals with which a value is shown.
    #[must_use]
    pub const fn decimals(self) -> usize {
        match self {
            Self::Temperature | Self::Pressure | Self::Sound | Self::Rain | Self::WindSpeed => 1,
            Self::Humidity | Self::Light | Self::WindDirection => 0,
        }
    }

    /// The closed interval outside which a value can't be a measurement of this quantity on Earth's surface.
    ///
    /// Temperature, pressure, wind and rain: the limits of WMO-No. 8 (*Guide to Instruments and Methods of
    /// Observation*, 2018, annex 1.A), with station pressure widened to 300 hPa for balloon-borne use.
    /// Illuminance: above the brightest sun through broken cloud (about 150 klx).
    #[must_use]
    pub const fn range(self) -> (f64, f64) {
        match self {
            Self::Temperature => (-80.0, 60.0),
            Self::Humidity => (0.0, 100.0),
            Self::Pressure => (300.0, 1100.0),
            Self::Light => (0.0, 200_000.0),
            Self::Sound => (0.0, 160.0),
            Self::Rain => (0.0, 500.0),
            Self::WindSpeed => (0.0, 115.0),
            Self::WindDirection => (0.0, 360.0),
        }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl std::str::FromStr for Variable {
    type Err = UnknownVariable;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|v| v.key().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownVariable(text.to_owned()))
    }
}

/// A name that is no variable's.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown variable {0:?}: expected temperature, humidity, pressure, light, sound, rain, windSpeed or windDirection"
)]
pub struct UnknownVariable(pub String);

/// What is known of a value's quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum QcFlag {
    /// Clipped to the sensor's range: it is at least (or at most) this.
    Clipped,
    /// Dropped: outside the physical range.
    OutOfRange,
    /// Dropped: not a finite number.
    NotFinite,
    /// Computed from another quantity and not measured itself.
    Derived,
    /// Suspect: outside what the station can see, by its settings.
    Implausible,
    /// Suspect: contradicts another value of the same measurement, or the sun.
    Inconsistent,
    /// Suspect: changed by more since the measurement before than it can.
    Step,
    /// Suspect: has stood still for longer than it can.
    Frozen,
}

impl QcFlag {
    /// Whether the value is there and may not be true: it is shown and stored, and nothing is learnt from it.
    #[must_use]
    pub const fn is_suspect(self) -> bool {
        matches!(self, Self::Implausible | Self::Inconsistent | Self::Step | Self::Frozen)
    }
}
