//! Noticing that something of a run, a lock or a state has changed, without polling.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::database::FolderWatch;
use crate::provisioning::runs::queue;
use crate::provisioning::runs::store::Store;

/// A bell that folders ring when something is written to them, and tickets when their process ends.
#[derive(Debug, Default)]
pub struct Watching {
    bell: Arc<Bell>,
    watched: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Bell {
    rung: Notify,
    /// Whether something changed since the last look.
    dirty: AtomicBool,
    /// Tickets that a thread waits for.
    tickets: Mutex<BTreeSet<PathBuf>>,
}

#[derive(Debug, Default)]
struct Watched {
    folders: BTreeSet<PathBuf>,
    /// One for each folder; ended with this.
    tasks: JoinSet<()>,
    has_begun: bool,
}

impl Bell {
    fn ring(&self) {
        self.dirty.store(true, Ordering::Release);
        self.rung.notify_one();
    }
}

impl Bell {
    fn tickets(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    /// Rings.
    pub fn ring(&self) {
        self.bell.ring();
    }

    /// Whether anybody watches, and whether something changed since the last call.
    pub fn take(&self, stores: &[Store]) -> (bool, bool) {
        let is_dirty = self.bell.dirty.swap(false, Ordering::AcqRel);
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let all = stores.iter().all(|store| !store.folder().is_dir() || watched.folders.contains(store.folder()));
        (watched.has_begun && all, is_dirty)
    }

    /// Waits for a ring since the last call; the first call answers at once.
    pub async fn changed(&self, stores: &[Store]) {
        if self.watch(stores) {
            self.bell.dirty.store(true, Ordering::Release);
            return;
        }
        self.bell.rung.notified().await;
        // A run has begun, perhaps: its process is watched from now on.
        self.watch(stores);
    }

    /// Watches what is there and wasn't watched yet; answers whether a folder was among it, or this is the first call.
    fn watch(&self, stores: &[Store]) -> bool {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_new = !std::mem::replace(&mut watched.has_begun, true);
        for store in stores {
            self.watch_tickets(store);
            if watched.folders.contains(store.folder()) || !store.folder().is_dir() {
                continue;
            }
            match FolderWatch::start(store.folder()) {
                Ok(watch) => {
                    let bell = Arc::clone(&self.bell);
                    watched.tasks.spawn(async move {
                        loop {
                            watch.changed().await;
                            bell.ring();
                        }
                    });
                }
                // Told once: from then on this environment is read when something else rings.
                Err(error) => tracing::error!(target: "provisioning", "{error}"),
            }
            watched.folders.insert(store.folder().to_owned());
            is_new = true;
        }
        is_new
    }

    /// A process that is killed writes nothing. Its lock is waited for, by a thread that a blocking call holds.
    fn watch_tickets(&self, store: &Store) {
        for ticket in queue::held(store).unwrap_or_default() {
            if !self.bell.tickets().insert(ticket.clone()) {
                continue;
            }
            let bell = Arc::downgrade(&self.bell);
            let waiting = std::thread::Builder::new().name("ticket".into()).spawn(move || {
                queue::wait_for(&ticket);
                if let Some(bell) = Weak::upgrade(&bell) {
                    bell.tickets().remove(&ticket);
                    bell.ring();
                }
            });
            if let Err(error) = waiting {
                tracing::warn!(target: "provisioning", "ticket: {error}");
            }
        }
    }
}
