//! Charts as PNG and SVG, both from one drawing.

use std::sync::OnceLock;

use jiff::Timestamp;
use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon, Rectangle};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontStyle, IntoFont as _, RGBColor, ShapeStyle, TextStyle, WHITE, register_font};

use super::{Band, Chart, Line};
use crate::console::widgets::chart::scale::{ScaleRules, ValueScale};
use crate::console::widgets::chart::time_axis::TimeScale;

/// Size of the drawing, pixels.
pub const SIZE: (u32, u32) = (1280, 720);

const FAMILY: &str = "DejaVu Sans";
const FONT: &[u8] = include_bytes!("fonts/DejaVuSans.ttf");

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0x66, 0x66, 0x66);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const LIMIT: RGBColor = RGBColor(0xb0, 0x00, 0x20);
/// Lines, in order: blue, vermilion, green, purple of Okabe and Ito (2008), told apart by colour-blind people too.
const LINES: [RGBColor; 4] =
    [RGBColor(0x00, 0x72, 0xb2), RGBColor(0xd5, 0x5e, 0x00), RGBColor(0x00, 0x9e, 0x73), RGBColor(0xaa, 0x44, 0x99)];
/// Bands, widest first: opaque and each darker than the one before, so that they are told apart in grey too.
const BANDS: [RGBColor; 3] = [RGBColor(0xfb, 0xe6, 0xd2), RGBColor(0xf2, 0xbd, 0x8c), RGBColor(0xe3, 0x96, 0x4f)];

/// Left, top, right and bottom edge of the plot, pixels.
const PLOT: (i32, i32, i32, i32) = (96, 84, 1248, 640);

/// Why a chart couldn't be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The font carried in the program isn't one.
    #[error("the built-in font can't be read")]
    Font,
    /// The drawing failed.
    #[error("drawing failed: {0}")]
    Backend(String),
    /// The picture couldn't be encoded.
    #[error("encoding failed: {0}")]
    Encoding(#[from] png::EncodingError),
}

/// The chart as a PNG, 8-bit RGB.
pub fn png(chart: &Chart) -> Result<Vec<u8>, DrawError> {
    let (width, height) = SIZE;
    let mut pixels = vec![0; width as usize * height as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area();
        draw(&area, chart)?;
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(bytes)
}

/// The chart as an SVG document.
pub fn svg(chart: &Chart) -> Result<String, DrawError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&area, chart)?;
    }
    Ok(text)
}

type Area<B> = DrawingArea<B, Shift>;
type Drawn = Result<(), DrawError>;

/// The two axes, in pixels.
struct Axes {
    time: TimeScale,
    values: Option<ValueScale>,
}

impl Axes {
    fn of(chart: &Chart) -> Self {
        let time = TimeScale::new(chart.from, chart.to);
        let inside = |at: &Timestamp| time.fraction(*at).is_some();
        let lines = chart.lines.iter().flat_map(|line| &line.points).filter(|p| inside(&p.0)).map(|p| (p.1, p.1));
        let bands = chart.bands.iter().flat_map(|band| &band.points).filter(|p| inside(&p.0)).map(|p| (p.1, p.2));
        let limits = chart.limits.iter().map(|limit| (limit.0, limit.0));
        let extent = lines
            .chain(bands)
            .chain(limits)
            .filter(|(low, high)| low.is_finite() && high.is_finite())
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let rules = ScaleRules { min_span: chart.min_span, bounds: chart.bounds, max_ticks: 8, least_gap: 0.0 };
        Self { time, values: ValueScale::around(extent, rules) }
    }

    fn x(&self, at: Timestamp) -> Option<i32> {
        Some(place(self.time.fraction(at)?, PLOT.0, PLOT.2))
    }

    fn y(&self, value: f64) -> Option<i32> {
        let values = self.values.as_ref().filter(|_| value.is_finite())?;
        Some(place(values.fraction(value), PLOT.3, PLOT.1))
    }
}

fn place(fraction: f64, start: i32, end: i32) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "held within the drawing")]
    let offset = (fraction.clamp(0.0, 1.0) * f64::from(end - start)).round() as i32;
    start + offset
}

