use super::*;
use crate::console::fixture::{self, body, with_context};

#[test]
fn the_overview_at_three_sizes() {
    for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
        let text = body(&mut Overview::default(), &fixture::snapshot(), columns, rows);
        insta::assert_snapshot!(format!("overview_{columns}x{rows}"), text);
    }
}

#[test]
fn before_anything_is_known_nothing_is_invented() {
    let text = body(&mut Overview::default(), &fixture::empty_snapshot(), 100, 30);
    insta::assert_snapshot!("overview_empty", text);
}

#[test]
fn enter_opens_the_screen_that_explains() {
    let snapshot = fixture::snapshot();
    with_context(&snapshot, 100, 30, |ctx| {
        let mut screen = Overview::default();
        let goto = |screen| Outcome::effect(Effect::Goto(screen));
        assert_eq!(screen.update(Action::Open, ctx), goto(ScreenName::Telemetry));
        for _ in 0..5 {
            screen.update(Action::Right, ctx);
        }
        assert_eq!(screen.selected_stage(), StageName::Pipe);
        assert_eq!(screen.update(Action::Open, ctx), goto(ScreenName::Loads));
        screen.update(Action::FocusPrevious, ctx);
        assert_eq!(screen.focus, Pane::Alarms);
        assert_eq!(screen.update(Action::Open, ctx), goto(ScreenName::Loads));
    });
}

#[test]
fn an_alarm_is_acknowledged_once() {
    let snapshot = fixture::snapshot();
    with_context(&snapshot, 100, 30, |ctx| {
        let mut screen = Overview::default();
        let ask = Effect::Ask(Request::AcknowledgeAlarm { rule: "notice-age".into() });
        assert_eq!(screen.update(Action::AcknowledgeAlarm, ctx), Outcome::effect(ask));
        screen.update(Action::Down, ctx);
        let reason = screen.disabled(Action::AcknowledgeAlarm, ctx).expect("the second one is acknowledged");
        assert_eq!(reason, "load-errors is acknowledged already");
        let read_only = Context { read_only: true, ..*ctx };
        assert!(screen.disabled(Action::AcknowledgeAlarm, &read_only).is_some());
    });
}

#[test]
fn a_click_selects_and_a_second_one_opens() {
    let snapshot = fixture::snapshot();
    with_context(&snapshot, 100, 30, |ctx| {
        let mut screen = Overview::default();
        let click = Action::Click { column: 63, row: 4 };
        assert_eq!(screen.update(click, ctx), Outcome::done());
        assert_eq!(screen.selected_stage(), StageName::Pipe);
        assert_eq!(screen.update(click, ctx), Outcome::effect(Effect::Goto(ScreenName::Loads)));
        assert_eq!(screen.update(Action::Click { column: 0, row: 0 }, ctx), Outcome::Ignored);
    });
}
