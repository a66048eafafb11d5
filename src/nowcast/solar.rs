//! Where the sun stands, and how bright a cloudless sky is then.

use jiff::Timestamp;

use crate::station::units::illuminance_lx;

/// The sun's elevation above the mathematical horizon in degrees (−90 to 90), without refraction, for a place
/// in degrees north and east.
///
/// The low-precision formulas of the *Astronomical Almanac* as given by Michalsky (1988), *The Astronomical
/// Almanac's algorithm for approximate solar position (1950–2050)*, Solar Energy 40(3): within 0.01° in that
/// span.
#[must_use]
pub fn elevation_deg(instant: Timestamp, latitude_deg: f64, longitude_deg: f64) -> f64 {
    // Days since 2000-01-01T12:00Z, whose Unix time is 946,728,000 s.
    let days = (instant.as_millisecond() as f64 / 1000.0 - 946_728_000.0) / 86_400.0;
    let mean_longitude = 280.460 + 0.985_647_4 * days;
    let mean_anomaly = (357.528 + 0.985_600_3 * days).to_radians();
    let ecliptic_longitude =
        (mean_longitude + 1.915 * mean_anomaly.sin() + 0.020 * (2.0 * mean_anomaly).sin()).to_radians();
    let obliquity = (23.439 - 0.000_000_4 * days).to_radians();
    let right_ascension = (obliquity.cos() * ecliptic_longitude.sin()).atan2(ecliptic_longitude.cos());
    let declination = (obliquity.sin() * ecliptic_longitude.sin()).asin();

    // Greenwich mean sidereal time, as an angle: 18.697374558 h at the epoch, 24.06570982441908 h a day.
    let sidereal = (280.460_618 + 360.985_647_366 * days).rem_euclid(360.0);
    let hour_angle = (sidereal + longitude_deg).to_radians() - right_ascension;
    let latitude = latitude_deg.to_radians();
    let sine = latitude.sin() * declination.sin() + latitude.cos() * declination.cos() * hour_angle.cos();
    sine.clamp(-1.0, 1.0).asin().to_degrees()
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
    fn elevation_agrees_with_spa_to_a_twentieth_of_a_degree() {
        for (instant, latitude, longitude, expected) in BY_SPA {
            let elevation = elevation_deg(instant.parse().expect("a timestamp"), latitude, longitude);
            assert!((elevation - expected).abs() < 0.05, "{instant}: {elevation} and not {expected}");
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
