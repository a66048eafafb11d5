//! What the connections share: who is connected, on which line the hub reaches a device, and how it all is.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::downlink::Down;
use super::faults::FaultBoard;
use super::service::MethodAnswer;
use super::subscriptions::Subscriptions;
use super::{HubConfig, HubStatus};
use crate::clock::Clock;
use crate::clock::ledger::Ledger;
use crate::ingestion::enqueued::EnqueuedLog;
use crate::local_cloud::https::Keys;
use crate::local_cloud::registry::{DeviceIdentity, Registry, Twin};

/// What waits for a connection to send it; a device that doesn't take it is disconnected.
pub(super) const MAX_DOWN: usize = 64;

/// What the connections share.
pub(in crate::local_cloud) struct Shared {
    pub(in crate::local_cloud) host_name: String,
    /// The hub's folder.
    pub(in crate::local_cloud) folder: PathBuf,
    pub(in crate::local_cloud) registry: Registry,
    pub(super) log: EnqueuedLog,
    pub(in crate::local_cloud) clock: Clock,
    pub(super) ledger: Ledger,
    pub(super) status: watch::Sender<HubStatus>,
    pub(in crate::local_cloud) faults: FaultBoard,
    /// The HTTPS side, once it is served.
    pub(super) https: OnceLock<HttpsSide>,
    /// What the hub shows of itself; issued anew while it runs.
    pub(in crate::local_cloud) tls: watch::Sender<Arc<rustls::ServerConfig>>,
    /// Cancelled while there is no hub; connections live by it.
    open: Mutex<CancellationToken>,
    /// The connection each device has.
    lines: Mutex<HashMap<String, Line>>,
    /// Changes when a device comes, goes or subscribes.
    pub(super) presence: watch::Sender<u64>,
    /// Methods that wait for their answer, by request id.
    pub(super) methods: Mutex<HashMap<String, Call>>,
    /// Operators' changes of twins are carried out and told one after the other.
    pub(super) twins: tokio::sync::Mutex<()>,
    next_number: AtomicU64,
}

/// The HTTPS side, as others reach it.
pub(super) struct HttpsSide {
    pub(super) address: SocketAddr,
    pub(super) keys: Keys,
    /// Cancelled once it has ended.
    pub(super) ended: CancellationToken,
}

/// A device's connection as others reach it.
#[derive(Clone)]
pub(super) struct Line {
    number: u64,
    /// The address at which the device found the hub.
    pub(super) reached: IpAddr,
    pub(super) cancel: CancellationToken,
    pub(super) down: mpsc::Sender<Down>,
    pub(super) subscriptions: Arc<Mutex<Subscriptions>>,
    /// Rung when there may be messages for it.
    pub(super) device_bound: Arc<Notify>,
}

/// A method that waits for its answer.
pub(super) struct Call {
    /// Only its own device may answer.
    pub(super) device_id: String,
    pub(super) answer: oneshot::Sender<MethodAnswer>,
}

impl Shared {
    pub(super) fn new(
        config: &HubConfig,
        tls: Arc<rustls::ServerConfig>,
        registry: Registry,
        log: EnqueuedLog,
        clock: Clock,
        ledger: Ledger,
    ) -> Self {
        Self {
            host_name: config.host_name.clone(),
            folder: config.folder.clone(),
            registry,
            log,
            clock,
            ledger,
            status: watch::Sender::default(),
            faults: FaultBoard::default(),
            https: OnceLock::new(),
            tls: watch::Sender::new(tls),
            open: Mutex::default(),
            lines: Mutex::default(),
            presence: watch::Sender::default(),
            methods: Mutex::default(),
            twins: tokio::sync::Mutex::default(),
            next_number: AtomicU64::new(0),
        }
    }

    /// Cancelled while there is no hub; connections live by it.
    pub(super) fn open(&self) -> CancellationToken {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_open(&self, open: CancellationToken) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = open;
    }

