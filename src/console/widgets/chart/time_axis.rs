//! The time axis: ticks at round local times, and the date where the day changes.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Distances between ticks, minutes; each divides a day, or is whole days.
const STEPS_MIN: [i64; 16] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 10_080, 43_200];

/// An interval of time along a plot's width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeScale {
    /// Instant at the left edge.
    pub from: Timestamp,
    /// Instant at the right edge, after `from`.
    pub to: Timestamp,
}

/// A tick of the time axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeTick {
    /// Where.
    pub at: Timestamp,
    /// `14:05`, or the date where a day begins.
    pub label: String,
    /// Whether a day begins here.
    pub day: bool,
}

impl TimeScale {
    /// From `from` to `to`; an interval that is empty or turned round becomes one second long.
    #[must_use]
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        let to = if to > from { to } else { from.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX) };
        let from =
            if to > from { from } else { to.checked_sub(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MIN) };
        Self { from, to }
    }

    /// Its length, seconds, above 0.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.to.duration_since(self.from).as_secs_f64()
    }

    /// Where `at` lies: 0 at the left edge, 1 at the right one; absent outside.
    #[must_use]
    pub fn fraction(&self, at: Timestamp) -> Option<f64> {
        (at >= self.from && at <= self.to).then(|| at.duration_since(self.from).as_secs_f64() / self.seconds())
    }

    /// The instant at `fraction` of the width.
    #[must_use]
    pub fn instant(&self, fraction: f64) -> Timestamp {
        let seconds = self.seconds() * fraction.clamp(0.0, 1.0);
        SignedDuration::try_from_secs_f64(seconds)
            .ok()
            .and_then(|offset| self.from.checked_add(offset).ok())
            .unwrap_or(self.to)
    }

    /// Ticks at round local times, `max_ticks` at most.
    #[must_use]
    pub fn ticks(&self, zone: &TimeZone, max_ticks: usize) -> Vec<TimeTick> {
        let minutes = self.seconds() / 60.0;
        #[expect(clippy::cast_precision_loss, reason = "steps and tick counts are small")]
        let step = STEPS_MIN.into_iter().find(|step| minutes / *step as f64 <= max_ticks as f64);
        let Some(step) = step.filter(|_| max_ticks > 0) else { return Vec::new() };
        let mut ticks = Vec::new();
        let mut next = first_tick(zone.to_datetime(self.from), step);
        while let Some(local) = next {
            // An hour that the clocks skip is drawn where they land; one that comes twice, the first time.
            let Ok(at) = zone.to_ambiguous_timestamp(local).compatible() else { break };
            if at > self.to || ticks.len() > max_ticks {
                break;
            }
            if at >= self.from {
                let day = local.time() == jiff::civil::Time::midnight();
                let label = if day { date_label(local) } else { local.strftime("%H:%M").to_string() };
                ticks.push(TimeTick { at, label, day });
            }
            next = local.checked_add(SignedDuration::from_mins(step)).ok();
        }
        ticks
    }
}

/// `9 Jun`.
#[must_use]
pub fn date_label(local: DateTime) -> String {
    local.strftime("%-d %b").to_string()
}

/// The last round local time at or before `local`.
fn first_tick(local: DateTime, step: i64) -> Option<DateTime> {
    let midnight = local.date().to_datetime(jiff::civil::Time::midnight());
    if step >= 1440 {
        // Counted from a fixed day, so that ticks stay where they are while the view moves.
        let since = jiff::civil::date(1970, 1, 1).until(local.date()).ok()?.get_days();
        let back = i64::from(since).rem_euclid(step / 1440);
        return midnight.checked_sub(SignedDuration::from_hours(back * 24)).ok();
    }
    let minutes = i64::from(local.hour()) * 60 + i64::from(local.minute());
    midnight.checked_add(SignedDuration::from_mins(minutes / step * step)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(from: &str, to: &str) -> TimeScale {
        TimeScale::new(from.parse().expect("an instant"), to.parse().expect("an instant"))
    }

    fn zurich() -> TimeZone {
        TimeZone::get("Europe/Zurich").expect("a known zone")
    }

    fn labels(ticks: &[TimeTick]) -> Vec<&str> {
        ticks.iter().map(|t| t.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_in_local_time_and_a_new_day_shows_its_date() {
        // 20:10Z to 02:10Z is 22:10 to 04:10 in Zurich's summer.
        let ticks = scale("2016-06-08T20:10:00Z", "2016-06-09T02:10:00Z").ticks(&zurich(), 6);
        assert_eq!(labels(&ticks), ["23:00", "9 Jun", "01:00", "02:00", "03:00", "04:00"]);
        assert!(ticks[1].day && ticks[1].at == "2016-06-08T22:00:00Z".parse().expect("an instant"));
        let week = scale("2016-06-02T14:00:00Z", "2016-06-09T14:00:00Z").ticks(&zurich(), 8);
        assert_eq!(labels(&week), ["3 Jun", "4 Jun", "5 Jun", "6 Jun", "7 Jun", "8 Jun", "9 Jun"]);
    }

    #[test]
    fn the_hour_that_summer_time_skips_is_not_shown_twice_as_midnight() {
        // 2016-03-27: 02:00 becomes 03:00 in Zurich.
        let ticks = scale("2016-03-26T23:00:00Z", "2016-03-27T04:00:00Z").ticks(&zurich(), 6);
        let at: Vec<_> = ticks.iter().map(|t| t.at).collect();
        assert!(at.is_sorted());
        assert_eq!(labels(&ticks)[0], "27 Mar");
        assert_eq!(labels(&ticks).last(), Some(&"06:00"));
    }

    #[test]
    fn an_empty_interval_and_no_room_give_no_ticks_and_no_panic() {
        let empty = scale("2016-06-09T00:00:30Z", "2016-06-09T00:00:30Z");
        assert!((empty.seconds() - 1.0).abs() < 1e-9);
        assert!(empty.ticks(&zurich(), 0).is_empty());
        let all = TimeScale::new(Timestamp::MIN, Timestamp::MAX);
        assert!(all.ticks(&zurich(), 5).is_empty());
        assert_eq!(TimeScale::new(Timestamp::MAX, Timestamp::MAX).to, Timestamp::MAX);
        assert!(all.fraction(Timestamp::MAX).is_some_and(|f| (f - 1.0).abs() < 1e-9));
    }

    #[test]
    fn fractions_and_instants_are_inverse() {
        let day = scale("2016-06-08T00:00:00Z", "2016-06-09T00:00:00Z");
        assert_eq!(day.instant(0.25), "2016-06-08T06:00:00Z".parse().expect("an instant"));
        assert_eq!(day.fraction("2016-06-08T06:00:00Z".parse().expect("an instant")), Some(0.25));
        assert_eq!(day.fraction("2016-06-10T06:00:00Z".parse().expect("an instant")), None);
    }
}
