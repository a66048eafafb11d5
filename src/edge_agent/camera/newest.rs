//! What the camera and the sensors tell each other: the newest picture's features, and the light.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::nowcast::solar;
use crate::station::{SkyFeatures, StationMetadata};

/// Light below which the sun isn't asked for, lx: hardly any with the sun at 5° or more.
const DAY_LX: f64 = 500.0;
/// Elevation from which the light says how cloudy it is, degrees: below, the formula of the clear sky is at its worst.
const MIN_ELEVATION_DEG: f64 = 5.0;
/// How old light may be that says what a picture of now shows.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// The newest of both.
#[derive(Debug, Default)]
pub(in crate::edge_agent) struct Newest(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sky: Option<SkyFeatures>,
    light: Option<(Timestamp, f64)>,
    day_clearness: Option<f64>,
}

impl Newest {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a picture's features.
    pub fn put_sky(&self, features: SkyFeatures) {
        self.state().sky = Some(features);
    }

    /// The features of the newest picture, where it was taken before `at` and no longer ago than `max_age`.
    pub fn sky(&self, at: Timestamp, max_age: SignedDuration) -> Option<SkyFeatures> {
        let state = self.state();
        let sky = state.sky.as_ref()?;
        let age = at.duration_since(sky.taken_at);
        (!age.is_negative() && age <= max_age).then(|| sky.clone())
    }

    /// Keeps the light that was measured, lx.
    pub fn put_light(&self, at: Timestamp, lx: f64, station: &StationMetadata) {
        let by_day = (lx >= DAY_LX).then(|| clearness(at, lx, station)).flatten();
        let mut state = self.state();
        if state.light.is_none_or(|(known, _)| known <= at) {
            state.light = Some((at, lx));
            state.day_clearness = by_day.or(state.day_clearness);
        }
    }

    /// The clearness at `at`: the light over that of a cloudless sky. `None` where there is no light of the last ten
    /// minutes, and while the sun is below 5°.
    pub fn clearness(&self, at: Timestamp, station: &StationMetadata) -> Option<f64> {
        let (measured_at, lx) = self.state().light?;
        (at.duration_since(measured_at).abs() <= FRESH).then(|| clearness(measured_at, lx, station)).flatten()
    }

    /// The newest clearness there was by day, however long ago.
    pub fn last_clearness(&self) -> Option<f64> {
        self.state().day_clearness
    }
}

fn clearness(at: Timestamp, lx: f64, station: &StationMetadata) -> Option<f64> {
    let elevation = solar::elevation_deg(at, station.latitude_deg, station.longitude_deg);
    (elevation >= MIN_ELEVATION_DEG).then(|| lx / solar::clear_sky_illuminance_lx(elevation))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn features_ride_while_their_picture_is_recent() {
        let newest = Newest::default();
        let bound = SignedDuration::from_mins(20);
        assert_eq!(newest.sky(at("2026-05-01T12:00:00Z"), bound), None);
        newest.put_sky(SkyFeatures::at(at("2026-05-01T12:00:00Z")));
        assert!(newest.sky(at("2026-05-01T12:00:00Z"), bound).is_some());
        assert!(newest.sky(at("2026-05-01T12:20:00Z"), bound).is_some());
        assert_eq!(newest.sky(at("2026-05-01T12:20:01Z"), bound), None, "too old");
        assert_eq!(newest.sky(at("2026-05-01T11:59:59Z"), bound), None, "measured before it was taken");
    }

    #[test]
    fn clearness_is_the_light_over_that_of_a_clear_sky() {
        let (name, horizon_deg) = ("Roof".to_owned(), Vec::new());
        let station =
            StationMetadata { name, latitude_deg: 46.815, longitude_deg: 6.944, altitude_m: 491.0, horizon_deg };
        let newest = Newest::default();
        let noon = at("2016-06-21T11:30:00Z");
        assert_eq!(newest.clearness(noon, &station), None);
        // The sun stands at 66.603°: see the tests of `nowcast::solar`.
        newest.put_light(noon, 0.4 * solar::clear_sky_illuminance_lx(66.603), &station);
        let seen = newest.clearness(noon, &station).expect("by day");
        assert!((seen - 0.4).abs() < 0.001, "{seen}");
        assert_eq!(newest.clearness(at("2016-06-21T11:41:00Z"), &station), None, "too old");
        // A low sun, by which nothing can be told; then the night.
        newest.put_light(at("2016-06-21T19:00:00Z"), 3000.0, &station);
        newest.put_light(at("2016-06-21T23:00:00Z"), 0.0, &station);
        assert_eq!(newest.clearness(at("2016-06-21T23:00:00Z"), &station), None, "by night");
        let last = newest.last_clearness().expect("of the day");
        assert!((last - 0.4).abs() < 0.001, "{last}");
    }
}
