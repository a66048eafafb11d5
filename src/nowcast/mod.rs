//! Nowcasts: from measurements to quantile forecasts four hours ahead, and what became of them.
//!
//! - [`means`]: ten-minute means, the raster on which everything here works
//! - [`solar`]: where the sun stands, and how bright a cloudless sky is then
//! - [`anomaly_persistence`]: the model that needs no training; the edge agent runs it
//! - [`persistence`]: nothing changes; what the others have to be better than
//! - [`model`]: either, behind one face; [`parameters`]: what they go by
//! - [`package`]: a model as a file: manifest, weights, self-test, signature
//! - [`health`]: whether a model's forecasts hold, and whether they are better than persistence
//! - `series`, `light`, `history`, `errors`: its parts: one quantity, the special case of light, the last days by
//!   time of day, windows of past errors
//! - [`verification`]: a forecast against what came; the pipeline's end keeps the sums
//!
//! Everything here is pure and deterministic: no clock, no file, no randomness. The edge agent and the
//! ingestion call it; it knows only `station`.

pub mod anomaly_persistence;
mod errors;
#[cfg(test)]
pub mod fixture;
pub mod health;
mod history;
mod light;
pub mod means;
pub mod model;
pub mod package;
pub mod parameters;
pub mod persistence;
mod series;
pub mod solar;
pub mod verification;

pub use anomaly_persistence::{AnomalyPersistence, MODEL_ID};
pub use means::{Mean, TenMinuteMeans};
pub use model::{MODEL_IDS, Model, Weights};
pub use persistence::{PERSISTENCE_ID, Persistence};
pub use verification::{Outcome, ScoreSums, verify};
