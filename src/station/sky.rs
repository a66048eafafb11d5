//! What a picture of the sky shows, as it rides in measurements and pictures' notes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::{InvalidMessage, check_interval};
use super::shape::given;
use super::text::printable;

/// Characters the name of a rule has at most.
const LONGEST_METHOD: usize = 32;

/// What the newest picture of the sky shows. What couldn't be judged is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SkyFeatures {
    /// When the picture was taken.
    pub taken_at: Timestamp,
    /// Share of the visible sky covered by cloud, %; absent by night and where the picture can't be judged.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 100))]
    pub cloud_cover_pct: Option<f64>,
    /// The rule that gave it: `redBlue`, `nrbr`, `saturation`, `hyta` or `clearSky`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub method: Option<String>,
    /// The cover by the other rules, %, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cloud_cover_by_method_pct: BTreeMap<String, f64>,
    /// The cover in eighths, 0 to 8, as observers report it: 0 and 8 only where nothing, or everything, is covered.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "u8", range(min = 0, max = 8))]
    pub okta: Option<u8>,
    /// The cover's class, by the okta.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "SkyClass")]
    pub sky_class: Option<SkyClass>,
    /// The sun's elevation above the mathematical horizon, degrees, without refraction.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = -90, max = 90))]
    pub sun_elevation_deg: Option<f64>,
    /// The sun's azimuth, degrees clockwise from north.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 360))]
    pub sun_azimuth_deg: Option<f64>,
    /// Whether it is night: the sun more than 6° below the horizon.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "bool")]
    pub is_night: Option<bool>,
    /// Direction the clouds move to, degrees clockwise from north; absent without the lens's geometry.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 360))]
    pub motion_direction_deg: Option<f64>,
    /// Speed of that motion, degrees of sky per minute; absent without the lens's geometry.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0))]
    pub motion_deg_per_min: Option<f64>,
    /// Direction the clouds move to on the picture, degrees clockwise from its top.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 360))]
    pub motion_picture_deg: Option<f64>,
    /// Speed of that motion, pixels of the picture per second.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0))]
    pub motion_px_per_s: Option<f64>,
    /// How sure the motion is, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 1))]
    pub motion_confidence: Option<f64>,
    /// What is wrong with the picture, or makes its figures unsure; each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<SkyWarning>,
    /// Whether the picture was drawn and not taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rendered: bool,
}

/// How much of the sky is covered, by okta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SkyClass {
    /// 0 okta.
    Clear,
    /// 1 and 2 okta.
    Few,
    /// 3 and 4 okta.
    Scattered,
    /// 5 to 7 okta.
    Broken,
    /// 8 okta.
    Overcast,
}

/// What is wrong with a picture, or makes its figures unsure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SkyWarning {
    /// By day, and too dark to judge.
    Dark,
    /// Too much of it is white to judge.
    OverExposed,
    /// Edges that are there are soft.
    Blurred,
    /// Soft in parts and sharp in others: drops on the lens.
    WetLens,
    /// The same all over, beyond the horizon too: something lies on the lens.
    LensCovered,
    /// The same as the picture before it.
    Duplicate,
    /// The sun stands in the picture; the sky near it was left out.
    SunGlare,
    /// The sun is below 5°: its colours aren't the rules'.
    LowSun,
    /// The sky that is left to judge is less than a tenth of the picture.
    LittleSky,
    /// The horizon mask has another shape than the picture and was left aside.
    MaskMismatch,
}

impl SkyFeatures {
    /// Features of a picture of which nothing else is known yet.
    #[must_use]
    pub const fn at(taken_at: Timestamp) -> Self {
        Self {
            taken_at,
            cloud_cover_pct: None,
            method: None,
            cloud_cover_by_method_pct: BTreeMap::new(),
            okta: None,
            sky_class: None,
            sun_elevation_deg: None,
            sun_azimuth_deg: None,
            is_night: None,
            motion_direction_deg: None,
            motion_deg_per_min: None,
            motion_picture_deg: None,
            motion_px_per_s: None,
            motion_confidence: None,
            warnings: Vec::new(),
            rendered: false,
        }
    }
}

impl SkyClass {
    /// The class of a cover of `okta` eighths; more than 8 counts as 8.
    #[must_use]
    pub const fn of_okta(okta: u8) -> Self {
        match okta {
            0 => Self::Clear,
            1 | 2 => Self::Few,
            3 | 4 => Self::Scattered,
            5..=7 => Self::Broken,
            _ => Self::Overcast,
        }
    }

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Few => "few clouds",
            Self::Scattered => "scattered",
            Self::Broken => "broken",
            Self::Overcast => "overcast",
        }
    }
}

impl SkyWarning {
    /// Every warning.
    pub const ALL: [Self; 10] = [
        Self::Dark,
        Self::OverExposed,
        Self::Blurred,
        Self::WetLens,
        Self::LensCovered,
        Self::Duplicate,
        Self::SunGlare,
        Self::LowSun,
        Self::LittleSky,
        Self::MaskMismatch,
    ];

