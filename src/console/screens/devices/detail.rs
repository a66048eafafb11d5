//! The selected device: what it says of itself, what the hub says of it, and its twin.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

use super::Row;
use crate::console::screens::Context;
use crate::console::widgets::value::{self, fit};
use crate::console::widgets::{lamp, pane};
use crate::owner::{AgentReport, Fact, HubTwin, Lamp, Standing, TwinLine, agent_facts, twin_lines};
use crate::station::DeviceHealth;
use crate::station::text::printable;

/// Columns that a label takes.
const LABEL: u16 = 16;
/// Cells of a bar.
const BAR: usize = 20;
/// Columns from which the twin stands beside the facts.
const BESIDE: u16 = 150;

/// Draws the device.
pub fn render(buffer: &mut Buffer, area: Rect, row: Row<'_>, twin: Option<&HubTwin>, scroll: usize, ctx: &Context<'_>) {
    let lines = twin.map(twin_lines).unwrap_or_default();
    let [left, right] = if area.width >= BESIDE && !lines.is_empty() {
        Layout::horizontal([Constraint::Percentage(58), Constraint::Fill(1)]).areas(area)
    } else {
        [area, Rect::default()]
    };
    let mut shown = facts(row, ctx);
    if right.is_empty() {
        shown.extend(lines.iter().map(line_fact));
    }
    render_facts(buffer, left, &printable(row.id()), &shown, scroll, ctx);
    if !right.is_empty() {
        render_twin(buffer, right, &lines, ctx);
    }
}

/// How many lines the facts can be scrolled by.
pub fn scrollable(row: Row<'_>, twin: Option<&HubTwin>, ctx: &Context<'_>) -> usize {
    facts(row, ctx).len() + twin.map(twin_lines).unwrap_or_default().len()
}

/// Facts one a line in a pane, their bars beneath them.
pub fn render_facts(buffer: &mut Buffer, area: Rect, title: &str, facts: &[Fact], scroll: usize, ctx: &Context<'_>) {
    // Wrapped first, so that what has no room can be counted.
    let room = usize::from(area.width.saturating_sub(LABEL + 5));
    let mut lines: Vec<(String, String, Style, Option<f64>)> = Vec::new();
    for fact in facts {
        let style = style_of(fact.lamp, ctx);
        let label = fact.label.to_owned();
        let text =
            if fact.lamp > Lamp::Ok { format!("{} {}", lamp::glyph(fact.lamp), fact.text) } else { fact.text.clone() };
        for (i, line) in value::wrap(&text, room, 3).into_iter().enumerate() {
            lines.push((if i == 0 { label.clone() } else { String::new() }, line, style, None));
        }
        if let Some(share) = fact.share {
            lines.push((String::new(), String::new(), ctx.theme.dim, Some(share)));
        }
    }
    let height = usize::from(area.height.saturating_sub(2));
    let first = scroll.min(lines.len().saturating_sub(height));
    let below = lines.len().saturating_sub(first + height);
    let note = match (first, below) {
        (0, 0) => String::new(),
        (above, below) => format!("{above} lines above · {below} below (tab, j k)"),
    };
    let inner = pane::render_with_note(buffer, area, title, &note, false, ctx.theme);
    for (y, (label, text, style, share)) in (inner.y..inner.bottom()).zip(lines.iter().skip(first)) {
        buffer.set_stringn(inner.x + 1, y, fit(label, LABEL.into()), LABEL.into(), ctx.theme.dim);
        let x = inner.x + LABEL + 2;
        match share {
            Some(share) => bar(buffer, (x, y), *share, room, ctx),
            None => {
                buffer.set_stringn(x, y, text, room, *style);
            }
        }
    }
}

/// A bar with its figure, told apart without colour too.
fn bar(buffer: &mut Buffer, (x, y): (u16, u16), share: f64, room: usize, ctx: &Context<'_>) {
    let cells = BAR.min(room.saturating_sub(6));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of at most 20 cells"
    )]
    let full = (share.clamp(0.0, 1.0) * cells as f64).round() as usize;
    let style = if share >= 0.9 { ctx.theme.warn } else { ctx.theme.ok };
    buffer.set_stringn(x, y, "█".repeat(full), room, style);
    let x = x + u16::try_from(full).unwrap_or(0);
    let rest = format!("{} {:.0} %", "░".repeat(cells - full), share * 100.0);
    buffer.set_stringn(x, y, rest, room.saturating_sub(full), ctx.theme.dim);
}

const fn style_of(lit: Lamp, ctx: &Context<'_>) -> Style {
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
    let own: Option<&AgentReport> = ctx.snapshot.agent.as_deref().filter(|agent| agent.device_id == row.id());
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
