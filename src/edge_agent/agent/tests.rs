//! The agent without a link: what it measures, and what it does when the hub asks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::sky::{RgbPicture, encode};
use super::super::spool::{Mark, Note};
use super::super::uplink::control::{DeviceBound, HubRequest, MethodReply, TwinDocument};
use super::super::uplink::{Credentials, Metered, Roots};
use super::*;
use crate::settings::SourceKind;
use crate::station::{Message, MessageKind};

mod models;
mod sensing;
mod storage;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_link_that_panics_is_noticed_and_one_that_runs_is_not() {
    let mut fails = Some(tokio::spawn(async { panic!("on purpose") }));
    tokio::time::timeout(SOON, failed(&mut fails, Duration::ZERO)).await.expect("noticed");
    assert!(fails.is_some_and(|link| link.is_finished()));
    for mut runs in [None, Some(tokio::spawn(std::future::pending()))] {
        let waited = tokio::time::timeout(Duration::from_millis(50), failed(&mut runs, Duration::ZERO)).await;
        assert!(waited.is_err());
    }
}

/// An agent in `data` that follows `data/lines`.
async fn agent(data: &Path, camera: Option<String>) -> Agent {
    agent_with(data, camera, &ModelSettings::default()).await
}

async fn agent_with(data: &Path, camera: Option<String>, model: &ModelSettings) -> Agent {
    let source =
        SourceSettings { kind: SourceKind::Lines, path: Some(data.join("lines")), ..SourceSettings::default() };
    let camera = CameraSettings { command: camera, ..CameraSettings::default() };
    let setup = AgentSetup {
        data,
        station: &StationSettings::default(),
        quality: &crate::settings::QualitySettings::default(),
        sensors: &BTreeMap::new(),
        source: &source,
        agent: &AgentSettings::default(),
        camera: &camera,
        sky: &SkySettings::default(),
        model,
        link: &LinkSettings::default(),
        log_filter: "info",
        not_before: None,
        host: Host::default(),
    };
    Agent::open(setup).await.expect("opens").0
}

