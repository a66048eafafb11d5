//! Rules against masks that somebody drew: accuracy, F1 and the error of the cloud fraction.

use std::collections::BTreeMap;

use serde::Serialize;

use super::analyse::Scene;
use super::decode::PictureError;
use super::lens::Lens;
use super::mask::{Cell, CloudMask, GRID_PX, GreyMask, HorizonMask, Region};
use super::picture::RgbPicture;
use super::rules::Rule;
use crate::nowcast::solar::SunPosition;

/// What is cloud on a photograph, drawn by somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth(GreyMask);

/// What is left out, as the agent leaves it out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Viewpoint {
    /// The lens.
    pub lens: Option<Lens>,
    /// Which part is sky.
    pub horizon: Option<HorizonMask>,
    /// Where the sun stood; its glare is left out where it shines and the lens is known.
    pub sun: Option<SunPosition>,
}

/// Pixels by what they are and what a rule takes them for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Cloud, taken for cloud.
    pub hits: u64,
    /// Clear, taken for cloud.
    pub false_alarms: u64,
    /// Cloud, taken for clear.
    pub misses: u64,
    /// Clear, taken for clear.
    pub correct_negatives: u64,
}

/// How a rule does on one picture, or on all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// Share of the pixels that are taken for what they are, 0 to 1.
    pub accuracy: f64,
    /// 2 hits / (2 hits + false alarms + misses), cloud being what is looked for; absent without cloud on either side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Mean error of the cloud fraction without its sign, 0 to 1.
    pub cover_error: f64,
    /// Mean error of the cloud fraction, −1 to 1; positive where the rule sees too much cloud.
    pub cover_bias: f64,
}

/// A picture's scores.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureScore {
    /// The cover that the mask has, 0 to 1, of what was judged.
    pub cover: f64,
    /// Cover and counts by rule.
    pub rules: BTreeMap<Rule, (f64, Counts)>,
}

impl Truth {
    /// Reads a PNG: white (192 to 255) is cloud, black (0 to 63) clear; grey between them and what is transparent isn't
    /// judged. Fails as a picture does.
    pub fn from_png(bytes: &[u8]) -> Result<Self, PictureError> {
        GreyMask::from_png(bytes).map(Self)
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.false_alarms += other.false_alarms;
        self.misses += other.misses;
        self.correct_negatives += other.correct_negatives;
    }

    fn accuracy(&self) -> f64 {
        let all = self.hits + self.false_alarms + self.misses + self.correct_negatives;
        (self.hits + self.correct_negatives) as f64 / all.max(1) as f64
    }

    fn f1(&self) -> Option<f64> {
        let either = 2 * self.hits + self.false_alarms + self.misses;
        (either > 0).then(|| 2.0 * self.hits as f64 / either as f64)
    }
}

impl PictureScore {
    /// A rule's score on this picture.
    #[must_use]
    pub fn score(&self, rule: Rule) -> Option<Score> {
        overall(rule, std::iter::once(self))
    }
}

/// A rule's score over pictures: accuracy and F1 over all their pixels, errors of cover as means over the pictures. `None`
/// without a picture.
pub fn overall<'a>(rule: Rule, pictures: impl Iterator<Item = &'a PictureScore>) -> Option<Score> {
    let (mut counts, mut errors) = (Counts::default(), Vec::new());
    for picture in pictures {
        let (cover, own) = picture.rules.get(&rule)?;
        counts.add(*own);
        errors.push(cover - picture.cover);
    }
    let count = errors.len() as f64;
    (!errors.is_empty()).then(|| Score {
        accuracy: counts.accuracy(),
        f1: counts.f1(),
        cover_error: errors.iter().map(|error| error.abs()).sum::<f64>() / count,
        cover_bias: errors.iter().sum::<f64>() / count,
    })
}

/// Every rule on one picture, at the analysis's resolution. Fails in words where the mask, or the horizon's, has another
/// shape, or nothing is left to judge.
pub fn score(picture: &RgbPicture, truth: &Truth, view: &Viewpoint) -> Result<PictureScore, String> {
    let (width, height) = picture.full_size();
    if !truth.0.fits(width, height) {
        let (across, down) = truth.0.full;
        return Err(format!("its mask has {across} × {down} pixels and the picture {width} × {height}, another shape"));
    }
    if let Some(words) = view.horizon.as_ref().and_then(|horizon| horizon.mismatch(width, height)) {
        return Err(format!("the horizon mask doesn't fit: {words}"));
    }
    let grid = picture.shrunk(GRID_PX);
    let size = (grid.width(), grid.height());
    let below = SunPosition { elevation_deg: -90.0, azimuth_deg: 0.0 };
    let sun = view.sun.unwrap_or(below);
    let region = Region::of(size, (width, height), view.lens.as_ref(), view.horizon.as_ref(), sun);
    let scene = Scene::new(&grid, &region, sun);
    let places = || (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y)));
    let cells: Vec<_> = places().map(|(x, y)| truth.0.cell(x, y, size.0, size.1)).collect();
    let by_rule = |rule| {
        let mask: CloudMask = scene.by_rule(rule);
        let mut counts = Counts::default();
        let (mut white, mut known) = (0u64, 0u64);
        for (cell, truth) in mask.cells.iter().zip(&cells) {
            // A cell that is mostly undecided isn't judged.
            if 2 * (truth.white + truth.black) <= truth.all || !matches!(cell, Cell::Clear | Cell::Cloud) {
                continue;
            }
            (white, known) = (white + u64::from(truth.white), known + u64::from(truth.white + truth.black));
            match (truth.white > truth.black, *cell == Cell::Cloud) {
                (true, true) => counts.hits += 1,
                (false, true) => counts.false_alarms += 1,
                (true, false) => counts.misses += 1,
                (false, false) => counts.correct_negatives += 1,
            }
        }
        let judged = counts.hits + counts.false_alarms + counts.misses + counts.correct_negatives;
        let seen = (counts.hits + counts.false_alarms) as f64 / judged.max(1) as f64;
        (judged > 0).then(|| (white as f64 / known.max(1) as f64, seen, counts))
    };
    let mut score = PictureScore { cover: 0.0, rules: BTreeMap::new() };
    for rule in Rule::ALL {
        let nothing = || "nothing is left to judge: its mask is grey or transparent where the sky is".to_owned();
        let (cover, seen, counts) = by_rule(rule).ok_or_else(nothing)?;
        score.cover = cover;
        score.rules.insert(rule, (seen, counts));
    }
    Ok(score)
}

