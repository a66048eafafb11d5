//! IoT Hub's device side, on this machine: MQTT 3.1.1 over TLS.
//!
//! As Azure's: client id = device id, user name `{host}/{device}/?api-version=…`, a shared access signature
//! as password; telemetry on the device's own topic only, at most 256 KB, QoS 0 and 1 (QoS 2 ends the
//! connection); one connection a device, a newer one ends the older; retained messages aren't. A PUBACK means
//! that the message is durable in the [`EnqueuedLog`].
//!
//! Where no hub is applied, connections are refused (server unavailable) and those that there were are ended: devices
//! keep what they have until it is back.
//!
//! Not served in this release: twins, methods and messages to devices (their subscriptions are answered with
//! 0x80), last wills, file upload, certificates of devices.
//!
//! Bounds: 100 connections, 10 s to be let in, 8 KiB of CONNECT, and for each connection 1,024 messages or
//! 4 MiB that wait for the log. Called by the owner of an embedded environment.

mod access;
pub mod bag;
mod replies;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::certificates::{Authority, CertificateError, REISSUE_EVERY};
use super::devices::{Devices, is_device_id};
use crate::clock::Clock;
use crate::clock::ledger::Ledger;
use crate::database::DatabaseError;
use crate::ingestion::enqueued::EnqueuedLog;
use crate::ingestion::topology::Ground;

/// Connections served at once.
const MAX_CONNECTIONS: usize = 100;
/// Pause after the system refused to hand over a connection (no file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Where the hub listens and what it is called.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Address to listen on.
    pub listen: IpAddr,
    /// TCP port; 0 takes a free one.
    pub port: u16,
    /// The hub's host name, as devices name it in user names and tokens.
    pub host_name: String,
    /// Folder of its certificates and device registry; made where it isn't.
    pub folder: PathBuf,
}

