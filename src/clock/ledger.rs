//! Monotonic instants of messages on their way, where this process saw them pass.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The stations of a message's way, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hop {
    /// Read from the sensor and durable in the outbox.
    Measured,
    /// Handed to the link.
    Sent,
    /// Durable in the hub.
    Enqueued,
    /// Its batch written to a container.
    Batched,
    /// The batch's notice taken by the loader.
    Noticed,
    /// Its row committed in the table.
    Loaded,
}

impl Hop {
    /// Every hop, in order.
    pub const ALL: [Self; 6] = [Self::Measured, Self::Sent, Self::Enqueued, Self::Batched, Self::Noticed, Self::Loaded];

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Sent => "sent",
            Self::Enqueued => "enqueued",
            Self::Batched => "batched",
            Self::Noticed => "noticed",
            Self::Loaded => "loaded",
        }
    }
}

/// How many messages the ledger remembers.
const CAPACITY: usize = 4096;
/// How many recent latencies a hop keeps for its median.
const RECENT: usize = 64;

/// A handle on the environment's ledger; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    instants: HashMap<String, [Option<Instant>; 6]>,
    order: VecDeque<String>,
    recent: [VecDeque<Duration>; 6],
    total: VecDeque<Duration>,
}

impl Ledger {
    /// Notes that the messages pass `hop` now.
    pub fn stamp<'a>(&self, hop: Hop, messages: impl IntoIterator<Item = &'a str>) {
        self.stamp_at(hop, messages, Instant::now());
    }

    /// Notes that the messages passed `hop` at `now`.
    pub fn stamp_at<'a>(&self, hop: Hop, messages: impl IntoIterator<Item = &'a str>, now: Instant) {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for id in messages {
            pages.stamp(hop, id, now);
        }
    }

    /// Time a message took from the hop before to `hop`, where both were seen.
    #[must_use]
    pub fn latency(&self, message: &str, hop: Hop) -> Option<Duration> {
        let pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let instants = pages.instants.get(message)?;
        let index = hop as usize;
        let before = instants.get(index.checked_sub(1)?).copied().flatten()?;
        instants[index].map(|at| at.saturating_duration_since(before))
    }

    /// Median of the recent latencies into `hop`; `None` until one was seen.
    #[must_use]
    pub fn median(&self, hop: Hop) -> Option<Duration> {
        let pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        median(&pages.recent[hop as usize])
    }

    /// Recent latencies from the roof to the table, oldest first, at most 64.
    #[must_use]
    pub fn roof_to_table(&self) -> Vec<Duration> {
        let pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pages.total.iter().copied().collect()
    }
}

impl Pages {
    fn stamp(&mut self, hop: Hop, id: &str, now: Instant) {
        if !self.instants.contains_key(id) {
            if self.order.len() == CAPACITY
                && let Some(oldest) = self.order.pop_front()
            {
                self.instants.remove(&oldest);
            }
            self.order.push_back(id.to_owned());
            self.instants.insert(id.to_owned(), [None; 6]);
        }
        let Some(instants) = self.instants.get_mut(id) else { return };
        let index = hop as usize;
        instants[index] = Some(now);
        let before = index.checked_sub(1).and_then(|i| instants[i]);
        let measured = instants[0];
        if let Some(before) = before {
            push(&mut self.recent[index], now.saturating_duration_since(before));
        }
        if hop == Hop::Loaded
            && let Some(measured) = measured
        {
            push(&mut self.total, now.saturating_duration_since(measured));
        }
    }
}

fn push(recent: &mut VecDeque<Duration>, latency: Duration) {
    if recent.len() == RECENT {
        recent.pop_front();
    }
    recent.push_back(latency);
}

fn median(recent: &VecDeque<Duration>) -> Option<Duration> {
    let mut sorted: Vec<_> = recent.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_needs_both_ends() {
        let ledger = Ledger::default();
        ledger.stamp(Hop::Sent, ["a"]);
        assert_eq!(ledger.latency("a", Hop::Sent), None);
        ledger.stamp(Hop::Enqueued, ["a"]);
        assert!(ledger.latency("a", Hop::Enqueued).is_some());
        assert!(ledger.median(Hop::Enqueued).is_some());
        assert_eq!(ledger.median(Hop::Loaded), None);
        assert_eq!(ledger.latency("b", Hop::Enqueued), None);
    }

    #[test]
    fn the_ledger_is_bounded() {
        let ledger = Ledger::default();
        let ids: Vec<String> = (0..CAPACITY + 1).map(|i| i.to_string()).collect();
        ledger.stamp(Hop::Measured, ids.iter().map(String::as_str));
        ledger.stamp(Hop::Sent, ["0"]);
        assert_eq!(ledger.latency("0", Hop::Sent), None);
        let newest = CAPACITY.to_string();
        ledger.stamp(Hop::Sent, [newest.as_str()]);
        assert!(ledger.latency(&newest, Hop::Sent).is_some());
    }
}
