//! The model that needs no training: anomaly persistence on the station's own diurnal cycle.
//!
//! For each variable with data, on ten-minute means (figures as they come with skydeck; a package's weights may give
//! others, see [`super::parameters`]):
//!
//! 1. **Cycle.** `C(t)`: the mean over the last seven days (as many as there are) of all values whose time of
//!    day (UTC) is within half an hour of `t`'s.
//! 2. **Anomaly.** `a = x − C(now)`: how far the newest mean is from its usual value.
//! 3. **Forecast** at lead `L`: `x + c_L · (C(now + L) − C(now)) − f_L · a`. With `c_L = 1` and `f_L` growing
//!    from 0 to 1 that is the anomaly fading into climatology; with both 0 it is persistence.
//! 4. **Fades.** `c_L` and `f_L`, each within [0, 1], are those that would have erred least (least squares) over
//!    the issues of the last seven days whose outcome has come, each with the cycle as it was known then. A cycle
//!    that hasn't helped, as the pressure's rarely does, so fades out by itself. With fewer than 72 such pairs,
//!    `c_L = 1` and `f_L = 1 − exp(−L / 4 h)`.
//! 5. **Start.** While values go back less than 24 hours there is no cycle: the forecast is persistence.
//! 6. **Bands.** The errors these forecasts made at that lead over the last seven days: their 5, 25, 75 and 95 %
//!    quantiles around the forecast, which is the median. A lead with fewer than 24 errors isn't forecast.
//!    Everything is clamped to the variable's physical range.
//!
//! **Light** is special. Where the sun is above 5° the same is done with the clear-sky index (measured over
//! Haurwitz's clear-sky illuminance; cycle smoothed over an hour and a half either way) and multiplied back by
//! the clear sky of the valid time. Before sunrise there is no present index: the cycle alone is forecast, with
//! the errors such forecasts made. Where the sun is at or below 5° the forecast is the mean of the last days at
//! that ten minutes of the day; its errors, as shares of that mean plus 110 lx, are kept apart for twilight and
//! for night (below −6°), so that nights are dark with narrow bands.
//!
//! Figures are rounded to two decimals more than screens show.
//!
//! Rain and wind direction aren't forecast: neither has an anomaly that persists in this sense.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::light::Light;
use super::means::Mean;
use super::parameters::{AnomalyParameters, LEADS, range};
use super::series::AnomalySeries;
use crate::station::{LeadForecast, Quantiles, Variable, VariableForecast};

/// Names the model in each prediction.
pub const MODEL_ID: &str = "anomaly-persistence-1";

/// Minutes between leads.
pub(super) const LEAD_STEP_MINUTES: u16 = 10;

/// The model with all it has learnt. About 0.6 MiB a variable with data, once seven days are known.
#[derive(Debug, Clone)]
pub struct AnomalyPersistence {
    latitude_deg: f64,
    longitude_deg: f64,
    parameters: AnomalyParameters,
    newest: Option<Mean>,
    cyclic: BTreeMap<Variable, AnomalySeries>,
    light: Option<Light>,
}

impl AnomalyPersistence {
    /// A model that knows nothing yet, for a station at degrees north and east.
    #[must_use]
    pub fn new(latitude_deg: f64, longitude_deg: f64) -> Self {
        Self::with(AnomalyParameters::default(), latitude_deg, longitude_deg)
    }

    /// The same, going by `parameters`.
    #[must_use]
    pub fn with(parameters: AnomalyParameters, latitude_deg: f64, longitude_deg: f64) -> Self {
        Self { latitude_deg, longitude_deg, parameters, newest: None, cyclic: BTreeMap::new(), light: None }
    }

    /// Takes in the means of a bin and learns from what was forecast for it. Bins come in order of time; one
    /// that isn't newer than the newest is left out. After as many means as two weeks hold, a new model
    /// forecasts as one that never stopped.
    pub fn observe(&mut self, mean: &Mean) {
        let Some(bin) = self.newer_bin(mean) else { return };
        for (variable, parameters) in &self.parameters.variables {
            let value = mean.get(*variable);
            if value.is_some() || self.cyclic.contains_key(variable) {
                let series = self.cyclic.entry(*variable).or_insert_with(|| AnomalySeries::new(parameters));
                series.observe(bin, value);
            }
        }
        let lux = mean.get(Variable::Light);
        if let Some(parameters) = &self.parameters.light
            && (lux.is_some() || self.light.is_some())
        {
            let (latitude, longitude) = (self.latitude_deg, self.longitude_deg);
            let light = self.light.get_or_insert_with(|| Light::new(latitude, longitude, parameters));
            light.observe(bin, mean.ends_at, lux);
        }
        self.newest = Some(*mean);
    }

