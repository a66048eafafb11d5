//! A picture's features: the one way through all the parts.

use jiff::Timestamp;

use super::checks::{self, Glance, is_white, luma};
use super::lens::{Direction, Lens, angle_deg, direction};
use super::library::{self, ClearSky, Expected, Observation, Verdict};
use super::mask::{Cell, CloudMask, GRID_PX, Region};
use super::motion::{self, Pattern, Shift};
use super::picture::{RgbPicture, span};
use super::rules::{Judge, Rule, red_blue};
use super::setup::SkySetup;
use crate::nowcast::solar::{self, SunPosition};
use crate::station::{SkyClass, SkyFeatures, SkyWarning};

/// The sun's elevation at which its upper limb rises, by the usual refraction and radius: below, the rules say nothing.
const SUNRISE_DEG: f64 = -0.833;
/// The end of civil twilight: below, it is night.
const NIGHT_DEG: f64 = -6.0;
/// Below this elevation the sun's own colour is in the sky's.
const LOW_SUN_DEG: f64 = 5.0;
/// Share of the sky around the sun that is white where the sun shines.
const SHINING: f64 = 0.02;
/// Share of the picture's sky that is needed for more than a warning.
const LITTLE_SKY: f64 = 0.1;
/// Cover within this of nothing or everything counts as that: a hundredth is the rules' noise.
const ALL_OR_NOTHING: f64 = 0.01;
/// Longest and shortest time between two pictures whose clouds are followed, seconds: in a quarter of an hour they are
/// others, and within half a second nothing has moved.
const FOLLOWED_S: std::ops::RangeInclusive<f64> = 0.5..=900.0;
/// Cover below which there is no cloud to follow.
const MIN_COVER_FOLLOWED: f64 = 0.02;
/// A shift below this, pixels of the grid, has no direction.
const STILL_PX: f64 = 0.1;

/// What is kept of a picture for the next one: some 65 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    taken_at: Timestamp,
    grid: (u32, u32),
    glance: Glance,
    pattern: Option<Pattern>,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct SkyAnalysis {
    /// For measurement and picture's note.
    pub features: SkyFeatures,
    /// What is where.
    pub mask: CloudMask,
    /// Where the sun is on the picture, in shares of width and height; `None` without a lens, and outside the picture.
    pub sun: Option<[f64; 2]>,
    /// For the next call.
    pub next: Previous,
    /// For [`ClearSky::learn`].
    pub seen: Observation,
}

/// Analyses a picture taken at `taken_at`. `previous` is what the camera's picture before it left, `library` the
/// camera's clear skies.
///
/// The picture is looked at with 256 pixels on its longer side (512 for sharpness); cloud is what the library, else
/// `setup.rule` says; every rule's cover stands beside it. By night and twilight, and where a picture is dark,
/// over-exposed or covered, no cover is given.
#[must_use]
pub fn analyse(
    picture: &RgbPicture,
    setup: &SkySetup,
    taken_at: Timestamp,
    previous: Option<&Previous>,
    library: Option<&ClearSky>,
) -> SkyAnalysis {
    let sun = solar::position(taken_at, setup.latitude_deg, setup.longitude_deg);
    let mut features = SkyFeatures::at(taken_at);
    features.sun_elevation_deg = Some(sun.elevation_deg).filter(|value| value.is_finite()).map(|value| round(value, 2));
    features.sun_azimuth_deg = Some(sun.azimuth_deg).filter(|value| value.is_finite()).map(|value| round(value, 2));
    features.is_night = Some(sun.elevation_deg < NIGHT_DEG);

    let grid = picture.shrunk(GRID_PX);
    let size = (grid.width(), grid.height());
    let region = Region::of(size, picture.full_size(), setup.lens.as_ref(), setup.horizon.as_ref(), sun);
    let scene = Scene::new(&grid, &region, sun);
    let glance = Glance::of(&grid);
    let is_day = sun.elevation_deg > SUNRISE_DEG;
    let warnings = scene.warnings(picture, setup, &glance, previous, is_day);
    let can_judge = is_day
        && !warnings
            .iter()
            .any(|one| matches!(one, SkyWarning::Dark | SkyWarning::OverExposed | SkyWarning::LensCovered));
    features.warnings = warnings;

    let expected = library.and_then(|library| library.expected(sun));
    let mask = scene.judge(setup.rule, expected.as_ref(), can_judge, &mut features);
    let pattern = can_judge.then(|| scene.pattern());
    let next = Previous { taken_at, grid: size, glance, pattern };
    if let Some(previous) = previous
        && mask.cover().is_some_and(|cover| cover >= MIN_COVER_FOLLOWED)
    {
        follow(previous, &next, picture, setup.lens.as_ref(), &region, &mut features);
    }
    let seen = scene.observation(can_judge && sun.elevation_deg >= LOW_SUN_DEG);
    SkyAnalysis { features, mask, sun: sun_on(picture, setup.lens.as_ref(), sun), next, seen }
}

