//! The newest picture, as small as somebody at the device's terminal needs it.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::edge_agent::sky::{Limits, decode};

/// Bounds of the longer side that is asked for, pixels.
const SIDES: std::ops::RangeInclusive<u32> = 8..=320;

/// A small picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewPicture {
    /// When it was taken.
    pub taken_at: Timestamp,
    /// Its width, pixels.
    pub width: u32,
    /// Its height, pixels.
    pub height: u32,
    /// Its pixels, by rows, three bytes each, base64.
    pub rgb: String,
}

impl PreviewPicture {
    /// The pixels, by rows; `None` where they aren't `width` × `height` of them.
    #[must_use]
    pub fn pixels(&self) -> Option<Vec<[u8; 3]>> {
        let bytes = STANDARD.decode(&self.rgb).ok()?;
        let (pixels, rest) = bytes.as_chunks::<3>();
        let count = u64::from(self.width) * u64::from(self.height);
        (rest.is_empty() && pixels.len() as u64 == count).then(|| pixels.to_vec())
    }
}

/// The newest picture's thumbnail, kept in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct NewestPicture(Arc<Mutex<Option<Thumbnail>>>);

/// When it was taken, and its JPEG.
type Thumbnail = (Timestamp, Arc<[u8]>);

impl NewestPicture {
    pub(in crate::edge_agent) fn put(&self, taken_at: Timestamp, thumbnail: Arc<[u8]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((taken_at, thumbnail));
    }

    /// The picture with a longer side of at most `max_px`, 8 to 320; `None` before the first since the start.
    #[must_use]
    pub fn shrunk(&self, max_px: u32) -> Option<PreviewPicture> {
        let (taken_at, jpeg) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        // It is the agent's own encoding.
        let picture =
            decode(&jpeg, &Limits::default()).ok()?.picture.shrunk(max_px.clamp(*SIDES.start(), *SIDES.end()));
        let (width, height) = (picture.width(), picture.height());
        Some(PreviewPicture { taken_at, width, height, rgb: STANDARD.encode(picture.bytes()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge_agent::sky::{RgbPicture, encode};

    #[test]
    fn the_newest_is_shown_small_with_its_time() {
        let newest = NewestPicture::default();
        assert_eq!(newest.shrunk(64), None);
        let pixels = [200, 40, 40].repeat(160 * 120);
        let picture = RgbPicture::new(160, 120, pixels).expect("as many as it says");
        let jpeg = encode::jpeg(&picture, 90, None).expect("encodes");
        newest.put(Timestamp::UNIX_EPOCH, jpeg.into());
        let shown = newest.shrunk(40).expect("one");
        assert_eq!((shown.width, shown.height, shown.taken_at), (40, 30, Timestamp::UNIX_EPOCH));
        let pixels = shown.pixels().expect("whole");
        assert_eq!(pixels.len(), 1200);
        assert!(pixels.iter().all(|[r, g, b]| r.abs_diff(200) < 6 && g.abs_diff(40) < 6 && b.abs_diff(40) < 6));
        let cut = PreviewPicture { height: 31, ..shown };
        assert_eq!(cut.pixels(), None);
    }
}
