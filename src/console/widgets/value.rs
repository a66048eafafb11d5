//! Figures, sizes, times and ages as text.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// What is shown where nothing is known.
pub const ABSENT: &str = "–";

/// Columns a text takes on a terminal.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `columns` columns; where something is cut, `…` says so.
#[must_use]
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    Cow::Owned(head(text, columns - 1) + "…")
}

/// As [`fit`], cut at its beginning: the end of a path tells more.
#[must_use]
pub fn fit_end(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut used = 1;
    let mut tail: Vec<char> = Vec::new();
    for c in text.chars().rev() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        tail.push(c);
    }
    tail.push('…');
    Cow::Owned(tail.into_iter().rev().collect())
}

/// Units that stay with the figure before them when a text is broken.
const UNITS: [&str; 20] = [
    "ms", "s", "min", "h", "d", "B", "KiB", "MiB", "GiB", "k", "M", "G", "%", "°C", "hPa", "lx", "mm", "m/s", "dB",
    "rows",
];

/// `text` in lines of at most `columns`, broken at spaces but not between a figure and its unit, at most `lines` of
/// them; the last ends in `…` where more would come. A word longer than a line goes on in the next.
#[must_use]
pub fn wrap(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let mut wrapped: Vec<String> = Vec::new();
    if columns == 0 || lines == 0 {
        return wrapped;
    }
    let mut line = String::new();
    for mut word in unbroken(text, columns) {
        let needed = line.width() + usize::from(!line.is_empty()) + word.width();
        if !line.is_empty() && (needed <= columns || wrapped.len() + 1 == lines) {
            line.push(' ');
            line.push_str(&word);
            continue;
        }
        if !line.is_empty() {
            wrapped.push(std::mem::take(&mut line));
        }
        while word.width() > columns && wrapped.len() + 1 < lines {
            let part = head(&word, columns);
            if part.is_empty() {
                break;
            }
            word.drain(..part.len());
            wrapped.push(part);
        }
        line = word;
    }
    if !line.is_empty() {
        wrapped.push(fit(&line, columns).into_owned());
    }
    wrapped
}

/// `text` in lines of at most `columns`, broken at the edge so that every blank stands, at most `lines` of them; the last
/// ends in `…` where more would come.
#[must_use]
pub fn split(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && columns > 0 && parts.len() < lines {
        let part = if parts.len() + 1 == lines { fit(rest, columns).into_owned() } else { head(rest, columns) };
        if part.is_empty() {
            break;
        }
        rest = rest.get(part.len()..).unwrap_or_default();
        parts.push(part);
    }
    parts
}

/// The words of a text, a figure with its unit being one where a line has room for both.
fn unbroken(text: &str, columns: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let bare = word.trim_end_matches([',', ';', ':', '.', ')']);
        match words.last_mut() {
            Some(figure)
                if UNITS.contains(&bare)
                    && figure.ends_with(|c: char| c.is_ascii_digit())
                    && figure.width() + 1 + word.width() <= columns =>
            {
                figure.push(' ');
                figure.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

fn head(text: &str, columns: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= columns
        })
        .collect()
}

/// A value with so many decimals: `14.2`. A negative one that rounds to nothing isn't negative.
#[must_use]
pub fn plain(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    }
}

/// A whole number: up to 9,999 in full, then `12.3 k`, `1.2 M`, `4.0 G`.
#[must_use]
pub fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..999_950 => scaled(n, 1e3, "k"),
        999_950..999_950_000 => scaled(n, 1e6, "M"),
        _ => scaled(n, 1e9, "G"),
    }
}

