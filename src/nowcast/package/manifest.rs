//! What a package says of itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CARD, PackageError, SELF_TEST, WEIGHTS, is_sha256, read_json};
use crate::nowcast::model::Model;
use crate::station::text::printable;

/// The format that is read and written.
pub const FORMAT: u32 = 1;
/// Days of history that a device keeps, and a model may need.
pub const MAX_HISTORY_DAYS: u8 = 30;

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// The package's format, 1.
    pub format: u32,
    /// The model's name: 1 to 64 lower-case letters, digits and `-`, a letter first.
    pub name: String,
    /// Its version: 1 to 32 letters, digits and any of `.+-`.
    pub version: String,
    /// The kind of model that reads its weights.
    pub kind: String,
    /// When it was made.
    pub created: Timestamp,
    /// The oldest skydeck that can run it, as in `0.1.0`.
    pub minimum_agent: String,
    /// What it needs of a device.
    pub needs: Needs,
    /// The other files of the package.
    pub files: Vec<File>,
}

/// What a model needs of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Needs {
    /// Days of ten-minute means that must be there before it can be put to work, 0 to 30.
    pub history_days: u8,
}

/// A file of the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// What is read first: a newer package may have fields that aren't known here, and is told from a wrong one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    format: u32,
    minimum_agent: String,
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn read(json: &[u8]) -> Result<Self, PackageError> {
        let head: Head = read_json(json).map_err(PackageError::Manifest)?;
        check_head(&head).map_err(PackageError::Manifest)?;
        let manifest: Self = read_json(json).map_err(PackageError::Manifest)?;
        manifest.check().map_err(PackageError::Manifest)?;
        Ok(manifest)
    }

    /// The model's id, as predictions carry it.
    #[must_use]
    pub fn id(&self) -> String {
        id(&self.name, &self.version)
    }

    fn check(&self) -> Result<(), String> {
        if !is_name(&self.name) {
            let name = printable(&self.name);
            return Err(format!(
                "name: {name:?} isn't 1 to 64 lower-case letters, digits and -, a letter first, and no built-in model's"
            ));
        }
        if !is_version(&self.version) {
            let version = printable(&self.version);
            return Err(format!("version: {version:?} isn't 1 to 32 letters, digits and any of .+-"));
        }
        if self.needs.history_days > MAX_HISTORY_DAYS {
            let days = self.needs.history_days;
            return Err(format!("needs.historyDays: a device keeps {MAX_HISTORY_DAYS} days, not {days}"));
        }
        for (place, file) in self.files.iter().enumerate() {
            let name = printable(&file.name);
            if ![WEIGHTS, SELF_TEST, CARD].contains(&file.name.as_str()) {
                return Err(format!("files[{place}].name: {name:?} isn't one of {WEIGHTS}, {SELF_TEST} and {CARD}"));
            }
            if self.files[..place].iter().any(|other| other.name == file.name) {
                return Err(format!("files[{place}].name: {name} stands there twice"));
            }
            if !is_sha256(&file.sha256) {
                return Err(format!("files[{place}].sha256: isn't 64 lower-case hexadecimal digits"));
            }
        }
        match [WEIGHTS, SELF_TEST].into_iter().find(|name| !self.files.iter().any(|file| file.name == *name)) {
            Some(name) => Err(format!("files: {name} is missing")),
            None => Ok(()),
        }
    }
}

/// The id of the model of this name and version.
#[must_use]
pub fn id(name: &str, version: &str) -> String {
    format!("{name}@{version}")
}

/// Whether a package's model may be called so.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && Model::id_of(name).is_none()
}

/// Whether a package's version may be called so.
#[must_use]
pub fn is_version(version: &str) -> bool {
    (1..=32).contains(&version.len())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || ".+-".contains(c))
        && !version.chars().all(|c| c == '.')
}

fn check_head(head: &Head) -> Result<(), String> {
    if head.format != FORMAT {
        return Err(format!(
            "format: {} isn't known here, {FORMAT} is; bring this skydeck ({}) up to date",
            head.format,
            env!("CARGO_PKG_VERSION")
        ));
    }
    let minimum = release(&head.minimum_agent).ok_or_else(|| {
        let version = printable(&head.minimum_agent);
        format!("minimumAgent: {version:?} isn't a version, as in 0.1.0")
    })?;
    if release(env!("CARGO_PKG_VERSION")).is_some_and(|own| own < minimum) {
        return Err(format!(
            "minimumAgent: it needs skydeck {} or newer, and this is {}; bring it up to date",
            head.minimum_agent,
            env!("CARGO_PKG_VERSION")
        ));
    }
    Ok(())
}

/// Major, minor and patch.
fn release(version: &str) -> Option<[u32; 3]> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let release = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(release)
}
