//! What a binary has, and hasn't, by the features it is built with.
//!
//! `cargo test` builds it with all of them; `.ci/run` does the same with `agent` and with `agent,diag`, as for a device.

use std::process::{Command, Output};

/// Each command, and whether the features of this build have it.
const COMMANDS: &[(&str, bool)] = &[
    ("agent", cfg!(feature = "agent")),
    ("alarms", cfg!(feature = "local")),
    ("apply", cfg!(any(feature = "local", feature = "cloud"))),
    ("approve", cfg!(any(feature = "local", feature = "cloud"))),
    ("audit", cfg!(any(feature = "local", feature = "cloud"))),
    ("completions", true),
    ("config", true),
    ("db", cfg!(feature = "local")),
    ("demo", cfg!(feature = "local")),
    ("destroy", cfg!(any(feature = "local", feature = "cloud"))),
    ("diag", cfg!(feature = "diag")),
    ("discard", cfg!(any(feature = "local", feature = "cloud"))),
    ("drift", cfg!(any(feature = "local", feature = "cloud"))),
    ("hub", cfg!(feature = "local")),
    ("info", true),
    ("man", true),
    ("nowcast", cfg!(feature = "local")),
    ("outputs", cfg!(any(feature = "local", feature = "cloud"))),
    ("pipe", cfg!(feature = "local")),
    ("plan", cfg!(any(feature = "local", feature = "cloud"))),
    ("policy", cfg!(any(feature = "local", feature = "cloud"))),
    ("run", cfg!(feature = "local")),
    ("runs", cfg!(any(feature = "local", feature = "cloud"))),
    ("secrets", cfg!(any(feature = "local", feature = "cloud"))),
    ("show", cfg!(any(feature = "local", feature = "cloud"))),
    ("sky", cfg!(feature = "local")),
    ("speed", cfg!(feature = "local")),
    ("state", cfg!(any(feature = "local", feature = "cloud"))),
    ("status", cfg!(feature = "local")),
    ("storage", cfg!(feature = "local")),
    ("terraform", cfg!(feature = "local")),
    ("trace", cfg!(feature = "local")),
    ("unlock", cfg!(any(feature = "local", feature = "cloud"))),
];

fn skydeck(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
    command.args(arguments).arg("--data-dir").arg(folder.path()).env("XDG_CONFIG_HOME", folder.path());
    command.output().expect("runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The names under `Commands:`.
fn listed(help: &str) -> Vec<String> {
    let after = help.split_once("\nCommands:\n").expect("commands").1;
    let lines = after.lines().take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next().map(str::to_owned)).collect()
}

#[test]
fn the_help_lists_what_is_built_in_and_nothing_else() {
    let mut found = listed(&text(&skydeck(&["-h"])));
    found.sort();
    let expected: Vec<_> = COMMANDS.iter().filter(|(_, is_in)| *is_in).map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, expected);
    let help = text(&skydeck(&["--help"]));
    assert_eq!(help.contains("\nConsole:\n"), cfg!(feature = "console"), "{help}");
    assert_eq!(help.contains("--theme"), cfg!(feature = "console"), "{help}");
}

#[test]
fn what_is_left_out_is_a_wrong_usage() {
    for (name, is_in) in COMMANDS {
        let ended = skydeck(&[name, "--help"]).status.code();
        assert_eq!(ended, Some(if *is_in { 0 } else { 2 }), "{name}");
    }
}

#[test]
fn it_says_itself_what_it_is_built_with() {
    let info: serde_json::Value = serde_json::from_str(&text(&skydeck(&["info", "--json"]))).expect("JSON");
    let mut expected = Vec::new();
    for (name, is_in) in [
        ("console", cfg!(feature = "console")),
        ("agent", cfg!(feature = "agent")),
        ("diag", cfg!(feature = "diag")),
        ("local", cfg!(feature = "local")),
        ("cloud", cfg!(feature = "cloud")),
    ] {
        if is_in {
            expected.push(name);
        }
    }
    assert_eq!(info["features"], serde_json::json!(expected));
}

/// A name of a resource stands in the module, in the providers' schemas and in policies: where one of them is carried,
/// it is found.
#[test]
fn nothing_of_terraform_is_carried_without_plans() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_skydeck")).expect("readable");
    let name = b"azurerm_iothub";
    let is_carried = binary.windows(name.len()).any(|window| window == name);
    assert_eq!(is_carried, cfg!(any(feature = "local", feature = "cloud")));
}
