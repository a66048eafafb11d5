//! The link and the local hub together, as they run: outbox → MQTT over TLS → hub → log.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::SecretString;
use skydeck::clock::Clock;
use skydeck::clock::ledger::{Hop, Ledger};
use skydeck::edge_agent::outbox::{Outbox, OutboxStatus};
use skydeck::edge_agent::uplink::control::HubRequest;
use skydeck::edge_agent::uplink::meter::Meter;
use skydeck::edge_agent::uplink::{
    self, Credentials, Roots, Transport, UplinkSettings, UplinkStatus, topic::property_bag,
};
use skydeck::ingestion::enqueued::EnqueuedLog;
use skydeck::ingestion::topology::{Ground, Topology};
use skydeck::local_cloud::hub::bag::PropertyBag;
use skydeck::local_cloud::hub::{self, Hub, HubConfig};
use skydeck::station::{DeviceHealth, Message, MessageId, SCHEMA_VERSION, Variable, WeatherMeasurement};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

#[path = "uplink_to_hub/asked.rs"]
mod asked;
#[path = "peers/azurite.rs"]
#[allow(dead_code, reason = "shared with the tests of the store")]
mod azurite;
#[path = "uplink_to_hub/azurite_store.rs"]
mod azurite_store;
#[path = "uplink_to_hub/limits.rs"]
mod limits;
#[path = "uplink_to_hub/models.rs"]
mod models;
#[path = "uplink_to_hub/pictures.rs"]
mod pictures;
#[path = "uplink_to_hub/plain_hub.rs"]
mod plain_hub;
#[path = "peers/proxy.rs"]
#[allow(dead_code, reason = "shared with the tests of the store")]
mod proxy;
#[path = "uplink_to_hub/ways.rs"]
mod ways;

const DEVICE: &str = "roof-01";
const HOST: &str = "skydeck-hub.local";
const SOON: Duration = Duration::from_secs(30);

fn now() -> Timestamp {
    "2016-06-09T14:05:00Z".parse().expect("a timestamp")
}

/// A replay that ended where it began: every stamp is this instant.
fn clock() -> Clock {
    Clock::replay(now(), 1, now())
}

fn measurements(count: usize) -> Vec<Message> {
    (0..count)
        .map(|i| {
            let mut measurement = WeatherMeasurement::empty(DEVICE, now());
            measurement.set(Variable::Temperature, Some((i % 400) as f64 / 10.0));
            Message::WeatherMeasurement(measurement)
        })
        .collect()
}

fn ground() -> Ground {
    Ground::fixed(Topology::built_in("demo", HOST, jiff::SignedDuration::from_secs(300), 1024 * 1024))
}

struct RunningHub {
    hub: Hub,
    shutdown: CancellationToken,
}

impl RunningHub {
    async fn start(folder: &Path, port: u16, ledger: &Ledger) -> Self {
        let log = EnqueuedLog::open(&folder.join("hub.db"), ground()).expect("opens");
        let config = HubConfig {
            listen: IpAddr::from([127, 0, 0, 1]),
            port,
            host_name: HOST.into(),
            folder: folder.join("hub"),
        };
        let shutdown = CancellationToken::new();
        let hub =
            hub::start(config, ground(), log, clock(), ledger.clone(), shutdown.clone()).await.expect("the hub starts");
        Self { hub, shutdown }
    }

    async fn stop(self) -> u16 {
        self.shutdown.cancel();
        self.hub.ended().await;
        self.hub.address().port()
    }

    async fn settings(&self) -> UplinkSettings {
        let key = self.hub.ensure_device(DEVICE).await.expect("a device");
        self.settings_with(Credentials::Key(key))
    }

    fn settings_with(&self, credentials: Credentials) -> UplinkSettings {
        let address = self.hub.address();
        let settings = UplinkSettings::at("127.0.0.1", address.port(), HOST, DEVICE)
            .signed_in(credentials, Roots::Pem(self.hub.ca_pem()));
        UplinkSettings { max_backoff: Duration::from_millis(200), https_port: 1, ..settings }
    }
}

struct RunningLink {
    status: watch::Receiver<UplinkStatus>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    settings: watch::Sender<UplinkSettings>,
    requests: mpsc::Receiver<HubRequest>,
    reported: watch::Sender<serde_json::Value>,
}

