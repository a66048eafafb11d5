//! `skydeck hub`: devices registered, changed, written to and removed; what is wrong is told, and no secret with it.

use serde_json::json;

use crate::ground::Ground;

/// A connection string's key.
fn key_of(text: &str) -> String {
    let key = text.trim().split("SharedAccessKey=").nth(1).and_then(|rest| rest.split(';').next());
    key.filter(|key| key.len() >= 40).unwrap_or_else(|| panic!("no key: {text}")).to_owned()
}

#[test]
fn devices_come_and_go_and_their_secrets_stay_secret() {
    let ground = Ground::open();
    let print = "0A1B2C3D4E5F60718293A4B5C6D7E8F901234567";

    // Three kinds of proof.
    let by_key = ground.hub(&["add", "roof-02"]);
    assert_eq!((&by_key["status"], &by_key["authentication"]["type"]), (&json!("enabled"), &json!("sas")));
    assert!(by_key["authentication"].get("symmetricKey").is_none(), "{by_key}");
    ground.hub(&["add", "mast-01", "--x509-thumbprint", &print.to_lowercase()]);
    let by_authority = ground.hub(&["add", "mast-02", "--ca"]);
    assert_eq!(by_authority["authentication"]["type"], "certificateAuthority");
    let list = ground.run(&["devices"]).out();
    for (device, shows) in [("roof-02", "key"), ("mast-01", "certificate"), ("mast-02", "authority")] {
        let line = list.lines().find(|line| line.starts_with(device)).unwrap_or_else(|| panic!("{device}: {list}"));
        assert!(line.contains(shows) && line.contains("not connected"), "{line}");
    }
    assert!(ground.run(&["show", "mast-01"]).out().contains(print));
    for (arguments, words) in [
        (&["add", "roof-02"][..], &["device roof-02: registered already", "hub show roof-02"][..]),
        (&["add", "no device"], &["device no device: no id", "1 to 128 letters"]),
        (&["add", "mast-03", "--x509-thumbprint", "12:34"], &["device mast-03: no thumbprint", "40 (SHA-1)"]),
    ] {
        ground.run(arguments).fails_with(1, words);
    }

    // Connection strings.
    let first = ground.run(&["connection-string", "roof-02"]).out();
    let name = "HostName=skydeck-hub";
    assert!(first.starts_with(name) && first.contains(";DeviceId=roof-02;"), "{first}");
    assert!(first.trim_end().ends_with(";GatewayHostName=127.0.0.1"), "{first}");
    let without_key = ground.run(&["connection-string", "mast-02"]).out();
    assert!(without_key.contains(";DeviceId=mast-02;x509=true;") && !without_key.contains("SharedAccessKey"));
    assert!(ground.service().starts_with("HostName=127.0.0.1:"), "{}", ground.service().len());
    assert!(ground.service().contains(";SharedAccessKeyName=iothubowner;"));
    let handed_out = |audit: &str| audit.matches("roof-02: connection string handed out").count();
    assert_eq!(handed_out(&ground.audit()), 1);
    let taken = ground.place.path().join("taken");
    std::fs::write(&taken, "mine").expect("written");
    let taken = taken.display().to_string();
    ground.run(&["connection-string", "roof-02", "--out", &taken]).fails_with(1, &["taken: ", "isn't there yet"]);
    assert_eq!(std::fs::read_to_string(&taken).expect("there"), "mine");
    assert_eq!(handed_out(&ground.audit()), 1, "none was handed out");

    // A device that may not connect for a while keeps its key.
    ground.done(&["disable", "roof-02"], "device roof-02 disabled");
    assert_eq!(ground.hub(&["show", "roof-02"])["status"], "disabled");
    ground.run(&["method", "roof-02", "diagnose"]).fails_with(1, &["device roof-02: isn't connected", "start it"]);
    ground.done(&["enable", "roof-02"], "device roof-02 enabled");
    assert_eq!(ground.hub(&["show", "roof-02"])["status"], "enabled");
    assert_eq!(ground.run(&["connection-string", "roof-02"]).out(), first);

    // Messages wait.
    ground.done(&["send", "roof-02", "lens cleaned", "--property", "by=anna"], "a message waits for it");
    ground.done(&["send", "roof-02", "", "--command", "flush"], "a message waits for it");
    assert_eq!(ground.hub(&["show", "roof-02"])["cloudToDeviceMessageCount"], 2);
    let long = "x".repeat(64 * 1024 + 1);
    ground.run(&["send", "roof-02", &long]).fails_with(1, &["a message has ", " bytes; at most 65536"]);

    // What is wrong with the words of a command is told before anybody is asked.
    let list = ground.place.path().join("list.json");
    std::fs::write(&list, "[1]").expect("written");
    let list = list.display().to_string();
    ground.run(&["twin", "roof-02", "--file", &list]).fails_with(2, &["list.json: a JSON object is expected"]);
    ground.run(&["twin", "roof-02", "--file", "nowhere.json"]).fails_with(9, &["nowhere.json: no such file"]);
    for arguments in [
        &["twin", "roof-02", "--set", "[1]"][..],
        &["add", "x", "--ca", "--x509-thumbprint", print],
        &["connection-string"],
        &["connection-string", "roof-02", "--service"],
        &["fault", "slow", "0"],
        &["fault", "throttle", "many"],
        &["fault", "clock", "400000000"],
        &["method", "roof-02", "diagnose", "{"],
        &["method", "roof-02", "diagnose", "--timeout", "4"],
        &["send", "roof-02", "x", "--property", "=1"],
    ] {
        let ran = ground.run(arguments);
        assert_eq!((ran.code(), ran.out().as_str()), (2, ""), "{arguments:?}: {}", ran.err());
    }
    let changed = ground.hub(&["twin", "mast-01", "--set", r#"{"measureEveryS": 60}"#]);
    assert_eq!(changed["properties"]["desired"]["measureEveryS"], 60);

    // Nobody there: each command says so, with 9, and nothing of a name's reaches the terminal.
    ground.done(&["remove", "roof-02"], "device roof-02 removed, with its twin");
    let gone = "roof-02";
    for arguments in [
        &["show", gone][..],
        &["remove", gone],
        &["enable", gone],
        &["disable", gone],
        &["connection-string", gone],
        &["twin", gone],
        &["twin", gone, "--set", "{}"],
        &["method", gone, "diagnose"],
        &["send", gone, "x"],
    ] {
        ground.run(arguments).fails_with(9, &["device roof-02: not registered", "skydeck hub devices"]);
    }
    let ran = ground.run(&["show", "roof\u{1b}[2J\u{202e}"]);
    assert!(ran.code() == 9 && !ran.err().contains(['\u{1b}', '\u{202e}']), "{:?}", ran.err());

    // All of it is in the audit trail; no secret is, nor in a log.
    let audit = ground.audit();
    for deed in [
        "device roof-02 registered",
        "device mast-02 registered",
        "the service side's connection string handed out",
        "device mast-02: connection string handed out",
        "device roof-02 disabled",
        "device roof-02 enabled",
        "device roof-02: a message waits for it",
        "device mast-01: desired properties changed: {\"measureEveryS\":60}",
        "device roof-02 removed, with its twin",
    ] {
        assert!(audit.contains(deed), "{deed}: {audit}");
    }
    assert!(!audit.contains("no device") && !audit.contains("mast-03"), "what was refused isn't a deed: {audit}");
    let state = ground.place.root().join("local/state");
    let logs = std::fs::read_dir(&state).expect("there").flatten().map(|log| log.path()).filter(|path| path.is_file());
    let logs: String = logs.map(|path| std::fs::read_to_string(path).expect("UTF-8")).collect();
    assert!(logs.contains("device roof-02 registered"), "the log is another: {logs}");
    for secret in [key_of(&first), key_of(ground.service())] {
        for told in [&audit, &logs, &ground.owner.said()] {
            assert!(!told.contains(&secret), "a secret was told");
        }
    }
}
