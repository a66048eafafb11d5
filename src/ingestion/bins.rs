//! Series of measurements made small: means, least and greatest values.

use jiff::SignedDuration;

use crate::station::Variable;

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

/// Means by bin of values in order of time.
pub fn bin(samples: impl Iterator<Item = (i64, f64)>, width: SignedDuration) -> (Vec<Bin>, Option<SignedDuration>) {
    let width = i64::try_from(width.as_millis()).unwrap_or(i64::MAX).max(1);
    let mut bins: Vec<Bin> = Vec::new();
    let (mut sum, mut count, mut previous) = (0.0, 0.0, None);
    let mut steps = Vec::new();
    for (at, value) in samples {
        if let Some(previous) = previous.replace(at) {
            steps.push(at - previous);
        }
        let from_ms = at.div_euclid(width) * width;
        match bins.last_mut() {
            Some(last) if last.from_ms == from_ms => {
                sum += value;
                count += 1.0;
                last.mean = sum / count;
                last.min = last.min.min(value);
                last.max = last.max.max(value);
            }
            _ => {
                (sum, count) = (value, 1.0);
                bins.push(Bin { from_ms, mean: value, min: value, max: value });
            }
        }
    }
    let middle = steps.len() / 2;
    let typical = (!steps.is_empty()).then(|| *steps.select_nth_unstable(middle).1);
    (bins, typical.map(SignedDuration::from_millis))
}

/// Least and greatest value of each variable of samples in order of time.
pub fn extremes(samples: impl Iterator<Item = (i64, [Option<f64>; 8])>) -> Vec<Extreme> {
    let mut found: [Option<Extreme>; 8] = [None; 8];
    for (at, values) in samples {
        for ((variable, value), found) in Variable::ALL.into_iter().zip(values).zip(&mut found) {
            let Some(value) = value else { continue };
            let extreme = found.get_or_insert(Extreme { variable, min: (value, at), max: (value, at) });
            if value < extreme.min.0 {
                extreme.min = (value, at);
            }
            if value > extreme.max.0 {
                extreme.max = (value, at);
            }
        }
    }
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_have_the_time_they_came_first() {
        let value = |temperature: f64| {
            let mut values = [None; 8];
            values[Variable::Temperature.index()] = Some(temperature);
            values
        };
        let samples = [(1, value(3.0)), (2, value(-1.5)), (3, [None; 8]), (4, value(7.25)), (5, value(7.25))];
        let found = extremes(samples.into_iter());
        let expected = Extreme { variable: Variable::Temperature, min: (-1.5, 2), max: (7.25, 4) };
        assert_eq!(found, [expected]);
    }
}
