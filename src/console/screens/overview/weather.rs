//! What the roof says now, the next four hours, and the sky.

use jiff::SignedDuration;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::screens::Context;
use crate::console::screens::sky::facts;
use crate::console::screens::sky::gallery::{Gallery, worth_having};
use crate::console::widgets::chart::time_axis::TimeScale;
use crate::console::widgets::fan::{self, FanData};
use crate::console::widgets::value::{self, fit};
use crate::console::widgets::{pane, sparkline};
use crate::owner::{NowcastView, Series};
use crate::settings::EnvironmentKind;
use crate::station::forecast::MAX_LEAD_MINUTES;
use crate::station::text::printable;
use crate::station::{Variable, VariableForecast, WeatherMeasurement};

/// Draws lines from the top of `area`, as many as fit.
fn lines(buffer: &mut Buffer, area: Rect, lines: impl IntoIterator<Item = (String, Style)>) {
    let room = usize::from(area.width).saturating_sub(1);
    for (y, (line, style)) in (area.y..area.bottom()).zip(lines) {
        buffer.set_stringn(area.x + 1, y, fit(&line, room), room, style);
    }
}

/// Draws Now: each variable's value, course and change per hour. With `tells_sky`, a last line for the sky.
pub(super) fn render_now(
    buffer: &mut Buffer,
    area: Rect,
    series: &[Series],
    focused: bool,
    tells_sky: Option<&Gallery>,
    ctx: &Context<'_>,
) {
    if area.is_empty() {
        return;
    }
    let measurement = ctx.snapshot.now.measurement.as_ref();
    let age = measurement.map(|m| format!("{} ago", value::age(m.measured_at, ctx.pipeline_now())));
    let of = measurement.filter(|_| ctx.snapshot.devices.len() > 1);
    let title = of.map_or_else(|| "Now".to_owned(), |m| format!("Now · {}", printable(&m.device_id)));
    let inner = pane::render_with_note(buffer, area, &title, age.as_deref().unwrap_or(""), focused, ctx.theme);
    let Some(measurement) = measurement else {
        let waiting = "no measurement has reached the hub yet";
        lines(
            buffer,
            inner,
            value::wrap(waiting, inner.width.saturating_sub(1).into(), 3).into_iter().map(|l| (l, ctx.theme.dim)),
        );
        return;
    };
    let mut shown: Vec<(String, Style)> = Variable::ALL
        .into_iter()
        .filter(|variable| *variable != Variable::WindDirection)
        .map(|variable| now_line(variable, measurement, series, inner.width, ctx))
        .collect();
    if let Some(hpa) = ctx.snapshot.now.sea_level_pressure_hpa {
        shown.insert(3, (format!("{:>10} at sea level", ctx.units.measured(Variable::Pressure, hpa)), ctx.theme.dim));
    }
    if let Some(gallery) = tells_sky {
        shown.push((sky_line(gallery, ctx), ctx.theme.dim));
    }
    // What is absent gives way first where not all fits, then what is derived.
    let room = usize::from(inner.height);
    while shown.len() > room {
        let gives_way = |word: &str| shown.iter().position(|(line, _)| line.contains(word));
        let Some(goes) = gives_way(value::ABSENT).or_else(|| gives_way("at sea level")) else { break };
        shown.remove(goes);
    }
    if shown.len() > room && room > 0 {
        shown.truncate(room);
        shown[room - 1] = ("…".into(), ctx.theme.dim);
    }
    lines(buffer, inner, shown);
}

