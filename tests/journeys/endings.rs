//! However the console ends, the terminal is given back.

use rustix::process::Signal;

use crate::place::Place;
use crate::terminal::Terminal;
use crate::walk::ONE_DAY;

fn console(place: &Place, variables: &[(&str, &str)]) -> Terminal {
    let variables = [&[ONE_DAY], variables].concat();
    let terminal = Terminal::start_with(place, &[], (200, 30), &variables);
    terminal.wait_for("▸1 Overview");
    terminal
}

#[test]
fn a_signal_ends_it_in_order() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let place = Place::new();
        let mut terminal = console(&place, &[]);
        terminal.signal(signal);
        assert_eq!(terminal.ended(), 0, "{signal:?}");
        let left = terminal.is_restored();
        assert!(!left.contains("Overview"), "{left}");
        assert!(!place.root().join("demo/run/owner.sock").exists(), "the owner has ended in order");
    }
}

#[test]
#[cfg(debug_assertions)]
fn a_panic_of_the_console_gives_the_terminal_back_and_can_be_read() {
    let place = Place::new();
    let mut terminal = console(&place, &[("SKYDECK_DEBUG_PANIC", "console")]);
    terminal.keys("4");
    assert_eq!(terminal.ended(), 101);
    let left = terminal.is_restored();
    assert!(left.contains("panicked at src/console") && left.contains("on purpose"), "{left}");
    let (row, _) = terminal.cursor();
    let last = left.lines().collect::<Vec<_>>().iter().rposition(|line| !line.is_empty()).expect("words");
    assert!(usize::from(row) > last, "a prompt would be written over the message: cursor in row {row}\n{left}");
}

#[test]
#[cfg(debug_assertions)]
fn a_panic_elsewhere_is_told_and_the_console_goes_on() {
    let place = Place::new();
    let mut terminal = console(&place, &[("SKYDECK_DEBUG_PANIC", "elsewhere")]);
    terminal.press("4", "a part of skydeck failed");
    terminal.press("8", "▸8 Logs");
    terminal.wait_for("on purpose");
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
}

#[test]
fn a_terminal_is_needed_for_input_too() {
    let place = Place::new();
    let mut terminal = Terminal::program(
        &place,
        "sh",
        &["-c", &format!("{} </dev/null", env!("CARGO_BIN_EXE_skydeck"))],
        (200, 24),
        &[ONE_DAY],
    );
    assert_eq!(terminal.ended(), 1);
    let left = terminal.is_restored();
    assert!(left.contains("skydeck: console: standard input is no terminal; run it in one"), "{left}");
}