    /// End of the newest bin taken in: the instant a forecast can be issued at.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest.map(|mean| mean.ends_at)
    }

    /// Forecasts of every variable that has a value in the newest bin, at the leads that have enough past
    /// errors. Empty unless `issued_at` is that bin's end: from older data there is no honest forecast.
    #[must_use]
    pub fn forecast(&self, issued_at: Timestamp) -> Vec<VariableForecast> {
        let Some(mean) = self.newest.filter(|mean| mean.ends_at == issued_at) else { return Vec::new() };
        Variable::ALL.into_iter().filter_map(|variable| self.forecast_one(variable, &mean)).collect()
    }

    fn forecast_one(&self, variable: Variable, mean: &Mean) -> Option<VariableForecast> {
        let persistence = rounded(variable, mean.get(variable)?);
        let bin = i32::try_from(mean.bin()).ok()?;
        let (low, high) = range(&self.parameters.bounds, variable);
        let quantiles = |lead: usize| match variable {
            Variable::Light => self.light.as_ref()?.quantiles(bin, mean.ends_at, lead),
            _ => self.cyclic.get(&variable)?.quantiles(lead),
        };
        let leads: Vec<LeadForecast> = (1..=LEADS)
            .filter_map(|lead| {
                let quantiles = quantiles(lead)?.map(|value| rounded(variable, value));
                let quantiles = Quantiles::ordered(quantiles).clamped(low, high);
                Some(LeadForecast { lead_minutes: LEAD_STEP_MINUTES * lead as u16, quantiles })
            })
            .collect();
        (!leads.is_empty()).then_some(VariableForecast { variable, persistence, leads })
    }

    fn newer_bin(&self, mean: &Mean) -> Option<i32> {
        let is_newer = self.newest.is_none_or(|newest| mean.bin() > newest.bin());
        if is_newer { i32::try_from(mean.bin()).ok() } else { None }
    }
}

/// `value` to two decimals more than the variable is shown with: what lies beyond is noise, and bytes on the link.
pub(super) fn rounded(variable: Variable, value: f64) -> f64 {
    let scale = [100.0, 1000.0][variable.decimals().min(1)];
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYERNE: (f64, f64) = (46.815, 6.944);

    fn mean(bin: i64, values: &[(Variable, f64)]) -> Mean {
        let ends_at = Timestamp::from_second(bin * 600).expect("within range");
        let mut mean = Mean { ends_at, values: [None; 8] };
        for &(variable, value) in values {
            mean.values[variable.index()] = Some(value);
        }
        mean
    }

    /// 2016-06-01T00:00:00Z.
    const JUNE: i64 = 1_464_739_200 / 600;

    #[test]
    fn only_variables_with_a_present_value_are_forecast_and_only_from_the_newest_bin() {
        let mut model = AnomalyPersistence::new(PAYERNE.0, PAYERNE.1);
        assert_eq!(model.newest(), None);
        for bin in JUNE..JUNE + 60 {
            model.observe(&mean(bin, &[(Variable::Temperature, 10.0), (Variable::Rain, 0.2)]));
        }
        let newest = model.newest().expect("observed");
        let forecasts = model.forecast(newest);
        assert_eq!(forecasts.len(), 1, "rain isn't forecast, the others have no data");
        assert_eq!(forecasts[0].persistence, 10.0);
        assert_eq!(forecasts[0].leads.len(), 24);
        assert!(model.forecast(newest + jiff::SignedDuration::from_mins(10)).is_empty());

        model.observe(&mean(JUNE + 60, &[(Variable::Humidity, 50.0)]));
        model.observe(&mean(JUNE + 3, &[(Variable::Temperature, 99.0)]));
        assert!(model.forecast(model.newest().expect("observed")).is_empty(), "temperature has no present value");
    }

    #[test]
    fn quantiles_stay_within_the_physical_range() {
        let mut model = AnomalyPersistence::new(PAYERNE.0, PAYERNE.1);
        for bin in JUNE..JUNE + 400 {
            let humidity = if bin % 7 < 3 { 100.0 } else { 80.0 };
            model.observe(&mean(bin, &[(Variable::Humidity, humidity)]));
        }
        let forecasts = model.forecast(model.newest().expect("observed"));
        for lead in &forecasts[0].leads {
            assert!(lead.quantiles.is_valid());
            assert!(lead.quantiles.q95 <= 100.0 && lead.quantiles.q05 >= 0.0);
        }
    }

    #[test]
    fn nights_are_dark_with_narrow_bands_and_noon_is_as_bright_as_the_clear_sky_allows() {
        let mut model = AnomalyPersistence::new(PAYERNE.0, PAYERNE.1);
        // Five days under a sky that lets 70 % through, until 21:00Z, an hour and a half after sunset.
        for bin in JUNE + 1..=JUNE + 4 * 144 + 21 * 6 {
            let ends_at = mean(bin, &[]).ends_at;
            let elevation =
                super::super::solar::elevation_deg(super::super::means::middle(ends_at), PAYERNE.0, PAYERNE.1);
            let lux = 0.7 * super::super::solar::clear_sky_illuminance_lx(elevation);
            model.observe(&mean(bin, &[(Variable::Light, lux)]));
            if bin == JUNE + 4 * 144 + 10 * 6 {
                let forecast = model.forecast(ends_at).remove(0);
                let noon = forecast.at(120).expect("errors of four days").quantiles;
                // The sun stands at 65.2° at 11:55Z: 0.7 · 1098 · 0.9078 · exp(−0.059 / 0.9078) · 110 = 71.9 klx.
                assert!((noon.q50 - 71_900.0).abs() < 300.0, "{noon:?}");
            }
        }
        let forecast = model.forecast(model.newest().expect("observed")).remove(0);
        assert_eq!(forecast.persistence, 0.0);
        let night = forecast.at(240).expect("nights were seen").quantiles;
        assert!(night.q05 >= 0.0 && night.q95 < 1.0, "{night:?}");
    }
}
