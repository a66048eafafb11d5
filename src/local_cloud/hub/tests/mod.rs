//! The hub as a device sees it, over TLS on loopback.

mod certificates;
mod device_bound;
mod faults;
mod identities;
mod methods;
mod telemetry;
mod twins;
mod wills;

use std::num::NonZeroU16;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use hmac::{Hmac, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rmqtt_codec::types::{Protocol, Publish};
use rmqtt_codec::v3::{Connect, ConnectAck, ConnectAckReason, LastWill, Packet, QoS, SubscribeReturnCode};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::wire::{self, Packets, WireError};
use super::*;
use crate::ingestion::enqueued::EnqueuedMessage;
use crate::ingestion::topology::Topology;

const HOST: &str = "skydeck-hub.local";
const SOON: Duration = Duration::from_secs(10);

fn ground() -> Ground {
    Ground::fixed(Topology::built_in("demo", HOST, jiff::SignedDuration::from_secs(300), 1024 * 1024))
}

struct House {
    folder: tempfile::TempDir,
    log: EnqueuedLog,
    hub: Hub,
    shutdown: CancellationToken,
    ledger: Ledger,
}

impl House {
    async fn open() -> Self {
        Self::on(ground()).await
    }

    async fn on(ground: Ground) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let log = EnqueuedLog::open(&folder.path().join("hub.db"), ground.clone()).expect("opens");
        let (shutdown, ledger) = (CancellationToken::new(), Ledger::default());
        let config = HubConfig {
            listen: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            host_name: HOST.into(),
            folder: folder.path().join("hub"),
        };
        let hub = start(config, ground, log.clone(), Clock::wall(), ledger.clone(), shutdown.clone())
            .await
            .expect("the hub starts");
        Self { folder, log, hub, shutdown, ledger }
    }

    async fn tls(&self) -> TlsStream<TcpStream> {
        self.tls_showing(None).await
    }

    /// A connection of a client that shows a certificate.
    async fn tls_showing(
        &self,
        certificate: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.hub.ca_pem()).expect("a certificate")).expect("added");
        let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match certificate {
            Some((chain, key)) => config.with_client_auth_cert(chain, key).expect("they fit"),
            None => config.with_no_client_auth(),
        };
        let tcp = TcpStream::connect(self.hub.address()).await.expect("connects");
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        TlsConnector::from(std::sync::Arc::new(config)).connect(name, tcp).await.expect("the certificate is good")
    }

    /// A CONNECT of `device_id` with its true key and a token for `seconds` from now.
    async fn credentials(&self, device_id: &str, seconds: i64) -> Connect {
        let key = self.hub.ensure_device(device_id).await.expect("a device");
        let key = STANDARD.decode(key.expose_secret()).expect("base64");
        connect(device_id, &key, seconds)
    }

    /// A device that has been let in.
    async fn device(&self, device_id: &str) -> Device {
        let mut device = Device::new(self.tls().await);
        let answer = device.sign_in(self.credentials(device_id, 60).await).await;
        assert_eq!(answer, Some(ConnectAckReason::ConnectionAccepted));
        device
    }

    /// The answer to `connect` on a new connection.
    async fn answer(&self, connect: Connect) -> Option<ConnectAckReason> {
        Device::new(self.tls().await).sign_in(connect).await
    }

    /// Waits until the status is as `wanted` says.
    async fn status(&self, wanted: impl FnMut(&HubStatus) -> bool) -> HubStatus {
        let mut status = self.hub.status();
        let status = tokio::time::timeout(SOON, status.wait_for(wanted)).await.expect("in time").expect("open");
        status.clone()
    }

    fn logged(&self) -> i64 {
        let connection = rusqlite::Connection::open(self.folder.path().join("hub.db")).expect("opens");
        connection.query_row("SELECT count(*) FROM enqueued", [], |row| row.get(0)).expect("counts")
    }
}

