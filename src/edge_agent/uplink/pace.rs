//! How fast messages get through, and how long the rest takes.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How far back the rate looks.
const WINDOW: Duration = Duration::from_secs(60);
/// Least time between two samples.
const STEP: Duration = Duration::from_millis(500);

/// Acknowledged messages over the last minute.
#[derive(Debug, Default)]
pub(super) struct Pace {
    samples: VecDeque<(Instant, u64)>,
}

impl Pace {
    /// Notes that `acknowledged` messages are through by now.
    pub(super) fn note(&mut self, now: Instant, acknowledged: u64) {
        while self.samples.len() > 2 && self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.samples.pop_front();
        }
        // The newest is moved until it is far enough from the one before: so there is a rate from the second note on.
        let before_newest = self.samples.len().checked_sub(2).and_then(|index| self.samples.get(index));
        if before_newest.is_some_and(|(at, _)| now.duration_since(*at) < STEP) {
            self.samples.pop_back();
        }
        self.samples.push_back((now, acknowledged));
    }

    /// Messages a second; `None` before anything is known.
    pub(super) fn per_s(&self) -> Option<f64> {
        let ((first, from), (last, to)) = (self.samples.front()?, self.samples.back()?);
        let seconds = last.duration_since(*first).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let messages = to.saturating_sub(*from) as f64;
        (seconds > 0.0 && messages > 0.0).then(|| messages / seconds)
    }
}

/// A day's quota as it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Messages left today.
    pub(super) left_today: u64,
    /// Messages a day.
    pub(super) per_day: u64,
    /// Seconds until the next day.
    pub(super) next_day_in_s: f64,
}

/// Seconds until `waiting` messages are through at `per_s`.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn remaining_s(waiting: u64, per_s: f64, quota: Option<Allowance>) -> f64 {
    let Some(quota) = quota else { return waiting as f64 / per_s };
    // What the rate alone gets through before midnight, the quota may not allow, and the other way round.
    let today = (quota.left_today as f64).min(per_s * quota.next_day_in_s);
    if waiting as f64 <= today {
        return waiting as f64 / per_s;
    }
    let a_day = (quota.per_day as f64).min(per_s * 86_400.0).max(1.0);
    let rest = waiting as f64 - today;
    let whole_days = (rest / a_day).ceil() - 1.0;
    quota.next_day_in_s + whole_days * 86_400.0 + (rest - whole_days * a_day) / per_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_last_minutes() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.note(start, 0);
        assert_eq!(pace.per_s(), None);
        for second in 1..=120 {
            // 10 a second, then 100 a second.
            let count = if second <= 60 { second * 10 } else { 600 + (second - 60) * 100 };
            pace.note(start + Duration::from_secs(second), count);
            pace.note(start + Duration::from_secs(second) + Duration::from_millis(1), count);
            if second == 60 {
                assert!((pace.per_s().expect("a rate") - 10.0).abs() < 0.1);
            }
        }
        let rate = pace.per_s().expect("a rate");
        assert!((rate - 100.0).abs() < 2.0, "{rate}");
        assert!(pace.samples.len() < 150);
    }

    #[test]
    fn the_remaining_time_knows_the_quota() {
        let quota = |left_today, next_day_in_s| Some(Allowance { left_today, per_day: 400_000, next_day_in_s });
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        near(remaining_s(5000, 100.0, None), 50.0);
        near(remaining_s(5000, 100.0, quota(400_000, 3600.0)), 50.0);
        // 1000 today, the other 4000 after midnight.
        near(remaining_s(5000, 100.0, quota(1000, 3600.0)), 3600.0 + 40.0);
        // 518,400 of 30 days: 100,000 in what is left of today, a whole day's 400,000, the rest on the third.
        near(remaining_s(518_400, 100.0, quota(100_000, 3600.0)), 3600.0 + 86_400.0 + 184.0);
        near(remaining_s(400_000, 100.0, quota(0, 10.0)), 10.0 + 4000.0);
    }
}
