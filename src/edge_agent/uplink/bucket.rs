//! How many messages may go now.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket: in no second more than `per_s` leave it.
#[derive(Debug)]
pub(super) struct Bucket {
    per_s: u32,
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    pub(super) const fn new(per_s: u32, now: Instant) -> Self {
        Self { per_s, tokens: 0.0, filled_at: now }
    }

    pub(super) const fn per_s(&self) -> u32 {
        self.per_s
    }

    /// What fits in it: a tenth of a second's worth.
    fn capacity(&self) -> f64 {
        f64::from((self.per_s / 10).max(1))
    }

    /// Messages a second that flow in: a full bucket and a second's inflow are together no more than `per_s`.
    fn inflow(&self) -> f64 {
        (f64::from(self.per_s) - self.capacity()).max(f64::from(self.per_s) / 2.0)
    }

    /// Messages that may go now.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, at most 10,000")]
    pub(super) fn ready(&mut self, now: Instant) -> usize {
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.inflow()).min(self.capacity());
        self.filled_at = now;
        // A hair below a whole one is a whole one: sums of fractions.
        (self.tokens + 1e-6) as usize
    }

    pub(super) fn take(&mut self, messages: usize) {
        self.tokens -= messages as f64;
    }

    /// When the bucket is full again, and not before: who sends in bursts wakes seldom.
    pub(super) fn full_at(&self) -> Instant {
        self.filled_at + Duration::from_secs_f64(((self.capacity() - self.tokens) / self.inflow()).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_no_second_more_than_allowed_and_nearly_as_many() {
        for per_s in [1, 2, 7, 100, 5000] {
            let start = Instant::now();
            let mut bucket = Bucket::new(per_s, start);
            let (mut now, mut sent) = (start, Vec::new());
            while now < start + Duration::from_secs(20) {
                let ready = bucket.ready(now);
                assert!(ready >= 1 || now == start, "woken for nothing at {per_s}");
                bucket.take(ready);
                sent.extend(std::iter::repeat_n(now, ready));
                now = bucket.full_at().max(now + Duration::from_micros(1));
            }
            let within =
                |from: Instant| sent.iter().filter(|at| **at >= from && **at < from + Duration::from_secs(1)).count();
            for at in sent.iter().step_by(usize::try_from(per_s).expect("small")) {
                assert!(within(*at) <= per_s as usize, "{per_s} a second");
            }
            assert!(sent.len() >= per_s as usize * 20 / 2 - 1, "{} at {per_s}", sent.len());
        }
    }
}
