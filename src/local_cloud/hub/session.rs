//! One device's connection, from the TLS handshake to its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use jiff::Timestamp;
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::types::Publish;
use rmqtt_codec::v3::{Connect, ConnectAck, ConnectAckReason, Packet, QoS, SubscribeReturnCode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::bag::{PropertyBag, telemetry_bag};
use super::replies::{self, Accepted, Append, Reply};
use super::wire::{self, Packets, WireError};
use super::{Shared, access};
use crate::ingestion::enqueued::EnqueuedMessage;
use crate::local_cloud::devices::Device;
use crate::station::text::printable;

/// Time a connection has until it is let in.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Bytes of a CONNECT: identity, user name and token take a few hundred.
const MAX_CONNECT: u32 = 8 * 1024;
/// IoT Hub's bound on a body: 256 KB.
const MAX_BODY: usize = 256 * 1024;
/// A packet: a body, and a topic of at most 64 KiB.
const MAX_PACKET: u32 = (256 + 64 + 1) * 1024;
/// Messages of a connection that may wait for the log, and bytes of them.
const MAX_WAITING: usize = 1024;
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// IoT Hub's longest keep-alive, seconds; it also holds where a device asks for none.
const MAX_KEEP_ALIVE_S: u16 = 1177;
/// How IoT Hub describes a device that signed in with its key.
const AUTH_METHOD: &str = r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#;

/// Why a connection was ended by the hub; counted as refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("not let in within {} s", HANDSHAKE.as_secs())]
    Slow,
    #[error("TLS: {0}")]
    Tls(std::io::Error),
    #[error("closed before it sent a CONNECT")]
    Mute,
    #[error("refused: {0}")]
    Refused(String),
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("sent a packet that isn't a device's to send")]
    Packet,
    #[error("published to {0}, which is not a topic this hub serves the device")]
    Topic(String),
    #[error("published with QoS 2, which IoT Hub doesn't take")]
    Qos2,
    #[error("sent a message of {0} bytes; at most 262,144 are taken")]
    TooLarge(usize),
    #[error("sent properties that can't be read: {0}")]
    Bag(#[from] super::bag::InvalidBag),
}

impl Fault {
    /// Whether the device is to blame, and not the line.
    pub(super) const fn breaks_a_rule(&self) -> bool {
        !matches!(self, Self::Wire(WireError::Io(_) | WireError::Silent | WireError::Truncated))
    }
}

/// Serves a connection until it ends. `cancel` ends it.
pub(super) async fn serve(
    shared: Arc<Shared>,
    acceptor: TlsAcceptor,
    tcp: TcpStream,
    cancel: CancellationToken,
) -> Result<(), Fault> {
    // Small answers shouldn't wait for more; a socket that can't is served all the same.
    drop(tcp.set_nodelay(true));
    let opened = tokio::time::timeout(HANDSHAKE, async {
        let tls = acceptor.accept(tcp).await.map_err(Fault::Tls)?;
        let (read, mut write) = tokio::io::split(tls);
        let mut packets = Packets::new(read, MAX_CONNECT);
        let (connect, device) = let_in(&shared, &mut packets, &mut write).await?;
        Ok::<_, Fault>((packets, write, connect, device))
    });
    let (mut packets, write, connect, device) = tokio::select! {
        opened = opened => opened.map_err(|_| Fault::Slow)??,
        () = cancel.cancelled() => return Ok(()),
    };
    packets.set_max_bytes(MAX_PACKET);
    let device_id = connect.client_id.to_string();
    let number = shared.enter(&device_id, &cancel);
    let outcome = Session { shared: &shared, device_id: &device_id, device, cancel: &cancel }
        .run(packets, write, silence(&connect))
        .await;
    shared.leave(&device_id, number);
    outcome
}

/// Tells a device that there is no hub, whoever it is.
pub(super) async fn turn_away(acceptor: TlsAcceptor, tcp: TcpStream) {
    let told = tokio::time::timeout(HANDSHAKE, async {
        let (read, mut write) = tokio::io::split(acceptor.accept(tcp).await.map_err(Fault::Tls)?);
        if let Some(Packet::Connect(_)) = Packets::new(read, MAX_CONNECT).next(HANDSHAKE).await? {
            answer(&mut write, ConnectAckReason::ServiceUnavailable).await?;
        }
        Ok::<_, Fault>(())
    });
    if let Ok(Err(fault)) = told.await {
        tracing::debug!("a device couldn't be told that there is no hub: {fault}");
    }
}

/// One and a half keep-alives.
fn silence(connect: &Connect) -> Duration {
    let seconds = match connect.keep_alive {
        0 => MAX_KEEP_ALIVE_S,
        asked => asked.min(MAX_KEEP_ALIVE_S),
    };
    Duration::from_secs(u64::from(seconds)) * 3 / 2
}

/// Reads the CONNECT and answers it.
async fn let_in<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    shared: &Shared,
    packets: &mut Packets<R>,
    write: &mut W,
) -> Result<(Box<Connect>, Device), Fault> {
    let connect = match packets.next(HANDSHAKE).await {
        Ok(Some(Packet::Connect(connect))) => connect,
        Ok(Some(_)) => return Err(Fault::Packet),
        Ok(None) => return Err(Fault::Mute),
        Err(WireError::Malformed(DecodeError::UnsupportedProtocolLevel)) => {
            answer(write, ConnectAckReason::UnacceptableProtocolVersion).await?;
            return Err(Fault::Refused("speaks another version of MQTT than 3.1.1".into()));
        }
        Err(error) => return Err(error.into()),
    };
    if connect.protocol.level() != 4 {
        answer(write, ConnectAckReason::UnacceptableProtocolVersion).await?;
        return Err(Fault::Refused("speaks MQTT 3.1; 3.1.1 is needed".into()));
    }
    match access::check(&connect, &shared.host_name, &shared.devices, Timestamp::now()).await {
        Ok(device) => {
            if connect.last_will.is_some() {
                shared.not_served("a last will");
            }
            answer(write, ConnectAckReason::ConnectionAccepted).await?;
            Ok((connect, device))
        }
        Err(refusal) => {
            answer(write, refusal.code).await?;
            Err(Fault::Refused(format!("device {}: {}", printable(&connect.client_id), refusal.reason)))
        }
    }
}

