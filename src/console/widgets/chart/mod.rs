//! A time-series line chart in braille: one variable, in an area of any size.
//!
//! [`render`] draws [`ChartData`] and knows nothing else. The axes ([`plot`], [`scale`], [`time_axis`]) and the
//! layer of dots ([`dots`]) serve the fan chart too; [`scale`] and [`time_axis`] also the exports.

pub mod dots;
pub mod plot;
pub mod scale;
pub mod time_axis;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use self::dots::Dots;
use self::plot::{Axes, Plot, extent, is_finite, is_joined, nearest, put};
use self::scale::number;
use self::time_axis::TimeScale;
use crate::console::theme::Theme;
use crate::console::widgets::value::{fit, width};
use crate::owner::Point;

/// What marks a flagged value: it is no dot of a line.
const FLAG: &str = "!";

/// A horizontal line drawn into a chart: an alarm's limit, a reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// Where, in the chart's unit.
    pub value: f64,
    /// What it is, in a word or two.
    pub label: String,
}

/// What a chart shows.
#[derive(Debug, Clone)]
pub struct ChartData<'a> {
    /// In order of time.
    pub points: &'a [Point],
    /// Neighbours farther apart than this, in seconds, aren't joined.
    pub gap_s: f64,
    /// The time axis.
    pub time: TimeScale,
    /// Zone of the times written beneath.
    pub zone: &'a TimeZone,
    /// Unit of the values.
    pub unit: &'a str,
    /// Decimals of the value at the cursor.
    pub decimals: usize,
    /// Values that can't be exceeded: the axis stops there.
    pub bounds: (f64, f64),
    /// Lines across. One far from the data isn't brought into view.
    pub limits: &'a [Limit],
    /// Instants that are marked at the plot's bottom: values that quality control flagged.
    pub flags: &'a [Timestamp],
    /// The crosshair.
    pub cursor: Option<Timestamp>,
    /// Whether times are written beneath.
    pub time_axis: bool,
    /// Columns of the value axis at least; 0 as needed.
    pub gutter: u16,
    /// Which of the theme's series colours.
    pub series: usize,
}

/// Draws `data` into `area` of `buf`; what doesn't fit is left out. Without a point that could be drawn it says so.
pub fn render(buf: &mut Buffer, area: Rect, data: &ChartData<'_>, theme: &Theme) {
    let area = area.intersection(buf.area);
    let axes = Axes {
        time: data.time,
        extent: with_limits(extent(data.points, data.time), data.limits),
        min_span: 10_f64.powi(1 - i32::try_from(data.decimals).unwrap_or(0)),
        bounds: data.bounds,
        unit: data.unit,
        time_axis: data.time_axis,
        gutter: data.gutter,
    };
    let Some(plot) = Plot::lay_out(area, &axes) else {
        return say_empty(buf, area, theme);
    };
    plot.draw_axes(buf, data.zone, theme.axis, theme.axis);
    draw_envelope(buf, &plot, data, theme.dim);
    draw_limits(buf, &plot, data.limits, theme);
    for x in data.flags.iter().filter_map(|at| plot.column(*at)) {
        put(buf, plot.area, x, plot.area.bottom().saturating_sub(1), FLAG, theme.warn);
    }
    let cursor = data.cursor.and_then(|at| plot.column(at).map(|x| (at, x)));
    if let Some((_, x)) = cursor {
        for y in plot.area.y..plot.area.bottom() {
            put(buf, plot.area, x, y, "│", theme.cursor);
        }
    }
    plot.draw_line(buf, data.points, data.gap_s, theme.series(data.series));
    if let Some((at, x)) = cursor {
        draw_cursor_value(buf, &plot, data, (at, x), theme.cursor);
    }
}

fn say_empty(buf: &mut Buffer, area: Rect, theme: &Theme) {
    if !area.is_empty() {
        let text = fit("no data in this window", usize::from(area.width));
        let indent = area.width.saturating_sub(u16::try_from(width(&text)).unwrap_or(0)) / 2;
        put(buf, area, area.x + indent, area.y + area.height / 2, &text, theme.dim);
    }
}

