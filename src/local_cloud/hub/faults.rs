//! Faults that a scenario lets the hub have: it refuses, is slow, throttles, hangs, or has the wrong time.
//!
//! Only in embedded environments, and never kept: a restart is clean.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// What is wrong with the hub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Faults {
    /// Connections are ended, and new ones refused (server unavailable; HTTPS: 503).
    pub refuse: bool,
    /// Milliseconds before each packet or request is handled.
    pub slow_ms: u32,
    /// Messages a second of all devices over which connections are ended, after what came was acknowledged (HTTPS: 429).
    pub throttle_per_s: Option<u32>,
    /// Connections stay, and nothing is read from or written to them.
    pub half_open: bool,
    /// Seconds the hub's wall clock is ahead, for tokens and certificates.
    pub clock_offset_s: i64,
}

impl Faults {
    /// Whether all is well.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    faults: Faults,
    /// Counts the acts of dropping: a stream of an earlier one is dead.
    drops: u64,
}

/// The switchboard: sets faults, and lets streams and sessions have them.
#[derive(Debug, Default)]
pub(in crate::local_cloud) struct FaultBoard {
    state: watch::Sender<State>,
    /// The second that is being counted, and the messages in it.
    second: Mutex<Option<(Instant, u32)>>,
}

impl FaultBoard {
    pub(in crate::local_cloud) fn now(&self) -> Faults {
        self.state.borrow().faults
    }

    pub(in crate::local_cloud) fn set(&self, faults: Faults) {
        self.state.send_modify(|state| state.faults = faults);
    }

    /// Waits until the faults are others than `known`.
    pub(in crate::local_cloud) async fn changed_from(&self, known: Faults) -> Faults {
        let mut state = self.state.subscribe();
        // The sender is `self`.
        state.wait_for(|state| state.faults != known).await.map_or(known, |state| state.faults)
    }

    /// Cuts every stream there is, without a goodbye.
    pub(in crate::local_cloud) fn drop_streams(&self) {
        self.state.send_modify(|state| state.drops += 1);
    }

    /// Wall time as this hub has it.
    pub(in crate::local_cloud) fn wall_now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.saturating_add(SignedDuration::from_secs(self.now().clock_offset_s)).unwrap_or(now)
    }

    /// Waits as long as everything takes at the moment.
    pub(in crate::local_cloud) async fn slow(&self) {
        let slow_ms = self.now().slow_ms;
        if slow_ms > 0 {
            tokio::time::sleep(Duration::from_millis(slow_ms.into())).await;
        }
    }

    /// Counts a message; answers whether it is within what is let through in this second.
    pub(in crate::local_cloud) fn admits(&self) -> bool {
        let Some(most) = self.now().throttle_per_s else { return true };
        let now = Instant::now();
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        let count = match *second {
            Some((since, count)) if now.duration_since(since) < Duration::from_secs(1) => (since, count + 1),
            _ => (now, 1),
        };
        *second = Some(count);
        count.1 <= most
    }

    /// Lets `stream` hang and break as the faults say.
    pub(in crate::local_cloud) fn over<S>(&self, stream: S) -> Faulty<S> {
        let state = self.state.subscribe();
        let drops = state.borrow().drops;
        Faulty { stream, state, drops, reading: None, writing: None }
    }

    /// As [`tokio::time::timeout`]; where connections hang, nobody is ended for being slow.
    pub(in crate::local_cloud) async fn timeout<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        loop {
            if let Ok(output) = tokio::time::timeout(limit, &mut future).await {
                return Some(output);
            }
            if !self.now().half_open {
                return None;
            }
            tokio::select! {
                output = &mut future => return Some(output),
                () = self.flowing() => {}
            }
        }
    }

    /// Waits while connections hang.
    pub(in crate::local_cloud) async fn flowing(&self) {
        // The sender is `self`.
        drop(self.state.subscribe().wait_for(|state| !state.faults.half_open).await);
    }
}

type Waiting = Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>;

/// A stream that hangs while the hub is half open.
pub(in crate::local_cloud) struct Faulty<S> {
    stream: S,
    state: watch::Receiver<State>,
    drops: u64,
    reading: Waiting,
    writing: Waiting,
}

