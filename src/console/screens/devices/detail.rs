//! The selected device: what it says of itself, what the hub says of it, its machine and its twin.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

use super::Row;
use super::machine::{LABEL, Line, draw};
use crate::console::screens::Context;
use crate::console::widgets::pane;
use crate::console::widgets::value::{self, fit};
use crate::owner::{Fact, HubTwin, Lamp, Standing, TwinLine, agent_facts, gauges, twin_lines};
use crate::station::DeviceHealth;
use crate::station::text::printable;

/// Columns from which machine and twin stand beside the facts.
const BESIDE: u16 = 150;

/// Draws the device.
pub fn render(buffer: &mut Buffer, area: Rect, row: Row<'_>, twin: Option<&HubTwin>, scroll: usize, ctx: &Context<'_>) {
    let name = printable(row.id());
    let lines = all_lines(row, twin, area, ctx);
    let twin = twin.map(twin_lines).unwrap_or_default();
    let (left, right) = sides(area);
    render_lines(buffer, left, &name, &lines, scroll, ctx);
    let Some(right) = right else { return };
    let machine = machine_lines(row, room(right), ctx);
    if machine.is_empty() {
        return render_twin(buffer, right, &twin, ctx);
    }
    let wanted = u16::try_from(machine.len() + 2).unwrap_or(u16::MAX);
    let of_twin = u16::try_from(twin.len() + 3).unwrap_or(u16::MAX).min(right.height / 3);
    let heights = [Constraint::Length(wanted.min(right.height.saturating_sub(of_twin))), Constraint::Fill(1)];
    let [above, below] = Layout::vertical(heights).areas(right);
    render_lines(buffer, above, "Machine", &machine, 0, ctx);
    render_twin(buffer, below, &twin, ctx);
}

/// The facts' side, and where it is wide the machine's and twin's.
fn sides(area: Rect) -> (Rect, Option<Rect>) {
    if area.width < BESIDE {
        return (area, None);
    }
    let [left, right] = Layout::horizontal([Constraint::Percentage(50), Constraint::Fill(1)]).areas(area);
    (left, Some(right))
}

/// Columns behind the labels.
fn room(area: Rect) -> usize {
    usize::from(area.width).saturating_sub(LABEL + 5)
}

/// How many lines the facts can be scrolled by.
pub fn scrollable(row: Row<'_>, twin: Option<&HubTwin>, area: Rect, ctx: &Context<'_>) -> usize {
    all_lines(row, twin, area, ctx).len()
}

/// What stands on the left: the facts, and where nothing stands beside them, the machine and the twin.
fn all_lines(row: Row<'_>, twin: Option<&HubTwin>, area: Rect, ctx: &Context<'_>) -> Vec<Line> {
    let (left, right) = sides(area);
    let room = room(left);
    let mut lines: Vec<Line> = facts(row, ctx).iter().flat_map(|fact| fact_lines(fact, room, ctx)).collect();
    if right.is_none() {
        lines.extend(machine_lines(row, room, ctx));
        let twin = twin.map(twin_lines).unwrap_or_default();
        lines.extend(twin.iter().flat_map(|line| fact_lines(&line_fact(line), room, ctx)));
    }
    lines
}

fn fact_lines(fact: &Fact, room: usize, ctx: &Context<'_>) -> Vec<Line> {
    let mut lines = Line::words(fact.label, &fact.text, fact.lamp, room, ctx);
    lines.extend(fact.share.map(Line::Share));
    lines
}

/// The machine, with how long ago it was read.
fn machine_lines(row: Row<'_>, room: usize, ctx: &Context<'_>) -> Vec<Line> {
    let Some(machine) = row.machine(ctx) else { return Vec::new() };
    // A message says itself when that was.
    let told = row.device.and_then(|device| device.health.as_ref()).map(|health| health.measured_at);
    let read = machine.read_at.or(told).map(|at| format!("read {} ago", value::age(at, ctx.pipeline_now())));
    let mut lines = Line::words("machine", &read.unwrap_or_default(), Lamp::Unknown, room, ctx);
    lines.extend(super::machine::lines(&gauges(machine), room, ctx));
    lines
}

