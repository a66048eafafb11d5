//! What several commands write alike: facts, logs, lamps, durations, commands to be copied.

use std::path::Path;

#[cfg(any(feature = "agent", feature = "diag", feature = "local"))]
use super::output::{Output, Paint};
#[cfg(any(feature = "agent", feature = "diag", feature = "local"))]
use crate::owner::{Fact, Lamp, LogLine};
#[cfg(any(feature = "agent", feature = "diag", feature = "local"))]
use crate::station::text::printable;

/// Facts one a line, with a bar where a bound is used.
#[cfg(any(feature = "agent", feature = "diag", feature = "local"))]
pub fn fact_lines(facts: &[Fact], output: Output) -> String {
    let line = |fact: &Fact| {
        let used = fact.share.map(|share| format!("  {}", bar(share))).unwrap_or_default();
        let text = format!("{}{used}", fact.text);
        let text = if fact.lamp > Lamp::Ok { output.paint(paint(fact.lamp), &text) } else { text };
        format!("  {:<16}{text}\n", fact.label)
    };
    facts.iter().map(line).collect()
}

/// A share of ten cells with its figure: `███░░░░░░░ 31 %`.
#[cfg(any(feature = "agent", feature = "diag", feature = "local"))]
fn bar(share: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10")]
    let full = (share.clamp(0.0, 1.0) * 10.0).round() as usize;
    format!("{}{} {:.0} %", "█".repeat(full), "░".repeat(10 - full), share * 100.0)
}

/// Lines of a log, one each. Ends in a line break.
#[cfg(any(feature = "agent", feature = "diag", feature = "local"))]
pub fn logs_text(lines: &[LogLine], output: Output) -> String {
    let line = |line: &LogLine| {
        let level = format!("{:<5}", line.level);
        let level = match line.level.as_str() {
            "ERROR" => output.paint(Paint::Fail, &level),
            "WARN" => output.paint(Paint::Warn, &level),
            _ => output.paint(Paint::Dim, &level),
        };
        let at = line.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        format!("{at} {level} {}: {}\n", printable(&line.target), printable(&line.message))
    };
    if lines.is_empty() { "the log is empty\n".to_owned() } else { lines.iter().map(line).collect() }
}

/// A path as a shell takes it, printable.
pub fn quoted(path: &Path) -> String {
    let text = crate::station::text::printable(&path.to_string_lossy());
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:@,%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// The colour of a lamp.
#[cfg(any(feature = "agent", feature = "diag", feature = "local"))]
pub const fn paint(lamp: Lamp) -> Paint {
    match lamp {
        Lamp::Unknown => Paint::Dim,
        Lamp::Ok => Paint::Ok,
        Lamp::Warning => Paint::Warn,
        Lamp::Failed => Paint::Fail,
    }
}

/// A duration to two or three figures: `41 ms`, `2.4 s`, `7 min`, `5 h`, `3 d`.
#[cfg(feature = "_ground")]
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.0995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

#[cfg(all(test, feature = "_ground"))]
mod tests {
    use super::{quoted, seconds};

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
        let quoted = |path: &str| quoted(path.as_ref());
        assert_eq!(
            [quoted("/a/b-1.toml"), quoted("my file"), quoted("it's")],
            ["/a/b-1.toml", "'my file'", r"'it'\''s'"]
        );
    }

    #[test]
    fn durations_keep_two_or_three_figures() {
        let shown: Vec<_> = [0.0004, 0.0412, 0.0996, 2.44, 9.96, 119.4, 120.0, 7199.0, 7200.0, 200_000.0]
            .into_iter()
            .map(seconds)
            .collect();
        assert_eq!(shown, ["0 ms", "41 ms", "0.1 s", "2.4 s", "10 s", "119 s", "2 min", "120 min", "2 h", "2 d"]);
    }
}
