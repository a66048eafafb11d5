//! The ROHM BH1750FVI: light. By its data sheet (2011.11 Rev. D).
//!
//! One measurement in high resolution, after which it sleeps. Where it is full (54,612 lx) it is read again with the
//! shortest measurement time, which reaches 121,556 lx: the sun at noon.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::i2c::{Values, words};
use crate::station::{QcFlag, Variable};

/// One measurement in H-resolution mode.
const ONCE: u8 = 0b0010_0000;
/// Counts of a lux at the default measurement time.
const COUNTS_PER_LX: f64 = 1.2;
/// The measurement time register as it is by default, and at its least.
const DEFAULT_TIME: u8 = 69;
const LEAST_TIME: u8 = 31;
/// Longest measurement at the default time, ms.
const LONGEST_MS: u32 = 180;

/// A chip that was set up.
#[derive(Debug)]
pub(super) struct Bh1750 {
    address: u8,
}

impl Bh1750 {
    /// Looks whether it is there, by setting its time. It has no id to be asked for.
    pub fn open<I: I2c>(address: u8, bus: &mut I) -> Result<Self, String> {
        let chip = Self { address };
        chip.set_time(bus, DEFAULT_TIME)?;
        Ok(chip)
    }

    fn set_time<I: I2c>(&self, bus: &mut I, time: u8) -> Result<(), String> {
        for part in [0b0100_0000 | (time >> 5), 0b0110_0000 | (time & 0b1_1111)] {
            bus.write(self.address, &[part]).map_err(words(self.address))?;
        }
        Ok(())
    }

    fn counts<I: I2c>(&self, bus: &mut I, delay: &mut impl DelayNs, time: u8) -> Result<u16, String> {
        bus.write(self.address, &[ONCE]).map_err(words(self.address))?;
        delay.delay_ms(LONGEST_MS * u32::from(time) / u32::from(DEFAULT_TIME) + 1);
        let mut bytes = [0; 2];
        bus.read(self.address, &mut bytes).map_err(words(self.address))?;
        Ok(u16::from_be_bytes(bytes))
    }

    /// Takes one measurement.
    pub fn measure<I: I2c>(&mut self, bus: &mut I, delay: &mut impl DelayNs) -> Result<Values, String> {
        let (mut counts, mut time) = (self.counts(bus, delay, DEFAULT_TIME)?, DEFAULT_TIME);
        if counts == u16::MAX {
            self.set_time(bus, LEAST_TIME)?;
            (counts, time) = (self.counts(bus, delay, LEAST_TIME)?, LEAST_TIME);
            self.set_time(bus, DEFAULT_TIME)?;
        }
        let lx = f64::from(counts) / COUNTS_PER_LX * f64::from(DEFAULT_TIME) / f64::from(time);
        let flag = (counts == u16::MAX).then_some(QcFlag::Clipped);
        Ok(vec![(Variable::Light, lx, flag)])
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    use super::*;

    const AT: u8 = 0x23;

    fn time(parts: [u8; 2]) -> Vec<Transaction> {
        parts.into_iter().map(|part| Transaction::write(AT, vec![part])).collect()
    }

    fn once(answer: [u8; 2]) -> Vec<Transaction> {
        vec![Transaction::write(AT, vec![0x20]), Transaction::read(AT, answer.to_vec())]
    }

    fn measured(transactions: &[Vec<Transaction>]) -> Values {
        let mut bus = Mock::new(&[&[time([0x42, 0x65])], transactions].concat().concat());
        let mut chip = Bh1750::open(AT, &mut bus).expect("opens");
        let values = chip.measure(&mut bus, &mut NoopDelay).expect("measures");
        bus.done();
        values
    }

    #[test]
    fn the_data_sheets_example_is_its_result() {
        // 10000011 10010000: (2^15 + 2^9 + 2^8 + 2^7 + 2^4) / 1.2 = 28067 lx.
        let values = measured(&[once([0b1000_0011, 0b1001_0000])]);
        assert!((values[0].1 - 28_067.0).abs() < 0.5 && values[0].2.is_none(), "{values:?}");
    }

    #[test]
    fn full_sun_is_measured_with_the_shortest_time_and_what_is_beyond_is_flagged() {
        // 40000 / 1.2 · 69/31 = 74194 lx.
        let values = measured(&[once([0xff, 0xff]), time([0x40, 0x7f]), once([0x9c, 0x40]), time([0x42, 0x65])]);
        assert!((values[0].1 - 74_193.5).abs() < 0.1 && values[0].2.is_none(), "{values:?}");
        let values = measured(&[once([0xff, 0xff]), time([0x40, 0x7f]), once([0xff, 0xff]), time([0x42, 0x65])]);
        assert!((values[0].1 - 121_556.5).abs() < 1.0 && values[0].2 == Some(QcFlag::Clipped), "{values:?}");
    }
}
