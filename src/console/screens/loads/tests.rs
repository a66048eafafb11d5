use jiff::SignedDuration;

use super::*;
use crate::console::filter::Filter;
use crate::console::fixture::{body, empty_snapshot, feed, snapshot, text_of, with_context};
use crate::console::widgets::value::ABSENT;
use crate::owner::{PipeWatch, Snapshot, WarehouseAsk, WarehouseView};

/// The screen after `actions`, each followed by the fixture's answers, on 100×30; with the last outcome.
fn after(actions: &[Action]) -> (Loads, Outcome) {
    let mut screen = Loads::new();
    let mut last = Outcome::Ignored;
    with_context(&snapshot(), 100, 30, |ctx| {
        feed(&mut screen, ctx);
        for action in actions {
            last = screen.update(*action, ctx);
            feed(&mut screen, ctx);
        }
    });
    (screen, last)
}

fn drawn_after(actions: &[Action]) -> String {
    body(&mut after(actions).0, &snapshot(), 100, 30)
}

#[test]
fn small() {
    insta::assert_snapshot!(body(&mut Loads::new(), &snapshot(), 80, 24));
}

#[test]
fn medium() {
    insta::assert_snapshot!(body(&mut Loads::new(), &snapshot(), 100, 30));
}

#[test]
fn large() {
    insta::assert_snapshot!(body(&mut Loads::new(), &snapshot(), 250, 80));
}

#[test]
fn before_anything_is_known() {
    let mut screen = Loads::new();
    insta::assert_snapshot!(with_context(&empty_snapshot(), 80, 24, |ctx| {
        screen.receive(
            &Request::CopyHistory { failed_only: false, limit: 500, after: None },
            Ok(&Answer::CopyHistory { files: Vec::new(), upto: 0, total: 0 }),
            ctx,
        );
        let mut buffer = Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, ctx);
        text_of(&buffer)
    }));
}

#[test]
fn a_failed_file_shows_its_error() {
    insta::assert_snapshot!(drawn_after(&[Action::FocusNext, Action::Down]));
}

#[test]
fn the_failing_line_stands_next_to_its_error() {
    insta::assert_snapshot!(drawn_after(&[Action::FailedOnly, Action::Open]));
    let (screen, _) = after(&[Action::FailedOnly, Action::Open]);
    assert!(screen.line.as_ref().and_then(LineView::copy).is_some_and(|text| text.contains("temperatureC")));
}

#[test]
fn a_loaded_file_has_nothing_to_show_but_its_facts() {
    let text = drawn_after(&[Action::FocusNext, Action::Open]);
    assert!(text.contains("nothing failed in it") && text.contains("5 parsed, 5 loaded"), "{text}");
}

#[test]
fn refreshing_says_what_it_can_duplicate_and_asks_only_then() {
    insta::assert_snapshot!(drawn_after(&[Action::RefreshPipe]));
    let (_, outcome) = after(&[Action::RefreshPipe, Action::Open]);
    let pipe = "WEATHER_PIPE_MESSAGES".to_owned();
    assert_eq!(outcome, Outcome::effect(Effect::Ask(Request::RefreshPipe { pipe })));
    let (screen, outcome) = after(&[Action::RefreshPipe, Action::Back]);
    assert_eq!(outcome, Outcome::done());
    assert!(!screen.modal());
}

#[test]
fn a_running_pipe_is_paused_and_a_paused_one_resumed() {
    let pipe = "WEATHER_PIPE_PREDICTIONS".to_owned();
    let (_, outcome) = after(&[Action::Down, Action::PausePipe, Action::Open]);
    assert_eq!(outcome, Outcome::effect(Effect::Ask(Request::PausePipe { pipe: pipe.clone(), paused: true })));
    let mut shot = snapshot();
    shot.pipes[1].state = "PAUSED".into();
    let mut screen = Loads::new();
    with_context(&shot, 100, 30, |ctx| {
        screen.update(Action::Down, ctx);
        screen.update(Action::PausePipe, ctx);
        let outcome = screen.update(Action::Open, ctx);
        assert_eq!(outcome, Outcome::effect(Effect::Ask(Request::PausePipe { pipe, paused: false })));
    });
}

