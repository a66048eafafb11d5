//! Text that came from outside: made safe before anybody sees it.

/// `text` without control characters, so that nothing a device, a blob name or an error brings can move the
/// cursor, change colours or forge a log line. A tab or line break becomes one space; other control
/// characters (C0, DEL, C1) and bidirectional overrides are dropped.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            c if c.is_control() => None,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => None,
            c => Some(c),
        })
        .collect()
}

/// A whole number with its thousands apart: `10,080`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// So many of something: `1 row`, `10,080 rows`.
#[must_use]
pub fn counted(number: impl TryInto<u64>, one: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// A change with its sign, and `±` where nothing of it is left at so many decimals: `−0.6`, `+2`, `±0.0`.
#[must_use]
pub fn signed(change: f64, decimals: usize) -> String {
    let number = format!("{:.decimals$}", change.abs());
    let is_none = number.chars().all(|c| matches!(c, '0' | '.'));
    let sign = match (is_none, change < 0.0) {
        (true, _) => "±",
        (false, true) => "−",
        (false, false) => "+",
    };
    format!("{sign}{number}")
}

#[cfg(test)]
mod tests {
    use super::{counted, printable, signed, thousands};

    #[test]
    fn whole_numbers_are_readable() {
        assert_eq!([0, 999, 10_080, 1_234_567].map(thousands), ["0", "999", "10,080", "1,234,567"]);
        assert_eq!([0_usize, 1, 2000].map(|n| counted(n, "row")), ["0 rows", "1 row", "2,000 rows"]);
    }

    #[test]
    fn a_change_has_its_sign_unless_nothing_is_left_of_it() {
        let shown = [(-0.04, 1), (0.04, 1), (0.0, 0), (-0.06, 1), (1.25, 1), (-3.4, 0)];
        assert_eq!(
            shown.map(|(change, decimals)| signed(change, decimals)),
            ["±0.0", "±0.0", "±0", "−0.1", "+1.2", "−3"]
        );
    }

    #[test]
    fn escape_sequences_lose_their_escape() {
        assert_eq!(printable("a\u{1b}[31mred\u{7}\nb\u{9b}2J\u{202e}x"), "a[31mred b2Jx");
        assert_eq!(printable("14.2 °C ↗"), "14.2 °C ↗");
    }
}
