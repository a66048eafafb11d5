use std::collections::HashSet;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

use super::*;
use crate::clock::ClockReading;
use crate::console::action::ACTIONS;
use crate::console::fixture;
use crate::console::frame;

fn app_of(snapshot: Snapshot, columns: u16, rows: u16) -> App {
    let mut app = App::new(
        Arc::new(snapshot),
        Theme::midnight(),
        Keymap::default(),
        Size::new(columns, rows),
        fixture::wall_now(),
    );
    feed(&mut app);
    app
}

fn app() -> App {
    app_of(fixture::snapshot(), 100, 30)
}

fn app_on(screen: ScreenName) -> App {
    let mut app = app();
    open(&mut app, screen);
    app
}

fn open(app: &mut App, screen: ScreenName) {
    app.update(Action::goto(screen));
    feed(app);
}

fn feed(app: &mut App) {
    for _ in 0..3 {
        for request in app.wants() {
            app.receive(app.up, &request, Ok(&fixture::answer(&request)));
        }
    }
}

fn text(app: &App) -> String {
    let mut buffer = Buffer::empty(Rect::from((ratatui::layout::Position::ORIGIN, app.view.size)));
    frame::render(app, &mut buffer);
    fixture::text_of(&buffer)
}

fn type_in(app: &mut App, text: &str) {
    for c in text.chars() {
        app.update(Action::Type(c));
    }
}

#[test]
fn every_screen_in_its_frame() {
    for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
        let mut app = app_of(fixture::snapshot(), columns, rows);
        for screen in ScreenName::ALL {
            open(&mut app, screen);
            insta::assert_snapshot!(format!("{screen}_{columns}x{rows}"), text(&app));
        }
    }
}

#[test]
fn a_terminal_too_small_is_told_the_size_it_needs() {
    assert_eq!(text(&app_of(fixture::snapshot(), 20, 5)).trim_end(), "needs 60×15, is 20×5");
    assert_eq!(
        text(&app_of(fixture::snapshot(), 58, 20)).trim_end(),
        "skydeck needs 60×15 cells; this terminal has 58×20"
    );
    for (columns, rows) in [(0, 0), (1, 1), (5, 2), (60, 15)] {
        let _ = text(&app_of(fixture::snapshot(), columns, rows));
    }
}

#[test]
fn popups_over_a_screen() {
    let mut app = app();
    app.update(Action::Palette);
    type_in(&mut app, "fast");
    insta::assert_snapshot!("palette", text(&app));
    app.update(Action::Back);
    app.update(Action::Help);
    insta::assert_snapshot!("help", text(&app));
    type_in(&mut app, "p");
    assert!(text(&app).contains("Freeze the view"));
    app.update(Action::Back);
    app.update(Action::Theme);
    insta::assert_snapshot!("themes", text(&app));
    app.update(Action::Back);
    app.update(Action::Export);
    insta::assert_snapshot!("export", text(&app));
    app.update(Action::Back);
    assert!(app.popups().is_empty());
}

#[test]
fn the_help_puts_the_action_of_a_key_first() {
    let mut app = app();
    app.update(Action::Help);
    type_in(&mut app, "t");
    let text = text(&app);
    let first = text.lines().find(|line| line.contains("everywhere")).expect("a row");
    assert!(first.contains("Choose a theme"), "{first}");
}

#[test]
fn every_action_of_the_table_is_dealt_with_on_every_screen() {
    for screen in ScreenName::ALL {
        for info in ACTIONS {
            let mut app = app_on(screen);
            app.update(info.action);
            let _ = text(&app);
        }
    }
}

#[test]
fn every_action_does_something_where_it_means_something() {
    let cannot_show = [Action::Redraw, Action::FocusNext, Action::FocusPrevious, Action::Open, Action::GotoOverview];
    let mut dead = HashSet::new();
    for info in ACTIONS.iter().filter(|info| !cannot_show.contains(&info.action)) {
        let alive = ScreenName::ALL.into_iter().filter(|screen| info.scope.includes(*screen)).any(|screen| {
            // From the middle of things, so that moving is possible both ways.
            [&[][..], &[Action::Right], &[Action::Down, Action::TimeBack, Action::CursorBack, Action::ZoomOut]]
                .iter()
                .any(|before| {
                    let mut app = app_on(screen);
                    before.iter().for_each(|action| drop(app.update(*action)));
                    feed(&mut app);
                    let shown = text(&app);
                    !app.update(info.action).is_empty() || text(&app) != shown
                })
        });
        if !alive {
            dead.insert(info.name);
        }
    }
    assert!(dead.is_empty(), "these do nothing anywhere: {dead:?}");
}

