//! What a camera's clear sky looks like, by where the sun stands.
//!
//! Near the sun and near the horizon a clear sky is as white as a cloud, and a camera's white balance shifts every
//! threshold. A library of the camera's own clear skies says what is to be expected there (M. S. Ghonima and others, *A
//! method for cloud detection and opacity classification based on ground based sky imagery*, Atmos. Meas. Tech. 5, 2012;
//! C. W. Chow and others, *Intra-hour forecasting with a total sky imager*, Solar Energy 85, 2011): here cloud is
//! what is nearer to the colour of an overcast sky than to that of the clear one.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::nowcast::solar::SunPosition;

/// Cells a side of what is remembered of a picture.
pub(super) const SIDE: u32 = 32;
const CELLS: usize = (SIDE * SIDE) as usize;
/// Stands for a cell of which nothing is known.
const UNKNOWN: u8 = u8::MAX;
/// Steps of R/B a unit: 0.01.
const SCALE: f64 = 100.0;
/// Degrees of elevation and of azimuth that share an entry.
const ELEVATION_STEP: f64 = 5.0;
const AZIMUTH_STEP: f64 = 15.0;
/// Entries at most: 18 of elevation by 24 of azimuth. Each is 1 KiB.
pub const MAX_ENTRIES: usize = 18 * 24;
/// Clear pictures from which an entry is believed.
const MIN_PICTURES: u16 = 3;
/// Pictures after which a new one weighs no less: the library follows a lens that ages.
const MEMORY: u16 = 50;
/// A clear sky within this of the overcast one can't be told from it.
const TOO_NEUTRAL: f64 = 0.05;
/// Measured clearness, irradiance over that of a cloudless sky, of a clear and of an overcast sky.
const CLEAR_KT: std::ops::RangeInclusive<f64> = 0.9..=1.1;
const OVERCAST_KT: f64 = 0.3;
/// Share of neighbouring pixels that may differ by more than a jump in R/B in a sky without clouds.
const MAX_JUMPS: f64 = 0.01;
/// A jump.
pub(super) const JUMP: f64 = 0.05;
/// Median R/B below which a sky without jumps is clear, where no clearness is measured.
const BLUE: f64 = 0.8;
/// First words of the file.
const MAGIC: &str = "skydeck clear-sky library";
/// Version of the file.
const VERSION: u32 = 1;
/// Longest file, bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What one picture can teach: the colours of its sky, cell by cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Where the sun stood.
    pub sun: SunPosition,
    /// R/B of each cell in hundredths.
    pub(super) ratios: Vec<u8>,
    /// Share of neighbouring pixels with a jump, 0 to 1.
    pub(super) jumps: f64,
    /// Whether it may be learnt from: by day, well exposed, the sun above 5°.
    pub(super) usable: bool,
}

/// What was learnt from a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// A clear sky.
    Clear,
    /// An overcast sky.
    Overcast,
    /// Nothing: it was neither, or couldn't be told.
    Nothing,
}

/// A camera's clear skies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClearSky {
    entries: BTreeMap<(u8, u8), Entry>,
    overcast: Option<Overcast>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    pictures: u16,
    ratios: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Overcast {
    pictures: u16,
    ratio: f64,
}

/// What a clear sky looks like with the sun where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    ratios: &'a [u8],
    overcast: f64,
}

/// What a pixel is, by the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Clear,
    Cloud,
    /// The clear sky is as white as a cloud there, or was never seen.
    Unknown,
}

impl Observation {
    /// The colours of a picture's cells, `None` where a cell has no sky or is white.
    pub(super) fn new(sun: SunPosition, ratios: &[Option<f64>], jumps: f64, usable: bool) -> Self {
        let step = |ratio: &Option<f64>| ratio.map_or(UNKNOWN, |ratio| (ratio * SCALE).round().clamp(0.0, 254.0) as u8);
        Self { sun, ratios: ratios.iter().map(step).collect(), jumps, usable }
    }

