//! The Bosch BME280: temperature, humidity, pressure. By its data sheet BST-BME280-DS002.
//!
//! It is read in forced mode with oversampling ×1 and without its filter, as the data sheet advises for weather
//! monitoring (3.5.1): it sleeps in between and doesn't warm itself.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::i2c::{Values, words};
use crate::station::Variable;

const ID: u8 = 0xd0;
const RESET: u8 = 0xe0;
const CALIBRATION: u8 = 0x88;
const CALIBRATION_HUMIDITY: u8 = 0xe1;
const CTRL_HUM: u8 = 0xf2;
const STATUS: u8 = 0xf3;
const CTRL_MEAS: u8 = 0xf4;
const CONFIG: u8 = 0xf5;
const DATA: u8 = 0xf7;

/// What a BME280 says it is.
const IS_BME280: u8 = 0x60;
/// What a BMP280 says it is; it has no humidity.
const IS_BMP280: u8 = 0x58;
/// Oversampling ×1 of temperature and pressure, forced mode.
const FORCED: u8 = 0b0010_0101;
/// Longest measurement at ×1 of all three, ms: 1.25 + 2.3 + 2 · (2.3 + 0.575) (appendix B).
const LONGEST_MS: u32 = 10;
/// How often its status is looked at before it counts as stuck.
const LOOKS: u32 = 20;

/// A chip that was set up, with its trimming parameters.
#[derive(Debug)]
pub(super) struct Bme280 {
    address: u8,
    trim: Trim,
}

/// The trimming parameters (table 16).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Trim {
    t: [f64; 3],
    p: [f64; 9],
    h: [f64; 6],
}

impl Bme280 {
    /// Resets the chip and reads its parameters.
    pub fn open<I: I2c>(address: u8, bus: &mut I, delay: &mut impl DelayNs) -> Result<Self, String> {
        match read::<1, I>(bus, address, ID)?[0] {
            IS_BME280 => {}
            IS_BMP280 => return Err(format!("the chip at {address:#04x} is a BMP280, which has no humidity")),
            id => return Err(format!("the chip at {address:#04x} is no BME280: its id is {id:#04x}, not 0x60")),
        }
        bus.write(address, &[RESET, 0xb6]).map_err(words(address))?;
        delay.delay_ms(2);
        wait(bus, delay, address, 0b0001)?;
        let first = read::<26, I>(bus, address, CALIBRATION)?;
        let second = read::<7, I>(bus, address, CALIBRATION_HUMIDITY)?;
        Ok(Self { address, trim: Trim::of(&first, &second) })
    }

    /// Takes one measurement.
    pub fn measure<I: I2c>(&mut self, bus: &mut I, delay: &mut impl DelayNs) -> Result<Values, String> {
        let address = self.address;
        // The humidity's setting holds from the next write to CTRL_MEAS (5.4.3).
        for setting in [[CTRL_HUM, 1], [CONFIG, 0], [CTRL_MEAS, FORCED]] {
            bus.write(address, &setting).map_err(words(address))?;
        }
        delay.delay_ms(LONGEST_MS);
        wait(bus, delay, address, 0b1000)?;
        let data = read::<8, I>(bus, address, DATA)?;
        let twenty = |at: usize| u32::from_be_bytes([0, data[at], data[at + 1], data[at + 2]]) >> 4;
        let (pressure, temperature) = (twenty(0), twenty(3));
        let humidity = u16::from_be_bytes([data[6], data[7]]);
        // What the registers hold after a reset, where nothing was measured (5.4.7 to 5.4.9).
        if (pressure, temperature, humidity) == (0x80000, 0x80000, 0x8000) {
            return Err(format!("the chip at {address:#04x} measured nothing; was its supply interrupted?"));
        }
        let (celsius, fine) = self.trim.temperature(temperature);
        Ok(vec![
            (Variable::Temperature, celsius, None),
            (Variable::Humidity, self.trim.humidity(humidity, fine), None),
            (Variable::Pressure, self.trim.pressure(pressure, fine) / 100.0, None),
        ])
    }
}

fn read<const N: usize, I: I2c>(bus: &mut I, address: u8, register: u8) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    bus.write_read(address, &[register], &mut bytes).map_err(words(address))?;
    Ok(bytes)
}

/// Waits until the bits `busy` of the status are clear. A line that is stuck high would never clear them.
fn wait<I: I2c>(bus: &mut I, delay: &mut impl DelayNs, address: u8, busy: u8) -> Result<(), String> {
    for _ in 0..LOOKS {
        if read::<1, I>(bus, address, STATUS)?[0] & busy == 0 {
            return Ok(());
        }
        delay.delay_ms(2);
    }
    Err(format!("the chip at {address:#04x} stays busy; is the bus stuck?"))
}

