//! Telemetry: what the roof says now, and said before.
//!
//! `health` – sensors and flags in words · `window` – which stretch of time is shown · `charts` – the charts, and their export · `messages` – messages as
//! received · `detail` – one message and its way through the pipeline.

mod charts;
mod detail;
mod health;
mod messages;
mod window;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::detail::Detail;
use self::window::Window;
use super::{Context, Effect, Outcome, Screen, ScreenName};
use crate::console::Action;
use crate::console::export::Exportable;
use crate::console::widgets::dialog;
use crate::console::widgets::table::Selection;
use crate::owner::{Answer, AskError, Extremes, ReceivedMessage, Request, Series};
use crate::station::Variable;

/// Messages asked for: the table's length, and how far back the cursor finds one.
const MESSAGES: usize = 500;

/// Whose data are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Whose {
    /// Nobody has chosen: where there are several devices, that of the newest measurement.
    #[default]
    Newest,
    /// Every device's, as their mean.
    Every,
    /// One device's.
    Of(String),
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct Telemetry {
    window: Window,
    /// Whose data were chosen.
    chosen: Whose,
    /// The chart that is marked, by its place in the list.
    chart: Selection,
    series: BTreeMap<Variable, Series>,
    /// Of the day that the window ends in.
    extremes: Vec<Extremes>,
    /// Why a series couldn't be had.
    failure: Option<String>,
    /// Whether the raw messages are shown and not the charts.
    raw: bool,
    messages: Vec<ReceivedMessage>,
    message: Selection,
    detail: Option<Detail>,
    picker: Option<Selection>,
}

impl Telemetry {
    /// The last six hours.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The variables that have a place on this screen: the five of every station, and what else it measures.
    fn variables(&self, ctx: &Context<'_>) -> Vec<Variable> {
        let measured = ctx.snapshot.now.measurement.as_ref();
        let is_shown = |v: &Variable| {
            *v <= Variable::Sound
                || measured.is_some_and(|m| m.get(*v).is_some())
                || self.series.get(v).is_some_and(|s| !s.points.is_empty())
        };
        Variable::ALL.into_iter().filter(is_shown).collect()
    }

    /// The messages of the chosen device that pass the filter, newest first.
    fn shown_messages<'a>(&'a self, ctx: &Context<'_>) -> Vec<&'a ReceivedMessage> {
        let is_shown = |m: &&ReceivedMessage| self.is_chosen(&m.device_id) && ctx.filter.matches(&messages::line(m));
        self.messages.iter().filter(is_shown).collect()
    }

    fn is_chosen(&self, device: &str) -> bool {
        match &self.chosen {
            Whose::Of(chosen) => chosen == device,
            Whose::Newest | Whose::Every => true,
        }
    }

    /// Whose data are drawn; absent is every device's.
    fn device<'a>(&'a self, ctx: &Context<'a>) -> Option<&'a str> {
        match &self.chosen {
            Whose::Of(device) => Some(device),
            Whose::Every => None,
            Whose::Newest if ctx.snapshot.devices.len() < 2 => None,
            Whose::Newest => ctx.snapshot.now.measurement.as_ref().map(|newest| newest.device_id.as_str()),
        }
    }

    /// Beginning and end of the station's day that the window ends in.
    fn day(&self, ctx: &Context<'_>) -> (Timestamp, Timestamp) {
        let now = ctx.pipeline_now();
        let end = if self.window.is_live() { now } else { self.window.scale(now).to };
        let begins = end.to_zoned(ctx.zone.clone()).start_of_day();
        let next = begins.as_ref().ok().and_then(|day| day.tomorrow().ok());
        let from = begins.map_or(end, |day| day.timestamp());
        (from, next.map_or(end, |day| day.timestamp().checked_sub(SignedDuration::from_millis(1)).unwrap_or(end)))
    }

    fn series_requests(&self, ctx: &Context<'_>) -> impl Iterator<Item = Request> {
        let scale = self.window.scale(ctx.pipeline_now());
        // Two dots of braille a column; a plot is never wider than the screen.
        let max_points = usize::from(ctx.area.width).clamp(50, 500) * 2;
        let device = self.device(ctx).map(str::to_owned);
        self.variables(ctx).into_iter().map(move |variable| Request::Series {
            device: device.clone(),
            variable,
            from: scale.from,
            to: scale.to,
            max_points,
        })
    }

