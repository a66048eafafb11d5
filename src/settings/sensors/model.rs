//! The sensors' settings in types: one struct a kind.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::mapping::{self, Mapping};
use crate::station::Variable;

/// One sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SensorSettings {
    /// Of two that give the same variable the lower one is taken, 1 to 100; the other stands in when it is absent.
    pub rank: u32,
    /// The only variables that are taken of it, with commas between; absent takes all it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// Longest wait between two attempts, seconds, 1 to 3600.
    pub retry_s: u32,
    /// What its kind has beside that.
    #[serde(flatten)]
    pub driver: Driver,
}

/// What a kind of sensor has of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Driver {
    /// Temperature, humidity, pressure.
    Bme280(I2cSettings),
    /// Light.
    Bh1750(I2cSettings),
    /// Light.
    Tsl2591(I2cSettings),
    /// A microphone.
    Sound(SoundSettings),
    /// A board on a serial line.
    Serial(SerialSettings),
    /// A program that prints a line.
    Command(CommandSettings),
    /// Topics of a broker.
    Mqtt(MqttSettings),
    /// A tipping bucket.
    Rain(RainSettings),
    /// An anemometer that gives pulses.
    Wind(WindSettings),
    /// A wind vane.
    Vane(VaneSettings),
}

/// A chip on an I²C bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct I2cSettings {
    /// The bus.
    pub bus: PathBuf,
    /// The chip's address, 8 to 119.
    pub address: u8,
    /// Seconds between readings, 1 to 3600.
    pub interval_s: u32,
}

/// A microphone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SoundSettings {
    /// A program that writes signed 16-bit little-endian samples of one channel.
    pub command: String,
    /// Samples a second, 44,100 to 192,000.
    pub rate_hz: u32,
    /// Seconds over which the level is taken, 1 to 3600.
    pub interval_s: u32,
    /// The level that a sine of 1 kHz at full scale stands for, dB(A), 60 to 200.
    pub full_scale_dba: f64,
    /// Seconds without a sample after which the program is started anew, 1 to 86,400.
    pub silent_s: u32,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineFormat {
    /// A JSON object.
    Json,
    /// Values with commas between.
    Csv,
}

/// What rain is in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RainIs {
    /// What fell since the line before.
    Amount,
    /// A total that grows.
    Total,
}

/// The mapped variables.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Mapped {
    /// Air temperature, °C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<String>,
    /// Relative humidity, %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub humidity: Option<String>,
    /// Pressure at station level, hPa.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure: Option<String>,
    /// Illuminance, lx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub light: Option<String>,
    /// Sound level, dB(A).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<String>,
    /// Rain, mm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rain: Option<String>,
    /// Wind speed, m/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wind_speed: Option<String>,
    /// Direction the wind comes from, degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wind_direction: Option<String>,
}

impl Mapped {
    /// The mappings that are set, in the variables' order.
    #[must_use]
    pub fn mappings(&self) -> Vec<(Variable, Mapping)> {
        let texts = [
            (Variable::Temperature, &self.temperature),
            (Variable::Humidity, &self.humidity),
            (Variable::Pressure, &self.pressure),
            (Variable::Light, &self.light),
            (Variable::Sound, &self.sound),
            (Variable::Rain, &self.rain),
            (Variable::WindSpeed, &self.wind_speed),
            (Variable::WindDirection, &self.wind_direction),
        ];
        let set = texts.into_iter().filter_map(|(variable, text)| Some((variable, Mapping::parse(text.as_deref()?)?)));
        set.collect()
    }
}

/// A board on a serial line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SerialSettings {
    /// The terminal device.
    pub device: PathBuf,
    /// Bits a second, 300 to 4,000,000.
    pub baud: u32,
    /// How its lines are written.
    pub format: LineFormat,
    /// Seconds without a line after which the device is opened anew, 1 to 86,400.
    pub silent_s: u32,
    /// What rain is in a line.
    pub rain_is: RainIs,
    /// What is taken.
    #[serde(flatten)]
    pub mapped: Mapped,
}

