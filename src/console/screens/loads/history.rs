//! The copy history: what became of every file.

use jiff::SignedDuration;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Focus, Loads};
use crate::console::export::{self, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::table::{self, Cell, Column};
use crate::console::widgets::value::{ABSENT, bytes, count, fit, time, wrap};
use crate::console::widgets::{lamp, pane};
use crate::owner::{Lamp, LoadedFile};
use crate::station::text::printable;

/// Columns where every file is of the last day; beyond it the date stands before the time of day.
const COLUMNS: [Column; 8] = columns(8);
const DATED: [Column; 8] = columns(11);

const fn columns(loaded: u16) -> [Column; 8] {
    [
        Column::text("loaded", loaded),
        Column::text("file", 16).fill().keep_end(),
        Column::text("pipe", 24).gives_way(6),
        Column::number("rows", 6),
        Column::number("duplicates", 10).gives_way(4),
        Column::number("size", 9).gives_way(3),
        Column::text("status", 14),
        Column::text("first error", 46).gives_way(5),
    ]
}

/// A file that is older stands with its date.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// Whether every row went in.
pub fn is_loaded(file: &LoadedFile) -> bool {
    file.status == "Loaded"
}

/// Whether nothing has become of it yet.
pub fn is_pending(file: &LoadedFile) -> bool {
    matches!(file.status.as_str(), "Pending" | "Load in progress")
}

/// Whether something of it went wrong, or hasn't come to an end that is known.
pub fn has_failed(file: &LoadedFile) -> bool {
    !is_loaded(file) && !is_pending(file)
}

/// How a file is doing.
pub fn lit(file: &LoadedFile) -> Lamp {
    match () {
        () if is_loaded(file) => Lamp::Ok,
        () if is_pending(file) => Lamp::Unknown,
        () => Lamp::Failed,
    }
}

/// Draws the history; the last row is for the selected file's first error.
pub fn render(screen: &Loads, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let shown = screen.shown_files(ctx);
    let focused = screen.focus == Focus::History;
    let title = if screen.failed_only { "Copy history · failed files" } else { "Copy history" };
    let oldest = shown.nearest(usize::MAX);
    let is_old = oldest.is_some_and(|file| ctx.pipeline_now().duration_since(file.loaded_at) > A_DAY);
    let columns = if is_old { &DATED } else { &COLUMNS };
    let all = screen.files.len();
    let files = if shown.len() < all {
        format!("{} of {} files", number(shown.len()), number(all))
    } else {
        format!("{} file{}", number(all), if all == 1 { "" } else { "s" })
    };
    let more = screen.files.missing();
    let more = (more > 0).then(|| format!("{} more come", count(more)));
    let hidden = table::hidden(columns, area.width.saturating_sub(2)).filter(|_| !shown.is_empty());
    let note = [Some(files), more, hidden].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let inner = pane::render_with_note(buf, area, title, &note, focused, ctx.theme);
    if inner.is_empty() {
        return;
    }
    let room = usize::from(inner.width);
    if shown.is_empty() {
        for (y, text) in (inner.y..inner.bottom()).zip(wrap(&why_empty(screen, ctx), room, usize::from(inner.height))) {
            buf.set_stringn(inner.x, y, text, room, ctx.theme.dim);
        }
        return;
    }
    let selected = shown.nearest(screen.file.row).filter(|_| focused);
    let error = selected.and_then(first_error);
    let height = inner.height.saturating_sub(u16::from(error.is_some() && inner.height > 3));
    let row = |i: usize| shown.get(i).map(|file| cells(file, ctx)).unwrap_or_default();
    let selection = focused.then_some(screen.file);
    table::render(buf, Rect { height, ..inner }, columns, shown.len(), row, selection, ctx.theme);
    if let Some(error) = error.filter(|_| height < inner.height) {
        let text = fit(&format!("✖ {error}"), room).into_owned();
        buf.set_stringn(inner.x, inner.bottom() - 1, text, room, ctx.theme.fail);
    }
}

fn why_empty(screen: &Loads, ctx: &Context<'_>) -> String {
    match &screen.failure {
        Some(failure) => printable(failure),
        None if !screen.files.is_open() => "asking …".to_owned(),
        None if screen.failed_only && !ctx.filter.is_active() => "no file has failed".to_owned(),
        None if screen.files.len() > 0 => "no file passes the filter".to_owned(),
        None if ctx.snapshot.warehouse.is_some() => {
            "no file is known yet; the copy history is asked for when the warehouse is woken".to_owned()
        }
        None => "no file has been loaded yet; the first batch comes within its window".to_owned(),
    }
}

fn cells(file: &LoadedFile, ctx: &Context<'_>) -> Vec<Cell> {
    let lit = lit(file);
    let loaded = match ctx.pipeline_now().duration_since(file.loaded_at) {
        _ if is_pending(file) => ABSENT.to_owned(),
        age if age > A_DAY => file.loaded_at.to_zoned(ctx.zone.clone()).strftime("%m-%d %H:%M").to_string(),
        _ => time(file.loaded_at, ctx.zone),
    };
    let rows = if is_loaded(file) { file.rows_loaded } else { file.rows_parsed };
    vec![
        loaded.into(),
        printable(&file.file).into(),
        printable(&file.pipe).into(),
        count(rows).into(),
        duplicates(file, ctx).into(),
        bytes(file.bytes).into(),
        Cell::styled(format!("{} {}", lamp::glyph(lit), printable(&file.status)), lamp::style(lit, ctx.theme)),
        first_error(file).unwrap_or_default().into(),
    ]
}

/// Messages of it that were there already; what Snowflake doesn't say is no zero.
pub fn duplicates(file: &LoadedFile, ctx: &Context<'_>) -> String {
    if ctx.snapshot.warehouse.is_some() { ABSENT.to_owned() } else { count(file.duplicates) }
}

/// `line 3, column 41: expected …`.
pub fn first_error(file: &LoadedFile) -> Option<String> {
    let error = printable(file.first_error.as_ref()?);
    Some(match (file.first_error_line, file.first_error_column) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: {error}"),
        (Some(line), None) => format!("line {line}: {error}"),
        _ => error,
    })
}

