//! How clouds moved between two pictures, by phase correlation.
//!
//! C. D. Kuglin, D. C. Hines, *The phase correlation image alignment method*, Proc. IEEE Int. Conf. on Cybernetics and
//! Society, 1975: the inverse transform of the normalised cross-power spectrum of two pictures has its peak where one is
//! shifted against the other.

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

/// Side of the correlated squares, pixels of the analysis's grid.
pub(super) const SIDE: usize = 256;
/// The spectrum is weighted by a Gaussian that leaves a peak of this σ, pixels: fine noise doesn't count, and the peak's
/// shape is known, so that its place is found between the pixels.
const PEAK_SIGMA: f32 = 1.2;
/// Largest shift along either side that is believed, pixels: beyond a quarter less than half of both pictures overlaps.
const MAX_SHIFT: i32 = 64;
/// Pixels around the peak within which another maximum is its own.
const PEAK_RADIUS: i32 = 6;
/// Spread of brightness, levels, below which there is nothing to follow.
const MIN_SPREAD: f64 = 1.0;
/// Passes at most.
const MAX_PASSES: u32 = 4;
/// Below this confidence nothing is said.
const MIN_CONFIDENCE: f64 = 0.15;

/// What of a picture is correlated: brightness, 0 where it is left out, on a square of [`SIDE`] pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    values: Vec<u8>,
}

/// A shift in pixels of the grid, right and down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shift {
    pub right: f64,
    pub down: f64,
    /// 1 − second peak / first peak, 0 to 1.
    pub confidence: f64,
}

impl Pattern {
    /// The pattern of a grid of at most 256 × 256; `None` in `values` is left out.
    pub fn new(width: usize, values: &[Option<u8>]) -> Self {
        let mut square = vec![0; SIDE * SIDE];
        for (row, line) in values.chunks(width.max(1)).take(SIDE).enumerate() {
            for (column, value) in line.iter().take(SIDE).enumerate() {
                // 0 stands for what is left out, so black is 1.
                square[row * SIDE + column] = value.map_or(0, |value| value.max(1));
            }
        }
        Self { values: square }
    }

    /// What both show, the other moved back by a shift in whole pixels.
    fn overlap(&self, other: &Self, right: i32, down: i32) -> (Self, Self) {
        let (mut one, mut moved) = (vec![0; SIDE * SIDE], vec![0; SIDE * SIDE]);
        let side = SIDE as i32;
        for row in 0.max(-down)..side.min(side - down) {
            for column in 0.max(-right)..side.min(side - right) {
                let at = (row * side + column) as usize;
                let from = ((row + down) * side + column + right) as usize;
                if self.values[at] > 0 && other.values[from] > 0 {
                    (one[at], moved[at]) = (self.values[at], other.values[from]);
                }
            }
        }
        (Self { values: one }, Self { values: moved })
    }

