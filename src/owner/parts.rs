//! What an environment is made of while it runs, and what happens when a part of it fails.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::{Ask, AskError};
use super::protocol::{Answer, Request};
use crate::station::text::printable;

/// Everything that runs until the environment ends.
pub(super) struct Tasks {
    running: JoinSet<()>,
    /// Told when it ends.
    pub(super) shutdown: CancellationToken,
}

impl Tasks {
    /// None yet; they end with `shutdown`.
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Self { running: JoinSet::new(), shutdown }
    }

    /// Runs `task` until it ends or the environment does.
    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(self.shutdown.clone().run_until_cancelled_owned(task).map(drop));
    }

    /// Requests are answered side by side; what changes the world is one at a time by the nature of its parts:
    /// one database writer, one clock.
    pub(super) fn spawn_desk<F>(
        &mut self,
        mut asked: mpsc::Receiver<Ask>,
        answer_to: impl Fn(Request) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<Answer, AskError>> + Send + 'static,
    {
        self.spawn(async move {
            while let Some(Ask { request, answer }) = asked.recv().await {
                let may_be_left = matches!(request, Request::Picture { .. });
                let (answered, mut answer) = (answer_to(request), answer);
                // Whoever asked and left doesn't want the answer; of a picture the work is saved, too.
                tokio::spawn(async move {
                    tokio::select! {
                        biased;
                        answered = answered => drop(answer.send(answered)),
                        () = answer.closed(), if may_be_left => {}
                    }
                });
            }
        });
    }

    /// All of them.
    pub(super) fn into_running(self) -> JoinSet<()> {
        self.running
    }
}

/// What failed; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Fault(Arc<OnceLock<String>>);

impl Fault {
    /// What failed, in words.
    pub(super) fn words(&self) -> Option<String> {
        self.0.get().cloned()
    }

    /// Waits until all `parts` have ended. One that panics ends the others in order by `shutdown`: what it does would stand
    /// still unseen else, and what is durable goes on at the next start.
    pub(super) async fn watch(&self, mut parts: JoinSet<()>, shutdown: &CancellationToken) {
        while let Some(ended) = parts.join_next().await {
            let Err(error) = ended else { continue };
            if !error.is_panic() {
                continue;
            }
            let what = message(error.into_panic().as_ref());
            let words = format!(
                "a part of the environment failed ({what}), so all of it has ended; nothing is lost: start it again, and report this with the log"
            );
            tracing::error!(target: "owner", "{words}");
            // The first one counts.
            drop(self.0.set(words));
            shutdown.cancel();
        }
    }
}

/// A panic's message, printable.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.map_or_else(|| "it doesn't say why".to_owned(), printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_fails_ends_all_of_them_and_is_told() {
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.spawn(std::future::pending());
        tasks.spawn(async { panic!("on purpose: {}", 7) });
        let fault = Fault::default();
        assert_eq!(fault.words(), None);
        tokio::time::timeout(std::time::Duration::from_secs(10), fault.watch(tasks.into_running(), &shutdown))
            .await
            .expect("the other one has ended too");
        assert!(shutdown.is_cancelled());
        let words = fault.words().expect("told");
        assert!(words.contains("failed (on purpose: 7)") && words.contains("start it again"), "{words}");
    }

    #[tokio::test]
    async fn a_part_that_ends_by_itself_ends_nothing_else() {
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.spawn(std::future::ready(()));
        let fault = Fault::default();
        fault.watch(tasks.into_running(), &shutdown).await;
        assert!(!shutdown.is_cancelled());
        assert_eq!(fault.words(), None);
    }
}
