//! The audit trail on disk: appended to by many, whole after a power cut, and tampering shows.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use skydeck::provisioning::audit::chain::{Deed, Verdict};
use skydeck::provisioning::audit::entry::{AuditEntry, AuditEvent};
use skydeck::provisioning::audit::trail::Trail;

use crate::people::environment;

/// Set in a process that only appends: the folder it appends to.
const APPENDS_TO: &str = "SKYDECK_TEST_APPENDS_TO";
const ENTRIES: usize = 25;

pub fn deed(words: &str) -> Deed {
    Deed {
        who: "ada@laptop".into(),
        event: AuditEvent::Planned,
        emulated: true,
        run: Some(7),
        words: words.into(),
        digests: [("plan".to_owned(), "ab".repeat(32))].into(),
    }
}

/// A trail of `length` entries.
pub struct Ground {
    folder: tempfile::TempDir,
    pub trail: Trail,
}

pub fn ground(length: usize) -> Ground {
    let folder = tempfile::tempdir().expect("temporary folder");
    let trail = Trail::of(folder.path(), &environment("staging"));
    for number in 1..=length {
        trail.append(deed(&format!("deed {number}"))).expect("appended");
    }
    Ground { folder, trail }
}

impl Ground {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("audit").join(name)
    }

    pub fn text(&self) -> Vec<u8> {
        std::fs::read(self.trail.path()).expect("read")
    }

    pub fn write(&self, text: &[u8]) {
        std::fs::write(self.trail.path(), text).expect("written");
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.text()).expect("text").lines().map(|line| format!("{line}\n")).collect()
    }

    pub fn verify(&self) -> Verdict {
        self.trail.verify().expect("read")
    }

    fn faults(&self) -> Vec<String> {
        self.verify().faults
    }
}

