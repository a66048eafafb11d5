//! The screen at three sizes, without colours and with, and what keys do.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::draw::{Colors, draw};
use super::state::{PANES, Pane, State, Wish};
use crate::owner::{
    Beside, Diagnosis, LinkStep, LinkTest, LogLine, PreviewPicture, StepName, StepOutcome, device_findings,
};
use crate::station::Machine;

fn at(text: &str) -> jiff::Timestamp {
    text.parse().expect("a time")
}

/// A device with this and that the matter.
fn diagnosis() -> Diagnosis {
    let report = crate::owner::agent::fixture::report();
    let machine = Machine {
        uptime_s: Some(90_000.0),
        unread: vec!["rail VDD_IN: Input/output error".into()],
        ..Machine::default()
    };
    let step = |step, outcome, words: &str, took_ms| LinkStep { step, outcome, words: words.into(), took_ms };
    let test = LinkTest {
        at: at("2026-03-02T13:04:00Z"),
        hub: "hub.example".into(),
        host: "hub.example:8883".into(),
        steps: vec![
            step(StepName::Dns, StepOutcome::Ok, "hub.example is 192.0.2.7", Some(12.4)),
            step(
                StepName::Tcp,
                StepOutcome::Failed,
                "hub hub.example at hub.example:8883: nothing listens there; check that the hub runs; tried again",
                Some(3000.0),
            ),
            step(StepName::Tls, StepOutcome::Skipped, "there is no connection to try it on", None),
        ],
    };
    Diagnosis {
        at: at("2026-03-02T13:04:31Z"),
        version: "0.1.0".into(),
        environment: "roof".into(),
        findings: device_findings(
            &report,
            Beside { machine: Some(&machine), test: Some(&test), ..Beside::default() },
            at("2026-03-02T13:04:31Z"),
        ),
        agent: Some(Arc::new(report)),
        machine: Some(machine),
        link_test: Some(test),
        errors: vec![LogLine {
            seq: 4,
            at: at("2026-03-02T12:59:00Z"),
            level: "WARN".into(),
            target: "agent".into(),
            message: "sensors.board: no JSON \u{1b}[2J".into(),
        }],
        no_hub: None,
        log_file: Some("/var/log/skydeck/agent.log".into()),
    }
}

fn state() -> State {
    State { diagnosis: Some(diagnosis()), ..State::default() }
}

fn drawn(state: &mut State, (width, height): (u16, u16), colors: Colors) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("infallible");
    terminal.draw(|frame| draw(frame, state, colors)).expect("infallible");
    terminal.backend().clone()
}

fn text(state: &mut State, size: (u16, u16)) -> String {
    drawn(state, size, Colors::None).to_string()
}

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

#[test]
fn at_three_sizes() {
    insta::assert_snapshot!("findings_80x24", text(&mut state(), (80, 24)));
    let mut link = State { front: Pane::Link.index(), ..state() };
    insta::assert_snapshot!("link_80x24", text(&mut link, (80, 24)));
    insta::assert_snapshot!("all_130x40", text(&mut state(), (130, 40)));
    insta::assert_snapshot!("all_250x80", text(&mut state(), (250, 80)));
    insta::assert_snapshot!("nothing_yet", text(&mut State::default(), (80, 24)));
}

#[test]
fn no_size_is_too_small_and_nothing_from_outside_moves_the_cursor() {
    for width in [1, 2, 9, 40, 80, 131, 200] {
        for height in [1, 2, 3, 5, 24, 60] {
            for pane in PANES {
                let mut state = State { front: pane.index(), help: width % 2 == 0, ..state() };
                let text = text(&mut state, (width, height));
                assert!(!text.contains('\u{1b}'), "{text}");
            }
        }
    }
}

#[test]
fn colours_are_the_terminals_sixteen_and_none_where_there_are_none() {
    let fg = |colors| {
        let backend = drawn(&mut state(), (80, 24), colors);
        let mut found: Vec<Color> = backend.buffer().content().iter().map(|cell| cell.fg).collect();
        found.sort_by_key(|color| format!("{color:?}"));
        found.dedup();
        found
    };
    assert_eq!(fg(Colors::None), [Color::Reset]);
    assert_eq!(fg(Colors::Sixteen), [Color::DarkGray, Color::Red, Color::Reset, Color::Yellow]);
}

