//! What tests of drawings share.

use ratatui::buffer::{Buffer, Cell};

/// A buffer's symbols as lines, without the spaces at their ends.
pub fn text(buf: &Buffer) -> String {
    let lines = buf.content.chunks(usize::from(buf.area.width.max(1)));
    lines.map(|line| line.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned() + "\n").collect()
}
