//! What has come from the hub and isn't looked at yet: bounded, so that the hub can't fill this machine's memory,
//! and never waited for, so that acknowledgements behind it are read.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use rumqttc::Publish;
use tokio::sync::Notify;

/// Messages kept, and bytes of them.
const MAX_MESSAGES: usize = 256;
const MAX_BYTES: usize = 2 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Inbox {
    kept: Mutex<Kept>,
    came: Notify,
}

#[derive(Default)]
struct Kept {
    messages: VecDeque<Publish>,
    bytes: usize,
    has_missed: bool,
}

impl Inbox {
    /// Keeps a message, or gives it back where there is no room.
    pub(super) fn put(&self, publish: Publish) -> Result<(), Publish> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = publish.size();
        if kept.messages.len() >= MAX_MESSAGES || kept.bytes + bytes > MAX_BYTES {
            return Err(publish);
        }
        kept.bytes += bytes;
        kept.messages.push_back(publish);
        self.came.notify_one();
        Ok(())
    }

    /// Notes that something was lost that has to be fetched.
    pub(super) fn miss(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).has_missed = true;
        self.came.notify_one();
    }

    /// The oldest message, or `None` where something was lost meanwhile; waits for one of the two. Loses nothing when
    /// cancelled.
    pub(super) async fn next(&self) -> Option<Publish> {
        loop {
            {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(publish) = kept.messages.pop_front() {
                    kept.bytes -= publish.size();
                    return Some(publish);
                }
                if std::mem::take(&mut kept.has_missed) {
                    return None;
                }
            }
            self.came.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::QoS;

    use super::*;

    #[tokio::test]
    async fn it_is_bounded_and_keeps_the_order() {
        let publish = |i: usize, bytes: usize| Publish::new(i.to_string(), QoS::AtMostOnce, vec![0; bytes]);
        let inbox = Inbox::default();
        for i in 0..MAX_MESSAGES {
            inbox.put(publish(i, 1)).expect("room");
        }
        assert!(inbox.put(publish(999, 1)).is_err());
        for i in 0..MAX_MESSAGES {
            assert_eq!(inbox.next().await.expect("a message").topic, i.to_string().into_bytes());
        }
        inbox.put(publish(1, MAX_BYTES - 100)).expect("room");
        assert!(inbox.put(publish(2, 200)).is_err());
        inbox.miss();
        assert_eq!(inbox.next().await.expect("a message").topic, "1");
        assert!(inbox.next().await.is_none(), "something was missed");
        inbox.put(publish(3, 200)).expect("room again");
    }
}
