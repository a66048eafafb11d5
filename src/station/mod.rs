//! The language of the domain: what a station measures, predicts and says of itself.
//!
//! Pure values and the rules that hold for them, with their JSON on the wire. Every other room knows this
//! one; it knows nobody.

mod checks; // what a message has to keep: ranges and shape
mod envelope; // any of the four messages
pub mod forecast;
mod identity; // a message's
pub mod machine;
pub mod message;
pub mod metadata;
#[cfg(test)]
mod proofs;
mod shape; // reading JSON strictly, and saying where it isn't a message
pub mod sky;
pub mod text;
pub mod units;
pub mod variable;

pub use checks::InvalidMessage;
pub use envelope::{Message, MessageKind};
pub use forecast::{LeadForecast, Quantiles, VariableForecast};
pub use identity::MessageId;
pub use machine::Machine;
pub use message::{
    ClockFlag, ClockNote, DeviceHealth, PictureTaken, Prediction, Reading, SCHEMA_VERSION, WeatherMeasurement,
};
pub use metadata::StationMetadata;
pub use sky::{SkyClass, SkyFeatures, SkyWarning};
pub use variable::{QcFlag, Variable};

/// Instant in UTC; RFC 3339 on the wire.
pub use jiff::Timestamp;
