use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// A fan: six hours of measurements with a gap of two, four hours of forecast, and an hour of what came.
fn fan() -> Chart {
    let issue = at("2016-06-09T14:00:00Z");
    let after = |minutes: i64| issue + SignedDuration::from_mins(minutes);
    let lead = |i: i64| (after(i * 10), 14.0 + f64::from(i32::try_from(i).expect("small")) * 0.1);
    let wide = |i: i64| 0.3 + f64::from(i32::try_from(i).expect("small")) * 0.12;
    let band = |label: &str, factor: f64| Band {
        label: label.into(),
        points: (1..=24).map(|i| (lead(i).0, lead(i).1 - factor * wide(i), lead(i).1 + factor * wide(i))).collect(),
        gap_s: 1200.0,
    };
    let measured = (-36..=6).filter(|i| !(-24..-12).contains(i)).map(|i| {
        let phase = f64::from(i32::try_from(i).expect("small"));
        (after(i * 10), 14.0 + 4.0 * (phase / 14.0).sin())
    });
    Chart {
        name: "nowcast-temperature".into(),
        title: "Payerne <roof-01> & more: temperature".into(),
        y_label: "temperature, °C".into(),
        bounds: (-80.0, 60.0),
        min_span: 1.0,
        zone: TimeZone::get("Europe/Zurich").expect("a known zone"),
        from: after(-360),
        to: after(240),
        lines: vec![
            Line { label: "measured".into(), points: measured.collect(), gap_s: 1200.0, dashed: false },
            Line { label: "median".into(), points: (1..=24).map(lead).collect(), gap_s: 1200.0, dashed: true },
        ],
        bands: vec![band("90 % band", 2.0), band("50 % band", 0.8)],
        marks: vec![(issue, "issued 16:00".into())],
        limits: vec![(18.0, "limit 18 °C".into())],
    }
}

/// Width, height and RGB pixels of a PNG.
fn decoded(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a frame");
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    (info.width, info.height, pixels)
}

fn count(pixels: &[u8], colour: RGBColor) -> usize {
    pixels.chunks(3).filter(|p| *p == [colour.0, colour.1, colour.2]).count()
}

#[test]
fn a_png_has_its_size_and_shows_every_part() {
    let bytes = png(&fan()).expect("drawn");
    if let Ok(folder) = std::env::var("SKYDECK_TEST_DRAWINGS") {
        std::fs::write(std::path::Path::new(&folder).join("fan.png"), &bytes).expect("written");
    }
    let (width, height, pixels) = decoded(&bytes);
    assert_eq!((width, height), SIZE);
    assert!(count(&pixels, BANDS[0]) > 5000, "the 90 % band is filled");
    assert!(count(&pixels, BANDS[1]) > 5000, "the 50 % band is filled");
    assert!(count(&pixels, LINES[0]) > 500 && count(&pixels, LINES[1]) > 300, "both lines are there");
    assert!(count(&pixels, LIMIT) > 200, "the limit is there");
    assert!(count(&pixels, INK) > 500, "it is lettered");
}

#[test]
fn a_week_with_its_envelope_has_dates_beneath() {
    let (from, to) = (at("2016-06-02T14:00:00Z"), at("2016-06-09T14:00:00Z"));
    let series = crate::console::fixture::series(crate::station::Variable::Light, from, to);
    let edges = series.points.iter().map(|p| (p.at, p.min - 4000.0, p.max + 4000.0)).collect();
    let mean = series.points.iter().map(|p| (p.at, p.mean)).collect();
    let chart = Chart {
        title: "Payerne: light".into(),
        y_label: "light, lx".into(),
        bounds: (0.0, 200_000.0),
        min_span: 10.0,
        from,
        to,
        lines: vec![Line { label: "mean".into(), points: mean, gap_s: series.gap_s, dashed: false }],
        bands: vec![Band { label: "min to max".into(), points: edges, gap_s: series.gap_s }],
        marks: Vec::new(),
        limits: Vec::new(),
        ..fan()
    };
    if let Ok(folder) = std::env::var("SKYDECK_TEST_DRAWINGS") {
        let bytes = png(&chart).expect("drawn");
        std::fs::write(std::path::Path::new(&folder).join("week.png"), &bytes).expect("written");
    }
    let text = svg(&chart).expect("drawn");
    assert!(text.contains("3 Jun") && text.contains("9 Jun"), "days are dated");
}

#[test]
fn a_gap_is_a_gap() {
    let mut chart = fan();
    (chart.bands, chart.limits, chart.marks) = (Vec::new(), Vec::new(), Vec::new());
    chart.lines.truncate(1);
    let (width, _, pixels) = decoded(&png(&chart).expect("drawn"));
    let axes = Axes::of(&chart);
    let blue_at = |minutes: i64| {
        let x = axes.x(at("2016-06-09T14:00:00Z") + SignedDuration::from_mins(minutes)).expect("inside");
        let rows = usize::try_from(PLOT.1).expect("positive")..usize::try_from(PLOT.3).expect("positive");
        rows.into_iter()
            .filter(|y| {
                let i = (y * width as usize + usize::try_from(x).expect("positive")) * 3;
                pixels[i..i + 3] == [LINES[0].0, LINES[0].1, LINES[0].2]
            })
            .count()
    };
    assert!(blue_at(-305) > 0 && blue_at(-55) > 0);
    assert_eq!(blue_at(-185), 0);
}

#[test]
fn an_svg_is_well_formed_and_says_what_it_shows() {
    let text = svg(&fan()).expect("drawn");
    if let Ok(folder) = std::env::var("SKYDECK_TEST_DRAWINGS") {
        std::fs::write(std::path::Path::new(&folder).join("fan.svg"), &text).expect("written");
    }
    let tags = elements(&text);
    assert_eq!(tags.iter().filter(|t| *t == "svg").count(), 1);
    assert!(tags.iter().filter(|t| *t == "polygon").count() >= 2 * 23, "two bands of 23 pieces");
    for part in ["temperature, °C", "issued 16:00", "measured", "90 % band", "local time of Europe/Zurich", "18:00"] {
        assert!(text.contains(part), "{part} is missing");
    }
    assert!(text.contains("&lt;roof-01&gt; &amp; more"), "text is escaped");
}

#[test]
fn nothing_to_draw_is_said() {
    let mut chart = fan();
    (chart.bands, chart.limits, chart.lines) = (Vec::new(), Vec::new(), Vec::new());
    assert!(svg(&chart).expect("drawn").contains("no data in this window"));
    decoded(&png(&chart).expect("drawn"));
}

/// Names of the elements of an XML document, whose tags must be balanced.
fn elements(document: &str) -> Vec<String> {
    let mut open = Vec::new();
    let mut names = Vec::new();
    for piece in document.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("every tag is closed");
        let name: String = tag.trim_start_matches('/').chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        if tag.starts_with('?') || tag.starts_with('!') {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        names.push(name.clone());
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    names
}
