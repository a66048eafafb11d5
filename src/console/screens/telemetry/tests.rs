use jiff::SignedDuration;

use super::*;
use crate::console::filter::Filter;
use crate::console::fixture::{answer, at, body, empty_snapshot, feed, pipeline_now, snapshot, text_of, with_context};
use crate::owner::FlagMark;
use crate::station::QcFlag;

/// The screen after `actions`, each followed by the fixture's answers, on 100×30.
fn after(actions: &[Action]) -> (Telemetry, String) {
    let mut screen = Telemetry::new();
    let shot = snapshot();
    with_context(&shot, 100, 30, |ctx| {
        feed(&mut screen, ctx);
        for action in actions {
            assert_eq!(screen.update(*action, ctx), Outcome::done(), "{action:?}");
            feed(&mut screen, ctx);
        }
    });
    let text = body(&mut screen, &shot, 100, 30);
    (screen, text)
}

#[test]
fn small() {
    insta::assert_snapshot!(body(&mut Telemetry::new(), &snapshot(), 80, 24));
}

#[test]
fn medium() {
    insta::assert_snapshot!(body(&mut Telemetry::new(), &snapshot(), 100, 30));
}

#[test]
fn large() {
    insta::assert_snapshot!(body(&mut Telemetry::new(), &snapshot(), 250, 80));
}

#[test]
fn before_anything_is_known() {
    insta::assert_snapshot!(body(&mut Telemetry::new(), &empty_snapshot(), 80, 24));
}

#[test]
fn the_cursor_is_shared() {
    let steps = [Action::ZoomIn, Action::Down, Action::PageUp, Action::CursorBack];
    insta::assert_snapshot!(after(&steps).1);
}

#[test]
fn messages_as_received() {
    insta::assert_snapshot!(after(&[Action::RawMessages, Action::Down]).1);
}

#[test]
fn one_message_and_its_way() {
    insta::assert_snapshot!(after(&[Action::Open]).1);
}

#[test]
fn a_device_is_picked() {
    let (screen, text) = after(&[Action::PickDevice, Action::Down]);
    insta::assert_snapshot!(text);
    assert!(screen.modal());
    let (screen, _) = after(&[Action::PickDevice, Action::Down, Action::Open]);
    assert_eq!(screen.chosen, Whose::Of("roof-01".into()));
    with_context(&snapshot(), 100, 30, |ctx| {
        let wants = screen.wants(ctx);
        assert!(wants.iter().all(|w| {
            matches!(w, Request::Series { device: Some(d), .. } | Request::Extremes { device: Some(d), .. } if d == "roof-01")
        }));
    });
}

#[test]
fn of_several_devices_one_is_drawn_until_their_mean_is_picked() {
    let mut shot = snapshot();
    let mut other = shot.devices[0].clone();
    other.id = "garden-02".into();
    shot.devices.push(other);
    let mut screen = Telemetry::new();
    let devices = |screen: &Telemetry, ctx: &Context<'_>| {
        let of = |request| match request {
            Request::Series { device, .. } | Request::Extremes { device, .. } => device,
            other => panic!("{other:?}"),
        };
        screen.wants(ctx).into_iter().map(of).collect::<std::collections::BTreeSet<_>>()
    };
    let drawn = |screen: &mut Telemetry, ctx: &Context<'_>| {
        feed(screen, ctx);
        let mut buffer = Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, ctx);
        text_of(&buffer)
    };
    with_context(&shot, 100, 30, |ctx| {
        assert_eq!(devices(&screen, ctx), [Some("roof-01".to_owned())].into());
        let text = drawn(&mut screen, ctx);
        assert!(text.contains("Payerne · roof-01 · 6 h to now"), "{text}");
        for action in [Action::PickDevice, Action::Top, Action::Open] {
            screen.update(action, ctx);
        }
        assert_eq!(devices(&screen, ctx), [None].into());
        let text = drawn(&mut screen, ctx);
        assert!(text.contains("Payerne · mean of 2 devices · 6 h to now"), "{text}");
        // The newest value is one device's, and no mean.
        let line = text.lines().find(|line| line.contains("▸ temperature")).expect("its figures");
        assert!(line.contains("▸ temperature      min"), "{line}");
        screen.update(Action::PickDevice, ctx);
        assert_eq!(screen.picker.map(|picked| picked.row), Some(0));
    });
}

