//! The header: which environment, how it is, whose roof, how old the newest row is, and what time it is there.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::clock::ClockReading;
use crate::console::app::{App, View};
use crate::console::screens::{newest_measurement_row, pipeline_time};
use crate::console::theme::Theme;
use crate::console::widgets::{lamp, value};
use crate::owner::{Lamp, Snapshot};
use crate::settings::EnvironmentKind;

/// A part of the header: its text, its style, and its rank: 0 stays, the highest gives way first.
struct Part {
    text: String,
    style: Style,
    rank: u8,
}

/// Rank of the program's name.
const NAME: u8 = 9;

/// Draws the header. Where not everything fits, the least important parts give way and `…` says so.
pub(super) fn render(app: &App, buffer: &mut Buffer, area: Rect) {
    let theme = &app.view.theme;
    let help = format!("{} help", app.keymap().first_key(app.up(), crate::console::Action::Help).unwrap_or_default());
    let mut parts = parts(&app.view);
    let room = usize::from(area.width).saturating_sub(value::width(&help) + 3);
    let mut cut = false;
    while length(&parts) > room {
        let Some(goes) = (0..parts.len()).filter(|i| parts[*i].rank > 0).max_by_key(|i| parts[*i].rank) else { break };
        // The program's own name is nobody's loss.
        cut |= parts.remove(goes).rank < NAME;
    }
    let mut x = area.x + 1;
    for part in &parts {
        let left = usize::from(area.right().saturating_sub(x));
        (x, _) = buffer.set_stringn(x, area.y, value::fit(&part.text, left), left, part.style);
        x = x.saturating_add(2);
    }
    if cut && x < area.right() {
        buffer.set_string(x.saturating_sub(1), area.y, "…", theme.dim);
    }
    let width = u16::try_from(value::width(&help)).unwrap_or(0);
    if let Some(start) = area.right().checked_sub(width + 1)
        && start > x
    {
        buffer.set_string(start, area.y, help, theme.dim);
    }
}

fn length(parts: &[Part]) -> usize {
    parts.iter().map(|part| value::width(&part.text) + 2).sum()
}

fn parts(view: &View) -> Vec<Part> {
    // A paused view's figures stand still, the header's too; only the clock runs on.
    let (snapshot, now) = view.shown();
    let theme = &view.theme;
    let now = pipeline_time(snapshot, now);
    let mut parts = vec![
        Part { text: "skydeck".into(), style: theme.title, rank: NAME },
        Part { text: badge(snapshot), style: badge_style(snapshot, theme), rank: 0 },
    ];
    let mut notice = |text: String| parts.push(Part { text, style: theme.notice, rank: 0 });
    if view.read_only {
        notice("READ-ONLY".into());
    }
    if view.is_paused() {
        notice("PAUSED".into());
    }
    if let Some(lost) = view.lost_at() {
        notice(format!("OWNER GONE {}", value::age(lost, view.now)));
    } else {
        let (lamp, word) = health(snapshot);
        parts.push(Part { text: format!("{} {word}", lamp::glyph(lamp)), style: lamp::style(lamp, theme), rank: 1 });
    }
    parts.push(Part { text: roof(snapshot), style: theme.text, rank: 6 });
    let row = newest_measurement_row(snapshot).map_or_else(|| value::ABSENT.to_owned(), |at| value::age(at, now));
    parts.push(Part { text: format!("row age {row}"), style: theme.text, rank: 4 });
    parts.extend(clock(view, theme));
    parts
}

fn badge(snapshot: &Snapshot) -> String {
    format!(" {} ", snapshot.environment.as_str().to_uppercase())
}

fn badge_style(snapshot: &Snapshot, theme: &Theme) -> Style {
    match snapshot.environment_kind {
        EnvironmentKind::Demo => theme.badge_demo,
        EnvironmentKind::Local => theme.badge_local,
        EnvironmentKind::Cloud if snapshot.environment.as_str() == "prod" => theme.badge_prod,
        EnvironmentKind::Cloud => theme.badge_staging,
    }
}

/// The worst lamp, in words; a stage that isn't known yet doesn't speak against the others.
fn health(snapshot: &Snapshot) -> (Lamp, String) {
    let worst = snapshot.stages.iter().map(|stage| stage.lamp).max().unwrap_or(Lamp::Unknown);
    let names: Vec<&str> =
        snapshot.stages.iter().filter(|stage| stage.lamp == worst).map(|stage| stage.name.label()).collect();
    let missing: Vec<&str> = snapshot.stages.iter().filter(|s| s.missing).map(|s| s.name.label()).collect();
    let word = match worst {
        Lamp::Unknown if !missing.is_empty() => format!("{} stages not provisioned", missing.len()),
        Lamp::Unknown => "starting".into(),
        Lamp::Ok if missing.len() > 1 => format!("{} stages not provisioned", missing.len()),
        Lamp::Ok => missing.first().map_or_else(|| "healthy".into(), |name| format!("not provisioned: {name}")),
        Lamp::Warning => format!("late: {}", names.join(", ")),
        Lamp::Failed => format!("failed: {}", names.join(", ")),
    };
    let lamp = if worst == Lamp::Ok && !missing.is_empty() { Lamp::Unknown } else { worst };
    (lamp, word)
}

/// The device and how many messages wait on it.
fn roof(snapshot: &Snapshot) -> String {
    let waiting: u64 = snapshot.devices.iter().map(|device| device.outbox_rows).sum();
    match snapshot.devices.as_slice() {
        [] => "no device".into(),
        [device] => format!("{} +{}", crate::station::text::printable(&device.id), value::count(waiting)),
        devices => format!("{} devices +{}", devices.len(), value::count(waiting)),
    }
}

fn clock(view: &View, theme: &Theme) -> Vec<Part> {
    // An owner that is coming up doesn't know its clock yet.
    if view.live.version == 0 {
        return Vec::new();
    }
    let zone = view.zone();
    match view.live.clock {
        ClockReading::Wall { .. } => {
            let now = view.now.to_zoned(zone.clone());
            let utc = view.now.to_zoned(jiff::tz::TimeZone::UTC);
            vec![
                Part { text: now.strftime("%H:%M:%S %Z").to_string(), style: theme.text, rank: 2 },
                Part { text: utc.strftime("(%H:%MZ)").to_string(), style: theme.dim, rank: 5 },
            ]
        }
        ClockReading::Replay { speed, end, ended, .. } => {
            let now = pipeline_time(&view.live, view.lost_at().unwrap_or(view.now));
            let pace = if ended || now >= end { "ENDED".into() } else { format!("×{speed}") };
            let local = now.to_zoned(zone.clone());
            vec![
                Part { text: format!("REPLAY {} {pace}", value::date_time_utc(now)), style: theme.notice, rank: 0 },
                Part { text: local.strftime("%H:%M %Z").to_string(), style: theme.dim, rank: 5 },
            ]
        }
    }
}
