//! IoT Hub's device side, on this machine: MQTT 3.1.1 over TLS, and what operators do to devices.
//!
//! As Azure's: client id = device id, user name `{host}/{device}/?api-version=…`, a shared access signature made with
//! either of the device's keys as password, or a certificate; telemetry on the device's own topic only, at most
//! 256 KB, QoS 0 and 1 (QoS 2 ends the connection); one connection a device, a newer one ends the older; retained
//! messages aren't. A PUBACK means that the message is durable in the [`EnqueuedLog`]. Twins, direct methods, messages
//! to devices and last wills are served; what is kept of them is durable in the [registry](super::registry).
//!
//! Where no hub is applied, connections are refused (server unavailable) and those that there were are ended: devices
//! keep what they have until it is back.
//!
//! Bounds: 100 connections, 10 s to be let in, 64 KiB of CONNECT, 5 subscriptions, and for each
//! connection 1,024 messages or 4 MiB that wait for the log. Called by the owner of an embedded environment.
//!
//! `doorman` accepts · `entry` lets in · `access` who may · `session` one connection · `subscriptions`, `topics`, `bag` what is
//! named on the wire · `twins`, `downlink` what the hub sends · `replies` the sending half · `service` what operators
//! do · `shared` what connections share · `faults` what a scenario lets go wrong.

pub(super) mod access;
pub mod bag;
mod doorman;
mod downlink;
mod entry;
mod faults;
#[doc(hidden)]
pub mod fuzzing;
mod replies;
mod service;
mod session;
mod shared;
mod subscriptions;
#[cfg(test)]
mod tests;
mod topics;
mod twins;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::certificates::{Authority, CertificateError};
use super::https::{Https, HttpsConfig, Policy, PolicyError};
use super::registry::{Registry, RegistryError};
use crate::clock::Clock;
use crate::clock::ledger::Ledger;
use crate::database::DatabaseError;
use crate::ingestion::enqueued::EnqueuedLog;
use crate::ingestion::topology::Ground;
pub(in crate::local_cloud) use access::Signature;
use doorman::Doorman;
pub use faults::Faults;
pub use service::{InvokeError, MAX_LIST, MethodAnswer, Statistics};
pub(in crate::local_cloud) use session::Ends;
use shared::{HttpsSide, Shared};

/// Where the hub listens and what it is called.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Address to listen on.
    pub listen: IpAddr,
    /// TCP port; 0 takes a free one.
    pub port: u16,
    /// The hub's host name, as devices name it in user names and tokens.
    pub host_name: String,
    /// Folder of its certificates and device registry; made where it isn't. Authorities of devices' certificates lie in
    /// `device-ca/*.pem` below it.
    pub folder: PathBuf,
}

