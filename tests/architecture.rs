//! Who may know whom: reads the paths that every file under `src` names, and holds the rules of
//! `docs/src/architecture/house.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each room and the rooms it may know. Whoever isn't named knows nobody.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("station", &[]),
    ("clock", &[]),
    ("database", &[]),
    ("settings", &["station"]),
    ("nowcast", &["station"]),
    ("edge_agent", &["station", "clock", "database", "nowcast", "settings"]),
    ("ingestion", &["station", "clock", "database", "nowcast", "settings"]),
    ("provisioning", &["station", "database", "settings"]),
    ("local_cloud", &["station", "clock", "database", "ingestion", "settings", "provisioning"]),
    (
        "owner",
        &[
            "station",
            "clock",
            "database",
            "nowcast",
            "settings",
            "edge_agent",
            "ingestion",
            "local_cloud",
            "provisioning",
        ],
    ),
    ("console", &["owner", "station", "clock", "settings"]),
    ("diag", &["owner", "station"]),
    ("cli", &["owner", "console", "diag", "settings", "station", "clock"]),
];

/// The rooms that draw on a terminal.
const DRAWING_ROOMS: &[&str] = &["console", "diag"];

/// Crates that draw: for those rooms alone.
const DRAWING: &[&str] =
    &["ratatui", "ratatui_image", "crossterm", "plotters", "arboard", "nucleo_matcher", "ab_glyph"];

/// Paths that reach files or the network: not for the console's screens.
const REACHING: &[&str] = &["std::fs", "std::net", "std::os::unix::net", "tokio::fs", "tokio::net"];

/// The console's files that carry out effects or read before the first frame, and so may reach files.
const CONSOLE_EFFECTS: &[&str] = &["console/run", "console/export", "console/setup", "console/theme"];

/// Lines a file may have. Past 400 it should be looked at; here it fails.
const MAX_LINES: usize = 600;

/// A path that a file names, from its crate's root or from `crate`, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    path: Vec<String>,
    line: usize,
}

