//! Messages a second from the station to the table, end to end and hop by hop, with the limits beside them:
//! a raw SQLite insert and a raw file append, each durable in groups as large as the hop's.
//!
//! `cargo bench --bench pipeline`; the figures are in `docs/src/performance.md`.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use skydeck::clock::Clock;
use skydeck::clock::ledger::Ledger;
use skydeck::edge_agent::outbox::Outbox;
use skydeck::edge_agent::uplink::meter::Meter;
use skydeck::edge_agent::uplink::{self, Credentials, Roots, UplinkSettings, UplinkStatus, Wiring};
use skydeck::ingestion::batching::{BatchStatus, Batcher};
use skydeck::ingestion::enqueued::{EnqueuedLog, EnqueuedMessage};
use skydeck::ingestion::loader::{Loader, LoaderStatus};
use skydeck::ingestion::notices::NoticeQueue;
use skydeck::ingestion::pulse::Pulse;
use skydeck::ingestion::storage::Containers;
use skydeck::ingestion::topology::{Ground, Topology};
use skydeck::ingestion::trash::Trash;
use skydeck::ingestion::warehouse::Warehouse;
use skydeck::local_cloud::hub::{self, HubConfig};
use skydeck::station::{Message, Variable, WeatherMeasurement};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Messages of one measurement.
const MESSAGES: u64 = 20_000;
/// Messages committed together where the hop itself takes lists.
const GROUP: usize = 500;
/// Bytes of a batch.
const MAX_BYTES: u64 = 1_000_000;

fn messages() -> Vec<Message> {
    let start: Timestamp = "2016-06-01T00:00:00Z".parse().expect("a timestamp");
    (0..MESSAGES)
        .map(|second| {
            let at = start + SignedDuration::from_secs(i64::try_from(second).expect("small"));
            let mut measurement = WeatherMeasurement::empty("roof-01", at);
            measurement.set(Variable::Temperature, Some(14.2));
            measurement.set(Variable::Humidity, Some(61.0));
            measurement.set(Variable::Pressure, Some(958.3));
            measurement.set(Variable::Light, Some(42_310.0));
            Message::WeatherMeasurement(measurement)
        })
        .collect()
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

/// Everything behind the hub, in `folder`.
struct Plant {
    ground: Ground,
    log: EnqueuedLog,
    batcher: Batcher,
    loader: Loader,
    clock: Clock,
    ledger: Ledger,
}

async fn plant(folder: &Path) -> Plant {
    let (clock, ledger) = (Clock::wall(), Ledger::default());
    let topology = Topology::built_in("bench", "bench", SignedDuration::from_secs(3600), MAX_BYTES);
    let ground = Ground::fixed(topology.clone());
    let log = EnqueuedLog::open(&folder.join("enqueued.db"), ground.clone()).expect("log");
    let notices = NoticeQueue::open(&folder.join("notices.db")).expect("queue");
    let containers = Containers::open(&folder.join("containers")).expect("containers");
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
    let warehouse = Warehouse::open(&folder.join("warehouse.db")).expect("warehouse");
    warehouse.take_over(&topology).await.expect("in step");
    let loader = Loader {
        notices,
        containers,
        trash,
        ground: ground.clone(),
        warehouse,
        clock: clock.clone(),
        ledger: ledger.clone(),
        status: watch::Sender::new(LoaderStatus::default()),
        resumed: Pulse::default(),
    };
    Plant { ground, log, batcher, loader, clock, ledger }
}

async fn fill_outbox(outbox: &Outbox, messages: &[Message]) {
    for group in messages.chunks(GROUP) {
        outbox.append(group.to_vec(), Vec::new()).await.expect("stored");
    }
}

async fn fill_log(log: &EnqueuedLog, messages: &[Message]) {
    // As many at once as a device has in flight: they share commits as they do in the hub.
    for group in messages.chunks(1024) {
        let mut tasks = tokio::task::JoinSet::new();
        for message in group {
            let (log, message) = (log.clone(), enqueued(message));
            tasks.spawn(async move { log.append(message).await.expect("logged") });
        }
        tasks.join_all().await;
    }
}

async fn wait_for_rows(status: &mut watch::Receiver<LoaderStatus>, rows: u64) {
    status.wait_for(|status| status.rows >= rows).await.expect("the loader runs");
}

/// Outbox, link over TLS, hub, batches, notices, loads: from stored readings to rows in the table.
async fn end_to_end(messages: &[Message]) -> Duration {
    let folder = tempfile::tempdir().expect("temporary folder");
    let plant = plant(folder.path()).await;
    let shutdown = CancellationToken::new();
    let config = HubConfig {
        listen: [127, 0, 0, 1].into(),
        port: 0,
        host_name: "bench".into(),
        folder: folder.path().join("hub"),
    };
    let (ground, log) = (plant.ground.clone(), plant.log.clone());
    let hub = hub::start(config, ground, log, plant.clock.clone(), plant.ledger.clone(), shutdown.clone())
        .await
        .expect("the hub starts");
    let key = hub.ensure_device("roof-01").await.expect("a device");
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1_000_000).expect("outbox");
    let started = Instant::now();
    let link = UplinkSettings::at(hub.address().ip().to_string(), hub.address().port(), "bench", "roof-01")
        .signed_in(Credentials::Key(key), Roots::Pem(hub.ca_pem()));
    let settings = watch::Sender::new(link);
    let (requests, asked) = mpsc::channel(uplink::REQUESTS);
    let reported = watch::Sender::new(serde_json::json!({}));
    drop(uplink::spawn(Wiring {
        outbox: outbox.clone(),
        clock: plant.clock.clone(),
        ledger: plant.ledger.clone(),
        settings: settings.subscribe(),
        status: watch::Sender::new(UplinkStatus::default()),
        requests,
        reported: reported.subscribe(),
        meter: Meter::default(),
        shutdown: shutdown.clone(),
    }));
    let mut rows = plant.loader.status.subscribe();
    let loader = tokio::spawn(plant.loader.run());
    fill_outbox(&outbox, messages).await;
    let mut waiting = outbox.status();
    // Batches are cut by size while messages flow; the last is cut once everything is at the hub.
    let log = plant.log.clone();
    let batcher = tokio::spawn(async move {
        loop {
            tokio::select! {
                () = log.grown() => {}
                done = waiting.wait_for(|status| status.rows == 0) => { drop(done); break }
            }
            if log.open_batches().iter().any(|(_, batch)| batch.bytes >= MAX_BYTES) {
                plant.batcher.flush().await;
            }
        }
        plant.batcher.flush().await;
    });
    wait_for_rows(&mut rows, messages.len() as u64).await;
    let elapsed = started.elapsed();
    shutdown.cancel();
    drop((asked, settings, reported));
    batcher.abort();
    loader.abort();
    elapsed
}

