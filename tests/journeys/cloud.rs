//! Loads of an environment in the cloud, on a server that speaks as Snowflake does: seen and led from the console.

use std::os::unix::fs::PermissionsExt as _;

use crate::place::Place;
use crate::snowflake_peer::{Server, plain_key};
use crate::terminal::Terminal;

const PIPE: &str = "WEATHER_PIPE_DQ_STAGING";
const GOOD: &str = r#"{"Body":{"type":"WeatherMeasurement","deviceId":"roof-01","messageId":"m1","measuredAt":"2026-06-01T12:00:00Z"}}"#;

fn write_settings(place: &Place, server: &Server) {
    let key = place.path().join("key.p8");
    std::fs::write(&key, plain_key()).expect("written");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("set");
    let text = format!(
        "[snowflake]\naccount = \"org-account\"\nbase_url = \"{}\"\nuser = \"SKYDECK_STAGING\"\nrole = \"WEATHER_OPERATOR_STAGING\"\n\
         warehouse = \"WEATHER_WHS_STAGING\"\ndatabase = \"WEATHER_STAGING\"\nschema = \"DATAWAREHOUSE_STAGING\"\n\
         private_key = \"file:{}\"\n[alarms]\nhold_s = 0\n",
        server.url(),
        key.display(),
    );
    place.write_settings("staging.toml", &text);
}

/// The environment's own audit trail.
fn trail(place: &Place) -> String {
    let folder = std::fs::read_dir(place.data("staging").join("provisioning/audit")).expect("a trail");
    let files = folder.map(|entry| entry.expect("readable").path()).filter(|path| path.is_file());
    files.map(|path| String::from_utf8_lossy(&std::fs::read(path).expect("read")).into_owned()).collect()
}

#[test]
fn loads_on_snowflake_are_seen_and_led_from_the_console() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Server::start());
    server.lock().model.pipe(PIPE).comes("hub/0/2026-06-01/12-00", &[GOOD, "{oops"]);
    server.lock().model.pipe(PIPE).comes("hub/0/2026-06-01/12-05", &[GOOD]);
    let place = Place::new();
    write_settings(&place, &server);

    let mut terminal = Terminal::start_with(&place, &["--env", "staging"], (140, 40), &[]);
    terminal.wait_for("STAGING");
    terminal.wait_for("not watched");
    terminal.press("5", "Load failed");
    terminal.wait_for("1 of 24");
    terminal.wait_for("credits today");
    terminal.press("P", "Pause WEATHER_PIPE_DQ_STAGING?");
    terminal.press("\r", "PAUSED");
    assert!(server.lock().model.pipe(PIPE).paused_since.is_some());
    terminal.press("P", "Resume WEATHER_PIPE_DQ_STAGING?");
    terminal.press("\r", "RUNNING");
    terminal.press("R", "What it can duplicate");
    terminal.keys("hub/0");
    terminal.press("\t", "since");
    terminal.press("6h", "6h");
    terminal.press("\r", "0 files queued");
    terminal.press("\r", "rows a minute");
    terminal.press("q", "Copy history");
    terminal.press("x", "Copy history · failed files");
    terminal.press("\r", "It wakes the warehouse");
    terminal.press("\r", "{oops");
    terminal.press("V", "Nothing is loaded");
    terminal.press("\r", "Validated");

    // The same from the command line, at the same owner.
    let status = place.json(&["--env", "staging", "status", "loads", "--json"]);
    // One, unless the line was read after the warehouse had fallen asleep.
    assert!(matches!(status["warehouse"]["wakesToday"].as_u64(), Some(1 | 2)), "{status:#}");
    let ran = place.run(&["--env", "staging", "pipe", "line", "hub/0/2026-06-01/12-00", "2"]);
    assert_eq!((ran.code(), ran.out().trim_end()), (0, "{oops"), "{}", ran.err());
    let ran = place.run(&["--env", "staging", "pipe", "validate", "hub/0/2026-06-01/12-00"]);
    assert!(ran.code() == 1 && ran.err().contains("line 2"), "{}", ran.err());
    assert!(trail(&place).contains("line 2 was read"), "{}", trail(&place));
    assert!(trail(&place).contains("WEATHER_PIPE_DQ_STAGING paused"), "{}", trail(&place));
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
    server.assert_all_known();
}