/// The parts that serve the hub and read, without a link.
struct Serving {
    requests: mpsc::Sender<HubRequest>,
    restart: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Serving {
    async fn start(agent: &mut Agent) -> Self {
        let shared = Arc::clone(&agent.shared);
        let (slot, orders) = mpsc::channel(4);
        let (asks, slot_asks) = mpsc::channel(4);
        let source = agent.opened.take().flatten();
        let reader = Reader::open(Arc::clone(&shared), source, slot_asks).await.expect("opens");
        let (captures, capture_asks) = mpsc::channel(4);
        let camera = match &agent.camera {
            None => None,
            Some((source, sky, spool)) => {
                let opened = Camera::open(Arc::clone(&shared), source.clone(), sky.clone(), Arc::clone(spool));
                Some(opened.await.expect("opens"))
            }
        };
        let methods = Methods { shared, slot, camera: camera.is_some().then_some(captures) };
        let (requests, asked) = mpsc::channel(64);
        let restart = CancellationToken::new();
        let deployer = Deployer { shared: Arc::clone(&agent.shared), asks, link: None };
        let mut tasks = vec![
            tokio::spawn(deployer.run(orders)),
            tokio::spawn(requests::serve(methods, asked, restart.clone())),
            tokio::spawn(async move { reader.run(&Ledger::default()).await }),
        ];
        tasks.extend(camera.map(|camera| tokio::spawn(camera.run(capture_asks))));
        Self { requests, restart, tasks }
    }

    async fn call(&self, name: &str, payload: Value) -> MethodReply {
        let (reply, answered) = oneshot::channel();
        self.requests.send(HubRequest::Method { name: name.into(), payload, reply }).await.expect("is served");
        tokio::time::timeout(SOON, answered).await.expect("soon").expect("an answer")
    }

    async fn tell(&self, id: Option<&str>, command: Option<&str>, body: &str) {
        let properties: BTreeMap<_, _> = command.map(|name| ("command".into(), name.into())).into_iter().collect();
        let message = DeviceBound {
            message_id: id.map(Into::into),
            correlation_id: None,
            properties,
            body: body.as_bytes().to_vec(),
        };
        let (done, dealt_with) = oneshot::channel();
        self.requests.send(HubRequest::DeviceBound { message, done }).await.expect("is served");
        tokio::time::timeout(SOON, dealt_with).await.expect("soon").expect("acknowledged");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn lines(from_s: i64, count: i64) -> String {
    (from_s..from_s + count).fold(String::new(), |mut text, second| {
        let at = Timestamp::from_second(1_800_000_000 + second).expect("in range");
        let _ = writeln!(text, r#"{{"measuredAt":"{at}","temperatureC":14.5,"rainMm":0.1}}"#);
        text
    })
}

#[tokio::test]
async fn a_desired_interval_is_applied_reported_and_holds_over_a_restart() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut first = agent(folder.path(), None).await;
    let handles = first.handles();
    {
        let serving = Serving::start(&mut first).await;
        let desired = json!({"measureEveryS": 10, "colour": "red"});
        let twin = TwinDocument { desired, desired_version: 3, reported: json!({}) };
        serving.requests.send(HubRequest::Twin(twin)).await.expect("is served");
        let mut reported = handles.reported.clone();
        let told = reported.wait_for(|document| document["settings"]["measureEveryS"]["version"] == 3);
        let told = tokio::time::timeout(SOON, told).await.expect("soon").expect("open").clone();
        assert_eq!(told["settings"]["measureEveryS"], json!({"value": 10, "version": 3, "status": "applied"}));
        assert_eq!(told["settings"]["colour"]["status"], "refused");
        assert_eq!(told["agent"]["model"], "anomaly-persistence-1");
        std::fs::write(folder.path().join("lines"), lines(0, 31)).expect("written");
        let mut status = handles.status.clone();
        let read = status.wait_for(|status| status.measured + status.passed_over == 31);
        tokio::time::timeout(SOON, read).await.expect("soon").expect("open");
    }
    let rows = handles.outbox.peek(0, 100).await.expect("peeks");
    assert_eq!(rows.len(), 4, "one each ten seconds");
    let rain = |body: &str| serde_json::from_str::<Value>(body).expect("JSON")["rainMm"].as_f64().expect("rain");
    assert!((rows.iter().map(|row| rain(&row.body)).sum::<f64>() - 3.1).abs() < 1e-9, "no rain is lost");
    drop((first, handles));
    let again = agent(folder.path(), None).await;
    assert_eq!(again.shared.effective.borrow().measure_every_s, Some(10));
    assert_eq!(again.handles().report.borrow().twin.version, 3);
}

#[tokio::test]
async fn readings_wait_at_the_source_while_the_disk_is_full() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut agent = agent(folder.path(), None).await;
    let handles = agent.handles();
    handles.outbox.limit_pages(40).await;
    let _serving = Serving::start(&mut agent).await;
    std::fs::write(folder.path().join("lines"), lines(0, 2500)).expect("written");
    let mut status = handles.status.clone();
    let full = status.wait_for(|status| status.last_error.is_some());
    let words = tokio::time::timeout(SOON, full).await.expect("soon").expect("open").last_error.clone();
    assert!(words.expect("words").ends_with("outbox.db: the disk is full; free some space, the write is tried again"));
    handles.outbox.limit_pages(1_000_000).await;
    let read = status.wait_for(|status| status.measured == 2500 && status.last_error.is_none());
    tokio::time::timeout(SOON, read).await.expect("soon").expect("open");
    let rows = handles.outbox.peek(0, 10_000).await.expect("peeks");
    let times: std::collections::BTreeSet<_> =
        rows.iter().filter(|row| row.kind == MessageKind::WeatherMeasurement).map(|row| row.measured_at).collect();
    assert_eq!(times.len(), 2500, "nothing is lost, nothing doubled: {} rows", rows.len());
    assert_eq!(rows.iter().filter(|row| row.kind == MessageKind::WeatherMeasurement).count(), 2500);
}

#[tokio::test]
async fn methods_answer_as_documented() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut agent = agent(folder.path(), None).await;
    let handles = agent.handles();
    let serving = Serving::start(&mut agent).await;
    let unknown = serving.call("dance", Value::Null).await;
    assert!(unknown.status == 501 && unknown.payload["error"].as_str().expect("words").contains("rollback_model"));
    for (name, payload, status, words) in [
        ("capture", Value::Null, 404, "camera.command"),
        ("capture", json!({"now": 1}), 400, "now"),
        ("set_interval", json!({"seconds": 0}), 400, "seconds: expected a whole number from 1 to 3600"),
        ("set_interval", Value::Null, 400, "missing field `seconds`"),
        ("set_interval", json!({"seconds": 7}), 200, "7"),
        ("tail_log", json!({"lines": 201}), 400, "lines: 201"),
        ("tail_log", json!({"level": "loud"}), 400, "level: "),
        ("tail_log", Value::Null, 404, "no log"),
        ("flush", json!({"timeoutS": 0}), 400, "timeoutS"),
        ("flush", Value::Null, 200, "\"left\":0"),
        ("rollback_model", Value::Null, 409, "before"),
        ("deploy_model", json!({"model": "onnx"}), 404, "persistence-1"),
        ("deploy_model", json!({"model": "persistence"}), 200, "persistence-1"),
        ("diagnose", Value::Null, 200, "agentUptimeS"),
    ] {
        let reply = serving.call(name, payload.clone()).await;
        let said = reply.payload.to_string();
        assert!(reply.status == status && said.contains(words), "{name} {payload}: {} {said}", reply.status);
    }
    assert_eq!(agent.shared.effective.borrow().measure_every_s, Some(7));
    handles.outbox.set_aside("{\u{1b}".into(), "isn't JSON".into(), Timestamp::UNIX_EPOCH).await.expect("sets aside");
    let aside = serving.call("diagnose", Value::Null).await.payload["setAside"].clone();
    assert_eq!(aside, json!([{"at": "1970-01-01T00:00:00Z", "raw": "{", "reason": "isn't JSON"}]));
    let report = handles.report.borrow().clone();
    assert_eq!((report.methods["tail_log"].calls, report.methods["tail_log"].last_status), (3, 404));
    assert_eq!(report.model.previous.as_deref(), Some("anomaly-persistence-1"));
    assert_eq!(handles.reported.borrow()["agent"]["model"], "persistence-1");
    let back = serving.call("rollback_model", Value::Null).await;
    assert_eq!(back.payload["current"], "anomaly-persistence-1");
}

#[tokio::test]
async fn flush_waits_until_the_hub_has_what_is_there() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut agent = agent(folder.path(), None).await;
    let outbox = agent.handles().outbox;
    let serving = Serving::start(&mut agent).await;
    let message = super::super::outbox::samples::measurement("2026-06-01T00:00:00Z".parse().expect("a time"));
    outbox.append(vec![message], Vec::new()).await.expect("appends");
    let reply = serving.call("flush", json!({"timeoutS": 1})).await;
    assert_eq!((reply.status, &reply.payload["left"]), (200, &json!(1)), "nobody took it");
    let flushed = serving.call("flush", json!({"timeoutS": 25}));
    let taken = async {
        let seq = outbox.peek(0, 1).await.expect("peeks")[0].seq;
        outbox.remove(vec![seq]).await.expect("removes");
    };
    let (reply, ()) = tokio::join!(flushed, taken);
    assert_eq!(reply.payload["left"], 0);
}

