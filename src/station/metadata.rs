//! Where a station stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A station's place and surroundings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StationMetadata {
    /// Name for people.
    pub name: String,
    /// Degrees north, −90 to 90 (WGS 84).
    pub latitude_deg: f64,
    /// Degrees east, −180 to 180 (WGS 84).
    pub longitude_deg: f64,
    /// Metres above mean sea level.
    pub altitude_m: f64,
    /// Elevation of the visible horizon in degrees, at equal steps of azimuth clockwise from north; empty
    /// where it isn't known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub horizon_deg: Vec<f64>,
}
