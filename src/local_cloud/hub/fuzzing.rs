//! What a fuzzer throws bytes at: a hub without a socket and without TLS. For tests and `fuzz/` alone.

use std::net::IpAddr;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{Hub, HubConfig, bag, session, topics};
use crate::clock::Clock;
use crate::clock::ledger::Ledger;
use crate::ingestion::enqueued::EnqueuedLog;
use crate::ingestion::storage::Containers;
use crate::ingestion::topology::{Ground, Topology};
use crate::local_cloud::https::{Https, Policy};

/// The device that a connection may be of.
pub const DEVICE: &str = "d";
/// The hub's name.
pub const HOST: &str = "fuzz";
/// Bytes on their way in either direction.
const PIPE: usize = 64 * 1024;
/// Time after which a conversation that doesn't end is a fault.
const PATIENCE: Duration = Duration::from_secs(20);

/// Something of this harness that failed, in words.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A hub with one device.
pub struct Endpoint {
    runtime: Runtime,
    hub: Hub,
    key: SecretString,
    router: axum::Router,
    service: SecretString,
    _folder: tempfile::TempDir,
}

impl Endpoint {
    /// A new one in a temporary folder.
    pub fn new() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (hub, key, router, service) = runtime.block_on(async {
            let ground = Ground::fixed(Topology::built_in("fuzz", HOST, SignedDuration::from_mins(5), 1024 * 1024));
            let log = EnqueuedLog::open(&folder.path().join("enqueued.db"), ground.clone())?;
            let listen = IpAddr::from([127, 0, 0, 1]);
            let config = HubConfig { listen, port: 0, host_name: HOST.into(), folder: folder.path().join("hub") };
            let (ledger, shutdown) = (Ledger::default(), CancellationToken::new());
            let hub = super::start(config, ground.clone(), log, Clock::wall(), ledger, shutdown.clone()).await?;
            let key = hub.ensure_device(DEVICE).await?;
            let listener = tokio::net::TcpListener::bind((listen, 0)).await?;
            let containers = Containers::open(&folder.path().join("containers"))?;
            let https = Https::new(hub.clone(), &folder.path().join("hub"), listener, containers, ground, shutdown)?;
            let service = https.keys().connection_string(Policy::Owner, https.address());
            let router = https.into_router().ok_or("no router")?;
            Ok::<_, Failure>((hub, key, router, service))
        })?;
        Ok(Self { runtime, hub, key, router, service, _folder: folder })
    }

    /// The device's key.
    #[must_use]
    pub const fn key(&self) -> &SecretString {
        &self.key
    }

    /// A connection that sends `bytes` and then no more; answers what the hub sent on it. An error is a conversation that
    /// doesn't end.
    pub fn converse(&self, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        self.runtime.block_on(async {
            let (device, served) = tokio::io::duplex(PIPE);
            let (mut read, mut write) = tokio::io::split(device);
            let shutdown = CancellationToken::new();
            let peer = self.hub.address();
            let ends = session::Ends { peer, reached: peer.ip() };
            let begin = async { Ok((served, Vec::new())) };
            let serve = session::serve_or_turn_away(&self.hub.shared, begin, ends, &shutdown);
            let send = async {
                // A hub that has ended the connection takes no more.
                drop(write.write_all(bytes).await);
                drop(write.shutdown().await);
            };
            let mut answers = Vec::new();
            let all = async { tokio::join!(serve, send, read.read_to_end(&mut answers)) };
            let ((), (), read) = tokio::time::timeout(PATIENCE, all).await?;
            read?;
            Ok(answers)
        })
    }

    /// The connection string of a policy that may everything.
    #[must_use]
    pub const fn service(&self) -> &SecretString {
        &self.service
    }

    /// A request to the service side or of a device; answers with status and body. [`None`] is one that isn't answered in
    /// time.
    pub fn request(&self, request: http::Request<Vec<u8>>) -> Option<(u16, Vec<u8>)> {
        self.runtime.block_on(async {
            let request = request.map(axum::body::Body::from);
            let answering = async {
                let mut router = self.router.clone();
                // A router never fails and is always ready.
                let Ok(answer) = tower_service::Service::call(&mut router, request).await;
                let status = answer.status().as_u16();
                let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.ok()?;
                Some((status, body.to_vec()))
            };
            tokio::time::timeout(PATIENCE, answering).await.ok()?
        })
    }

    /// Messages that the hub has taken in.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.hub.status().borrow().received
    }
}

/// Reads a topic as one that [`DEVICE`] publishes to, with its bag; whether it is served.
#[must_use]
pub fn topic(text: &str) -> bool {
    match topics::asked(text, DEVICE) {
        Some(topics::Asked::Telemetry(text)) => bag::PropertyBag::parse(text).is_ok(),
        other => other.is_some(),
    }
}
