//! Failures as scenarios: each `*.toml` beside this file says what happens to real processes and what must be seen;
//! and of each it holds that every measurement is a row exactly once. The [README](README.md) has the words.
//!
//! ```sh
//! cargo test --test scenarios                                          # all, short
//! SKYDECK_SCENARIO=power_cut cargo test --test scenarios -- --nocapture   # one
//! SKYDECK_KILLS=200 cargo test --release --test scenarios              # the long form
//! ```

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod count;
mod disk;
mod harm;
mod place;
mod play;
mod process;
mod script;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use script::Scenario;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// Every scenario there is, by its file's name.
fn scenarios() -> BTreeMap<String, Scenario> {
    let files = std::fs::read_dir(folder()).expect("the folder is there").map(|entry| entry.expect("listed").path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("readable");
            let scenario = Scenario::read(&text).unwrap_or_else(|error| panic!("{name}.toml: {error}"));
            (name, scenario)
        })
        .collect()
}

/// All at once: most of a scenario is waiting.
#[test]
fn every_scenario_ends_as_it_says() {
    let only = std::env::var("SKYDECK_SCENARIO").ok();
    let seed = std::env::var("SKYDECK_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or_else(rand::random);
    println!("SKYDECK_SEED={seed}");
    let chosen: Vec<_> = scenarios()
        .into_iter()
        .filter(|(name, _)| only.as_ref().is_none_or(|only| only.split(',').any(|only| only == name)))
        .collect();
    assert!(!chosen.is_empty(), "no scenario is called {only:?}");
    let failures: Vec<String> = std::thread::scope(|scope| {
        let playing: Vec<_> = chosen
            .iter()
            .map(|(name, scenario)| (name, scope.spawn(move || play::play(name, scenario, seed))))
            .collect();
        playing
            .into_iter()
            .filter_map(|(name, thread)| match thread.join() {
                Ok(Ok(words)) => {
                    println!("{name}: {words}");
                    None
                }
                Ok(Err(words)) => Some(format!("{name}: {words}")),
                Err(_) => Some(format!("{name}: the runner itself failed; see above")),
            })
            .collect()
    });
    assert!(failures.is_empty(), "SKYDECK_SEED={seed}\n{}", failures.join("\n"));
}

#[test]
fn what_a_scenario_does_not_know_is_an_error() {
    let good = "about = 'a'\nenvironment = 'demo'\nreadings.series = { spare_minutes = 1 }\n";
    let step = |text: &str| Scenario::read(&format!("{good}[[step]]\n{text}\n")).map(drop);
    assert_eq!(step("do = 'start'\nwhom = ['owner']"), Ok(()));
    for (text, word) in [
        ("do = 'strat'\nwhom = ['owner']", "strat"),
        ("do = 'start'\nwho = ['owner']", "who"),
        ("do = 'start'\nwhom = ['owner']\nnow = true", "now"),
        ("do = 'start'\nwhom = ['nobody']", "nobody"),
    ] {
        let error = step(text).expect_err("an error");
        assert!(error.contains(&format!("`{word}`")), "{error}");
    }
    let error = Scenario::read(&format!("colour = 1\n{good}")).map(drop).expect_err("an error");
    assert!(error.contains("`colour`"), "{error}");
}
