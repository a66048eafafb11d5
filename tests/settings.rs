//! Plays every file under `fixtures/settings`, and lays the layers over each other.
//!
//! A valid file's `.expected` lists the keys that it sets; an invalid one's is the error,
//! with FILE for its path. FOLDER stands for the fixtures' folder.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use skydeck::settings::{EnvironmentName, KEYS, Layers, Loaded, Origin, SettingsError, Takes, load, variable_of};

fn fixtures(kind: &str) -> (PathBuf, Vec<PathBuf>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/settings").join(kind);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the fixtures are there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "only {} {kind} fixtures", files.len());
    (folder, files)
}

fn expected(file: &Path) -> String {
    let sibling = file.with_extension("expected");
    std::fs::read_to_string(&sibling).unwrap_or_else(|error| panic!("{}: {error}", sibling.display()))
}

fn load_file(file: &Path) -> Result<Loaded, SettingsError> {
    load(&EnvironmentName::demo(), &Layers { file: Some(file.to_owned()), ..Layers::default() })
}

fn changed(loaded: &Loaded) -> String {
    loaded
        .entries()
        .filter(|(_, _, origin)| *origin != Origin::Default)
        .filter_map(|(key, value, _)| value.map(|value| format!("{} = {value}\n", key.path)))
        .collect()
}

#[test]
fn valid_files_set_what_they_say() {
    let (folder, files) = fixtures("valid");
    for file in files {
        let loaded = load_file(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let found = changed(&loaded).replace(&folder.display().to_string(), "FOLDER");
        assert_eq!(found, expected(&file), "{}", file.display());
    }
}

#[test]
fn invalid_files_are_refused_with_file_line_and_next_step() {
    let (_, files) = fixtures("invalid");
    for file in files {
        let Err(error) = load_file(&file) else { panic!("{}: accepted", file.display()) };
        let found = error.to_string().replace(&file.display().to_string(), "FILE");
        let expected = expected(&file);
        let expected = expected.trim_end_matches('\n');
        // The words after "not valid TOML" are the parser's own; where they stand is ours.
        let holds = if expected.ends_with(": ") { found.starts_with(expected) } else { found == expected };
        assert!(holds, "{}:\n found    {found}\n expected {expected}", file.display());
        assert!(!found.contains('\u{1b}'));
    }
}

#[test]
fn a_later_layer_wins_and_every_value_knows_its_origin() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, text).expect("written");
        path
    };
    let in_flight = |n: u16| format!("[agent]\nin_flight = {n}\n");
    let system = write("etc/skydeck.toml", &format!("{}max_backoff_s = 10\n", in_flight(1)));
    let user = write("home/skydeck.toml", &format!("{}health_every_min = 11\n", in_flight(2)));
    let system_demo = write("etc/demo.toml", &format!("{}nowcast_every_min = 12\n", in_flight(3)));
    let user_demo = write("home/demo.toml", &format!("{}outbox_max_rows = 1300\n", in_flight(4)));
    write("home/local.toml", "[agent]\nin_flight = 999\n");
    let file = write("mine.toml", &format!("{}[source]\nspeed = 14\n[hub]\nport = 14\n", in_flight(5)));
    let layers = Layers {
        system: Some(folder.path().join("etc")),
        user: Some(folder.path().join("home")),
        file: Some(file.clone()),
        variables: vec![("SKYDECK_AGENT__IN_FLIGHT".into(), "6".into()), ("SKYDECK_HUB__PORT".into(), "15".into())],
        flags: vec![("--speed", "source.speed", "16".into())],
    };
    let loaded = load(&EnvironmentName::demo(), &layers).expect("loads");
    let agent = &loaded.settings.agent;
    assert_eq!((agent.in_flight, agent.max_backoff_s, agent.health_every_min), (6, 10, 11));
    assert_eq!((agent.nowcast_every_min, agent.outbox_max_rows), (12, 1300));
    assert_eq!((loaded.settings.source.speed, loaded.settings.hub.port), (16, 15));
    let origin = |path: &str| {
        let (_, _, origin) = loaded.entries().find(|(key, _, _)| key.path == path).expect("a key");
        origin
    };
    assert_eq!(origin("agent.in_flight"), Origin::Variable { name: "SKYDECK_AGENT__IN_FLIGHT".into() });
    assert_eq!(origin("agent.max_backoff_s"), Origin::File { file: system, line: 3 });
    assert_eq!(origin("agent.health_every_min"), Origin::File { file: user, line: 3 });
    assert_eq!(origin("agent.nowcast_every_min"), Origin::File { file: system_demo, line: 3 });
    assert_eq!(origin("agent.outbox_max_rows"), Origin::File { file: user_demo, line: 3 });
    assert_eq!(origin("source.speed"), Origin::Flag { name: "--speed" });
    assert_eq!(origin("source.backlog_days"), Origin::Default);
    let local = load(&"local".parse().expect("a name"), &layers).expect("loads");
    let kind = local.entries().find(|(key, _, _)| key.path == "source.kind").expect("a key");
    assert_eq!(kind.2, Origin::Environment);
}

