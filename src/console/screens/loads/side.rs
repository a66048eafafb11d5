//! Beside the history: the queue, the newest row, and how long a message takes from roof to table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::export::{self, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::histogram::{self, latency_bins};
use crate::console::widgets::pane;
use crate::console::widgets::value::{ABSENT, age, count, fit, seconds};

/// Draws the pane; nothing where it has no room.
pub fn render(buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    if area.width < 4 || area.height < 3 {
        return;
    }
    let inner = pane::render(buf, area, "Queue and latency", false, ctx.theme);
    let mut y = inner.y;
    let mut write = |text: &str, style: Style| {
        if y < inner.bottom() {
            let room = usize::from(inner.width);
            buf.set_stringn(inner.x, y, fit(text, room), room, style);
            y += 1;
        }
    };
    for (name, text) in figures(ctx) {
        write(&format!("{name:<14}{text}"), ctx.theme.text);
    }
    let latencies = &ctx.snapshot.roof_to_table_s;
    write("", ctx.theme.text);
    write("roof to table, messages by time", ctx.theme.title);
    if latencies.is_empty() {
        write("no message has come through yet", ctx.theme.dim);
        return;
    }
    let about = format!("{} newest, median {}", latencies.len(), seconds(median(latencies)));
    write(&about, ctx.theme.dim);
    let rest = Rect { y, height: inner.bottom() - y, ..inner };
    histogram::render(buf, rest, &latency_bins(latencies), ctx.theme);
}

fn figures(ctx: &Context<'_>) -> [(&'static str, String); 4] {
    let (notices, now) = (&ctx.snapshot.notices, ctx.pipeline_now());
    let newest = ctx.snapshot.pipes.iter().filter_map(|pipe| pipe.newest_row_at).max();
    [
        ("queue", format!("{} notices", count(notices.depth))),
        ("oldest notice", notices.oldest_at.map_or_else(|| ABSENT.to_owned(), |at| age(at, now))),
        ("set aside", format!("{} notices", count(notices.set_aside))),
        ("newest row", newest.map_or_else(|| ABSENT.to_owned(), |at| format!("{} old", age(at, now)))),
    ]
}

/// The middle value; the upper one of two.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The latencies in bins, as a table.
pub fn table(ctx: &Context<'_>) -> Exportable {
    let bins = latency_bins(&ctx.snapshot.roof_to_table_s);
    Exportable::Table(export::Table {
        name: "latency".to_owned(),
        columns: vec!["roof to table".to_owned(), "messages".to_owned()],
        rows: bins
            .into_iter()
            .map(|bin| vec![export::Cell::Text(bin.label), super::history::whole(bin.count)])
            .collect(),
    })
}
