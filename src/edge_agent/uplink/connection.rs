//! One connection: from the TLS handshake to its end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rumqttc::{
    AckMode, AsyncClient, Broker, ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet,
    Publish, PublishOptions, QoS, TlsConfiguration,
};
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio::time::Instant;

use super::attempts::{End, Failure};
use super::desk::Desk;
use super::dial::dial;
use super::inbox::Inbox;
use super::link::Link;
use super::meter::Meter;
use super::sender::{MAX_MESSAGE, Renewal, Sender};
use super::settings::{Credentials, UplinkSettings};
use super::status::Transport;
use super::tls::Tls;
use super::twin::{self, FromHub};
use super::way::Reached;
use super::{sas, tls, words};
use crate::clock::wall;
use crate::settings::LinkTransport;

/// Version of IoT Hub's device API.
const API_VERSION: &str = "2021-04-12";
/// Seconds between signs of life when nothing is sent.
const KEEP_ALIVE_S: u16 = 30;
/// The same on a metered line: IoT Hub's longest.
const METERED_KEEP_ALIVE_S: u16 = 1177;
/// How long the answer to a sign of life may take.
const PONG: Duration = Duration::from_secs(10);
/// The same on a metered line.
const METERED_PONG: Duration = Duration::from_secs(30);
/// Seconds for the TCP and TLS handshakes and the CONNACK.
const CONNECT_TIMEOUT_S: u64 = 15;
/// Packets written between two flushes at most.
const WRITE_BATCH: usize = 128;
/// Places in the client's queue beside the window's: what the desk sends.
const DESK_PLACES: usize = 64;
/// Bytes of a packet from the hub: a method's payload, or a twin with both sections.
const MAX_INCOMING: usize = 192 * 1024;
/// Where IoT Hub takes MQTT over WebSocket.
const WEBSOCKET_PATH: &str = "/$iothub/websocket";
/// After so long a connection over WebSocket is renewed, to see whether MQTT works again.
const WEBSOCKET_LIFE: Duration = Duration::from_secs(3600);
/// A method may hold up a renewal for so long.
const METHOD_GRACE: Duration = Duration::from_secs(60);
/// How far ahead a connection may be renewed: what needs none ends long before.
const NO_RENEWAL: Duration = Duration::from_secs(365 * 86_400);

/// What the halves of a connection know of each other.
pub(super) struct Line {
    opened: Instant,
    heard_ms: AtomicU64,
    /// When the device's certificate ends.
    pub(super) credential_ends_at: Option<Timestamp>,
}

impl Line {
    /// When something last came from the hub.
    pub(super) fn heard_at(&self) -> Instant {
        self.opened + Duration::from_millis(self.heard_ms.load(Ordering::Relaxed))
    }

    fn heard(&self) {
        let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(since, Ordering::Relaxed);
    }
}

pub(super) struct Connection<'a> {
    link: &'a Link,
    settings: &'a UplinkSettings,
    transport: Transport,
    client: AsyncClient,
    events: EventLoop,
    line: Line,
    renewal: Renewal,
}

impl<'a> Connection<'a> {
    /// Prepares a connection: reads the certificate, signs the token.
    pub(super) fn prepare(link: &'a Link, settings: &'a UplinkSettings, transport: Transport) -> Result<Self, String> {
        let (options, credential_ends_at) = options(settings, transport, &link.tls, &link.meter)?;
        link.warn_of_end(settings, credential_ends_at);
        let in_flight = settings.in_flight.clamp(1, 4096);
        let (client, mut events) = AsyncClient::builder(options).capacity(usize::from(in_flight) + DESK_PLACES).build();
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(CONNECT_TIMEOUT_S);
        events.set_network_options(network);
        let line = Line { opened: Instant::now(), heard_ms: AtomicU64::new(0), credential_ends_at };
        let renewal = renewal(settings, transport, credential_ends_at);
        Ok(Self { link, settings, transport, client, events, line, renewal })
    }