fn draw<B: DrawingBackend>(area: &Area<B>, chart: &Chart) -> Drawn {
    load_font()?;
    let axes = Axes::of(chart);
    area.fill(&WHITE).map_err(backend)?;
    text(area, &chart.title, (PLOT.0, 16), 24.0, INK, HPos::Left)?;
    text(area, &chart.y_label, (PLOT.0, 54), 16.0, FAINT, HPos::Left)?;
    for (band, fill) in chart.bands.iter().zip(BANDS.into_iter().cycle()) {
        draw_band(area, &axes, band, fill)?;
    }
    draw_grid(area, &axes, chart)?;
    for (value, label) in &chart.limits {
        let Some(y) = axes.y(*value) else { continue };
        path(area, vec![(PLOT.0, y), (PLOT.2, y)], LIMIT.stroke_width(1), true)?;
        text(area, label, (PLOT.2 - 4, y - 18), 14.0, LIMIT, HPos::Right)?;
    }
    for (at, label) in &chart.marks {
        let Some(x) = axes.x(*at) else { continue };
        path(area, vec![(x, PLOT.1), (x, PLOT.3)], INK.stroke_width(1), true)?;
        text(area, label, (x - 6, PLOT.1 + 4), 14.0, INK, HPos::Right)?;
    }
    for (line, colour) in chart.lines.iter().zip(LINES.into_iter().cycle()) {
        draw_line(area, &axes, line, colour)?;
    }
    if axes.values.is_none() {
        text(
            area,
            "no data in this window",
            ((PLOT.0 + PLOT.2) / 2, (PLOT.1 + PLOT.3) / 2),
            18.0,
            FAINT,
            HPos::Center,
        )?;
    }
    draw_legend(area, chart)?;
    area.present().map_err(backend)
}

fn draw_grid<B: DrawingBackend>(area: &Area<B>, axes: &Axes, chart: &Chart) -> Drawn {
    for tick in axes.values.iter().flat_map(|values| &values.ticks) {
        let Some(y) = axes.y(*tick) else { continue };
        path(area, vec![(PLOT.0, y), (PLOT.2, y)], GRID.stroke_width(1), false)?;
        let label = axes.values.as_ref().map(|values| values.label(*tick)).unwrap_or_default();
        text(area, &label, (PLOT.0 - 8, y - 7), 15.0, INK, HPos::Right)?;
    }
    for tick in axes.time.ticks(&chart.zone, 12) {
        let Some(x) = axes.x(tick.at) else { continue };
        let colour = if tick.day { FAINT } else { GRID };
        path(area, vec![(x, PLOT.1), (x, PLOT.3 + 6)], colour.stroke_width(1), false)?;
        text(area, &tick.label, (x, PLOT.3 + 10), 15.0, INK, HPos::Center)?;
    }
    let corners = [(PLOT.0, PLOT.1), (PLOT.2, PLOT.3)];
    area.draw(&Rectangle::new(corners, FAINT.stroke_width(1))).map_err(backend)?;
    text(area, &span_label(chart), (PLOT.0, PLOT.3 + 36), 14.0, FAINT, HPos::Left)
}

/// `2016-06-09 08:05 to 2016-06-09 18:05, local time of Europe/Zurich`.
fn span_label(chart: &Chart) -> String {
    let local = |at: Timestamp| chart.zone.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string();
    let zone = chart.zone.iana_name().unwrap_or("UTC offset");
    format!("{} to {}, local time of {zone}", local(chart.from), local(chart.to))
}

