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
use crate::ingestion::topology::{Ground, Topology};

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
    _folder: tempfile::TempDir,
}

impl Endpoint {
    /// A new one in a temporary folder.
    pub fn new() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (hub, key) = runtime.block_on(async {
            let ground = Ground::fixed(Topology::built_in("fuzz", HOST, SignedDuration::from_mins(5), 1024 * 1024));
            let log = EnqueuedLog::open(&folder.path().join("enqueued.db"), ground.clone())?;
            let listen = IpAddr::from([127, 0, 0, 1]);
            let config = HubConfig { listen, port: 0, host_name: HOST.into(), folder: folder.path().join("hub") };
            let (ledger, shutdown) = (Ledger::default(), CancellationToken::new());
            let hub = super::start(config, ground, log, Clock::wall(), ledger, shutdown).await?;
            let key = hub.ensure_device(DEVICE).await?;
            Ok::<_, Failure>((hub, key))
        })?;
        Ok(Self { runtime, hub, key, _folder: folder })
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
            let begin = async { Ok((served, Vec::new())) };
            let serve = session::serve_or_turn_away(&self.hub.shared, begin, peer, &shutdown);
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
