//! A histogram of horizontal bars with counts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::chart::plot::put;
use super::value::width;
use crate::console::theme::Theme;

/// Upper limits of the bins of a latency, seconds: each power of ten divided at 1, 2 and 5.
const LATENCY_LIMITS_S: [f64; 16] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Parts of a cell, in eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// One bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bin {
    /// What falls into it: `1–2 s`.
    pub label: String,
    /// How many did.
    pub count: u64,
}

/// Seconds in bins of 1, 2, 5 times a power of ten: from the first that holds any to the last. What is neither
/// finite nor positive falls into the first bin or is left out (not a number).
#[must_use]
pub fn latency_bins(seconds: &[f64]) -> Vec<Bin> {
    let mut counts = [0_u64; LATENCY_LIMITS_S.len() + 1];
    for value in seconds.iter().filter(|v| !v.is_nan()) {
        counts[LATENCY_LIMITS_S.partition_point(|limit| limit <= value)] += 1;
    }
    let Some(first) = counts.iter().position(|c| *c > 0) else { return Vec::new() };
    let last = counts.iter().rposition(|c| *c > 0).unwrap_or(first);
    (first..=last).map(|i| Bin { label: latency_label(i), count: counts[i] }).collect()
}

fn latency_label(i: usize) -> String {
    match (i.checked_sub(1).and_then(|low| LATENCY_LIMITS_S.get(low)), LATENCY_LIMITS_S.get(i)) {
        (None, Some(high)) => format!("< {high} s"),
        (Some(low), Some(high)) => format!("{low}–{high} s"),
        (low, None) => format!("≥ {} s", low.copied().unwrap_or_default()),
    }
}

/// Draws one bar a row, scaled to the greatest; labels on the left, counts behind the bars. Where there are more
/// bins than rows the last row says how many aren't shown.
pub fn render(buf: &mut Buffer, area: Rect, bins: &[Bin], theme: &Theme) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let rows = usize::from(area.height);
    let shown = if bins.len() > rows { rows - 1 } else { bins.len() };
    let label_width = bins.iter().map(|b| width(&b.label)).max().unwrap_or(0);
    let count_width = bins.iter().map(|b| b.count.to_string().len()).max().unwrap_or(0);
    let bar_width = usize::from(area.width).saturating_sub(label_width + count_width + 2);
    let most = bins.iter().map(|b| b.count).max().unwrap_or(0).max(1);
    for (y, bin) in (area.y..).zip(&bins[..shown]) {
        let pad = label_width.saturating_sub(width(&bin.label));
        put(buf, area, area.x, y, &format!("{:pad$}{}", "", bin.label), theme.dim);
        let start = area.x.saturating_add(u16::try_from(label_width + 1).unwrap_or(u16::MAX));
        let bar = bar(bin.count, most, bar_width);
        let end = start.saturating_add(u16::try_from(width(&bar)).unwrap_or(u16::MAX));
        put(buf, area, start, y, &bar, theme.ok);
        let gap = u16::from(!bar.is_empty());
        put(buf, area, end.saturating_add(gap), y, &bin.count.to_string(), theme.text);
    }
    if shown < bins.len() {
        let rest: u64 = bins[shown..].iter().map(|b| b.count).sum();
        let more = format!("… {rest} in {} more bins", bins.len() - shown);
        put(buf, area, area.x, area.bottom() - 1, &more, theme.dim);
    }
}

/// A bar of `count` out of `most` in `width` cells, to the eighth of a cell; anything above none is seen.
fn bar(count: u64, most: u64, width: usize) -> String {
    let eighths = u128::from(count) * (width as u128) * 8 / u128::from(most);
    let eighths = usize::try_from(eighths).unwrap_or(usize::MAX).max(usize::from(count > 0 && width > 0));
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(label: &str, count: u64) -> Bin {
        Bin { label: label.into(), count }
    }

    fn drawn(bins: &[Bin], columns: u16, rows: u16) -> String {
        let area = Rect::new(0, 0, columns, rows);
        let mut buf = Buffer::empty(area);
        render(&mut buf, area, bins, &Theme::monochrome());
        let lines = buf.content.chunks(usize::from(columns));
        lines
            .map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned() + "\n")
            .collect()
    }

    #[test]
    fn seconds_fall_into_bins_of_one_two_five() {
        let bins = latency_bins(&[0.4, 0.5, 0.9, 3.0, 2.0, f64::NAN]);
        assert_eq!(bins, [bin("0.2–0.5 s", 1), bin("0.5–1 s", 2), bin("1–2 s", 0), bin("2–5 s", 2)]);
        assert_eq!(latency_bins(&[-1.0]), [bin("< 0.01 s", 1)]);
        assert_eq!(latency_bins(&[f64::INFINITY]), [bin("≥ 1000 s", 1)]);
        assert!(latency_bins(&[]).is_empty());
    }

    #[test]
    fn bars_are_in_proportion_and_none_is_none() {
        let bins = [bin("1–2 s", 8), bin("2–5 s", 4), bin("5–10 s", 1), bin("10–20 s", 0)];
        insta::assert_snapshot!(drawn(&bins, 20, 4), @r"
          1–2 s ██████████ 8
          2–5 s █████ 4
         5–10 s █▎ 1
        10–20 s 0
        ");
    }

    #[test]
    fn too_few_rows_are_said_and_no_size_panics() {
        let bins = [bin("1–2 s", 8), bin("2–5 s", 4), bin("5–10 s", 1)];
        insta::assert_snapshot!(drawn(&bins, 20, 2), @r"
         1–2 s ███████████ 8
        … 5 in 2 more bins
        ");
        for (width, height) in [(0, 0), (1, 1), (3, 3), (0, 5), (5, 0), (8, 1)] {
            let area = Rect::new(0, 0, width, height);
            render(&mut Buffer::empty(area), area, &bins, &Theme::monochrome());
            render(&mut Buffer::empty(area), Rect::new(3, 3, 9, 9), &bins, &Theme::monochrome());
        }
    }

    proptest::proptest! {
        #[test]
        fn every_value_is_counted_once_and_any_size_can_be_drawn(
            seconds in proptest::collection::vec(proptest::num::f64::ANY, 0..80),
            columns in 0_u16..90,
            rows in 0_u16..20,
        ) {
            let bins = latency_bins(&seconds);
            let known = seconds.iter().filter(|s| !s.is_nan()).count();
            proptest::prop_assert_eq!(bins.iter().map(|b| b.count).sum::<u64>(), known as u64);
            let area = Rect::new(0, 0, columns, rows);
            render(&mut Buffer::empty(area), area, &bins, &Theme::monochrome());
        }
    }
}
