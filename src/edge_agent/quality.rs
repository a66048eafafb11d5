//! Quality control of what is measured, as weather services do it at the station.
//!
//! Five tests in this order, each of which flags and none of which changes or drops a value: what can't be (done before,
//! by the message itself: left out, flagged, kept aside), what isn't plausible at the station, what contradicts another
//! value, what changed too fast, what stands still. They are MADIS's levels 1 (validity) and 2 (temporal and internal
//! consistency); level 3, the comparison with neighbours, needs neighbours. A value bears the first flag that it gets.
//!
//! Defaults and rules: *Guidelines on quality control procedures for data from automatic weather stations* (WMO,
//! CBS/OPAG-IOS/ET-AWS-3, Zahumenský 2004; taken over into WMO-No. 8, volume V, and WMO-No. 488). What it knows of the values
//! before is kept with the measurements, so that a restart neither hides a step nor begins a standstill anew.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::nowcast::solar;
use crate::settings::QualitySettings;
use crate::station::{QcFlag, Variable, WeatherMeasurement};

/// After so long without a value nothing follows from the one before.
const GAP: SignedDuration = SignedDuration::from_mins(10);
/// Of so moist air a sensor rightly shows the same for hours: it is saturated, as in fog.
const SATURATED_PCT: f64 = 98.0;
/// Below this an anemometer stands still rightly.
const CALM_MS: f64 = 0.5;
/// Below this a vane does.
const VANE_MOVES_MS: f64 = 1.0;
/// Below this the sensor rightly shows the same all night.
const DARK_LX: f64 = 10.0;
/// Below this it is night: the end of civil twilight.
const NIGHT_DEG: f64 = -6.0;
/// Above this it is day, whatever the weather.
const DAY_DEG: f64 = 10.0;
/// What rounding may take from a difference.
const ROUNDING: f64 = 1e-9;

/// What a measurement's time is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timed {
    /// It was measured then.
    Now,
    /// The clock isn't set: only how far apart measurements are is known.
    Unset,
    /// In a recorded series, which was controlled where it was recorded and has its file's resolution (the carried one
    /// whole hPa): a step and a standstill in it say nothing.
    InSeries,
}

/// What is known of the values before.
#[derive(Debug)]
pub struct Quality {
    limits: QualitySettings,
    latitude_deg: f64,
    longitude_deg: f64,
    before: BTreeMap<Variable, Before>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Before {
    at: Timestamp,
    value: f64,
    /// Since when it stays within what it has to vary by, and the least and greatest value since.
    still_since: Timestamp,
    low: f64,
    high: f64,
}

impl Quality {
    /// With `limits`, at a place in degrees north and east.
    #[must_use]
    pub const fn new(limits: QualitySettings, latitude_deg: f64, longitude_deg: f64) -> Self {
        Self { limits, latitude_deg, longitude_deg, before: BTreeMap::new() }
    }

    /// The same, with what [`Self::kept`] of an earlier start has told; what can't be read is as nothing.
    #[must_use]
    pub fn resumed(self, kept: Option<&str>) -> Self {
        let before = kept.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        Self { before, ..self }
    }

    /// What the next start has to know, as JSON: some 150 bytes a variable.
    #[must_use]
    pub fn kept(&self) -> String {
        serde_json::to_string(&self.before).unwrap_or_default()
    }

    /// Flags what is suspect in `measurement`. Where its time isn't known, the sun isn't asked.
    pub fn judge(&mut self, measurement: &mut WeatherMeasurement, timed: Timed) {
        let is_live = timed != Timed::InSeries;
        let at = measurement.measured_at;
        let inconsistent = self.inconsistent(measurement, timed != Timed::Unset);
        for variable in Variable::ALL {
            let Some(value) = measurement.get(variable) else { continue };
            let before = self.before.get(&variable).copied();
            let minutes = before.map(|before| at.duration_since(before.at).as_secs_f64() / 60.0);
            let is_stepping =
                before.zip(minutes).is_some_and(|(b, minutes)| self.steps(variable, b.value, value, minutes));
            let (is_frozen, now) = self.stands_still(variable, value, before, measurement);
            self.before.insert(variable, now);
            let flag = match () {
                () if !self.is_plausible(variable, value, minutes) => QcFlag::Implausible,
                () if inconsistent.contains(&variable) => QcFlag::Inconsistent,
                () if is_live && is_stepping => QcFlag::Step,
                () if is_live && is_frozen => QcFlag::Frozen,
                () => continue,
            };
            measurement.qc.insert(variable, flag);
        }
    }

    /// Within what the station can see. Rain is what fell in `minutes`, one where that isn't known.
    fn is_plausible(&self, variable: Variable, value: f64, minutes: Option<f64>) -> bool {
        let limits = &self.limits;
        match variable {
            Variable::Temperature => (limits.temperature_min_c..=limits.temperature_max_c).contains(&value),
            Variable::Humidity | Variable::WindDirection => true,
            Variable::Pressure => (limits.pressure_min_hpa..=limits.pressure_max_hpa).contains(&value),
            Variable::Light => value <= limits.light_max_lx,
            Variable::Sound => value <= limits.sound_max_dba,
            Variable::Rain => value <= limits.rain_max_mm_per_min * minutes.unwrap_or(1.0).max(1.0),
            Variable::WindSpeed => value <= limits.wind_speed_max_ms,
        }
    }