fn now_line(
    variable: Variable,
    measurement: &WeatherMeasurement,
    series: &[Series],
    width: u16,
    ctx: &Context<'_>,
) -> (String, Style) {
    let Some(value) = measurement.get(variable) else {
        let known = series.iter().find(|series| series.variable == variable);
        // A reading without it doesn't make the sensor's last value unknown.
        let text = match known.and_then(|series| series.points.last()) {
            Some(last) => {
                let figure = ctx.units.measured(variable, last.mean);
                let age = value::age(last.at, ctx.pipeline_now());
                format!("{figure:>10} {} {age} ago", variable.label())
            }
            None => format!("{:>10} {}", value::ABSENT, variable.label()),
        };
        return (text, ctx.theme.dim);
    };
    let figure = format!("{:>10}", ctx.units.measured(variable, value));
    if variable == Variable::WindSpeed {
        let from =
            measurement.wind_direction_deg.map_or_else(String::new, |deg| format!(" from {}", facts::compass(deg)));
        return (format!("{figure} wind{from}"), ctx.theme.text);
    }
    let tendency = ctx.snapshot.now.tendency_per_h.iter().find(|(of, _)| *of == variable);
    let tendency = tendency.map_or_else(String::new, |(_, change)| ctx.units.tendency(variable, *change));
    // Label, course and change share what the figure leaves.
    let room = usize::from(width).saturating_sub(11 + value::width(&tendency) + 2);
    let (label, label_width) = if width >= 42 { (variable.label(), 12) } else { (short(variable), 6) };
    let course_width = room.saturating_sub(label_width + 1).min(24);
    let course = course(variable, series, course_width);
    if course.is_empty() {
        return (format!("{figure} {} {tendency}", variable.label()), ctx.theme.text);
    }
    let label = format!("{label:<columns$} ", columns = label_width - 1);
    (format!("{figure} {label}{course:<course_width$} {tendency}"), ctx.theme.text)
}

/// A variable's name where there is no room for it; those without a course have the room.
const fn short(variable: Variable) -> &'static str {
    match variable {
        Variable::Temperature => "temp",
        Variable::Humidity => "hum",
        Variable::Pressure => "press",
        other => other.label(),
    }
}

fn course(variable: Variable, series: &[Series], width: usize) -> String {
    let Some(series) = series.iter().find(|series| series.variable == variable) else { return String::new() };
    sparkline::sparkline(&with_gaps(series), width)
}

/// The means in equal steps of time; a gap is absent.
fn with_gaps(series: &Series) -> Vec<Option<f64>> {
    let mut values = Vec::new();
    let mut before: Option<jiff::Timestamp> = None;
    for point in &series.points {
        if let Some(before) = before
            && point.at.duration_since(before).as_secs_f64() > series.gap_s
        {
            let distance = point.at.duration_since(before).as_secs_f64();
            // At the usual step (a gap is a multiple of it) so many points are missing; a few stand for them all.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let missing = (distance / series.gap_s.max(1.0)).round().clamp(1.0, 24.0) as usize;
            values.extend(std::iter::repeat_n(None, missing));
        }
        values.push(Some(point.mean));
        before = Some(point.at);
    }
    values
}

/// Draws the next four hours: the fan of one variable, or a line that says why there is none.
pub(super) fn render_next(
    buffer: &mut Buffer,
    area: Rect,
    nowcast: Option<&NowcastView>,
    shown: usize,
    focused: bool,
    ctx: &Context<'_>,
) {
    if area.is_empty() {
        return;
    }
    let forecast = nowcast.and_then(|view| {
        let forecasts = &view.prediction.forecasts;
        forecasts.get(shown.min(forecasts.len().saturating_sub(1))).map(|forecast| (view, forecast))
    });
    let note = forecast.map(|(view, forecast)| {
        let many = view.prediction.forecasts.len() > 1;
        if many { format!("◂ {} ▸", forecast.variable.label()) } else { forecast.variable.label().to_owned() }
    });
    let inner = pane::render_with_note(buffer, area, "Next 4 hours", note.as_deref().unwrap_or(""), focused, ctx.theme);
    let Some((view, forecast)) = forecast else {
        let text = match &ctx.snapshot.nowcast {
            Some(_) => "the nowcast is on its way here",
            None => "no nowcast yet: the device makes the first once it has four hours of measurements",
        };
        let room = usize::from(inner.width).saturating_sub(1);
        lines(buffer, inner, value::wrap(text, room, 3).into_iter().map(|line| (line, ctx.theme.dim)));
        return;
    };
    let foot = if inner.height >= 8 { 2 } else { 1 };
    let chart = Rect { height: inner.height.saturating_sub(foot), ..inner };
    render_fan(buffer, chart, view, forecast, ctx);
    let below = Rect { y: chart.bottom(), height: inner.height.min(foot), ..inner };
    lines(buffer, below, next_lines(view, forecast, ctx));
}

