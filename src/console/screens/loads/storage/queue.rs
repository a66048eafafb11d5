//! Beside the batches: the queue that announces them with what no pipe takes, the last picture, and what ends.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget as _;

use crate::console::export::{self, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::{ABSENT, age, count, counted, fit, fit_end, seconds, width, wrap};
use crate::console::widgets::{lamp, pane};
use crate::owner::{ExpiryView, LastPicture, PoisonView, StorageView};
use crate::station::text::printable;

const NOTICES: [Column; 3] =
    [Column::text("where", 5), Column::number("age", 11), Column::text("what is wrong", 12).fill()];

/// The notices that no pipe takes: those in the queue, then those that were taken off.
pub fn notices<'a>(ctx: &Context<'a>) -> Vec<&'a PoisonView> {
    let queue = ctx.snapshot.storage.as_ref().and_then(|view| view.queue.as_ref());
    queue.map_or_else(Vec::new, |queue| queue.poison.iter().chain(&queue.aside).collect())
}

/// Draws the queue.
pub fn render(
    view: &StorageView,
    buf: &mut Buffer,
    area: Rect,
    (focused, selection): (bool, Selection),
    ctx: &Context<'_>,
) {
    if area.width < 4 || area.height < 3 {
        return;
    }
    let inner = pane::render(buf, area, "Queue of notices", focused, ctx.theme);
    let room = usize::from(inner.width);
    let mut lines: Vec<(String, Style)> = Vec::new();
    match &view.queue {
        None => lines.push((no_queue(view).to_owned(), ctx.theme.dim)),
        Some(queue) => {
            if let Some(trouble) = &queue.trouble {
                let words = wrap(&format!("✖ {}", printable(trouble)), room, 5);
                lines.extend(words.into_iter().map(|line| (line, ctx.theme.fail)));
            } else {
                let oldest = queue.oldest_at.map(|at| format!(", the oldest {}", age(at, ctx.pipeline_now())));
                let depth = format!("{}{}", counted(queue.depth, "notice"), oldest.unwrap_or_default());
                lines.push((depth, ctx.theme.text));
                let empty = queue.of_empty_batches.filter(|count| *count > 0);
                lines.extend(empty.map(|of| (format!("{of} of empty batches"), ctx.theme.warn)));
            }
            let aside = count(queue.aside.len() as u64);
            let style = if queue.poison.is_empty() { ctx.theme.text } else { ctx.theme.warn };
            lines.push((format!("{} that no pipe takes, {aside} aside", queue.poison.len()), style));
        }
    }
    let mut y = inner.y;
    for (text, style) in lines {
        if y < inner.bottom() {
            buf.set_stringn(inner.x, y, fit(&text, room), room, style);
            y += 1;
        }
    }
    let shown = notices(ctx);
    let rest = Rect { y, height: inner.bottom() - y, ..inner };
    if shown.is_empty() || rest.height < 2 {
        return;
    }
    let row = |i: usize| shown.get(i).map(|notice| cells(notice, ctx)).unwrap_or_default();
    table::render(buf, rest, &NOTICES, shown.len(), row, focused.then_some(selection), ctx.theme);
}

const fn no_queue(view: &StorageView) -> &'static str {
    if view.own { "no queue is provisioned: batches are announced nowhere" } else { "not watched; set azure.queue" }
}

fn cells(notice: &PoisonView, ctx: &Context<'_>) -> Vec<Cell> {
    let (word, style) = match notice.aside_at {
        Some(_) => ("aside", ctx.theme.dim),
        None => ("in it", ctx.theme.warn),
    };
    let at = notice.aside_at.or(notice.put_at);
    let at = at.map_or_else(|| ABSENT.to_owned(), |at| age(at, ctx.pipeline_now()));
    // What it should be is the same for all; what is wrong with it isn't.
    let reason = notice.reason.rsplit_once("event: ").map_or(notice.reason.as_str(), |(_, reason)| reason);
    vec![Cell::styled(word, style), at.into(), printable(reason).into()]
}

/// Rows of [`render_ends`] in a pane of `columns`.
pub fn ends_rows(view: &StorageView, columns: u16, ctx: &Context<'_>) -> u16 {
    u16::try_from(ends_lines(view, usize::from(columns.saturating_sub(2)), ctx).len()).unwrap_or(u16::MAX)
}

