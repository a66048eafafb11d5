use std::io::Write;

use super::*;
use crate::station::Variable;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("readings")
    }

    fn append(&self, bytes: &[u8]) {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(self.path());
        file.expect("opens").write_all(bytes).expect("written");
    }

    fn lines(&self) -> Lines {
        Lines::new(self.path())
    }
}

fn temperatures(items: &[Item]) -> Vec<f64> {
    items.iter().map(|item| item.outcome.as_ref().expect("a reading").values[0].1).collect()
}

fn reason(item: &Item) -> &str {
    &item.outcome.as_ref().expect_err("rejected").reason
}

#[test]
fn a_missing_file_is_waited_for_and_only_whole_lines_are_taken() {
    let desk = Desk::new();
    let mut lines = desk.lines();
    assert!(lines.drain_until(NOW, 10).is_empty());
    assert!(lines.state().ends_with("readings (isn't there yet; waiting for it)"), "{}", lines.state());
    let troubles = lines.troubles().expect("tells of it");
    assert!(lines.trouble().is_some_and(|words| words.contains("check source.path")), "{:?}", lines.trouble());
    desk.append(b"{\"temperatureC\":1}\n\n{\"temperatureC\":");
    assert_eq!(temperatures(&lines.drain_until(NOW, 10)), [1.0]);
    assert!(lines.state().ends_with("readings"));
    assert_eq!((lines.trouble(), troubles.has_changed().ok()), (None, Some(true)));
    assert!(lines.drain_until(NOW, 10).is_empty());
    desk.append(b"2}\r\n{\"temperatureC\":3}\n");
    assert_eq!(temperatures(&lines.drain_until(NOW, 1)), [2.0]);
    assert_eq!(temperatures(&lines.drain_until(NOW, 10)), [3.0]);
}

#[test]
fn every_position_resumes_with_the_line_after_it() {
    let desk = Desk::new();
    desk.append(b"{\"temperatureC\":1}\nrubbish\n\n{\"temperatureC\":2}\n{\"temperatureC\":3}\n");
    let items = desk.lines().drain_until(NOW, 10);
    assert_eq!(items.len(), 4);
    for (index, item) in items.iter().enumerate() {
        let mut lines = desk.lines();
        lines.resume(&item.position).expect("its own position");
        assert_eq!(lines.drain_until(NOW, 10), items[index + 1..]);
    }
    assert!(desk.lines().resume("2016-06-01T00:00:00Z").is_err());
}

#[test]
fn a_line_with_its_own_time_has_the_same_identity_each_time_it_is_read() {
    let desk = Desk::new();
    let line = "{\"measuredAt\":\"2026-06-01T12:00:00Z\",\"temperatureC\":1}\n";
    desk.append(line.repeat(2).as_bytes());
    desk.append(b"{\"temperatureC\":1}\nrubbish\n");
    let ids = || desk.lines().drain_until(NOW, 10).into_iter().map(|item| item.id).collect::<Vec<_>>();
    let first = ids();
    assert_eq!(ids(), first);
    assert!(first[0].is_some() && first[1].is_some() && first[0] != first[1], "two lines are two readings");
    assert_eq!(first[2..], [None, None]);
    // Another file at the same place.
    std::fs::rename(desk.path(), desk.folder.path().join("readings.1")).expect("renamed");
    desk.append(line.as_bytes());
    assert!(!first.contains(&ids()[0]));
    // The same file, begun anew.
    std::fs::write(desk.path(), line.replace(":1}", ":2}")).expect("written");
    let third = ids();
    std::fs::write(desk.path(), line.replace(":1}", ":3}")).expect("written");
    assert_ne!(ids(), third);
}

