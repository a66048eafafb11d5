//! The hub's HTTPS side where it must refuse, hold back or hold on: faults, what isn't applied, bounds, WebSocket frames.
//! A raw client, since others can't be so wrong; `official_clients` has what goes well.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use secrecy::ExposeSecret;
use serde_json::Value;
use skydeck::clock::Clock;
use skydeck::clock::ledger::Ledger;
use skydeck::ingestion::enqueued::EnqueuedLog;
use skydeck::ingestion::storage::Containers;
use skydeck::ingestion::topology::{Ground, MODELS, Topology};
use skydeck::local_cloud::https::{HttpsConfig, Policy};
use skydeck::local_cloud::hub::{self, Faults, Hub, HubConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

const HOST: &str = "skydeck-hub.local";
const DEVICE: &str = "roof-01";
const SOON: Duration = Duration::from_secs(30);

struct House {
    hub: Hub,
    address: SocketAddr,
    folder: tempfile::TempDir,
    containers: Containers,
    applied: watch::Sender<Arc<Topology>>,
    shutdown: CancellationToken,
}

impl House {
    async fn open() -> Self {
        Self::at(tempfile::tempdir().expect("temporary folder")).await
    }

    async fn at(folder: tempfile::TempDir) -> Self {
        let built_in = Topology::built_in("demo", HOST, jiff::SignedDuration::from_secs(300), 1024 * 1024);
        let applied = watch::Sender::new(Arc::new(built_in));
        let ground = Ground::from(applied.subscribe());
        let log = EnqueuedLog::open(&folder.path().join("hub.db"), ground.clone()).expect("opens");
        let containers = Containers::open(&folder.path().join("containers")).expect("opens");
        let listen = IpAddr::from([127, 0, 0, 1]);
        let config = HubConfig { listen, port: 0, host_name: HOST.into(), folder: folder.path().join("hub") };
        let shutdown = CancellationToken::new();
        let hub = hub::start(config, ground.clone(), log, Clock::wall(), Ledger::default(), shutdown.clone()).await;
        let hub = hub.expect("the hub starts");
        let https = HttpsConfig { port: 0, containers: containers.clone() };
        let address = hub.serve_https(https, ground, shutdown.clone()).await.expect("a port is free");
        Self { hub, address, folder, containers, applied, shutdown }
    }

    async fn tls(&self) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.hub.ca_pem()).expect("PEM")).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpStream::connect(self.address).await.expect("connects");
        let name = ServerName::from(self.address.ip());
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("TLS")
    }

    /// What comes back for a request that is written as it is, until the hub closes: status, head, body.
    async fn raw(&self, request: &[u8]) -> (u16, String, Vec<u8>) {
        let mut tls = self.tls().await;
        // The hub may refuse before it has read everything.
        drop(tls.write_all(request).await);
        drop(tls.flush().await);
        let mut answer = Vec::new();
        let read = tokio::time::timeout(SOON, tls.read_to_end(&mut answer)).await.expect("in time");
        drop(read);
        let cut = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..cut]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, head, answer[cut + 4..].to_vec())
    }

    async fn ask(&self, line: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        self.raw(&[head.as_bytes(), body].concat()).await
    }

    /// A request with a token of iothubowner; `path` with its first slash.
    async fn service(&self, method: &str, path: &str, body: &str) -> (u16, String, Vec<u8>) {
        let text = self.hub.service_connection_string(Policy::Owner).expect("served");
        let key = text.expose_secret().split_once("SharedAccessKey=").expect("a key").1.to_owned();
        let authorization = format!("Authorization: {}&skn=iothubowner\r\n", token(HOST, &key));
        let line = format!("{method} {path}?api-version=2021-04-12");
        self.ask(&line, &authorization, body.as_bytes()).await
    }

    async fn device_authorization(&self) -> String {
        let key = self.hub.ensure_device(DEVICE).await.expect("a device");
        format!("Authorization: {}\r\n", token(&format!("{HOST}/devices/{DEVICE}"), key.expose_secret()))
    }

    /// Opens an upload as the device; the path and query to put to.
    async fn begin_upload(&self, name: &str) -> Result<String, (u16, String)> {
        let authorization = self.device_authorization().await;
        let line = format!("POST /devices/{DEVICE}/files?api-version=2021-04-12");
        let body = serde_json::json!({"blobName": name}).to_string();
        let (status, _, body) = self.ask(&line, &authorization, body.as_bytes()).await;
        if status != 200 {
            return Err((status, String::from_utf8_lossy(&body).into_owned()));
        }
        let info: Value = serde_json::from_slice(&body).expect("JSON");
        let text = |name: &str| info[name].as_str().expect("a text").to_owned();
        assert_eq!(text("hostName"), self.address.to_string());
        Ok(format!("/{}/{}{}", text("containerName"), text("blobName"), text("sasToken")))
    }

    async fn close(self) -> tempfile::TempDir {
        self.shutdown.cancel();
        tokio::time::timeout(SOON, self.hub.ended()).await.expect("ends");
        self.folder
    }
}

