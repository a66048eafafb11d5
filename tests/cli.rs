//! The real binary: help, pages, usage errors, exit codes. Every run has a data folder and a home of its own.

#![allow(clippy::panic, reason = "a test may panic in its helpers as well")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("temporary folder") }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SKYDECK_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("SKYDECK_DATA_DIR", self.path().join("d"))
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.command(arguments).output().expect("the binary runs"))
    }
}

struct Ran(Output);

impl Ran {
    fn code(&self) -> i32 {
        self.0.status.code().expect("not killed")
    }

    fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("UTF-8")
    }

    fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("UTF-8")
    }

    #[track_caller]
    fn fails_with(&self, code: i32, words: &str) {
        assert_eq!((self.code(), self.out().as_str()), (code, ""), "{}", self.err());
        assert!(self.err().starts_with(words), "found {}", self.err());
        assert_eq!(self.err().lines().count(), 1, "{}", self.err());
    }
}

/// Every command's help, by its path.
fn help_of(command: &mut clap::Command, path: &str, found: &mut String) {
    found.push_str(&format!("$ {path} --help\n{}\n", command.render_long_help()));
    for sub in command.get_subcommands_mut() {
        let path = format!("{path} {}", sub.get_name());
        help_of(sub, &path, found);
    }
}

#[test]
#[cfg(feature = "console")]
fn the_interface_changes_only_on_purpose() {
    let mut command = skydeck::cli::command().term_width(100);
    command.build();
    let mut help = String::new();
    help_of(&mut command, "skydeck", &mut help);
    insta::assert_snapshot!("help", help);
    let mut bash = Vec::new();
    clap_complete::generate(clap_complete::Shell::Bash, &mut skydeck::cli::command(), "skydeck", &mut bash);
    insta::assert_snapshot!("completions_bash", String::from_utf8_lossy(&bash));
    let mut page = Vec::new();
    clap_mangen::Man::new(skydeck::cli::command()).render(&mut page).expect("rendered");
    let page = String::from_utf8_lossy(&page).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!("man", page);
    insta::assert_snapshot!("config_template", Place::new().run(&["config", "template"]).out());
}

/// The words of a line's first command, as a shell splits it: what stands between single quotes is one.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in line.trim().chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            '|' | '>' | '&' if !is_quoted => break,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().expect("one at least").push(c),
        }
    }
    // An empty word between quotes counts; blanks at the end of a command don't.
    while words.last().is_some_and(String::is_empty) && !line.contains("''") {
        words.pop();
    }
    words
}

#[test]
fn every_command_has_examples_that_parse() {
    fn walk(command: &clap::Command, path: &str) {
        if command.get_subcommands().next().is_none() {
            let examples = command.get_after_help().unwrap_or_else(|| panic!("{path} has no examples")).to_string();
            let lines: Vec<_> = examples.lines().filter(|line| line.trim_start().starts_with("skydeck")).collect();
            assert!(!lines.is_empty(), "{path} has no example");
            for line in lines {
                let words = words(line);
                skydeck::cli::command().try_get_matches_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
        }
        for sub in command.get_subcommands() {
            walk(sub, &format!("{path} {}", sub.get_name()));
        }
    }
    skydeck::cli::command().debug_assert();
    walk(&skydeck::cli::command(), "skydeck");
}

#[test]
fn help_lists_the_exit_codes_and_the_reference_does_too() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert_eq!(help.code(), 0);
    assert!(help.out().contains(skydeck::cli::EXIT_CODES));
    let reference = include_str!("../docs/src/reference/commands.md");
    for line in skydeck::cli::EXIT_CODES.lines().skip(1) {
        let (code, meaning) = line.trim().split_once("  ").expect("a code and its meaning");
        let row = format!("| {code} | {} |", meaning.trim());
        assert!(reference.contains(&row), "the reference lacks {row}");
    }
}