#[tokio::test]
async fn messages_to_the_device_are_carried_out_once_or_kept() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut first = agent(folder.path(), None).await;
    let report = first.handles().report;
    {
        let serving = Serving::start(&mut first).await;
        serving.tell(Some("a"), Some("set_interval"), r#"{"seconds":9}"#).await;
        serving.tell(None, Some("restart"), "").await;
        serving.tell(Some("b"), None, "hello\u{1b}[31m").await;
        serving.tell(Some("c"), Some("flush"), "{not json").await;
        assert!(!serving.restart.is_cancelled());
        serving.tell(Some("d"), Some("restart"), " ").await;
        tokio::time::timeout(SOON, serving.restart.cancelled()).await.expect("soon");
    }
    assert_eq!(first.shared.effective.borrow().measure_every_s, Some(9));
    let outcomes: Vec<_> = report.borrow().received.iter().map(|message| message.outcome.clone()).collect();
    assert!(outcomes[0].starts_with("200: ") && outcomes[1].starts_with("400: a restart needs a message id"));
    assert!(outcomes[2] == "kept" && outcomes[3].starts_with("400: the body isn't JSON"), "{outcomes:?}");
    assert_eq!(report.borrow().received[2].body, "hello[31m");
    drop((first, report));
    // Its acknowledgement was lost: it comes again after the restart, and isn't carried out.
    let mut again = agent(folder.path(), None).await;
    let serving = Serving::start(&mut again).await;
    serving.tell(Some("d"), Some("restart"), "").await;
    for i in 0..60 {
        serving.tell(Some(&format!("m{i}")), None, "x").await;
    }
    assert!(!serving.restart.is_cancelled());
    let report = again.handles().report;
    assert_eq!((report.borrow().received.len(), report.borrow().methods.len()), (50, 0));
}

