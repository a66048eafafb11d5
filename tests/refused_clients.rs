//! What the hub must refuse, tried by clients that aren't ours: mosquitto's, and a plain MQTT client.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "peers/skip.rs"]
mod skip;

use std::net::IpAddr;
use std::process::{Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, SubscribeFilter, SubscribeReasonCode};
use secrecy::ExposeSecret;
use skydeck::clock::Clock;
use skydeck::clock::ledger::Ledger;
use skydeck::ingestion::enqueued::EnqueuedLog;
use skydeck::ingestion::topology::{Ground, Topology};
use skydeck::local_cloud::hub::{self, Hub, HubConfig};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

const HOST: &str = "skydeck-hub.local";
const DEVICE: &str = "roof-01";
const OWN: &str = "devices/roof-01/messages/events/";
const SOON: Duration = Duration::from_secs(30);

struct House {
    hub: Hub,
    folder: tempfile::TempDir,
    shutdown: CancellationToken,
    token: String,
}

impl House {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let ground = Ground::fixed(Topology::built_in("demo", HOST, jiff::SignedDuration::from_secs(300), 1024 * 1024));
        let log = EnqueuedLog::open(&folder.path().join("hub.db"), ground.clone()).expect("opens");
        let listen = IpAddr::from([127, 0, 0, 1]);
        let config = HubConfig { listen, port: 0, host_name: HOST.into(), folder: folder.path().join("hub") };
        let shutdown = CancellationToken::new();
        let hub = hub::start(config, ground, log, Clock::wall(), Ledger::default(), shutdown.clone()).await;
        let hub = hub.expect("the hub starts");
        let key = hub.ensure_device(DEVICE).await.expect("a device");
        let token = token(key.expose_secret());
        Self { hub, folder, shutdown, token }
    }

    /// One of mosquitto's clients, with the right credentials before `more`; the last of an option that comes twice holds.
    fn mosquitto(&self, program: &str, more: &[&str]) -> Child {
        let (address, ca) = (self.hub.address(), self.folder.path().join("hub/ca.pem"));
        Command::new(program)
            .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string(), "-i", DEVICE])
            .args(["-u", &format!("{HOST}/{DEVICE}/?api-version=2021-04-12"), "-P", &self.token])
            .arg("--cafile")
            .arg(ca)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("mosquitto's clients are there")
    }

    async fn publish(&self, more: &[&str]) -> Output {
        let child = self.mosquitto("mosquitto_pub", more);
        tokio::time::timeout(SOON, child.wait_with_output()).await.expect("in time").expect("runs")
    }

    /// Waits until `count` connections have been refused or ended; answers why the last was.
    async fn refused(&self, count: u64) -> String {
        let mut status = self.hub.status();
        let status = tokio::time::timeout(SOON, status.wait_for(|status| status.refused >= count)).await;
        status.expect("in time").expect("running").last_error.clone().expect("a reason")
    }

    /// Properties of what has been enqueued, in order.
    fn enqueued(&self) -> Vec<String> {
        let connection = rusqlite::Connection::open(self.folder.path().join("hub.db")).expect("opens");
        let mut statement = connection.prepare("SELECT properties FROM enqueued ORDER BY seq").expect("prepares");
        statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("reads")
    }

    /// A plain MQTT client, connected.
    async fn plain(&self) -> (AsyncClient, EventLoop) {
        let address = self.hub.address();
        let mut options = MqttOptions::new(DEVICE, (address.ip().to_string(), address.port()));
        options.set_credentials(format!("{HOST}/{DEVICE}/?api-version=2021-04-12"), self.token.clone());
        options.set_transport(rumqttc::Transport::tls(self.hub.ca_pem(), None, None));
        let (client, mut events) = AsyncClient::builder(options).capacity(16).build();
        while !matches!(next(&mut events).await, Ok(Event::Incoming(Packet::ConnAck(_)))) {}
        (client, events)
    }

    async fn close(self) {
        self.shutdown.cancel();
        tokio::time::timeout(SOON, self.hub.ended()).await.expect("ends");
    }
}

async fn next(events: &mut EventLoop) -> Result<Event, rumqttc::ConnectionError> {
    tokio::time::timeout(SOON, events.poll()).await.expect("in time")
}

/// A token of the device for an hour.
fn token(key: &str) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let (resource, end) = (encode(&format!("{HOST}/devices/{DEVICE}")), jiff::Timestamp::now().as_second() + 3600);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&STANDARD.decode(key).expect("base64")).expect("a key");
    mac.update(format!("{resource}\n{end}").as_bytes());
    let signature = encode(&STANDARD.encode(mac.finalize().into_bytes()));
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={end}")
}

/// Whether mosquitto's clients are there; otherwise the test is skipped.
fn has_mosquitto() -> bool {
    let found = std::process::Command::new("mosquitto_pub").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        skip::skip("mosquitto_pub not installed, run apt-get install mosquitto-clients");
    }
    found
}

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