#[test]
fn wrong_usage_is_2_with_the_possible_values() {
    let place = Place::new();
    for (arguments, words) in [
        (&["status", "weather"][..], "possible values: overview, plans, telemetry, sky, loads"),
        (&["--speed", "601"], "601 is not in 1..=600"),
        (&["--env", "Prod", "status"], "1 to 20 lower-case letters"),
        (&["trace", "--last", "x"], "cannot be used with"),
        (&["completions", "cobol"], "possible values: bash"),
        (&["plan", "--var", "9=x"], "a variable is NAME=VALUE"),
        (&["plan", "--destroy", "--replace", "a.b"], "cannot be used with"),
        (&["runs", "--log"], "required arguments were not provided"),
        (&["hub", "add"], "required arguments were not provided"),
        (&["hub", "add", "a", "--ca", "--x509-thumbprint", "0A"], "cannot be used with"),
        (&["hub", "connection-string"], "required arguments were not provided"),
        (&["hub", "connection-string", "a", "--service"], "cannot be used with"),
        (&["hub", "twin", "a", "--set", "7"], "a JSON object is expected"),
        (&["hub", "twin", "a", "--set", "{"], "not JSON"),
        (&["hub", "method", "a", "b", "{}", "--timeout", "301"], "301 is not in 5..=300"),
        (&["hub", "send", "a", "b", "--property", "c"], "a property is NAME=VALUE"),
        (&["hub", "fault", "slow", "0"], "0 is not in 1..=60000"),
        (&["hub", "fault", "nap"], "unrecognized subcommand"),
        (&["statsu"], "some similar subcommands exist: 'state', 'status'"),
    ] {
        let ran = place.run(arguments);
        assert_eq!(ran.code(), 2, "{arguments:?}");
        assert!(ran.err().contains(words), "{arguments:?}: {}", ran.err());
    }
    place.run(&["--read-only", "status"]).fails_with(2, "skydeck: arguments: the console's flags go with no command;");
}

#[test]
#[cfg(feature = "console")]
fn a_frames_size_is_checked() {
    for size in ["100", "0x30", "100x1001", "ax3", "100x30x2"] {
        let ran = Place::new().run(&["--once", "--size", size]);
        assert_eq!(ran.code(), 2, "{size}");
        assert!(ran.err().contains("columns x rows, each 1 to 1000"), "{}", ran.err());
    }
    assert_eq!(Place::new().run(&["--screen", "logs"]).code(), 2);
}

#[test]
fn where_nobody_runs_viewers_end_with_9_and_the_next_step() {
    let place = Place::new();
    for arguments in [&["status"][..], &["trace"], &["alarms"], &["alarms", "ack", "row-age"], &["speed", "5"]] {
        place
            .run(arguments)
            .fails_with(9, "skydeck: environment demo: nobody runs it; start it with `skydeck run demo`");
    }
    place.run(&["--env", "local", "status"]).fails_with(9, "skydeck: environment local: nobody runs it");
    for arguments in [&["hub", "devices"][..], &["hub", "connection-string", "--service"], &["hub", "fault", "none"]] {
        place.run(arguments).fails_with(9, "skydeck: environment demo: nobody runs it;");
    }
    let words = "skydeck: agent of roof: nobody runs it; start it with `skydeck --env roof agent run`";
    place.run(&["--env", "roof", "agent", "status"]).fails_with(9, words);
    // What leads to the folders and the settings is repeated, so that what is said can be copied.
    let words = "skydeck: agent of roof: nobody runs it; start it with `skydeck --env roof --data-dir 'my data' agent run`, \
                 or the whole environment with `skydeck --data-dir 'my data' run roof`";
    place.run(&["agent", "status", "--env", "roof", "--data-dir", "my data"]).fails_with(9, words);
    let words = "skydeck: environment demo: nobody runs it; start it with `skydeck --data-dir d run demo`, or `skydeck --env \
                 demo --data-dir d` for the console";
    place.run(&["--data-dir", "d", "status"]).fails_with(9, words);
    place
        .run(&["db", "check"])
        .fails_with(9, &format!("skydeck: {}/d/demo/data: no data there;", place.path().display()));
    assert!(!place.path().join("d").exists(), "looking makes no folder");
}

#[test]
fn a_folder_or_anything_else_in_a_files_place_is_told_with_the_next_step() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("roof")).expect("made");
    std::fs::write(place.path().join("noise"), [0x9c_u8; 600]).expect("written");
    place
        .run(&["--config", "roof", "config", "show"])
        .fails_with(1, "skydeck: --config roof: is a folder; name a settings file");
    place.run(&["nowcast", "inspect", "roof"]).fails_with(
        1,
        "skydeck: roof: is a folder, not a package; make one of it: skydeck nowcast pack roof --out FILE",
    );
    place.run(&["nowcast", "inspect", "noise"]).fails_with(
        1,
        "skydeck: noise: archive: it is no model package, or a damaged one; name a file that `skydeck nowcast pack` wrote",
    );
    place.run(&["nowcast", "pack", "noise", "--out", "x"]).fails_with(1, "skydeck: noise: is a file; name the folder");
}

