//! The eight stages in a row, from roof to nowcast, and what is to be said of the selected one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::screens::Context;
use crate::console::widgets::value::{self, fit, width, wrap};
use crate::console::widgets::{lamp, pane};
use crate::owner::{Lamp, Stage};
use crate::station::text::printable;

/// Draws the pane.
pub(super) fn render(buffer: &mut Buffer, area: Rect, selected: usize, focused: bool, ctx: &Context<'_>) {
    if area.is_empty() {
        return;
    }
    let inner = pane::render(buffer, area, "Pipeline", focused, ctx.theme);
    if inner.is_empty() || ctx.snapshot.stages.is_empty() {
        return;
    }
    let foot = sentence_rows(inner, ctx.snapshot.stages.get(selected));
    let above = Rect { height: inner.height.saturating_sub(foot), ..inner };
    for (i, stage) in ctx.snapshot.stages.iter().enumerate() {
        let last = i + 1 == ctx.snapshot.stages.len();
        render_stage(buffer, cell(above, i, ctx.snapshot.stages.len()), stage, i == selected, last, ctx);
    }
    if let Some(stage) = ctx.snapshot.stages.get(selected) {
        render_sentence(buffer, inner, stage, ctx);
    }
}

/// A stage's column.
fn cell(inner: Rect, i: usize, count: usize) -> Rect {
    let (i, count) = (u32::try_from(i).unwrap_or(0), u32::try_from(count.max(1)).unwrap_or(1));
    let start = |i: u32| u16::try_from(u32::from(inner.width) * i / count).unwrap_or(0);
    Rect { x: inner.x + start(i), width: start(i + 1) - start(i), ..inner }
}

/// The stage at a column of the pane.
pub(super) fn stage_at(area: Rect, column: u16) -> Option<usize> {
    let inner = area.inner(ratatui::layout::Margin::new(1, 1));
    (0..8).find(|i| (cell(inner, *i, 8).left()..cell(inner, *i, 8).right()).contains(&column))
}

/// Rows that the sentence on the selected stage has at the pane's foot: an error's next step stands at its end.
fn sentence_rows(inner: Rect, selected: Option<&Stage>) -> u16 {
    let has_error = selected.is_some_and(|stage| stage.last_error.is_some());
    if inner.height >= 8 || (has_error && inner.height >= 5) { 2 } else { 1 }
}

fn render_stage(buffer: &mut Buffer, cell: Rect, stage: &Stage, selected: bool, last: bool, ctx: &Context<'_>) {
    let theme = ctx.theme;
    // The space before the next stage's text parts the two.
    let room = usize::from(cell.width).saturating_sub(1);
    let narrow = cell.width < 12;
    let bottom = cell.bottom();
    let mut y = cell.y;
    let mut put = |text: &str, style: Style| {
        if y < bottom {
            buffer.set_stringn(cell.x + 1, y, fit(text, room), room, style);
            y += 1;
        }
    };
    let lamp_style = lamp::style(stage.lamp, theme);
    put(stage.name.label(), if selected { theme.title.patch(theme.selection) } else { theme.title });
    let word = match () {
        () if ctx.stale => "stale",
        () if narrow => short_word(stage.lamp),
        () => lamp::word(stage.lamp),
    };
    put(&format!("{} {word}", lamp::glyph(stage.lamp)), lamp_style);
    put(&or_absent(&stage.headline), theme.text);
    // Where it is narrow the sentence on the selected stage tells the detail.
    let detail_rows = if narrow { 0 } else { 2 };
    let detail = wrap(&printable(&stage.detail), room, detail_rows);
    for i in 0..detail_rows {
        put(detail.get(i).map_or("", String::as_str), theme.dim);
    }
    if let Some(lag) = stage.lag_s {
        put(&format!("+{}", value::seconds(lag)), theme.dim);
    }
    if !last {
        arrow(buffer, cell, stage, ctx);
    }
}

/// The arrow to the next stage, on the line of the names.
fn arrow(buffer: &mut Buffer, cell: Rect, stage: &Stage, ctx: &Context<'_>) {
    let start = cell.x + 2 + u16::try_from(width(stage.name.label())).unwrap_or(0);
    let room = cell.right().saturating_sub(start);
    if room >= 1 {
        let shaft = "─".repeat(usize::from(room.min(4)) - 1);
        buffer.set_string(start, cell.y, format!("{shaft}▶"), ctx.theme.border);
    }
}

const fn short_word(lamp: Lamp) -> &'static str {
    match lamp {
        Lamp::Warning => "late",
        lamp => lamp::word(lamp),
    }
}

fn or_absent(text: &str) -> String {
    if text.is_empty() { value::ABSENT.into() } else { printable(text) }
}

fn render_sentence(buffer: &mut Buffer, inner: Rect, stage: &Stage, ctx: &Context<'_>) {
    let rows = sentence_rows(inner, Some(stage));
    if inner.height <= rows {
        return;
    }
    let style = if stage.last_error.is_some() { ctx.theme.warn } else { ctx.theme.dim };
    let room = usize::from(inner.width).saturating_sub(2);
    let lines = wrap(&sentence(stage), room, rows.into());
    for (y, line) in (inner.bottom() - rows..inner.bottom()).zip(lines) {
        buffer.set_stringn(inner.x + 1, y, line, room, style);
    }
}

/// All that is known of a stage, in a sentence; the last error with what to do next.
pub(super) fn sentence(stage: &Stage) -> String {
    let mut parts = vec![format!("{} {}", stage.name.label(), lamp::word(stage.lamp))];
    if let Some(error) = &stage.last_error {
        parts.push(printable(error));
        return parts.join(": ");
    }
    parts.extend([&stage.headline, &stage.detail].into_iter().filter(|text| !text.is_empty()).map(|t| printable(t)));
    if let Some(rate) = stage.rate_per_s {
        parts.push(format!("{rate:.2}/s over the last minute"));
    }
    if let Some(lag) = stage.lag_s {
        parts.push(format!("{} after the stage before (median)", value::seconds(lag)));
    }
    if stage.missing {
        parts.push("not provisioned; plan and apply on 2 Plans make it".into());
    } else {
        parts.push("no error since the start".into());
    }
    parts.join(" · ")
}
