//! Whether the part that reads still goes round: asked by whoever feeds a watchdog.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// A question to the reader, and whether it was answered. The reader answers on each of its rounds, and while it tries
/// again to store what a full disk doesn't take: waiting is no fault.
#[derive(Debug, Default)]
pub struct Pulse {
    asked: AtomicU64,
    answered: AtomicU64,
    rung: Notify,
}

impl Pulse {
    /// Asks; a reader that waits for its source wakes for it.
    pub fn ask(&self) {
        self.asked.fetch_add(1, Ordering::AcqRel);
        self.rung.notify_one();
    }

    /// Whether everything that was asked is answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire) >= self.asked.load(Ordering::Acquire)
    }

    /// Waits for a question.
    pub(super) async fn rung(&self) {
        self.rung.notified().await;
    }

    /// Waits for `what`, and answers meanwhile: waiting is no fault.
    pub(super) async fn during<T>(&self, what: impl Future<Output = T>) -> T {
        let mut what = std::pin::pin!(what);
        loop {
            tokio::select! {
                biased;
                done = &mut what => return done,
                () = self.rung() => self.answer(),
            }
        }
    }

    /// Answers everything that was asked.
    pub fn answer(&self) {
        self.answered.store(self.asked.load(Ordering::Acquire), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_stands_until_it_is_answered() {
        let pulse = Pulse::default();
        assert!(pulse.is_answered(), "nothing was asked");
        pulse.ask();
        assert!(!pulse.is_answered());
        pulse.rung().await;
        pulse.answer();
        assert!(pulse.is_answered());
        pulse.ask();
        assert!(!pulse.is_answered(), "each is answered anew");
    }

    #[tokio::test]
    async fn questions_are_answered_while_something_is_waited_for() {
        let pulse = Pulse::default();
        let (send, sent) = tokio::sync::oneshot::channel();
        let asked = async {
            for _ in 0..3 {
                pulse.ask();
                while !pulse.is_answered() {
                    tokio::task::yield_now().await;
                }
            }
            send.send(7).expect("waited for");
        };
        let (came, ()) = tokio::join!(pulse.during(sent), asked);
        assert_eq!(came, Ok(7));
    }
}
