//! The way from the log to the table, with everything that can be wrong with a file.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::batching::{BatchStatus, Batcher};
use super::enqueued::{EnqueuedLog, EnqueuedMessage};
use super::keeper::Keeper;
use super::loader::{Loader, LoaderStatus};
use super::notices::{BlobCreated, NoticeQueue};
use super::pulse::Pulse;
use super::storage::Containers;
use super::topology::{Ground, MESSAGE_CONTAINERS, Topology};
use super::trash::Trash;
use super::warehouse::Warehouse;
use crate::clock::Clock;
use crate::clock::ledger::Ledger;
use crate::station::{Message, PictureTaken, SkyFeatures, Variable, WeatherMeasurement};

mod ground;

const CONTAINER: &str = "json-blob-messages";

struct Bench {
    /// What the pipeline runs on.
    ground: watch::Sender<Arc<Topology>>,
    keeper: Keeper,
    log: EnqueuedLog,
    batcher: Batcher,
    loader: Loader,
    _folder: Option<tempfile::TempDir>,
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a test's timestamp")
}

fn built_in() -> Topology {
    Topology::built_in("demo", "hub", SignedDuration::from_secs(300), 1_000_000)
}

async fn bench_in(folder: &Path) -> Bench {
    let clock = Clock::replay(at("2016-06-08T00:00:00Z"), 600, at("2016-06-30T00:00:00Z"));
    let ledger = Ledger::default();
    let sender = watch::Sender::new(Arc::new(built_in()));
    let ground = Ground::from(sender.subscribe());
    let log = EnqueuedLog::open(&folder.join("enqueued.db"), ground.clone()).expect("log opens");
    let notices = NoticeQueue::open(&folder.join("notices.db")).expect("queue opens");
    let containers = Containers::open(&folder.join("containers")).expect("containers open");
    let warehouse = Warehouse::open(&folder.join("warehouse.db")).expect("warehouse opens");
    let trash = Trash::new(&folder.join("trash"));
    let batcher = Batcher {
        log: log.clone(),
        containers: containers.clone(),
        trash: trash.clone(),
        notices: notices.clone(),
        ground: ground.clone(),
        clock: clock.clone(),
        ledger: ledger.clone(),
        status: watch::Sender::new(BatchStatus::default()),
    };
    let status = watch::Sender::new(LoaderStatus::default());
    let keeper = Keeper { warehouse: warehouse.clone(), containers: containers.clone(), trash: trash.clone() };
    keeper.keep(&sender.borrow().clone()).await.expect("in step");
    let resumed = Pulse::default();
    let loader = Loader { notices, containers, trash, ground, warehouse, clock, ledger, status, resumed };
    Bench { ground: sender, keeper, log, batcher, loader, _folder: None }
}

async fn bench() -> Bench {
    let folder = tempfile::tempdir().expect("temporary folder");
    let bench = bench_in(folder.path()).await;
    Bench { _folder: Some(folder), ..bench }
}

fn measurement(minute: i64) -> WeatherMeasurement {
    let mut measurement =
        WeatherMeasurement::empty("roof-01", at("2016-06-08T00:00:00Z") + SignedDuration::from_mins(minute));
    measurement.set(Variable::Temperature, Some(10.0 + minute as f64));
    measurement
}

fn enqueued(message: &Message) -> EnqueuedMessage {
    EnqueuedMessage {
        enqueued_at: message.measured_at(),
        device_id: message.device_id().to_owned(),
        message_id: Some(message.message_id().as_str().to_owned()),
        content_type: Some("application/json".into()),
        content_encoding: Some("utf-8".into()),
        properties: [("sentAt".to_owned(), message.measured_at().to_string())].into(),
        system_properties: [("connectionDeviceId".to_owned(), message.device_id().to_owned())].into(),
        body: message.to_json().into_bytes(),
    }
}

