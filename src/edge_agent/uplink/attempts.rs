//! The loop of attempts: one connection after the other, and the waits between them.

use std::time::{Duration, Instant};

use rand::Rng as _;
use tokio::sync::watch;

use super::Wiring;
use super::connection::Connection;
use super::link::Link;
use super::settings::UplinkSettings;
use super::skew::{self, Skew};
use super::status::Transport;
use super::way::{Reached, Way};
use crate::settings::LinkTransport;

/// The shortest upper end of the wait between two attempts.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// A connection that lasted so long was a good one: the next failure is waited for as the first.
const GOOD: Duration = Duration::from_secs(30);
/// Connections in a row that end soon after they were accepted from which it is said what that may mean.
const SHORT_LIVED: u32 = 3;

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The program ends.
    Shutdown,
    /// The token is about to end, or the way is to be looked at again.
    Renew,
    /// Something failed.
    Failed(Failure),
}

/// What failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) words: String,
    pub(super) reached: Reached,
    /// Whether the hub didn't take the credentials.
    pub(super) is_refused: bool,
}

/// Runs until the shutdown.
pub(super) async fn run(wiring: Wiring) {
    let link = Link::new(wiring).await;
    let mut settings = link.settings.clone();
    let mut loop_ = Attempts { backoff: FIRST_BACKOFF, short_lived: 0, way: Way::default(), skew: Skew::default() };
    while !link.shutdown.is_cancelled() {
        let current = settings.borrow_and_update().clone();
        match loop_.attempt(&link, &current).await {
            After::Stop => break,
            After::AtOnce => {}
            After::Wait(upper) => pause(&link, &mut settings, upper).await,
        }
    }
}

/// What comes after an attempt.
enum After {
    Stop,
    AtOnce,
    Wait(Duration),
}

struct Attempts {
    backoff: Duration,
    short_lived: u32,
    way: Way,
    skew: Skew,
}

impl Attempts {
    async fn attempt(&mut self, link: &Link, settings: &UplinkSettings) -> After {
        let transport = self.way.next(settings.transport);
        link.meter.set_budget(settings.budget_bytes_per_day);
        let connects = link.status.borrow().connects;
        let started = Instant::now();
        let end = connect(link, settings, transport).await;
        let was_accepted = link.status.borrow().connects > connects;
        link.left();
        match end {
            End::Shutdown => After::Stop,
            End::Renew => {
                tracing::debug!(device = settings.device_id, "the connection is renewed");
                self.way.tried(Reached::Accepted);
                if transport == Transport::Websocket && settings.transport == LinkTransport::Auto {
                    self.way.look_at_mqtt();
                }
                (self.backoff, self.short_lived) = (FIRST_BACKOFF, 0);
                After::AtOnce
            }
            End::Failed(failure) => {
                let lasted = was_accepted.then(|| started.elapsed());
                self.failed(link, settings, failure, lasted).await
            }
        }
    }

    /// `lasted`: how long the connection did, if the hub accepted it.
    async fn failed(
        &mut self,
        link: &Link,
        settings: &UplinkSettings,
        failure: Failure,
        lasted: Option<Duration>,
    ) -> After {
        self.way.tried(if lasted.is_some() { Reached::Accepted } else { failure.reached });
        let mut words = failure.words;
        // Anything may have been renewed on this machine meanwhile, the system's certificates too.
        if failure.reached == Reached::Refusal {
            link.tls.forget();
        }
        let mut skew_s = None;
        if failure.is_refused {
            skew_s = self.skew.look(link, settings).await;
            if let Some(more) = skew_s.and_then(skew::words) {
                words = format!("{words}; {more}");
            }
        }
        match lasted {
            Some(lasted) if lasted >= GOOD.min(settings.max_backoff) => {
                (self.backoff, self.short_lived) = (FIRST_BACKOFF, 0);
            }
            Some(_) => self.short_lived += 1,
            None => self.short_lived = 0,
        }
        if self.short_lived >= SHORT_LIVED {
            words = format!(
                "{words}; {} times in a row soon after it was accepted: another device with this identity, or more \
                 messages than the hub allows (link.max_per_s)",
                self.short_lived
            );
        }
        tracing::warn!(device = settings.device_id, "{words}");
        link.status.send_modify(|status| {
            status.last_error = Some(words);
            status.clock_skew_s = skew_s.or(status.clock_skew_s);
        });
        let upper = self.backoff.min(settings.max_backoff);
        self.backoff = (self.backoff * 2).min(settings.max_backoff);
        After::Wait(upper)
    }
}

async fn connect(link: &Link, settings: &UplinkSettings, transport: Transport) -> End {
    link.status.send_if_modified(|status| status.transport.replace(transport) != Some(transport));
    // What an earlier connection brought to the hub leaves the outbox before anything is sent again.
    link.settle(Vec::new(), None).await;
    if link.has_unsettled() {
        let words = link.status.borrow().last_error.clone().unwrap_or_default();
        return End::Failed(Failure::local(words));
    }
    match Connection::prepare(link, settings, transport) {
        Ok(connection) => connection.run().await,
        Err(words) => End::Failed(Failure::local(words)),
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
