//! Where shared runs are: a container in Azure, or a folder that several people share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;

use super::error::SharedError;
use crate::provisioning::terraform::mask::Masks;
use crate::station::text::printable;

/// The container beside Terraform's state, where nothing else is set.
const CONTAINER: &str = "skydeck-runs";

/// A store's address, without any credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A container of an Azure storage account, and a path in it that may be empty.
    Azure {
        /// The account.
        account: String,
        /// The container.
        container: String,
        /// Segments joined by `/`.
        prefix: String,
    },
    /// A folder.
    Folder(PathBuf),
}

/// A store that is ready to be asked.
pub struct Opened {
    /// It.
    pub objects: Arc<dyn ObjectStore>,
    /// Under which path everything is.
    pub root: ObjectPath,
    /// Whether it can replace an object on the condition that it is still the same.
    pub conditional_update: bool,
    /// What must never be shown.
    pub masks: Masks,
}

/// Without what may be secret.
impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("root", &self.root).finish_non_exhaustive()
    }
}

/// `azure://ACCOUNT/CONTAINER[/PREFIX]` or `file:///FOLDER`.
impl std::str::FromStr for Place {
    type Err = SharedError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        // What is refused isn't repeated: a SAS or a key may be part of it.
        let refused = |cause: &str| {
            let next = "write azure://ACCOUNT/CONTAINER or file:///FOLDER";
            SharedError::Refused(format!("provisioning.run_store: {cause}; {next}"))
        };
        if url.contains(['?', '#', '@']) {
            return Err(refused(
                "credentials don't belong into the URL, they come from AZURE_* variables or `az login`",
            ));
        }
        if let Some(rest) = url.strip_prefix("azure://") {
            let mut parts = rest.trim_end_matches('/').split('/');
            let account = parts.next().filter(|name| is_name(name, 3..=24, ""));
            let container = parts.next().filter(|name| is_name(name, 3..=63, "-"));
            let (Some(account), Some(container)) = (account, container) else {
                return Err(refused("no storage account and container in it"));
            };
            let prefix: Vec<_> = parts.collect();
            if !prefix.iter().all(|part| is_segment(part)) {
                return Err(refused(
                    "a path in the container has letters, digits and any of . _ - between its slashes",
                ));
            }
            return Ok(Self::Azure { account: account.into(), container: container.into(), prefix: prefix.join("/") });
        }
        if let Some(path) = url.strip_prefix("file://") {
            let path = percent_encoding::percent_decode_str(path).decode_utf8();
            return match path {
                Ok(path) if path.starts_with('/') && printable(&path) == path => Ok(Self::Folder(path.as_ref().into())),
                _ => Err(refused("a folder is named by its whole path, as in file:///srv/skydeck-runs")),
            };
        }
        Err(refused("not a URL of a kind that is known"))
    }
}

/// Its URL.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Azure { account, container, prefix } => {
                write!(f, "azure://{account}/{container}")?;
                if prefix.is_empty() { Ok(()) } else { write!(f, "/{prefix}") }
            }
            Self::Folder(path) => write!(f, "file://{}", path.display()),
        }
    }
}