/// Runs the loader until the queue is empty and nothing is pending.
async fn load_everything(loader: &Loader) {
    let running = tokio::spawn(loader.clone().run());
    for _ in 0..500 {
        let is_idle = loader.notices.status().depth == 0 && {
            let mut pending = 0;
            for container in MESSAGE_CONTAINERS {
                pending += loader.warehouse.pending(container).await.expect("pending").len();
            }
            pending == 0
        };
        if is_idle && loader.status.borrow().pipes.len() == MESSAGE_CONTAINERS.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // What was loaded last has its status refreshed before the loader waits again.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    running.abort();
}

async fn rows(warehouse: &Warehouse) -> i64 {
    warehouse
        .database()
        .read(|c| c.query_row("SELECT count(*) FROM WEATHER_MEASUREMENTS_V", [], |row| row.get(0)))
        .await
        .expect("counts")
}

/// Puts a file into the container as if the hub had, and notices it.
async fn put(bench: &Bench, name: &str, content: &[u8]) {
    let path = bench.loader.containers.file(CONTAINER, name);
    std::fs::create_dir_all(path.parent().expect("has a parent")).expect("made");
    std::fs::write(&path, content).expect("written");
    notice(bench, name).await;
}

async fn notice(bench: &Bench, name: &str) {
    let event = BlobCreated::new(CONTAINER, name, 1, at("2016-06-08T00:05:00Z"), 0);
    bench.loader.notices.push(&event).await.expect("noticed");
}

/// The line of a routed blob that holds `message`.
fn line(message: &Message) -> String {
    serde_json::json!({
        "EnqueuedTimeUtc": "2016-06-08T00:00:01.0000000Z",
        "Properties": {},
        "SystemProperties": { "connectionDeviceId": message.device_id() },
        "Body": serde_json::from_str::<serde_json::Value>(&message.to_json()).expect("JSON"),
    })
    .to_string()
}

#[tokio::test]
async fn a_message_that_comes_twice_is_one_row_and_counted() {
    let bench = bench().await;
    for minute in 0..5 {
        let message = Message::WeatherMeasurement(measurement(minute));
        bench.log.append(enqueued(&message)).await.expect("appended");
        if minute == 3 {
            bench.log.append(enqueued(&message)).await.expect("appended again");
        }
    }
    bench.batcher.flush().await;
    assert!(bench.log.open_batches().is_empty());
    load_everything(&bench.loader).await;
    assert_eq!(rows(&bench.loader.warehouse).await, 5);
    let status = bench.loader.status.borrow().clone();
    let counts = &status.pipes["WEATHER_PIPE_DQ_DEMO"].counts;
    assert_eq!((counts.rows, counts.duplicates, counts.loaded, counts.failed), (5, 1, 1, 0));
    assert_eq!(counts.newest_row_at, Some(at("2016-06-08T00:04:00Z")));
}

#[tokio::test]
async fn a_bad_line_fails_its_file_with_its_number_and_the_next_file_loads() {
    let bench = bench().await;
    let good = |minute| line(&Message::WeatherMeasurement(measurement(minute)));
    put(&bench, "hub/0/bad", format!("{}\n{}\n{{\"Body\": tru\n", good(0), good(1)).as_bytes()).await;
    put(&bench, "hub/0/good", format!("{}\n", good(2)).as_bytes()).await;
    load_everything(&bench.loader).await;
    assert_eq!(rows(&bench.loader.warehouse).await, 1, "nothing of the bad file");
    let failed = bench.loader.warehouse.copy_history(true, 10, None).await.expect("history").files;
    assert_eq!((failed.len(), failed[0].file.as_str()), (1, "hub/0/bad"));
    let (text, line, column) = failed[0].error.clone().expect("an error");
    assert_eq!(line, Some(3));
    assert!(column.is_some() && text.contains("not JSON"), "{text}");
    assert!(bench.loader.containers.file(CONTAINER, "hub/0/bad").exists(), "the file is kept");
}

#[tokio::test]
async fn a_path_is_loaded_once_whatever_its_content() {
    let bench = bench().await;
    put(&bench, "hub/0/a", b"rubbish\n").await;
    load_everything(&bench.loader).await;
    let mended = line(&Message::WeatherMeasurement(measurement(0)));
    std::fs::write(bench.loader.containers.file(CONTAINER, "hub/0/a"), mended).expect("written");
    let again = BlobCreated {
        event_id: "again".into(),
        ..BlobCreated::new(CONTAINER, "hub/0/a", 1, at("2016-06-08T00:06:00Z"), 1)
    };
    bench.loader.notices.push(&again).await.expect("noticed");
    load_everything(&bench.loader).await;
    assert_eq!(rows(&bench.loader.warehouse).await, 0);
    assert_eq!(bench.loader.refresh("WEATHER_PIPE_DQ_DEMO", None, None).await.expect("refreshed"), 0);
}

#[tokio::test]
async fn what_is_no_readable_file_fails_and_says_why() {
    let bench = bench().await;
    std::fs::create_dir_all(bench.loader.containers.file(CONTAINER, "hub/0/folder")).expect("made");
    notice(&bench, "hub/0/folder").await;
    notice(&bench, "hub/0/missing").await;
    put(&bench, "hub/0/empty", b"").await;
    put(&bench, "hub/0/binary", b"\xff\xfe\n").await;
    let whole = line(&Message::WeatherMeasurement(measurement(0)));
    put(&bench, "hub/0/truncated", &whole.as_bytes()[..whole.len() - 7]).await;
    load_everything(&bench.loader).await;
    let history = bench.loader.warehouse.copy_history(false, 10, None).await.expect("history").files;
    let of = |name: &str| history.iter().find(|f| f.file == name).expect(name);
    assert_eq!(of("hub/0/empty").status, "Loaded");
    for (name, reason) in [
        ("hub/0/folder", "is a folder"),
        ("hub/0/missing", "can't be read"),
        ("hub/0/binary", "not UTF-8"),
        ("hub/0/truncated", "not JSON"),
    ] {
        assert_eq!(of(name).status, "Load failed", "{name}");
        assert!(of(name).error.as_ref().expect(name).0.contains(reason), "{name}: {:?}", of(name).error);
    }
}

#[tokio::test]
async fn a_body_that_is_no_message_is_kept_with_its_reason_and_out_of_the_view() {
    let bench = bench().await;
    let good = Message::WeatherMeasurement(measurement(0));
    let hot = line(&good)
        .replace("\"temperatureC\":10.0", "\"temperatureC\":310.0")
        .replace(good.message_id().as_str(), "hot");
    let foreign = line(&good)
        .replace("\"deviceId\":\"roof-01\"", "\"deviceId\":\"roof-02\"")
        .replace(good.message_id().as_str(), "foreign");
    let odd = line(&good)
        .replace("\"schema\":1", "\"schema\":1,\"colour\":\"red\"")
        .replace(good.message_id().as_str(), "odd");
    put(&bench, "hub/0/a", format!("{}\n{hot}\n{foreign}\n{odd}\n", line(&good)).as_bytes()).await;
    load_everything(&bench.loader).await;
    assert_eq!(rows(&bench.loader.warehouse).await, 1);
    let invalid: Vec<(String, String)> = bench
        .loader
        .warehouse
        .database()
        .read(|c| {
            let mut s = c.prepare(
                "SELECT message_id, invalid FROM WEATHER_JSON WHERE invalid IS NOT NULL ORDER BY message_id",
            )?;
            let rows = s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
            rows.collect()
        })
        .await
        .expect("reads");
    let reasons: Vec<_> = invalid.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(reasons, ["foreign", "hot", "odd"]);
    assert!(invalid[0].1.contains("sender"), "{}", invalid[0].1);
    assert!(invalid[1].1.contains("temperatureC 310 is outside -80 to 60"), "{}", invalid[1].1);
    assert!(invalid[2].1.contains("colour"), "{}", invalid[2].1);
}

#[tokio::test]
async fn a_paused_pipe_keeps_its_files_until_it_is_resumed() {
    let bench = bench().await;
    bench.loader.set_paused("weather_pipe_dq_demo", true).await.expect("paused");
    put(&bench, "hub/0/a", line(&Message::WeatherMeasurement(measurement(0))).as_bytes()).await;
    let running = tokio::spawn(bench.loader.clone().run());
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(rows(&bench.loader.warehouse).await, 0);
    assert_eq!(bench.loader.warehouse.pending(CONTAINER).await.expect("pending").len(), 1);
    bench.loader.set_paused("WEATHER_PIPE_DQ_DEMO", false).await.expect("resumed");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    running.abort();
    assert_eq!(rows(&bench.loader.warehouse).await, 1);
    assert!(bench.loader.set_paused("NOBODYS", true).await.is_err());
}

#[tokio::test]
async fn refresh_queues_what_was_never_noticed() {
    let bench = bench().await;
    let path = bench.loader.containers.file(CONTAINER, "hub/0/lost");
    std::fs::create_dir_all(path.parent().expect("parent")).expect("made");
    std::fs::write(&path, line(&Message::WeatherMeasurement(measurement(0)))).expect("written");
    assert_eq!(bench.loader.refresh("WEATHER_PIPE_DQ_DEMO", None, None).await.expect("refreshed"), 1);
    load_everything(&bench.loader).await;
    assert_eq!(rows(&bench.loader.warehouse).await, 1);
}

#[tokio::test]
async fn a_crash_between_blob_and_forgetting_doubles_nothing() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let name = {
        let bench = bench_in(folder.path()).await;
        for minute in 0..3 {
            bench.log.append(enqueued(&Message::WeatherMeasurement(measurement(minute)))).await.expect("appended");
        }
        let cut = bench
            .log
            .cut(CONTAINER, at("2016-06-08T00:05:00Z"), |n| format!("hub/0/b{n}"))
            .await
            .expect("cut")
            .expect("messages wait");
        // The blob is there, and a notice was even loaded, but the messages were not forgotten.
        let mut lines = String::new();
        for minute in 0..3 {
            lines.push_str(&line(&Message::WeatherMeasurement(measurement(minute))));
            lines.push('\n');
        }
        put(&bench, &cut.name, lines.as_bytes()).await;
        load_everything(&bench.loader).await;
        assert_eq!(rows(&bench.loader.warehouse).await, 3);
        cut.name
    };
    let bench = bench_in(folder.path()).await;
    assert!(bench.log.open_batches().is_empty(), "what was cut doesn't wait for another batch");
    assert_eq!(bench.log.unfinished().await.expect("unfinished").len(), 1);
    let log = bench.log.clone();
    let loader = bench.loader.clone();
    let batcher = tokio::spawn(bench.batcher.run());
    while !log.unfinished().await.expect("unfinished").is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    load_everything(&loader).await;
    batcher.abort();
    assert_eq!(rows(&loader.warehouse).await, 3);
    assert!(log.newest(1).await.expect("newest").is_empty());
    assert!(loader.warehouse.knows(CONTAINER, name).await.expect("known"));
}

