//! The frame a time series is drawn in: value axis on the left, time axis beneath, the plot between.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::dots::Dots;
use super::scale::{ScaleRules, ValueScale};
use super::time_axis::{TimeScale, date_label};
use crate::console::widgets::value::{fit, width};
use crate::owner::Point;

/// Columns below which the value axis is left out in favour of the plot.
const NARROW: u16 = 16;
/// Rows below which the time axis is left out in favour of the plot.
const LOW: u16 = 3;

/// A plot's place and its two axes.
#[derive(Debug, Clone)]
pub struct Plot {
    /// Where data are drawn; at least one cell.
    pub area: Rect,
    /// Along the width.
    pub time: TimeScale,
    /// Along the height.
    pub values: ValueScale,
    labels: Vec<(u16, String)>,
    gutter: Rect,
    time_row: Option<Rect>,
}

/// What the axes have to show.
#[derive(Debug, Clone)]
pub struct Axes<'a> {
    /// Along the width.
    pub time: TimeScale,
    /// Least and greatest value that has to fit.
    pub extent: Option<(f64, f64)>,
    /// Least span of the value axis.
    pub min_span: f64,
    /// Values that can't be exceeded.
    pub bounds: (f64, f64),
    /// Shown at the uppermost tick.
    pub unit: &'a str,
    /// Whether times are written beneath.
    pub time_axis: bool,
    /// Columns of the value axis at least, so that plots above each other are aligned; 0 as needed.
    pub gutter: u16,
}

impl Plot {
    /// Divides `area`. Absent where it has no cell, or where there is no value to scale by.
    #[must_use]
    pub fn lay_out(area: Rect, axes: &Axes<'_>) -> Option<Self> {
        if area.is_empty() {
            return None;
        }
        let has_times = axes.time_axis && area.height >= LOW;
        let height = area.height - u16::from(has_times);
        // Two rows a tick, so that each is at its own row and a linear axis reads so.
        let least_gap = 2.0 / f64::from(height.saturating_sub(1).max(1));
        let rules =
            ScaleRules { min_span: axes.min_span, bounds: axes.bounds, max_ticks: usize::from(height), least_gap };
        let values = ValueScale::around(axes.extent, rules)?;
        let labels = if area.width < NARROW { Vec::new() } else { tick_rows(&values, height, axes.unit) };
        let widest = labels.iter().map(|(_, label)| width(label)).max().unwrap_or(0);
        let gutter_width = match area.width {
            0..NARROW => 0,
            columns => u16::try_from(widest + 1).unwrap_or(u16::MAX).max(axes.gutter).min(columns / 2),
        };
        let [gutter, plot] = split_left(Rect { height, ..area }, gutter_width);
        let time_row = has_times.then(|| Rect { y: area.y + height, height: 1, ..area });
        Some(Self { area: plot, time: axes.time, values, labels, gutter, time_row })
    }

    /// Draws both axes.
    pub fn draw_axes(&self, buf: &mut Buffer, zone: &TimeZone, label: Style, line: Style) {
        for y in self.gutter.y..self.gutter.bottom() {
            if self.gutter.width > 0 {
                buf.set_stringn(self.gutter.right() - 1, y, "│", 1, line);
            }
        }
        for (row, text) in &self.labels {
            let room = usize::from(self.gutter.width.saturating_sub(1));
            let text = fit(text, room);
            let indent = u16::try_from(room - width(&text)).unwrap_or(0);
            buf.set_stringn(self.gutter.x + indent, self.gutter.y + row, text, room, label);
            buf.set_stringn(self.gutter.right() - 1, self.gutter.y + row, "┤", 1, line);
        }
        if let Some(row) = self.time_row {
            self.draw_times(buf, row, zone, label);
        }
    }

    fn draw_times(&self, buf: &mut Buffer, row: Rect, zone: &TimeZone, style: Style) {
        // The date of the left edge stands under the value axis, where it fits.
        let date = date_label(zone.to_datetime(self.time.from));
        let mut free = if width(&date) < usize::from(self.gutter.width) {
            buf.set_stringn(row.x, row.y, &date, width(&date), style);
            row.x + self.gutter.width
        } else {
            row.x
        };
        for tick in self.time.ticks(zone, usize::from(self.area.width / 8)) {
            let Some(x) = self.column(tick.at) else { continue };
            let length = u16::try_from(width(&tick.label)).unwrap_or(u16::MAX);
            let start = x.saturating_sub(length / 2);
            if start >= free && start.saturating_add(length) <= row.right() {
                buf.set_stringn(start, row.y, &tick.label, usize::from(length), style);
                free = start + length + 1;
            }
        }
    }

    /// The cell column of an instant; absent outside.
    #[must_use]
    pub fn column(&self, at: Timestamp) -> Option<u16> {
        self.time.fraction(at).map(|fraction| self.area.x + along(fraction, self.area.width))
    }

    /// The cell row of a value; outside values are at the edge.
    #[must_use]
    pub fn row(&self, value: f64) -> u16 {
        self.area.y + along(1.0 - self.values.fraction(value), self.area.height)
    }

    /// The dot of a value at an instant, in the plot's own dots; absent outside the time axis.
    #[must_use]
    pub fn dot(&self, at: Timestamp, value: f64) -> Option<(i32, i32)> {
        Some((self.dot_column(at)?, self.dot_row(value)))
    }