#[test]
fn what_it_wants_stays_the_same_while_nothing_happens() {
    let screen = Telemetry::new();
    let shot = snapshot();
    let first = with_context(&shot, 100, 30, |ctx| screen.wants(ctx));
    assert_eq!(first.len(), 9);
    // The fixture's clock runs 60 times as fast: 100 ms are 6 s of a step of 180 s.
    let later = with_context(&shot, 100, 30, |ctx| {
        screen.wants(&Context { now: ctx.now + SignedDuration::from_millis(100), ..*ctx })
    });
    assert_eq!(first, later);
}

#[test]
fn the_cursor_finds_its_message() {
    // Ten minutes back lies the eleventh message of the fixture, 12 s after the minute.
    let mut screen = Telemetry::new();
    with_context(&snapshot(), 100, 30, |ctx| {
        screen.window.cursor = Some(pipeline_now() - SignedDuration::from_secs(600));
        screen.update(Action::Open, ctx);
        let asked = screen.wants(ctx);
        assert_eq!(asked, [Request::Messages { limit: MESSAGES }]);
        screen.receive(&asked[0], Ok(&answer(&asked[0])), ctx);
        let id = "01553552-4d30-7cc3-8a55-000000000010".to_owned();
        assert_eq!(screen.wants(ctx), [Request::Trace { message_id: Some(id), rows: false }]);
        screen.update(Action::Back, ctx);
        // Hours before the oldest message the hub still has.
        screen.window.cursor = Some(at("2016-06-09T02:00:00Z"));
        screen.update(Action::Open, ctx);
        screen.receive(&asked[0], Ok(&answer(&asked[0])), ctx);
        let mut buffer = Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, ctx);
        assert!(text_of(&buffer).contains("the hub keeps the newest messages only"), "{}", text_of(&buffer));
    });
}

#[test]
fn the_filter_holds_for_messages_and_their_export() {
    let (screen, _) = after(&[Action::RawMessages]);
    with_context(&snapshot(), 100, 30, |ctx| {
        let filter = Filter::parse("-00000000000[78] ").expect("an expression");
        let filtered = Context { filter: &filter, ..*ctx };
        let [Exportable::Table(table)] = &screen.exports(&filtered)[..] else { panic!("one table") };
        assert_eq!(table.rows.len(), 2);
    });
}

#[test]
fn a_click_sets_the_cursor_under_it() {
    let mut screen = Telemetry::new();
    with_context(&snapshot(), 100, 30, |ctx| {
        feed(&mut screen, ctx);
        // The plots reach from column 12 to column 98, so 55 is their middle.
        assert_eq!(screen.update(Action::Click { column: 55, row: 6 }, ctx), Outcome::done());
        let scale = screen.window.scale(ctx.pipeline_now());
        assert_eq!(screen.window.cursor, Some(scale.instant(0.5)));
        assert_eq!(screen.update(Action::Click { column: 2, row: 6 }, ctx), Outcome::Ignored);
    });
}

#[test]
fn a_past_window_says_which_figures_are_of_now() {
    insta::assert_snapshot!(after(&[Action::TimeBack, Action::TimeBack]).1);
}

#[test]
fn charts_and_their_points_are_exported() {
    let (screen, _) = after(&[]);
    with_context(&snapshot(), 100, 30, |ctx| {
        let names: Vec<String> = screen.exports(ctx).iter().map(|e| e.name().to_owned()).collect();
        assert_eq!(
            names,
            [
                "telemetry-temperature",
                "telemetry-humidity",
                "telemetry-pressure",
                "telemetry-light",
                "telemetry-rain",
                "telemetry-windSpeed",
                "telemetry-windDirection",
                "telemetry"
            ]
        );
        let copied = screen.copy(ctx).expect("a value");
        assert!(copied.starts_with("temperature ") && copied.contains("°C at 16:05"), "{copied}");
    });
}