/// A picture of 320 × 240, and of `more` bytes that stand behind its end.
fn jpeg(more: usize) -> Vec<u8> {
    let pixels = (0..320u32 * 240).flat_map(|at| [(at % 320) as u8, (at / 320) as u8, 200]).collect();
    let picture = RgbPicture::new(320, 240, pixels).expect("fits");
    [encode::jpeg(&picture, 80, None).expect("encodes"), vec![0; more]].concat()
}

#[tokio::test]
async fn a_picture_is_taken_uploaded_and_told_of_once() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let picture = folder.path().join("sky.jpg");
    std::fs::write(&picture, jpeg(50_000)).expect("written");
    let mut agent = agent(folder.path(), Some(format!("cp {} {{file}}", picture.display()))).await;
    let handles = agent.handles();
    let serving = Serving::start(&mut agent).await;
    let reply = serving.call("capture", Value::Null).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let size = reply.payload["sizeBytes"].as_u64().expect("a size");
    let blob_name = reply.payload["blobName"].as_str().expect("a name").to_owned();
    let spool = Arc::clone(&agent.camera.as_ref().expect("a camera").2);
    let waiting = spool.next(|picture| picture.mark == Mark::Set).expect("in the spool");

    let hub = storage::Hub::start().await;
    let link = UplinkSettings::at("127.0.0.1", 1, "a-hub", "roof-01")
        .signed_in(Credentials::Key("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".into()), Roots::Pem(hub.ca.clone()));
    let link = UplinkSettings { https_port: hub.port, ..link };
    let settings = watch::Sender::new(link);
    let uploader = || Uploader {
        shared: Arc::clone(&agent.shared),
        spool: Arc::clone(&spool),
        settings: settings.subscribe(),
        max_kib_per_s: None,
    };
    let running = tokio::spawn(uploader().run());
    let mut report = handles.report.clone();
    let says = |words: &'static str| {
        move |report: &AgentReport| {
            let camera = report.camera.as_ref().expect("a camera");
            camera.upload_state.as_deref().is_some_and(|state| state.contains(words))
        }
    };
    tokio::time::timeout(SOON, report.wait_for(says("waits for the link"))).await.expect("soon").expect("open");
    agent.shared.uplink.send_modify(|status| status.connected = true);
    let done = report.wait_for(|report| report.camera.as_ref().is_some_and(|camera| camera.uploaded == 1));
    tokio::time::timeout(SOON, done).await.expect("soon").expect("open");
    let gone = report.wait_for(|report| report.camera.as_ref().is_some_and(|camera| camera.waiting == 0));
    tokio::time::timeout(SOON, gone).await.expect("soon").expect("open");
    running.abort();
    // Busy once, a blob that failed once, then done: what came last is the success.
    let seen = hub.seen.lock().expect("not poisoned").clone();
    let small = spool.thumbnail(&waiting);
    assert_eq!(small, None, "nothing of it is left in the spool");
    let refused = ["busy", "asked", "put refused", "notified false", "asked"];
    assert_eq!(seen[..5], refused);
    let put = format!("put {size}");
    assert_eq!(seen[6..], ["notified true", "asked", put.as_str(), "notified true"], "the thumbnail, then the picture");
    let rows = handles.outbox.peek(0, 10).await.expect("peeks");
    assert_eq!((rows.len(), rows[0].kind), (1, MessageKind::PictureTaken));
    assert_eq!(rows[0].message_id, waiting.id.as_str());
    let Ok(Message::PictureTaken(told)) = Message::from_json(rows[0].body.as_bytes()) else { panic!("a picture's") };
    assert_eq!(told.thumbnail, Some(blob_name.replace(".jpg", ".thumb.jpg")));
    assert_eq!((told.blob_name, told.size_bytes), (blob_name, size));
    assert_eq!((told.width_px, told.height_px), (Some(320), Some(240)));
    let analysis = told.analysis.expect("was analysed");
    assert_eq!(analysis.taken_at, told.measured_at);
    // The features ride in the measurements that follow.
    let newest = agent.shared.newest.sky(told.measured_at, jiff::SignedDuration::from_mins(20));
    assert_eq!(newest, Some(analysis));

    // A crash between the message and the removal: the file is removed, and nothing is uploaded or told again.
    let draft = spool.draft(&waiting.id);
    std::fs::copy(&picture, &draft).expect("copied");
    spool.keep(&draft, waiting, &Note { width_px: 320, height_px: 240, analysis: None }, b"").expect("kept");
    let running = tokio::spawn(uploader().run());
    report.mark_unchanged();
    while spool.size().0 > 0 {
        tokio::task::yield_now().await;
    }
    running.abort();
    assert_eq!(hub.seen.lock().expect("not poisoned").len(), seen.len());
    assert_eq!(handles.outbox.status().borrow().rows, 1);
}