impl Trim {
    fn of(first: &[u8; 26], second: &[u8; 7]) -> Self {
        let unsigned = |at: usize| f64::from(u16::from_le_bytes([first[at], first[at + 1]]));
        let signed = |at: usize| f64::from(i16::from_le_bytes([first[at], first[at + 1]]));
        let byte = |byte: u8| i16::from(byte.cast_signed());
        // Two of 12 bits, signed, share the byte at 0xE5.
        let h4 = (byte(second[3]) << 4) | i16::from(second[4] & 0x0f);
        let h5 = (byte(second[5]) << 4) | i16::from(second[4] >> 4);
        Self {
            t: [unsigned(0), signed(2), signed(4)],
            p: [
                unsigned(6),
                signed(8),
                signed(10),
                signed(12),
                signed(14),
                signed(16),
                signed(18),
                signed(20),
                signed(22),
            ],
            h: [
                f64::from(first[25]),
                f64::from(i16::from_le_bytes([second[0], second[1]])),
                f64::from(second[2]),
                f64::from(h4),
                f64::from(h5),
                f64::from(byte(second[6])),
            ],
        }
    }

    // The compensation formulas in double precision (appendix A, 8.1).

    /// °C, and the fine temperature that the other two need.
    fn temperature(&self, raw: u32) -> (f64, f64) {
        let raw = f64::from(raw);
        let [t1, t2, t3] = self.t;
        let first = (raw / 16_384.0 - t1 / 1024.0) * t2;
        let second = (raw / 131_072.0 - t1 / 8192.0).powi(2) * t3;
        let fine = (first + second).trunc();
        ((first + second) / 5120.0, fine)
    }

    /// Pa; 0 where its parameters would have it divide by nothing, as in the data sheet.
    fn pressure(&self, raw: u32, fine: f64) -> f64 {
        let [p1, p2, p3, p4, p5, p6, p7, p8, p9] = self.p;
        let first = fine / 2.0 - 64_000.0;
        let second = first * first * p6 / 32_768.0 + first * p5 * 2.0;
        let second = second / 4.0 + p4 * 65_536.0;
        let first = (p3 * first * first / 524_288.0 + p2 * first) / 524_288.0;
        let first = (1.0 + first / 32_768.0) * p1;
        if first == 0.0 {
            return 0.0;
        }
        let pressure = (1_048_576.0 - f64::from(raw) - second / 4096.0) * 6250.0 / first;
        let first = p9 * pressure * pressure / 2_147_483_648.0;
        let second = pressure * p8 / 32_768.0;
        pressure + (first + second + p7) / 16.0
    }

