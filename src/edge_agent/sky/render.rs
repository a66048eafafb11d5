//! A sky that is drawn: from where the sun stands, how clear it was measured to be, and how the clouds drift.
//!
//! Deterministic: the same scene is the same picture. It says RENDERED on the picture itself. It is what the camera of a
//! replay takes, and the truth that tests measure the analysis by.

mod clouds;
mod label;

use jiff::Timestamp;

use self::clouds::Clouds;
use super::lens::{Direction, Lens, angle_deg, direction};
use super::mask::Cell;
use super::picture::RgbPicture;
use crate::nowcast::solar::{self, SunPosition};

/// Radius of the drawn sun, degrees: what a camera's clipping makes of its quarter.
const SUN_RADIUS_DEG: f64 = 2.0;
/// A clear sky's R/B at the zenith and at the horizon.
const ZENITH_RATIO: f64 = 0.50;
const HORIZON_RATIO: f64 = 0.68;
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

/// Draws a scene at `width` × `height`, each 16 to 4096 (a side outside is taken at its nearer end).
#[must_use]
pub fn render(scene: &SkyScene, width: u32, height: u32) -> Rendered {
    let (width, height) = (width.clamp(16, 4096), height.clamp(16, 4096));
    let sun = solar::position(scene.at, scene.latitude_deg, scene.longitude_deg);
    let directions: Vec<Option<Direction>> = (0..height)
        .flat_map(|y| (0..width).map(move |x| [f64::from(x) + 0.5, f64::from(y) + 0.5]))
        .map(|place| scene.lens.direction(place, f64::from(width), f64::from(height)))
        .collect();
    let clouds = Clouds::new(scene, &directions);
    let light = Light::of(sun);
    let mut truth = Vec::with_capacity(directions.len());
    let mut picture = RgbPicture::drawn(width, height, |x, y| {
        let (color, cell) = match directions[y as usize * width as usize + x as usize] {
            Some(seen) if seen[2] > skyline(seen) => light.sky(seen, clouds.opacity(seen)),
            Some(seen) if seen[2] > 0.0 => ([38, 36, 34], Cell::Outside),
            _ => ([0; 3], Cell::Outside),
        };
        truth.push(cell);
        color
    });
    label::draw(&mut picture, &mut truth);
    Rendered { picture, truth, sun }
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
