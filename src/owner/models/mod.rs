//! Model packages: made and looked at (`pack`), published in the environment's container and put to work on its devices
//! (`carry`, on the hub's handle).
//!
//! A package lies in the container as `NAME/VERSION/SHA256.model`: what it is, is known without reading it. A device is handed
//! a link to that blob alone, for reading, good for an hour; the link is in nothing that is kept or shown.

#[cfg(feature = "local")]
mod carry;
#[cfg(feature = "local")]
mod pack;

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "local")]
pub(super) use self::carry::{Means, carry_out};
#[cfg(feature = "local")]
pub use self::pack::{Inspection, PackError, inspect, pack};

/// Something asked about models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "act")]
pub enum ModelAsk {
    /// The packages that are published, and what the devices say of theirs.
    List,
    /// Put a package into the container.
    Publish {
        /// Its file, absolute.
        file: PathBuf,
    },
    /// Have a device put a published package's model to work.
    Deploy {
        /// The device.
        device: String,
        /// The model's name.
        name: String,
        /// Its version.
        version: String,
    },
    /// Have a device put the model before to work.
    Rollback {
        /// The device.
        device: String,
    },
}

impl ModelAsk {
    /// Whether it changes the world.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        !matches!(self, Self::List)
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "is")]
pub enum ModelAnswer {
    /// To [`ModelAsk::List`].
    Models {
        /// Packages, by name and version.
        published: Vec<PublishedModel>,
        /// Devices, by id.
        devices: Vec<DeviceModel>,
    },
    /// To [`ModelAsk::Publish`].
    Published {
        /// The package.
        model: PublishedModel,
        /// Whether it lay there already.
        was_there: bool,
    },
    /// To [`ModelAsk::Deploy`] and [`ModelAsk::Rollback`].
    Asked {
        /// The device.
        device: String,
        /// The model it is to have; absent for a rollback.
        model: Option<String>,
        /// Its answer's status, like HTTP's.
        status: u16,
        /// Its answer.
        payload: Value,
    },
}

/// A package in the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedModel {
    /// The model's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Digest of the package, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// When it was published, wall time.
    pub published_at: Option<Timestamp>,
}

impl PublishedModel {
    /// The model's id, as predictions carry it.
    #[must_use]
    pub fn id(&self) -> String {
        crate::nowcast::package::manifest::id(&self.name, &self.version)
    }
}

/// What a device says of its model, by its twin. Absent is what it doesn't say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeviceModel {
    /// The device.
    pub device: String,
    /// The model that makes its nowcasts.
    pub current: Option<String>,
    /// Digest of its package.
    pub sha256: Option<String>,
    /// The one before.
    pub previous: Option<String>,
    /// The one that is desired.
    pub desired: Option<String>,
    /// The one it gave up by itself, and why.
    pub given_up: Option<String>,
    /// A package on its way, or one that failed on it.
    pub deploying: Option<Deploying>,
}

/// A package on its way into a device's slot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deploying {
    /// Its model.
    pub model: String,
    /// When it was asked for, by the device's clock.
    pub asked_at: Option<String>,
    /// `fetching`, `checking`, `priming` or `failed`.
    pub state: String,
    /// How much of it is fetched, in tens.
    pub percent: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// A model's name and version in `NAME@VERSION`; else what is expected, in words.
pub fn model_id(text: &str) -> Result<(String, String), String> {
    use crate::nowcast::package::{is_name, is_version};
    let parts = text.split_once('@').filter(|(name, version)| is_name(name) && is_version(version));
    let (name, version) =
        parts.ok_or("a model is NAME@VERSION, as in roof@1.0.0; `skydeck nowcast models` lists them")?;
    Ok((name.to_owned(), version.to_owned()))
}
