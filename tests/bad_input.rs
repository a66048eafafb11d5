//! What is wrong from outside, through the real binary: each time it is said what, why and what to do next, the
//! program goes on where it can, and ends with a documented code where it can't.

#![cfg(unix)]
#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "journeys/place.rs"]
#[allow(dead_code, reason = "the journeys use the rest of it")]
mod place;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use place::{PATIENCE, Place, Ran, Running};
use rustix::process::Signal;
use serde_json::Value;

/// An hour of minutes in the carried series' columns, from midnight.
fn series(minutes: u32) -> String {
    let mut csv = "time_utc,temperature_c,humidity_pct,pressure_hpa,ghi_w_m2,dhi_w_m2,lwd_w_m2\n".to_owned();
    for minute in 0..minutes {
        let (day, hour, minute) = (1 + minute / 1440, minute / 60 % 24, minute % 60);
        csv.push_str(&format!("2016-06-{day:02}T{hour:02}:{minute:02}:00Z,15.{},60.0,958.0,0.0,,\n", minute % 10));
    }
    csv
}

/// Settings of a replay of `minutes` at the highest speed, a day of them as back-log.
fn replay(place: &Place, minutes: u32) {
    std::fs::write(place.path().join("series.csv"), series(minutes)).expect("written");
    let path = place.path().join("series.csv");
    let text = format!("[source]\nkind = \"replay\"\npath = {path:?}\nspeed = 600\nbacklog_days = 1\n");
    place.write_settings("demo.toml", &text);
}

fn rows(status: &Value) -> u64 {
    status["pipes"]
        .as_array()
        .and_then(|pipes| pipes.iter().find(|pipe| pipe["name"] == "WEATHER_PIPE_DQ_DEMO"))
        .and_then(|pipe| pipe["rows"].as_u64())
        .unwrap_or(0)
}

/// Whether this user may mount in a namespace of its own; says so where not.
fn may_mount(test: &str) -> bool {
    let tried = Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs none /mnt"]).output();
    let may = tried.as_ref().is_ok_and(|output| output.status.success());
    if !may {
        println!("skipped: {test}: mounting in a namespace of its own isn't permitted here");
    }
    may
}

/// A shell script with mounts of its own, which ends in becoming skydeck.
fn with_mounts(place: &Place, script: &str) -> Command {
    let script = format!("set -e; D={}; {script}", place.root().display());
    let mut command = place.program("unshare", &["-rm", "sh", "-c", &script]);
    command.env("SKYDECK", env!("CARGO_BIN_EXE_skydeck"));
    command
}

#[test]
fn an_unknown_theme_is_named_with_the_nearest_and_the_console_goes_on() {
    let place = Place::new();
    replay(&place, 10);
    for arguments in [&["--theme", "midnite"][..], &["--theme", "themes/none.toml"]] {
        let ran = place.run(&[&["--once", "--size", "200x30"], arguments].concat());
        assert_eq!(ran.code(), 0, "{}", ran.err());
        let footer = ran.out().lines().last().expect("a frame").to_owned();
        assert!(footer.contains(arguments[1]) && footer.contains(';'), "{footer}");
    }
    let ran = place.run(&["--once", "--size", "200x30", "--theme", "midnite"]);
    assert!(ran.out().contains("unknown theme \"midnite\"; did you mean \"midnight\"?"), "{}", ran.out());
}

#[test]
fn an_unknown_key_in_any_file_names_file_line_and_nearest_key() {
    let place = Place::new();
    place.write_settings("skydeck.toml", "[agent]\n\nin_fligt = 3\n");
    let words = ["config/skydeck/skydeck.toml:3: unknown key \"agent.in_fligt\"", "did you mean \"agent.in_flight\"?"];
    for arguments in [&["run"][..], &["--once"], &["status"], &["config", "show"]] {
        place.run(arguments).fails_with(1, &words);
    }
    place.write_settings("skydeck.toml", "[agent]\nin_flight = \"many\"\n");
    place.run(&["run"]).fails_with(1, &["skydeck.toml:2", "agent.in_flight", "whole number"]);
    place.write_settings("skydeck.toml", "[agent\n");
    place.run(&["run"]).fails_with(1, &["skydeck.toml:1"]);
    assert!(!place.root().exists(), "nothing was made");
}

#[test]
fn a_second_owner_is_refused_with_the_first_ones_process_id() {
    let place = Place::new();
    replay(&place, 1500);
    let mut first = Running::owner(&place, &["run"]);
    let pid = first.pid().to_string();
    place
        .run(&["run"])
        .fails_with(8, &["demo/data", &format!("owned by the running process {pid};"), "attach", "end it"]);
    place.run(&["demo", "reset", "--yes"]).fails_with(8, &["environment demo", &pid, "end it first"]);
    let backup = place.path().join("x");
    std::fs::write(&backup, "").expect("written");
    let restored = place.run(&["db", "restore", "x"]);
    assert_ne!(restored.code(), 0, "{}", restored.out());
    // The first one isn't troubled, and what it leaves is free.
    assert_eq!(place.json(&["status", "--json"])["snapshot"]["owner"]["pid"], first.pid());
    first.signal(Signal::KILL);
    first.ended();
    let second = Running::owner(&place, &["run"]);
    assert_eq!(place.json(&["status", "--json"])["snapshot"]["owner"]["pid"], second.pid());
}