#[cfg(test)]
mod tests {
    use super::super::encode;
    use super::*;

    const SKY: [u8; 3] = [90, 130, 190];
    const CLOUD: [u8; 3] = [205, 208, 212];

    /// A picture whose left `cloudy` of 8 columns are cloud, and a mask whose left `masked` are.
    fn pair(cloudy: u32, masked: u32) -> (RgbPicture, Truth) {
        let picture = RgbPicture::drawn(8, 4, |x, _| if x < cloudy { CLOUD } else { SKY });
        let mask = RgbPicture::drawn(8, 4, |x, _| if x < masked { [255; 3] } else { [0; 3] });
        (picture, Truth::from_png(&encode::png(&mask).expect("encoded")).expect("a mask"))
    }

    #[test]
    fn scores_are_what_the_counts_say() {
        // 5 columns are seen as cloud where 3 are: 3 hits, 2 false alarms, 3 correct, of 8.
        let (picture, truth) = pair(5, 3);
        let scored = score(&picture, &truth, &Viewpoint::default()).expect("scored");
        let score = scored.score(Rule::RedBlue).expect("a score");
        assert!((score.accuracy - 6.0 / 8.0).abs() < 1e-12, "{score:?}");
        assert!((score.f1.expect("cloud") - 2.0 * 3.0 / (2.0 * 3.0 + 2.0)).abs() < 1e-12);
        assert!((score.cover_error - 2.0 / 8.0).abs() < 1e-12 && (score.cover_bias - 2.0 / 8.0).abs() < 1e-12);
        // With one that sees too little, the bias cancels and the error doesn't.
        let (picture, truth) = pair(2, 4);
        let other = super::score(&picture, &truth, &Viewpoint::default()).expect("scored");
        let both = overall(Rule::RedBlue, [&scored, &other].into_iter()).expect("a score");
        assert!((both.cover_error - 0.25).abs() < 1e-12 && both.cover_bias.abs() < 1e-12, "{both:?}");
        assert!((both.accuracy - 12.0 / 16.0).abs() < 1e-12);
        assert_eq!(overall(Rule::Hyta, std::iter::empty()), None);
    }

    #[test]
    fn no_cloud_anywhere_has_no_f1() {
        let (picture, truth) = pair(0, 0);
        let scored = score(&picture, &truth, &Viewpoint::default()).expect("scored");
        let score = scored.score(Rule::Nrbr).expect("a score");
        assert_eq!((score.accuracy, score.f1, score.cover_error), (1.0, None, 0.0));
    }

    #[test]
    fn grey_is_not_judged_and_masks_of_another_shape_are_refused() {
        let (picture, _) = pair(4, 4);
        let mask = |width, height, grey: u8| {
            let mask = RgbPicture::drawn(width, height, |x, _| if 2 * x < width { [grey; 3] } else { [0; 3] });
            Truth::from_png(&encode::png(&mask).expect("encoded")).expect("a mask")
        };
        // The cloudy half is left out: the clear half is right.
        let scored = score(&picture, &mask(8, 4, 128), &Viewpoint::default()).expect("scored");
        assert_eq!((scored.cover, scored.score(Rule::RedBlue).expect("a score").accuracy), (0.0, 1.0));
        let twice = score(&picture, &mask(16, 8, 255), &Viewpoint::default()).expect("another size of the same shape");
        assert_eq!(twice.score(Rule::RedBlue).expect("a score").accuracy, 1.0);
        let words = score(&picture, &mask(8, 8, 255), &Viewpoint::default()).expect_err("refused");
        assert_eq!(words, "its mask has 8 × 8 pixels and the picture 8 × 4, another shape");
        let grey = Truth::from_png(&encode::png(&RgbPicture::drawn(8, 4, |_, _| [128; 3])).expect("encoded"));
        assert!(
            score(&picture, &grey.expect("a mask"), &Viewpoint::default())
                .expect_err("refused")
                .contains("nothing is left")
        );
        assert_eq!(Truth::from_png(&[0xff, 0xd8, 0xff, 0xe0]), Err(PictureError::NoMask));
    }
}
