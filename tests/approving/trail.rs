//! The audit trail, cut, reordered and edited.

use std::fs;
use std::path::PathBuf;

use crate::place::{Place, has_terraform};

#[test]
fn a_trail_that_was_touched_is_found_out() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    // In demo the trail is a file of this machine.
    let home = place.home("ada");
    home.run(&["plan", "--env", "local"]);
    home.run(&["discard", "--env", "local"]);
    home.run(&["audit", "verify", "--env", "local"]).ends_with(0);
    let path = home.runs("local").join("audit/trail.jsonl");
    let whole = std::fs::read_to_string(&path).expect("a trail");
    let lines: Vec<_> = whole.lines().collect();
    assert!(lines.len() >= 3, "{whole}");
    let cut = lines[..lines.len() - 1].join("\n") + "\n";
    let removed = [&lines[..1], &lines[2..]].concat().join("\n") + "\n";
    let mut swapped = lines.clone();
    swapped.swap(0, 1);
    let reordered = swapped.join("\n") + "\n";
    let edited = whole.replacen("ada", "eve", 1);
    for (what, text) in [("cut", cut), ("removed", removed), ("reordered", reordered), ("edited", edited)] {
        std::fs::write(&path, text).expect("written");
        let said = home.run(&["audit", "verify", "--env", "local"]);
        assert_eq!(said.code, Some(1), "{what}: {said:?}");
    }
    std::fs::write(&path, whole).expect("written");
    home.run(&["audit", "verify", "--env", "local"]).ends_with(0);
}

#[test]
fn a_shared_trail_that_was_touched_is_found_out() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    place.let_sign("grace", "skydeck-approval");
    let (ada, grace) = (place.home("ada"), place.home("grace"));
    ada.run(&["plan", "--env", "staging"]).ends_with(3);
    grace.run(&["approve", "--env", "staging", "--yes"]).ends_with(0);
    ada.run(&["apply", "--env", "staging", "--yes"]).ends_with(0);
    for home in [&ada, &grace] {
        home.run(&["audit", "verify", "--env", "staging"]).ends_with(0).says("unbroken");
    }
    let entries = fs::read_dir(place.path().join("store/staging/audit")).expect("a trail");
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    let whole: Vec<Vec<u8>> = entries.iter().map(|path| fs::read(path).expect("read")).collect();
    let last = entries.len() - 1;
    assert!(last >= 4, "{entries:?}");
    let edited = String::from_utf8(whole[1].clone()).expect("UTF-8").replacen("ada", "eve", 1);
    assert_ne!(edited.as_bytes(), whole[1], "nothing was edited");
    // Which objects, and what stands in them then.
    type Touched<'a> = Vec<(usize, Option<&'a [u8]>)>;
    let touches: [(&str, Touched<'_>); 5] = [
        ("one removed", vec![(2, None)]),
        ("one edited", vec![(1, Some(edited.as_bytes()))]),
        ("two swapped", vec![(1, Some(&whole[2])), (2, Some(&whole[1]))]),
        ("the first removed", vec![(0, None)]),
        ("the last removed", vec![(last, None)]),
    ];
    for (what, touched) in touches {
        for (at, bytes) in touched {
            match bytes {
                Some(bytes) => fs::write(&entries[at], bytes).expect("written"),
                None => fs::remove_file(&entries[at]).expect("removed"),
            }
        }
        for home in [&ada, &grace] {
            let said = home.run(&["audit", "verify", "--env", "staging"]);
            assert_eq!(said.code, Some(1), "{what}: {said:?}");
        }
        for (path, bytes) in entries.iter().zip(&whole) {
            fs::write(path, bytes).expect("as it was");
        }
    }
    ada.run(&["audit", "verify", "--env", "staging"]).ends_with(0).says("unbroken");
}
