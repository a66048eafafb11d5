//! A fan chart for every variable that has a forecast, with what was measured before and after.

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;

use super::{Nowcast, model};
use crate::console::export::{self, Band, Cell, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::chart::time_axis::TimeScale;
use crate::console::widgets::fan::{self, FanData};
use crate::console::widgets::pane;
use crate::console::widgets::value::{date_time, fit, hour_minute, wrap};
use crate::owner::{NowcastView, Series};
use crate::station::forecast::{MAX_LEAD_MINUTES, valid_time};
use crate::station::text::printable;
use crate::station::{LeadForecast, Variable, VariableForecast};

/// Hours of measurements before the issue time.
const BEFORE_H: i64 = 6;
/// Columns of every value axis, so that the plots are aligned.
const GUTTER: u16 = 11;
/// Columns of the model's pane.
const MODEL: u16 = 34;
/// Rows below which two fans stand side by side.
const LOW: u16 = 9;
/// Columns a fan needs at least.
const NARROW: u16 = 32;
/// Leads that are told in figures, minutes.
const TOLD_MIN: [u16; 2] = [60, 240];

/// Draws the forecast.
pub fn render(screen: &Nowcast, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let Some(view) = screen.shown() else {
        return render_nothing(screen, buf, area, ctx);
    };
    let side = if area.width >= 120 { MODEL } else { 0 };
    let [main, side] = Layout::horizontal([Constraint::Min(0), Constraint::Length(side)]).areas(area);
    let title = if side.is_empty() { model::line(view, ctx) } else { "Nowcast".to_owned() };
    let inner = pane::render_with_note(buf, main, &title, &position(screen, view, ctx), false, ctx.theme);
    if !side.is_empty() {
        render_model(buf, side, view, ctx);
    }
    let foot = foot(screen, view, usize::from(inner.width), ctx);
    let lines = u16::try_from(foot.len()).unwrap_or(u16::MAX).min(inner.height / 3);
    let [fans, below] = Layout::vertical([Constraint::Min(0), Constraint::Length(lines)]).areas(inner);
    for (y, line) in (below.y..below.bottom()).zip(foot) {
        line.render(Rect { y, height: 1, ..below }, buf);
    }
    let forecasts = &view.prediction.forecasts;
    for (i, (place, forecast)) in grid(fans, forecasts.len()).into_iter().zip(forecasts).enumerate() {
        draw_fan(buf, place, view, (forecast, i == screen.marked), ctx);
    }
}

fn render_nothing(screen: &Nowcast, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let inner = pane::render(buf, area, "Nowcast", false, ctx.theme);
    let text = match (&screen.failure, &screen.answered) {
        (Some(failure), _) => printable(failure),
        (None, None) => "asking …".to_owned(),
        (None, Some(_)) => {
            "no nowcast yet: one is shown here as soon as the agent's first has come through the pipeline".to_owned()
        }
    };
    for (y, line) in (inner.y..inner.bottom()).zip(wrap(&text, usize::from(inner.width), 4)) {
        buf.set_stringn(inner.x, y, line, usize::from(inner.width), ctx.theme.dim);
    }
}

/// Whether this is the newest nowcast.
fn position(screen: &Nowcast, view: &NowcastView, ctx: &Context<'_>) -> String {
    if screen.at.is_none() {
        return "newest".to_owned();
    }
    format!("earlier: {}", date_time(view.prediction.measured_at, ctx.zone))
}

/// The legend, and what is absent or failed.
fn foot(screen: &Nowcast, view: &NowcastView, room: usize, ctx: &Context<'_>) -> Vec<Line<'static>> {
    let mut lines = vec![fan::legend(ctx.theme, 0)];
    let dim = |text: String| Line::styled(fit(&text, room).into_owned(), ctx.theme.dim);
    lines.extend(model::probabilities(view).map(dim));
    lines.extend(model::absences(view).map(dim));
    if let Some(failure) = &screen.failure {
        lines.push(Line::styled(fit(&format!("✖ {}", printable(failure)), room).into_owned(), ctx.theme.fail));
    }
    lines
}

fn render_model(buf: &mut Buffer, area: Rect, view: &NowcastView, ctx: &Context<'_>) {
    let inner = pane::render(buf, area, "Model", false, ctx.theme);
    let mut y = inner.y;
    for (name, text) in model::facts(view, ctx) {
        let parts = wrap(&text, usize::from(inner.width.saturating_sub(11)), 4);
        for (i, part) in parts.iter().enumerate() {
            if y >= inner.bottom() {
                return;
            }
            let name = if i == 0 { name } else { "" };
            let spans =
                vec![Span::styled(format!("{name:<11}"), ctx.theme.dim), Span::styled(part.clone(), ctx.theme.text)];
            Line::from(spans).render(Rect { y, height: 1, ..inner }, buf);
            y += 1;
        }
    }
}

/// Places for `count` fans: below each other, or in two columns where that makes them too low.
fn grid(area: Rect, count: usize) -> Vec<Rect> {
    let Ok(n) = u16::try_from(count) else { return Vec::new() };
    if n == 0 {
        return Vec::new();
    }
    let columns = if n > 1 && area.height / n < LOW && area.width >= 2 * NARROW { 2 } else { 1 };
    let rows = Layout::vertical(vec![Constraint::Fill(1); usize::from(n.div_ceil(columns))]).split(area);
    let cells = |row: &Rect| {
        Layout::horizontal(vec![Constraint::Fill(1); usize::from(columns)]).spacing(1).split(*row).to_vec()
    };
    rows.iter().flat_map(cells).take(count).collect()
}

fn draw_fan(
    buf: &mut Buffer,
    place: Rect,
    view: &NowcastView,
    (forecast, is_marked): (&VariableForecast, bool),
    ctx: &Context<'_>,
) {
    if place.is_empty() {
        return;
    }
    let variable = forecast.variable;
    figures(forecast, is_marked, usize::from(place.width), ctx).render(Rect { height: 1, ..place }, buf);
    let came = series_of(view, variable);
    let points = ctx.units.points(variable, came.map_or(&[], |series| &series.points));
    let leads = ctx.units.leads(variable, &forecast.leads);
    let data = FanData {
        measured: &points,
        gap_s: came.map_or(0.0, |series| series.gap_s),
        issued_at: view.prediction.measured_at,
        leads: &leads,
        time: time_scale(view.prediction.measured_at),
        zone: ctx.zone,
        unit: ctx.units.unit(variable),
        decimals: ctx.units.decimals(variable),
        bounds: ctx.units.range(variable),
        time_axis: true,
        gutter: GUTTER,
        series: variable.index(),
    };
    fan::render(buf, Rect { y: place.y + 1, height: place.height - 1, ..place }, &data, ctx.theme);
}

fn series_of(view: &NowcastView, variable: Variable) -> Option<&Series> {
    view.measured.iter().find(|series| series.variable == variable)
}

fn time_scale(issued_at: Timestamp) -> TimeScale {
    let from = issued_at.checked_sub(SignedDuration::from_hours(BEFORE_H)).unwrap_or(issued_at);
    TimeScale::new(from, valid_time(issued_at, MAX_LEAD_MINUTES))
}

/// `▸ temperature  +1 h 18.7 °C  +4 h 17.2 °C (15.1 to 19.3)`; what doesn't fit is left out from the right, whole.
fn figures(forecast: &VariableForecast, is_marked: bool, room: usize, ctx: &Context<'_>) -> Line<'static> {
    let variable = forecast.variable;
    let mut parts = vec![
        Span::styled(if is_marked { "▸ " } else { "  " }, ctx.theme.focus),
        Span::styled(variable.label().to_owned(), ctx.theme.title),
    ];
    for lead in TOLD_MIN.iter().filter_map(|minutes| forecast.at(*minutes)) {
        let ahead = format!("  +{} h ", lead.lead_minutes / 60);
        parts
            .push(Span::styled(format!("{ahead}{}", ctx.units.measured(variable, lead.quantiles.q50)), ctx.theme.text));
        parts.push(Span::styled(format!(" ({})", interval(variable, lead, ctx)), ctx.theme.dim));
    }
    while parts.len() > 2 && parts.iter().map(Span::width).sum::<usize>() > room {
        parts.pop();
    }
    Line::from(parts)
}

/// The 90 % band: `15.1 to 19.3`.
fn interval(variable: Variable, lead: &LeadForecast, ctx: &Context<'_>) -> String {
    let number = |value| ctx.units.number(variable, value);
    format!("{} to {}", number(lead.quantiles.q05), number(lead.quantiles.q95))
}

/// The marked variable's forecast in words.
pub fn copy(view: &NowcastView, marked: usize, ctx: &Context<'_>) -> Option<String> {
    let forecast = view.prediction.forecasts.get(marked)?;
    let variable = forecast.variable;
    let leads: Vec<String> = TOLD_MIN
        .iter()
        .filter_map(|minutes| forecast.at(*minutes))
        .map(|lead| {
            let at = hour_minute(valid_time(view.prediction.measured_at, lead.lead_minutes), ctx.zone);
            format!(
                "{at}: {} (90 %: {})",
                ctx.units.measured(variable, lead.quantiles.q50),
                interval(variable, lead, ctx)
            )
        })
        .collect();
    let issued = date_time(view.prediction.measured_at, ctx.zone);
    Some(format!("{}, issued {issued}: {}", variable.label(), leads.join(", ")))
}

/// A drawing of every fan, and all quantiles as one table.
pub fn exports(view: &NowcastView, ctx: &Context<'_>) -> Vec<Exportable> {
    let charts = view.prediction.forecasts.iter().map(|f| Exportable::Chart(drawing(view, f, ctx)));
    charts.chain(std::iter::once(Exportable::Table(table(view)))).collect()
}

fn drawing(view: &NowcastView, forecast: &VariableForecast, ctx: &Context<'_>) -> export::Chart {
    let (variable, issued_at) = (forecast.variable, view.prediction.measured_at);
    let (scale, came) = (time_scale(issued_at), series_of(view, variable));
    let at = |lead: &LeadForecast| valid_time(issued_at, lead.lead_minutes);
    // Neighbouring leads always belong together, however far apart a model sets them.
    let gap_s = f64::from(MAX_LEAD_MINUTES) * 60.0;
    let band = |label: &str, ends: fn(&LeadForecast) -> (f64, f64)| Band {
        label: label.to_owned(),
        points: forecast.leads.iter().map(|lead| (at(lead), ends(lead).0, ends(lead).1)).collect(),
        gap_s,
    };
    let points = came.iter().flat_map(|series| &series.points).map(|p| (p.at, p.mean)).collect();
    let measured_gap_s = came.map_or(0.0, |series| series.gap_s);
    let median = forecast.leads.iter().map(|lead| (at(lead), lead.quantiles.q50)).collect();
    export::Chart {
        name: format!("nowcast-{}", variable.key()),
        title: format!("{}: nowcast of {}", ctx.snapshot.station.name, variable.label()),
        y_label: format!("{}, {}", variable.label(), variable.unit()),
        bounds: variable.range(),
        min_span: 10_f64.powi(1 - i32::try_from(variable.decimals()).unwrap_or(0)),
        zone: ctx.zone.clone(),
        from: scale.from,
        to: scale.to,
        lines: vec![
            export::Line { label: "measured".to_owned(), points, gap_s: measured_gap_s, dashed: false },
            export::Line { label: "median".to_owned(), points: median, gap_s, dashed: true },
        ],
        bands: vec![
            band("90 % band", |lead| (lead.quantiles.q05, lead.quantiles.q95)),
            band("50 % band", |lead| (lead.quantiles.q25, lead.quantiles.q75)),
        ],
        marks: vec![(issued_at, format!("issued {}", hour_minute(issued_at, ctx.zone)))],
        limits: Vec::new(),
    }
}

fn table(view: &NowcastView) -> export::Table {
    let issued_at = view.prediction.measured_at;
    let row = |forecast: &VariableForecast, lead: &LeadForecast| {
        let mut cells = vec![
            Cell::Time(issued_at),
            Cell::Time(valid_time(issued_at, lead.lead_minutes)),
            Cell::Integer(lead.lead_minutes.into()),
            Cell::Text(forecast.variable.key().to_owned()),
            Cell::Text(forecast.variable.unit().to_owned()),
        ];
        cells.extend(lead.quantiles.values().map(Cell::Number));
        cells.push(Cell::Number(forecast.persistence));
        cells.push(Cell::Text(view.prediction.model_id.clone()));
        cells
    };
    let columns =
        ["issued", "valid", "lead min", "variable", "unit", "q05", "q25", "q50", "q75", "q95", "persistence", "model"];
    export::Table {
        name: "nowcast".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: view.prediction.forecasts.iter().flat_map(|f| f.leads.iter().map(|lead| row(f, lead))).collect(),
    }
}
