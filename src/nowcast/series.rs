//! Anomaly persistence of one quantity: its diurnal cycle, how fast an anomaly fades, and past errors.

use std::collections::VecDeque;

use super::errors::ErrorWindow;
use super::history::{History, window};
use super::means::BINS_PER_DAY;
use super::parameters::{LEADS, SeriesParameters};

/// Pairs after which the sums are made anew: a week's.
const REBUILD: i32 = 7 * BINS_PER_DAY as i32;
/// Probabilities of the quantiles beside the median.
const BAND_EDGES: [f64; 4] = [0.05, 0.25, 0.75, 0.95];

/// One quantity with its cycle, fades and errors.
#[derive(Debug, Clone)]
pub(super) struct AnomalySeries {
    parameters: SeriesParameters,
    history: History,
    leads: Vec<LeadFit>,
    /// Errors of forecasts made without a present value, from the cycle alone, over all leads.
    blind: ErrorWindow,
    /// The last four hours' forecasts, oldest first; the last is the present one.
    issues: VecDeque<Issue>,
}

/// A forecast of the quantity as it was made at one bin. NaN stands for what there wasn't.
#[derive(Debug, Clone, Copy)]
struct Issue {
    bin: i32,
    value: f32,
    anomaly: f32,
    cycle_change: [f32; LEADS],
    point: [f32; LEADS],
}

impl AnomalySeries {
    pub fn new(parameters: &SeriesParameters) -> Self {
        Self {
            history: History::new(parameters.cycle_days),
            parameters: parameters.clone(),
            leads: vec![LeadFit::default(); LEADS],
            blind: ErrorWindow::default(),
            issues: VecDeque::with_capacity(LEADS + 1),
        }
    }

    /// Takes in the value of a bin, learns from what was forecast for it, and forecasts anew. A bin that isn't
    /// newer than the newest is left out.
    pub fn observe(&mut self, bin: i32, value: Option<f64>) {
        let value = value.map(|v| v as f32);
        if !self.history.put(bin, value) {
            return;
        }
        while self.issues.front().is_some_and(|issue| bin - issue.bin > LEADS as i32) {
            self.issues.pop_front();
        }
        if let Some(outcome) = value {
            self.learn(bin, outcome);
        }
        let first = bin - window(self.parameters.error_days);
        self.blind.forget_before(first);
        for lead in &mut self.leads {
            lead.forget_before(first);
        }
        let issue = self.issue(bin, value);
        self.issues.push_back(issue);
    }

    /// The quantiles (5, 25, 50, 75, 95 %) `lead` bins after the newest one; absent with too few past errors.
    pub fn quantiles(&self, lead: usize) -> Option<[f64; 5]> {
        let issue = self.issues.back()?;
        let index = lead.checked_sub(1)?;
        let point = f64::from(*issue.point.get(index)?);
        let errors = if issue.value.is_nan() { &self.blind } else { &self.leads[index].errors };
        if point.is_nan() {
            return None;
        }
        band(errors, self.parameters.min_errors).map(|around| around.map(|error| point + error))
    }

    fn learn(&mut self, bin: i32, outcome: f32) {
        for issue in &self.issues {
            let index = (bin - issue.bin - 1) as usize;
            let error = outcome - issue.point[index];
            if issue.value.is_nan() {
                self.blind.push(bin, error);
            } else {
                let pair = Pair {
                    bin,
                    anomaly: issue.anomaly,
                    cycle_change: issue.cycle_change[index],
                    change: outcome - issue.value,
                };
                self.leads[index].push(pair, error);
            }
        }
    }

    fn issue(&self, bin: i32, value: Option<f32>) -> Issue {
        let none = [f32::NAN; LEADS];
        let mut issue = Issue { bin, value: f32::NAN, anomaly: f32::NAN, cycle_change: none, point: none };
        let cycle_known = self.history.spans_a_day();
        let cycle = |bin| {
            if cycle_known { self.history.mean_at_time_of_day(bin, self.parameters.cycle_reach_bins()) } else { None }
        };
        let now = cycle(bin);
        if let Some(value) = value {
            issue.value = value;
            issue.anomaly = now.map_or(f32::NAN, |now| value - now as f32);
        }
        for (index, fit) in self.leads.iter().enumerate() {
            let then = cycle(bin + index as i32 + 1);
            issue.point[index] = match (value, now, then) {
                (Some(value), Some(now), Some(then)) => {
                    issue.cycle_change[index] = (then - now) as f32;
                    let fade = self.fades(fit, index);
                    let value = f64::from(value);
                    (value + fade.cycle * (then - now) - fade.anomaly * (value - now)) as f32
                }
                (Some(value), _, _) => value,
                (None, _, Some(then)) => then as f32,
                (None, _, None) => f32::NAN,
            };
        }
        issue
    }

    /// Fitted ones where they may be and there are pairs enough, else the stated ones.
    fn fades(&self, fit: &LeadFit, index: usize) -> Fades {
        let parameters = &self.parameters;
        if parameters.fit_from_pairs.is_some_and(|least| fit.pairs.len() >= usize::from(least)) {
            return fit.sums.least_squares();
        }
        Fades { cycle: parameters.cycle_fades[index], anomaly: parameters.anomaly_fades[index] }
    }
}