impl RunningLink {
    fn start(outbox: &Outbox, settings: UplinkSettings, ledger: &Ledger) -> Self {
        let (status, seen) = watch::channel(UplinkStatus::default());
        let settings = watch::Sender::new(settings);
        let (sender, requests) = mpsc::channel(uplink::REQUESTS);
        let reported = watch::Sender::new(serde_json::json!({}));
        let shutdown = CancellationToken::new();
        let task = uplink::spawn(uplink::Wiring {
            outbox: outbox.clone(),
            clock: clock(),
            ledger: ledger.clone(),
            settings: settings.subscribe(),
            status,
            requests: sender,
            reported: reported.subscribe(),
            meter: Meter::default(),
            shutdown: shutdown.clone(),
        });
        Self { status: seen, shutdown, task, settings, requests, reported }
    }

    /// The next thing the hub asks.
    async fn asked(&mut self) -> HubRequest {
        tokio::time::timeout(SOON, self.requests.recv()).await.expect("in time").expect("running")
    }

    async fn until(&mut self, wanted: impl FnMut(&UplinkStatus) -> bool) -> UplinkStatus {
        tokio::time::timeout(SOON, self.status.wait_for(wanted)).await.expect("in time").expect("running").clone()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(SOON, self.task).await.expect("ends in time").expect("ends well");
    }
}

async fn empty(outbox: &Outbox) {
    let mut status = outbox.status();
    tokio::time::timeout(SOON, status.wait_for(|status| status.rows == 0)).await.expect("in time").expect("open");
}

/// How often each message is in the log.
fn logged(folder: &Path) -> BTreeMap<String, u64> {
    let connection = rusqlite::Connection::open(folder.join("hub.db")).expect("opens");
    let mut statement = connection.prepare("SELECT message_id FROM enqueued ORDER BY seq").expect("prepares");
    let mut counts = BTreeMap::new();
    for id in statement.query_map([], |row| row.get::<_, String>(0)).expect("queries") {
        *counts.entry(id.expect("reads")).or_default() += 1;
    }
    counts
}

fn ids(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.message_id().to_string()).collect()
}

#[tokio::test]
async fn what_is_in_the_outbox_arrives_once_in_order_with_its_properties() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let running = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 10_000).expect("opens");
    let before = measurements(1500);
    outbox.append(before.clone(), Vec::new()).await.expect("appends");
    let mut link = RunningLink::start(&outbox, running.settings().await, &ledger);
    empty(&outbox).await;
    // And what comes while it sleeps wakes it.
    let after = measurements(3);
    for message in &after {
        outbox.append(vec![message.clone()], Vec::new()).await.expect("appends");
        empty(&outbox).await;
    }
    let status = link.until(|status| status.acknowledged == 1503).await;
    let expected = UplinkStatus {
        connected: true,
        transport: Some(Transport::Mqtt),
        sent: 1503,
        acknowledged: 1503,
        connects: 1,
        ..UplinkStatus::default()
    };
    assert_eq!(status, expected);
    assert_eq!(*outbox.status().borrow(), OutboxStatus { max_rows: 10_000, ..OutboxStatus::default() });

    let connection = rusqlite::Connection::open(folder.path().join("hub.db")).expect("opens");
    let mut statement = connection
        .prepare("SELECT message_id, properties, content_type, content_encoding, body FROM enqueued ORDER BY seq")
        .expect("prepares");
    let rows: Vec<(String, String, String, String, Vec<u8>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .and_then(Iterator::collect)
        .expect("reads");
    let sent: Vec<_> = before.iter().chain(&after).collect();
    assert_eq!(rows.len(), sent.len());
    for ((id, properties, content_type, encoding, body), message) in rows.iter().zip(sent) {
        assert_eq!(id, message.message_id().as_str());
        assert_eq!(properties, r#"{"sentAt":"2016-06-09T14:05:00Z","type":"WeatherMeasurement"}"#);
        assert_eq!((content_type.as_str(), encoding.as_str()), ("application/json", "utf-8"));
        assert_eq!(Message::from_json(body).expect("a message"), *message);
    }
    let last = after[2].message_id().as_str();
    assert!(ledger.latency(last, Hop::Enqueued).is_some(), "sent and enqueued were both seen");
    link.stop().await;
    running.stop().await;
}

/// Each comes while the link is looking whether there is one: between its last look and its wait, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_comes_at_any_moment_wakes_the_link() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let running = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 10_000).expect("opens");
    let link = RunningLink::start(&outbox, running.settings().await, &ledger);
    for (number, message) in measurements(1500).into_iter().enumerate() {
        outbox.append(vec![message], Vec::new()).await.expect("appends");
        tokio::time::sleep(Duration::from_micros(number as u64 * 7 % 3000)).await;
    }
    empty(&outbox).await;
    link.stop().await;
    running.stop().await;
}