#[test]
fn a_folder_where_a_file_should_be_is_named() {
    for (name, environment) in [
        ("warehouse.db", "demo"),
        ("notices.db", "demo"),
        ("agent/outbox.db", "demo"),
        ("agent/history.db", "demo"),
        ("hub/enqueued.db", "demo"),
        ("hub/devices.db", "demo"),
        ("owner.lock", "demo"),
    ] {
        let place = Place::new();
        replay(&place, 10);
        let path = place.data(environment).join(name);
        std::fs::create_dir_all(&path).expect("made");
        place.run(&["run"]).fails_with(1, &[&path.display().to_string(), ": ", ";"]);
    }
    let place = Place::new();
    std::fs::create_dir_all(place.settings().join("skydeck.toml")).expect("made");
    place.run(&["run"]).fails_with(1, &["config/skydeck/skydeck.toml", ": ", ";"]);
    let place = Place::new();
    std::fs::create_dir_all(place.path().join("own.toml")).expect("made");
    place.run(&["--config", "own.toml", "status"]).fails_with(1, &["own.toml"]);
    // The series to replay.
    let place = Place::new();
    let output = place.command(&["run"]).env("SKYDECK_SOURCE__PATH", place.path()).output().expect("runs");
    Ran(output).fails_with(1, &[&place.path().display().to_string(), ": ", ";"]);
}

#[test]
fn a_file_where_a_folder_should_be_is_named() {
    for name in ["containers", "hub", "agent"] {
        let place = Place::new();
        replay(&place, 10);
        std::fs::create_dir_all(place.data("demo")).expect("made");
        let path = place.data("demo").join(name);
        std::fs::write(&path, "").expect("written");
        place.run(&["run"]).fails_with(1, &[&path.display().to_string(), ": ", ";"]);
    }
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let place = Place::new();
    replay(&place, 10);
    std::fs::create_dir_all(place.data("demo")).expect("made");
    let path = place.data("demo").join("warehouse.db");
    std::fs::write(&path, "rubbish ".repeat(1000)).expect("written");
    place.run(&["run"]).fails_with(1, &[&path.display().to_string(), "not a database", ";"]);
}

#[test]
fn a_read_only_data_folder_is_named() {
    if !may_mount("a read-only data folder") {
        return;
    }
    let place = Place::new();
    replay(&place, 10);
    std::fs::create_dir_all(place.root()).expect("made");
    let script = "mount --bind $D $D; mount -o remount,bind,ro $D; exec $SKYDECK run";
    let ran = Ran(with_mounts(&place, script).output().expect("runs"));
    ran.fails_with(1, &[&place.root().display().to_string(), "Read-only file system", "; ", "--data-dir"]);
}