/// A picture with what is known of it before its colours are judged.
pub(super) struct Scene<'a> {
    grid: &'a RgbPicture,
    region: &'a Region,
    sun: SunPosition,
    is_shining: bool,
}

fn pixels(grid: &RgbPicture) -> impl Iterator<Item = [u8; 3]> {
    grid.bytes().chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]])
}

/// Whether the sun itself is seen: around it a part of the sky is white.
fn is_shining(grid: &RgbPicture, region: &Region) -> bool {
    let near = || pixels(grid).zip(&region.near_sun).filter(|(_, near)| **near);
    let (all, white) = (near().count(), near().filter(|(pixel, _)| is_white(*pixel)).count());
    white > 0 && white as f64 >= SHINING * all as f64
}

impl<'a> Scene<'a> {
    pub fn new(grid: &'a RgbPicture, region: &'a Region, sun: SunPosition) -> Self {
        Self { grid, region, sun, is_shining: is_shining(grid, region) }
    }

    /// What a rule takes every pixel for.
    pub fn by_rule(&self, rule: Rule) -> CloudMask {
        let judge = Judge::new(rule, &self.sky());
        let cells = pixels(self.grid).enumerate().map(|(at, pixel)| match self.is_sky(at) {
            true if judge.is_cloud(pixel) => Cell::Cloud,
            true => Cell::Clear,
            false => self.left_out(at),
        });
        CloudMask { width: self.grid.width(), height: self.grid.height(), cells: cells.collect() }
    }

    fn left_out(&self, at: usize) -> Cell {
        if self.region.sky[at] { Cell::Sun } else { Cell::Outside }
    }

    /// The sky's pixels, without the sun's glare where it shines.
    fn sky(&self) -> Vec<[u8; 3]> {
        let seen = pixels(self.grid).enumerate().filter(|(at, _)| self.is_sky(*at));
        seen.map(|(_, pixel)| pixel).collect()
    }

    fn is_sky(&self, at: usize) -> bool {
        self.region.sky[at] && !(self.is_shining && self.region.near_sun[at])
    }

    fn warnings(
        &self,
        picture: &RgbPicture,
        setup: &SkySetup,
        glance: &Glance,
        previous: Option<&Previous>,
        is_day: bool,
    ) -> Vec<SkyWarning> {
        let sky = self.sky();
        let mut warnings = Vec::new();
        if is_day {
            let exposure = checks::exposure(&sky);
            let covered = (exposure.is_none() && checks::is_covered(picture)).then_some(SkyWarning::LensCovered);
            let fault = exposure.or(covered);
            let soft = || checks::sharpness(picture, setup.lens.as_ref(), setup.horizon.as_ref());
            warnings.extend(fault.or_else(soft));
            // By night all pictures are alike.
            if previous.is_some_and(|previous| {
                previous.grid == (self.grid.width(), self.grid.height()) && previous.glance.is_same(glance)
            }) {
                warnings.push(SkyWarning::Duplicate);
            }
            warnings.extend(self.is_shining.then_some(SkyWarning::SunGlare));
            warnings.extend((self.sun.elevation_deg < LOW_SUN_DEG).then_some(SkyWarning::LowSun));
        }
        let share = sky.len() as f64 / self.region.sky.len().max(1) as f64;
        warnings.extend((share < LITTLE_SKY).then_some(SkyWarning::LittleSky));
        warnings.extend(self.region.mask_ignored.then_some(SkyWarning::MaskMismatch));
        warnings
    }

