//! The limits of the quality control.

use serde::{Deserialize, Serialize};

/// Limits of the quality control. Their sources are in `docs/src/reference/quality-control.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QualitySettings {
    /// Range: least plausible temperature, °C, −80 to 60.
    pub temperature_min_c: f64,
    /// Range: greatest, °C, −80 to 60.
    pub temperature_max_c: f64,
    /// Range: least plausible pressure at the station, hPa, 300 to 1100.
    pub pressure_min_hpa: f64,
    /// Range: greatest, hPa, 300 to 1100.
    pub pressure_max_hpa: f64,
    /// Range: greatest plausible illuminance, lx, 1 to 200000.
    pub light_max_lx: f64,
    /// Range: greatest plausible sound level, dB(A), 1 to 160.
    pub sound_max_dba: f64,
    /// Range: greatest plausible rain in a minute, mm, 0.1 to 500.
    pub rain_max_mm_per_min: f64,
    /// Range: greatest plausible wind speed, m/s, 1 to 115.
    pub wind_speed_max_ms: f64,
    /// Step: most that the temperature changes in a minute, °C, 0.1 to 140.
    pub temperature_step_c: f64,
    /// Step: most that the humidity changes in a minute, %, 0.1 to 100.
    pub humidity_step_pct: f64,
    /// Step: most that the pressure changes in a minute, hPa, 0.01 to 800.
    pub pressure_step_hpa: f64,
    /// Step: most that the wind speed changes in a minute, m/s, 0.1 to 115.
    pub wind_speed_step_ms: f64,
    /// Persistence: minutes in which a value has to vary by what follows, 10 to 1440.
    pub still_min: u32,
    /// Persistence: least variation of the temperature, °C, 0 to 10.
    pub temperature_still_c: f64,
    /// Persistence: of the humidity below 98 %, %, 0 to 10.
    pub humidity_still_pct: f64,
    /// Persistence: of the pressure, hPa, 0 to 10.
    pub pressure_still_hpa: f64,
    /// Persistence: of light above 10 lx, lx, 0 to 1000.
    pub light_still_lx: f64,
    /// Persistence: of the sound level, dB, 0 to 10.
    pub sound_still_db: f64,
    /// Persistence: of a wind of 0.5 m/s or more, m/s, 0 to 10.
    pub wind_speed_still_ms: f64,
    /// Persistence: of the direction of a wind of 1 m/s or more, degrees, 0 to 90.
    pub wind_direction_still_deg: f64,
    /// Consistency: greatest plausible dew point of temperature and humidity, °C, −80 to 60.
    pub dew_point_max_c: f64,
    /// Consistency: most light with the sun more than 6° down, lx, 0 to 200000.
    pub night_light_max_lx: f64,
    /// Consistency: least light with the sun more than 10° up, lx, 0 to 1000.
    pub day_light_min_lx: f64,
}

impl Default for QualitySettings {
    fn default() -> Self {
        Self {
            temperature_min_c: -80.0,
            temperature_max_c: 60.0,
            pressure_min_hpa: 500.0,
            pressure_max_hpa: 1100.0,
            light_max_lx: 150_000.0,
            sound_max_dba: 140.0,
            rain_max_mm_per_min: 40.0,
            wind_speed_max_ms: 75.0,
            temperature_step_c: 3.0,
            humidity_step_pct: 10.0,
            pressure_step_hpa: 0.5,
            wind_speed_step_ms: 20.0,
            still_min: 60,
            temperature_still_c: 0.1,
            humidity_still_pct: 1.0,
            pressure_still_hpa: 0.1,
            light_still_lx: 1.0,
            sound_still_db: 0.1,
            wind_speed_still_ms: 0.5,
            wind_direction_still_deg: 10.0,
            dew_point_max_c: 35.0,
            night_light_max_lx: 100.0,
            day_light_min_lx: 1.0,
        }
    }
}
