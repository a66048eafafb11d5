//! Made-up readings at any rate, for load tests. The same seed gives the same ones.
//!
//! Every reading has all variables: a day's course with noise on it, within what is plausible. None is skipped: where
//! readings fall behind their rate, they are handed over as fast as they are taken.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Item, SensorError, SensorSource, Stamped};
use crate::clock::Clock;
use crate::station::text::printable;
use crate::station::{Reading, Variable};

/// A generator of readings.
#[derive(Debug)]
pub struct Sim {
    seed: u32,
    rate_per_s: f64,
    /// The next reading's number.
    next: u64,
    /// The number of the first reading of this run, and when it is due.
    begun: Option<(u64, Timestamp)>,
}

impl Sim {
    /// Readings from `seed`, `rate_per_s` of them a second.
    #[must_use]
    pub const fn new(seed: u32, rate_per_s: f64) -> Self {
        Self { seed, rate_per_s, next: 0, begun: None }
    }

    /// When the next reading is due.
    fn due(&mut self, now: Timestamp) -> Timestamp {
        let (first, at) = *self.begun.get_or_insert((self.next, now));
        #[expect(clippy::cast_precision_loss, reason = "readings of years are far below 2^53")]
        let after = Duration::try_from_secs_f64((self.next - first) as f64 / self.rate_per_s).unwrap_or_default();
        SignedDuration::try_from(after).ok().and_then(|after| at.checked_add(after).ok()).unwrap_or(at)
    }

    fn item(&mut self, at: Timestamp) -> Item {
        let number = self.next;
        self.next += 1;
        let position = format!("sim:{}:{number}", self.seed);
        Item { position, outcome: Ok(reading(self.seed, number, at)), stamped: Stamped::Here, id: None }
    }
}

/// The reading `number` of `seed`, made at `at`.
fn reading(seed: u32, number: u64, at: Timestamp) -> Reading {
    // The day's course is the number's too, 17,280 readings a day, so that it doesn't depend on the clock.
    #[expect(clippy::cast_precision_loss, reason = "less than 17,280")]
    let day = (number % 17_280) as f64 / 17_280.0 * std::f64::consts::TAU;
    let noise = |variable: Variable| unit(u64::from(seed) << 32 ^ number.wrapping_mul(8) ^ variable.index() as u64);
    let value = |variable: Variable| {
        let u = noise(variable);
        match variable {
            Variable::Temperature => 12.0 - 6.0 * day.cos() + u,
            Variable::Humidity => 65.0 + 15.0 * day.cos() + 4.0 * u,
            Variable::Pressure => 955.0 + 3.0 * day.sin() + 0.2 * u,
            Variable::Light => (-20_000.0 * day.cos()).max(0.0) + 50.0 * (u + 1.0),
            Variable::Sound => 45.0 + 10.0 * u,
            Variable::Rain => {
                if u > 0.9 {
                    0.2
                } else {
                    0.0
                }
            }
            Variable::WindSpeed => 3.0 + 2.5 * u,
            Variable::WindDirection => (225.0 + 40.0 * u).rem_euclid(360.0),
        }
    };
    let values = Variable::ALL.into_iter().map(|variable| (variable, value(variable))).collect();
    Reading { measured_at: at, values, qc: BTreeMap::new() }
}

/// A number from −1 to 1 that looks drawn: SplitMix64's finaliser.
fn unit(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    let fraction = (z >> 11) as f64 / (1u64 << 53) as f64;
    2.0 * fraction - 1.0
}

impl SensorSource for Sim {
    /// Positions are the seed and the last reading's number; those of another seed begin anew.
    fn resume(&mut self, position: &str) -> Result<(), SensorError> {
        let known = position.strip_prefix("sim:").and_then(|rest| rest.split_once(':'));
        let parsed = known.and_then(|(seed, number)| Some((seed.parse::<u32>().ok()?, number.parse::<u64>().ok()?)));
        match parsed {
            Some((seed, number)) if seed == self.seed => self.next = number.saturating_add(1),
            Some(_) => {}
            None => {
                tracing::info!(target: "agent", "the stored position {:?} is another source's", printable(position))
            }
        }
        Ok(())
    }

    async fn next(&mut self, clock: &Clock) -> Option<Item> {
        let due = self.due(clock.now());
        clock.sleep_until(due).await;
        Some(self.item(due))
    }

    fn drain_until(&mut self, until: Timestamp, limit: usize) -> Vec<Item> {
        let mut items = Vec::new();
        while items.len() < limit {
            let due = self.due(until);
            if due > until {
                break;
            }
            items.push(self.item(due));
        }
        items
    }

    fn state(&self) -> String {
        format!("made-up readings, {} a second, seed {}", self.rate_per_s, self.seed)
    }

    fn ended(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn the_rate_is_kept_exactly_and_nothing_is_skipped() {
        let mut sim = Sim::new(7, 1000.0);
        let first = sim.drain_until(at(100), 10_000);
        assert_eq!(first.len(), 1, "the first is due at once");
        let mut rest = Vec::new();
        while rest.len() < 10_000 {
            rest.extend(sim.drain_until(at(110), 999));
        }
        assert_eq!(rest.len(), 10_000);
        assert!(sim.drain_until(at(110), 10).is_empty());
        let last = rest.last().expect("some");
        assert_eq!(
            (last.position.as_str(), last.outcome.as_ref().expect("a reading").measured_at),
            ("sim:7:10000", at(110))
        );
        let mut slow = Sim::new(7, 0.01);
        assert_eq!(slow.drain_until(at(0), 10).len() + slow.drain_until(at(99), 10).len(), 1);
        assert_eq!(slow.drain_until(at(100), 10).len(), 1);
    }

    #[test]
    fn the_same_seed_gives_the_same_readings_also_after_a_restart() {
        let values = |items: Vec<Item>| -> Vec<_> {
            items.into_iter().map(|item| item.outcome.expect("a reading").values).collect()
        };
        let all = values(Sim::new(3, 10.0).drain_until(at(0), 1));
        let mut sim = Sim::new(3, 10.0);
        assert_eq!(values(sim.drain_until(at(0), 100)), all);
        let on = values(sim.drain_until(at(2), 100));
        let mut again = Sim::new(3, 10.0);
        again.resume("sim:3:0").expect("resumes");
        again.drain_until(at(50), 0);
        assert_eq!(values([again.drain_until(at(50), 100), again.drain_until(at(52), 19)].concat()), on);
        assert_ne!(values(Sim::new(4, 10.0).drain_until(at(0), 1)), all);
        let mut other = Sim::new(3, 10.0);
        other.resume("sim:9:55").expect("another seed");
        assert_eq!(other.drain_until(at(0), 1)[0].position, "sim:3:0");
        other.resume("17@1.2").expect("another source's");
    }

    #[test]
    fn every_value_is_within_its_physical_range() {
        for number in 0..20_000 {
            for (variable, value) in reading(1, number, at(0)).values {
                let (low, high) = variable.range();
                assert!((low..=high).contains(&value), "{variable} {value}");
            }
        }
    }
}
