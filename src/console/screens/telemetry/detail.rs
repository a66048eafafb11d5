//! One message: its way through the pipeline with the time of each hop, and what it says.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::messages;
use crate::console::Action;
use crate::console::export::{self, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::pane;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::{ABSENT, date_time_utc, fit, seconds, time, width};
use crate::owner::{Answer, AskError, ReceivedMessage, Request, Trace};
use crate::station::text::printable;

/// Which message is shown, or looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// The newest that has a row.
    Newest,
    /// The one measured nearest to an instant.
    Near(Timestamp),
    /// The one with this identity.
    Identity(String),
    /// One without an identity: nothing more can be known of it.
    Nameless,
}

/// A message and what is known of it.
#[derive(Debug)]
pub struct Detail {
    wanted: Wanted,
    message: Option<ReceivedMessage>,
    trace: Option<Trace>,
    /// Why it couldn't be had.
    failure: Option<String>,
    scroll: Selection,
}

impl Detail {
    /// The message at the cursor; without one the newest that has a row.
    pub const fn at(cursor: Option<Timestamp>) -> Self {
        let wanted = match cursor {
            Some(at) => Wanted::Near(at),
            None => Wanted::Newest,
        };
        Self { wanted, message: None, trace: None, failure: None, scroll: Selection { row: 0 } }
    }

    /// A message that is at hand.
    pub fn of(message: ReceivedMessage) -> Self {
        let wanted = message.message_id.clone().map_or(Wanted::Nameless, Wanted::Identity);
        Self { wanted, message: Some(message), ..Self::at(None) }
    }

    /// Scrolls; `false` for any other action.
    pub fn update(&mut self, action: Action, ctx: &Context<'_>) -> bool {
        let inner = usize::from(ctx.area.height.saturating_sub(2));
        let rows = self.lines(ctx, usize::from(ctx.area.width)).len().saturating_sub(inner) + 1;
        self.scroll.update(action, rows, inner)
    }

    /// What has to be asked: first which message it is, then its way.
    pub fn wants(&self, limit: usize) -> Vec<Request> {
        match &self.wanted {
            Wanted::Newest => vec![Request::Trace { message_id: None, rows: false }],
            Wanted::Near(_) => vec![Request::Messages { limit }],
            Wanted::Identity(id) => vec![Request::Trace { message_id: Some(id.clone()), rows: false }],
            Wanted::Nameless => Vec::new(),
        }
    }

