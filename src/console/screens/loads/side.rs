//! Beside the history: the queue, the newest row, and how long a message takes from roof to table.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::export::{self, Exportable};
use crate::console::screens::{Context, newest_measurement_row};
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
        write(&format!("{name:<15} {text}"), ctx.theme.text);
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

fn figures(ctx: &Context<'_>) -> [(&'static str, String); 6] {
    let (notices, now) = (&ctx.snapshot.notices, ctx.pipeline_now());
    let since = |at: Option<Timestamp>| at.map_or_else(|| ABSENT.to_owned(), |at| age(at, now));
    let newest = newest_measurement_row(ctx.snapshot);
    // Files wait at their pipes once their notices have been taken: a paused pipe has many, and the queue none.
    let pending: u64 = ctx.snapshot.pipes.iter().map(|pipe| pipe.pending_files).sum();
    let oldest_pending = ctx.snapshot.pipes.iter().filter_map(|pipe| pipe.oldest_pending_at).min();
    [
        ("queue", format!("{} notices", count(notices.depth))),
        ("oldest notice", since(notices.oldest_at)),
        ("set aside", format!("{} notices", count(notices.set_aside))),
        ("pending", format!("{} files", count(pending))),
        ("oldest pending", since(oldest_pending)),
        ("newest measurement row", newest.map_or_else(|| ABSENT.to_owned(), |at| age(at, now))),
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