#[test]
fn back_returns_by_the_way_one_came() {
    let mut app = app();
    app.update(Action::GotoLoads);
    app.update(Action::GotoLogs);
    app.update(Action::Back);
    assert_eq!(app.up(), ScreenName::Loads);
    app.update(Action::Back);
    assert_eq!(app.up(), ScreenName::Overview);
    assert!(app.update(Action::Back).is_empty(), "q never quits");
    assert_eq!(app.notification().map(|n| n.text.as_str()), Some("Q ends the console"));
    assert_eq!(app.update(Action::Quit), [Effect::Quit]);
}

#[test]
fn a_console_that_reads_a_station_says_what_ends_with_it_and_quits_at_the_second_key() {
    let mut app = app();
    let mut live = (*app.view.live).clone();
    live.environment = "local".parse().expect("a name");
    live.clock = ClockReading::Wall { now: live.clock.now() };
    app.view.take(Arc::new(live));
    assert_eq!(app.update(Action::Quit), [Effect::Quit], "the station is read elsewhere");
    app.view.hosts = true;
    assert!(app.update(Action::Quit).is_empty());
    assert!(app.notification().is_some_and(|notice| notice.text.contains("Q again quits")));
    assert!(app.update(Action::GotoLoads).is_empty());
    assert!(app.update(Action::Quit).is_empty(), "another key lay between");
    assert_eq!(app.update(Action::Quit), [Effect::Quit]);
}

#[test]
fn the_palette_finds_an_action_and_does_it_where_it_means_something() {
    let mut app = app();
    app.update(Action::Palette);
    type_in(&mut app, "verif");
    let effects = app.update(Action::Open);
    assert!(effects.is_empty() && app.popups().is_empty());
    assert_eq!(app.up(), ScreenName::Nowcast);
    app.update(Action::Palette);
    type_in(&mut app, "qzx");
    assert!(text(&app).contains("no action is called so"));
    app.update(Action::Open);
    assert_eq!(app.popups().len(), 1, "there is nothing to choose");
}

#[test]
fn a_filter_holds_on_its_screen_and_back_lets_it_go() {
    let mut app = app_on(ScreenName::Logs);
    app.update(Action::Filter);
    type_in(&mut app, "loader");
    assert!(app.is_typing() && text(&app).contains("2 of 8 lines"));
    app.update(Action::Open);
    assert!(!app.is_typing() && text(&app).lines().last().expect("a footer").contains("/loader"));
    app.update(Action::GotoOverview);
    assert!(!app.view.filter(ScreenName::Overview).is_active());
    app.update(Action::GotoLogs);
    app.update(Action::Back);
    assert!(text(&app).contains("8 of 8 lines"));
    assert_eq!(app.up(), ScreenName::Logs, "only the filter is gone");
    app.update(Action::Filter);
    type_in(&mut app, "a(");
    assert!(text(&app).contains("unclosed group"));
    app.update(Action::Open);
    assert!(app.is_typing(), "a fault can't be taken");
    app.update(Action::Back);
    assert!(!app.view.filter(ScreenName::Logs).is_active());
}

#[test]
fn a_paused_view_stands_still_while_intake_goes_on() {
    let mut app = app();
    app.update(Action::Pause);
    assert!(text(&app).contains("PAUSED"));
    let mut newer = fixture::snapshot();
    newer.stages[0].headline = "7.7/s".into();
    app.view.take(Arc::new(newer));
    assert!(!text(&app).contains("7.7/s"));
    app.update(Action::Pause);
    assert!(text(&app).contains("7.7/s") && !text(&app).contains("PAUSED"));
}

#[test]
fn a_read_only_console_sends_no_command() {
    let mut app = app();
    app.view.read_only = true;
    assert!(text(&app).contains("READ-ONLY"));
    for info in ACTIONS {
        for screen in ScreenName::ALL {
            app.popups.clear();
            open(&mut app, screen);
            for action in [info.action, Action::Open] {
                let effects = app.update(action);
                let commands = effects.iter().filter(|e| matches!(e, Effect::Ask(request) if request.is_command()));
                assert_eq!(commands.count(), 0, "{} on {screen}", info.name);
            }
        }
    }
}

