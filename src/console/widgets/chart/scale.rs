//! The value axis: which values the plot spans, and where its ticks are.

/// Values beyond this are drawn at the edge, so that no difference of two overflows.
const LARGEST: f64 = 1e300;

/// A linear axis from `low` to `high` with ticks at round values.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueScale {
    /// Value at the lower edge.
    pub low: f64,
    /// Value at the upper edge, above `low`.
    pub high: f64,
    /// Round values between them, ascending.
    pub ticks: Vec<f64>,
    /// Decimals that tell the ticks apart.
    pub decimals: usize,
}

/// What bounds a value axis beside the data.
#[derive(Debug, Clone, Copy)]
pub struct ScaleRules {
    /// The axis spans at least this much, so that noise of a steady value isn't blown up.
    pub min_span: f64,
    /// Values that can't be exceeded (0 to 100 % for humidity): the margin stops there.
    pub bounds: (f64, f64),
    /// Ticks at most.
    pub max_ticks: usize,
    /// Least distance of two ticks, as a share of the axis; 0 where any will do.
    pub least_gap: f64,
}

impl ValueScale {
    /// An axis that holds `min` to `max` and a margin of a twentieth on both sides. Absent without data.
    #[must_use]
    pub fn around(extent: Option<(f64, f64)>, rules: ScaleRules) -> Option<Self> {
        let (min, max) = extent?;
        let (min, max) = (min.clamp(-LARGEST, LARGEST), max.clamp(-LARGEST, LARGEST));
        let middle = f64::midpoint(min, max);
        // A span that vanishes beside the value itself would leave ticks that can't be told apart.
        let least = rules.min_span.max(middle.abs() * 1e-9).max(f64::MIN_POSITIVE);
        let half = ((max - min) * 0.55).max(least / 2.0);
        let (lowest, highest) = rules.bounds;
        let low = if min >= lowest { (middle - half).max(lowest) } else { middle - half };
        let high = if max <= highest { (middle + half).min(highest) } else { middle + half };
        // At a bound the axis keeps its least span by growing to the other side.
        let (low, high) = if high - low < least {
            if low <= lowest { (low, low + least) } else { (high - least, high) }
        } else {
            (low, high)
        };
        let step = nice_step(low, high, rules);
        Some(Self { low, high, ticks: multiples(low, high, step), decimals: decimals_of(step) })
    }

