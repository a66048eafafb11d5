//! No colours, a tiny terminal, no terminal.

use rustix::process::Signal;

use crate::place::{Place, Running};
use crate::terminal::Terminal;
use crate::walk::ONE_DAY;

/// The SGR sequences in what was sent to a terminal.
fn styles(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let sgr = regex::Regex::new("\x1b\\[([0-9;:]*)m").expect("a pattern");
    sgr.captures_iter(&text).map(|found| found[1].to_owned()).collect()
}

/// Whether a sequence sets a colour; bold, underlined and reversed are none.
fn is_colour(style: &str) -> bool {
    style
        .split([';', ':'])
        .any(|code| code.parse::<u32>().is_ok_and(|code| matches!(code, 30..=38 | 40..=48 | 90..=107)))
}

#[test]
fn without_colours_none_is_sent() {
    let place = Place::new();
    let mut terminal = Terminal::start_with(&place, &[], (100, 30), &[ONE_DAY, ("NO_COLOR", "1")]);
    terminal.wait_for("● ok");
    for (key, words) in
        [("3", "▸3"), ("6", "▸6"), ("5", "▸5"), ("?", "Help"), ("\x1b", "Copy"), ("t", "Theme"), ("\r", "Copy")]
    {
        terminal.press(key, words);
    }
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
    let coloured: Vec<_> = styles(&terminal.bytes()).into_iter().filter(|style| is_colour(style)).collect();
    assert!(coloured.is_empty(), "{coloured:?}");
}

#[test]
fn with_colours_some_are() {
    let place = Place::new();
    let mut terminal = Terminal::start_with(&place, &[], (100, 30), &[ONE_DAY]);
    terminal.wait_for("▸1 Overview");
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    assert!(styles(&terminal.bytes()).iter().any(|style| is_colour(style)));
}

#[test]
fn a_tiny_terminal_is_told_what_is_needed_and_grows() {
    let place = Place::new();
    let mut terminal = Terminal::start_with(&place, &[], (20, 5), &[ONE_DAY]);
    let told = terminal.wait_for("needs 60×15");
    assert!(told.contains("20×5"), "{told}");
    for key in ["5", "?", "e", "j", "\t"] {
        terminal.keys(key);
    }
    terminal.resize((80, 24));
    terminal.wait_for("DEMO");
    terminal.resize((1, 1));
    terminal.resize((20, 5));
    terminal.wait_for("needs 60×15");
    // A letter would be typed into the help that was opened.
    terminal.keys("\x03");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
}

#[test]
fn without_a_terminal_it_writes_lines_until_a_signal() {
    for (signal, code) in [(Signal::TERM, 0), (Signal::INT, 130)] {
        let place = Place::new();
        let mut command = place.command(&[]);
        command.env(ONE_DAY.0, ONE_DAY.1);
        let mut piped = Running::start(command);
        for words in [
            "environment demo: owned by process",
            "hub: listens on 127.0.0.1:",
            "replay: 60 seconds a second",
            "table: ok (",
        ] {
            piped.wait_for(words);
        }
        piped.signal(signal);
        assert_eq!(piped.ended(), (Some(code), String::new()));
        for line in piped.said().lines() {
            assert!(line.starts_with("2016-06-0") && !line.contains('\u{1b}'), "{line}");
        }
    }
}

#[test]
fn lines_are_json_where_wanted_and_a_reader_that_goes_ends_them() {
    let place = Place::new();
    let script = format!("{} run --json | head -n 2", env!("CARGO_BIN_EXE_skydeck"));
    let ran = place.program("sh", &["-c", &script]).env(ONE_DAY.0, ONE_DAY.1).output().expect("runs");
    assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
    let out = String::from_utf8(ran.stdout).expect("UTF-8");
    let events: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events.iter().map(|e| e["event"].clone()).collect::<Vec<_>>(), ["owner", "hub"]);
}

#[test]
fn one_frame_is_printed() {
    let place = Place::new();
    let mut command = place.command(&["--once", "--screen", "loads", "--size", "100x30"]);
    let output = command.env(ONE_DAY.0, ONE_DAY.1).output().expect("runs");
    let frame = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    assert!(
        frame.contains("▸5 Loads") && frame.contains("WEATHER_PIPE_DQ_DEMO") && frame.contains("● Loaded"),
        "{frame}"
    );
    assert_eq!(frame.lines().count(), 30, "{frame}");
    assert!(!frame.contains('\u{1b}'));
    assert_eq!(place.run(&["status"]).code(), 9, "it has ended, and its owner with it");
}