#[tokio::test]
async fn what_no_route_takes_and_what_is_no_json_is_kept_aside() {
    let bench = bench().await;
    let mut stranger = enqueued(&Message::WeatherMeasurement(measurement(0)));
    stranger.content_type = None;
    bench.log.append(stranger).await.expect("appended");
    bench.batcher.flush().await;
    let blobs = bench.loader.containers.list("unrouted").await.expect("lists");
    assert_eq!(blobs.len(), 1);
    let content = bench.loader.containers.read("unrouted", &blobs[0].name).await.expect("reads");
    let row: serde_json::Value = serde_json::from_slice(&content).expect("JSON");
    assert!(row["Body"].is_string(), "without content type the body is base64: {row}");
    assert_eq!(bench.batcher.status.borrow().unrouted, 1);
    assert_eq!(bench.loader.notices.status().depth, 0);
}

#[tokio::test]
async fn what_comes_when_a_replay_has_ended_is_batched_all_the_same() {
    let mut bench = bench().await;
    let end = at("2016-06-08T00:00:00Z");
    bench.batcher.clock = Clock::replay(end, 600, end);
    let (log, status) = (bench.log.clone(), bench.batcher.status.subscribe());
    let batcher = tokio::spawn(bench.batcher.run());
    for batches in 1..=2 {
        let message = Message::WeatherMeasurement(measurement(i64::try_from(batches).expect("small")));
        log.append(enqueued(&message)).await.expect("appended");
        let mut status = status.clone();
        let cut = status.wait_for(|status| status.batches == batches);
        tokio::time::timeout(std::time::Duration::from_secs(20), cut).await.expect("in time").expect("runs on");
    }
    batcher.abort();
    assert!(log.open_batches().is_empty());
}

