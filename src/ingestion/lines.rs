//! The lines of a blob that passes by in pieces: of one of 100 MiB no more is held than a line.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

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

/// Where a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line's number, from 1.
    pub number: u64,
    /// Bytes before it.
    pub offset: u64,
}

impl Place {
    /// Of the first line.
    pub const FIRST: Self = Self { number: 1, offset: 0 };
}

/// Where lines begin in the blob that was read last, so that a page far into it is read from there.
#[derive(Debug, Default)]
pub struct Places(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    blob: String,
    version: String,
    offsets: BTreeMap<u64, u64>,
}

impl Places {
    /// The last known place at or before line `from` of `blob`, and the version of the blob it holds for.
    pub fn before(&self, blob: &str, from: u64) -> Option<(Place, String)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (&number, &offset) = known.offsets.range(..=from).next_back()?;
        (known.blob == blob).then(|| (Place { number, offset }, known.version.clone()))
    }

    /// Learns a place; those of another blob, or of another version of this one, are forgotten.
    pub fn learn(&self, blob: &str, version: &str, place: Place) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.blob != blob || known.version != version {
            *known = Known { blob: blob.to_owned(), version: version.to_owned(), offsets: BTreeMap::new() };
        }
        known.offsets.insert(place.number, place.offset);
    }
}

/// Has every line looked at, with its place, until `look` answers `false`. `start` is where `pieces` begin.
pub async fn scan<E>(
    mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
    start: Place,
    mut look: impl FnMut(Place, &str) -> bool,
) -> Result<(), E> {
    let (mut place, mut line, mut passed) = (start, Vec::new(), start.offset);
    while let Some(piece) = pieces.next().await {
        for part in piece?.split_inclusive(|byte| *byte == b'\n') {
            let room = MOST_LINE.saturating_sub(line.len()).min(part.len());
            line.extend_from_slice(part.get(..room).unwrap_or_default());
            passed += part.len() as u64;
            if part.ends_with(b"\n") {
                if !look(place, String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n'])) {
                    return Ok(());
                }
                place = Place { number: place.number + 1, offset: passed };
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        look(place, &String::from_utf8_lossy(&line));
    }
    Ok(())
}

/// The lines from number `from` on, at most `count`, and where the last of them begins.
pub async fn lines<E>(
    pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
    start: Place,
    from: u64,
    count: usize,
) -> Result<(Vec<BlobLine>, Option<Place>), E> {
    let (mut found, mut last) = (Vec::new(), None);
    scan(pieces, start, |place, text| {
        if place.number >= from && found.len() < count {
            found.push(BlobLine { number: place.number, text: text.to_owned() });
            last = Some(place);
        }
        found.len() < count
    })
    .await?;
    Ok((found, last))
}
