//! The cloud mask over a picture: what the analysis takes for cloud, glare and no sky, as a tint.

use crate::edge_agent::sky::{Cell, CloudMask, RgbPicture};

/// What a cell is tinted with, and how strongly, of 255; clear sky stays as it is.
const fn tint(cell: Cell) -> Option<([u8; 3], u16)> {
    match cell {
        Cell::Clear => None,
        Cell::Cloud => Some(([230, 30, 40], 120)),
        Cell::Sun => Some(([250, 220, 0], 150)),
        Cell::Outside => Some(([0, 0, 0], 150)),
    }
}

/// The picture with the mask drawn over it.
pub(super) fn drawn(picture: &RgbPicture, mask: &CloudMask) -> Option<RgbPicture> {
    let (width, height) = (picture.width(), picture.height());
    let share = |at: u32, of: u32| (f64::from(at) + 0.5) / f64::from(of);
    let mix = |own: u8, tint: u8, strength: u16| {
        let mixed = (u16::from(own) * (255 - strength) + u16::from(tint) * strength) / 255;
        u8::try_from(mixed).unwrap_or(u8::MAX)
    };
    let mut pixels = Vec::with_capacity(picture.bytes().len());
    for y in 0..height {
        for x in 0..width {
            let own = picture.pixel(x, y);
            match tint(mask.at(share(x, width), share(y, height))) {
                Some((tint, strength)) => pixels.extend((0..3).map(|c| mix(own[c], tint[c], strength))),
                None => pixels.extend(own),
            }
        }
    }
    RgbPicture::new(width, height, pixels)
}

/// What the mask shows, in words.
pub(super) fn words(mask: &CloudMask, rule: &str) -> String {
    match mask.cover() {
        Some(cover) => format!("mask by {rule}: {:.0} % cloud (red), glare yellow, no sky dark", cover * 100.0),
        None => "mask: nothing could be judged on this picture".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloud_is_red_and_clear_sky_stays() {
        let picture = RgbPicture::new(4, 2, [100, 150, 200].repeat(8)).expect("a picture");
        let mask = CloudMask { width: 2, height: 1, cells: vec![Cell::Clear, Cell::Cloud] };
        let drawn = drawn(&picture, &mask).expect("a picture");
        assert_eq!(drawn.pixel(1, 1), [100, 150, 200]);
        // 120 of 255 parts of the tint: (100·135 + 230·120)/255 = 161, (150·135 + 30·120)/255 = 93, (200·135 + 40·120)/255 = 124.
        assert_eq!(drawn.pixel(2, 0), [161, 93, 124]);
        assert_eq!(words(&mask, "hyta"), "mask by hyta: 50 % cloud (red), glare yellow, no sky dark");
    }
}
