//! An environment as its viewers see it: in the owner's process and behind its socket.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

use std::path::Path;
use std::time::Duration;

use skydeck::owner::{
    self, Answer, AskError, LogBuffer, OwnerClient, Request, Running, StartError, StorageAnswer, StorageAsk, Trace,
};
use skydeck::settings::{EnvironmentName, Folders, Settings, SourceKind};
use skydeck::station::Variable;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const PATIENCE: Duration = Duration::from_secs(60);

fn folders(root: &Path) -> Folders {
    Folders { data: root.join("data"), runtime: root.join("run"), state: root.join("state") }
}

async fn demo(root: &Path) -> Running {
    start(root, Settings::default()).await.expect("the demo starts")
}

async fn start(root: &Path, settings: Settings) -> Result<Running, StartError> {
    let mut running = owner::start(EnvironmentName::demo(), settings, folders(root), LogBuffer::new()).await?;
    running.ready().await?;
    Ok(running)
}

/// Settings under which a batch window is half a second.
fn fast() -> Settings {
    let mut settings = Settings::default();
    settings.source.speed = 600;
    settings.source.backlog_days = 1;
    settings
}

async fn wait_for(client: &OwnerClient, what: &str, condition: impl Fn(&owner::Snapshot) -> bool) {
    let mut snapshots = client.snapshots();
    let waited = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| condition(snapshot))).await;
    assert!(matches!(waited, Ok(Ok(_))), "not seen: {what}");
}

fn rows(snapshot: &owner::Snapshot, pipe: &str) -> u64 {
    snapshot.pipes.iter().find(|p| p.name == pipe).map_or(0, |p| p.rows)
}

