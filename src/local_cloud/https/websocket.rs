//! MQTT over WebSocket (`/$iothub/websocket`, subprotocol `mqtt`): the same session as on the MQTT port.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::Response;
use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Front;
use super::errors::ApiError;
use super::server::Caller;
use crate::local_cloud::hub::Ends;

/// The subprotocol.
const PROTOCOL: &str = "mqtt";
/// Bytes of a frame: the largest MQTT packet and its head.
const MAX_FRAME: usize = 512 * 1024;
/// Bytes that may wait to be written; at least one frame more than is written at once.
const MAX_WAITING: usize = 1024 * 1024;

/// Takes a connection over.
pub(super) async fn upgrade(
    State(front): State<Arc<Front>>,
    Extension(caller): Extension<Caller>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_frame_size(MAX_FRAME)
        .max_message_size(MAX_FRAME)
        .max_write_buffer_size(MAX_WAITING);
    if upgrade.selected_protocol().is_none() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "InvalidProtocolVersion", "the subprotocol must be mqtt"));
    }
    Ok(upgrade.on_upgrade(move |socket| async move {
        let stream = Bytestream { socket, rest: Bytes::new(), ended: false };
        let ends = Ends { peer: caller.peer, reached: caller.reached.ip() };
        front.hub.serve_stream(stream, caller.certificates.to_vec(), ends, &front.shutdown).await;
        drop(caller.share);
    }))
}

/// A WebSocket as a stream of bytes; packets needn't keep to frames.
struct Bytestream {
    socket: WebSocket,
    /// What is left of the last frame.
    rest: Bytes,
    ended: bool,
}

fn io(error: axum::Error) -> io::Error {
    io::Error::other(error)
}

impl AsyncRead for Bytestream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() && !self.ended {
            match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Message::Binary(frame))) => self.rest = frame,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a text where MQTT was expected",
                    )));
                }
                Some(Ok(Message::Close(_))) | None => self.ended = true,
                Some(Err(error)) => return Poll::Ready(Err(io(error))),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bytestream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(io)?;
        let count = bytes.len().min(MAX_FRAME);
        let frame = Message::Binary(Bytes::copy_from_slice(&bytes[..count]));
        Pin::new(&mut self.socket).start_send(frame).map_err(io)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context).map_err(io)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(context).map_err(io)
    }
}
