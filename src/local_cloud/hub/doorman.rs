//! Accepts connections, and ends them when the hub has gone.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::session::{self, Ends, Fault};
use super::shared::Shared;
use super::{Faults, Hub};
use crate::ingestion::topology::Ground;
use crate::local_cloud::certificates::{Authority, REISSUE_EVERY};

/// Connections served at once.
const MAX_CONNECTIONS: usize = 100;
/// Pause after the system refused to hand over a connection (no file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Accepts connections.
pub(super) struct Doorman {
    listener: TcpListener,
    authority: Authority,
    listen: IpAddr,
    shared: Arc<Shared>,
    ground: Ground,
    shutdown: CancellationToken,
}

impl Doorman {
    pub(super) fn new(
        listener: TcpListener,
        authority: Authority,
        listen: IpAddr,
        shared: Arc<Shared>,
        ground: Ground,
        shutdown: CancellationToken,
    ) -> Self {
        let doorman = Self { listener, authority, listen, shared, ground, shutdown };
        doorman.shared.set_open(doorman.open_token());
        doorman
    }

    /// A token that is cancelled where there is no hub, and by the end.
    fn open_token(&self) -> CancellationToken {
        let open = self.shutdown.child_token();
        if !self.is_there() {
            open.cancel();
        }
        open
    }

    fn is_there(&self) -> bool {
        self.ground.peek().hub.is_some() && !self.shared.faults.now().refuse
    }

    pub(super) async fn run(mut self) {
        let mut connections = JoinSet::new();
        let mut reissue = Box::pin(tokio::time::sleep(REISSUE_EVERY));
        let mut faults = Faults::default();
        loop {
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((tcp, peer)) if connections.len() >= MAX_CONNECTIONS => {
                        drop(tcp);
                        self.shared.refused(peer, "there are 100 connections already");
                    }
                    Ok((tcp, peer)) => drop(connections.spawn(self.connection(tcp, peer))),
                    Err(error) => {
                        tracing::warn!("the hub can't accept a connection: {error}");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                () = &mut reissue => {
                    self.reissue();
                    reissue.set(tokio::time::sleep(REISSUE_EVERY));
                }
                now = shared.faults.changed_from(faults) => {
                    faults = now;
                    self.follow();
                }
                () = self.ground.changed() => {
                    drop(self.ground.now());
                    self.follow();
                }
                () = self.shutdown.cancelled() => break,
            }
        }
        drop(self.listener);
        // Whatever hangs has to end too.
        self.shared.faults.set(Faults::default());
        while connections.join_next().await.is_some() {}
    }

    /// Ends every connection when the hub has gone, and lets devices in again when it is back.
    fn follow(&mut self) {
        let is_there = self.is_there();
        if is_there == self.shared.open().is_cancelled() {
            if is_there {
                tracing::info!("the hub is back; devices are let in");
                self.shared.status.send_modify(|status| status.last_error = None);
                self.shared.set_open(self.open_token());
            } else {
                tracing::warn!("the hub lets nobody in; devices keep their messages until it is back");
                self.shared.open().cancel();
            }
        }
    }

    /// Serves a connection in a task of its own.
    fn connection(&self, tcp: TcpStream, peer: SocketAddr) -> impl Future<Output = ()> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        let acceptor = TlsAcceptor::from(Arc::clone(&self.shared.tls.borrow()));
        let shutdown = self.shutdown.clone();
        async move {
            // Small answers shouldn't wait for more; a socket that can't is served all the same.
            drop(tcp.set_nodelay(true));
            let reached = tcp.local_addr().map_or(peer.ip(), |address| address.ip());
            let stream = shared.faults.over(tcp);
            let begin = async move {
                let tls = acceptor.accept(stream).await.map_err(Fault::Tls)?;
                let certificates = tls.get_ref().1.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
                let certificates = certificates.into_iter().map(|certificate| certificate.into_owned()).collect();
                Ok((tls, certificates))
            };
            session::serve_or_turn_away(&shared, begin, Ends { peer, reached }, &shutdown).await;
        }
    }

    fn reissue(&mut self) {
        match self.authority.issue(self.listen, &self.shared.host_name, Timestamp::now()) {
            Ok(tls) => drop(self.shared.tls.send_replace(tls)),
            Err(error) => self.shared.failed(error.to_string()),
        }
    }
}

impl Hub {
    /// Serves MQTT on a stream that somebody else has accepted, over a WebSocket say, until it ends or `shutdown` is
    /// cancelled. `certificates` are what the device showed, its own first. The stream should be
    /// [faulty](super::faults::FaultBoard::over) beneath its encryption.
    pub(in crate::local_cloud) async fn serve_stream<S>(
        &self,
        stream: S,
        certificates: Vec<rustls::pki_types::CertificateDer<'static>>,
        ends: Ends,
        shutdown: &CancellationToken,
    ) where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin,
    {
        session::serve_or_turn_away(&self.shared, async { Ok((stream, certificates)) }, ends, shutdown).await;
    }

    /// Whether there is a hub that serves.
    pub(in crate::local_cloud) fn is_open(&self) -> bool {
        !self.shared.open().is_cancelled()
    }
}
