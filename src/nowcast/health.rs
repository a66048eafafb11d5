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
/// them: five days. In its first days a model that learns on the device has little to go on.
const MIN_ISSUES: usize = 24;
const MIN_SPAN: i64 = 5 * 144;

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

    /// `1 − error / error of persistence`: of the variables the median of the ratio of their absolute errors at one to four
    /// hours, since one variable may be beyond a model that is good at the others. Absent with fewer than 24 verified nowcasts
    /// or five days of them, and where persistence made no error.
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
        let mut ratios: Vec<f64> =
            sums.into_values().filter(|(_, persistence)| *persistence > 0.0).map(|(own, other)| own / other).collect();
        ratios.sort_by(f64::total_cmp);
        let above = *ratios.get(ratios.len() / 2)?;
        let below = *ratios.get(ratios.len().checked_sub(1)? / 2)?;
        Some(1.0 - f64::midpoint(below, above))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::station::Quantiles;

    fn forecast(leads: &[(u16, [f64; 5])]) -> VariableForecast {
        let lead = |(lead_minutes, [q05, q25, q50, q75, q95]): &(u16, [f64; 5])| LeadForecast {
            lead_minutes: *lead_minutes,
            quantiles: Quantiles { q05: *q05, q25: *q25, q50: *q50, q75: *q75, q95: *q95 },
        };
        VariableForecast { variable: Variable::Humidity, persistence: 50.0, leads: leads.iter().map(lead).collect() }
    }

    #[test]
    fn forecasts_that_cannot_be_sent_are_named() {
        let good = forecast(&[(10, [0.0, 40.0, 50.0, 60.0, 100.0]), (20, [50.0; 5])]);
        assert_eq!(judge(std::slice::from_ref(&good)), Ok(()));
        assert_eq!(judge(&[]), Ok(()));
        let wrong = |forecasts: &[VariableForecast]| judge(forecasts).expect_err("refused");
        assert_eq!(wrong(&[good.clone(), good.clone()]), "it forecasts humidity twice");
        assert_eq!(
            wrong(&[forecast(&[(10, [f64::NAN, 1.0, 2.0, 3.0, 4.0])])]),
            "its humidity at 10 min isn't a number"
        );
        assert_eq!(wrong(&[forecast(&[(10, [f64::INFINITY; 5])])]), "its humidity at 10 min isn't a number");
        assert_eq!(
            wrong(&[forecast(&[(10, [2.0, 1.0, 3.0, 4.0, 5.0])])]),
            "its humidity at 10 min has quantiles that cross"
        );
        let outside = wrong(&[forecast(&[(10, [50.0, 50.0, 50.0, 50.0, 100.5])])]);
        assert_eq!(outside, "its humidity at 10 min is 100.50 %, outside 0 to 100");
        assert_eq!(wrong(&[forecast(&[(20, [1.0; 5]), (10, [1.0; 5])])]), "its leads of humidity aren't in order");
        assert_eq!(wrong(&[forecast(&[(250, [1.0; 5])])]), "its humidity at 250 min is beyond 240 min");
        let now = VariableForecast { persistence: f64::NAN, ..good };
        assert_eq!(wrong(&[now]), "its present humidity isn't a number");
    }

    fn mean(bin: i64, humidity: f64) -> Mean {
        let mut mean = Mean { ends_at: Timestamp::from_second(bin * 600).expect("in range"), values: [None; 8] };
        mean.values[Variable::Humidity.index()] = Some(humidity);
        mean
    }

    /// Humidity rises by 1 each ten minutes; the median is `off` above what comes, and persistence lags behind by the lead.
    fn window(bins: i64, off: f64) -> SkillWindow {
        let mut window = SkillWindow::default();
        for bin in 0..bins {
            let value = (bin % 90) as f64;
            window.observe(&mean(bin, value));
            let leads: Vec<_> =
                VERIFIED.iter().map(|lead| (*lead, [value + f64::from(*lead) / 10.0 + off; 5])).collect();
            window.issue(bin, &[VariableForecast { persistence: value, ..forecast(&leads) }]);
        }
        window
    }

    #[test]
    fn skill_waits_for_five_days_and_is_that_of_the_last_seven() {
        assert_eq!(window(5 * 144, 0.0).skill(), None, "less than five days are verified");
        let seen = window(6 * 144, 0.0);
        assert_eq!(seen.issues(), 6 * 144 - 24, "the last four hours' outcome hasn't come");
        assert!(seen.skill().is_some_and(|skill| skill > 0.0));
        assert!(window(6 * 144, 60.0).skill().is_some_and(|skill| skill < 0.0));
        let long = window(20 * 144, 0.0);
        assert_eq!(long.issues() as i64, WINDOW_BINS - 24);
        let verified = long.verified.len();
        assert!(verified <= usize::try_from(WINDOW_BINS).expect("small") && long.waiting.len() <= 25, "{verified}");
    }

    #[test]
    fn skill_is_one_less_the_ratio_of_errors_computed_by_hand() {
        // At a level of 50 persistence and forecast err by 2 and 1 at each lead.
        let mut window = SkillWindow::default();
        for bin in 0..6 * 144 {
            let value = if bin % 2 == 0 { 50.0 } else { 52.0 };
            window.observe(&mean(bin, value));
            if bin % 2 == 0 {
                // All leads are even: what comes is 50 again. A persistence of 52 errs by 2, a median of 51 by 1.
                let leads: Vec<_> = VERIFIED.iter().map(|lead| (*lead, [51.0; 5])).collect();
                window.issue(bin, &[VariableForecast { persistence: 52.0, ..forecast(&leads) }]);
            }
        }
        assert_eq!(window.skill(), Some(0.5));
    }

    #[test]
    fn one_variable_that_is_beyond_a_model_does_not_stand_for_the_others() {
        let mut window = SkillWindow::default();
        for bin in 0..6 * 144 {
            let value = if bin % 2 == 0 { 50.0 } else { 52.0 };
            let mut mean = mean(bin, value);
            mean.values[Variable::Temperature.index()] = Some(value);
            mean.values[Variable::WindSpeed.index()] = Some(value);
            window.observe(&mean);
            // Persistence errs by 2: humidity by 1, temperature by 0, wind by 40.
            let of = |variable, off: f64| {
                let leads: Vec<_> = VERIFIED.iter().map(|lead| (*lead, [value + off; 5])).collect();
                VariableForecast { variable, persistence: value + 2.0, ..forecast(&leads) }
            };
            let forecasts = [(Variable::Humidity, 1.0), (Variable::Temperature, 0.0), (Variable::WindSpeed, 40.0)];
            window.issue(bin, &forecasts.map(|(variable, off)| of(variable, off)));
        }
        assert_eq!(window.skill(), Some(0.5), "the median of 0.5, 1 and -19");
    }

    #[test]
    fn what_never_came_is_forgotten() {
        let mut window = SkillWindow::default();
        window.issue(0, &[forecast(&[(60, [50.0; 5])])]);
        window.observe(&mean(1000, 50.0));
        assert!(window.waiting.is_empty() && window.verified.is_empty() && window.issues() == 0);
    }
}
