//! The audit trail, cut, reordered and edited.

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
    let path = home.runs("local").join("audit.jsonl");
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
