//! A model package from a folder to an agent's slot and back, through the real hub: fetched by a link that nobody keeps,
//! with no nowcast missed and no row lost.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::ground::{Agent, Ground};

/// Longest wait for a row: a batch is collected for a minute, and loaded.
const BATCHED: std::time::Duration = std::time::Duration::from_secs(180);
const DEVICE: &str = "roof-02";
const ZERO: &str = "anomaly-persistence-1";

/// A folder with a model that does as persistence does.
fn folder(ground: &Ground, version: &str, history_days: u8) -> PathBuf {
    let folder = ground.place.path().join(format!("roof-{version}"));
    std::fs::create_dir(&folder).expect("made");
    let model = format!(
        r#"{{"name": "roof", "version": "{version}", "kind": "persistence", "needs": {{"historyDays": {history_days}}}}}"#
    );
    std::fs::write(folder.join("model.json"), model).expect("written");
    let weights = r#"{"variables": ["temperature", "humidity"], "errorDays": 3, "minErrors": 12}"#;
    std::fs::write(folder.join("weights.json"), weights).expect("written");
    std::fs::write(folder.join("card.md"), "# roof\nMade for a test.\n").expect("written");
    folder
}

/// An Ed25519 key, as OpenSSH makes it; absent where there is no OpenSSH.
fn key(folder: &Path) -> Option<PathBuf> {
    let key = folder.join("key");
    let made =
        Command::new("ssh-keygen").args(["-t", "ed25519", "-q", "-N", "", "-C", "models", "-f"]).arg(&key).status();
    match made {
        Ok(status) if status.success() => Some(key),
        _ => {
            eprintln!("skipped: ssh-keygen isn't there");
            None
        }
    }
}

/// `skydeck nowcast …` on the ground, to its end.
fn nowcast(ground: &Ground, arguments: &[&str]) -> crate::place::Ran {
    ground.place.run(&[&["--env", "local", "nowcast"], arguments].concat())
}

#[track_caller]
fn done(ground: &Ground, arguments: &[&str], words: &str) {
    let ran = nowcast(ground, arguments);
    assert_eq!((ran.code(), ran.err().as_str()), (0, ""), "{arguments:?}: {}", ran.out());
    assert!(ran.out().contains(words), "{arguments:?}: {}", ran.out());
}

fn pack(ground: &Ground, version: &str, history_days: u8, key: Option<&Path>) -> String {
    let folder = folder(ground, version, history_days).display().to_string();
    let out = ground.place.path().join(format!("roof-{version}.model")).display().to_string();
    let mut arguments = vec!["pack", folder.as_str(), "--out", out.as_str()];
    let key = key.map(|key| key.display().to_string());
    if let Some(key) = &key {
        arguments.extend(["--key", key.as_str()]);
    }
    done(ground, &arguments, "forecasts are as expected");
    out
}

/// Appends readings ten minutes apart, `from` to `to` of a row that begins days ago.
fn measure(agent: &Agent, first_s: i64, from: i64, to: i64) {
    let mut text = std::fs::read_to_string(&agent.readings).expect("read");
    for number in from..to {
        let at = jiff::Timestamp::from_second(first_s + number * 600).expect("in range");
        let _ = writeln!(
            text,
            r#"{{"measuredAt":"{at}","temperatureC":{}.5,"humidityPct":{}}}"#,
            number % 9,
            40 + number % 7
        );
    }
    std::fs::write(&agent.readings, text).expect("written");
}

/// Waits until the agent has issued the nowcast of reading `number`'s beginning.
fn issued(agent: &Agent, first_s: i64, number: i64) {
    let at = jiff::Timestamp::from_second(first_s + number * 600).expect("in range").to_string();
    agent.place.wait_for_json(&["--env", "roof", "agent", "status", "--json"], "a nowcast", |page| {
        page["source"]["lastIssueAt"].as_str().is_some_and(|issue| issue >= at.as_str())
    });
}

/// Nothing in any file below `folder`, nor in what was said, is a link's signature.
fn assert_no_link(folder: &Path, said: &[String]) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else if let Ok(content) = std::fs::read(entry.path()) {
                let has = content.windows(9).any(|window| window == b"&sp=r&sig" || window == b"sr=b&sig=");
                assert!(!has, "{}", entry.path().display());
            }
        }
    }
    for said in said {
        assert!(!said.contains("sr=b&sig="), "{said}");
    }
}

