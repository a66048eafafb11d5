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
use crate::settings::EnvironmentKind;
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
/// Of pipes that are watched, in the same order as far as they are the same.
const WATCHED: [Column; 13] = [
    Column::text("state", 10),
    Column::number("pending", 7),
    Column::number("oldest", 8),
    Column::number("received", 11).gives_way(5),
    Column::number("loaded", 11).gives_way(2),
    Column::number("rows", 7),
    Column::number("newest row", 11).gives_way(3),
    Column::number("files", 6).gives_way(8),
    Column::number("failed", 6),
    Column::number("duplicates", 10).gives_way(4),
    Column::number("forwarded", 11).gives_way(6),
    Column::number("rows/min", 8).gives_way(7),
    Column::number("credits", 8).gives_way(1),
];
/// What a wide terminal has room for besides.
const MORE: [Column; 3] =
    [Column::text("container", 22), Column::text("table", 22), Column::text("last error", 20).fill()];
/// The same of a watched warehouse, whose names are the module's.
const MORE_WATCHED: [Column; 3] =
    [Column::text("stage", 30), Column::text("table", 28), Column::text("last error", 20).fill()];
/// Columns from which they are shown.
const WIDE: u16 = 190;
const WIDE_WATCHED: u16 = 238;

fn columns(width: u16, watched: bool) -> Vec<Column> {
    let figures: &[Column] = if watched { &WATCHED } else { &FIGURES };
    let (wide, name, more) = if watched { (WIDE_WATCHED, 31, &MORE_WATCHED) } else { (WIDE, 26, &MORE) };
    let wide = width >= wide;
    let pipe = if wide { Column::text("pipe", name).keep_end() } else { PIPE };
    let more: &[Column] = if wide { more } else { &[] };
    [pipe].iter().chain(figures).chain(more).copied().collect()
}

/// Draws the pipes; the last row is for the selected one's last error.
pub fn render(screen: &Loads, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let pipes = &ctx.snapshot.pipes;
    let focused = screen.focus == Focus::Pipes;
    let watched = ctx.snapshot.warehouse.is_some();
    let columns = columns(area.width.saturating_sub(2), watched);
    let hidden = table::hidden(&columns, area.width.saturating_sub(2));
    let note = [Some("times are ages".to_owned()), hidden].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let inner = pane::render_with_note(buf, area, "Pipes", &note, focused, ctx.theme);
    if inner.is_empty() {
        return;
    }
    let room = usize::from(inner.width);
    if pipes.is_empty() {
        let text = fit(no_pipe(ctx), room).into_owned();
        buf.set_stringn(inner.x, inner.y, text, room, ctx.theme.dim);
        return;
    }
    let has_errors = columns.last().is_some_and(|column| column.title == "last error");
    let selected = screen.selected_pipe(ctx).filter(|_| !has_errors);
    let error = selected.and_then(|pipe| pipe.last_error.as_ref());
    let lines = error.map_or_else(Vec::new, |error| wrap(&last_error(error), room, 2));
    let foot = u16::try_from(lines.len()).unwrap_or(0);
    let height = if inner.height > foot + 1 { inner.height - foot } else { inner.height };
    let row = |i: usize| pipes.get(i).map(|pipe| cells(pipe, ctx)).unwrap_or_default();
    let selected = focused.then_some(screen.pipe);
    table::render(buf, Rect { height, ..inner }, &columns, pipes.len(), row, selected, ctx.theme);
    for (y, text) in (inner.y + height..inner.bottom()).zip(lines) {
        buf.set_stringn(inner.x, y, text, room, ctx.theme.fail);
    }
}

fn last_error(error: &str) -> String {
    format!("✖ last error: {}", printable(error))
}