    /// Where `value` lies: 0 at the lower edge, 1 at the upper one; outside values are at the edge.
    #[must_use]
    pub fn fraction(&self, value: f64) -> f64 {
        ((value.clamp(-LARGEST, LARGEST) - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Whether `value` lies on the axis.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// A tick's label.
    #[must_use]
    pub fn label(&self, tick: f64) -> String {
        number(tick, self.decimals)
    }
}

/// `value` with `decimals`, or in powers of ten where that would be longer than nine characters. No `-0`.
#[must_use]
pub fn number(value: f64, decimals: usize) -> String {
    if value != 0.0 && (value.abs() >= 1e8 || decimals > 6) {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.decimals$}");
    let is_zero = text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.'));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
}

/// The least of 1, 2 and 5 times a power of ten that leaves at most the allowed multiples in the interval, and them far
/// enough apart. Where that leaves fewer than two, a step that leaves two half as far apart, else a single one, else two
/// however near.
fn nice_step(low: f64, high: f64, rules: ScaleRules) -> f64 {
    let max_ticks = rules.max_ticks.max(1);
    #[expect(clippy::cast_precision_loss, reason = "a terminal has few rows")]
    let rough = (high - low) / max_ticks as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0].map(|factor| factor * power);
    // A hair less, so that rounding doesn't refuse a step of exactly the least.
    let least = (high - low) * rules.least_gap * (1.0 - 1e-9);
    let far_enough = |step: &f64| *step >= least && count(low, high, *step) <= max_ticks;
    let chosen = steps.into_iter().find(far_enough).unwrap_or(power * 50.0);
    let with = |ticks: usize, least: f64| {
        steps.into_iter().rev().find(|step| *step >= least && count(low, high, *step) == ticks)
    };
    match count(low, high, chosen) {
        0 => with(2, least / 2.0).or_else(|| with(1, 0.0)).or_else(|| with(2, 0.0)).unwrap_or(chosen),
        1 => with(2, least / 2.0).unwrap_or(chosen),
        _ => chosen,
    }
}

fn count(low: f64, high: f64, step: f64) -> usize {
    let multiples = (high / step).floor() - (low / step).ceil() + 1.0;
    // At most `max_ticks` × 20 by the choice of `step`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within 0 and 10,000")]
    let multiples = multiples.clamp(0.0, 10_000.0) as usize;
    multiples
}

fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let first = (low / step).ceil();
    (0..count(low, high, step))
        .map(|i| {
            #[expect(clippy::cast_precision_loss, reason = "few ticks")]
            let multiple = first + i as f64;
            multiple * step
        })
        .collect()
}

fn decimals_of(step: f64) -> usize {
    let digits = -(step.log10() + 1e-9).floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within 0 and 12")]
    let digits = digits.clamp(0.0, 12.0) as usize;
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: ScaleRules = ScaleRules { min_span: 1.0, bounds: (f64::MIN, f64::MAX), max_ticks: 5, least_gap: 0.0 };

    #[test]
    fn ticks_are_round_and_inside() {
        // 9.3 to 14.2: the middle is 11.75, half the span with its margin 2.695, so 9.055 to 14.445.
        let scale = ValueScale::around(Some((9.3, 14.2)), FREE).expect("has data");
        assert!((scale.low - 9.055).abs() < 1e-9 && (scale.high - 14.445).abs() < 1e-9);
        assert_eq!(scale.ticks, vec![10.0, 11.0, 12.0, 13.0, 14.0]);
        assert_eq!(scale.label(14.0), "14");
        let fine = ValueScale::around(Some((1013.0, 1013.9)), ScaleRules { max_ticks: 3, ..FREE }).expect("has data");
        assert_eq!(fine.ticks.iter().map(|t| fine.label(*t)).collect::<Vec<_>>(), ["1013.0", "1013.5"]);
    }

    #[test]
    fn ticks_are_as_far_apart_as_asked_and_none_is_left_out() {
        // 0 to 100 with its margin is -5 to 105; a third of that is 36.7, so 50 is the next round step.
        let far = ScaleRules { least_gap: 1.0 / 3.0, ..FREE };
        assert_eq!(ValueScale::around(Some((0.0, 100.0)), far).expect("has data").ticks, vec![0.0, 50.0, 100.0]);
        // 11.5 to 12.5: no multiple of 5 or 2 that is far enough but 12.
        let whole = ScaleRules { least_gap: 1.0, ..FREE };
        assert_eq!(ValueScale::around(Some((12.0, 12.0)), whole).expect("has data").ticks, vec![12.0]);
        for (low, span, rows) in
            (0..60).flat_map(|low| (1..60).flat_map(move |span| (1..8).map(move |r| (low, span, r))))
        {
            let rules = ScaleRules { max_ticks: rows, least_gap: 2.0 / (rows - 1).max(1) as f64, ..FREE };
            let (low, high) = (f64::from(low) * 0.37, f64::from(low) * 0.37 + f64::from(span) * 0.41);
            let scale = ValueScale::around(Some((low, high)), rules).expect("has data");
            assert!(!scale.ticks.is_empty(), "{low} to {high} on {rows} rows");
        }
    }

    #[test]
    fn a_constant_value_gets_the_least_span_and_bounds_hold() {
        let scale = ValueScale::around(Some((12.0, 12.0)), FREE).expect("has data");
        assert_eq!((scale.low, scale.high), (11.5, 12.5));
        let full = ScaleRules { min_span: 10.0, bounds: (0.0, 100.0), max_ticks: 4, least_gap: 0.0 };
        let saturated = ValueScale::around(Some((100.0, 100.0)), full).expect("has data");
        assert_eq!((saturated.low, saturated.high), (90.0, 100.0));
        let dark = ValueScale::around(Some((0.0, 0.0)), full).expect("has data");
        assert_eq!((dark.low, dark.high), (0.0, 10.0));
    }

    #[test]
    fn huge_and_tiny_ranges_stay_finite() {
        let scale = ValueScale::around(Some((f64::MIN, f64::MAX)), FREE).expect("has data");
        assert!(scale.low.is_finite() && scale.high.is_finite() && scale.fraction(0.0).is_finite());
        assert_eq!(number(-1e300, 0), "-1.0e300");
        let far = ValueScale::around(Some((1e12, 1e12)), FREE).expect("has data");
        assert!(far.high > far.low);
        assert!(ValueScale::around(None, FREE).is_none());
    }

    #[test]
    fn numbers_have_no_negative_zero() {
        assert_eq!(number(-0.04, 1), "0.0");
        assert_eq!(number(-0.06, 1), "-0.1");
        assert_eq!(number(120_000.0, 0), "120000");
    }
}