/// What is to be done about a file that failed.
pub const NEXT_STEP: &str = "to load it, put it back mended under a new name, then R";

/// What is copied of a file: [`line`], and what is to be done where it failed.
pub fn copied(file: &LoadedFile) -> String {
    match lit(file) {
        Lamp::Failed => format!("{}; {NEXT_STEP}", line(file)),
        _ => line(file),
    }
}

/// What the filter is held against.
pub fn line(file: &LoadedFile) -> String {
    format!("{} {} {} {} {}", file.file, file.pipe, file.table, file.status, first_error(file).unwrap_or_default())
        .trim_end()
        .to_owned()
}

fn number(n: usize) -> String {
    count(n as u64)
}

/// A whole number as a cell.
pub fn whole(n: u64) -> export::Cell {
    i64::try_from(n).map_or_else(|_| export::Cell::Text(n.to_string()), export::Cell::Integer)
}

/// The files shown, as a table.
pub fn table<'a>(shown: impl Iterator<Item = &'a LoadedFile>) -> Exportable {
    use export::Cell::{Absent, Text, Time};
    let columns = [
        "file",
        "pipe",
        "table",
        "loaded at",
        "status",
        "rows parsed",
        "rows loaded",
        "duplicates",
        "size bytes",
        "first error",
        "first error line",
        "first error column",
    ];
    let row = |file: &LoadedFile| {
        vec![
            Text(file.file.clone()),
            Text(file.pipe.clone()),
            Text(file.table.clone()),
            if is_pending(file) { Absent } else { Time(file.loaded_at) },
            Text(file.status.clone()),
            whole(file.rows_parsed),
            whole(file.rows_loaded),
            whole(file.duplicates),
            whole(file.bytes),
            file.first_error.clone().map_or(Absent, Text),
            file.first_error_line.map_or(Absent, whole),
            file.first_error_column.map_or(Absent, whole),
        ]
    };
    Exportable::Table(export::Table {
        name: "copy-history".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: shown.map(row).collect(),
    })
}
