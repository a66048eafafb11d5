//! The fleet: a row a device, from what the pipeline has heard and what is registered with the hub.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Row;
use crate::console::export::{self, Table};
use crate::console::screens::Context;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value;
use crate::console::widgets::{lamp, pane};
use crate::owner::{AgentReport, Device, HubDevice, Lamp};
use crate::station::Machine;
use crate::station::machine::Heat;
use crate::station::text::printable;

impl<'r> Row<'r> {
    /// Its id.
    pub fn id(&self) -> &str {
        match (self.device, self.registered) {
            (Some(device), _) => &device.id,
            (None, Some(registered)) => &registered.device_id,
            (None, None) => "",
        }
    }

    /// Whether it is connected to the hub.
    pub fn is_connected(&self) -> bool {
        self.device.map_or_else(|| self.registered.is_some_and(HubDevice::is_connected), |device| device.connected)
    }

    /// Its link in a word.
    pub fn link(&self) -> &'static str {
        if self.is_connected() { "connected" } else { "disconnected" }
    }

    /// When the hub last heard of it, pipeline time.
    pub fn last_seen_at(&self) -> Option<jiff::Timestamp> {
        let registered = self.registered.and_then(|known| known.last_activity_time);
        self.device.and_then(|device| device.last_seen_at).or(registered)
    }

    /// The link's lamp; nobody knows of it any more when the owner is gone.
    pub fn lamp(&self, ctx: &Context<'_>) -> Lamp {
        match (ctx.stale, self.is_connected(), self.registered.is_none_or(HubDevice::is_enabled)) {
            (true, ..) => Lamp::Unknown,
            (_, true, _) => Lamp::Ok,
            // One that may not connect is where it should be.
            (_, false, false) => Lamp::Unknown,
            (_, false, true) => Lamp::Failed,
        }
    }

    /// Its machine: of this owner's own agent as it is now, of any other as its newest message has it.
    pub fn machine(self, ctx: &Context<'r>) -> Option<&'r Machine> {
        match self.own(ctx) {
            Some(own) => own.machine.as_ref(),
            None => self.device?.health.as_ref()?.machine.as_deref(),
        }
    }

    /// The report of this owner's own agent, where it is that one.
    pub fn own(self, ctx: &Context<'r>) -> Option<&'r AgentReport> {
        ctx.snapshot.agent.as_deref().filter(|agent| agent.device_id == self.id())
    }

    /// What runs on it: the agent's version, and the board's L4T where it has one.
    fn firmware(self, ctx: &Context<'r>) -> Option<String> {
        let agent = self.device.and_then(|device| device.agent_version.clone());
        let l4t = self.machine(ctx).and_then(|machine| machine.board.l4t.as_ref()).map(|l4t| format!("L4T {l4t}"));
        let words: Vec<String> = [agent, l4t].into_iter().flatten().collect();
        (!words.is_empty()).then(|| printable(&words.join(", ")))
    }

    /// Its outbox, where that is known.
    pub fn outbox(&self) -> Option<&Device> {
        self.device.filter(|device| device.outbox_max_rows > 0)
    }
}

const COLUMNS: [Column; 11] = [
    Column::text("device", 10).fill(),
    Column::text("link", 14),
    Column::number("since", 10).gives_way(5),
    Column::number("last seen", 10),
    Column::text("status", 9).gives_way(3),
    Column::text("shows", 11).gives_way(7),
    Column::number("outbox", 8),
    Column::number("of its bound", 12).gives_way(4),
    Column::number("hottest", 9).gives_way(2),
    Column::text("model", 22).gives_way(8),
    Column::text("firmware", 18).gives_way(6),
];

/// Draws the fleet.
pub fn render(buffer: &mut Buffer, area: Rect, rows: &[Row<'_>], all: usize, selection: Selection, ctx: &Context<'_>) {
    let count = format!("{} of {all}", rows.len());
    let hidden = table::hidden(&COLUMNS, area.width.saturating_sub(2));
    let note = [Some(count), hidden].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let inner = pane::render_with_note(buffer, area, "Devices", &note, true, ctx.theme);
    if rows.is_empty() {
        let text = if all == 0 { "no device is registered yet" } else { "none passes the filter" };
        buffer.set_stringn(inner.x + 1, inner.y, text, inner.width.saturating_sub(1).into(), ctx.theme.dim);
        return;
    }
    let now = ctx.pipeline_now();
    let absent = || value::ABSENT.to_owned();
    let row = |i: usize| {
        let row = rows[i];
        let lit = row.lamp(ctx);
        let is_rivalled = ctx.snapshot.rivals.iter().any(|id| id == row.id());
        let link = if is_rivalled {
            Cell::styled(format!("{} two devices", lamp::glyph(Lamp::Failed)), ctx.theme.fail)
        } else {
            Cell::styled(format!("{} {}", lamp::glyph(lit), row.link()), lamp::style(lit, ctx.theme))
        };
        let registered = row.registered;
        let is_off = registered.is_some_and(|known| !known.is_enabled());
        let status = registered.map_or_else(absent, |known| printable(&known.status));
        let since = registered.and_then(|known| known.connection_state_updated_time);
        vec![
            printable(row.id()).into(),
            link,
            since.map_or_else(absent, |at| value::age(at, now)).into(),
            row.last_seen_at().map_or_else(absent, |at| value::age(at, now)).into(),
            Cell::styled(status, if is_off { ctx.theme.warn } else { Style::new() }),
            registered.map_or_else(absent, |known| printable(known.proof())).into(),
            row.outbox().map_or_else(absent, |device| value::count(device.outbox_rows)).into(),
            row.outbox().map_or_else(absent, |device| share(device.outbox_rows, device.outbox_max_rows)).into(),
            hottest(row.machine(ctx), ctx),
            row.device.and_then(|device| device.model_id.as_deref()).map_or_else(absent, printable).into(),
            row.firmware(ctx).unwrap_or_else(absent).into(),
        ]
    };
    table::render(buffer, inner, &COLUMNS, rows.len(), row, Some(selection), ctx.theme);
}

/// The hottest zone's temperature, lit where the board throttles.
fn hottest(machine: Option<&Machine>, ctx: &Context<'_>) -> Cell {
    let hottest = machine.and_then(Machine::hottest).and_then(|zone| Some((zone.celsius?, zone.heat()?)));
    let Some((celsius, heat)) = hottest else { return value::ABSENT.to_owned().into() };
    let lit = |lit: Lamp| Cell::styled(format!("{} {celsius:.0} °C", lamp::glyph(lit)), lamp::style(lit, ctx.theme));
    match heat {
        Heat::Normal => format!("{celsius:.0} °C").into(),
        Heat::Throttles => lit(Lamp::Warning),
        Heat::Critical => lit(Lamp::Failed),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share shown with one decimal")]
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 { value::ABSENT.into() } else { format!("{:.1} %", part as f64 / whole as f64 * 100.0) }
}

/// The fleet as it is exported.
pub fn exported<'r>(rows: &[Row<'r>], ctx: &Context<'r>) -> Table {
    use export::Cell::{Absent, Integer, Number, Text, Time};
    let integer = |n: Option<u64>| n.map_or(Absent, |n| Integer(i64::try_from(n).unwrap_or(i64::MAX)));
    let text = |text: Option<&str>| text.map_or(Absent, |text| Text(text.to_owned()));
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
        "status",
        "authentication",
        "waiting_for_it",
        "board",
        "l4t",
        "hottest_c",
        "cpu_pct",
        "power_mw",
    ];
    let number = |n: Option<f64>| n.map_or(Absent, Number);
    let row = |row: &Row<'r>| {
        let own = row.outbox();
        let machine = row.machine(ctx);
        vec![
            Text(row.id().to_owned()),
            Text(row.link().into()),
            row.last_seen_at().map_or(Absent, Time),
            integer(own.map(|device| device.outbox_rows)),
            integer(own.map(|device| device.outbox_bytes)),
            integer(own.map(|device| device.outbox_max_rows)),
            integer(own.map(|device| device.outbox_given_up)),
            integer(own.map(|device| device.set_aside)),
            text(row.device.and_then(|device| device.agent_version.as_deref())),
            text(row.device.and_then(|device| device.model_id.as_deref())),
            text(row.device.map(|device| device.source.as_str())),
            text(row.device.and_then(|device| device.last_error.as_deref())),
            text(row.registered.map(|known| known.status.as_str())),
            text(row.registered.map(HubDevice::proof)),
            integer(row.registered.map(|known| known.cloud_to_device_message_count)),
            text(machine.and_then(|machine| machine.board.model.as_deref())),
            text(machine.and_then(|machine| machine.board.l4t.as_deref())),
            number(machine.and_then(Machine::hottest).and_then(|zone| zone.celsius)),
            number(machine.and_then(Machine::cpu_load_pct)),
            number(machine.and_then(|machine| machine.total_mw)),
        ]
    };
    let columns = columns.map(str::to_owned).to_vec();
    Table { name: "devices".into(), columns, rows: rows.iter().map(row).collect() }
}
