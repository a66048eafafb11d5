//! A pulse: tells whoever watches that something changed, without saying what.

use std::sync::Arc;

use tokio::sync::Notify;

/// A shared bell. Rings that come while nobody waits are kept as one.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Notify>);

impl Pulse {
    /// Rings.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits for a ring; answers at once where one was missed. For one waiter.
    pub async fn rung(&self) {
        self.0.notified().await;
    }
}
