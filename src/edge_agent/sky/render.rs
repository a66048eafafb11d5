//! A sky that is drawn: from where the sun stands, how clear it was measured to be, and how the clouds drift.
//!
//! Deterministic: the same scene is the same picture. It says RENDERED on the picture itself. It is what the camera of a
//! replay takes, and the truth that tests measure the analysis by.

mod clouds;
mod label;

use jiff::Timestamp;

use self::clouds::Clouds;
use super::encode::{self, EncodeError};
use super::lens::{Direction, Lens, angle_deg, direction};
use super::mask::Cell;
use super::picture::RgbPicture;
use crate::nowcast::solar::{self, SunPosition};

/// Radius of the drawn sun, degrees: what a camera's clipping makes of its quarter.
const SUN_RADIUS_DEG: f64 = 2.0;
/// A clear sky's R/B at the zenith and at the horizon.
const ZENITH_RATIO: f64 = 0.50;
const HORIZON_RATIO: f64 = 0.68;
/// Pixels along the longer side, from which on not every one is looked at for how much of the sky is cloud.
const SAMPLES_PX: u32 = 256;
/// A cloud's R/B: a little blue, from the sky's own light.
const CLOUD_RATIO: f64 = 0.95;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SkyScene {
    /// When.
    pub at: Timestamp,
    /// Degrees north.
    pub latitude_deg: f64,
    /// Degrees east.
    pub longitude_deg: f64,
    /// Share of the sky that is cloud at the beginning of the quarter of an hour, 0 to 1; it drifts as it is until the next.
    pub cover: f64,
    /// Where the clouds drift to, degrees clockwise from north.
    pub drift_to_deg: f64,
    /// How fast, degrees a minute as seen at the zenith.
    pub drift_deg_per_min: f64,
    /// Which clouds: the same number is the same field of clouds.
    pub seed: u64,
    /// The lens.
    pub lens: Lens,
}

/// A drawn picture and what is on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The picture, marked RENDERED.
    pub picture: RgbPicture,
    /// What each of its pixels is; the mark's are [`Cell::Outside`].
    pub truth: Vec<Cell>,
    /// Where the sun stands.
    pub sun: SunPosition,
}

/// The cloud cover, 0 to 1, that goes with a clearness (irradiance over that of a cloudless sky): F. Kasten, G. Czeplak,
/// *Solar and terrestrial radiation dependent on the amount and type of cloud*, Solar Energy 24, 1980:
/// G/G₀ = 1 − 0.75 (N/8)^3.4.
#[must_use]
pub fn cover_of_clearness(clearness: f64) -> f64 {
    ((1.0 - clearness) / 0.75).clamp(0.0, 1.0).powf(1.0 / 3.4)
}

/// Draws a scene at `width` × `height`, each 16 to 4096 (a side outside is taken at its nearer end), with what is on it.
#[must_use]
pub fn render(scene: &SkyScene, width: u32, height: u32) -> Rendered {
    let drawing = Drawing::new(scene, width, height);
    let mut truth = Vec::with_capacity(drawing.width as usize * drawing.height as usize);
    let picture = RgbPicture::drawn(drawing.width, drawing.height, |x, y| {
        let (color, cell) = drawing.at(x, y);
        truth.push(cell);
        color
    });
    Rendered { picture, truth, sun: drawing.light.sun }
}

/// The same scene as a JPEG of `quality` 1 to 100, drawn while it is encoded: no more than sixteen rows are held at once.
pub fn render_jpeg(scene: &SkyScene, width: u32, height: u32, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let drawing = Drawing::new(scene, width, height);
    encode::jpeg_of(drawing.width, drawing.height, quality, |x, y| drawing.at(x, y).0)
}

/// A scene at a size: what each of its pixels is.
struct Drawing {
    width: u32,
    height: u32,
    lens: Lens,
    clouds: Clouds,
    light: Light,
}

impl Drawing {
    fn new(scene: &SkyScene, width: u32, height: u32) -> Self {
        let (width, height) = (width.clamp(16, 4096), height.clamp(16, 4096));
        let light = Light::of(solar::position(scene.at, scene.latitude_deg, scene.longitude_deg));
        let apart = (width.max(height) / SAMPLES_PX).max(1) as usize;
        let places = (0..height).step_by(apart).flat_map(|y| (0..width).step_by(apart).map(move |x| (x, y)));
        let seen = places.filter_map(|(x, y)| seen(&scene.lens, (x, y), (width, height)));
        let clouds = Clouds::new(scene, seen.filter(|seen| seen[2] > skyline(*seen)));
        Self { width, height, lens: scene.lens, clouds, light }
    }

