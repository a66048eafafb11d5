//! The settings of `[sky]`: how the camera sees the sky, and how that is judged.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How a lens maps angles to distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LensProjection {
    /// A fisheye: the distance from the centre grows with the angle from the axis.
    Equidistant,
    /// A common lens: it grows with the angle's tangent.
    Rectilinear,
}

/// A rule that tells cloud from sky by colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CloudRule {
    /// Red over blue above 0.8.
    RedBlue,
    /// (B − R)/(B + R) below 0.15.
    Nrbr,
    /// Saturation below 0.35.
    Saturation,
    /// A threshold that each picture gives itself.
    Hyta,
}

/// How the camera sees the sky, and how that is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SkySettings {
    /// The lens; absent is unknown: no sun on the picture, and motion in pixels only.
    pub projection: Option<LensProjection>,
    /// Degrees of sky across the picture's shorter side, 1 to 360; at most 170 rectilinear.
    pub fov_deg: f64,
    /// Azimuth of the picture's top while the camera looks straight up, degrees clockwise from north, 0 to 360.
    pub north_deg: f64,
    /// Where the lens's axis meets the picture, share of its width from the left, 0 to 1.
    pub centre_x: f64,
    /// The same, share of its height from the top, 0 to 1.
    pub centre_y: f64,
    /// How far the axis is tilted away from the zenith, towards the picture's bottom, degrees, 0 to 90.
    pub tilt_deg: f64,
    /// A PNG, bright where the picture shows sky; absent is all that the lens sees above the horizon.
    pub horizon_mask: Option<PathBuf>,
    /// The rule that gives the cloud cover.
    pub cloud_rule: CloudRule,
}

impl Default for SkySettings {
    fn default() -> Self {
        Self {
            projection: None,
            fov_deg: 180.0,
            north_deg: 0.0,
            centre_x: 0.5,
            centre_y: 0.5,
            tilt_deg: 0.0,
            horizon_mask: None,
            cloud_rule: CloudRule::RedBlue,
        }
    }
}