/// Ready when bytes may flow.
fn poll_flow(
    state: &watch::Receiver<State>,
    drops: u64,
    waiting: &mut Waiting,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        {
            let now = state.borrow();
            if now.drops != drops || state.has_changed().is_err() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if !now.faults.half_open {
                *waiting = None;
                return Poll::Ready(Ok(()));
            }
        }
        let future = waiting.get_or_insert_with(|| {
            let mut state = state.clone();
            Box::pin(async move {
                drop(state.wait_for(|now| now.drops != drops || !now.faults.half_open).await);
            })
        });
        ready!(future.as_mut().poll(context));
        *waiting = None;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Faulty<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(poll_flow(&this.state, this.drops, &mut this.reading, context))?;
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Faulty<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(poll_flow(&this.state, this.drops, &mut this.writing, context))?;
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(poll_flow(&this.state, this.drops, &mut this.writing, context))?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(poll_flow(&this.state, this.drops, &mut this.writing, context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Whether `future` is still not ready after everything else had its turn.
    async fn hangs<F: Future>(future: F) -> bool {
        let mut future = pin!(future);
        for _ in 0..10 {
            tokio::task::yield_now().await;
            if std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await {
                return false;
            }
        }
        true
    }

    #[tokio::test]
    async fn a_half_open_stream_hangs_both_ways_and_goes_on_afterwards() {
        let board = FaultBoard::default();
        let (mut peer, stream) = tokio::io::duplex(64);
        let mut stream = board.over(stream);
        board.set(Faults { half_open: true, ..Faults::default() });
        peer.write_all(b"in").await.expect("the line takes it");
        let mut bytes = [0; 2];
        assert!(hangs(stream.read_exact(&mut bytes)).await);
        assert!(hangs(stream.write_all(b"ou")).await);
        assert!(hangs(peer.read_exact(&mut bytes)).await, "nothing came, and no end either");
        board.set(Faults::default());
        stream.read_exact(&mut bytes).await.expect("reads");
        assert_eq!(&bytes, b"in");
        stream.write_all(b"ou").await.expect("writes");
        peer.read_exact(&mut bytes).await.expect("reads");
        assert_eq!(&bytes, b"ou");
    }

    #[tokio::test]
    async fn a_dropped_stream_is_dead_even_if_it_hung_and_a_new_one_lives() {
        let board = FaultBoard::default();
        board.set(Faults { half_open: true, ..Faults::default() });
        let (_peer, stream) = tokio::io::duplex(64);
        let mut stream = board.over(stream);
        let mut bytes = [0; 2];
        let (read, ()) = tokio::join!(stream.read(&mut bytes), async { board.drop_streams() });
        assert_eq!(read.expect_err("dead").kind(), io::ErrorKind::ConnectionReset);
        board.set(Faults::default());
        let (mut peer, stream) = tokio::io::duplex(64);
        let mut stream = board.over(stream);
        peer.write_all(b"hi").await.expect("writes");
        stream.read_exact(&mut bytes).await.expect("a newer stream lives");
    }

    #[tokio::test]
    async fn nobody_is_too_slow_while_connections_hang() {
        const LIMIT: Duration = Duration::from_millis(20);
        let board = FaultBoard::default();
        let never = std::future::pending::<()>();
        assert!(board.timeout(LIMIT, never).await.is_none());
        board.set(Faults { half_open: true, ..Faults::default() });
        let mut ends = pin!(board.timeout(LIMIT, std::future::pending::<()>()));
        assert!(tokio::time::timeout(10 * LIMIT, &mut ends).await.is_err(), "not while it hangs");
        board.set(Faults::default());
        assert!(ends.await.is_none());
    }

    #[test]
    fn messages_over_the_rate_are_not_admitted_and_the_clock_can_be_wrong() {
        let board = FaultBoard::default();
        assert!((0..1000).all(|_| board.admits()));
        board.set(Faults { throttle_per_s: Some(3), clock_offset_s: -86_400, ..Faults::default() });
        // A second may end between two of these; three at least are within it.
        let admitted = (0..10).filter(|_| board.admits()).count();
        assert!((3..=6).contains(&admitted), "{admitted}");
        assert!(board.wall_now() < Timestamp::now().saturating_sub(SignedDuration::from_hours(23)).expect("in range"));
    }
}
