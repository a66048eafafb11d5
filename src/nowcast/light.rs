//! Light: by clear-sky index while the sun is up, by the station's own twilights and nights otherwise.

use jiff::{SignedDuration, Timestamp};

use super::errors::ErrorWindow;
use super::history::{History, WINDOW};
use super::means::{BIN_SECONDS, middle};
use super::series::{AnomalySeries, band};
use super::solar::{clear_sky_illuminance_lx, elevation_deg};

/// Elevation above which the clear-sky index is used, degrees: lower, it divides small numbers.
const DAY_ABOVE_DEG: f64 = 5.0;
/// Elevation below which it is night: the end of civil twilight, degrees.
const NIGHT_BELOW_DEG: f64 = -6.0;
/// Bins on either side over which the cycle of the clear-sky index is smoothed: an hour and a half.
const INDEX_REACH: i32 = 9;
/// Added where an error is taken in proportion, lx: 1 W/m², about what a pyranometer resolves at night.
const FLOOR_LX: f64 = 110.0;

/// Light at one place.
#[derive(Debug, Clone)]
pub(super) struct Light {
    latitude_deg: f64,
    longitude_deg: f64,
    /// Clear-sky index, measured over clear-sky illuminance, while the sun is above 5°.
    index: AnomalySeries,
    /// Illuminance in lx while it is lower.
    dark: History,
    /// Errors of the dark's mean by time of day, as shares of that mean plus [`FLOOR_LX`].
    twilight_errors: ErrorWindow,
    night_errors: ErrorWindow,
}

impl Light {
    pub fn new(latitude_deg: f64, longitude_deg: f64) -> Self {
        Self {
            latitude_deg,
            longitude_deg,
            index: AnomalySeries::new(INDEX_REACH),
            dark: History::new(),
            twilight_errors: ErrorWindow::default(),
            night_errors: ErrorWindow::default(),
        }
    }

    /// Takes in the mean illuminance, lx, of the bin that ends at `ends_at`.
    pub fn observe(&mut self, bin: i32, ends_at: Timestamp, illuminance_lx: Option<f64>) {
        let elevation = self.elevation(ends_at);
        if elevation > DAY_ABOVE_DEG {
            self.index.observe(bin, illuminance_lx.map(|lx| lx / clear_sky_illuminance_lx(elevation)));
            self.dark.put(bin, None);
            return;
        }
        self.index.observe(bin, None);
        let expected = self.dark.mean_at_time_of_day(bin, 0);
        if !self.dark.put(bin, illuminance_lx.map(|lx| lx as f32)) {
            return;
        }
        let errors = if elevation > NIGHT_BELOW_DEG { &mut self.twilight_errors } else { &mut self.night_errors };
        errors.forget_before(bin - WINDOW);
        if let (Some(measured), Some(expected)) = (illuminance_lx, expected) {
            errors.push(bin, ((measured - expected) / (expected + FLOOR_LX)) as f32);
        }
    }

    /// Quantiles in lx `lead` bins after the newest, which ended at `ends_at`.
    pub fn quantiles(&self, bin: i32, ends_at: Timestamp, lead: usize) -> Option<[f64; 5]> {
        let elevation = self.elevation(ends_at + SignedDuration::from_secs(BIN_SECONDS * lead as i64));
        if elevation > DAY_ABOVE_DEG {
            let clear_sky = clear_sky_illuminance_lx(elevation);
            return self.index.quantiles(lead).map(|indices| indices.map(|index| index * clear_sky));
        }
        let expected = self.dark.mean_at_time_of_day(bin + lead as i32, 0)?;
        let errors = if elevation > NIGHT_BELOW_DEG { &self.twilight_errors } else { &self.night_errors };
        band(errors).map(|around| around.map(|share| expected + share * (expected + FLOOR_LX)))
    }

    /// The sun's elevation in the middle of the bin that ends at `ends_at`.
    fn elevation(&self, ends_at: Timestamp) -> f64 {
        elevation_deg(middle(ends_at), self.latitude_deg, self.longitude_deg)
    }
}