#[test]
fn a_refused_series_says_why() {
    let mut screen = Telemetry::new();
    let text = with_context(&snapshot(), 80, 24, |ctx| {
        feed(&mut screen, ctx);
        let request = screen.wants(ctx).remove(0);
        screen.receive(&request, Err(&AskError::Refused("table locked; try again".into())), ctx);
        let mut buffer = Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, ctx);
        text_of(&buffer)
    });
    assert!(text.contains("✖ table locked; try again"), "{text}");
}

#[test]
fn the_marked_variable_changes_its_unit_and_exports_keep_theirs() {
    let (mut screen, _) = after(&[]);
    with_context(&snapshot(), 250, 80, |ctx| {
        feed(&mut screen, ctx);
        let outcome = screen.update(Action::SwitchUnit, ctx);
        assert_eq!(outcome, Outcome::effect(Effect::SwitchUnit(Variable::Temperature)));
        let mut units = ctx.units;
        for variable in [Variable::Temperature, Variable::Pressure, Variable::WindSpeed] {
            assert!(units.switch(variable));
        }
        let ctx = Context { units, ..*ctx };
        let mut buffer = Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, &ctx);
        let text = text_of(&buffer);
        // 18.5 °C, 957.5 hPa and their sea-level value, converted by hand.
        for words in ["65.3 °F", "°F/h", "28.", "sea level 29.92 inHg", "km/h"] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        let exported = |ctx: &Context<'_>| screen.exports(ctx).into_iter().last();
        let Some(Exportable::Table(table)) = exported(&ctx) else { panic!("a table") };
        let units: std::collections::BTreeSet<String> = table.rows.iter().map(|row| format!("{:?}", row[2])).collect();
        assert!(units.contains("Text(\"°C\")") && units.contains("Text(\"hPa\")"), "{units:?}");
        assert!(!units.contains("Text(\"°F\")"));
    });
}

#[test]
fn flagged_values_are_marked_on_their_chart_and_told() {
    let mut screen = Telemetry::new();
    let mut shot = snapshot();
    let measurement = shot.now.measurement.as_mut().expect("a measurement");
    measurement.qc.insert(Variable::Humidity, QcFlag::Clipped);
    measurement.qc.insert(Variable::Light, QcFlag::Derived);
    let text = with_context(&shot, 250, 80, |ctx| {
        feed(&mut screen, ctx);
        let flagged = |minutes| pipeline_now() - SignedDuration::from_mins(minutes);
        let series = screen.series.get_mut(&Variable::Temperature).expect("it was answered");
        series.flags = [300, 60].map(|minutes| FlagMark { at: flagged(minutes), flag: QcFlag::OutOfRange }).into();
        let mut buffer = Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, ctx);
        text_of(&buffer)
    });
    assert!(text.contains("! 2 flagged, last 15:05 rejected: outside its physical range"), "{text}");
    assert!(text.contains("! clipped to its range") && text.contains("derived"), "{text}");
    // Beneath the first chart's line: a mark for each, five hours and one before the end of six.
    let marks =
        text.lines().find(|line| line.matches('!').count() == 2 && line.contains('│')).expect("a line of marks");
    let columns: Vec<usize> = marks.chars().enumerate().filter(|(_, c)| *c == '!').map(|(x, _)| x).collect();
    assert!(columns[0] < 60 && columns[1] > 180, "{columns:?}");
}

#[test]
fn the_days_extremes_have_their_times() {
    let (mut screen, _) = after(&[]);
    let text = body(&mut screen, &snapshot(), 250, 80);
    assert!(text.contains("today 9.7 (04:20) to 19.4 (17:00)"), "{text}");
    let (from, to) = with_context(&snapshot(), 250, 80, |ctx| screen.day(ctx));
    // The station's day: Payerne is two hours ahead of UTC in June.
    assert_eq!((from, to), (at("2016-06-08T22:00:00Z"), at("2016-06-09T21:59:59.999Z")));
}

#[test]
fn no_size_is_too_small() {
    let shot = snapshot();
    for actions in [&[][..], &[Action::RawMessages], &[Action::Open], &[Action::PickDevice]] {
        let (mut screen, _) = after(actions);
        for columns in (0..90).step_by(13) {
            for rows in 0..16 {
                body(&mut screen, &shot, columns, rows);
            }
        }
    }
}