#[tokio::test]
async fn mosquitto_publishes_what_is_allowed_and_retain_is_not_kept() {
    if !has_mosquitto() {
        return;
    }
    let house = House::open().await;
    let output = house.publish(&["-t", OWN, "-m", "{}", "-q", "1"]).await;
    assert!(output.status.success(), "{}", words(&output));
    let output = house.publish(&["-t", OWN, "-m", "{}", "-q", "1", "--retain"]).await;
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(house.enqueued(), ["{}", r#"{"mqtt-retain":"true"}"#]);
    assert_eq!(house.hub.status().borrow().refused, 0);
    house.close().await;
}

#[tokio::test]
async fn mosquitto_is_not_let_in_without_tls_key_or_the_right_version() {
    if !has_mosquitto() {
        return;
    }
    let house = House::open().await;
    let address = house.hub.address();
    let plain = Command::new("mosquitto_pub")
        .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string(), "-i", DEVICE])
        .args(["-t", OWN, "-m", "{}", "-q", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("mosquitto's clients are there");
    assert!(house.refused(1).await.contains("TLS"));
    drop(plain);
    for (count, (what, more, expected)) in (2..).zip([
        ("another key", vec!["-P", &*token("YW5vdGhlciBrZXk=")], "not authorised"),
        ("no token", vec!["-P", "secret"], "bad user name or password"),
        ("another's name", vec!["-u", "skydeck-hub.local/roof-02/?api-version=1"], "bad user name or password"),
        ("another device", vec!["-i", "roof-02", "-u", "skydeck-hub.local/roof-02/?api-version=1"], "not authorised"),
        ("MQTT 3.1", vec!["-V", "mqttv31"], "unacceptable protocol version"),
        ("MQTT 5", vec!["-V", "mqttv5"], ""),
    ]) {
        let output = house.publish(&[["-t", OWN, "-m", "{}", "-q", "1"].as_slice(), &more].concat()).await;
        let words = words(&output);
        assert!(!output.status.success(), "{what}: {words}");
        assert!(words.to_lowercase().contains(expected), "{what}: {words}");
        house.refused(count).await;
    }
    assert_eq!(house.enqueued(), Vec::<String>::new());
    house.close().await;
}

#[tokio::test]
async fn mosquitto_is_cut_off_where_it_breaks_a_rule() {
    if !has_mosquitto() {
        return;
    }
    let house = House::open().await;
    let large = house.folder.path().join("large");
    std::fs::write(&large, vec![b'x'; 256 * 1024 + 1]).expect("written");
    let large = large.display().to_string();
    let cases: [(Vec<&str>, &str); 4] = [
        (vec!["-t", "devices/roof-02/messages/events/", "-m", "x", "-q", "1"], "devices/roof-02/messages/events/"),
        (vec!["-t", "anything", "-m", "x", "-q", "1"], "anything"),
        (vec!["-t", OWN, "-m", "x", "-q", "2"], "QoS 2"),
        (vec!["-t", OWN, "-f", &large, "-q", "1"], "262145 bytes"),
    ];
    for (more, expected) in cases {
        let before = house.hub.status().borrow().refused;
        // It would connect again and again.
        let mut child = house.mosquitto("mosquitto_pub", &more);
        let why = house.refused(before + 1).await;
        assert!(why.contains(expected), "{why}");
        child.kill().await.expect("ended");
    }
    assert_eq!(house.enqueued(), Vec::<String>::new());
    let child = house.mosquitto("mosquitto_sub", &["-t", "#", "-q", "1"]);
    let output = tokio::time::timeout(SOON, child.wait_with_output()).await.expect("in time").expect("runs");
    assert!(words(&output).to_lowercase().contains("denied"), "{}", words(&output));
    house.close().await;
}

#[tokio::test]
async fn a_plain_client_gets_five_subscriptions_of_its_own_at_qos_1() {
    let house = House::open().await;
    let (client, mut events) = house.plain().await;
    let filters = [
        "$iothub/twin/res/#",
        "$iothub/methods/POST/#",
        "$iothub/twin/PATCH/properties/desired/#",
        "devices/roof-01/messages/devicebound/#",
        "devices/roof-02/messages/devicebound/#",
        "#",
        "+/roof-01/messages/devicebound/#",
        "devices/roof-01/messages/devicebound/",
        "devices/roof-01/messages/devicebound",
    ];
    let filters = filters.map(|filter| SubscribeFilter::new(filter.to_owned(), QoS::ExactlyOnce));
    client.subscribe_many(filters).await.expect("sent");
    let answer = loop {
        if let Event::Incoming(Packet::SubAck(answer)) = next(&mut events).await.expect("connected") {
            break answer;
        }
    };
    let granted: Vec<bool> = answer.return_codes.iter().map(|code| *code != SubscribeReasonCode::Failure).collect();
    assert_eq!(granted, [true, true, true, true, false, false, false, true, false]);
    assert!(!answer.return_codes.contains(&SubscribeReasonCode::Success(QoS::ExactlyOnce)), "QoS 2 is granted as 1");
    house.close().await;
}