#[test]
fn an_environment_in_the_cloud_keeps_its_data_there() {
    let place = Place::new();
    for arguments in [&["--env", "staging", "db", "check"][..], &["--env", "prod", "db", "backup", "file"]] {
        let ran = place.run(arguments);
        assert_eq!((ran.code(), ran.out().as_str()), (2, ""), "{}", ran.err());
        assert!(ran.err().contains("its data are in the cloud, not here"), "{}", ran.err());
    }
    place.run(&["--env", "staging", "status"]).fails_with(9, "skydeck: environment staging: nobody runs it;");
}

#[test]
fn the_hub_of_the_cloud_is_led_by_its_own_tools() {
    let place = Place::new();
    for arguments in [&["--env", "staging", "hub", "devices"][..], &["--env", "prod", "hub", "fault", "refuse"]] {
        let ran = place.run(arguments);
        assert_eq!((ran.code(), ran.out().as_str()), (2, ""), "{}", ran.err());
        assert!(ran.err().contains("az iot hub device-identity"), "{}", ran.err());
    }
}

#[test]
fn an_agent_without_a_hub_says_what_to_set() {
    let place = Place::new();
    place
        .run(&["--env", "roof", "agent", "run"])
        .fails_with(1, "skydeck: link: no hub is set for environment roof; set");
    let mut command = place.command(&["--env", "roof", "agent", "run"]);
    command.env("SKYDECK_LINK__CONNECTION_STRING", "file:/nowhere/secret");
    Ran(command.output().expect("the binary runs")).fails_with(1, "skydeck: link.connection_string: ");
}

#[test]
fn bad_settings_are_named_with_file_line_and_key() {
    let place = Place::new();
    std::fs::write(place.path().join("bad.toml"), "[agent]\nin_fligt = 1\n").expect("written");
    place
        .run(&["--config", "bad.toml", "status"])
        .fails_with(1, "skydeck: bad.toml:2: unknown key \"agent.in_fligt\"; did you mean \"agent.in_flight\"?");
    place.run(&["--config", "none.toml", "status"]).fails_with(1, "skydeck: none.toml: no such file;");
    let output = place.command(&["status"]).env("SKYDECK_HUB__PORT", "70000").output().expect("runs");
    Ran(output).fails_with(1, "skydeck: SKYDECK_HUB__PORT: hub.port is \"70000\"; it takes a whole number");
    // What helps to mend them works all the same.
    let output = place.command(&["info"]).env("SKYDECK_HUB__PORT", "70000").output().expect("runs");
    assert_eq!(Ran(output).code(), 0);
}

#[test]
fn a_file_where_the_data_folder_should_be_is_named() {
    let place = Place::new();
    std::fs::write(place.path().join("d"), "").expect("written");
    let words = format!("skydeck: {}/d: is a file where a folder should be;", place.path().display());
    place.run(&["run"]).fails_with(1, &words);
}

#[test]
fn a_socket_path_that_is_too_long_is_said_before_anything_is_made() {
    let place = Place::new();
    let long = place.path().join("x".repeat(120));
    let ran = place.run(&["--data-dir", &long.display().to_string(), "run"]);
    ran.fails_with(1, &format!("skydeck: {}/demo/run/owner.sock: ", long.display()));
    assert!(ran.err().contains("too long for a unix socket (at most 107)"));
    assert!(!long.exists());
}

