//! A picture in cells: half blocks in true colour, or the nearest of the cube's 216; shades where there are no colours.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use super::draw::Colors;

/// From dark to bright.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// A picture's pixels.
pub struct Pixels<'a> {
    /// By rows.
    pub rgb: &'a [[u8; 3]],
    /// A row's pixels.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Pixels<'_> {
    /// The mean of the pixels between two places, each in parts of the picture's sides.
    fn mean(&self, (left, right): (f64, f64), (top, bottom): (f64, f64)) -> [u8; 3] {
        let span = |from: f64, to: f64, side: usize| {
            let first = ((from * side as f64) as usize).min(side.saturating_sub(1));
            first..((to * side as f64).ceil() as usize).clamp(first + 1, side.max(first + 1))
        };
        let (mut sum, mut count) = ([0_u64; 3], 0);
        for y in span(top, bottom, self.height) {
            for x in span(left, right, self.width) {
                let Some(pixel) = self.rgb.get(y * self.width + x) else { continue };
                for (sum, part) in sum.iter_mut().zip(pixel) {
                    *sum += u64::from(*part);
                }
                count += 1;
            }
        }
        sum.map(|sum| (sum / count.max(1)) as u8)
    }
}

/// Draws the picture as large as `area` allows, in its proportions, a cell being twice as high as wide.
pub fn draw(pixels: &Pixels<'_>, area: Rect, colors: Colors, buffer: &mut Buffer) {
    if pixels.width == 0 || pixels.height == 0 || area.is_empty() {
        return;
    }
    let shape = pixels.width as f64 / pixels.height as f64;
    let (most_wide, most_high) = (f64::from(area.width), f64::from(area.height) * 2.0);
    let wide = most_wide.min(most_high * shape).max(1.0);
    let (columns, rows) = (wide.round() as u16, ((wide / shape) / 2.0).round().max(1.0) as u16);
    let (columns, rows) = (columns.clamp(1, area.width), rows.clamp(1, area.height));
    let (x0, y0) = (area.x + (area.width - columns) / 2, area.y);
    for row in 0..rows {
        for column in 0..columns {
            let across = (f64::from(column) / f64::from(columns), f64::from(column + 1) / f64::from(columns));
            let half = |half: u16| {
                let halves = f64::from(rows) * 2.0;
                let at = f64::from(row * 2 + half);
                pixels.mean(across, (at / halves, (at + 1.0) / halves))
            };
            let (upper, lower) = (half(0), half(1));
            let cell = &mut buffer[(x0 + column, y0 + row)];
            match colors {
                Colors::True => cell.set_char('▀').set_style(style(upper, lower, |[r, g, b]| Color::Rgb(r, g, b))),
                Colors::Indexed => {
                    cell.set_char('▀').set_style(style(upper, lower, |rgb| Color::Indexed(nearest(rgb))))
                }
                Colors::Sixteen | Colors::None => {
                    let bright = [upper, lower].map(|[r, g, b]| 3 * u32::from(r) + 6 * u32::from(g) + u32::from(b));
                    let shade = (bright[0] + bright[1]) as usize * SHADES.len() / (2 * 10 * 256);
                    cell.set_char(SHADES[shade.min(SHADES.len() - 1)])
                }
            };
        }
    }
}

fn style(upper: [u8; 3], lower: [u8; 3], color: impl Fn([u8; 3]) -> Color) -> Style {
    Style::new().fg(color(upper)).bg(color(lower))
}

/// The nearest of the 6 × 6 × 6 cube of the 256 colours.
fn nearest(rgb: [u8; 3]) -> u8 {
    // Its levels are 0, 95, 135, 175, 215 and 255.
    let level = |part: u8| match part {
        0..48 => 0,
        48..115 => 1,
        part => (part - 35) / 40,
    };
    let [r, g, b] = rgb.map(level);
    16 + 36 * r + 6 * g + b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_stay_where_they_are_in_every_depth() {
        let rgb: Vec<[u8; 3]> = (0..8 * 8)
            .map(|at| match (at % 8 < 4, at / 8 < 4) {
                (true, true) => [255, 0, 0],
                (false, true) => [0, 255, 0],
                (true, false) => [0, 0, 255],
                (false, false) => [255, 255, 255],
            })
            .collect();
        let pixels = Pixels { rgb: &rgb, width: 8, height: 8 };
        let area = Rect::new(0, 0, 20, 4);
        let drawn = |colors| {
            let mut buffer = Buffer::empty(area);
            draw(&pixels, area, colors, &mut buffer);
            buffer
        };
        // Four cells are eight half rows: eight columns in the middle.
        let buffer = drawn(Colors::True);
        assert_eq!(buffer[(5, 0)].symbol(), " ");
        assert_eq!((buffer[(6, 0)].fg, buffer[(13, 0)].fg), (Color::Rgb(255, 0, 0), Color::Rgb(0, 255, 0)));
        assert_eq!((buffer[(6, 3)].bg, buffer[(13, 3)].bg), (Color::Rgb(0, 0, 255), Color::Rgb(255, 255, 255)));
        let buffer = drawn(Colors::Indexed);
        assert_eq!((buffer[(6, 0)].fg, buffer[(13, 3)].bg), (Color::Indexed(196), Color::Indexed(231)));
        let buffer = drawn(Colors::None);
        assert_eq!((buffer[(13, 3)].symbol(), buffer[(13, 3)].fg), ("█", Color::Reset));
        assert_eq!(buffer[(6, 3)].symbol(), " ", "blue is dark");
    }

    #[test]
    fn the_cubes_levels_are_their_own_nearest() {
        for (level, index) in [(0, 0), (95, 1), (135, 2), (175, 3), (215, 4), (255, 5)] {
            assert_eq!(nearest([level; 3]), 16 + 43 * index);
        }
        assert_eq!((nearest([47; 3]), nearest([48; 3]), nearest([114; 3]), nearest([115; 3])), (16, 59, 59, 102));
    }
}
