//! The first start, every screen, and the keys that work everywhere.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::place::{PATIENCE, Place};
use crate::terminal::Terminal;

/// Each screen's key, and words that only its body has.
const SCREENS: [(&str, &str, &str); 8] = [
    ("1", "▸1 Overview", "Next 4 hours"),
    ("2", "▸2 Plans", "Environments & runs"),
    ("3", "▸3 Telemetry", "no value in this window"),
    ("4", "▸4 Sky", "newest picture"),
    ("5", "▸5 Loads", "Copy history"),
    ("6", "▸6 Nowcast", "median"),
    ("7", "▸7 Devices", "readings from"),
    ("8", "▸8 Logs", "Owner's log"),
];

/// A day of back-log, so that a test doesn't wait for the week.
pub const ONE_DAY: (&str, &str) = ("SKYDECK_SOURCE__BACKLOG_DAYS", "1");

/// Measurements in the table.
fn rows(place: &Place) -> u64 {
    let status = place.json(&["status", "loads", "--json"]);
    status["pipes"][0]["rows"].as_u64().unwrap_or(0)
}

#[test]
fn the_first_start_shows_the_week_and_every_screen() {
    let place = Place::new();
    let mut terminal = Terminal::start(&place, &[], (80, 24));
    let first = terminal.wait_for("▸1 Overview");
    assert!(first.contains("DEMO"), "{first}");
    terminal.resize((100, 30));
    terminal.wait_for("REPLAY 2016-06-08");
    // Seven days are 10,080 readings.
    let thousands = regex::Regex::new(r"1\d,\d{3} +rows|1\d,\d{3} ").expect("a pattern");
    terminal.wait_until("the week's rows on the Overview", |text| thousands.is_match(text));
    place.wait_for_json(&["status", "loads", "--json"], "seven days of measurements", |status| {
        status["pipes"][0]["rows"].as_u64().is_some_and(|rows| rows >= 7 * 1440)
    });
    terminal.wait_until("a weather", |text| text.contains("°C") && text.contains("4 h: "));

    for size in [(80, 24), (100, 30)] {
        terminal.resize(size);
        // A key in the same moment as a new size waits in crossterm for the next one (its mio source is edge-triggered
        // and returns at the first token), so that the new size has to be seen first.
        terminal.wait_until("a frame of that size", |text| {
            text.lines().count() == usize::from(size.1)
                && text.lines().last().is_some_and(|line| line.contains("Q quit"))
        });
        for (key, tab, words) in SCREENS {
            terminal.keys(key);
            let text = terminal.wait_until(words, |text| text.contains(tab) && text.contains(words));
            assert!(text.lines().next().is_some_and(|line| line.contains("DEMO")), "{text}");
        }
    }
    for (_, tab, _) in SCREENS.iter().rev().skip(1) {
        terminal.press("q", tab);
    }
    assert_eq!(terminal.text().lines().count(), 30);
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
    let ran = place.run(&["status"]);
    assert_eq!(ran.code(), 9, "the owner has ended with its console: {}", ran.err());
}

#[test]
fn help_palette_filter_and_theme() {
    let place = Place::new();
    let mut terminal = Terminal::start_with(&place, &[], (100, 30), &[ONE_DAY]);
    terminal.wait_for("▸1 Overview");

    terminal.press("?", "Help: Overview");
    let found = terminal.press("step above", "replay-faster");
    assert!(!found.contains("goto-plans"), "{found}");
    terminal.keys("\x1b");
    terminal.wait_without("Help: Overview");

    terminal.press(":", "Palette");
    terminal.press("goto-logs", "Go to Logs");
    terminal.press("\r", "▸8 Logs");
    terminal.wait_for("loaded pipe=");

    terminal.press("/", "/");
    terminal.keys("hub listens\r");
    let footer = |text: &str| text.lines().last().unwrap_or_default().trim_end().to_owned();
    let filtered = terminal.wait_until("the filter in the footer", |text| {
        footer(text).starts_with(" /hub listens ") && !text.contains("loaded pipe=")
    });
    assert!(filtered.contains("the local hub listens"), "{filtered}");
    terminal.press("/", "hub listens");
    terminal.keys("\x15!hub listens\r");
    terminal.wait_until("the rest of the log", |text| {
        text.contains("loaded pipe=") && !text.contains("the local hub listens")
    });
    terminal.keys("q");
    terminal.wait_for("the local hub listens");

    let before = terminal.colours(50, 15);
    terminal.press("t", "Theme");
    terminal.keys("j");
    terminal.keys("\r");
    terminal.wait_without("enter takes it");
    let deadline = Instant::now() + PATIENCE;
    while terminal.colours(50, 15) == before {
        assert!(Instant::now() < deadline, "the theme changes no colour");
        std::thread::sleep(Duration::from_millis(20));
    }
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_restored();
}

