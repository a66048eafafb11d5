//! Conversions between quantities, each with its source.

/// Luminous efficacy of global daylight, lm/W.
///
/// Illuminance is derived from irradiance as `lx = 110 · W/m²`. Littlefair (1985), *The luminous efficacy of
/// daylight: a review*, gives 110 ± 10 lm/W for global daylight under mixed skies.
pub const DAYLIGHT_EFFICACY_LM_PER_W: f64 = 110.0;

/// Illuminance in lx from global horizontal irradiance in W/m². Negative night-time offsets become 0.
#[must_use]
pub fn illuminance_lx(irradiance_w_m2: f64) -> f64 {
    (irradiance_w_m2 * DAYLIGHT_EFFICACY_LM_PER_W).max(0.0)
}

/// Pressure reduced to mean sea level, hPa, from station pressure (hPa), temperature (°C) and altitude (m).
///
/// The formula of WMO-No. 8 (2018), part I, 3.7.2 without the vapour term:
/// `p0 = p · (1 − 0.0065 h / (T + 0.0065 h + 273.15))^(−5.257)`.
#[must_use]
pub fn sea_level_pressure_hpa(station_hpa: f64, temperature_c: f64, altitude_m: f64) -> f64 {
    let fall = 0.0065 * altitude_m;
    station_hpa * (1.0 - fall / (temperature_c + fall + 273.15)).powf(-5.257)
}

/// Dew point in °C from temperature (°C) and relative humidity (%), by the Magnus formula with the
/// constants of Sonntag (1990): 17.62 and 243.12 °C. `None` where humidity is 0 or below.
#[must_use]
pub fn dew_point_c(temperature_c: f64, humidity_pct: f64) -> Option<f64> {
    if humidity_pct <= 0.0 {
        return None;
    }
    let gamma = (humidity_pct / 100.0).ln() + 17.62 * temperature_c / (243.12 + temperature_c);
    Some(243.12 * gamma / (17.62 - gamma))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sea_level_pressure_matches_a_hand_computed_value() {
        // 958.0 hPa at 491 m and 9.3 °C: 0.0065·491 = 3.1915; 3.1915/285.6415 = 0.0111731;
        // (1 − 0.0111731)^−5.257 = 1.060846.
        assert!((sea_level_pressure_hpa(958.0, 9.3, 491.0) - 1016.29).abs() < 0.05);
        assert!((sea_level_pressure_hpa(1013.25, 15.0, 0.0) - 1013.25).abs() < 1e-9);
    }

    #[test]
    fn saturated_air_has_its_dew_point_at_its_temperature() {
        let dew = dew_point_c(12.0, 100.0).expect("humidity is positive");
        assert!((dew - 12.0).abs() < 1e-9);
        assert_eq!(dew_point_c(12.0, 0.0), None);
        // 20 °C at 50 %: 9.3 °C in every psychrometric table.
        assert!((dew_point_c(20.0, 50.0).expect("positive") - 9.26).abs() < 0.05);
    }

    #[test]
    fn irradiance_becomes_illuminance_and_night_is_dark() {
        assert!((illuminance_lx(1000.0) - 110_000.0).abs() < 1e-9);
        assert_eq!(illuminance_lx(-3.0), 0.0);
    }
}