/// Why the hub can't start or serve.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The address is taken or not this machine's.
    #[error("hub: can't listen on {address}: {source}; choose another {setting} (0 takes a free one) or hub.listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The setting that its port is from.
        setting: &'static str,
        /// The system's words.
        source: std::io::Error,
    },
    /// The folder can't be made.
    #[error("hub: {path}: can't make the folder: {source}; check that the place is writable")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The keys of its service side can't be made or read.
    #[error("hub: {0}")]
    Policies(#[from] PolicyError),
    /// A certificate can't be made or read.
    #[error("hub: {0}")]
    Certificate(#[from] CertificateError),
    /// The device registry can't be opened or written.
    #[error("hub: {0}")]
    Devices(#[from] DatabaseError),
    /// An id that can name no device.
    #[error("{0:?} is no device id: 1 to 128 letters, digits or any of -.%_*?!(),:=@$' are")]
    DeviceId(String),
    /// The device signs in with a certificate and has no key.
    #[error("device {0}: signs in with a certificate and has no key; skydeck hub devices shows how each signs in")]
    NoKey(String),
    /// The registry refuses.
    #[error("hub: {0}")]
    Registry(RegistryError),
}

/// How the hub is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HubStatus {
    /// Devices connected now.
    pub connected: BTreeSet<String>,
    /// Messages made durable since the start.
    pub received: u64,
    /// Connections refused, and connections ended because the device broke a rule, since the start.
    pub refused: u64,
    /// The last failure in words: a rule that a device broke, or the log.
    pub last_error: Option<String>,
    /// When each device was last heard of since the start, pipeline time.
    pub last_seen: BTreeMap<String, Timestamp>,
    /// How often a second connection in a device's name ended the first since the start, and when last, pipeline time.
    /// A device that comes back before its broken line was noticed counts once; two with one identity go on and on.
    pub takeovers: BTreeMap<String, (u64, Timestamp)>,
    /// What a scenario lets go wrong.
    pub faults: Faults,
}

/// A running hub; clones share it.
#[derive(Clone)]
pub struct Hub {
    address: SocketAddr,
    ca_pem: Arc<[u8]>,
    shared: Arc<Shared>,
    ended: CancellationToken,
}

/// Starts the hub, which serves for as long as `ground` has one. What devices send goes to `log`; stamps are `clock`'s;
/// instants of arrival are noted in `ledger`. It ends when `shutdown` is cancelled.
pub async fn start(
    config: HubConfig,
    ground: Ground,
    log: EnqueuedLog,
    clock: Clock,
    ledger: Ledger,
    shutdown: CancellationToken,
) -> Result<Hub, HubError> {
    make_folder(&config.folder).map_err(|source| HubError::Folder { path: config.folder.clone(), source })?;
    let authority = Authority::load_or_make(&config.folder, Timestamp::now())?;
    let tls = authority.issue(config.listen, &config.host_name, Timestamp::now())?;
    let registry = Registry::open(&config.folder.join("devices.db")).await?;
    let address = SocketAddr::new(config.listen, config.port);
    let listener = listen(address, "hub.port").await?;
    let address = listener.local_addr().unwrap_or(address);
    let ca_pem = authority.pem().as_bytes().into();
    let shared = Arc::new(Shared::new(&config, tls, registry, log, clock, ledger));
    let ended = CancellationToken::new();
    let doorman = Doorman::new(listener, authority, config.listen, Arc::clone(&shared), ground, shutdown);
    tokio::spawn({
        let ended = ended.clone();
        async move {
            doorman.run().await;
            ended.cancel();
        }
    });
    tracing::info!(%address, "the local hub listens");
    Ok(Hub { address, ca_pem, shared, ended })
}

impl Hub {
    /// Where it listens; with the port it was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its name, as devices and tokens say it.
    #[must_use]
    pub fn host_name(&self) -> &str {
        &self.shared.host_name
    }

    /// Connections, messages and failures; changes once for each group of messages.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<HubStatus> {
        self.shared.status.subscribe()
    }

    /// The device's primary key, base64; the device is registered with new keys where it isn't yet.
    pub async fn ensure_device(&self, device_id: &str) -> Result<SecretString, HubError> {
        if !super::registry::is_device_id(device_id) {
            return Err(HubError::DeviceId(crate::station::text::printable(device_id)));
        }
        let device =
            self.shared.registry.ensure(device_id, self.shared.clock.now()).await.map_err(HubError::Registry)?;
        let [primary, _] = device.key_texts().ok_or_else(|| HubError::NoKey(device_id.to_owned()))?;
        Ok(primary)
    }

    /// The certificate authority devices have to trust, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> Vec<u8> {
        self.ca_pem.to_vec()
    }

    /// Serves HTTPS too, on a port of its own: service side, file upload, WebSocket. It ends when `shutdown` is cancelled.
    pub async fn serve_https(
        &self,
        config: HttpsConfig,
        ground: Ground,
        shutdown: CancellationToken,
    ) -> Result<SocketAddr, HubError> {
        let listener = listen(SocketAddr::new(self.address.ip(), config.port), "hub.https_port").await?;
        let https = Https::new(self.clone(), &self.shared.folder, listener, config.containers, ground, shutdown)?;
        let address = https.address();
        let side = HttpsSide { address, keys: https.keys(), ended: CancellationToken::new() };
        let ended = side.ended.clone();
        if self.shared.https.set(side).is_err() {
            tracing::error!("the hub's HTTPS side was started twice");
        }
        tokio::spawn(async move {
            https.run().await;
            ended.cancel();
        });
        tracing::info!(%address, "the local hub's HTTPS side listens");
        Ok(address)
    }

    /// Where HTTPS is served; with the port it was given. Absent where it isn't.
    #[must_use]
    pub fn https_address(&self) -> Option<SocketAddr> {
        self.shared.https.get().map(|https| https.address)
    }

    /// A policy's connection string for Microsoft's service clients; absent where HTTPS isn't served.
    #[must_use]
    pub fn service_connection_string(&self, policy: Policy) -> Option<SecretString> {
        self.shared.https.get().map(|https| https.keys.connection_string(policy, https.address))
    }

    /// A link by which a device may read one blob, and nothing else, for `life`: a secret. Its host is the address at which
    /// the device has found the hub. Absent where HTTPS isn't served.
    #[must_use]
    pub fn read_link(
        &self,
        device_id: &str,
        container: &str,
        blob: &str,
        life: SignedDuration,
    ) -> Option<SecretString> {
        let https = self.shared.https.get()?;
        let reached = self.shared.line(device_id).map_or_else(|| self.address.ip(), |line| line.reached);
        let ends = self.shared.faults.wall_now().saturating_add(life).ok()?;
        https.keys.read_link(SocketAddr::new(reached, https.address.port()), container, blob, ends)
    }

    /// Answers once the hub has ended: the ports are free and every message that had come is in the log.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
        if let Some(https) = self.shared.https.get() {
            https.ended.cancelled().await;
        }
    }
}

async fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, HubError> {
    TcpListener::bind(address).await.map_err(|source| HubError::Listen { address, setting, source })
}

fn make_folder(folder: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
