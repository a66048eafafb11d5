use super::*;
use crate::console::filter::Filter;
use crate::console::fixture::{body, empty_snapshot, feed, snapshot, text_of, with_context};

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
            &Request::CopyHistory { failed_only: false, limit: FILES },
            Ok(&Answer::CopyHistory { files: Vec::new() }),
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
