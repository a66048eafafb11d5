//! What the feed says of the roof now: messages, the newest measurement, the devices.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::ingestion::feed::{FeedStatus, LiveFeed};
use crate::nowcast::solar;
use crate::owner::answers::received;
use crate::owner::protocol::Answer;
use crate::owner::snapshot::{Device, Now};
use crate::settings::StationSettings;
use crate::station::units::sea_level_pressure_hpa;
use crate::station::{DeviceHealth, Variable};

const TEN_MINUTES: SignedDuration = SignedDuration::from_mins(10);
/// Most messages one answer holds.
const MOST: usize = 100_000;

/// The newest messages as received.
pub(super) fn messages(feed: &LiveFeed, limit: usize) -> Answer {
    Answer::Messages { messages: feed.recent(limit.min(MOST)).iter().map(|message| received(message)).collect() }
}

/// What the roof says now.
pub(super) fn now(feed: &LiveFeed, status: &FeedStatus, station: &StationSettings) -> Now {
    let station = station.metadata();
    let measurement = status.newest.clone();
    let tendency = |variable: Variable| feed.tendency_per_h(variable).map(|change| (variable, change));
    let reduced = measurement
        .as_ref()
        .and_then(|m| Some(sea_level_pressure_hpa(m.pressure_hpa?, m.temperature_c?, station.altitude_m)));
    let sun =
        measurement.as_ref().map(|m| solar::elevation_deg(m.measured_at, station.latitude_deg, station.longitude_deg));
    Now {
        tendency_per_h: Variable::ALL.into_iter().filter_map(tendency).collect(),
        sea_level_pressure_hpa: reduced,
        sun_elevation_deg: sun,
        received: status.measurements,
        measurement,
    }
}

/// The devices that the feed has heard of. Whether one is connected only the hub knows: here it is so while the feed is read
/// and the device is heard of.
pub(super) fn devices(
    heard: &[(Arc<str>, Timestamp)],
    status: &FeedStatus,
    is_read: bool,
    now: Timestamp,
) -> Vec<Device> {
    let device = |(id, at): &(Arc<str>, Timestamp)| {
        let health: Option<&DeviceHealth> = status.health.get(&**id);
        Device::heard_of(id.to_string(), *at, is_read && now.duration_since(*at) < TEN_MINUTES, health.cloned())
    };
    heard.iter().map(device).collect()
}