#[test]
fn settings_are_shown_with_their_origins() {
    let place = Place::new();
    let folder = place.path().join("config/skydeck");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("local.toml"), "[station]\nname = \"Roof\"\n").expect("written");
    let ran = place.run(&["--env", "local", "--speed", "9", "config", "show", "--origin", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&ran.out()).expect("JSON");
    assert_eq!(shown["station"]["name"]["value"], "Roof");
    assert_eq!(shown["station"]["name"]["origin"]["line"], 2);
    assert_eq!(shown["source"]["kind"]["origin"]["from"], "environment");
    assert_eq!(shown["source"]["speed"]["origin"]["name"], "--speed");
    let toml = place.run(&["--env", "local", "config", "show", "--origin"]).out();
    assert!(toml.contains("local.toml:2\n"), "{toml}");
    assert!(!toml.contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_is_a_quiet_end() {
    let place = Place::new();
    for arguments in [&["completions", "zsh"][..], &["man"], &["config", "template"], &["info"]] {
        let mut child =
            place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("ends");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let place = Place::new();
    let folder = place.path().join("man1");
    place.run(&["man", "--dir", "man1"]).fails_with(9, "skydeck: man1: no such folder;");
    std::fs::create_dir(&folder).expect("made");
    assert_eq!(place.run(&["man", "--dir", "man1"]).code(), 0);
    for page in ["skydeck.1", "skydeck-status.1", "skydeck-db-restore.1", "skydeck-hub-fault-slow.1"] {
        assert!(folder.join(page).is_file(), "{page}");
    }
}

#[test]
fn resetting_asks_and_finds_nothing_to_delete() {
    let place = Place::new();
    place.run(&["demo", "reset"]).fails_with(2, "skydeck: demo reset: there is no terminal to ask on; give --yes");
    let ran = place.run(&["demo", "reset", "--yes"]);
    assert_eq!((ran.code(), ran.err().as_str()), (0, ""));
    assert!(ran.out().ends_with("nothing there to delete\n"));
}

/// A program that stands for terraform: it tells its version, and does `script` otherwise.
fn stand_in(place: &Place, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = place.path().join("bin/terraform");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let version = "if [ \"$1\" = version ]; then echo '{\"terraform_version\":\"1.11.4\"}'; exit 0; fi";
    std::fs::write(&path, format!("#!/bin/sh\n{version}\n{script}\n")).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("set");
}

/// `skydeck terraform` with `arguments`, the stand-in first on the PATH.
fn terraform(place: &Place, arguments: &[&str]) -> Ran {
    let mut path = place.path().join("bin").into_os_string();
    path.push(":/usr/bin:/bin");
    let mut command = place.command(&["terraform"]);
    command.args(arguments).env("PATH", path).env("ARM_CLIENT_SECRET", "hunter2").env("SNOWFLAKE_PASSWORD", "hunter2");
    Ran(command.output().expect("the binary runs"))
}

const EMULATED: &str = "EMULATED: azurerm and snowflake are emulated; no account is touched\n";

#[test]
fn terraforms_exit_code_and_output_are_passed_on() {
    let place = Place::new();
    stand_in(&place, "echo \"out $*\"; echo err >&2; exit 7");
    let ran = terraform(&place, &["--", "plan", "-no-color"]);
    assert_eq!((ran.code(), ran.out()), (7, "out plan -no-color\n".to_owned()));
    assert_eq!(ran.err(), format!("{EMULATED}err\n"));
    for (script, code) in [("exit 0", 0), ("exit 2", 2), ("exit 130", 130)] {
        stand_in(&place, script);
        assert_eq!(terraform(&place, &["--", "plan"]).code(), code, "{script}");
    }
    stand_in(&place, "kill -9 $$");
    let ran = terraform(&place, &["--", "plan"]);
    assert_eq!(
        (ran.code(), ran.err()),
        (1, format!("{EMULATED}skydeck: terraform: ended by signal 9; run it again\n"))
    );
}

#[test]
fn terraform_works_where_it_is_told_with_no_credential_and_keeps_its_cloud_where_it_is_told() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("module")).expect("made");
    stand_in(&place, "pwd; env");
    let ran = terraform(&place, &["--chdir", "module", "--cloud", "kept", "--", "plan"]);
    assert_eq!(ran.code(), 0, "{}", ran.err());
    assert!(ran.out().lines().next().is_some_and(|line| line.ends_with("/module")), "{}", ran.out());
    assert!(!ran.out().contains("hunter2"), "{}", ran.out());
    let reattach = ran.out().lines().find_map(|line| line.strip_prefix("TF_REATTACH_PROVIDERS=").map(str::to_owned));
    let reattach: serde_json::Value = serde_json::from_str(&reattach.expect("set")).expect("JSON");
    for address in ["registry.terraform.io/hashicorp/azurerm", "registry.terraform.io/snowflakedb/snowflake"] {
        let socket = reattach[address]["Addr"]["String"].as_str().expect("a socket");
        assert!(!Path::new(socket).exists(), "{socket} is left behind");
    }
    assert!(place.path().join("kept/cloud.db").is_file());
}

#[test]
fn without_terraform_its_absence_is_said() {
    let place = Place::new();
    let mut command = place.command(&["terraform", "--", "plan"]);
    let ran = Ran(command.env("PATH", place.path()).output().expect("the binary runs"));
    assert_eq!(ran.code(), 1);
    assert!(ran.err().contains("terraform") && ran.err().contains("install"), "{}", ran.err());
    let ran = place.run(&["terraform", "plan"]);
    assert_eq!((ran.code(), ran.out().as_str()), (2, ""), "its arguments follow --: {}", ran.err());
}
