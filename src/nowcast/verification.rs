//! A forecast against what came, and the sums from which scores are made.
//!
//! Scores by their usual definitions (WMO-No. 485, attachment on verification; pinball loss after Koenker and
//! Bassett, 1978): MAE, RMSE and bias are of the median; *skill* is `1 − MAE / MAE of persistence`.

use serde::{Deserialize, Serialize};

use crate::station::LeadForecast;

/// Probabilities of a forecast's quantiles, ascending.
const PROBABILITIES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// How one forecast did. Errors are forecast minus measured, in the variable's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Error of the median.
    pub error: f64,
    /// Error of persistence.
    pub persistence_error: f64,
    /// Whether the measured value lies in the 50 % band, its ends included.
    pub inside_50: bool,
    /// Whether the measured value lies in the 90 % band, its ends included.
    pub inside_90: bool,
    /// Mean pinball loss over the five quantiles; twice that approximates the CRPS.
    pub pinball: f64,
}

/// Compares a forecast with the mean of the ten minutes before its valid time. `persistence` is the mean of
/// the ten minutes before its issue time.
#[must_use]
pub fn verify(forecast: &LeadForecast, persistence: f64, measured: f64) -> Outcome {
    let quantiles = &forecast.quantiles;
    let loss = |(p, q): (f64, f64)| if measured >= q { p * (measured - q) } else { (1.0 - p) * (q - measured) };
    Outcome {
        error: quantiles.q50 - measured,
        persistence_error: persistence - measured,
        inside_50: (quantiles.q25..=quantiles.q75).contains(&measured),
        inside_90: (quantiles.q05..=quantiles.q95).contains(&measured),
        pinball: PROBABILITIES.into_iter().zip(quantiles.values()).map(loss).sum::<f64>() / 5.0,
    }
}

/// Sums over many outcomes of one variable at one lead; every score follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoreSums {
    /// Outcomes.
    pub count: u64,
    /// Sum of absolute errors.
    pub absolute: f64,
    /// Sum of squared errors.
    pub squared: f64,
    /// Sum of errors.
    pub error: f64,
    /// Outcomes inside the 50 % band.
    pub inside_50: u64,
    /// Outcomes inside the 90 % band.
    pub inside_90: u64,
    /// Sum of absolute errors of persistence.
    pub persistence_absolute: f64,
    /// Sum of mean pinball losses.
    pub pinball: f64,
}

impl ScoreSums {
    /// Takes in one outcome.
    pub fn add(&mut self, outcome: &Outcome) {
        self.merge(&Self {
            count: 1,
            absolute: outcome.error.abs(),
            squared: outcome.error * outcome.error,
            error: outcome.error,
            inside_50: u64::from(outcome.inside_50),
            inside_90: u64::from(outcome.inside_90),
            persistence_absolute: outcome.persistence_error.abs(),
            pinball: outcome.pinball,
        });
    }

