//! Which pixels are cloud, by their colour: four published rules.
//!
//! A clear sky scatters blue more than red (Rayleigh), a cloud scatters both alike (Mie). Every rule asks how much
//! bluer than red a pixel is, with another threshold; for a pixel whose red is its least and whose blue its greatest
//! value, they are the same quantity: with q = R/B, (B − R)/(B + R) = (1 − q)/(1 + q) and the saturation is 1 − q.

/// Bins of HYTA's histogram over −1 to 1.
const BINS: usize = 200;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Red over blue above 0.8 is cloud. C. N. Long, J. M. Sabburg, J. Calbó, D. Pagès, *Retrieving cloud
    /// characteristics from ground-based daytime color all-sky images*, J. Atmos. Oceanic Technol. 23, 2006, use the
    /// ratio with 0.6 for their camera; the threshold is the camera's.
    RedBlue,
    /// (B − R)/(B + R) below 0.15 is cloud: the normalised ratio of Q. Li, W. Lu, J. Yang (2011) with one threshold.
    /// A. Heinle, A. Macke, A. Srivastav, *Automatic cloud classification of whole sky images*, Atmos. Meas. Tech. 3,
    /// 2010, take the difference of R and B in the ratio's stead.
    Nrbr,
    /// A saturation, 1 − min/max of the three, below 0.35 is cloud. M. P. Souza-Echer, E. B. Pereira, L. S. Bins,
    /// M. A. R. Andrade, *A simple method for the assessment of the cloud cover state in high-latitude regions by a
    /// ground-based digital camera*, J. Atmos. Oceanic Technol. 23, 2006, judge by saturation.
    Saturation,
    /// The hybrid threshold: Q. Li, W. Lu, J. Yang, *A hybrid thresholding algorithm for cloud detection on
    /// ground-based color images*, J. Atmos. Oceanic Technol. 28, 2011. Where (B − R)/(B + R) spreads by more than
    /// 0.03, the threshold of minimum cross-entropy; else 0.25.
    Hyta,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 4] = [Self::RedBlue, Self::Nrbr, Self::Saturation, Self::Hyta];

    /// The rule of a name.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.key() == key)
    }

    /// The rule's name in settings and messages.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::RedBlue => "redBlue",
            Self::Nrbr => "nrbr",
            Self::Saturation => "saturation",
            Self::Hyta => "hyta",
        }
    }
}

/// (B − R)/(B + R), −1 to 1; 0 for black.
#[must_use]
pub fn nrbr([r, _, b]: [u8; 3]) -> f64 {
    let (r, b) = (f64::from(r), f64::from(b));
    if r + b > 0.0 { (b - r) / (b + r) } else { 0.0 }
}

/// Red over blue, at most 2; 1 for black.
#[must_use]
pub fn red_blue([r, _, b]: [u8; 3]) -> f64 {
    match (r, b) {
        (0, 0) => 1.0,
        (_, 0) => 2.0,
        (r, b) => (f64::from(r) / f64::from(b)).min(2.0),
    }
}

/// 1 − min/max, 0 to 1; 0 for black.
#[must_use]
pub fn saturation([r, g, b]: [u8; 3]) -> f64 {
    let (least, most) = (r.min(g).min(b), r.max(g).max(b));
    if most > 0 { 1.0 - f64::from(least) / f64::from(most) } else { 0.0 }
}

/// A rule with the threshold that one picture gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judge {
    rule: Rule,
    threshold: f64,
}

impl Judge {
    /// The judge of a picture's sky. `pixels` are those of the sky; only HYTA looks at them.
    #[must_use]
    pub fn new(rule: Rule, pixels: &[[u8; 3]]) -> Self {
        let threshold = match rule {
            Rule::RedBlue => 0.8,
            Rule::Nrbr => 0.15,
            Rule::Saturation => 0.35,
            Rule::Hyta => hyta_threshold(pixels),
        };
        Self { rule, threshold }
    }

    /// Whether a pixel is cloud.
    #[must_use]
    pub fn is_cloud(&self, pixel: [u8; 3]) -> bool {
        match self.rule {
            Rule::RedBlue => red_blue(pixel) > self.threshold,
            Rule::Nrbr | Rule::Hyta => nrbr(pixel) < self.threshold,
            Rule::Saturation => saturation(pixel) < self.threshold,
        }
    }

    /// The threshold, in the rule's quantity.
    #[must_use]
    pub const fn threshold(&self) -> f64 {
        self.threshold
    }
}

/// Above this spread of (B − R)/(B + R) a picture has both sky and cloud (Li et al. 2011).
const HYTA_SPREAD: f64 = 0.03;
/// The threshold where it has one of them only.
const HYTA_FIXED: f64 = 0.25;

