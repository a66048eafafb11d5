//! One connection: from the TLS handshake to its end.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use rumqttc::{
    AsyncClient, ClientError, ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Packet,
    PublishNoticeError, PublishOptions, PublishResult, QoS, TlsConfiguration, Transport,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Link, UplinkSettings, sas, topic, words};
use crate::clock::ledger::Hop;
use crate::edge_agent::outbox::OutboxRow;

/// IoT Hub's bound on a message: 256 KB, properties included.
const MAX_MESSAGE: usize = 256 * 1024;
/// Version of IoT Hub's device API.
const API_VERSION: &str = "2021-04-12";
/// Seconds between signs of life when nothing is sent.
const KEEP_ALIVE_S: u16 = 60;
/// Seconds for the TCP and TLS handshakes and the CONNACK.
const CONNECT_TIMEOUT_S: u64 = 15;
/// Packets written between two flushes at most.
const WRITE_BATCH: usize = 128;
/// Rows read from the outbox at once.
const READ_BATCH: usize = 256;
/// Bytes on their way from which no more rows are read.
const MAX_BYTES_IN_FLIGHT: usize = 4 * 1024 * 1024;
/// How long acknowledgements are waited for before a connection is ended on purpose.
const DRAIN: Duration = Duration::from_secs(5);
/// The same when the program ends: what is left is sent after the next start.
const DRAIN_AT_SHUTDOWN: Duration = Duration::from_millis(500);

/// Why a connection ended.
pub(super) enum End {
    /// The program ends.
    Shutdown,
    /// The token is about to end.
    Renew,
    /// Something failed, in words.
    Failed(String),
}

/// A message on its way.
struct InFlight {
    seq: i64,
    bytes: usize,
    ack: Pin<Box<dyn Future<Output = Result<PublishResult, PublishNoticeError>> + Send>>,
}

pub(super) struct Connection<'a> {
    link: &'a Link,
    settings: &'a UplinkSettings,
    client: AsyncClient,
    events: EventLoop,
    renew_at: Instant,
}

impl<'a> Connection<'a> {
    pub(super) fn open(link: &'a Link, settings: &'a UplinkSettings) -> Result<Self, String> {
        let expires = Timestamp::now().checked_add(settings.token_life).map_err(|error| error.to_string())?;
        let token = sas::token(&settings.hub_host_name, &settings.device_id, &settings.key, expires)
            .map_err(|error| error.to_string())?;
        let mut options = MqttOptions::new(&settings.device_id, (settings.host.clone(), settings.port));
        let username = format!("{}/{}/?api-version={API_VERSION}", settings.hub_host_name, settings.device_id);
        options
            .set_credentials(username, token.expose_secret().as_bytes().to_vec())
            .set_keep_alive(KEEP_ALIVE_S)
            .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls(settings)?)))
            .set_max_packet_size(64 * 1024, MAX_MESSAGE + 64 * 1024)
            .set_max_request_batch(WRITE_BATCH)
            .try_set_inflight(settings.in_flight.clamp(1, 4096))
            .map_err(|error| error.to_string())?;
        let capacity = usize::from(settings.in_flight.clamp(1, 4096));
        let (client, mut events) = AsyncClient::builder(options).capacity(capacity).build();
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECT_TIMEOUT_S);
        events.set_network_options(network);
        Ok(Self { link, settings, client, events, renew_at: Instant::now() + settings.token_life.mul_f64(0.8) })
    }

    /// Sends what the outbox has until the connection ends.
    pub(super) async fn run(self) -> End {
        let Self { link, settings, client, mut events, renew_at } = self;
        let (accepted, mut is_accepted) = watch::channel(false);
        let shutdown = shutdown_before_accepted(link, is_accepted.clone());
        let drive = async {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        accepted.send_replace(true);
                    }
                    Ok(_) => {}
                    Err(error) => return error,
                }
            }
        };
        let sender = Sender { link, settings, client: &client, renew_at, in_flight: VecDeque::new(), last_seq: 0 };
        let send = async {
            if is_accepted.wait_for(|accepted| *accepted).await.is_err() {
                std::future::pending::<()>().await;
            }
            link.status.send_modify(|status| {
                status.connected = true;
                status.connects += 1;
                status.last_error = None;
            });
            let end = sender.run().await;
            drop(client.try_disconnect_now());
            end
        };
        tokio::pin!(drive, send);
        let end = tokio::select! {
            error = &mut drive => return End::Failed(words::describe(&error, settings)),
            end = &mut send => end,
            () = shutdown => return End::Shutdown,
        };
        // The goodbye goes out, or not: the hub keeps nothing for us.
        let goodbye: Result<ConnectionError, _> = tokio::time::timeout(Duration::from_secs(1), drive).await;
        drop(goodbye);
        end
    }
}

/// Answers at the shutdown if the hub hasn't accepted us yet; afterwards the sender looks after it.
async fn shutdown_before_accepted(link: &Link, accepted: watch::Receiver<bool>) {
    link.shutdown.cancelled().await;
    if *accepted.borrow() {
        std::future::pending::<()>().await;
    }
}

fn tls(settings: &UplinkSettings) -> Result<Arc<rustls::ClientConfig>, String> {
    let failed =
        |reason: String| format!("the hub's certificate authority can't be used: {reason}; check the PEM file");
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&settings.ca_pem) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("no certificate in it".into()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Hands rows to the client and takes acknowledged ones out of the outbox.
struct Sender<'a> {
    link: &'a Link,
    settings: &'a UplinkSettings,
    client: &'a AsyncClient,
    renew_at: Instant,
    in_flight: VecDeque<InFlight>,
    last_seq: i64,
}

