//! Batches that should be there: telemetry flowed, and nothing was written of it.

use jiff::{SignedDuration, Timestamp};

/// How much later than its window a batch may be.
const SLACK: SignedDuration = SignedDuration::from_secs(120);

/// A time in which messages came and no batch was written of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// When its first message came.
    pub from: Timestamp,
    /// When its last one did.
    pub to: Timestamp,
    /// How many did.
    pub messages: u64,
}

/// The gaps of a container: `written` when its batches were, in order of time; `came` how many of its messages the hub took
/// in at or after each time, in order, by slots of `slot`; `window` the longest that the hub gathers a batch. A message that
/// came has to be in a batch that was written after it and no later than the window and two minutes.
#[must_use]
pub fn gaps(
    written: &[Timestamp],
    came: &[(Timestamp, u64)],
    slot: SignedDuration,
    window: SignedDuration,
    now: Timestamp,
) -> Vec<Gap> {
    let mut found: Vec<Gap> = Vec::new();
    let mut is_open = false;
    for &(from, messages) in came.iter().filter(|(_, messages)| *messages > 0) {
        let to = from + slot;
        let due = to + window + SLACK;
        let next = written.partition_point(|at| *at <= from);
        let is_written = written.get(next).is_some_and(|at| *at <= due);
        if is_written || due > now {
            is_open = false;
            continue;
        }
        match found.last_mut().filter(|_| is_open) {
            Some(gap) => {
                gap.to = to;
                gap.messages += messages;
            }
            None => found.push(Gap { from, to, messages }),
        }
        is_open = true;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minute * 60).expect("in range")
    }

    fn found(written: &[i64], came: &[(i64, u64)], now: i64) -> Vec<(i64, i64, u64)> {
        let written: Vec<_> = written.iter().map(|minute| at(*minute)).collect();
        let came: Vec<_> = came.iter().map(|(minute, count)| (at(*minute), *count)).collect();
        let minutes = SignedDuration::from_mins;
        let since = |time: Timestamp| time.duration_since(at(0)).as_mins();
        let gaps = gaps(&written, &came, minutes(1), minutes(5), at(now));
        gaps.into_iter().map(|gap| (since(gap.from), since(gap.to), gap.messages)).collect()
    }

    #[test]
    fn what_came_has_to_be_written_within_the_window() {
        assert_eq!(found(&[5, 10, 15], &[(0, 9), (4, 9), (9, 9), (14, 9)], 30), []);
        // Nothing came: nothing has to be written.
        assert_eq!(found(&[5], &[(0, 9), (6, 0), (20, 0)], 60), []);
        // What came in the minutes 6 and 7 was never written, and what came in 20 was.
        assert_eq!(found(&[5, 25], &[(0, 9), (6, 2), (7, 3), (20, 1)], 60), [(6, 8, 5)]);
    }

    #[test]
    fn what_may_still_be_written_is_no_gap() {
        assert_eq!(found(&[], &[(0, 1)], 7), []);
        assert_eq!(found(&[], &[(0, 1)], 8), [(0, 1, 1)]);
    }

    #[test]
    fn two_gaps_with_a_batch_between_are_two() {
        assert_eq!(found(&[14], &[(0, 1), (10, 4), (20, 2)], 60), [(0, 1, 1), (20, 21, 2)]);
    }
}
