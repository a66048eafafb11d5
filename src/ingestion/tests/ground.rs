//! The ground changes while the pipeline runs on it: every message is in the table once, in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::ingestion::routing::UNROUTED;

/// Wall time that anything may take.
const SOON: Duration = Duration::from_secs(20);

/// A pipeline that runs, and its ground.
struct Running {
    applied: watch::Sender<Arc<Topology>>,
    log: EnqueuedLog,
    loader: Loader,
    batches: watch::Receiver<BatchStatus>,
    clock: Clock,
    folder: tempfile::TempDir,
    tasks: tokio::task::JoinSet<()>,
}

impl Running {
    /// The pipeline on its built-in ground, adopted as it is. Its clock runs ten minutes a second.
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let Bench { ground, keeper, log, batcher, loader, .. } = bench_in(folder.path()).await;
        let (batches, clock) = (batcher.status.subscribe(), batcher.clock.clone());
        let applied = watch::Sender::new(ground.borrow().clone());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(batcher.run());
        tasks.spawn(loader.clone().run());
        tasks.spawn(keeper.run(Ground::from(applied.subscribe()), ground));
        let running = Self { applied, log, loader, batches, clock, folder, tasks };
        running.apply(|_| {}).await;
        running
    }

    /// Applies the ground with a change, and waits until the pipeline runs on it. What has no time gets this one.
    async fn apply<R>(&self, change: impl FnOnce(&mut Topology) -> R) {
        let mut next = (**self.applied.borrow()).clone();
        change(&mut next);
        next.applied = true;
        // No two things are made at one time.
        let pipes = next.pipes.iter_mut().map(|pipe| &mut pipe.made);
        for made in next.containers.values_mut().chain(next.tables.values_mut()).chain(pipes) {
            *made = made.or_else(|| Some(Timestamp::now()));
        }
        let next = Arc::new(next);
        self.applied.send_replace(Arc::clone(&next));
        let mut ground = self.loader.ground.clone();
        self.until("the ground", || *ground.now() == *next).await;
    }

    async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let waited = tokio::time::timeout(SOON, async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "not seen: {what}; {:?}, {:?}",
            self.batches.borrow(),
            self.loader.status.borrow()
        );
    }

    /// Sends the measurement of a minute, enqueued now.
    async fn send(&self, minute: i64) {
        let message = enqueued(&Message::WeatherMeasurement(measurement(minute)));
        self.log.append(EnqueuedMessage { enqueued_at: self.clock.now(), ..message }).await.expect("appended");
    }

    async fn until_rows(&self, expected: i64) {
        let mut seen = 0;
        let waited = tokio::time::timeout(SOON, async {
            while seen != expected {
                tokio::time::sleep(Duration::from_millis(10)).await;
                seen = rows(&self.loader.warehouse).await;
            }
        });
        assert!(waited.await.is_ok(), "{seen} rows, not {expected}; {:?}", self.loader.status.borrow());
    }

    fn pipe(&self) -> super::super::loader::PipeStatus {
        self.loader.status.borrow().pipes["WEATHER_PIPE_DQ_DEMO"].clone()
    }

    /// What the trash holds, by the name it had.
    fn trash(&self) -> BTreeMap<String, std::path::PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("trash")).into_iter().flatten().flatten();
        let name = |path: &Path| path.file_name()?.to_str()?.rsplit_once('-').map(|(name, _)| name.to_owned());
        entries.filter_map(|entry| Some((name(&entry.path())?, entry.path()))).collect()
    }

    /// Each message is in the table once, whatever came twice.
    async fn each_once(mut self, expected: i64) {
        self.until_rows(expected).await;
        let distinct = self.loader.warehouse.database().read(|connection| {
            connection.query_row("SELECT count(DISTINCT message_id) FROM WEATHER_JSON_DEMO", [], |row| row.get(0))
        });
        assert_eq!(distinct.await.map_err(|error| error.to_string()), Ok(expected));
        assert_eq!(self.loader.notices.status().set_aside, 0);
        self.tasks.shutdown().await;
    }
}

