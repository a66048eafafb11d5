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

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn escape_sequences_lose_their_escape() {
        assert_eq!(printable("a\u{1b}[31mred\u{7}\nb\u{9b}2J\u{202e}x"), "a[31mred b2Jx");
        assert_eq!(printable("14.2 °C ↗"), "14.2 °C ↗");
    }
}