    /// Words for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Dark => "too dark",
            Self::OverExposed => "over-exposed",
            Self::Blurred => "blurred",
            Self::WetLens => "wet lens",
            Self::LensCovered => "lens covered",
            Self::Duplicate => "same picture again",
            Self::SunGlare => "sun in the picture",
            Self::LowSun => "low sun",
            Self::LittleSky => "little sky",
            Self::MaskMismatch => "mask doesn't fit",
        }
    }
}

pub(super) fn check_sky(sky: &SkyFeatures) -> Result<(), InvalidMessage> {
    let figures = [
        ("sky.cloudCoverPct", sky.cloud_cover_pct, 0.0, 100.0),
        ("sky.okta", sky.okta.map(f64::from), 0.0, 8.0),
        ("sky.sunElevationDeg", sky.sun_elevation_deg, -90.0, 90.0),
        ("sky.sunAzimuthDeg", sky.sun_azimuth_deg, 0.0, 360.0),
        ("sky.motionDirectionDeg", sky.motion_direction_deg, 0.0, 360.0),
        ("sky.motionDegPerMin", sky.motion_deg_per_min, 0.0, f64::MAX),
        ("sky.motionPictureDeg", sky.motion_picture_deg, 0.0, 360.0),
        ("sky.motionPxPerS", sky.motion_px_per_s, 0.0, f64::MAX),
        ("sky.motionConfidence", sky.motion_confidence, 0.0, 1.0),
    ];
    for (field, value, low, high) in figures {
        if let Some(value) = value {
            check_interval(field, value, low, high)?;
        }
    }
    for (name, &cover) in &sky.cloud_cover_by_method_pct {
        check_method(name)?;
        check_interval("sky.cloudCoverByMethodPct", cover, 0.0, 100.0)?;
    }
    sky.method.as_deref().map_or(Ok(()), check_method)?;
    match sky.warnings.iter().enumerate().find(|(i, warning)| sky.warnings[..*i].contains(warning)) {
        Some((_, twice)) => Err(InvalidMessage::Shape(format!("sky.warnings: {} stands twice", twice.label()))),
        None => Ok(()),
    }
}

/// A rule's name: 1 to 32 letters and digits.
fn check_method(name: &str) -> Result<(), InvalidMessage> {
    let is_name = (1..=LONGEST_METHOD).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric());
    if is_name {
        return Ok(());
    }
    let words =
        format!("sky.method: {:?} is no rule's name, 1 to {LONGEST_METHOD} letters and digits", printable(name));
    Err(InvalidMessage::Shape(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_its_oktas() {
        use SkyClass::{Broken, Clear, Few, Overcast, Scattered};
        let classes: Vec<_> = (0..=9).map(SkyClass::of_okta).collect();
        assert_eq!(classes, [Clear, Few, Few, Scattered, Scattered, Broken, Broken, Broken, Overcast, Overcast]);
    }

    #[test]
    fn features_that_cannot_be_are_refused_with_their_field() {
        let fine =
            SkyFeatures { method: Some("redBlue".into()), okta: Some(8), ..SkyFeatures::at(Timestamp::UNIX_EPOCH) };
        assert_eq!(check_sky(&fine), Ok(()));
        let refused = |change: fn(&mut SkyFeatures)| {
            let mut sky = fine.clone();
            change(&mut sky);
            check_sky(&sky).expect_err("refused").to_string()
        };
        assert_eq!(refused(|sky| sky.okta = Some(9)), "sky.okta 9 is outside 0 to 8");
        assert_eq!(
            refused(|sky| sky.sun_elevation_deg = Some(-90.5)),
            "sky.sunElevationDeg -90.5 is outside -90 to 90"
        );
        assert_eq!(refused(|sky| sky.motion_confidence = Some(1.5)), "sky.motionConfidence 1.5 is outside 0 to 1");
        assert_eq!(refused(|sky| sky.motion_px_per_s = Some(f64::NAN)), "sky.motionPxPerS is not a finite number");
        assert!(refused(|sky| sky.method = Some("a b".into())).contains("\"a b\" is no rule's name"));
        assert!(refused(|sky| sky.method = Some(String::new())).contains("is no rule's name"));
        let other = |sky: &mut SkyFeatures| sky.cloud_cover_by_method_pct = [("hyta".into(), 101.0)].into();
        assert_eq!(refused(other), "sky.cloudCoverByMethodPct 101 is outside 0 to 100");
        let twice = |sky: &mut SkyFeatures| sky.warnings = vec![SkyWarning::Dark, SkyWarning::LowSun, SkyWarning::Dark];
        assert!(refused(twice).contains("sky.warnings: too dark stands twice"));
    }

    #[test]
    fn every_warning_is_listed() {
        for (i, warning) in SkyWarning::ALL.into_iter().enumerate() {
            assert_eq!(warning as usize, i);
        }
    }
}