fn measurements_pipe(topology: &Topology) -> super::super::topology::PipeTopology {
    topology.pipe_of(CONTAINER).expect("a pipe").clone()
}

fn endpoint_mut(topology: &mut Topology) -> &mut super::super::topology::Endpoint {
    topology.hub.as_mut().expect("a hub").endpoints.iter_mut().find(|e| e.container == CONTAINER).expect("an endpoint")
}

#[tokio::test]
async fn a_window_that_is_applied_holds_for_the_batch_that_is_open() {
    let running = Running::start().await;
    running.apply(|topology| endpoint_mut(topology).window = SignedDuration::from_hours(24 * 30)).await;
    running.send(0).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(running.batches.borrow().batches, 0, "a month's window is open");
    running
        .apply(|topology| {
            let endpoint = endpoint_mut(topology);
            endpoint.window = SignedDuration::from_secs(60);
            endpoint.file_name_format = "{YYYY}{MM}{DD}-{HH}{mm}/{partition}/{iothub}".into();
            topology.hub.as_mut().expect("a hub").name = "other-hub".into();
        })
        .await;
    running.until_rows(1).await;
    let (_, name, ..) = running.batches.borrow().last.clone().expect("a batch");
    assert!(name.starts_with("20160608-") && name.ends_with("/0/other-hub"), "{name}");
    // Two batches within one minute of the pipeline have names of their own.
    running.apply(|topology| endpoint_mut(topology).max_bytes = 1).await;
    for minute in 1..6 {
        running.send(minute).await;
    }
    running.each_once(6).await;
}

#[tokio::test]
async fn what_no_route_takes_waits_until_one_does() {
    let running = Running::start().await;
    running.send(0).await;
    let routes = running.applied.borrow().hub.clone().expect("a hub").routes;
    running.apply(|topology| topology.hub.as_mut().expect("a hub").routes.clear()).await;
    running.send(1).await;
    let waiting = || running.log.open_batches().into_iter().any(|(container, _)| container == UNROUTED);
    assert!(waiting());
    running.until_rows(1).await;
    running.apply(|topology| topology.hub.as_mut().expect("a hub").routes = routes).await;
    running.until_rows(2).await;
    assert!(!waiting());
    running.send(2).await;
    running.each_once(3).await;
}

#[tokio::test]
async fn what_no_route_takes_holds_nothing_up_near_a_replays_end() {
    let mut bench = bench().await;
    let start = at("2016-06-08T00:00:00Z");
    bench.batcher.clock = Clock::replay(start, 600, start + SignedDuration::from_hours(20));
    let (log, mut batches) = (bench.log.clone(), bench.batcher.status.subscribe());
    let mut stranger = enqueued(&Message::WeatherMeasurement(measurement(0)));
    stranger.content_type = None;
    log.append(stranger).await.expect("appended");
    let batcher = tokio::spawn(bench.batcher.run());
    tokio::time::sleep(Duration::from_millis(50)).await;
    log.append(enqueued(&Message::WeatherMeasurement(measurement(1)))).await.expect("appended");
    let cut = batches.wait_for(|status| status.batches == 1 && status.unrouted == 0);
    tokio::time::timeout(SOON, cut).await.expect("in time").expect("runs on");
    batcher.abort();
}

#[tokio::test]
async fn without_a_hub_nothing_is_taken_in_and_what_was_waits() {
    let running = Running::start().await;
    running.send(0).await;
    let hub = running.applied.borrow().hub.clone();
    running.apply(|topology| topology.hub = None).await;
    let refused = running.log.append(enqueued(&Message::WeatherMeasurement(measurement(1)))).await;
    assert!(refused.expect_err("no hub").to_string().contains("apply it again"));
    running.apply(|topology| topology.hub = hub).await;
    running.send(1).await;
    running.each_once(2).await;
}