#[test]
fn a_read_only_console_says_why_it_changes_nothing() {
    let mut screen = Loads::new();
    with_context(&snapshot(), 100, 30, |ctx| {
        let ctx = Context { read_only: true, ..*ctx };
        let outcome = screen.update(Action::PausePipe, &ctx);
        let Outcome::Consumed(effects) = outcome else { panic!("consumed") };
        assert!(matches!(&effects[..], [Effect::Notify(text)] if text.contains("read-only")));
        assert!(!screen.modal());
    });
}

#[test]
fn filter_and_failed_only_hold_for_the_export_too() {
    let (screen, _) = after(&[Action::FailedOnly]);
    with_context(&snapshot(), 100, 30, |ctx| {
        let rows = |ctx: &Context<'_>| match screen.exports(ctx).swap_remove(0) {
            Exportable::Table(table) => table.rows.len(),
            Exportable::Chart(_) | Exportable::Plan(_) => 0,
        };
        assert_eq!(rows(ctx), 2);
        let filter = Filter::parse("/13/56").expect("an expression");
        assert_eq!(rows(&Context { filter: &filter, ..*ctx }), 1);
    });
}

#[test]
fn no_size_is_too_small() {
    let shot = snapshot();
    let opened: [&[Action]; 4] =
        [&[], &[Action::FocusNext, Action::Down], &[Action::FailedOnly, Action::Open], &[Action::RefreshPipe]];
    for actions in opened {
        let mut screen = after(actions).0;
        for columns in (0..90).step_by(13) {
            for rows in 0..16 {
                body(&mut screen, &shot, columns, rows);
            }
        }
    }
}

/// A watched warehouse: one pipe as it should be, one that may not be asked about, one made anew.
fn watched() -> Snapshot {
    let mut shot = snapshot();
    shot.warehouse = Some(WarehouseView {
        asked_at: Some(shot.clock.now() - SignedDuration::from_secs(12)),
        woke_at: Some(shot.clock.now() - SignedDuration::from_mins(4)),
        wakes_today: 7,
        wakes_per_day: 24,
        credits_today: Some(0.126),
        credits_per_day: 1.0,
        credits_per_wake: Some(0.0167),
        ..WarehouseView::default()
    });
    let known = PipeWatch { rows_known: true, files_known: true, duplicates_known: true, ..PipeWatch::default() };
    for pipe in &mut shot.pipes {
        pipe.watch = Some(Box::new(known.clone()));
    }
    let first = &mut shot.pipes[0];
    let watch = first.watch.as_mut().expect("watched");
    (watch.rows_per_min, watch.credits_today) = (Some(11.9), Some(0.0004));
    (watch.remade_at, watch.repeats) = (Some(shot.clock.now() - SignedDuration::from_hours(2)), 1512);
    let second = &mut shot.pipes[1];
    second.state = "NO RIGHT".into();
    let grant = "pipe WEATHER_PIPE_PREDICTIONS: not authorised, or it doesn't exist; run: GRANT MONITOR ON PIPE \
                 \"WEATHER_STAGING\".\"DATAWAREHOUSE_STAGING\".\"WEATHER_PIPE_PREDICTIONS\" TO ROLE \"WEATHER_OPERATOR_STAGING\"";
    second.last_error = Some(grant.to_owned());
    second.watch = Some(Box::new(PipeWatch {
        status_trouble: Some(grant.to_owned()),
        findings: vec![grant.to_owned()],
        ..PipeWatch::default()
    }));
    (second.pending_files, second.rows, second.files_loaded) = (0, 0, 0);
    shot
}

fn watched_after(actions: &[Action], columns: u16, rows: u16) -> (Loads, String) {
    let (mut screen, shot) = (Loads::new(), watched());
    with_context(&shot, columns, rows, |ctx| {
        feed(&mut screen, ctx);
        for action in actions {
            screen.update(*action, ctx);
            feed(&mut screen, ctx);
        }
    });
    let text = body(&mut screen, &shot, columns, rows);
    (screen, text)
}

#[test]
fn watched_pipes_small() {
    insta::assert_snapshot!(watched_after(&[], 80, 24).1);
}

#[test]
fn watched_pipes_medium() {
    insta::assert_snapshot!(watched_after(&[], 100, 30).1);
}

#[test]
fn what_may_not_be_seen_is_no_zero() {
    let (_, text) = watched_after(&[], 140, 40);
    let row = text.lines().find(|line| line.contains("PREDICTIONS") && line.contains("NO RIGHT")).expect("its row");
    let cells: Vec<_> = row.split_whitespace().collect();
    assert!(cells.iter().filter(|cell| **cell == ABSENT).count() >= 5 && !cells.contains(&"0"), "{row}");
}