#[test]
fn readings_that_are_wrong_are_kept_aside_with_their_reasons() {
    let place = Place::new();
    let file = place.path().join("readings.jsonl");
    place.write_settings("local.toml", &format!("[source]\nkind = \"lines\"\npath = {file:?}\n"));
    let lines = [
        (r#"{"measuredAt":"2026-06-01T12:00:00Z","temperatureC":14.2}"#, ""),
        (r#"{"measuredAt":"2026-06-01T12:01:00Z","temperatureC":NaN}"#, "temperatureC: expected value"),
        (r#"{"measuredAt":"2026-06-01T12:02:00Z","temperature":1}"#, "unknown field `temperature`"),
        (r#"{"measuredAt":"2026-06-01T12:03:00Z","temperatureC":"warm"}"#, "temperatureC: invalid type"),
        (r#"{"measuredAt":"2026-06-01T12:04:00Z","temperatureC":14.4,"humidityPct":140}"#, "humidity"),
        ("\u{1b}[31mrubbish", "line at byte"),
        (r#"{"measuredAt":"2026-06-01T12:06:00Z","pressureHpa":1e999}"#, "pressureHpa: number out of range"),
        (r#"{"measuredAt":"2026-06-01T12:07:00Z","temperatureC":14.6}"#, ""),
    ];
    std::fs::write(&file, lines.map(|(line, _)| format!("{line}\n")).concat()).expect("written");
    let owner = Running::owner(&place, &["run", "local"]);
    let devices = place.wait_for_json(&["--env", "local", "status", "devices", "--json"], "six set aside", |status| {
        status["devices"][0]["setAside"] == 6
    });
    assert!(devices["devices"][0]["lastError"].is_null(), "{devices:#}");
    let logs = place.run(&["--env", "local", "status", "logs"]).out();
    for (_, reason) in lines {
        assert!(logs.contains(reason), "{reason} isn't in\n{logs}");
    }
    assert!(!logs.contains('\u{1b}'), "{logs}");
    // Three good readings, one of them without its impossible humidity, are at the hub.
    let status = place.wait_for_json(&["--env", "local", "status", "--json"], "the last good reading", |status| {
        status["snapshot"]["now"]["measurement"]["measuredAt"] == "2026-06-01T12:07:00Z"
    });
    assert_eq!(status["snapshot"]["now"]["received"], 3, "{:#}", status["snapshot"]["now"]);
    drop(owner);
    let outbox = open(&place.data("local").join("agent/outbox.db"));
    let kept: Vec<(String, String)> = query(&outbox, "SELECT raw, reason FROM set_aside ORDER BY rowid");
    assert_eq!(kept.len(), 6, "{kept:?}");
    assert!(kept.iter().any(|(raw, reason)| raw.contains("rubbish") && reason.contains("readings.jsonl")), "{kept:?}");
}

#[test]
fn a_full_disk_is_said_and_nothing_is_lost_when_there_is_room_again() {
    if !may_mount("a full disk") {
        return;
    }
    let place = Place::new();
    let minutes = 1440 + 150;
    replay(&place, minutes);
    std::fs::create_dir_all(place.root()).expect("made");
    let mut command = with_mounts(&place, "mount -t tmpfs -o size=64m none $D; exec $SKYDECK run");
    command.env("SKYDECK_DATA_DIR", place.root());
    let mut owner = Running::start(command);
    owner.wait_for("table: ok (");
    // The owner's mounts, as they are seen from outside.
    let disk = PathBuf::from(format!("/proc/{}/root{}", owner.pid(), place.root().display()));
    let status = |section: &str| -> Value {
        let ran = place.command(&["--data-dir", &disk.display().to_string(), "status", section, "--json"]).output();
        serde_json::from_slice(&ran.expect("runs").stdout).unwrap_or(Value::Null)
    };
    wait("a day of rows", || rows(&status("loads")) >= 1440);

    let ballast = disk.join("ballast");
    fill(&ballast);
    wait("words about the full disk", || {
        // What frees itself (a log cut back, a blob not finished) is taken again.
        fill(&ballast);
        status("logs").to_string().contains("the disk is full")
    });
    wait("a lamp that tells it", || {
        fill(&ballast);
        let sick = status("overview");
        sick["healthy"] == false && sick["snapshot"]["stages"].to_string().contains("the disk is full; free some space")
    });
    let stuck = rows(&status("loads"));
    std::fs::remove_file(&ballast).expect("removed");
    wait("rows again", || rows(&status("loads")) > stuck);
    wait("the replay's end and every row", || rows(&status("loads")) >= u64::from(minutes));
    let well = status("overview");
    let lamps: Vec<_> =
        well["snapshot"]["stages"].as_array().expect("stages").iter().map(|s| s["lamp"].clone()).collect();
    assert!(!lamps.contains(&"failed".into()), "{well:#}");

    // Copied out while nothing is written: SQLite would follow the link in that path to where nothing is.
    owner.signal(Signal::STOP);
    for name in ["warehouse.db", "warehouse.db-wal"] {
        std::fs::copy(disk.join("demo/data").join(name), place.path().join(name)).expect("copied");
    }
    let warehouse = open(&place.path().join("warehouse.db"));
    let counts: Vec<(i64, i64)> =
        query(&warehouse, "SELECT count(*), count(DISTINCT measured_at_ms) FROM WEATHER_MEASUREMENTS_V");
    assert_eq!(counts, [(i64::from(minutes), i64::from(minutes))], "each minute is there, once");
    let failed: Vec<(String, String)> =
        query(&warehouse, "SELECT file, coalesce(first_error, '') FROM copy_history WHERE status <> 'Loaded'");
    assert!(failed.is_empty(), "{failed:?}");
    owner.signal(Signal::CONT);
    owner.signal(Signal::TERM);
    assert_eq!(owner.ended(), (Some(0), String::new()), "a headless owner's standard error is quiet without -v");
}

/// Takes all the room there is.
fn fill(ballast: &Path) {
    let mut file = std::fs::File::options().append(true).create(true).open(ballast).expect("opens");
    let block = vec![0; 4096];
    while file.write_all(&block).is_ok() {}
}

#[track_caller]
fn wait(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not seen: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn open(path: &Path) -> rusqlite::Connection {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    rusqlite::Connection::open_with_flags(path, flags).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn query<A: rusqlite::types::FromSql, B: rusqlite::types::FromSql>(
    connection: &rusqlite::Connection,
    sql: &str,
) -> Vec<(A, B)> {
    let mut statement = connection.prepare(sql).expect(sql);
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect(sql);
    rows.collect::<Result<_, _>>().expect(sql)
}
