//! What is raised, and the newest warnings of the log.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::explains;
use crate::console::export::{self, Exportable, Table};
use crate::console::screens::Context;
use crate::console::widgets::pane;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::{self, fit};
use crate::owner::{Alarm, Severity};
use crate::station::text::printable;

/// The alarms that pass the filter, newest first.
pub(super) fn shown<'a>(ctx: &Context<'a>) -> Vec<&'a Alarm> {
    let passes =
        |alarm: &&Alarm| ctx.filter.matches(&format!("{} {} {}", word(alarm.severity), alarm.rule, alarm.message));
    ctx.snapshot.alarms.iter().filter(passes).collect()
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Warn => "WARN",
        Severity::Critical => "CRIT",
    }
}

/// The columns in `room` columns of the terminal: what is wrong is told whole before anything else.
fn columns(alarms: &[&Alarm], room: u16) -> [Column; 6] {
    let longest = alarms.iter().map(|alarm| value::width(&printable(&alarm.message))).max().unwrap_or(0);
    // Time and level, and the spaces after them.
    let most = room.saturating_sub(12).max(20);
    [
        Column::text("since", 5),
        Column::text("level", 5),
        Column::text("rule", 18).gives_way(2),
        Column::text("what is wrong", u16::try_from(longest).unwrap_or(most).clamp(20, most)).fill(),
        Column::text("acknowledged", 12).gives_way(3),
        Column::text("enter opens", 11).gives_way(1),
    ]
}

/// Draws the alarms.
pub(super) fn render(buffer: &mut Buffer, area: Rect, selection: Selection, focused: bool, ctx: &Context<'_>) {
    if area.is_empty() {
        return;
    }
    let alarms = shown(ctx);
    let columns = columns(&alarms, area.width.saturating_sub(2));
    let hidden = table::hidden(&columns, area.width.saturating_sub(2)).filter(|_| !alarms.is_empty());
    let note = [Some(count(ctx)), hidden].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let inner = pane::render_with_note(buffer, area, "Alarms", &note, focused, ctx.theme);
    if alarms.is_empty() {
        let text = if ctx.filter.is_active() && !ctx.snapshot.alarms.is_empty() {
            "no alarm passes the filter"
        } else if ctx.stale {
            "○ no alarm was raised"
        } else {
            "● no alarm is raised"
        };
        buffer.set_stringn(inner.x + 1, inner.y, text, inner.width.saturating_sub(1).into(), ctx.theme.ok);
        return;
    }
    let row = |i: usize| {
        let alarm = alarms[i];
        let style = match (alarm.acknowledged_at, alarm.severity) {
            (Some(_), _) => ctx.theme.dim,
            (None, Severity::Warn) => ctx.theme.warn,
            (None, Severity::Critical) => ctx.theme.fail,
        };
        let acknowledged = alarm.acknowledged_at.map(|at| value::hour_minute(at, ctx.zone));
        vec![
            value::hour_minute(alarm.raised_at, ctx.zone).into(),
            Cell::styled(word(alarm.severity), style),
            printable(&alarm.rule).into(),
            Cell::styled(printable(&alarm.message), style),
            acknowledged.unwrap_or_default().into(),
            Cell::styled(explains(alarm.stage).label(), ctx.theme.dim),
        ]
    };
    let selection = focused.then_some(selection);
    table::render(buffer, inner, &columns, alarms.len(), row, selection, ctx.theme);
}

fn count(ctx: &Context<'_>) -> String {
    let acknowledged = ctx.snapshot.alarms.iter().filter(|alarm| alarm.acknowledged_at.is_some()).count();
    match (ctx.snapshot.alarms.len(), acknowledged) {
        (0, _) => String::new(),
        (raised, 0) => format!("{raised} raised"),
        (raised, acknowledged) => format!("{raised} raised, {acknowledged} acknowledged"),
    }
}

/// Draws the newest warnings of the owner's log.
pub(super) fn render_warnings(buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    if area.is_empty() {
        return;
    }
    let inner = pane::render_with_note(buffer, area, "Newest warnings", "8 shows the log", false, ctx.theme);
    if ctx.snapshot.warnings.is_empty() {
        buffer.set_stringn(inner.x + 1, inner.y, "none", inner.width.saturating_sub(1).into(), ctx.theme.dim);
    }
    let room = usize::from(inner.width).saturating_sub(2);
    for (y, line) in (inner.y..inner.bottom()).zip(&ctx.snapshot.warnings) {
        let style = if line.level == "ERROR" { ctx.theme.fail } else { ctx.theme.warn };
        let text = format!("{} {:<5} {}", value::time(line.at, ctx.zone), line.level, printable(&line.message));
        buffer.set_stringn(inner.x + 1, y, fit(&text, room), room, style);
    }
}

/// The alarms as a table.
pub(super) fn export(ctx: &Context<'_>) -> Option<Exportable> {
    use export::Cell::{Absent, Text, Time};
    let alarms = shown(ctx);
    let row = |alarm: &&Alarm| {
        vec![
            Time(alarm.raised_at),
            Text(word(alarm.severity).into()),
            Text(alarm.rule.clone()),
            Text(alarm.message.clone()),
            alarm.acknowledged_at.map_or(Absent, Time),
        ]
    };
    let columns = ["raised_at", "severity", "rule", "message", "acknowledged_at"].map(str::to_owned).to_vec();
    let rows: Vec<_> = alarms.iter().map(row).collect();
    (!rows.is_empty()).then(|| Exportable::Table(Table { name: "alarms".into(), columns, rows }))
}