#[test]
fn a_pipe_shows_the_grant_that_mends_it_whole() {
    for (columns, rows) in [(80, 24), (100, 30)] {
        let (screen, text) = watched_after(&[Action::Down, Action::Open], columns, rows);
        let flat: String =
            text.split_whitespace().filter(|word| !matches!(*word, "│" | "║")).collect::<Vec<_>>().join(" ");
        assert!(flat.contains("TO ROLE") && flat.contains("\"WEATHER_OPERATOR_STAGING\""), "{text}");
        with_context(&watched(), columns, rows, |ctx| {
            assert!(screen.copy(ctx).is_some_and(|text| text.contains("run: GRANT MONITOR ON PIPE")));
        });
    }
    let (_, text) = watched_after(&[Action::Open], 100, 30);
    for figure in ["rows a minute   11.90", "credits today   0.000400", "made anew       2 h 00 min ago"] {
        assert!(text.contains(figure), "{figure}: {text}");
    }
}

#[test]
fn a_refresh_takes_a_prefix_and_a_time() {
    insta::assert_snapshot!(watched_after(&[Action::RefreshPipe], 80, 24).1);
    let typed = |text: &str| text.chars().map(Action::Type).collect::<Vec<_>>();
    let shot = watched();
    let mut screen = Loads::new();
    with_context(&shot, 100, 30, |ctx| {
        screen.update(Action::RefreshPipe, ctx);
        assert!(screen.takes_text());
        let actions = [typed("hub/0"), vec![Action::FocusNext], typed("9d"), vec![Action::Open]].concat();
        let last = actions.into_iter().map(|action| screen.update(action, ctx)).last();
        assert_eq!((last, screen.modal()), (Some(Outcome::done()), true), "9 days are too many");
        let actions = [vec![Action::EraseLine], typed("6h"), vec![Action::Open]].concat();
        let last = actions.into_iter().map(|action| screen.update(action, ctx)).last();
        let since = Some(ctx.pipeline_now() - SignedDuration::from_hours(6));
        let (pipe, prefix) = ("WEATHER_PIPE_MESSAGES".to_owned(), Some("hub/0".to_owned()));
        let ask = Request::Warehouse(WarehouseAsk::Refresh { pipe, prefix, since });
        assert_eq!(last, Some(Outcome::effect(Effect::Ask(ask))));
    });
}

#[test]
fn a_line_that_costs_is_read_once_that_was_agreed_to() {
    let (_, text) = watched_after(&[Action::FailedOnly, Action::Open], 100, 30);
    assert!(text.contains("It wakes the warehouse: 0.017 credits at least"), "{text}");
    let (_, text) = watched_after(&[Action::FailedOnly, Action::Open, Action::Back], 100, 30);
    assert!(text.contains("not read yet; enter reads it"), "{text}");
    let (_, text) = watched_after(&[Action::FailedOnly, Action::Open, Action::Open], 100, 30);
    assert!(text.contains("temperatureC"), "{text}");
}

#[test]
fn a_file_is_validated_beside_its_error() {
    let (mut screen, _) =
        watched_after(&[Action::FailedOnly, Action::Open, Action::Back, Action::ValidateFile], 100, 30);
    let shot = watched();
    with_context(&shot, 100, 30, |ctx| {
        let Outcome::Consumed(effects) = screen.update(Action::Open, ctx) else { panic!("consumed") };
        let [Effect::Ask(request)] = &effects[..] else { panic!("{effects:?}") };
        assert!(matches!(request, Request::Warehouse(WarehouseAsk::Validate { .. })));
        let refused = AskError::Refused("file, line 3: no JSON".to_owned());
        screen.receive(request, Err(&refused), ctx);
    });
    let text = body(&mut screen, &shot, 100, 30);
    assert!(text.contains("Validated") && text.contains("line 3: no JSON"), "{text}");
}

#[test]
fn asking_now_is_for_a_watched_warehouse() {
    let (_, text) = watched_after(&[Action::LookNow], 100, 30);
    assert!(text.contains("in 7 of 24 wakes"), "{text}");
    let (_, outcome) = after(&[Action::LookNow]);
    let Outcome::Consumed(effects) = outcome else { panic!("consumed") };
    assert!(matches!(&effects[..], [Effect::Notify(text)] if text.contains("as they are now")));
}