#[test]
fn a_truncated_file_is_read_from_its_start() {
    let desk = Desk::new();
    desk.append(b"{\"temperatureC\":1}\n{\"temperatureC\":2}\n");
    let mut lines = desk.lines();
    assert_eq!(lines.drain_until(NOW, 10).len(), 2);
    std::fs::write(desk.path(), b"{\"temperatureC\":3}\n").expect("written");
    let items = lines.drain_until(NOW, 10);
    assert_eq!(temperatures(&items), [3.0]);
    // The same after a restart.
    std::fs::write(desk.path(), b"{\"rainMm\":4}\n").expect("written");
    let mut lines = desk.lines();
    lines.resume(&items[0].position).expect("its own position");
    let items = lines.drain_until(NOW, 10);
    assert_eq!(items[0].outcome.as_ref().expect("a reading").values, [(Variable::Rain, 4.0)]);
}

#[test]
fn a_rotated_file_is_read_to_its_end_and_then_the_new_one() {
    let desk = Desk::new();
    desk.append(b"{\"temperatureC\":1}\n");
    let mut lines = desk.lines();
    let first = lines.drain_until(NOW, 10);
    desk.append(b"{\"temperatureC\":2}\n{\"temperat");
    std::fs::rename(desk.path(), desk.folder.path().join("readings.1")).expect("renamed");
    desk.append(b"{\"temperatureC\":3}\n{\"temperatureC\":4}\n{\"temperatureC\":5}\n");
    let items = lines.drain_until(NOW, 10);
    assert_eq!(items.len(), 5);
    assert_eq!(temperatures(&items[..1]), [2.0]);
    assert!(
        reason(&items[1]).ends_with("line at byte 38: unfinished when its file was replaced"),
        "{}",
        reason(&items[1])
    );
    assert_eq!(temperatures(&items[2..]), [3.0, 4.0, 5.0]);
    // Stopped before the rotation and started after it: the new file counts, though it is longer.
    let mut lines = desk.lines();
    lines.resume(&first[0].position).expect("its own position");
    assert_eq!(temperatures(&lines.drain_until(NOW, 10)), [3.0, 4.0, 5.0]);
}

#[test]
fn lines_that_are_no_readings_are_handed_over_with_their_reason() {
    let desk = Desk::new();
    let mut long = vec![b'x'; MAX_LINE + 10];
    long.push(b'\n');
    desk.append(b"{\"temp\":1}\n\xff\xfe\n");
    desk.append(&long);
    desk.append(b"{\"temperatureC\":\"\x1b[31m\"}\n{\"temperatureC\":7}\n");
    let items = desk.lines().drain_until(NOW, 10);
    assert!(
        reason(&items[0]).contains("readings, line at byte 0: temp: unknown field `temp`"),
        "{}",
        reason(&items[0])
    );
    assert!(reason(&items[1]).ends_with("line at byte 11: isn't UTF-8"), "{}", reason(&items[1]));
    assert!(reason(&items[2]).ends_with("65547 bytes long, at most 65,536 are taken"), "{}", reason(&items[2]));
    assert_eq!(items[2].outcome.as_ref().expect_err("rejected").raw.chars().count(), 4097);
    assert!(!reason(&items[3]).contains('\u{1b}'), "{}", reason(&items[3]));
    assert_eq!(temperatures(&items[4..]), [7.0]);
}

#[test]
fn a_folder_in_its_place_is_said() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path()).expect("made");
    let mut lines = desk.lines();
    assert!(lines.drain_until(NOW, 10).is_empty());
    assert!(lines.state().contains("isn't a regular file"), "{}", lines.state());
}

#[tokio::test]
async fn a_line_appended_while_it_waits_is_taken_within_seconds() {
    let desk = Desk::new();
    let mut lines = desk.lines();
    let clock = Clock::wall();
    let writer = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        desk.append(b"{\"temperatureC\":1}\n");
    };
    let next = tokio::time::timeout(Duration::from_secs(20), lines.next(&clock));
    let (item, ()) = tokio::join!(next, writer);
    let reading = item.expect("in time").expect("a line").outcome.expect("a reading");
    assert!((Timestamp::now().duration_since(reading.measured_at)).as_secs() < 20);
}
