//! What runs beside the station.
//!
//! - [`agent`]: the spine that ties the parts together; [`report`]: what it says of itself
//! - [`sensors`]: where readings come from; `reader`, `pace`: from there into the outbox, with the nowcasts they bring
//! - [`quality`]: what is suspect of it is flagged
//! - [`outbox`]: the durable queue of what isn't acknowledged yet
//! - [`uplink`]: the IoT Hub device client that drains it
//! - [`link_test`]: the way to the hub, tried on request
//! - [`timekeeping`], `redating`: the machine's clock, and what is measured before it is set
//! - [`history`]: ten-minute means of the last weeks, from which a model is rebuilt; `slot`: which model it is, how another
//!   one comes into it
//! - `health`: the device's own figures; `pulse`: whether the reader lives
//! - [`twin`], [`methods`], `received`, `requests`: what the hub wants
//! - `camera`: pictures from their source into the `spool`; `upload`, `files`: from there into the hub's storage; [`sky`]:
//!   what they show; [`clear_skies`]: the camera's library of them, on disk
//!
//! Called by the owner; knows `station`, `clock`, `database`, `nowcast` and its settings.

pub mod agent;
mod camera;
pub mod clear_skies;
mod files;
mod health;
pub mod history;
pub mod link_test;
pub mod methods;
pub mod outbox;
mod pace;
mod pulse;
pub mod quality;
mod reader;
mod received;
mod redating;
pub mod report;
mod requests;
pub mod sensors;
mod shared;
pub mod sky;
mod slot;
mod spool;
pub mod timekeeping;
pub mod twin;
pub mod uplink;
mod upload;

pub use camera::preview::{NewestPicture, PreviewPicture};
pub use health::MachineReader;
pub use pulse::Pulse;
pub use shared::{Host, LogEntry, SetLogFilter, TailLog};
