//! A window of past errors, kept sorted so that a quantile is a look-up.

use std::collections::VecDeque;

/// Errors of the last days, in the order they came and in order of size.
#[derive(Debug, Clone, Default)]
pub(super) struct ErrorWindow {
    /// Bin number and error, oldest first.
    arrived: VecDeque<(i32, f32)>,
    sorted: Vec<f32>,
}

impl ErrorWindow {
    /// Takes in an error seen at `bin`. One that isn't finite is left out.
    pub fn push(&mut self, bin: i32, error: f32) {
        if !error.is_finite() {
            return;
        }
        self.arrived.push_back((bin, error));
        let place = self.sorted.partition_point(|&e| e < error);
        self.sorted.insert(place, error);
    }

    /// Forgets what came before `first_bin`.
    pub fn forget_before(&mut self, first_bin: i32) {
        while let Some(&(bin, error)) = self.arrived.front()
            && bin < first_bin
        {
            self.arrived.pop_front();
            let place = self.sorted.partition_point(|&e| e < error);
            self.sorted.remove(place);
        }
    }

    /// How many errors the window holds.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The quantile at `p` (0 to 1), linear between neighbours (Hyndman and Fan's type 7); absent in an empty
    /// window.
    pub fn quantile(&self, p: f64) -> Option<f64> {
        let last = self.sorted.len().checked_sub(1)?;
        let position = p.clamp(0.0, 1.0) * last as f64;
        let below = position.floor() as usize;
        let above = (below + 1).min(last);
        let (low, high) = (f64::from(self.sorted[below]), f64::from(self.sorted[above]));
        Some(low + (high - low) * (position - below as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_computed_by_hand() {
        let mut window = ErrorWindow::default();
        assert_eq!(window.quantile(0.5), None);
        for (bin, error) in [3.0, 1.0, 2.0, 5.0, 4.0, f32::NAN].into_iter().enumerate() {
            window.push(bin as i32, error);
        }
        assert_eq!(window.quantile(0.5), Some(3.0));
        assert_eq!(window.quantile(0.25), Some(2.0));
        // 0.95 · 4 = 3.8: four fifths of the way from 4 to 5.
        assert!((window.quantile(0.95).expect("not empty") - 4.8).abs() < 1e-12);
        window.forget_before(2); // forgets 3 and 1
        assert_eq!((window.len(), window.quantile(0.0), window.quantile(1.0)), (3, Some(2.0), Some(5.0)));
    }

    #[test]
    fn the_sorted_errors_are_those_that_arrived() {
        let mut window = ErrorWindow::default();
        for bin in 0..500 {
            window.push(bin, ((bin * 7919) % 31) as f32);
            window.forget_before(bin - 99);
            let mut expected: Vec<f32> = window.arrived.iter().map(|&(_, e)| e).collect();
            expected.sort_by(f32::total_cmp);
            assert_eq!(window.sorted, expected);
        }
        assert_eq!(window.len(), 100);
    }
}