    fn update_charts(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        let now = ctx.pipeline_now();
        let count = charts::drawn(self, ctx).len();
        match action {
            Action::ZoomIn | Action::WheelUp { .. } => self.zoom(true, now),
            Action::ZoomOut | Action::WheelDown { .. } => self.zoom(false, now),
            Action::TimeBack => self.window.back(now),
            Action::TimeForward => self.window.forward(now),
            Action::TimeNow => self.window.follow(),
            Action::CursorBack => self.window.move_cursor(-1, now),
            Action::CursorForward => self.window.move_cursor(1, now),
            Action::PageUp => self.window.move_cursor(-12, now),
            Action::PageDown => self.window.move_cursor(12, now),
            Action::FocusNext => self.chart.row = if self.chart.row + 1 < count { self.chart.row + 1 } else { 0 },
            Action::FocusPrevious => self.chart.row = self.chart.row.checked_sub(1).unwrap_or(count.saturating_sub(1)),
            Action::Up | Action::Down | Action::Top | Action::Bottom => {
                self.chart.update(action, count, 1);
            }
            Action::Click { column, row } => match charts::time_at(self, ctx, (column, row)) {
                Some((chart, at)) => (self.chart.row, self.window.cursor) = (chart, Some(at)),
                None => return Outcome::Ignored,
            },
            Action::Open => self.detail = Some(Detail::at(self.window.cursor)),
            Action::SwitchUnit => {
                let Some(variable) = charts::drawn(self, ctx).get(self.chart.row).copied() else {
                    return Outcome::done();
                };
                return Outcome::effect(Effect::SwitchUnit(variable));
            }
            Action::Back if self.window.cursor.is_some() => self.window.cursor = None,
            _ => return Outcome::Ignored,
        }
        Outcome::done()
    }

    fn zoom(&mut self, shorter: bool, now: Timestamp) {
        // At either end there is nothing to do, and nothing to say: the title shows the length.
        let _ = if shorter { self.window.zoom_in(now) } else { self.window.zoom_out(now) };
    }

    fn update_messages(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        let shown = self.shown_messages(ctx);
        match action {
            Action::Open => {
                let row = self.message.row.min(shown.len().saturating_sub(1));
                let Some(chosen) = shown.get(row).map(|m| Detail::of((*m).clone())) else { return Outcome::done() };
                self.detail = Some(chosen);
            }
            Action::Back => self.raw = false,
            Action::Click { column, row } => {
                let (count, inside) = (shown.len(), messages::table_area(ctx.area));
                self.message.click(column, row, inside, count);
            }
            _ => {
                let (count, page) = (shown.len(), usize::from(ctx.area.height.saturating_sub(3)));
                if !self.message.update(action, count, page) {
                    return Outcome::Ignored;
                }
            }
        }
        Outcome::done()
    }

    fn update_picker(&mut self, mut chosen: Selection, action: Action, ctx: &Context<'_>) {
        match action {
            Action::Open => {
                let device = chosen.row.checked_sub(1).and_then(|i| ctx.snapshot.devices.get(i));
                self.chosen = device.map_or(Whose::Every, |d| Whose::Of(d.id.clone()));
                self.series.clear();
                self.extremes.clear();
                self.picker = None;
            }
            Action::Back | Action::PickDevice => self.picker = None,
            _ => {
                chosen.update(action, ctx.snapshot.devices.len() + 1, 5);
                self.picker = Some(chosen);
            }
        }
    }
}

impl Screen for Telemetry {
    fn name(&self) -> ScreenName {
        ScreenName::Telemetry
    }

    fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        if let Some(chosen) = self.picker {
            self.update_picker(chosen, action, ctx);
            return Outcome::done();
        }
        if let Some(detail) = &mut self.detail {
            if action == Action::Back {
                self.detail = None;
                return Outcome::done();
            }
            if detail.update(action, ctx) {
                return Outcome::done();
            }
        }
        match action {
            Action::RawMessages => {
                (self.raw, self.detail) = (!self.raw, None);
                Outcome::done()
            }
            Action::PickDevice => match self.disabled(action, ctx) {
                Some(reason) => Outcome::effect(Effect::Notify(reason)),
                None => {
                    let of_device = |id: &str| ctx.snapshot.devices.iter().position(|d| d.id == id);
                    let row = self.device(ctx).and_then(of_device).map_or(0, |i| i + 1);
                    self.picker = Some(Selection { row });
                    Outcome::done()
                }
            },
            _ if self.detail.is_some() => Outcome::Ignored,
            _ if self.raw => self.update_messages(action, ctx),
            _ => self.update_charts(action, ctx),
        }
    }

    fn wants(&self, ctx: &Context<'_>) -> Vec<Request> {
        if let Some(detail) = &self.detail {
            return detail.wants(MESSAGES);
        }
        if self.raw {
            return vec![Request::Messages { limit: MESSAGES }];
        }
        let (from, to) = self.day(ctx);
        let extremes = Request::Extremes { device: self.device(ctx).map(str::to_owned), from, to };
        self.series_requests(ctx).chain([extremes]).collect()
    }

    fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, ctx: &Context<'_>) {
        let device = self.device(ctx).map(str::to_owned);
        if let Some(detail) = &mut self.detail {
            detail.receive(request, answer, device.as_deref());
        }
        match (request, answer) {
            (Request::Series { .. }, Ok(Answer::Series(series))) => {
                self.failure = None;
                self.series.insert(series.variable, series.clone());
            }
            (Request::Extremes { .. }, Ok(Answer::Extremes { extremes })) => self.extremes.clone_from(extremes),
            (Request::Messages { .. }, Ok(Answer::Messages { messages })) => {
                self.failure = None;
                self.messages.clone_from(messages);
            }
            (Request::Series { .. } | Request::Messages { .. }, Err(error)) => self.failure = Some(error.to_string()),
            _ => {}
        }
    }

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        match &self.detail {
            Some(detail) => detail.render(buffer, area, ctx),
            None if self.raw => messages::render(self, buffer, area, ctx),
            None => charts::render(self, buffer, area, ctx),
        }
        if let Some(chosen) = self.picker {
            let devices = ctx.snapshot.devices.iter().map(|d| crate::station::text::printable(&d.id));
            let entries: Vec<String> = std::iter::once("every device".to_owned()).chain(devices).collect();
            dialog::choice(buffer, area, "Device", &entries, chosen, ctx.theme);
        }
    }

    fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        match &self.detail {
            Some(detail) => detail.exports(ctx),
            None if self.raw => vec![messages::table(&self.shown_messages(ctx))],
            None => charts::exports(self, ctx),
        }
    }

    fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        match &self.detail {
            Some(detail) => detail.copy(),
            None if self.raw => self.shown_messages(ctx).get(self.message.row).map(|m| messages::as_json(m)),
            None => charts::copy(self, ctx),
        }
    }

    fn hints(&self, _ctx: &Context<'_>) -> Vec<Action> {
        if self.picker.is_some() {
            vec![Action::Open, Action::Back]
        } else if self.detail.is_some() {
            vec![Action::Back, Action::Down, Action::Copy, Action::Export]
        } else if self.raw {
            vec![Action::Open, Action::RawMessages, Action::PickDevice, Action::Filter, Action::Export]
        } else {
            vec![
                Action::ZoomIn,
                Action::ZoomOut,
                Action::TimeBack,
                Action::TimeForward,
                Action::CursorBack,
                Action::Open,
                Action::SwitchUnit,
                Action::RawMessages,
                Action::PickDevice,
            ]
        }
    }

    fn disabled(&self, action: Action, ctx: &Context<'_>) -> Option<String> {
        let in_charts = !self.raw && self.detail.is_none();
        match action {
            Action::PickDevice if ctx.snapshot.devices.is_empty() => {
                Some("no device has been seen yet; the hub names each one that connects".to_owned())
            }
            Action::ZoomIn
            | Action::ZoomOut
            | Action::TimeBack
            | Action::TimeForward
            | Action::TimeNow
            | Action::CursorBack
            | Action::CursorForward
            | Action::SwitchUnit
                if !in_charts =>
            {
                Some("only the charts have that; go back to them".to_owned())
            }
            _ => None,
        }
    }

    fn modal(&self) -> bool {
        self.picker.is_some()
    }
}

#[cfg(test)]
mod tests;
