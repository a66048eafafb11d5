//! One device's connection, from its first byte to its end.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmqtt_codec::types::Publish;
use rmqtt_codec::v3::{Connect, LastWill, Packet, QoS};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::access::Admitted;
use super::bag::{PropertyBag, telemetry_bag};
use super::downlink::{Downlink, Ended, InFlight};
use super::entry::{self, HANDSHAKE};
use super::replies::{self, Accepted, Append, Reply};
use super::shared::{Line, Shared};
use super::subscriptions::{Kind, Subscriptions};
use super::topics::{self, Asked};
use super::wire::{Packets, WireError};
use crate::ingestion::enqueued::EnqueuedMessage;
use crate::station::text::printable;

/// IoT Hub's bound on a body: 256 KB.
pub(super) const MAX_BODY: usize = 256 * 1024;
/// A packet: a body, and a topic of at most 64 KiB.
const MAX_PACKET: u32 = (256 + 64 + 1) * 1024;
/// Messages of a connection that may wait for the log, and bytes of them.
const MAX_WAITING: usize = 1024;
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// IoT Hub's longest keep-alive, seconds; it also holds where a device asks for none.
const MAX_KEEP_ALIVE_S: u16 = 1177;
/// How long a connection outlives its token.
const TOKEN_GRACE: Duration = Duration::from_secs(5);

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
    #[error("answered a method with what can't be taken: {0}")]
    MethodAnswer(String),
    #[error("its token has expired while it was connected; it has to sign in with a new one before that")]
    Expired,
    #[error("sent more messages a second than the hub lets through at the moment")]
    Throttled,
}

impl Fault {
    /// Whether the device is to blame, and not the line.
    pub(super) const fn breaks_a_rule(&self) -> bool {
        !matches!(self, Self::Wire(WireError::Io(_) | WireError::Silent | WireError::Truncated))
    }
}

/// Both ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::local_cloud) struct Ends {
    pub(in crate::local_cloud) peer: SocketAddr,
    /// The address at which the device found the hub.
    pub(in crate::local_cloud) reached: IpAddr,
}