/// A file of the source tree.
struct File {
    /// From `src`, with `/`.
    name: String,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// The text as identifiers and signs, without comments, strings, characters and lifetimes.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut i, mut line) = (0, 1);
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    while i < chars.len() {
        let c = chars[i];
        let start = i;
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if let Some(end) = raw_string_end(&chars, i) {
            i = end;
        } else if c == '"' {
            i += 1;
            while i < chars.len() && chars[i] != '"' {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if c == '\'' {
            // A character has its closing quote; a lifetime hasn't.
            i = match (at(i + 1), at(i + 2)) {
                ('\\', _) => {
                    i + 2 + chars[(i + 2).min(chars.len())..].iter().position(|c| *c == '\'').unwrap_or(0).max(1)
                }
                (_, '\'') => i + 2,
                _ => i,
            } + 1;
        } else if c.is_alphabetic() || c == '_' {
            while i < chars.len() && (chars[i].is_alphanumeric() || chars[i] == '_') {
                i += 1;
            }
            found.push(Token { text: chars[start..i].iter().collect(), line });
        } else if c == ':' && at(i + 1) == ':' {
            i += 2;
            found.push(Token { text: "::".into(), line });
        } else {
            if !c.is_whitespace() {
                found.push(Token { text: c.to_string(), line });
            }
            i += 1;
        }
        line += chars[start..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    found
}

/// Where a raw string that begins at `i` ends.
fn raw_string_end(chars: &[char], i: usize) -> Option<usize> {
    let before = i.checked_sub(1).map(|i| chars[i]);
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let rest = &chars[i..];
    let prefix = match rest {
        ['r', ..] => 1,
        ['b' | 'c', 'r', ..] => 2,
        _ => return None,
    };
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    if rest.get(prefix + hashes) != Some(&'"') {
        return None;
    }
    let mut end = i + prefix + hashes + 1;
    while end < chars.len() {
        if chars[end] == '"' && chars[end + 1..].iter().take_while(|c| **c == '#').count() >= hashes {
            return Some(end + 1 + hashes);
        }
        end += 1;
    }
    Some(chars.len())
}

/// The tokens less every item under `#[cfg(test)]`: tests may look into any room.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let is = |i: usize, text: &str| tokens.get(i).is_some_and(|token| token.text == text);
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let test = ["#", "[", "cfg", "(", "test", ")", "]"];
        if test.iter().enumerate().all(|(offset, text)| is(i + offset, text)) {
            i += test.len();
            // The item ends with its block, or with `;` where it has none.
            let mut depth = 0;
            while i < tokens.len() {
                match tokens[i].text.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                i += 1;
                if depth == 0 && matches!(tokens[i - 1].text.as_str(), ";" | "}") {
                    break;
                }
            }
        } else {
            kept.push(tokens[i].clone());
            i += 1;
        }
    }
    kept
}

/// Modules that a file declares for tests only: `#[cfg(test)] mod name;`.
fn test_modules(text: &str) -> BTreeSet<String> {
    let tokens = tokens(text);
    let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    let mut found = BTreeSet::new();
    for window in texts.windows(11) {
        if window[..7] == ["#", "[", "cfg", "(", "test", ")", "]"] {
            let after: Vec<_> = window[7..].iter().filter(|text| **text != "pub").collect();
            if let [&"mod", name, &";", ..] = after[..] {
                found.insert((*name).to_owned());
            }
        }
    }
    found
}

/// Every path a file names; use trees are spread, `super` and `self` are resolved from `module`.
fn named(text: &str, module: &[String]) -> Vec<Named> {
    let tokens = without_tests(&tokens(text));
    let mut found = Vec::new();
    let mut inline = Vec::new();
    let mut depth = 0;
    let mut i = 0;
    while i < tokens.len() {
        let text = tokens[i].text.as_str();
        match text {
            "{" => {
                if i >= 2 && tokens[i - 2].text == "mod" {
                    inline.push((depth, tokens[i - 1].text.clone()));
                }
                depth += 1;
            }
            "}" => {
                depth -= 1;
                inline.retain(|(at, _)| *at < depth);
            }
            _ => {}
        }
        let begins_path = tokens.get(i + 1).is_some_and(|next| next.text == "::")
            && is_name(text)
            && (i == 0 || tokens[i - 1].text != "::");
        let begins_use = text == "use";
        if begins_path || begins_use {
            let mut at: Vec<String> = module.to_vec();
            at.extend(inline.iter().map(|(_, name)| name.clone()));
            let start = if begins_use { i + 1 } else { i };
            let end = spread(&tokens, start, &[], begins_use, &mut |path, line| {
                found.push(Named { path: resolved(path, &at), line });
            });
            i = end.max(i + 1);
        } else {
            i += 1;
        }
    }
    found
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Walks a path or use tree from `i`; tells each full path; answers where it ends.
fn spread(
    tokens: &[Token],
    mut i: usize,
    prefix: &[String],
    tree: bool,
    tell: &mut impl FnMut(&[String], usize),
) -> usize {
    let mut path = prefix.to_vec();
    let line = tokens.get(i).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(i) {
        match token.text.as_str() {
            "::" => i += 1,
            "{" if tree => {
                i += 1;
                while tokens.get(i).is_some_and(|token| token.text != "}") {
                    if tokens[i].text == "," {
                        i += 1;
                    } else {
                        i = spread(tokens, i, &path, true, tell).max(i + 1);
                    }
                }
                return i + 1;
            }
            "*" if tree => {
                i += 1;
                break;
            }
            "as" if tree => i += 2,
            text if is_name(text) && (path.len() == prefix.len() || tokens[i - 1].text == "::") => {
                path.push(text.to_owned());
                i += 1;
            }
            _ => break,
        }
    }
    if !path.is_empty() {
        tell(&path, line);
    }
    i
}

fn resolved(path: &[String], module: &[String]) -> Vec<String> {
    let mut base: Vec<String> = module.to_vec();
    match path.first().map(String::as_str) {
        Some("self" | "super") => {
            let mut rest = path;
            while let Some(first) = rest.first() {
                match first.as_str() {
                    "self" => {}
                    "super" => drop(base.pop()),
                    _ => break,
                }
                rest = &rest[1..];
            }
            let mut full = vec!["crate".to_owned()];
            full.extend(base);
            full.extend(rest.iter().cloned());
            full
        }
        _ => path.to_vec(),
    }
}

/// `owner/socket.rs` is the module `owner::socket`.
fn module_of(name: &str) -> Vec<String> {
    let path = name.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// Every breach of the rules in `files`, in words.
fn breaches(files: &[File]) -> Vec<String> {
    let rules: BTreeMap<&str, &[&str]> = MAY_KNOW.iter().copied().collect();
    let tests: BTreeSet<String> = files
        .iter()
        .flat_map(|file| {
            let folder = file.name.trim_end_matches("mod.rs").trim_end_matches(".rs").trim_end_matches('/').to_owned();
            test_modules(&file.text).into_iter().map(move |module| format!("{folder}/{module}"))
        })
        .collect();
    let mut found = Vec::new();
    let mut knows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| !matches!(file.name.as_str(), "lib.rs" | "main.rs")) {
        let module = module_of(&file.name);
        let stem = file.name.trim_end_matches(".rs").trim_end_matches("/mod");
        if file.text.lines().count() > MAX_LINES {
            found.push(format!("{}: {} lines; at most {MAX_LINES}", file.name, file.text.lines().count()));
        }
        if tests.iter().any(|test| stem == test || stem.starts_with(&format!("{test}/"))) {
            continue;
        }
        let room = module[0].as_str();
        let Some(allowed) = rules.get(room) else {
            found.push(format!("{}: the room {room} has no rule; add it to MAY_KNOW and house.md", file.name));
            continue;
        };
        for Named { path, line } in named(&file.text, &module) {
            let place = format!("{}:{line}", file.name);
            if path[0] == "crate"
                && let Some(other) = path.get(1).filter(|other| rules.contains_key(other.as_str()) && *other != room)
            {
                knows.entry(room.to_owned()).or_default().insert(other.clone());
                if !allowed.contains(&other.as_str()) {
                    found.push(format!("{place}: {room} may not know {other}"));
                }
            }
            if !DRAWING_ROOMS.contains(&room) && DRAWING.contains(&path[0].as_str()) {
                found.push(format!("{place}: {} is for console and diag alone", path[0]));
            }
            let reaches =
                REACHING.iter().any(|reaching| format!("{}::", path.join("::")).starts_with(&format!("{reaching}::")));
            if room == "console" && reaches && !CONSOLE_EFFECTS.iter().any(|effects| stem.starts_with(effects)) {
                found.push(format!("{place}: the console draws and doesn't reach out ({})", path.join("::")));
            }
        }
    }
    found.extend(circles(&knows));
    found
}

/// Rooms that know themselves over others.
fn circles(knows: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    for start in knows.keys() {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = knows[start].iter().collect();
        while let Some(room) = next.pop() {
            if room == start {
                found.push(format!("{start}: knows itself over others"));
                break;
            }
            if seen.insert(room) {
                next.extend(knows.get(room).into_iter().flatten());
            }
        }
    }
    found
}

fn source_files() -> Vec<File> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source.clone()];
    let mut paths: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let name = |path: &Path| path.strip_prefix(&source).expect("below src").to_string_lossy().replace('\\', "/");
    paths.iter().map(|path| File { name: name(path), text: std::fs::read_to_string(path).expect("text") }).collect()
}

#[test]
fn every_room_keeps_to_its_neighbours() {
    let files = source_files();
    assert!(files.len() > 40, "only {} files were found", files.len());
    let found = breaches(&files);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_front_page_of_each_room_says_what_it_is() {
    for file in source_files().iter().filter(|file| file.name.ends_with("mod.rs") || file.name == "lib.rs") {
        assert!(file.text.trim_start().starts_with("//!"), "{} has no map", file.name);
    }
}

fn planted(name: &str, text: &str) -> Vec<String> {
    breaches(&[File { name: name.into(), text: text.into() }])
}

#[test]
fn a_planted_violation_is_found() {
    for (name, text, expected) in [
        ("station/a.rs", "use crate::clock::Clock;", "station/a.rs:1: station may not know clock"),
        ("station/a.rs", "\nfn f() { crate::owner::start(); }", "station/a.rs:2: station may not know owner"),
        ("ingestion/a/b.rs", "use super::super::super::owner;", "ingestion/a/b.rs:1: ingestion may not know owner"),
        ("owner/mod.rs", "use super::console::App;", "owner/mod.rs:1: owner may not know console"),
        (
            "nowcast/a.rs",
            "use crate::{station::{self, Variable}, ingestion};",
            "nowcast/a.rs:1: nowcast may not know ingestion",
        ),
        ("owner/a.rs", "use ratatui::Frame;", "owner/a.rs:1: ratatui is for console and diag alone"),
        ("cli/a.rs", "fn f() -> crossterm::Result { }", "cli/a.rs:1: crossterm is for console and diag alone"),
        (
            "console/screens/a.rs",
            "use std::{fmt, fs::File};",
            "console/screens/a.rs:1: the console draws and doesn't reach out (std::fs::File)",
        ),
        (
            "console/app.rs",
            "async fn f() { tokio::net::UnixStream::connect(p).await }",
            "console/app.rs:1: the console draws and doesn't reach out (tokio::net::UnixStream::connect)",
        ),
        ("kitchen/mod.rs", "", "kitchen/mod.rs: the room kitchen has no rule; add it to MAY_KNOW and house.md"),
    ] {
        assert_eq!(planted(name, text), [expected], "{text}");
    }
    assert_eq!(planted("station/a.rs", &"\n".repeat(601)), ["station/a.rs: 601 lines; at most 600"]);
}

#[test]
fn what_only_looks_like_a_violation_is_not_one() {
    for (name, text) in [
        ("station/a.rs", "// use crate::owner::start;\n/* crate::owner /* nested */ */"),
        ("station/a.rs", "/// See [`crate::owner`].\nconst A: &str = \"crate::owner::start\";"),
        ("station/a.rs", "const A: &str = r#\"use crate::owner; \" \"#; const Q: char = '\"'; struct L<'a>(&'a str);"),
        ("station/a.rs", "#[cfg(test)]\nmod tests { use crate::owner::start; }"),
        ("station/a.rs", "#[cfg(test)]\nuse crate::owner::start;"),
        ("console/run.rs", "use std::fs;"),
        ("console/a/b.rs", "use super::super::owner; use super::clock;"),
        ("owner/mod.rs", "mod station { use super::client; } use self::station;"),
    ] {
        assert_eq!(planted(name, text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_module_for_tests_in_its_own_file_may_know_anybody() {
    let files = [
        File { name: "station/mod.rs".into(), text: "#[cfg(test)]\npub mod fixture;\nmod other;".into() },
        File { name: "station/fixture.rs".into(), text: "use crate::owner::Snapshot;".into() },
        File { name: "station/other.rs".into(), text: "use crate::owner::Snapshot;".into() },
    ];
    assert_eq!(breaches(&files), ["station/other.rs:1: station may not know owner"]);
}

#[test]
fn a_circle_is_found() {
    let knows = |pairs: &[(&str, &str)]| {
        let mut map: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (one, other) in pairs {
            map.entry((*one).to_owned()).or_default().insert((*other).to_owned());
        }
        map
    };
    assert!(circles(&knows(&[("a", "b"), ("b", "c")])).is_empty());
    assert_eq!(circles(&knows(&[("a", "b"), ("b", "c"), ("c", "b")])).len(), 2);
    // The rules themselves hold none.
    let rules: Vec<_> = MAY_KNOW.iter().flat_map(|(room, others)| others.iter().map(move |o| (*room, *o))).collect();
    assert!(circles(&knows(&rules)).is_empty());
}
