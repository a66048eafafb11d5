//! The live feed in the cloud: IoT Hub's built-in endpoint, which speaks Event Hubs' AMQP 1.0, read into the same
//! [`LiveFeed`](super::feed::LiveFeed) as the embedded hub's log.
//!
//! `place` which endpoint, by which name · `token` what opens it · `dial` the stream beneath: proxy, TLS, WebSocket · `line`
//! one AMQP connection: its rights, its management · `redirect` from the hub's own address to the endpoint's · `partition` one
//! partition, read · `decode` a message as every screen has it · `intake` what was read, handed on and remembered · `memory`
//! checkpoints, what was seen, what was put aside, and in `minutes` what was measured · `reader` all of it, kept up · `status` how it stands.
//!
//! Nothing here draws, and nothing here is told to anybody but through [`EventsStatus`] and the feed.

mod decode;
mod dial;
mod error;
mod intake;
mod line;
mod memory;
mod minutes;
mod partition;
mod place;
mod reader;
mod redirect;
mod status;
mod token;

pub use error::{EventsError, Fault};
pub use memory::{Aside, EventsMemory, Noted, Seen};
pub use minutes::Minute;
pub use reader::{EventsReader, Pace, TOLD};
pub use status::{EventsStatus, LineState, PartitionStatus};
pub use token::Credentials;
