//! One row a container: how new its newest batch is, how many come, what is missing.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::history::whole;
use crate::console::export::{self, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::histogram::{self, Bin};
use crate::console::widgets::pane;
use crate::console::widgets::sparkline::from_zero;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::{ABSENT, age, bytes, count, fit, hour_minute, wrap};
use crate::owner::{ContainerView, StorageView};
use crate::station::text::printable;

/// Columns of the table; with 24 hours where there is room, else with 12 characters for them.
const COLUMNS: [Column; 8] = columns(24);
const NARROW: [Column; 8] = columns(12);
/// What a wide terminal has room for besides.
const MORE: [Column; 2] = [Column::text("newest batch", 34).keep_end(), Column::text("what is wrong", 20).fill()];
/// Columns from which each is used.
const WIDE: u16 = 160;
const MEDIUM: u16 = 96;

const fn columns(hours: u16) -> [Column; 8] {
    [
        Column::text("container", 20).fill().keep_end(),
        Column::number("newest", 11),
        Column::number("size", 9).gives_way(3),
        Column::number("/h", 3),
        Column::text("24 hours", hours).gives_way(4),
        Column::number("in 24 h", 9).gives_way(5),
        Column::number("empty", 5).gives_way(2),
        Column::text("gaps", 9).gives_way(1),
    ]
}

fn columns_for(room: u16) -> Vec<Column> {
    match room {
        WIDE.. => {
            let [_, rest @ ..] = COLUMNS;
            std::iter::once(Column::text("container", 26).keep_end()).chain(rest).chain(MORE).collect()
        }
        MEDIUM.. => COLUMNS.to_vec(),
        _ => NARROW.to_vec(),
    }
}

/// Rows of what is wrong with the selected container.
const WORDS: usize = 3;

/// Draws the containers; the last rows are for what is wrong with the selected one.
pub fn render(
    view: &StorageView,
    buf: &mut Buffer,
    area: Rect,
    (focused, selection): (bool, Selection),
    ctx: &Context<'_>,
) {
    let room = area.width.saturating_sub(2);
    let columns = &columns_for(room);
    let looked = match (view.own, view.looked_at) {
        (true, _) => "as they are now".to_owned(),
        (false, Some(at)) => format!("looked at {} ago", age(at, ctx.pipeline_now())),
        (false, None) => "looking …".to_owned(),
    };
    let hidden = table::hidden(columns, room);
    let note = [Some(looked), hidden].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let inner = pane::render_with_note(buf, area, "Containers", &note, focused, ctx.theme);
    if inner.is_empty() {
        return;
    }
    let room = usize::from(inner.width);
    if view.containers.is_empty() {
        let words =
            if view.own { "no container is provisioned; plan and apply on 2 Plans make them" } else { "looking …" };
        buf.set_stringn(inner.x, inner.y, fit(words, room), room, ctx.theme.dim);
        return;
    }
    let selected = view.containers.get(selection.row.min(view.containers.len() - 1));
    let foot = word_rows(selected, area.width, ctx);
    let told = selected.filter(|_| foot > 0).and_then(|container| words(container, ctx));
    let lines = told.map_or_else(Vec::new, |words| wrap(&words, room, WORDS));
    let height = if inner.height > foot + 1 { inner.height - foot } else { inner.height };
    let row = |i: usize| view.containers.get(i).map(|container| cells(container, columns, ctx)).unwrap_or_default();
    // The selected container is the one whose batches are shown, with the focus or without.
    table::render(buf, Rect { height, ..inner }, columns, view.containers.len(), row, Some(selection), ctx.theme);
    for (y, text) in (inner.y + height..inner.bottom()).zip(lines) {
        buf.set_stringn(inner.x, y, text, room, ctx.theme.fail);
    }
}

/// Rows that what is wrong with a container takes, in a pane of `columns`.
pub fn word_rows(container: Option<&ContainerView>, columns: u16, ctx: &Context<'_>) -> u16 {
    let words = container.and_then(|container| words(container, ctx));
    let rows = words.map_or(0, |words| wrap(&words, usize::from(columns.saturating_sub(2)), WORDS).len());
    u16::try_from(rows).unwrap_or(0)
}

/// What is wrong with a container: why it isn't known, or its newest gap.
fn words(container: &ContainerView, ctx: &Context<'_>) -> Option<String> {
    if let Some(trouble) = &container.trouble {
        return Some(format!("✖ {}", printable(trouble)));
    }
    let gaps = container.gaps.as_ref()?;
    let gap = gaps.last()?;
    let clock = |at: Timestamp| hour_minute(at, ctx.zone);
    let (from, to, messages) = (clock(gap.from), clock(gap.to), count(gap.messages));
    let others = if gaps.len() > 1 { format!("; {} before it", gaps.len() - 1) } else { String::new() };
    Some(format!("✖ {from} to {to}: {messages} messages came, and no batch{others}"))
}

fn cells(container: &ContainerView, columns: &[Column], ctx: &Context<'_>) -> Vec<Cell> {
    let theme = ctx.theme;
    let is_known = container.trouble.is_none() || container.newest.is_some();
    let known = |text: String| if is_known { text } else { ABSENT.to_owned() };
    let newest = container.newest.as_ref();
    let width = columns.get(4).map_or(24, |column| usize::from(column.width));
    let hours: Vec<_> = container.per_hour.iter().map(|batches| Some(f64::from(*batches))).collect();
    let empty = if container.empty > 0 { theme.warn } else { theme.text };
    let gaps = match (&container.trouble, &container.gaps) {
        (Some(_), _) => Cell::styled("✖ trouble", theme.fail),
        (None, None) => Cell::styled(ABSENT, theme.dim),
        (None, Some(gaps)) if gaps.is_empty() => "none".into(),
        (None, Some(gaps)) => Cell::styled(format!("✖ {}", count(gaps.len() as u64)), theme.fail),
    };
    vec![
        printable(&container.name).into(),
        newest.map_or_else(|| ABSENT.to_owned(), |batch| age(batch.written_at, ctx.pipeline_now())).into(),
        newest.map_or_else(|| ABSENT.to_owned(), |batch| bytes(batch.bytes)).into(),
        container.last_hour().map_or_else(|| ABSENT.to_owned(), |batches| count(u64::from(batches))).into(),
        Cell::styled(from_zero(&hours, width), theme.ok),
        known(bytes(container.bytes)).into(),
        Cell::styled(known(count(container.empty)), empty),
        gaps,
        newest.map_or_else(|| ABSENT.to_owned(), |batch| printable(&batch.name)).into(),
        Cell::styled(words(container, ctx).unwrap_or_default(), theme.fail),
    ]
}

/// Draws the hours of a container, the newest first.
pub fn render_hours(container: Option<&ContainerView>, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    if area.width < 4 || area.height < 3 {
        return;
    }
    let inner = pane::render(buf, area, "Batches an hour", false, ctx.theme);
    let Some(container) = container.filter(|container| !container.per_hour.is_empty()) else { return };
    let bin = |(hours, batches): (usize, &u32)| {
        let label = if hours == 0 { "last hour".to_owned() } else { format!("{hours} h before") };
        Bin { label, count: u64::from(*batches) }
    };
    let bins: Vec<_> = container.per_hour.iter().rev().enumerate().map(bin).collect();
    histogram::render(buf, inner, &bins, ctx.theme);
}

/// The containers, as a table.
pub fn table(view: &StorageView) -> Exportable {
    use export::Cell::{Absent, Text, Time};
    let names = [
        "container",
        "newest batch",
        "newest size bytes",
        "newest written at",
        "batches last hour",
        "batches 24 hours",
        "bytes 24 hours",
        "empty",
        "gaps",
        "trouble",
    ];
    let row = |container: &ContainerView| {
        let newest = container.newest.as_ref();
        vec![
            Text(container.name.clone()),
            newest.map_or(Absent, |batch| Text(batch.name.clone())),
            newest.map_or(Absent, |batch| whole(batch.bytes)),
            newest.map_or(Absent, |batch| Time(batch.written_at)),
            container.last_hour().map_or(Absent, |batches| whole(u64::from(batches))),
            if container.per_hour.is_empty() {
                Absent
            } else {
                whole(container.per_hour.iter().map(|batches| u64::from(*batches)).sum())
            },
            whole(container.bytes),
            whole(container.empty),
            container.gaps.as_ref().map_or(Absent, |gaps| whole(gaps.len() as u64)),
            container.trouble.clone().map_or(Absent, Text),
        ]
    };
    Exportable::Table(export::Table {
        name: "containers".to_owned(),
        columns: names.map(str::to_owned).to_vec(),
        rows: view.containers.iter().map(row).collect(),
    })
}

/// The gaps of every container, as a table.
pub fn gaps_table(view: &StorageView) -> Exportable {
    let rows = view.containers.iter().flat_map(|container| {
        container.gaps.iter().flatten().map(|gap| {
            vec![
                export::Cell::Text(container.name.clone()),
                export::Cell::Time(gap.from),
                export::Cell::Time(gap.to),
                whole(gap.messages),
            ]
        })
    });
    Exportable::Table(export::Table {
        name: "gaps".to_owned(),
        columns: ["container", "from", "to", "messages"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
    })
}
