//! The IoT Hub device client: carries the outbox to a hub over MQTT 3.1.1 and TLS, and what the hub asks to the agent.
//!
//! One task. It holds one connection at a time and makes a fresh client for each, so that no state of a lost
//! connection can leak into the next: whatever wasn't acknowledged is still in the outbox and is sent again.
//! A row leaves the outbox only on its PUBACK. The device's SAS token is renewed before it ends, by
//! finishing what is in flight and connecting anew at once. Between attempts the wait doubles up to
//! `max_backoff`, with full jitter, so that a fleet doesn't come back in step.
//!
//! - [`control`]: the border to the agent: twin, methods, messages to the device
//! - [`settings`]: from settings and secrets to [`UplinkSettings`]
//! - [`meter`]: the day's count of messages and bytes
//! - `attempts`, `connection`, `sender`, `desk`: the loop of attempts, one connection, its way up and its way down
//! - `dial`, `tls`, `skew`, `way`: sockets, certificates, the hub's own clock, MQTT or WebSocket
//! - `feed`, `bucket`, `pace`: what goes next, how fast it may, how long it takes
//! - `probe`: the way to the hub, tried step by step beside the link
//! - `twin`, `merge`, [`topic`], [`sas`]: the device contract's texts
//!
//! Asleep when there is nothing to send: woken by the outbox's status, the hub, or the keep-alive. What the hub is
//! spoken to in is described in `docs/src/reference/link.md`.

mod attempts;
mod bucket;
pub(in crate::edge_agent) mod connection;
pub mod control;
mod desk;
mod dial;
mod feed;
mod inbox;
mod limits;
mod link;
mod merge;
pub mod meter;
mod pace;
mod patience;
pub(in crate::edge_agent) mod probe;
pub mod sas;
mod sender;
pub mod settings;
mod skew;
mod status;
mod talk;
mod tls;
pub mod topic;
mod twin;
mod way;
mod words;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::clock::ledger::Ledger;
use crate::edge_agent::outbox::Outbox;
use control::HubRequest;
use meter::Meter;
pub use probe::{LinkStep, LinkTest, StepName, StepOutcome};
pub use settings::{Credentials, LinkError, Roots, UplinkSettings};
pub use status::{Metered, Quota, Transport, UplinkStatus};
pub(in crate::edge_agent) use tls::{client_config, hubs_config, outside_config};

/// Places for requests that the agent hasn't taken yet.
pub const REQUESTS: usize = 64;

/// What the link is wired to.
pub struct Wiring {
    /// What it drains.
    pub outbox: Outbox,
    /// The environment's clock: stamps `sentAt`.
    pub clock: Clock,
    /// Told when a message leaves.
    pub ledger: Ledger,
    /// Where to connect. Limits (`max_per_s`, `max_per_day`, `budget_bytes_per_day`) hold at once, everything else
    /// from the next connection on; a change ends a wait between attempts.
    pub settings: watch::Receiver<UplinkSettings>,
    /// Where it tells how it is.
    pub status: watch::Sender<UplinkStatus>,
    /// Where the hub's requests go, [`REQUESTS`] places.
    pub requests: mpsc::Sender<HubRequest>,
    /// The agent's whole reported properties; the hub's copy is kept equal to it.
    pub reported: watch::Receiver<serde_json::Value>,
    /// The day's counters; whoever else sends for the agent (pictures) counts in it too.
    pub meter: Meter,
    /// Ends the link.
    pub shutdown: CancellationToken,
}

/// Starts the link; the task ends when `shutdown` is cancelled.
#[must_use]
pub fn spawn(wiring: Wiring) -> JoinHandle<()> {
    tokio::spawn(attempts::run(wiring))
}
