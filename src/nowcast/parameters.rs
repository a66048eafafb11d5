//! What the models of this crate go by: as they come with skydeck, or as a package's weights give it.
//!
//! Read strictly: a field that isn't known is an error, a value out of its bounds too, named by its path.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::means::BIN_SECONDS;
use crate::station::Variable;

/// Leads of a nowcast: 10, 20, … 240 minutes.
pub const LEADS: usize = 24;
/// Longest a window of days may be: twice that has to be in a device's history.
const MAX_DAYS: u8 = 14;
/// Farthest a cycle may be smoothed, minutes on either side.
const MAX_REACH_MIN: u16 = 180;
/// Most errors or pairs that may be waited for: a week's.
const MAX_WAITED_FOR: u16 = 1008;
/// Bins in which an anomaly fades to 1/e where nothing else is known: four hours.
const FADE_BINS: f64 = 24.0;

/// A quantity's cycle, how fast an anomaly fades, and its errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeriesParameters {
    /// Days over which the cycle is the mean, 1 to 14.
    pub cycle_days: u8,
    /// Minutes on either side over which the cycle is smoothed, 0 to 180, in tens.
    pub cycle_reach_min: u16,
    /// Days whose errors make the bands, and whose pairs of issue and outcome the fades, 1 to 14.
    pub error_days: u8,
    /// Errors from which a lead is forecast, 1 to 1008.
    pub min_errors: u16,
    /// Pairs from which the fades are fitted on the device, 1 to 1008; absent never: the stated ones hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit_from_pairs: Option<u16>,
    /// The share of the cycle's change by which a forecast moves, for each lead, 0 to 1.
    pub cycle_fades: [f64; LEADS],
    /// The share of the present anomaly that is gone, for each lead, 0 to 1.
    pub anomaly_fades: [f64; LEADS],
}

impl Default for SeriesParameters {
    /// Of a quantity that takes part in the day's course.
    fn default() -> Self {
        Self {
            cycle_days: 7,
            cycle_reach_min: 30,
            error_days: 7,
            min_errors: 24,
            // Half a day's.
            fit_from_pairs: Some(72),
            cycle_fades: [1.0; LEADS],
            anomaly_fades: std::array::from_fn(|index| 1.0 - (-((index + 1) as f64) / FADE_BINS).exp()),
        }
    }
}

impl SeriesParameters {
    /// [`SeriesParameters::cycle_reach_min`] in bins.
    pub(super) fn cycle_reach_bins(&self) -> i32 {
        i32::from(self.cycle_reach_min) * 60 / BIN_SECONDS as i32
    }

    fn check(&self, name: &str) -> Result<(), String> {
        days(&format!("{name}.cycleDays"), self.cycle_days)?;
        days(&format!("{name}.errorDays"), self.error_days)?;
        if self.cycle_reach_min > MAX_REACH_MIN || !self.cycle_reach_min.is_multiple_of(10) {
            let reach = self.cycle_reach_min;
            return Err(format!("{name}.cycleReachMin: {reach} isn't one of 0, 10, … {MAX_REACH_MIN}"));
        }
        waited_for(&format!("{name}.minErrors"), self.min_errors)?;
        if let Some(pairs) = self.fit_from_pairs {
            waited_for(&format!("{name}.fitFromPairs"), pairs)?;
        }
        for (field, fades) in [("cycleFades", &self.cycle_fades), ("anomalyFades", &self.anomaly_fades)] {
            if let Some(place) = fades.iter().position(|fade| !(0.0..=1.0).contains(fade)) {
                return Err(format!("{name}.{field}[{place}]: {} isn't from 0 to 1", fades[place]));
            }
        }
        Ok(())
    }
}

/// Light: by clear-sky index while the sun is up, by the time of day otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LightParameters {
    /// The clear-sky index while it is day. Its days and least errors hold for the dark too.
    pub index: SeriesParameters,
    /// Elevation above which it is day, degrees, 1 to 30: lower, the index divides small numbers.
    pub day_above_deg: f64,
    /// Elevation below which it is night, degrees, -18 to 0.
    pub night_below_deg: f64,
    /// Added where an error is taken in proportion, lx, 1 to 10,000.
    pub floor_lx: f64,
}

impl Default for LightParameters {
    fn default() -> Self {
        Self {
            index: SeriesParameters { cycle_reach_min: 90, ..SeriesParameters::default() },
            day_above_deg: 5.0,
            // The end of civil twilight.
            night_below_deg: -6.0,
            // 1 W/m², about what a pyranometer resolves at night.
            floor_lx: 110.0,
        }
    }
}

