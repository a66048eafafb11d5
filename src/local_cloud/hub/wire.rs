//! MQTT 3.1.1 packets on a stream.

use std::time::Duration;

use bytes::BytesMut;
use rmqtt_codec::error::{DecodeError, EncodeError};
use rmqtt_codec::v3::{Codec, Packet};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::codec::{Decoder, Encoder};

/// A read needs at least this much room, and gets so much when it doesn't have it.
const MIN_ROOM: usize = 2 * 1024;
const READ_AHEAD: usize = 16 * 1024;

/// Why there is no next packet.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the stream ends inside a packet")]
    Truncated,
    #[error("silent for longer than one and a half keep-alives")]
    Silent,
    #[error("not MQTT 3.1.1: {0}")]
    Malformed(#[from] DecodeError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// The receiving end.
pub(super) struct Packets<R> {
    stream: R,
    buffer: BytesMut,
    codec: Codec,
}

impl<R: AsyncRead + Unpin> Packets<R> {
    /// Reads from `stream` packets of at most `max_bytes` after the fixed header.
    pub(super) fn new(stream: R, max_bytes: u32) -> Self {
        Self { stream, buffer: BytesMut::new(), codec: Codec::new(max_bytes) }
    }

    pub(super) fn set_max_bytes(&mut self, max_bytes: u32) {
        self.codec.set_max_size(max_bytes);
    }

    /// The next packet; `None` where the stream ends between two. Loses nothing when cancelled.
    pub(super) async fn next(&mut self, silence: Duration) -> Result<Option<Packet>, WireError> {
        loop {
            if let Some((packet, _)) = self.codec.decode(&mut self.buffer)? {
                return Ok(Some(packet));
            }
            if self.buffer.capacity() - self.buffer.len() < MIN_ROOM {
                self.buffer.reserve(READ_AHEAD);
            }
            let read = tokio::time::timeout(silence, self.stream.read_buf(&mut self.buffer));
            if read.await.map_err(|_| WireError::Silent)?? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(WireError::Truncated) };
            }
        }
    }
}

/// Appends `packet` to `buffer`.
pub(super) fn encode(packet: Packet, buffer: &mut BytesMut) -> Result<(), EncodeError> {
    Codec::new(0).encode(packet, buffer)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn packets_come_whole_however_they_are_cut() {
        let (mut peer, stream) = tokio::io::duplex(64);
        let mut packets = Packets::new(stream, 1024);
        let silence = Duration::from_secs(5);
        tokio::spawn(async move {
            // PINGREQ, a PUBLISH of QoS 1 to "a" with body "b" in three pieces, DISCONNECT and half a PINGREQ.
            for piece in [b"\xc0\x00\x32\x06".as_slice(), b"\x00\x01a\x00", b"\x07b\xe0\x00\xc0"] {
                peer.write_all(piece).await.expect("writes");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert_eq!(packets.next(silence).await.expect("reads"), Some(Packet::PingRequest));
        let Some(Packet::Publish(publish)) = packets.next(silence).await.expect("reads") else { panic!("no publish") };
        assert_eq!(
            (&*publish.topic, &*publish.payload, publish.packet_id.map(|id| id.get())),
            ("a", b"b".as_slice(), Some(7))
        );
        assert_eq!(packets.next(silence).await.expect("reads"), Some(Packet::Disconnect));
        assert!(matches!(packets.next(silence).await, Err(WireError::Truncated)));
    }

    #[tokio::test]
    async fn silence_and_size_have_their_bounds() {
        let (mut peer, stream) = tokio::io::duplex(64);
        let mut packets = Packets::new(stream, 100);
        assert!(matches!(packets.next(Duration::from_millis(10)).await, Err(WireError::Silent)));
        peer.write_all(b"\x30\x65").await.expect("writes");
        assert!(matches!(packets.next(Duration::from_secs(5)).await, Err(WireError::Malformed(_))));
    }
}
