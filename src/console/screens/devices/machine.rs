//! A machine's figures as lines: bars side by side where there is room, with a mark where the board throttles.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::detail::style_of;
use crate::console::screens::Context;
use crate::console::widgets::lamp;
use crate::console::widgets::value::{self, fit};
use crate::owner::{Gauge, GaugeKind, Lamp};

/// Columns that a label takes.
pub const LABEL: usize = 16;
/// Cells of a gauge's bar.
const BAR: usize = 10;
/// Columns between two gauges.
const GAP: usize = 2;
/// Lines of a text at most.
const MAX_LINES: usize = 3;

/// A line of a device's page.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// A label and words.
    Words { label: String, text: String, style: Style },
    /// A bar of a share, under the words that it is of.
    Share(f64),
    /// Gauges side by side, each so many columns wide.
    Gauges { cells: Vec<Gauge>, width: usize },
}

impl Line {
    /// A fact's words, wrapped to `room` columns, each line a [`Line`].
    pub fn words(label: &str, text: &str, lit: Lamp, room: usize, ctx: &Context<'_>) -> Vec<Self> {
        let text = if lit > Lamp::Ok { format!("{} {text}", lamp::glyph(lit)) } else { text.to_owned() };
        let style = style_of(lit, ctx);
        let label = |i: usize| if i == 0 { label.to_owned() } else { String::new() };
        let lines = value::wrap(&text, room, MAX_LINES).into_iter().enumerate();
        lines.map(|(i, text)| Self::Words { label: label(i), text, style }).collect()
    }
}

/// The gauges as lines of at most `room` columns behind a label.
pub fn lines(gauges: &[Gauge], room: usize, ctx: &Context<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    for kind in gauges.chunk_by(|one, next| one.kind == next.kind) {
        let are_few = matches!(kind[0].kind, GaugeKind::Board | GaugeKind::Network | GaugeKind::Unread);
        if are_few {
            lines.extend(kind.iter().flat_map(|gauge| Line::words(&gauge.label, &gauge.text, gauge.lamp, room, ctx)));
        } else {
            side_by_side(kind, room, ctx, &mut lines);
        }
    }
    lines
}

/// Gauges of one kind: in as many columns as hold the longest. One too long for a line goes on in the next.
fn side_by_side(gauges: &[Gauge], room: usize, ctx: &Context<'_>, lines: &mut Vec<Line>) {
    let text = gauges.iter().map(|gauge| value::width(&words(gauge))).max().unwrap_or(0);
    let width = LABEL + 1 + BAR + 1 + text;
    let all = room + LABEL + 1;
    if width <= all {
        let columns = ((all + GAP) / (width + GAP)).max(1);
        // Down the columns, not along the lines: core after core is found below each other.
        let rows = gauges.len().div_ceil(columns);
        for row in 0..rows {
            let cells = gauges.iter().skip(row).step_by(rows).cloned().collect();
            lines.push(Line::Gauges { cells, width });
        }
        return;
    }
    for gauge in gauges {
        let beside = room.saturating_sub(BAR + 1);
        let mut wrapped = value::wrap(&words(gauge), beside, MAX_LINES).into_iter();
        let first = Gauge { text: wrapped.next().unwrap_or_default(), lamp: Lamp::Unknown, ..gauge.clone() };
        let style = style_of(gauge.lamp, ctx);
        lines.push(Line::Gauges { cells: vec![first], width: all });
        let indented = |text| Line::Words { label: String::new(), text: format!("{:<1$}{text}", "", BAR + 1), style };
        lines.extend(wrapped.map(indented));
    }
}

fn words(gauge: &Gauge) -> String {
    if gauge.lamp > Lamp::Ok { format!("{} {}", lamp::glyph(gauge.lamp), gauge.text) } else { gauge.text.clone() }
}

/// Draws a line at `x`, `y` in `width` columns.
pub fn draw(buffer: &mut Buffer, (x, y): (u16, u16), width: usize, line: &Line, ctx: &Context<'_>) {
    let behind = x.saturating_add(LABEL as u16 + 1);
    let room = width.saturating_sub(LABEL + 1);
    match line {
        Line::Words { label, text, style } => {
            buffer.set_stringn(x, y, fit(label, LABEL), LABEL, ctx.theme.dim);
            buffer.set_stringn(behind, y, text, room, *style);
        }
        Line::Share(share) => {
            let cells = (2 * BAR).min(room.saturating_sub(6));
            let style = if *share >= 0.9 { ctx.theme.warn } else { ctx.theme.ok };
            let end = bar(buffer, (behind, y), cells, *share, None, style, ctx);
            buffer.set_stringn(
                end + 1,
                y,
                format!("{:.0} %", share * 100.0),
                room.saturating_sub(cells + 1),
                ctx.theme.dim,
            );
        }
        Line::Gauges { cells, width: cell } => {
            for (i, one) in cells.iter().enumerate() {
                let at = i * (cell + GAP);
                let left = x.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
                gauge(buffer, (left, y), width.saturating_sub(at).min(*cell), one, ctx);
            }
        }
    }
}

fn gauge(buffer: &mut Buffer, (x, y): (u16, u16), width: usize, gauge: &Gauge, ctx: &Context<'_>) {
    buffer.set_stringn(x, y, fit(&gauge.label, LABEL), LABEL, ctx.theme.dim);
    let style = style_of(gauge.lamp, ctx);
    let start = x.saturating_add(LABEL as u16 + 1);
    let behind = match gauge.share {
        Some(share) => {
            let style = if gauge.lamp > Lamp::Ok { style } else { ctx.theme.ok };
            bar(buffer, (start, y), BAR, share, gauge.mark, style, ctx)
        }
        None => start.saturating_add(BAR as u16),
    };
    let room = width.saturating_sub(LABEL + 1 + BAR + 1);
    buffer.set_stringn(behind + 1, y, fit(&words(gauge), room), room, style);
}

/// A bar, told apart without colour too; answers where it ends.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of at most 20 cells"
)]
fn bar(
    buffer: &mut Buffer,
    (x, y): (u16, u16),
    cells: usize,
    share: f64,
    mark: Option<f64>,
    style: Style,
    ctx: &Context<'_>,
) -> u16 {
    let cell = |share: f64| (share.clamp(0.0, 1.0) * cells as f64).round() as usize;
    let full = cell(share);
    buffer.set_stringn(x, y, "█".repeat(full), cells, style);
    buffer.set_stringn(x + full as u16, y, "░".repeat(cells - full), cells, ctx.theme.dim);
    if let Some(mark) = mark.map(|mark| cell(mark).min(cells.saturating_sub(1))) {
        buffer.set_stringn(x + mark as u16, y, "┃", 1, ctx.theme.warn);
    }
    x + cells as u16
}