/// A token for an hour.
fn token(resource: &str, key: &str) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let (resource, end) = (encode(resource), jiff::Timestamp::now().as_second() + 3600);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&STANDARD.decode(key).expect("base64")).expect("a key");
    mac.update(format!("{resource}\n{end}").as_bytes());
    let signature = encode(&STANDARD.encode(mac.finalize().into_bytes()));
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={end}")
}

#[tokio::test]
async fn faults_are_told_as_azure_tells_them() {
    let house = House::open().await;
    let statistics = || house.service("GET", "/statistics/devices", "");
    assert_eq!(statistics().await.0, 200);
    house.hub.set_faults(Faults { throttle_per_s: Some(0), ..Faults::default() });
    let (status, head, body) = statistics().await;
    assert!(status == 429 && head.contains("retry-after: 1"), "{head}");
    assert!(String::from_utf8_lossy(&body).contains("ErrorCode:ThrottlingException"));
    house.hub.set_faults(Faults { slow_ms: 300, ..Faults::default() });
    let since = Instant::now();
    assert_eq!(statistics().await.0, 200);
    assert!(since.elapsed() >= Duration::from_millis(300));
    house.hub.set_faults(Faults { clock_offset_s: 7200, ..Faults::default() });
    let (status, _, body) = statistics().await;
    assert_eq!(status, 401, "the token has ended by this hub's clock");
    assert!(String::from_utf8_lossy(&body).contains("expired"));
    house.hub.set_faults(Faults { refuse: true, ..Faults::default() });
    let refused = async {
        while statistics().await.0 != 503 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, refused).await.expect("the hub hears of it a moment after");
    house.hub.set_faults(Faults::default());
    let back = async {
        while statistics().await.0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, back).await.expect("the hub hears of it a moment after");
    house.hub.set_faults(Faults { half_open: true, ..Faults::default() });
    let held = TcpStream::connect(house.address).await.expect("connects");
    {
        let mut asking = std::pin::pin!(statistics());
        let early = tokio::time::timeout(Duration::from_millis(300), asking.as_mut()).await;
        assert!(early.is_err(), "nothing comes");
        house.hub.set_faults(Faults::default());
        assert_eq!(tokio::time::timeout(SOON, asking).await.expect("goes on").0, 200);
    }
    drop(held);
    house.close().await;
}

