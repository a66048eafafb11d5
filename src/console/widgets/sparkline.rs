//! A series as one line of text: `▁▂▃▅▆▆▅`.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `values` in `width` characters, scaled from their least to their greatest. Each character is the mean of
/// the values that fall to it; an absent or infinite value leaves a space, a constant series runs in the middle.
#[must_use]
pub fn sparkline(values: &[Option<f64>], width: usize) -> String {
    let width = width.min(values.len());
    let means: Vec<Option<f64>> = (0..width).map(|i| mean(&values[bin(values.len(), width, i)])).collect();
    let known = means.iter().flatten();
    let (min, max) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(*v), hi.max(*v)));
    means.into_iter().map(|value| value.map_or(' ', |value| LEVELS[level(value, min, max)])).collect()
}

/// As [`sparkline`], scaled from nothing: for what is counted, where twelve and eleven are nearly the same.
#[must_use]
pub fn from_zero(values: &[Option<f64>], width: usize) -> String {
    let width = width.min(values.len());
    let means: Vec<Option<f64>> = (0..width).map(|i| mean(&values[bin(values.len(), width, i)])).collect();
    let max = means.iter().flatten().copied().fold(0.0, f64::max);
    // Where there is nothing at all, the least is drawn and not the middle.
    means.into_iter().map(|value| value.map_or(' ', |value| LEVELS[level(value, 0.0, max.max(1.0))])).collect()
}

/// The values that fall to character `i` of `width`.
const fn bin(len: usize, width: usize, i: usize) -> std::ops::Range<usize> {
    i * len / width..(i + 1) * len / width
}

fn mean(values: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = values.iter().flatten().copied().filter(|v| v.is_finite()).collect();
    #[expect(clippy::cast_precision_loss, reason = "a count of points")]
    let count = known.len() as f64;
    // Divided first: a sum of huge values would overflow.
    (!known.is_empty()).then(|| known.iter().map(|v| v / count).sum())
}

fn level(value: f64, min: f64, max: f64) -> usize {
    // Halved before they are subtracted: a difference of huge values would overflow.
    let span = max / 2.0 - min / 2.0;
    if span <= 0.0 {
        return LEVELS.len() / 2;
    }
    let fraction = (value / 2.0 - min / 2.0) / span;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within 0 and 7")]
    let level = (fraction * 7.0).round().clamp(0.0, 7.0) as usize;
    level
}

#[cfg(test)]
mod tests {
    use super::{from_zero, sparkline};

    #[test]
    fn least_and_greatest_reach_the_ends_and_a_gap_is_a_gap() {
        let values = [Some(0.0), Some(3.5), None, Some(7.0), Some(f64::NAN)];
        assert_eq!(sparkline(&values, 9), "▁▅ █ ");
    }

    #[test]
    fn what_is_counted_is_drawn_from_nothing_on() {
        let values = [Some(12.0), Some(11.0), Some(6.0), Some(0.0), None];
        assert_eq!(from_zero(&values, 5), "█▇▅▁ ");
        assert_eq!(from_zero(&[Some(0.0); 3], 3), "▁▁▁");
    }

    #[test]
    fn many_values_share_a_character() {
        let values: Vec<_> = (0..8).map(|i| Some(f64::from(i))).collect();
        // Means 0.5, 2.5, 4.5, 6.5: levels 0, 2.33, 4.67, 7.
        assert_eq!(sparkline(&values, 4), "▁▃▆█");
    }

    #[test]
    fn nothing_constant_and_huge() {
        assert_eq!(sparkline(&[], 5), "");
        assert_eq!(sparkline(&[Some(1.0)], 0), "");
        assert_eq!(sparkline(&[None, None], 2), "  ");
        assert_eq!(sparkline(&[Some(2.0); 3], 3), "▅▅▅");
        assert_eq!(sparkline(&[Some(f64::MIN), Some(f64::MAX)], 2), "▁█");
    }

    proptest::proptest! {
        #[test]
        fn it_is_as_wide_as_asked_or_as_there_are_values(
            values in proptest::collection::vec(proptest::option::of(proptest::num::f64::ANY), 0..50),
            width in 0_usize..80,
        ) {
            let text = sparkline(&values, width);
            proptest::prop_assert_eq!(text.chars().count(), width.min(values.len()));
        }
    }
}