    /// Judges every pixel, and puts cover, rule, okta and class into the features.
    fn judge(
        &self,
        rule: Rule,
        expected: Option<&Expected<'_>>,
        can_judge: bool,
        features: &mut SkyFeatures,
    ) -> CloudMask {
        if !can_judge {
            let nothing = |at| if self.is_sky(at) { Cell::Outside } else { self.left_out(at) };
            let cells = (0..self.region.sky.len()).map(nothing).collect();
            return CloudMask { width: self.grid.width(), height: self.grid.height(), cells };
        }
        for rule in Rule::ALL {
            if let Some(cover) = self.by_rule(rule).cover() {
                features.cloud_cover_by_method_pct.insert(rule.key().to_owned(), round(100.0 * cover, 1));
            }
        }
        let mut mask = self.by_rule(rule);
        let mut method = rule.key();
        if let Some(expected) = expected {
            self.correct(expected, &mut mask);
            method = "clearSky";
        }
        if let Some(cover) = mask.cover() {
            let okta = okta(cover);
            features.cloud_cover_by_method_pct.remove(method);
            features.cloud_cover_pct = Some(round(100.0 * cover, 1));
            features.method = Some(method.to_owned());
            features.okta = Some(okta);
            features.sky_class = Some(SkyClass::of_okta(okta));
        }
        mask
    }

    /// What the library knows better. The sun's glare is judged too, where the clear sky isn't white there.
    fn correct(&self, expected: &Expected<'_>, mask: &mut CloudMask) {
        let (width, height) = (f64::from(mask.width), f64::from(mask.height));
        for (at, (cell, pixel)) in mask.cells.iter_mut().zip(pixels(self.grid)).enumerate() {
            if !self.region.sky[at] || is_white(pixel) && self.region.near_sun[at] {
                continue;
            }
            let (x, y) = (at % mask.width as usize, at / mask.width as usize);
            let verdict = expected.judge(red_blue(pixel), (x as f64 + 0.5) / width, (y as f64 + 0.5) / height);
            match verdict {
                Verdict::Cloud => *cell = Cell::Cloud,
                Verdict::Clear => *cell = Cell::Clear,
                Verdict::Unknown => {}
            }
        }
    }

    /// Brightness of the sky, for the motion.
    fn pattern(&self) -> Pattern {
        let level = |(at, pixel): (usize, [u8; 3])| self.is_sky(at).then(|| luma(pixel).round() as u8);
        Pattern::new(self.grid.width() as usize, &pixels(self.grid).enumerate().map(level).collect::<Vec<_>>())
    }

    /// The sky's colours in 32 × 32 parts, and how many jumps are between its pixels.
    fn observation(&self, usable: bool) -> Observation {
        let (width, all) = (self.grid.width() as usize, self.region.sky.len());
        let pixel = |at: usize| self.grid.pixel((at % width) as u32, (at / width) as u32);
        // Asked twice rather than kept: a megabyte of them would be.
        let ratio = |at: usize| Some(pixel(at)).filter(|pixel| self.region.sky[at] && !is_white(*pixel)).map(red_blue);
        let (mut pairs, mut jumps) = (0u32, 0u32);
        for at in 0..all {
            // Around the sun a clear sky has steps too.
            let known = |at: usize| ratio(at).filter(|_| self.is_sky(at));
            if let (Some(here), Some(beside)) =
                (known(at), Some(at + 1).filter(|_| at % width + 1 < width).and_then(known))
            {
                pairs += 1;
                jumps += u32::from((here - beside).abs() > library::JUMP);
            }
        }
        let side = library::SIDE;
        let mut cells = Vec::with_capacity((side * side) as usize);
        for y in 0..side {
            for x in 0..side {
                let (rows, columns) = (span(y, side, self.grid.height()), span(x, side, self.grid.width()));
                let inside = rows.flat_map(|row| columns.clone().map(move |column| row * width + column));
                let (sum, count) = inside.filter_map(ratio).fold((0.0, 0u32), |(sum, n), ratio| (sum + ratio, n + 1));
                cells.push((count > 0).then(|| sum / f64::from(count)));
            }
        }
        Observation::new(self.sun, &cells, f64::from(jumps) / f64::from(pairs.max(1)), usable && pairs > 0)
    }
}

