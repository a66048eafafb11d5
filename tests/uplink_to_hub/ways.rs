//! How the device proves who it is, and by which way it comes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::json;
use skydeck::ingestion::storage::Containers;
use skydeck::local_cloud::https::HttpsConfig;
use skydeck::local_cloud::hub::Faults;
use skydeck::local_cloud::registry::DeviceSpec;
use skydeck::settings::{LinkSettings, LinkTransport, StationSettings};

use super::*;

/// Writes a certificate that ends in so many seconds and its key; answers its SHA-256.
pub(super) fn certify(chain: &Path, key_file: &Path, ends_in_s: i64) -> String {
    use sha2::Digest as _;
    let end = Timestamp::now() + jiff::SignedDuration::from_secs(ends_in_s);
    let begin = end.min(Timestamp::now()) - jiff::SignedDuration::from_hours(48);
    let date = |at: Timestamp| {
        let start = rcgen::date_time_ymd(1970, 1, 1);
        start + Duration::from_secs(u64::try_from(at.as_second()).expect("after 1970"))
    };
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("names");
    params.distinguished_name.push(rcgen::DnType::CommonName, DEVICE);
    (params.not_before, params.not_after) = (date(begin), date(end));
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(chain, certificate.pem()).expect("written");
    std::fs::write(key_file, key.serialize_pem()).expect("written");
    std::fs::set_permissions(key_file, std::fs::Permissions::from_mode(0o600)).expect("set");
    sha2::Sha256::digest(certificate.der()).iter().map(|byte| format!("{byte:02X}")).collect()
}

pub(super) async fn register(hub: &Hub, thumbprints: [&str; 2]) {
    let body = json!({"deviceId": DEVICE, "authentication": {"type": "selfSigned",
        "x509Thumbprint": {"primaryThumbprint": thumbprints[0], "secondaryThumbprint": thumbprints[1]}}});
    let spec = DeviceSpec::from_rest(DEVICE, &body).expect("a device");
    let known = hub.device(DEVICE).await.is_ok().then(|| "*".to_owned());
    hub.put_device(DEVICE, spec, known).await.expect("registered");
}

#[tokio::test]
async fn a_certificate_signs_in_is_warned_of_and_renewed_without_a_restart() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let hub = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    let [chain, key]: [PathBuf; 2] = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
    let other = certify(&chain, &key, 86_400);
    let ended = certify(&chain, &key, -3600);
    register(&hub.hub, [&ended, &other]).await;
    let files = Credentials::CertificateFiles { chain: chain.clone(), key: key.clone() };
    let mut link = RunningLink::start(&outbox, hub.settings_with(files), &ledger);
    let status = link.until(|status| status.last_error.is_some()).await;
    let error = status.last_error.expect("an error");
    assert!(error.contains("certificate has ended on") && error.contains("put a renewed one"), "{error}");
    assert!(status.warning.expect("a warning").contains("has ended"));
    assert_eq!(status.connects, 0);

    let near = certify(&chain, &key, 3 * 86_400 + 60);
    register(&hub.hub, [&near, &near]).await;
    outbox.append(measurements(10), Vec::new()).await.expect("appends");
    empty(&outbox).await;
    let status = link.until(|status| status.connected).await;
    assert!(status.warning.expect("a warning").contains("ends in 3 days"));
    let ends_at = status.credential_ends_at.expect("an end");
    assert!((ends_at.duration_since(Timestamp::now()).as_secs() - 3 * 86_400).abs() < 120);
    link.stop().await;
    hub.stop().await;
}

/// Serves HTTPS beside the hub.
pub(super) async fn with_https(hub: &RunningHub, folder: &Path) -> u16 {
    let containers = Containers::open(&folder.join("containers")).expect("opens");
    let config = HttpsConfig { port: 0, containers };
    hub.hub.serve_https(config, ground(), hub.shutdown.clone()).await.expect("HTTPS is served").port()
}

#[tokio::test]
async fn where_mqtt_cant_be_reached_websocket_is_taken_and_left_at_the_next_renewal() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let hub = RunningHub::start(folder.path(), 0, &ledger).await;
    let https_port = with_https(&hub, folder.path()).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    outbox.append(measurements(20), Vec::new()).await.expect("appends");
    let good = hub.settings().await;
    let token_life = Duration::from_secs(3);
    let blocked = UplinkSettings { port: 1, https_port, transport: LinkTransport::Auto, token_life, ..good.clone() };
    let mut link = RunningLink::start(&outbox, blocked, &ledger);
    empty(&outbox).await;
    let status = link.until(|status| status.connected).await;
    assert_eq!((status.transport, status.connects), (Some(Transport::Websocket), 1));
    assert!(matches!(link.asked().await, HubRequest::Twin(_)), "the twin comes by this way too");
    // Renewed: MQTT is looked at once, then it is WebSocket again.
    let status = link.until(|status| status.connects == 2 && status.connected).await;
    assert_eq!(status.transport, Some(Transport::Websocket));
    // The port is open again.
    link.settings.send_modify(|settings| settings.port = good.port);
    link.until(|status| status.transport == Some(Transport::Mqtt) && status.connected).await;
    outbox.append(measurements(20), Vec::new()).await.expect("appends");
    empty(&outbox).await;
    assert!(logged(folder.path()).values().all(|count| *count == 1));
    assert_eq!(logged(folder.path()).len(), 40);
    link.stop().await;
    hub.stop().await;
}

