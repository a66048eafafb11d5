//! A large blob in blocks, so that one that was cut off goes on where it stopped.
//!
//! Storage keeps blocks without a blob for a week (Put Block, Put Block List). How many are there is kept beside the picture,
//! and holds over restarts too.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

/// Bytes of a block: what a cut costs at most.
pub(super) const BLOCK: u64 = 256 * 1024;

/// How much of a blob is in the storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Host, container and blob.
    place: String,
    /// Blocks that are there, from the first.
    pub blocks: u64,
}

impl Progress {
    /// What is kept in `file` of the blob at `place`; nothing, where that is of another one or can't be read.
    pub fn read(file: &Path, place: &str) -> Self {
        let kept = std::fs::read(file).ok().and_then(|json| serde_json::from_slice::<Self>(&json).ok());
        kept.filter(|kept| kept.place == place).unwrap_or_else(|| Self { place: place.to_owned(), blocks: 0 })
    }

    /// Keeps it. What can't be kept is uploaded again after a cut, which is no fault.
    pub fn write(&self, file: &Path) {
        drop(std::fs::write(file, serde_json::to_vec(self).unwrap_or_default()));
    }
}

/// How many blocks `bytes` make.
pub(super) const fn count(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK)
}

/// A block's id, base64; all have the same length, as storage wants it. The block's size is part of it.
pub(super) fn id(index: u64) -> String {
    BASE64.encode(format!("{BLOCK:09}-{index:06}"))
}

/// The list that makes the blob of its blocks.
pub(super) fn list(count: u64) -> String {
    let ids: String = (0..count).map(|index| format!("<Uncommitted>{}</Uncommitted>", id(index))).collect();
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{ids}</BlockList>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_known_again_for_its_own_place() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("a.sent");
        assert_eq!(Progress::read(&file, "h/c/a").blocks, 0);
        let progress = Progress { blocks: 3, ..Progress::read(&file, "h/c/a") };
        progress.write(&file);
        assert_eq!(Progress::read(&file, "h/c/a"), progress);
        assert_eq!(Progress::read(&file, "h/c/b").blocks, 0, "another blob's");
        std::fs::write(&file, "{").expect("written");
        assert_eq!(Progress::read(&file, "h/c/a").blocks, 0);
    }

    #[test]
    fn ids_are_of_one_length_and_listed_in_order() {
        assert_eq!((count(1), count(BLOCK), count(BLOCK + 1)), (1, 1, 2));
        assert_eq!(id(7), BASE64.encode("000262144-000007"));
        assert_eq!(id(0).len(), id(999_999).len());
        let list = list(2);
        assert!(list.find(&id(0)) < list.find(&id(1)) && list.ends_with("</BlockList>"), "{list}");
    }
}