fn ends_lines(view: &StorageView, room: usize, ctx: &Context<'_>) -> Vec<Line<'static>> {
    let ends = view.expiries.iter().flat_map(|expiry| ends(expiry, room, ctx));
    ends.chain(view.picture.iter().flat_map(|picture| last(picture, room, ctx))).collect()
}

/// Draws the last picture, and what ends, the first to end first.
pub fn render_ends(view: &StorageView, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    if area.width < 4 || area.height < 3 {
        return;
    }
    let title = match (view.expiries.is_empty(), &view.picture) {
        (true, _) => "Last picture",
        (false, None) => "What ends",
        (false, Some(_)) => "What ends, last picture",
    };
    let inner = pane::render(buf, area, title, false, ctx.theme);
    let lines = ends_lines(view, usize::from(inner.width), ctx);
    let cut = lines.len() > usize::from(inner.height);
    for (y, line) in (inner.y..inner.bottom()).zip(lines) {
        line.render(Rect { y, height: 1, ..inner }, buf);
    }
    if cut && !inner.is_empty() {
        buf.set_stringn(inner.right() - 1, inner.bottom() - 1, "…", 1, ctx.theme.key);
    }
}

/// In one line where there is room for it, else in two.
fn ends(expiry: &ExpiryView, room: usize, ctx: &Context<'_>) -> Vec<Line<'static>> {
    let left = expiry.ends_at.duration_since(ctx.pipeline_now());
    let when = if left.is_negative() {
        expiry.ends_at.strftime("ended %Y-%m-%d %H:%MZ").to_string()
    } else {
        format!("in {}", seconds(left.as_secs_f64()))
    };
    let style = lamp::style(expiry.lamp, ctx.theme);
    let what = format!("{} {}", lamp::glyph(expiry.lamp), printable(&expiry.what));
    let one = format!("{what} {when}");
    if width(&one) <= room {
        return vec![Line::styled(one, style)];
    }
    let fitted = |text: &str| Line::styled(fit(text, room).into_owned(), style);
    vec![fitted(&what), fitted(&format!("  {when}"))]
}

fn last(picture: &LastPicture, room: usize, ctx: &Context<'_>) -> Vec<Line<'static>> {
    if let Some(trouble) = &picture.trouble {
        let parts = wrap(&format!("✖ picture: {}", printable(trouble)), room, 2);
        return parts.into_iter().map(|part| Line::styled(part, ctx.theme.fail)).collect();
    }
    let Some(newest) = &picture.newest else {
        return vec![Line::styled("no picture in the last three days", ctx.theme.warn)];
    };
    vec![
        Line::styled(format!("picture {} ago", age(newest.written_at, ctx.pipeline_now())), ctx.theme.text),
        Line::styled(format!("  {}", fit_end(&printable(&newest.name), room.saturating_sub(2))), ctx.theme.dim),
    ]
}

/// The notices that no pipe takes, as a table.
pub fn table(ctx: &Context<'_>) -> Exportable {
    use export::Cell::{Absent, Text, Time};
    let row = |notice: &PoisonView| {
        vec![
            Text(notice.id.clone()),
            notice.put_at.map_or(Absent, Time),
            notice.aside_at.map_or(Absent, Time),
            Text(notice.reason.clone()),
            Text(notice.content.clone()),
        ]
    };
    Exportable::Table(export::Table {
        name: "notices".to_owned(),
        columns: ["id", "put at", "aside at", "reason", "content"].map(str::to_owned).to_vec(),
        rows: notices(ctx).into_iter().map(row).collect(),
    })
}

/// What ends, as a table.
pub fn ends_table(view: &StorageView) -> Exportable {
    let row = |expiry: &ExpiryView| vec![export::Cell::Text(expiry.what.clone()), export::Cell::Time(expiry.ends_at)];
    Exportable::Table(export::Table {
        name: "ends".to_owned(),
        columns: ["what", "ends at"].map(str::to_owned).to_vec(),
        rows: view.expiries.iter().map(row).collect(),
    })
}
