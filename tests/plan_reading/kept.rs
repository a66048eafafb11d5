//! What is kept of a plan in its run's folder.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use skydeck::provisioning::plan::kept;
use skydeck::provisioning::plan::model::{ChangeDetail, PlanList};

use crate::fixtures;

/// A run's folder with the plan of `case` kept in it.
fn kept_in(folder: &Path, case: &str) -> PathBuf {
    let run = folder.join("0007");
    std::fs::create_dir(&run).expect("made");
    kept::write(&run, &fixtures::plan(case)).unwrap_or_else(|error| panic!("{error}"));
    run
}

fn details(run: &Path, list: PlanList, from: usize, count: usize) -> Vec<ChangeDetail> {
    kept::details(run, list, from, count).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_is_kept_is_what_was_read() {
    for case in fixtures::CASES {
        let folder = tempfile::tempdir().expect("temporary folder");
        let run = kept_in(folder.path(), case);
        let plan = fixtures::plan(case);
        assert_eq!(kept::outline(&run).unwrap_or_else(|error| panic!("{error}")), plan.outline(), "{case}");
        for list in [PlanList::Changes, PlanList::Drift] {
            assert_eq!(details(&run, list, 0, usize::MAX), plan.details(list).collect::<Vec<_>>(), "{case}");
        }
        for file in [kept::OUTLINE, kept::DETAILS] {
            let mode = std::fs::metadata(run.join(file)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }
}

#[test]
fn a_part_is_read_by_its_place() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let run = kept_in(folder.path(), "shapes");
    let all = details(&run, PlanList::Changes, 0, 1_000);
    assert_eq!(all.len(), 17);
    assert_eq!(details(&run, PlanList::Changes, 5, 3), all[5..8]);
    assert_eq!(details(&run, PlanList::Changes, 16, 9), all[16..]);
    assert!(details(&run, PlanList::Changes, 17, 1).is_empty() && details(&run, PlanList::Changes, 0, 0).is_empty());
    assert!(details(&run, PlanList::Drift, 0, 9).is_empty());
    let azure = tempfile::tempdir().expect("temporary folder");
    let run = kept_in(azure.path(), "azure");
    assert_eq!(details(&run, PlanList::Drift, 0, 9)[0].change.address, "azurerm_iothub.hub");
}

#[test]
fn a_run_of_an_older_skydeck_has_nothing_kept_and_says_so() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let run = folder.path().join("0012");
    std::fs::create_dir(&run).expect("made");
    for error in [
        kept::outline(&run).expect_err("nothing").to_string(),
        kept::details(&run, PlanList::Changes, 0, 1).expect_err("nothing").to_string(),
    ] {
        assert!(error.starts_with("run 12: no plan is kept of it") && error.contains("older skydeck"), "{error}");
    }
}

#[test]
fn damaged_files_are_named_and_never_read_wrong() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let run = kept_in(folder.path(), "deposed");
    let path = run.join(kept::DETAILS);
    let whole = std::fs::read(&path).expect("readable");
    let asked = || kept::details(&run, PlanList::Changes, 0, 1);
    // Without its last line break it is still whole.
    for length in 0..whole.len() - 1 {
        std::fs::write(&path, &whole[..length]).expect("written");
        let error = asked().expect_err("cut off").to_string();
        assert!(error.contains("details.jsonl") && error.contains("; "), "{length}: {error}");
    }
    let text = String::from_utf8(whole).expect("UTF-8");
    for (from, to) in
        [("\"index\":0", "\"index\":1"), ("{\"changes\":[0]", "{\"changes\":[9]"), ("\"end\":", "\"end\":1")]
    {
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replace(from, to)).expect("written");
        assert!(asked().is_err(), "{from}");
    }
    std::fs::write(run.join(kept::OUTLINE), "{}").expect("written");
    assert!(kept::outline(&run).expect_err("not one").to_string().contains("isn't a plan's outline"));
}
