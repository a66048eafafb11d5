//! Whether a model's forecasts hold, and whether they are better than persistence.

use std::collections::{BTreeMap, VecDeque};

use super::means::Mean;
use super::parameters::LEADS;
use super::verification::verify;
use crate::station::forecast::MAX_LEAD_MINUTES;
use crate::station::{LeadForecast, Variable, VariableForecast};

/// Leads that are verified, minutes.
const VERIFIED: [u16; 4] = [60, 120, 180, 240];
/// Bins of the rolling window: seven days.
pub const WINDOW_BINS: i64 = 7 * 144;
/// Nowcasts that must be verified before their skill counts, and the bins that must lie between the first and the last of
/// them: two days.
const MIN_ISSUES: usize = 24;
const MIN_SPAN: i64 = 2 * 144;

/// Whether forecasts can be sent: each variable once, leads ascending, quantiles finite, in order and within the variable's
/// physical range. Else what is wrong, in words.
pub fn judge(forecasts: &[VariableForecast]) -> Result<(), String> {
    for (place, forecast) in forecasts.iter().enumerate() {
        let variable = forecast.variable;
        if forecasts[..place].iter().any(|other| other.variable == variable) {
            return Err(format!("it forecasts {variable} twice"));
        }
        if !forecast.persistence.is_finite() {
            return Err(format!("its present {variable} isn't a number"));
        }
        let mut before = 0;
        for lead in &forecast.leads {
            judge_lead(variable, lead)?;
            if lead.lead_minutes <= before {
                return Err(format!("its leads of {variable} aren't in order"));
            }
            before = lead.lead_minutes;
        }
    }
    Ok(())
}

fn judge_lead(variable: Variable, lead: &LeadForecast) -> Result<(), String> {
    let LeadForecast { lead_minutes, quantiles } = lead;
    let what = format!("its {variable} at {lead_minutes} min");
    if !(1..=MAX_LEAD_MINUTES).contains(lead_minutes) {
        return Err(format!("{what} is beyond {MAX_LEAD_MINUTES} min"));
    }
    if !quantiles.values().iter().all(|value| value.is_finite()) {
        return Err(format!("{what} isn't a number"));
    }
    if !quantiles.is_valid() {
        return Err(format!("{what} has quantiles that cross"));
    }
    let (low, high) = variable.range();
    match quantiles.values().into_iter().find(|value| !(low..=high).contains(value)) {
        Some(value) => Err(format!("{what} is {value:.2} {}, outside {low} to {high}", variable.unit())),
        None => Ok(()),
    }
}

/// How a model does beside persistence, over the last seven days of its own nowcasts. Takes some 150 KiB.
#[derive(Debug, Clone, Default)]
pub struct SkillWindow {
    /// Forecasts whose outcome hasn't come, by the bin it will come with.
    waiting: BTreeMap<i64, Vec<(Variable, LeadForecast, f64)>>,
    /// What came of each bin, oldest first.
    verified: VecDeque<Verified>,
    /// Issues of which something was verified.
    issues: VecDeque<i64>,
}

/// Absolute errors at one bin of one variable, over the leads.
#[derive(Debug, Clone, Copy)]
struct Verified {
    bin: i64,
    variable: Variable,
    absolute: f64,
    persistence: f64,
}

impl SkillWindow {
    /// Takes in a nowcast issued at the end of `bin`.
    pub fn issue(&mut self, bin: i64, forecasts: &[VariableForecast]) {
        for forecast in forecasts {
            for lead in VERIFIED.into_iter().filter_map(|lead| forecast.at(lead)) {
                let due = bin + i64::from(lead.lead_minutes / 10);
                self.waiting.entry(due).or_default().push((forecast.variable, *lead, forecast.persistence));
            }
        }
        if forecasts.iter().any(|forecast| VERIFIED.iter().any(|lead| forecast.at(*lead).is_some())) {
            self.issues.push_back(bin);
        }
    }

    /// Takes in what was measured, and verifies what was forecast for it.
    pub fn observe(&mut self, mean: &Mean) {
        let bin = mean.bin();
        // What is due earlier had no measurement.
        let later = self.waiting.split_off(&(bin + 1));
        let due = std::mem::replace(&mut self.waiting, later).remove(&bin).unwrap_or_default();
        let mut sums: BTreeMap<Variable, Verified> = BTreeMap::new();
        for (variable, lead, persistence) in due {
            let Some(measured) = mean.get(variable) else { continue };
            let outcome = verify(&lead, persistence, measured);
            let none = Verified { bin, variable, absolute: 0.0, persistence: 0.0 };
            let sum = sums.entry(variable).or_insert(none);
            sum.absolute += outcome.error.abs();
            sum.persistence += outcome.persistence_error.abs();
        }
        self.verified.extend(sums.into_values());
        while self.verified.front().is_some_and(|verified| verified.bin <= bin - WINDOW_BINS) {
            self.verified.pop_front();
        }
        while self.issues.front().is_some_and(|issue| *issue <= bin - WINDOW_BINS) {
            self.issues.pop_front();
        }
    }

    /// Nowcasts of the window whose time is over, oldest first.
    fn past(&self) -> impl Iterator<Item = i64> {
        let newest = self.verified.back().map_or(i64::MIN, |verified| verified.bin);
        self.issues.iter().copied().filter(move |issue| issue + LEADS as i64 <= newest)
    }

    /// How many nowcasts of the window are verified at every lead.
    #[must_use]
    pub fn issues(&self) -> u64 {
        self.past().count() as u64
    }

    /// `1 − error / error of persistence`: the mean over the variables of the ratio of their absolute errors at one to four
    /// hours. Absent with fewer than 24 verified nowcasts or two days of them, and where persistence made no error.
    #[must_use]
    pub fn skill(&self) -> Option<f64> {
        let first = self.past().next()?;
        let last = self.past().last()?;
        if self.past().count() < MIN_ISSUES || last - first < MIN_SPAN {
            return None;
        }
        let mut sums: BTreeMap<Variable, (f64, f64)> = BTreeMap::new();
        for verified in &self.verified {
            let sum = sums.entry(verified.variable).or_default();
            *sum = (sum.0 + verified.absolute, sum.1 + verified.persistence);
        }
        let ratios: Vec<f64> =
            sums.into_values().filter(|(_, persistence)| *persistence > 0.0).map(|(own, other)| own / other).collect();
        let count = ratios.len();
        (count > 0).then(|| 1.0 - ratios.iter().sum::<f64>() / count as f64)
    }
}
