//! Chips on an I²C bus, through `embedded-hal`'s traits; on Linux the bus is a device file.
//!
//! Reading one waits for its conversion, so that it happens on a thread for such work. After any failure the bus is
//! opened and the chip set up anew: it may have been unplugged, or replaced.

use std::sync::Arc;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{ErrorKind, I2c};

use super::bh1750::Bh1750;
use super::bme280::Bme280;
use super::board::Desk;
use super::tend;
use super::tsl2591::Tsl2591;
use crate::settings::sensors::model::I2cSettings;
use crate::station::text::printable;
use crate::station::{QcFlag, Variable};

/// Values of one reading, with flags.
pub(super) type Values = Vec<(Variable, f64, Option<QcFlag>)>;

/// Which chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bme280,
    Bh1750,
    Tsl2591,
}

/// A chip that was set up.
#[derive(Debug)]
enum Chip {
    Bme280(Bme280),
    Bh1750(Bh1750),
    Tsl2591(Tsl2591),
}

impl Chip {
    fn open<I: I2c>(kind: Kind, address: u8, bus: &mut I, delay: &mut impl DelayNs) -> Result<Self, String> {
        match kind {
            Kind::Bme280 => Bme280::open(address, bus, delay).map(Self::Bme280),
            Kind::Bh1750 => Bh1750::open(address, bus).map(Self::Bh1750),
            Kind::Tsl2591 => Tsl2591::open(address, bus).map(Self::Tsl2591),
        }
    }

    fn measure<I: I2c>(&mut self, bus: &mut I, delay: &mut impl DelayNs) -> Result<Values, String> {
        match self {
            Self::Bme280(chip) => chip.measure(bus, delay),
            Self::Bh1750(chip) => chip.measure(bus, delay),
            Self::Tsl2591(chip) => chip.measure(bus, delay),
        }
    }
}

/// Reads the chip each interval until it can't be read; answers why.
pub(super) async fn session(kind: Kind, settings: &I2cSettings, desk: &Arc<Desk>) -> String {
    let shown = printable(&settings.bus.display().to_string());
    let (path, address) = (settings.bus.clone(), settings.address);
    let opened = tokio::task::spawn_blocking(move || {
        let mut bus = linux_embedded_hal::I2cdev::new(&path)
            .map_err(|error| format!("can't be opened: {error}; is I²C switched on, and may skydeck's user use it?"))?;
        let chip = Chip::open(kind, address, &mut bus, &mut linux_embedded_hal::Delay)?;
        Ok::<_, String>((bus, chip))
    });
    let mut open = match opened.await {
        Ok(Ok(open)) => open,
        Ok(Err(words)) => return format!("{shown}: {words}"),
        Err(_) => return "the agent is ending".to_owned(),
    };
    let mut interval = tend::every(settings.interval_s);
    loop {
        interval.tick().await;
        let (mut bus, mut chip) = open;
        let read = tokio::task::spawn_blocking(move || {
            let outcome = chip.measure(&mut bus, &mut linux_embedded_hal::Delay);
            (bus, chip, outcome)
        });
        let Ok((bus, chip, outcome)) = read.await else { return "the agent is ending".to_owned() };
        open = (bus, chip);
        match outcome {
            Ok(values) => desk.put_flagged(values),
            Err(words) => return format!("{shown}: {words}"),
        }
    }
}

/// What went wrong on the bus, in words.
pub(super) fn words<E: embedded_hal::i2c::Error>(address: u8) -> impl Fn(E) -> String {
    move |error| match error.kind() {
        ErrorKind::NoAcknowledge(_) => format!("no chip answers at {address:#04x}; check the wiring and address"),
        ErrorKind::Bus => {
            format!("the bus failed while talking to {address:#04x}: {}", printable(&format!("{error:?}")))
        }
        _ => format!("{address:#04x}: {}", printable(&format!("{error:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bus_that_is_not_there_is_said_in_words() {
        let settings = I2cSettings { bus: "/nowhere/i2c-1".into(), address: 0x76, interval_s: 1 };
        let text = "rank = 1\nretry_s = 1\nkind = \"bme280\"\nbus = \"/nowhere/i2c-1\"\naddress = 118\ninterval_s = 1";
        let sensor = toml::from_str(text).expect("settings");
        let desk = Arc::new(Desk::new("roof", &sensor, &Arc::new(tokio::sync::watch::Sender::new(None))));
        let words = session(Kind::Bme280, &settings, &desk).await;
        assert!(words.starts_with("/nowhere/i2c-1: can't be opened: "), "{words}");
    }
}
