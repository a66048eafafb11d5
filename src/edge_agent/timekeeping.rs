//! What the agent knows of its machine's clock: whether it is set, and when it stepped.
//!
//! A machine without a battery begins in 1970 (or wherever its last shutdown left it) and is set from the network
//! minutes or weeks later. What is measured before keeps its time since the boot, which no setting touches, and is
//! dated when the clock is set: *boot time + offset*, the offset being wall clock minus boot time at that moment. Slewing
//! (as NTP does) moves both alike and isn't a step.
//!
//! **How exact.** A time worked out so differs from what a set clock would have shown by what the machine's oscillator
//! drifted in between: at most 100 ppm for the crystals in use, 8.64 s a day between measurement and setting, typically a
//! fifth of it; plus the error of the clock that was set, and up to one second where a smaller step is left alone.

use jiff::{SignedDuration, Timestamp};

use crate::clock::wall;
use crate::station::{ClockFlag, ClockNote};

/// 2026-01-01T00:00:00Z: a clock that shows less isn't set. No skydeck is older.
pub const SET_FROM: Timestamp = Timestamp::constant(1_767_225_600, 0);
/// The least step that counts, nanoseconds.
pub const LEAST_STEP_NS: i64 = 1_000_000_000;

/// What the two clocks show at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: Timestamp,
    /// Nanoseconds since the boot.
    pub boot_ns: i64,
}

impl Moment {
    /// Wall clock minus time since the boot, nanoseconds.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        nanoseconds(self.wall).saturating_sub(self.boot_ns)
    }

    /// Whether the clock counts as set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.wall >= SET_FROM
    }
}

/// What became of the clock between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// It wasn't set and is now.
    Set {
        /// The new offset, nanoseconds.
        offset_ns: i64,
    },
    /// It was set, and set anew by more than a second.
    Stepped {
        /// The new offset, nanoseconds.
        offset_ns: i64,
        /// By how much, nanoseconds; negative is back.
        by_ns: i64,
    },
    /// It was set and isn't any more.
    Lost,
}

/// Follows the clock within one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timekeeper {
    /// The offset while the clock is set.
    offset_ns: Option<i64>,
}

impl Timekeeper {
    /// Goes on with the offset known of this boot; `None` where the clock hasn't been set in it.
    #[must_use]
    pub const fn resume(offset_ns: Option<i64>) -> Self {
        Self { offset_ns }
    }

    /// Looks at the clocks.
    pub fn observe(&mut self, moment: Moment) -> Change {
        let offset_ns = moment.offset_ns();
        match (self.offset_ns, moment.is_set()) {
            (None, false) => Change::None,
            (None, true) => {
                self.offset_ns = Some(offset_ns);
                Change::Set { offset_ns }
            }
            (Some(_), false) => {
                self.offset_ns = None;
                Change::Lost
            }
            (Some(known), true) => {
                let by_ns = offset_ns.saturating_sub(known);
                if by_ns.saturating_abs() <= LEAST_STEP_NS {
                    return Change::None;
                }
                self.offset_ns = Some(offset_ns);
                Change::Stepped { offset_ns, by_ns }
            }
        }
    }

    /// Whether the clock was set when it was last looked at.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.offset_ns.is_some()
    }
}

/// The instant `boot_ns` after a boot whose offset is `offset_ns`.
#[must_use]
pub fn dated(boot_ns: i64, offset_ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(boot_ns) + i128::from(offset_ns)).unwrap_or(Timestamp::MAX)
}

/// The note of a time that was worked out, or never will be.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "milliseconds since a boot are far below 2^53")]
pub fn note(flag: ClockFlag, boot_id: &str, boot_ns: i64) -> ClockNote {
    let boot_time_s = (boot_ns.max(0) / 1_000_000) as f64 / 1000.0;
    ClockNote { flag, boot_id: boot_id.to_owned(), boot_time_s }
}

/// The clocks of the machine.
#[derive(Debug, Clone)]
pub struct MachineClock {
    boot_id: String,
    /// Where the system doesn't tell the time since its boot: since the agent's start.
    started: std::time::Instant,
}

impl MachineClock {
    /// This machine's. A system without a boot's id counts each start of the agent as a boot.
    #[must_use]
    pub fn new() -> Self {
        let boot_id = wall::boot_id().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        Self { boot_id, started: std::time::Instant::now() }
    }