    /// Sends what the outbox has, and serves what the hub asks, until the connection ends.
    pub(super) async fn run(self) -> End {
        let Self { link, settings, transport, client, mut events, line, renewal } = self;
        let (accepted, is_accepted) = watch::channel(false);
        let (busy, is_busy) = watch::channel(0);
        let inbox = Inbox::default();
        let shutdown = shutdown_before_accepted(link, is_accepted.clone());
        let drive = drive(&mut events, settings, &client, &inbox, &line, &accepted);
        let desk = async {
            wait_until_accepted(is_accepted.clone()).await;
            Desk::new(link, &settings.device_id, &client, &inbox, &busy).run().await;
        };
        let send = async {
            wait_until_accepted(is_accepted.clone()).await;
            link.accepted();
            let end = Sender::new(link, settings, &client, &line, renewal, is_busy).run().await;
            drop(client.try_disconnect_now());
            end
        };
        tokio::pin!(drive, send, desk);
        let end = tokio::select! {
            error = &mut drive => {
                let was_accepted = *is_accepted.borrow();
                return End::Failed(words::failure(&error, settings, transport, was_accepted));
            }
            end = &mut send => end,
            () = &mut desk => End::Renew,
            () = shutdown => return End::Shutdown,
        };
        // The goodbye goes out, or not: the hub keeps nothing for us.
        drop(tokio::time::timeout(Duration::from_secs(1), drive).await);
        end
    }
}

/// How a client connects and signs in, and when the device's certificate ends: reads the certificate, signs the token.
fn options(
    settings: &UplinkSettings,
    transport: Transport,
    tls: &Tls,
    meter: &Meter,
) -> Result<(MqttOptions, Option<Timestamp>), String> {
    let identity = tls::identity(&settings.credentials)?;
    let credential_ends_at = identity.as_ref().and_then(|identity| identity.ends_at);
    let tls = TlsConfiguration::Rustls(tls.config(settings, identity.as_ref())?);
    let mut options = match transport {
        Transport::Mqtt => {
            let mut options = MqttOptions::new(&settings.device_id, Broker::tcp(settings.host.clone(), settings.port));
            options.set_transport(rumqttc::Transport::tls_with_config(tls));
            options
        }
        Transport::Websocket => {
            let url = format!("wss://{}:{}{WEBSOCKET_PATH}", settings.url_host(), settings.https_port);
            MqttOptions::websocket_with_tls_config(&settings.device_id, url, tls)
                .map_err(|error| format!("{} can't be reached over WebSocket: {error}", settings.host))?
        }
    };
    let username = format!("{}/{}/?api-version={API_VERSION}", settings.hub_host_name, settings.device_id);
    match &settings.credentials {
        Credentials::Key(key) => {
            let expires = wall::now().checked_add(settings.token_life).map_err(|error| error.to_string())?;
            let token = sas::token(&settings.hub_host_name, &settings.device_id, key, expires)
                .map_err(|error| error.to_string())?;
            options.set_credentials(username, token.expose_secret().as_bytes().to_vec());
        }
        _ => {
            options.set_username(username);
        }
    }
    let in_flight = settings.in_flight.clamp(1, 4096);
    options
        .set_keep_alive(if settings.is_metered() { METERED_KEEP_ALIVE_S } else { KEEP_ALIVE_S })
        .set_max_packet_size(MAX_INCOMING, MAX_MESSAGE + 64 * 1024)
        .set_max_request_batch(WRITE_BATCH)
        .set_ack_mode(AckMode::Manual)
        .try_set_inflight(in_flight)
        .map_err(|error| error.to_string())?;
    let (host, meter) = (settings.host.clone(), meter.clone());
    let port = port(settings, transport);
    options.set_socket_connector(move |_, _| {
        let (host, meter) = (host.clone(), meter.clone());
        async move { dial(&host, port, meter).await }
    });
    Ok((options, credential_ends_at))
}

/// Connects and signs in by the ways that the settings allow, one after the other, and leaves again. Answers by which
/// way, or in words what went wrong with the last.
pub(in crate::edge_agent) async fn sign_in_once(settings: &UplinkSettings, meter: &Meter) -> Result<Transport, String> {
    let ways: &[Transport] = match settings.transport {
        LinkTransport::Mqtt => &[Transport::Mqtt],
        LinkTransport::Websocket => &[Transport::Websocket],
        LinkTransport::Auto => &[Transport::Mqtt, Transport::Websocket],
    };
    let mut failed = String::new();
    for way in ways.iter().copied() {
        let (options, _) = options(settings, way, &Tls::default(), meter)?;
        let (client, mut events) = AsyncClient::builder(options).capacity(1).build();
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(CONNECT_TIMEOUT_S);
        events.set_network_options(network);
        let error = loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    drop(client.try_disconnect_now());
                    // The goodbye goes out, or not.
                    drop(tokio::time::timeout(Duration::from_secs(1), events.poll()).await);
                    return Ok(way);
                }
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        let failure = words::failure(&Stopped::Error(Box::new(error)), settings, way, false);
        failed = failure.words;
        if failure.reached != Reached::Nobody {
            break;
        }
    }
    Err(failed)
}

