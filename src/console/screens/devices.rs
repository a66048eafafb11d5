//! Devices: the fleet, and what is known of the selected one.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Margin, Rect};
use ratatui::style::Style;

use super::{Context, Outcome, Screen, ScreenName};
use crate::console::Action;
use crate::console::export::{self, Exportable, Table};
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::{self, fit};
use crate::console::widgets::{lamp, pane};
use crate::owner::{Answer, AskError, Device, Lamp, Request};
use crate::station::DeviceHealth;
use crate::station::text::printable;

/// The screen's state.
#[derive(Debug, Default)]
pub struct Devices {
    selection: Selection,
}

/// The devices that pass the filter.
fn shown<'a>(ctx: &Context<'a>) -> Vec<&'a Device> {
    let passes = |device: &&Device| ctx.filter.matches(&format!("{} {} {}", device.id, link(device), device.source));
    ctx.snapshot.devices.iter().filter(passes).collect()
}

const fn link(device: &Device) -> &'static str {
    if device.connected { "connected" } else { "disconnected" }
}

/// The link's lamp; nobody knows of it any more when the owner is gone.
const fn lit(device: &Device, ctx: &Context<'_>) -> Lamp {
    match (ctx.stale, device.connected) {
        (true, _) => Lamp::Unknown,
        (false, true) => Lamp::Ok,
        (false, false) => Lamp::Failed,
    }
}

fn split(area: Rect, devices: usize) -> [Rect; 2] {
    let rows = u16::try_from(devices.clamp(1, 12)).unwrap_or(12) + 3;
    Layout::vertical([Constraint::Length(rows), Constraint::Fill(1)]).areas(area)
}

impl Devices {
    fn selected<'a>(&self, ctx: &Context<'a>) -> Option<&'a Device> {
        let devices = shown(ctx);
        devices.get(self.selection.row.min(devices.len().saturating_sub(1))).copied()
    }
}

impl Screen for Devices {
    fn name(&self) -> ScreenName {
        ScreenName::Devices
    }

    fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        let count = shown(ctx).len();
        let [fleet, _] = split(ctx.area, count);
        let taken = match action {
            Action::Click { column, row } => self.selection.click(column, row, fleet.inner(Margin::new(1, 1)), count),
            action => self.selection.update(action, count, fleet.height.saturating_sub(3).into()),
        };
        if taken { Outcome::done() } else { Outcome::Ignored }
    }

    fn wants(&self, _ctx: &Context<'_>) -> Vec<Request> {
        Vec::new()
    }

    fn receive(&mut self, _request: &Request, _answer: Result<&Answer, &AskError>, _ctx: &Context<'_>) {}

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let devices = shown(ctx);
        let [fleet, detail] = split(area, devices.len());
        render_fleet(buffer, fleet, &devices, self.selection, ctx);
        let Some(device) = self.selected(ctx) else { return };
        let inner = pane::render(buffer, detail, &printable(&device.id), false, ctx.theme);
        let room = usize::from(inner.width).saturating_sub(22);
        let mut y = inner.y;
        for (label, text, style) in facts(device, ctx) {
            for (i, line) in value::wrap(&text, room, 3).into_iter().enumerate() {
                if y >= inner.bottom() {
                    return;
                }
                let label = if i == 0 { label } else { "" };
                buffer.set_stringn(inner.x + 1, y, fit(label, 18), 18, ctx.theme.dim);
                buffer.set_stringn(inner.x + 20, y, line, room, style);
                y += 1;
            }
        }
    }

    fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        use export::Cell::{Absent, Integer, Text, Time};
        let integer = |n: u64| Integer(i64::try_from(n).unwrap_or(i64::MAX));
        let text = |text: &Option<String>| text.clone().map_or(Absent, Text);
        let rows = shown(ctx).into_iter().map(|device| {
            vec![
                Text(device.id.clone()),
                Text(link(device).into()),
                device.last_seen_at.map_or(Absent, Time),
                integer(device.outbox_rows),
                integer(device.outbox_bytes),
                integer(device.outbox_max_rows),
                integer(device.outbox_given_up),
                integer(device.set_aside),
                text(&device.agent_version),
                text(&device.model_id),
                Text(device.source.clone()),
                text(&device.last_error),
            ]
        });
        let columns = [
            "device",
            "link",
            "last_seen_at",
            "outbox_rows",
            "outbox_bytes",
            "outbox_max_rows",
            "outbox_given_up",
            "set_aside",
            "agent_version",
            "model_id",
            "source",
            "last_error",
        ];
        let table =
            Table { name: "devices".into(), columns: columns.map(str::to_owned).to_vec(), rows: rows.collect() };
        if table.rows.is_empty() { Vec::new() } else { vec![Exportable::Table(table)] }
    }

    fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        self.selected(ctx).map(|device| device.id.clone())
    }
}

const COLUMNS: [Column; 8] = [
    Column::text("device", 10).fill(),
    Column::text("link", 14),
    Column::number("last seen", 10),
    Column::number("outbox", 8),
    Column::number("of its bound", 12).gives_way(2),
    Column::number("set aside", 9).gives_way(3),
    Column::text("model", 22).gives_way(4),
    Column::text("agent", 8).gives_way(5),
];