#[tokio::test]
async fn a_wrong_key_is_said_in_words_and_nothing_leaves_the_outbox() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let running = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    outbox.append(measurements(5), Vec::new()).await.expect("appends");
    let good = running.settings().await;
    let wrong_key = SecretString::from("d3Jvbmcga2V5");
    let another_ca = {
        let other = tempfile::tempdir().expect("temporary folder");
        let hub = RunningHub::start(other.path(), 0, &ledger).await;
        let pem = hub.hub.ca_pem();
        hub.stop().await;
        pem
    };
    for (settings, words) in [
        (UplinkSettings { credentials: Credentials::Key(wrong_key), ..good.clone() }, "refused the credentials"),
        (UplinkSettings { credentials: Credentials::Key("not base64".into()), ..good.clone() }, "isn't base64"),
        (UplinkSettings { hub_host_name: "elsewhere".into(), ..good.clone() }, "refused the credentials"),
        (UplinkSettings { roots: Roots::Pem(another_ca), ..good.clone() }, "check link.ca"),
        (UplinkSettings { roots: Roots::Pem(b"rubbish".to_vec()), ..good.clone() }, "no certificate in it"),
        (UplinkSettings { port: 1, ..good.clone() }, "nothing listens there"),
    ] {
        let mut link = RunningLink::start(&outbox, settings, &ledger);
        let status = link.until(|status| status.last_error.is_some()).await;
        let error = status.last_error.expect("an error");
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("d3Jvbmcga2V5") && !error.contains("SharedAccessSignature"), "{error}");
        assert_eq!((status.connected, status.sent, status.connects), (false, 0, 0));
        link.stop().await;
    }
    assert_eq!(outbox.status().borrow().rows, 5);
    let link = RunningLink::start(&outbox, good, &ledger);
    empty(&outbox).await;
    link.stop().await;
}

#[tokio::test]
async fn a_hub_that_dies_and_comes_back_in_mid_flow_loses_nothing() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let mut running = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 100_000).expect("opens");
    let messages = measurements(6000);
    outbox.append(messages.clone(), Vec::new()).await.expect("appends");
    let mut link = RunningLink::start(&outbox, running.settings().await, &ledger);
    for round in 1..=4 {
        link.until(|status| status.acknowledged >= round * 600).await;
        let port = running.stop().await;
        // While there is no hub: whatever isn't in the outbox any more must be in the log.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let left: Vec<String> =
            outbox.peek(0, 10_000).await.expect("peeks").into_iter().map(|row| row.message_id).collect();
        let there = logged(folder.path());
        assert!(ids(&messages).iter().all(|id| there.contains_key(id) || left.contains(id)), "round {round}");
        running = RunningHub::start(folder.path(), port, &ledger).await;
    }
    empty(&outbox).await;
    let there = logged(folder.path());
    assert!(ids(&messages).iter().all(|id| there.contains_key(id)));
    assert_eq!(there.len(), messages.len());
    assert!(link.until(|status| status.connected).await.connects >= 2);
    link.stop().await;
    running.stop().await;
}

