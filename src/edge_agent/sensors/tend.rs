//! One sensor's life: opened, read until it fails, tried again after a while.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::board::Desk;
use super::{command, i2c, mqtt, rain, serial, sound, vane, wind};
use crate::settings::sensors::model::{Driver, SensorSettings};

/// The first wait after a failure; each further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Reads the sensor for good.
pub(super) async fn tend(settings: SensorSettings, desk: Arc<Desk>, folder: PathBuf) {
    let most = Duration::from_secs(u64::from(settings.retry_s));
    let mut wait = FIRST_RETRY.min(most);
    loop {
        let before = desk.report().reads;
        let trouble = session(&settings.driver, &desk, &folder).await;
        desk.lost(&trouble);
        if desk.report().reads > before {
            wait = FIRST_RETRY.min(most);
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(most);
    }
}

/// Reads the sensor until it can't be read; answers why.
async fn session(driver: &Driver, desk: &Arc<Desk>, folder: &std::path::Path) -> String {
    match driver {
        Driver::Bme280(settings) => i2c::session(i2c::Kind::Bme280, settings, desk).await,
        Driver::Bh1750(settings) => i2c::session(i2c::Kind::Bh1750, settings, desk).await,
        Driver::Tsl2591(settings) => i2c::session(i2c::Kind::Tsl2591, settings, desk).await,
        Driver::Sound(settings) => sound::session(settings, desk).await,
        Driver::Serial(settings) => serial::session(settings, desk).await,
        Driver::Command(settings) => command::session(settings, desk).await,
        Driver::Mqtt(settings) => mqtt::session(settings, desk).await,
        Driver::Rain(settings) => rain::session(settings, desk, folder).await,
        Driver::Wind(settings) => wind::session(settings, desk).await,
        Driver::Vane(settings) => vane::session(settings, desk).await,
    }
}

/// Strikes now and every `seconds`; what was missed isn't made up for.
pub(super) fn every(seconds: u32) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now(), Duration::from_secs(u64::from(seconds.max(1))));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
