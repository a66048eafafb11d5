//! Several viewers at one owner.

use rustix::process::Signal;

use crate::place::{Place, Running};
use crate::terminal::Terminal;
use crate::walk::ONE_DAY;

fn owner(place: &Place, speed: &str) -> Running {
    place.write_settings("demo.toml", "[source]\nbacklog_days = 1\n");
    let owner = Running::owner(place, &["run", "demo"]);
    place.wait_for_json(&["status", "loads", "--json"], "a day of rows", |status| {
        status["pipes"][0]["rows"].as_u64().is_some_and(|rows| rows >= 1440)
    });
    // At real time nothing moves for a minute.
    assert_eq!(place.run(&["speed", speed]).code(), 0);
    owner
}

/// The copy history's lines, without what stands beside them.
fn history(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.contains("● Loaded"))
        .map(|line| line.split("││").next().unwrap_or(line).to_owned())
        .collect()
}

#[test]
fn two_consoles_see_the_same_and_survive_the_owner() {
    let place = Place::new();
    let mut owner = owner(&place, "1");
    let mut consoles = [(100, 30), (100, 30)].map(|size| Terminal::start_with(&place, &[], size, &[ONE_DAY]));
    let pid = owner.pid().to_string();
    for console in &mut consoles {
        console.wait_for(&format!("attached to process {pid}"));
        // The newest state may be told a moment after the first.
        console.wait_for("×1 ");
        console.press("5", "● Loaded");
    }
    let [one, other] = &mut consoles;
    one.wait_until("the same history as the other", |text| history(text) == history(&other.text()));
    assert!(!history(&one.text()).is_empty());

    // What one does, the other sees.
    one.press("]", "×2");
    other.wait_for("×2");
    one.keys("P");
    one.press("\r", "PAUSED");
    other.wait_until("the pause", |text| {
        text.lines().any(|l| l.contains("WEATHER_PIPE_DQ_DEMO") && l.contains("PAUSED"))
    });

    // One leaves; the owner and the other go on.
    one.keys("Q");
    assert_eq!(one.ended(), 0);
    one.is_restored();
    assert_eq!(place.run(&["speed", "1"]).code(), 0);
    other.wait_for("×1 ");

    owner.signal(Signal::TERM);
    assert_eq!(owner.ended(), (Some(0), String::new()));
    other.wait_for("OWNER GONE");
    other.wait_until("why, and the next step", |text| {
        text.contains("the owner has ended") && text.contains("skydeck run")
    });
    other.press("1", "Next 4 hours");
    other.keys("]");
    other.wait_for("the owner of this environment has ended");
    other.keys("Q");
    assert_eq!(other.ended(), 0);
    other.is_restored();
}

#[test]
fn a_console_that_only_looks_refuses_commands_in_words() {
    let place = Place::new();
    let _owner = owner(&place, "1");
    let mut terminal = Terminal::start_with(&place, &["--read-only"], (100, 30), &[]);
    terminal.wait_for("READ-ONLY");
    terminal.press("]", "this console is read-only");
    terminal.press("5", "Copy history");
    for key in ["R", "P"] {
        terminal.keys(key);
        terminal.wait_until("words", |text| text.lines().last().is_some_and(|line| line.contains("read-only")));
    }
    assert_eq!(place.json(&["status", "--json"]).pointer("/snapshot/pipes/0/state"), Some(&"RUNNING".into()));
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
}