/// A program that prints a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandSettings {
    /// The program and its arguments.
    pub command: String,
    /// Seconds between runs, 1 to 3600.
    pub interval_s: u32,
    /// Seconds a run may take, 1 to 600.
    pub timeout_s: u32,
    /// How its line is written.
    pub format: LineFormat,
    /// What rain is in a line.
    pub rain_is: RainIs,
    /// What is taken.
    #[serde(flatten)]
    pub mapped: Mapped,
}

/// Topics of a broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MqttSettings {
    /// The broker's host.
    pub broker: String,
    /// Its TCP port.
    pub port: u16,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password: a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Seconds without a value after which it counts as absent, 1 to 86,400.
    pub silent_s: u32,
    /// What rain is in a message.
    pub rain_is: RainIs,
    /// What is taken.
    #[serde(flatten)]
    pub mapped: Mapped,
}

/// Which edge of a line counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edge {
    /// To low.
    Falling,
    /// To high.
    Rising,
}

/// What holds a line where nothing drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    /// A resistor to high.
    PullUp,
    /// A resistor to low.
    PullDown,
    /// What the board has.
    AsIs,
}

/// A GPIO line that gives pulses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PulseSettings {
    /// The chip.
    pub chip: PathBuf,
    /// The line's offset on it, 0 to 1023.
    pub line: u32,
    /// The edge that counts.
    pub edge: Edge,
    /// What holds it.
    pub bias: Bias,
    /// Milliseconds after a pulse in which others are bounces, 0 to 1000.
    pub debounce_ms: u32,
}

/// A tipping bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RainSettings {
    /// Its line.
    #[serde(flatten)]
    pub pulses: PulseSettings,
    /// Rain that tips it, mm, 0.001 to 10.
    pub mm_per_tip: f64,
}

/// An anemometer that gives pulses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindSettings {
    /// Its line.
    #[serde(flatten)]
    pub pulses: PulseSettings,
    /// Seconds over which pulses are counted, 1 to 3600.
    pub interval_s: u32,
    /// Speed at a pulse a second, m/s, 0.001 to 100.
    pub ms_per_hz: f64,
    /// What is added where it turns, m/s, 0 to 10.
    pub offset_ms: f64,
}

/// A wind vane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VaneSettings {
    /// The file that holds its number: an IIO device's `in_voltage0_raw`.
    pub path: PathBuf,
    /// Seconds between readings, 1 to 3600.
    pub interval_s: u32,
    /// Degrees and the number at each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Degrees a unit of the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deg_per_unit: Option<f64>,
    /// Where the vane shows when it shows its own north, degrees.
    pub north_deg: f64,
}

impl SensorSettings {
    /// The variables it gives, in their order.
    #[must_use]
    pub fn gives(&self) -> Vec<Variable> {
        let mapped = |mapped: &Mapped| mapped.mappings().into_iter().map(|(variable, _)| variable).collect();
        let all = match &self.driver {
            Driver::Bme280(_) => vec![Variable::Temperature, Variable::Humidity, Variable::Pressure],
            Driver::Bh1750(_) | Driver::Tsl2591(_) => vec![Variable::Light],
            Driver::Sound(_) => vec![Variable::Sound],
            Driver::Serial(settings) => mapped(&settings.mapped),
            Driver::Command(settings) => mapped(&settings.mapped),
            Driver::Mqtt(settings) => mapped(&settings.mapped),
            Driver::Rain(_) => vec![Variable::Rain],
            Driver::Wind(_) => vec![Variable::WindSpeed],
            Driver::Vane(_) => vec![Variable::WindDirection],
        };
        let only = self.only.as_deref().and_then(mapping::list);
        all.into_iter().filter(|variable| only.as_ref().is_none_or(|only| only.contains(variable))).collect()
    }

    /// The kind's name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.driver {
            Driver::Bme280(_) => "bme280",
            Driver::Bh1750(_) => "bh1750",
            Driver::Tsl2591(_) => "tsl2591",
            Driver::Sound(_) => "sound",
            Driver::Serial(_) => "serial",
            Driver::Command(_) => "command",
            Driver::Mqtt(_) => "mqtt",
            Driver::Rain(_) => "rain",
            Driver::Wind(_) => "wind",
            Driver::Vane(_) => "vane",
        }
    }
}
