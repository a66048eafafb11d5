//! A hub that takes messages and nothing else, as ours did once: it refuses every subscription, and anything that isn't
//! telemetry fails the test.

use std::sync::Arc;

use bytes::BytesMut;
use rmqtt_codec::v3::{Codec, ConnectAck, ConnectAckReason, Packet, SubscribeReturnCode};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::*;

struct PlainHub {
    port: u16,
    ca_pem: Vec<u8>,
    /// Serves one connection until it ends; answers how many messages and how many refused filters it saw.
    served: JoinHandle<(usize, usize)>,
}

/// `acknowledges` so many messages, and then leaves the rest unanswered.
async fn plain_hub(acknowledges: usize) -> PlainHub {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key))
        .expect("a configuration");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let served = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.expect("accepts");
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(tcp).await.expect("speaks TLS");
        let (mut codec, mut read) = (Codec::new(1 << 20), BytesMut::new());
        let (mut messages, mut refused) = (0, 0);
        loop {
            while let Some((packet, _)) = codec.decode(&mut read).expect("MQTT 3.1.1") {
                let answer = match packet {
                    Packet::Connect(_) => Packet::ConnectAck(ConnectAck {
                        session_present: false,
                        return_code: ConnectAckReason::ConnectionAccepted,
                    }),
                    Packet::Subscribe { packet_id, topic_filters } => {
                        refused += topic_filters.len();
                        let status = vec![SubscribeReturnCode::Failure; topic_filters.len()];
                        Packet::SubscribeAck { packet_id, status }
                    }
                    Packet::Publish(publish) => {
                        assert!(publish.topic.starts_with("devices/roof-01/messages/events/"), "{}", publish.topic);
                        messages += 1;
                        if messages > acknowledges {
                            continue;
                        }
                        Packet::PublishAck { packet_id: publish.packet_id.expect("QoS 1") }
                    }
                    Packet::PingRequest => Packet::PingResponse,
                    Packet::Disconnect => return (messages, refused),
                    other => panic!("{other:?}"),
                };
                let mut write = BytesMut::new();
                codec.encode(answer, &mut write).expect("encodes");
                stream.write_all(&write).await.expect("writes");
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return (messages, refused);
            }
        }
    });
    PlainHub { port, ca_pem: certificate.pem().into_bytes(), served }
}

#[tokio::test]
async fn a_hub_that_serves_nothing_but_messages_gets_its_messages() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    outbox.append(measurements(100), Vec::new()).await.expect("appends");
    let hub = plain_hub(100).await;
    let key = Credentials::Key("a2V5".into());
    let settings = UplinkSettings::new("127.0.0.1", hub.port, HOST, DEVICE).signed_in(key, Roots::Pem(hub.ca_pem));
    let mut link = RunningLink::start(&outbox, settings, &Ledger::default());
    link.reported.send_replace(serde_json::json!({"agent": {"version": "1"}}));
    empty(&outbox).await;
    let status = link.until(|status| status.acknowledged == 100).await;
    assert_eq!((status.connects, status.last_error), (1, None));
    link.stop().await;
    assert_eq!(hub.served.await.expect("saw nothing strange"), (100, 4));
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
    let hub = plain_hub(0).await;
    let key = Credentials::Key("a2V5".into());
    let settings = UplinkSettings::new("127.0.0.1", hub.port, HOST, DEVICE).signed_in(key, Roots::Pem(hub.ca_pem));
    let mut link = RunningLink::start(&outbox, settings, &Ledger::default());
    // 4 MiB are 20.5 of them; what is read at once is half a MiB more.
    let status = link.until(|status| status.sent >= 20).await;
    assert!(status.sent <= 24, "{}", status.sent);
    link.stop().await;
    let (messages, _) = hub.served.await.expect("saw nothing strange");
    assert!(messages <= 24, "{messages}");
    assert_eq!(outbox.status().borrow().rows, 60);
}