#[test]
fn a_package_goes_from_its_folder_to_the_roof_and_back() {
    let ground = Ground::open();
    let Some(key) = key(ground.place.path()) else { return };
    let keys = format!("[model]\ntrusted_keys = {:?}", key.with_extension("pub"));
    let mut agent = ground.agent_with_key(DEVICE, &keys);
    agent.connect();
    let now = jiff::Timestamp::now().as_second();
    let first_s = now - now.rem_euclid(600) - 3 * 86_400;
    measure(&agent, first_s, 0, 300);
    issued(&agent, first_s, 299);

    // Made, looked at, published once.
    let signed = pack(&ground, "1.0.0", 2, Some(&key));
    done(&ground, &["inspect", &signed], "model.trusted_keys isn't set here");
    let seen = nowcast(&ground, &["inspect", &signed, "--json"]).out();
    let seen: Value = serde_json::from_str(&seen).expect("JSON");
    assert_eq!((&seen["manifest"]["name"], &seen["card"]), (&"roof".into(), &"# roof\nMade for a test.".into()));
    done(&ground, &["publish", &signed], "roof@1.0.0 is published: ");
    done(&ground, &["publish", &signed], "roof@1.0.0 is published already");
    let again = [&signed, ".again"].concat();
    let folder = ground.place.path().join("roof-1.0.0").display().to_string();
    done(&ground, &["pack", &folder, "--out", &again], "not signed");
    nowcast(&ground, &["publish", &again]).fails_with(1, &["roof@1.0.0: is published with another content"]);
    nowcast(&ground, &["pack", &folder, "--out", &again]).fails_with(1, &["it is there already"]);
    nowcast(&ground, &["publish", "nowhere.model"]).fails_with(1, &["nowhere.model: No such file"]);
    let whole = std::fs::read(&again).expect("read");
    std::fs::write(&again, &whole[..whole.len() / 2]).expect("cut");
    nowcast(&ground, &["publish", &again]).fails_with(1, &["archive: it breaks off"]);

    // Put to work, by a link for reading that is nowhere afterwards.
    done(&ground, &["deploy", "roof@1.0.0", "--device", DEVICE], "roof-02 has roof@1.0.0 at work");
    measure(&agent, first_s, 300, 310);
    issued(&agent, first_s, 309);
    done(&ground, &["models"], "roof@1.0.0");
    let twin = ground.hub(&["twin", DEVICE]);
    assert_eq!(twin["properties"]["reported"]["settings"]["model"]["status"], "applied");
    let status = agent.place.run(&["--env", "roof", "agent", "status"]).out();
    assert!(status.contains("roof@1.0.0, deployed") && status.contains(&format!("before it {ZERO}")), "{status}");

    // One that nobody has signed, and one that isn't published.
    let unsigned = pack(&ground, "2.0.0", 0, None);
    done(&ground, &["publish", &unsigned], "roof@2.0.0 is published");
    let ran = nowcast(&ground, &["deploy", "roof@2.0.0", "--device", DEVICE]);
    assert_eq!(ran.code(), 1, "{}", ran.out());
    assert!(
        ran.out().contains("hasn't put roof@2.0.0 to work") && ran.out().contains("signature: there is none"),
        "{}",
        ran.out()
    );
    nowcast(&ground, &["deploy", "roof@9", "--device", DEVICE]).fails_with(9, &["model roof@9: isn't published"]);
    nowcast(&ground, &["deploy", "roof@1.0.0", "--device", "mast-9"]).fails_with(9, &["mast-9: not registered"]);

    // Back, and what is desired goes along.
    done(&ground, &["rollback", "--device", DEVICE], &format!("roof-02 has {ZERO} at work"));
    assert!(ground.hub(&["twin", DEVICE])["properties"]["desired"].get("model").is_none());
    measure(&agent, first_s, 310, 320);
    issued(&agent, first_s, 319);

    // Each nowcast is a row, once, by who made it.
    let seen = ground.wait_for_row(
        &format!(
            "SELECT group_concat(model_id || ' ' || n) FROM (SELECT model_id, count(DISTINCT issued_at) AS n FROM \
             WEATHER_PREDICTIONS_V WHERE device_id = '{DEVICE}' GROUP BY model_id ORDER BY model_id) HAVING sum(n) >= 295"
        ),
        BATCHED,
    );
    assert_eq!(seen, [format!("{ZERO} 285,roof@1.0.0 10")]);

    // A device that isn't there is told what it should have, and asks for nothing once it is.
    let place = agent.place.path().to_owned();
    agent.end();
    let unconnected = nowcast(&ground, &["deploy", "roof@2.0.0", "--device", DEVICE]);
    unconnected.fails_with(1, &["roof-02: isn't connected; roof@2.0.0 is desired of roof-02 from now on"]);
    agent.connect();
    let stands = |page: &Value| page["properties"]["reported"]["settings"]["model"]["status"] == "waiting";
    ground.place.wait_for_json(&["--env", "local", "hub", "twin", DEVICE, "--json"], "waits for its link", stands);
    let text = ground.run(&["twin", DEVICE]).out();
    assert!(text.contains("waits for a link to fetch it; deploy_model brings one"), "{text}");
    assert_no_link(&place, &[agent.process().said()]);
    assert_no_link(ground.place.path(), &[ground.owner.said(), ground.audit()]);
}
