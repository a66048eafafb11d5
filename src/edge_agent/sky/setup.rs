//! A camera's setup from its settings.

use super::lens::{Lens, Projection};
use super::mask::HorizonMask;
use super::rules::Rule;
use crate::settings::{CloudRule, LensProjection, SkySettings, StationSettings};

/// A camera as the analysis needs to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct SkySetup {
    /// Degrees north, −90 to 90.
    pub latitude_deg: f64,
    /// Degrees east, −180 to 180.
    pub longitude_deg: f64,
    /// The lens; without it there is no sun on the picture, and motion is in pixels only.
    pub lens: Option<Lens>,
    /// Which part of the picture is sky; without it the whole picture is, as far as the lens sees above the horizon.
    pub horizon: Option<HorizonMask>,
    /// The rule that gives the cover where the library has no better answer.
    pub rule: Rule,
}

impl SkySetup {
    /// From the settings; `horizon` is what the file at `sky.horizon_mask` holds. Fails in words that name the setting.
    pub fn new(station: &StationSettings, sky: &SkySettings, horizon: Option<HorizonMask>) -> Result<Self, String> {
        let lens = sky.projection.map(|projection| Lens {
            projection: match projection {
                LensProjection::Equidistant => Projection::Equidistant,
                LensProjection::Rectilinear => Projection::Rectilinear,
            },
            fov_deg: sky.fov_deg,
            north_deg: sky.north_deg,
            centre: [sky.centre_x, sky.centre_y],
            tilt_deg: sky.tilt_deg,
        });
        lens.map_or(Ok(()), |lens| lens.check()).map_err(|words| format!("sky.{words}"))?;
        Ok(Self {
            latitude_deg: station.latitude_deg,
            longitude_deg: station.longitude_deg,
            lens,
            horizon,
            rule: sky.cloud_rule.into(),
        })
    }
}

impl From<CloudRule> for Rule {
    fn from(rule: CloudRule) -> Self {
        match rule {
            CloudRule::RedBlue => Self::RedBlue,
            CloudRule::Nrbr => Self::Nrbr,
            CloudRule::Saturation => Self::Saturation,
            CloudRule::Hyta => Self::Hyta,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setup_is_what_the_settings_say() {
        let station = StationSettings::default();
        let unknown = SkySetup::new(&station, &SkySettings::default(), None).expect("a setup");
        assert_eq!((unknown.lens, unknown.rule, unknown.latitude_deg), (None, Rule::RedBlue, station.latitude_deg));
        let known = SkySettings {
            projection: Some(LensProjection::Rectilinear),
            fov_deg: 62.0,
            centre_x: 0.4,
            tilt_deg: 30.0,
            cloud_rule: CloudRule::Hyta,
            ..SkySettings::default()
        };
        let setup = SkySetup::new(&station, &known, None).expect("a setup");
        let lens = setup.lens.expect("a lens");
        assert_eq!(
            (lens.projection, lens.fov_deg, lens.centre, lens.tilt_deg),
            (Projection::Rectilinear, 62.0, [0.4, 0.5], 30.0)
        );
        assert_eq!(setup.rule, Rule::Hyta);
        let wide = SkySettings { fov_deg: 180.0, ..known };
        assert_eq!(SkySetup::new(&station, &wide, None), Err("sky.fov_deg: 180 is outside 1 to 170".into()));
    }
}