fn hyta_threshold(pixels: &[[u8; 3]]) -> f64 {
    let count = pixels.len() as f64;
    let values = || pixels.iter().map(|pixel| nrbr(*pixel));
    let mean = values().sum::<f64>() / count.max(1.0);
    let spread = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count.max(1.0)).sqrt();
    if spread <= HYTA_SPREAD {
        return HYTA_FIXED;
    }
    let mut histogram = [0.0; BINS];
    for value in values() {
        histogram[((value + 1.0) / 2.0 * BINS as f64).clamp(0.0, BINS as f64 - 1.0) as usize] += 1.0;
    }
    minimum_cross_entropy(&histogram).map_or(HYTA_FIXED, |bin| bin as f64 / BINS as f64 * 2.0 - 1.0)
}

/// The bin at which a histogram falls into two with the least cross-entropy to their means: C. H. Li, C. K. Lee, *Minimum
/// cross entropy thresholding*, Pattern Recognition 26, 1993: the least of −m₁ ln(m₁/n₁) − m₂ ln(m₂/n₂), with n the
/// count and m the first moment on either side. Bins count from 1. `None` where it doesn't fall into two.
fn minimum_cross_entropy(histogram: &[f64]) -> Option<usize> {
    let moment = |(bin, count): (usize, &f64)| (bin as f64 + 1.0) * count;
    let (all, all_moment) = (histogram.iter().sum::<f64>(), histogram.iter().enumerate().map(moment).sum::<f64>());
    let (mut below, mut below_moment) = (0.0, 0.0);
    let mut best: Option<(f64, usize)> = None;
    for (bin, count) in histogram.iter().enumerate() {
        let (above, above_moment) = (all - below, all_moment - below_moment);
        if below > 0.0 && above > 0.0 {
            let entropy = -below_moment * (below_moment / below).ln() - above_moment * (above_moment / above).ln();
            if best.is_none_or(|(least, _)| entropy < least) {
                best = Some((entropy, bin));
            }
        }
        below += count;
        below_moment += moment((bin, count));
    }
    best.map(|(_, bin)| bin)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_quantities_are_what_their_formulas_say() {
        // A blue sky of (100, 140, 200): 100/300, 100/200, 1 − 100/200.
        let sky = [100, 140, 200];
        assert!((nrbr(sky) - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((red_blue(sky), saturation(sky)), (0.5, 0.5));
        assert_eq!((nrbr([0; 3]), red_blue([0; 3]), saturation([0; 3])), (0.0, 1.0, 0.0));
        assert_eq!(red_blue([9, 0, 0]), 2.0);
        // (B − R)/(B + R) = (1 − q)/(1 + q).
        assert!((nrbr([88, 100, 110]) - (1.0 - 0.8) / (1.0 + 0.8)).abs() < 1e-12);
    }

    #[test]
    fn each_rule_knows_a_blue_sky_from_a_grey_cloud() {
        let (sky, cloud) = ([90, 130, 190], [200, 205, 210]);
        let pixels: Vec<_> = (0..100).map(|i| if i < 70 { sky } else { cloud }).collect();
        for rule in Rule::ALL {
            let judge = Judge::new(rule, &pixels);
            assert!(judge.is_cloud(cloud) && !judge.is_cloud(sky), "{rule:?}");
        }
    }

    #[test]
    fn hyta_takes_its_fixed_threshold_where_the_sky_is_of_one_kind() {
        // All the same: (190 − 90)/280 = 0.357 is sky, (210 − 190)/400 = 0.05 cloud.
        assert_eq!(Judge::new(Rule::Hyta, &[[90, 130, 190]; 50]).threshold(), 0.25);
        assert!(!Judge::new(Rule::Hyta, &[[90, 130, 190]; 50]).is_cloud([90, 130, 190]));
        assert!(Judge::new(Rule::Hyta, &[[190, 200, 210]; 50]).is_cloud([190, 200, 210]));
        assert_eq!(Judge::new(Rule::Hyta, &[]).threshold(), 0.25);
    }

    #[test]
    fn the_least_cross_entropy_is_found_by_hand_too() {
        // Bins 1, 2, 9, 10 with 4, 4, 4, 4. Cut behind the second: m = 12, 76 and n = 8, 8:
        // −12 ln 1.5 − 76 ln 9.5 = −175.96. Behind the first: −4 ln 1 − 84 ln 7 = −163.46. Behind the third:
        // −48 ln 4 − 40 ln 10 = −158.64.
        let mut histogram = [0.0; 10];
        for bin in [0, 1, 8, 9] {
            histogram[bin] = 4.0;
        }
        assert_eq!(minimum_cross_entropy(&histogram), Some(2));
        assert_eq!(minimum_cross_entropy(&[5.0, 0.0]), None);
    }

    proptest! {
        #[test]
        fn a_greyer_pixel_is_never_less_cloudy(
            (b, r, redder) in (100_u8..=200)
                .prop_flat_map(|b| (Just(b), 1..=b))
                .prop_flat_map(|(b, r)| (Just(b), Just(r), r..=b))
        ) {
            // Red rises towards blue: what was cloud stays cloud.
            let pixels = [[r, r, b]; 3];
            for rule in Rule::ALL {
                let judge = Judge::new(rule, &pixels);
                prop_assert!(!judge.is_cloud([r, r, b]) || judge.is_cloud([redder, redder, b]), "{:?}", rule);
            }
        }
    }
}