/// The errors' quantiles around a forecast, with 0 as the median; absent with fewer than `least` errors.
pub(super) fn band(errors: &ErrorWindow, least: u16) -> Option<[f64; 5]> {
    if errors.len() < usize::from(least).max(1) {
        return None;
    }
    let [low90, low50, high50, high90] = BAND_EDGES.map(|p| errors.quantile(p).unwrap_or(0.0));
    Some([low90.min(0.0), low50.min(0.0), 0.0, high50.max(0.0), high90.max(0.0)])
}

/// What is learnt at one lead: the pairs of the last days with their sums, and the errors.
#[derive(Debug, Clone, Default)]
struct LeadFit {
    pairs: VecDeque<Pair>,
    sums: Sums,
    added_since_rebuild: i32,
    errors: ErrorWindow,
}

/// What was known at the issue, and the change that came.
#[derive(Debug, Clone, Copy)]
struct Pair {
    bin: i32,
    anomaly: f32,
    cycle_change: f32,
    change: f32,
}

/// The shares of the cycle's change and of the present anomaly by which a forecast moves, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fades {
    cycle: f64,
    anomaly: f64,
}

impl LeadFit {
    fn push(&mut self, pair: Pair, error: f32) {
        self.errors.push(pair.bin, error);
        if pair.cycle_change.is_nan() {
            return; // made before the cycle was known
        }
        self.pairs.push_back(pair);
        self.sums.add(&pair, 1.0);
        self.added_since_rebuild += 1;
        if self.added_since_rebuild >= REBUILD {
            // Sums that are only added to and taken from drift by rounding.
            self.added_since_rebuild = 0;
            self.sums = Sums::default();
            for pair in &self.pairs {
                self.sums.add(pair, 1.0);
            }
        }
    }

    fn forget_before(&mut self, first_bin: i32) {
        self.errors.forget_before(first_bin);
        while let Some(pair) = self.pairs.front()
            && pair.bin < first_bin
        {
            self.sums.add(pair, -1.0);
            self.pairs.pop_front();
        }
    }
}

/// Sums of products of a (anomaly), d (the cycle's change) and y (the change that came).
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    aa: f64,
    ad: f64,
    dd: f64,
    ay: f64,
    dy: f64,
}

impl Sums {
    fn add(&mut self, pair: &Pair, sign: f64) {
        let (a, d, y) = (f64::from(pair.anomaly), f64::from(pair.cycle_change), f64::from(pair.change));
        self.aa += sign * a * a;
        self.ad += sign * a * d;
        self.dd += sign * d * d;
        self.ay += sign * a * y;
        self.dy += sign * d * y;
    }

    /// The fades within [0, 1] that would have erred least: the least of `Σ (y − c·d + f·a)²`. A convex
    /// quadratic over a square has its least value inside or on one of the four edges.
    fn least_squares(&self) -> Fades {
        let determinant = self.aa * self.dd - self.ad * self.ad;
        if determinant > 1e-9 * self.aa * self.dd {
            let cycle = (self.dy * self.aa - self.ad * self.ay) / determinant;
            let anomaly = (self.ad * self.dy - self.dd * self.ay) / determinant;
            if (0.0..=1.0).contains(&cycle) && (0.0..=1.0).contains(&anomaly) {
                return Fades { cycle, anomaly };
            }
        }
        let ratio = |above: f64, below: f64| if below > 0.0 { (above / below).clamp(0.0, 1.0) } else { 0.0 };
        let on_edges = [0.0, 1.0].into_iter().flat_map(|edge| {
            [
                Fades { cycle: edge, anomaly: ratio(edge * self.ad - self.ay, self.aa) },
                Fades { cycle: ratio(self.dy + edge * self.ad, self.dd), anomaly: edge },
            ]
        });
        on_edges.min_by(|a, b| self.cost(a).total_cmp(&self.cost(b))).unwrap_or(Fades { cycle: 0.0, anomaly: 0.0 })
    }

