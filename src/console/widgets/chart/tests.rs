use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::console::fixture::text_of;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn zurich() -> TimeZone {
    TimeZone::get("Europe/Zurich").expect("a known zone")
}

/// Points a minute apart from 2016-06-09 12:00Z; `None` is a gap.
fn minutes(values: &[Option<(f64, f64, f64)>]) -> Vec<Point> {
    let start = at("2016-06-09T12:00:00Z");
    (0..)
        .zip(values)
        .filter_map(|(i, v)| {
            v.map(|(mean, min, max)| Point { at: start + SignedDuration::from_mins(i), mean, min, max })
        })
        .collect()
}

fn data<'a>(points: &'a [Point], zone: &'a TimeZone) -> ChartData<'a> {
    ChartData {
        points,
        gap_s: 90.0,
        time: TimeScale::new(at("2016-06-09T12:00:00Z"), at("2016-06-09T13:00:00Z")),
        zone,
        unit: "°C",
        decimals: 1,
        bounds: (-80.0, 60.0),
        limits: &[],
        flags: &[],
        cursor: None,
        time_axis: true,
        gutter: 0,
        series: 0,
    }
}

fn drawn(data: &ChartData<'_>, width: u16, height: u16) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    render(&mut buf, area, data, &Theme::monochrome());
    text_of(&buf)
}

/// A rise from 10 to 16 °C with no data from 12:20 to 12:35.
fn with_gap() -> Vec<Point> {
    let value = |i: i32| 10.0 + f64::from(i) / 10.0;
    minutes(&(0..61).map(|i| (!(20..35).contains(&i)).then(|| (value(i), value(i), value(i)))).collect::<Vec<_>>())
}

#[test]
fn a_gap_in_the_data_is_a_gap_on_the_chart() {
    let (points, zone) = (with_gap(), zurich());
    insta::assert_snapshot!(drawn(&data(&points, &zone), 60, 10));
}

#[test]
fn limit_envelope_and_cursor_are_told_apart_without_colour() {
    let zone = zurich();
    let values: Vec<_> = (0..61)
        .map(|i| {
            let mean = 12.0 + 3.0 * (f64::from(i) / 9.0).sin();
            Some((mean, mean - 1.2, mean + 1.2))
        })
        .collect();
    let points = minutes(&values);
    let limits = [Limit { value: 17.0, label: "limit 17".into() }, Limit { value: 40.0, label: "far off".into() }];
    let cursor = Some(at("2016-06-09T12:30:00Z"));
    insta::assert_snapshot!(drawn(&ChartData { limits: &limits, cursor, ..data(&points, &zone) }, 60, 12));
}

#[test]
fn the_cursor_says_where_there_is_no_data_and_turns_left_at_the_edge() {
    let (points, zone) = (with_gap(), zurich());
    let in_gap = drawn(&ChartData { cursor: Some(at("2016-06-09T12:27:00Z")), ..data(&points, &zone) }, 60, 8);
    assert!(in_gap.contains("│ no data"), "{in_gap}");
    let at_edge = drawn(&ChartData { cursor: Some(at("2016-06-09T13:00:00Z")), ..data(&points, &zone) }, 60, 8);
    assert!(at_edge.contains("16.0 °C"), "{at_edge}");
    let outside = ChartData { cursor: Some(at("2016-06-10T13:00:00Z")), ..data(&points, &zone) };
    assert_eq!(drawn(&outside, 60, 8), drawn(&data(&points, &zone), 60, 8));
}

#[test]
fn one_point_no_point_and_a_constant() {
    let zone = zurich();
    let one = minutes(&[None, None, Some((12.0, 12.0, 12.0))]);
    let constant = minutes(&[Some((12.0, 12.0, 12.0)); 61]);
    let drawings =
        [drawn(&data(&one, &zone), 40, 6), drawn(&data(&[], &zone), 40, 6), drawn(&data(&constant, &zone), 40, 6)];
    insta::assert_snapshot!(drawings.join("\n----\n"));
}

#[test]
fn a_few_rows_hold_a_chart_and_a_narrow_one_drops_its_axis() {
    let (points, zone) = (with_gap(), zurich());
    let drawings = [
        drawn(&data(&points, &zone), 60, 3),
        drawn(&ChartData { time_axis: false, ..data(&points, &zone) }, 60, 2),
        drawn(&data(&points, &zone), 12, 4),
    ];
    insta::assert_snapshot!(drawings.join("\n----\n"));
}

#[test]
fn what_is_not_finite_is_left_out() {
    let zone = zurich();
    let mut points = with_gap();
    let clean = drawn(&data(&points, &zone), 60, 8);
    points.insert(30, Point { at: at("2016-06-09T12:30:00Z"), mean: f64::NAN, min: 0.0, max: f64::INFINITY });
    assert_eq!(drawn(&data(&points, &zone), 60, 8), clean);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_size_and_any_data_can_be_drawn(
        width in 0_u16..200,
        height in 0_u16..60,
        offset in (0_u16..30, 0_u16..30),
        values in prop::collection::vec((any::<i32>(), prop::num::f64::ANY, prop::num::f64::ANY), 0..60),
        span in any::<u32>(),
        gap_s in prop::num::f64::ANY,
        limit in prop::num::f64::ANY,
        cursor in any::<i32>(),
        time_axis in any::<bool>(),
        gutter in any::<u16>(),
    ) {
        let start = at("2016-06-09T12:00:00Z");
        let mut points: Vec<Point> = values
            .into_iter()
            .map(|(s, a, b)| Point { at: start + SignedDuration::from_secs(s.into()), mean: a, min: a.min(b), max: a.max(b) })
            .collect();
        points.sort_by_key(|p| p.at);
        let (zone, limits) = (zurich(), [Limit { value: limit, label: "limit".into() }]);
        let chart = ChartData {
            gap_s,
            time: TimeScale::new(start, start + SignedDuration::from_secs(span.into())),
            limits: &limits,
            cursor: Some(start + SignedDuration::from_secs(cursor.into())),
            time_axis,
            gutter,
            ..data(&points, &zone)
        };
        let mut buf = Buffer::empty(Rect::new(0, 0, 80, 24));
        render(&mut buf, Rect::new(offset.0, offset.1, width, height), &chart, &Theme::monochrome());
        let area = Rect::new(0, 0, width, height);
        render(&mut Buffer::empty(area), area, &chart, &Theme::monochrome());
    }
}
