//! Noticing what another process wrote, without polling.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// Why a folder can't be watched.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: can't be watched for changes: {reason}; raise fs.inotify.max_user_watches, or end what watches much", path.display())]
pub struct WatchError {
    /// The folder.
    pub path: PathBuf,
    /// The system's words.
    pub reason: String,
}

/// Tells when anything in a folder or below it was made, written or removed. Changes that come while nobody waits
/// are kept as one.
#[derive(Debug)]
pub struct FolderWatch {
    changed: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl FolderWatch {
    /// Watches `folder`, which must be there, and everything below it.
    pub fn start(folder: &Path) -> Result<Self, WatchError> {
        let failed = |error: notify::Error| WatchError { path: folder.to_owned(), reason: error.to_string() };
        let changed = Arc::new(Notify::new());
        let ring = Arc::clone(&changed);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error may mean that events were lost: looking once too often is right then.
            if event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                return;
            }
            ring.notify_one();
        })
        .map_err(failed)?;
        watcher.watch(folder, RecursiveMode::Recursive).map_err(failed)?;
        Ok(Self { changed, _watcher: watcher })
    }

    /// Waits for a change since the last call. For one waiter.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_write_is_noticed_and_a_read_is_not() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("below").join("file");
        std::fs::create_dir(folder.path().join("below")).expect("made");
        std::fs::write(&file, "1").expect("written");
        let watch = FolderWatch::start(folder.path()).expect("watches");
        std::fs::read(&file).expect("read");
        let idle = tokio::time::timeout(Duration::from_millis(200), watch.changed()).await;
        assert!(idle.is_err(), "a read is no change");
        std::fs::write(&file, "2").expect("written");
        tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.expect("noticed");
    }
}