impl LightParameters {
    fn check(&self) -> Result<(), String> {
        self.index.check("light.index")?;
        within("light.dayAboveDeg", self.day_above_deg, 1.0, 30.0)?;
        within("light.nightBelowDeg", self.night_below_deg, -18.0, 0.0)?;
        within("light.floorLx", self.floor_lx, 1.0, 10_000.0)
    }
}

/// The narrower of a variable's physical range and what weights say its forecasts stay within.
pub type Bounds = BTreeMap<Variable, [f64; 2]>;

/// All that anomaly persistence goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnomalyParameters {
    /// The variables that are forecast by their own cycle: any of temperature, humidity, pressure, sound and windSpeed.
    #[serde(deserialize_with = "by_variable")]
    pub variables: BTreeMap<Variable, SeriesParameters>,
    /// Light; absent isn't forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub light: Option<LightParameters>,
    /// What forecasts stay within; a variable that isn't there stays within its physical range.
    #[serde(default, deserialize_with = "by_variable", skip_serializing_if = "BTreeMap::is_empty")]
    pub bounds: Bounds,
}

impl AnomalyParameters {
    /// Variables that can be forecast by their own cycle.
    pub const CYCLIC: [Variable; 5] =
        [Variable::Temperature, Variable::Humidity, Variable::Pressure, Variable::Sound, Variable::WindSpeed];

    /// Whether everything lies within its bounds; else what doesn't, by its path.
    pub fn check(&self) -> Result<(), String> {
        if self.variables.is_empty() && self.light.is_none() {
            return Err("variables: none is forecast".to_owned());
        }
        for (variable, parameters) in &self.variables {
            let name = format!("variables.{}", variable.key());
            if !Self::CYCLIC.contains(variable) {
                return Err(format!("{name}: isn't forecast by its cycle; there are {}", keys(&Self::CYCLIC)));
            }
            parameters.check(&name)?;
        }
        if let Some(light) = &self.light {
            light.check()?;
        }
        check_bounds(&self.bounds)
    }
}

impl Default for AnomalyParameters {
    fn default() -> Self {
        let variables = Self::CYCLIC.into_iter().map(|variable| (variable, SeriesParameters::default())).collect();
        Self { variables, light: Some(LightParameters::default()), bounds: Bounds::new() }
    }
}

/// All that persistence goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PersistenceParameters {
    /// The variables that are forecast.
    pub variables: Vec<Variable>,
    /// Days whose errors make the bands, 1 to 14.
    pub error_days: u8,
    /// Errors from which a lead is forecast, 1 to 1008.
    pub min_errors: u16,
    /// As [`AnomalyParameters::bounds`].
    #[serde(default, deserialize_with = "by_variable", skip_serializing_if = "BTreeMap::is_empty")]
    pub bounds: Bounds,
}

impl PersistenceParameters {
    /// Variables that can be forecast.
    pub const FORECAST: [Variable; 6] = [
        Variable::Temperature,
        Variable::Humidity,
        Variable::Pressure,
        Variable::Light,
        Variable::Sound,
        Variable::WindSpeed,
    ];

    /// As [`AnomalyParameters::check`].
    pub fn check(&self) -> Result<(), String> {
        if self.variables.is_empty() {
            return Err("variables: none is forecast".to_owned());
        }
        for (place, variable) in self.variables.iter().enumerate() {
            let name = variable.key();
            if !Self::FORECAST.contains(variable) {
                return Err(format!("variables: {name} isn't forecast; there are {}", keys(&Self::FORECAST)));
            }
            if self.variables[..place].contains(variable) {
                return Err(format!("variables: {name} stands there twice"));
            }
        }
        days("errorDays", self.error_days)?;
        waited_for("minErrors", self.min_errors)?;
        check_bounds(&self.bounds)
    }
}

impl Default for PersistenceParameters {
    fn default() -> Self {
        Self { variables: Self::FORECAST.to_vec(), error_days: 7, min_errors: 24, bounds: Bounds::new() }
    }
}

/// A map by variable. Its keys are read as texts, so that errors further in name them; one that stands there twice is an
/// error.
pub(super) fn by_variable<'de, D, T>(deserializer: D) -> Result<BTreeMap<Variable, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct ByVariable<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for ByVariable<T> {
        type Value = BTreeMap<Variable, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object by variable")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = BTreeMap::new();
            while let Some(key) = map.next_key::<String>()? {
                let variable = Variable::deserialize(key.as_str().into_deserializer())?;
                if found.insert(variable, map.next_value()?).is_some() {
                    return Err(A::Error::custom(format_args!("{} stands there twice", variable.key())));
                }
            }
            Ok(found)
        }
    }

    deserializer.deserialize_map(ByVariable(PhantomData))
}

