//! Cover, sun, motion and warnings against what was drawn.

use proptest::prelude::*;

use super::*;
use crate::station::{SkyClass, SkyWarning};

const NOON: &str = "2016-06-09T11:30:00Z";

#[test]
fn cover_of_drawn_skies_is_met_by_every_rule_to_a_stated_error() {
    // The reference states these: mean error of the cover over drawn skies with sun and horizon, by rule.
    let bounds = [(Rule::RedBlue, 0.02), (Rule::Nrbr, 0.03), (Rule::Saturation, 0.08), (Rule::Hyta, 0.1)];
    let mut errors = std::collections::BTreeMap::<Rule, Vec<f64>>::new();
    for (at, seed) in [(NOON, 1), ("2016-06-09T07:00:00Z", 2), ("2016-06-09T15:00:00Z", 3), ("2016-12-09T11:00:00Z", 4)]
    {
        for cover in [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] {
            let drawn = render(&scene(at, cover, seed, FISHEYE), 320, 240);
            let setup = SkySetup { horizon: Some(horizon_of(&drawn)), ..setup(Some(FISHEYE)) };
            let seen = analyse(&through_jpeg(&drawn), &setup, instant(at), None, None);
            let truth = drawn.cover().expect("sky");
            for (rule, _) in bounds {
                let by = |key: &str| seen.features.cloud_cover_by_method_pct.get(key).copied();
                let found = by(rule.key()).or(seen.features.cloud_cover_pct.filter(|_| rule == Rule::RedBlue));
                errors.entry(rule).or_default().push(found.expect("a cover") / 100.0 - truth);
            }
            assert_eq!(seen.features.method.as_deref(), Some("redBlue"));
        }
    }
    let mean = |rule| {
        let all: &Vec<f64> = &errors[rule];
        all.iter().map(|error| error.abs()).sum::<f64>() / all.len() as f64
    };
    let found: Vec<_> = bounds.iter().map(|(rule, _)| (*rule, mean(rule))).collect();
    for ((_, mean), (_, bound)) in found.iter().zip(bounds) {
        assert!(*mean < bound, "{found:?}");
    }
}

#[test]
fn the_drawn_sun_is_where_the_analysis_says() {
    for lens in [FISHEYE, Lens { north_deg: 200.0, centre: [0.48, 0.53], fov_deg: 190.0, ..FISHEYE }] {
        let drawn = render(&scene(NOON, 0.0, 1, lens), 800, 600);
        let seen = analyse(&drawn.picture, &setup(Some(lens)), instant(NOON), None, None);
        let disc = (0..drawn.truth.len()).filter(|at| drawn.truth[*at] == Cell::Sun);
        let places: Vec<_> = disc.map(|at| ((at % 800) as f64 + 0.5, (at / 800) as f64 + 0.5)).collect();
        let middle = |of: fn(&(f64, f64)) -> f64| places.iter().map(of).sum::<f64>() / places.len() as f64;
        let [x, y] = seen.sun.expect("the sun is on it");
        let away = (middle(|p| p.0) - 800.0 * x).hypot(middle(|p| p.1) - 600.0 * y);
        // 0.1° is a third of a pixel here.
        assert!(away < 0.34, "{away} px from the disc's middle");
        assert!(seen.features.warnings.contains(&SkyWarning::SunGlare));
        assert_eq!(seen.mask.at(x, y), Cell::Sun);
        let elevation = seen.features.sun_elevation_deg.expect("known");
        assert!((elevation - drawn.sun.elevation_deg).abs() < 0.01);
    }
}

#[test]
fn a_sun_behind_cloud_is_no_glare() {
    let drawn = render(&scene(NOON, 1.0, 1, FISHEYE), 320, 240);
    let seen = analyse(&drawn.picture, &setup(Some(FISHEYE)), instant(NOON), None, None);
    assert!(!seen.features.warnings.contains(&SkyWarning::SunGlare));
    assert_eq!(seen.mask.count(Cell::Sun), 0);
    assert_eq!((seen.features.okta, seen.features.sky_class), (Some(8), Some(SkyClass::Overcast)));
}

/// A common lens that looks straight up: level clouds move as one.
fn common(fov_deg: f64) -> Lens {
    Lens { projection: Projection::Rectilinear, fov_deg, ..FISHEYE }
}

