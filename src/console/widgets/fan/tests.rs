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

fn issue() -> Timestamp {
    at("2016-06-09T14:00:00Z")
}

/// Ten-minute means from six hours before the issue time; `hours_after` of them after it.
fn measured(hours_after: i64) -> Vec<Point> {
    (-36..=hours_after * 6)
        .filter(|i| !(-20..-12).contains(i))
        .map(|i| {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let mean = 14.0 + 4.0 * (i as f64 / 14.0).sin();
            Point { at: issue() + SignedDuration::from_mins(i * 10), mean, min: mean, max: mean }
        })
        .collect()
}

fn leads() -> Vec<LeadForecast> {
    (1..=24_u16)
        .map(|i| {
            let (middle, wide) = (14.0 + f64::from(i) * 0.1, 0.3 + f64::from(i) * 0.12);
            let quantiles = Quantiles::ordered([
                middle - 2.0 * wide,
                middle - 0.8 * wide,
                middle,
                middle + 0.8 * wide,
                middle + 2.0 * wide,
            ]);
            LeadForecast { lead_minutes: i * 10, quantiles }
        })
        .collect()
}

fn data<'a>(measured: &'a [Point], leads: &'a [LeadForecast], zone: &'a TimeZone) -> FanData<'a> {
    FanData {
        measured,
        gap_s: 1200.0,
        issued_at: issue(),
        leads,
        time: TimeScale::new(issue() - SignedDuration::from_hours(6), issue() + SignedDuration::from_hours(4)),
        zone,
        unit: "°C",
        decimals: 1,
        bounds: (-80.0, 60.0),
        time_axis: true,
        gutter: 0,
        series: 0,
    }
}

fn drawn(data: &FanData<'_>, width: u16, height: u16) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    render(&mut buf, area, data, &Theme::monochrome());
    text_of(&buf)
}

#[test]
fn bands_median_and_what_came_are_told_apart_without_colour() {
    let (measured, leads, zone) = (measured(2), leads(), zurich());
    insta::assert_snapshot!(drawn(&data(&measured, &leads, &zone), 80, 16));
}

#[test]
fn a_fan_fits_a_few_rows() {
    let (measured, leads, zone) = (measured(0), leads(), zurich());
    insta::assert_snapshot!(drawn(&data(&measured, &leads, &zone), 60, 5));
}

#[test]
fn a_forecast_without_measurements_one_lead_and_nothing_at_all() {
    let (leads, zone) = (leads(), zurich());
    let drawings = [
        drawn(&data(&[], &leads, &zone), 50, 7),
        drawn(&data(&[], &leads[..1], &zone), 50, 5),
        drawn(&data(&[], &[], &zone), 50, 3),
    ];
    insta::assert_snapshot!(drawings.join("\n----\n"));
}

#[test]
fn a_crossing_or_infinite_forecast_is_left_out() {
    let (mut leads, zone) = (leads(), zurich());
    let clean = drawn(&data(&[], &leads[..23], &zone), 50, 7);
    leads[23].quantiles = Quantiles { q05: 9.0, q25: 1.0, q50: f64::NAN, q75: 0.0, q95: f64::INFINITY };
    assert_eq!(drawn(&data(&[], &leads, &zone), 50, 7), clean);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_size_and_any_forecast_can_be_drawn(
        width in 0_u16..200,
        height in 0_u16..60,
        offset in (0_u16..90, 0_u16..30),
        values in prop::collection::vec((any::<u16>(), prop::array::uniform5(prop::num::f64::ANY)), 0..30),
        came in prop::collection::vec((any::<i32>(), prop::num::f64::ANY), 0..30),
        span in any::<u32>(),
    ) {
        let mut leads: Vec<LeadForecast> = values
            .into_iter()
            .map(|(lead_minutes, v)| LeadForecast { lead_minutes, quantiles: Quantiles::ordered(v) })
            .collect();
        leads.sort_by_key(|lead| lead.lead_minutes);
        let mut measured: Vec<Point> = came
            .into_iter()
            .map(|(s, mean)| Point { at: issue() + SignedDuration::from_secs(s.into()), mean, min: mean, max: mean })
            .collect();
        measured.sort_by_key(|p| p.at);
        let zone = zurich();
        let time = TimeScale::new(issue(), issue() + SignedDuration::from_secs(span.into()));
        let fan = FanData { time, ..data(&measured, &leads, &zone) };
        let mut buf = Buffer::empty(Rect::new(0, 0, 80, 24));
        render(&mut buf, Rect::new(offset.0, offset.1, width, height), &fan, &Theme::monochrome());
        let area = Rect::new(0, 0, width, height);
        render(&mut Buffer::empty(area), area, &fan, &Theme::monochrome());
    }
}
