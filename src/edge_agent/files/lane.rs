//! When a piece of a picture may go: behind measurements, within the day's budget, no faster than is set.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::edge_agent::outbox::OutboxStatus;
use crate::edge_agent::uplink::UplinkStatus;
use crate::edge_agent::uplink::meter::Meter;

/// Messages that may wait in the outbox while a piece of a picture goes: what is on its way anyhow.
const FEW: u64 = 20;

/// The lane that pictures have beside measurements.
pub(in crate::edge_agent) struct Lane {
    pub outbox: watch::Receiver<OutboxStatus>,
    pub uplink: watch::Receiver<UplinkStatus>,
    pub meter: Meter,
    /// Bytes a second at most.
    pub max_per_s: Option<u64>,
    /// Not before then.
    pub free_at: Instant,
}

impl Lane {
    /// Why nothing may go now, in words.
    pub fn held(&self) -> Option<&'static str> {
        let (is_connected, is_held) = {
            let uplink = self.uplink.borrow();
            (uplink.connected, holds_pictures(&uplink))
        };
        if !is_connected {
            Some("waits for the link")
        } else if is_held {
            Some("waits: the day's budget is for measurements from here on")
        } else if self.outbox.borrow().rows > FEW {
            Some("waits: measurements go first")
        } else {
            None
        }
    }

    /// Waits until something may go.
    pub async fn ready(&mut self) {
        while self.held().is_some() {
            let (outbox, uplink) = (self.outbox.changed(), self.uplink.changed());
            // The senders live as long as the agent.
            let is_open = tokio::select! {
                changed = outbox => changed.is_ok(),
                changed = uplink => changed.is_ok(),
            };
            if !is_open {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for the turn of a piece of `bytes`, and counts it: what a failed attempt sent isn't known, so it is as if it
    /// had been all of it.
    pub async fn turn(&mut self, bytes: u64) {
        tokio::time::sleep_until(self.free_at).await;
        self.ready().await;
        self.meter.spend(bytes);
        if let Some(max_per_s) = self.max_per_s {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds matter, nanoseconds don't")]
            let takes = Duration::from_secs_f64(bytes as f64 / max_per_s.max(1) as f64);
            self.free_at = Instant::now() + takes;
        }
    }
}

/// Whether a metered link keeps pictures back.
fn holds_pictures(status: &UplinkStatus) -> bool {
    status.metered.as_ref().is_some_and(|metered| metered.holding.iter().any(|held| held == "pictures"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pictures_go_behind_measurements_and_no_faster_than_is_set() {
        let outbox = watch::Sender::new(OutboxStatus::default());
        let uplink = watch::Sender::new(UplinkStatus { connected: true, ..UplinkStatus::default() });
        let (meter, max_per_s, free_at) = (Meter::default(), Some(1_048_576), Instant::now());
        let mut lane = Lane { outbox: outbox.subscribe(), uplink: uplink.subscribe(), meter, max_per_s, free_at };
        let began = Instant::now();
        lane.turn(524_288).await;
        lane.turn(1).await;
        // 524,288 bytes at 1,048,576 a second.
        assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
        outbox.send_modify(|status| status.rows = FEW + 1);
        assert_eq!(lane.held(), Some("waits: measurements go first"));
        let waiting = tokio::time::timeout(Duration::from_millis(200), lane.turn(1)).await;
        assert!(waiting.is_err(), "it waits for the measurements");
        let drained = async { outbox.send_modify(|status| status.rows = FEW) };
        tokio::join!(lane.turn(1), drained);
        uplink.send_modify(|status| status.connected = false);
        assert_eq!(lane.held(), Some("waits for the link"));
    }
}
