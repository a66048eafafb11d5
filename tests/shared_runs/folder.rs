//! On a folder that several people share.

use std::os::unix::fs::PermissionsExt as _;

use skydeck::provisioning::run::Phase;
use skydeck::provisioning::shared::place::Place;

use crate::homes::Ground;
use crate::scenarios;

struct Shared {
    folder: tempfile::TempDir,
    ground: Ground,
}

fn shared() -> Shared {
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o2770)).expect("set");
    let ground = Ground::new(Place::Folder(folder.path().to_owned()), Vec::new());
    Shared { folder, ground }
}

macro_rules! on_a_folder {
    ($($scenario:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $scenario() {
            let shared = shared();
            scenarios::$scenario(&shared.ground).await;
            scenarios::holds_no_secret(shared.folder.path());
        })*
    };
}

on_a_folder!(
    author_approver_and_ci,
    a_late_writer_is_told,
    a_run_of_a_dead_home,
    numbers_are_unique,
    approvals_come_together,
    a_plan_is_used_once,
    plans_are_for_those_with_the_key,
    a_crash_while_publishing,
    the_trail_is_one_chain,
    nothing_is_told_twice,
    an_old_run_keeps_its_number,
);

#[tokio::test]
async fn what_is_made_has_the_permissions_of_the_shared_folder() {
    let shared = shared();
    let author = shared.ground.home("ada@laptop");
    let number = author.plan().await;
    author.sharing.publish(number).await.expect("published");
    let mode = |path: &str| {
        let path = shared.folder.path().join(path);
        std::fs::metadata(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")).permissions().mode() & 0o7777
    };
    for folder in ["staging", "staging/runs", "staging/runs/0001"] {
        assert_eq!(mode(folder), 0o2770, "{folder}");
    }
    for file in ["claim.json", "run.json", "plan.age"] {
        assert_eq!(mode(&format!("staging/runs/0001/{file}")), 0o660, "{file}");
    }
}

#[tokio::test]
async fn what_was_changed_in_the_store_is_refused_and_the_rest_is_fine() {
    let shared = shared();
    let (author, reader) = (shared.ground.home("ada@laptop"), shared.ground.home("grace@desk"));
    let (first, second) = (author.plan().await, author.plan().await);
    for number in [first, second] {
        author.sharing.publish(number).await.expect("published");
    }
    let at = |name: &str| shared.folder.path().join("staging/runs/0001").join(name);
    let plan = std::fs::read(at("plan.age")).expect("read");
    let run = std::fs::read_to_string(at("run.json")).expect("read");

    let other = std::fs::read(shared.folder.path().join("staging/runs/0002/run.json")).expect("read");
    std::fs::write(at("run.json"), other).expect("written");
    let refreshed = reader.sharing.refresh().await.expect("refreshed");
    assert_eq!(refreshed.made, [second]);
    assert!(refreshed.faults[0].contains("staging/runs/0001/run.json: is run 2 of staging"), "{:?}", refreshed.faults);
    for (rubbish, words) in [("{", "isn't a run"), ("[]", "isn't a run"), ("", "isn't a run")] {
        std::fs::write(at("run.json"), rubbish).expect("written");
        let refreshed = reader.sharing.refresh().await.expect("refreshed");
        assert!(refreshed.faults[0].contains(words), "{:?}", refreshed.faults);
    }

    std::fs::write(at("run.json"), run.replace("ada@laptop", "ada\\u001b[2J@laptop")).expect("written");
    std::fs::write(at("log.jsonl"), crate::homes::log(1).replace("a line", "a\\u001b[2J line")).expect("written");
    let refreshed = reader.sharing.refresh().await.expect("refreshed");
    assert_eq!((refreshed.made.as_slice(), refreshed.faults.len()), ([first].as_slice(), 0));
    assert_eq!(reader.run(first).asked_by, "ada[2J@laptop");
    let log = std::fs::read_to_string(reader.file(first, "log.jsonl")).expect("read");
    assert!(log.contains("\"a[2J line\""), "{log}");

    let mut changed = plan.clone();
    *changed.last_mut().expect("bytes") ^= 1;
    for broken in [changed, plan[..plan.len() - 1].to_vec(), Vec::new()] {
        std::fs::write(at("plan.age"), broken).expect("written");
        let words = reader.sharing.fetch(first).await.expect_err("broken").to_string();
        assert!(words.contains("run 1: plan.age: can't be decrypted: it was changed or cut off"), "{words}");
    }
    // Another plan, encrypted to the same key, isn't the one that was recorded.
    let forged = shared.ground.keys().encrypt(b"another plan").expect("encrypted");
    std::fs::write(at("plan.age"), forged).expect("written");
    let words = reader.sharing.fetch(first).await.expect_err("forged").to_string();
    assert!(words.contains("isn't the plan that was recorded"), "{words}");
    assert!(!reader.file(first, "plan").exists());
}

#[tokio::test]
async fn a_trail_that_was_tampered_with_names_the_entry() {
    let shared = shared();
    let store = shared.ground.open();
    for words in ["one", "two", "three"] {
        store.append_audit(&|previous| scenarios::entry(previous, words)).await.expect("appended");
    }
    let at = |number: u32| shared.folder.path().join(format!("staging/audit/{number:08}.json"));
    std::fs::copy(at(1), at(2)).expect("copied");
    let words = store.read_audit(0, 10).await.expect_err("moved").to_string();
    assert!(words.contains("staging/audit/00000002.json: holds entry 1; somebody has moved it"), "{words}");
    let entries = store.audit_entries().await.expect("read");
    assert!(entries[0].is_ok() && entries[1].is_err() && entries[2].is_ok(), "{entries:?}");
}

#[tokio::test]
async fn a_folder_that_went_away_leaves_what_is_known() {
    let shared = shared();
    let (author, reader) = (shared.ground.home("ada@laptop"), shared.ground.home("grace@desk"));
    let number = author.plan().await;
    author.sharing.publish(number).await.expect("published");
    reader.sharing.refresh().await.expect("refreshed");
    let away = shared.folder.path().with_extension("away");
    std::fs::rename(shared.folder.path(), &away).expect("moved");
    let words = reader.sharing.refresh().await.expect_err("gone").to_string();
    assert!(words.contains("isn't there; make it: mkdir"), "{words}");
    assert_eq!(reader.run(number).phase, Phase::Planned);
    std::fs::rename(&away, shared.folder.path()).expect("moved back");
    assert_eq!(reader.sharing.refresh().await.expect("refreshed"), Default::default());
}
