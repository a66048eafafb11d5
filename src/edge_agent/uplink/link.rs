//! What outlives a connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Wiring;
use super::control::HubRequest;
use super::meter::{self, Meter};
use super::settings::{Credentials, UplinkSettings};
use super::status::UplinkStatus;
use super::tls::Tls;
use crate::clock::Clock;
use crate::clock::ledger::Ledger;
use crate::clock::wall;
use crate::edge_agent::outbox::Outbox;

/// Least time between two lines in the log on a certificate's end: a day, and never twice a day.
const WARN_EVERY: Duration = Duration::from_secs(86_000);

/// What every connection works with.
pub(super) struct Link {
    pub(super) outbox: Outbox,
    pub(super) clock: Clock,
    pub(super) ledger: Ledger,
    pub(super) settings: watch::Receiver<UplinkSettings>,
    pub(super) status: watch::Sender<UplinkStatus>,
    pub(super) requests: mpsc::Sender<HubRequest>,
    pub(super) reported: watch::Receiver<Value>,
    pub(super) meter: Meter,
    pub(super) shutdown: CancellationToken,
    pub(super) tls: Tls,
    /// Whether a refused subscription has been told of.
    is_refusal_told: AtomicBool,
    /// What the hub has acknowledged and the outbox couldn't take out yet.
    unsettled: Mutex<Vec<i64>>,
    warned_at: Mutex<Option<Instant>>,
}

impl Link {
    pub(super) async fn new(wiring: Wiring) -> Self {
        let Wiring { outbox, clock, ledger, settings, status, requests, reported, meter, shutdown } = wiring;
        match outbox.state(meter::STATE).await {
            Ok(Some(state)) => meter.restore(wall::now(), &state),
            Ok(None) => {}
            Err(error) => tracing::warn!("what was sent today isn't known: {error}; counted from here"),
        }
        Self {
            outbox,
            clock,
            ledger,
            settings,
            status,
            requests,
            reported,
            meter,
            shutdown,
            tls: Tls::default(),
            is_refusal_told: AtomicBool::new(false),
            unsettled: Mutex::new(Vec::new()),
            warned_at: Mutex::new(None),
        }
    }

    /// Takes messages out of the outbox, with the day's count and with those for which that failed before.
    pub(super) async fn settle(&self, seqs: Vec<i64>, state: Option<(String, String)>) {
        let seqs = {
            let mut unsettled = self.unsettled();
            unsettled.extend(seqs);
            unsettled.clone()
        };
        if seqs.is_empty() {
            return;
        }
        let count = seqs.len();
        match self.outbox.settle(seqs, state.into_iter().collect()).await {
            // Nothing is added meanwhile: there is one task.
            Ok(()) => self.unsettled().clear(),
            Err(error) => {
                let words = format!("{count} messages are at the hub, but can't be taken out of the outbox: {error}");
                if self.status.borrow().last_error.as_ref() != Some(&words) {
                    tracing::error!("{words}; nothing more is sent until they are");
                    self.status.send_modify(|status| status.last_error = Some(words));
                }
            }
        }
        let settled = self.unsettled().is_empty();
        if settled {
            let is_ours = |words: &String| words.contains("can't be taken out of the outbox");
            self.status.send_if_modified(|status| status.last_error.take_if(|words| is_ours(words)).is_some());
        }
    }

    pub(super) fn has_unsettled(&self) -> bool {
        !self.unsettled().is_empty()
    }

    fn unsettled(&self) -> std::sync::MutexGuard<'_, Vec<i64>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Warns of the end of the device's certificate in the status, and once a day in the log.
    pub(super) fn warn_of_end(&self, settings: &UplinkSettings, ends_at: Option<Timestamp>) {
        let warning = ends_at.and_then(|ends_at| warning(settings, ends_at, wall::now()));
        self.status.send_if_modified(|status| {
            let before = (status.credential_ends_at, status.warning.clone());
            status.credential_ends_at = ends_at;
            status.warning.clone_from(&warning);
            before != (status.credential_ends_at, warning.clone())
        });
        let Some(warning) = warning else { return };
        let mut warned_at = self.warned_at.lock().unwrap_or_else(PoisonError::into_inner);
        if warned_at.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            *warned_at = Some(Instant::now());
            tracing::warn!(device = settings.device_id, "{warning}");
        }
    }

    /// Notes that a connection was accepted.
    pub(super) fn accepted(&self) {
        self.status.send_modify(|status| {
            status.connected = true;
            status.connects += 1;
            status.last_error = None;
            status.clock_skew_s = None;
        });
    }

    /// Notes that there is no connection any more; answers whether there was one.
    pub(super) fn left(&self) -> bool {
        self.status.send_if_modified(|status| {
            status.remaining_s = None;
            std::mem::take(&mut status.connected)
        })
    }

    pub(super) fn tell_refusal(&self) -> bool {
        !self.is_refusal_told.swap(true, Ordering::Relaxed)
    }
}

/// What there is to say of a certificate that ends at `ends_at`, and what to do.
pub(super) fn warning(settings: &UplinkSettings, ends_at: Timestamp, now: Timestamp) -> Option<String> {
    let step = match &settings.credentials {
        Credentials::CertificateFiles { chain, key } => {
            format!(
                "put a renewed one at {} and {}; it is taken at the next connection",
                chain.display(),
                key.display()
            )
        }
        _ => "give the device a renewed one".to_owned(),
    };
    let left = ends_at.duration_since(now);
    if left.is_negative() || left.is_zero() {
        return Some(format!("the device's certificate has ended on {ends_at}; {step}"));
    }
    let is_near = Duration::try_from(left).is_ok_and(|left| left <= settings.warn_expiry);
    is_near.then(|| match left.as_hours() / 24 {
        0 => format!("the device's certificate ends within a day, on {ends_at}; {step}"),
        1 => format!("the device's certificate ends in 1 day, on {ends_at}; {step}"),
        days => format!("the device's certificate ends in {days} days, on {ends_at}; {step}"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::settings::Roots;
    use super::*;

    #[test]
    fn a_certificates_end_is_told_in_time_with_the_next_step() {
        let files = Credentials::CertificateFiles { chain: "/c.pem".into(), key: "/k.pem".into() };
        let settings = UplinkSettings::at("h", 1, "h", "d").signed_in(files, Roots::System);
        let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
        let now = at("2026-11-26T12:00:00Z");
        assert_eq!(warning(&settings, at("2026-12-27T12:00:00Z"), now), None);
        for (ends_at, words) in [
            ("2026-12-26T12:00:00Z", "ends in 30 days"),
            ("2026-11-28T11:00:00Z", "ends in 1 day,"),
            ("2026-11-26T13:00:00Z", "ends within a day"),
            ("2026-11-26T12:00:00Z", "has ended on 2026-11-26T12:00:00Z"),
            ("2020-01-01T00:00:00Z", "has ended"),
        ] {
            let warning = warning(&settings, at(ends_at), now).expect("a warning");
            assert!(warning.contains(words) && warning.contains("/c.pem and /k.pem"), "{warning}");
        }
    }
}
