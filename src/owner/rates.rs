//! Rates: what a rising counter did over the last minute.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Window of a rate.
const WINDOW: Duration = Duration::from_secs(60);

/// Follows one counter.
#[derive(Debug, Default)]
pub struct Rate {
    seen: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Notes the counter at `now` (at most once a second) and answers its rise a second over the last minute;
    /// `None` until a second has been seen.
    pub fn observe(&mut self, counter: u64, now: Instant) -> Option<f64> {
        if self.seen.back().is_none_or(|(at, _)| now.duration_since(*at) >= Duration::from_secs(1)) {
            self.seen.push_back((now, counter));
        }
        while self.seen.len() > 2 && now.duration_since(self.seen[1].0) >= WINDOW {
            self.seen.pop_front();
        }
        let (since, from) = *self.seen.front()?;
        let span = now.duration_since(since);
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 16 digits")]
        let rise = counter.saturating_sub(from) as f64;
        // Rounded so that a rate that stands still compares equal.
        (span >= Duration::from_secs(1)).then(|| (rise / span.as_secs_f64() * 100.0).round() / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_rise_over_the_last_minute() {
        let start = Instant::now();
        let mut rate = Rate::default();
        assert_eq!(rate.observe(0, start), None);
        assert_eq!(rate.observe(20, start + Duration::from_secs(10)), Some(2.0));
        assert_eq!(rate.observe(20, start + Duration::from_secs(70)), Some(0.0));
    }
}
