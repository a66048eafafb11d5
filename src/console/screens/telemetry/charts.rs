//! The charts: one a variable, above each other, with one time axis and one cursor.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;

use super::{Telemetry, health};
use crate::console::export::{self, Band, Cell, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::chart::plot::nearest;
use crate::console::widgets::chart::{self, ChartData};
use crate::console::widgets::pane;
use crate::console::widgets::value::{age, date_time, fit, hour_minute, time, width};
use crate::owner::{Extremes, Point, Series};
use crate::station::text::printable;
use crate::station::{QcFlag, Variable};

/// Columns of every value axis, so that the plots are aligned: `60000 lx┤`, `957.5 hPa┤`, `1013.5 hPa┤`.
const GUTTER: u16 = 11;
/// Rows a chart needs at least: its line of figures and two of plot.
const LEAST_ROWS: u16 = 3;

/// The variables that have a chart: all but those without any value, which take one line.
pub fn drawn(screen: &Telemetry, ctx: &Context<'_>) -> Vec<Variable> {
    screen.variables(ctx).into_iter().filter(|v| absence(screen, *v, ctx).is_none()).collect()
}

/// Why a variable has no chart; absent where it has one.
fn absence(screen: &Telemetry, variable: Variable, ctx: &Context<'_>) -> Option<&'static str> {
    let measurement = ctx.snapshot.now.measurement.as_ref();
    let series = screen.series.get(&variable)?;
    if !series.points.is_empty() || measurement.is_some_and(|m| m.get(variable).is_some()) {
        return None;
    }
    Some(match measurement {
        None => "no measurement yet",
        Some(m) => match m.qc.get(&variable) {
            Some(flag @ (QcFlag::OutOfRange | QcFlag::NotFinite)) => health::flag(*flag),
            _ => "no value in this window",
        },
    })
}

/// Draws the charts.
pub fn render(screen: &Telemetry, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let inner = pane::render_with_note(buf, area, &title(screen, ctx), &note(screen, ctx), false, ctx.theme);
    if inner.is_empty() {
        return;
    }
    let division = divide(screen, inner, ctx);
    for (variable, place, is_last) in division.charts {
        draw_chart(screen, buf, place, (variable, is_last), ctx);
    }
    let mut y = inner.bottom();
    for line in division.foot.into_iter().rev() {
        if y > inner.y + LEAST_ROWS {
            y -= 1;
            line.render(Rect { y, height: 1, ..inner }, buf);
        }
    }
}

/// `Payerne · roof-01 · 6 h to now`.
fn title(screen: &Telemetry, ctx: &Context<'_>) -> String {
    let device = match (screen.device(ctx), ctx.snapshot.devices.len()) {
        (Some(device), _) => printable(device),
        (None, 0 | 1) => "every device".to_owned(),
        (None, several) => format!("mean of {several} devices"),
    };
    let end = if screen.window.is_live() {
        "now".to_owned()
    } else {
        date_time(screen.window.scale(ctx.pipeline_now()).to, ctx.zone)
    };
    format!("{} · {device} · {} to {end}", printable(&ctx.snapshot.station.name), screen.window.length_label())
}

/// The cursor's time, else the last measurement's.
fn note(screen: &Telemetry, ctx: &Context<'_>) -> String {
    match (screen.window.cursor, &ctx.snapshot.now.measurement) {
        (Some(at), _) => format!("cursor {}", time(at, ctx.zone)),
        (None, Some(m)) => format!("last {}", time(m.measured_at, ctx.zone)),
        (None, None) => String::new(),
    }
}

/// Lines under the charts: what is absent, and what failed.
fn foot(screen: &Telemetry, ctx: &Context<'_>) -> Vec<Line<'static>> {
    let room = usize::from(ctx.area.width.saturating_sub(2));
    let mut lines: Vec<Line<'_>> = screen
        .variables(ctx)
        .into_iter()
        .filter_map(|v| Some((v, absence(screen, v, ctx)?)))
        .map(|(v, reason)| {
            Line::styled(fit(&format!("  {:<14} {reason}", v.label()), room).into_owned(), ctx.theme.dim)
        })
        .collect();
    let health = health::lines(ctx).into_iter();
    lines.extend(health.map(|(line, style)| Line::styled(fit(&line, room).into_owned(), style)));
    if let Some(failure) = &screen.failure {
        lines.push(Line::styled(fit(&format!("✖ {}", printable(failure)), room).into_owned(), ctx.theme.fail));
    }
    lines
}

/// How `inner` is divided.
struct Division {
    /// Each chart's place, and whether it is the last and so bears the time axis.
    charts: Vec<(Variable, Rect, bool)>,
    foot: Vec<Line<'static>>,
}

/// Where there is no room for all charts, those around the marked one, and a line that names the others.
fn divide(screen: &Telemetry, inner: Rect, ctx: &Context<'_>) -> Division {
    let variables = drawn(screen, ctx);
    let mut foot = foot(screen, ctx);
    let fitting = |foot: usize| {
        let foot = u16::try_from(foot).unwrap_or(u16::MAX).min(inner.height.saturating_sub(LEAST_ROWS));
        // One row goes to the time axis beneath the last chart.
        let rows = (inner.height - foot).saturating_sub(1);
        (rows, usize::from(rows / LEAST_ROWS).clamp(1, variables.len().max(1)))
    };
    let (mut rows, mut count) = fitting(foot.len());
    if count < variables.len() {
        (rows, count) = fitting(foot.len() + 1);
    }
    let first = screen.chart.first(variables.len(), count);
    let shown = &variables[first..(first + count).min(variables.len())];
    if shown.len() < variables.len() {
        let hidden: Vec<&str> = variables.iter().filter(|v| !shown.contains(v)).map(|v| v.label()).collect();
        let text = format!("  … {} more above or below: {}", hidden.len(), hidden.join(", "));
        let room = usize::from(inner.width);
        foot.insert(0, Line::styled(fit(&text, room).into_owned(), ctx.theme.dim));
    }
    let Ok(count) = u16::try_from(shown.len()) else { return Division { charts: Vec::new(), foot } };
    let mut y = inner.y;
    let mut charts = Vec::new();
    for (i, variable) in (0..count).zip(shown) {
        let is_last = i + 1 == count;
        let height = rows / count + u16::from(i < rows % count) + u16::from(is_last);
        charts.push((*variable, Rect { y, height: height.min(inner.bottom() - y), ..inner }, is_last));
        y = (y + height).min(inner.bottom());
    }
    Division { charts, foot }
}

fn draw_chart(
    screen: &Telemetry,
    buf: &mut Buffer,
    place: Rect,
    (variable, is_last): (Variable, bool),
    ctx: &Context<'_>,
) {
    if place.is_empty() {
        return;
    }
    figures(screen, variable, usize::from(place.width), ctx).render(Rect { height: 1, ..place }, buf);
    let plot = Rect { y: place.y + 1, height: place.height - 1, ..place };
    let Some(series) = screen.series.get(&variable) else {
        if !plot.is_empty() {
            Line::styled("asking …", ctx.theme.dim)
                .centered()
                .render(Rect { y: plot.y + plot.height / 2, height: 1, ..plot }, buf);
        }
        return;
    };
    let points = ctx.units.points(variable, &series.points);
    let flags: Vec<Timestamp> = series.flags.iter().map(|mark| mark.at).collect();
    let data = ChartData {
        points: &points,
        gap_s: series.gap_s,
        time: screen.window.scale(ctx.pipeline_now()),
        zone: ctx.zone,
        unit: ctx.units.unit(variable),
        decimals: ctx.units.decimals(variable),
        bounds: ctx.units.range(variable),
        // No alarm has a variable's value for its condition, so there is no limit to draw.
        limits: &[],
        flags: &flags,
        cursor: screen.window.cursor,
        time_axis: is_last,
        gutter: GUTTER,
        series: variable.index(),
    };
    chart::render(buf, plot, &data, ctx.theme);
}

/// `▸ temperature 14.2 °C  +0.8 °C/h  min 9.8  max 17.0`; what doesn't fit is left out from the right, whole.
fn figures(screen: &Telemetry, variable: Variable, room: usize, ctx: &Context<'_>) -> Line<'static> {
    let now = &ctx.snapshot.now;
    let is_marked = drawn(screen, ctx).get(screen.chart.row) == Some(&variable);
    let mut parts = vec![
        Span::styled(if is_marked { "▸ " } else { "  " }, ctx.theme.focus),
        Span::styled(format!("{:<14} ", variable.label()), ctx.theme.title),
    ];
    let current = now.measurement.as_ref().and_then(|m| m.get(variable));
    // One device's value isn't the mean of several.
    let is_shown = match screen.device(ctx) {
        Some(device) => now.measurement.as_ref().is_some_and(|m| m.device_id == device),
        None => ctx.snapshot.devices.len() < 2,
    };
    if let Some(current) = current.filter(|_| is_shown) {
        if !screen.window.is_live() {
            parts.push(Span::styled("now ", ctx.theme.dim));
        }
        parts.push(Span::styled(ctx.units.measured(variable, current), ctx.theme.series(variable.index())));
        if let Some((_, change)) = now.tendency_per_h.iter().find(|(v, _)| *v == variable) {
            parts.push(Span::styled(format!("  {}", ctx.units.tendency(variable, *change)), ctx.theme.text));
        }
        if let Some(flag) = now.measurement.as_ref().and_then(|m| m.qc.get(&variable)) {
            let (mark, style) = if *flag == QcFlag::Derived { ("", ctx.theme.dim) } else { ("! ", ctx.theme.warn) };
            parts.push(Span::styled(format!("  {mark}{}", health::flag(*flag)), style));
        }
    }
    let last = screen.series.get(&variable).and_then(|series| series.points.last());
    if let Some(last) = last.filter(|_| current.is_none() && is_shown && screen.window.is_live()) {
        parts.push(Span::styled(ctx.units.measured(variable, last.mean), ctx.theme.dim));
        parts.push(Span::styled(format!("  {} ago", age(last.at, ctx.pipeline_now())), ctx.theme.dim));
    }
    // The newest value is ahead of what was asked of the store, and a flagged one is no extreme.
    let ahead =
        now.measurement.as_ref().filter(|m| is_shown && screen.window.is_live() && !m.qc.contains_key(&variable));
    let ahead = ahead.and_then(|m| Some((m.get(variable)?, m.measured_at)));
    if let Some((min, max)) = screen.series.get(&variable).and_then(|s| min_max(&s.points)) {
        let (min, max) = ahead.map_or((min, max), |(value, _)| (min.min(value), max.max(value)));
        let (min, max) = (ctx.units.number(variable, min), ctx.units.number(variable, max));
        parts.push(Span::styled(format!("  min {min}  max {max} {}", ctx.units.unit(variable)), ctx.theme.dim));
    }
    if variable == Variable::Pressure
        && let Some(reduced) = now.sea_level_pressure_hpa
        && is_shown
    {
        parts.push(Span::styled(format!("  sea level {}", ctx.units.measured(variable, reduced)), ctx.theme.dim));
    }
    if let Some(extremes) = screen.extremes.iter().find(|extremes| extremes.variable == variable) {
        let extremes = ahead.map_or(*extremes, |(value, at)| with(*extremes, value, at));
        parts.push(Span::styled(format!("  {}", of_the_day(screen, &extremes, ctx)), ctx.theme.dim));
    }
    if let Some(mark) = screen.series.get(&variable).and_then(|series| series.flags.last()) {
        let count = screen.series.get(&variable).map_or(0, |series| series.flags.len());
        let last = format!("  ! {count} flagged, last {} {}", hour_minute(mark.at, ctx.zone), health::flag(mark.flag));
        parts.push(Span::styled(last, ctx.theme.warn));
    }
    while parts.len() > 2 && parts.iter().map(|p| width(&p.content)).sum::<usize>() > room {
        parts.pop();
    }
    Line::from(parts)
}

/// `today 9.8 (05:12) to 17.0 (14:40)`, or of the day that the window ends in.
fn of_the_day(screen: &Telemetry, extremes: &Extremes, ctx: &Context<'_>) -> String {
    let day = if screen.window.is_live() {
        "today".to_owned()
    } else {
        screen.day(ctx).0.to_zoned(ctx.zone.clone()).strftime("%m-%d").to_string()
    };
    let at = |value, time| format!("{} ({})", ctx.units.number(extremes.variable, value), hour_minute(time, ctx.zone));
    format!("{day} {} to {}", at(extremes.min, extremes.min_at), at(extremes.max, extremes.max_at))
}

/// The extremes with one more value.
fn with(extremes: Extremes, value: f64, at: Timestamp) -> Extremes {
    let Extremes { variable, mut min, mut min_at, mut max, mut max_at } = extremes;
    if value < min {
        (min, min_at) = (value, at);
    }
    if value > max {
        (max, max_at) = (value, at);
    }
    Extremes { variable, min, min_at, max, max_at }
}

fn min_max(points: &[Point]) -> Option<(f64, f64)> {
    points.iter().map(|p| (p.min, p.max)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The chart and the instant at a cell of the terminal; absent beside the plots.
pub fn time_at(screen: &Telemetry, ctx: &Context<'_>, (column, row): (u16, u16)) -> Option<(usize, Timestamp)> {
    let inner = Rect {
        x: ctx.area.x + 1,
        y: ctx.area.y + 1,
        width: ctx.area.width.saturating_sub(2),
        height: ctx.area.height.saturating_sub(2),
    };
    let (variable, place, _) =
        divide(screen, inner, ctx).charts.into_iter().find(|(_, place, _)| place.contains((column, row).into()))?;
    let chart = drawn(screen, ctx).iter().position(|v| *v == variable)?;
    let left = place.x + GUTTER;
    let last = place.width.checked_sub(GUTTER + 1).filter(|last| *last > 0)?;
    let fraction = f64::from(column.checked_sub(left)?) / f64::from(last);
    Some((chart, screen.window.scale(ctx.pipeline_now()).instant(fraction)))
}

/// The marked variable's value at the cursor, or its last one.
pub fn copy(screen: &Telemetry, ctx: &Context<'_>) -> Option<String> {
    let variable = *drawn(screen, ctx).get(screen.chart.row)?;
    let (at, value) = match screen.window.cursor {
        Some(cursor) => {
            let series = screen.series.get(&variable)?;
            let point = nearest(&series.points, cursor, series.gap_s)?;
            (point.at, point.mean)
        }
        None => {
            let newest = ctx.snapshot.now.measurement.as_ref()?;
            (newest.measured_at, newest.get(variable)?)
        }
    };
    Some(format!(
        "{} {} at {} ({at})",
        variable.label(),
        ctx.units.measured(variable, value),
        hour_minute(at, ctx.zone)
    ))
}

/// A drawing of every chart, and all points as one table.
pub fn exports(screen: &Telemetry, ctx: &Context<'_>) -> Vec<Exportable> {
    let shown: Vec<&Series> = drawn(screen, ctx).iter().filter_map(|v| screen.series.get(v)).collect();
    let charts = shown.iter().map(|series| Exportable::Chart(drawing(screen, series, ctx)));
    charts.chain(std::iter::once(Exportable::Table(points_table(&shown)))).collect()
}

fn drawing(screen: &Telemetry, series: &Series, ctx: &Context<'_>) -> export::Chart {
    let (variable, scale) = (series.variable, screen.window.scale(ctx.pipeline_now()));
    let has_envelope = series.points.iter().any(|p| p.max > p.min);
    let envelope = Band {
        label: "min to max".to_owned(),
        points: series.points.iter().map(|p| (p.at, p.min, p.max)).collect(),
        gap_s: series.gap_s,
    };
    export::Chart {
        name: format!("telemetry-{}", variable.key()),
        title: format!("{}: {}", ctx.snapshot.station.name, variable.label()),
        y_label: format!("{}, {}", variable.label(), variable.unit()),
        bounds: variable.range(),
        min_span: 10_f64.powi(1 - i32::try_from(variable.decimals()).unwrap_or(0)),
        zone: ctx.zone.clone(),
        from: scale.from,
        to: scale.to,
        lines: vec![export::Line {
            label: "mean".to_owned(),
            points: series.points.iter().map(|p| (p.at, p.mean)).collect(),
            gap_s: series.gap_s,
            dashed: false,
        }],
        bands: if has_envelope { vec![envelope] } else { Vec::new() },
        marks: Vec::new(),
        limits: Vec::new(),
    }
}

fn points_table(shown: &[&Series]) -> export::Table {
    let row = |series: &Series, p: &Point| {
        let variable = series.variable;
        vec![
            Cell::Time(p.at),
            Cell::Text(variable.key().to_owned()),
            Cell::Text(variable.unit().to_owned()),
            Cell::Number(p.mean),
            Cell::Number(p.min),
            Cell::Number(p.max),
        ]
    };
    export::Table {
        name: "telemetry".to_owned(),
        columns: ["time", "variable", "unit", "mean", "min", "max"].map(str::to_owned).to_vec(),
        rows: shown.iter().flat_map(|series| series.points.iter().map(|p| row(series, p))).collect(),
    }
}
