//! Whether a picture is fit to be judged.

use super::lens::Lens;
use super::mask::HorizonMask;
use super::picture::{RgbPicture, span};
use crate::station::SkyWarning;

/// Mean brightness of the sky, 0 to 255, below which a picture by day is dark. A camera that exposes for the sky has 80
/// to 180; one that is shut has its sensor's noise, up to 10 or so.
const DARK: f64 = 16.0;
/// From this value on in all three channels a pixel is white: a camera clips at 255, JPEG rounds around it.
const WHITE: u8 = 250;
/// Share of white sky from which a picture is over-exposed: its colours are gone in most of it.
const MAX_WHITE: f64 = 0.5;
/// Spread of the means of 16 × 16 blocks, in levels, below which nothing is seen at all: a lens that is covered. The
/// Standard Overcast Sky of the CIE is three times as bright at the zenith as at the horizon, far above that.
const COVERED_SPREAD: f64 = 2.0;
/// Blocks across and down whose means are compared.
const COVERED_BLOCKS: u32 = 16;

/// Pixels of the longer side at which sharpness is looked at.
const SHARP_PX: u32 = 512;
/// Side of a block, pixels.
const BLOCK: usize = 32;
/// How much coarser the second look is.
const COARSE: usize = 8;
/// Variance of the coarse Laplacian from which a block has an edge to judge: a step of h levels across it has h²/8 to
/// h²/2, by where it falls; 200 is a step of 20 to 40 levels.
const STRUCTURE: f64 = 200.0;
/// Variance of the fine Laplacian over that of the coarse one, below which a block is soft. A sharp step has 1/8 to 1/2.
/// One that is blurred by a Gaussian of σ pixels has 0.07/σ³ of that, ∫ of the second derivative squared being h²/(4√π σ³)
/// against 2h²: 0.009 to 0.035 for σ = 1, 0.001 to 0.004 for σ = 2. Natural clouds, whose brightness differs with
/// distance r as r^H, have 8^−2H: 0.25 for H = 1/3, 0.016 for H = 1. So 0.005 is a blur of 1.2 to 1.9 pixels of 512.
const SOFT: f64 = 0.005;
/// The same where it isn't known which edges are the skyline's: 45 to 90 levels within a block are no haze.
const STRONG_STRUCTURE: f64 = 1000.0;
/// Blocks with an edge that are needed for a verdict.
const MIN_BLOCKS: usize = 8;
/// Shares of soft blocks along the skyline: from the first on the whole is blurred, from the second on parts are.
const BLURRED_SHARE: f64 = 0.75;
const WET_SHARE: f64 = 0.3;
/// The share where the skyline isn't known: clouds may be soft, so hardly any edge may be sharp.
const BLURRED_SHARE_ANYWHERE: f64 = 0.9;

/// Brightness, 0 to 255, by ITU-R BT.601.
#[must_use]
pub(super) fn luma([r, g, b]: [u8; 3]) -> f64 {
    0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)
}

/// Whether a pixel is white: clipped in all channels.
pub(super) fn is_white(pixel: [u8; 3]) -> bool {
    pixel.iter().all(|value| *value >= WHITE)
}

/// What is wrong with the light of a picture by day, if anything is; `sky` are the sky's pixels.
pub(super) fn exposure(sky: &[[u8; 3]]) -> Option<SkyWarning> {
    let count = sky.len().max(1) as f64;
    let mean = sky.iter().map(|pixel| luma(*pixel)).sum::<f64>() / count;
    let white = sky.iter().filter(|pixel| is_white(**pixel)).count() as f64 / count;
    if mean < DARK {
        Some(SkyWarning::Dark)
    } else if white > MAX_WHITE {
        Some(SkyWarning::OverExposed)
    } else {
        None
    }
}

/// Whether the whole picture, skyline and all, is the same all over.
pub(super) fn is_covered(picture: &RgbPicture) -> bool {
    let blocks = picture.shrunk_to(COVERED_BLOCKS, COVERED_BLOCKS);
    let means: Vec<f64> = blocks.bytes().chunks_exact(3).map(|pixel| luma([pixel[0], pixel[1], pixel[2]])).collect();
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    let variance = means.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / means.len() as f64;
    variance.sqrt() < COVERED_SPREAD
}