#[test]
fn a_pane_is_scrolled_no_further_than_its_end() {
    let mut state = State { front: Pane::Agent.index(), ..state() };
    assert_eq!(state.key(key(KeyCode::Char('G'))), None);
    let end = text(&mut state, (80, 12));
    assert!(state.scroll[Pane::Agent.index()] > 0 && end.contains('↑') && !end.contains('↓'), "{end}");
    state.key(key(KeyCode::Char('g')));
    let top = text(&mut state, (80, 12));
    assert!(top.contains('↓') && !top.contains('↑'), "{top}");
    state.key(key(KeyCode::Down));
    assert!(text(&mut state, (80, 12)).contains("↑1 "));
}

#[test]
fn keys_ask_for_what_reaches_beyond_the_screen() {
    let mut state = state();
    for (code, wish) in [
        (KeyCode::Char('t'), Some(Wish::TestLink)),
        (KeyCode::Char('w'), Some(Wish::Bundle)),
        (KeyCode::Char('q'), Some(Wish::Quit)),
        (KeyCode::Esc, Some(Wish::Quit)),
        (KeyCode::Char('5'), None),
    ] {
        assert_eq!(state.key(key(code)), wish, "{code:?}");
    }
    assert_eq!(state.pane(), Pane::Camera);
    state.key(key(KeyCode::Tab));
    state.key(key(KeyCode::Tab));
    assert_eq!(state.pane(), Pane::Findings);
    state.key(key(KeyCode::BackTab));
    assert_eq!(state.pane(), Pane::Log);
    let control = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
    assert_eq!(state.key(control('z')), Some(Wish::Suspend));
    assert_eq!(state.key(control('c')), Some(Wish::Quit));
    // A second test isn't begun while one runs.
    state.testing_s = Some(3);
    assert_eq!(state.key(key(KeyCode::Char('t'))), None);
    // Any key closes the help, and does nothing else.
    state.key(key(KeyCode::Char('?')));
    assert_eq!((state.key(key(KeyCode::Char('q'))), state.help), (None, false));
}

#[test]
fn a_paused_view_holds_what_it_shows_and_says_what_fails() {
    let mut state = state();
    state.key(key(KeyCode::Char('p')));
    state.hear(Ok(Diagnosis { environment: "other".into(), ..diagnosis() }));
    assert!(state.diagnosis.as_ref().is_some_and(|shown| shown.environment == "roof"));
    state.key(key(KeyCode::Char('p')));
    state.hear(Ok(Diagnosis { environment: "other".into(), ..diagnosis() }));
    assert!(state.diagnosis.as_ref().is_some_and(|shown| shown.environment == "other"));
    state.hear(Err("agent: it is ending".into()));
    assert!(text(&mut state, (80, 24)).contains("✖ agent: it is ending"));
}

#[test]
fn where_no_hub_is_set_nothing_invites_to_try_the_way() {
    let words = "no hub is set; set link.connection_string";
    let without = Diagnosis { agent: None, link_test: None, no_hub: Some(words.into()), ..diagnosis() };
    let mut state = State { diagnosis: Some(without), front: Pane::Link.index(), ..State::default() };
    let shown = text(&mut state, (80, 24));
    assert!(shown.contains(words) && !shown.contains("t tries") && !shown.contains("t try"), "{shown}");
    state.front = Pane::Camera.index();
    assert!(text(&mut state, (80, 24)).contains("no agent runs"));
}

#[test]
fn the_camera_shows_its_newest_picture() {
    let mut state = State { front: Pane::Camera.index(), ..state() };
    assert!(text(&mut state, (80, 24)).contains("no picture since the agent started"));
    let white = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [255_u8; 4 * 3 * 3]);
    let preview = PreviewPicture { taken_at: at("2026-03-02T13:00:00Z"), width: 4, height: 3, rgb: white };
    state.preview = Some(preview);
    let shown = text(&mut state, (80, 24));
    assert!(shown.contains("taken 2026-03-02 13:00:00Z") && shown.matches('█').count() > 400, "{shown}");
    let Some(preview) = &mut state.preview else { unreachable!() };
    preview.rgb.truncate(8);
    assert!(!text(&mut state, (80, 24)).contains('█'), "half a picture is none");
}
