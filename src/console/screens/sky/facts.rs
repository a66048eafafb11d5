//! What is known of a picture, in words.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::gallery::Held;
use crate::console::screens::Context;
use crate::console::widgets::value::{ABSENT, age, bytes, date_time_zone};
use crate::owner::{KnownBy, PicturePlace, PictureView};
use crate::station::SkyFeatures;
use crate::station::text::printable;

/// A measurement this near to a picture tells its sun.
const NEAR_S: f64 = 600.0;

/// When it was taken, the sun, the clouds and their motion: parts of a sentence.
pub fn sky(note: &PictureView, ctx: &Context<'_>) -> Vec<String> {
    let written = if note.known_by == KnownBy::Writing { "written " } else { "" };
    let (at, ago) = (date_time_zone(note.taken_at, ctx.zone), age(note.taken_at, ctx.pipeline_now()));
    let taken = format!("{written}{at}, {ago} ago");
    let analysis = note.analysis.as_ref();
    let elevation = analysis.and_then(|sky| sky.sun_elevation_deg).or_else(|| measured_sun(note.taken_at, ctx));
    let mut parts = vec![taken, sun(elevation)];
    parts.push(analysis.map_or_else(|| unjudged(note).to_owned(), cover));
    parts.extend(analysis.and_then(motion));
    parts
}

/// Why there is no analysis.
pub const fn unjudged(note: &PictureView) -> &'static str {
    if note.known_by.is_note() { "cloud cover not judged" } else { "no analysis: its note wasn't seen" }
}

/// The sun at the newest measurement, where that is about as old as the picture.
fn measured_sun(taken_at: Timestamp, ctx: &Context<'_>) -> Option<f64> {
    let measured_at = ctx.snapshot.now.measurement.as_ref()?.measured_at;
    let apart = measured_at.duration_since(taken_at).as_secs_f64().abs();
    ctx.snapshot.now.sun_elevation_deg.filter(|_| apart <= NEAR_S)
}

/// The sun's elevation in words.
pub fn sun(elevation_deg: Option<f64>) -> String {
    match elevation_deg {
        None => format!("sun {ABSENT}"),
        Some(deg) if deg < 0.0 => format!("sun {:.0}° below the horizon", deg.abs()),
        Some(deg) => format!("sun {deg:.0}° above the horizon"),
    }
}

/// `cloud cover 43 % (3/8, scattered)`.
pub fn cover(sky: &SkyFeatures) -> String {
    let Some(cover) = sky.cloud_cover_pct else {
        return if sky.is_night == Some(true) { "cloud cover not judged by night" } else { "cloud cover not judged" }
            .to_owned();
    };
    let okta = sky.okta.map(|okta| format!("{okta}/8"));
    let class = sky.sky_class.map(|class| class.label().to_owned());
    let more: Vec<String> = okta.into_iter().chain(class).collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
    format!("cloud cover {cover:.0} %{more}")
}

/// `↗ moving NE, 2.1°/min, 80 % sure`; without the lens's geometry, across the picture.
pub fn motion(sky: &SkyFeatures) -> Option<String> {
    // What would be shown as 0.0 has no direction.
    if sky.motion_deg_per_min.or(sky.motion_px_per_s).is_some_and(|speed| speed < 0.05) {
        return Some("clouds hardly moving".to_owned());
    }
    let moving = match (sky.motion_direction_deg, sky.motion_picture_deg) {
        (Some(deg), _) => format!("{} moving {}", arrow(deg), compass(deg)),
        (None, Some(deg)) => format!("{} moving across the picture", arrow(deg)),
        (None, None) => return None,
    };
    let speed = match (sky.motion_deg_per_min, sky.motion_px_per_s) {
        (Some(speed), _) => format!(", {speed:.1}°/min"),
        (None, Some(speed)) => format!(", {speed:.1} px/s"),
        (None, None) => String::new(),
    };
    let sure = sky.motion_confidence.map_or_else(String::new, |sure| format!(", {:.0} % sure", sure * 100.0));
    Some(moving + &speed + &sure)
}