/// Whether edges that are there are soft: everywhere, or in parts. Where the skyline is known, its blocks are asked: it
/// is as sharp as the lens. Elsewhere strong edges are, and only what is soft all over is told.
///
/// The variance of the Laplacian (J. L. Pech-Pacheco and others, *Diatom autofocusing in brightfield microscopy*, ICPR
/// 2000) says how much fine structure there is; a clear or an overcast sky has none and is sharp. So it is taken where a
/// coarse Laplacian finds structure, and relative to that.
pub(super) fn sharpness(
    picture: &RgbPicture,
    lens: Option<&Lens>,
    horizon: Option<&HorizonMask>,
) -> Option<SkyWarning> {
    let horizon = horizon.filter(|horizon| horizon.mismatch(picture.full_size().0, picture.full_size().1).is_none());
    let picture = picture.shrunk(SHARP_PX);
    let fine = Grey::of(&picture);
    let coarse = Grey::of(&picture.shrunk_to(picture.width() / COARSE as u32, picture.height() / COARSE as u32));
    let least = if horizon.is_some() { STRUCTURE } else { STRONG_STRUCTURE };
    let (mut soft, mut blocks) = (0, 0);
    for y in 0..fine.height / BLOCK {
        for x in 0..fine.width / BLOCK {
            let share = |at: usize, length: usize| at as f64 / length as f64;
            let [left, right] = [x, x + 1].map(|x| share(x * BLOCK, fine.width));
            let [top, bottom] = [y, y + 1].map(|y| share(y * BLOCK, fine.height));
            let is_asked = match horizon {
                Some(horizon) => horizon.crosses([left, top], [right, bottom]),
                None => is_seen(lens, &picture, f64::midpoint(left, right), f64::midpoint(top, bottom)),
            };
            if !is_asked {
                continue;
            }
            let side = BLOCK / COARSE;
            let structure = coarse.laplacian_variance(x * side, y * side, side);
            if structure >= least {
                blocks += 1;
                soft += usize::from(fine.laplacian_variance(x * BLOCK, y * BLOCK, BLOCK) / structure < SOFT);
            }
        }
    }
    if blocks < MIN_BLOCKS {
        return None;
    }
    match (soft as f64 / blocks as f64, horizon) {
        (share, None) => (share >= BLURRED_SHARE_ANYWHERE).then_some(SkyWarning::Blurred),
        (share, Some(_)) if share >= BLURRED_SHARE => Some(SkyWarning::Blurred),
        (share, Some(_)) => (share >= WET_SHARE).then_some(SkyWarning::WetLens),
    }
}

/// Whether a lens sees above the horizon at a place in shares; without a lens, everywhere.
fn is_seen(lens: Option<&Lens>, picture: &RgbPicture, x: f64, y: f64) -> bool {
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    // 3° above: the rim of a fisheye's circle is sharp whatever lies on the lens.
    lens.is_none_or(|lens| {
        lens.direction([x * width, y * height], width, height).is_some_and(|seen| seen[2] > 3f64.to_radians().sin())
    })
}

struct Grey {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Grey {
    fn of(picture: &RgbPicture) -> Self {
        let values = picture.bytes().chunks_exact(3).map(|pixel| luma([pixel[0], pixel[1], pixel[2]]) as f32).collect();
        Self { width: picture.width() as usize, height: picture.height() as usize, values }
    }

    /// Mean square of the four-neighbour Laplacian over a block; its mean is zero but for the block's rim.
    fn laplacian_variance(&self, x: usize, y: usize, side: usize) -> f64 {
        let (mut sum, mut count) = (0.0, 0u32);
        for row in y.max(1)..(y + side).min(self.height.saturating_sub(1)) {
            for column in x.max(1)..(x + side).min(self.width.saturating_sub(1)) {
                let at = row * self.width + column;
                let around = self.values[at - 1]
                    + self.values[at + 1]
                    + self.values[at - self.width]
                    + self.values[at + self.width];
                sum += f64::from(around - 4.0 * self.values[at]).powi(2);
                count += 1;
            }
        }
        sum / f64::from(count.max(1))
    }
}

/// What a picture looks like at a glance: a difference hash and the brightness of 32 × 32 parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glance {
    hash: u64,
    thumbnail: Vec<u8>,
}

/// Side of the thumbnail.
const THUMBNAIL: u32 = 32;
/// Levels by which a part may differ in the same picture: an encoder's rounding.
const SAME_LEVELS: u8 = 1;

impl Glance {
    pub fn of(picture: &RgbPicture) -> Self {
        let thumbnail = grey_parts(picture, THUMBNAIL, THUMBNAIL);
        // Each of 8 × 8 parts is brighter than its right neighbour or not (N. Krawetz's dHash).
        let parts = grey_parts(picture, 9, 8);
        let bits = parts.chunks_exact(9).flat_map(|row| row.windows(2).map(|pair| pair[0] > pair[1]));
        let hash = bits.fold(0, |hash, bit| hash << 1 | u64::from(bit));
        Self { hash, thumbnail }
    }

    /// Whether both are of one picture, perhaps encoded anew. Skies of the same weather share their hash; that they are
    /// alike to a level all over doesn't happen while the sun moves.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.hash ^ other.hash).count_ones() <= 2
            && self.thumbnail.iter().zip(&other.thumbnail).all(|(a, b)| a.abs_diff(*b) <= SAME_LEVELS)
    }
}

fn grey_parts(picture: &RgbPicture, width: u32, height: u32) -> Vec<u8> {
    let mut parts = Vec::with_capacity((width * height) as usize);
    for y in 0..height {
        for x in 0..width {
            let (rows, columns) = (span(y, height, picture.height()), span(x, width, picture.width()));
            let count = (rows.len() * columns.len()) as f64;
            let sum: f64 = rows
                .flat_map(|row| columns.clone().map(move |column| (column, row)))
                .map(|(column, row)| luma(picture.pixel(column as u32, row as u32)))
                .sum();
            parts.push((sum / count).round() as u8);
        }
    }
    parts
}