/// So many of something: `1 notice`, `12.3k notices`.
#[must_use]
pub fn counted(n: u64, one: &str) -> String {
    format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A size: `812 B`, `8.1 KiB`, `3.4 MiB`, `1.0 GiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const KIB: f64 = 1024.0;
    match n {
        0..1024 => format!("{n} B"),
        1024..1_048_524 => scaled(n, KIB, "KiB"),
        1_048_524..1_073_689_395 => scaled(n, KIB * KIB, "MiB"),
        _ => scaled(n, KIB * KIB * KIB, "GiB"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn scaled(n: u64, unit: f64, name: &str) -> String {
    format!("{:.1} {name}", n as f64 / unit)
}

/// A span of time in seconds, in two units at most: `3 ms`, `0.4 s`, `12 s`, `6 min`, `2 h 05 min`, `3 d 4 h`.
#[must_use]
pub fn seconds(s: f64) -> String {
    if !s.is_finite() {
        return ABSENT.into();
    }
    let sign = if s < 0.0 { "-" } else { "" };
    let s = s.abs();
    let text = if s < 0.0005 {
        "0 s".into()
    } else if s < 0.0995 {
        format!("{:.0} ms", s * 1e3)
    } else if s < 9.95 {
        format!("{s:.1} s")
    } else if s < 120.0 {
        format!("{s:.0} s")
    } else if s < 7200.0 {
        format!("{:.0} min", (s / 60.0).floor())
    } else if s < 172_800.0 {
        format!("{:.0} h {:02.0} min", (s / 3600.0).floor(), ((s % 3600.0) / 60.0).floor())
    } else {
        format!("{:.0} d {:.0} h", (s / 86_400.0).floor(), ((s % 86_400.0) / 3600.0).floor())
    };
    format!("{sign}{text}")
}

/// The time from `at` to `now`; nothing is in the future, so a clock ahead shows as `0 s`.
#[must_use]
pub fn age(at: Timestamp, now: Timestamp) -> String {
    seconds(age_s(at, now))
}

/// Seconds from `at` to `now`, not below 0.
#[must_use]
pub fn age_s(at: Timestamp, now: Timestamp) -> f64 {
    now.duration_since(at).as_secs_f64().max(0.0).floor()
}

/// A local time: `14:04:31`.
#[must_use]
pub fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// A local time of day: `14:04`.
#[must_use]
pub fn hour_minute(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
}

/// A local date and time: `2016-06-09 14:04`.
#[must_use]
pub fn date_time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A local date and time with its zone: `2016-06-09 14:04 CEST`.
#[must_use]
pub fn date_time_zone(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// A date and time in UTC: `2016-06-09 13:04Z`.
#[must_use]
pub fn date_time_utc(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%MZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_text_says_so() {
        assert_eq!(fit("temperature", 11), "temperature");
        assert_eq!(fit("temperature", 5), "temp…");
        assert_eq!(fit("温度計", 5), "温度…");
        assert_eq!(fit("温度計", 4), "温…");
        assert_eq!(fit("ab", 0), "");
        assert_eq!(fit_end("skydeck-hub/00/file.json", 10), "…file.json");
        assert_eq!(wrap("one two three four", 9, 5), ["one two", "three", "four"]);
        assert_eq!(wrap("one two three four", 9, 2), ["one two", "three fo…"]);
        assert_eq!(wrap("batch 180 s 8.8 KiB", 8, 5), ["batch", "180 s", "8.8 KiB"]);
        assert_eq!(wrap("a skydeck-hub/00", 8, 5), ["a", "skydeck-", "hub/00"]);
        assert_eq!(wrap("a skydeck-hub/00", 8, 2), ["a", "skydeck…"]);
        assert_eq!(split("a  b c", 3, 5), ["a  ", "b c"]);
        assert_eq!(split("abcdef", 3, 1), ["ab…"]);
        assert_eq!(split("温度計", 1, 3), Vec::<String>::new());
    }

    #[test]
    fn figures_are_short_and_right() {
        assert_eq!(seconds(0.0), "0 s");
        assert_eq!(seconds(0.0031), "3 ms");
        assert_eq!(seconds(0.44), "0.4 s");
        assert_eq!(seconds(12.4), "12 s");
        assert_eq!(seconds(399.0), "6 min");
        assert_eq!(seconds(7500.0), "2 h 05 min");
        assert_eq!(seconds(273_600.0), "3 d 4 h");
        assert_eq!(count(9_999), "9999");
        assert_eq!(count(12_345), "12.3 k");
        assert_eq!(count(999_949), "999.9 k");
        assert_eq!(count(1_234_000), "1.2 M");
        assert_eq!(bytes(8_294), "8.1 KiB");
        assert_eq!(plain(-0.04, 1), "0.0");
        assert_eq!(plain(1013.24, 1), "1013.2");
    }
}
