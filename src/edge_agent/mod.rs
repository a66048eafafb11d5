//! What runs beside the station.
//!
//! - [`sensors`]: where readings come from
//! - [`outbox`]: the durable queue of what isn't acknowledged yet
//! - [`uplink`]: the IoT Hub device client that drains it
//! - [`history`]: ten-minute means of the last weeks, from which the model is rebuilt
//! - [`health`]: the device's own figures
//! - [`agent`]: the spine that ties them together
//!
//! Called by the owner; knows `station`, `clock`, `database`, `nowcast` and its settings.

pub mod agent;
pub mod health;
pub mod history;
pub mod outbox;
mod redating;
pub mod sensors;
pub mod timekeeping;
pub mod uplink;