    /// Less its mean, under a Hann window over the part that is looked at. `None` where that is even or too small.
    fn windowed(&self) -> Option<Vec<Complex32>> {
        let seen = || self.values.iter().enumerate().filter(|(_, value)| **value > 0);
        let count = seen().count();
        if count < SIDE {
            return None;
        }
        let mean = seen().map(|(_, value)| f64::from(*value)).sum::<f64>() / count as f64;
        let variance = seen().map(|(_, value)| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count as f64;
        if variance.sqrt() < MIN_SPREAD {
            return None;
        }
        let extent = |along: fn(usize) -> usize| {
            let (low, high) = seen().fold((SIDE, 0), |(low, high), (at, _)| (low.min(along(at)), high.max(along(at))));
            hann(low, high)
        };
        let (across, down) = (extent(|at| at % SIDE), extent(|at| at / SIDE));
        let pixel = |(at, value): (usize, &u8)| {
            let level = if *value > 0 { f32::from(*value) - mean as f32 } else { 0.0 };
            Complex32::new(level * across[at % SIDE] * down[at / SIDE], 0.0)
        };
        Some(self.values.iter().enumerate().map(pixel).collect())
    }
}

/// A Hann window from `low` to `high`, 0 outside.
fn hann(low: usize, high: usize) -> Vec<f32> {
    let length = (high + 1).saturating_sub(low).max(1) as f32;
    let value = |at: usize| (std::f32::consts::PI * ((at - low) as f32 + 0.5) / length).sin().powi(2);
    (0..SIDE).map(|at| if (low..=high).contains(&at) { value(at) } else { 0.0 }).collect()
}

/// By how much `now` is shifted against `before`. `None` where nothing can be followed.
///
/// A window that stands still while the clouds move under it pulls towards no motion, the more the farther they move. So
/// the second picture is moved back by what was found, and the rest is looked for anew, until it is less than half a pixel.
pub(super) fn shift(before: &Pattern, now: &Pattern) -> Option<Shift> {
    let (mut right, mut down) = (0, 0);
    let mut found = None;
    for _ in 0..MAX_PASSES {
        let (one, other) = before.overlap(now, right, down);
        let rest = correlated(&one, &other)?;
        let total = Shift { right: rest.right + f64::from(right), down: rest.down + f64::from(down), ..rest };
        if total.right.abs().max(total.down.abs()) > f64::from(MAX_SHIFT) {
            return None;
        }
        found = Some(total);
        let (more_right, more_down) = (rest.right.round() as i32, rest.down.round() as i32);
        if (more_right, more_down) == (0, 0) {
            break;
        }
        (right, down) = (right + more_right, down + more_down);
    }
    found
}

/// One pass.
fn correlated(before: &Pattern, now: &Pattern) -> Option<Shift> {
    let (mut before, mut now) = (before.windowed()?, now.windowed()?);
    let mut planner = FftPlanner::new();
    let forward = planner.plan_fft_forward(SIDE);
    transform(&mut before, forward.as_ref());
    transform(&mut now, forward.as_ref());
    let weight: Vec<f32> = (0..SIDE).map(gaussian).collect();
    for (at, (now, before)) in now.iter_mut().zip(&before).enumerate() {
        let cross = *now * before.conj();
        let norm = cross.norm();
        *now = if norm > f32::EPSILON { cross / norm * weight[at % SIDE] * weight[at / SIDE] } else { Complex32::ZERO };
    }
    drop(before);
    transform(&mut now, planner.plan_fft_inverse(SIDE).as_ref());
    peak(&now)
}

/// The Gaussian's weight at a bin of the spectrum.
fn gaussian(bin: usize) -> f32 {
    let frequency = bin.min(SIDE - bin) as f32 / SIDE as f32;
    (-0.5 * (2.0 * std::f32::consts::PI * frequency * PEAK_SIGMA).powi(2)).exp()
}

/// The transform of a square, not scaled.
fn transform(square: &mut [Complex32], fft: &dyn Fft<f32>) {
    fft.process(square);
    transpose(square);
    fft.process(square);
    transpose(square);
}

fn transpose(square: &mut [Complex32]) {
    for row in 0..SIDE {
        for column in row + 1..SIDE {
            square.swap(row * SIDE + column, column * SIDE + row);
        }
    }
}

fn peak(correlation: &[Complex32]) -> Option<Shift> {
    let at = |right: i32, down: i32| {
        let wrap = |value: i32| value.rem_euclid(SIDE as i32) as usize;
        f64::from(correlation[wrap(down) * SIDE + wrap(right)].re)
    };
    let places = || (-MAX_SHIFT..=MAX_SHIFT).flat_map(|down| (-MAX_SHIFT..=MAX_SHIFT).map(move |right| (right, down)));
    let highest = |a: &(i32, i32), b: &(i32, i32)| at(a.0, a.1).total_cmp(&at(b.0, b.1));
    let (right, down) = places().max_by(highest)?;
    let first = at(right, down);
    let is_other = |place: &(i32, i32)| (place.0 - right).abs() > PEAK_RADIUS || (place.1 - down).abs() > PEAK_RADIUS;
    let second = places().filter(is_other).map(|(right, down)| at(right, down)).fold(0.0, f64::max);
    let confidence = (1.0 - second / first).clamp(0.0, 1.0);
    if first <= 0.0 || confidence < MIN_CONFIDENCE {
        return None;
    }
    let between = |before: f64, after: f64| {
        if before <= 0.0 || after <= 0.0 {
            return 0.0;
        }
        // The vertex of the parabola through the logarithms: exact for a Gaussian.
        let (before, here, after) = (before.ln(), first.ln(), after.ln());
        let bend = before - 2.0 * here + after;
        if bend < 0.0 { ((before - after) / (2.0 * bend)).clamp(-0.5, 0.5) } else { 0.0 }
    };
    Some(Shift {
        right: f64::from(right) + between(at(right - 1, down), at(right + 1, down)),
        down: f64::from(down) + between(at(right, down - 1), at(right, down + 1)),
        confidence,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A field of soft bumps, drawn at any place between the pixels.
    fn field(right: f64, down: f64, seed: u64) -> Pattern {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let bumps: Vec<_> = (0..300)
            .map(|_| {
                (random() * 340.0 - 42.0 + right, random() * 340.0 - 42.0 + down, 2.0 + 8.0 * random(), random() - 0.5)
            })
            .collect();
        let mut levels = vec![128.0; SIDE * SIDE];
        for (x, y, size, height) in bumps {
            let reach = (4.0 * size) as i32;
            for row in (y as i32 - reach).max(0)..(y as i32 + reach).min(SIDE as i32) {
                for column in (x as i32 - reach).max(0)..(x as i32 + reach).min(SIDE as i32) {
                    let away = (f64::from(column) - x).powi(2) + (f64::from(row) - y).powi(2);
                    levels[row as usize * SIDE + column as usize] +=
                        150.0 * height * (-away / (2.0 * size * size)).exp();
                }
            }
        }
        let values: Vec<_> = levels.iter().map(|level| Some(level.clamp(1.0, 255.0).round() as u8)).collect();
        Pattern::new(SIDE, &values)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn a_shift_is_found_to_half_a_pixel(right in -30.0..30.0f64, down in -30.0..30.0f64, seed in 1u64..1000) {
            let found = shift(&field(0.0, 0.0, seed), &field(right, down, seed)).expect("a shift");
            prop_assert!((found.right - right).abs() < 0.5 && (found.down - down).abs() < 0.5, "{:?}, not {} {}", found, right, down);
        }
    }

    #[test]
    fn pictures_of_different_skies_and_even_ones_say_nothing() {
        let unlike = shift(&field(0.0, 0.0, 1), &field(0.0, 0.0, 2));
        assert!(unlike.is_none_or(|shift| shift.confidence < 0.4), "{unlike:?}");
        let even = Pattern::new(SIDE, &vec![Some(90); SIDE * SIDE]);
        assert_eq!(shift(&even, &field(0.0, 0.0, 1)), None);
        let nothing = Pattern::new(SIDE, &vec![None; SIDE * SIDE]);
        assert_eq!(shift(&field(0.0, 0.0, 1), &nothing), None);
    }

    #[test]
    fn a_picture_against_itself_stands_still() {
        let still = shift(&field(0.0, 0.0, 7), &field(0.0, 0.0, 7)).expect("a shift");
        assert!(still.right.abs() < 1e-3 && still.down.abs() < 1e-3 && still.confidence > 0.9, "{still:?}");
    }
}
