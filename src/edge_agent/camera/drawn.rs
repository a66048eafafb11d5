//! The sky of a replay, drawn: the sun where it stood, cloud as much as the light says, RENDERED on the picture.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::edge_agent::sky::{Lens, SkyScene, cover_of_clearness, render_jpeg};
use crate::station::StationMetadata;

/// Pixels of a drawn picture: enough for the analysis, which looks at 512.
const SIZE: (u32, u32) = (640, 480);
/// A JPEG's quality.
const QUALITY: u8 = 75;
/// The clouds' drift as it is drawn: towards the east, as fast as a cloud of 1,000 m goes in a wind of 3 m/s.
const DRIFT_TO_DEG: f64 = 90.0;
const DRIFT_DEG_PER_MIN: f64 = 10.0;

/// Draws the sky of `at` into the file `draft`; takes some 50 ms of a core. `clearness` is the measured light over that of
/// a cloudless sky.
pub(super) fn draw(
    draft: &Path,
    at: Timestamp,
    clearness: f64,
    lens: Lens,
    station: &StationMetadata,
) -> Result<(), String> {
    let scene = SkyScene {
        at,
        latitude_deg: station.latitude_deg,
        longitude_deg: station.longitude_deg,
        cover: cover_of_clearness(clearness),
        drift_to_deg: DRIFT_TO_DEG,
        drift_deg_per_min: DRIFT_DEG_PER_MIN,
        // Each day has its own clouds.
        seed: u64::from(Offset::UTC.to_datetime(at).date().day_of_year().unsigned_abs()),
        lens,
    };
    let jpeg = render_jpeg(&scene, SIZE.0, SIZE.1, QUALITY).map_err(|error| error.to_string())?;
    std::fs::write(draft, jpeg).map_err(|error| format!("the drawn sky can't be written: {error}; check the disk"))
}
