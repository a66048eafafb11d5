//! From a file to a picture that is known: decoded within limits, its time and place written, analysed, made small.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::MAX_BYTES;
use super::exif::stamped;
use crate::edge_agent::clear_skies::ClearSkies;
use crate::edge_agent::sky::{ClearSky, Format, Learnt, Limits, Previous, SkySetup, analyse, decode, encode};
use crate::station::{SkyFeatures, StationMetadata};

/// Pixels of a thumbnail's longer side, and its quality.
const THUMBNAIL_PX: u32 = 160;
const THUMBNAIL_QUALITY: u8 = 75;
/// How often the library of clear skies is written at most: a card's life is worth more than an hour's learning.
const SAVE_EVERY: std::time::Duration = std::time::Duration::from_secs(3600);

/// What is known of a picture before it is looked at.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// When it was taken; `None` while the clock isn't set: then nothing can be said of the sun, and it isn't analysed.
    pub taken_at: Option<Timestamp>,
    /// The measured light over that of a clear sky.
    pub clearness: Option<f64>,
    /// Whether it was drawn: it is marked as such, and nothing is learnt from it.
    pub rendered: bool,
}

/// A picture that is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub format: Format,
    /// Of the upright picture, pixels.
    pub width_px: u32,
    pub height_px: u32,
    pub bytes: u64,
    /// A small JPEG.
    pub thumbnail: Vec<u8>,
    pub analysis: Option<SkyFeatures>,
}

/// What looks at pictures, with what it remembers of those before: some 65 KiB, and at most 432 KiB of clear skies.
#[derive(Debug)]
pub(super) struct Judge {
    pub setup: SkySetup,
    station: StationMetadata,
    skies: ClearSkies,
    library: ClearSky,
    previous: Option<Previous>,
    saved: std::time::Instant,
}

impl Judge {
    /// Reads the camera's library of clear skies from `folder`. One that can't be used is told, and begun anew.
    pub fn open(folder: &Path, setup: SkySetup, station: StationMetadata) -> Self {
        let skies = ClearSkies::new(folder);
        let library = match skies.load() {
            Ok(found) => {
                if let Some(words) = found.set_aside {
                    tracing::warn!(target: "agent", "{words}");
                }
                found.library
            }
            Err(error) => {
                tracing::warn!(target: "agent", "the library of clear skies can't be read, and is learnt anew: {error}");
                ClearSky::default()
            }
        };
        Self { setup, station, skies, library, previous: None, saved: std::time::Instant::now() }
    }

    /// Looks at the file; what its EXIF lacks is written into it. Fails in words that name what is wrong with it. Takes as
    /// long as decoding does: for a thread that may block.
    pub fn judge(&mut self, draft: &Path, facts: &Facts) -> Result<Judged, String> {
        let metadata = std::fs::metadata(draft).map_err(|_| "no picture was written")?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            return Err(format!("the picture has {} bytes; it may have {MAX_BYTES}", metadata.len()));
        }
        let read = |error: std::io::Error| format!("the picture can't be read: {error}; check the disk");
        let mut bytes = std::fs::read(draft).map_err(read)?;
        let decoded =
            decode(&bytes, &Limits::default()).map_err(|error| format!("the picture can't be used: {error}"))?;
        if let Some(stamped) = stamped(&bytes, decoded.format, facts.taken_at, &self.station) {
            let written = |error: std::io::Error| format!("the picture can't be written: {error}; check the disk");
            std::fs::write(draft, &stamped).map_err(written)?;
            bytes = stamped;
        }
        let length = bytes.len() as u64;
        drop(bytes);
        let thumbnail = encode::jpeg(&decoded.picture.shrunk(THUMBNAIL_PX), THUMBNAIL_QUALITY, None);
        let analysis = facts.taken_at.map(|at| self.analyse(&decoded.picture, at, facts));
        let (width_px, height_px) = decoded.picture.full_size();
        Ok(Judged {
            format: decoded.format,
            width_px,
            height_px,
            bytes: length,
            thumbnail: thumbnail.map_err(|error| error.to_string())?,
            analysis,
        })
    }

    fn analyse(&mut self, picture: &crate::edge_agent::sky::RgbPicture, at: Timestamp, facts: &Facts) -> SkyFeatures {
        let library = (!facts.rendered).then_some(&self.library);
        let seen = analyse(picture, &self.setup, at, self.previous.as_ref(), library);
        self.previous = Some(seen.next);
        let mut features = seen.features;
        if facts.rendered {
            // Its clouds drift as they were drawn, which nobody measured.
            features = SkyFeatures {
                rendered: true,
                motion_direction_deg: None,
                motion_picture_deg: None,
                motion_deg_per_min: None,
                motion_px_per_s: None,
                motion_confidence: None,
                ..features
            };
        } else if self.library.learn(&seen.seen, facts.clearness) != Learnt::Nothing
            && self.saved.elapsed() >= SAVE_EVERY
        {
            self.saved = std::time::Instant::now();
            if let Err(error) = self.skies.save(&self.library) {
                tracing::warn!(target: "agent", "the library of clear skies can't be written: {error}; check the disk");
            }
        }
        features
    }
}

