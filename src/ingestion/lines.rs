//! The lines of a blob that passes by in pieces: of one of 100 MiB no more is held than a line.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

/// Bytes of a line that are kept.
pub const MOST_LINE: usize = 64 * 1024;

/// A line of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobLine {
    /// Its number, from 1.
    pub number: u64,
    /// Its text, at most 64 KiB of it.
    pub text: String,
}

/// Has every line looked at, with its number from 1 on, until `look` answers `false`.
pub async fn scan<E>(
    mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
    mut look: impl FnMut(u64, &str) -> bool,
) -> Result<(), E> {
    let (mut number, mut line) = (1, Vec::new());
    while let Some(piece) = pieces.next().await {
        for part in piece?.split_inclusive(|byte| *byte == b'\n') {
            let room = MOST_LINE.saturating_sub(line.len()).min(part.len());
            line.extend_from_slice(part.get(..room).unwrap_or_default());
            if part.ends_with(b"\n") {
                if !look(number, String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n'])) {
                    return Ok(());
                }
                number += 1;
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        look(number, &String::from_utf8_lossy(&line));
    }
    Ok(())
}

/// The lines from number `from` on, at most `count`.
pub async fn lines<E>(
    pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
    from: u64,
    count: usize,
) -> Result<Vec<BlobLine>, E> {
    let mut found = Vec::new();
    scan(pieces, |number, text| {
        if number >= from && found.len() < count {
            found.push(BlobLine { number, text: text.to_owned() });
        }
        found.len() < count
    })
    .await?;
    Ok(found)
}