/// Facts one a line in a pane, their bars beneath them.
pub fn render_facts(buffer: &mut Buffer, area: Rect, title: &str, facts: &[Fact], scroll: usize, ctx: &Context<'_>) {
    let lines: Vec<Line> = facts.iter().flat_map(|fact| fact_lines(fact, room(area), ctx)).collect();
    render_lines(buffer, area, title, &lines, scroll, ctx);
}

fn render_lines(buffer: &mut Buffer, area: Rect, title: &str, lines: &[Line], scroll: usize, ctx: &Context<'_>) {
    let height = usize::from(area.height.saturating_sub(2));
    let first = scroll.min(lines.len().saturating_sub(height));
    let below = lines.len().saturating_sub(first + height);
    let note = match (first, below) {
        (0, 0) => String::new(),
        (above, below) => format!("{above} lines above · {below} below (tab, j k)"),
    };
    let inner = pane::render_with_note(buffer, area, title, &note, false, ctx.theme);
    let width = usize::from(inner.width.saturating_sub(2));
    for (y, line) in (inner.y..inner.bottom()).zip(lines.iter().skip(first)) {
        draw(buffer, (inner.x + 1, y), width, line, ctx);
    }
}

pub const fn style_of(lit: Lamp, ctx: &Context<'_>) -> Style {
    match lit {
        Lamp::Unknown | Lamp::Ok => ctx.theme.text,
        Lamp::Warning => ctx.theme.warn,
        Lamp::Failed => ctx.theme.fail,
    }
}

fn mark(standing: &Standing) -> (&'static str, Lamp) {
    match standing {
        Standing::Same => ("=", Lamp::Ok),
        Standing::Waits | Standing::WaitsFor(_) | Standing::Overruled(_) => ("≠", Lamp::Warning),
        Standing::Refused(_) => ("!", Lamp::Failed),
        Standing::Own => (" ", Lamp::Unknown),
    }
}

fn line_words(line: &TwinLine) -> String {
    let (mark, _) = mark(&line.standing);
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| value::ABSENT.to_owned());
    match &line.standing {
        Standing::Own => format!("{mark} {} {}", line.key, shown(&line.reported)),
        Standing::Refused(why) => {
            format!(
                "{mark} {} desired {}, reported {}; refused: {why}",
                line.key,
                shown(&line.desired),
                shown(&line.reported)
            )
        }
        Standing::Overruled(why) => {
            format!(
                "{mark} {} desired {}, reported {}; overruled: {why}",
                line.key,
                shown(&line.desired),
                shown(&line.reported)
            )
        }
        Standing::WaitsFor(why) => {
            let (desired, reported) = (shown(&line.desired), shown(&line.reported));
            format!("{mark} {} desired {desired}, reported {reported}; {why}", line.key)
        }
        Standing::Same | Standing::Waits => {
            format!("{mark} {} desired {}, reported {}", line.key, shown(&line.desired), shown(&line.reported))
        }
    }
}

fn line_fact(line: &TwinLine) -> Fact {
    let (_, lit) = mark(&line.standing);
    Fact { label: "twin", text: line_words(line), lamp: lit, share: None }
}