fn render_fleet(buffer: &mut Buffer, area: Rect, devices: &[&Device], selection: Selection, ctx: &Context<'_>) {
    let count = format!("{} of {}", devices.len(), ctx.snapshot.devices.len());
    let hidden = table::hidden(&COLUMNS, area.width.saturating_sub(2));
    let note = [Some(count), hidden].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let inner = pane::render_with_note(buffer, area, "Devices", &note, true, ctx.theme);
    if devices.is_empty() {
        let text =
            if ctx.snapshot.devices.is_empty() { "no device is registered yet" } else { "none passes the filter" };
        buffer.set_stringn(inner.x + 1, inner.y, text, inner.width.saturating_sub(1).into(), ctx.theme.dim);
        return;
    }
    let now = ctx.pipeline_now();
    let row = |i: usize| {
        let device = devices[i];
        let lit = lit(device, ctx);
        let absent = || value::ABSENT.to_owned();
        vec![
            printable(&device.id).into(),
            Cell::styled(format!("{} {}", lamp::glyph(lit), link(device)), lamp::style(lit, ctx.theme)),
            device.last_seen_at.map_or_else(absent, |at| value::age(at, now)).into(),
            value::count(device.outbox_rows).into(),
            share(device.outbox_rows, device.outbox_max_rows).into(),
            value::count(device.set_aside).into(),
            device.model_id.as_deref().map_or_else(absent, printable).into(),
            device.agent_version.as_deref().map_or_else(absent, printable).into(),
        ]
    };
    table::render(buffer, inner, &COLUMNS, devices.len(), row, Some(selection), ctx.theme);
}

#[expect(clippy::cast_precision_loss, reason = "a share shown with one decimal")]
fn share(part: u64, whole: u64) -> String {
    if whole == 0 { value::ABSENT.into() } else { format!("{:.1} %", part as f64 / whole as f64 * 100.0) }
}

/// What is known of a device, each with its label.
fn facts(device: &Device, ctx: &Context<'_>) -> Vec<(&'static str, String, Style)> {
    let theme = ctx.theme;
    let absent = || value::ABSENT.to_owned();
    let now = ctx.pipeline_now();
    let seen = device
        .last_seen_at
        .map_or_else(absent, |at| format!("{} ({} ago)", value::date_time_zone(at, ctx.zone), value::age(at, now)));
    let outbox = format!(
        "{} messages, {}; bound {} messages",
        value::count(device.outbox_rows),
        value::bytes(device.outbox_bytes),
        value::count(device.outbox_max_rows)
    );
    let source = if device.source_ended { format!("{}; it has ended", device.source) } else { device.source.clone() };
    let given_up = if device.outbox_given_up == 0 { theme.text } else { theme.warn };
    vec![
        ("link", link(device).into(), lamp::style(lit(device, ctx), theme)),
        ("last error", device.last_error.as_deref().map_or_else(|| "none".into(), printable), theme.text),
        ("last seen", seen, theme.text),
        ("readings from", printable(&source), theme.text),
        ("outbox", outbox, theme.text),
        ("given up", format!("{} messages over the bound", value::count(device.outbox_given_up)), given_up),
        ("set aside", format!("{} values or readings rejected", value::count(device.set_aside)), theme.text),
        ("model", device.model_id.as_deref().map_or_else(absent, printable), theme.text),
        ("agent", device.agent_version.as_deref().map_or_else(absent, printable), theme.text),
        ("health", device.health.as_ref().map_or_else(absent, |health| health_words(health, ctx)), theme.text),
    ]
}

/// What the device said of itself, and when; what it couldn't read is left out.
fn health_words(health: &DeviceHealth, ctx: &Context<'_>) -> String {
    let figures = [
        health.memory_used_pct.map(|pct| format!("memory {pct:.0} %")),
        health.process_memory_mib.map(|mib| format!("agent {mib:.0} MiB")),
        health.load_average.map(|load| format!("load {load:.2}")),
        health.disk_free_mib.map(|mib| format!("disk free {:.1} GiB", mib / 1024.0)),
        health.temperature_c.map(|celsius| format!("{celsius:.0} °C")),
        Some(format!("up {}", value::seconds(health.agent_uptime_s))),
    ];
    let figures: Vec<_> = figures.into_iter().flatten().collect();
    format!("{} ({} ago)", figures.join(", "), value::age(health.measured_at, ctx.pipeline_now()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture::{body, empty_snapshot, snapshot};

    #[test]
    fn the_fleet_and_a_device_at_three_sizes() {
        for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
            let text = body(&mut Devices::default(), &snapshot(), columns, rows);
            insta::assert_snapshot!(format!("devices_{columns}x{rows}"), text);
        }
    }

    #[test]
    fn without_a_device_it_says_so() {
        assert!(body(&mut Devices::default(), &empty_snapshot(), 80, 24).contains("no device is registered yet"));
    }

    #[test]
    fn a_share_is_of_something() {
        assert_eq!(share(259_200, 518_400), "50.0 %");
        assert_eq!(share(1, 0), "–");
    }
}
