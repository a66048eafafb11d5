use std::collections::BTreeSet;

use super::*;
use crate::provisioning::run::{ChangeAction, ResourceChange, RunRequest};

fn change(address: &str, action: ChangeAction, progress: Progress) -> ResourceChange {
    let kind = "terraform_data".to_owned();
    ResourceChange { address: address.to_owned(), kind, action, reason: None, importing: None, progress }
}

/// Two are done, one has failed, one wasn't begun.
fn run(environment: &str, operation: Operation) -> Run {
    let action = if operation == Operation::Destroy { ChangeAction::Delete } else { ChangeAction::Create };
    let done = Progress::Done { took_s: 1.0 };
    let failed = Progress::Failed { error: "no".to_owned() };
    let changes = [("a.a", done.clone()), ("a.b", done), ("a.c", failed), ("a.d", Progress::Skipped)];
    let changes = changes.map(|(address, progress)| change(address, action, progress));
    let mut run = crate::provisioning::runs::record::tests::run(changes.into());
    run.environment = environment.parse().expect("a name");
    run.request = RunRequest { operation, ..RunRequest::default() };
    run.state_serial = Some(4);
    run
}

fn kept(serial: u64, addresses: &[&str]) -> Kept {
    let addresses: BTreeSet<_> = addresses.iter().map(|address| (*address).to_owned()).collect();
    Kept::State { serial, addresses }
}

fn ended(run: &Run, kept: &Kept, said: &str) -> String {
    let mut signs = Signs::default();
    signs.notice(said);
    after(run, &Ending { phase: Phase::Applying, interrupted: false, signs, lock: None, kept })
}

#[test]
fn what_is_in_the_state_is_said_to_be_and_nothing_else() {
    let run = run("local", Operation::Plan);
    assert_eq!(
        ended(&run, &kept(5, &["a.a", "a.b"]), ""),
        "2 of 4 changes were made and are in the state, 1 failed, 1 were not begun; correct what failed, then plan again: the next plan holds what is left"
    );
    let words = ended(&run, &kept(5, &["a.a"]), "");
    assert!(
        words.contains("of 1 of that the state knows nothing (a.b): take each into the state by an import block"),
        "{words}"
    );
    // Written, but not by this apply.
    let words = ended(&run, &kept(4, &["a.a", "a.b"]), "");
    assert!(words.contains("of all of that the state knows nothing (a.a, a.b)"), "{words}");
    let words = ended(&run, &Kept::Unknown, "");
    assert!(words.contains("couldn't be read") && words.contains("`skydeck --env local state`"), "{words}");
}

#[test]
fn a_destruction_goes_on_as_one() {
    let gone = run("local", Operation::Destroy);
    let words = ended(&gone, &kept(5, &["a.c", "a.d"]), "");
    assert_eq!(
        words,
        "2 of 4 resources were removed and are no longer in the state, 1 failed, 1 were not begun; correct what failed, then plan the rest with `skydeck --env local destroy`; a plain plan would make again what is gone"
    );
    let interrupted = applied(&gone, &kept(5, &["a.c", "a.d"]), true);
    assert!(interrupted.contains("; plan the rest with `skydeck --env local destroy`"), "{interrupted}");
    let words = ended(&gone, &kept(5, &["a.b", "a.c", "a.d"]), "");
    assert!(words.contains("of 1 of that the state knows nothing (a.b)") && words.contains("destroy`"), "{words}");
    let drift = ended(&run("local", Operation::RefreshOnly), &kept(5, &[]), "Saved plan is stale");
    assert!(drift.contains("look with `skydeck --env local drift` again"), "{drift}");
}

#[test]
fn a_state_that_was_not_written_is_said_and_what_was_made_can_be_come_by() {
    let demo = ended(&run("demo", Operation::Plan), &Kept::Nothing, "write: no space left on device");
    assert!(demo.starts_with("make room on that disk; 2 of 4 changes were made"), "{demo}");
    assert!(demo.contains("the state was never written: a.a, a.b; `skydeck demo reset`"), "{demo}");
    let local = ended(&run("local", Operation::Plan), &Kept::Nothing, "");
    assert!(!local.contains("demo") && local.contains("import block") && !local.contains("make room"), "{local}");
    let unsaved = ended(&run("staging", Operation::Plan), &Kept::Unsaved("/d/module/errored.tfstate".into()), "");
    assert!(unsaved.contains("is in /d/module/errored.tfstate, and nowhere else"), "{unsaved}");
    assert!(unsaved.contains("put it back with `skydeck --env staging state recover`"), "{unsaved}");
    let damaged = Kept::Damaged("/d/terraform.tfstate: the state is damaged; in /d/terraform.tfstate.backup".into());
    let damaged = ended(&run("local", Operation::Plan), &damaged, "");
    assert!(damaged.contains("terraform.tfstate.backup; what this run did isn't in the backup: a.a, a.b"), "{damaged}");
}

#[test]
fn a_copy_that_is_cut_off_is_no_way_back() {
    let kept = Kept::CutOff { path: "/d/module/errored.tfstate".into(), state: Box::new(Kept::Nothing) };
    let words = ended(&run("local", Operation::Plan), &kept, "no space left on device");
    assert!(!words.contains("state recover") && words.contains("never written: a.a, a.b"), "{words}");
    assert!(words.ends_with("/d/module/errored.tfstate, is cut off as well: remove it before you plan"), "{words}");
}

#[test]
fn a_full_disk_is_known_by_whoever_says_so() {
    for words in [
        "write /d/terraform.tfstate: no space left on device",
        "/d/run.json: No space left on device (os error 28); make room on that disk",
        "database or disk is full",
        "Disk quota exceeded (os error 122)",
    ] {
        let mut signs = Signs::default();
        signs.notice(words);
        assert!(signs.disk_full, "{words}");
    }
    let mut signs = Signs::default();
    signs.notice("the device is busy");
    assert_eq!(signs, Signs::default());
}

#[test]
fn a_lock_is_taken_by_its_id() {
    let lock = LockHolder {
        id: "9b2a1f04-55aa".into(),
        who: "ada@roof".into(),
        operation: String::new(),
        since: None,
        by_live_run: None,
    };
    let run = run("local", Operation::Plan);
    let signs = Signs::default();
    let ending = Ending { phase: Phase::Planning, interrupted: false, signs, lock: Some(&lock), kept: &Kept::Unknown };
    let words = after(&run, &ending);
    assert!(words.contains("take the lock with `skydeck --env local unlock 9b2a1f04-55aa`"), "{words}");
}
