//! Kitty's placeholders: cells of text that the terminal shows a part of a picture in.
//!
//! The picture goes to the terminal once, by its number; a placeholder's colour tells the number and its marks tell row
//! and column (<https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders>). Being text they lie beneath
//! popups, and go through tmux. Every cell tells its row and column: one that inherits them from its left neighbour
//! would show another part as soon as something lies over that.

use std::num::NonZeroU16;

use image::RgbImage;
use ratatui::buffer::{Buffer, Cell, CellDiffOption};
use ratatui::layout::{Rect, Size};
use ratatui::widgets::Widget as _;
use ratatui_image::Image;
use ratatui_image::protocol::Protocol;
use ratatui_image::protocol::kitty::Kitty;

use super::Graphics;

/// The character that stands for a part of a picture.
pub(super) const PLACEHOLDER: char = '\u{10EEEE}';
/// Rows and columns that can be told: as many marks as there are.
pub(super) const MOST_CELLS: u16 = 297;
/// A placeholder with its marks is one column wide, whatever its text measures.
const ONE_WIDE: CellDiffOption = CellDiffOption::ForcedWidth(NonZeroU16::MIN);

/// What hands the picture over to the terminal under the number `id`, and its cells, row by row.
pub(super) fn make(
    picture: &RgbImage,
    size: Size,
    id: u32,
    graphics: &Graphics,
) -> Result<(String, Vec<Cell>), String> {
    let kitty = Kitty::new(picture.clone().into(), size, id, graphics.tmux, graphics.deflate);
    let kitty = kitty.map_err(|error| error.to_string())?;
    // The encoder writes the marks of rows; those of columns are the same ones.
    let area = Rect::new(0, 0, 1, MOST_CELLS);
    let marks_of = Kitty::new(RgbImage::new(1, 1).into(), Size::new(1, MOST_CELLS), id, false, false);
    let mut column = Buffer::empty(area);
    Image::new(&Protocol::Kitty(marks_of.map_err(|error| error.to_string())?)).render(area, &mut column);
    let marks: Vec<char> = column.content().iter().filter_map(|cell| after_placeholder(cell.symbol())).collect();

    let area = Rect::new(0, 0, size.width, size.height);
    let mut drawn = Buffer::empty(area);
    Image::new(&Protocol::Kitty(kitty)).render(area, &mut drawn);
    let first = drawn.content().first().map_or("", Cell::symbol);
    let handed_over = first.split(PLACEHOLDER).next().unwrap_or_default().to_owned();
    let mut cells = Vec::with_capacity(usize::from(size.width) * usize::from(size.height));
    for (row, line) in marks.iter().zip(drawn.content().chunks(usize::from(size.width).max(1))) {
        for (column, drawn) in marks.iter().zip(line) {
            let mut cell = Cell::default();
            cell.set_symbol(&format!("{PLACEHOLDER}{row}{column}"));
            cell.set_fg(drawn.fg).set_diff_option(ONE_WIDE);
            cells.push(cell);
        }
    }
    Ok((handed_over, cells))
}

/// The first mark of a placeholder.
fn after_placeholder(symbol: &str) -> Option<char> {
    symbol.split(PLACEHOLDER).nth(1)?.chars().next()
}

/// What makes the terminal forget the picture.
pub(super) fn forget(id: u32, tmux: bool) -> String {
    if tmux {
        format!("\x1bPtmux;\x1b\x1b_Ga=d,d=I,q=2,i={id}\x1b\x1b\\\x1b\\")
    } else {
        format!("\x1b_Ga=d,d=I,q=2,i={id}\x1b\\")
    }
}