fn motion(lens: Lens, drift_to_deg: f64, drift_deg_per_min: f64, seed: u64, seconds: i64) -> SkyAnalysis {
    let first = SkyScene { drift_to_deg, drift_deg_per_min, ..scene("2016-06-09T05:30:00Z", 0.5, seed, lens) };
    let second = SkyScene { at: first.at + jiff::SignedDuration::from_secs(seconds), ..first };
    let (first, second) = ((first.at, render(&first, 256, 256)), (second.at, render(&second, 256, 256)));
    // The mark stands still.
    let camera = SkySetup { horizon: Some(horizon_of(&first.1)), ..setup(Some(lens)) };
    let before = analyse(&first.1.picture, &camera, first.0, None, None);
    analyse(&second.1.picture, &camera, second.0, Some(&before.next), None)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn motion_is_recovered_to_half_a_pixel(to in 0.0..360.0f64, speed in 0.3..3.0f64, seed in 0u64..100) {
        // 60° across 256 px: a cloud base at height 1 has 256 / (2 tan 30°) = 221.7 px for 1, so a drift of `speed` degrees
        // within 60 s is 221.7 × its radians in px. Seen from below, east is on the left.
        let features = motion(common(60.0), to, speed, seed, 60).features;
        let drawn = 128.0 / 30f64.to_radians().tan() * speed.to_radians();
        let found = features.motion_px_per_s.expect("moves") * 60.0;
        let off_px = |degrees: f64, expected: f64| {
            let (sin, cos) = (degrees - expected).to_radians().sin_cos();
            (found * sin).hypot(found * cos - drawn)
        };
        let on_picture = features.motion_picture_deg.expect("a direction");
        prop_assert!(off_px(on_picture, -to) < 0.5, "{} px towards {}, not {}: {:?}", found, on_picture, drawn, features);
        let over_ground = features.motion_direction_deg.expect("a direction");
        prop_assert!(off_px(over_ground, to) < 0.5, "{}: {:?}", to, features);
        let per_minute = features.motion_deg_per_min.expect("a speed");
        prop_assert!((per_minute - speed).abs() < (0.5f64 / 221.7).to_degrees() + 0.01, "{}: {:?}", speed, features);
    }
}

#[test]
fn a_fisheye_sees_the_drift_too() {
    let seen = motion(FISHEYE, 120.0, 2.0, 5, 60);
    let direction = seen.features.motion_direction_deg.expect("a direction");
    let off = (direction - 120.0 + 540.0).rem_euclid(360.0) - 180.0;
    assert!(off.abs() < 20.0, "{:?}", seen.features);
}

#[test]
fn clouds_are_not_followed_over_a_quarter_of_an_hour_nor_backwards() {
    assert_eq!(motion(common(60.0), 70.0, 0.1, 3, 901).features.motion_px_per_s, None);
    assert_eq!(motion(common(60.0), 70.0, 1.0, 3, -60).features.motion_px_per_s, None);
    assert_eq!(motion(common(60.0), 70.0, 1.0, 3, 0).features.motion_px_per_s, None);
}

#[test]
fn by_night_and_twilight_colours_say_nothing() {
    for (at, is_night) in [("2016-06-09T23:30:00Z", true), ("2016-06-09T03:20:00Z", false)] {
        let drawn = render(&scene(at, 0.5, 1, FISHEYE), 320, 240);
        let seen = analyse(&drawn.picture, &setup(Some(FISHEYE)), instant(at), None, None).features;
        assert_eq!((seen.is_night, seen.cloud_cover_pct, seen.okta), (Some(is_night), None, None), "{seen:?}");
        assert!(seen.cloud_cover_by_method_pct.is_empty() && !seen.warnings.contains(&SkyWarning::Dark));
    }
    let low = analyse(
        &render(&scene("2016-06-09T04:00:00Z", 0.5, 1, FISHEYE), 320, 240).picture,
        &setup(Some(FISHEYE)),
        instant("2016-06-09T04:00:00Z"),
        None,
        None,
    );
    assert!(low.features.cloud_cover_pct.is_some() && low.features.warnings.contains(&SkyWarning::LowSun));
}

/// The picture with every channel's gain: a camera whose white balance is off.
fn tinted(picture: &RgbPicture, red: f64, blue: f64) -> RgbPicture {
    RgbPicture::drawn(picture.width(), picture.height(), |x, y| {
        let [r, g, b] = picture.pixel(x, y);
        [(f64::from(r) * red).min(255.0) as u8, g, (f64::from(b) * blue).min(255.0) as u8]
    })
}

#[test]
fn a_library_of_clear_skies_corrects_the_white_balance() {
    // Red is up by a half: the clear sky has an R/B of 0.8 to 1 and every rule takes it for cloud.
    let look = |cover, seed, at: &str, library: Option<&ClearSky>| {
        let drawn = render(&scene(at, cover, seed, FISHEYE), 320, 240);
        let setup = SkySetup { horizon: Some(horizon_of(&drawn)), ..setup(Some(FISHEYE)) };
        let seen = analyse(&tinted(&drawn.picture, 1.45, 1.0), &setup, instant(at), None, library);
        (seen, drawn.cover().expect("sky"))
    };
    let mut library = ClearSky::default();
    for day in ["2016-06-06", "2016-06-07", "2016-06-08"] {
        let at = format!("{day}T11:30:00Z");
        assert_eq!(library.learn(&look(0.0, 1, &at, None).0.seen, Some(1.0)), Learnt::Clear);
        assert_eq!(library.learn(&look(1.0, 1, &at, None).0.seen, Some(0.2)), Learnt::Overcast);
    }
    assert_eq!(library.len(), 1);
    for cover in [0.0, 0.2, 0.5, 0.8] {
        let (rule, truth) = look(cover, 9, NOON, None);
        let (corrected, _) = look(cover, 9, NOON, Some(&library));
        let error = |seen: &SkyAnalysis| seen.features.cloud_cover_pct.expect("a cover") / 100.0 - truth;
        assert_eq!(corrected.features.method.as_deref(), Some("clearSky"));
        assert!(error(&corrected).abs() < 0.03, "{cover}: {}", error(&corrected));
        assert!(cover > 0.5 || error(&rule) > 0.1, "{cover}: the rule errs by {}", error(&rule));
        assert!(corrected.features.cloud_cover_by_method_pct.contains_key("redBlue"));
    }
}