#[tokio::test]
async fn what_is_not_applied_takes_no_uploads() {
    let house = House::open().await;
    let path = house.begin_upload("a.jpg").await.expect("a place");
    let topology = Topology::clone(&house.applied.borrow());
    let mut without = topology.clone();
    without.containers.remove("pictures");
    house.applied.send_replace(Arc::new(without));
    let put = async || house.ask(&format!("PUT {path}"), "x-ms-blob-type: BlockBlob\r\n", b"picture").await;
    let (status, head, _) = put().await;
    assert!(status == 404 && head.contains("x-ms-error-code: containernotfound"), "{head}");
    let (status, words) = house.begin_upload("b.jpg").await.expect_err("no container");
    assert!(status == 400 && words.contains("file_upload"), "{words}");
    house.applied.send_replace(Arc::new(Topology { hub: None, ..topology.clone() }));
    let gone = async {
        while house.service("GET", "/devices", "").await.0 != 503 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("the hub hears of it a moment after");
    house.applied.send_replace(Arc::new(topology));
    let back = async {
        while put().await.0 != 201 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, back).await.expect("the token is still good");
    assert_eq!(house.containers.read("pictures", "roof-01/a.jpg").await.expect("reads"), "picture");
    house.close().await;
}

#[tokio::test]
async fn a_half_upload_is_never_seen_and_wrong_ones_are_refused() {
    let house = House::open().await;
    let path = house.begin_upload("a.jpg").await.expect("a place");
    let mut tls = house.tls().await;
    let head =
        format!("PUT {path} HTTP/1.1\r\nHost: h\r\nx-ms-blob-type: BlockBlob\r\nContent-Length: 4000000\r\n\r\n");
    tls.write_all(head.as_bytes()).await.expect("writes");
    tls.write_all(&vec![b'x'; 3_000_000]).await.expect("writes");
    tls.shutdown().await.expect("breaks off");
    drop(tls.read_to_end(&mut Vec::new()).await);
    assert!(!house.containers.exists("pictures", "roof-01/a.jpg").await.expect("looks"));
    let kind = "x-ms-blob-type: BlockBlob\r\n";
    for (what, line, headers, status, code) in [
        ("a page blob", format!("PUT {path}"), "x-ms-blob-type: PageBlob\r\n", 400, "invalidheadervalue"),
        ("no kind", format!("PUT {path}"), "", 400, "invalidheadervalue"),
        ("another verb", format!("DELETE {path}"), "", 405, "unsupportedhttpverb"),
        ("another component", format!("PUT {path}&comp=metadata"), kind, 405, "unsupportedhttpverb"),
        ("a block without an id", format!("PUT {path}&comp=block"), "", 400, "invalidqueryparametervalue"),
        ("not there yet", format!("GET {path}"), "", 404, "blobnotfound"),
        ("another blob", format!("PUT {}", path.replace("a.jpg", "b.jpg")), kind, 403, "authenticationfailed"),
        ("above its folder", format!("PUT {}", path.replace("roof-01", "roof-01/..")), kind, 404, ""),
        ("no token", "GET /pictures/roof-01/a.jpg".to_owned(), "", 403, "authenticationfailed"),
    ] {
        let (answered, head, _) = house.ask(&line, headers, b"").await;
        assert!(answered == status && head.contains(code), "{what}: {head}");
    }
    let chunked = format!(
        "PUT {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{kind}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    );
    assert_eq!(house.raw(chunked.as_bytes()).await.0, 411);
    let huge = format!("PUT {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{kind}Content-Length: 67108865\r\n\r\n");
    assert_eq!(house.raw(huge.as_bytes()).await.0, 413);
    let name = "../roof-02/a.jpg";
    assert_eq!(house.begin_upload(name).await.expect_err("another device's").0, 400);
    house.close().await;
}

#[tokio::test]
async fn requests_have_their_bounds() {
    let house = House::open().await;
    let long = format!("GET /devices HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    assert_eq!(house.raw(long.as_bytes()).await.0, 431);
    let many = format!("GET /devices HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{}\r\n", "X: y\r\n".repeat(80));
    assert_eq!(house.raw(many.as_bytes()).await.0, 431);
    assert_eq!(house.raw(b"rubbish\r\n\r\n").await.0, 400);
    let (status, _, body) = house.service("POST", "/devices", "").await;
    assert!(status == 405 && String::from_utf8_lossy(&body).contains("ErrorCode:InvalidOperation"));
    let (status, _, body) = house.service("GET", "/jobs/v2", "").await;
    assert!(status == 404 && String::from_utf8_lossy(&body).contains("ErrorCode:ResourceNotFound"));
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(TcpStream::connect(house.address).await.expect("connects"));
    }
    let mut one_more = TcpStream::connect(house.address).await.expect("connects");
    let read = tokio::time::timeout(SOON, one_more.read(&mut [0])).await.expect("in time");
    assert!(matches!(read, Ok(0) | Err(_)), "it is closed at once: {read:?}");
    drop(held);
    let back = async {
        loop {
            let tcp = TcpStream::connect(house.address).await.expect("connects");
            let mut one = tcp;
            if tokio::time::timeout(Duration::from_millis(100), one.read(&mut [0])).await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(SOON, back).await.expect("there is room again");
    house.close().await;
}

#[tokio::test]
async fn a_device_opens_uploads_of_its_own_and_in_the_old_way_too() {
    let house = House::open().await;
    house.hub.ensure_device("roof-02").await.expect("a device");
    let own = house.device_authorization().await;
    let ask = async |line: &str, headers: &str, body: &str| {
        let (status, _, body) = house.ask(line, headers, body.as_bytes()).await;
        (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
    };
    let (status, info) = ask("GET /devices/roof-01/files/2026/a%20b.jpg?api-version=2016-02-03", &own, "").await;
    assert_eq!((status, info["blobName"].as_str()), (200, Some("roof-01/2026/a b.jpg")), "{info}");
    let notification = serde_json::json!({"correlationId": info["correlationId"], "isSuccess": true}).to_string();
    let ended = "/files/notifications?api-version=2021-04-12";
    for (what, line, headers, body, status) in [
        ("another device's", "POST /devices/roof-02/files?api-version=2021-04-12", &*own, r#"{"blobName":"a"}"#, 401),
        ("nobody's", "POST /devices/roof-01/files?api-version=2021-04-12", "", r#"{"blobName":"a"}"#, 401),
        (
            "an unknown device's",
            "POST /devices/roof-99/files?api-version=2021-04-12",
            &*own,
            r#"{"blobName":"a"}"#,
            401,
        ),
        ("no name", "POST /devices/roof-01/files?api-version=2021-04-12", &*own, "{}", 400),
        ("no version", "POST /devices/roof-01/files", &*own, r#"{"blobName":"a"}"#, 400),
        ("ended by another", &format!("POST /devices/roof-02{ended}"), &*own, &notification, 401),
        ("ended", &format!("POST /devices/roof-01{ended}"), &*own, &notification, 204),
        ("ended twice", &format!("POST /devices/roof-01{ended}"), &*own, &notification, 404),
    ] {
        assert_eq!(ask(line, headers, body).await.0, status, "{what}");
    }
    house.close().await;
}

/// A frame of a client, masked with zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    assert!(length < 126);
    [&[0x80 | opcode, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

async fn websocket(house: &House, protocol: &str) -> (TlsStream<TcpStream>, String) {
    let mut tls = house.tls().await;
    let request = format!(
        "GET /$iothub/websocket?iothub-no-client-cert=true HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\r\n"
    );
    tls.write_all(request.as_bytes()).await.expect("writes");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tls.read_u8().await.expect("a head"));
    }
    (tls, String::from_utf8_lossy(&head).to_lowercase())
}

#[tokio::test]
async fn a_link_that_is_handed_out_reads_one_blob_until_it_ends() {
    let house = House::open().await;
    const BLOB: &str = "roof/1.0.0+b/a.model";
    let link = |life_s| {
        let life = jiff::SignedDuration::from_secs(life_s);
        let link = house.hub.read_link(DEVICE, MODELS, BLOB, life).expect("HTTPS is served");
        let prefix = format!("https://{}", house.address);
        link.expose_secret().strip_prefix(&prefix).expect("the hub's own address").to_owned()
    };
    let good = link(60);
    assert!(good.starts_with("/models/roof/1%2E0%2E0%2Bb/a%2Emodel?") && good.ends_with("&sp=r"), "{good}");
    assert_eq!(house.ask(&format!("GET {good}"), "", b"").await.0, 404, "it isn't there yet");
    let mut blob = house.containers.create(MODELS, BLOB);
    blob.write(b"0123456789").await.expect("written");
    blob.finish().await.expect("there");
    assert_eq!(house.ask(&format!("GET {good}"), "", b"").await.2, b"0123456789");
    let (status, head, body) = house.ask(&format!("GET {good}"), "Range: bytes=4-20\r\n", b"").await;
    assert_eq!((status, body.as_slice()), (206, b"456789".as_slice()));
    assert!(head.contains("content-range: bytes 4-9/10"), "{head}");
    let block = "x-ms-blob-type: BlockBlob\r\n";
    let (status, head, _) = house.ask(&format!("PUT {good}"), block, b"x").await;
    assert!(status == 403 && head.contains("authorizationpermissionmismatch"), "{status} {head}");
    for path in [good.replace("sp=r", "sp=rw"), good.replace("a%2Emodel", "b%2Emodel"), link(-1)] {
        for method in ["GET", "PUT"] {
            assert_eq!(house.ask(&format!("{method} {path}"), block, b"x").await.0, 403, "{method}");
        }
    }
    assert_eq!(house.containers.read(MODELS, BLOB).await.expect("read"), b"0123456789".as_slice());
    house.close().await;
}

#[tokio::test]
async fn a_websocket_carries_mqtt_however_it_is_cut_into_frames() {
    let house = House::open().await;
    let (_, head) = websocket(&house, "").await;
    assert!(head.starts_with("http/1.1 400"), "{head}");
    let (_, head) = websocket(&house, "Sec-WebSocket-Protocol: amqp\r\n").await;
    assert!(head.starts_with("http/1.1 400"), "{head}");
    let (mut tls, head) = websocket(&house, "Sec-WebSocket-Protocol: mqtt\r\n").await;
    assert!(head.starts_with("http/1.1 101") && head.contains("sec-websocket-protocol: mqtt"), "{head}");
    // A CONNECT of MQTT 5 in three frames, with a ping between: the answer is a CONNACK that the version isn't served.
    let connect = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02d1";
    for piece in [frame(2, &connect[..1]), frame(2, &connect[1..7]), frame(9, b"?"), frame(2, &connect[7..])] {
        tls.write_all(&piece).await.expect("writes");
    }
    let mut answer = Vec::new();
    drop(tokio::time::timeout(SOON, tls.read_to_end(&mut answer)).await.expect("in time"));
    assert!(answer.windows(6).any(|six| six == b"\x82\x04\x20\x02\x00\x01"), "{answer:?}");
    let (mut tls, _) = websocket(&house, "Sec-WebSocket-Protocol: mqtt\r\n").await;
    tls.write_all(&frame(1, b"text")).await.expect("writes");
    let mut answer = Vec::new();
    drop(tokio::time::timeout(SOON, tls.read_to_end(&mut answer)).await.expect("it is ended"));
    house.close().await;
}

#[tokio::test]
async fn keys_and_uploads_outlive_a_restart_and_a_taken_port_is_named() {
    let house = House::open().await;
    let text = house.hub.service_connection_string(Policy::Owner).expect("served").expose_secret().to_owned();
    let expected = format!("HostName={};SharedAccessKeyName=iothubowner;SharedAccessKey=", house.address);
    assert!(text.starts_with(&expected), "{text}");
    let key = text.split_once("SharedAccessKey=").expect("a key").1.to_owned();
    let path = house.begin_upload("a.jpg").await.expect("a place");
    let again = HttpsConfig { port: house.address.port(), containers: house.containers.clone() };
    let ground = Ground::from(house.applied.subscribe());
    let Err(error) = house.hub.serve_https(again, ground, house.shutdown.clone()).await else { panic!("it was taken") };
    assert!(error.to_string().contains("hub.https_port"), "{error}");
    let house = House::at(house.close().await).await;
    let text = house.hub.service_connection_string(Policy::Owner).expect("served").expose_secret().to_owned();
    assert!(text.ends_with(&key), "the key is another");
    let (status, ..) = house.ask(&format!("PUT {path}"), "x-ms-blob-type: BlockBlob\r\n", b"x").await;
    assert_eq!(status, 201);
    house.close().await;
}
