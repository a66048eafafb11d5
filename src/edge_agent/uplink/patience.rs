//! How long an acknowledgement is waited for before the connection counts as dead.

use std::time::Duration;

use tokio::time::Instant;

/// How long nothing at all may come while an acknowledgement is waited for.
const SILENCE: Duration = Duration::from_secs(40);
/// How long a single acknowledgement may take while other things come.
const LATEST_ACK: Duration = Duration::from_secs(60);

/// The patience with the oldest message on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// When it was sent.
    pub(super) sent_at: Instant,
    /// When something last came from the hub.
    pub(super) heard_at: Instant,
}

impl Patience {
    fn silent_at(&self) -> Instant {
        self.sent_at.max(self.heard_at) + SILENCE
    }

    /// When it ends, if nothing comes until then.
    pub(super) fn ends_at(&self) -> Instant {
        self.silent_at().min(self.sent_at + LATEST_ACK)
    }

    /// What is wrong, once it has ended.
    pub(super) fn trouble(&self, now: Instant) -> Option<String> {
        if now >= self.silent_at() {
            let s = SILENCE.as_secs();
            return Some(format!("silent for {s} s while messages wait; check the network; tried again"));
        }
        (now >= self.sent_at + LATEST_ACK).then(|| {
            let s = LATEST_ACK.as_secs();
            format!("answers, but hasn't acknowledged a message for {s} s; check the hub; tried again")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_ends_it_after_40_s_and_a_missing_acknowledgement_after_60_s() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let silent = Patience { sent_at: at(100), heard_at: at(90) };
        assert_eq!((silent.ends_at(), silent.trouble(at(139))), (at(140), None));
        assert!(silent.trouble(at(140)).expect("over").starts_with("silent for 40 s"));
        // Signs of life come, the acknowledgement doesn't.
        let heard = |s| Patience { sent_at: at(100), heard_at: at(s) };
        assert_eq!((heard(110).ends_at(), heard(110).trouble(at(149))), (at(150), None));
        assert_eq!((heard(155).ends_at(), heard(155).trouble(at(159))), (at(160), None));
        assert!(heard(155).trouble(at(160)).expect("over").contains("hasn't acknowledged a message for 60 s"));
    }
}
