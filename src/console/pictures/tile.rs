//! One picture made for one place: its cells, and what the painter writes.

use std::sync::Arc;

use image::{RgbImage, imageops};
use ratatui::buffer::{Buffer, Cell, CellDiffOption};
use ratatui::layout::{Rect, Size};
use ratatui_image::protocol::iterm2::Iterm2;
use ratatui_image::protocol::sixel::Sixel;

use super::{Graphics, Way, blocks, kitty};

/// Bytes of pixels that are decoded: more than the owner's largest picture has.
const MOST_BYTES: usize = 2048 * 2048 * 3;
/// What stands in a cell that a picture takes: nothing else has it, so whatever follows is written.
const TAKEN: &str = "\u{F8FF}";

/// A picture made for one place.
#[derive(Debug, Clone)]
pub struct Tile {
    size: Size,
    /// The picture in half blocks or shades, row by row.
    cells: Vec<Cell>,
    /// Kitty's placeholders, row by row; empty where there are none.
    placeholders: Vec<Cell>,
    ink: Option<Arc<Ink>>,
}

/// What the painter writes, and no cell can hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Ink {
    /// Its number, no other's.
    pub id: u32,
    /// The picture as the terminal takes it.
    pub bytes: String,
    /// What makes the terminal forget it; absent where it is gone with its cells.
    pub forget: Option<String>,
}

/// Ink and where it belongs.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The cells it covers.
    pub area: Rect,
    /// What is written.
    pub ink: Arc<Ink>,
}

impl PartialEq for Placement {
    /// The number stands for the ink, which is long.
    fn eq(&self, other: &Self) -> bool {
        self.area == other.area && self.ink.id == other.ink.id
    }
}

impl Tile {
    /// Makes the owner's JPEG fit into `room`; `id` is the ink's number. It takes its time, so not on the thread that
    /// draws.
    pub fn make(jpeg: &[u8], room: Size, graphics: &Graphics, id: u32) -> Result<Self, String> {
        let picture = decode(jpeg)?;
        let size = fitting((picture.width(), picture.height()), room, graphics.cell);
        let cells = blocks::make(&picture, size, graphics)?;
        let mut tile = Self { size, cells, placeholders: Vec::new(), ink: None };
        if matches!(graphics.way, Way::Blocks | Way::Shades | Way::Words) {
            return Ok(tile);
        }
        let (width, height) = graphics.pixels(size.width, size.height);
        let exact = imageops::resize(&picture, width, height, imageops::FilterType::Triangle);
        let wrong = |error: ratatui_image::errors::Errors| error.to_string();
        let (bytes, forget) = match graphics.way {
            Way::Kitty => {
                let (bytes, placeholders) = kitty::make(&exact, size, id, graphics)?;
                tile.placeholders = placeholders;
                (bytes, Some(kitty::forget(id, graphics.tmux)))
            }
            Way::Sixel => (Sixel::new(exact.into(), size, false).map_err(wrong)?.data, None),
            _ => (Iterm2::new(exact.into(), size, false).map_err(wrong)?.data, None),
        };
        tile.ink = Some(Arc::new(Ink { id, bytes, forget }));
        Ok(tile)
    }

    /// Its place in the middle of `area`.
    #[must_use]
    pub fn place(&self, area: Rect) -> Rect {
        let Size { width, height } = self.size;
        let (width, height) = (width.min(area.width), height.min(area.height));
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
    }

    /// Draws it at its place; with `plain`, in half blocks or shades whatever the terminal can.
    pub fn draw(&self, buffer: &mut Buffer, place: Rect, plain: bool) {
        let own = if plain || self.placeholders.is_empty() { &self.cells } else { &self.placeholders };
        self.each(place, own, |at, cell| {
            if let Some(there) = buffer.cell_mut(at) {
                there.clone_from(cell);
            }
        });
    }

    /// What the painter has to write for it in this frame. Where something lies over ink that would cover it, the cells
    /// stay as they are.
    pub fn put(&self, buffer: &mut Buffer, place: Rect) -> Option<Placement> {
        let ink = Arc::clone(self.ink.as_ref()?);
        if self.placeholders.is_empty() {
            let mut is_free = !place.is_empty();
            self.each(place, &self.cells, |at, cell| is_free &= buffer.cell(at) == Some(cell));
            if !is_free {
                return None;
            }
            self.each(place, &self.cells, |at, _| {
                if let Some(there) = buffer.cell_mut(at) {
                    there.reset();
                    there.set_symbol(TAKEN).set_diff_option(CellDiffOption::Skip);
                }
            });
        }
        Some(Placement { area: place, ink })
    }

    fn each(&self, place: Rect, cells: &[Cell], mut then: impl FnMut((u16, u16), &Cell)) {
        for (y, row) in (place.y..place.bottom()).zip(cells.chunks(usize::from(self.size.width).max(1))) {
            for (x, cell) in (place.x..place.right()).zip(row) {
                then((x, y), cell);
            }
        }
    }
}

fn decode(jpeg: &[u8]) -> Result<RgbImage, String> {
    let broken = |why: &str| format!("the owner's picture can't be decoded: {why}");
    let mut decoder = jpeg_decoder::Decoder::new(jpeg);
    decoder.set_max_decoding_buffer_size(MOST_BYTES);
    let pixels = decoder.decode().map_err(|error| broken(&error.to_string()))?;
    let info = decoder.info().filter(|info| info.pixel_format == jpeg_decoder::PixelFormat::RGB24);
    let info = info.ok_or_else(|| broken("it isn't in colours"))?;
    RgbImage::from_raw(info.width.into(), info.height.into(), pixels).ok_or_else(|| broken("it isn't whole"))
}

/// The cells that a picture of so many pixels fills best in `room`, at its own proportions.
fn fitting((width, height): (u32, u32), room: Size, (cell_width, cell_height): (u16, u16)) -> Size {
    let most = |side: u16| f64::from(side.min(kitty::MOST_CELLS));
    // In cells, were one pixel one pixel.
    let (across, down) = (f64::from(width) / f64::from(cell_width), f64::from(height) / f64::from(cell_height));
    let scale = (most(room.width) / across).min(most(room.height) / down);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to the room's side")]
    let cells = |side: f64, most: f64| (side * scale).round().clamp(1.0, most.max(1.0)) as u16;
    Size::new(cells(across, most(room.width)), cells(down, most(room.height)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_proportions() {
        // 4:3 in cells of 1:2: sixteen rows are 320 pixels high, so 427 wide, which is 43 columns.
        assert_eq!(fitting((1600, 1200), Size::new(98, 16), (10, 20)), Size::new(43, 16));
        // Where the width is short: 30 columns are 300 pixels, so 225 high, which is 11 rows.
        assert_eq!(fitting((1600, 1200), Size::new(30, 16), (10, 20)), Size::new(30, 11));
        assert_eq!(fitting((1, 3000), Size::new(30, 16), (10, 20)), Size::new(1, 16));
        assert_eq!(fitting((16, 12), Size::new(1000, 1000), (10, 20)), Size::new(297, 111));
    }
}