    /// The sum of squared errors, less the sum of y².
    fn cost(&self, fades: &Fades) -> f64 {
        let (c, f) = (fades.cycle, fades.anomaly);
        c * c * self.dd - 2.0 * c * f * self.ad + f * f * self.aa - 2.0 * c * self.dy + 2.0 * f * self.ay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i32 = BINS_PER_DAY as i32;

    /// One whose cycle isn't smoothed.
    fn series() -> AnomalySeries {
        AnomalySeries::new(&SeriesParameters { cycle_reach_min: 0, ..SeriesParameters::default() })
    }

    fn cycle(bin: i32) -> f64 {
        15.0 + 5.0 * (std::f64::consts::TAU * f64::from(bin % DAY) / f64::from(DAY)).sin()
    }

    fn sums(pairs: &[(f32, f32, f32)]) -> Sums {
        let mut sums = Sums::default();
        for &(anomaly, cycle_change, change) in pairs {
            sums.add(&Pair { bin: 0, anomaly, cycle_change, change }, 1.0);
        }
        sums
    }

    #[test]
    fn the_fades_of_an_exact_law_are_found() {
        // y = 0.5 d − 0.25 a, at (a, d) = (2, 1), (−1, 2), (3, −1): y = 0, 1.25, −1.25.
        let fades = sums(&[(2.0, 1.0, 0.0), (-1.0, 2.0, 1.25), (3.0, -1.0, -1.25)]).least_squares();
        assert!((fades.cycle - 0.5).abs() < 1e-12 && (fades.anomaly - 0.25).abs() < 1e-12, "{fades:?}");
    }

    #[test]
    fn fades_stay_within_0_and_1() {
        // y = −a/2 − d would ask for a cycle of −1: on the edge where it is 0, f = −Σay/Σaa.
        // (a, d): (1, 0), (1, 1) → y = −0.5, −1.5; Σaa = 2, Σay = −2 → f = 1.
        let fades = sums(&[(1.0, 0.0, -0.5), (1.0, 1.0, -1.5)]).least_squares();
        assert_eq!(fades, Fades { cycle: 0.0, anomaly: 1.0 });
        assert_eq!(sums(&[]).least_squares(), Fades { cycle: 0.0, anomaly: 0.0 });
    }

    #[test]
    fn before_a_day_is_known_it_persists_and_a_lead_waits_for_its_errors() {
        let mut series = series();
        for bin in 0..30 {
            series.observe(bin, Some(f64::from(bin)));
        }
        // The newest value is 29; each forecast of lead 1 erred by +1. Lead 6 has 24 errors, lead 7 has 23.
        assert_eq!(series.quantiles(1), Some([29.0, 29.0, 29.0, 30.0, 30.0]));
        assert_eq!(series.quantiles(6), Some([29.0, 29.0, 29.0, 35.0, 35.0]));
        assert_eq!(series.quantiles(7), None);
        assert_eq!(series.quantiles(0), None);
        assert_eq!(series.quantiles(LEADS + 1), None);
    }

    #[test]
    fn a_pure_cycle_is_forecast_to_rounding() {
        let mut series = series();
        for bin in 0..12 * DAY {
            series.observe(bin, Some(cycle(bin)));
        }
        let newest = 12 * DAY - 1;
        for lead in [1, 12, 24] {
            let [low, _, median, _, high] = series.quantiles(lead).expect("days of errors");
            assert!((median - cycle(newest + lead as i32)).abs() < 1e-4, "lead {lead}: {median}");
            assert!(high - low < 1e-3, "the bands of an exact forecast are narrow: {low} to {high}");
        }
    }

    #[test]
    fn without_a_present_value_the_cycle_alone_is_forecast() {
        let mut series = series();
        for bin in 0..5 * DAY {
            // Values for the first half of each day only, as the clear-sky index has.
            series.observe(bin, (bin % DAY < DAY / 2).then(|| cycle(bin)));
        }
        let [_, _, median, _, _] = series.quantiles(1).expect("blind errors of four mornings");
        assert!((median - cycle(5 * DAY)).abs() < 1e-4, "{median}");
    }

    #[test]
    fn a_gap_of_weeks_forgets_everything() {
        let mut series = series();
        for bin in 0..3 * DAY {
            series.observe(bin, Some(cycle(bin)));
        }
        series.observe(30 * DAY, Some(1.0));
        assert_eq!(series.quantiles(1), None);
    }

    #[test]
    fn stated_fades_hold_where_none_may_be_fitted() {
        let mut fixed = AnomalySeries::new(&SeriesParameters {
            cycle_reach_min: 0,
            fit_from_pairs: None,
            cycle_fades: [0.0; LEADS],
            anomaly_fades: [0.5; LEADS],
            ..SeriesParameters::default()
        });
        for bin in 0..5 * DAY {
            fixed.observe(bin, Some(cycle(bin)));
        }
        fixed.observe(5 * DAY, Some(cycle(5 * DAY) + 2.0));
        let [_, _, median, _, _] = fixed.quantiles(1).expect("days of errors");
        // The cycle counts the value itself in: a sixth of the 2 K. Half of the rest is left.
        let mean = cycle(5 * DAY) + 2.0 / 6.0;
        assert!((median - (cycle(5 * DAY) + 2.0 - 0.5 * (cycle(5 * DAY) + 2.0 - mean))).abs() < 1e-4, "{median}");
    }

    #[test]
    fn errors_and_cycle_go_back_as_far_as_is_stated() {
        let parameters =
            SeriesParameters { cycle_days: 2, error_days: 1, min_errors: 100, ..SeriesParameters::default() };
        let mut short = AnomalySeries::new(&parameters);
        for bin in 0..4 * DAY {
            short.observe(bin, Some(1.0));
        }
        assert_eq!(short.quantiles(1), Some([1.0; 5]));
        // A day without values leaves neither errors nor, after two, a cycle.
        for bin in 4 * DAY..5 * DAY + 1 {
            short.observe(bin, None);
        }
        short.observe(5 * DAY + 1, Some(1.0));
        assert_eq!(short.quantiles(1), None);
    }
}