    fn median(&self) -> Option<f64> {
        let mut known: Vec<_> = self.ratios.iter().copied().filter(|ratio| *ratio != UNKNOWN).collect();
        known.sort_unstable();
        known.get(known.len() / 2).map(|ratio| f64::from(*ratio) / SCALE)
    }

    /// What this picture is, with the measured clearness where there is one.
    fn kind(&self, clearness: Option<f64>) -> Learnt {
        let Some(median) = self.median().filter(|_| self.usable && self.jumps <= MAX_JUMPS) else {
            return Learnt::Nothing;
        };
        match clearness {
            Some(kt) if CLEAR_KT.contains(&kt) => Learnt::Clear,
            Some(kt) if kt <= OVERCAST_KT => Learnt::Overcast,
            Some(_) => Learnt::Nothing,
            None if median < BLUE => Learnt::Clear,
            None => Learnt::Nothing,
        }
    }
}

impl ClearSky {
    /// Learns from a picture: from a sky without a jump in its colour that is clear by the measured `clearness`
    /// (irradiance over that of a cloudless sky, 0.9 to 1.1) or, where that isn't known, by being blue. An overcast one
    /// (clearness of at most 0.3) teaches what a cloud looks like to this camera.
    pub fn learn(&mut self, seen: &Observation, clearness: Option<f64>) -> Learnt {
        let kind = seen.kind(clearness);
        match (kind, seen.median()) {
            (Learnt::Clear, _) => {
                let new = || Entry { pictures: 0, ratios: vec![UNKNOWN; CELLS] };
                self.entries.entry(key(seen.sun)).or_insert_with(new).learn(&seen.ratios);
            }
            (Learnt::Overcast, Some(median)) => {
                let known = self.overcast.unwrap_or(Overcast { pictures: 0, ratio: median });
                let pictures = (known.pictures + 1).min(MEMORY);
                let ratio = known.ratio + (median - known.ratio) / f64::from(pictures);
                self.overcast = Some(Overcast { pictures, ratio });
            }
            _ => {}
        }
        kind
    }

    /// Positions of the sun of which a clear sky is known well enough to be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.values().filter(|entry| entry.pictures >= MIN_PICTURES).count()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn expected(&self, sun: SunPosition) -> Option<Expected<'_>> {
        let entry = self.entries.get(&key(sun)).filter(|entry| entry.pictures >= MIN_PICTURES)?;
        let overcast = self.overcast.filter(|overcast| overcast.pictures >= MIN_PICTURES);
        Some(Expected { ratios: &entry.ratios, overcast: overcast.map_or(1.0, |overcast| overcast.ratio) })
    }

    /// The library as a file: a line with its version and the SHA-256 of what follows, then JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let entries = self.entries.iter().map(|((elevation, azimuth), entry)| FileEntry {
            elevation: *elevation,
            azimuth: *azimuth,
            pictures: entry.pictures,
            ratios: BASE64.encode(&entry.ratios),
        });
        let file = File { overcast: self.overcast, entries: entries.collect() };
        // It holds numbers and text only, so it always is JSON; an empty body would be found to be damaged.
        let body = serde_json::to_vec(&file).unwrap_or_default();
        let mut bytes = format!("{MAGIC} {VERSION} {}\n", hex(&body)).into_bytes();
        bytes.extend(body);
        bytes
    }

    /// Reads such a file. Fails where it is damaged, or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LibraryError> {
        if bytes.len() > MAX_BYTES {
            return Err(LibraryError::Damaged(format!(
                "it has {} bytes; at most {MAX_BYTES} can be its own",
                bytes.len()
            )));
        }
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(LibraryError::NotOne)?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| LibraryError::NotOne)?;
        let (version, hash) =
            head.strip_prefix(MAGIC).and_then(|rest| rest.trim().split_once(' ')).ok_or(LibraryError::NotOne)?;
        let version: u32 = version.parse().map_err(|_| LibraryError::NotOne)?;
        if version != VERSION {
            return Err(LibraryError::Version(version));
        }
        let body = &bytes[end + 1..];
        if hex(body) != hash {
            return Err(LibraryError::Damaged("its content isn't what was written".into()));
        }
        let file: File = serde_json::from_slice(body).map_err(|error| LibraryError::Damaged(error.to_string()))?;
        let mut library = Self { entries: BTreeMap::new(), overcast: file.overcast };
        for entry in file.entries {
            let ratios = BASE64.decode(&entry.ratios).ok().filter(|ratios| ratios.len() == CELLS);
            let ratios = ratios.ok_or_else(|| LibraryError::Damaged("an entry isn't 32 × 32 cells".into()))?;
            if entry.elevation >= 18 || entry.azimuth >= 24 {
                return Err(LibraryError::Damaged("an entry's sun isn't in the sky".into()));
            }
            library.entries.insert((entry.elevation, entry.azimuth), Entry { pictures: entry.pictures, ratios });
        }
        Ok(library)
    }
}

