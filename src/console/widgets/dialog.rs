//! A popup in the middle of a screen: a question, or a list to choose from.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget as _};

use super::pane;
use super::table::Selection;
use super::value::{fit, width, wrap};
use crate::console::theme::Theme;

/// Draws a question: `paragraphs` wrapped, one line between them. It takes the room it needs, up to all of `area`.
pub fn question(buf: &mut Buffer, area: Rect, title: &str, paragraphs: &[String], theme: &Theme) {
    let columns = area.width.min(72);
    let room = usize::from(columns.saturating_sub(4));
    let mut lines: Vec<String> = Vec::new();
    for paragraph in paragraphs {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(wrap(paragraph, room, 8));
    }
    let inner = open(buf, area, title, (columns, lines.len()), theme);
    let shown = usize::from(inner.height);
    let cut = lines.len() > shown;
    for (y, line) in (inner.y..inner.bottom()).zip(&lines) {
        let is_last = cut && y + 1 == inner.bottom();
        let line = if is_last { format!("{line} …") } else { line.clone() };
        write(buf, inner, y, &line, theme);
    }
}

/// Columns that a question with a scroll takes at most.
pub const WIDEST: u16 = 76;

/// Lines that a paragraph is broken into at most.
const MOST: usize = 200;

/// The lines that [`scrolled`] breaks a paragraph into where it has all its columns: whoever scrolls counts these.
pub fn lines_of(text: &str) -> Vec<String> {
    broken(text, usize::from(WIDEST) - 4, MOST)
}

/// A paragraph in lines of at most `room` columns. An indent stays, on every line.
fn broken(text: &str, room: usize, most: usize) -> Vec<String> {
    let indent = &text[..text.len() - text.trim_start_matches(' ').len()];
    if text.trim().is_empty() {
        return vec![String::new()];
    }
    wrap(text, room.saturating_sub(indent.len()), most).into_iter().map(|line| format!("{indent}{line}")).collect()
}

/// Draws paragraphs in styles of their own over lines that always stay in view; what has no room is scrolled to. Marks
/// at the right edge say that there is more.
pub fn scrolled(
    buf: &mut Buffer,
    area: Rect,
    title: &str,
    paragraphs: &[(String, Style)],
    foot: &[(String, Style)],
    scroll: Selection,
    theme: &Theme,
) {
    let columns = area.width.min(WIDEST);
    let room = usize::from(columns.saturating_sub(4));
    let of = |parts: &[(String, Style)], most: usize| -> Vec<(String, Style)> {
        parts.iter().flat_map(|(text, style)| broken(text, room, most).into_iter().map(|line| (line, *style))).collect()
    };
    let (body, foot) = (of(paragraphs, MOST), of(foot, 2));
    let inner = open(buf, area, title, (columns, body.len() + 1 + foot.len()), theme);
    let left = usize::from(inner.height).saturating_sub(foot.len() + 1);
    let first = scroll.row.min(body.len().saturating_sub(left));
    let above = (inner.y..inner.bottom()).zip(body.iter().skip(first).take(left));
    let low = inner.bottom().saturating_sub(u16::try_from(foot.len()).unwrap_or(inner.height).min(inner.height));
    for (y, (line, style)) in above.chain((low..inner.bottom()).zip(&foot)) {
        write(buf, inner, y, line, theme);
        buf.set_style(Rect { y, height: 1, ..inner }, *style);
    }
    if inner.is_empty() || left == 0 {
        return;
    }
    let edge = inner.right().saturating_sub(1);
    if first > 0 {
        buf.set_string(edge, inner.y, "↑", theme.key);
    }
    if first + left < body.len() {
        buf.set_string(edge, low.saturating_sub(1).max(inner.y), "↓", theme.key);
    }
}

/// Draws a list to choose from; the selected entry is kept in view and marked without colour too.
pub fn choice(buf: &mut Buffer, area: Rect, title: &str, entries: &[String], selected: Selection, theme: &Theme) {
    let widest = entries.iter().map(|e| width(e) + 2).max().unwrap_or(0).max(width(title) + 2);
    let columns = u16::try_from(widest + 4).unwrap_or(u16::MAX).min(area.width);
    let inner = open(buf, area, title, (columns, entries.len()), theme);
    let first = selected.first(entries.len(), usize::from(inner.height));
    for (y, (i, entry)) in (inner.y..inner.bottom()).zip(entries.iter().enumerate().skip(first)) {
        let mark = if i == selected.row { "▸" } else { " " };
        write(buf, inner, y, &format!("{mark} {entry}"), theme);
        if i == selected.row {
            buf.set_style(Rect { y, height: 1, ..inner }, theme.selection);
        }
    }
}

fn open(buf: &mut Buffer, area: Rect, title: &str, (columns, lines): (u16, usize), theme: &Theme) -> Rect {
    let area = area.intersection(buf.area);
    let rows = u16::try_from(lines + 2).unwrap_or(u16::MAX).min(area.height);
    let columns = columns.min(area.width);
    let place = Rect {
        x: area.x + (area.width - columns) / 2,
        y: area.y + (area.height - rows) / 2,
        width: columns,
        height: rows,
    };
    Clear.render(place, buf);
    buf.set_style(place, theme.popup);
    let inner = pane::render(buf, place, title, true, theme);
    Rect { x: inner.x.saturating_add(1).min(inner.right()), width: inner.width.saturating_sub(2), ..inner }
}

fn write(buf: &mut Buffer, inner: Rect, y: u16, text: &str, theme: &Theme) {
    let room = usize::from(inner.width);
    if room > 0 {
        buf.set_stringn(inner.x, y, fit(text, room), room, theme.popup);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture::text_of;

    #[test]
    fn a_question_wraps_and_a_choice_keeps_its_entry_in_view() {
        let area = Rect::new(0, 0, 40, 9);
        let mut buf = Buffer::empty(area);
        let paragraphs =
            ["Pause WEATHER_PIPE? Files that come meanwhile wait in the queue.".into(), "enter yes".into()];
        question(&mut buf, area, "Pause", &paragraphs, &Theme::monochrome());
        insta::assert_snapshot!(text_of(&buf));
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 5));
        let entries: Vec<String> = (1..9).map(|i| format!("roof-0{i}")).collect();
        choice(&mut buf, Rect::new(0, 0, 20, 5), "Device", &entries, Selection { row: 6 }, &Theme::monochrome());
        insta::assert_snapshot!(text_of(&buf));
    }

    #[test]
    fn no_size_is_too_small() {
        let paragraphs = ["Pause WEATHER_PIPE?".to_owned()];
        for (columns, rows) in (0..9).flat_map(|c| (0..6).map(move |r| (c, r))) {
            let area = Rect::new(0, 0, columns, rows);
            question(&mut Buffer::empty(area), area, "Pause", &paragraphs, &Theme::monochrome());
            let chosen = Selection { row: 3 };
            choice(&mut Buffer::empty(area), area, "Pause", &paragraphs, chosen, &Theme::monochrome());
        }
    }
}
