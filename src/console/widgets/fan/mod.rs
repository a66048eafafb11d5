//! The fan chart: what was measured, the issue time, and the forecast's median with its 50 % and 90 % bands.
//!
//! The 90 % band is shaded (`░`), the 50 % band is solid in colour and shaded darker (`▒`) without; the median is dashed. Colour only
//! helps: on a solid band the lines over it stay whole.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::chart::dots::Dots;
use super::chart::plot::{Axes, Plot, extent, put};
use super::chart::time_axis::TimeScale;
use super::value::width;
use crate::console::theme::Theme;
use crate::owner::Point;
use crate::station::forecast::valid_time;
use crate::station::{LeadForecast, Quantiles};

/// What a fan chart shows.
#[derive(Debug, Clone)]
pub struct FanData<'a> {
    /// Measured before and after the issue time, in order of time.
    pub measured: &'a [Point],
    /// Neighbours farther apart than this, in seconds, aren't joined.
    pub gap_s: f64,
    /// The issue time.
    pub issued_at: Timestamp,
    /// The forecast, by ascending lead.
    pub leads: &'a [LeadForecast],
    /// The time axis.
    pub time: TimeScale,
    /// Zone of the times written beneath.
    pub zone: &'a TimeZone,
    /// Unit of the values.
    pub unit: &'a str,
    /// Decimals that the values are worth.
    pub decimals: usize,
    /// Values that can't be exceeded: the axis stops there.
    pub bounds: (f64, f64),
    /// Whether times are written beneath.
    pub time_axis: bool,
    /// Columns of the value axis at least; 0 as needed.
    pub gutter: u16,
    /// Which of the theme's series colours.
    pub series: usize,
}

/// Draws `data` into `area` of `buf`; what doesn't fit is left out.
pub fn render(buf: &mut Buffer, area: Rect, data: &FanData<'_>, theme: &Theme) {
    let area = area.intersection(buf.area);
    let leads: Vec<&LeadForecast> = data.leads.iter().filter(|lead| lead.quantiles.is_valid()).collect();
    let axes = Axes {
        time: data.time,
        extent: fan_extent(data, &leads),
        min_span: 10_f64.powi(1 - i32::try_from(data.decimals).unwrap_or(0)),
        bounds: data.bounds,
        unit: data.unit,
        time_axis: data.time_axis,
        gutter: data.gutter,
    };
    let Some(plot) = Plot::lay_out(area, &axes) else {
        put(buf, area, area.x, area.y, "no data", theme.dim);
        return;
    };
    plot.draw_axes(buf, data.zone, theme.axis, theme.axis);
    draw_bands(buf, &plot, data.issued_at, &leads, theme);
    draw_issue_time(buf, &plot, data, theme);
    draw_median(buf, &plot, data, &leads, theme);
    plot.draw_line(buf, data.measured, data.gap_s, over_a_band(theme.series(data.series)));
    letter_issue_time(buf, &plot, data, theme);
}

/// What the marks mean, in one line.
#[must_use]
pub fn legend(theme: &Theme, series: usize) -> Line<'static> {
    Line::from(vec![
        Span::styled("── ", theme.series(series)),
        Span::styled("measured  ", theme.dim),
        Span::styled("╌╌ ", theme.text),
        Span::styled("median  ", theme.dim),
        Span::styled("▒▒", inner_band(theme)),
        Span::styled(" 50 %  ", theme.dim),
        Span::styled("░░ ", theme.band90),
        Span::styled("90 %  ", theme.dim),
        Span::styled("┊ ", theme.text),
        Span::styled("issue time", theme.dim),
    ])
}