/// Why a file isn't a library that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LibraryError {
    /// Something else.
    #[error("it is no clear-sky library")]
    NotOne,
    /// Of another version.
    #[error("it is of version {0}; this one knows version {VERSION}")]
    Version(u32),
    /// Cut off or changed.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl Entry {
    fn learn(&mut self, seen: &[u8]) {
        self.pictures = (self.pictures + 1).min(MEMORY);
        let weight = 1.0 / f64::from(self.pictures);
        for (known, seen) in self.ratios.iter_mut().zip(seen) {
            *known = match (*known, *seen) {
                (UNKNOWN, seen) => seen,
                (known, UNKNOWN) => known,
                (known, seen) => {
                    let moved = f64::from(known) + (f64::from(seen) - f64::from(known)) * weight;
                    moved.round().clamp(0.0, 254.0) as u8
                }
            };
        }
    }
}

impl Expected<'_> {
    /// What a pixel is whose R/B is `ratio`, at a place in shares of width and height.
    pub fn judge(&self, ratio: f64, x: f64, y: f64) -> Verdict {
        match self.clear_at(x, y) {
            Some(clear) if clear < self.overcast - TOO_NEUTRAL => {
                if ratio > f64::midpoint(clear, self.overcast) {
                    Verdict::Cloud
                } else {
                    Verdict::Clear
                }
            }
            _ => Verdict::Unknown,
        }
    }

    /// R/B of the clear sky, between the four cells around the place as far as they are known.
    fn clear_at(&self, x: f64, y: f64) -> Option<f64> {
        let side = f64::from(SIDE);
        let (x, y) = ((x * side - 0.5).clamp(0.0, side - 1.0), (y * side - 0.5).clamp(0.0, side - 1.0));
        let (mut sum, mut weights) = (0.0, 0.0);
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let (column, row) = ((x as usize + dx).min(SIDE as usize - 1), (y as usize + dy).min(SIDE as usize - 1));
            let weight = (1.0 - (x - column as f64).abs()).max(0.0) * (1.0 - (y - row as f64).abs()).max(0.0);
            let ratio = self.ratios[row * SIDE as usize + column];
            if ratio != UNKNOWN {
                (sum, weights) = (sum + weight * f64::from(ratio) / SCALE, weights + weight);
            }
        }
        (weights > 0.0).then(|| sum / weights)
    }
}