#[test]
fn a_paused_view_holds_while_data_come_in() {
    let place = Place::new();
    let mut terminal = Terminal::start_with(&place, &["--speed", "240"], (100, 30), &[ONE_DAY]);
    terminal.wait_for("▸1 Overview");
    place.wait_for_json(&["status", "loads", "--json"], "a day of rows", |status| {
        status["pipes"][0]["rows"].as_u64().is_some_and(|rows| rows >= 1440)
    });
    terminal.press("5", "Copy history");
    terminal.wait_for("● Loaded");
    terminal.press("p", "PAUSED");
    let body = |text: &str| text.lines().skip(2).take(27).map(str::to_owned).collect::<Vec<_>>();
    let held = body(&terminal.text());
    let before = rows(&place);
    place.wait_for_json(&["status", "loads", "--json"], "more rows", |status| {
        status["pipes"][0]["rows"].as_u64().is_some_and(|rows| rows > before)
    });
    // The clock in the header goes on; what is looked at doesn't.
    assert_eq!(body(&terminal.text()), held);
    terminal.keys("p");
    terminal.wait_until("a view that goes on", |text| !text.contains("PAUSED") && body(text) != held);
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn a_batch_is_opened_and_its_lines_are_read() {
    let place = Place::new();
    let mut terminal = Terminal::start_with(&place, &[], (100, 30), &[ONE_DAY]);
    terminal.wait_for("▸1 Overview");
    terminal.press("5", "● Loaded");
    terminal.press("v", "Queue of notices");
    terminal.wait_for("as they are now");
    terminal.keys("\t");
    terminal.press("\r", "Line 1");
    terminal.wait_for("\"messageId\": ");
    terminal.press("q", "Queue of notices");
    terminal.press("v", "Copy history");
    let batch = place.json(&["storage", "list", "json-blob-messages", "--limit", "1", "--json"]);
    let name = batch["name"].as_str().expect("a batch").to_owned();
    let line = place.json(&["storage", "lines", "json-blob-messages", &name, "--count", "1", "--json"]);
    assert_eq!(line["number"], 1);
    assert!(line["text"].as_str().is_some_and(|text| text.contains("WeatherMeasurement")), "{line}");
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn the_replays_speed_is_changed_and_seen() {
    let place = Place::new();
    let mut terminal = Terminal::start_with(&place, &[], (100, 30), &[ONE_DAY]);
    terminal.wait_for("×60");
    terminal.press("]", "×120");
    terminal.press("[", "×60");
    terminal.press("=", "×1 ");
    assert_eq!(place.run(&["speed", "600"]).code(), 0);
    terminal.wait_for("×600");
    let clock = place.json(&["status", "--json"])["clock"].clone();
    assert_eq!(clock.pointer("/speed").or_else(|| clock.pointer("/replay/speed")), Some(&600.into()), "{clock}");
    terminal.keys("\x03");
    assert_eq!(terminal.ended(), 0, "Ctrl-C quits");
    terminal.is_restored();
}

#[test]
fn charts_and_tables_are_exported_whole() {
    let place = Place::new();
    let variables = [ONE_DAY, ("SKYDECK_CONSOLE__EXPORT_DIR", "out")];
    let mut terminal = Terminal::start_with(&place, &[], (160, 40), &variables);
    terminal.wait_for("▸1 Overview");
    terminal.press("3", "▸3 Telemetry");
    terminal.wait_for("°C/h");
    let folder = place.path().join("out");
    let image = export(&mut terminal, &folder, "", ".png");
    let drawing = export(&mut terminal, &folder, "j", ".svg");
    terminal.press("5", "● Loaded");
    let csv = export(&mut terminal, &folder, "", ".csv");
    let json = export(&mut terminal, &folder, "j", ".json");
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);

    let image = std::io::BufReader::new(std::fs::File::open(&image).expect("opens"));
    let mut reader = png::Decoder::new(image).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let frame = reader.next_frame(&mut pixels).expect("a whole PNG");
    assert!(frame.width >= 300 && frame.height >= 200, "{frame:?}");
    pixels.sort_unstable();
    pixels.dedup();
    assert!(pixels.len() > 2, "something is drawn");

    let drawing = std::fs::read_to_string(drawing).expect("text");
    assert!(drawing.starts_with("<svg") && drawing.trim_end().ends_with("</svg>"), "{drawing}");
    assert!(drawing.contains("temperature") && drawing.contains("<polyline"), "{drawing}");

    let mut rows = csv::Reader::from_path(csv).expect("opens");
    let columns = rows.headers().expect("columns").clone();
    let records: Vec<csv::StringRecord> = rows.records().collect::<Result<_, _>>().expect("a CSV");
    assert!(!records.is_empty() && columns.len() > 3, "{columns:?}");
    let objects: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_slice(&std::fs::read(json).expect("read")).expect("JSON");
    assert_eq!(objects.len(), records.len());
    assert!(columns.iter().all(|column| objects[0].contains_key(column)), "{columns:?} {:?}", objects[0]);
}

/// Exports what the keys choose from the list; the new file.
fn export(terminal: &mut Terminal, folder: &Path, keys: &str, extension: &str) -> PathBuf {
    terminal.press("e", "enter writes it");
    terminal.keys(keys);
    terminal.keys("\r");
    terminal.wait_without("enter writes it");
    let said = terminal.wait_until(extension, |text| {
        text.lines().last().is_some_and(|line| line.contains("written: ") && line.contains(extension))
    });
    let line = said.lines().last().expect("a footer");
    let name = line.split("written: ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a path");
    let path = folder.join(Path::new(name).file_name().expect("a name"));
    assert!(path.is_file(), "{}\n{line}", path.display());
    path
}