#[tokio::test]
async fn a_destroyed_pipes_notices_wait_in_the_queue_until_it_is_back() {
    let running = Running::start().await;
    running.send(0).await;
    running.until_rows(1).await;
    running.loader.set_paused("WEATHER_PIPE_DQ_DEMO", true).await.expect("paused");
    let pipe = measurements_pipe(&running.applied.borrow());
    running.apply(|topology| topology.pipes.retain(|pipe| pipe.container != CONTAINER)).await;
    let unknown = running.loader.set_paused("WEATHER_PIPE_DQ_DEMO", true).await.expect_err("no such pipe");
    assert!(unknown.to_string().contains("WEATHER_PIPE_HEALTH_DQ_DEMO"), "{unknown}");
    running.send(1).await;
    running.until("a waiting notice", || running.loader.status.borrow().waiting == 1).await;
    assert_eq!(running.loader.notices.status().depth, 1);
    assert!(!running.loader.status.borrow().pipes.contains_key("WEATHER_PIPE_DQ_DEMO"));
    running
        .apply(|topology| topology.pipes.insert(0, super::super::topology::PipeTopology { made: None, ..pipe }))
        .await;
    running.until_rows(2).await;
    assert!(!running.pipe().paused, "a pipe that is made anew runs");
    // It has forgotten what the one before loaded, and so have its counts; messages are known by their identity.
    let counts = running.pipe().counts;
    assert_eq!((counts.loaded, counts.pending, counts.rows), (1, 0, 2), "{counts:?}");
    assert_eq!(running.loader.refresh("WEATHER_PIPE_DQ_DEMO", None, None).await.expect("refreshed"), 1);
    running.until("the duplicate", || running.pipe().counts.duplicates == 1).await;
    assert_eq!(
        running.loader.warehouse.copy_history(false, 10, None).await.expect("history").files.len(),
        3,
        "history is kept"
    );
    running.each_once(2).await;
}

#[tokio::test]
async fn a_destroyed_tables_rows_go_to_the_trash_and_its_pipe_stops() {
    let running = Running::start().await;
    running.send(0).await;
    running.until_rows(1).await;
    let table = measurements_pipe(&running.applied.borrow()).full_table;
    running.apply(|topology| topology.tables.remove(&table)).await;
    assert_eq!(rows(&running.loader.warehouse).await, 0);
    running.send(1).await;
    running.until("the pipe stopped", || running.pipe().stalled.is_some() && running.pipe().counts.pending == 1).await;
    let stall = running.pipe().stalled.expect("stalled");
    assert_eq!(stall.state(), "STOPPED_MISSING_TABLE");
    assert!(stall.to_string().contains(&table), "{stall}");
    let kept = rusqlite::Connection::open(&running.trash()["WEATHER_JSON_DEMO"]).expect("in the trash");
    let kept: i64 = kept.query_row("SELECT count(*) FROM WEATHER_JSON_DEMO", [], |row| row.get(0)).expect("rows");
    assert_eq!(kept, 1);
    running.apply(|topology| topology.tables.insert(table, None)).await;
    running.until_rows(1).await;
    running.send(2).await;
    running.each_once(2).await;
}

#[tokio::test]
async fn a_table_made_anew_under_its_name_is_an_empty_one_and_an_adopted_one_keeps_its_rows() {
    let running = Running::start().await;
    running.send(0).await;
    running.until_rows(1).await;
    let table = measurements_pipe(&running.applied.borrow()).full_table;
    running.apply(|_| {}).await;
    assert_eq!(rows(&running.loader.warehouse).await, 1);
    running.apply(|topology| topology.tables.insert(table, None)).await;
    assert_eq!(rows(&running.loader.warehouse).await, 0);
    assert_eq!(running.trash().len(), 1);
    running.send(1).await;
    running.each_once(1).await;
}

#[tokio::test]
async fn a_renamed_table_keeps_its_rows_with_a_pipe_and_without() {
    let running = Running::start().await;
    running.send(0).await;
    running.until_rows(1).await;
    let pipe = measurements_pipe(&running.applied.borrow());
    // A pipe's COPY names its table, so a rename makes the pipe anew.
    running
        .apply(|topology| {
            topology.pipes.remove(0);
            let made = topology.tables.remove(&pipe.full_table).flatten();
            topology.tables.insert("D.S.ROOF".into(), made);
        })
        .await;
    let count = async || {
        let sql = "SELECT count(*) FROM ROOF";
        running.loader.warehouse.database().read(|c| c.query_row(sql, [], |row| row.get::<_, i64>(0))).await.ok()
    };
    assert_eq!((count().await, running.trash().len()), (Some(1), 0));
    let (table, full_table) = ("ROOF".to_owned(), "D.S.ROOF".to_owned());
    let pipe = super::super::topology::PipeTopology { table, full_table, made: None, ..pipe };
    running.apply(|topology| topology.pipes.insert(0, pipe)).await;
    running.send(1).await;
    running.until_rows(2).await;
    assert_eq!((count().await, running.trash().len()), (Some(2), 0));
}

