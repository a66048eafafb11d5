//! A field of clouds on a level base, drifting.

use super::super::lens::Direction;
use super::SkyScene;

/// Lumps of the coarsest octave a cloud base's height.
const LUMPS: f64 = 1.3;
const OCTAVES: u32 = 5;
/// Width of a cloud's edge, in the noise's spread.
const EDGE: f64 = 0.015;

/// Bins of the noise's histogram: far finer than a cloud's edge.
const BINS: usize = 1 << 13;
/// Minutes that a threshold is kept: the clouds drift and neither grow nor shrink.
const KEPT_MIN: f64 = 15.0;

pub(super) struct Clouds {
    seed: u64,
    /// How far they have drifted, east and north, in heights of their base.
    drifted: [f64; 2],
    /// The noise above which there is cloud.
    threshold: f64,
}

impl Clouds {
    /// The field of a scene, its threshold set so that at the beginning of its quarter of an hour the scene's share of the
    /// `sky`'s directions is cloud.
    pub fn new(scene: &SkyScene, sky: impl Iterator<Item = Direction>) -> Self {
        let minutes = scene.at.as_millisecond() as f64 / 60_000.0;
        let (sin, cos) = scene.drift_to_deg.to_radians().sin_cos();
        let drifted = |minutes: f64| {
            let way = scene.drift_deg_per_min.to_radians() * minutes;
            [way * sin, way * cos]
        };
        let since = (minutes / KEPT_MIN).floor() * KEPT_MIN;
        let mut clouds = Self { seed: scene.seed, drifted: drifted(since), threshold: 0.0 };
        clouds.threshold = match scene.cover {
            cover if cover <= 0.0 => f64::INFINITY,
            cover if cover >= 1.0 => f64::NEG_INFINITY,
            cover => Histogram::of(sky.map(|seen| clouds.noise(seen))).above(cover),
        };
        clouds.drifted = drifted(minutes);
        clouds
    }

    /// How opaque the clouds are in a direction above the horizon, 0 to 1; more than a half is cloud.
    pub fn opacity(&self, seen: Direction) -> f64 {
        if self.threshold.is_infinite() {
            return if self.threshold < 0.0 { 0.75 + 0.25 * self.noise(seen) } else { 0.0 };
        }
        let share = ((self.noise(seen) - self.threshold) / EDGE + 0.5).clamp(0.0, 1.0);
        share * share * (3.0 - 2.0 * share)
    }

    fn noise(&self, seen: Direction) -> f64 {
        let height = seen[2].max(0.02);
        let (east, north) = (seen[0] / height - self.drifted[0], seen[1] / height - self.drifted[1]);
        let octave = |octave: u32| {
            let scale = LUMPS * f64::from(1 << octave);
            value_noise(east * scale, north * scale, self.seed.wrapping_add(u64::from(octave))) / f64::from(1 << octave)
        };
        (0..OCTAVES).map(octave).sum::<f64>() / 2.0
    }
}

/// How many values of 0 to 1 fall where.
struct Histogram {
    counts: Vec<u32>,
    all: u32,
}

impl Histogram {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (mut counts, mut all) = (vec![0; BINS], 0);
        for value in values {
            counts[((value * BINS as f64) as usize).min(BINS - 1)] += 1;
            all += 1;
        }
        Self { counts, all }
    }

    /// The value that a share of the values is at or above, to a bin.
    fn above(&self, share: f64) -> f64 {
        let mut left = (share * f64::from(self.all)) as u32;
        let bin = self.counts.iter().enumerate().rev().find(|(_, count)| {
            let is_here = left < **count;
            left = left.saturating_sub(**count);
            is_here
        });
        bin.map_or(f64::INFINITY, |(bin, _)| bin as f64 / BINS as f64)
    }
}

/// Smooth noise, 0 to 1, with a lump a unit.
fn value_noise(x: f64, y: f64, seed: u64) -> f64 {
    let (column, row) = (x.floor(), y.floor());
    let smooth = |share: f64| share * share * share * (share * (share * 6.0 - 15.0) + 10.0);
    let (across, down) = (smooth(x - column), smooth(y - row));
    let at = |dx: i64, dy: i64| lattice(column as i64 + dx, row as i64 + dy, seed);
    let top = at(0, 0) + (at(1, 0) - at(0, 0)) * across;
    let bottom = at(0, 1) + (at(1, 1) - at(0, 1)) * across;
    top + (bottom - top) * down
}

/// A value of 0 to 1 for a point of the lattice: SplitMix64's finaliser over its coordinates.
fn lattice(column: i64, row: i64, seed: u64) -> f64 {
    let mut bits = (column as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (row as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
        ^ seed.wrapping_mul(0x1656_67b1_9e37_79f9);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
