//! Light: by clear-sky index while the sun is up, by the station's own twilights and nights otherwise.

use jiff::{SignedDuration, Timestamp};

use super::errors::ErrorWindow;
use super::history::{History, window};
use super::means::{BIN_SECONDS, middle};
use super::parameters::LightParameters;
use super::series::{AnomalySeries, band};
use super::solar::{clear_sky_illuminance_lx, elevation_deg};

/// Light at one place.
#[derive(Debug, Clone)]
pub(super) struct Light {
    latitude_deg: f64,
    longitude_deg: f64,
    parameters: LightParameters,
    /// Clear-sky index, measured over clear-sky illuminance, while it is day.
    index: AnomalySeries,
    /// Illuminance in lx while it is lower.
    dark: History,
    /// Errors of the dark's mean by time of day, as shares of that mean plus the floor.
    twilight_errors: ErrorWindow,
    night_errors: ErrorWindow,
}

impl Light {
    pub fn new(latitude_deg: f64, longitude_deg: f64, parameters: &LightParameters) -> Self {
        Self {
            latitude_deg,
            longitude_deg,
            index: AnomalySeries::new(&parameters.index),
            dark: History::new(parameters.index.cycle_days),
            parameters: parameters.clone(),
            twilight_errors: ErrorWindow::default(),
            night_errors: ErrorWindow::default(),
        }
    }

    /// Takes in the mean illuminance, lx, of the bin that ends at `ends_at`.
    pub fn observe(&mut self, bin: i32, ends_at: Timestamp, illuminance_lx: Option<f64>) {
        let elevation = self.elevation(ends_at);
        if elevation > self.parameters.day_above_deg {
            self.index.observe(bin, illuminance_lx.map(|lx| lx / clear_sky_illuminance_lx(elevation)));
            self.dark.put(bin, None);
            return;
        }
        self.index.observe(bin, None);
        let expected = self.dark.mean_at_time_of_day(bin, 0);
        if !self.dark.put(bin, illuminance_lx.map(|lx| lx as f32)) {
            return;
        }
        let errors = if elevation > self.parameters.night_below_deg {
            &mut self.twilight_errors
        } else {
            &mut self.night_errors
        };
        errors.forget_before(bin - window(self.parameters.index.error_days));
        if let (Some(measured), Some(expected)) = (illuminance_lx, expected) {
            errors.push(bin, ((measured - expected) / (expected + self.parameters.floor_lx)) as f32);
        }
    }

    /// Quantiles in lx `lead` bins after the newest, which ended at `ends_at`.
    pub fn quantiles(&self, bin: i32, ends_at: Timestamp, lead: usize) -> Option<[f64; 5]> {
        let elevation = self.elevation(ends_at + SignedDuration::from_secs(BIN_SECONDS * lead as i64));
        if elevation > self.parameters.day_above_deg {
            let clear_sky = clear_sky_illuminance_lx(elevation);
            return self.index.quantiles(lead).map(|indices| indices.map(|index| index * clear_sky));
        }
        let expected = self.dark.mean_at_time_of_day(bin + lead as i32, 0)?;
        let errors =
            if elevation > self.parameters.night_below_deg { &self.twilight_errors } else { &self.night_errors };
        let scale = expected + self.parameters.floor_lx;
        band(errors, self.parameters.index.min_errors).map(|around| around.map(|share| expected + share * scale))
    }

    /// The sun's elevation in the middle of the bin that ends at `ends_at`.
    fn elevation(&self, ends_at: Timestamp) -> f64 {
        elevation_deg(middle(ends_at), self.latitude_deg, self.longitude_deg)
    }
}