fn sun_on(picture: &RgbPicture, lens: Option<&Lens>, sun: SunPosition) -> Option<[f64; 2]> {
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    let [x, y] = lens?.place(direction(sun.elevation_deg, sun.azimuth_deg), width, height)?;
    let shares = [x / width, y / height];
    (sun.elevation_deg > SUNRISE_DEG && shares.iter().all(|share| (0.0..1.0).contains(share))).then_some(shares)
}

/// The cover in eighths as observers report it (WMO-No. 8, volume I, chapter 15): one where there is any cloud, seven
/// where there is any gap.
fn okta(cover: f64) -> u8 {
    if cover < ALL_OR_NOTHING {
        0
    } else if cover > 1.0 - ALL_OR_NOTHING {
        8
    } else {
        (8.0 * cover).round().clamp(1.0, 7.0) as u8
    }
}

/// Puts the motion since `previous` into the features.
fn follow(
    previous: &Previous,
    now: &Previous,
    picture: &RgbPicture,
    lens: Option<&Lens>,
    region: &Region,
    features: &mut SkyFeatures,
) {
    let seconds = now.taken_at.duration_since(previous.taken_at).as_secs_f64();
    let (Some(before), Some(after)) = (&previous.pattern, &now.pattern) else { return };
    if !FOLLOWED_S.contains(&seconds) || previous.grid != now.grid {
        return;
    }
    let Some(shift) = motion::shift(before, after) else { return };
    // One scale for both sides: the shape is kept.
    let scale = f64::from(picture.full_size().0) / f64::from(now.grid.0);
    let grid_px = shift.right.hypot(shift.down);
    features.motion_confidence = Some(round(shift.confidence, 2));
    features.motion_px_per_s = Some(round(grid_px * scale / seconds, 4));
    let moves = grid_px >= STILL_PX;
    features.motion_picture_deg = moves.then(|| round(degrees(shift.right, -shift.down), 1));
    if let Some((from, to)) = lens.and_then(|lens| over_sky(lens, now.grid, region, shift)) {
        features.motion_deg_per_min = Some(round(angle_deg(from, to) / seconds * 60.0, 3));
        features.motion_direction_deg = moves.then(|| heading(from, to)).flatten().map(|value| round(value, 1));
    }
}

/// Where the middle of the sky is seen, and where it has moved to.
fn over_sky(lens: &Lens, grid: (u32, u32), region: &Region, shift: Shift) -> Option<(Direction, Direction)> {
    let sky = || region.sky.iter().enumerate().filter(|(_, sky)| **sky).map(|(at, _)| at);
    let (count, width) = (sky().count().max(1) as f64, grid.0 as usize);
    let x = sky().map(|at| (at % width) as f64 + 0.5).sum::<f64>() / count;
    let y = sky().map(|at| (at / width) as f64 + 0.5).sum::<f64>() / count;
    let seen = |x, y| lens.direction([x, y], f64::from(grid.0), f64::from(grid.1));
    Some((seen(x, y)?, seen(x + shift.right, y + shift.down)?))
}

/// Where a cloud heads that moves level from one direction to another: by its place over ground for a base at unit height.
fn heading(from: Direction, to: Direction) -> Option<f64> {
    let ground = |seen: Direction| (seen[2] > 0.05).then(|| [seen[0] / seen[2], seen[1] / seen[2]]);
    let (from, to) = (ground(from)?, ground(to)?);
    Some(degrees(to[0] - from[0], to[1] - from[1]))
}

/// The direction of a vector, degrees clockwise from its second axis, 0 to 360.
fn degrees(first: f64, second: f64) -> f64 {
    first.atan2(second).to_degrees().rem_euclid(360.0)
}

fn round(value: f64, decimals: i32) -> f64 {
    let unit = 10f64.powi(decimals);
    (value * unit).round() / unit
}