/// What forecasts of `variable` stay within.
pub(super) fn range(bounds: &Bounds, variable: Variable) -> (f64, f64) {
    bounds.get(&variable).map_or_else(|| variable.range(), |[low, high]| (*low, *high))
}

fn check_bounds(bounds: &Bounds) -> Result<(), String> {
    for (variable, [low, high]) in bounds {
        let (least, most) = variable.range();
        if !(least <= *low && low < high && *high <= most) {
            let name = variable.key();
            return Err(format!("bounds.{name}: {low} to {high} doesn't lie within its range, {least} to {most}"));
        }
    }
    Ok(())
}

fn days(name: &str, days: u8) -> Result<(), String> {
    if (1..=MAX_DAYS).contains(&days) { Ok(()) } else { Err(format!("{name}: {days} isn't from 1 to {MAX_DAYS}")) }
}

fn waited_for(name: &str, count: u16) -> Result<(), String> {
    let is_within = (1..=MAX_WAITED_FOR).contains(&count);
    if is_within { Ok(()) } else { Err(format!("{name}: {count} isn't from 1 to {MAX_WAITED_FOR}")) }
}

fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(format!("{name}: {value} isn't from {low} to {high}")) }
}

fn keys(variables: &[Variable]) -> String {
    variables.iter().map(|variable| variable.key()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_skydeck_lies_within_its_own_bounds_and_is_written_as_it_is_read() {
        let (anomaly, persistence) = (AnomalyParameters::default(), PersistenceParameters::default());
        assert_eq!((anomaly.check(), persistence.check()), (Ok(()), Ok(())));
        let json = serde_json::to_string(&anomaly).expect("JSON");
        assert_eq!(serde_json::from_str::<AnomalyParameters>(&json).expect("read"), anomaly);
        let json = serde_json::to_string(&persistence).expect("JSON");
        assert_eq!(serde_json::from_str::<PersistenceParameters>(&json).expect("read"), persistence);
    }

    #[test]
    fn what_is_out_of_bounds_is_named_by_its_path() {
        let with = |change: fn(&mut AnomalyParameters)| {
            let mut parameters = AnomalyParameters::default();
            change(&mut parameters);
            parameters.check().expect_err("out of bounds")
        };
        fn temperature(parameters: &mut AnomalyParameters) -> &mut SeriesParameters {
            parameters.variables.entry(Variable::Temperature).or_default()
        }
        assert_eq!(with(|p| temperature(p).cycle_days = 0), "variables.temperature.cycleDays: 0 isn't from 1 to 14");
        assert_eq!(with(|p| temperature(p).error_days = 15), "variables.temperature.errorDays: 15 isn't from 1 to 14");
        let words = "variables.temperature.cycleReachMin: 25 isn't one of 0, 10, … 180";
        assert_eq!(with(|p| temperature(p).cycle_reach_min = 25), words);
        assert!(with(|p| temperature(p).min_errors = 0).starts_with("variables.temperature.minErrors: 0"));
        assert!(with(|p| temperature(p).fit_from_pairs = Some(0)).contains("fitFromPairs: 0"));
        assert!(with(|p| temperature(p).anomaly_fades[3] = 1.1).contains("anomalyFades[3]: 1.1 isn't from 0 to 1"));
        assert!(with(|p| temperature(p).cycle_fades[0] = f64::NAN).contains("cycleFades[0]: NaN"));
        let rain = |p: &mut AnomalyParameters| {
            p.variables.insert(Variable::Rain, SeriesParameters::default());
        };
        assert!(with(rain).starts_with("variables.rain: isn't forecast by its cycle; there are temperature, humidity"));
        assert!(with(|p| (p.variables, p.light) = (BTreeMap::new(), None)).contains("none is forecast"));
        assert!(with(|p| p.light.get_or_insert_default().day_above_deg = 0.0).contains("light.dayAboveDeg: 0"));
        assert!(with(|p| p.light.get_or_insert_default().index.min_errors = 0).contains("light.index.minErrors"));
        let bounds = with(|p| p.bounds = Bounds::from([(Variable::Humidity, [-1.0, 90.0])]));
        assert_eq!(bounds, "bounds.humidity: -1 to 90 doesn't lie within its range, 0 to 100");
        let twice = vec![Variable::Light, Variable::Light];
        let words = PersistenceParameters { variables: twice, ..PersistenceParameters::default() }.check();
        assert_eq!(words, Err("variables: light stands there twice".to_owned()));
    }
}