#[tokio::test]
async fn the_settings_lead_through_a_gateway_to_the_hub() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let hub = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    outbox.append(measurements(20), Vec::new()).await.expect("appends");
    let key = hub.hub.ensure_device(DEVICE).await.expect("a device");
    let key = secrecy::ExposeSecret::expose_secret(&key);
    let [ca, string] = ["ca.pem", "string"].map(|name| folder.path().join(name));
    std::fs::write(&ca, hub.hub.ca_pem()).expect("written");
    // The hub's name leads nowhere; it is what the token is for. The gateway's is what its certificate has to carry.
    std::fs::write(
        &string,
        format!("HostName={HOST};DeviceId={DEVICE};SharedAccessKey={key};GatewayHostName=127.0.0.1"),
    )
    .expect("written");
    std::fs::set_permissions(&string, std::fs::Permissions::from_mode(0o600)).expect("set");
    let link = LinkSettings {
        connection_string: Some(format!("file:{}", string.display())),
        ca: Some(ca),
        port: hub.hub.address().port(),
        transport: LinkTransport::Mqtt,
        ..LinkSettings::default()
    };
    let settings = uplink::settings::resolve(&link, &StationSettings::default()).expect("good").expect("a link");
    assert_eq!((settings.host.as_str(), settings.hub_host_name.as_str()), ("127.0.0.1", HOST));
    let mut link = RunningLink::start(&outbox, settings, &ledger);
    empty(&outbox).await;
    assert_eq!(link.until(|status| status.acknowledged == 20).await.connects, 1);
    assert_eq!(logged(folder.path()).len(), 20);
    link.stop().await;
    hub.stop().await;
}

#[tokio::test]
async fn a_clock_that_differs_from_the_hubs_is_told() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let hub = RunningHub::start(folder.path(), 0, &ledger).await;
    let https_port = with_https(&hub, folder.path()).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    hub.hub.set_faults(Faults { clock_offset_s: 3 * 3600 + 120, ..Faults::default() });
    let settings = UplinkSettings { https_port, ..hub.settings().await };
    let mut link = RunningLink::start(&outbox, settings, &ledger);
    let status = link.until(|status| status.last_error.is_some()).await;
    let error = status.last_error.expect("an error");
    assert!(error.contains("refused the credentials"), "{error}");
    assert!(error.contains("this machine's clock is 3 h 02 min behind the hub's"), "{error}");
    assert!((status.clock_skew_s.expect("a difference") + 10_920.0).abs() < 5.0);
    hub.hub.set_faults(Faults::default());
    let status = link.until(|status| status.connected).await;
    assert_eq!((status.clock_skew_s, status.last_error), (None, None));
    link.stop().await;
    hub.stop().await;
}

/// The figure: `cargo test --test uplink_to_hub -- --ignored --nocapture dead`.
#[tokio::test]
#[ignore = "waits three quarters of a minute for a silent hub; what it waits by is tested in uplink::patience"]
async fn a_dead_connection_is_noticed_within_45_s() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let hub = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    let mut link = RunningLink::start(&outbox, hub.settings().await, &ledger);
    link.until(|status| status.connected).await;
    let mut seen = link.status.clone();
    hub.hub.set_faults(Faults { half_open: true, ..Faults::default() });
    let (started, mut busy) = (Instant::now(), measurements(60).into_iter());
    let noticed =
        async { tokio::time::timeout(Duration::from_secs(60), seen.wait_for(|status| !status.connected)).await };
    tokio::pin!(noticed);
    let seen = loop {
        tokio::select! {
            seen = &mut noticed => break seen.expect("in time").expect("running").last_error.clone(),
            // A device that goes on measuring sends no sign of life by itself.
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                outbox.append(busy.next().into_iter().collect(), Vec::new()).await.expect("appends");
            }
        }
    };
    let took = started.elapsed();
    println!("a dead connection was noticed after {:.1} s: {seen:?}", took.as_secs_f64());
    assert!(took < Duration::from_secs(45));
    hub.hub.set_faults(Faults::default());
    empty(&outbox).await;
    assert!(logged(folder.path()).len() >= 30);
    link.stop().await;
    hub.stop().await;
}