/// What is wrong with the picture, or makes its figures unsure; absent where nothing is.
pub fn warnings(note: &PictureView) -> Option<String> {
    let warnings = &note.analysis.as_ref()?.warnings;
    let words: Vec<&str> = warnings.iter().map(|warning| warning.label()).collect();
    (!words.is_empty()).then(|| format!("⚠ {}", words.join(", ")))
}

/// Whether the picture was drawn and not taken.
pub fn is_rendered(note: &PictureView) -> bool {
    note.analysis.as_ref().is_some_and(|sky| sky.rendered)
}

/// The file: size, device, rule; without a note, when it was taken by its own words.
pub fn file(note: &PictureView, held: Option<&Held>, zone: &TimeZone) -> Vec<String> {
    let (width, height) = held.map_or((0, 0), |held| held.original);
    let pixels = (width > 0).then(|| format!("{width}×{height}"));
    let method =
        note.analysis.as_ref().and_then(|sky| sky.method.as_deref()).map(|rule| format!("by {}", printable(rule)));
    let place = (note.place == PicturePlace::Absent).then(|| "not in the container".to_owned());
    let exif = held.and_then(|held| held.taken_at).filter(|_| !note.known_by.is_note());
    let exif = exif.map(|at| format!("EXIF: taken {}", date_time_zone(at, zone)));
    let device = (!note.device_id.is_empty()).then(|| printable(&note.device_id));
    let own = [bytes(note.size_bytes)].into_iter().chain(device);
    pixels.into_iter().chain(own).chain(method).chain(exif).chain(place).collect()
}

/// The point of the compass: sixteen of them, each 22.5° wide.
pub fn compass(degrees: f64) -> &'static str {
    const POINTS: [&str; 16] =
        ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"];
    POINTS[part_of_circle(degrees, 16)]
}

/// An arrow to the nearest of eight directions, up being 0°.
fn arrow(degrees: f64) -> &'static str {
    const ARROWS: [&str; 8] = ["↑", "↗", "→", "↘", "↓", "↙", "←", "↖"];
    ARROWS[part_of_circle(degrees, 8)]
}

/// Which of `parts` of the circle, the first of them around 0°.
fn part_of_circle(degrees: f64, parts: u8) -> usize {
    let width = 360.0 / f64::from(parts);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to parts after rem_euclid")]
    let part = (degrees.rem_euclid(360.0) / width).round() as usize;
    part % usize::from(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture::at;

    #[test]
    fn directions_have_names_and_arrows() {
        assert_eq!([0.0, 11.0, 12.0, 45.0, 180.0, 355.0, 360.0].map(compass), ["N", "N", "NNE", "NE", "S", "N", "N"]);
        assert_eq!([0.0, 22.0, 23.0, 90.0, 225.0, 340.0].map(arrow), ["↑", "↑", "↗", "→", "↙", "↑"]);
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let mut sky = SkyFeatures::at(at("2016-06-09T12:00:00Z"));
        assert_eq!((cover(&sky).as_str(), motion(&sky)), ("cloud cover not judged", None));
        sky.is_night = Some(true);
        assert_eq!(cover(&sky), "cloud cover not judged by night");
        sky.cloud_cover_pct = Some(42.6);
        sky.motion_picture_deg = Some(90.0);
        sky.motion_px_per_s = Some(3.25);
        assert_eq!(cover(&sky), "cloud cover 43 %");
        assert_eq!(motion(&sky).as_deref(), Some("→ moving across the picture, 3.2 px/s"));
        sky.motion_direction_deg = Some(44.0);
        sky.motion_deg_per_min = Some(2.08);
        sky.motion_confidence = Some(0.8);
        assert_eq!(motion(&sky).as_deref(), Some("↗ moving NE, 2.1°/min, 80 % sure"));
        sky.motion_deg_per_min = Some(0.04);
        assert_eq!(motion(&sky).as_deref(), Some("clouds hardly moving"));
    }
}