fn render_fan(buffer: &mut Buffer, area: Rect, view: &NowcastView, forecast: &VariableForecast, ctx: &Context<'_>) {
    let issued_at = view.prediction.measured_at;
    let measured = view.measured.iter().find(|series| series.variable == forecast.variable);
    // Two hours back are enough to see where the forecast begins.
    let from = issued_at.checked_sub(SignedDuration::from_hours(2)).unwrap_or(issued_at);
    let lead = SignedDuration::from_mins(i64::from(MAX_LEAD_MINUTES));
    let to = issued_at.checked_add(lead).unwrap_or(issued_at);
    let points = ctx.units.points(forecast.variable, measured.map_or(&[], |series| series.points.as_slice()));
    let leads = ctx.units.leads(forecast.variable, &forecast.leads);
    let data = FanData {
        measured: &points,
        gap_s: measured.map_or(0.0, |series| series.gap_s),
        issued_at,
        leads: &leads,
        time: TimeScale { from, to },
        zone: ctx.zone,
        unit: ctx.units.unit(forecast.variable),
        decimals: ctx.units.decimals(forecast.variable),
        bounds: ctx.units.range(forecast.variable),
        time_axis: area.height >= 5,
        gutter: 0,
        series: forecast.variable.index(),
    };
    fan::render(buffer, area, &data, ctx.theme);
}

fn next_lines(view: &NowcastView, forecast: &VariableForecast, ctx: &Context<'_>) -> Vec<(String, Style)> {
    let prediction = &view.prediction;
    let last = forecast.leads.last().map(|lead| {
        let q = lead.quantiles;
        let number = |v| ctx.units.number(forecast.variable, v);
        let unit = ctx.units.unit(forecast.variable);
        let hours = f64::from(lead.lead_minutes) / 60.0;
        format!("{hours:.0} h: {} {unit}, 90 % {} to {}", number(q.q50), number(q.q05), number(q.q95))
    });
    let rain = match prediction.rain_probability {
        Some(p) => format!("rain within 4 h: {:.0} %", p * 100.0),
        None => "no rain probability".to_owned(),
    };
    [(last.unwrap_or_default(), ctx.theme.text), (rain, ctx.theme.dim)].into()
}

/// Rows of words beneath the small picture.
const SKY_WORDS: u16 = 3;
/// Rows that a picture needs at least to be worth drawing.
const SKY_LEAST: u16 = 3;

/// Where the small picture is; empty where there is no room for one.
pub(super) fn sky_picture(area: Rect) -> Rect {
    let inner = area.inner(ratatui::layout::Margin::new(1, 1));
    let height = inner.height.saturating_sub(SKY_WORDS);
    Rect { height: if height < SKY_LEAST { 0 } else { height }, ..inner }
}

/// Draws the sky: the newest picture small, its cover and motion; without one, what is known of the sun.
pub(super) fn render_sky(buffer: &mut Buffer, area: Rect, gallery: &Gallery, focused: bool, ctx: &Context<'_>) {
    if area.is_empty() {
        return;
    }
    let newest = gallery.notes().first();
    let taken = newest.map_or_else(String::new, |note| value::time(note.taken_at, ctx.zone));
    let inner = pane::render_with_note(buffer, area, "Sky", &taken, focused, ctx.theme);
    let room = usize::from(inner.width).saturating_sub(1);
    let Some(newest) = newest else { return render_no_picture(buffer, inner, gallery, room, ctx) };
    let place = sky_picture(area);
    let id = worth_having(newest, false, (place.width, place.height), ctx.pictures.graphics());
    let is_there = !place.is_empty() && ctx.pictures.draw(buffer, place, 0, &id, ctx.stale);
    let refusal = gallery.refusal(&id).or_else(|| ctx.pictures.failure(0, &id));
    let sky = newest.analysis.as_ref();
    let mut text: Vec<(String, Style)> = Vec::new();
    if let (false, Some(why)) = (is_there, refusal) {
        text.extend(value::wrap(why, room, place.height.into()).into_iter().map(|line| (line, ctx.theme.fail)));
    }
    let cover = sky.map_or_else(|| facts::unjudged(newest).to_owned(), facts::cover);
    let short = sky.and_then(|sky| sky.cloud_cover_pct).map(|pct| format!("cloud {pct:.0} %"));
    let short = short.or_else(|| (!newest.known_by.is_note()).then(|| "no note seen".to_owned()));
    let cover = if value::width(&cover) <= room { cover } else { short.unwrap_or(cover) };
    text.push((cover, ctx.theme.text));
    text.extend(sky.and_then(facts::motion).map(|motion| (motion, ctx.theme.text)));
    let rendered = facts::is_rendered(newest).then(|| "RENDERED".to_owned());
    let unsure: Vec<String> = rendered.into_iter().chain(facts::warnings(newest)).collect();
    if !unsure.is_empty() {
        text.push((unsure.join(" · "), ctx.theme.warn));
    } else if text.len() < usize::from(SKY_WORDS) {
        text.push((sun(ctx), ctx.theme.dim));
    }
    let beneath = if place.is_empty() || !is_there && refusal.is_some() {
        inner
    } else {
        Rect { y: place.bottom(), height: inner.bottom() - place.bottom(), ..inner }
    };
    lines(buffer, beneath, text);
}