fn render_twin(buffer: &mut Buffer, area: Rect, lines: &[TwinLine], ctx: &Context<'_>) {
    let differing = lines.iter().filter(|line| !matches!(line.standing, Standing::Same | Standing::Own)).count();
    let note = format!("{differing} differ");
    let inner = pane::render_with_note(buffer, area, "Twin: desired against reported", &note, false, ctx.theme);
    let room = usize::from(inner.width.saturating_sub(2));
    let key = lines.iter().map(|line| value::width(&line.key)).max().unwrap_or(0).clamp(8, 28);
    let side = (room.saturating_sub(key + 4) / 2).max(4);
    let cell = |text: &str, room: usize| format!("{:<room$}", fit(text, room));
    let head = format!("  {} {} {}", cell("property", key), cell("desired", side), cell("reported", side));
    buffer.set_stringn(inner.x + 1, inner.y, head, room, ctx.theme.dim);
    let mut y = inner.y + 1;
    for line in lines {
        let (mark, lit) = mark(&line.standing);
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| value::ABSENT.to_owned());
        let mut texts = vec![format!(
            "{mark} {} {} {}",
            cell(&line.key, key),
            cell(&shown(&line.desired), side),
            cell(&shown(&line.reported), side)
        )];
        let words = match &line.standing {
            Standing::Refused(why) => Some(format!("refused: {why}")),
            Standing::Overruled(why) => Some(format!("overruled: {why}")),
            Standing::WaitsFor(why) => Some(why.clone()),
            Standing::Same | Standing::Waits | Standing::Own => None,
        };
        if let Some(words) = words {
            texts.extend(value::wrap(&words, room.saturating_sub(4), 2).iter().map(|line| format!("    {line}")));
        }
        for text in texts {
            if y >= inner.bottom() {
                return;
            }
            buffer.set_stringn(inner.x + 1, y, text, room, style_of(lit, ctx));
            y += 1;
        }
    }
}

/// What is known of a device, each with its label.
fn facts(row: Row<'_>, ctx: &Context<'_>) -> Vec<Fact> {
    let plain = |label: &'static str, text: String| Fact { label, text, lamp: Lamp::Unknown, share: None };
    let own = row.own(ctx);
    let now = ctx.pipeline_now();
    let mut facts = Vec::new();
    for fault in ctx.snapshot.hub_faults.words() {
        let text = format!("on purpose, the hub {fault}");
        facts.push(Fact { label: "fault", text, lamp: Lamp::Warning, share: None });
    }
    if ctx.snapshot.rivals.iter().any(|id| id == row.id()) {
        let text = "two devices connect by it and end each other's connections".to_owned();
        facts.push(Fact { label: "identity", text, lamp: Lamp::Failed, share: None });
    }
    match own {
        Some(agent) => facts.extend(agent_facts(agent, wall(ctx))),
        None => facts.push(Fact { label: "link", text: row.link().to_owned(), lamp: row.lamp(ctx), share: None }),
    }
    if let Some(known) = row.registered {
        let ago = |at: Option<Timestamp>| at.map_or_else(|| value::ABSENT.to_owned(), |at| value::age(at, now));
        let reason = known.status_reason.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        let text = format!(
            "{}{reason}, {} for {}, shows {}",
            known.status,
            row.link(),
            ago(known.connection_state_updated_time),
            known.proof()
        );
        facts.push(plain("at the hub", printable(&text)));
        if known.cloud_to_device_message_count > 0 {
            facts.push(plain("waits for it", format!("{} messages", known.cloud_to_device_message_count)));
        }
    }
    if let Some(at) = row.last_seen_at() {
        let seen = format!("{} ({} ago)", value::date_time_zone(at, ctx.zone), value::age(at, now));
        facts.push(plain("last seen", seen));
    }
    if let Some(device) = row.device {
        if own.is_none() {
            let ended = if device.source_ended { "; it has ended" } else { "" };
            facts.push(plain("readings from", printable(&device.source) + ended));
        }
        let aside = format!("{} values or readings rejected", value::count(device.set_aside));
        facts.push(plain("set aside", aside));
        if let (None, Some(error)) = (own, &device.last_error) {
            facts.push(plain("last error", printable(error)));
        }
        let health =
            device.health.as_ref().map_or_else(|| value::ABSENT.to_owned(), |health| health_words(health, ctx));
        facts.push(plain("health", health));
    }
    if let Some(agent) = own {
        let since = agent.started_at.map(|at| format!(", since {}", value::date_time_zone(at, ctx.zone)));
        facts.push(plain("agent", printable(&agent.version) + &since.unwrap_or_default()));
    }
    facts
}

/// Wall time: a certificate's end is told by it.
const fn wall(ctx: &Context<'_>) -> Timestamp {
    ctx.now
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
