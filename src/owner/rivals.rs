//! Two devices with one identity: each connects and so ends the other's connection, again and again.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Wall time that is looked back on.
const WINDOW: Duration = Duration::from_secs(600);
/// Takeovers within it that no device on a broken line makes alone.
const TAKEOVERS: usize = 3;

/// Follows how often each device's connection was taken over.
#[derive(Debug, Default)]
pub struct Rivals {
    seen: BTreeMap<String, Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    count: u64,
    /// When each of the newest takeovers was noticed.
    at: VecDeque<Instant>,
}

impl Rivals {
    /// Notes each device's takeovers since the hub's start; answers the devices that somebody rivals, by id. One that
    /// isn't counted any more was removed.
    pub fn observe<'a>(&mut self, counts: impl Iterator<Item = (&'a str, u64)> + Clone, now: Instant) -> Vec<String> {
        self.seen.retain(|known, _| counts.clone().any(|(device, _)| device == known));
        for (device, count) in counts {
            let followed = self.seen.entry(device.to_owned()).or_default();
            let new = count.saturating_sub(followed.count).min(TAKEOVERS as u64);
            followed.count = count;
            followed.at.extend((0..new).map(|_| now));
            while followed.at.len() > TAKEOVERS {
                followed.at.pop_front();
            }
        }
        let is_rivalled = |followed: &Followed| {
            followed.at.len() == TAKEOVERS && followed.at.iter().all(|at| now.duration_since(*at) <= WINDOW)
        };
        self.seen.iter().filter(|(_, followed)| is_rivalled(followed)).map(|(device, _)| device.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn takeovers_in_a_row_are_two_devices_and_a_single_one_is_a_broken_line() {
        let start = Instant::now();
        let mut rivals = Rivals::default();
        assert!(rivals.observe([("roof-01", 1)].into_iter(), start).is_empty());
        assert!(rivals.observe([("roof-01", 2), ("roof-02", 1)].into_iter(), after(start, 5)).is_empty());
        assert_eq!(rivals.observe([("roof-01", 3), ("roof-02", 1)].into_iter(), after(start, 9)), ["roof-01"]);
        assert!(rivals.observe([("roof-01", 3)].into_iter(), after(start, 700)).is_empty(), "it is over");
    }

    #[test]
    fn a_removed_device_has_no_rival() {
        let start = Instant::now();
        let mut rivals = Rivals::default();
        assert_eq!(rivals.observe([("roof-01", 3)].into_iter(), start), ["roof-01"]);
        assert!(rivals.observe([].into_iter(), after(start, 1)).is_empty());
        assert!(rivals.observe([("roof-01", 1)].into_iter(), after(start, 2)).is_empty(), "a new one of that id");
    }

    #[test]
    fn three_in_as_many_hours_are_none_of_two_devices() {
        let start = Instant::now();
        let mut rivals = Rivals::default();
        for hour in 1..6 {
            assert!(rivals.observe([("roof-01", hour)].into_iter(), after(start, hour * 3600)).is_empty());
        }
    }
}