impl Sender<'_> {
    async fn run(mut self) -> End {
        let mut changes = self.link.outbox.status();
        let window = usize::from(self.settings.in_flight.clamp(1, 4096));
        let mut may_have_more = true;
        loop {
            while may_have_more && self.has_room(window) {
                changes.borrow_and_update();
                let limit = READ_BATCH.min(window - self.in_flight.len());
                match self.send_some(limit).await {
                    Ok(sent) => may_have_more = sent == limit,
                    Err(error) => return End::Failed(error),
                }
            }
            let end = tokio::select! {
                acknowledged = acknowledged(&mut self.in_flight) => match self.settle(acknowledged).await {
                    Ok(()) => continue,
                    Err(error) => return End::Failed(error),
                },
                changed = changes.changed(), if !may_have_more => {
                    if changed.is_err() {
                        return End::Shutdown;
                    }
                    may_have_more = true;
                    continue;
                }
                () = tokio::time::sleep_until(self.renew_at) => End::Renew,
                () = self.link.shutdown.cancelled() => End::Shutdown,
            };
            let drain = if matches!(end, End::Shutdown) { DRAIN_AT_SHUTDOWN } else { DRAIN };
            // What isn't acknowledged by then is still in the outbox.
            drop(tokio::time::timeout(drain, self.drain()).await);
            return end;
        }
    }

    fn has_room(&self, window: usize) -> bool {
        let bytes: usize = self.in_flight.iter().map(|message| message.bytes).sum();
        self.in_flight.len() < window && bytes < MAX_BYTES_IN_FLIGHT
    }

    /// Sends up to `limit` rows; answers how many the outbox had.
    async fn send_some(&mut self, limit: usize) -> Result<usize, String> {
        let rows = self.link.outbox.peek(self.last_seq, limit).await.map_err(|error| error.to_string())?;
        let count = rows.len();
        let mut sent = Vec::with_capacity(count);
        for row in rows {
            self.last_seq = row.seq;
            let topic = topic::telemetry(&self.settings.device_id, &row.message_id, row.kind, self.link.clock.now());
            if topic.len() + row.body.len() > MAX_MESSAGE {
                self.set_aside(row, topic.len()).await?;
                continue;
            }
            let (options, bytes) = (PublishOptions::new(QoS::AtLeastOnce), row.body.len());
            match self.client.publish_tracked(topic, row.body.into_bytes(), options).await {
                Ok(notice) => {
                    let ack = Box::pin(notice.wait_async());
                    self.in_flight.push_back(InFlight { seq: row.seq, bytes, ack });
                }
                Err(error) => return Err(client_error(&error)),
            }
            sent.push(row.message_id);
        }
        if !sent.is_empty() {
            self.link.ledger.stamp(Hop::Sent, sent.iter().map(String::as_str));
            self.link.status.send_modify(|status| status.sent += sent.len() as u64);
        }
        Ok(count)
    }

    async fn set_aside(&mut self, row: OutboxRow, properties: usize) -> Result<(), String> {
        let reason = format!(
            "{} of {} bytes with {properties} of properties is over the hub's 262,144",
            row.kind.name(),
            row.body.len()
        );
        tracing::warn!(message = row.message_id, "{reason}; set aside");
        self.link.outbox.set_row_aside(row, reason, self.link.clock.now()).await.map_err(|error| error.to_string())
    }

    /// Takes what the hub has acknowledged out of the outbox.
    async fn settle(&mut self, acknowledged: Result<Vec<i64>, PublishNoticeError>) -> Result<(), String> {
        let seqs = acknowledged.map_err(|error| format!("the link lost a message's acknowledgement: {error}"))?;
        let count = seqs.len() as u64;
        self.link.outbox.remove(seqs).await.map_err(|error| error.to_string())?;
        self.link.status.send_modify(|status| status.acknowledged += count);
        Ok(())
    }

    async fn drain(&mut self) -> Result<(), String> {
        while !self.in_flight.is_empty() {
            let acknowledged = acknowledged(&mut self.in_flight).await;
            self.settle(acknowledged).await?;
        }
        Ok(())
    }
}

/// Waits for the oldest message's acknowledgement and takes all that came with it: a server acknowledges in
/// the order of publishing (MQTT 3.1.1, 4.6). Sleeps for ever where nothing is in flight.
async fn acknowledged(in_flight: &mut VecDeque<InFlight>) -> Result<Vec<i64>, PublishNoticeError> {
    std::future::poll_fn(|context| {
        let mut seqs = Vec::new();
        while let Some(head) = in_flight.front_mut() {
            match head.ack.as_mut().poll(context) {
                Poll::Ready(Ok(_)) => seqs.push(head.seq),
                Poll::Ready(Err(error)) if seqs.is_empty() => return Poll::Ready(Err(error)),
                // Its turn comes with the next call, after what was acknowledged before it is settled.
                Poll::Ready(Err(error)) => {
                    head.ack = Box::pin(std::future::ready(Err(error)));
                    break;
                }
                Poll::Pending => break,
            }
            in_flight.pop_front();
        }
        if seqs.is_empty() { Poll::Pending } else { Poll::Ready(Ok(seqs)) }
    })
    .await
}

fn client_error(error: &ClientError) -> String {
    // The error carries the whole request; its text is bounded, the message isn't.
    match error {
        ClientError::InvalidRequest(_) => "the device id makes an invalid topic; check station.device_id".into(),
        _ => "the link's queue is closed; tried again".into(),
    }
}
