//! `skydeck hub fault` on a hub with an agent at it: each fault is seen on both sides, and over with `none`.

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ground::{Agent, Ground};
use crate::place::PATIENCE;

const CONNECTED: &str = "link: connected by";
const DOWN: &str = "link: down";

/// The agent comes back once the hub behaves again.
fn mend(ground: &Ground, agent: &Agent, connected: usize) {
    assert_eq!(ground.run(&["fault", "none"]).out(), "no fault is on\n");
    agent.says_again(CONNECTED, connected);
}

fn status(ground: &Ground, section: &str) -> (i32, String) {
    let ran = ground.place.run(&["--env", "local", "status", section]);
    (ran.code(), ran.out())
}

/// Waits until an alarm is raised, or isn't any more.
#[track_caller]
fn alarm(ground: &Ground, rule: &str, words: Option<&str>) {
    let arguments = ["--env", "local", "alarms", "--json"];
    let raised = |page: &Value| {
        let alarms = page["alarms"].as_array().cloned().unwrap_or_default();
        alarms.iter().find(|alarm| alarm["rule"] == rule).map(|alarm| alarm["message"].to_string())
    };
    ground.place.wait_for_json(&arguments, rule, |page| match (raised(page), words) {
        (Some(message), Some(words)) => message.contains(words),
        (None, None) => true,
        _ => false,
    });
}

#[test]
fn the_hub_misbehaves_as_it_is_told_and_behaves_again() {
    let ground = Ground::open();
    let mut agent = ground.agent_with_key("roof-02", "");
    agent.connect();
    assert_eq!(ground.run(&["fault"]).out(), "no fault is on\n");

    // It refuses: seen by the agent, in the status and as an alarm.
    let (connected, down) = (agent.times(CONNECTED), agent.times(DOWN));
    assert_eq!(ground.run(&["fault", "refuse"]).out(), "the hub refuses every connection\n");
    agent.says_again(DOWN, down);
    alarm(&ground, "hub-fault", Some("refuses every connection; `skydeck hub fault none` ends it"));
    let (code, text) = status(&ground, "devices");
    assert!(code == 7 && text.contains("on purpose, the hub refuses every connection"), "{code}: {text}");
    assert_eq!(agent.place.run(&["--env", "roof", "agent", "status"]).code(), 7);
    mend(&ground, &agent, connected);
    alarm(&ground, "hub-fault", None);

    // It drops every connection, once.
    let connected = agent.times(CONNECTED);
    let cut = "every connection is cut; devices connect anew\nno fault is on\n";
    assert_eq!(ground.run(&["fault", "drop"]).out(), cut);
    agent.says_again(CONNECTED, connected);

    // It is slow: each packet of an answer takes its time.
    ground.hub(&["method", "roof-02", "diagnose"]);
    ground.hub(&["fault", "slow", "1500"]);
    let asked = Instant::now();
    assert_eq!(ground.hub(&["method", "roof-02", "diagnose"])["status"], 200);
    assert!(asked.elapsed() >= Duration::from_millis(1500), "{:?}", asked.elapsed());

    // Faults add up until there is none.
    let faults = ground.hub(&["fault", "throttle", "100000"]);
    let both = json!({"refuse": false, "slowMs": 1500, "throttlePerS": 100_000, "halfOpen": false, "clockOffsetS": 0});
    assert_eq!((&faults, &ground.hub(&["fault"])), (&both, &both));
    assert_eq!(ground.hub(&["fault", "none"])["slowMs"], 0);

    // It hangs: whoever waits for the device's answer is told so, and that the method was called is on record.
    ground.hub(&["fault", "half-open"]);
    let ran = ground.run(&["method", "roof-02", "diagnose", "--timeout", "5"]);
    ran.fails_with(1, &["device roof-02: no answer within 5 s", "--timeout"]);
    ground.hub(&["fault", "none"]);
    assert_eq!(ground.hub(&["method", "roof-02", "diagnose"])["status"], 200);

    // It takes two messages a second: what is too much ends the connection, and nothing is lost.
    let (connected, down) = (agent.times(CONNECTED), agent.times(DOWN));
    ground.hub(&["fault", "throttle", "2"]);
    for tenth in 0..40 {
        agent.measure(10.0 + f64::from(tenth) / 10.0);
    }
    agent.says_again(DOWN, down);
    mend(&ground, &agent, connected);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let source = ground.hub(&["method", "roof-02", "diagnose"])["payload"]["report"]["source"].clone();
        if source["measured"] == 40 {
            break;
        }
        assert!(Instant::now() < deadline, "{source}");
    }
    let flushed = ground.hub(&["method", "roof-02", "flush"]);
    assert_eq!(flushed, json!({"status": 200, "payload": {"left": 0, "held": 0}}));

    // Its clock is wrong: it takes the next token for one that has ended, and the agent says what to look at.
    let connected = agent.times(CONNECTED);
    let text = ground.run(&["fault", "clock", "172800"]).out();
    assert_eq!(text, "the hub has a clock that is +172800 s off\n");
    ground.hub(&["fault", "drop"]);
    agent.process().wait_for("refused the credentials of device roof-02");
    mend(&ground, &agent, connected);
    assert_eq!(ground.hub(&["fault", "clock", "-60"])["clockOffsetS"], -60);
    assert_eq!(ground.hub(&["fault", "none"])["clockOffsetS"], 0);

    let audit = ground.audit();
    for deed in [
        "hub: refuses every connection",
        "hub: every connection dropped",
        "hub: waits 1500 ms before each packet, takes 100000 messages a second",
        "hub: keeps connections and answers nothing",
        "device roof-02: method diagnose called, no answer in time",
        "device roof-02: method flush called, status 200",
        "hub: has a clock that is +172800 s off",
        "hub: no fault is on",
    ] {
        assert!(audit.contains(deed), "{deed}: {audit}");
    }
}