    /// Takes an answer; `device` is the chosen one.
    pub fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, device: Option<&str>) {
        match (request, answer) {
            (Request::Trace { message_id, .. }, Ok(Answer::Trace(trace))) if self.is_wanted(message_id.as_ref()) => {
                self.failure = None;
                // Held fast, so that the newest of the next moment doesn't take its place.
                self.wanted = Wanted::Identity(trace.message_id.clone());
                if trace.message.is_some() {
                    self.message.clone_from(&trace.message);
                }
                self.trace = Some((**trace).clone());
            }
            (Request::Messages { .. }, Ok(Answer::Messages { messages })) => {
                if let Wanted::Near(at) = self.wanted {
                    self.choose(at, messages, device);
                }
            }
            (Request::Trace { .. } | Request::Messages { .. }, Err(error)) => self.failure = Some(error.to_string()),
            _ => {}
        }
    }

    fn is_wanted(&self, message_id: Option<&String>) -> bool {
        match &self.wanted {
            Wanted::Newest => message_id.is_none(),
            Wanted::Identity(id) => message_id == Some(id),
            Wanted::Near(_) | Wanted::Nameless => false,
        }
    }

    fn choose(&mut self, at: Timestamp, messages: &[ReceivedMessage], device: Option<&str>) {
        let measurements = messages.iter().filter(|m| {
            m.message_type.as_deref() == Some("WeatherMeasurement") && device.is_none_or(|d| d == m.device_id)
        });
        let stamped: Vec<(Timestamp, &ReceivedMessage)> =
            measurements.filter_map(|m| Some((m.measured_at?, m))).collect();
        let oldest = stamped.iter().map(|(measured, _)| *measured).min();
        if oldest.is_none_or(|oldest| at < oldest) {
            let reach = oldest.map_or_else(String::new, |o| format!(", back to {}", date_time_utc(o)));
            self.failure = Some(format!(
                "the hub keeps the newest messages only ({}{reach}); move the cursor to a later time",
                stamped.len()
            ));
            return;
        }
        let nearest = stamped.into_iter().min_by_key(|(measured, _)| measured.duration_since(at).abs());
        if let Some((_, message)) = nearest {
            *self = Self::of(message.clone());
        }
    }

    /// Draws it.
    pub fn render(&self, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let title = match (&self.trace, &self.message, &self.wanted) {
            (Some(trace), ..) => format!("Message {}", printable(&trace.message_id)),
            (None, Some(message), _) => {
                format!(
                    "Message {}",
                    message.message_id.as_ref().map_or_else(|| "without id".into(), |id| printable(id))
                )
            }
            (None, None, Wanted::Near(at)) => format!("Message of {}", time(*at, ctx.zone)),
            (None, None, _) => "Newest message in the table".to_owned(),
        };
        let inner = pane::render(buf, area, &title, true, ctx.theme);
        let lines = self.lines(ctx, usize::from(inner.width));
        pane::scrolled(buf, inner, &lines, self.scroll.row, ctx.theme);
    }

    fn lines(&self, ctx: &Context<'_>, room: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        if let Some(failure) = &self.failure {
            lines.push(Line::styled(fit(&format!("✖ {}", printable(failure)), room).into_owned(), ctx.theme.fail));
        }
        if let Some(trace) = &self.trace {
            lines.extend(way(trace, ctx, room));
        } else if self.wanted == Wanted::Nameless {
            lines.push(Line::styled("its sender gave it no id, so it can't be followed", ctx.theme.dim));
        } else if self.failure.is_none() {
            lines.push(Line::styled("asking …", ctx.theme.dim));
        }
        if let Some(message) = &self.message {
            let enqueued = format!("{} ({})", time(message.enqueued_at, ctx.zone), message.enqueued_at);
            lines.push(Line::default());
            lines.push(pair("enqueued", &enqueued, ctx, room));
            lines.push(pair("device", &printable(&message.device_id), ctx, room));
            section(&mut lines, "Body", &message.body, ctx, room);
            section(&mut lines, "Application properties", &message.properties, ctx, room);
            section(&mut lines, "System properties", &message.system_properties, ctx, room);
        }
        lines
    }

    /// The message as a batch file holds it.
    pub fn copy(&self) -> Option<String> {
        self.message.as_ref().map(messages::as_json)
    }

    /// The hops, as a table.
    pub fn exports(&self, _ctx: &Context<'_>) -> Vec<Exportable> {
        use export::Cell::{Absent, Number, Text, Time};
        let Some(trace) = &self.trace else { return Vec::new() };
        let row = |hop: &crate::owner::TraceHop| {
            vec![
                Text(hop.hop.label().to_owned()),
                hop.at.map_or(Absent, Time),
                hop.latency_s.map_or(Absent, Number),
                hop.latency_s.map_or(Absent, |_| Text(clock_of(hop.monotonic).to_owned())),
                Text(hop.place.clone()),
            ]
        };
        vec![Exportable::Table(export::Table {
            name: format!("trace-{}", trace.message_id),
            columns: ["hop", "at", "latency s", "clock", "place"].map(str::to_owned).to_vec(),
            rows: trace.hops.iter().map(row).collect(),
        })]
    }
}

/// Where a latency comes from.
const fn clock_of(monotonic: bool) -> &'static str {
    if monotonic { "monotonic clock" } else { "difference of stamps" }
}

fn way(trace: &Trace, ctx: &Context<'_>, room: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(
        fit(&format!("{:<10}{:<10}{:>9}  {:<22}{}", "hop", "at", "latency", "latency from", "place"), room)
            .into_owned(),
        ctx.theme.dim,
    )];
    for hop in &trace.hops {
        let at = hop.at.map_or_else(|| trace.without_time(hop.hop).to_owned(), |at| time(at, ctx.zone));
        let latency = hop.latency_s.map_or_else(|| ABSENT.to_owned(), seconds);
        let clock = hop.latency_s.map_or("", |_| clock_of(hop.monotonic));
        let pad = 9_usize.saturating_sub(width(&latency));
        let text = format!("{:<10}{at:<10}{:pad$}{latency}  {clock:<22}{}", hop.hop.label(), "", printable(&hop.place));
        let style = if hop.at.is_some() { ctx.theme.text } else { ctx.theme.dim };
        lines.push(Line::styled(fit(&text, room).into_owned(), style));
    }
    let line = trace.file_line.map_or_else(String::new, |n| format!(", line {n}"));
    if let Some(file) = &trace.file {
        lines.push(pair("file", &format!("{}{line}", printable(file)), ctx, room));
    }
    if let Some(table) = &trace.table {
        lines.push(pair("table", &printable(table), ctx, room));
    }
    lines
}

fn pair(name: &str, text: &str, ctx: &Context<'_>, room: usize) -> Line<'static> {
    let text = fit(text, room.saturating_sub(10)).into_owned();
    Line::from(vec![Span::styled(format!("{name:<10}"), ctx.theme.dim), Span::styled(text, ctx.theme.text)])
}

fn section(lines: &mut Vec<Line<'static>>, title: &'static str, value: &Value, ctx: &Context<'_>, room: usize) {
    lines.push(Line::default());
    lines.push(Line::styled(title, ctx.theme.title));
    if value.as_object().is_some_and(serde_json::Map::is_empty) || value.is_null() {
        lines.push(Line::styled("  none", ctx.theme.dim));
        return;
    }
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    for line in text.lines() {
        let line = format!("  {}", printable(line));
        lines.push(Line::styled(fit(&line, room).into_owned(), ctx.theme.text));
    }
}