fn fan_extent(data: &FanData<'_>, leads: &[&LeadForecast]) -> Option<(f64, f64)> {
    let inside = |lead: &&&LeadForecast| data.time.fraction(valid_time(data.issued_at, lead.lead_minutes)).is_some();
    leads
        .iter()
        .filter(inside)
        .map(|lead| (lead.quantiles.q05, lead.quantiles.q95))
        .chain(extent(data.measured, data.time))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Between two leads the quantiles are interpolated; before the first and after the last there is no band.
fn draw_bands(buf: &mut Buffer, plot: &Plot, issued_at: Timestamp, leads: &[&LeadForecast], theme: &Theme) {
    for pair in leads.windows(2) {
        let [near, far] = [pair[0], pair[1]];
        let (from, to) = (valid_time(issued_at, near.lead_minutes), valid_time(issued_at, far.lead_minutes));
        let (Some(left), Some(right)) = (plot.column(from), plot.column(to)) else { continue };
        for x in left..=right {
            let share = f64::from(x - left) / f64::from((right - left).max(1));
            let at = between(&near.quantiles, &far.quantiles, share);
            shade(buf, plot, x, (at.q05, at.q95), "░", theme.band90);
            shade(buf, plot, x, (at.q25, at.q75), "▒", inner_band(theme));
        }
    }
}

/// Style of the 50 % band: where there are colours, its own is its ground as well.
fn inner_band(theme: &Theme) -> Style {
    theme.band50.fg.map_or(theme.band50, |color| theme.band50.bg(color))
}

/// A line's style without a ground of its own, so that the band under it shows.
const fn over_a_band(style: Style) -> Style {
    Style { bg: None, ..style }
}

fn between(near: &Quantiles, far: &Quantiles, share: f64) -> Quantiles {
    let mut values = near.values();
    for (value, other) in values.iter_mut().zip(far.values()) {
        // As two products: a difference of huge values would overflow.
        *value = *value * (1.0 - share) + other * share;
    }
    Quantiles::ordered(values)
}

fn shade(buf: &mut Buffer, plot: &Plot, x: u16, (low, high): (f64, f64), glyph: &str, style: Style) {
    for y in plot.row(high)..=plot.row(low) {
        put(buf, Rect { x, width: 1, ..plot.area }, x, y, glyph, style);
    }
}

fn draw_issue_time(buf: &mut Buffer, plot: &Plot, data: &FanData<'_>, theme: &Theme) {
    let Some(x) = plot.column(data.issued_at) else { return };
    for y in plot.area.y..plot.area.bottom() {
        put(buf, plot.area, x, y, "┊", theme.text);
    }
}

/// Letters the issue time at the top or else the bottom of its line, where nothing is drawn already.
fn letter_issue_time(buf: &mut Buffer, plot: &Plot, data: &FanData<'_>, theme: &Theme) {
    let Some(x) = plot.column(data.issued_at) else { return };
    let local = data.zone.to_datetime(data.issued_at);
    let label = format!("issued {} ", local.strftime("%H:%M"));
    let length = u16::try_from(width(&label)).unwrap_or(u16::MAX);
    if x.saturating_sub(plot.area.x) < length {
        return;
    }
    let is_free = |y: &u16| (x - length..x).all(|x| buf.cell((x, *y)).is_some_and(|cell| cell.symbol() == " "));
    if let Some(y) = [plot.area.y, plot.area.bottom() - 1].into_iter().find(is_free) {
        put(buf, plot.area, x - length, y, &label, theme.dim);
    }
}

fn draw_median(buf: &mut Buffer, plot: &Plot, data: &FanData<'_>, leads: &[&LeadForecast], theme: &Theme) {
    let mut dots = Dots::over(plot.area);
    let dot = |lead: &LeadForecast| plot.dot(valid_time(data.issued_at, lead.lead_minutes), lead.quantiles.q50);
    for pair in leads.windows(2) {
        if let (Some(from), Some(to)) = (dot(pair[0]), dot(pair[1])) {
            dots.line(from, to, |x| x % 4 < 2);
        }
    }
    dots.paint(buf, plot.area, over_a_band(theme.text));
    if let [only] = leads
        && let Some(x) = plot.column(valid_time(data.issued_at, only.lead_minutes))
    {
        shade(buf, plot, x, (only.quantiles.q05, only.quantiles.q95), "░", theme.band90);
        shade(buf, plot, x, (only.quantiles.q25, only.quantiles.q75), "▒", inner_band(theme));
        put(buf, plot.area, x, plot.row(only.quantiles.q50), "╌", over_a_band(theme.text));
    }
}

#[cfg(test)]
mod tests;
