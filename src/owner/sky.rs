//! Sky analysis as the command line asks for it: rules against a folder of photographs with masks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::edge_agent::sky::exif::Exif;
use crate::edge_agent::sky::{HorizonMask, Limits, SkySetup, decode};
use crate::nowcast::solar;
use crate::settings::{Settings, SkySettings, StationSettings};
use crate::station::text::printable;

pub use crate::edge_agent::sky::Rule;
pub use crate::edge_agent::sky::evaluate::{PictureScore, Score, overall};
use crate::edge_agent::sky::evaluate::{Truth, Viewpoint, score};

/// Folder of masks, beside the photographs.
const MASKS: &str = "masks";
/// What a mask's name ends with beside its photograph.
const SUFFIX: &str = "_mask";

/// What came of a folder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evaluation {
    /// The pictures that were judged, by name.
    pub pictures: Vec<Evaluated>,
    /// Files that couldn't be used, and why.
    pub skipped: Vec<Skipped>,
    /// Other files, which are neither JPEG nor PNG by their names.
    pub passed_over: usize,
}

/// A picture that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The file's name.
    pub file: String,
    /// How the rules did.
    pub score: PictureScore,
    /// What made its figures less than the camera's, in words.
    pub note: Option<String>,
}

/// A file that couldn't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file's name.
    pub file: String,
    /// Why, in words.
    pub reason: String,
}

/// Why a folder can't be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// There is none.
    #[error("{0}: no such folder; name the one with your photographs")]
    NoFolder(PathBuf),
    /// It is a file.
    #[error("{0}: is a file; name the folder that it is in")]
    NotAFolder(PathBuf),
    /// It can't be read.
    #[error("{0}: {1}; check who may read it")]
    Unreadable(PathBuf, std::io::Error),
    /// The camera's own settings can't be used.
    #[error("{0}")]
    Camera(String),
}

/// The station's camera, for pictures that are its own.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnCamera {
    setup: SkySetup,
    zone: TimeZone,
}

impl OwnCamera {
    /// From its settings; reads the horizon's mask. Fails where that can't be used.
    pub fn of(station: &StationSettings, sky: &SkySettings) -> Result<Self, EvaluateError> {
        let horizon = sky.horizon_mask.as_deref().map(|path| {
            let bytes = read(path)?;
            HorizonMask::from_png(&bytes).map_err(|error| error.to_string())
        });
        let wrong = |words: String| match &sky.horizon_mask {
            Some(path) => EvaluateError::Camera(format!("sky.horizon_mask {}: {words}", path.display())),
            None => EvaluateError::Camera(words),
        };
        let setup = SkySetup::new(station, sky, horizon.transpose().map_err(wrong)?).map_err(EvaluateError::Camera)?;
        Ok(Self { setup, zone: TimeZone::get(&station.time_zone).unwrap_or(TimeZone::UTC) })
    }

    /// As [`OwnCamera::of`], with what is wrong in words.
    pub(super) fn of_settings(settings: &Settings) -> Result<Self, String> {
        Self::of(&settings.station, &settings.sky).map_err(|error| error.to_string())
    }

    /// How it sees the sky.
    #[must_use]
    pub fn into_setup(self) -> SkySetup {
        self.setup
    }

    fn view(&self, exif: &Exif) -> (Viewpoint, Option<String>) {
        let sun = self.time(exif).map(|at| solar::position(at, self.setup.latitude_deg, self.setup.longitude_deg));
        let words = "its EXIF has no time, so the sun's glare wasn't left out";
        let note = (sun.is_none() && self.setup.lens.is_some()).then(|| words.to_owned());
        (Viewpoint { lens: self.setup.lens, horizon: self.setup.horizon.clone(), sun }, note)
    }

    /// When a picture was taken: by its own offset from UTC, else in the station's zone.
    pub(super) fn time(&self, exif: &Exif) -> Option<Timestamp> {
        let taken = exif.taken?;
        let zone = exif.offset.map_or_else(|| self.zone.clone(), TimeZone::fixed);
        taken.to_zoned(zone).ok().map(|zoned| zoned.timestamp())
    }
}

/// Judges every photograph of a folder that has a mask: `NAME.jpg` or `.png` with `NAME_mask.png` beside it or
/// `masks/NAME.png`. With a camera, what it leaves out is left out. Reads and judges for as long as that takes, one
/// picture at a time.
pub fn evaluate(folder: &Path, camera: Option<&OwnCamera>) -> Result<Evaluation, EvaluateError> {
    let unreadable = |error: std::io::Error| match error.kind() {
        _ if folder.is_file() => EvaluateError::NotAFolder(folder.to_owned()),
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => EvaluateError::NoFolder(folder.to_owned()),
        _ => EvaluateError::Unreadable(folder.to_owned(), error),
    };
    let (mut photographs, mut masks) = (BTreeMap::new(), BTreeMap::new());
    let mut passed_over = 0;
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if !path.is_file() {
            continue;
        }
        let extension = path.extension().map(|text| text.to_string_lossy().to_ascii_lowercase());
        let picture = extension.filter(|extension| matches!(extension.as_str(), "jpg" | "jpeg" | "png"));
        let (Some(stem), Some(extension)) = (path.file_stem().and_then(|s| s.to_str()), picture) else {
            passed_over += 1;
            continue;
        };
        match stem.strip_suffix(SUFFIX) {
            Some(of) => masks.insert(of.to_owned(), path),
            None => photographs.insert((stem.to_owned(), extension), path),
        };
    }
    let mut evaluation = Evaluation { passed_over, ..Evaluation::default() };
    for ((stem, _), path) in &photographs {
        let mask = masks.remove(stem).unwrap_or_else(|| folder.join(MASKS).join(format!("{stem}.png")));
        let file = name_of(path);
        match judge(path, &mask, stem, camera) {
            Ok((score, note)) => evaluation.pictures.push(Evaluated { file, score, note }),
            Err(reason) => evaluation.skipped.push(Skipped { file, reason: printable(&reason) }),
        }
    }
    for mask in masks.into_values() {
        let reason = "it is a mask, and there is no photograph of its name".to_owned();
        evaluation.skipped.push(Skipped { file: name_of(&mask), reason });
    }
    Ok(evaluation)
}

fn judge(
    photograph: &Path,
    mask: &Path,
    stem: &str,
    camera: Option<&OwnCamera>,
) -> Result<(PictureScore, Option<String>), String> {
    if !mask.is_file() {
        return Err(format!("it has no mask: {stem}{SUFFIX}.png beside it, or {MASKS}/{stem}.png"));
    }
    let decoded = decode(&read(photograph)?, &Limits::default()).map_err(|error| error.to_string())?;
    let truth = read(mask).and_then(|bytes| Truth::from_png(&bytes).map_err(|error| error.to_string()));
    let truth = truth.map_err(|words| format!("its mask {}: {words}", name_of(mask)))?;
    let (view, note) = camera.map_or_else(Default::default, |camera| camera.view(&decoded.exif));
    Ok((score(&decoded.picture, &truth, &view)?, note))
}

/// The file's bytes, if they aren't more than a picture has.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let max = Limits::default().max_bytes as u64;
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > max {
        return Err(format!("it has {length} bytes; a picture has at most {max}"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

fn name_of(path: &Path) -> String {
    printable(&path.file_name().unwrap_or_default().to_string_lossy())
}