#[test]
fn the_replays_speed_goes_by_steps_and_ends_with_it() {
    let mut app = app();
    let set = |speed| vec![Effect::Ask(Request::SetSpeed { speed })];
    assert_eq!(app.update(Action::ReplayFaster), set(120));
    assert_eq!(app.update(Action::ReplaySlower), set(30));
    assert_eq!(app.update(Action::ReplayRealTime), set(1));
    let mut ended = fixture::snapshot();
    if let crate::clock::ClockReading::Replay { now, end, ended, .. } = &mut ended.clock {
        (*now, *ended) = (*end, true);
    }
    app.view.take(Arc::new(ended));
    assert!(app.update(Action::ReplayFaster).is_empty());
    assert_eq!(app.notification().map(|n| n.text.as_str()), Some("the replayed series has ended"));
    assert!(text(&app).contains("REPLAY 2016-06-30 23:59Z ENDED"));
}

#[test]
fn the_clock_goes_on_with_the_replays_speed() {
    let mut app = app();
    assert!(text(&app).contains("REPLAY 2016-06-09 14:05Z ×60"));
    app.tick(fixture::wall_now() + SignedDuration::from_secs(10));
    assert!(text(&app).contains("REPLAY 2016-06-09 14:15Z ×60"));
}

#[test]
fn a_wall_clock_is_told_in_local_time_and_utc() {
    let mut snapshot = fixture::snapshot();
    snapshot.clock = crate::clock::ClockReading::Wall { now: fixture::wall_now() };
    let shown = text(&app_of(snapshot, 120, 30));
    assert!(shown.contains("14:04:31 CET  (13:04Z)"), "{shown}");
}

#[test]
fn an_owner_that_is_gone_is_said_and_its_last_state_stays() {
    let mut app = app();
    app.view.lose_owner();
    app.tick(fixture::wall_now() + SignedDuration::from_secs(65));
    let shown = text(&app);
    assert!(shown.contains("OWNER GONE 65 s") && shown.contains("14:05Z"), "{shown}");
    assert!(shown.contains("the owner has ended: run `skydeck run` again") && shown.contains("RUNNING"));
    assert!(shown.contains("○ stale") && !shown.contains("● ok") && !shown.contains("healthy"), "{shown}");
}

#[test]
fn what_is_said_is_said_to_its_end() {
    let mut app = app_of(fixture::snapshot(), 80, 24);
    app.notify(&format!("{}take the last step", "something long is said of what went wrong; ".repeat(3)));
    let shown = text(&app);
    assert!(shown.lines().count() == 24 && shown.contains("last step"), "{shown}");
    assert!(!shown.contains(": palette"));
    app.update(Action::Filter);
    type_in(&mut app, "clip(");
    let shown = text(&app);
    assert!(shown.contains("/clip(") && shown.contains(" before it"), "{shown}");
}

#[test]
fn no_footer_has_a_hint_twice_or_cuts_one() {
    for columns in 60..140 {
        let mut app = app_of(fixture::snapshot(), columns, 24);
        for screen in ScreenName::ALL {
            open(&mut app, screen);
            let shown = text(&app);
            let footer = shown.lines().last().expect("a footer").to_owned();
            for hint in ["/ filter", ": palette", "enter open"] {
                assert!(footer.matches(hint).count() <= 1, "{footer}");
            }
            assert!(footer.ends_with('…') || footer.contains("Q quit"), "{footer}");
        }
    }
}

#[test]
fn an_action_is_named_by_what_it_means_here() {
    let mut app = app_on(ScreenName::Nowcast);
    assert!(text(&app).contains("right later"));
    app.update(Action::Verification);
    assert!(text(&app).contains("right variable") && !text(&app).contains("right later"), "{}", text(&app));
    app.update(Action::Help);
    type_in(&mut app, "right");
    assert!(text(&app).contains("The next variable's scores"), "{}", text(&app));
}

#[test]
fn a_paused_views_ages_stand_still_in_the_header_too() {
    let mut app = app();
    app.update(Action::Pause);
    app.tick(fixture::wall_now() + SignedDuration::from_secs(65));
    let shown = text(&app);
    assert!(shown.contains("PAUSED") && shown.contains("row age 4 min"), "{shown}");
}

#[test]
fn a_click_on_a_tab_goes_there() {
    let mut app = app();
    for screen in ScreenName::ALL {
        let shown = text(&app);
        let tabs = shown.lines().nth(1).expect("the tabs");
        let at = tabs.find(screen.label()).expect("its tab");
        let column = u16::try_from(tabs[..at].chars().count()).expect("small");
        app.update(Action::Click { column, row: 1 });
        assert_eq!(app.up(), screen);
    }
}