async fn trace(client: &OwnerClient, id: Option<String>) -> Result<Trace, AskError> {
    match client.ask(Request::Trace { message_id: id, rows: false }).await? {
        Answer::Trace(trace) => Ok(*trace),
        other => panic!("not a trace: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_back_log_travels_the_whole_way_and_a_restart_goes_on() {
    let root = tempfile::tempdir().expect("temporary folder");
    let running = start(root.path(), fast()).await.expect("starts");
    let client = running.client();
    wait_for(&client, "a day of rows", |s| rows(s, "WEATHER_PIPE_DQ_DEMO") >= 1440).await;
    wait_for(&client, "verified nowcasts", |s| {
        s.verification.iter().any(|score| score.variable == Variable::Temperature && score.count > 0)
    })
    .await;
    wait_for(&client, "health in its table", |s| rows(s, "WEATHER_PIPE_HEALTH_DQ_DEMO") > 0).await;

    // A row is there a moment before its load is written down; asked in between, that hop's time is the table's.
    let stamped = async {
        loop {
            let way = trace(&client, None).await.expect("the newest row has a way");
            if way.hops.last().is_some_and(|hop| hop.monotonic) {
                break way;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let way = tokio::time::timeout(PATIENCE, stamped).await.expect("its load is written down");
    let times: Vec<_> = way.hops.iter().filter_map(|hop| hop.at).collect();
    assert_eq!(times.len(), 6, "every hop has its time: {way:?}");
    assert!(times.is_sorted(), "{way:?}");
    assert!(way.hops[2].monotonic && way.hops[5].monotonic, "{way:?}");
    assert_eq!(way.table.as_deref(), Some("WEATHER_JSON_DEMO"));
    assert!(matches!(trace(&client, Some("nobody".into())).await, Err(AskError::Refused(_))));

    let snapshot = client.snapshots().borrow().clone();
    let newest = snapshot.now.measurement.clone().expect("a measurement");
    assert_eq!(newest.sound_dba, None, "a sensor that isn't there is absent");
    assert!(snapshot.nowcast.is_some());
    running.shutdown().await;

    let again = start(root.path(), fast()).await.expect("starts again");
    let first = again.client().snapshots().borrow().clone();
    assert!(first.clock.now() >= newest.measured_at, "the replay goes on where it stopped");
    wait_for(&again.client(), "rows after the restart", |s| rows(s, "WEATHER_PIPE_DQ_DEMO") > 1445).await;
    let duplicates: u64 = again.client().snapshots().borrow().pipes.iter().map(|p| p.duplicates).sum();
    assert_eq!(duplicates, 0, "an orderly end doubles nothing");
    again.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_viewers_see_the_same_and_a_second_owner_is_refused() {
    let root = tempfile::tempdir().expect("temporary folder");
    let running = demo(root.path()).await;
    match start(root.path(), Settings::default()).await.map(|_| ()) {
        Err(error @ StartError::Lock(_)) => {
            let words = error.to_string();
            assert!(words.contains(&std::process::id().to_string()), "{words}");
        }
        other => panic!("a second owner: {other:?}"),
    }
    let folders = folders(root.path());
    let one = owner::attach(&folders).await.expect("attaches").expect("is there");
    let two = owner::attach(&folders).await.expect("attaches").expect("is there");
    let answer = one.ask(Request::SetSpeed { speed: 120 }).await.expect("done");
    assert!(matches!(answer, Answer::Done { .. }));
    for client in [&running.client(), &one, &two] {
        wait_for(client, "the new speed", |s| s.clock.speed() == 120).await;
    }
    let refused = two.ask(Request::SetSpeed { speed: 601 }).await.expect_err("too fast");
    assert!(refused.to_string().contains("1 to 600"), "{refused}");
    let refused = two.ask(Request::AcknowledgeAlarm { rule: "no\u{1b}[2J".into() }).await.expect_err("not raised");
    assert!(!refused.to_string().contains('\u{1b}'), "{refused:?}");

    running.shutdown().await;
    let mut snapshots = one.snapshots();
    let gone = async { while snapshots.changed().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, gone).await.expect("a viewer hears that the owner is gone");
    assert!(matches!(one.ask(Request::Messages { limit: 1 }).await, Err(AskError::Gone)));
    assert!(owner::attach(&folders).await.expect("looks").is_none(), "nobody is left to attach to");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_talks_rubbish_is_told_and_harms_nobody() {
    let root = tempfile::tempdir().expect("temporary folder");
    let running = demo(root.path()).await;
    let stream = tokio::net::UnixStream::connect(folders(root.path()).socket()).await.expect("connects");
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    for (request, words) in [
        ("rubbish\n", "not JSON"),
        ("{\"v\":99,\"id\":7,\"request\":{\"kind\":\"subscribe\"}}\n", "protocol 1"),
        ("{\"v\":1,\"id\":8,\"request\":{\"kind\":\"dance\"}}\n", "not understood"),
    ] {
        writer.write_all(request.as_bytes()).await.expect("written");
        let reply = lines.next_line().await.expect("read").expect("a line");
        assert!(reply.contains("refused") && reply.contains(words), "{request} → {reply}");
    }
    // The owner may close before it has all been written.
    drop(writer.write_all(&vec![b'x'; 520 * 1024]).await);
    assert!(matches!(lines.next_line().await, Ok(None) | Err(_)), "an endless line ends the connection");
    let other = owner::attach(&folders(root.path())).await.expect("attaches").expect("still there");
    assert!(matches!(other.ask(Request::Messages { limit: 5 }).await, Ok(Answer::Messages { .. })));
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_ends_says_so_and_everything_of_it_is_loaded() {
    let root = tempfile::tempdir().expect("temporary folder");
    let series = root.path().join("series.csv");
    let mut csv = "time_utc,temperature_c,humidity_pct,pressure_hpa,ghi_w_m2\n".to_owned();
    for minute in 0..60 {
        csv += &format!("2016-06-01T{:02}:{:02}:00Z,{},60,958.0,0\n", minute / 60, minute % 60, 10 + minute % 5);
    }
    std::fs::write(&series, csv).expect("written");
    let mut settings = fast();
    settings.source.path = Some(series);
    settings.source.backlog_days = 0;
    let running = start(root.path(), settings).await.expect("starts");
    let client = running.client();
    wait_for(&client, "the end", |s| s.devices.iter().any(|d| d.source_ended)).await;
    wait_for(&client, "every row", |s| rows(s, "WEATHER_PIPE_DQ_DEMO") == 60).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(client.snapshots().borrow().alarms.is_empty(), "an end is no alarm");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_failure_raises_nothing_after_a_restart_and_a_paused_pipe_does() {
    let root = tempfile::tempdir().expect("temporary folder");
    let mut settings = fast();
    settings.alarms.hold_s = 0;
    settings.alarms.notice_age_s = 60;
    let running = start(root.path(), settings.clone()).await.expect("starts");
    let client = running.client();
    let raised = |snapshot: &owner::Snapshot, rule: &str| snapshot.alarms.iter().any(|alarm| alarm.rule == rule);
    let pipe = || "WEATHER_PIPE_DQ_DEMO".to_owned();
    let bad = root.path().join("data/containers/json-blob-messages/skydeck-hub/0/bad");
    std::fs::create_dir_all(bad.parent().expect("a folder")).expect("made");
    std::fs::write(
        &bad, "{oops
",
    )
    .expect("written");
    client.ask(Request::RefreshPipe { pipe: pipe() }).await.expect("refreshed");
    wait_for(&client, "the failure's alarm", |s| raised(s, "load-errors")).await;
    client.ask(Request::PausePipe { pipe: pipe(), paused: true }).await.expect("paused");
    wait_for(&client, "the paused pipe's alarm", |s| raised(s, "notice-age")).await;
    client.ask(Request::PausePipe { pipe: pipe(), paused: false }).await.expect("resumed");
    wait_for(&client, "both alarms gone", |s| !raised(s, "notice-age") && !raised(s, "load-errors")).await;
    // The clock goes on from the newest stamp: one has to be later than the hour in which the failure is news.
    let loaded = rows(&client.snapshots().borrow(), "WEATHER_PIPE_DQ_DEMO");
    wait_for(&client, "a later row", |s| rows(s, "WEATHER_PIPE_DQ_DEMO") > loaded).await;
    running.shutdown().await;

    let again = start(root.path(), settings).await.expect("starts again");
    let client = again.client();
    wait_for(&client, "the old failure in the counts", |s| s.pipes.iter().any(|p| p.files_failed == 1)).await;
    wait_for(&client, "more rows", |s| rows(s, "WEATHER_PIPE_DQ_DEMO") > 1450).await;
    assert!(!raised(&client.snapshots().borrow(), "load-errors"), "an hour ago is old news");
    again.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_that_another_program_appends_are_taken_in_and_rubbish_is_kept_aside() {
    let root = tempfile::tempdir().expect("temporary folder");
    let file = root.path().join("readings.jsonl");
    std::fs::write(
        &file,
        "{\"temperatureC\": 14.2}\n{\"temperatureC\": \"warm\"}\n{\"temperatureC\": 999}\n{\"colour\": 1}\n",
    )
    .expect("written");
    let mut settings = Settings::default();
    settings.source.kind = SourceKind::Lines;
    settings.source.path = Some(file.clone());
    let running = start(root.path(), settings.clone()).await.expect("starts");
    let client = running.client();
    wait_for(&client, "two readings", |s| s.now.received == 2).await;
    wait_for(&client, "three set aside", |s| s.devices[0].set_aside == 3).await;
    running.shutdown().await;

    use std::io::Write;
    let mut appended = std::fs::OpenOptions::new().append(true).open(&file).expect("opened");
    writeln!(appended, "{{\"temperatureC\": 15.0, \"humidityPct\": 70}}").expect("appended");
    let again = start(root.path(), settings).await.expect("starts again");
    wait_for(&again.client(), "the third reading alone", |s| s.now.received == 1).await;
    let newest = again.client().snapshots().borrow().now.measurement.clone().expect("a measurement");
    assert_eq!((newest.temperature_c, newest.humidity_pct), (Some(15.0), Some(70.0)));
    again.shutdown().await;
}

#[tokio::test]
async fn a_broken_folder_is_refused_in_words() {
    let root = tempfile::tempdir().expect("temporary folder");
    std::fs::write(root.path().join("data"), "a file").expect("written");
    let refused = start(root.path(), Settings::default()).await;
    let words = refused.err().expect("refused").to_string();
    assert!(words.contains("data") && words.contains("--data-dir"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_shows_what_was_written_and_a_restart_knows_it() {
    let root = tempfile::tempdir().expect("temporary folder");
    let running = start(root.path(), fast()).await.expect("starts");
    let client = running.client();
    let container = |snapshot: &owner::Snapshot| {
        let storage = snapshot.storage.as_ref()?;
        storage.containers.iter().find(|found| found.name == "json-blob-messages").cloned()
    };
    let has_three = |s: &owner::Snapshot| container(s).is_some_and(|found| found.per_hour.iter().sum::<u32>() >= 3);
    wait_for(&client, "batches", has_three).await;
    let snapshot = client.snapshots().borrow().clone();
    let storage = snapshot.storage.as_ref().expect("its own");
    assert!(storage.own && storage.queue.is_some() && storage.expiries.is_empty());
    let found = container(&snapshot).expect("known");
    assert_eq!((found.per_hour.len(), found.empty, found.gaps, found.trouble), (24, 0, None, None));
    assert!(found.bytes > 0);

    let ask = |ask: StorageAsk| client.ask(Request::Storage(ask));
    let name = "json-blob-messages".to_owned();
    let listed = ask(StorageAsk::Batches { container: name.clone(), limit: 2 }).await.expect("listed");
    let Answer::Storage(StorageAnswer::Batches { batches, since: None }) = listed else { panic!("{listed:?}") };
    assert_eq!(batches.len(), 2);
    assert!(batches[0].written_at >= batches[1].written_at && batches[0].bytes > 0, "{batches:?}");
    let file = batches[0].name.clone();
    let lines = |from, count| StorageAsk::Lines { container: name.clone(), file: file.clone(), from, count };
    let read = ask(lines(2, 1)).await.expect("read");
    let Answer::Storage(StorageAnswer::Lines { lines: second, more: true }) = read else { panic!("{read:?}") };
    assert_eq!((second.len(), second[0].number), (1, 2));
    assert!(second[0].text.contains("\"Body\""), "{second:?}");
    let read = ask(lines(100_000, 1)).await.expect("read");
    assert_eq!(read, Answer::Storage(StorageAnswer::Lines { lines: Vec::new(), more: false }));

    for (asked, words) in [
        (StorageAsk::Batches { container: "../agent".into(), limit: 1 }, "none of batches"),
        (StorageAsk::Lines { container: "pictures".into(), file: file.clone(), from: 1, count: 1 }, "none of batches"),
        (
            StorageAsk::Lines { container: name.clone(), file: "../../notices.db".into(), from: 1, count: 1 },
            "not in container",
        ),
        (StorageAsk::TakePoison { id: "1".into() }, "aside by itself"),
    ] {
        let error = ask(asked).await.expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
    let newest = batches[0].clone();
    running.shutdown().await;

    let again = demo(root.path()).await;
    let client = again.client();
    wait_for(&client, "batches of before", |s| {
        container(s).and_then(|found| found.newest).is_some_and(|known| known.written_at >= newest.written_at)
    })
    .await;
    let listed =
        client.ask(Request::Storage(StorageAsk::Batches { container: name, limit: 5000 })).await.expect("listed");
    let Answer::Storage(StorageAnswer::Batches { batches, .. }) = listed else { panic!("{listed:?}") };
    assert!(batches.contains(&newest), "{newest:?} isn't known any more");
    again.shutdown().await;
}
