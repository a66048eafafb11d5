//! When prod may be changed: days and times of day in a time zone.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// What a window looks like, for errors.
const FORM: &str = "days, times and a zone, as in Mon-Thu 08:00-16:00 Europe/Zurich";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Times of the week in which prod may be changed: `Mon-Thu 08:00-16:00 Europe/Zurich; Sat 22:00-02:00 UTC`. A span that
/// ends before it begins goes over midnight and belongs to the day it begins on. A span's end is no part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeWindow {
    text: String,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, PartialEq)]
struct Span {
    /// From Monday on.
    days: [bool; 7],
    start: Time,
    /// `None` is midnight at the end of the day.
    end: Option<Time>,
    zone: TimeZone,
}

/// A text that is no change window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("change window {text:?}: {reason}; write {FORM}")]
pub struct InvalidChangeWindow {
    text: String,
    reason: String,
}

impl ChangeWindow {
    /// Whether `now` is within it, by the wall clock of each span's zone.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.spans.iter().any(|span| span.holds(now))
    }
}

impl Span {
    fn holds(&self, now: Timestamp) -> bool {
        let here = now.to_zoned(self.zone.clone());
        let on = |day: Weekday| self.days[usize::from(day.to_monday_zero_offset().unsigned_abs())];
        let (day, time) = (here.weekday(), here.time());
        match self.end {
            None => on(day) && time >= self.start,
            Some(end) if self.start < end => on(day) && time >= self.start && time < end,
            Some(end) => {
                let yesterday = here.date().checked_sub(1.day()).map_or(day, |date| date.weekday());
                (on(day) && time >= self.start) || (on(yesterday) && time < end)
            }
        }
    }
}

impl fmt::Display for ChangeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ChangeWindow {
    type Err = InvalidChangeWindow;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = crate::station::text::printable(text).trim().to_owned();
        let spans: Result<Vec<Span>, String> = text.split(';').map(span).collect();
        match spans {
            Ok(spans) => Ok(Self { text, spans }),
            Err(reason) => Err(InvalidChangeWindow { text, reason }),
        }
    }
}

fn span(text: &str) -> Result<Span, String> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [days, times, zone] = parts[..] else {
        return Err(format!("{:?} has {} parts, three are wanted", text.trim(), parts.len()));
    };
    let (start, end) = times.split_once('-').ok_or_else(|| format!("{times:?} has no - between two times"))?;
    let start = time(start)?;
    let end = if end == "24:00" { None } else { Some(time(end)?) };
    if end == Some(start) {
        return Err(format!("{times:?} ends when it begins"));
    }
    let zone = TimeZone::get(zone).map_err(|_| format!("{zone:?} is no time zone"))?;
    Ok(Span { days: week(days)?, start, end, zone })
}

/// `08:00`, to the minute.
fn time(text: &str) -> Result<Time, String> {
    let wrong = || format!("{text:?} is no time of day from 00:00 to 23:59");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let two = |digits: &str| {
        let good = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| digits.parse::<i8>().ok()).flatten()
    };
    two(hour).zip(two(minute)).and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok()).ok_or_else(wrong)
}

/// `Mon-Thu`, `Fri-Mon`, `Mon,Wed,Sat-Sun`.
fn week(text: &str) -> Result<[bool; 7], String> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let mut at = first;
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}

