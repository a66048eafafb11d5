//! The hub's shared access policies: who may use its service side.
//!
//! Their keys are made at first start and kept in `policies.json` in the hub's folder, which only the owner may read;
//! so is the key that upload tokens are signed with.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Serialize};

use crate::local_cloud::private;

const FILE: &str = "policies.json";
/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// A policy that can't be made, read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}; check that the folder is writable, or delete the file: new keys are made at the next start")]
pub struct PolicyError {
    path: PathBuf,
    reason: String,
}

/// A shared access policy, as every IoT Hub has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// `iothubowner`: everything.
    Owner,
    /// `service`: twins, methods, messages to devices; it may not read or change the registry.
    Service,
}

impl Policy {
    /// Its name, `skn` in a token.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "iothubowner",
            Self::Service => "service",
        }
    }

    /// The policy of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Owner, Self::Service].into_iter().find(|policy| policy.name() == name)
    }

    /// Whether it may see and change devices' identities.
    pub(super) fn reaches_registry(self) -> bool {
        self == Self::Owner
    }
}

type Key = SecretBox<Vec<u8>>;

/// The policies' keys, and that of upload tokens.
pub(super) struct Policies {
    owner: [Key; 2],
    service: [Key; 2],
    uploads: Key,
}

/// The file: keys in base64.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    iothubowner: Keys,
    service: Keys,
    upload_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Keys {
    primary_key: String,
    secondary_key: String,
}

impl Policies {
    /// Reads the keys in `folder`, or makes them where there are none.
    pub(super) fn load_or_make(folder: &Path) -> Result<Self, PolicyError> {
        let path = folder.join(FILE);
        let failed = |reason: String| PolicyError { path: path.clone(), reason };
        let kept: Kept = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let kept = Kept::make().map_err(|error| failed(error.to_string()))?;
                let text = serde_json::to_vec_pretty(&kept).map_err(|error| failed(error.to_string()))?;
                private::write(&path, &text).map_err(|error| failed(error.to_string()))?;
                kept
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        kept.keys().ok_or_else(|| failed("a key in it isn't base64".to_owned()))
    }

    /// A policy's keys, primary and secondary.
    pub(super) fn keys(&self, policy: Policy) -> [&[u8]; 2] {
        let [primary, secondary] = match policy {
            Policy::Owner => &self.owner,
            Policy::Service => &self.service,
        };
        [primary.expose_secret(), secondary.expose_secret()]
    }

    /// The key that upload tokens are signed with.
    pub(super) fn upload_key(&self) -> &[u8] {
        self.uploads.expose_secret()
    }

    /// `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…`, as Microsoft's service clients take it.
    pub(super) fn connection_string(&self, policy: Policy, host: &str) -> SecretString {
        let [key, _] = self.keys(policy);
        let (name, key) = (policy.name(), STANDARD.encode(key));
        format!("HostName={host};SharedAccessKeyName={name};SharedAccessKey={key}").into()
    }
}

impl Kept {
    fn make() -> Result<Self, rand::rand_core::OsError> {
        let key = || {
            let mut bytes = [0; KEY_BYTES];
            OsRng.try_fill_bytes(&mut bytes).map(|()| STANDARD.encode(bytes))
        };
        let keys = || Ok(Keys { primary_key: key()?, secondary_key: key()? });
        Ok(Self { iothubowner: keys()?, service: keys()?, upload_key: key()? })
    }

    fn keys(self) -> Option<Policies> {
        let key =
            |text: &str| Some(SecretBox::new(Box::new(STANDARD.decode(text).ok().filter(|key| !key.is_empty())?)));
        let both = |keys: &Keys| Some([key(&keys.primary_key)?, key(&keys.secondary_key)?]);
        Some(Policies {
            owner: both(&self.iothubowner)?,
            service: both(&self.service)?,
            uploads: key(&self.upload_key)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_are_the_owners_alone() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = Policies::load_or_make(folder.path()).expect("made");
        let again = Policies::load_or_make(folder.path()).expect("read");
        let all =
            |policies: &Policies| [policies.keys(Policy::Owner), policies.keys(Policy::Service)].concat().concat();
        assert_eq!(all(&first), all(&again));
        assert_eq!(first.upload_key(), again.upload_key());
        assert_ne!(first.keys(Policy::Owner), first.keys(Policy::Service));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(FILE)).expect("exists").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let text = first.connection_string(Policy::Service, "127.0.0.1:4443");
        let key = STANDARD.encode(first.keys(Policy::Service)[0]);
        assert_eq!(
            text.expose_secret(),
            format!("HostName=127.0.0.1:4443;SharedAccessKeyName=service;SharedAccessKey={key}")
        );
    }

    #[test]
    fn a_broken_file_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for text in [
            "rubbish",
            "{}",
            r#"{"iothubowner":{"primaryKey":"?","secondaryKey":"YQ=="},"service":{"primaryKey":"YQ==","secondaryKey":"YQ=="},"uploadKey":"YQ=="}"#,
        ] {
            fs::write(folder.path().join(FILE), text).expect("written");
            let Err(error) = Policies::load_or_make(folder.path()) else { panic!("{text} was read") };
            assert!(error.to_string().contains(FILE) && error.to_string().contains("delete"), "{error}");
        }
    }
}