#[tokio::test]
async fn a_large_picture_that_is_cut_off_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let picture = folder.path().join("sky.jpg");
    std::fs::write(&picture, jpeg(900_000)).expect("written");
    let mut agent = agent(folder.path(), Some(format!("cp {} {{file}}", picture.display()))).await;
    let serving = Serving::start(&mut agent).await;
    let reply = serving.call("capture", Value::Null).await;
    let size = reply.payload["sizeBytes"].as_u64().expect("a size");
    let hub = storage::Hub::start().await;
    let link = UplinkSettings::at("127.0.0.1", 1, "a-hub", "roof-01")
        .signed_in(Credentials::Key("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".into()), Roots::Pem(hub.ca.clone()));
    let settings = watch::Sender::new(UplinkSettings { https_port: hub.port, ..link });
    agent.shared.uplink.send_modify(|status| status.connected = true);
    let spool = Arc::clone(&agent.camera.as_ref().expect("a camera").2);
    let uploader = || Uploader {
        shared: Arc::clone(&agent.shared),
        spool: Arc::clone(&spool),
        settings: settings.subscribe(),
        max_kib_per_s: None,
    };
    let seen = || hub.seen.lock().expect("not poisoned").clone();
    let running = tokio::spawn(uploader().run());
    let cut = async {
        while !seen().iter().any(|said| said == "cut off") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, cut).await.expect("is cut off");
    // The agent ends as well, and starts anew.
    running.abort();
    let running = tokio::spawn(uploader().run());
    let mut report = agent.handles().report;
    let done = report.wait_for(|report| report.camera.as_ref().is_some_and(|camera| camera.uploaded == 1));
    tokio::time::timeout(SOON, done).await.expect("soon").expect("open");
    running.abort();
    let blocks: Vec<String> =
        seen().into_iter().filter(|said| ["block", "cut", "list"].iter().any(|one| said.starts_with(one))).collect();
    let last = format!("block {}", size - 3 * 262_144);
    let whole = "block 262144";
    assert_eq!(blocks, [whole, whole, "cut off", whole, last.as_str(), "list of 4"], "each block went up once");
    let rows = agent.handles().outbox.peek(0, 10).await.expect("peeks");
    assert_eq!(rows.len(), 1, "it is told of once");
}

