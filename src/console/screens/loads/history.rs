//! The copy history: what became of every file.

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

const COLUMNS: [Column; 8] = [
    Column::text("loaded", 8),
    Column::text("file", 16).fill().keep_end(),
    Column::text("pipe", 24).gives_way(6),
    Column::number("rows", 6),
    Column::number("duplicates", 10).gives_way(4),
    Column::number("size", 9).gives_way(3),
    Column::text("status", 14),
    Column::text("first error", 46).gives_way(5),
];

/// Whether every row went in.
pub fn is_loaded(file: &LoadedFile) -> bool {
    file.status == "Loaded"
}

/// Whether nothing has become of it yet.
pub fn is_pending(file: &LoadedFile) -> bool {
    file.status == "Pending"
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
    let all = screen.files.as_ref().map_or(0, Vec::len);
    let count = if shown.len() < all { format!("{} of {all} files", shown.len()) } else { format!("{all} files") };
    let hidden = table::hidden(&COLUMNS, area.width.saturating_sub(2)).filter(|_| !shown.is_empty());
    let note = [Some(count), hidden].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let inner = pane::render_with_note(buf, area, title, &note, focused, ctx.theme);
    if inner.is_empty() {
        return;
    }
    let room = usize::from(inner.width);
    if shown.is_empty() {
        for (y, text) in (inner.y..inner.bottom()).zip(wrap(&why_empty(screen), room, usize::from(inner.height))) {
            buf.set_stringn(inner.x, y, text, room, ctx.theme.dim);
        }
        return;
    }
    let selected = shown.get(screen.file.row.min(shown.len() - 1)).filter(|_| focused);
    let error = selected.and_then(|file| first_error(file));
    let height = inner.height.saturating_sub(u16::from(error.is_some() && inner.height > 3));
    let row = |i: usize| shown.get(i).map(|file| cells(file, ctx)).unwrap_or_default();
    let selection = focused.then_some(screen.file);
    table::render(buf, Rect { height, ..inner }, &COLUMNS, shown.len(), row, selection, ctx.theme);
    if let Some(error) = error.filter(|_| height < inner.height) {
        let text = fit(&format!("✖ {error}"), room).into_owned();
        buf.set_stringn(inner.x, inner.bottom() - 1, text, room, ctx.theme.fail);
    }
}

fn why_empty(screen: &Loads) -> String {
    match (&screen.failure, &screen.files) {
        (Some(failure), _) => printable(failure),
        (None, None) => "asking …".to_owned(),
        (None, Some(files)) if !files.is_empty() => "no file passes the filter".to_owned(),
        (None, Some(_)) if screen.failed_only => "no file has failed".to_owned(),
        (None, Some(_)) => "no file has been loaded yet; the first batch comes within its window".to_owned(),
    }
}

fn cells(file: &LoadedFile, ctx: &Context<'_>) -> Vec<Cell> {
    let lit = lit(file);
    let loaded = if is_pending(file) { ABSENT.to_owned() } else { time(file.loaded_at, ctx.zone) };
    let rows = if is_loaded(file) { file.rows_loaded } else { file.rows_parsed };
    vec![
        loaded.into(),
        printable(&file.file).into(),
        printable(&file.pipe).into(),
        count(rows).into(),
        count(file.duplicates).into(),
        bytes(file.bytes).into(),
        Cell::styled(format!("{} {}", lamp::glyph(lit), printable(&file.status)), lamp::style(lit, ctx.theme)),
        first_error(file).unwrap_or_default().into(),
    ]
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

/// A whole number as a cell.
pub fn whole(n: u64) -> export::Cell {
    i64::try_from(n).map_or_else(|_| export::Cell::Text(n.to_string()), export::Cell::Integer)
}

/// The files shown, as a table.
pub fn table(shown: &[&LoadedFile]) -> Exportable {
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
    let row = |file: &&LoadedFile| {
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
        rows: shown.iter().map(row).collect(),
    })
}
