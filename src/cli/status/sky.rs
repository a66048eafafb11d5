//! The section `sky`: the pictures, what was seen on them, and the cloud cover of the last hours.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::text::{dash, minute};
use crate::cli::exit::{Failure, unexpected};
use crate::cli::table::{Align, table};
use crate::owner::{Answer, CloudCover, KnownBy, OwnerClient, PicturePlace, PictureView, Request, Snapshot};
use crate::station::text::printable;

use Align::{Left, Right};

/// Pictures that are listed.
const PICTURES: usize = 144;
/// Hours of cloud cover.
const HOURS: i64 = 12;
/// Pictures that are listed for people; JSON has all of them.
const SHOWN: usize = 20;

/// The sky.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sky {
    /// Sun's elevation at the newest measurement, degrees.
    pub sun_elevation_deg: Option<f64>,
    /// Whether the station's agent has a camera; absent until it has started.
    pub has_camera: Option<bool>,
    /// What last went wrong with it, until it goes well again.
    pub camera_error: Option<String>,
    /// Newest first.
    pub pictures: Vec<PictureView>,
    /// Of the last twelve hours, oldest first.
    pub covers: Vec<CloudCover>,
}

/// Asks for what the section holds.
pub async fn gather(client: &OwnerClient, snapshot: &Snapshot) -> Result<Sky, Failure> {
    let Answer::Pictures { pictures } = client.ask(Request::Pictures { before: None, limit: PICTURES }).await? else {
        return Err(unexpected());
    };
    let to = snapshot.clock.now();
    let from = to.checked_sub(SignedDuration::from_hours(HOURS)).unwrap_or(Timestamp::MIN);
    let Answer::CloudCover { covers } = client.ask(Request::CloudCover { from, to }).await? else {
        return Err(unexpected());
    };
    let agent = snapshot.agent.as_deref().filter(|agent| !agent.device_id.is_empty());
    Ok(Sky {
        sun_elevation_deg: snapshot.now.sun_elevation_deg,
        has_camera: agent.map(|agent| agent.camera.is_some()),
        camera_error: agent.and_then(|agent| agent.camera.as_ref()?.last_error.clone()),
        pictures,
        covers,
    })
}

/// The section for people.
pub fn text(sky: &Sky) -> String {
    let mut text = String::new();
    if let Some(elevation) = sky.sun_elevation_deg {
        let side = if elevation < 0.0 { "below" } else { "above" };
        text.push_str(&format!("sun {:.1}° {side} the horizon\n", elevation.abs()));
    }
    match (&sky.camera_error, sky.has_camera) {
        (Some(error), _) => text.push_str(&format!("camera: {}\n", printable(error))),
        (None, Some(false)) => text.push_str("camera: none; set [camera] in the device's settings\n"),
        _ => {}
    }
    if sky.pictures.is_empty() {
        return text + "no picture yet\n";
    }
    let columns = [
        ("taken", Left),
        ("cover", Right),
        ("okta", Right),
        ("class", Left),
        ("sun", Right),
        ("motion", Left),
        ("size", Right),
        ("remarks", Left),
        ("blob", Left),
    ];
    text.push_str(&table(&columns, &sky.pictures.iter().take(SHOWN).map(row).collect::<Vec<_>>()));
    if sky.pictures.len() > SHOWN {
        text.push_str(&format!("… {} more with --json\n", sky.pictures.len() - SHOWN));
    }
    let bounds = sky.covers.iter().map(|cover| cover.cover_pct);
    if let (Some(least), Some(most)) = (bounds.clone().reduce(f64::min), bounds.reduce(f64::max)) {
        let mean = sky.covers.iter().map(|cover| cover.cover_pct).sum::<f64>() / sky.covers.len() as f64;
        text.push_str(&format!(
            "\ncloud cover of the last {HOURS} h: {least:.0} to {most:.0} %, {mean:.0} % on average of {} pictures\n",
            sky.covers.len()
        ));
    }
    text
}

fn row(note: &PictureView) -> Vec<String> {
    let sky = note.analysis.as_ref();
    let motion = sky.and_then(|sky| {
        // What would be written as 0.0 has no direction.
        if sky.motion_deg_per_min.or(sky.motion_px_per_s).is_some_and(|speed| speed < 0.05) {
            return Some("hardly".to_owned());
        }
        let to = sky.motion_direction_deg.map(|deg| format!("to {deg:.0}°"));
        let speed = sky.motion_deg_per_min.map(|speed| format!("{speed:.1}°/min"));
        let across = sky.motion_px_per_s.map(|speed| format!("{speed:.1} px/s"));
        let words: Vec<String> = to.into_iter().chain(speed.or(across)).collect();
        (!words.is_empty()).then(|| words.join(" "))
    });
    let rendered = sky.filter(|sky| sky.rendered).map(|_| "RENDERED");
    let warnings = sky.map(|sky| sky.warnings.as_slice()).unwrap_or_default().iter().map(|warning| warning.label());
    let absent = (note.place == PicturePlace::Absent).then_some("not in the container");
    let unnoted = match note.known_by {
        KnownBy::Note => None,
        KnownBy::Name => Some("no note seen"),
        KnownBy::Writing => Some("no note seen, time is when it was written"),
    };
    let remarks: Vec<&str> = rendered.into_iter().chain(warnings).chain(absent).chain(unnoted).collect();
    vec![
        minute(note.taken_at),
        sky.and_then(|sky| sky.cloud_cover_pct).map_or_else(dash, |cover| format!("{cover:.0} %")),
        sky.and_then(|sky| sky.okta).map_or_else(dash, |okta| format!("{okta}/8")),
        sky.and_then(|sky| sky.sky_class).map_or_else(dash, |class| class.label().to_owned()),
        sky.and_then(|sky| sky.sun_elevation_deg).map_or_else(dash, |deg| format!("{deg:.0}°")),
        motion.unwrap_or_else(dash),
        format!("{} B", note.size_bytes),
        if remarks.is_empty() { dash() } else { remarks.join(", ") },
        printable(&note.blob_name),
    ]
}
