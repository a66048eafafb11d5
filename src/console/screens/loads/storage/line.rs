//! One line of a batch, with its structure to be seen.

use ratatui::text::Line;
use serde_json::Value;

use crate::console::theme::Theme;
use crate::console::widgets::value::split;
use crate::station::text::printable;

/// Rows that one value is broken into at most.
const MOST: usize = 400;

/// The line as it is read: JSON with a row a value, anything else as it is.
pub fn lines(text: &str, room: usize, theme: &Theme) -> Vec<Line<'static>> {
    let Ok(json) = serde_json::from_str::<Value>(text) else {
        let why = if text.ends_with('…') { "cut: longer than is shown" } else { "not JSON" };
        let head = std::iter::once(Line::styled(why, theme.warn));
        return head.chain(split(text, room, MOST).into_iter().map(|part| Line::styled(part, theme.text))).collect();
    };
    let pretty = serde_json::to_string_pretty(&json).unwrap_or_default();
    let rows = pretty.lines().flat_map(|row| split(&printable(row), room, MOST));
    rows.map(|row| Line::styled(row, theme.text)).collect()
}
