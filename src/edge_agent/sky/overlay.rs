//! What was seen, drawn over the picture.

use super::mask::{Cell, CloudMask};
use super::picture::RgbPicture;

/// Colours of cloud, of the sun's glare and of what isn't sky, and how much of them is laid over the picture.
const CLOUD: ([u8; 3], f64) = ([235, 80, 60], 0.45);
const SUN: ([u8; 3], f64) = ([250, 220, 60], 0.45);
const OUTSIDE: ([u8; 3], f64) = ([0, 0, 0], 0.55);
/// The sun's cross, a share of the picture's shorter side from its middle to an end.
const CROSS: f64 = 0.03;

/// The picture with its mask laid over it: cloud red, glare yellow, what isn't sky darker, clear sky as it is; and a cross
/// where the sun is, in shares of width and height.
#[must_use]
pub fn overlay(picture: &RgbPicture, mask: &CloudMask, sun: Option<[f64; 2]>) -> RgbPicture {
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    let arm = (CROSS * width.min(height)).max(2.0);
    RgbPicture::drawn(picture.width(), picture.height(), |x, y| {
        let (right, down) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
        if let Some([sun_x, sun_y]) = sun {
            let (across, along) = ((right - sun_x * width).abs(), (down - sun_y * height).abs());
            if across.min(along) <= 0.5 && across.max(along) <= arm {
                return SUN.0;
            }
        }
        let pixel = picture.pixel(x, y);
        let (color, share) = match mask.at(right / width, down / height) {
            Cell::Clear => return pixel,
            Cell::Cloud => CLOUD,
            Cell::Sun => SUN,
            Cell::Outside => OUTSIDE,
        };
        let mixed = |channel: usize| {
            let (below, above) = (f64::from(pixel[channel]), f64::from(color[channel]));
            (below + (above - below) * share).round() as u8
        };
        [mixed(0), mixed(1), mixed(2)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_has_its_colour_and_the_sun_its_cross() {
        let picture = RgbPicture::drawn(40, 40, |_, _| [100; 3]);
        let cells = vec![Cell::Clear, Cell::Cloud, Cell::Sun, Cell::Outside];
        let mask = CloudMask { width: 2, height: 2, cells };
        let drawn = overlay(&picture, &mask, None);
        // 100 + (235 − 100) · 0.45 = 160.75; 100 − 100 · 0.55 = 45.
        assert_eq!(drawn.pixel(5, 5), [100; 3]);
        assert_eq!(drawn.pixel(25, 5), [161, 91, 82]);
        assert_eq!(drawn.pixel(5, 25), [168, 154, 82]);
        assert_eq!(drawn.pixel(25, 25), [45; 3]);
        let crossed = overlay(&picture, &mask, Some([0.25, 0.25]));
        assert_eq!(crossed.pixel(11, 10), SUN.0);
        assert_eq!(crossed.pixel(13, 13), [100; 3]);
    }
}