    /// Notes a device's connection and ends the one it had; answers with the new one and what it is to send.
    pub(super) fn enter(
        &self,
        device_id: &str,
        reached: IpAddr,
        cancel: &CancellationToken,
        subscriptions: Arc<Mutex<Subscriptions>>,
    ) -> (Line, mpsc::Receiver<Down>) {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let (down, queue) = mpsc::channel(MAX_DOWN);
        let line = Line { number, reached, cancel: cancel.clone(), down, subscriptions, device_bound: Arc::default() };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is ending already isn't taken over.
        let older = lines.insert(device_id.to_owned(), line.clone()).filter(|older| !older.cancel.is_cancelled());
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.connected.insert(device_id.to_owned());
            status.last_seen.insert(device_id.to_owned(), now);
            if older.is_some() {
                let (count, last) = status.takeovers.entry(device_id.to_owned()).or_insert((0, now));
                (*count, *last) = (*count + 1, now);
            }
        });
        if let Some(older) = older {
            tracing::debug!(device = device_id, "a newer connection ends the older");
            older.cancel.cancel();
        }
        drop(lines);
        self.moved();
        (line, queue)
    }

    /// Notes that a connection has ended; answers whether the device is without one now.
    pub(super) fn leave(&self, device_id: &str, left: &Line) -> bool {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.get(device_id).is_none_or(|line| line.number != left.number) {
            return false;
        }
        lines.remove(device_id);
        self.status.send_modify(|status| {
            status.connected.remove(device_id);
        });
        drop(lines);
        self.moved();
        true
    }

    /// The connection a device has.
    pub(super) fn line(&self, device_id: &str) -> Option<Line> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.get(device_id).filter(|line| !line.cancel.is_cancelled()).cloned()
    }

    /// Ends the connection a device has.
    pub(super) fn end(&self, device_id: &str, why: &str) {
        if let Some(line) = self.line(device_id) {
            tracing::info!(device = device_id, "its connection is ended: {why}");
            line.cancel.cancel();
        }
    }

    /// Ends every connection.
    pub(super) fn end_all(&self) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines.values() {
            line.cancel.cancel();
        }
    }

    /// Tells those who wait for a device that one has come, gone or subscribed.
    pub(super) fn moved(&self) {
        self.presence.send_modify(|count| *count += 1);
    }

    /// The identity with what is known of its connection at this moment.
    pub(super) fn live(&self, mut device: DeviceIdentity) -> DeviceIdentity {
        let status = self.status.borrow();
        device.is_connected = status.connected.contains(&device.device_id);
        if let Some(seen) = status.last_seen.get(&device.device_id) {
            device.last_activity_at = Some(*seen);
        }
        drop(status);
        device
    }

    /// The twin with what is known of its device's connection at this moment.
    pub(super) fn live_twin(&self, mut twin: Twin) -> Twin {
        twin.device = self.live(twin.device);
        twin
    }

    /// Notes that `count` messages have become durable.
    pub(super) fn received(&self, device_id: &str, count: u64) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.received += count;
            match status.last_seen.get_mut(device_id) {
                Some(seen) => *seen = now,
                None => drop(status.last_seen.insert(device_id.to_owned(), now)),
            }
        });
    }

    pub(in crate::local_cloud) fn refused(&self, peer: SocketAddr, reason: &str) {
        // Devices come again and again: the log has each reason once until another comes between.
        if self.status.borrow().last_error.as_deref().is_some_and(|last| last.ends_with(reason)) {
            tracing::debug!(%peer, "connection refused or ended: {reason}");
        } else {
            tracing::warn!(%peer, "connection refused or ended: {reason}");
        }
        self.status.send_modify(|status| {
            status.refused += 1;
            status.last_error = Some(format!("{peer}: {reason}"));
        });
    }

    pub(super) fn failed(&self, error: String) {
        self.status.send_modify(|status| status.last_error = Some(error));
    }
}
