use super::*;

fn folders(base: &Path) -> Folders {
    Folders { data: base.join("data"), runtime: base.join("run"), state: base.join("state") }
}

fn with_data(base: &Path) -> Folders {
    let folders = folders(base);
    std::fs::create_dir_all(folders.data.join("hub")).expect("made");
    std::fs::create_dir_all(folders.data.join("containers/json-blob-messages")).expect("made");
    let open = |path: &str| {
        database::Database::open(&folders.data.join(path), &["CREATE TABLE t(a INTEGER) STRICT"]).expect("opens")
    };
    for path in ["warehouse.db", "hub/enqueued.db", "outbox.db"] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let database = open(path);
        runtime.block_on(database.write(|t| t.execute("INSERT INTO t VALUES (7)", []))).expect("written");
    }
    std::fs::write(folders.data.join("containers/json-blob-messages/a.json"), "{}\n").expect("written");
    std::fs::write(folders.data.join("containers/json-blob-messages/b.json#1"), "{").expect("written");
    folders
}

fn value(path: &Path) -> i64 {
    let connection = Connection::open(path).expect("opens");
    connection.query_row("SELECT a FROM t", [], |row| row.get(0)).expect("a row")
}

#[test]
fn a_backup_comes_back_and_what_was_there_is_kept_aside() {
    let base = tempfile::tempdir().expect("temporary folder");
    let folders = with_data(base.path());
    let file = base.path().join("backup.tar.gz");
    // An owner may run.
    let owner = FolderLock::take(&folders.data).expect("free");
    assert_eq!(back_up(&folders, &file).expect("backed up").files, 4);
    assert!(matches!(back_up(&folders, &file), Err(ArchiveError::Exists { .. })));
    assert!(matches!(restore(&folders, &file), Err(ArchiveError::Lock(LockError::Owned { .. }))));
    drop(owner);
    let connection = Connection::open(folders.data.join("warehouse.db")).expect("opens");
    connection.execute("UPDATE t SET a = 8", []).expect("changed");
    drop(connection);
    let (contents, aside) = restore(&folders, &file).expect("restored");
    assert_eq!(contents.files, 4);
    assert_eq!(value(&folders.data.join("warehouse.db")), 7);
    assert_eq!(value(&aside.expect("kept").join("warehouse.db")), 8);
    assert!(folders.data.join("containers/json-blob-messages/a.json").exists());
    assert!(!folders.data.join("containers/json-blob-messages/b.json#1").exists());
    assert!(check(&folders).expect("checked").iter().all(|checked| checked.faults.is_empty()));
}

#[test]
fn upstream_goes_in_first() {
    let base = tempfile::tempdir().expect("temporary folder");
    let folders = with_data(base.path());
    let file = base.path().join("backup.tar.gz");
    back_up(&folders, &file).expect("backed up");
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(&file).expect("there")));
    let names: Vec<_> = archive
        .entries()
        .expect("entries")
        .map(|entry| entry.expect("whole").path().expect("a path").display().to_string())
        .collect();
    assert_eq!(names, ["outbox.db", "hub/enqueued.db", "containers/json-blob-messages/a.json", "warehouse.db"]);
}

#[test]
fn a_damaged_backup_changes_nothing() {
    let base = tempfile::tempdir().expect("temporary folder");
    let folders = with_data(base.path());
    let file = base.path().join("backup.tar.gz");
    back_up(&folders, &file).expect("backed up");
    let bytes = std::fs::read(&file).expect("read");
    for damaged in [&bytes[..bytes.len() / 2], b"rubbish", b""] {
        std::fs::write(&file, damaged).expect("written");
        assert!(matches!(restore(&folders, &file), Err(ArchiveError::Damaged { .. })));
        assert_eq!(value(&folders.data.join("warehouse.db")), 7);
    }
}

#[test]
fn nothing_to_archive_is_said_and_deleting_takes_all() {
    let base = tempfile::tempdir().expect("temporary folder");
    let empty = folders(base.path());
    assert!(matches!(back_up(&empty, &base.path().join("x")), Err(ArchiveError::Empty { .. })));
    assert!(!delete(&empty).expect("nothing"));
    let folders = with_data(base.path());
    let owner = FolderLock::take(&folders.data).expect("free");
    assert!(matches!(delete(&folders), Err(ArchiveError::Lock(LockError::Owned { .. }))));
    drop(owner);
    assert!(delete(&folders).expect("deleted"));
    assert!(!folders.data.exists());
}

#[test]
fn nothing_is_moved_away_under_a_run_and_its_locks_are_no_part_of_a_backup() {
    use crate::provisioning::runs::queue::{Job, Ticket};
    use crate::provisioning::runs::store::Store;
    let base = tempfile::tempdir().expect("temporary folder");
    let folders = with_data(base.path());
    let store = Store::of(&crate::settings::EnvironmentName::demo(), &folders.data);
    store.make().expect("made");
    for (name, kept) in
        [("terraform.tfstate", true), ("runs/0001/run.json", true), ("module/main.tf", false), ("working", false)]
    {
        let path = store.folder().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, "{}").expect("written");
        let listed = files_below(&folders.data).expect("listed").contains(&Path::new("provisioning").join(name));
        assert_eq!(listed, kept, "{name}");
    }
    let ticket = Ticket::take(&store, &store.lock().expect("locked"), 7, Job::Plan).expect("a ticket");
    let file = base.path().join("backup.tar.gz");
    back_up(&folders, &file).expect("a backup disturbs nobody");
    let words = delete(&folders).expect_err("a run is at work").to_string();
    assert!(words.contains("run 7 is at work there"), "{words}");
    assert!(matches!(restore(&folders, &file), Err(ArchiveError::Run { run: 7, .. })));
    drop(ticket);
    assert!(delete(&folders).expect("deleted"));
}