    /// %, 0 to 100.
    fn humidity(&self, raw: u16, fine: f64) -> f64 {
        let [h1, h2, h3, h4, h5, h6] = self.h;
        let above = fine - 76_800.0;
        let humidity = (f64::from(raw) - (h4 * 64.0 + h5 / 16_384.0 * above))
            * (h2 / 65_536.0 * (1.0 + h6 / 67_108_864.0 * above * (1.0 + h3 / 67_108_864.0 * above)));
        (humidity * (1.0 - h1 * humidity / 524_288.0)).clamp(0.0, 100.0)
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    use super::*;

    const AT: u8 = 0x76;

    /// The parameters of the BMP280 data sheet's worked example (BST-BMP280-DS001, 3.12), whose formulas are the same;
    /// those of humidity are of a chip's own.
    fn calibration() -> ([u8; 26], [u8; 7]) {
        let words: [i32; 12] = [27_504, 26_435, -1000, 36_477, -10_685, 3024, 2855, 140, -7, 15_500, -14_600, 6000];
        let mut first = [0; 26];
        for (place, word) in words.iter().enumerate() {
            let bytes = word.to_le_bytes();
            first[2 * place..2 * place + 2].copy_from_slice(&bytes[..2]);
        }
        first[25] = 75;
        // H2 = 367, H3 = 0, H4 = 301 (0x12d), H5 = 50 (0x032), H6 = 30.
        (first, [0x6f, 0x01, 0x00, 0x12, 0x2d, 0x03, 0x1e])
    }

    fn setting_up() -> Vec<Transaction> {
        let (first, second) = calibration();
        vec![
            Transaction::write_read(AT, vec![ID], vec![IS_BME280]),
            Transaction::write(AT, vec![RESET, 0xb6]),
            Transaction::write_read(AT, vec![STATUS], vec![0x01]),
            Transaction::write_read(AT, vec![STATUS], vec![0x00]),
            Transaction::write_read(AT, vec![CALIBRATION], first.to_vec()),
            Transaction::write_read(AT, vec![CALIBRATION_HUMIDITY], second.to_vec()),
        ]
    }

    fn measuring(data: [u8; 8]) -> Vec<Transaction> {
        vec![
            Transaction::write(AT, vec![CTRL_HUM, 0x01]),
            Transaction::write(AT, vec![CONFIG, 0x00]),
            Transaction::write(AT, vec![CTRL_MEAS, 0x25]),
            Transaction::write_read(AT, vec![STATUS], vec![0x08]),
            Transaction::write_read(AT, vec![STATUS], vec![0x00]),
            Transaction::write_read(AT, vec![DATA], data.to_vec()),
        ]
    }

    #[test]
    fn the_data_sheets_example_is_compensated_to_its_result() {
        // UT = 519888 = 0x7eed0, UP = 415148 = 0x655ac: T = 25.08 °C, p = 100653.27 Pa.
        let data = [0x65, 0x5a, 0xc0, 0x7e, 0xed, 0x00, 0x6b, 0x00];
        let expected = [setting_up(), measuring(data)].concat();
        let mut bus = Mock::new(&expected);
        let mut chip = Bme280::open(AT, &mut bus, &mut NoopDelay).expect("opens");
        let (celsius, fine) = chip.trim.temperature(519_888);
        assert!((celsius - 25.082_5).abs() < 0.000_1 && fine == 128_422.0, "{celsius} {fine}");
        assert!((chip.trim.pressure(415_148, fine) - 100_653.27).abs() < 0.02, "the sheet rounds on its way");
        let values = chip.measure(&mut bus, &mut NoopDelay).expect("measures");
        bus.done();
        assert_eq!(
            values.iter().map(|(variable, ..)| *variable).collect::<Vec<_>>(),
            [Variable::Temperature, Variable::Humidity, Variable::Pressure]
        );
        assert!((values[2].1 - 1006.5327).abs() < 0.0002);
        // By hand, of adc = 27392 and t_fine = 128422: 51622 above 76800;
        // 27392 − (301·64 + 50/16384·51622) = 7970.462; · 367/65536·(1 + 30/67108864·51622) = 45.6644;
        // · (1 − 75·45.6644/524288) = 45.3661.
        assert!((values[1].1 - 45.366_1).abs() < 0.001, "{}", values[1].1);
    }

    #[test]
    fn parameters_of_twelve_bits_keep_their_sign() {
        let (first, mut second) = calibration();
        (second[3], second[4], second[5]) = (0xff, 0xf1, 0x80);
        let trim = Trim::of(&first, &second);
        assert_eq!((trim.h[3], trim.h[4]), (-15.0, -2033.0));
    }

    #[test]
    fn what_is_no_bme280_is_empty_or_stuck_is_said_in_words() {
        let open = |expected: &[Transaction]| {
            let mut bus = Mock::new(expected);
            let outcome = Bme280::open(AT, &mut bus, &mut NoopDelay).map(drop);
            bus.done();
            outcome.expect_err("refused")
        };
        let id = |id: u8| Transaction::write_read(AT, vec![ID], vec![id]);
        assert_eq!(open(&[id(0x58)]), "the chip at 0x76 is a BMP280, which has no humidity");
        assert_eq!(open(&[id(0x61)]), "the chip at 0x76 is no BME280: its id is 0x61, not 0x60");
        let nobody = embedded_hal::i2c::ErrorKind::NoAcknowledge(embedded_hal::i2c::NoAcknowledgeSource::Address);
        assert_eq!(open(&[id(0).with_error(nobody)]), "no chip answers at 0x76; check the wiring and address");
        let mut stuck = vec![id(IS_BME280), Transaction::write(AT, vec![RESET, 0xb6])];
        stuck.extend((0..LOOKS).map(|_| Transaction::write_read(AT, vec![STATUS], vec![0xff])));
        assert_eq!(open(&stuck), "the chip at 0x76 stays busy; is the bus stuck?");

        let data = [0x80, 0, 0, 0x80, 0, 0, 0x80, 0];
        let mut bus = Mock::new(&[setting_up(), measuring(data)].concat());
        let mut chip = Bme280::open(AT, &mut bus, &mut NoopDelay).expect("opens");
        let words = chip.measure(&mut bus, &mut NoopDelay).expect_err("nothing was measured");
        assert!(words.contains("measured nothing"), "{words}");
        bus.done();
    }

    proptest::proptest! {
        /// Whatever a broken chip answers, it is a number or an error.
        #[test]
        fn no_answer_makes_it_fail_otherwise(first: [u8; 26], second: [u8; 7], raw in 0u32..1 << 20, humidity: u16) {
            let trim = Trim::of(&first, &second);
            let (_, fine) = trim.temperature(raw);
            let percent = trim.humidity(humidity, fine);
            proptest::prop_assert!((0.0..=100.0).contains(&percent));
            let _ = trim.pressure(raw, fine);
        }
    }
}
