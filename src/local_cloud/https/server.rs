//! The listener: TLS, HTTP/1.1, and their bounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::local_cloud::hub::Hub;

/// Connections served at once, with those of WebSocket.
pub(super) const MAX_CONNECTIONS: usize = 100;
/// The same, as semaphores count.
const PERMITS: u32 = 100;
/// Time a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time in which a request's head has to come; also how long an idle connection is kept.
const HEAD: Duration = Duration::from_secs(30);
/// Headers of a request, and bytes of its head.
const MAX_HEADERS: usize = 64;
const MAX_HEAD: usize = 32 * 1024;
/// How long answers that have begun are waited for when the hub ends.
const GRACE: Duration = Duration::from_secs(5);
/// Pause after the system refused to hand over a connection (no file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Who asks; in each request's extensions.
#[derive(Clone)]
pub(super) struct Caller {
    /// Its address.
    pub(super) peer: SocketAddr,
    /// The address it reached the hub at.
    pub(super) reached: SocketAddr,
    /// The certificates it showed, its own first.
    pub(super) certificates: Arc<[CertificateDer<'static>]>,
    /// Its share of the connections; who takes a connection over keeps it.
    pub(super) share: Arc<OwnedSemaphorePermit>,
}

/// What listens.
pub(super) struct Server {
    pub(super) listener: TcpListener,
    /// Whose certificate is shown, and whose faults connections have.
    pub(super) hub: Hub,
    pub(super) router: Router,
    pub(super) shutdown: CancellationToken,
}

impl Server {
    /// Serves until `shutdown`; answers once every connection has ended.
    pub(super) async fn run(self) {
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.shutdown.cancelled() => break,
            };
            match (accepted, Arc::clone(&room).try_acquire_owned()) {
                (Ok((tcp, peer)), Ok(share)) => drop(tokio::spawn(self.connection(tcp, peer, share))),
                (Ok((tcp, peer)), Err(_)) => {
                    drop(tcp);
                    tracing::debug!(%peer, "refused: there are {MAX_CONNECTIONS} connections already");
                }
                (Err(error), _) => {
                    tracing::warn!("the hub can't accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        // Each connection holds its share to its end; the semaphore is never closed.
        drop(room.acquire_many(PERMITS).await);
    }

    fn connection(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        share: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + 'static {
        // Small answers shouldn't wait for more; a socket that can't is served all the same.
        drop(tcp.set_nodelay(true));
        let reached = tcp.local_addr().unwrap_or(peer);
        let acceptor = TlsAcceptor::from(Arc::clone(&self.hub.tls().borrow()));
        let (tcp, router) = (self.hub.fault_board().over(tcp), self.router.clone());
        let shutdown = self.shutdown.clone();
        async move {
            let tls = tokio::select! {
                tls = tokio::time::timeout(HANDSHAKE, acceptor.accept(tcp)) => tls,
                () = shutdown.cancelled() => return,
            };
            let Ok(Ok(tls)) = tls else {
                tracing::debug!(%peer, "TLS wasn't agreed on");
                return;
            };
            let shown = tls.get_ref().1.peer_certificates().unwrap_or_default();
            let certificates = shown.iter().map(|certificate| certificate.clone().into_owned()).collect();
            let caller = Caller { peer, reached, certificates, share: Arc::new(share) };
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(caller.clone());
                // A router is always ready.
                router.clone().call(request.map(Body::new))
            });
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_headers(MAX_HEADERS)
                .max_buf_size(MAX_HEAD)
                .serve_connection(TokioIo::new(tls), service)
                .with_upgrades();
            let mut serving = std::pin::pin!(serving);
            let outcome = tokio::select! {
                outcome = serving.as_mut() => outcome,
                () = shutdown.cancelled() => {
                    serving.as_mut().graceful_shutdown();
                    match tokio::time::timeout(GRACE, serving).await {
                        Ok(outcome) => outcome,
                        Err(_) => return,
                    }
                }
            };
            if let Err(error) = outcome {
                tracing::debug!(%peer, "connection ended: {error}");
            }
        }
    }
}