#[tokio::test]
async fn a_crash_between_the_trash_and_the_emptied_table_loses_nothing() {
    let bench = bench().await;
    let made = |topology: &Topology, at: &str| {
        let mut next = Topology { applied: true, ..topology.clone() };
        next.tables.values_mut().for_each(|made| *made = Some(self::at(at)));
        next
    };
    let first = made(&built_in(), "2026-01-01T00:00:00Z");
    bench.keeper.keep(&first).await.expect("in step");
    put(&bench, "hub/0/a", line(&Message::WeatherMeasurement(measurement(0))).as_bytes()).await;
    load_everything(&bench.loader).await;
    let second = made(&built_in(), "2026-01-02T00:00:00Z");
    // The crash: marked, and perhaps copied, but not emptied.
    let marked = bench.loader.warehouse.mark_dropped(&second).await.expect("marked");
    assert_eq!(marked.len(), 3);
    put(&bench, "hub/0/b", line(&Message::WeatherMeasurement(measurement(1))).as_bytes()).await;
    bench.keeper.keep(&second).await.expect("finished");
    assert_eq!(rows(&bench.loader.warehouse).await, 0);
    load_everything(&bench.loader).await;
    assert_eq!(rows(&bench.loader.warehouse).await, 1, "only what came after");
}

#[tokio::test]
async fn a_destroyed_containers_blobs_go_to_the_trash_and_messages_wait_for_it() {
    let running = Running::start().await;
    running.send(0).await;
    running.until_rows(1).await;
    // One file is noticed and not loaded yet when its container goes.
    running.loader.set_paused("WEATHER_PIPE_DQ_DEMO", true).await.expect("paused");
    running.send(1).await;
    running.until("a pending file", || running.pipe().counts.pending == 1).await;
    running.apply(|topology| topology.containers.remove(CONTAINER)).await;
    assert!(running.trash().contains_key(CONTAINER), "{:?}", running.trash());
    running.send(2).await;
    running.until("the missing container", || running.batches.borrow().missing.contains(CONTAINER)).await;
    running.loader.set_paused("WEATHER_PIPE_DQ_DEMO", false).await.expect("resumed");
    running.until("the pipe stopped", || running.pipe().stalled.is_some()).await;
    assert!(running.pipe().stalled.expect("stalled").to_string().contains(CONTAINER));
    running.apply(|topology| topology.containers.insert(CONTAINER.into(), None)).await;
    running.until_rows(3).await;
    assert!(running.batches.borrow().missing.is_empty());
    running.send(3).await;
    running.each_once(4).await;
}

#[tokio::test]
async fn what_is_announced_nowhere_is_loaded_by_a_refresh() {
    let running = Running::start().await;
    let announcement = running.applied.borrow().announcement.clone();
    running.apply(|topology| topology.announcement = None).await;
    running.send(0).await;
    running.until("a blob", || running.batches.borrow().unannounced.get(CONTAINER) == Some(&1)).await;
    assert_eq!(running.loader.notices.status().received, 0);
    let known = running.log.unannounced().await.expect("read");
    assert_eq!(known.get(CONTAINER), Some(&1), "a restart doesn't forget it");
    running.apply(|topology| topology.announcement = announcement).await;
    running.send(1).await;
    running.until_rows(1).await;
    assert_eq!(running.loader.refresh("WEATHER_PIPE_DQ_DEMO", None, None).await.expect("refreshed"), 1);
    running.log.settle(CONTAINER).await.expect("settled");
    assert!(running.log.unannounced().await.expect("read").is_empty());
    running.each_once(2).await;
}

