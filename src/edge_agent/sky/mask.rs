//! Which part of a picture is sky, and what was seen of it.

use super::decode::{Format, PictureError};
use super::lens::{Lens, angle_deg, direction};
use super::picture::{fitting, span};
use super::png_rows::PngRows;
use crate::nowcast::solar::SunPosition;

/// Pixels of the longer side of what is analysed, and of [`CloudMask`], at most.
pub const GRID_PX: u32 = 256;
/// Degrees around the sun that are left out where it shines. Chosen, not measured: how far a lens's own glare reaches is
/// the lens's; a clear-sky library says more.
pub const GLARE_DEG: f64 = 10.0;
/// Pixels of a mask at most.
const MAX_MASK_PIXELS: u64 = 64_000_000;
/// How far a mask's shape may be from the picture's, as a share of width over height.
const SHAPE_TOLERANCE: f64 = 0.02;

/// What a pixel of the analysed picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cell {
    /// Sky without cloud.
    Clear = 0,
    /// Cloud.
    Cloud = 1,
    /// The sun's glare: left out.
    Sun = 2,
    /// Below the horizon, or beyond the lens's circle: left out.
    Outside = 3,
}

/// What was seen where, at the resolution of the analysis: at most 256 × 256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudMask {
    /// Cells across.
    pub width: u32,
    /// Cells down.
    pub height: u32,
    /// The cells, row by row from the top left.
    pub cells: Vec<Cell>,
}

impl CloudMask {
    /// The cell that a place of a picture falls into; the place in shares of its width and height.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> Cell {
        let index =
            |share: f64, length: u32| ((share * f64::from(length)).max(0.0) as u32).min(length.saturating_sub(1));
        let at = index(y, self.height) as usize * self.width as usize + index(x, self.width) as usize;
        self.cells.get(at).copied().unwrap_or(Cell::Outside)
    }

    /// Share of the judged sky that is cloud, 0 to 1; `None` where nothing was judged.
    #[must_use]
    pub fn cover(&self) -> Option<f64> {
        let (clear, cloud) = (self.count(Cell::Clear), self.count(Cell::Cloud));
        (clear + cloud > 0).then(|| cloud as f64 / (clear + cloud) as f64)
    }

    /// How many cells are `cell`.
    #[must_use]
    pub fn count(&self, cell: Cell) -> usize {
        self.cells.iter().filter(|one| **one == cell).count()
    }
}

/// The sky's part of a camera's pictures, from a file: bright is sky, dark is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HorizonMask(GreyMask);

impl HorizonMask {
    /// Reads a PNG: a pixel of at least half brightness is sky, a darker or a transparent one isn't. Fails as a picture
    /// does.
    pub fn from_png(bytes: &[u8]) -> Result<Self, PictureError> {
        GreyMask::from_png(bytes).map(Self)
    }

    /// Pixels across and down of the file.
    #[must_use]
    pub const fn size(&self) -> (u32, u32) {
        self.0.full
    }

    /// Why it doesn't fit a picture of `width` × `height`, in words: it has another shape, by more than 2 % of width over
    /// height. Another size of the same shape fits: it is scaled.
    #[must_use]
    pub fn mismatch(&self, width: u32, height: u32) -> Option<String> {
        let (across, down) = self.0.full;
        (!self.0.fits(width, height)).then(|| {
            format!(
                "it has {across} × {down} pixels and the picture {width} × {height}, another shape; draw it anew over a picture"
            )
        })
    }

    /// Whether the skyline goes through a part of the picture, its corners in shares of width and height.
    pub(super) fn crosses(&self, from: [f64; 2], to: [f64; 2]) -> bool {
        let (width, height) = (f64::from(self.0.width), f64::from(self.0.height));
        let columns = (from[0] * width) as u32..(to[0] * width).ceil() as u32;
        let rows = (from[1] * height) as u32..(to[1] * height).ceil() as u32;
        let mut sky = rows.flat_map(|y| columns.clone().map(move |x| (x, y))).map(|(x, y)| {
            let cell = self.0.cell(x.min(self.0.width - 1), y.min(self.0.height - 1), self.0.width, self.0.height);
            2 * cell.bright > cell.all
        });
        sky.next().is_some_and(|first| sky.any(|other| other != first))
    }

    fn is_sky(&self, x: u32, y: u32, width: u32, height: u32) -> bool {
        let cell = self.0.cell(x, y, width, height);
        2 * cell.bright > cell.all
    }
}

