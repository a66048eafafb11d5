//! Noticing that something of a run, a lock or a state has changed, without polling.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::database::FolderWatch;
use crate::provisioning::runs::queue;
use crate::provisioning::runs::store::Store;
use crate::provisioning::terraform::lock;

/// A bell that folders ring when something is written to them, and locks when their process ends.
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
    /// Locked files that a thread waits for.
    locks: Mutex<BTreeSet<PathBuf>>,
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
    fn locks(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
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
            self.watch_locks(store);
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

    /// A process that ends or is killed writes nothing then. The locks that it holds are waited for: its ticket, its
    /// Terraform's turn, and the state's, which may be somebody else's.
    fn watch_locks(&self, store: &Store) {
        for lock in queue::held(store).unwrap_or_default() {
            self.watch_lock(lock, queue::wait_for);
        }
        let workspace = store.workspace();
        if let Some(state) = workspace.local_state().filter(|state| lock::of_local_state(state).is_some()) {
            self.watch_lock(state.to_owned(), |state| {
                if let Err(error) = lock::wait_for_local(state) {
                    tracing::debug!(target: "provisioning", "{}: {error}", state.display());
                }
            });
        }
    }

    /// Rings when `wait` comes back. A blocking call needs a thread of its own.
    fn watch_lock(&self, lock: PathBuf, wait: fn(&Path)) {
        if !self.bell.locks().insert(lock.clone()) {
            return;
        }
        let bell = Arc::downgrade(&self.bell);
        let waiting = std::thread::Builder::new().name("lock".into()).spawn(move || {
            wait(&lock);
            if let Some(bell) = Weak::upgrade(&bell) {
                bell.locks().remove(&lock);
                bell.ring();
            }
        });
        if let Err(error) = waiting {
            tracing::warn!(target: "provisioning", "lock: {error}");
        }
    }
}