    /// Whether it changed by more than a minute allows; of longer times each minute allows it again. Rain, light and
    /// sound jump by nature, a vane turns.
    fn steps(&self, variable: Variable, before: f64, value: f64, minutes: f64) -> bool {
        let limits = &self.limits;
        let a_minute = match variable {
            Variable::Temperature => limits.temperature_step_c,
            Variable::Humidity => limits.humidity_step_pct,
            Variable::Pressure => limits.pressure_step_hpa,
            Variable::WindSpeed => limits.wind_speed_step_ms,
            Variable::Light | Variable::Sound | Variable::Rain | Variable::WindDirection => return false,
        };
        let is_near = (0.0..=GAP.as_secs_f64() / 60.0).contains(&minutes);
        is_near && (value - before).abs() > a_minute * minutes.max(1.0) + ROUNDING
    }

    /// Whether it has varied by less than it must for too long, and what is to be known of it next.
    fn stands_still(
        &self,
        variable: Variable,
        value: f64,
        before: Option<Before>,
        measurement: &WeatherMeasurement,
    ) -> (bool, Before) {
        let at = measurement.measured_at;
        let anew = Before { at, value, still_since: at, low: value, high: value };
        let limits = &self.limits;
        let least = match variable {
            Variable::Temperature => limits.temperature_still_c,
            Variable::Humidity if value < SATURATED_PCT => limits.humidity_still_pct,
            Variable::Pressure => limits.pressure_still_hpa,
            Variable::Light if value >= DARK_LX => limits.light_still_lx,
            Variable::Sound => limits.sound_still_db,
            Variable::WindSpeed if value >= CALM_MS => limits.wind_speed_still_ms,
            Variable::WindDirection if measurement.wind_speed_ms.is_some_and(|speed| speed >= VANE_MOVES_MS) => {
                limits.wind_direction_still_deg
            }
            _ => return (false, anew),
        };
        let Some(before) = before else { return (false, anew) };
        let since = at.duration_since(before.at);
        if since.is_negative() || since > GAP {
            return (false, anew);
        }
        // Directions are taken by their nearest turn from the least.
        let value_by = if variable == Variable::WindDirection { before.low + turn(before.low, value) } else { value };
        let (low, high) = (before.low.min(value_by), before.high.max(value_by));
        if high - low >= least - ROUNDING {
            return (false, anew);
        }
        let still = at.duration_since(before.still_since);
        let is_frozen = still >= SignedDuration::from_mins(i64::from(limits.still_min));
        (is_frozen, Before { still_since: before.still_since, low, high, ..anew })
    }

    /// The variables whose values can't be true together.
    fn inconsistent(&self, measurement: &WeatherMeasurement, is_time_known: bool) -> Vec<Variable> {
        let mut found = Vec::new();
        if let (Some(celsius), Some(percent)) = (measurement.temperature_c, measurement.humidity_pct)
            && dew_point_c(celsius, percent).is_some_and(|dew| dew > self.limits.dew_point_max_c)
        {
            found.extend([Variable::Temperature, Variable::Humidity]);
        }
        // Calm is 0 from 0° (WMO-No. 306, code 0877): a direction without wind is where the vane last stood.
        if let (Some(speed), Some(degrees)) = (measurement.wind_speed_ms, measurement.wind_direction_deg)
            && speed == 0.0
            && degrees != 0.0
        {
            found.push(Variable::WindDirection);
        }
        if is_time_known && let Some(lx) = measurement.illuminance_lx {
            let sun_deg = solar::elevation_deg(measurement.measured_at, self.latitude_deg, self.longitude_deg);
            let is_bright_night = sun_deg < NIGHT_DEG && lx > self.limits.night_light_max_lx;
            let is_dark_day = sun_deg > DAY_DEG && lx < self.limits.day_light_min_lx;
            if is_bright_night || is_dark_day {
                found.push(Variable::Light);
            }
        }
        found
    }
}

/// What can be learnt from: without the values that are suspect.
#[must_use]
pub fn trusted(measurement: &WeatherMeasurement) -> WeatherMeasurement {
    let mut trusted = measurement.clone();
    for (variable, flag) in &measurement.qc {
        if flag.is_suspect() {
            trusted.set(*variable, None);
        }
    }
    trusted
}

/// The dew point over water, °C, by Magnus's formula with the coefficients of WMO-No. 8 (annex 4.B); `None` of dry air.
fn dew_point_c(celsius: f64, percent: f64) -> Option<f64> {
    if percent <= 0.0 {
        return None;
    }
    let gamma = (percent / 100.0).ln() + 17.62 * celsius / (243.12 + celsius);
    Some(243.12 * gamma / (17.62 - gamma))
}

/// From one direction to another by the shorter way, −180 to 180 degrees.
fn turn(from: f64, to: f64) -> f64 {
    (to - from + 180.0).rem_euclid(360.0) - 180.0
}

#[cfg(test)]
mod tests;