/// Why the hub can't start or serve.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The address is taken or not this machine's.
    #[error("hub: can't listen on {address}: {source}; choose another hub.port (0 takes a free one) or hub.listen")]
    Listen {
        /// The address.
        address: SocketAddr,
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
    /// A certificate can't be made or read.
    #[error("hub: {0}")]
    Certificate(#[from] CertificateError),
    /// The device registry can't be opened or written.
    #[error("hub: {0}")]
    Devices(#[from] DatabaseError),
    /// An id that can name no device.
    #[error("{0:?} is no device id: 1 to 128 letters, digits or any of -.%_*?!(),:=@$' are")]
    DeviceId(String),
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
}

/// A running hub.
pub struct Hub {
    address: SocketAddr,
    ca_pem: Vec<u8>,
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
    let devices = Devices::open(&config.folder.join("devices.db"))?;
    let address = SocketAddr::new(config.listen, config.port);
    let listen = |source| HubError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let ca_pem = authority.pem().as_bytes().to_vec();
    let shared = Arc::new(Shared::new(config.host_name, devices, log, clock, ledger));
    let ended = CancellationToken::new();
    let doorman = Doorman {
        listener,
        authority,
        listen: config.listen,
        acceptor: TlsAcceptor::from(tls),
        shared: Arc::clone(&shared),
        open: open_until(&shutdown, &ground),
        ground,
        shutdown,
    };
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

    /// Connections, messages and failures; changes once for each group of messages.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<HubStatus> {
        self.shared.status.subscribe()
    }

    /// The device's primary key, base64; the device is registered with a new one where it isn't yet.
    pub async fn ensure_device(&self, device_id: &str) -> Result<SecretString, HubError> {
        let wrong = || HubError::DeviceId(crate::station::text::printable(device_id));
        if !is_device_id(device_id) {
            return Err(wrong());
        }
        self.shared.devices.ensure(device_id).await?.map(|device| device.key_text()).ok_or_else(wrong)
    }

    /// The certificate authority devices have to trust, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> Vec<u8> {
        self.ca_pem.clone()
    }

    /// Answers once the hub has ended: the port is free and every message that had come is in the log.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

fn make_folder(folder: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Accepts connections.
struct Doorman {
    listener: TcpListener,
    authority: Authority,
    listen: IpAddr,
    acceptor: TlsAcceptor,
    shared: Arc<Shared>,
    ground: Ground,
    /// Cancelled while there is no hub; connections live by it.
    open: CancellationToken,
    shutdown: CancellationToken,
}

/// A token that is cancelled where there is no hub, and by `shutdown`.
fn open_until(shutdown: &CancellationToken, ground: &Ground) -> CancellationToken {
    let open = shutdown.child_token();
    if ground.peek().hub.is_none() {
        open.cancel();
    }
    open
}

impl Doorman {
    async fn run(mut self) {
        let mut connections = JoinSet::new();
        let mut reissue = Box::pin(tokio::time::sleep(REISSUE_EVERY));
        loop {
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
                () = self.ground.changed() => self.follow(),
                () = self.shutdown.cancelled() => break,
            }
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }

    /// Ends every connection when the hub has gone, and lets devices in again when it is back.
    fn follow(&mut self) {
        let is_there = self.ground.now().hub.is_some();
        if is_there == self.open.is_cancelled() {
            if is_there {
                tracing::info!("the hub is back; devices are let in");
                self.shared.status.send_modify(|status| status.last_error = None);
                self.open = open_until(&self.shutdown, &self.ground);
            } else {
                tracing::warn!("the hub was destroyed; devices keep their messages until it is applied again");
                self.open.cancel();
            }
        }
    }

    /// Serves a connection in a task of its own.
    fn connection(&self, tcp: TcpStream, peer: SocketAddr) -> impl Future<Output = ()> + Send + 'static {
        let (shared, acceptor) = (Arc::clone(&self.shared), self.acceptor.clone());
        let (is_there, cancel) = (!self.open.is_cancelled(), self.open.child_token());
        let shutdown = self.shutdown.clone();
        async move {
            if !is_there {
                tokio::select! {
                    () = session::turn_away(acceptor, tcp) => {}
                    () = shutdown.cancelled() => {}
                }
            } else if let Err(fault) = session::serve(Arc::clone(&shared), acceptor, tcp, cancel).await {
                if fault.breaks_a_rule() {
                    shared.refused(peer, &fault.to_string());
                } else {
                    tracing::debug!(%peer, "connection ended: {fault}");
                }
            }
        }
    }

    fn reissue(&mut self) {
        match self.authority.issue(self.listen, &self.shared.host_name, Timestamp::now()) {
            Ok(tls) => self.acceptor = TlsAcceptor::from(tls),
            Err(error) => self.shared.failed(error.to_string()),
        }
    }
}

/// What the connections share.
struct Shared {
    host_name: String,
    devices: Devices,
    log: EnqueuedLog,
    clock: Clock,
    ledger: Ledger,
    status: watch::Sender<HubStatus>,
    /// The connection each device has, by its number.
    connections: Mutex<HashMap<String, (u64, CancellationToken)>>,
    next_number: AtomicU64,
    told_not_served: AtomicBool,
}

impl Shared {
    fn new(host_name: String, devices: Devices, log: EnqueuedLog, clock: Clock, ledger: Ledger) -> Self {
        Self {
            host_name,
            devices,
            log,
            clock,
            ledger,
            status: watch::Sender::default(),
            connections: Mutex::default(),
            next_number: AtomicU64::new(0),
            told_not_served: AtomicBool::new(false),
        }
    }

    /// Notes a device's connection and ends the one it had; answers with the connection's number.
    fn enter(&self, device_id: &str, cancel: &CancellationToken) -> u64 {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, older)) = connections.insert(device_id.to_owned(), (number, cancel.clone())) {
            tracing::debug!(device = device_id, "a newer connection ends the older");
            older.cancel();
        }
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.connected.insert(device_id.to_owned());
            status.last_seen.insert(device_id.to_owned(), now);
        });
        number
    }

    fn leave(&self, device_id: &str, number: u64) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.get(device_id).is_some_and(|(current, _)| *current == number) {
            connections.remove(device_id);
            self.status.send_modify(|status| {
                status.connected.remove(device_id);
            });
        }
    }

    /// Notes that `count` messages have become durable.
    fn received(&self, device_id: &str, count: u64) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.received += count;
            match status.last_seen.get_mut(device_id) {
                Some(seen) => *seen = now,
                None => drop(status.last_seen.insert(device_id.to_owned(), now)),
            }
        });
    }

    fn refused(&self, peer: SocketAddr, reason: &str) {
        tracing::debug!(%peer, "connection refused or ended: {reason}");
        self.status.send_modify(|status| {
            status.refused += 1;
            status.last_error = Some(format!("{peer}: {reason}"));
        });
    }

    fn failed(&self, error: String) {
        self.status.send_modify(|status| status.last_error = Some(error));
    }

    /// Says once that a device asked for what isn't served.
    fn not_served(&self, what: &str) {
        if !self.told_not_served.swap(true, Ordering::Relaxed) {
            tracing::info!(
                "a device asked for {what}: twins, methods, messages to devices and last wills aren't served here yet"
            );
        }
    }
}