#[test]
fn a_theme_is_shown_as_it_is_passed_and_comes_back() {
    let mut app = app();
    app.update(Action::Theme);
    assert_eq!(app.update(Action::Down), [Effect::Theme("basalt".into())]);
    assert_eq!(app.update(Action::Back), [Effect::Theme("midnight".into())]);
    app.update(Action::Theme);
    app.update(Action::Down);
    app.update(Action::Down);
    assert_eq!(app.update(Action::Open), [Effect::Theme("paper".into())]);
    assert!(app.popups().is_empty());
}

#[test]
fn an_export_is_chosen_by_format() {
    let mut app = app_on(ScreenName::Logs);
    app.update(Action::Export);
    app.update(Action::Down);
    match app.update(Action::Open).as_slice() {
        [Effect::Write(item, Format::Json)] => assert_eq!(item.name(), "log"),
        other => panic!("expected a JSON export, got {other:?}"),
    }
    app.update(Action::GotoSky);
    app.update(Action::Export);
    assert!(app.notification().is_some_and(|n| n.text.starts_with("nothing is shown here")));
}

#[test]
fn a_notification_passes() {
    let mut app = app();
    app.notify("written: a\u{1b}[2Jb.csv");
    assert!(text(&app).contains("written: a[2Jb.csv"));
    assert!(!app.tick(fixture::wall_now() + SignedDuration::from_secs(1)));
    assert!(app.tick(fixture::wall_now() + SignedDuration::from_secs(7)));
    app.notify_until_key("a fault");
    app.tick(fixture::wall_now() + SignedDuration::from_secs(700));
    assert!(app.notification().is_some());
    app.update(Action::Up);
    assert!(app.notification().is_none());
}

#[test]
fn a_commands_answer_is_said() {
    let mut app = app();
    let command = Request::SetSpeed { speed: 120 };
    app.receive(ScreenName::Overview, &command, Ok(&Answer::Done { message: "replay at ×120".into() }));
    assert!(text(&app).contains("replay at ×120"));
    app.receive(ScreenName::Overview, &command, Err(&AskError::Refused("no replay".into())));
    assert!(text(&app).contains("no replay"));
}

#[test]
fn without_colour_everything_is_still_told_apart() {
    let mut app = app();
    app.view.theme = Theme::monochrome();
    let area = Rect::new(0, 0, 100, 30);
    let mut buffer = Buffer::empty(area);
    frame::render(&app, &mut buffer);
    let plain = |cell: &ratatui::buffer::Cell| {
        cell.fg == ratatui::style::Color::Reset && cell.bg == ratatui::style::Color::Reset
    };
    assert!(buffer.content.iter().all(plain), "a colour is left");
    let shown = fixture::text_of(&buffer);
    assert!(shown.contains("▲ warning") && shown.contains("● ok") && shown.contains("▸1 Overview"));
}

#[test]
fn the_environments_name_has_its_colour() {
    let badge = |name: &str| {
        let mut snapshot = fixture::snapshot();
        snapshot.environment = name.parse().expect("a right name");
        snapshot.environment_kind = snapshot.environment.kind();
        let app = app_of(snapshot, 100, 30);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 100, 30));
        frame::render(&app, &mut buffer);
        let header: Vec<_> = (0..100).map(|x| &buffer[(x, 0)]).collect();
        let text: String = header.iter().map(|cell| cell.symbol()).collect();
        let at = text.find(&name.to_uppercase()).expect("the name is in the header");
        header[at].bg
    };
    let theme = Theme::midnight();
    assert_eq!(Some(badge("demo")), theme.badge_demo.bg);
    assert_eq!(Some(badge("local")), theme.badge_local.bg);
    assert_eq!(Some(badge("staging")), theme.badge_staging.bg);
    assert_eq!(Some(badge("prod")), theme.badge_prod.bg);
}

#[test]
fn a_run_at_work_is_said_where_no_alarm_is() {
    use fixture::provisioning::{APPLYING, status};
    let mut snapshot = fixture::snapshot();
    snapshot.provisioning = status(APPLYING);
    let footer = |app: &App| text(app).lines().last().expect("a footer").to_owned();
    let app = app_of(snapshot.clone(), 100, 30);
    assert!(!footer(&app).contains("run 8"), "alarms come first: {}", footer(&app));
    snapshot.alarms.clear();
    let app = app_of(snapshot.clone(), 100, 30);
    assert!(footer(&app).starts_with(" run 8 applying 5/14 "), "{}", footer(&app));
    snapshot.environment = "local".parse().expect("a name");
    let app = app_of(snapshot, 100, 30);
    assert!(footer(&app).starts_with(" run 8 of demo applying 5/14 "), "{}", footer(&app));
}

