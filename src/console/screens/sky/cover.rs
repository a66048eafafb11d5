//! The cloud cover of the last hours as a chart, and what of the screen can be written to files.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{HOURS, Sky};
use crate::console::export::{self, Cell, Exportable};
use crate::console::screens::Context;
use crate::console::widgets::chart::{self, ChartData};
use crate::console::widgets::pane;
use crate::owner::{CloudCover, KnownBy, PictureView, Point};

/// Which of the theme's series colours.
const SERIES: usize = 5;
/// Times the usual distance of pictures that still count as connected.
const GAP: f64 = 2.5;

/// Draws the chart in its pane.
pub fn render(sky: &Sky, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    if area.is_empty() {
        return;
    }
    let newest = sky.covers.last().map(|cover| match cover.okta {
        Some(okta) => format!("{:.0} %, {okta}/8", cover.cover_pct),
        None => format!("{:.0} %", cover.cover_pct),
    });
    let title = format!("Cloud cover · {HOURS} h");
    let inner = pane::render_with_note(buffer, area, &title, newest.as_deref().unwrap_or(""), false, ctx.theme);
    let points: Vec<Point> = sky.covers.iter().map(point).collect();
    let data = ChartData {
        points: &points,
        gap_s: gap_s(&sky.covers),
        time: Sky::time_scale(ctx),
        zone: ctx.zone,
        unit: "%",
        decimals: 0,
        bounds: (0.0, 100.0),
        limits: &[],
        flags: &[],
        cursor: sky.chosen.as_ref().and_then(|_| sky.shown()).map(|note| note.taken_at),
        time_axis: inner.height >= 4,
        gutter: 0,
        series: SERIES,
    };
    chart::render(buffer, inner, &data, ctx.theme);
}

const fn point(cover: &CloudCover) -> Point {
    Point { at: cover.at, mean: cover.cover_pct, min: cover.cover_pct, max: cover.cover_pct }
}

/// The longest distance that still counts as connected, seconds, from the middle one of all.
fn gap_s(covers: &[CloudCover]) -> f64 {
    let mut steps: Vec<f64> =
        covers.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at).as_secs_f64()).collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).map_or(0.0, |step| step * GAP)
}

/// The pictures as a table, and the chart.
pub fn exports(sky: &Sky, ctx: &Context<'_>) -> Vec<Exportable> {
    let notes = sky.gallery.notes();
    let mut items = Vec::new();
    if !notes.is_empty() {
        items.push(Exportable::Table(table(notes)));
    }
    if !sky.covers.is_empty() {
        items.push(Exportable::Chart(drawing(sky, ctx)));
    }
    items
}

fn drawing(sky: &Sky, ctx: &Context<'_>) -> export::Chart {
    let scale = Sky::time_scale(ctx);
    export::Chart {
        name: "cloud-cover".to_owned(),
        title: format!("{}: cloud cover", ctx.snapshot.station.name),
        y_label: "cloud cover, %".to_owned(),
        bounds: (0.0, 100.0),
        min_span: 10.0,
        zone: ctx.zone.clone(),
        from: scale.from,
        to: scale.to,
        lines: vec![export::Line {
            label: "cloud cover".to_owned(),
            points: sky.covers.iter().map(|cover| (cover.at, cover.cover_pct)).collect(),
            gap_s: gap_s(&sky.covers),
            dashed: false,
        }],
        bands: Vec::new(),
        marks: Vec::new(),
        limits: Vec::new(),
    }
}

/// By what a picture, and with it its time, is known.
const fn known_by(known_by: KnownBy) -> &'static str {
    match known_by {
        KnownBy::Note => "note",
        KnownBy::Name => "its name",
        KnownBy::Writing => "when it was written",
    }
}

fn table(notes: &[PictureView]) -> export::Table {
    let columns = [
        "taken",
        "device",
        "blob",
        "bytes",
        "cloud cover %",
        "okta",
        "class",
        "method",
        "sun elevation °",
        "motion to °",
        "motion °/min",
        "motion px/s",
        "motion confidence",
        "warnings",
        "rendered",
        "known by",
    ];
    let row = |note: &PictureView| {
        let sky = note.analysis.as_ref();
        let number = |value: Option<f64>| value.map_or(Cell::Absent, Cell::Number);
        let text = |value: Option<String>| value.map_or(Cell::Absent, Cell::Text);
        let warnings = sky.map(|sky| sky.warnings.iter().map(|warning| warning.label()).collect::<Vec<_>>().join(", "));
        vec![
            Cell::Time(note.taken_at),
            Cell::Text(note.device_id.clone()),
            Cell::Text(note.blob_name.clone()),
            i64::try_from(note.size_bytes).map_or(Cell::Absent, Cell::Integer),
            number(sky.and_then(|sky| sky.cloud_cover_pct)),
            sky.and_then(|sky| sky.okta).map_or(Cell::Absent, |okta| Cell::Integer(okta.into())),
            text(sky.and_then(|sky| sky.sky_class).map(|class| class.label().to_owned())),
            text(sky.and_then(|sky| sky.method.clone())),
            number(sky.and_then(|sky| sky.sun_elevation_deg)),
            number(sky.and_then(|sky| sky.motion_direction_deg)),
            number(sky.and_then(|sky| sky.motion_deg_per_min)),
            number(sky.and_then(|sky| sky.motion_px_per_s)),
            number(sky.and_then(|sky| sky.motion_confidence)),
            text(warnings),
            text(sky.map(|sky| if sky.rendered { "yes" } else { "no" }.to_owned())),
            Cell::Text(known_by(note.known_by).to_owned()),
        ]
    };
    export::Table {
        name: "pictures".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: notes.iter().map(row).collect(),
    }
}
