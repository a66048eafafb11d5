//! What a home remembers of a shared run, in the file `shared.json` of the run's folder; and who this home is.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::{Claim, Purpose, Used};
use super::store::now;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;

/// This home: a data folder on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// What tells it from every other (UUID).
    pub id: String,
    /// Whose it is, as `user@host`: a label.
    pub label: String,
}

#[derive(Serialize, Deserialize)]
struct HomeFile {
    id: String,
}

/// What is remembered of a shared run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The run (UUID).
    pub run_id: String,
    /// The home that carries it out.
    pub home_id: String,
    /// Whose that is, as `user@host`.
    pub home_of: String,
    /// What was published of it, by the name in the store: what the file here was then.
    pub sent: BTreeMap<String, Stamp>,
    /// Versions of the store's objects, as they were written or read last.
    pub seen: BTreeMap<String, String>,
}

/// What tells that a file was written: its inode, length and time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp(u64, u64, i64, i64);

impl Stamp {
    /// Of the file at `path`; `None` where there is none.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let about = std::fs::metadata(path).ok()?;
        Some(Self(about.ino(), about.len(), about.mtime(), about.mtime_nsec()))
    }
}

impl Home {
    /// The home whose provisioning folder is `folder`; it gets its id the first time. Called under a lock.
    pub fn of(folder: &Path, label: &str) -> Result<Self, ProvisioningError> {
        let path = folder.join("sharing.json");
        let known = files::read(&path)?.and_then(|text| serde_json::from_str::<HomeFile>(&text).ok());
        let id = match known {
            Some(known) => known.id,
            None => {
                let made = HomeFile { id: uuid::Uuid::now_v7().to_string() };
                files::make_folder(folder)?;
                files::write_whole(&path, serde_json::to_string(&made).unwrap_or_default().as_bytes())?;
                made.id
            }
        };
        Ok(Self { id, label: crate::station::text::printable(label) })
    }

    /// The claim of this home on a run's number.
    #[must_use]
    pub fn claim(&self, run_id: &str) -> Claim {
        Claim { run_id: run_id.to_owned(), home_id: self.id.clone(), who: self.label.clone(), at: now() }
    }

    /// The use of a run's plan by this home.
    #[must_use]
    pub fn uses(&self, run_id: &str, purpose: Purpose, approvals: &[String]) -> Used {
        Used {
            run_id: run_id.to_owned(),
            purpose,
            approvals: approvals.to_vec(),
            home_id: self.id.clone(),
            who: self.label.clone(),
            at: now(),
        }
    }
}

impl Link {
    /// Of the run in `folder`; `None` where it isn't shared.
    pub fn read(folder: &Path) -> Result<Option<Self>, ProvisioningError> {
        let path = folder.join("shared.json");
        let Some(text) = files::read(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| ProvisioningError::Damaged {
            path,
            reason: format!("isn't what is known of a shared run: {error}"),
        })
    }

    /// Writes it into the run's folder.
    pub fn write(&self, folder: &Path) -> Result<(), ProvisioningError> {
        let path = folder.join("shared.json");
        match serde_json::to_vec(self) {
            Ok(text) => files::write_whole(&path, &text),
            Err(error) => Err(ProvisioningError::Damaged { path, reason: error.to_string() }),
        }
    }
}