/// Why there is no pipe, and what to do.
pub fn no_pipe(ctx: &Context<'_>) -> &'static str {
    if ctx.snapshot.warehouse.is_some() {
        "no pipe is to be seen; it is asked for each 5 minutes"
    } else if ctx.snapshot.environment_kind == EnvironmentKind::Cloud {
        "the warehouse isn't watched; set snowflake.account and start the owner again"
    } else if ctx.snapshot.topology.applied {
        "no pipe is provisioned; plan and apply on 2 Plans make the pipes again"
    } else {
        "no pipe yet; they come up with the loader, a moment after the start"
    }
}

/// Rows that the longest last error takes in a pane of `columns`.
pub fn error_rows(pipes: &[Pipe], columns: u16) -> u16 {
    let room = usize::from(columns.saturating_sub(2));
    let errors = pipes.iter().filter_map(|pipe| pipe.last_error.as_ref());
    let rows = errors.map(|error| wrap(&last_error(error), room, 2).len()).max().unwrap_or(0);
    u16::try_from(rows).unwrap_or(1).max(1)
}

/// How a pipe is doing.
pub fn lit(pipe: &Pipe, ctx: &Context<'_>) -> Lamp {
    match pipe.state.as_str() {
        _ if ctx.stale || ctx.snapshot.warehouse.as_ref().is_some_and(|warehouse| warehouse.is_stale) => Lamp::Unknown,
        "RUNNING" => Lamp::Ok,
        "PAUSED" | "NO RIGHT" => Lamp::Warning,
        "UNKNOWN" => Lamp::Unknown,
        _ => Lamp::Failed,
    }
}

fn cells(pipe: &Pipe, ctx: &Context<'_>) -> Vec<Cell> {
    let now = ctx.pipeline_now();
    let since = |at: Option<Timestamp>| at.map_or_else(|| ABSENT.to_owned(), |at| age(at, now));
    let lit = lit(pipe, ctx);
    let watch = pipe.watch.as_deref();
    // What isn't known is no zero.
    let known = |is_known: bool, text: String| if is_known { text } else { ABSENT.to_owned() };
    let has_status = watch.is_none_or(|watch| watch.status_trouble.is_none());
    let failed = if pipe.files_failed > 0 { ctx.theme.fail } else { ctx.theme.text };
    // `STALLED_EXECUTION_ERROR` is told whole in the exported table.
    let state = pipe.state.split('_').next().unwrap_or_default();
    let mut cells = vec![
        printable(&pipe.name).into(),
        Cell::styled(format!("{} {}", lamp::glyph(lit), printable(state)), lamp::style(lit, ctx.theme)),
        known(has_status, count(pipe.pending_files)).into(),
        since(pipe.oldest_pending_at).into(),
        since(pipe.last_received_at).into(),
        since(pipe.last_loaded_at).into(),
        known(watch.is_none_or(|watch| watch.rows_known), count(pipe.rows)).into(),
        since(pipe.newest_row_at).into(),
        known(watch.is_none_or(|watch| watch.files_known), count(pipe.files_loaded)).into(),
        Cell::styled(known(watch.is_none_or(|watch| watch.files_known), count(pipe.files_failed)), failed),
        known(watch.is_none_or(|watch| watch.duplicates_known), count(pipe.duplicates)).into(),
    ];
    if ctx.snapshot.warehouse.is_some() {
        let number = |number: Option<f64>, digits: usize| {
            number.map_or_else(|| ABSENT.to_owned(), |number| format!("{number:.digits$}"))
        };
        cells.extend([
            since(watch.and_then(|watch| watch.last_forwarded_at)).into(),
            number(watch.and_then(|watch| watch.rows_per_min), 2).into(),
            Cell::from(number(watch.and_then(|watch| watch.credits_today), 4)),
        ]);
    }
    cells.extend([
        printable(&pipe.container).into(),
        printable(&pipe.table).into(),
        Cell::styled(pipe.last_error.as_ref().map_or_else(String::new, |e| printable(e)), ctx.theme.fail),
    ]);
    cells
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
        "last forwarded",
        "rows per minute",
        "credits today",
        "last error",
    ];
    let time = |at: Option<Timestamp>| at.map_or(Absent, Time);
    let number = |number: Option<f64>| number.map_or(Absent, export::Cell::Number);
    let row = |pipe: &Pipe| {
        let watch = pipe.watch.as_deref();
        // What isn't known is no zero.
        let known = |is_known: Option<bool>, n: u64| {
            if is_known.unwrap_or(true) { super::history::whole(n) } else { Absent }
        };
        let has_files = watch.map(|watch| watch.files_known);
        vec![
            Text(pipe.name.clone()),
            Text(pipe.state.clone()),
            Text(pipe.container.clone()),
            Text(pipe.table.clone()),
            known(watch.map(|watch| watch.status_trouble.is_none()), pipe.pending_files),
            time(pipe.oldest_pending_at),
            time(pipe.last_received_at),
            time(pipe.last_loaded_at),
            known(watch.map(|watch| watch.rows_known), pipe.rows),
            time(pipe.newest_row_at),
            known(has_files, pipe.files_loaded),
            known(has_files, pipe.files_failed),
            known(watch.map(|watch| watch.duplicates_known), pipe.duplicates),
            time(watch.and_then(|watch| watch.last_forwarded_at)),
            number(watch.and_then(|watch| watch.rows_per_min)),
            number(watch.and_then(|watch| watch.credits_today)),
            pipe.last_error.clone().map_or(Absent, Text),
        ]
    };
    Exportable::Table(export::Table {
        name: "pipes".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: pipes.iter().map(row).collect(),
    })
}
