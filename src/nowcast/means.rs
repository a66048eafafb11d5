//! Ten-minute means of measurements, labelled by the end of the bin, in UTC.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::station::{Variable, WeatherMeasurement};

/// Length of a bin, seconds.
pub const BIN_SECONDS: i64 = 600;
/// Bins a day.
pub const BINS_PER_DAY: usize = 144;

/// What was measured within one bin: `[ends_at − 10 min, ends_at)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mean {
    /// End of the bin, a whole multiple of ten minutes; the bin doesn't hold it.
    pub ends_at: Timestamp,
    /// By [`Variable::index`], each in its variable's unit; absent where the bin holds no value. Arithmetic
    /// means, but rain is the bin's sum and wind direction the direction of the mean unit vector.
    pub values: [Option<f64>; 8],
}

impl Mean {
    /// The value of `variable`.
    #[must_use]
    pub const fn get(&self, variable: Variable) -> Option<f64> {
        self.values[variable.index()]
    }

    /// Number of the bin: ten minutes since 1970, at its end.
    #[must_use]
    pub fn bin(&self) -> i64 {
        self.ends_at.as_second().div_euclid(BIN_SECONDS)
    }
}

/// Collects measurements into [`Mean`]s. Serialised, it carries the open bin over a restart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TenMinuteMeans {
    open: Option<Bin>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bin {
    /// Number of the bin at its start.
    number: i64,
    sums: [f64; 8],
    counts: [u32; 8],
    /// North and east parts of the wind's unit vectors.
    direction: [f64; 2],
}

impl TenMinuteMeans {
    /// Nothing collected yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a measurement. Answers the bin before it, once a measurement of a later bin shows that it is
    /// complete. A measurement older than the open bin comes too late and is left out.
    pub fn push(&mut self, measurement: &WeatherMeasurement) -> Option<Mean> {
        let number = bin_holding(measurement.measured_at);
        let open_number = self.open.as_ref().map(|bin| bin.number);
        if open_number.is_some_and(|open| number < open) {
            return None;
        }
        let finished = if open_number.is_some_and(|open| number > open) { self.close() } else { None };
        self.open.get_or_insert_with(|| Bin::new(number)).add(measurement);
        finished
    }

    /// Whether what is collected began before `instant`; true where nothing is.
    #[must_use]
    pub fn holds_before(&self, instant: Timestamp) -> bool {
        self.open.as_ref().is_none_or(|bin| bin.number <= bin_holding(instant))
    }

    /// The open bin, where it has ended by `now` though nothing later was measured.
    pub fn flush(&mut self, now: Timestamp) -> Option<Mean> {
        let ended = self.open.as_ref().is_some_and(|bin| bin_holding(now) > bin.number);
        if ended { self.close() } else { None }
    }

    fn close(&mut self) -> Option<Mean> {
        self.open.take().and_then(|bin| bin.mean())
    }
}

impl Bin {
    const fn new(number: i64) -> Self {
        Self { number, sums: [0.0; 8], counts: [0; 8], direction: [0.0; 2] }
    }

    fn add(&mut self, measurement: &WeatherMeasurement) {
        for variable in Variable::ALL {
            let Some(value) = measurement.get(variable) else { continue };
            self.sums[variable.index()] += value;
            self.counts[variable.index()] += 1;
            if variable == Variable::WindDirection {
                let (east, north) = value.to_radians().sin_cos();
                self.direction[0] += north;
                self.direction[1] += east;
            }
        }
    }

    fn mean(&self) -> Option<Mean> {
        let ends_at = Timestamp::from_second((self.number + 1) * BIN_SECONDS).ok()?;
        let values = std::array::from_fn(|i| {
            (self.counts[i] > 0).then_some(())?;
            match Variable::ALL[i] {
                Variable::Rain => Some(self.sums[i]),
                Variable::WindDirection => self.mean_direction(),
                _ => Some(self.sums[i] / f64::from(self.counts[i])),
            }
        });
        Some(Mean { ends_at, values })
    }