/// How many of a PNG's pixels are white, black and bright, in cells of the analysis's resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GreyMask {
    pub width: u32,
    pub height: u32,
    pub full: (u32, u32),
    pub cells: Vec<GreyCell>,
}

/// The pixels of one cell. A transparent one is none of them; of a coloured one the brightest channel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct GreyCell {
    pub all: u32,
    /// From 192 of 255.
    pub white: u32,
    /// Up to 63.
    pub black: u32,
    /// From 128.
    pub bright: u32,
}

impl GreyMask {
    /// Reads it. Fails as a picture does.
    pub fn from_png(bytes: &[u8]) -> Result<Self, PictureError> {
        if Format::of(bytes) != Some(Format::Png) {
            return Err(PictureError::NoMask);
        }
        let mut rows = PngRows::open(bytes, MAX_MASK_PIXELS, MAX_MASK_PIXELS / 4)?;
        let full = (rows.width, rows.height);
        let (width, height) = fitting(full.0, full.1, GRID_PX);
        let mut cells = vec![GreyCell::default(); width as usize * height as usize];
        rows.read(|y, row, channels| {
            let line = (u64::from(y) * u64::from(height) / u64::from(full.1)) as usize * width as usize;
            for (x, pixel) in row.chunks_exact(channels).enumerate() {
                let cell = &mut cells[line + (x as u64 * u64::from(width) / u64::from(full.0)) as usize];
                cell.all += 1;
                let (value, alpha) = match *pixel {
                    [grey] => (grey, 255),
                    [grey, alpha] => (grey, alpha),
                    [r, g, b] => (r.max(g).max(b), 255),
                    [r, g, b, alpha] => (r.max(g).max(b), alpha),
                    _ => continue,
                };
                if alpha >= 128 {
                    cell.white += u32::from(value >= 192);
                    cell.black += u32::from(value < 64);
                    cell.bright += u32::from(value >= 128);
                }
            }
        })?;
        Ok(Self { width, height, full, cells })
    }

    /// The cell of a place of a grid of `width` × `height`.
    pub fn cell(&self, x: u32, y: u32, width: u32, height: u32) -> GreyCell {
        let (column, row) = (span(x, width, self.width).start, span(y, height, self.height).start);
        self.cells.get(row * self.width as usize + column).copied().unwrap_or_default()
    }

    /// Whether it is of the shape of a picture of `width` × `height`; another size of that shape is scaled.
    pub fn fits(&self, width: u32, height: u32) -> bool {
        let ratio = |(width, height): (u32, u32)| f64::from(width) / f64::from(height.max(1));
        (ratio(self.full) / ratio((width, height)) - 1.0).abs() <= SHAPE_TOLERANCE
    }
}

/// What of a picture can be sky, before colours are looked at: row by row, `true` where it can.
pub(super) struct Region {
    pub sky: Vec<bool>,
    /// Whether a pixel lies in the sun's glare, if it shines.
    pub near_sun: Vec<bool>,
    /// Whether the horizon mask was left aside.
    pub mask_ignored: bool,
}

impl Region {
    /// The region of a grid of `width` × `height` over a picture of `full` size.
    pub fn of(
        (width, height): (u32, u32),
        full: (u32, u32),
        lens: Option<&Lens>,
        horizon: Option<&HorizonMask>,
        sun: SunPosition,
    ) -> Self {
        let fitting = horizon.filter(|horizon| horizon.0.fits(full.0, full.1));
        let sun_at = direction(sun.elevation_deg, sun.azimuth_deg);
        let sun_is_up = sun.elevation_deg > -1.0;
        let cells = width as usize * height as usize;
        let (mut sky, mut near_sun) = (Vec::with_capacity(cells), Vec::with_capacity(cells));
        for y in 0..height {
            for x in 0..width {
                let mut is_sky = fitting.is_none_or(|horizon| horizon.is_sky(x, y, width, height));
                let mut near = false;
                if let Some(lens) = lens {
                    let place = [f64::from(x) + 0.5, f64::from(y) + 0.5];
                    let seen = lens.direction(place, f64::from(width), f64::from(height));
                    is_sky &= seen.is_some_and(|seen| seen[2] > 0.0);
                    near = sun_is_up && seen.is_some_and(|seen| angle_deg(seen, sun_at) < GLARE_DEG);
                }
                sky.push(is_sky);
                near_sun.push(near && is_sky);
            }
        }
        Self { sky, near_sun, mask_ignored: horizon.is_some() && fitting.is_none() }
    }
}
