//! Where the sun stands, and how bright a cloudless sky is then.

use jiff::Timestamp;
use solar_positioning::time::JulianDate;
use solar_positioning::{Location, SolarPositions};

use crate::station::units::illuminance_lx;

/// Terrestrial time minus UT1, seconds.
const DELTA_T_S: f64 = 69.0;

/// Where the sun stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SunPosition {
    /// Degrees above the mathematical horizon, −90 to 90, without refraction.
    pub elevation_deg: f64,
    /// Degrees clockwise from north, 0 to 360.
    pub azimuth_deg: f64,
}

/// Where the sun stands for a place in degrees north and east; a place outside −90 to 90 and −180 to 180 is taken at
/// the nearest end.
///
/// By the Solar Position Algorithm of Reda and Andreas, *Solar position algorithm for solar radiation applications*,
/// Solar Energy 76(5), 2004 (NREL/TP-560-34302), for an observer at sea level: within 0.0003° from the year −2000 to
/// 6000, where it is given the difference of terrestrial time and UT1. That is taken as 69 s, as it has been since 2016
/// within a second; a minute of it moves the sun by less than 0.001°.
#[must_use]
pub fn position(instant: Timestamp, latitude_deg: f64, longitude_deg: f64) -> SunPosition {
    // The Unix epoch is the Julian date 2,440,587.5.
    let julian = instant.as_millisecond() as f64 / 86_400_000.0 + 2_440_587.5;
    let place = Location { latitude: latitude_deg.clamp(-90.0, 90.0), longitude: longitude_deg.clamp(-180.0, 180.0) };
    let sun = JulianDate::new(julian, DELTA_T_S)
        .and_then(|date| SolarPositions::new().at_from_julian(date, place, 0.0, None));
    match sun {
        Ok(sun) => SunPosition { elevation_deg: sun.elevation_angle(), azimuth_deg: sun.azimuth() },
        // Only where the place is no number, or in a year beyond those.
        Err(_) => SunPosition { elevation_deg: f64::NAN, azimuth_deg: f64::NAN },
    }
}

/// The sun's elevation alone, as [`position`] has it.
#[must_use]
pub fn elevation_deg(instant: Timestamp, latitude_deg: f64, longitude_deg: f64) -> f64 {
    position(instant, latitude_deg, longitude_deg).elevation_deg
}

/// Global horizontal irradiance under a cloudless sky, W/m², from the sun's elevation in degrees; 0 at night.
///
/// Haurwitz (1945), *Insolation in relation to cloudiness and cloud density*, J. Meteor. 2:
/// `1098 · sin h · exp(−0.059 / sin h)` (0.059 as in Reno, Hansen and Stein's implementation, carried by pvlib).
#[must_use]
pub fn clear_sky_irradiance_w_m2(elevation_deg: f64) -> f64 {
    let sine = elevation_deg.to_radians().sin();
    if sine <= 0.0 { 0.0 } else { 1098.0 * sine * (-0.059 / sine).exp() }
}

/// Illuminance under a cloudless sky, lx, from the sun's elevation in degrees: Haurwitz's irradiance by the
/// same luminous efficacy as measured irradiance.
#[must_use]
pub fn clear_sky_illuminance_lx(elevation_deg: f64) -> f64 {
    illuminance_lx(clear_sky_irradiance_w_m2(elevation_deg))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Instant, latitude, longitude and the elevation by NREL's Solar Position Algorithm (the first is the
    /// example of its report, NREL/TP-560-34302: 39.872° before refraction), all without refraction.
    const BY_SPA: [(&str, f64, f64, f64); 7] = [
        ("2003-10-17T19:30:30Z", 39.742476, -105.1786, 39.872),
        ("2016-06-21T11:30:00Z", 46.815, 6.944, 66.603),
        ("2016-06-09T03:35:00Z", 46.815, 6.944, -1.279),
        ("2016-12-21T12:00:00Z", 46.815, 6.944, 19.432),
        ("2026-03-20T06:00:00Z", 0.0, 0.0, -1.880),
        ("2035-01-15T20:00:00Z", -33.9, 151.2, 10.633),
        ("2016-06-21T00:00:00Z", 78.2, 15.6, 12.014),
    ];

    #[test]
    fn elevation_agrees_with_spa_to_a_hundredth_of_a_degree() {
        for (instant, latitude, longitude, expected) in BY_SPA {
            let elevation = elevation_deg(instant.parse().expect("a timestamp"), latitude, longitude);
            assert!((elevation - expected).abs() < 0.01, "{instant}: {elevation} and not {expected}");
        }
    }

    #[test]
    fn the_example_of_nrels_report_is_met_to_a_thousandth_of_a_degree() {
        // NREL/TP-560-34302, appendix A.5: elevation e0 39.872046°, azimuth 194.340241°, both topocentric, at
        // 1830.14 m, with 67 s of TT − UT1.
        let sun = position("2003-10-17T19:30:30Z".parse().expect("a timestamp"), 39.742476, -105.1786);
        assert!((sun.elevation_deg - 39.872046).abs() < 1e-3, "{sun:?}");
        assert!((sun.azimuth_deg - 194.340241).abs() < 1e-3, "{sun:?}");
    }

    #[test]
    fn the_sun_is_overhead_where_the_almanac_says() {
        // The declination at the solstices is the obliquity, 23.44° (Astronomical Almanac), and 0 at the equinoxes:
        // at noon by the equation of time the elevation is 90° − |latitude − declination|, and the azimuth due south
        // or north. Equinox 2026-03-20 14:46 UT, solstices 2026-06-21 08:25 UT and 2026-12-21 20:50 UT.
        for (day, latitude, declination, azimuth) in [
            ("2026-06-21", 60.0, 23.44, 180.0),
            ("2026-12-21", 50.0, -23.44, 180.0),
            ("2026-12-21", -60.0, -23.44, 0.0),
            ("2026-03-20", 45.0, 0.0, 180.0),
        ] {
            let start: Timestamp = format!("{day}T11:40:00Z").parse().expect("a timestamp");
            let minutes =
                (0..40).map(|minute| position(start + jiff::SignedDuration::from_mins(minute), latitude, 0.0));
            let noon = minutes.max_by(|a, b| a.elevation_deg.total_cmp(&b.elevation_deg)).expect("forty");
            let expected = 90.0 - (latitude - declination).abs();
            assert!((noon.elevation_deg - expected).abs() < 0.1, "{day}: {noon:?} and not {expected}");
            let away = (noon.azimuth_deg - azimuth + 540.0).rem_euclid(360.0) - 180.0;
            assert!(away.abs() < 0.5, "{day}: {noon:?}");
        }
    }

    #[test]
    fn a_cloudless_sky_is_as_bright_as_haurwitz_says() {
        // h = 30°: 1098 · 0.5 · exp(−0.118) = 549 · 0.888696 = 487.894.
        assert!((clear_sky_irradiance_w_m2(30.0) - 487.894).abs() < 0.01);
        // h = 90°: 1098 · exp(−0.059) = 1098 · 0.942707 = 1035.092.
        assert!((clear_sky_irradiance_w_m2(90.0) - 1035.092).abs() < 0.01);
        assert_eq!(clear_sky_irradiance_w_m2(0.0), 0.0);
        assert_eq!(clear_sky_illuminance_lx(-20.0), 0.0);
        assert!((clear_sky_illuminance_lx(30.0) - 53_668.3).abs() < 1.0);
    }
}