fn with_variable(name: &str, value: &str) -> Result<Loaded, String> {
    let variables = vec![(OsString::from(name), OsString::from(value))];
    load(&EnvironmentName::demo(), &Layers { variables, ..Layers::default() }).map_err(|error| error.to_string())
}

#[test]
fn variables_are_checked_as_files_are() {
    assert!(with_variable("SKYDECK_CONSOLE__MOUSE", "false").is_ok_and(|l| !l.settings.console.mouse));
    assert_eq!(
        with_variable("SKYDECK_AGENT__IN_FLIGHT", "0").expect_err("out of range"),
        "SKYDECK_AGENT__IN_FLIGHT: agent.in_flight is \"0\"; it takes a whole number from 1 to 4096"
    );
    assert_eq!(
        with_variable("SKYDECK_AGENT__INFLIGHT", "1").expect_err("unknown"),
        "SKYDECK_AGENT__INFLIGHT: unknown key \"agent.inflight\"; did you mean \"agent.in_flight\"?"
    );
    assert_eq!(
        with_variable("SKYDECK_AGENT_IN_FLIGHT", "1").expect_err("one underscore"),
        "SKYDECK_AGENT_IN_FLIGHT: not a setting's variable; did you mean SKYDECK_AGENT__IN_FLIGHT? \
         (two underscores between section and key)"
    );
    // What steers the command line, and what a container platform sets for a service of this name.
    for name in ["SKYDECK_ENV", "SKYDECK_DATA_DIR", "SKYDECK_SERVICE_HOST", "SKYDECK_PORT_8883_TCP", "PATH"] {
        assert!(with_variable(name, "tcp://10.0.0.1:8883").is_ok(), "{name}");
    }
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    for (key, value, _) in load(&EnvironmentName::demo(), &Layers::default()).expect("defaults").entries() {
        let text = value.map_or_else(
            || {
                let text = match key.path {
                    _ if matches!(key.takes, Takes::Secret) => "env:PLAN_KEY",
                    "azure.feed_host" => "hub.example.net",
                    "azure.feed_from" => "2026-01-31T08:00:00Z",
                    "azure.proxy" | "snowflake.proxy" | "azure.blob_url" | "azure.queue_url" | "azure.pictures_url"
                    | "snowflake.base_url" => "http://10.0.0.7:8080",
                    name if name.starts_with("azure.") => "weather",
                    "snowflake.account" => "org-account",
                    "ingestion.retention_days" => "30",
                    "provisioning.change_window" => "Mon-Thu 08:00-16:00 Europe/Zurich",
                    "provisioning.repository_url" => "https://github.com/ada/skydeck/blob/main",
                    "provisioning.plan_recipient" => "age1qqqq",
                    "camera.command" => "shot {file}",
                    "sky.projection" => "equidistant",
                    "camera.url" => "http://10.0.0.7/snapshot.jpg",
                    "link.hub" | "link.gateway" => "hub.example.net",
                    "agent.measure_every_s"
                    | "camera.every_min"
                    | "camera.max_upload_kib_per_s"
                    | "link.max_per_s"
                    | "link.max_per_day"
                    | "link.budget_mib_per_day" => "30",
                    _ => "some/path",
                };
                text.to_owned()
            },
            |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        );
        let loaded = with_variable(&variable_of(key), &text).unwrap_or_else(|error| panic!("{}: {error}", key.path));
        let (_, _, origin) = loaded.entries().find(|(k, _, _)| k.path == key.path).expect("a key");
        assert_eq!(origin, Origin::Variable { name: variable_of(key) });
    }
}

#[test]
fn a_file_named_by_hand_must_be_there() {
    let error = load_file(Path::new("/nowhere/skydeck.toml")).expect_err("absent");
    assert!(error.to_string().starts_with("/nowhere/skydeck.toml: no such file; "), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is in a file, it is accepted or refused with words, never with a panic.
    #[test]
    fn rubbish_is_refused_in_words(text in "\\PC{0,80}(\n[a-z_.=\\[\\]\" 0-9]{0,60}){0,6}") {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("a.toml");
        std::fs::write(&file, text).expect("written");
        if let Err(error) = load_file(&file) {
            prop_assert!(error.to_string().starts_with(&format!("{}:", file.display())), "{}", error);
        }
    }

    /// A whole number is taken exactly within its bounds.
    #[test]
    fn bounds_hold(index in 0..KEYS.len(), number in any::<i64>()) {
        let key = &KEYS[index];
        if let skydeck::settings::Takes::Whole(low, high) = key.takes {
            for number in [number, low, high, low - 1, high + 1] {
                let taken = with_variable(&variable_of(key), &number.to_string()).is_ok();
                prop_assert_eq!(taken, (low..=high).contains(&number), "{} = {}", key.path, number);
            }
        }
    }
}
