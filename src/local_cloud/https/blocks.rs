//! Blocks of blobs that are put in pieces: kept in the hub's folder until a list of them makes the blob.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use sha2::{Digest, Sha256};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::errors::BlobError;
use super::uploads::Place;
use crate::ingestion::storage::Containers;

/// Bytes of a blob.
const MAX_BLOB: u64 = 256 * 1024 * 1024;
/// Blocks of a blob.
const MAX_BLOCKS: usize = 1000;
/// Bytes of a block's id, decoded; storage's bound.
const MAX_ID: usize = 64;
/// After how long blocks that made no blob are removed; storage's is a week.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Bytes read at once when blocks are put together.
const PIECE: usize = 256 * 1024;

/// The folder of blocks.
pub(super) struct Blocks(PathBuf);

impl Blocks {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// A blob's blocks: the name is hashed since a folder's has other bounds.
    fn folder(&self, place: &Place) -> PathBuf {
        let hash = Sha256::digest(format!("{}/{}", place.container, place.blob));
        self.0.join(hex(&hash))
    }

    /// Begins a block of `bytes`.
    pub(super) async fn create(&self, place: &Place, id: &str, bytes: u64) -> Result<Block, BlobError> {
        let name = file_name(id).ok_or_else(|| {
            let message = "the block's id must be base64 of 1 to 64 bytes";
            BlobError::new(StatusCode::BAD_REQUEST, "InvalidQueryParameterValue", message)
        })?;
        let folder = self.folder(place);
        fs::create_dir_all(&folder).await.map_err(BlobError::server)?;
        let (count, there) = sum(&folder).await.map_err(BlobError::server)?;
        if count >= MAX_BLOCKS || there + bytes > MAX_BLOB {
            let message = format!("a blob has at most {MAX_BLOCKS} blocks and {MAX_BLOB} bytes");
            return Err(BlobError::new(StatusCode::CONFLICT, "BlockCountExceedsLimit", message));
        }
        // A block that comes twice at once is written to two files; the later takes the place.
        let new = folder.join(format!("{}.new", uuid::Uuid::now_v7()));
        let file = File::create(&new).await.map_err(BlobError::server)?;
        Ok(Block { file, new: Some(new), path: folder.join(name) })
    }

    /// Makes the blob of the blocks that `list` (storage's XML) names. The blocks are gone afterwards.
    pub(super) async fn commit(&self, place: &Place, list: &[u8], containers: &Containers) -> Result<(), BlobError> {
        let wrong = |why| BlobError::new(StatusCode::BAD_REQUEST, "InvalidXmlDocument", why);
        let list = str::from_utf8(list).map_err(|_| wrong("the list isn't UTF-8"))?;
        let ids = block_ids(list).map_err(wrong)?;
        if ids.len() > MAX_BLOCKS {
            return Err(wrong("the list names more than 1,000 blocks"));
        }
        let folder = self.folder(place);
        let mut writer = containers.create(&place.container, &place.blob);
        let mut piece = vec![0; PIECE];
        for id in ids {
            let unknown = || {
                let message = format!("block {id} isn't there; put the blob anew");
                BlobError::new(StatusCode::BAD_REQUEST, "InvalidBlockList", message)
            };
            let mut file = match File::open(folder.join(file_name(id).ok_or_else(unknown)?)).await {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(unknown()),
                Err(error) => return Err(BlobError::server(error)),
            };
            loop {
                let read = file.read(&mut piece).await.map_err(BlobError::server)?;
                if read == 0 {
                    break;
                }
                writer.write(&piece[..read]).await.map_err(BlobError::server)?;
            }
        }
        writer.finish().await.map_err(BlobError::server)?;
        self.forget(place).await;
        Ok(())
    }

    /// Removes a blob's blocks.
    pub(super) async fn forget(&self, place: &Place) {
        let folder = self.folder(place);
        if let Err(error) = fs::remove_dir_all(&folder).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("blocks of a blob stay in {}: {error}; they are removed in a day", folder.display());
        }
    }

    /// Removes blocks that nobody has added to for a day.
    pub(super) async fn sweep(&self, now: SystemTime) {
        if let Err(error) = sweep(&self.0, now).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("old blocks in {} can't be removed: {error}", self.0.display());
        }
    }
}

async fn sweep(root: &Path, now: SystemTime) -> std::io::Result<()> {
    let mut entries = fs::read_dir(root).await?;
    while let Some(entry) = entries.next_entry().await? {
        let age = now.duration_since(entry.metadata().await?.modified()?).unwrap_or_default();
        if age > KEPT {
            fs::remove_dir_all(entry.path()).await?;
        }
    }
    Ok(())
}

/// Files of a folder and their bytes.
async fn sum(folder: &Path) -> std::io::Result<(usize, u64)> {
    let (mut count, mut bytes) = (0, 0);
    let mut entries = fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        count += 1;
        bytes += entry.metadata().await?.len();
    }
    Ok((count, bytes))
}

