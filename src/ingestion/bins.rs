//! Series of measurements made small: means, least and greatest values.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::station::{QcFlag, Variable};

/// What was measured at a time, or over a short one, as series are made from.
pub trait Measured {
    /// How long the time is; zero for an instant.
    const STEP: SignedDuration;
    /// Its beginning, Unix ms.
    fn at_ms(&self) -> i64;
    /// Whether it is a device's, or of all devices together for `None`.
    fn is_of(&self, device: Option<&str>) -> bool;
    /// A variable's value, or what its values come to.
    fn bin(&self, variable: Variable) -> Option<Bin>;
    /// What quality control said.
    fn qc(&self) -> &BTreeMap<Variable, QcFlag>;
}

/// Least and greatest value of a variable, each with the instant it was first measured at, Unix ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extreme {
    /// Which.
    pub variable: Variable,
    /// Least value, and when.
    pub min: (f64, i64),
    /// Greatest value, and when.
    pub max: (f64, i64),
}

/// A bin of a series: its end or middle, mean, least and greatest value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Start of the bin, ms.
    pub from_ms: i64,
    /// Mean.
    pub mean: f64,
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
}

impl Bin {
    /// Of one value.
    #[must_use]
    pub const fn of(at_ms: i64, value: f64) -> Self {
        Self { from_ms: at_ms, mean: value, min: value, max: value }
    }
}

/// Wider bins of values, or of bins, in order of time.
pub fn bin(samples: impl Iterator<Item = Bin>, width: SignedDuration) -> (Vec<Bin>, Option<SignedDuration>) {
    let width = i64::try_from(width.as_millis()).unwrap_or(i64::MAX).max(1);
    let mut bins: Vec<Bin> = Vec::new();
    let (mut sum, mut count, mut previous) = (0.0, 0.0, None);
    let mut steps = Vec::new();
    for sample in samples {
        if let Some(previous) = previous.replace(sample.from_ms) {
            steps.push(sample.from_ms - previous);
        }
        let from_ms = sample.from_ms.div_euclid(width) * width;
        match bins.last_mut() {
            Some(last) if last.from_ms == from_ms => {
                sum += sample.mean;
                count += 1.0;
                last.mean = sum / count;
                last.min = last.min.min(sample.min);
                last.max = last.max.max(sample.max);
            }
            _ => {
                (sum, count) = (sample.mean, 1.0);
                bins.push(Bin { from_ms, ..sample });
            }
        }
    }
    let middle = steps.len() / 2;
    let typical = (!steps.is_empty()).then(|| *steps.select_nth_unstable(middle).1);
    (bins, typical.map(SignedDuration::from_millis))
}

/// Least and greatest value of each variable of what was measured, in order of time.
pub fn extremes(samples: impl Iterator<Item = [Option<Bin>; 8]>) -> Vec<Extreme> {
    let mut found: [Option<Extreme>; 8] = [None; 8];
    for bins in samples {
        for ((variable, bin), found) in Variable::ALL.into_iter().zip(bins).zip(&mut found) {
            let Some(Bin { from_ms, min, max, .. }) = bin else { continue };
            let extreme = found.get_or_insert(Extreme { variable, min: (min, from_ms), max: (max, from_ms) });
            if min < extreme.min.0 {
                extreme.min = (min, from_ms);
            }
            if max > extreme.max.0 {
                extreme.max = (max, from_ms);
            }
        }
    }
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_made_of_values_and_of_bins() {
        let wide = Bin { from_ms: 4000, mean: 2.0, min: -3.0, max: 9.0 };
        let samples = [Bin::of(0, 1.0), Bin::of(1000, 4.0), Bin::of(3000, 6.0), wide, Bin::of(5000, 4.0)];
        let (bins, typical) = bin(samples.into_iter(), SignedDuration::from_secs(2));
        let expected = [
            Bin { from_ms: 0, mean: 2.5, min: 1.0, max: 4.0 },
            Bin::of(2000, 6.0),
            Bin { from_ms: 4000, mean: 3.0, min: -3.0, max: 9.0 },
        ];
        assert_eq!((bins.as_slice(), typical), (expected.as_slice(), Some(SignedDuration::from_secs(1))));
    }

    #[test]
    fn extremes_have_the_time_they_came_first() {
        let value = |at_ms: i64, temperature: f64| {
            let mut values = [None; 8];
            values[Variable::Temperature.index()] = Some(Bin::of(at_ms, temperature));
            values
        };
        let samples = [value(1, 3.0), value(2, -1.5), [None; 8], value(4, 7.25), value(5, 7.25)];
        let found = extremes(samples.into_iter());
        let expected = Extreme { variable: Variable::Temperature, min: (-1.5, 2), max: (7.25, 4) };
        assert_eq!(found, [expected]);
    }
}
