//! The ams TSL2591: light. Registers by its data sheet (DS000338 v1-01).
//!
//! The data sheet has no formula for lux; this is the one of the maker's application note for its family, as Adafruit's
//! driver has it: counts of a lux = time (ms) · gain / 408, lux = (C0 − C1) · (1 − C1/C0) / counts of a lux.
//! Its integration time is 100 ms; the gain follows the light: ×1, ×25 or ×428.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::i2c::{Values, words};
use crate::station::{QcFlag, Variable};

/// Addresses a register: the command bit, a normal transaction.
const COMMAND: u8 = 0b1010_0000;
const ENABLE: u8 = 0x00;
const CONTROL: u8 = 0x01;
const ID: u8 = 0x12;
const STATUS: u8 = 0x13;
const DATA: u8 = 0x14;
const IS_TSL2591: u8 = 0x50;
/// Power and ALS on.
const ON: u8 = 0x03;
const OFF: u8 = 0x00;
/// Longest integration of a nominal 100 ms, ms.
const LONGEST_MS: u32 = 108;
/// The most that 100 ms can count.
const FULL: u16 = 36_863;
/// Below this the next gain resolves more.
const FEW: u16 = 100;
const LUX_FACTOR: f64 = 408.0;
/// The gains: their place in CONTROL, and what they multiply by.
const GAINS: [(u8, f64); 3] = [(0x00, 1.0), (0x10, 25.0), (0x20, 428.0)];

/// A chip that was set up.
#[derive(Debug)]
pub(super) struct Tsl2591 {
    address: u8,
    gain: usize,
}

impl Tsl2591 {
    /// Looks whether it is there, and is one.
    pub fn open<I: I2c>(address: u8, bus: &mut I) -> Result<Self, String> {
        let mut id = [0];
        bus.write_read(address, &[COMMAND | ID], &mut id).map_err(words(address))?;
        if id[0] != IS_TSL2591 {
            return Err(format!("the chip at {address:#04x} is no TSL2591: its id is {:#04x}, not 0x50", id[0]));
        }
        Ok(Self { address, gain: 1 })
    }

    fn counts<I: I2c>(&self, bus: &mut I, delay: &mut impl DelayNs) -> Result<(u16, u16), String> {
        let address = self.address;
        for setting in [[COMMAND | CONTROL, GAINS[self.gain].0], [COMMAND | ENABLE, ON]] {
            bus.write(address, &setting).map_err(words(address))?;
        }
        delay.delay_ms(LONGEST_MS);
        let mut status = [0];
        bus.write_read(address, &[COMMAND | STATUS], &mut status).map_err(words(address))?;
        let mut data = [0; 4];
        bus.write_read(address, &[COMMAND | DATA], &mut data).map_err(words(address))?;
        bus.write(address, &[COMMAND | ENABLE, OFF]).map_err(words(address))?;
        if status[0] & 1 == 0 {
            return Err(format!("the chip at {address:#04x} measured nothing; was its supply interrupted?"));
        }
        Ok((u16::from_le_bytes([data[0], data[1]]), u16::from_le_bytes([data[2], data[3]])))
    }

    /// Takes one measurement, with another gain where the last one's doesn't fit.
    pub fn measure<I: I2c>(&mut self, bus: &mut I, delay: &mut impl DelayNs) -> Result<Values, String> {
        let mut tried = [false; GAINS.len()];
        let (all, infrared) = loop {
            tried[self.gain] = true;
            let (all, infrared) = self.counts(bus, delay)?;
            let is_full = all >= FULL || infrared >= FULL;
            let next = match () {
                () if is_full && self.gain > 0 => self.gain - 1,
                () if all < FEW && self.gain + 1 < GAINS.len() => self.gain + 1,
                () => break (all, infrared),
            };
            // A light that flickers between two gains is taken as it is.
            if tried[next] {
                break (all, infrared);
            }
            self.gain = next;
        };
        let is_full = all >= FULL || infrared >= FULL;
        let counts_per_lx = 100.0 * GAINS[self.gain].1 / LUX_FACTOR;
        let (all, infrared) = (f64::from(all), f64::from(infrared));
        let lx = if all > 0.0 { ((all - infrared) * (1.0 - infrared / all) / counts_per_lx).max(0.0) } else { 0.0 };
        Ok(vec![(Variable::Light, lx, is_full.then_some(QcFlag::Clipped))])
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    use super::*;

    const AT: u8 = 0x29;

    fn once(gain: u8, all: u16, infrared: u16) -> Vec<Transaction> {
        let data = [all.to_le_bytes(), infrared.to_le_bytes()].concat();
        vec![
            Transaction::write(AT, vec![0xa1, gain]),
            Transaction::write(AT, vec![0xa0, 0x03]),
            Transaction::write_read(AT, vec![0xb3], vec![0x01]),
            Transaction::write_read(AT, vec![0xb4], data),
            Transaction::write(AT, vec![0xa0, 0x00]),
        ]
    }

    fn measured(transactions: &[Vec<Transaction>]) -> Values {
        let opened = vec![Transaction::write_read(AT, vec![0xb2], vec![0x50])];
        let mut bus = Mock::new(&[&[opened], transactions].concat().concat());
        let mut chip = Tsl2591::open(AT, &mut bus).expect("opens");
        let values = chip.measure(&mut bus, &mut NoopDelay).expect("measures");
        bus.done();
        values
    }

    #[test]
    fn counts_are_lux_and_the_gain_follows_the_light() {
        // ×25: 6.127451 counts of a lux; (10000 − 2000) · 0.8 / 6.127451 = 1044.48 lx.
        let values = measured(&[once(0x10, 10_000, 2000)]);
        assert!((values[0].1 - 1044.48).abs() < 0.01, "{values:?}");
        // ×1 in the sun: (20000 − 6000) · 0.7 / 0.245098 = 39984 lx.
        let values = measured(&[once(0x10, 36_863, 11_000), once(0x00, 20_000, 6000)]);
        assert!((values[0].1 - 39_984.0).abs() < 0.1 && values[0].2.is_none(), "{values:?}");
        // ×428 at dusk: (500 − 100) · 0.8 / 104.902 = 3.0505 lx.
        let values = measured(&[once(0x10, 30, 6), once(0x20, 500, 100)]);
        assert!((values[0].1 - 3.050_5).abs() < 0.001, "{values:?}");
        let values = measured(&[once(0x10, 36_863, 0), once(0x00, 36_863, 0)]);
        assert_eq!(values[0].2, Some(QcFlag::Clipped));
        let dark = measured(&[once(0x10, 0, 0), once(0x20, 0, 0)]);
        assert_eq!(dark[0].1, 0.0);
        // It flickers: one gain is too much and the next too little.
        let values = measured(&[once(0x10, 36_863, 0), once(0x00, 50, 0)]);
        assert!((values[0].1 - 50.0 * 4.08).abs() < 0.01, "{values:?}");
    }

    #[test]
    fn what_is_none_is_refused() {
        let mut bus = Mock::new(&[Transaction::write_read(AT, vec![0xb2], vec![0xff])]);
        let words = Tsl2591::open(AT, &mut bus).map(drop).expect_err("refused");
        assert_eq!(words, "the chip at 0x29 is no TSL2591: its id is 0xff, not 0x50");
        bus.done();
    }
}