fn connect(device_id: &str, key: &[u8], seconds: i64) -> Connect {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let (resource, expiry) = (encode(&format!("{HOST}/devices/{device_id}")), Timestamp::now().as_second() + seconds);
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(format!("{resource}\n{expiry}").as_bytes());
    let signature = encode(&STANDARD.encode(mac.finalize().into_bytes()));
    Connect {
        protocol: Protocol(4),
        clean_session: true,
        keep_alive: 60,
        client_id: device_id.into(),
        username: Some(format!("{HOST}/{device_id}/?api-version=2021-04-12").into()),
        password: Some(format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}").into()),
        ..Connect::default()
    }
}

fn publish(topic: &str, qos: QoS, id: u16, body: impl Into<Bytes>) -> Publish {
    let packet_id = (qos != QoS::AtMostOnce).then(|| NonZeroU16::new(id).expect("not zero"));
    Publish { dup: false, retain: false, qos, topic: topic.into(), packet_id, payload: body.into(), properties: None }
}

fn ack(id: u16) -> Packet {
    Packet::PublishAck { packet_id: NonZeroU16::new(id).expect("not zero") }
}

struct Device {
    packets: Packets<ReadHalf<TlsStream<TcpStream>>>,
    write: WriteHalf<TlsStream<TcpStream>>,
}

impl Device {
    fn new(tls: TlsStream<TcpStream>) -> Self {
        let (read, write) = tokio::io::split(tls);
        Self { packets: Packets::new(read, 0), write }
    }

    async fn send(&mut self, packet: impl Into<Packet>) {
        let mut buffer = BytesMut::new();
        wire::encode(packet.into(), &mut buffer).expect("encodes");
        // A hub that has closed already is what some tests want to see.
        drop(self.write.write_all(&buffer).await);
        drop(self.write.flush().await);
    }

    /// The next packet; `None` once the hub has closed the connection.
    async fn next(&mut self) -> Option<Packet> {
        match self.packets.next(SOON).await {
            Ok(packet) => packet,
            Err(WireError::Io(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn sign_in(&mut self, connect: Connect) -> Option<ConnectAckReason> {
        self.send(connect).await;
        match self.next().await {
            Some(Packet::ConnectAck(ConnectAck { return_code, session_present: false })) => Some(return_code),
            None => None,
            other => panic!("{other:?}"),
        }
    }
    /// Signs in; answers whether the hub kept a session.
    async fn resume(&mut self, connect: Connect) -> bool {
        self.send(connect).await;
        match self.next().await {
            Some(Packet::ConnectAck(ConnectAck {
                return_code: ConnectAckReason::ConnectionAccepted,
                session_present,
            })) => session_present,
            other => panic!("{other:?}"),
        }
    }

    /// Subscribes at QoS 1, which must be granted.
    async fn subscribe(&mut self, filters: &[&str]) {
        let topic_filters: Vec<_> = filters.iter().map(|filter| ((*filter).into(), QoS::AtLeastOnce)).collect();
        let status = vec![SubscribeReturnCode::Success(QoS::AtLeastOnce); filters.len()];
        self.send(Packet::Subscribe { packet_id: NonZeroU16::MIN, topic_filters }).await;
        assert_eq!(self.next().await, Some(Packet::SubscribeAck { packet_id: NonZeroU16::MIN, status }));
    }

    /// The next packet, which must be a message.
    async fn message(&mut self) -> Publish {
        match self.next().await {
            Some(Packet::Publish(publish)) => *publish,
            other => panic!("{other:?}"),
        }
    }

    /// Asks at QoS 0; answers with the answer's topic and body.
    async fn ask(&mut self, topic: &str, body: &str) -> (String, Value) {
        self.send(publish(topic, QoS::AtMostOnce, 0, body.to_owned())).await;
        let answer = self.message().await;
        let body = match &*answer.payload {
            [] => Value::Null,
            body => serde_json::from_slice(body).expect("JSON"),
        };
        (answer.topic.to_string(), body)
    }

    /// Answers whether the hub still serves it.
    async fn is_served(&mut self) -> bool {
        self.send(Packet::PingRequest).await;
        self.next().await == Some(Packet::PingResponse)
    }
}
