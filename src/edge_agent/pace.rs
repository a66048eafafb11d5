//! Which readings are taken where not all are wanted.

use crate::station::{Reading, Variable};

/// Keeps readings at least so far apart.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last one was taken, nanoseconds on its own clock.
    last_ns: Option<i64>,
    /// Rain of those passed over since, mm: rain is what fell since the reading before.
    rain_mm: f64,
}

/// What became of a reading.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    /// It goes on, with the rain of those before it.
    Taken(Reading),
    /// It came too soon.
    PassedOver,
}

impl Pace {
    /// Takes the reading made at `at_ns`, unless it comes less than `every_s` seconds after the last one taken. One that
    /// seems to come before it is taken: the clock it is timed by has changed.
    pub fn take(&mut self, mut reading: Reading, at_ns: i64, every_s: Option<u32>) -> Taken {
        let least_ns = i64::from(every_s.unwrap_or(0)).saturating_mul(1_000_000_000);
        let is_too_soon = self.last_ns.is_some_and(|last| at_ns >= last && at_ns - last < least_ns);
        let rain = reading.values.iter().position(|(variable, _)| *variable == Variable::Rain);
        if is_too_soon {
            // What isn't finite or is below zero would be left out by the range check, too.
            let mm = rain.map_or(0.0, |place| reading.values[place].1);
            self.rain_mm += if mm.is_finite() { mm.max(0.0) } else { 0.0 };
            return Taken::PassedOver;
        }
        self.last_ns = Some(at_ns);
        let carried = std::mem::take(&mut self.rain_mm);
        match rain {
            Some(place) => reading.values[place].1 += carried,
            None if carried > 0.0 => reading.values.push((Variable::Rain, carried)),
            None => {}
        }
        Taken::Taken(reading)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;

    const S: i64 = 1_000_000_000;

    fn reading(rain: f64) -> Reading {
        Reading { measured_at: Timestamp::UNIX_EPOCH, values: vec![(Variable::Rain, rain)], qc: BTreeMap::new() }
    }

    #[test]
    fn readings_that_come_too_soon_are_passed_over_and_their_rain_is_not_lost() {
        let mut pace = Pace::default();
        assert!(matches!(pace.take(reading(0.1), 0, Some(5)), Taken::Taken(_)));
        for second in 1..5 {
            assert_eq!(pace.take(reading(0.25), second * S, Some(5)), Taken::PassedOver);
        }
        assert_eq!(pace.take(reading(0.5), 5 * S, Some(5)), Taken::Taken(reading(1.5)));
        assert_eq!(pace.take(reading(f64::NAN), 6 * S, Some(5)), Taken::PassedOver);
        let without = Reading { values: Vec::new(), ..reading(0.0) };
        let taken = pace.take(without.clone(), 20 * S, Some(5));
        assert!(matches!(&taken, Taken::Taken(r) if r.values.iter().all(|(_, mm)| *mm == 0.0)), "{taken:?}");
        assert_eq!(pace.take(without.clone(), 20 * S, None), Taken::Taken(without.clone()), "no interval takes all");
        assert_eq!(pace.take(without.clone(), 3 * S, Some(5)), Taken::Taken(without), "the clock was set back");
    }
}
