//! A model as a file: what a package holds, and whether it may be believed.
//!
//! - `archive`: the tar it comes in, read within bounds
//! - [`manifest`]: what it says of itself
//! - [`self_test`]: inputs with the forecasts that a model of its weights makes of them
//! - [`signature`]: who stands behind it
//!
//! The format is described in `docs/src/reference/model-package.md`. Everything is read strictly: what isn't known, comes
//! twice or is too large is an error that names it. Nothing is unpacked to a disk.

mod archive;
pub mod manifest;
#[cfg(test)]
pub mod samples;
pub mod self_test;
pub mod signature;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Read;

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::model::{Model, Weights};
use crate::station::text::printable;
use archive::Contents;
pub use manifest::{Manifest, Needs, is_name, is_version};
pub use self_test::SelfTest;
use signature::{Signature, TrustedKey};

/// Bytes of a package's file.
pub const MAX_PACKAGE: u64 = 64 * 1024 * 1024;
/// The files of a package.
pub const MANIFEST: &str = "manifest.json";
/// As `ssh-keygen -Y sign` calls the signature of a file.
pub const SIGNATURE: &str = "manifest.json.sig";
/// The model's weights.
pub const WEIGHTS: &str = "weights.json";
/// What it is tested with.
pub const SELF_TEST: &str = "self-test.json";
/// What people should know of it; the only file that may be missing beside the signature.
pub const CARD: &str = "card.md";

/// Why a package isn't taken. Printable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The archive isn't one, or holds what doesn't belong in it.
    #[error("archive: {0}")]
    Archive(String),
    /// The manifest doesn't hold.
    #[error("{MANIFEST}: {0}")]
    Manifest(String),
    /// A file isn't what the manifest says, or can't be read.
    #[error("{name}: {reason}")]
    File {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// It isn't signed by a trusted key.
    #[error("signature: {0}")]
    Signature(String),
    /// A forecast isn't what the package says it is.
    #[error("self-test: {0}")]
    SelfTest(String),
}

/// A package as it was read: whole, but neither trusted nor tested yet.
#[derive(Debug, Clone)]
pub struct Package {
    manifest: Manifest,
    /// The bytes that are signed.
    manifest_json: Vec<u8>,
    signature: Option<Signature>,
    weights: Weights,
    self_test: SelfTest,
    card: Option<String>,
}

impl Package {
    /// Reads a package, a tar that may be gzipped, to its end. Takes at most [`MAX_PACKAGE`] bytes of it, and memory for what
    /// is in it.
    pub fn read(from: impl Read) -> Result<Self, PackageError> {
        let Contents { manifest: manifest_json, signature, mut files } = archive::read(from)?;
        let manifest = Manifest::read(&manifest_json)?;
        check_files(&manifest, &files)?;
        let signature = match signature {
            None => None,
            Some(text) => Some(Signature::parse(&text).map_err(PackageError::Signature)?),
        };
        let in_file = |name: &str| {
            let name = name.to_owned();
            move |reason| PackageError::File { name, reason }
        };
        let mut take = |name: &str| files.remove(name).ok_or_else(|| in_file(name)("isn't there".to_owned()));
        let weights = Weights::read(&manifest.kind, &take(WEIGHTS)?).map_err(in_file(WEIGHTS))?;
        let self_test = SelfTest::read(&take(SELF_TEST)?).map_err(in_file(SELF_TEST))?;
        let card = take(CARD).ok().map(|text| String::from_utf8_lossy(&text).into_owned());
        Ok(Self { manifest, manifest_json, signature, weights, self_test, card })
    }

    /// What it says of itself.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What people should know of it, as it was written: not printable.
    #[must_use]
    pub fn card(&self) -> Option<&str> {
        self.card.as_deref()
    }

    /// Which key it is signed with; absent where it isn't. Fails where the signature doesn't fit the manifest. Says nothing
    /// about whose key that is.
    pub fn signer(&self) -> Result<Option<TrustedKey>, PackageError> {
        let Some(signature) = &self.signature else { return Ok(None) };
        signature.verify(&self.manifest_json).map(Some).map_err(PackageError::Signature)
    }

    /// Whether one of `trusted` has signed it.
    pub fn verify(&self, trusted: &[TrustedKey]) -> Result<(), PackageError> {
        let failed = |words: String| Err(PackageError::Signature(words));
        match self.signer()? {
            None => {
                failed("there is none, and only packages signed by a key in model.trusted_keys are taken".to_owned())
            }
            Some(key) if trusted.contains(&key) => Ok(()),
            Some(key) => failed(format!("it is by the key {}, which isn't in model.trusted_keys", key.fingerprint())),
        }
    }

    /// Whether a model of its weights forecasts what it says; answers how many forecasts were compared.
    pub fn test(&self) -> Result<usize, PackageError> {
        let id = self.manifest.id();
        let make = |latitude, longitude| self.weights.model(&id, latitude, longitude);
        self.self_test.run(make).map_err(PackageError::SelfTest)
    }

    /// A model of its weights that knows nothing yet, for a station at degrees north and east.
    #[must_use]
    pub fn model(&self, latitude_deg: f64, longitude_deg: f64) -> Model {
        self.weights.model(&self.manifest.id(), latitude_deg, longitude_deg)
    }
}

/// What a package is made of.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The manifest, complete.
    pub manifest: Vec<u8>,
    /// Its signature, armoured.
    pub signature: Option<String>,
    /// The files that the manifest names.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Makes a package's file: the same bytes of the same parts.
pub fn write(parts: &Parts) -> std::io::Result<Vec<u8>> {
    archive::write(parts)
}

/// The files are those that the manifest names, each as it says.
fn check_files(manifest: &Manifest, files: &BTreeMap<String, Vec<u8>>) -> Result<(), PackageError> {
    for name in files.keys() {
        if !manifest.files.iter().any(|file| file.name == *name) {
            return Err(PackageError::File { name: name.clone(), reason: "the manifest doesn't name it".to_owned() });
        }
    }
    for file in &manifest.files {
        let failed = |reason: String| PackageError::File { name: file.name.clone(), reason };
        let bytes =
            files.get(&file.name).ok_or_else(|| failed("the manifest names it, and it isn't there".to_owned()))?;
        if bytes.len() as u64 != file.size_bytes {
            return Err(failed(format!("it has {} bytes; the manifest says {}", bytes.len(), file.size_bytes)));
        }
        if sha256(bytes) != file.sha256 {
            return Err(failed(
                "its SHA-256 isn't the one in the manifest; it was changed or broke on its way".to_owned(),
            ));
        }
    }
    Ok(())
}

/// SHA-256, hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes, hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text is a SHA-256 in lower-case hexadecimal.
#[must_use]
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// JSON in the shape it must have; else what is wrong with it, by its path, printable.
pub(super) fn read_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, words) = (printable(&error.path().to_string()), printable(&error.inner().to_string()));
        if path == "." || path == "?" { words } else { format!("{path}: {words}") }
    })?;
    deserializer.end().map_err(|error| printable(&error.to_string()))?;
    Ok(value)
}