fn file_name(id: &str) -> Option<String> {
    let id = STANDARD.decode(id).ok()?;
    (1..=MAX_ID).contains(&id.len()).then(|| hex(&id))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The ids in `<BlockList><Latest>ID</Latest>…</BlockList>`; `Uncommitted` stands for the same here. `Committed` blocks
/// aren't kept.
fn block_ids(xml: &str) -> Result<Vec<&str>, &'static str> {
    let mut rest = xml.trim_start_matches('\u{feff}').trim();
    if rest.starts_with("<?") {
        rest = rest.split_once("?>").ok_or("the list's head isn't closed")?.1.trim_start();
    }
    let inner = rest.strip_prefix("<BlockList>").and_then(|rest| rest.trim_end().strip_suffix("</BlockList>"));
    let mut inner = match (inner, rest) {
        (Some(inner), _) => inner.trim(),
        (None, "<BlockList/>" | "<BlockList />") => "",
        _ => return Err("the list isn't a BlockList"),
    };
    let mut ids = Vec::new();
    while !inner.is_empty() {
        let (name, after) =
            inner.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or("an element is broken")?;
        if !matches!(name, "Latest" | "Uncommitted") {
            return Err("only Latest and Uncommitted blocks can be named");
        }
        let (id, after) = after.split_once("</").ok_or("an element isn't closed")?;
        let after =
            after.strip_prefix(name).and_then(|rest| rest.strip_prefix('>')).ok_or("an element isn't closed")?;
        ids.push(id.trim());
        inner = after.trim_start();
    }
    Ok(ids)
}

/// A block being written; removed unless it is finished.
pub(super) struct Block {
    file: File,
    new: Option<PathBuf>,
    path: PathBuf,
}

impl Block {
    pub(super) async fn write(&mut self, content: &[u8]) -> Result<(), BlobError> {
        self.file.write_all(content).await.map_err(BlobError::server)
    }

    /// Makes it durable and takes its place.
    pub(super) async fn finish(mut self) -> Result<(), BlobError> {
        self.file.flush().await.map_err(BlobError::server)?;
        self.file.sync_all().await.map_err(BlobError::server)?;
        if let Some(new) = &self.new {
            fs::rename(new, &self.path).await.map_err(BlobError::server)?;
        }
        self.new = None;
        Ok(())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(new) = &self.new {
            // What stays is swept in a day.
            drop(std::fs::remove_file(new));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { container: "pictures".into(), blob: "d/a".into() }
    }

    async fn put(blocks: &Blocks, id: &str, content: &[u8]) {
        let mut block = blocks.create(&place(), id, content.len() as u64).await.expect("begun");
        block.write(content).await.expect("written");
        block.finish().await.expect("finished");
    }

    #[tokio::test]
    async fn blocks_make_a_blob_in_the_lists_order() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let blocks = Blocks::new(folder.path().join("blocks"));
        let containers = Containers::open(&folder.path().join("containers")).expect("opens");
        put(&blocks, "MQ==", b"old").await;
        put(&blocks, "Mg==", b"two").await;
        put(&blocks, "MQ==", b"one ").await;
        put(&blocks, "Mw==", b"not named").await;
        let mut half = blocks.create(&place(), "NA==", 9).await.expect("begun");
        half.write(b"half").await.expect("written");
        drop(half);
        let named = |ids: &str| format!("<?xml version='1.0' encoding='utf-8'?>\n<BlockList>{ids}</BlockList>");
        let error = blocks.commit(&place(), named("<Latest>NA==</Latest>").as_bytes(), &containers).await;
        assert!(format!("{:?}", error.expect_err("never finished")).contains("InvalidBlockList"));
        assert!(!containers.exists("pictures", "d/a").await.expect("looked"));
        let list = named("<Latest>MQ==</Latest> <Uncommitted>Mg==</Uncommitted>");
        blocks.commit(&place(), list.as_bytes(), &containers).await.expect("made");
        assert_eq!(containers.read("pictures", "d/a").await.expect("read"), "one two");
        blocks.commit(&place(), list.as_bytes(), &containers).await.expect_err("the blocks are gone");
    }

    #[tokio::test]
    async fn blocks_have_their_bounds_and_old_ones_are_swept() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let blocks = Blocks::new(folder.path().to_owned());
        assert!(blocks.create(&place(), "MQ==", MAX_BLOB + 1).await.is_err(), "too large");
        for id in ["", "?", &STANDARD.encode([0; 65])] {
            assert!(blocks.create(&place(), id, 1).await.is_err(), "{id}");
        }
        put(&blocks, "MQ==", b"one").await;
        blocks.sweep(SystemTime::now()).await;
        assert!(blocks.folder(&place()).exists());
        blocks.sweep(SystemTime::now() + KEPT + Duration::from_secs(60)).await;
        assert!(!blocks.folder(&place()).exists());
    }

    #[test]
    fn lists_are_read_or_refused() {
        assert_eq!(block_ids("<BlockList><Latest>YQ==</Latest></BlockList>"), Ok(vec!["YQ=="]));
        assert_eq!(block_ids("<BlockList />"), Ok(vec![]));
        for wrong in [
            "",
            "<BlockList>",
            "<BlockList><Latest>a</Uncommitted></BlockList>",
            "<BlockList><Committed>a</Committed></BlockList>",
            "<BlockList><Latest>a</BlockList>",
            "<BlockList>text</BlockList>",
            "<?xml <BlockList/>",
        ] {
            block_ids(wrong).expect_err(wrong);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_list_is_read_or_refused(text in "(<\\?xml\\?>)?<BlockList>(<Latest>|</Latest>|[a-zA-Z=]|.)*(</BlockList>)?") {
            drop(block_ids(&text));
        }
    }
}