impl Place {
    /// The container beside Terraform's state, from the text of the module's `backend/ENV.tfvars`.
    pub fn beside_state(backend: &str) -> Result<Self, SharedError> {
        let account = backend.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            let value = value.split('#').next().unwrap_or(value).trim();
            (name.trim() == "storage_account_name").then(|| value.trim_matches('"').to_owned())
        });
        let place = account.and_then(|account| format!("azure://{account}/{CONTAINER}").parse().ok());
        place.ok_or_else(|| {
            let words = "provisioning.run_store: not set, and backend/ENV.tfvars of the module names no storage_account_name beside which runs could be; set it to azure://ACCOUNT/CONTAINER or file:///FOLDER";
            SharedError::Refused(words.to_owned())
        })
    }

    /// Opens it with the credentials in `variables` (`AZURE_…`); without any, whoever is signed in to the Azure CLI is
    /// asked for. Nothing is sent yet.
    pub fn open(&self, variables: &[(String, String)]) -> Result<Opened, SharedError> {
        match self {
            #[cfg(feature = "cloud")]
            Self::Azure { account, container, prefix } => {
                let (objects, masks) = super::azure::open(self, account, container, variables)?;
                let root = ObjectPath::from(prefix.as_str());
                Ok(Opened { objects, root, conditional_update: true, masks })
            }
            #[cfg(not(feature = "cloud"))]
            Self::Azure { .. } => {
                // No credential is looked at.
                let _ = variables;
                Err(SharedError::Refused(format!(
                    "run store {self}: this skydeck is built without the feature `cloud`; take one that has it, or share \
                     runs in a folder, file:///FOLDER"
                )))
            }
            Self::Folder(folder) => {
                if !folder.is_dir() {
                    return Err(self.missing());
                }
                let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| {
                    let (place, reason) = (self.to_string(), printable(&error.to_string()));
                    SharedError::Failed { place, object: "its folder".to_owned(), reason }
                })?;
                let objects = Arc::new(store.with_fsync(true));
                Ok(Opened { objects, root: ObjectPath::default(), conditional_update: false, masks: Masks::default() })
            }
        }
    }

    /// What is said where the container or folder isn't there.
    #[must_use]
    pub fn missing(&self) -> SharedError {
        let how = match self {
            Self::Azure { account, container, .. } => {
                format!("az storage container create --account-name {account} --name {container} --auth-mode login")
            }
            Self::Folder(folder) => {
                format!("mkdir -m 2770 {0} && chgrp GROUP {0}, with the group of those who share it", folder.display())
            }
        };
        SharedError::Missing { place: self.to_string(), how }
    }

    /// The folder, where it is one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Azure { .. } => None,
        }
    }
}

fn is_name(name: &str, length: std::ops::RangeInclusive<usize>, more: &str) -> bool {
    length.contains(&name.len())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
}

fn is_segment(part: &str) -> bool {
    !matches!(part, "" | "." | "..") && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        for url in ["azure://skydecktfstate/skydeck-runs", "azure://acc1/runs/a/b.c", "file:///srv/runs"] {
            assert_eq!(url.parse::<Place>().expect(url).to_string(), url);
        }
        assert_eq!("file:///srv/the%20runs".parse::<Place>().expect("a folder"), Place::Folder("/srv/the runs".into()));
        assert_eq!("azure://acc1/runs/".parse::<Place>().expect("a slash").to_string(), "azure://acc1/runs");
    }

    #[test]
    fn what_is_no_place_is_refused_and_not_repeated() {
        for url in [
            "azure://acc1",
            "azure://Acc1/runs",
            "azure://acc1/runs/../up",
            "azure://acc1/runs//x",
            "azure://acc1/runs?sv=2023&sig=s3cret",
            "azure://me:s3cret@acc1/runs",
            "file://relative/s3cret",
            "https://acc1.blob.core.windows.net/runs",
            "s3cret",
            "",
        ] {
            let words = url.parse::<Place>().expect_err(url).to_string();
            assert!(words.starts_with("provisioning.run_store: ") && words.contains("; write azure://"), "{words}");
            assert!(!words.contains("s3cret"), "{words}");
        }
    }

    #[test]
    fn the_default_is_beside_the_state() {
        let carried = include_str!("../../../config/terraform/backend/prod.tfvars");
        let place = Place::beside_state(carried).expect("a place");
        assert_eq!(place.to_string(), "azure://skydecktfstate/skydeck-runs");
        let words = Place::beside_state("resource_group_name = \"a\"\n").expect_err("no account").to_string();
        assert!(words.contains("storage_account_name") && words.contains("; set it to azure://"), "{words}");
    }

    #[test]
    fn a_folder_that_is_not_there_says_how_it_is_made() {
        let words = Place::Folder("/no/such/folder".into()).open(&[]).expect_err("none").to_string();
        assert_eq!(
            words,
            "run store file:///no/such/folder: isn't there; make it: mkdir -m 2770 /no/such/folder && chgrp GROUP /no/such/folder, with the group of those who share it"
        );
    }
}
