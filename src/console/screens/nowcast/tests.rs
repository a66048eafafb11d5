use super::*;
use crate::console::fixture::{answer, body, empty_snapshot, feed, pipeline_now, snapshot, text_of, with_context};

/// The screen after `actions`, each followed by the fixture's answers.
fn after(actions: &[Action]) -> Nowcast {
    let mut screen = Nowcast::new();
    with_context(&snapshot(), 100, 30, |ctx| {
        feed(&mut screen, ctx);
        for action in actions {
            assert_eq!(screen.update(*action, ctx), Outcome::done(), "{action:?}");
            feed(&mut screen, ctx);
        }
    });
    screen
}

#[test]
fn small() {
    insta::assert_snapshot!(body(&mut Nowcast::new(), &snapshot(), 80, 24));
}

#[test]
fn medium() {
    insta::assert_snapshot!(body(&mut Nowcast::new(), &snapshot(), 100, 30));
}

#[test]
fn large() {
    insta::assert_snapshot!(body(&mut Nowcast::new(), &snapshot(), 250, 80));
}

#[test]
fn an_earlier_nowcast_stands_beside_what_came() {
    insta::assert_snapshot!(body(
        &mut after(&[Action::PageDown, Action::PageDown, Action::Down]),
        &snapshot(),
        130,
        40
    ));
}

#[test]
fn verification_small() {
    insta::assert_snapshot!(body(&mut after(&[Action::Verification]), &snapshot(), 80, 24));
}

#[test]
fn verification_medium() {
    let mut screen = after(&[Action::Verification, Action::TimeForward, Action::Down]);
    insta::assert_snapshot!(body(&mut screen, &snapshot(), 100, 30));
}

#[test]
fn verification_large() {
    insta::assert_snapshot!(body(&mut after(&[Action::Verification]), &snapshot(), 250, 80));
}

#[test]
fn before_there_is_any() {
    let mut screen = Nowcast::new();
    let shot = empty_snapshot();
    let none = Answer::Nowcast { nowcast: None };
    let text = with_context(&shot, 80, 24, |ctx| {
        screen.receive(&Request::Nowcast { at: None }, Ok(&none), ctx);
        let mut buffer = Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, ctx);
        text_of(&buffer)
    });
    assert!(text.contains("no nowcast yet"), "{text}");
    let mut screen = after(&[Action::Verification]);
    assert!(body(&mut screen, &shot, 80, 24).contains("no forecast has been verified yet"));
}

#[test]
fn stepping_back_and_forward_comes_home() {
    let issued = |screen: &Nowcast| screen.shown().map(|view| view.prediction.measured_at);
    let newest = pipeline_now() - SignedDuration::from_secs(312);
    assert_eq!(issued(&after(&[])), Some(newest));
    let back = after(&[Action::TimeBack, Action::PageDown]);
    assert_eq!(issued(&back), Some(newest - SignedDuration::from_secs(3601)));
    let home = after(&[Action::TimeBack, Action::PageDown, Action::TimeForward, Action::TimeForward]);
    assert_eq!((issued(&home), home.at), (Some(newest), None));
    let now = after(&[Action::TimeBack, Action::TimeBack, Action::TimeNow]);
    assert_eq!((now.at, now.later.len()), (None, 0));
}

#[test]
fn before_the_first_nowcast_one_stays_where_one_was() {
    let mut screen = after(&[]);
    with_context(&snapshot(), 100, 30, |ctx| {
        let shown = screen.shown().cloned();
        screen.update(Action::TimeBack, ctx);
        let asked = screen.wants(ctx).remove(0);
        screen.receive(&asked, Ok(&Answer::Nowcast { nowcast: None }), ctx);
        assert_eq!((screen.at, screen.shown()), (None, shown.as_ref()));
        assert_eq!(screen.failure.as_deref(), Some("there is no earlier nowcast"));
        // An answer to a question that isn't asked any more changes nothing.
        screen.receive(&asked, Ok(&answer(&asked)), ctx);
        assert_eq!(screen.shown(), shown.as_ref());
    });
}

#[test]
fn fans_quantiles_and_scores_are_exported() {
    let screen = after(&[]);
    with_context(&snapshot(), 100, 30, |ctx| {
        let items = screen.exports(ctx);
        let names: Vec<&str> = items.iter().map(Exportable::name).collect();
        assert_eq!(names, ["nowcast-temperature", "nowcast-humidity", "nowcast-pressure", "nowcast-light", "nowcast"]);
        let Some(Exportable::Table(table)) = items.last() else { panic!("a table") };
        assert_eq!(table.rows.len(), 4 * 24);
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
        let copied = screen.copy(ctx).expect("a forecast");
        assert!(copied.starts_with("temperature, issued 2016-06-09 16:00: 17:00: "), "{copied}");
    });
    let screen = after(&[Action::Verification]);
    with_context(&snapshot(), 100, 30, |ctx| {
        let [Exportable::Table(table)] = &screen.exports(ctx)[..] else { panic!("one table") };
        assert_eq!(table.rows.len(), 4 * 24);
        let copied = screen.copy(ctx).expect("a score");
        assert!(copied.starts_with("temperature (°C): lead 10 min, verified 1007, MAE 0.30"), "{copied}");
    });
}

#[test]
fn no_size_is_too_small() {
    let shot = snapshot();
    for actions in [&[][..], &[Action::Verification], &[Action::PageDown]] {
        let mut screen = after(actions);
        for columns in (0..90).step_by(13) {
            for rows in 0..16 {
                body(&mut screen, &shot, columns, rows);
            }
        }
    }
}