#[test]
fn a_word_is_typed_into_a_screens_question() {
    use fixture::provisioning::{REPLACING, status};
    let mut snapshot = fixture::snapshot();
    snapshot.provisioning = status(REPLACING);
    let mut app = app_of(snapshot, 100, 30);
    open(&mut app, ScreenName::Plans);
    app.update(Action::ApplyRun);
    assert!(app.is_typing());
    type_in(&mut app, "demx");
    app.update(Action::Erase);
    type_in(&mut app, "o");
    let environment = crate::settings::EnvironmentName::demo();
    assert_eq!(app.update(Action::Open), [Effect::Ask(Request::ApplyRun { environment, number: REPLACING })]);
    assert!(!app.is_typing());
}

#[test]
fn a_run_that_was_asked_for_is_said() {
    let mut app = app_on(ScreenName::Plans);
    let [Effect::Ask(request)] = &app.update(Action::PlanRun)[..] else { panic!("one effect") };
    app.receive(ScreenName::Plans, request, Ok(&Answer::RunStarted { number: 12 }));
    assert!(text(&app).contains("run 12 was asked for"));
}

/// Looks at the Plans after `actions` in every theme and depth of colour: the words stay, and each of `signs` is there.
/// Without colour none is left, and with colour what is denied doesn't look like what isn't.
#[track_caller]
fn in_every_theme(run: u32, actions: &[Action], signs: &[&str]) {
    use crate::console::theme::ColorDepth;
    use ratatui::style::Color;
    let mut snapshot = fixture::snapshot();
    snapshot.provisioning = fixture::provisioning::status(run);
    let mut app = app_of(snapshot, 120, 40);
    open(&mut app, ScreenName::Plans);
    for action in actions {
        app.update(*action);
        feed(&mut app);
    }
    let plain = text(&app);
    for sign in signs {
        assert!(plain.contains(sign), "{sign}\n{plain}");
    }
    let named = |color: Color| !matches!(color, Color::Rgb(..) | Color::Indexed(_));
    for name in Theme::names(None) {
        for depth in [ColorDepth::None, ColorDepth::Sixteen, ColorDepth::Indexed, ColorDepth::True] {
            app.view.theme = Theme::load(&name, None, depth).expect("a built-in theme");
            assert_eq!(text(&app), plain, "the words don't hang on colours");
            let mut buffer = Buffer::empty(Rect::from((ratatui::layout::Position::ORIGIN, app.view.size)));
            frame::render(&app, &mut buffer);
            for cell in &buffer.content {
                let colours = [cell.fg, cell.bg];
                let is_right = match depth {
                    ColorDepth::None => colours == [Color::Reset, Color::Reset],
                    ColorDepth::Sixteen => colours.into_iter().all(named),
                    ColorDepth::Indexed | ColorDepth::True => true,
                };
                assert!(is_right, "{name} at {depth:?}: {colours:?}");
                let vanishes = cell.symbol() != " " && cell.fg == cell.bg && cell.fg != Color::Reset;
                assert!(!vanishes, "{name} at {depth:?}: {:?} can't be seen", cell.symbol());
            }
        }
    }
}

#[test]
fn the_plans_are_told_apart_without_colour_and_in_every_theme() {
    use fixture::provisioning::{DENIED, FAILED, RICH};
    in_every_theme(FAILED, &[], &["✖ failed", "✓ 0.3 s", "○ not begun", "apply ✖", "EMULATED"]);
    // A plan with everything in it, its difference, its findings.
    let select = [Action::FocusNext, Action::Top, Action::Down, Action::Down, Action::Down];
    in_every_theme(
        RICH,
        &select,
        &["▲ planned", "WARN ", "-/+", "+/-", "≠1", "# forces replacement", "(sensitive, changes)"],
    );
    in_every_theme(RICH, &[select.as_slice(), &[Action::Unchanged]].concat(), &["unchanged too"]);
    // What is denied, and the question before it is approved all the same.
    in_every_theme(DENIED, &[], &["1 DENY", "DENY "]);
    in_every_theme(DENIED, &[Action::ApproveRun], &["Approve the plan", "must be there", "type `demo`", "esc back"]);
}
