//! The last days of a quantity by ten-minute bin, and its mean by time of day.

use super::means::BINS_PER_DAY;

/// Bins that `days` have.
pub(super) fn window(days: u8) -> i32 {
    i32::from(days) * BINS_PER_DAY as i32
}

/// A ring of some days' values, one a bin; NaN where there is none.
#[derive(Debug, Clone)]
pub(super) struct History {
    /// Whole days: places of one time of day lie a day apart.
    values: Vec<f32>,
    newest: Option<i32>,
    /// First bin with a value since the history was last empty.
    first: Option<i32>,
}

impl History {
    /// One that goes back `days`, at least one.
    pub fn new(days: u8) -> Self {
        Self { values: vec![f32::NAN; window(days.max(1)) as usize], newest: None, first: None }
    }

    /// Puts the value of `bin`; bins skipped since the newest hold none. `false` if `bin` isn't newer than the
    /// newest: then nothing is changed.
    pub fn put(&mut self, bin: i32, value: Option<f32>) -> bool {
        if self.newest.is_some_and(|newest| bin <= newest) {
            return false;
        }
        let skipped_from = self.newest.map_or(bin, |newest| newest + 1);
        if bin - skipped_from >= self.values.len() as i32 {
            self.values.fill(f32::NAN);
            self.first = None;
        } else {
            for skipped in skipped_from..bin {
                *self.place(skipped) = f32::NAN;
            }
        }
        *self.place(bin) = value.unwrap_or(f32::NAN);
        self.newest = Some(bin);
        if value.is_some() {
            self.first.get_or_insert(bin);
        }
        true
    }

    /// Whether values go back a day or more, so that a time of day has been seen before.
    pub fn spans_a_day(&self) -> bool {
        matches!((self.first, self.newest), (Some(first), Some(newest)) if newest - first >= BINS_PER_DAY as i32)
    }

    /// Mean of all values whose time of day is within `reach` bins of `bin`'s; absent where there are none.
    pub fn mean_at_time_of_day(&self, bin: i32, reach: i32) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0u32);
        for offset in -reach..=reach {
            let time_of_day = (bin + offset).rem_euclid(BINS_PER_DAY as i32) as usize;
            for value in self.values.iter().skip(time_of_day).step_by(BINS_PER_DAY) {
                if !value.is_nan() {
                    sum += f64::from(*value);
                    count += 1;
                }
            }
        }
        (count > 0).then(|| sum / f64::from(count))
    }

    fn place(&mut self, bin: i32) -> &mut f32 {
        let place = bin.rem_euclid(self.values.len() as i32) as usize;
        &mut self.values[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i32 = BINS_PER_DAY as i32;
    const WINDOW: i32 = 7 * DAY;

    #[test]
    fn a_time_of_day_is_the_mean_of_its_days_and_neighbours() {
        let mut history = History::new(7);
        for bin in 1000..1000 + 2 * DAY {
            assert!(history.put(bin, Some(if bin < 1000 + DAY { 1.0 } else { 3.0 })));
        }
        assert_eq!(history.mean_at_time_of_day(1010 + 5 * DAY, 0), Some(2.0));
        assert_eq!(history.mean_at_time_of_day(1010, 3), Some(2.0));
        assert!(history.spans_a_day());
        assert!(!history.put(1000, Some(9.0)), "an old bin changes nothing");
    }

    #[test]
    fn a_value_leaves_after_seven_days_and_a_longer_gap_empties_the_history() {
        let mut history = History::new(7);
        history.put(0, Some(5.0));
        history.put(WINDOW - 1, Some(7.0));
        assert_eq!(history.mean_at_time_of_day(0, 0), Some(5.0));
        history.put(WINDOW, None);
        assert_eq!(history.mean_at_time_of_day(0, 0), None);
        history.put(3 * WINDOW, Some(1.0));
        assert_eq!(history.mean_at_time_of_day(WINDOW - 1, 0), None);
        assert!(!history.spans_a_day());
    }
}
