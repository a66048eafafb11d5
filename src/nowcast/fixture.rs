//! A model for tests: persistence until an instant, and from then on what the test wants.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::means::Mean;
use super::persistence::Persistence;
use crate::station::{Quantiles, Variable, VariableForecast};

/// What it does, and from when on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FixtureParameters {
    /// From this issue time on.
    pub from: Timestamp,
    /// What it does.
    pub does: Does,
}

/// What the model does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Does {
    /// What persistence does.
    Well,
    /// Answers once [`release`] is called with this name.
    Waits(String),
    /// Forecasts what is no number.
    NotFinite,
    /// Forecasts a humidity above 100 %.
    OutOfRange,
    /// Forecasts quantiles that cross.
    Crossing,
    /// Forecasts far beside what is.
    FarOff,
    /// Ends its thread.
    Panics,
}

static RELEASED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static RELEASE: Condvar = Condvar::new();

/// Lets every model answer that waits for `name`.
pub fn release(name: &str) {
    RELEASED.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    RELEASE.notify_all();
}

/// The model.
#[derive(Debug, Clone)]
pub struct Fixture {
    parameters: FixtureParameters,
    persistence: Persistence,
}

impl Fixture {
    /// One that knows nothing yet.
    pub fn new(parameters: FixtureParameters) -> Self {
        Self { parameters, persistence: Persistence::new() }
    }

    /// As every model's.
    pub fn observe(&mut self, mean: &Mean) {
        self.persistence.observe(mean);
    }

    /// As every model's, until it is time.
    pub fn forecast(&self, issued_at: Timestamp) -> Vec<VariableForecast> {
        let mut forecasts = self.persistence.forecast(issued_at);
        if issued_at < self.parameters.from {
            return forecasts;
        }
        match &self.parameters.does {
            Does::Well => {}
            Does::Waits(name) => {
                let mut released = RELEASED.lock().unwrap_or_else(PoisonError::into_inner);
                while !released.contains(name) {
                    released = RELEASE.wait(released).unwrap_or_else(PoisonError::into_inner);
                }
            }
            Does::NotFinite => change(&mut forecasts, |_| f64::NAN),
            Does::OutOfRange => {
                forecasts.retain(|forecast| forecast.variable == Variable::Humidity);
                let leads = forecasts.iter_mut().flat_map(|forecast| &mut forecast.leads);
                leads.for_each(|lead| lead.quantiles.q95 = 101.0);
            }
            Does::Crossing => {
                let leads = forecasts.iter_mut().flat_map(|forecast| &mut forecast.leads);
                leads.for_each(|lead| lead.quantiles.q05 = lead.quantiles.q95 + 1.0);
            }
            Does::FarOff => change(&mut forecasts, |value| value - 20.0),
            Does::Panics => panic!("as the test wants"),
        }
        forecasts
    }
}

fn change(forecasts: &mut [VariableForecast], to: fn(f64) -> f64) {
    for lead in forecasts.iter_mut().flat_map(|forecast| &mut forecast.leads) {
        let [q05, q25, q50, q75, q95] = lead.quantiles.values().map(to);
        lead.quantiles = Quantiles { q05, q25, q50, q75, q95 };
    }
}