/// Why the event loop stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The client's own words.
    Error(Box<ConnectionError>),
    /// A sign of life wasn't answered.
    NoPong,
}

/// Drives the client until the connection ends, and hands on what comes.
async fn drive(
    events: &mut EventLoop,
    settings: &UplinkSettings,
    client: &AsyncClient,
    inbox: &Inbox,
    line: &Line,
    accepted: &watch::Sender<bool>,
) -> Stopped {
    let patience = if settings.is_metered() { METERED_PONG } else { PONG };
    let mut pong_until: Option<Instant> = None;
    loop {
        let late = async {
            match pong_until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            event = events.poll() => event,
            () = late => return Stopped::NoPong,
        };
        match event {
            Ok(Event::Incoming(packet)) => {
                line.heard();
                pong_until = None;
                match packet {
                    Packet::ConnAck(_) => {
                        accepted.send_replace(true);
                    }
                    Packet::Publish(publish) => {
                        if let Err(publish) = inbox.put(publish) {
                            turn_away(&publish, client, inbox, &settings.device_id);
                        }
                    }
                    _ => {}
                }
            }
            Ok(Event::Outgoing(Outgoing::PingReq)) => pong_until = Some(Instant::now() + patience),
            Ok(Event::Outgoing(_)) => {}
            Err(error) => return Stopped::Error(Box::new(error)),
        }
    }
}

/// There is no room for what came: methods are told so, the twin is fetched later, a message comes again.
fn turn_away(publish: &Publish, client: &AsyncClient, inbox: &Inbox, device_id: &str) {
    let topic = String::from_utf8_lossy(&publish.topic);
    match FromHub::of(&topic, device_id) {
        FromHub::Method { rid, .. } => {
            let payload = r#"{"error":"too much is being asked of the device; ask again later"}"#;
            let options = PublishOptions::new(QoS::AtMostOnce);
            drop(client.try_publish(twin::reply_topic(429, rid), payload.as_bytes().to_vec(), options));
        }
        FromHub::TwinAnswer { .. } | FromHub::Desired { .. } => inbox.miss(),
        FromHub::DeviceBound { .. } => return,
        FromHub::Unknown => {}
    }
    if let Some(ack) = client.prepare_ack(publish) {
        drop(client.try_manual_ack(ack));
    }
}

async fn wait_until_accepted(mut accepted: watch::Receiver<bool>) {
    if accepted.wait_for(|accepted| *accepted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Answers at the shutdown if the hub hasn't accepted us yet; afterwards the sender looks after it.
async fn shutdown_before_accepted(link: &Link, accepted: watch::Receiver<bool>) {
    link.shutdown.cancelled().await;
    if *accepted.borrow() {
        std::future::pending::<()>().await;
    }
}

/// When the connection is renewed: before its token ends, when its certificate ends, and over WebSocket each hour.
fn renewal(settings: &UplinkSettings, transport: Transport, ends_at: Option<Timestamp>) -> Renewal {
    let now = Instant::now();
    let (mut after, mut grace) = match &settings.credentials {
        Credentials::Key(_) => (settings.token_life.mul_f64(0.8), settings.token_life.mul_f64(0.15).min(METHOD_GRACE)),
        // With whatever certificate lies there then.
        _ => {
            let left = ends_at.and_then(|ends_at| Duration::try_from(ends_at.duration_since(wall::now())).ok());
            (left.filter(|left| !left.is_zero()).unwrap_or(NO_RENEWAL).min(NO_RENEWAL), Duration::ZERO)
        }
    };
    if transport == Transport::Websocket && after > WEBSOCKET_LIFE {
        (after, grace) = (WEBSOCKET_LIFE, METHOD_GRACE);
    }
    Renewal { at: now + after, latest: now + after + grace }
}

pub(super) const fn port(settings: &UplinkSettings, transport: Transport) -> u16 {
    match transport {
        Transport::Mqtt => settings.port,
        Transport::Websocket => settings.https_port,
    }
}

impl Failure {
    /// One that happened before anything was sent.
    pub(super) const fn local(words: String) -> Self {
        Self { words, reached: Reached::Refusal, is_refused: false }
    }
}
