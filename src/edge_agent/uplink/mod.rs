//! The IoT Hub device client: carries the outbox to a hub over MQTT 3.1.1 and TLS.
//!
//! One task. It holds one connection at a time and makes a fresh client for each, so that no state of a lost
//! connection can leak into the next: whatever wasn't acknowledged is still in the outbox and is sent again.
//! A row leaves the outbox only on its PUBACK. The device's SAS token is renewed before it ends, by
//! finishing what is in flight and connecting anew. Between attempts the wait doubles up to
//! `max_backoff`, with full jitter, so that a fleet doesn't come back in step.
//!
//! Asleep when there is nothing to send: woken by the outbox's status, the hub, or the keep-alive.

mod connection;
pub mod control;
pub mod sas;
pub mod topic;
mod words;

use std::time::{Duration, Instant};

use rand::Rng;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::clock::ledger::Ledger;
use crate::edge_agent::outbox::Outbox;
use connection::{Connection, End};

/// The shortest upper end of the wait between two attempts.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// Where the hub is and as whom to connect.
#[derive(Clone)]
pub struct UplinkSettings {
    /// Name or address to connect to; the hub's certificate must carry it.
    pub host: String,
    /// TCP port; IoT Hub's is 8883.
    pub port: u16,
    /// TCP port of HTTPS.
    pub https_port: u16,
    /// The hub's own name, for the user name and the SAS token's resource.
    pub hub_host_name: String,
    /// The device.
    pub device_id: String,
    /// The device's key, base64.
    pub key: SecretString,
    /// The certificates that may sign the hub's, PEM.
    pub ca_pem: Vec<u8>,
    /// Messages sent and not yet acknowledged at most, 1 to 4096.
    pub in_flight: u16,
    /// Longest wait between two attempts.
    pub max_backoff: Duration,
    /// How long a SAS token is good for; it is renewed when four fifths are over.
    pub token_life: Duration,
}

/// How the link is.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UplinkStatus {
    /// Whether the hub has accepted the connection.
    pub connected: bool,
    /// Messages handed to the link, repeats included.
    pub sent: u64,
    /// Messages acknowledged by the hub and removed from the outbox.
    pub acknowledged: u64,
    /// The last failure in words, until the next connection is accepted.
    pub last_error: Option<String>,
    /// Connections accepted by the hub.
    pub connects: u64,
}

/// Starts the link. New `settings` hold from the next connection on, and end a wait at once; the task ends
/// when `shutdown` is cancelled.
pub fn spawn(
    outbox: Outbox,
    clock: Clock,
    ledger: Ledger,
    settings: watch::Receiver<UplinkSettings>,
    status: watch::Sender<UplinkStatus>,
    shutdown: CancellationToken,
) -> JoinHandle<()> {
    tokio::spawn(run(Link { outbox, clock, ledger, status, shutdown }, settings))
}

/// What every connection works with.
struct Link {
    outbox: Outbox,
    clock: Clock,
    ledger: Ledger,
    status: watch::Sender<UplinkStatus>,
    shutdown: CancellationToken,
}

async fn run(link: Link, mut settings: watch::Receiver<UplinkSettings>) {
    let mut backoff = FIRST_BACKOFF;
    while !link.shutdown.is_cancelled() {
        let current = settings.borrow_and_update().clone();
        let started = Instant::now();
        let before = link.status.borrow().clone();
        let end = match Connection::open(&link, &current) {
            Ok(connection) => connection.run().await,
            Err(error) => End::Failed(error),
        };
        link.status.send_if_modified(|status| std::mem::take(&mut status.connected));
        match end {
            End::Shutdown => break,
            End::Renew => tracing::debug!(device = current.device_id, "SAS token renewed"),
            End::Failed(error) => {
                tracing::warn!(device = current.device_id, "{error}");
                link.status.send_modify(|status| status.last_error = Some(error));
                let now = link.status.borrow().clone();
                let lasted = now.connects > before.connects && started.elapsed() > current.max_backoff;
                if lasted || now.acknowledged > before.acknowledged {
                    backoff = FIRST_BACKOFF;
                }
                pause(&link, &mut settings, backoff).await;
                backoff = (backoff * 2).min(current.max_backoff);
            }
        }
    }
}

/// Waits between nothing and `upper`, or until there are new settings or the shutdown.
async fn pause(link: &Link, settings: &mut watch::Receiver<UplinkSettings>, upper: Duration) {
    let wait = upper.mul_f64(rand::rng().random_range(0.0..1.0));
    let changed = async {
        if settings.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = changed => {}
        () = link.shutdown.cancelled() => {}
    }
}
