//! What a package is tested with: means, and the forecasts that a model of its weights makes of them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::read_json;
use crate::nowcast::means::{BIN_SECONDS, BINS_PER_DAY, Mean};
use crate::nowcast::model::Model;
use crate::nowcast::parameters::by_variable;
use crate::station::text::printable;
use crate::station::{Quantiles, Variable};

/// Cases of a self-test.
const MAX_CASES: usize = 32;
/// Means of a case: 30 days'.
const MAX_MEANS: usize = 30 * BINS_PER_DAY;

/// What a package is tested with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SelfTest {
    /// Where the means were measured, degrees north.
    pub latitude_deg: f64,
    /// The same, degrees east.
    pub longitude_deg: f64,
    /// One to 32.
    pub cases: Vec<Case>,
}

/// Means, and what is forecast at their end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// What it is, for people.
    pub name: String,
    /// End of the first ten minutes.
    pub first_ends_at: Timestamp,
    /// The means of ten minutes after ten minutes, each in its variable's unit; `null` where there is none. All of the same
    /// length, at most 4,320.
    #[serde(deserialize_with = "by_variable")]
    pub means: BTreeMap<Variable, Vec<Option<f64>>>,
    /// What is forecast after the last of them; none only in what is still to be packed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expected>,
}

/// A forecast that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expected {
    /// Of which variable.
    pub variable: Variable,
    /// At which lead, minutes.
    pub lead_minutes: u16,
    /// 5, 25, 50, 75 and 95 %, in the variable's unit.
    pub quantiles: [f64; 5],
    /// By how much each may differ, in the variable's unit, more than 0.
    pub tolerance: f64,
}

impl SelfTest {
    /// Reads and checks a self-test: each of its cases expects something.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let test = Self::draft(json)?;
        match test.cases.iter().position(|case| case.expect.is_empty()) {
            Some(place) => Err(format!("cases[{place}].expect: nothing is; `skydeck nowcast pack` fills it in")),
            None => Ok(test),
        }
    }

    /// Reads and checks one that may still lack what it expects.
    pub fn draft(json: &[u8]) -> Result<Self, String> {
        let test: Self = read_json(json)?;
        if !(-90.0..=90.0).contains(&test.latitude_deg) || !(-180.0..=180.0).contains(&test.longitude_deg) {
            return Err("latitudeDeg, longitudeDeg: no place on earth".to_owned());
        }
        if test.cases.is_empty() || test.cases.len() > MAX_CASES {
            return Err(format!("cases: there are {}; 1 to {MAX_CASES} are taken", test.cases.len()));
        }
        for (place, case) in test.cases.iter().enumerate() {
            case.check().map_err(|words| format!("cases[{place}].{words}"))?;
        }
        Ok(test)
    }

    /// Shows each case to a model that `make` makes for the place, and compares. Answers how many forecasts were compared,
    /// or which of them is another.
    pub fn run(&self, make: impl Fn(f64, f64) -> Model) -> Result<usize, String> {
        let mut compared = 0;
        for case in &self.cases {
            let model = case.taught(make(self.latitude_deg, self.longitude_deg));
            compared += case.compare(&model)?;
        }
        Ok(compared)
    }

    /// Fills in what models of `make` forecast, at the leads of `leads`, wherever nothing is expected yet. Fails where a case
    /// brings no forecast.
    pub fn fill(&mut self, make: impl Fn(f64, f64) -> Model, leads: &[u16], tolerance: f64) -> Result<(), String> {
        let (latitude, longitude) = (self.latitude_deg, self.longitude_deg);
        for case in self.cases.iter_mut().filter(|case| case.expect.is_empty()) {
            let forecasts = case.taught(make(latitude, longitude)).forecast(case.ends_at());
            let expected = forecasts.iter().flat_map(|forecast| {
                let leads = leads.iter().filter_map(|lead| forecast.at(*lead));
                leads.map(|lead| Expected {
                    variable: forecast.variable,
                    lead_minutes: lead.lead_minutes,
                    quantiles: lead.quantiles.values(),
                    tolerance,
                })
            });
            case.expect = expected.collect();
            if case.expect.is_empty() {
                let name = printable(&case.name);
                return Err(format!("case {name:?}: the model forecasts nothing of it; give it more means"));
            }
        }
        Ok(())
    }
}

impl Case {
    fn check(&self) -> Result<(), String> {
        if self.first_ends_at.as_second().rem_euclid(BIN_SECONDS) != 0 || self.first_ends_at.subsec_nanosecond() != 0 {
            return Err("firstEndsAt: isn't a whole multiple of ten minutes".to_owned());
        }
        let count = self.count();
        if count == 0 || count > MAX_MEANS {
            return Err(format!("means: {count} of each; 1 to {MAX_MEANS} are taken"));
        }
        for (variable, values) in &self.means {
            let name = variable.key();
            if values.len() != count {
                return Err(format!("means.{name}: there are {}, and {count} of another variable", values.len()));
            }
            let (low, high) = variable.range();
            let wrong = values.iter().position(|value| value.is_some_and(|value| !(low..=high).contains(&value)));
            if let Some(place) = wrong {
                return Err(format!("means.{name}[{place}]: isn't from {low} to {high}"));
            }
        }
        for (place, expected) in self.expect.iter().enumerate() {
            let [q05, q25, q50, q75, q95] = expected.quantiles;
            if !(Quantiles { q05, q25, q50, q75, q95 }).is_valid() {
                return Err(format!("expect[{place}].quantiles: they cross or aren't finite"));
            }
            // Written so that NaN is refused too.
            if !(expected.tolerance > 0.0 && expected.tolerance.is_finite()) {
                return Err(format!("expect[{place}].tolerance: isn't more than 0"));
            }
        }
        Ok(())
    }

    fn count(&self) -> usize {
        self.means.values().map(Vec::len).max().unwrap_or(0)
    }

    /// End of the last ten minutes.
    fn ends_at(&self) -> Timestamp {
        self.bin(self.count().saturating_sub(1))
    }

    fn bin(&self, place: usize) -> Timestamp {
        let later = SignedDuration::from_secs(BIN_SECONDS.saturating_mul(i64::try_from(place).unwrap_or(i64::MAX)));
        self.first_ends_at.saturating_add(later).unwrap_or(self.first_ends_at)
    }

    fn taught(&self, mut model: Model) -> Model {
        for place in 0..self.count() {
            let mut mean = Mean { ends_at: self.bin(place), values: [None; 8] };
            for (variable, values) in &self.means {
                mean.values[variable.index()] = values.get(place).copied().flatten();
            }
            model.observe(&mean);
        }
        model
    }

    fn compare(&self, model: &Model) -> Result<usize, String> {
        let forecasts = model.forecast(self.ends_at());
        for expected in &self.expect {
            let Expected { variable, lead_minutes, .. } = expected;
            let what = format!("case {:?}: {variable} at {lead_minutes} min", printable(&self.name));
            let forecast = forecasts.iter().find(|forecast| forecast.variable == *variable);
            let found = forecast
                .and_then(|forecast| forecast.at(*lead_minutes))
                .ok_or_else(|| format!("{what} isn't forecast"))?;
            for (found, wanted) in found.quantiles.values().into_iter().zip(expected.quantiles) {
                // Written so that NaN is a difference.
                // Not the other way round: a NaN is never near.
                let is_near = (found - wanted).abs() <= expected.tolerance;
                if !is_near {
                    let tolerance = expected.tolerance;
                    return Err(format!("{what} is {found}, expected is {wanted} ± {tolerance}"));
                }
            }
        }
        Ok(self.expect.len())
    }
}