/// Whether there may be a camera: of an environment in the cloud, the devices' agents aren't known.
fn has_camera(ctx: &Context<'_>) -> bool {
    let is_cloud = ctx.snapshot.environment_kind == EnvironmentKind::Cloud;
    is_cloud || ctx.snapshot.agent.as_ref().is_some_and(|agent| agent.camera.is_some())
}

fn render_no_picture(buffer: &mut Buffer, inner: Rect, gallery: &Gallery, room: usize, ctx: &Context<'_>) {
    let mut text: Vec<(String, Style)> =
        value::wrap(&sun(ctx), room, 2).into_iter().map(|line| (line, ctx.theme.text)).collect();
    let features = ctx.snapshot.now.measurement.as_ref().and_then(|measurement| measurement.sky.as_ref());
    match features.and_then(|sky| sky.cloud_cover_pct) {
        Some(cover) => text.push((format!("cloud cover {cover:.0} %"), ctx.theme.text)),
        None => {
            let none = match &gallery.failure {
                Some(failure) => failure,
                None if has_camera(ctx) => "no picture has come yet",
                None => "no camera is set up: pictures and cloud cover come with a camera on the device",
            };
            text.extend(value::wrap(none, room, 6).into_iter().map(|line| (line, ctx.theme.dim)));
        }
    }
    lines(buffer, inner, text);
}

/// The sun's elevation at the newest measurement, in words.
fn sun(ctx: &Context<'_>) -> String {
    facts::sun(ctx.snapshot.now.sun_elevation_deg)
}

fn sky_line(gallery: &Gallery, ctx: &Context<'_>) -> String {
    let sun = sun(ctx).replace("the horizon", "horizon");
    let newest = gallery.notes().first().and_then(|note| note.analysis.as_ref());
    let measured = ctx.snapshot.now.measurement.as_ref().and_then(|measurement| measurement.sky.as_ref());
    match newest.or(measured).and_then(|sky| sky.cloud_cover_pct) {
        Some(cover) => format!("{sun}, cloud {cover:.0} %"),
        None if has_camera(ctx) || !gallery.notes().is_empty() => sun,
        None => format!("{sun}, no camera"),
    }
}

/// The newest measurement in a sentence.
pub(super) fn sentence(ctx: &Context<'_>) -> Option<String> {
    let measurement = ctx.snapshot.now.measurement.as_ref()?;
    let values = Variable::ALL.into_iter().filter_map(|variable| {
        measurement.get(variable).map(|value| format!("{} {}", variable.label(), ctx.units.measured(variable, value)))
    });
    let values: Vec<String> = values.collect();
    Some(format!("{} {}: {}", printable(&measurement.device_id), measurement.measured_at, values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_its_sign() {
        let units = crate::console::units::Units::default();
        assert_eq!(units.tendency(Variable::Temperature, 0.83), "+0.8 °C/h");
        assert_eq!(units.tendency(Variable::Humidity, -3.1), "−3 %/h");
        assert_eq!(units.tendency(Variable::Pressure, -0.04), "±0.0 hPa/h");
    }

    #[test]
    fn a_gap_leaves_a_hole_in_the_course() {
        let at = |minutes| {
            "2016-06-09T00:00:00Z".parse::<jiff::Timestamp>().expect("a time") + SignedDuration::from_mins(minutes)
        };
        let point = |minutes, mean| crate::owner::Point { at: at(minutes), mean, min: mean, max: mean };
        let points = vec![point(0, 1.0), point(10, 2.0), point(60, 3.0)];
        let series = Series { variable: Variable::Temperature, points, gap_s: 1500.0, flags: Vec::new() };
        assert_eq!(with_gaps(&series), [Some(1.0), Some(2.0), None, None, Some(3.0)]);
    }
}