    /// Takes in another's outcomes.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.absolute += other.absolute;
        self.squared += other.squared;
        self.error += other.error;
        self.inside_50 += other.inside_50;
        self.inside_90 += other.inside_90;
        self.persistence_absolute += other.persistence_absolute;
        self.pinball += other.pinball;
    }

    /// Mean absolute error of the median; absent without outcomes.
    #[must_use]
    pub fn mae(&self) -> Option<f64> {
        self.mean(self.absolute)
    }

    /// Root mean square error of the median; absent without outcomes.
    #[must_use]
    pub fn rmse(&self) -> Option<f64> {
        self.mean(self.squared).map(f64::sqrt)
    }

    /// Mean error of the median (forecast minus measured); absent without outcomes.
    #[must_use]
    pub fn bias(&self) -> Option<f64> {
        self.mean(self.error)
    }

    /// Share of outcomes inside the 50 % band, 0 to 1; absent without outcomes.
    #[must_use]
    pub fn coverage_50(&self) -> Option<f64> {
        self.mean(self.inside_50 as f64)
    }

    /// Share of outcomes inside the 90 % band, 0 to 1; absent without outcomes.
    #[must_use]
    pub fn coverage_90(&self) -> Option<f64> {
        self.mean(self.inside_90 as f64)
    }

    /// Mean absolute error of persistence; absent without outcomes.
    #[must_use]
    pub fn persistence_mae(&self) -> Option<f64> {
        self.mean(self.persistence_absolute)
    }

    /// `1 − MAE / MAE of persistence`: 1 is perfect, 0 no better than persistence, less is worse; absent where
    /// persistence made no error.
    #[must_use]
    pub fn skill(&self) -> Option<f64> {
        (self.persistence_absolute > 0.0).then(|| 1.0 - self.absolute / self.persistence_absolute)
    }

    /// Mean pinball loss over the five quantiles; absent without outcomes.
    #[must_use]
    pub fn mean_pinball(&self) -> Option<f64> {
        self.mean(self.pinball)
    }

    fn mean(&self, sum: f64) -> Option<f64> {
        (self.count > 0).then(|| sum / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::Quantiles;

    fn forecast(values: [f64; 5]) -> LeadForecast {
        LeadForecast { lead_minutes: 60, quantiles: Quantiles::ordered(values) }
    }

    #[test]
    fn one_outcome_computed_by_hand() {
        let outcome = verify(&forecast([8.0, 9.0, 10.0, 11.0, 13.0]), 14.0, 12.0);
        assert_eq!((outcome.error, outcome.persistence_error), (-2.0, 2.0));
        assert_eq!((outcome.inside_50, outcome.inside_90), (false, true));
        // 0.05·4 + 0.25·3 + 0.5·2 + 0.75·1 + 0.05·1 = 2.75; a fifth of it is 0.55.
        assert!((outcome.pinball - 0.55).abs() < 1e-12);
    }

    #[test]
    fn the_ends_of_a_band_belong_to_it() {
        let exact = forecast([10.0; 5]);
        let outcome = verify(&exact, 10.0, 10.0);
        assert!(outcome.inside_50 && outcome.inside_90);
        assert_eq!(outcome.pinball, 0.0);
        assert!(!verify(&exact, 10.0, 10.001).inside_90);
    }

    #[test]
    fn scores_of_four_outcomes_computed_by_hand() {
        // Medians' errors −1, 2, −2, 1; persistence's −2, 4, −2, 0.
        let mut first = ScoreSums::default();
        for (measured, persistence) in [(11.0, 9.0), (8.0, 12.0)] {
            first.add(&verify(&forecast([7.0, 9.5, 10.0, 10.5, 13.0]), persistence, measured));
        }
        let mut second = ScoreSums::default();
        for (measured, persistence) in [(12.0, 10.0), (9.0, 9.0)] {
            second.add(&verify(&forecast([9.5, 9.7, 10.0, 12.0, 13.0]), persistence, measured));
        }
        first.merge(&second);
        assert_eq!(first.count, 4);
        assert_eq!(first.mae(), Some(1.5));
        assert!((first.rmse().expect("counted") - 2.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(first.bias(), Some(0.0));
        assert_eq!(first.coverage_50(), Some(0.25)); // 12 of [9.7, 12]
        assert_eq!(first.coverage_90(), Some(0.75)); // 9 is below 9.5
        assert_eq!(first.persistence_mae(), Some(2.0));
        assert_eq!(first.skill(), Some(0.25));
    }

    #[test]
    fn nothing_verified_has_no_scores_and_perfect_persistence_no_skill() {
        let mut sums = ScoreSums::default();
        assert_eq!(
            (sums.mae(), sums.rmse(), sums.bias(), sums.coverage_90(), sums.skill()),
            (None, None, None, None, None)
        );
        sums.add(&verify(&forecast([9.0; 5]), 10.0, 10.0));
        assert_eq!(sums.skill(), None);
        assert_eq!(sums.mae(), Some(1.0));
    }
}