/// The day's place in the week, from Monday on.
fn day(text: &str) -> Result<usize, String> {
    let name = text.to_ascii_lowercase();
    let known = DAYS.iter().position(|short| *short == name);
    known.ok_or_else(|| format!("{text:?} is no day; Mon, Tue, Wed, Thu, Fri, Sat, Sun are"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(window: &str, now: &str) -> bool {
        window.parse::<ChangeWindow>().expect("a window").holds(now.parse().expect("a time"))
    }

    #[test]
    fn a_window_is_read_by_the_clock_of_its_zone() {
        let window = "Mon-Thu 08:00-16:00 Europe/Zurich";
        // 2026-11-23 is a Monday, in winter an hour ahead of UTC; 2026-07-06 one in summer, two ahead.
        for (now, expected) in [
            ("2026-11-23T06:59:59Z", false),
            ("2026-11-23T07:00:00Z", true),
            ("2026-11-23T14:59:59Z", true),
            ("2026-11-23T15:00:00Z", false),
            ("2026-07-06T06:00:00Z", true),
            ("2026-07-06T05:59:59Z", false),
            ("2026-11-26T10:00:00Z", true),
            ("2026-11-27T10:00:00Z", false),
            ("2026-11-22T10:00:00Z", false),
        ] {
            assert_eq!(holds(window, now), expected, "{now}");
        }
    }

    #[test]
    fn a_span_over_midnight_belongs_to_the_day_it_begins_on() {
        for (now, expected) in [
            ("2026-11-27T21:59:00Z", false), // Friday
            ("2026-11-27T22:00:00Z", true),
            ("2026-11-28T01:59:00Z", true),
            ("2026-11-28T02:00:00Z", false),
            ("2026-11-28T23:00:00Z", false),
        ] {
            assert_eq!(holds("Fri 22:00-02:00 UTC", now), expected, "{now}");
        }
        // Over the end of the week.
        assert!(holds("Sun 23:00-01:00 UTC", "2026-11-30T00:30:00Z"));
        assert!(!holds("Sun 23:00-01:00 UTC", "2026-11-29T00:30:00Z"));
    }

    #[test]
    fn days_may_be_listed_wrapped_and_several_spans_given() {
        let window = "mon,Wed,Sat-Sun 00:00-24:00 UTC; Fri-Mon 10:00-11:00 UTC";
        for (now, expected) in [
            ("2026-11-23T23:59:59Z", true),  // Monday
            ("2026-11-24T10:30:00Z", false), // Tuesday
            ("2026-11-25T00:00:00Z", true),  // Wednesday
            ("2026-11-27T10:30:00Z", true),  // Friday
            ("2026-11-27T11:00:00Z", false),
            ("2026-11-29T05:00:00Z", true), // Sunday
        ] {
            assert_eq!(holds(window, now), expected, "{now}");
        }
        assert_eq!(window.parse::<ChangeWindow>().expect("a window").to_string(), window);
    }

    #[test]
    fn what_is_no_window_is_refused_in_words() {
        for (text, words) in [
            ("", "0 parts"),
            ("always", "1 parts"),
            ("Mon 08:00-16:00", "2 parts"),
            ("Mon 08:00-16:00 UTC;", "0 parts"),
            ("Mon - Thu 08:00-16:00 UTC", "5 parts"),
            ("Mon 08:00 UTC", "no - between"),
            ("Mon 8:00-16:00 UTC", "\"8:00\" is no time"),
            ("Mon 08:00-25:00 UTC", "\"25:00\" is no time"),
            ("Mon 24:00-08:00 UTC", "\"24:00\" is no time"),
            ("Mon +8:00-16:00 UTC", "is no time"),
            ("Mon 08:00-08:00 UTC", "ends when it begins"),
            ("Mon 08:00-16:00 Mars/Olympus", "is no time zone"),
            ("Monday 08:00-16:00 UTC", "\"Monday\" is no day"),
            ("Mon,,Tue 08:00-16:00 UTC", "\"\" is no day"),
            ("Mon-Tue-Wed 08:00-16:00 UTC", "\"Tue-Wed\" is no day"),
        ] {
            let error = text.parse::<ChangeWindow>().expect_err(text).to_string();
            assert!(error.contains(words), "{text:?}: {error}");
            assert!(error.starts_with(&format!("change window {text:?}: ")), "{error}");
            assert!(
                error.ends_with("; write days, times and a zone, as in Mon-Thu 08:00-16:00 Europe/Zurich"),
                "{error}"
            );
        }
    }
}
