use std::collections::BTreeSet;

use super::super::Outbox;
use super::super::samples::measurement;
use super::*;

/// An outbox of `count` messages, closed; answers their identities.
async fn filled(path: &Path, count: i64) -> Vec<String> {
    let outbox = Outbox::open(path, 1_000_000).expect("opens");
    let messages: Vec<_> =
        (0..count).map(|i| measurement(Timestamp::from_second(1_800_000_000 + i).expect("in range"))).collect();
    let ids = messages.iter().map(|message| message.message_id().as_str().to_owned()).collect();
    outbox.append(messages, vec![("source.position".into(), "17".into())]).await.expect("appends");
    outbox.set_aside("{".into(), "why".into(), Timestamp::UNIX_EPOCH).await.expect("sets aside");
    drop(outbox);
    // The last handle's writer closes the file on its thread; what is in the log is put into the file here.
    let connection = Connection::open(path).expect("opens");
    connection.busy_timeout(std::time::Duration::from_secs(10)).expect("set");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("written back");
    ids
}

/// Overwrites whole pages of the table's leaves: those that hold the identities.
fn spoil(path: &Path, ids: &[&str]) {
    let mut bytes = std::fs::read(path).expect("read");
    for id in ids {
        let place = bytes.windows(id.len()).position(|window| window == id.as_bytes()).expect("is there");
        let page = place / 4096 * 4096;
        bytes[page..page + 4096].fill(0xa5);
    }
    std::fs::write(path, bytes).expect("written");
}

#[tokio::test]
async fn what_can_be_read_of_a_broken_outbox_is_saved_and_the_rest_is_said() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("outbox.db");
    let ids = filled(&path, 5000).await;
    spoil(&path, &[&ids[100], &ids[3000]]);
    let outbox = Outbox::open(&path, 1_000_000).expect("opens");
    let rows = outbox.peek(0, 10_000).await.expect("peeks");
    let left: BTreeSet<&str> = rows.iter().map(|row| row.message_id.as_str()).collect();
    let lost = ids.iter().filter(|id| !left.contains(id.as_str())).count();
    assert!((2..60).contains(&lost), "two pages' messages are lost, not {lost}");
    assert!(!left.contains(ids[100].as_str()) && left.contains(ids[4999].as_str()));
    assert_eq!(outbox.status().borrow().rows, rows.len() as u64);
    assert_eq!(outbox.state("source.position").await.expect("reads").as_deref(), Some("17"));
    assert_eq!(outbox.set_aside_list(5).await.expect("lists").len(), 1);
    let (count, words) = outbox.salvages().await.expect("reads");
    let words = words.expect("said");
    assert_eq!(count, 1);
    assert!(words.contains(&format!("{} messages saved, 2 gaps", rows.len())), "{words}");
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .expect("read")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().any(|name| name.starts_with("outbox.broken-") && name.ends_with(".db")), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("outbox.broken-") && name.ends_with(".txt")), "{names:?}");
    assert!(crate::database::check(&path).expect("looks").is_empty());
}

