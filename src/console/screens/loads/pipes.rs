//! One row a pipe.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Focus, Loads};
use crate::console::export::{self, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::table::{self, Cell, Column};
use crate::console::widgets::value::{ABSENT, age, count, fit, wrap};
use crate::console::widgets::{lamp, pane};
use crate::owner::{Lamp, Pipe};
use crate::station::text::printable;

const PIPE: Column = Column::text("pipe", 14).fill().keep_end();
const FIGURES: [Column; 10] = [
    Column::text("state", 10),
    Column::number("pending", 7),
    Column::number("oldest", 8),
    Column::number("received", 11).gives_way(3),
    Column::number("loaded", 11).gives_way(1),
    Column::number("rows", 7),
    Column::number("newest row", 11).gives_way(4),
    Column::number("files", 6),
    Column::number("failed", 6),
    Column::number("duplicates", 10).gives_way(2),
];
/// What a wide terminal has room for besides.
const MORE: [Column; 3] =
    [Column::text("container", 22), Column::text("table", 22), Column::text("last error", 20).fill()];
/// Columns from which [`MORE`] is shown.
const WIDE: u16 = 190;

fn columns(width: u16) -> Vec<Column> {
    if width < WIDE {
        return [PIPE].into_iter().chain(FIGURES).collect();
    }
    [Column::text("pipe", 26).keep_end()].into_iter().chain(FIGURES).chain(MORE).collect()
}

/// Draws the pipes; the last row is for the selected one's last error.
pub fn render(screen: &Loads, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let pipes = &ctx.snapshot.pipes;
    let focused = screen.focus == Focus::Pipes;
    let hidden = table::hidden(&columns(area.width.saturating_sub(2)), area.width.saturating_sub(2));
    let note = [Some("times are ages".to_owned()), hidden].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let inner = pane::render_with_note(buf, area, "Pipes", &note, focused, ctx.theme);
    if inner.is_empty() {
        return;
    }
    let room = usize::from(inner.width);
    if pipes.is_empty() {
        let text = fit(super::no_pipe(ctx), room).into_owned();
        buf.set_stringn(inner.x, inner.y, text, room, ctx.theme.dim);
        return;
    }
    let selected = screen.selected_pipe(ctx).filter(|_| inner.width < WIDE);
    let error = selected.and_then(|pipe| pipe.last_error.as_ref());
    let lines = error.map_or_else(Vec::new, |error| wrap(&last_error(error), room, 2));
    let foot = u16::try_from(lines.len()).unwrap_or(0);
    let height = if inner.height > foot + 1 { inner.height - foot } else { inner.height };
    let row = |i: usize| pipes.get(i).map(|pipe| cells(pipe, ctx)).unwrap_or_default();
    let selected = focused.then_some(screen.pipe);
    table::render(buf, Rect { height, ..inner }, &columns(inner.width), pipes.len(), row, selected, ctx.theme);
    for (y, text) in (inner.y + height..inner.bottom()).zip(lines) {
        buf.set_stringn(inner.x, y, text, room, ctx.theme.fail);
    }
}

fn last_error(error: &str) -> String {
    format!("✖ last error: {}", printable(error))
}

/// Rows that the longest last error takes in a pane of `columns`.
pub fn error_rows(pipes: &[Pipe], columns: u16) -> u16 {
    let room = usize::from(columns.saturating_sub(2));
    let errors = pipes.iter().filter_map(|pipe| pipe.last_error.as_ref());
    let rows = errors.map(|error| wrap(&last_error(error), room, 2).len()).max().unwrap_or(0);
    u16::try_from(rows).unwrap_or(1).max(1)
}

fn cells(pipe: &Pipe, ctx: &Context<'_>) -> Vec<Cell> {
    let now = ctx.pipeline_now();
    let since = |at: Option<Timestamp>| at.map_or_else(|| ABSENT.to_owned(), |at| age(at, now));
    let lit = match pipe.state.as_str() {
        _ if ctx.stale => Lamp::Unknown,
        "RUNNING" => Lamp::Ok,
        "PAUSED" => Lamp::Warning,
        _ => Lamp::Failed,
    };
    let failed = if pipe.files_failed > 0 { ctx.theme.fail } else { ctx.theme.text };
    // `STALLED_EXECUTION_ERROR` is told whole in the exported table.
    let state = pipe.state.split('_').next().unwrap_or_default();
    vec![
        printable(&pipe.name).into(),
        Cell::styled(format!("{} {}", lamp::glyph(lit), printable(state)), lamp::style(lit, ctx.theme)),
        count(pipe.pending_files).into(),
        since(pipe.oldest_pending_at).into(),
        since(pipe.last_received_at).into(),
        since(pipe.last_loaded_at).into(),
        count(pipe.rows).into(),
        since(pipe.newest_row_at).into(),
        count(pipe.files_loaded).into(),
        Cell::styled(count(pipe.files_failed), failed),
        count(pipe.duplicates).into(),
        printable(&pipe.container).into(),
        printable(&pipe.table).into(),
        Cell::styled(pipe.last_error.as_ref().map_or_else(String::new, |e| printable(e)), ctx.theme.fail),
    ]
}

/// The pipes, as a table.
pub fn table(pipes: &[Pipe]) -> Exportable {
    use export::Cell::{Absent, Text, Time};
    let columns = [
        "pipe",
        "state",
        "container",
        "table",
        "pending files",
        "oldest pending",
        "last received",
        "last loaded",
        "rows",
        "newest row",
        "files loaded",
        "files failed",
        "duplicates",
        "last error",
    ];
    let time = |at: Option<Timestamp>| at.map_or(Absent, Time);
    let row = |pipe: &Pipe| {
        vec![
            Text(pipe.name.clone()),
            Text(pipe.state.clone()),
            Text(pipe.container.clone()),
            Text(pipe.table.clone()),
            super::history::whole(pipe.pending_files),
            time(pipe.oldest_pending_at),
            time(pipe.last_received_at),
            time(pipe.last_loaded_at),
            super::history::whole(pipe.rows),
            time(pipe.newest_row_at),
            super::history::whole(pipe.files_loaded),
            super::history::whole(pipe.files_failed),
            super::history::whole(pipe.duplicates),
            pipe.last_error.clone().map_or(Absent, Text),
        ]
    };
    Exportable::Table(export::Table {
        name: "pipes".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: pipes.iter().map(row).collect(),
    })
}