/// The camera's setup from its settings, its horizon mask read. Fails in words that name the setting.
pub(in crate::edge_agent) fn setup(
    station: &crate::settings::StationSettings,
    sky: &crate::settings::SkySettings,
) -> Result<SkySetup, String> {
    let horizon = sky.horizon_mask.as_ref().map(|path: &PathBuf| {
        let wrong = |words: String| format!("sky.horizon_mask {}: {words}", path.display());
        let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(wrong(format!("it has {size} bytes; a mask has at most {MAX_BYTES}")));
        }
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        crate::edge_agent::sky::HorizonMask::from_png(&bytes).map_err(|error| wrong(error.to_string()))
    });
    SkySetup::new(station, sky, horizon.transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge_agent::camera::drawn;
    use crate::edge_agent::sky::{Lens, RgbPicture};
    use crate::settings::{SkySettings, StationSettings};
    use crate::station::SkyWarning;

    fn facts() -> Facts {
        Facts { taken_at: Some("2026-06-01T11:00:00Z".parse().expect("a time")), clearness: None, rendered: false }
    }

    fn judge(folder: &Path) -> Judge {
        let station = StationSettings::default();
        let setup = setup(&station, &SkySettings::default()).expect("a setup");
        Judge::open(folder, setup, station.metadata())
    }

    fn judged(judge: &mut Judge, folder: &Path, bytes: &[u8]) -> Result<Judged, String> {
        let draft = folder.join("draft");
        std::fs::write(&draft, bytes).expect("written");
        judge.judge(&draft, &facts())
    }

    fn grey(value: u8) -> Vec<u8> {
        encode::jpeg(&RgbPicture::new(64, 48, vec![value; 64 * 48 * 3]).expect("fits"), 90, None).expect("encodes")
    }

    #[test]
    fn what_is_no_picture_is_refused_in_words_that_name_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut judge = judge(folder.path());
        let whole = grey(90);
        // Its frame header says 20000 × 10000: height and width stand five bytes behind the marker.
        let mut huge = whole.clone();
        let frame = huge.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
        huge[frame + 5..frame + 9].copy_from_slice(&[0x27, 0x10, 0x4e, 0x20]);
        for (bytes, wanted) in [
            (&whole[..whole.len() - 40], "cut off"),
            (&huge[..], "20000 × 10000 pixels"),
            (b"BM no picture", "neither a JPEG nor a PNG"),
            (b"", "it is empty"),
        ] {
            let words = judged(&mut judge, folder.path(), bytes).expect_err(wanted);
            assert!(words.contains(wanted), "{words}");
        }
        let words = judge.judge(&folder.path().join("none"), &facts()).expect_err("no file");
        assert_eq!(words, "no picture was written");
        judged(&mut judge, folder.path(), &whole).expect("the next goes on");
    }

    #[test]
    fn black_and_white_are_flagged_and_go_on() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut judge = judge(folder.path());
        for (value, warning) in [(0, SkyWarning::Dark), (255, SkyWarning::OverExposed)] {
            let seen = judged(&mut judge, folder.path(), &grey(value)).expect("taken").analysis.expect("analysed");
            assert!(seen.warnings.contains(&warning) && seen.cloud_cover_pct.is_none(), "{seen:?}");
        }
    }

    #[test]
    fn a_picture_is_known_by_its_content_and_carries_time_place_and_a_thumbnail() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut judge = judge(folder.path());
        let pixels = (0..320u32 * 240).flat_map(|at| [(at % 320) as u8, 90, 200]).collect();
        let png = encode::png(&RgbPicture::new(320, 240, pixels).expect("fits")).expect("encodes");
        let seen = judged(&mut judge, folder.path(), &png).expect("taken");
        assert_eq!((seen.format, seen.width_px, seen.height_px), (Format::Png, 320, 240));
        let kept = std::fs::read(folder.path().join("draft")).expect("read");
        assert_eq!(seen.bytes, kept.len() as u64);
        let exif = decode(&kept, &Limits::default()).expect("decodes").exif;
        assert_eq!(exif.taken, Some("2026-06-01T11:00:00".parse().expect("a time")));
        let small = decode(&seen.thumbnail, &Limits::default()).expect("decodes").picture;
        assert_eq!((small.width(), small.height()), (160, 120));
        let unset = judge.judge(&folder.path().join("draft"), &Facts { taken_at: None, ..facts() }).expect("taken");
        assert_eq!(unset.analysis, None, "without a time the sun has no place");
    }

    #[test]
    fn a_drawn_sky_says_so_and_its_cover_is_that_of_the_light() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let station = StationSettings::default();
        let mut setup = setup(&station, &SkySettings::default()).expect("a setup");
        setup.lens = Some(Lens::DRAWN);
        let mut judge = Judge::open(folder.path(), setup, station.metadata());
        let draft = folder.path().join("draft");
        let facts = Facts { rendered: true, ..facts() };
        let at = facts.taken_at.expect("known");
        drawn::draw(&draft, at, 0.8, Lens::DRAWN, &station.metadata()).expect("drawn");
        let seen = judge.judge(&draft, &facts).expect("taken");
        let features = seen.analysis.expect("analysed");
        assert!(features.rendered && (seen.width_px, seen.height_px) == (640, 480));
        // Kasten and Czeplak: ((1 − 0.8)/0.75)^(1/3.4) = 0.678.
        let cover = features.cloud_cover_pct.expect("by day");
        assert!((cover - 67.8).abs() < 12.0, "{cover}");
    }
}
