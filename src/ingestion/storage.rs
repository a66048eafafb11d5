//! The containers: blobs in a folder, through the same interface as a storage account.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as BlobPath;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;

/// Bytes of a blob held in memory while it is written; what is longer goes to the disk in pieces of that size. The
/// store's own default is ten times that, for stores that are far away.
const BUFFER: usize = 1024 * 1024;

/// What can go wrong with a container.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The folder can't be used.
    #[error("containers in {path}: {reason}; check that the folder exists and is writable")]
    Folder {
        /// The containers' folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A blob can't be written, read or listed.
    #[error("blob {container}/{name}: {reason}")]
    Blob {
        /// Its container.
        container: String,
        /// Its name, or a prefix.
        name: String,
        /// The store's words.
        reason: String,
    },
}

/// The containers of an environment; clones share them.
#[derive(Debug, Clone)]
pub struct Containers {
    store: Arc<LocalFileSystem>,
    root: Arc<Path>,
}

/// A blob as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its name in the container.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// When it was written (wall clock), Unix seconds.
    pub modified_s: i64,
}

/// What is known of a blob without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobMeta {
    /// Its size, bytes.
    pub bytes: u64,
    /// When it was written (wall clock), Unix seconds.
    pub modified_s: i64,
}

impl Containers {
    /// The containers in `root`, which is made where it's missing.
    pub fn open(root: &Path) -> Result<Self, StorageError> {
        let failed = |reason: String| StorageError::Folder { path: root.to_owned(), reason };
        std::fs::create_dir_all(root).map_err(|e| failed(e.to_string()))?;
        // A write answers once the file and its folder are on disk.
        let store = LocalFileSystem::new_with_prefix(root).map_err(|e| failed(e.to_string()))?.with_fsync(true);
        Ok(Self { store: Arc::new(store), root: Arc::from(root) })
    }

    /// Begins a blob. It appears under its name, whole, when [`BlobWriter::finish`] answers.
    #[must_use]
    pub fn create(&self, container: &str, name: &str) -> BlobWriter {
        let store: Arc<dyn ObjectStore> = Arc::clone(&self.store) as _;
        BlobWriter {
            writer: BufWriter::with_capacity(store, location(container, name), BUFFER),
            container: container.to_owned(),
            name: name.to_owned(),
            bytes: 0,
        }
    }

    /// A blob's content.
    pub async fn read(&self, container: &str, name: &str) -> Result<Bytes, StorageError> {
        let result = match self.store.get(&location(container, name)).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        result.map_err(|e| blob_error(container, name, &e))
    }

    /// A blob's content in pieces, whole or the bytes of `range`, with the whole blob's size; `None` without the blob.
    pub async fn open_range(
        &self,
        container: &str,
        name: &str,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<Option<(BlobMeta, BoxStream<'static, Result<Bytes, StorageError>>)>, StorageError> {
        let options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
        let found = match self.store.get_opts(&location(container, name), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(blob_error(container, name, &error)),
        };
        let meta = BlobMeta { bytes: found.meta.size, modified_s: found.meta.last_modified.timestamp() };
        let (container, name) = (container.to_owned(), name.to_owned());
        let pieces = found.into_stream().map_err(move |error| blob_error(&container, &name, &error)).boxed();
        Ok(Some((meta, pieces)))
    }

    /// Whether there is such a blob.
    pub async fn exists(&self, container: &str, name: &str) -> Result<bool, StorageError> {
        Ok(self.size(container, name).await?.is_some())
    }

    /// A blob's size, bytes; `None` without the blob.
    pub async fn size(&self, container: &str, name: &str) -> Result<Option<u64>, StorageError> {
        match self.store.head(&location(container, name)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(blob_error(container, name, &error)),
        }
    }

    /// A container's blobs, sorted by name.
    pub async fn list(&self, container: &str) -> Result<Vec<Blob>, StorageError> {
        let prefix = BlobPath::from(container);
        let found: Vec<_> =
            self.store.list(Some(&prefix)).try_collect().await.map_err(|e| blob_error(container, "", &e))?;
        let mut blobs: Vec<_> = found
            .into_iter()
            .map(|meta| Blob {
                name: meta
                    .location
                    .as_ref()
                    .strip_prefix(container)
                    .unwrap_or_default()
                    .trim_start_matches('/')
                    .to_owned(),
                bytes: meta.size,
                modified_s: meta.last_modified.timestamp(),
            })
            .collect();
        blobs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(blobs)
    }

    /// The folder of a container.
    #[must_use]
    pub fn folder(&self, container: &str) -> PathBuf {
        self.root.join(container)
    }

    /// The file a blob is kept in.
    #[must_use]
    pub fn file(&self, container: &str, name: &str) -> PathBuf {
        self.root.join(container).join(name)
    }
}

/// A blob being written.
pub struct BlobWriter {
    writer: BufWriter,
    container: String,
    name: String,
    bytes: u64,
}

impl BlobWriter {
    /// Appends to the blob.
    pub async fn write(&mut self, content: &[u8]) -> Result<(), StorageError> {
        self.bytes += content.len() as u64;
        self.writer.write_all(content).await.map_err(|e| self.failed(&e))
    }

    /// Makes the blob durable and visible; answers its size in bytes.
    pub async fn finish(mut self) -> Result<u64, StorageError> {
        self.writer.shutdown().await.map_err(|e| self.failed(&e))?;
        Ok(self.bytes)
    }

    fn failed(&self, error: &std::io::Error) -> StorageError {
        StorageError::Blob { container: self.container.clone(), name: self.name.clone(), reason: reason(error) }
    }
}

fn location(container: &str, name: &str) -> BlobPath {
    BlobPath::from(format!("{container}/{name}"))
}

/// A store's words; a full disk in our own, with what to do.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::StorageFull) {
            return "the disk is full; free some space, the write is tried again".to_owned();
        }
        // An error that an I/O error wraps isn't its source.
        cause = match io.and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    error.to_string()
}

fn blob_error(container: &str, name: &str, error: &object_store::Error) -> StorageError {
    let reason = match error {
        object_store::Error::NotFound { .. } => "not found".to_owned(),
        other => reason(other),
    };
    StorageError::Blob { container: container.to_owned(), name: name.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_blob_of_many_pieces_appears_whole_and_only_at_its_end() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let containers = Containers::open(folder.path()).expect("opens");
        let piece: Vec<u8> = (0..=u8::MAX).cycle().take(BUFFER / 3 + 7).collect();
        let mut blob = containers.create("c", "a/b");
        for _ in 0..8 {
            blob.write(&piece).await.expect("written");
            assert!(!containers.exists("c", "a/b").await.expect("looked"));
        }
        let bytes = blob.finish().await.expect("finished");
        let content = containers.read("c", "a/b").await.expect("read");
        assert_eq!(bytes, 8 * piece.len() as u64);
        assert!(content == piece.repeat(8), "the content isn't what was written");
        let listed = containers.list("c").await.expect("listed");
        assert_eq!(listed.len(), 1, "{listed:?}");
    }

    #[tokio::test]
    async fn a_blob_that_is_given_up_half_way_is_never_seen() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let containers = Containers::open(folder.path()).expect("opens");
        let mut blob = containers.create("c", "a");
        for _ in 0..3 {
            blob.write(&vec![b'x'; BUFFER]).await.expect("written");
        }
        drop(blob);
        assert!(!containers.exists("c", "a").await.expect("looked"));
        assert_eq!(containers.list("c").await.expect("listed"), []);
    }
}
