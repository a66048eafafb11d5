//! The A-weighting of IEC 61672-1, as a digital filter.
//!
//! The standard's analogue poles (annex E) brought to the sampling rate by the bilinear transform: two at 20.6 Hz, one
//! each at 107.7 Hz and 737.9 Hz, two at 12,194 Hz, four zeros at nought; 0 dB at 1 kHz. The transform bends what is near
//! half the sampling rate: at 48 kHz it is within 0.1 dB of the standard up to 5 kHz, 0.6 dB low at 8 kHz, 2.8 dB low at
//! 12.5 kHz and 6.3 dB low at 16 kHz, which at every frequency of the standard's table from 20 Hz to 20 kHz is within the
//! limits of class 1. That holds for the filter, not for the microphone before it.

use std::f64::consts::PI;

/// The poles, Hz (IEC 61672-1:2013, annex E).
const POLES_HZ: [f64; 4] = [20.598_997, 107.652_65, 737.862_23, 12_194.217];

/// A second-order section, in transposed direct form II.
#[derive(Debug, Clone, Copy)]
struct Section {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Section {
    /// From numerator and two poles s = −w, w in rad/s, at k = twice the sampling rate.
    fn new(numerator: [f64; 3], poles: [f64; 2], k: f64) -> Self {
        let [(p0, p1), (q0, q1)] = poles.map(|w| (k + w, w - k));
        let first = p0 * q0;
        let a = [(p0 * q1 + p1 * q0) / first, p1 * q1 / first];
        Self { b: numerator.map(|b| b / first), a, state: [0.0; 2] }
    }

    fn step(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.state[0];
        self.state[0] = self.b[1] * x - self.a[0] * y + self.state[1];
        self.state[1] = self.b[2] * x - self.a[1] * y;
        y
    }

    /// |H|² at the angle `w` a sample.
    fn power(&self, w: f64) -> f64 {
        let at = |c: [f64; 3]| {
            let (re, im) = (c[0] + c[1] * w.cos() + c[2] * (2.0 * w).cos(), c[1] * w.sin() + c[2] * (2.0 * w).sin());
            re * re + im * im
        };
        at(self.b) / at([1.0, self.a[0], self.a[1]])
    }
}

/// The filter.
#[derive(Debug, Clone)]
pub(super) struct AWeighting {
    sections: [Section; 3],
    gain: f64,
    rate_hz: f64,
}

impl AWeighting {
    /// For `rate_hz` samples a second, 44,100 or more.
    pub fn new(rate_hz: u32) -> Self {
        let rate_hz = f64::from(rate_hz);
        let k = 2.0 * rate_hz;
        let [w1, w2, w3, w4] = POLES_HZ.map(|hz| 2.0 * PI * hz);
        // A zero at nought is 1 − z⁻¹; what has none gets 1 + z⁻¹.
        let (zeros, none) = ([k * k, -2.0 * k * k, k * k], [1.0, 2.0, 1.0]);
        let sections =
            [Section::new(zeros, [w1, w1], k), Section::new(zeros, [w2, w3], k), Section::new(none, [w4, w4], k)];
        let mut filter = Self { sections, gain: 1.0, rate_hz };
        filter.gain = 10f64.powf(-filter.response_db(1000.0) / 20.0);
        filter
    }

    /// The next sample, weighted.
    pub fn step(&mut self, sample: f64) -> f64 {
        self.sections.iter_mut().fold(sample * self.gain, |x, section| section.step(x))
    }

    /// The response at `hz`, dB.
    pub fn response_db(&self, hz: f64) -> f64 {
        let w = 2.0 * PI * hz / self.rate_hz;
        let power: f64 = self.sections.iter().map(|section| section.power(w)).product();
        10.0 * (power * self.gain * self.gain).log10()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IEC 61672-1:2013, table 3: nominal frequency, A-weighting, class 1 limits above and below, dB.
    const TABLE: [(f64, f64, f64, f64); 31] = [
        (20.0, -50.5, 2.0, 2.0),
        (25.0, -44.7, 2.0, 1.5),
        (31.5, -39.4, 1.5, 1.5),
        (40.0, -34.6, 1.0, 1.0),
        (50.0, -30.2, 1.0, 1.0),
        (63.0, -26.2, 1.0, 1.0),
        (80.0, -22.5, 1.0, 1.0),
        (100.0, -19.1, 1.0, 1.0),
        (125.0, -16.1, 1.0, 1.0),
        (160.0, -13.4, 1.0, 1.0),
        (200.0, -10.9, 1.0, 1.0),
        (250.0, -8.6, 1.0, 1.0),
        (315.0, -6.6, 1.0, 1.0),
        (400.0, -4.8, 1.0, 1.0),
        (500.0, -3.2, 1.0, 1.0),
        (630.0, -1.9, 1.0, 1.0),
        (800.0, -0.8, 1.0, 1.0),
        (1000.0, 0.0, 0.7, 0.7),
        (1250.0, 0.6, 1.0, 1.0),
        (1600.0, 1.0, 1.0, 1.0),
        (2000.0, 1.2, 1.0, 1.0),
        (2500.0, 1.3, 1.0, 1.0),
        (3150.0, 1.2, 1.0, 1.0),
        (4000.0, 1.0, 1.0, 1.0),
        (5000.0, 0.5, 1.5, 1.5),
        (6300.0, -0.1, 1.5, 2.0),
        (8000.0, -1.1, 1.5, 2.5),
        (10_000.0, -2.5, 2.0, 3.0),
        (12_500.0, -4.3, 2.0, 5.0),
        (16_000.0, -6.6, 2.5, 16.0),
        (20_000.0, -9.3, 3.0, f64::INFINITY),
    ];

    #[test]
    fn the_response_is_within_class_1_at_every_frequency_of_the_standards_table() {
        for rate in [44_100, 48_000, 96_000, 192_000] {
            let filter = AWeighting::new(rate);
            for (place, (nominal, weight, above, below)) in TABLE.into_iter().enumerate() {
                // The exact frequency to a nominal one: 1000 · 10^(n/10).
                let exact = 1000.0 * 10f64.powf((place as f64 - 17.0) / 10.0);
                let off = filter.response_db(exact) - weight;
                assert!(off <= above && off >= -below, "{rate} Hz: {off:+.2} dB at {nominal} Hz");
            }
        }
    }

    #[test]
    fn what_the_documentation_says_of_its_deviation_holds() {
        let filter = AWeighting::new(48_000);
        let off = |hz: f64, weight: f64| filter.response_db(hz) - weight;
        for (nominal, weight, ..) in TABLE.into_iter().filter(|(nominal, ..)| (100.0..=4000.0).contains(nominal)) {
            let exact = 1000.0 * 10f64.powf((10.0 * (nominal / 1000.0).log10()).round() / 10.0);
            assert!(off(exact, weight).abs() < 0.1, "{nominal}");
        }
        assert!((off(7943.3, -1.1) + 0.6).abs() < 0.15 && (off(15_848.9, -6.6) + 6.3).abs() < 0.3);
    }

    #[test]
    fn samples_are_weighted_as_the_response_says() {
        for hz in [63.0, 1000.0, 8000.0] {
            let mut filter = AWeighting::new(48_000);
            let mut sum = 0.0;
            for i in 0..96_000 {
                let y = filter.step((2.0 * PI * hz * f64::from(i) / 48_000.0).sin());
                if i >= 48_000 {
                    sum += y * y;
                }
            }
            let db = 10.0 * (sum / 48_000.0 / 0.5).log10();
            assert!((db - filter.response_db(hz)).abs() < 0.01, "{hz}: {db}");
        }
    }
}