async fn answer<W: AsyncWrite + Unpin>(write: &mut W, return_code: ConnectAckReason) -> Result<(), WireError> {
    let mut buffer = BytesMut::new();
    let packet = Packet::ConnectAck(ConnectAck { return_code, session_present: false });
    wire::encode(packet, &mut buffer).map_err(|error| std::io::Error::other(error.to_string()))?;
    write.write_all(&buffer).await?;
    write.flush().await?;
    if return_code != ConnectAckReason::ConnectionAccepted {
        write.shutdown().await?;
    }
    Ok(())
}

struct Session<'a> {
    shared: &'a Shared,
    device_id: &'a str,
    device: Device,
    cancel: &'a CancellationToken,
}

impl Session<'_> {
    async fn run<R, W>(&self, mut packets: Packets<R>, write: W, silence: Duration) -> Result<(), Fault>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let (replies, queue) = mpsc::channel(MAX_WAITING);
        let receive = async {
            let outcome = tokio::select! {
                outcome = self.receive(&mut packets, &replies, silence) => outcome,
                () = self.cancel.cancelled() => Ok(()),
            };
            // Ends the queue: what has begun is still waited for.
            drop(replies);
            outcome
        };
        let send = replies::send(queue, write, self.shared, self.device_id, self.cancel);
        let (received, sent) = tokio::join!(receive, send);
        if let Err(error) = sent {
            tracing::warn!(device = self.device_id, "a message can't be kept: {error}; not acknowledged");
            self.shared.failed(error.to_string());
        }
        received
    }

    /// Takes packets until the device disconnects or breaks a rule.
    async fn receive<R: AsyncRead + Unpin>(
        &self,
        packets: &mut Packets<R>,
        replies: &mpsc::Sender<Reply>,
        silence: Duration,
    ) -> Result<(), Fault> {
        let room = Arc::new(Semaphore::new(MAX_WAITING_BYTES));
        while let Some(packet) = packets.next(silence).await? {
            let reply = match packet {
                Packet::Publish(publish) => self.publish(*publish, &room).await?,
                Packet::PingRequest => Reply::Packet(Packet::PingResponse),
                Packet::Subscribe { packet_id, topic_filters } => {
                    let filters: Vec<_> = topic_filters.iter().map(|(filter, _)| printable(filter)).collect();
                    self.shared.not_served(&format!("a subscription to {}", filters.join(", ")));
                    let status = vec![SubscribeReturnCode::Failure; topic_filters.len()];
                    Reply::Packet(Packet::SubscribeAck { packet_id, status })
                }
                Packet::Unsubscribe { packet_id, .. } => Reply::Packet(Packet::UnsubscribeAck { packet_id }),
                Packet::Disconnect => return Ok(()),
                _ => return Err(Fault::Packet),
            };
            if replies.send(reply).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Hands a message to the log.
    async fn publish(&self, publish: Publish, room: &Arc<Semaphore>) -> Result<Reply, Fault> {
        if publish.qos == QoS::ExactlyOnce {
            return Err(Fault::Qos2);
        }
        let size = publish.payload.len();
        if size > MAX_BODY {
            return Err(Fault::TooLarge(size));
        }
        let Some(bag) = telemetry_bag(&publish.topic, self.device_id) else {
            return Err(Fault::Topic(printable(&publish.topic)));
        };
        let message = self.enqueued(&publish, PropertyBag::parse(bag)?);
        let message_id = message.message_id.clone();
        // At least one, so that empty messages are bounded by the queue alone; the semaphore is never closed.
        let bytes = u32::try_from(size.max(1)).unwrap_or(u32::MAX);
        let room = Arc::clone(room).acquire_many_owned(bytes).await.map_err(|_| Fault::Packet)?;
        let log = self.shared.log.clone();
        let append = Append::begin(async move { log.append(message).await }).await;
        Ok(Reply::Message(Accepted { packet_id: publish.packet_id, message_id, append, _room: room }))
    }

    fn enqueued(&self, publish: &Publish, mut bag: PropertyBag) -> EnqueuedMessage {
        if publish.retain {
            // Nothing is retained; IoT Hub says so with this property.
            bag.properties.insert("mqtt-retain".into(), "true".into());
        }
        let mut system_properties = bag.system;
        system_properties.insert("connectionDeviceId".into(), self.device_id.to_owned());
        system_properties.insert("connectionAuthMethod".into(), AUTH_METHOD.into());
        system_properties.insert("connectionDeviceGenerationId".into(), self.device.generation_id.clone());
        EnqueuedMessage {
            enqueued_at: self.shared.clock.now(),
            device_id: self.device_id.to_owned(),
            message_id: bag.message_id,
            content_type: bag.content_type,
            content_encoding: bag.content_encoding,
            properties: bag.properties,
            system_properties,
            body: publish.payload.to_vec(),
        }
    }
}