    /// Absent where the directions cancel out.
    fn mean_direction(&self) -> Option<f64> {
        let [north, east] = self.direction;
        let count = f64::from(self.counts[Variable::WindDirection.index()]);
        (north.hypot(east) > 1e-6 * count).then(|| east.atan2(north).to_degrees().rem_euclid(360.0))
    }
}

fn bin_holding(instant: Timestamp) -> i64 {
    // `as_second` rounds towards zero, which is upwards before 1970.
    let below_zero = i64::from(instant.subsec_nanosecond() < 0);
    (instant.as_second() - below_zero).div_euclid(BIN_SECONDS)
}

/// The middle of the bin that ends at `ends_at`: where its mean stands for the sun's position.
#[must_use]
pub fn middle(ends_at: Timestamp) -> Timestamp {
    ends_at - SignedDuration::from_secs(BIN_SECONDS / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a test's timestamp")
    }

    fn measurement(when: &str, values: &[(Variable, f64)]) -> WeatherMeasurement {
        let mut measurement = WeatherMeasurement::empty("roof-01", at(when));
        for &(variable, value) in values {
            measurement.set(variable, Some(value));
        }
        measurement
    }

    #[test]
    fn a_bin_is_finished_by_the_first_measurement_at_or_after_its_end() {
        use Variable::{Humidity, Pressure, Rain, Temperature};
        let mut means = TenMinuteMeans::new();
        let first = [(Temperature, 10.0), (Rain, 0.1), (Pressure, 958.0)];
        assert_eq!(means.push(&measurement("2016-06-01T12:00:00Z", &first)), None);
        assert_eq!(means.push(&measurement("2016-06-01T12:09:59.9Z", &[(Temperature, 13.0), (Rain, 0.3)])), None);
        let mean = means.push(&measurement("2016-06-01T12:10:00Z", &[(Temperature, 99.0)])).expect("a later bin began");
        assert_eq!(mean.ends_at, at("2016-06-01T12:10:00Z"));
        assert_eq!(mean.get(Temperature), Some(11.5));
        assert_eq!(mean.get(Pressure), Some(958.0));
        assert!((mean.get(Rain).expect("rain was measured") - 0.4).abs() < 1e-12);
        assert_eq!(mean.get(Humidity), None);
    }

    #[test]
    fn a_gap_leaves_bins_out_and_a_late_measurement_is_left_out() {
        let mut means = TenMinuteMeans::new();
        means.push(&measurement("2016-06-01T12:05:00Z", &[(Variable::Temperature, 1.0)]));
        let mean = means.push(&measurement("2016-06-01T15:00:00Z", &[(Variable::Temperature, 2.0)]));
        assert_eq!(mean.map(|m| m.ends_at), Some(at("2016-06-01T12:10:00Z")));
        assert_eq!(means.push(&measurement("2016-06-01T14:59:59Z", &[(Variable::Temperature, 50.0)])), None);
        assert_eq!(means.flush(at("2016-06-01T15:09:59Z")), None);
        let mean = means.flush(at("2016-06-01T15:10:00Z")).expect("the bin has ended");
        assert_eq!((mean.ends_at, mean.get(Variable::Temperature)), (at("2016-06-01T15:10:00Z"), Some(2.0)));
        assert_eq!(means.flush(at("2016-06-01T15:20:00Z")), None);
    }

    #[test]
    fn the_mean_of_350_and_20_degrees_is_5_and_opposite_winds_have_none() {
        let mut means = TenMinuteMeans::new();
        means.push(&measurement("2016-06-01T12:00:00Z", &[(Variable::WindDirection, 350.0)]));
        means.push(&measurement("2016-06-01T12:01:00Z", &[(Variable::WindDirection, 20.0)]));
        let mean = means.flush(at("2016-06-01T12:10:00Z")).expect("ended");
        assert!((mean.get(Variable::WindDirection).expect("has a direction") - 5.0).abs() < 1e-9);
        means.push(&measurement("2016-06-01T12:10:00Z", &[(Variable::WindDirection, 90.0)]));
        means.push(&measurement("2016-06-01T12:11:00Z", &[(Variable::WindDirection, 270.0)]));
        let mean = means.flush(at("2016-06-01T12:20:00Z")).expect("ended");
        assert_eq!(mean.get(Variable::WindDirection), None);
    }
}