#[test]
fn a_library_judges_the_sky_near_the_sun() {
    let mut library = ClearSky::default();
    let look = |cover, at: &str, library: Option<&ClearSky>| {
        let drawn = render(&scene(at, cover, 4, FISHEYE), 320, 240);
        let setup = SkySetup { horizon: Some(horizon_of(&drawn)), ..setup(Some(FISHEYE)) };
        analyse(&drawn.picture, &setup, instant(at), None, library)
    };
    for day in ["2016-06-06", "2016-06-07", "2016-06-08"] {
        let at = format!("{day}T11:30:00Z");
        assert_eq!(library.learn(&look(0.0, &at, None).seen, Some(1.0)), Learnt::Clear);
    }
    let (before, after) = (look(0.0, NOON, None), look(0.0, NOON, Some(&library)));
    assert!(after.mask.count(Cell::Sun) < before.mask.count(Cell::Sun) / 2, "most of the glare is judged");
    assert!(after.features.cloud_cover_pct.expect("a cover") < 1.0, "{:?}", after.features);
}

#[test]
fn a_cloudy_sky_teaches_nothing() {
    for cover in [0.1, 0.3, 0.6, 0.9] {
        let drawn = render(&scene(NOON, cover, 4, FISHEYE), 320, 240);
        let seen = analyse(&drawn.picture, &setup(Some(FISHEYE)), instant(NOON), None, None).seen;
        assert_eq!(ClearSky::default().learn(&seen, Some(1.0)), Learnt::Nothing, "{cover}");
        assert_eq!(ClearSky::default().learn(&seen, None), Learnt::Nothing, "{cover}");
    }
}

#[test]
fn a_sky_drawn_while_it_is_encoded_is_the_sky_that_is_drawn_first() {
    for (width, height) in [(640, 480), (101, 77)] {
        let scene = scene(NOON, 0.6, 3, FISHEYE);
        let encoded = encode::jpeg(&render(&scene, width, height).picture, 75, None).expect("encoded");
        assert!(render_jpeg(&scene, width, height, 75).expect("encoded") == encoded, "{width} × {height}");
    }
}

#[test]
fn as_much_is_cloud_as_was_asked_for() {
    // At the beginning of a quarter of an hour, of the sky without the sun's disc.
    for (size, cover) in [((640, 480), 0.25), ((640, 480), 0.75), ((160, 120), 0.5)] {
        let drawn = render(&scene("2016-06-09T11:30:00Z", cover, 5, FISHEYE), size.0, size.1);
        let found = drawn.cover().expect("sky");
        assert!((found - cover).abs() < 0.02, "{found}, not {cover}");
    }
}

#[test]
fn a_drawn_sky_is_the_same_each_time_and_says_that_it_is_drawn() {
    let one = scene(NOON, 0.4, 8, FISHEYE);
    let drawn = render(&one, 640, 480);
    assert_eq!(drawn, render(&one, 640, 480));
    assert_ne!(drawn.picture, render(&SkyScene { seed: 9, ..one }, 640, 480).picture);
    assert!((drawn.cover().expect("sky") - 0.4).abs() < 0.02, "{:?}", drawn.cover());
    // The mark: at 640 px it is 49 × 9 points of 3 px, in the bottom left corner. Its first letter's first column is lit.
    let lit = |column: u32, row: u32| drawn.picture.pixel(column * 3 + 1, 480 - 27 + row * 3 + 1) == [255; 3];
    let rows: Vec<String> =
        (1..8).map(|row| (1..12).map(|column| if lit(column, row) { '#' } else { '.' }).collect()).collect();
    assert_eq!(
        rows,
        ["####..#####", "#...#.#....", "#...#.#....", "####..####.", "#.#...#....", "#..#..#....", "#...#.#####"]
    );
}

#[test]
fn a_measured_clearness_gives_the_cover_that_kasten_and_czeplak_say() {
    // 1 − 0.75 × 0.5^3.4 = 1 − 0.75 × 0.09473 = 0.92895.
    assert!((cover_of_clearness(0.92895) - 0.5).abs() < 1e-3);
    assert_eq!((cover_of_clearness(1.2), cover_of_clearness(0.25), cover_of_clearness(0.0)), (0.0, 1.0, 1.0));
}