#[tokio::test]
async fn what_was_announced_nowhere_comes_back_with_its_container_wherever_it_was_killed() {
    for killed_after in ["nothing", "the link", "the notice", "the load"] {
        let running = Running::start().await;
        let announcement = running.applied.borrow().announcement.clone();
        running.apply(|topology| topology.announcement = None).await;
        running.send(0).await;
        running.until("a blob", || running.batches.borrow().unannounced.get(CONTAINER) == Some(&1)).await;
        running.apply(|topology| topology.containers.remove(CONTAINER)).await;
        let refused =
            running.loader.refresh("WEATHER_PIPE_DQ_DEMO", None, None).await.expect_err("no container").to_string();
        assert!(refused.contains(CONTAINER) && refused.contains("trash"), "{refused}");
        // Half of what comes next may have been done by a process that was killed.
        let batch = running.log.unannounced_in(CONTAINER).await.expect("read").remove(0);
        let file = running.loader.containers.file(CONTAINER, &batch.name);
        if killed_after != "nothing" {
            assert!(running.loader.trash.bring_back(CONTAINER, &batch.name, &file).expect("linked"));
        }
        let event = BlobCreated::new(CONTAINER, &batch.name, 1, batch.cut_at, batch.id);
        if ["the notice", "the load"].contains(&killed_after) {
            running.loader.notices.push(&event).await.expect("announced");
        }
        running.apply(|topology| topology.containers.insert(CONTAINER.into(), None)).await;
        if killed_after == "the load" {
            running.until_rows(1).await;
        }
        running.apply(|topology| topology.announcement = announcement).await;
        running.until_rows(1).await;
        running.until("nothing unannounced", || running.batches.borrow().unannounced.is_empty()).await;
        assert!(running.log.unannounced().await.expect("read").is_empty(), "killed after {killed_after}");
        assert!(file.is_file(), "it is in its container again");
        running.send(1).await;
        running.until_rows(2).await;
        assert_eq!(running.pipe().counts.duplicates, 0, "killed after {killed_after}");
        running.each_once(2).await;
    }
}

#[tokio::test]
async fn tables_are_found_under_the_names_they_were_applied_with() {
    let bench = bench().await;
    put(&bench, "hub/0/a", line(&Message::WeatherMeasurement(measurement(0))).as_bytes()).await;
    load_everything(&bench.loader).await;
    let count = async |name: &'static str| {
        let sql = format!("SELECT count(*) FROM \"{name}\"");
        bench.loader.warehouse.database().read(move |c| c.query_row(&sql, [], |row| row.get::<_, i64>(0))).await.ok()
    };
    assert_eq!(count("WEATHER_JSON_DEMO").await, Some(1));
    let mut topology = Topology { applied: true, ..built_in() };
    let pipe = &mut topology.pipes[0];
    (pipe.table, pipe.full_table) = ("Roof \"A\"".into(), "D.S.Roof \"A\"".into());
    topology.tables.insert("D.S.Roof \"A\"".into(), Some(at("2026-01-01T00:00:00Z")));
    bench.keeper.keep(&topology).await.expect("in step");
    assert_eq!((count("Roof \"\"A\"\"").await, count("WEATHER_JSON_DEMO").await), (Some(1), None));
    let row = bench.loader.warehouse.find(None).await.expect("reads").expect("a row");
    assert_eq!((row.table.as_str(), row.pipe.as_deref()), ("Roof \"A\"", Some("WEATHER_PIPE_DQ_DEMO")));
    // A name that is the warehouse's own is left to it.
    let pipe = &mut topology.pipes[0];
    (pipe.table, pipe.full_table) = ("WEATHER_MEASUREMENTS_V".into(), "D.S.WEATHER_MEASUREMENTS_V".into());
    topology.tables.insert("D.S.WEATHER_MEASUREMENTS_V".into(), Some(at("2026-01-01T00:00:00Z")));
    bench.keeper.keep(&topology).await.expect("in step");
    assert_eq!(rows(&bench.loader.warehouse).await, 1);
}
