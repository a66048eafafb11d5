//! What the feed answers: series, messages, nowcasts, as far back as it was read.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::ingestion::feed::{FeedStatus, LiveFeed};
use crate::nowcast::solar;
use crate::owner::answers::{extremes, marks, received, series};
use crate::owner::protocol::Answer;
use crate::owner::snapshot::{Device, Now};
use crate::owner::views::{NowcastView, Series};
use crate::settings::StationSettings;
use crate::station::forecast::MAX_LEAD_MINUTES;
use crate::station::units::sea_level_pressure_hpa;
use crate::station::{DeviceHealth, Prediction, Variable};

/// Measurements shown before a nowcast.
const HISTORY: SignedDuration = SignedDuration::from_hours(6);
const TEN_MINUTES: SignedDuration = SignedDuration::from_mins(10);
/// Most points or messages one answer holds.
const MOST: usize = 100_000;

/// Points of one variable.
pub(super) fn points(
    feed: &LiveFeed,
    device: Option<&str>,
    variable: Variable,
    (from, to): (Timestamp, Timestamp),
    max_points: usize,
) -> Series {
    let span = to.duration_since(from).as_secs().max(1);
    let points = i64::try_from(max_points.clamp(1, MOST)).unwrap_or(1);
    let width = SignedDuration::from_secs((span + points - 1) / points);
    let (bins, typical) = feed.bins(device, variable, from, to, width);
    let mut found = series(variable, &bins, width, typical, width / 2);
    found.flags = marks(&feed.flags(device, variable, from, to), width);
    found
}

/// Least and greatest values.
pub(super) fn least_and_greatest(feed: &LiveFeed, device: Option<&str>, from: Timestamp, to: Timestamp) -> Answer {
    Answer::Extremes { extremes: extremes(feed.extremes(device, from, to)) }
}

/// The newest messages as received.
pub(super) fn messages(feed: &LiveFeed, limit: usize) -> Answer {
    Answer::Messages { messages: feed.recent(limit.min(MOST)).iter().map(|message| received(message)).collect() }
}

/// The newest nowcast, with what was measured around it.
pub(super) fn nowcast(feed: &LiveFeed) -> Answer {
    let nowcast = feed.status().prediction.map(|prediction| {
        let measured = measured_around(feed, &prediction);
        Box::new(NowcastView { prediction, measured })
    });
    Answer::Nowcast { nowcast }
}

fn measured_around(feed: &LiveFeed, prediction: &Prediction) -> Vec<Series> {
    let issued = prediction.measured_at;
    let (from, to) = (issued - HISTORY, issued + SignedDuration::from_mins(i64::from(MAX_LEAD_MINUTES)));
    let of = |variable: Variable| {
        let (bins, _) = feed.bins(Some(&prediction.device_id), variable, from, to, TEN_MINUTES);
        // A mean is labelled by the end of its ten minutes, as forecasts are.
        series(variable, &bins, TEN_MINUTES, Some(TEN_MINUTES), TEN_MINUTES)
    };
    prediction.forecasts.iter().map(|forecast| of(forecast.variable)).collect()
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

/// The devices that the feed has heard of. Whether one is connected only the hub knows: here it is so while it is heard of.
pub(super) fn devices(heard: &[(Arc<str>, Timestamp)], status: &FeedStatus, now: Timestamp) -> Vec<Device> {
    let device = |(id, at): &(Arc<str>, Timestamp)| {
        let health: Option<&DeviceHealth> = status.health.get(&**id);
        Device::heard_of(id.to_string(), *at, now.duration_since(*at) < TEN_MINUTES, health.cloned())
    };
    heard.iter().map(device).collect()
}
