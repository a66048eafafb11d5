//! The newest messages as the hub received them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::json;

use super::Telemetry;
use crate::console::export::{self, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::pane;
use crate::console::widgets::table::{self, Cell, Column};
use crate::console::widgets::value::{ABSENT, time};
use crate::owner::ReceivedMessage;
use crate::station::text::printable;

const COLUMNS: [Column; 6] = [
    Column::text("enqueued", 8),
    Column::text("measured", 8).gives_way(3),
    Column::text("device", 10).gives_way(2),
    Column::text("type", 18).gives_way(1),
    Column::text("message id", 36).gives_way(4),
    Column::text("body", 20).fill(),
];

/// Draws the table.
pub fn render(screen: &Telemetry, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let shown = screen.shown_messages(ctx);
    let title = format!("Messages as received · newest {}", screen.messages.len());
    let count = (shown.len() < screen.messages.len()).then(|| format!("{} shown", shown.len()));
    let hidden = table::hidden(&COLUMNS, area.width.saturating_sub(2)).filter(|_| !shown.is_empty());
    let note = [count, hidden].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let inner = pane::render_with_note(buf, area, &title, &note, true, ctx.theme);
    if shown.is_empty() {
        let reason = match (&screen.failure, screen.messages.is_empty()) {
            (Some(failure), _) => printable(failure),
            (None, true) => "the hub has received no message yet".to_owned(),
            (None, false) => "no message passes the filter and the chosen device".to_owned(),
        };
        let reason = crate::console::widgets::value::fit(&reason, usize::from(inner.width)).into_owned();
        if !inner.is_empty() {
            buf.set_stringn(inner.x, inner.y, reason, usize::from(inner.width), ctx.theme.dim);
        }
        return;
    }
    let row = |i: usize| shown.get(i).map(|m| cells(m, ctx)).unwrap_or_default();
    table::render(buf, inner, &COLUMNS, shown.len(), row, Some(screen.message), ctx.theme);
}

/// Where the table is on a screen in `area`.
pub const fn table_area(area: Rect) -> Rect {
    Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: area.height.saturating_sub(2) }
}

fn cells(message: &ReceivedMessage, ctx: &Context<'_>) -> Vec<Cell> {
    let text = |part: &Option<String>| part.as_ref().map_or_else(|| ABSENT.to_owned(), |t| printable(t));
    vec![
        time(message.enqueued_at, ctx.zone).into(),
        message.measured_at.map_or_else(|| ABSENT.to_owned(), |at| time(at, ctx.zone)).into(),
        printable(&message.device_id).into(),
        text(&message.message_type).into(),
        text(&message.message_id).into(),
        printable(&message.body.to_string()).into(),
    ]
}

/// What the filter is held against.
pub fn line(message: &ReceivedMessage) -> String {
    format!(
        "{} {} {} {}",
        message.device_id,
        message.message_type.as_deref().unwrap_or_default(),
        message.message_id.as_deref().unwrap_or_default(),
        message.body
    )
}

/// A message as a batch file would hold it, for the clipboard.
pub fn as_json(message: &ReceivedMessage) -> String {
    let whole = json!({
        "EnqueuedTimeUtc": message.enqueued_at.to_string(),
        "Properties": message.properties,
        "SystemProperties": message.system_properties,
        "Body": message.body,
    });
    serde_json::to_string_pretty(&whole).unwrap_or_default()
}

/// The messages shown, as a table.
pub fn table(shown: &[&ReceivedMessage]) -> Exportable {
    use export::Cell::{Absent, Text, Time};
    let text = |part: &Option<String>| part.clone().map_or(Absent, Text);
    let row = |m: &&ReceivedMessage| {
        vec![
            Time(m.enqueued_at),
            m.measured_at.map_or(Absent, Time),
            Text(m.device_id.clone()),
            text(&m.message_type),
            text(&m.message_id),
            Text(m.body.to_string()),
        ]
    };
    Exportable::Table(export::Table {
        name: "messages".to_owned(),
        columns: ["enqueued", "measured", "device", "type", "message id", "body"].map(str::to_owned).to_vec(),
        rows: shown.iter().map(row).collect(),
    })
}
