//! A titled frame around a part of a screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Widget as _};

use super::value::fit;
use crate::console::theme::Theme;

/// Draws a frame titled `title` around `area` and answers with the room inside. With the focus the frame is double,
/// so that it is seen without colour too. Where there is no room for a frame, the whole area is answered.
pub fn render(buffer: &mut Buffer, area: Rect, title: &str, focused: bool, theme: &Theme) -> Rect {
    render_with_note(buffer, area, title, "", focused, theme)
}

/// As [`render`], with a note at the right end of the title's line. Where both don't fit, the parts of the note between
/// ` · ` are left out from the first on.
pub fn render_with_note(
    buffer: &mut Buffer,
    area: Rect,
    title: &str,
    note: &str,
    focused: bool,
    theme: &Theme,
) -> Rect {
    let area = area.intersection(buffer.area);
    if area.width < 4 || area.height < 3 {
        return area;
    }
    let room = usize::from(area.width) - 4;
    let title = fit(title, room);
    let (kind, style) = if focused { (BorderType::Double, theme.focus) } else { (BorderType::Plain, theme.border) };
    let mut block = Block::bordered().border_type(kind).border_style(style);
    let used = super::value::width(&title);
    if used > 0 {
        block = block.title_top(Line::styled(format!(" {title} "), theme.title));
    }
    if let Some(note) = fitting_note(note, room.saturating_sub(used + 4)) {
        block = block.title_top(Line::styled(format!(" {note} "), theme.dim).right_aligned());
    }
    let inner = block.inner(area);
    block.render(area, buffer);
    inner
}

/// Draws lines into the room inside of a frame, from line `row` on as far as there are more than fit; a sign says that there
/// are more below.
pub fn scrolled(buffer: &mut Buffer, inner: Rect, lines: &[Line<'_>], row: usize, theme: &Theme) {
    let height = usize::from(inner.height);
    let first = row.min(lines.len().saturating_sub(height));
    for (y, line) in (inner.y..inner.bottom()).zip(&lines[first..]) {
        line.render(Rect { y, height: 1, ..inner }, buffer);
    }
    if first + height < lines.len() && !inner.is_empty() {
        buffer.set_stringn(inner.right() - 1, inner.bottom() - 1, "↓", 1, theme.dim);
    }
}

/// As many of the note's last parts as there is room for.
fn fitting_note(note: &str, room: usize) -> Option<&str> {
    let mut rest = Some(note);
    while let Some(note) = rest.filter(|note| super::value::width(note) > room) {
        rest = note.split_once(" · ").map(|(_, rest)| rest);
    }
    rest.filter(|note| !note.is_empty())
}