    /// The column of dots of an instant; absent outside.
    #[must_use]
    pub fn dot_column(&self, at: Timestamp) -> Option<i32> {
        let fraction = self.time.fraction(at)?;
        Some(position(fraction, i32::from(self.area.width) * 2))
    }

    /// The row of dots of a value.
    #[must_use]
    pub fn dot_row(&self, value: f64) -> i32 {
        position(1.0 - self.values.fraction(value), i32::from(self.area.height) * 4)
    }

    /// Joins `points` by a line, but for gaps longer than `gap_s`, and puts it into `buf`. A point without a
    /// neighbour is a `•`.
    pub fn draw_line(&self, buf: &mut Buffer, points: &[Point], gap_s: f64, style: Style) {
        let mut dots = Dots::over(self.area);
        let inside: Vec<&Point> =
            points.iter().filter(|p| is_finite(p) && self.time.fraction(p.at).is_some()).collect();
        let mut alone = Vec::new();
        for run in inside.chunk_by(|a, b| is_joined(a, b, gap_s)) {
            if let [single] = run {
                alone.push(*single);
            }
            for pair in run.windows(2) {
                if let (Some(from), Some(to)) = (self.dot(pair[0].at, pair[0].mean), self.dot(pair[1].at, pair[1].mean))
                {
                    dots.line(from, to, |_| true);
                }
            }
        }
        dots.paint(buf, self.area, style);
        for point in alone {
            if let Some(x) = self.column(point.at) {
                put(buf, self.area, x, self.row(point.mean), "•", style);
            }
        }
    }
}

/// Whether two neighbours are near enough in time to be joined.
#[must_use]
pub fn is_joined(a: &Point, b: &Point, gap_s: f64) -> bool {
    b.at.duration_since(a.at).as_secs_f64() <= gap_s
}

/// Whether every figure of a point can be drawn.
#[must_use]
pub fn is_finite(point: &Point) -> bool {
    point.mean.is_finite() && point.min.is_finite() && point.max.is_finite()
}

/// Least and greatest of what is drawn of `points` within `time`.
#[must_use]
pub fn extent(points: &[Point], time: TimeScale) -> Option<(f64, f64)> {
    points
        .iter()
        .filter(|p| is_finite(p) && time.fraction(p.at).is_some())
        .map(|p| (p.min.min(p.mean), p.max.max(p.mean)))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The point nearest to `at`, if it isn't farther than half a gap.
#[must_use]
pub fn nearest(points: &[Point], at: Timestamp, gap_s: f64) -> Option<&Point> {
    let distance = |p: &Point| p.at.duration_since(at).as_secs_f64().abs();
    let right = points.partition_point(|p| p.at < at);
    let candidates = [right.checked_sub(1).and_then(|i| points.get(i)), points.get(right)];
    candidates
        .into_iter()
        .flatten()
        .filter(|p| is_finite(p) && distance(p) <= gap_s / 2.0)
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// `text` at a cell of `area`; what would leave the area is left out.
pub fn put(buf: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) {
    if area.contains((x, y).into()) {
        buf.set_stringn(x, y, text, usize::from(area.right() - x), style);
    }
}

/// Labels by row, from the top; two ticks never share a row. Digits stand below digits, the uppermost bears the unit.
fn tick_rows(values: &ValueScale, height: u16, unit: &str) -> Vec<(u16, String)> {
    let mut rows: Vec<(u16, String)> = Vec::new();
    for tick in values.ticks.iter().rev() {
        let row = along(1.0 - values.fraction(*tick), height);
        if rows.last().is_none_or(|(last, _)| *last < row) {
            rows.push((row, values.label(*tick)));
        }
    }
    let digits = rows.iter().map(|(_, label)| width(label)).max().unwrap_or(0);
    for (i, (_, label)) in rows.iter_mut().enumerate() {
        let unit = if i == 0 { unit.to_owned() } else { " ".repeat(width(unit)) };
        *label = format!("{label:>digits$} {unit}");
    }
    rows
}

fn split_left(area: Rect, width: u16) -> [Rect; 2] {
    let width = width.min(area.width.saturating_sub(1));
    [Rect { width, ..area }, Rect { x: area.x + width, width: area.width - width, ..area }]
}

/// The cell that `fraction` of `length` cells falls into.
fn along(fraction: f64, length: u16) -> u16 {
    u16::try_from(position(fraction, i32::from(length))).unwrap_or(0)
}

/// The one of `count` places that `fraction` is nearest to, the first for 0 and the last for 1.
fn position(fraction: f64, count: i32) -> i32 {
    let last = f64::from((count - 1).max(0));
    #[expect(clippy::cast_possible_truncation, reason = "held within the places")]
    let position = (fraction * last).round().clamp(0.0, last) as i32;
    position
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: &str, mean: f64) -> Point {
        Point { at: at.parse().expect("an instant"), mean, min: mean, max: mean }
    }

    #[test]
    fn the_nearest_point_is_found_unless_a_gap_is_there() {
        let points = [point("2016-06-09T12:00:00Z", 1.0), point("2016-06-09T12:10:00Z", 2.0)];
        let at = |text: &str| nearest(&points, text.parse().expect("an instant"), 600.0).map(|p| p.mean);
        assert_eq!(at("2016-06-09T12:04:00Z"), Some(1.0));
        assert_eq!(at("2016-06-09T12:06:00Z"), Some(2.0));
        assert_eq!(at("2016-06-09T12:20:00Z"), None);
    }
}
