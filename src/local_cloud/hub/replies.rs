//! The sending half of a connection: answers in the order in which they were asked for.
//!
//! A PUBACK is sent only once its message is durable. Appends run beside each other, so that they share a
//! commit; the answers wait for them in order and go out together.

use std::future::Future;
use std::num::NonZeroU16;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use rmqtt_codec::v3::Packet;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use super::wire;
use crate::clock::ledger::Hop;
use crate::ingestion::enqueued::AppendError;

/// Answers are sent when this many bytes are together, or nothing more is ready.
const FLUSH_BYTES: usize = 4096;
/// How long a device may take to receive answers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is to be answered.
pub(super) enum Reply {
    /// This packet.
    Packet(Packet),
    /// A PUBACK once the message is in the log.
    Message(Accepted),
}

/// A message handed to the log.
pub(super) struct Accepted {
    /// Absent at QoS 0, which isn't acknowledged.
    pub(super) packet_id: Option<NonZeroU16>,
    pub(super) message_id: Option<String>,
    pub(super) append: Append,
    /// Its share of the bytes that may wait.
    pub(super) _room: OwnedSemaphorePermit,
}

/// An append that has begun: it has its place in the log's queue.
pub(super) enum Append {
    Done(Result<(), AppendError>),
    Running(Pin<Box<dyn Future<Output = Result<(), AppendError>> + Send>>),
}

impl Append {
    /// Begins it now, so that the log has messages in the order of publishing.
    pub(super) async fn begin(append: impl Future<Output = Result<(), AppendError>> + Send + 'static) -> Self {
        let mut append: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(append);
        match poll_once(&mut append).await {
            Poll::Ready(outcome) => Self::Done(outcome),
            Poll::Pending => Self::Running(append),
        }
    }
}

async fn poll_once<T>(future: &mut Pin<Box<dyn Future<Output = T> + Send>>) -> Poll<T> {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// Writes answers until `queue` ends and every append has. Cancels `connection` when the log or the stream
/// fails; then it goes on waiting for what has begun, so that the log's listeners hear of it, and sends no
/// more. Answers with the log's error.
pub(super) async fn send<W: AsyncWrite + Unpin>(
    mut queue: mpsc::Receiver<Reply>,
    stream: W,
    shared: &Shared,
    device_id: &str,
    connection: &CancellationToken,
) -> Result<(), AppendError> {
    let stream = Some(stream);
    let mut out = Out { stream, buffer: BytesMut::new(), durable: Vec::new(), count: 0, shared, device_id, connection };
    let mut failed = None;
    while let Some(reply) = next(&mut queue, &mut out).await {
        if let Err(error) = out.put(reply).await {
            // Not acknowledged, it is sent again; a later message must not be acknowledged before it.
            connection.cancel();
            out.flush().await;
            out.close().await;
            failed.get_or_insert(error);
        }
    }
    out.flush().await;
    out.close().await;
    failed.map_or(Ok(()), Err)
}

/// The next thing to answer; what is ready is sent before waiting for it.
async fn next<W: AsyncWrite + Unpin>(queue: &mut mpsc::Receiver<Reply>, out: &mut Out<'_, W>) -> Option<Reply> {
    if let Ok(reply) = queue.try_recv() {
        return Some(reply);
    }
    out.flush().await;
    queue.recv().await
}

struct Out<'a, W> {
    /// Absent once it is closed.
    stream: Option<W>,
    buffer: BytesMut,
    /// Identities of the messages that have become durable since the last flush.
    durable: Vec<String>,
    /// How many they are, with those that have no identity.
    count: u64,
    shared: &'a Shared,
    device_id: &'a str,
    connection: &'a CancellationToken,
}

impl<W: AsyncWrite + Unpin> Out<'_, W> {
    async fn put(&mut self, reply: Reply) -> Result<(), AppendError> {
        let packet = match reply {
            Reply::Packet(packet) => Some(packet),
            Reply::Message(accepted) => {
                self.outcome(accepted.append).await?;
                self.count += 1;
                self.durable.extend(accepted.message_id);
                accepted.packet_id.map(|packet_id| Packet::PublishAck { packet_id })
            }
        };
        if let Some(packet) = packet
            && let Err(error) = wire::encode(packet, &mut self.buffer)
        {
            // Only packets of fixed shape are ever answered with.
            tracing::error!(device = self.device_id, "an answer can't be encoded: {error}");
        }
        if self.buffer.len() >= FLUSH_BYTES {
            self.flush().await;
        }
        Ok(())
    }

    async fn outcome(&mut self, append: Append) -> Result<(), AppendError> {
        let mut running = match append {
            Append::Done(outcome) => return outcome,
            Append::Running(running) => running,
        };
        if let Poll::Ready(outcome) = poll_once(&mut running).await {
            return outcome;
        }
        self.flush().await;
        running.await
    }

    /// Notes what has become durable, then tells the device.
    async fn flush(&mut self) {
        if self.count > 0 {
            self.shared.ledger.stamp(Hop::Enqueued, self.durable.iter().map(String::as_str));
            self.shared.received(self.device_id, std::mem::take(&mut self.count));
            self.durable.clear();
        }
        if let Some(stream) = &mut self.stream
            && !self.buffer.is_empty()
        {
            let write = async {
                stream.write_all_buf(&mut self.buffer).await?;
                stream.flush().await
            };
            if !matches!(self.shared.faults.timeout(WRITE_TIMEOUT, write).await, Some(Ok(()))) {
                self.connection.cancel();
                self.stream = None;
            }
        }
        self.buffer.clear();
    }

    async fn close(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            // The other side may be gone already.
            drop(self.shared.faults.timeout(WRITE_TIMEOUT, stream.shutdown()).await);
        }
    }
}