/// Serves a connection until it ends, or tells the device that there is no hub. `begin` answers with the stream and the
/// certificates that the device showed.
pub(super) async fn serve_or_turn_away<S, B>(shared: &Shared, begin: B, ends: Ends, shutdown: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
    B: Future<Output = Result<(S, Vec<CertificateDer<'static>>), Fault>> + Send,
{
    let open = shared.open();
    if open.is_cancelled() {
        tokio::select! {
            () = entry::turn_away(shared, begin) => {}
            () = shutdown.cancelled() => {}
        }
    } else if let Err(fault) = serve(shared, begin, ends.reached, &open).await {
        if fault.breaks_a_rule() {
            shared.refused(ends.peer, &fault.to_string());
        } else {
            tracing::debug!(peer = %ends.peer, "connection ended: {fault}");
        }
    }
}

/// Serves a connection until it ends. It is ended when `open` is cancelled.
async fn serve<S, B>(shared: &Shared, begin: B, reached: IpAddr, open: &CancellationToken) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
    B: Future<Output = Result<(S, Vec<CertificateDer<'static>>), Fault>> + Send,
{
    let cancel = open.child_token();
    let opened = shared.faults.timeout(HANDSHAKE, async {
        let (stream, certificates) = begin.await?;
        let (read, mut write) = tokio::io::split(stream);
        let mut packets = Packets::new(read, entry::MAX_CONNECT);
        let entered = entry::let_in(shared, &mut packets, &mut write, &certificates).await?;
        Ok::<_, Fault>((packets, write, entered))
    });
    let (mut packets, write, (connect, admitted, subscriptions)) = tokio::select! {
        opened = opened => opened.ok_or(Fault::Slow)??,
        () = open.cancelled() => return Ok(()),
    };
    packets.set_max_bytes(MAX_PACKET);
    let device_id = connect.client_id.to_string();
    let subscriptions = Arc::new(Mutex::new(subscriptions));
    let (line, down) = shared.enter(&device_id, reached, &cancel, subscriptions);
    let session = Session { shared, device_id: &device_id, admitted, line: &line, keeps: !connect.clean_session };
    session.note(true).await;
    session.check_still_known().await;
    let outcome = session.run(packets, write, down, silence(&connect)).await;
    // Whoever waits for the device hears that it has gone.
    cancel.cancel();
    let is_gone = shared.leave(&device_id, &line);
    if let Some(will) = &connect.last_will
        && !matches!(outcome, Ok(End::Disconnected))
        && !open.is_cancelled()
    {
        session.publish_will(will).await;
    }
    if is_gone {
        session.note(false).await;
    }
    outcome.map(|_| ())
}

/// One and a half keep-alives.
fn silence(connect: &Connect) -> Duration {
    let seconds = match connect.keep_alive {
        0 => MAX_KEEP_ALIVE_S,
        asked => asked.min(MAX_KEEP_ALIVE_S),
    };
    Duration::from_secs(u64::from(seconds)) * 3 / 2
}

/// How a connection ended.
enum End {
    /// The device said goodbye.
    Disconnected,
    /// The stream or the hub ended it.
    Cut,
}

/// A connection that was let in.
pub(super) struct Session<'a> {
    pub(super) shared: &'a Shared,
    pub(super) device_id: &'a str,
    admitted: Admitted,
    pub(super) line: &'a Line,
    /// Whether its subscriptions outlive it.
    keeps: bool,
}

impl Session<'_> {
    /// Notes in the registry that the device has come or gone.
    async fn note(&self, is_connected: bool) {
        let now = self.shared.clock.now();
        let seen = self.shared.status.borrow().last_seen.get(self.device_id).copied().unwrap_or(now);
        if let Err(error) = self.shared.registry.connection(self.device_id, is_connected, now, seen).await {
            tracing::warn!(device = self.device_id, "its connection can't be noted: {error}");
            self.shared.failed(error.to_string());
        }
    }

    /// Ends the connection where the device was changed or deleted while it was let in.
    async fn check_still_known(&self) {
        let etag = &self.admitted.device.etag;
        if !matches!(self.shared.registry.get(self.device_id).await, Ok(Some(device)) if device.etag == *etag) {
            self.line.cancel.cancel();
        }
    }

    /// Waits until the device's token has expired.
    async fn expired(&self) {
        match self.admitted.signed_for {
            Some(left) => tokio::time::sleep(left + TOKEN_GRACE).await,
            None => std::future::pending().await,
        }
    }

    async fn run<R, W>(
        &self,
        mut packets: Packets<R>,
        write: W,
        down: mpsc::Receiver<super::downlink::Down>,
        silence: Duration,
    ) -> Result<End, Fault>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let (replies, queue) = mpsc::channel(MAX_WAITING);
        let in_flight = Mutex::new(InFlight::default());
        let receive = async {
            let downlink = Downlink {
                shared: self.shared,
                device_id: self.device_id,
                line: self.line,
                in_flight: &in_flight,
                replies: replies.clone(),
            };
            let outcome = tokio::select! {
                outcome = self.receive(&mut packets, &replies, &in_flight, silence) => outcome,
                ended = downlink.run(down) => {
                    if let Err(Ended::Database(error)) = ended {
                        tracing::warn!(device = self.device_id, "its messages can't be read: {error}");
                        self.shared.failed(error.to_string());
                    }
                    Ok(End::Cut)
                }
                () = self.line.cancel.cancelled() => Ok(End::Cut),
                () = self.expired() => Err(Fault::Expired),
            };
            // Ends the queue: what has begun is still waited for.
            drop((replies, downlink));
            outcome
        };
        let send = replies::send(queue, write, self.shared, self.device_id, &self.line.cancel);
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
        in_flight: &Mutex<InFlight>,
        silence: Duration,
    ) -> Result<End, Fault> {
        let room = Arc::new(Semaphore::new(MAX_WAITING_BYTES));
        if self.line.subscriptions().qos(Kind::DeviceBound, self.device_id).is_some() {
            self.line.device_bound.notify_one();
        }
        while let Some(packet) = entry::next(self.shared, packets, silence).await? {
            self.shared.faults.slow().await;
            let reply = match packet {
                Packet::Publish(publish) => match self.publish(*publish, &room, replies).await? {
                    Some(reply) => reply,
                    None => continue,
                },
                Packet::PingRequest => Reply::Packet(Packet::PingResponse),
                Packet::Subscribe { packet_id, topic_filters } => {
                    let status = self
                        .subscribe(|subscriptions| {
                            let filters = topic_filters.iter();
                            filters.map(|(filter, qos)| subscriptions.add(filter, *qos, self.device_id)).collect()
                        })
                        .await;
                    Reply::Packet(Packet::SubscribeAck { packet_id, status })
                }
                Packet::Unsubscribe { packet_id, topic_filters } => {
                    self.subscribe(|subscriptions| {
                        topic_filters.iter().for_each(|filter| subscriptions.remove(filter))
                    })
                    .await;
                    Reply::Packet(Packet::UnsubscribeAck { packet_id })
                }
                Packet::PublishAck { packet_id } => {
                    let seq = in_flight.lock().unwrap_or_else(PoisonError::into_inner).acknowledged(packet_id);
                    if let Some(seq) = seq
                        && let Err(error) = self.shared.registry.complete(self.device_id, seq).await
                    {
                        // It comes again.
                        self.shared.failed(error.to_string());
                    }
                    continue;
                }
                Packet::Disconnect => return Ok(End::Disconnected),
                _ => return Err(Fault::Packet),
            };
            let subscribed = matches!(reply, Reply::Packet(Packet::SubscribeAck { .. }));
            if replies.send(reply).await.is_err() {
                return Ok(End::Cut);
            }
            if subscribed {
                // After the answer, as clients expect.
                self.line.device_bound.notify_one();
                self.shared.moved();
            }
        }
        Ok(End::Cut)
    }

    /// Changes the subscriptions, and keeps them where the session is kept.
    async fn subscribe<T>(&self, change: impl FnOnce(&mut Subscriptions) -> T) -> T {
        let (outcome, filters) = {
            let mut subscriptions = self.line.subscriptions();
            (change(&mut subscriptions), subscriptions.filters().clone())
        };
        if self.keeps
            && let Err(error) = self.shared.registry.keep_subscriptions(self.device_id, &filters).await
        {
            tracing::warn!(device = self.device_id, "its subscriptions can't be kept: {error}");
            self.shared.failed(error.to_string());
        }
        outcome
    }

    /// Hands a message to the log, or does what the device asks; then it is answered already.
    async fn publish(
        &self,
        publish: Publish,
        room: &Arc<Semaphore>,
        replies: &mpsc::Sender<Reply>,
    ) -> Result<Option<Reply>, Fault> {
        if publish.qos == QoS::ExactlyOnce {
            return Err(Fault::Qos2);
        }
        let size = publish.payload.len();
        if size > MAX_BODY {
            return Err(Fault::TooLarge(size));
        }
        let bag = match topics::asked(&publish.topic, self.device_id) {
            Some(Asked::Telemetry(bag)) => PropertyBag::parse(bag)?,
            Some(asked) => {
                self.asked(asked, publish.payload, publish.packet_id, replies).await?;
                return Ok(None);
            }
            None => return Err(Fault::Topic(printable(&publish.topic))),
        };
        if !self.shared.faults.admits() {
            return Err(Fault::Throttled);
        }
        let message = self.enqueued(bag, publish.retain, publish.payload.to_vec());
        let message_id = message.message_id.clone();
        // At least one, so that empty messages are bounded by the queue alone; the semaphore is never closed.
        let bytes = u32::try_from(size.max(1)).unwrap_or(u32::MAX);
        let room = Arc::clone(room).acquire_many_owned(bytes).await.map_err(|_| Fault::Packet)?;
        let log = self.shared.log.clone();
        let append = Append::begin(async move { log.append(message).await }).await;
        Ok(Some(Reply::Message(Accepted { packet_id: publish.packet_id, message_id, append, _room: room })))
    }

    fn enqueued(&self, mut bag: PropertyBag, retain: bool, body: Vec<u8>) -> EnqueuedMessage {
        if retain {
            // Nothing is retained; IoT Hub says so with this property.
            bag.properties.insert("mqtt-retain".into(), "true".into());
        }
        let mut system_properties = bag.system;
        system_properties.insert("connectionDeviceId".into(), self.device_id.to_owned());
        system_properties.insert("connectionAuthMethod".into(), self.admitted.auth_method.into());
        system_properties.insert("connectionDeviceGenerationId".into(), self.admitted.device.generation_id.clone());
        EnqueuedMessage {
            enqueued_at: self.shared.clock.now(),
            device_id: self.device_id.to_owned(),
            message_id: bag.message_id,
            content_type: bag.content_type,
            content_encoding: bag.content_encoding,
            properties: bag.properties,
            system_properties,
            body,
        }
    }

    /// Publishes what the device left for the case that it goes without a goodbye.
    async fn publish_will(&self, will: &LastWill) {
        let bag = telemetry_bag(&will.topic, self.device_id).and_then(|bag| PropertyBag::parse(bag).ok());
        let Some(mut bag) = bag else { return };
        bag.properties.insert("iothub-MessageType".into(), "Will".into());
        let message = self.enqueued(bag, will.retain, will.message.to_vec());
        match self.shared.log.append(message).await {
            Ok(()) => self.shared.received(self.device_id, 1),
            Err(error) => {
                tracing::warn!(device = self.device_id, "its last will can't be kept: {error}");
                self.shared.failed(error.to_string());
            }
        }
    }
}