/// The extent, widened to the limits that are no farther from it than half its own span.
fn with_limits(extent: Option<(f64, f64)>, limits: &[Limit]) -> Option<(f64, f64)> {
    let (min, max) = extent?;
    let near = (max - min) / 2.0;
    let reach = |(lo, hi): (f64, f64), limit: &Limit| {
        let is_near = limit.value >= min - near && limit.value <= max + near;
        if is_near { (lo.min(limit.value), hi.max(limit.value)) } else { (lo, hi) }
    };
    Some(limits.iter().fold((min, max), reach))
}

/// Where bins hold many values, their least to their greatest, in every second dot: beneath the line and told apart
/// from it without colour. Between joined neighbours it is interpolated, so that a wide plot has no stripes.
fn draw_envelope(buf: &mut Buffer, plot: &Plot, data: &ChartData<'_>, style: Style) {
    let mut dots = Dots::over(plot.area);
    let inside: Vec<&Point> =
        data.points.iter().filter(|p| is_finite(p) && p.max > p.min && plot.time.fraction(p.at).is_some()).collect();
    for (i, point) in inside.iter().enumerate() {
        let Some(x) = plot.dot_column(point.at) else { continue };
        let (top, bottom) = (plot.dot_row(point.max), plot.dot_row(point.min));
        let next = inside.get(i + 1).filter(|next| is_joined(point, next, data.gap_s));
        let (to, top_to, bottom_to) = next
            .and_then(|next| Some((plot.dot_column(next.at)?, plot.dot_row(next.max), plot.dot_row(next.min))))
            .unwrap_or((x, top, bottom));
        for column in x..=to {
            let share = f64::from(column - x) / f64::from((to - x).max(1));
            for y in part(top, top_to, share)..=part(bottom, bottom_to, share) {
                if (column + y) % 2 == 0 {
                    dots.set(column, y);
                }
            }
        }
    }
    dots.paint(buf, plot.area, style);
}

/// `share` of the way from one row of dots to another.
fn part(from: i32, to: i32, share: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "between two rows of dots")]
    let part = (f64::from(from) + f64::from(to - from) * share).round() as i32;
    part
}

fn draw_limits(buf: &mut Buffer, plot: &Plot, limits: &[Limit], theme: &Theme) {
    for limit in limits.iter().filter(|limit| plot.values.contains(limit.value)) {
        let y = plot.row(limit.value);
        for x in plot.area.x..plot.area.right() {
            put(buf, plot.area, x, y, "╌", theme.alarm);
        }
        let label = format!(" {} ", limit.label);
        let length = u16::try_from(width(&label)).unwrap_or(u16::MAX);
        if length < plot.area.width / 2 {
            put(buf, plot.area, plot.area.right() - length, y, &label, theme.alarm);
        }
    }
}

/// The value at the cursor, beside it at the top of the plot; at a gap, that there is none.
fn draw_cursor_value(buf: &mut Buffer, plot: &Plot, data: &ChartData<'_>, (at, x): (Timestamp, u16), style: Style) {
    let point = nearest(data.points, at, data.gap_s);
    if let Some(point) = point {
        put(buf, plot.area, x, plot.row(point.mean), "┼", style);
    }
    let text =
        point.map_or_else(|| "no data".to_owned(), |p| format!("{} {}", number(p.mean, data.decimals), data.unit));
    let text = format!(" {text} ");
    let length = u16::try_from(width(&text)).unwrap_or(u16::MAX);
    let right = x.saturating_add(1);
    if plot.area.right().saturating_sub(right) >= length {
        put(buf, plot.area, right, plot.area.y, &text, style);
    } else if x.saturating_sub(plot.area.x) >= length {
        put(buf, plot.area, x - length, plot.area.y, &text, style);
    }
}

#[cfg(test)]
mod tests;
