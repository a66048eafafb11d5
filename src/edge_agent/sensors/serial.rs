//! A board on a serial line that writes a line of JSON or CSV now and then.
//!
//! The device is opened raw, 8 data bits, no parity, one stop bit, no flow control. What comes before the first line
//! break after it was opened is passed over: it may be the end of a line whose beginning is missing. A line that was
//! begun when the board was unplugged is kept aside. A board that is silent for too long has its device opened anew.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{ControlModes, OptionalActions, QueueSelector};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout_at};

use super::board::Desk;
use super::intake::{Intake, Line, MAX_RATE, Rate};
use super::mapped::LineMap;
use super::pulses::waited_for;
use crate::settings::sensors::model::SerialSettings;
use crate::station::text::printable;

/// Reads the board until it is unplugged or silent; answers why.
pub(super) async fn session(settings: &SerialSettings, desk: &Desk) -> String {
    let shown = printable(&settings.device.display().to_string());
    let device = match open(&settings.device, settings.baud) {
        Ok(device) => device,
        Err(error) => return format!("{shown}: {}", words(error)),
    };
    let tty = match waited_for(device) {
        Ok(tty) => tty,
        Err(error) => return format!("{shown}: can't be waited for: {error}"),
    };
    let mut intake = Intake::in_the_middle();
    let end = read(&tty, settings, desk, &mut intake).await;
    if let Some(unfinished) = intake.unfinished() {
        desk.reject(&unfinished, &format!("{shown}: a line that was begun when it ended"));
    }
    format!("{shown}: {end}")
}

async fn read(tty: &AsyncFd<OwnedFd>, settings: &SerialSettings, desk: &Desk, intake: &mut Intake) -> String {
    let map = LineMap::new(settings.format, settings.rain_is, &settings.mapped);
    let patience = Duration::from_secs(u64::from(settings.silent_s));
    let mut heard = Instant::now();
    let mut rate = Rate::new(MAX_RATE);
    let mut bytes = vec![0; 4096];
    loop {
        let Ok(ready) = timeout_at(heard + patience, tty.readable()).await else {
            return format!("no value for {} s; it is opened anew", settings.silent_s);
        };
        let mut ready = match ready {
            Ok(ready) => ready,
            Err(error) => return error.to_string(),
        };
        let count = match ready.try_io(|tty| Ok(rustix::io::read(tty, &mut bytes)?)) {
            Ok(Ok(0)) => return words(Errno::IO),
            Ok(Ok(count)) => count,
            Ok(Err(error)) => return words(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
            Err(_) => continue,
        };
        for line in intake.take(&bytes[..count]) {
            match line {
                Line::Whole(line) => {
                    if map.take(&line, desk) {
                        heard = Instant::now();
                    }
                }
                Line::TooLong(beginning) => desk.reject(&beginning, "a line longer than 4,096 bytes"),
            }
        }
        if let Some(wait) = rate.count(count) {
            desk.note("floods: more than 65,536 bytes in a second; what comes sooner than that is read later or lost");
            tokio::time::sleep(wait).await;
        }
    }
}

fn open(path: &Path, baud: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let device = rustix::fs::open(path, flags, Mode::empty())?;
    let mut terminal = rustix::termios::tcgetattr(&device)?;
    terminal.make_raw();
    terminal.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
    terminal.control_modes &= !(ControlModes::CSTOPB | ControlModes::CRTSCTS);
    terminal.set_speed(baud)?;
    rustix::termios::tcsetattr(&device, OptionalActions::Now, &terminal)?;
    rustix::termios::tcflush(&device, QueueSelector::IFlush)?;
    Ok(device)
}

fn words(error: Errno) -> String {
    match error {
        Errno::NOENT => {
            "isn't there; is the board plugged in? /dev/serial/by-id names it the same in every port".into()
        }
        Errno::ACCESS => "may not be opened; add skydeck's user to the device's group (dialout)".into(),
        Errno::NOTTY => "is no serial device; check device".into(),
        Errno::IO | Errno::NODEV | Errno::NXIO => "was unplugged".into(),
        error => printable(&std::io::Error::from(error).to_string()),
    }
}

#[cfg(test)]
mod tests;