#[tokio::test]
async fn pictures_are_found_among_the_health_messages_newest_first() {
    let bench = bench().await;
    let picture = |minute: i64| {
        let taken_at = at("2016-06-08T00:00:00Z") + SignedDuration::from_mins(minute);
        Message::PictureTaken(PictureTaken {
            analysis: Some(SkyFeatures { cloud_cover_pct: Some(40.0), ..SkyFeatures::at(taken_at) }),
            ..PictureTaken::plain(&format!("roof-01/{minute}.jpg"), taken_at, 1000)
        })
    };
    for minute in 0..4 {
        bench.log.append(enqueued(&picture(minute))).await.expect("appended");
        bench.log.append(enqueued(&Message::WeatherMeasurement(measurement(minute)))).await.expect("appended");
    }
    bench.batcher.flush().await;
    load_everything(&bench.loader).await;
    let warehouse = &bench.loader.warehouse;
    let names = |found: Vec<PictureTaken>| found.into_iter().map(|note| note.blob_name).collect::<Vec<_>>();
    let newest = names(warehouse.pictures(Timestamp::MIN, Timestamp::MAX, 3).await.expect("found"));
    assert_eq!(newest, ["roof-01/3.jpg", "roof-01/2.jpg", "roof-01/1.jpg"]);
    let (from, to) = (at("2016-06-08T00:00:00Z"), at("2016-06-08T00:01:00Z"));
    let between = warehouse.pictures(from, to, 10).await.expect("found");
    assert_eq!(between[1].analysis.as_ref().and_then(|sky| sky.cloud_cover_pct), Some(40.0));
    assert_eq!(names(between), ["roof-01/1.jpg", "roof-01/0.jpg"]);
    // A year of health messages isn't gone through for them.
    let plan = warehouse.database().read(|connection| {
        connection.query_row(
            "EXPLAIN QUERY PLAN SELECT json_extract(variant, '$.Body') FROM WEATHER_HEALTH
             WHERE json_extract(variant, '$.Body.type') = 'PictureTaken' AND invalid IS NULL
             AND measured_at_ms BETWEEN 0 AND 1 ORDER BY measured_at_ms DESC LIMIT 3",
            [],
            |row| row.get::<_, String>(3),
        )
    });
    let plan = plan.await.expect("explained");
    assert!(plan.contains("WEATHER_HEALTH_PICTURES"), "{plan}");
}
