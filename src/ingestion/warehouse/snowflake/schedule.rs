//! When the warehouse may be woken. Pure rules: what has happened and the time come in as arguments.
//!
//! Statements that need no warehouse are asked each half minute. Those that wake one, all in one wake, only when a pipe has
//! moved or somebody asks, so far apart that the day's wakes suffice: with ten pipes and a console that looks eight hours,
//! 16 wakes while it looks and 8 in the 16 hours beside make the 24 that are allowed.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Between two wakes while somebody looks at the loads.
const WATCHED: SignedDuration = SignedDuration::from_mins(30);
/// Between two wakes while nobody does.
const UNWATCHED: SignedDuration = SignedDuration::from_hours(2);
/// Between two wakes that somebody asked for.
const ASKED: SignedDuration = SignedDuration::from_mins(1);
/// Between two tries of a warehouse that doesn't run.
pub(super) const REFUSED: SignedDuration = SignedDuration::from_mins(30);
/// Somebody looks for so long after having asked for the loads.
const LOOKS_FOR: SignedDuration = SignedDuration::from_mins(5);

/// What the rules look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Situation {
    /// The last wake.
    pub last_wake: Option<Timestamp>,
    /// Wakes of this day (UTC).
    pub wakes_today: u32,
    /// Credits of this day that watching has cost; absent where it can't be told.
    pub credits_today: Option<f64>,
    /// Whether a pipe has moved since the last wake, or nothing was looked at yet.
    pub has_moved: bool,
    /// When somebody last looked at the loads.
    pub looked_at: Option<Timestamp>,
    /// Whether somebody asked for it since the last wake.
    pub is_asked: bool,
    /// When the warehouse last refused to run.
    pub refused_at: Option<Timestamp>,
}

/// Bounds of a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Wakes.
    pub wakes: u32,
    /// Credits.
    pub credits: f64,
}

/// What the rules say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Wake it now.
    Wake,
    /// Nothing calls for it.
    Rest,
    /// Something does, from this time on.
    NotBefore(Timestamp),
    /// The day's wakes or credits are spent: again tomorrow.
    Spent(Timestamp),
}

/// Whether the warehouse is woken now.
#[must_use]
pub fn judge(situation: &Situation, bounds: &Bounds, now: Timestamp) -> Verdict {
    if !situation.has_moved && !situation.is_asked {
        return Verdict::Rest;
    }
    let is_over = situation.credits_today.is_some_and(|credits| credits >= bounds.credits);
    // What somebody asks for goes over the budget, never over the wakes.
    if situation.wakes_today >= bounds.wakes || (is_over && !situation.is_asked) {
        return Verdict::Spent(tomorrow(now));
    }
    let looks = situation.looked_at.is_some_and(|at| now.duration_since(at) <= LOOKS_FOR);
    let apart = match () {
        () if situation.is_asked => ASKED,
        () if looks => WATCHED,
        () => UNWATCHED,
    };
    let after_wake = situation.last_wake.map(|last| (last, apart));
    let after_refusal = situation.refused_at.filter(|_| !situation.is_asked).map(|at| (at, REFUSED));
    let held = [after_wake, after_refusal].into_iter().flatten().map(|(last, apart)| (last + apart, now + apart));
    // A clock that was set back would otherwise hold it up for as long.
    let until = held.filter(|(from, latest)| *from > now && from <= latest).map(|(from, _)| from).max();
    until.map_or(Verdict::Wake, Verdict::NotBefore)
}

/// The day (UTC) of `at`.
#[must_use]
pub fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn tomorrow(now: Timestamp) -> Timestamp {
    let next = day(now).tomorrow().and_then(|date| date.to_zoned(TimeZone::UTC));
    next.map_or(now + SignedDuration::from_hours(24), |midnight| midnight.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { wakes: 24, credits: 1.0 };

    fn at(minute: i64) -> Timestamp {
        let midnight: Timestamp = "2026-06-01T00:00:00Z".parse().expect("a time");
        midnight + SignedDuration::from_mins(minute)
    }

    fn moved() -> Situation {
        Situation {
            last_wake: None,
            wakes_today: 0,
            credits_today: Some(0.0),
            has_moved: true,
            looked_at: None,
            is_asked: false,
            refused_at: None,
        }
    }

    /// A day in half minutes: ten pipes that move all the time, a console that looks from 08:00 to 16:00.
    fn wakes_of_a_day(per_wake: f64) -> u32 {
        let mut situation = moved();
        for half_minute in 0..2880 {
            let now = at(0) + SignedDuration::from_secs(30 * half_minute);
            if (960..1920).contains(&half_minute) {
                situation.looked_at = Some(now);
            }
            if judge(&situation, &BOUNDS, now) == Verdict::Wake {
                situation.last_wake = Some(now);
                situation.wakes_today += 1;
                situation.credits_today = situation.credits_today.map(|credits| credits + per_wake);
            }
        }
        situation.wakes_today
    }

    #[test]
    fn ten_pipes_and_a_console_for_eight_hours_wake_it_24_times() {
        assert_eq!(wakes_of_a_day(65.0 / 3600.0), 24);
    }

    #[test]
    fn a_dear_warehouse_is_woken_until_its_budget_is_spent() {
        // A Large one with ten minutes until it sleeps: 8 · 605/3600 = 1.34 credits a wake.
        assert_eq!(wakes_of_a_day(8.0 * 605.0 / 3600.0), 1);
    }

    #[test]
    fn nothing_moved_nothing_woken() {
        let still = Situation { has_moved: false, ..moved() };
        assert_eq!(judge(&still, &BOUNDS, at(0)), Verdict::Rest);
        assert_eq!(judge(&Situation { is_asked: true, ..still }, &BOUNDS, at(0)), Verdict::Wake);
    }

    #[test]
    fn whoever_asks_is_answered_within_a_minute_beyond_the_budget_but_not_beyond_the_wakes() {
        let asked = Situation { is_asked: true, last_wake: Some(at(10)), credits_today: Some(5.0), ..moved() };
        assert_eq!(judge(&asked, &BOUNDS, at(10)), Verdict::NotBefore(at(11)));
        assert_eq!(judge(&asked, &BOUNDS, at(11)), Verdict::Wake);
        let spent = Situation { wakes_today: 24, ..asked };
        assert_eq!(judge(&spent, &BOUNDS, at(11)), Verdict::Spent(at(24 * 60)));
    }

    #[test]
    fn a_warehouse_that_does_not_run_is_tried_again_half_an_hour_later_or_when_somebody_asks() {
        let refused = Situation { refused_at: Some(at(10)), ..moved() };
        assert_eq!(judge(&refused, &BOUNDS, at(11)), Verdict::NotBefore(at(40)));
        assert_eq!(judge(&refused, &BOUNDS, at(40)), Verdict::Wake);
        assert_eq!(judge(&Situation { is_asked: true, ..refused }, &BOUNDS, at(11)), Verdict::Wake);
    }

    #[test]
    fn an_hour_asleep_or_a_clock_set_back_holds_nothing_up() {
        let last = Situation { last_wake: Some(at(600)), ..moved() };
        assert_eq!(judge(&last, &BOUNDS, at(600 + 121)), Verdict::Wake);
        assert_eq!(judge(&last, &BOUNDS, at(60)), Verdict::Wake);
    }
}
