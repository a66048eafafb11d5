use super::samples::{at, measurement, prediction};
use super::*;

#[tokio::test]
async fn what_is_appended_is_there_after_a_restart_in_order_and_with_its_state() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("outbox.db");
    let outbox = Outbox::open(&path, 100).expect("opens");
    let (first, second) = (measurement(at("2016-06-08T00:00:00Z")), prediction(at("2016-06-07T23:00:00.5Z")));
    let state = vec![("replay.position".to_owned(), "17".to_owned())];
    outbox.append(vec![first.clone(), second.clone()], state).await.expect("appends");
    drop(outbox);

    let outbox = Outbox::open(&path, 100).expect("opens again");
    assert_eq!(outbox.state("replay.position").await.expect("reads").as_deref(), Some("17"));
    assert_eq!(outbox.state("nothing").await.expect("reads"), None);
    let rows = outbox.peek(0, 10).await.expect("peeks");
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].kind, rows[1].kind), (MessageKind::WeatherMeasurement, MessageKind::Prediction));
    assert_eq!(rows[1].measured_at, at("2016-06-07T23:00:00.5Z"));
    assert_eq!(rows[0].body, first.to_json());
    assert_eq!(rows[1].message_id, second.message_id().as_str());
    let bytes = (first.to_json().len() + second.to_json().len()) as u64;
    let expected = OutboxStatus {
        rows: 2,
        bytes,
        max_rows: 100,
        oldest_measured_at: Some(at("2016-06-07T23:00:00.5Z")),
        ..OutboxStatus::default()
    };
    assert_eq!(*outbox.status().borrow(), expected);
    assert_eq!(outbox.peek(rows[0].seq, 10).await.expect("peeks"), rows[1..]);
}

#[tokio::test]
async fn removing_counts_only_what_was_there() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 100).expect("opens");
    let messages: Vec<_> = (0..10).map(|minute| measurement(at(&format!("2016-06-08T00:0{minute}:00Z")))).collect();
    outbox.append(messages, Vec::new()).await.expect("appends");
    let seqs: Vec<i64> = outbox.peek(0, 100).await.expect("peeks").iter().map(|row| row.seq).collect();
    let mut status = outbox.status();
    status.borrow_and_update();
    outbox.remove(vec![seqs[4], seqs[0], seqs[1], seqs[0], 9999]).await.expect("removes");
    assert!(status.has_changed().expect("the outbox is open"));
    assert_eq!(status.borrow().rows, 7);
    assert_eq!(status.borrow().oldest_measured_at, Some(at("2016-06-08T00:02:00Z")));
    outbox.remove(seqs).await.expect("removes");
    assert_eq!(*outbox.status().borrow(), OutboxStatus { max_rows: 100, ..OutboxStatus::default() });
}

#[tokio::test]
async fn what_is_set_aside_leaves_the_queue_with_its_reason() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 100).expect("opens");
    let now = at("2016-06-08T00:00:00Z");
    outbox.append(vec![measurement(now)], Vec::new()).await.expect("appends");
    let row = outbox.peek(0, 1).await.expect("peeks").remove(0);
    outbox.set_aside("{rubbish".into(), "not JSON".into(), now).await.expect("sets aside");
    outbox.set_row_aside(row.clone(), "too large".into(), now).await.expect("sets aside");
    assert_eq!((outbox.status().borrow().rows, outbox.status().borrow().set_aside), (0, 2));
    let list = outbox.set_aside_list(10).await.expect("lists");
    assert_eq!(list, [(now, row.body, "too large".into()), (now, "{rubbish".into(), "not JSON".into())]);
}