fn repeat<F: Future<Output = Duration>>(runtime: &Runtime, times: u64, mut once: impl FnMut() -> F) -> Duration {
    (0..times).map(|_| runtime.block_on(once())).sum()
}

fn benches(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let messages = messages();
    let mut group = criterion.benchmark_group("pipeline");
    group.sample_size(10).throughput(Throughput::Elements(MESSAGES)).measurement_time(Duration::from_secs(30));

    group.bench_function("end_to_end", |b| b.iter_custom(|n| repeat(&runtime, n, || end_to_end(&messages))));
    group.bench_function("hop/outbox_append", |b| {
        b.iter_custom(|n| {
            repeat(&runtime, n, || async {
                let folder = tempfile::tempdir().expect("temporary folder");
                let outbox = Outbox::open(&folder.path().join("outbox.db"), 1_000_000).expect("outbox");
                let started = Instant::now();
                fill_outbox(&outbox, &messages).await;
                started.elapsed()
            })
        });
    });
    group.bench_function("hop/hub_log", |b| {
        b.iter_custom(|n| {
            repeat(&runtime, n, || async {
                let folder = tempfile::tempdir().expect("temporary folder");
                let plant = plant(folder.path()).await;
                let started = Instant::now();
                fill_log(&plant.log, &messages).await;
                started.elapsed()
            })
        });
    });
    group.bench_function("hop/batch", |b| {
        b.iter_custom(|n| {
            repeat(&runtime, n, || async {
                let folder = tempfile::tempdir().expect("temporary folder");
                let plant = plant(folder.path()).await;
                fill_log(&plant.log, &messages).await;
                let started = Instant::now();
                plant.batcher.flush().await;
                started.elapsed()
            })
        });
    });
    group.bench_function("hop/load", |b| {
        b.iter_custom(|n| {
            repeat(&runtime, n, || async {
                let folder = tempfile::tempdir().expect("temporary folder");
                let plant = plant(folder.path()).await;
                fill_log(&plant.log, &messages).await;
                plant.batcher.flush().await;
                let mut rows = plant.loader.status.subscribe();
                let started = Instant::now();
                let loader = tokio::spawn(plant.loader.run());
                wait_for_rows(&mut rows, MESSAGES).await;
                let elapsed = started.elapsed();
                loader.abort();
                elapsed
            })
        });
    });
    for size in [1, GROUP] {
        group.bench_with_input(BenchmarkId::new("limit/sqlite_insert_commit_of", size), &size, |b, &size| {
            b.iter_custom(|n| (0..n).map(|_| raw_sqlite(&messages, size)).sum());
        });
        group.bench_with_input(BenchmarkId::new("limit/file_append_fsync_of", size), &size, |b, &size| {
            b.iter_custom(|n| (0..n).map(|_| raw_file(&messages, size)).sum());
        });
    }
    group.finish();
}

/// What SQLite alone takes for the same texts, `size` to a durable commit. Time is for all the messages;
/// single commits are measured on a twentieth of them.
fn raw_sqlite(messages: &[Message], size: usize) -> Duration {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut connection = rusqlite::Connection::open(folder.path().join("raw.db")).expect("opens");
    connection.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    connection.pragma_update(None, "synchronous", "FULL").expect("FULL");
    connection.execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)").expect("made");
    scaled(messages, size, |group| {
        let transaction = connection.transaction().expect("begins");
        for message in group {
            let mut insert = transaction.prepare_cached("INSERT INTO t(body) VALUES (?1)").expect("prepares");
            insert.execute([message.to_json()]).expect("inserts");
        }
        transaction.commit().expect("commits");
    })
}

/// What a file alone takes for the same lines, `size` to an fsync.
fn raw_file(messages: &[Message], size: usize) -> Duration {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut file = std::fs::File::create(folder.path().join("raw.jsonl")).expect("made");
    scaled(messages, size, |group| {
        let lines: String = group.iter().map(|m| m.to_json() + "\n").collect();
        file.write_all(lines.as_bytes()).expect("writes");
        file.sync_data().expect("syncs");
    })
}

fn scaled(messages: &[Message], size: usize, mut commit: impl FnMut(&[Message])) -> Duration {
    let share = if size == 1 { 20 } else { 1 };
    let started = Instant::now();
    messages[..messages.len() / share].chunks(size).for_each(&mut commit);
    started.elapsed() * u32::try_from(share).expect("small")
}

criterion_group!(pipeline, benches);
criterion_main!(pipeline);