fn draw_band<B: DrawingBackend>(area: &Area<B>, axes: &Axes, band: &Band, fill: RGBColor) -> Drawn {
    let known = |p: &&(Timestamp, f64, f64)| p.1.is_finite() && p.2.is_finite() && axes.x(p.0).is_some();
    let inside: Vec<&(Timestamp, f64, f64)> = band.points.iter().filter(known).collect();
    for run in inside.chunk_by(|a, b| b.0.duration_since(a.0).as_secs_f64() <= band.gap_s) {
        // One four-cornered piece a pair: the backend fills those right whatever the band's course.
        for pair in run.windows(2) {
            let corners =
                [(pair[0].0, pair[0].1), (pair[0].0, pair[0].2), (pair[1].0, pair[1].2), (pair[1].0, pair[1].1)];
            let corners: Vec<(i32, i32)> =
                corners.into_iter().filter_map(|(at, value)| Some((axes.x(at)?, axes.y(value)?))).collect();
            area.draw(&Polygon::new(corners, fill.filled())).map_err(backend)?;
        }
    }
    Ok(())
}

fn draw_line<B: DrawingBackend>(area: &Area<B>, axes: &Axes, line: &Line, colour: RGBColor) -> Drawn {
    let known = |p: &&(Timestamp, f64)| p.1.is_finite() && axes.x(p.0).is_some();
    let inside: Vec<&(Timestamp, f64)> = line.points.iter().filter(known).collect();
    for run in inside.chunk_by(|a, b| b.0.duration_since(a.0).as_secs_f64() <= line.gap_s) {
        let points: Vec<(i32, i32)> = run.iter().filter_map(|p| Some((axes.x(p.0)?, axes.y(p.1)?))).collect();
        if let [alone] = points[..] {
            area.draw(&Circle::new(alone, 3, colour.filled())).map_err(backend)?;
        } else {
            path(area, points, colour.stroke_width(2), line.dashed)?;
        }
    }
    Ok(())
}

fn draw_legend<B: DrawingBackend>(area: &Area<B>, chart: &Chart) -> Drawn {
    let mut x = PLOT.0;
    let y = PLOT.3 + 64;
    for (band, fill) in chart.bands.iter().zip(BANDS.into_iter().cycle()) {
        area.draw(&Rectangle::new([(x, y - 6), (x + 30, y + 6)], fill.filled())).map_err(backend)?;
        x = label_after(area, x, y, &band.label)?;
    }
    for (line, colour) in chart.lines.iter().zip(LINES.into_iter().cycle()) {
        path(area, vec![(x, y), (x + 30, y)], colour.stroke_width(2), line.dashed)?;
        x = label_after(area, x, y, &line.label)?;
    }
    Ok(())
}

/// Writes a legend's label beside its mark at `x` and answers where the next mark goes.
fn label_after<B: DrawingBackend>(area: &Area<B>, x: i32, y: i32, label: &str) -> Result<i32, DrawError> {
    text(area, label, (x + 38, y - 7), 15.0, INK, HPos::Left)?;
    let (width, _) = area.estimate_text_size(label, &style(15.0, INK, HPos::Left)).map_err(backend)?;
    Ok(x + 38 + i32::try_from(width).unwrap_or(0) + 28)
}

fn path<B: DrawingBackend>(area: &Area<B>, points: Vec<(i32, i32)>, style: ShapeStyle, dashed: bool) -> Drawn {
    if dashed {
        area.draw(&DashedPathElement::new(points, 8, 6, style)).map_err(backend)
    } else {
        area.draw(&PathElement::new(points, style)).map_err(backend)
    }
}

fn style(size: f64, colour: RGBColor, anchor: HPos) -> TextStyle<'static> {
    (FAMILY, size).into_font().color(&colour).pos(Pos::new(anchor, VPos::Top))
}

fn text<B: DrawingBackend>(
    area: &Area<B>,
    text: &str,
    at: (i32, i32),
    size: f64,
    colour: RGBColor,
    anchor: HPos,
) -> Drawn {
    // What a station is called comes from outside.
    let text = crate::station::text::printable(text);
    area.draw_text(&text, &style(size, colour, anchor), at).map_err(backend)
}

fn backend<E: std::error::Error + Send + Sync>(error: plotters::drawing::DrawingAreaErrorKind<E>) -> DrawError {
    DrawError::Backend(error.to_string())
}

/// Registers the carried font once a process.
fn load_font() -> Drawn {
    static LOADED: OnceLock<bool> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok());
    if *loaded { Ok(()) } else { Err(DrawError::Font) }
}

#[cfg(test)]
mod tests;
