//! A pane with a few sentences, for screens that have nothing else to show yet.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::theme::Theme;
use crate::console::widgets::{pane, value};

/// Draws the sentences, the first in the text's style, the others dim.
pub(super) fn render(buffer: &mut Buffer, area: Rect, title: &str, sentences: &[&str], theme: &Theme) {
    let inner = pane::render(buffer, area, title, false, theme);
    let room = usize::from(inner.width.saturating_sub(2).min(100));
    let mut y = inner.y;
    for (i, sentence) in sentences.iter().enumerate() {
        let style = if i == 0 { theme.text } else { theme.dim };
        let left = inner.bottom().saturating_sub(y);
        for line in value::wrap(sentence, room, left.into()) {
            buffer.set_stringn(inner.x + 1, y, line, room, style);
            y += 1;
        }
        y = y.saturating_add(1).min(inner.bottom());
    }
}
