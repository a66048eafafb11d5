//! A hub that takes messages and nothing else, as ours did once: it refuses every subscription, and anything that isn't
//! telemetry fails the test.

use std::sync::Arc;

use bytes::BytesMut;
use rmqtt_codec::v3::{Codec, ConnectAck, ConnectAckReason, Packet, SubscribeReturnCode};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::*;

struct PlainHub {
    port: u16,
    ca_pem: Vec<u8>,
    /// Serves connections one after the other until the last has ended; answers what it saw on each.
    served: JoinHandle<Vec<Seen>>,
}

/// What a connection brought.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    messages: usize,
    refused_filters: usize,
    keep_alive_s: u16,
}

/// A server's TLS with a certificate for 127.0.0.1 of its own, and that certificate, PEM.
pub(super) fn certified() -> (rustls::ServerConfig, Vec<u8>) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key))
        .expect("a configuration");
    (config, certificate.pem().into_bytes())
}

/// Serves so many connections. `acknowledges` so many messages of each, and then leaves the rest unanswered.
async fn plain_hub(connections: usize, acknowledges: usize) -> PlainHub {
    let (config, ca_pem) = certified();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let served = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..connections {
            let (tcp, _) = listener.accept().await.expect("accepts");
            seen.push(serve(acceptor.accept(tcp).await.expect("speaks TLS"), acknowledges).await);
        }
        seen
    });
    PlainHub { port, ca_pem, served }
}

async fn serve(mut stream: TlsStream<TcpStream>, acknowledges: usize) -> Seen {
    let (mut codec, mut read) = (Codec::new(1 << 20), BytesMut::new());
    let mut seen = Seen::default();
    loop {
        while let Some((packet, _)) = codec.decode(&mut read).expect("MQTT 3.1.1") {
            let answer = match packet {
                Packet::Connect(connect) => {
                    seen.keep_alive_s = connect.keep_alive;
                    Packet::ConnectAck(ConnectAck {
                        session_present: false,
                        return_code: ConnectAckReason::ConnectionAccepted,
                    })
                }
                Packet::Subscribe { packet_id, topic_filters } => {
                    seen.refused_filters += topic_filters.len();
                    let status = vec![SubscribeReturnCode::Failure; topic_filters.len()];
                    Packet::SubscribeAck { packet_id, status }
                }
                Packet::Publish(publish) => {
                    assert!(publish.topic.starts_with("devices/roof-01/messages/events/"), "{}", publish.topic);
                    seen.messages += 1;
                    if seen.messages > acknowledges {
                        continue;
                    }
                    Packet::PublishAck { packet_id: publish.packet_id.expect("QoS 1") }
                }
                Packet::PingRequest => Packet::PingResponse,
                Packet::Disconnect => return seen,
                other => panic!("{other:?}"),
            };
            let mut write = BytesMut::new();
            codec.encode(answer, &mut write).expect("encodes");
            stream.write_all(&write).await.expect("writes");
        }
        if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return seen;
        }
    }
}

#[tokio::test]
async fn a_hub_that_serves_nothing_but_messages_gets_its_messages() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    outbox.append(measurements(100), Vec::new()).await.expect("appends");
    let hub = plain_hub(1, 100).await;
    let key = Credentials::Key("a2V5".into());
    let settings = UplinkSettings::at("127.0.0.1", hub.port, HOST, DEVICE).signed_in(key, Roots::Pem(hub.ca_pem));
    let mut link = RunningLink::start(&outbox, settings, &Ledger::default());
    link.reported.send_replace(serde_json::json!({"agent": {"version": "1"}}));
    empty(&outbox).await;
    let status = link.until(|status| status.acknowledged == 100).await;
    assert_eq!((status.connects, status.last_error), (1, None));
    link.stop().await;
    let seen = hub.served.await.expect("saw nothing strange");
    assert_eq!(seen, [Seen { messages: 100, refused_filters: 4, keep_alive_s: 30 }]);
}

#[tokio::test]
async fn what_is_on_its_way_is_bounded_in_number_and_bytes() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    let large = (0..60).map(|_| {
        let mut message = limits::health();
        if let Message::DeviceHealth(health) = &mut message {
            health.agent_version = "x".repeat(200 * 1024);
        }
        message
    });
    outbox.append(large.collect(), Vec::new()).await.expect("appends");
    let hub = plain_hub(1, 0).await;
    let key = Credentials::Key("a2V5".into());
    let settings = UplinkSettings::at("127.0.0.1", hub.port, HOST, DEVICE).signed_in(key, Roots::Pem(hub.ca_pem));
    let mut link = RunningLink::start(&outbox, settings, &Ledger::default());
    // 4 MiB are 20.5 of them; what is read at once is half a MiB more.
    let status = link.until(|status| status.sent >= 20).await;
    assert!(status.sent <= 24, "{}", status.sent);
    link.stop().await;
    let seen = hub.served.await.expect("saw nothing strange");
    assert!(seen[0].messages <= 24, "{seen:?}");
    assert_eq!(outbox.status().borrow().rows, 60);
}

#[tokio::test]
async fn signs_of_life_get_rare_as_soon_as_the_line_is_metered() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    let hub = plain_hub(3, 100).await;
    let key = Credentials::Key("a2V5".into());
    let settings = UplinkSettings::at("127.0.0.1", hub.port, HOST, DEVICE).signed_in(key, Roots::Pem(hub.ca_pem));
    let mut link = RunningLink::start(&outbox, settings, &Ledger::default());
    for (connects, budget) in [(1, Some(1_000_000)), (2, None)] {
        link.until(|status| status.connected && status.connects == connects).await;
        link.settings.send_modify(|settings| settings.budget_bytes_per_day = budget);
    }
    let status = link.until(|status| status.connected && status.connects == 3).await;
    assert_eq!(status.last_error, None, "a renewal is no failure");
    link.stop().await;
    let seen = hub.served.await.expect("saw nothing strange");
    assert_eq!(seen.iter().map(|seen| seen.keep_alive_s).collect::<Vec<_>>(), [30, 1177, 30]);
}
