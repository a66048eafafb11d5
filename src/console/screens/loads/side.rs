//! Beside the history: the queue, the newest row, and how long a message takes from roof to table.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::export::{self, Exportable};
use crate::console::screens::{Context, newest_measurement_row};
use crate::console::widgets::histogram::{self, latency_bins};
use crate::console::widgets::pane;
use crate::console::widgets::value::{ABSENT, age, counted, fit, seconds, wrap};
use crate::owner::WarehouseView;
use crate::station::text::printable;

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
    for trouble in troubles(ctx, usize::from(inner.width)) {
        write(&trouble, ctx.theme.fail);
    }
    for (name, text) in figures(ctx) {
        write(&format!("{name:<15} {text}"), ctx.theme.text);
    }
    let latencies = &ctx.snapshot.roof_to_table_s;
    write("", ctx.theme.text);
    write("roof to table, messages by time", ctx.theme.title);
    if latencies.is_empty() {
        let words = match ctx.snapshot.warehouse {
            Some(_) => "no batch is known to be loaded",
            None => "no message has come through yet",
        };
        write(words, ctx.theme.dim);
        return;
    }
    let about = format!("{} newest, median {}", latencies.len(), seconds(median(latencies)));
    write(&about, ctx.theme.dim);
    let rest = Rect { y, height: inner.bottom() - y, ..inner };
    histogram::render(buf, rest, &latency_bins(latencies), ctx.theme);
}

/// Of a watched warehouse: why what is shown is old.
fn troubles(ctx: &Context<'_>, room: usize) -> Vec<String> {
    let Some(warehouse) = &ctx.snapshot.warehouse else { return Vec::new() };
    let since = warehouse.asked_at.filter(|_| warehouse.is_stale);
    let stale = since.map(|at| format!("pipes as of {} ago", age(at, ctx.pipeline_now())));
    let told = [&warehouse.trouble, &warehouse.rows_trouble].into_iter().flatten();
    let told = told.flat_map(|words| wrap(&format!("✖ {}", printable(words)), room, 4));
    stale.into_iter().chain(told).collect()
}

/// Of a watched warehouse: what watching costs, and how old what is shown of files and rows is.
fn watched(warehouse: &WarehouseView, since: impl Fn(Option<Timestamp>) -> String) -> [(&'static str, String); 4] {
    let credits = warehouse.credits_today.map_or_else(|| ABSENT.to_owned(), |credits| format!("{credits:.2}"));
    let next = match warehouse.next_wake_at {
        Some(at) if warehouse.spent => at.strftime("spent until %m-%d %H:%MZ").to_string(),
        Some(at) => at.strftime("from %H:%MZ on").to_string(),
        None => "when a pipe moves".to_owned(),
    };
    [
        ("files and rows", format!("{} old", since(warehouse.woke_at))),
        ("asked again", next),
        ("wakes today", format!("{} of {}", warehouse.wakes_today, warehouse.wakes_per_day)),
        ("credits today", format!("{credits} of {}", warehouse.credits_per_day)),
    ]
}

fn figures(ctx: &Context<'_>) -> Vec<(&'static str, String)> {
    let (notices, now) = (&ctx.snapshot.notices, ctx.pipeline_now());
    let since = |at: Option<Timestamp>| at.map_or_else(|| ABSENT.to_owned(), |at| age(at, now));
    let newest = newest_measurement_row(ctx.snapshot);
    // Files wait at their pipes once their notices have been taken: a paused pipe has many, and the queue none.
    let pending: u64 = ctx.snapshot.pipes.iter().map(|pipe| pipe.pending_files).sum();
    let oldest_pending = ctx.snapshot.pipes.iter().filter_map(|pipe| pipe.oldest_pending_at).min();
    if let Some(warehouse) = &ctx.snapshot.warehouse {
        let mut figures = vec![
            ("pending", counted(pending, "file")),
            ("oldest pending", since(oldest_pending)),
            ("newest measurement row", newest.map_or_else(|| ABSENT.to_owned(), |at| age(at, now))),
        ];
        let queue = ctx.snapshot.storage.as_ref().and_then(|storage| storage.queue.as_ref());
        if queue.is_some_and(|queue| queue.trouble.is_none()) {
            figures.insert(0, ("oldest notice", since(notices.oldest_at)));
            figures.insert(0, ("queue", counted(notices.depth, "notice")));
        }
        figures.extend(watched(warehouse, since));
        return figures;
    }
    vec![
        ("queue", counted(notices.depth, "notice")),
        ("oldest notice", since(notices.oldest_at)),
        ("set aside", counted(notices.set_aside, "notice")),
        ("pending", counted(pending, "file")),
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