#[tokio::test]
async fn a_broken_page_of_the_state_takes_one_of_its_two_copies() {
    for (copies, known) in [(1, Some("17")), (2, None)] {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("outbox.db");
        filled(&path, 100).await;
        spoil(&path, &["source.position"; 2][..copies]);
        let outbox = Outbox::open(&path, 100).expect("opens");
        assert_eq!(outbox.state("source.position").await.expect("reads").as_deref(), known, "{copies} broken");
        let (count, words) = outbox.salvages().await.expect("reads");
        let words = words.expect("said");
        assert_eq!((count, words.contains("is lost: it is read anew")), (1, known.is_none()), "{words}");
        assert_eq!(outbox.status().borrow().rows, 100);
        // The new file has both again.
        outbox.put_state(vec![("k".into(), "1".into())]).await.expect("puts");
        outbox.put_state(vec![("k".into(), "2".into())]).await.expect("puts");
        drop(outbox);
        let connection = Connection::open(&path).expect("opens");
        let differ =
            "SELECT count(*) FROM state FULL JOIN state_copy USING (key) WHERE state.value IS NOT state_copy.value";
        let differ: i64 = connection.query_row(differ, [], |row| row.get(0)).expect("reads");
        assert_eq!(differ, 0);
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_any_more_gives_way_and_a_clean_end_isnt_looked_at() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("outbox.db");
    filled(&path, 100).await;
    let outbox = Outbox::open(&path, 100).expect("opens");
    assert_eq!(outbox.salvages().await.expect("reads"), (0, None), "a sound file stays");
    outbox.note_clean_end();
    drop(outbox);
    assert!(ends::take_clean(&path), "noted");
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[..4096].fill(0);
    std::fs::write(&path, bytes).expect("written");
    drop(std::fs::remove_file(with_suffix(&path, "-wal")));
    let outbox = Outbox::open(&path, 100).expect("opens");
    assert_eq!(outbox.status().borrow().rows, 0);
    let (count, words) = outbox.salvages().await.expect("reads");
    assert!(count == 1 && words.expect("said").contains("is lost: it is read anew"));
}

#[tokio::test]
async fn a_salvage_that_was_cut_short_is_finished_or_done_again() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("outbox.db");
    let ids = filled(&path, 1000).await;
    // Cut short before the new file was whole: the broken one is still in its place.
    std::fs::write(beside(&path, "salvaged"), "half").expect("written");
    spoil(&path, &[&ids[500]]);
    let outbox = Outbox::open(&path, 10_000).expect("opens");
    let saved = outbox.status().borrow().rows;
    assert!(saved > 950, "{saved}");
    drop(outbox);
    // Cut short between the two renames.
    let connection = Connection::open(&path).expect("opens");
    connection.busy_timeout(std::time::Duration::from_secs(10)).expect("set");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("written back");
    drop(connection);
    std::fs::rename(&path, beside(&path, "salvaged")).expect("renamed");
    drop(std::fs::remove_file(with_suffix(&path, "-wal")));
    drop(std::fs::remove_file(with_suffix(&path, "-shm")));
    let outbox = Outbox::open(&path, 10_000).expect("opens");
    assert_eq!(outbox.status().borrow().rows, saved);
}

#[tokio::test]
async fn thirty_days_of_full_readings_fit_into_half_a_gigabyte() {
    use crate::station::{Message, Variable, WeatherMeasurement};
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("outbox.db");
    let outbox = Outbox::open(&path, 1_000_000).expect("opens");
    let boot = outbox.enter_boot("143bca0c-20f8-4630-968c-6732e252627b").await.expect("enters");
    let rows: i64 = 20_000;
    for chunk in 0..rows / 1000 {
        let messages = (0..1000).map(|i| {
            let at = Timestamp::from_nanosecond(
                (1_800_000_000 + i128::from(chunk * 1000 + i) * 5) * 1_000_000_000 + 123_456_789,
            );
            let mut measurement = WeatherMeasurement::empty("station-roof-0001", at.expect("in range"));
            for (index, variable) in Variable::ALL.into_iter().enumerate() {
                measurement.set(variable, Some(10.25 + (i * 7 + index as i64) as f64 % 50.0 / 3.0));
            }
            let stamp = super::super::Stamp { boot: boot.id, boot_ns: chunk * 1000 + i, held: false };
            super::super::Dated { message: Message::WeatherMeasurement(measurement), stamp: Some(stamp) }
        });
        outbox.append_dated(messages.collect(), Vec::new()).await.expect("appends");
    }
    drop(outbox);
    let connection = Connection::open(&path).expect("opens");
    connection.busy_timeout(std::time::Duration::from_secs(10)).expect("set");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("written back");
    let bytes = std::fs::metadata(&path).expect("there").len();
    // The log beside it grows to 4 MiB at most between bursts.
    let month = bytes * 518_400 / rows.unsigned_abs() + 4 * 1024 * 1024;
    println!("{} bytes a message, {} MB for 518,400", bytes / rows.unsigned_abs(), month / 1_000_000);
    assert!(month < 500_000_000, "{month} bytes");
}
