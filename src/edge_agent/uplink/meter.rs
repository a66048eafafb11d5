//! The day's count of messages and bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where the day's count lies in the outbox's state.
pub(super) const STATE: &str = "uplink.day";
const DAY_S: i64 = 86_400;
/// IoT Hub counts a message once for each beginning 4 KiB.
const UNIT: usize = 4096;

/// Counts for whoever sends for the device; clones share it. The link keeps its count durable with each group of
/// messages that is acknowledged: a crash forgets at most what was on its way.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Bytes not yet in `day`.
    fresh: AtomicU64,
    /// The budget in bytes; 0 is none.
    budget: AtomicU64,
    day: Mutex<Day>,
}

/// A day's count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Day {
    /// Days since 1970, UTC.
    day: i64,
    /// Messages, in 4 KiB.
    pub(super) units: u64,
    /// Bytes, both ways.
    pub(super) bytes: u64,
    /// Bytes not spent on health reports that newer ones made needless.
    pub(super) saved: u64,
}

impl Day {
    /// When the next one begins.
    pub(super) fn ends_at(&self) -> Timestamp {
        Timestamp::from_second((self.day + 1).saturating_mul(DAY_S)).unwrap_or(Timestamp::MAX)
    }
}

impl Meter {
    /// Counts bytes that went over the line, either way.
    pub fn spend(&self, bytes: u64) {
        self.0.fresh.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether pictures may be uploaded now (wall clock): always where the line isn't metered, else until half of
    /// the day's budget is spent.
    #[must_use]
    pub fn may_upload(&self, now: Timestamp) -> bool {
        self.budget().is_none_or(|budget| self.day(now).bytes < budget / 2)
    }

    /// When the day's count begins anew, for who waits to upload.
    #[must_use]
    pub fn resets_at(&self, now: Timestamp) -> Timestamp {
        self.day(now).ends_at()
    }

    pub(super) fn budget(&self) -> Option<u64> {
        Some(self.0.budget.load(Ordering::Relaxed)).filter(|budget| *budget > 0)
    }

    pub(super) fn set_budget(&self, bytes: Option<u64>) {
        self.0.budget.store(bytes.unwrap_or(0), Ordering::Relaxed);
    }

    /// The count of the day that `now` is in.
    pub(super) fn day(&self, now: Timestamp) -> Day {
        self.change(now, |_| ())
    }

    /// Counts a message of `bytes`, properties included.
    pub(super) fn message(&self, now: Timestamp, bytes: usize) {
        self.change(now, |day| day.units += units(bytes));
    }

    pub(super) fn save(&self, now: Timestamp, bytes: usize) {
        self.change(now, |day| day.saved += bytes as u64);
    }

    /// Takes up a stored count, if it is of this day.
    pub(super) fn restore(&self, now: Timestamp, state: &str) {
        let Ok(stored) = serde_json::from_str::<Day>(state) else { return };
        self.change(now, |day| {
            if stored.day == day.day {
                day.units += stored.units;
                day.bytes += stored.bytes;
                day.saved += stored.saved;
            }
        });
    }

    /// To be stored.
    pub(super) fn state(&self, now: Timestamp) -> (String, String) {
        (STATE.to_owned(), serde_json::to_string(&self.day(now)).unwrap_or_default())
    }

    fn change(&self, now: Timestamp, change: impl FnOnce(&mut Day)) -> Day {
        let mut day = self.0.day.lock().unwrap_or_else(PoisonError::into_inner);
        let today = now.as_second().div_euclid(DAY_S);
        // Backwards too: a clock that was ahead by years would otherwise hold the count for as long.
        if day.day != today {
            *day = Day { day: today, ..Day::default() };
        }
        day.bytes += self.0.fresh.swap(0, Ordering::Relaxed);
        change(&mut day);
        *day
    }
}

/// How often a message of `bytes` counts.
pub(super) fn units(bytes: usize) -> u64 {
    bytes.div_ceil(UNIT).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn a_day_is_counted_stored_and_forgotten_at_midnight() {
        let (evening, morning) = (at("2026-11-26T23:59:59Z"), at("2026-11-27T00:00:00Z"));
        let meter = Meter::default();
        for bytes in [0, 1, 4096, 4097, 262_144] {
            meter.message(evening, bytes);
        }
        meter.spend(500);
        meter.save(evening, 70);
        let day = meter.day(evening);
        assert_eq!((day.units, day.bytes, day.saved), (1 + 1 + 1 + 2 + 64, 500, 70));
        assert_eq!(day.ends_at(), morning);
        let (key, state) = meter.state(evening);
        assert_eq!(key, "uplink.day");

        let next = Meter::default();
        next.spend(3);
        next.restore(evening, &state);
        assert_eq!(next.day(evening), Day { bytes: 503, ..day });
        assert_eq!(next.day(morning).units, 0);
        let late = Meter::default();
        late.restore(morning, &state);
        late.restore(morning, "rubbish");
        assert_eq!((late.day(morning).units, late.day(morning).bytes), (0, 0));
        // Whoever set the clock back gets that day's count.
        assert_eq!(late.day(evening).ends_at(), morning);
    }

    #[test]
    fn pictures_wait_once_half_is_spent() {
        let now = at("2026-11-26T12:00:00Z");
        let meter = Meter::default();
        meter.spend(u64::from(u32::MAX));
        assert!(meter.may_upload(now), "not metered");
        let meter = Meter::default();
        meter.set_budget(Some(1000));
        meter.spend(499);
        assert!(meter.may_upload(now));
        meter.spend(1);
        assert!(!meter.may_upload(now));
        assert!(meter.may_upload(at("2026-11-27T00:00:00Z")), "the next day");
    }
}