#[tokio::test]
async fn tokens_are_renewed_before_they_end_without_a_loss_or_a_repeat() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let running = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 100_000).expect("opens");
    let settings = UplinkSettings { token_life: Duration::from_secs(3), ..running.settings().await };
    let mut link = RunningLink::start(&outbox, settings, &ledger);
    let mut status = link.status.clone();
    // The longest time between two acknowledgements around a renewal.
    let watched = tokio::spawn(async move {
        let (mut last, mut before, mut longest) = (None, UplinkStatus::default(), Duration::ZERO);
        let mut is_over_renewal = false;
        while status.changed().await.is_ok() {
            let now = status.borrow_and_update().clone();
            is_over_renewal |= now.connects > before.connects && before.connects > 0;
            if now.acknowledged > before.acknowledged {
                if let Some(last) = last.filter(|_| std::mem::take(&mut is_over_renewal)) {
                    longest = longest.max(Instant::duration_since(&Instant::now(), last));
                }
                last = Some(Instant::now());
            }
            before = now;
        }
        longest
    });
    let messages = measurements(600);
    for group in messages.chunks(5) {
        outbox.append(group.to_vec(), Vec::new()).await.expect("appends");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    empty(&outbox).await;
    let status = link.until(|status| status.connects >= 3).await;
    assert_eq!(status.last_error, None, "a renewal is no failure");
    let there = logged(folder.path());
    assert_eq!(there.len(), messages.len());
    assert!(there.values().all(|&count| count == 1), "nothing was sent twice");
    link.stop().await;
    let gap = watched.await.expect("joins");
    println!("longest gap around a renewal: {} ms", gap.as_millis());
    assert!(gap > Duration::ZERO && gap < Duration::from_secs(3), "{gap:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_message_the_hub_can_never_take_is_set_aside_and_the_next_goes_on() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let running = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    let huge = Message::DeviceHealth(DeviceHealth {
        device_id: DEVICE.into(),
        message_id: MessageId::new(now()),
        measured_at: now(),
        schema: SCHEMA_VERSION,
        clock: None,
        agent_version: "x".repeat(257 * 1024),
        agent_uptime_s: 1.0,
        outbox_rows: 0,
        outbox_bytes: 0,
        outbox_given_up: 0,
        memory_used_pct: None,
        process_memory_mib: None,
        load_average: None,
        disk_free_mib: None,
        temperature_c: None,
        machine: None,
    });
    let mut messages = measurements(2);
    messages.insert(1, huge.clone());
    outbox.append(messages, Vec::new()).await.expect("appends");
    let mut link = RunningLink::start(&outbox, running.settings().await, &ledger);
    let status = link.until(|status| status.acknowledged == 2).await;
    assert_eq!((status.sent, status.connects), (2, 1));
    empty(&outbox).await;
    let aside = outbox.set_aside_list(10).await.expect("lists");
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].1, huge.to_json());
    assert!(aside[0].2.contains("262,144"), "{}", aside[0].2);
    link.stop().await;
    running.stop().await;
}

/// Microsoft's own client against the hub. Its port is fixed at 8883, so the hub gets a loopback address of
/// its own.
#[tokio::test]
async fn microsofts_device_client_can_send() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/python");
    if !python.exists() {
        let words = "skipped: azure-iot-device not installed, run tests/peers/install.sh";
        assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "{words}");
        eprintln!("{words}");
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let log = EnqueuedLog::open(&folder.path().join("hub.db"), ground()).expect("opens");
    let listen = IpAddr::from([127, 0, 0, 83]);
    let config = HubConfig { listen, port: 8883, host_name: HOST.into(), folder: folder.path().join("hub") };
    let shutdown = CancellationToken::new();
    let hub = hub::start(config, ground(), log, clock(), Ledger::default(), shutdown.clone())
        .await
        .expect("127.0.0.83:8883 is free");
    let key = hub.ensure_device(DEVICE).await.expect("a device");
    let connection = format!(
        "HostName={HOST};DeviceId={DEVICE};SharedAccessKey={};GatewayHostName={listen}",
        secrecy::ExposeSecret::expose_secret(&key)
    );
    let script = tokio::process::Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/azure_device_send.py"))
        .arg(folder.path().join("hub/ca.pem"))
        .arg("3")
        .env("SKYDECK_TEST_CONNECTION", connection)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SOON, script).await.expect("in time").expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let connection = rusqlite::Connection::open(folder.path().join("hub.db")).expect("opens");
    let first: (String, String, String, String, String) = connection
        .query_row(
            "SELECT message_id, properties, content_type, content_encoding, CAST(body AS TEXT) FROM enqueued",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
        )
        .expect("reads");
    let expected = (
        "python #0",
        "{\"level & unit\":\"50 % + ä\"}",
        "application/json",
        "utf-8",
        "{\"type\": \"WeatherMeasurement\", \"number\": 0}",
    );
    assert_eq!((&*first.0, &*first.1, &*first.2, &*first.3, &*first.4), expected);
    assert_eq!(logged(folder.path()).len(), 3);
    assert_eq!(hub.status().borrow().refused, 0);
    shutdown.cancel();
    hub.ended().await;
}

proptest! {
    #[test]
    fn a_property_bag_comes_back_as_it_was(
        properties in proptest::collection::btree_map("[^$].{0,20}", ".{0,40}", 0..6),
        id in "[-a-zA-Z0-9:.+%_#*?!(),=@;$']{1,128}",
    ) {
        let pairs = properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let text = property_bag(std::iter::once(("$.mid", id.as_str())).chain(pairs));
        prop_assert!(!text.contains(['+', '#', '/']), "{}", text);
        let bag = PropertyBag::parse(&text).expect("a bag");
        prop_assert_eq!(bag.message_id.as_deref(), Some(id.as_str()));
        prop_assert_eq!(bag.properties, properties);
    }
}
