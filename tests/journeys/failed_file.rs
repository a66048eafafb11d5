//! Files that can't be loaded: found by a refresh, listed with their line, told by an alarm, out of nobody's way.

use crate::place::Place;
use crate::terminal::Terminal;
use crate::walk::ONE_DAY;

const FOLDER: &str = "containers/json-blob-messages/skydeck-hub/0/2016-06-01";

fn line(minute: u32) -> String {
    let at = format!("2016-05-31T12:{minute:02}:00Z");
    format!(
        r#"{{"EnqueuedTimeUtc":"{at}","Properties":{{}},"SystemProperties":{{"connectionDeviceId":"roof-02","messageId":"m{minute}"}},"Body":{{"type":"WeatherMeasurement","deviceId":"roof-02","messageId":"m{minute}","measuredAt":"{at}","schema":1,"temperatureC":12.5}}}}"#
    )
}

#[test]
fn a_bad_line_and_a_truncated_file_are_listed_and_the_next_file_loads() {
    let place = Place::new();
    let mut terminal = Terminal::start_with(&place, &[], (120, 36), &[ONE_DAY]);
    terminal.wait_for("▸1 Overview");
    let before = place.wait_for_json(&["status", "loads", "--json"], "a day of rows", |status| {
        status["pipes"][0]["rows"].as_u64().is_some_and(|rows| rows >= 1440)
    });
    let folder = place.data("demo").join(FOLDER);
    std::fs::create_dir_all(&folder).expect("made");
    let whole = line(3);
    let (bad, truncated) = (format!("{}\n{{oops\n{}\n", line(1), line(2)), &whole[..whole.len() / 2]);
    std::fs::write(folder.join("00-01"), bad).expect("written");
    std::fs::write(folder.join("00-02"), truncated).expect("written");
    std::fs::write(folder.join("00-03"), format!("{}\n{}\n", line(4), line(5))).expect("written");
    std::fs::create_dir(folder.join("00-04")).expect("made");

    terminal.press("5", "Copy history");
    terminal.press("R", "What it can duplicate");
    terminal.press("\r", "3 files queued");
    let after = place.wait_for_json(&["status", "loads", "--json"], "three files of the history", |status| {
        status["files"].as_array().is_some_and(|files| files.iter().filter(|f| name(f).contains("06-01/")).count() == 3)
            && status["pipes"][0]["filesFailed"] == 2
    });
    let files: Vec<_> =
        after["files"].as_array().expect("files").iter().filter(|f| name(f).contains("06-01/")).cloned().collect();
    let file = |ending: &str| files.iter().find(|f| name(f).ends_with(ending)).expect(ending);
    assert_eq!((&file("00-01")["status"], &file("00-01")["firstErrorLine"]), (&"Load failed".into(), &2.into()));
    assert_eq!((&file("00-02")["status"], &file("00-02")["firstErrorLine"]), (&"Load failed".into(), &1.into()));
    assert_eq!((&file("00-03")["status"], &file("00-03")["rowsLoaded"]), (&"Loaded".into(), &2.into()));
    let added = |status: &serde_json::Value| status["pipes"][0]["rows"].as_u64().expect("rows");
    assert!(added(&after) >= added(&before) + 2, "nothing of the failed files is in the table, the good one is");

    // The screen: failed files only, the failing line beside its error.
    terminal.press("x", "Copy history · failed files");
    terminal.wait_until("only failed files", |text| text.contains("✖ Load failed") && !text.contains("● Loaded"));
    terminal.press("G", "✖ line 2, column 2");
    terminal.press("\r", "{oops");
    let shown = terminal.wait_for("line 2");
    assert!(shown.contains("00-01"), "{shown}");
    terminal.press("q", "Copy history");

    // The alarm is raised, acknowledged here, and everybody is told.
    terminal.press("1", "load-errors");
    terminal.wait_for("2 files failed to load within the hour");
    let ran = place.run(&["alarms"]);
    assert_eq!(ran.code(), 7, "{}", ran.out());
    for _ in 0..8 {
        if terminal.text().contains("a acknowledge") {
            break;
        }
        terminal.keys("\t");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    terminal.keys("a");
    terminal.wait_for("alarm load-errors acknowledged");
    place.wait_for_json(&["status", "alarms", "--json"], "the acknowledgement", |status| {
        status["alarms"][0]["acknowledgedAt"].is_string()
    });
    let again = place.run(&["alarms", "ack", "nonsense"]);
    again.fails_with(9, &["alarm nonsense", "not raised", "raised now: load-errors"]);
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
}

fn name(file: &serde_json::Value) -> &str {
    file["file"].as_str().unwrap_or_default()
}
