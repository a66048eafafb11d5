//! The simplest model: nothing changes.
//!
//! For each variable with data, on ten-minute means: the forecast at every lead is the newest mean, and the bands
//! around it are the 5, 25, 75 and 95 % quantiles of the errors that this forecast made at that lead over the last
//! seven days. A lead with fewer than 24 errors isn't forecast; everything is clamped to the variable's physical
//! range. It is what the other models have to be better than.
//!
//! Rain and wind direction aren't forecast, as by [`super::anomaly_persistence`].

use std::collections::VecDeque;

use jiff::Timestamp;

use super::anomaly_persistence::{LEAD_STEP_MINUTES, rounded};
use super::errors::ErrorWindow;
use super::history::window;
use super::means::Mean;
use super::parameters::{LEADS, PersistenceParameters, range};
use super::series::band;
use crate::station::{LeadForecast, Quantiles, Variable, VariableForecast};

/// Names the model in each prediction.
pub const PERSISTENCE_ID: &str = "persistence-1";

/// The model with the errors it has made. About 0.3 MiB a variable with data, once seven days are known.
#[derive(Debug, Clone)]
pub struct Persistence {
    parameters: PersistenceParameters,
    newest: Option<Mean>,
    /// By the place of its variable in the parameters.
    series: Vec<Series>,
}

/// One variable: its last four hours, and the errors at each lead.
#[derive(Debug, Clone, Default)]
struct Series {
    recent: VecDeque<(i32, f32)>,
    errors: Vec<ErrorWindow>,
}

impl Default for Persistence {
    fn default() -> Self {
        Self::new()
    }
}

impl Persistence {
    /// A model that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with(PersistenceParameters::default())
    }

    /// The same, going by `parameters`.
    #[must_use]
    pub fn with(parameters: PersistenceParameters) -> Self {
        let series = vec![Series::default(); parameters.variables.len()];
        Self { parameters, newest: None, series }
    }

    /// Takes in the means of a bin and learns from what was forecast for it. One that isn't newer than the newest is
    /// left out.
    pub fn observe(&mut self, mean: &Mean) {
        if self.newest.is_some_and(|newest| mean.bin() <= newest.bin()) {
            return;
        }
        let Ok(bin) = i32::try_from(mean.bin()) else { return };
        let first = bin - window(self.parameters.error_days);
        for (variable, series) in self.parameters.variables.iter().zip(&mut self.series) {
            series.observe(bin, first, mean.get(*variable));
        }
        self.newest = Some(*mean);
    }

    /// End of the newest bin taken in.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest.map(|mean| mean.ends_at)
    }

    /// Forecasts of every variable that has a value in the newest bin, at the leads that have enough past errors.
    /// Empty unless `issued_at` is that bin's end.
    #[must_use]
    pub fn forecast(&self, issued_at: Timestamp) -> Vec<VariableForecast> {
        let Some(mean) = self.newest.filter(|mean| mean.ends_at == issued_at) else { return Vec::new() };
        let Self { parameters, series, .. } = self;
        let one = |(&variable, series): (&Variable, &Series)| {
            let value = mean.get(variable)?;
            let (low, high) = range(&parameters.bounds, variable);
            let leads: Vec<LeadForecast> = (1..=LEADS)
                .zip(&series.errors)
                .filter_map(|(lead, errors)| {
                    let quantiles = band(errors, parameters.min_errors)?.map(|error| rounded(variable, value + error));
                    let quantiles = Quantiles::ordered(quantiles).clamped(low, high);
                    Some(LeadForecast { lead_minutes: LEAD_STEP_MINUTES * lead as u16, quantiles })
                })
                .collect();
            let persistence = rounded(variable, value);
            (!leads.is_empty()).then_some(VariableForecast { variable, persistence, leads })
        };
        parameters.variables.iter().zip(series).filter_map(one).collect()
    }
}

impl Series {
    /// `first` is the bin before which errors are forgotten.
    fn observe(&mut self, bin: i32, first: i32, value: Option<f64>) {
        while self.recent.front().is_some_and(|(issued, _)| bin - issued > LEADS as i32) {
            self.recent.pop_front();
        }
        for errors in &mut self.errors {
            errors.forget_before(first);
        }
        let Some(value) = value.map(|value| value as f32) else { return };
        self.errors.resize_with(LEADS, ErrorWindow::default);
        for &(issued, then) in &self.recent {
            self.errors[(bin - issued - 1) as usize].push(bin, value - then);
        }
        self.recent.push_back((bin, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2016-06-01T00:00:00Z.
    const JUNE: i64 = 1_464_739_200 / 600;

    fn mean(bin: i64, variable: Variable, value: f64) -> Mean {
        let mut mean = Mean { ends_at: Timestamp::from_second(bin * 600).expect("within range"), values: [None; 8] };
        mean.values[variable.index()] = Some(value);
        mean
    }

    #[test]
    fn the_median_is_the_newest_value_and_the_band_is_how_it_erred() {
        let mut model = Persistence::new();
        assert!(model.forecast(Timestamp::UNIX_EPOCH).is_empty());
        // A rise of 0.1 a bin: the forecast of lead L errs by 0.1 · L each time.
        for step in 0..60 {
            model.observe(&mean(JUNE + step, Variable::Temperature, 0.1 * step as f64));
        }
        let newest = model.newest().expect("observed");
        let forecasts = model.forecast(newest);
        assert_eq!(forecasts.len(), 1);
        assert!((forecasts[0].persistence - 5.9).abs() < 1e-9);
        assert_eq!(forecasts[0].leads.len(), 24, "the lead of 24 bins has 36 errors");
        let hour = forecasts[0].at(60).expect("a lead").quantiles;
        assert!((hour.q50 - 5.9).abs() < 1e-3 && (hour.q95 - 6.5).abs() < 2e-3, "{hour:?}");
        assert!((hour.q05 - 5.9).abs() < 1e-3, "it never erred downwards: {hour:?}");
        assert!(model.forecast(newest + jiff::SignedDuration::from_mins(10)).is_empty());
    }

    #[test]
    fn a_lead_waits_for_its_errors_and_what_never_was_measured_is_not_forecast() {
        let mut model = Persistence::new();
        for step in 0..30 {
            model.observe(&mean(JUNE + step, Variable::Humidity, if step % 2 == 0 { 100.0 } else { 90.0 }));
        }
        model.observe(&mean(JUNE, Variable::Humidity, 1.0));
        let forecasts = model.forecast(model.newest().expect("observed"));
        assert_eq!(forecasts[0].leads.len(), 6, "30 values have 24 errors at lead 6 and 23 at lead 7");
        let first = forecasts[0].leads[0].quantiles;
        assert_eq!((first.q50, first.q95), (90.0, 100.0));
        model.observe(&mean(JUNE + 30, Variable::Rain, 1.0));
        assert!(model.forecast(model.newest().expect("observed")).is_empty());
    }
}
