//! Messages for this room's tests.

use jiff::Timestamp;

use crate::station::{DeviceHealth, Message, MessageId, PictureTaken, Prediction, SCHEMA_VERSION};
use crate::station::{Variable, WeatherMeasurement};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a test's timestamp")
}

pub(crate) fn measurement(measured_at: Timestamp) -> Message {
    let mut measurement = WeatherMeasurement::empty("roof-01", measured_at);
    measurement.set(Variable::Temperature, Some(14.2));
    Message::WeatherMeasurement(measurement)
}

pub(crate) fn picture(measured_at: Timestamp) -> Message {
    Message::PictureTaken(PictureTaken::plain("sky.jpg", measured_at, 1))
}

pub(crate) fn prediction(measured_at: Timestamp) -> Message {
    Message::Prediction(Prediction {
        device_id: "roof-01".into(),
        message_id: MessageId::new(measured_at),
        measured_at,
        schema: SCHEMA_VERSION,
        clock: None,
        model_id: "m".into(),
        forecasts: Vec::new(),
        rain_probability: None,
        cloud_probability: Vec::new(),
    })
}

pub(crate) fn health(measured_at: Timestamp) -> Message {
    Message::DeviceHealth(DeviceHealth {
        device_id: "roof-01".into(),
        message_id: MessageId::new(measured_at),
        measured_at,
        schema: SCHEMA_VERSION,
        clock: None,
        agent_version: "0".into(),
        agent_uptime_s: 1.0,
        outbox_rows: 0,
        outbox_bytes: 0,
        outbox_given_up: 0,
        memory_used_pct: None,
        process_memory_mib: None,
        load_average: None,
        disk_free_mib: None,
        temperature_c: None,
        machine: None,
    })
}