#[test]
fn a_command_sent_to_a_device_is_carried_out_once_it_is_there() {
    let ground = Ground::open();
    let mut agent = ground.agent_with_key("roof-02", "");
    ground.done(&["send", "roof-02", "lens cleaned\u{1b}[2J", "--property", "by=anna"], "a message waits");
    ground.done(&["send", "roof-02", "", "--command", "restart"], "a message waits");
    ground.done(&["send", "roof-02", r#"{"seconds": 30}"#, "--command", "set_interval"], "a message waits");
    ground.done(&["send", "roof-02", "", "--command", "dance"], "a message waits");
    agent.start();
    agent.process().wait_for("agent: starts anew");
    agent.says_again(CONNECTED, 1);
    let status = ["--env", "roof", "agent", "status", "--json"];
    let report = agent.place.wait_for_json(&status, "all of them", |report| {
        report["uplink"]["connected"] == true && report["received"].as_array().is_some_and(|kept| kept.len() == 4)
    });
    let [text, restart, interval, dance] = [0, 1, 2, 3].map(|number| &report["received"][number]);
    assert_eq!((&text["body"], &text["outcome"]), (&json!("lens cleaned[2J"), &json!("kept")));
    assert_eq!(text["properties"], json!({"by": "anna"}));
    assert_eq!(
        (&restart["command"], restart["outcome"].as_str()),
        (&json!("restart"), Some("200: {\"restarts\":true}"))
    );
    assert_eq!(interval["outcome"], "200: {\"seconds\":30}");
    assert!(dance["outcome"].as_str().is_some_and(|words| words.starts_with("501: no method \"dance\"")), "{dance}");
    assert_eq!(agent.times("agent: starts anew"), 1, "a restart is carried out once");
    // Its log can be read where it runs, without anybody's hub.
    let log = agent.place.json(&["--env", "roof", "agent", "status", "--log", "2000", "--json"])["log"].clone();
    let lines: Vec<_> = log.as_array().into_iter().flatten().filter_map(|line| line["message"].as_str()).collect();
    assert!(lines.contains(&"the agent runs alone device=roof-02"), "{lines:?}");
    let text = agent.place.run(&["--env", "roof", "agent", "status", "--log", "1"]).out();
    assert!(text.trim_end().lines().next_back().is_some_and(|line| line.contains("Z INFO ")), "{text}");
    let waiting = ["--env", "local", "hub", "show", "roof-02", "--json"];
    ground.place.wait_for_json(&waiting, "none waits", |device| device["cloudToDeviceMessageCount"] == 0);
}

#[test]
fn an_agent_whose_lines_go_nowhere_goes_on() {
    let ground = Ground::open();
    let agent = ground.agent_with_key("roof-02", "");
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let mut command = agent.place.command(&["--env", "roof", "agent", "run"]);
    let mut process = Ended(command.stdout(full).spawn().expect("the binary starts"));
    let status = ["--env", "local", "hub", "devices", "--json"];
    ground.place.wait_for_json(&status, "its connection", |devices| {
        let devices = devices.as_array().into_iter().flatten();
        devices.filter(|device| device["connectionState"] == "Connected").any(|device| device["deviceId"] == "roof-02")
    });
    assert_eq!(ground.hub(&["method", "roof-02", "set_interval", r#"{"seconds": 1}"#])["status"], 200);
    let log = agent.place.run(&["--env", "roof", "agent", "status", "--log", "100"]).out();
    assert!(log.contains("standard output: ") && log.contains("check where it is redirected to"), "{log}");
    assert!(process.0.try_wait().expect("can be waited for").is_none(), "it has ended");
}

/// A process that ends with its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