fn key(sun: SunPosition) -> (u8, u8) {
    let elevation = (sun.elevation_deg / ELEVATION_STEP).clamp(0.0, 17.0) as u8;
    let azimuth = (sun.azimuth_deg.rem_euclid(360.0) / AZIMUTH_STEP).clamp(0.0, 23.0) as u8;
    (elevation, azimuth)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overcast: Option<Overcast>,
    entries: Vec<FileEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    elevation: u8,
    azimuth: u8,
    pictures: u16,
    ratios: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SUN: SunPosition = SunPosition { elevation_deg: 42.0, azimuth_deg: 181.0 };

    fn seen(ratio: f64) -> Observation {
        Observation::new(SUN, &[Some(ratio); CELLS], 0.0, true)
    }

    fn taught(clear: f64, times: usize) -> ClearSky {
        let mut library = ClearSky::default();
        for _ in 0..times {
            assert_eq!(library.learn(&seen(clear), Some(1.0)), Learnt::Clear);
        }
        library
    }

    #[test]
    fn three_clear_pictures_teach_what_is_nearer_to_a_cloud() {
        assert!(taught(0.9, 2).expected(SUN).is_none());
        let library = taught(0.7, 3);
        let expected = library.expected(SUN).expect("learnt");
        // Half way between 0.7 and 1 is 0.85.
        assert_eq!(expected.judge(0.84, 0.5, 0.5), Verdict::Clear);
        assert_eq!(expected.judge(0.86, 0.5, 0.5), Verdict::Cloud);
        let elsewhere = SunPosition { azimuth_deg: 90.0, ..SUN };
        assert!(library.expected(elsewhere).is_none(), "the sun was never seen there");
        let white = taught(0.97, 3);
        assert_eq!(white.expected(SUN).expect("learnt").judge(0.99, 0.1, 0.1), Verdict::Unknown, "as white as a cloud");
    }

    #[test]
    fn overcast_pictures_teach_the_white_balance() {
        // A camera that is too blue by a fifth: clear 0.5, overcast 0.8.
        let mut library = taught(0.5, 3);
        for _ in 0..3 {
            assert_eq!(library.learn(&seen(0.8), Some(0.2)), Learnt::Overcast);
        }
        let expected = library.expected(SUN).expect("learnt");
        assert_eq!((expected.judge(0.66, 0.5, 0.5), expected.judge(0.64, 0.5, 0.5)), (Verdict::Cloud, Verdict::Clear));
    }

    #[test]
    fn what_is_neither_clear_nor_overcast_teaches_nothing() {
        let mut library = ClearSky::default();
        for (observation, clearness) in [
            (seen(0.5), Some(0.7)),
            (seen(0.5), Some(1.3)),
            (Observation { jumps: 0.02, ..seen(0.5) }, Some(1.0)),
            (Observation { usable: false, ..seen(0.5) }, Some(1.0)),
            (seen(0.9), None),
            (Observation::new(SUN, &[None; CELLS], 0.0, true), Some(1.0)),
        ] {
            assert_eq!(library.learn(&observation, clearness), Learnt::Nothing, "{:?}", observation.jumps);
        }
        assert_eq!(library, ClearSky::default());
        assert_eq!(library.learn(&seen(0.5), None), Learnt::Clear, "blue and even");
    }

    #[test]
    fn a_file_that_is_damaged_or_newer_is_refused() {
        let bytes = taught(0.6, 4).to_bytes();
        assert_eq!(ClearSky::from_bytes(&bytes), Ok(taught(0.6, 4)));
        let mut changed = bytes.clone();
        *changed.last_mut().expect("bytes") ^= 1;
        assert!(matches!(ClearSky::from_bytes(&changed), Err(LibraryError::Damaged(_))));
        assert!(matches!(ClearSky::from_bytes(&bytes[..bytes.len() / 2]), Err(LibraryError::Damaged(_))));
        let newer = String::from_utf8(bytes).expect("text").replacen("library 1", "library 2", 1);
        assert_eq!(ClearSky::from_bytes(newer.as_bytes()), Err(LibraryError::Version(2)));
        assert_eq!(ClearSky::from_bytes(b"GIF89a\n"), Err(LibraryError::NotOne));
        assert_eq!(ClearSky::from_bytes(b""), Err(LibraryError::NotOne));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn it_never_grows_beyond_its_bound(suns in proptest::collection::vec((-20.0..100.0f64, -720.0..720.0f64), 600)) {
            let mut library = ClearSky::default();
            for (elevation_deg, azimuth_deg) in suns {
                library.learn(&Observation { sun: SunPosition { elevation_deg, azimuth_deg }, ..seen(0.5) }, Some(1.0));
            }
            prop_assert!(library.entries.len() <= MAX_ENTRIES);
            prop_assert!(library.to_bytes().len() < MAX_BYTES / 4);
            prop_assert_eq!(ClearSky::from_bytes(&library.to_bytes()), Ok(library));
        }
    }
}