    /// The boot's id.
    #[must_use]
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// What the clocks show now.
    #[must_use]
    pub fn now(&self) -> Moment {
        let since_start = || i64::try_from(self.started.elapsed().as_nanos()).unwrap_or(i64::MAX);
        Moment { boot_ns: wall::since_boot_ns().unwrap_or_else(since_start), wall: wall::now() }
    }
}

impl Default for MachineClock {
    fn default() -> Self {
        Self::new()
    }
}

/// `by_ns` for people: `+3 s`, `-1 h 2 min`.
#[must_use]
pub fn step_words(by_ns: i64) -> String {
    let by = SignedDuration::from_nanos(by_ns);
    let seconds = by.unsigned_abs().as_secs();
    let sign = if by.is_negative() { '-' } else { '+' };
    match seconds {
        0..120 => format!("{sign}{seconds} s"),
        120..7200 => format!("{sign}{} min", seconds / 60),
        7200..172_800 => format!("{sign}{} h", seconds / 3600),
        _ => format!("{sign}{} d", seconds / 86_400),
    }
}

fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn moment(wall: &str, boot_s: i64) -> Moment {
        Moment { wall: wall.parse().expect("a time"), boot_ns: boot_s * S }
    }

    #[test]
    fn a_first_boot_in_1970_is_unset_until_somebody_sets_it() {
        let mut keeper = Timekeeper::resume(None);
        assert_eq!(keeper.observe(moment("1970-01-01T00:01:00Z", 60)), Change::None);
        assert!(!keeper.is_set());
        let set = moment("2026-06-01T12:00:00Z", 300);
        let Change::Set { offset_ns } = keeper.observe(set) else { panic!("it was set") };
        assert_eq!(dated(300 * S, offset_ns), set.wall);
        // What was measured 240 s before was measured 240 s before.
        assert_eq!(dated(60 * S, offset_ns).to_string(), "2026-06-01T11:56:00Z");
        assert_eq!(keeper.observe(moment("2026-06-01T12:01:00Z", 360)), Change::None);
        assert!(keeper.is_set());
    }

    #[test]
    fn steps_of_more_than_a_second_count_and_smaller_ones_do_not() {
        let mut keeper = Timekeeper::resume(None);
        keeper.observe(moment("2026-06-01T12:00:00Z", 0));
        assert_eq!(keeper.observe(moment("2026-06-01T12:00:11Z", 10)), Change::None, "one second");
        let forward = keeper.observe(moment("2026-06-01T13:00:20Z", 20));
        assert!(matches!(forward, Change::Stepped { by_ns, .. } if by_ns == 3600 * S), "{forward:?}");
        let back = keeper.observe(moment("2026-06-01T12:00:30Z", 30));
        assert!(matches!(back, Change::Stepped { by_ns, .. } if by_ns == -3600 * S), "{back:?}");
        assert_eq!(keeper.observe(moment("1970-01-01T00:00:00Z", 31)), Change::Lost);
        assert_eq!(keeper.observe(moment("1970-01-01T00:00:01Z", 32)), Change::None);
        assert!(matches!(keeper.observe(moment("2026-06-01T12:00:33Z", 33)), Change::Set { .. }));
    }

    #[test]
    fn a_step_while_the_agent_was_down_is_noticed_at_its_next_start_in_the_same_boot() {
        let known = moment("2026-06-01T12:00:00Z", 100).offset_ns();
        let mut keeper = Timekeeper::resume(Some(known));
        assert_eq!(keeper.observe(moment("2026-06-01T12:10:00Z", 700)), Change::None);
        let mut keeper = Timekeeper::resume(Some(known));
        assert!(matches!(keeper.observe(moment("2026-06-02T12:10:00Z", 700)), Change::Stepped { .. }));
    }

    #[test]
    fn notes_carry_milliseconds_and_steps_have_words() {
        let note = note(ClockFlag::Unset, "b", 1_234_567_890);
        assert_eq!((note.boot_time_s, note.flag), (1.234, ClockFlag::Unset));
        assert_eq!(step_words(-3 * S), "-3 s");
        assert_eq!(step_words(56 * 365 * 86_400 * S), "+20440 d");
    }
}