#[tokio::test]
async fn a_replays_sky_is_drawn_and_its_features_ride_in_measurements() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let source = SourceSettings { kind: SourceKind::Replay, speed: 20, backlog_days: 1, ..SourceSettings::default() };
    let setup = AgentSetup {
        data: folder.path(),
        station: &StationSettings::default(),
        quality: &crate::settings::QualitySettings::default(),
        sensors: &BTreeMap::new(),
        source: &source,
        agent: &AgentSettings::default(),
        camera: &CameraSettings::default(),
        sky: &SkySettings::default(),
        model: &crate::settings::ModelSettings::default(),
        link: &LinkSettings::default(),
        log_filter: "info",
        not_before: None,
        host: Host::default(),
    };
    let (agent, _) = Agent::open(setup).await.expect("opens");
    let (handles, shutdown) = (agent.handles(), CancellationToken::new());
    let running = tokio::spawn(agent.run(None, Ledger::default(), shutdown.clone()));
    let riding = async {
        loop {
            let rows = handles.outbox.peek(0, 100_000).await.expect("peeks");
            let sky = rows.iter().find_map(|row| match Message::from_json(row.body.as_bytes()) {
                Ok(Message::WeatherMeasurement(measurement)) => {
                    measurement.sky.map(|sky| (measurement.measured_at, sky))
                }
                _ => None,
            });
            match sky {
                Some(sky) => return sky,
                None => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    };
    let (measured_at, sky) = tokio::time::timeout(4 * SOON, riding).await.expect("soon");
    assert!(sky.rendered && sky.sun_elevation_deg.is_some(), "{sky:?}");
    let age = measured_at.duration_since(sky.taken_at);
    assert!(!age.is_negative() && age <= jiff::SignedDuration::from_mins(20), "{age}");
    let camera = handles.report.borrow().camera.clone().expect("a camera");
    assert!(camera.source.starts_with("rendered") && camera.waiting >= 1 && camera.failed == 0, "{camera:?}");
    shutdown.cancel();
    running.await.expect("ends").expect("ends well");
}

#[tokio::test]
async fn on_a_metered_line_pictures_wait_until_the_budget_has_room_again() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let picture = folder.path().join("sky.jpg");
    std::fs::write(&picture, jpeg(0)).expect("written");
    let mut agent = agent(folder.path(), Some(format!("cp {} {{file}}", picture.display()))).await;
    let serving = Serving::start(&mut agent).await;
    assert_eq!(serving.call("capture", Value::Null).await.status, 200);
    let hub = storage::Hub::start().await;
    let link = UplinkSettings::at("127.0.0.1", 1, "a-hub", "roof-01")
        .signed_in(Credentials::Key("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".into()), Roots::Pem(hub.ca.clone()));
    let settings = watch::Sender::new(UplinkSettings { https_port: hub.port, ..link });
    agent.shared.uplink.send_modify(|status| {
        status.connected = true;
        status.metered = Some(Metered { holding: vec!["pictures".into()], ..Metered::default() });
    });
    let spool = Arc::clone(&agent.camera.as_ref().expect("a camera").2);
    let uploader =
        Uploader { shared: Arc::clone(&agent.shared), spool, settings: settings.subscribe(), max_kib_per_s: None };
    let running = tokio::spawn(uploader.run());
    let mut report = agent.handles().report;
    let camera = |report: &AgentReport| report.camera.clone().expect("a camera");
    let waits = report.wait_for(|report| camera(report).upload_state.is_some_and(|it| it.contains("the day's budget")));
    tokio::time::timeout(SOON, waits).await.expect("soon").expect("open");
    assert_eq!(*hub.seen.lock().expect("not poisoned"), Vec::<String>::new(), "nobody was asked");
    // The next day.
    agent.shared.uplink.send_modify(|status| status.metered = Some(Metered::default()));
    let done = report.wait_for(|report| camera(report).uploaded == 1);
    tokio::time::timeout(SOON, done).await.expect("soon").expect("open");
    running.abort();
}

#[test]
fn the_twins_limits_overrule_the_links_own_and_give_way_again() {
    let (agent, camera) = (AgentSettings::default(), CameraSettings::default());
    let own = Effective::of(&agent, &camera, &LinkSettings::default(), "info");
    let first = UplinkSettings::at("h", 1, "h", "d").signed_in(Credentials::Key("".into()), Roots::System);
    let first = UplinkSettings { max_per_s: Some(100), ..first };
    let mut settings = first.clone();
    assert!(!set_limits(&mut settings, &first, &own, &own), "an outside hub's bound stays where nobody says otherwise");
    let twin = Effective { max_per_s: Some(7), budget_mib_per_day: Some(0.5), ..own.clone() };
    assert!(set_limits(&mut settings, &first, &own, &twin));
    assert_eq!((settings.max_per_s, settings.budget_bytes_per_day), (Some(7), Some(524_288)));
    assert!(!set_limits(&mut settings, &first, &own, &twin), "nothing changes twice");
    assert!(set_limits(&mut settings, &first, &own, &own));
    assert_eq!((settings.max_per_s, settings.budget_bytes_per_day), (Some(100), None));
}

#[tokio::test]
async fn a_camera_that_fails_says_why_and_its_rubbish_is_kept_aside() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rubbish = folder.path().join("rubbish");
    std::fs::write(&rubbish, "no picture").expect("written");
    for (command, words) in [
        (format!("cp {} {{file}}", rubbish.display()), "neither a JPEG nor a PNG"),
        ("cp /nowhere/at/all {file}".to_owned(), "failed (exit code 1)"),
        ("/nowhere/camera {file}".to_owned(), "can't be started"),
    ] {
        let mut agent = agent(folder.path(), Some(command)).await;
        let serving = Serving::start(&mut agent).await;
        let reply = serving.call("capture", Value::Null).await;
        let said = reply.payload["error"].as_str().expect("words").to_owned();
        assert!(reply.status == 500 && said.contains(words), "{said}");
        let report = agent.handles().report;
        assert_eq!(report.borrow().camera.as_ref().expect("a camera").failed, 1);
    }
    let aside = std::fs::read_dir(folder.path().join("agent/pictures/aside")).expect("there");
    let names: Vec<_> = aside.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with(".bin")).count(), 1, "{names:?}");
}
