//! Microsoft's own clients against the local hub: `azure-iot-hub` on its service side, `azure-iot-device` as devices,
//! `azure-storage-blob` for what they upload. `tests/peers/official_clients.py` has what they do and expect.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "peers/python.rs"]
mod python;
#[path = "peers/skip.rs"]
mod skip;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use skydeck::clock::Clock;
use skydeck::clock::ledger::Ledger;
use skydeck::ingestion::enqueued::EnqueuedLog;
use skydeck::ingestion::storage::Containers;
use skydeck::ingestion::topology::{Ground, Topology};
use skydeck::local_cloud::https::{HttpsConfig, Policy};
use skydeck::local_cloud::hub::{self, Hub, HubConfig, HubError};
use tokio_util::sync::CancellationToken;

const HOST: &str = "skydeck-hub.local";
const SOON: Duration = Duration::from_secs(180);

struct House {
    hub: Hub,
    folder: tempfile::TempDir,
    containers: Containers,
    shutdown: CancellationToken,
}

impl House {
    /// A hub at `127.0.0.{last}` on the ports that devices' client is fixed to. Where they can't be had, says so.
    async fn open(last: u8) -> Option<Self> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let ground = Ground::fixed(Topology::built_in("demo", HOST, jiff::SignedDuration::from_secs(300), 1024 * 1024));
        let log = EnqueuedLog::open(&folder.path().join("hub.db"), ground.clone()).expect("opens");
        let containers = Containers::open(&folder.path().join("containers")).expect("opens");
        let listen = IpAddr::from([127, 0, 0, last]);
        let config = HubConfig { listen, port: 8883, host_name: HOST.into(), folder: folder.path().join("hub") };
        let (shutdown, clock) = (CancellationToken::new(), Clock::wall());
        let hub = hub::start(config, ground.clone(), log, clock, Ledger::default(), shutdown.clone()).await;
        let hub = hub.unwrap_or_else(|error| panic!("{error}"));
        let https = HttpsConfig { port: 443, containers: containers.clone() };
        match hub.serve_https(https, ground, shutdown.clone()).await {
            Ok(_) => Some(Self { hub, folder, containers, shutdown }),
            Err(HubError::Listen { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => {
                let why = "ports below 1024 aren't to be had, run as root or lower net.ipv4.ip_unprivileged_port_start";
                skip::skip(why);
                shutdown.cancel();
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Lets the clients go through a scenario.
    async fn play(&self, python: &Path, scenario: &str, more: &[(&str, String)]) {
        let text = |policy| {
            let text = self.hub.service_connection_string(policy).expect("HTTPS is served");
            text.expose_secret().to_owned()
        };
        let service_key = text(Policy::Service).split_once("SharedAccessKey=").expect("a key").1.to_owned();
        let script = tokio::process::Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/official_clients.py"))
            .arg(scenario)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("REQUESTS_CA_BUNDLE", self.folder.path().join("hub/ca.pem"))
            .env("SKYDECK_TEST_SERVICE", text(Policy::Owner))
            .env("SKYDECK_TEST_SERVICE_KEY", service_key)
            .env("SKYDECK_TEST_ADDRESS", self.hub.address().ip().to_string())
            .env("SKYDECK_TEST_HOST", HOST)
            .envs(more.iter().map(|(name, value)| (*name, value)))
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(SOON, script).await.expect("in time").expect("runs");
        let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        assert!(output.status.success() && out.ends_with("passed\n"), "{out}{err}");
    }

    /// Message id, device id, how the device signed in, properties and body of what has been enqueued, in order.
    fn enqueued(&self) -> Vec<[String; 5]> {
        let connection = rusqlite::Connection::open(self.folder.path().join("hub.db")).expect("opens");
        let columns = "message_id, device_id, json_extract(system_properties, '$.connectionAuthMethod'), properties, CAST(body AS TEXT)";
        let mut statement =
            connection.prepare(&format!("SELECT {columns} FROM enqueued ORDER BY seq")).expect("prepares");
        statement
            .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?]))
            .and_then(Iterator::collect)
            .expect("reads")
    }

    async fn close(self) {
        self.shutdown.cancel();
        tokio::time::timeout(SOON, self.hub.ended()).await.expect("ends");
    }
}

#[tokio::test]
async fn the_service_client_keeps_the_registry() {
    let Some(python) = python::interpreter() else { return };
    let Some(house) = House::open(101).await else { return };
    house.play(&python, "registry", &[]).await;
    house.close().await;
}

#[tokio::test]
async fn twins_are_changed_on_both_sides() {
    let Some(python) = python::interpreter() else { return };
    let Some(house) = House::open(102).await else { return };
    house.play(&python, "twins", &[]).await;
    house.close().await;
}

#[tokio::test]
async fn methods_are_called_and_time_out_as_azures() {
    let Some(python) = python::interpreter() else { return };
    let Some(house) = House::open(103).await else { return };
    house.play(&python, "methods", &[]).await;
    house.close().await;
}

#[tokio::test]
async fn telemetry_comes_by_mqtt_and_by_websocket() {
    let Some(python) = python::interpreter() else { return };
    let Some(house) = House::open(104).await else { return };
    house.play(&python, "telemetry", &[]).await;
    let enqueued = house.enqueued();
    let ids: Vec<&str> = enqueued.iter().map(|message| message[0].as_str()).collect();
    assert_eq!(ids, ["roof-02 #0", "roof-02 #1", "roof-02 #2", "roof-03 #0", "roof-03 #1", "roof-03 #2", "large"]);
    let [_, device, by, properties, body] = &enqueued[3];
    assert_eq!(device, "roof-03");
    assert!(by.contains(r#""type":"sas""#), "{by}");
    assert_eq!(properties, r#"{"level & unit":"50 % + ä"}"#);
    assert_eq!(body, r#"{"type": "WeatherMeasurement", "number": 0}"#);
    assert_eq!(enqueued[6][4].len(), 200_000);
    assert_eq!(house.hub.status().borrow().refused, 0);
    house.close().await;
}

#[tokio::test]
async fn messages_reach_devices() {
    let Some(python) = python::interpreter() else { return };
    let Some(house) = House::open(105).await else { return };
    house.play(&python, "messages", &[]).await;
    house.close().await;
}

#[tokio::test]
async fn files_are_uploaded_whole_and_in_blocks() {
    let Some(python) = python::interpreter() else { return };
    let Some(house) = House::open(106).await else { return };
    house.play(&python, "upload", &[]).await;
    let listed = house.containers.list("pictures").await.expect("lists");
    let names: Vec<(&str, u64)> = listed.iter().map(|blob| (blob.name.as_str(), blob.bytes)).collect();
    let small = 2 + 7 * 1000;
    let expected =
        [("roof-02/2026/05/a b.jpg", small), ("roof-02/2026/05/large.jpg", 9 * 1024 * 1024), ("roof-02/empty", 0)];
    assert_eq!(names, expected);
    let content = house.containers.read("pictures", "roof-02/2026/05/a b.jpg").await.expect("reads");
    assert!(content.starts_with(b"\xff\xd8picture") && content.len() as u64 == small);
    let blocks = std::fs::read_dir(house.folder.path().join("hub/blocks")).expect("made");
    assert_eq!(blocks.count(), 0, "no block is left behind");
    house.close().await;
}

#[tokio::test]
async fn devices_sign_in_with_certificates() {
    let Some(python) = python::interpreter() else { return };
    let Some(house) = House::open(107).await else { return };
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate =
        rcgen::CertificateParams::new(Vec::new()).and_then(|params| params.self_signed(&key)).expect("a certificate");
    let (path, key_path) = (house.folder.path().join("device.pem"), house.folder.path().join("device-key.pem"));
    std::fs::write(&path, certificate.pem()).expect("written");
    std::fs::write(&key_path, key.serialize_pem()).expect("written");
    let thumbprint: String = Sha256::digest(certificate.der()).iter().map(|byte| format!("{byte:02X}")).collect();
    let more = [
        ("SKYDECK_TEST_CERTIFICATE", path.display().to_string()),
        ("SKYDECK_TEST_CERTIFICATE_KEY", key_path.display().to_string()),
        ("SKYDECK_TEST_THUMBPRINT", thumbprint),
    ];
    house.play(&python, "x509", &more).await;
    let enqueued = house.enqueued();
    assert_eq!(enqueued.len(), 6, "three by MQTT and three by WebSocket");
    assert!(enqueued.iter().all(|[_, device, by, ..]| device == "cert-01" && by.contains(r#""type":"x509""#)));
    house.close().await;
}
