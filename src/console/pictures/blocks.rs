//! Pictures in cells: half blocks in the colours there are, shades where there are none.

use image::{DynamicImage, RgbImage, imageops};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Rect, Size};
use ratatui::style::Color;
use ratatui::widgets::Widget as _;
use ratatui_image::Image;
use ratatui_image::protocol::Protocol;
use ratatui_image::protocol::halfblocks::Halfblocks;

use super::Graphics;
use crate::console::theme::{ColorDepth, nearest};

/// From nothing to everything.
const SHADES: [&str; 5] = [" ", "░", "▒", "▓", "█"];
/// The greys of sixteen colours, by how bright they are.
const GREYS: [(u32, Color); 4] = [(32, Color::Black), (120, Color::DarkGray), (208, Color::Gray), (256, Color::White)];

/// A picture in cells, row by row.
pub(super) fn make(picture: &RgbImage, size: Size, graphics: &Graphics) -> Result<Vec<Cell>, String> {
    match graphics.depth {
        ColorDepth::None => Ok(shades(picture, size, graphics.light)),
        depth => half_blocks(picture, size, depth),
    }
}

fn half_blocks(picture: &RgbImage, size: Size, depth: ColorDepth) -> Result<Vec<Cell>, String> {
    let picture = DynamicImage::from(picture.clone());
    let blocks = Halfblocks::new(picture, size).map_err(|error| error.to_string())?;
    let area = Rect::new(0, 0, size.width, size.height);
    let mut buffer = Buffer::empty(area);
    Image::new(&Protocol::Halfblocks(blocks)).render(area, &mut buffer);
    let mut cells = buffer.content().to_vec();
    for cell in &mut cells {
        cell.fg = shown(cell.fg, depth);
        cell.bg = shown(cell.bg, depth);
    }
    Ok(cells)
}

/// A picture's colour in the colours there are. Of sixteen, whose hues are anybody's guess, only the greys.
fn shown(color: Color, depth: ColorDepth) -> Color {
    match (color, depth) {
        (Color::Rgb(r, g, b), ColorDepth::Sixteen) => {
            let brightness = brightness([r, g, b]);
            GREYS.iter().find(|(below, _)| brightness < *below).map_or(Color::White, |(_, grey)| *grey)
        }
        (color, depth) => nearest(color, depth),
    }
}

/// Brightness, 0 to 255, by the weights of Rec. 709.
fn brightness([r, g, b]: [u8; 3]) -> u32 {
    (2126 * u32::from(r) + 7152 * u32::from(g) + 722 * u32::from(b)) / 10_000
}

fn shades(picture: &RgbImage, size: Size, light: bool) -> Vec<Cell> {
    let small = imageops::resize(picture, size.width.into(), size.height.into(), imageops::FilterType::Triangle);
    let shade = |pixel: &image::Rgb<u8>| {
        let step = brightness(pixel.0) as usize * SHADES.len() / 256;
        // On a light ground it is the ink that darkens.
        SHADES[if light { SHADES.len() - 1 - step } else { step }]
    };
    small
        .pixels()
        .map(|pixel| {
            let mut cell = Cell::default();
            cell.set_symbol(shade(pixel));
            cell
        })
        .collect()
}