    /// The colour of a pixel, and what it is.
    fn at(&self, x: u32, y: u32) -> ([u8; 3], Cell) {
        if let Some(color) = label::at((x, y), (self.width, self.height)) {
            return (color, Cell::Outside);
        }
        match seen(&self.lens, (x, y), (self.width, self.height)) {
            Some(seen) if seen[2] > skyline(seen) => self.light.sky(seen, self.clouds.opacity(seen)),
            Some(seen) if seen[2] > 0.0 => ([38, 36, 34], Cell::Outside),
            _ => ([0; 3], Cell::Outside),
        }
    }
}

/// The direction of a pixel.
fn seen(lens: &Lens, (x, y): (u32, u32), (width, height): (u32, u32)) -> Option<Direction> {
    lens.direction([f64::from(x) + 0.5, f64::from(y) + 0.5], f64::from(width), f64::from(height))
}

impl Rendered {
    /// The cover that was drawn, of the sky that isn't the sun's disc: 0 to 1. `None` where no sky is on it.
    #[must_use]
    pub fn cover(&self) -> Option<f64> {
        let count = |cell| self.truth.iter().filter(|one| **one == cell).count();
        let (clear, cloud) = (count(Cell::Clear), count(Cell::Cloud));
        (clear + cloud > 0).then(|| cloud as f64 / (clear + cloud) as f64)
    }

    /// The truth as a mask for `sky evaluate` has it: white is cloud, black is clear, grey is neither.
    #[must_use]
    pub fn truth_picture(&self) -> RgbPicture {
        let width = self.picture.width();
        RgbPicture::drawn(width, self.picture.height(), |x, y| match self.truth[(y * width + x) as usize] {
            Cell::Cloud => [255; 3],
            Cell::Clear => [0; 3],
            Cell::Sun | Cell::Outside => [128; 3],
        })
    }
}

/// How a sky is lit.
struct Light {
    sun: SunPosition,
    at: Direction,
    /// How bright it is, 0 to 1.
    level: f64,
}

impl Light {
    fn of(sun: SunPosition) -> Self {
        // From the end of civil twilight to a sun of 20° it grows brighter; a camera's exposure does the rest.
        let level = ((sun.elevation_deg + 6.0) / 26.0).clamp(0.03, 1.0);
        Self { sun, at: direction(sun.elevation_deg, sun.azimuth_deg), level }
    }

    /// The colour of a direction behind a cloud of `opacity` 0 to 1, and what it is.
    fn sky(&self, seen: Direction, opacity: f64) -> ([u8; 3], Cell) {
        let away = angle_deg(seen, self.at);
        let sun_is_up = self.sun.elevation_deg > 0.0;
        if sun_is_up && away < SUN_RADIUS_DEG && opacity <= 0.5 {
            return ([255; 3], Cell::Sun);
        }
        let low = (1.0 - seen[2]).powi(3);
        let glow = if sun_is_up { (-away / 5.0).exp() } else { 0.0 };
        let ratio = ZENITH_RATIO + (HORIZON_RATIO - ZENITH_RATIO) * low;
        let ratio = ratio + (0.99 - ratio) * glow;
        let blue = (170.0 + 40.0 * low + 85.0 * glow).min(255.0);
        let clear = [blue * ratio, blue * (0.35 + 0.65 * ratio), blue];
        // Thick cloud is darker, and bright where it is thin.
        let grey = 228.0 - 70.0 * (opacity - 0.5).max(0.0);
        let cloud = [grey * CLOUD_RATIO, grey * (1.0 + CLOUD_RATIO) / 2.0, grey];
        let mixed = |channel: usize| clear[channel] + (cloud[channel] - clear[channel]) * opacity;
        let color = std::array::from_fn(|channel| (mixed(channel) * self.level).round().clamp(0.0, 255.0) as u8);
        (color, if opacity > 0.5 { Cell::Cloud } else { Cell::Clear })
    }
}

/// The sine of the elevation below which houses stand: some 3 to 8°, in blocks of 15° of azimuth.
fn skyline(seen: Direction) -> f64 {
    let block = (seen[0].atan2(seen[1]).to_degrees().rem_euclid(360.0) / 15.0) as usize;
    const HEIGHTS_DEG: [f64; 6] = [3.0, 5.5, 4.0, 8.0, 3.5, 6.0];
    HEIGHTS_DEG[block % HEIGHTS_DEG.len()].to_radians().sin()
}