#[test]
fn entries_are_numbered_chained_and_private() {
    let ground = ground(3);
    let entries = ground.trail.read(0, 10).expect("read");
    assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(entries[1].previous, entries[0].hash);
    assert_eq!((entries[2].who.as_str(), entries[2].words.as_str()), ("ada@laptop", "deed 3"));
    let verdict = ground.verify();
    assert_eq!((verdict.entries, verdict.head.as_ref()), (3, Some(&entries[2].hash)));
    assert!(verdict.faults.is_empty() && verdict.notes.is_empty(), "{verdict:?}");
    for name in ["trail.jsonl", "head.json", "lock"] {
        let mode = std::fs::metadata(ground.file(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(std::fs::metadata(ground.file("")).expect("there").permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_part_is_read_from_its_end() {
    let ground = ground(5);
    let numbers = |after, limit| {
        ground.trail.read(after, limit).expect("read").iter().map(|entry| entry.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(0, 2), [4, 5]);
    assert_eq!(numbers(3, 10), [4, 5]);
    assert_eq!(numbers(1, 2), [4, 5]);
    assert!(numbers(5, 10).is_empty() && numbers(0, 0).is_empty());
}

#[test]
fn where_nothing_was_done_there_is_nothing() {
    let ground = ground(0);
    assert_eq!(ground.verify(), Verdict::default());
    assert!(ground.trail.read(0, 10).expect("read").is_empty());
    assert!(!ground.file("").exists(), "looking makes nothing");
}

#[test]
fn tampering_is_found_and_named() {
    type Tamper = Box<dyn Fn(&mut Vec<String>)>;
    let cases: Vec<(&str, Tamper, &str)> = vec![
        (
            "changed",
            Box::new(|l| l[2] = l[2].replace("deed 3", "deed 9")),
            "entry 3: was changed, its hash doesn't fit",
        ),
        (
            "a blank",
            Box::new(|l| l[2] = l[2].replace("\"number\":3", "\"number\": 3")),
            "entry 3: isn't as it was written",
        ),
        ("rubbish", Box::new(|l| l[2] = "x\n".into()), "entry 3: can't be understood"),
        ("an empty line", Box::new(|l| l.insert(2, "\n".into())), "entry 3: can't be understood"),
        ("removed", Box::new(|l| drop(l.remove(2))), "entry 3: removed before entry 4"),
        ("the first", Box::new(|l| drop(l.remove(0))), "entry 1: removed before entry 2"),
        ("reordered", Box::new(|l| l.swap(2, 3)), "entry 3: stands after entry 4, their order was changed"),
        ("doubled", Box::new(|l| l.insert(3, l[2].clone())), "entry 3: stands here once more"),
        (
            "the last",
            Box::new(|l| drop(l.pop())),
            "entry 6: was the last one and is cut off; the trail ends with entry 5",
        ),
        (
            "the last two",
            Box::new(|l| l.truncate(4)),
            "entry 6: was the last one and is cut off; the trail ends with entry 4",
        ),
        ("all", Box::new(Vec::clear), "entry 6: was the last one and is cut off; the trail ends with entry 0"),
    ];
    for (name, tamper, expected) in cases {
        let ground = ground(6);
        let mut lines = ground.lines();
        tamper(&mut lines);
        ground.write(lines.concat().as_bytes());
        let faults = ground.faults();
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{name}: {faults:?}");
    }
}

#[test]
fn an_entry_of_ones_own_making_is_found() {
    let ground = ground(3);
    let entries = ground.trail.read(0, 10).expect("read");
    let forge = |previous: &AuditEntry, name: &str| {
        let entry = skydeck::provisioning::audit::chain::next(
            Some(previous),
            &environment(name),
            "2026-03-02T12:00:00Z".parse().expect("a time"),
            deed("approved by the boss"),
        );
        serde_json::to_string(&entry).expect("JSON") + "\n"
    };
    let good = ground.lines();
    // Behind the last one, with a hash that fits.
    ground.write((good.concat() + &forge(&entries[2], "staging")).as_bytes());
    assert_eq!(ground.faults(), ["entry 4: stands after the last one that was written, entry 3"]);
    // In place of the last one.
    ground.write((good[..2].concat() + &forge(&entries[1], "staging")).as_bytes());
    assert_eq!(ground.faults(), ["entry 3: isn't the last one that was written, it was put in its place"]);
    // From elsewhere.
    ground.write((good[..2].concat() + &forge(&entries[1], "prod")).as_bytes());
    assert!(ground.faults()[0].starts_with("entry 3: is of the environment prod, not of staging"));
}

#[test]
fn a_head_that_is_gone_or_changed_is_found() {
    let ground = ground(2);
    std::fs::write(ground.file("head.json"), "{").expect("written");
    assert_eq!(ground.faults(), ["after entry 2: the head can't be understood, it was changed"]);
    std::fs::remove_file(ground.file("head.json")).expect("removed");
    assert_eq!(
        ground.faults(),
        ["after entry 2: the head is gone, so that nobody can tell whether entries were cut off"]
    );
    // What follows goes on from the last entry.
    assert_eq!(ground.trail.append(deed("on")).expect("appended").number, 3);
    assert!(ground.faults().is_empty());
}

#[test]
fn what_was_cut_off_stays_to_be_seen() {
    let ground = ground(4);
    let lines = ground.lines();
    ground.write(lines[..2].concat().as_bytes());
    let entry = ground.trail.append(deed("on")).expect("appended");
    assert_eq!(entry.number, 5, "the head says where it ended");
    assert_eq!(ground.faults(), ["entries 3 to 4: removed before entry 5"]);
    // Putting them back mends it.
    let five = serde_json::to_string(&entry).expect("JSON") + "\n";
    ground.write((lines.concat() + &five).as_bytes());
    assert!(ground.faults().is_empty());
}

#[test]
fn a_power_cut_leaves_a_whole_trail() {
    // What a run of `append` leaves on disk when it is cut off after each of its steps.
    let before = ground(2);
    let (trail_before, head_before) = (before.text(), std::fs::read(before.file("head.json")).expect("read"));
    let entry = before.trail.append(deed("the third")).expect("appended");
    let trail_after = before.text();
    let two = before.trail.read(1, 1).expect("read").remove(0);
    assert_eq!(two.number, 3);
    let two = before.trail.read(0, 10).expect("read")[1].clone();
    let announced = serde_json::json!({"number": 2, "hash": two.hash, "next": entry.hash}).to_string();
    let third = &trail_after[trail_before.len()..];
    for (step, head, torn) in [
        ("nothing yet", String::from_utf8(head_before).expect("text"), 0),
        ("announced", announced.clone(), 0),
        ("half an entry", announced.clone(), third.len() / 2),
        ("all but its line break", announced.clone(), third.len() - 1),
        ("the entry", announced, third.len()),
    ] {
        std::fs::write(before.file("head.json"), head).expect("written");
        before.write(&[&trail_before, &third[..torn]].concat());
        let verdict = before.verify();
        assert!(verdict.faults.is_empty(), "{step}: {:?}", verdict.faults);
        assert_eq!(
            verdict.notes.iter().any(|note| note.contains("of an unfinished entry stand after entry 2")),
            torn > 0 && torn < third.len(),
            "{step}"
        );
        let next = before.trail.append(deed("on")).expect(step);
        assert_eq!(next.number, if torn == third.len() { 4 } else { 3 }, "{step}");
        let verdict = before.verify();
        assert!(verdict.faults.is_empty(), "{step}: {:?}", verdict.faults);
    }
    // What was set aside is there, and told.
    let notes = before.verify().notes;
    assert_eq!(notes.len(), 2, "{notes:?}");
    let name = notes[0].rsplit(' ').next().expect("a name");
    let aside = std::fs::read(before.file(name)).expect("read");
    assert!(third.starts_with(&aside) && !aside.is_empty());
}

#[test]
fn zeros_at_the_end_are_set_aside() {
    // Some file systems leave them after a power cut.
    let ground = ground(2);
    ground.write(&[ground.text(), vec![0; 300]].concat());
    assert_eq!(ground.trail.append(deed("on")).expect("appended").number, 3);
    assert!(ground.faults().is_empty());
}

#[test]
fn a_last_entry_that_cannot_be_read_and_no_head_is_refused() {
    let ground = ground(1);
    ground.write(b"rubbish\n");
    std::fs::remove_file(ground.file("head.json")).expect("removed");
    let words = ground.trail.append(deed("on")).expect_err("nothing to follow on").to_string();
    assert!(words.contains("its last entry can't be understood and its head is gone"), "{words}");
}

#[test]
fn threads_append_one_after_the_other() {
    let ground = ground(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let trail = &ground.trail;
            scope.spawn(move || {
                for number in 0..ENTRIES {
                    trail.append(deed(&format!("{thread} {number}"))).expect("appended");
                }
            });
        }
    });
    let verdict = ground.verify();
    assert_eq!((verdict.entries, verdict.faults.len()), (4 * ENTRIES as u64, 0), "{:?}", verdict.faults);
}

/// Only appends where it is started to do so by the test below.
#[test]
fn another_process_appends() {
    let Some(folder) = std::env::var_os(APPENDS_TO) else { return };
    let trail = Trail::of(Path::new(&folder), &environment("staging"));
    for number in 0..ENTRIES {
        trail.append(deed(&format!("{} {number}", std::process::id()))).expect("appended");
    }
}

#[test]
fn processes_append_one_after_the_other() {
    let ground = ground(0);
    let start = || {
        Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "trail::another_process_appends"])
            .env(APPENDS_TO, ground.folder.path())
            .output()
    };
    std::thread::scope(|scope| {
        let ends: Vec<_> = (0..3).map(|_| scope.spawn(start)).collect();
        for end in ends {
            let output = end.join().expect("joined").expect("started");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
    });
    let verdict = ground.verify();
    assert_eq!((verdict.entries, verdict.faults.len()), (3 * ENTRIES as u64, 0), "{:?}", verdict.faults);
    // Each of them appended.
    let words = ground.trail.read(0, 1000).expect("read");
    let processes: std::collections::BTreeSet<_> =
        words.iter().filter_map(|entry| entry.words.split(' ').next()).collect();
    assert_eq!(processes.len(), 3);
}
