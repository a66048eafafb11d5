//! A layer of braille dots, two by four to a cell.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Bit of a braille pattern for a dot at (column, row) in its cell.
const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// Dots over an area of cells; (0, 0) is the upper left one.
#[derive(Debug, Clone)]
pub struct Dots {
    width: u16,
    cells: Vec<u8>,
}

impl Dots {
    /// No dot yet, over `area`.
    #[must_use]
    pub fn over(area: Rect) -> Self {
        Self { width: area.width, cells: vec![0; usize::from(area.width) * usize::from(area.height)] }
    }

    /// Sets one dot; one outside is left out.
    pub fn set(&mut self, x: i32, y: i32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        let width = usize::from(self.width);
        if x / 2 >= width {
            return;
        }
        if let Some(cell) = self.cells.get_mut(y / 4 * width + x / 2) {
            *cell |= BITS[x % 2][y % 4];
        }
    }

    /// Sets the dots between two that lie inside, both included, for which `keep` holds.
    pub fn line(&mut self, from: (i32, i32), to: (i32, i32), keep: impl Fn(i32) -> bool) {
        let (dx, dy) = (to.0.saturating_sub(from.0), to.1.saturating_sub(from.1));
        let steps = dx.abs().max(dy.abs()).max(1);
        for step in 0..=steps {
            let x = from.0 + part(dx, step, steps);
            if keep(x) {
                self.set(x, from.1 + part(dy, step, steps));
            }
        }
    }

    /// Puts every cell that has a dot into `buf`, in `style`.
    pub fn paint(&self, buf: &mut Buffer, area: Rect, style: Style) {
        for (y, row) in (area.y..).zip(self.cells.chunks(usize::from(self.width.max(1)))) {
            for (x, bits) in (area.x..).zip(row) {
                if *bits == 0 {
                    continue;
                }
                let glyph = char::from_u32(0x2800 + u32::from(*bits)).unwrap_or('·');
                if let Some(cell) = buf.cell_mut((x, y)) {
                    cell.set_char(glyph).set_style(style);
                }
            }
        }
    }
}

/// `distance` · `step` / `steps`, rounded to the nearest.
fn part(distance: i32, step: i32, steps: i32) -> i32 {
    let exact = f64::from(distance) * f64::from(step) / f64::from(steps);
    #[expect(clippy::cast_possible_truncation, reason = "no farther than `distance`")]
    let part = exact.round() as i32;
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_become_the_braille_patterns_of_unicode() {
        let area = Rect::new(0, 0, 2, 1);
        let mut dots = Dots::over(area);
        dots.line((0, 0), (0, 3), |_| true);
        dots.set(3, 3);
        dots.set(-1, 0);
        dots.set(4, 0);
        dots.set(0, 4);
        let mut buf = Buffer::empty(area);
        dots.paint(&mut buf, area, Style::default());
        // The left column is dots 1, 2, 3, 7; the lower right is dot 8.
        assert_eq!(buf, Buffer::with_lines(["\u{2847}\u{2880}"]));
    }

    #[test]
    fn a_line_touches_both_its_ends() {
        let area = Rect::new(0, 0, 3, 2);
        let mut dots = Dots::over(area);
        dots.line((5, 7), (0, 0), |_| true);
        let mut buf = Buffer::empty(area);
        dots.paint(&mut buf, area, Style::default());
        assert!(buf[(0, 0)].symbol().starts_with(|c| u32::from(c) & 0x01 != 0));
        assert!(buf[(2, 1)].symbol().starts_with(|c| u32::from(c) & 0x80 != 0));
    }
}
