//! Figures in words, as lamps and facts show them.

#[cfg(feature = "local")]
use jiff::Timestamp;

/// A size: `8.1 KiB`.
#[expect(clippy::cast_precision_loss, reason = "a size in words has two digits")]
pub(super) fn bytes_in_words(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// A duration: `45 s`, `7 min`, `2.5 h`, `3.0 d`.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}

/// An age in words. Below a minute it stands still: the screen's own clock counts finer, and a snapshot for every
/// second of an idle pipeline would be waste.
#[cfg(feature = "local")]
pub(super) fn age(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        0..60 => "<1 min".to_owned(),
        60..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// A rate: `2.0/s`, `1.0/min` where it is low.
#[cfg(feature = "local")]
pub(super) fn per_second(rate: f64) -> String {
    if rate >= 0.095 { format!("{rate:.1}/s") } else { format!("{:.1}/min", rate * 60.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(bytes_in_words(812), "812 B");
        assert_eq!(bytes_in_words(8_294), "8.1 KiB");
    }
}
