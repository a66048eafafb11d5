//! The one clock of an environment, handed to whatever stamps or waits.
//!
//! In replay it is the series' own time at a chosen speed; elsewhere it is the wall clock. Batch windows,
//! nowcast cadence and stamps follow it. TLS and SAS live on the wall clock, latencies on the monotonic one
//! ([`ledger`]). What is looked at each wall second waits for a [`second_hand`]; [`wall`] tells when the clock is set.

pub mod certificate;
pub mod ledger;
pub mod second_hand;
pub mod wall;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Slowest and fastest replay.
pub const SPEED_RANGE: std::ops::RangeInclusive<u32> = 1..=600;

/// A handle on the environment's clock; clones share it.
#[derive(Clone, Debug)]
pub struct Clock {
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Wall,
    Replay { base: Timestamp, since: Instant, speed: u32, end: Timestamp },
}

/// What a clock shows, for screens and the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "mode")]
pub enum ClockReading {
    /// The wall clock.
    Wall {
        /// Now.
        now: Timestamp,
    },
    /// A replayed series' own time.
    Replay {
        /// Now, in the series' time.
        now: Timestamp,
        /// Seconds of the series a second.
        speed: u32,
        /// Where the clock stops.
        end: Timestamp,
        /// Whether it has stopped there.
        ended: bool,
    },
}

impl ClockReading {
    /// Pipeline time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        match self {
            Self::Wall { now } | Self::Replay { now, .. } => *now,
        }
    }

    /// Pipeline seconds a wall second.
    #[must_use]
    pub const fn speed(&self) -> u32 {
        match self {
            Self::Wall { .. } => 1,
            Self::Replay { speed, .. } => *speed,
        }
    }
}

impl Clock {
    /// The wall clock.
    #[must_use]
    pub fn wall() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::Wall)) }
    }

    /// A clock that shows `from` now, runs `speed` times as fast as the wall clock and stops at `end`.
    /// `speed` is brought into [`SPEED_RANGE`].
    #[must_use]
    pub fn replay(from: Timestamp, speed: u32, end: Timestamp) -> Self {
        let speed = speed.clamp(*SPEED_RANGE.start(), *SPEED_RANGE.end());
        let state = State::Replay { base: from, since: Instant::now(), speed, end };
        Self { state: Arc::new(watch::Sender::new(state)) }
    }

    /// Pipeline time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.state.borrow().now()
    }

    /// Pipeline seconds a wall second: 1 on the wall clock.
    #[must_use]
    pub fn speed(&self) -> u32 {
        match *self.state.borrow() {
            State::Wall => 1,
            State::Replay { speed, .. } => speed,
        }
    }

    /// What the clock shows.
    #[must_use]
    pub fn reading(&self) -> ClockReading {
        let state = *self.state.borrow();
        let now = state.now();
        match state {
            State::Wall => ClockReading::Wall { now },
            State::Replay { speed, end, .. } => ClockReading::Replay { now, speed, end, ended: now >= end },
        }
    }

    /// Changes the speed of a replay from now on. `false` on the wall clock, which has but one.
    pub fn set_speed(&self, new_speed: u32) -> bool {
        let new_speed = new_speed.clamp(*SPEED_RANGE.start(), *SPEED_RANGE.end());
        let mut is_replay = false;
        self.state.send_modify(|state| {
            if let State::Replay { base, since, speed, end } = state {
                let now = State::Replay { base: *base, since: *since, speed: *speed, end: *end }.now();
                (*base, *since, *speed) = (now, Instant::now(), new_speed);
                is_replay = true;
            }
        });
        is_replay
    }

    /// Waits until the clock shows `deadline`. Never returns where a replay stops before it.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        let mut changes = self.state.subscribe();
        loop {
            let state = *changes.borrow_and_update();
            let Some(wait) = state.wall_wait(deadline) else {
                // The replay ends earlier; only a new speed could be told, and it changes nothing here.
                std::future::pending::<()>().await;
                return;
            };
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl State {
    fn now(self) -> Timestamp {
        match self {
            Self::Wall => wall::now(),
            Self::Replay { base, since, speed, end } => {
                let elapsed = SignedDuration::try_from(since.elapsed() * speed).unwrap_or(SignedDuration::MAX);
                base.checked_add(elapsed).map_or(end, |now| now.min(end))
            }
        }
    }

    /// Wall time until the clock shows `deadline`; `None` if it never will.
    fn wall_wait(self, deadline: Timestamp) -> Option<Duration> {
        let ahead = Duration::try_from(deadline.duration_since(self.now())).unwrap_or(Duration::ZERO);
        match self {
            Self::Wall => Some(ahead),
            Self::Replay { end, .. } if deadline > end => None,
            // Rounded up to a microsecond so that the clock has passed the deadline when the sleep ends.
            Self::Replay { speed, .. } if !ahead.is_zero() => Some(ahead / speed + Duration::from_micros(1)),
            Self::Replay { .. } => Some(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a test's timestamp")
    }

    #[tokio::test]
    async fn a_replay_runs_faster_and_stops_at_its_end() {
        let clock = Clock::replay(at("2016-06-08T00:00:00Z"), 600, at("2016-06-08T00:01:00Z"));
        let started = Instant::now();
        clock.sleep_until(at("2016-06-08T00:00:30Z")).await;
        assert!(started.elapsed() < Duration::from_secs(2));
        assert!(clock.now() >= at("2016-06-08T00:00:30Z"));
        clock.sleep_until(at("2016-06-08T00:01:00Z")).await;
        assert_eq!(clock.now(), at("2016-06-08T00:01:00Z"));
        assert!(matches!(clock.reading(), ClockReading::Replay { ended: true, .. }));
        let never = clock.sleep_until(at("2016-06-08T00:01:01Z"));
        assert!(tokio::time::timeout(Duration::from_millis(50), never).await.is_err());
    }

    #[tokio::test]
    async fn a_new_speed_takes_hold_of_a_sleep_that_began_before() {
        let clock = Clock::replay(at("2016-06-08T00:00:00Z"), 1, at("2016-06-09T00:00:00Z"));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(at("2016-06-08T00:00:30Z")).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(clock.set_speed(600));
        tokio::time::timeout(Duration::from_secs(5), sleeper).await.expect("woken by the new speed").expect("joins");
        assert!(!Clock::wall().set_speed(2));
    }
}
