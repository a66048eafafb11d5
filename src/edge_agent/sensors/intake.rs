//! Bytes as lines, within bounds of memory and rate.

use std::time::Duration;

use tokio::time::Instant;

/// Longest line taken, bytes.
pub(in crate::edge_agent) const MAX_LINE: usize = 4096;
/// Bytes a second that are taken from one sensor.
pub(in crate::edge_agent) const MAX_RATE: usize = 64 * 1024;

/// A line that came in.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::edge_agent) enum Line {
    /// A whole one, without its line break.
    Whole(Vec<u8>),
    /// The beginning of one that is longer than [`MAX_LINE`].
    TooLong(Vec<u8>),
}

/// Splits what comes in into lines.
#[derive(Debug, Default)]
pub(in crate::edge_agent) struct Intake {
    line: Vec<u8>,
    /// The rest of the line isn't wanted: it is too long, or its beginning is missing.
    skips: bool,
}

impl Intake {
    /// An intake that begins anywhere in a line: what comes before the first line break isn't a whole line.
    pub fn in_the_middle() -> Self {
        Self { line: Vec::new(), skips: true }
    }

    /// The lines that `bytes` complete.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                if !std::mem::take(&mut self.skips) && !line.trim_ascii().is_empty() {
                    lines.push(Line::Whole(line.trim_ascii().to_vec()));
                }
                continue;
            }
            if self.skips {
                continue;
            }
            if self.line.len() == MAX_LINE {
                lines.push(Line::TooLong(std::mem::take(&mut self.line)));
                self.skips = true;
            } else {
                self.line.push(byte);
            }
        }
        lines
    }

    /// The line that was begun and not ended.
    pub fn unfinished(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        (!line.trim_ascii().is_empty()).then_some(line)
    }
}

/// Counts what comes in, so that a flood can be held back.
#[derive(Debug)]
pub(in crate::edge_agent) struct Rate {
    most: usize,
    since: Instant,
    count: usize,
}

impl Rate {
    /// At most so many a second.
    pub fn new(most: usize) -> Self {
        Self { most, since: Instant::now(), count: 0 }
    }

    /// Counts `more`; answers how long to wait where it was too much within a second.
    pub fn count(&mut self, more: usize) -> Option<Duration> {
        let elapsed = self.since.elapsed();
        if elapsed >= Duration::from_secs(1) {
            (self.since, self.count) = (Instant::now(), 0);
        }
        self.count += more;
        (self.count > self.most).then(|| Duration::from_secs(1).saturating_sub(self.since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> Line {
        Line::Whole(text.into())
    }

    #[test]
    fn lines_come_whole_however_their_bytes_come() {
        let mut intake = Intake::default();
        assert_eq!(intake.take(b"a,"), []);
        assert_eq!(intake.take(b"b\r\n\r\n c \nd"), [whole("a,b"), whole("c")]);
        assert_eq!(intake.unfinished(), Some(b"d".to_vec()));
        assert_eq!(intake.unfinished(), None);
        let mut late = Intake::in_the_middle();
        assert_eq!(late.take(b"9,9\n1,2\n"), [whole("1,2")], "the first line's beginning isn't known");
    }

    #[test]
    fn a_line_without_end_is_told_once_and_skipped() {
        let mut intake = Intake::default();
        let lines = intake.take(&vec![b'x'; 3 * MAX_LINE]);
        assert_eq!(lines, [Line::TooLong(vec![b'x'; MAX_LINE])]);
        assert_eq!(intake.take(b"x\n1\n"), [whole("1")]);
    }

    #[tokio::test]
    async fn a_flood_is_held_back_until_the_second_is_over() {
        let mut rate = Rate::new(100);
        assert_eq!(rate.count(100), None);
        let wait = rate.count(1).expect("it is too much");
        assert!(wait > Duration::from_millis(500) && wait <= Duration::from_secs(1), "{wait:?}");
        tokio::time::sleep(wait).await;
        assert_eq!(rate.count(100), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn memory_is_bounded_and_cuts_dont_matter(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..6000), cut in 0usize..6000) {
            let (mut one, mut two) = (Intake::default(), Intake::default());
            let all = one.take(&bytes);
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut parts = two.take(first);
            parts.extend(two.take(second));
            prop_assert_eq!(all, parts);
            prop_assert!(one.line.len() <= MAX_LINE);
        }
    }
}
