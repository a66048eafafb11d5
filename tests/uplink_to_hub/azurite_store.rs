//! The whole agent's pictures at Azurite, Microsoft's own storage: the local hub's file upload leads there, as IoT Hub's leads
//! to a storage account. The way is cut in the middle of a picture, and the agent ends and starts anew meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use skydeck::edge_agent::sky::{Limits, decode};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::pictures::{RunningAgent, capture, jpeg_of_bytes};
use super::plain_hub::certified;
use super::proxy::Proxy;
use super::ways::with_https;
use super::*;
use crate::azurite::{ACCOUNT, Azurite};

const CONTAINER: &str = "pictures";
/// The picture's bytes, about: eight blocks.
const PICTURE: usize = 2_000_000;
/// Bytes that pass before the cut, most of which are the first blocks.
const BEFORE_CUT: i64 = 900_000;

/// TLS over TCP, for whoever serves HTTP.
struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (tcp, address) = self.tcp.accept().await.expect("accepts");
            // One that doesn't speak TLS is the test's own fault, and is seen as a missing answer.
            if let Ok(tls) = self.acceptor.accept(tcp).await {
                return (tls, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

async fn listening(acceptor: &TlsAcceptor) -> (u16, TlsListener) {
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    (tcp.local_addr().expect("its address").port(), TlsListener { tcp, acceptor: acceptor.clone() })
}

/// TLS towards the agent, and plain TCP behind it.
async fn without_tls(acceptor: &TlsAcceptor, to: u16) -> u16 {
    let (port, mut listener) = listening(acceptor).await;
    tokio::spawn(async move {
        loop {
            let (mut tls, _) = axum::serve::Listener::accept(&mut listener).await;
            tokio::spawn(async move {
                if let Ok(mut tcp) = TcpStream::connect(("127.0.0.1", to)).await {
                    // The cut is what is tested.
                    drop(tokio::io::copy_bidirectional(&mut tls, &mut tcp).await);
                }
            });
        }
    });
    port
}

/// What stands before the hub: all goes through to it, and where it names a place for a blob, that is Azurite's.
#[derive(Clone)]
struct Front {
    hub: u16,
    client: reqwest::Client,
    storage_host: String,
    sas: String,
}

async fn front(acceptor: &TlsAcceptor, front: Front) -> u16 {
    let (port, listener) = listening(acceptor).await;
    let app = Router::new().fallback(through).with_state(front);
    tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
    port
}

async fn through(State(front): State<Front>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let url = format!("https://127.0.0.1:{}{}", front.hub, head.uri);
    let body = to_bytes(body, 1 << 20).await.expect("small");
    let sent = front.client.request(head.method, url).headers(head.headers).body(body).send();
    let answer = sent.await.expect("the hub answers");
    let status = answer.status();
    let body = answer.bytes().await.expect("an answer");
    let is_place = head.uri.path().ends_with("/files") && status.is_success();
    let body = if is_place { front.led_to_azurite(&body) } else { body };
    Response::builder().status(status).body(Body::from(body)).expect("an answer")
}

impl Front {
    fn led_to_azurite(&self, place: &[u8]) -> Bytes {
        let mut place: serde_json::Value = serde_json::from_slice(place).expect("a place");
        assert_eq!(place["containerName"], CONTAINER);
        place["hostName"] = self.storage_host.as_str().into();
        // Azurite has the account in its path, where Azure has it in the host's name.
        place["containerName"] = format!("{ACCOUNT}/{CONTAINER}").into();
        place["sasToken"] = self.sas.as_str().into();
        place.to_string().into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_cut_off_on_its_way_to_azurite_goes_on_where_it_stopped() {
    let Some(azurite) = Azurite::start().await else { return };
    azurite.make_container(CONTAINER).await;
    let variables = Azurite::variables_with_sas(azurite.port, 1);
    let sas = variables.iter().find(|(name, _)| name == "AZURE_STORAGE_SAS_TOKEN").expect("a token").1.clone();

    let folder = tempfile::tempdir().expect("temporary folder");
    let hub = RunningHub::start(folder.path(), 0, &Ledger::default()).await;
    let (config, ca_pem) = certified();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let way = Proxy::to(azurite.port).await;
    let storage = without_tls(&acceptor, way.port).await;
    let to_hub = reqwest::Client::builder()
        .tls_certs_only(reqwest::Certificate::from_pem_bundle(&hub.hub.ca_pem()).expect("certificates"))
        .build()
        .expect("a client");
    let in_front = Front {
        hub: with_https(&hub, folder.path()).await,
        client: to_hub,
        storage_host: format!("127.0.0.1:{storage}"),
        sas: sas.clone(),
    };
    let https_port = front(&acceptor, in_front).await;
    let settings = UplinkSettings { https_port, ..hub.settings().await };
    let settings = UplinkSettings { roots: Roots::Pem([hub.hub.ca_pem(), ca_pem].concat()), ..settings };

    let picture = folder.path().join("sky.jpg");
    std::fs::write(&picture, jpeg_of_bytes(PICTURE)).expect("written");
    let camera = format!("cp {} {{file}}", picture.display());
    way.cut_after(BEFORE_CUT);
    let agent = RunningAgent::start(folder.path(), camera.clone(), settings.clone()).await;
    let name = capture(&hub).await;
    agent.camera(|camera| camera.upload_state.as_ref().is_some_and(|state| state.contains("storage"))).await;
    agent.camera(|camera| (camera.uploaded, camera.waiting) == (0, 1)).await;
    agent.stop().await;

    way.mend();
    let before = way.passed();
    let agent = RunningAgent::start(folder.path(), camera, settings).await;
    agent.camera(|camera| (camera.uploaded, camera.waiting) == (1, 0)).await;
    empty(&agent.handles.outbox).await;
    agent.stop().await;
    // Without a block that was there already: those of 256 KiB that fit into what passed before the cut, less one for heads.
    let again = usize::try_from(way.passed() - before).expect("some");
    assert!(again < PICTURE - 2 * 256 * 1024, "{again} of {PICTURE} bytes went up after the cut");

    let url = |name: &str| format!("http://127.0.0.1:{}/{ACCOUNT}/{CONTAINER}/{name}{sas}", azurite.port);
    let stored = reqwest::get(url(&name)).await.expect("an answer");
    assert_eq!(stored.headers()["content-type"], "image/jpeg");
    let stored = stored.bytes().await.expect("the picture");
    let taken = std::fs::read(&picture).expect("there");
    assert!(stored.len() > taken.len() && stored.ends_with(&taken[20..]), "{} bytes", stored.len());
    assert!(decode(&stored, &Limits::default()).expect("decodes").exif.taken.is_some());
    let small = reqwest::get(url(&name.replace(".jpg", ".thumb.jpg"))).await.expect("an answer");
    assert!(small.status().is_success(), "{}", small.status());
    hub.stop().await;
}
