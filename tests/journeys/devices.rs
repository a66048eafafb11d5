//! The fleet: a device asked from the console; a second one that runs alone and is led from here.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::place::{PATIENCE, Place, Running};
use crate::terminal::Terminal;
use crate::walk::ONE_DAY;

/// Longest wait for a row: a batch is collected for a minute, and loaded.
const BATCHED: Duration = Duration::from_secs(180);

#[test]
fn a_device_is_asked_how_it_is_and_answers_in_a_dialog() {
    let place = Place::new();
    let mut terminal = Terminal::start_with(&place, &[], (100, 30), &[ONE_DAY]);
    terminal.wait_for("▸1 Overview");
    terminal.press("7", "connected by mqtt");
    terminal.press("d", "diagnose of roof-01: status 200");
    terminal.keys("q");
    terminal.wait_without("diagnose of roof-01");
    terminal.press("i", "How often shall roof-01 measure?");
    terminal.keys("120\r");
    terminal.wait_for("set_interval of roof-01: status 200");
    terminal.press("q", "readings from");
    let audit = place.run(&["audit"]).out();
    assert!(audit.contains("method diagnose called") && audit.contains("method set_interval called"), "{audit}");
    terminal.keys("Q");
    assert_eq!(terminal.ended(), 0);
}

/// The measurements that are in the table.
fn rows(place: &Place) -> u64 {
    let status = place.json(&["--env", "local", "status", "loads", "--json"]);
    status["pipes"].as_array().into_iter().flatten().filter_map(|pipe| pipe["rows"].as_u64()).sum()
}

fn settled<'a>(twin: &'a Value, key: &str) -> &'a Value {
    &twin["properties"]["reported"]["settings"][key]
}

#[test]
fn an_agent_alone_is_led_by_the_hub_and_its_readings_become_rows() {
    let (ground, roof) = (Place::new(), Place::new());
    ground.write_settings("local.toml", "[source]\nkind = \"none\"\n[ingestion]\nbatch_window_s = 60\n");
    let owner = Running::owner(&ground, &["run", "local"]);
    let hub = |arguments: &[&str]| ground.json(&[&["--env", "local", "hub"], arguments, &["--json"]].concat());

    // Registered here, carried there.
    assert_eq!(hub(&["add", "roof-02"])["deviceId"], "roof-02");
    let again = ground.run(&["--env", "local", "hub", "add", "roof-02"]);
    again.fails_with(1, &["device roof-02: registered already"]);
    let secret = roof.path().join("roof-02.secret");
    hub(&["connection-string", "roof-02", "--out", &secret.display().to_string()]);
    assert_eq!(std::fs::metadata(&secret).expect("written").permissions().mode() & 0o777, 0o600);
    let overview = ground.json(&["--env", "local", "status", "--json"]);
    let address = overview["snapshot"]["owner"]["hubAddress"].as_str().expect("an address");
    let port = address.rsplit(':').next().expect("a port");
    let readings = roof.path().join("readings.jsonl");
    std::fs::write(&readings, "").expect("written");
    roof.write_settings(
        "roof.toml",
        &format!(
            "[station]\ndevice_id = \"roof-02\"\n[source]\nkind = \"lines\"\npath = {readings:?}\n[link]\n\
             connection_string = \"file:{}\"\nport = {port}\nca = {:?}\ntransport = \"mqtt\"\n",
            secret.display(),
            ground.data("local").join("hub/ca.pem"),
        ),
    );
    let mut agent = Running::start(roof.command(&["--env", "roof", "agent", "run"]));
    agent.wait_for("link: connected by mqtt");
    roof.run(&["--env", "roof", "agent", "run"]).fails_with(8, &["owned by the running process"]);
    let mut file = std::fs::File::options().append(true).open(&readings).expect("there");
    for temperature in ["14.1", "14.2", "14.3"] {
        writeln!(file, "{{\"temperatureC\":{temperature}}}").expect("written");
    }
    let asked = Instant::now();
    let status = ["--env", "roof", "agent", "status", "--json"];
    // Before an interval passes one of them over.
    roof.wait_for_json(&status, "three readings", |report| report["source"]["measured"] == 3);

    // Led from here: by the twin, by a method, by a restart that it does itself.
    hub(&["twin", "roof-02", "--set", r#"{"measureEveryS": 60, "maxPerS": 0}"#]);
    let arguments = ["--env", "local", "hub", "twin", "roof-02", "--json"];
    let twin = ground.wait_for_json(&arguments, "a verdict on each key", |twin| {
        settled(twin, "measureEveryS")["status"] == "applied" && settled(twin, "maxPerS")["status"] == "refused"
    });
    assert_eq!(settled(&twin, "measureEveryS")["value"], 60);
    let text = ground.run(&["--env", "local", "hub", "twin", "roof-02"]).out();
    assert!(text.lines().any(|line| line.starts_with('!') && line.contains("maxPerS")), "{text}");
    assert_eq!(hub(&["method", "roof-02", "set_interval", r#"{"seconds": 1}"#])["status"], 200);
    let unknown = ground.run(&["--env", "local", "hub", "method", "roof-02", "dance"]);
    assert_eq!((unknown.code(), unknown.out().starts_with("status 501")), (1, true), "{}", unknown.out());
    ground.run(&["--env", "local", "hub", "show", "roof-09"]).fails_with(9, &["device roof-09: not registered"]);
    assert_eq!(hub(&["method", "roof-02", "restart"])["status"], 200);
    agent.wait_for("agent: starts anew");
    let deadline = Instant::now() + PATIENCE;
    while agent.said().matches("link: connected by mqtt").count() < 2 {
        assert!(Instant::now() < deadline, "it doesn't come back\n{}", agent.said());
        std::thread::sleep(Duration::from_millis(50));
    }
    roof.wait_for_json(&status, "a link", |report| report["uplink"]["connected"] == true);

    // What it measured becomes rows.
    while rows(&ground) < 3 {
        assert!(asked.elapsed() < BATCHED, "no rows: {}", owner.said());
        std::thread::sleep(Duration::from_millis(500));
    }

    // A device that may not connect doesn't, and says so.
    assert_eq!(ground.run(&["--env", "local", "hub", "disable", "roof-02"]).code(), 0);
    agent.wait_for("link: down");
    assert_eq!(roof.run(&status).code(), 7);
    agent.signal(Signal::TERM);
    let (code, said) = agent.ended();
    assert_eq!(code, Some(0), "{said}");
    roof.run(&status).fails_with(9, &["agent of roof: nobody runs it"]);
    let audit = ground.run(&["--env", "local", "audit"]).out();
    for deed in ["device roof-02 registered", "connection string handed out", "desired properties", "roof-02 disabled"]
    {
        assert!(audit.contains(deed), "{deed}: {audit}");
    }
    let key = std::fs::read_to_string(&secret).expect("there");
    let key = key.trim().split("SharedAccessKey=").nth(1).and_then(|rest| rest.split(';').next()).expect("a key");
    assert!(!audit.contains(key) && !owner.said().contains(key), "a secret was told");
}
