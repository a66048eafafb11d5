//! Reading and writing a store's objects, and what its errors mean.

use std::error::Error as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use futures_util::StreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use regex::Regex;

use super::error::SharedError;
use super::place::{Opened, Place};
use crate::provisioning::terraform::mask::Masks;
use crate::station::text::printable;

/// Bytes that an object may have: what is larger is no part of a run.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Reads and writes objects of one environment by their names below it.
pub struct Objects {
    place: Place,
    store: Arc<dyn ObjectStore>,
    root: ObjectPath,
    conditional_update: bool,
    masks: Masks,
}

/// What tells one writing of an object from another, as the store writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// Without credentials.
impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").field("place", &self.place).field("root", &self.root).finish_non_exhaustive()
    }
}

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        let otherwise = || format!("{}-{}", meta.last_modified.timestamp_micros(), meta.size);
        Self(meta.e_tag.clone().unwrap_or_else(otherwise))
    }

    /// Whether both are of one writing; lists and answers don't put the same quotes around it.
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        self.0.trim_matches('"') == other.trim_matches('"')
    }
}

impl Objects {
    /// Of `environment` in an opened store.
    pub fn new(place: Place, opened: Opened, environment: &str) -> Self {
        let Opened { objects, root, conditional_update, masks } = opened;
        Self { place, store: objects, root: root.join(environment), conditional_update, masks }
    }

    /// Where.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Every object whose name begins with the folder `under`, by name below the environment, and its version.
    pub async fn list(&self, under: &str) -> Result<Vec<(String, Version)>, SharedError> {
        // A folder that isn't there would be listed as an empty one.
        if self.place.folder().is_some_and(|folder| !folder.is_dir()) {
            return Err(self.place.missing());
        }
        let prefix = self.path(under);
        let mut found = Vec::new();
        let mut listing = self.store.list(Some(&prefix));
        while let Some(meta) = listing.next().await {
            let meta = meta.map_err(|error| self.fault(under, &error))?;
            let Some(parts) = meta.location.prefix_match(&self.root) else { continue };
            let parts: Vec<_> = parts.map(|part| part.as_ref().to_owned()).collect();
            found.push((parts.join("/"), Version::of(&meta)));
        }
        // Folders come in no order.
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// An object; `None` where there is none of that name.
    pub async fn get(&self, name: &str) -> Result<Option<(Vec<u8>, Version)>, SharedError> {
        let answer = match self.store.get(&self.path(name)).await {
            Ok(answer) => answer,
            Err(error @ Error::NotFound { .. }) => {
                return if self.is_missing(&error) { Err(self.place.missing()) } else { Ok(None) };
            }
            Err(error) => return Err(self.fault(name, &error)),
        };
        if answer.meta.size > MOST_BYTES {
            return Err(self.damaged(name, "larger than 256 MiB; it is no part of a run, remove it"));
        }
        let version = Version::of(&answer.meta);
        let bytes = answer.bytes().await.map_err(|error| self.fault(name, &error))?;
        Ok(Some((bytes.into(), version)))
    }

    /// Makes an object where there is none of that name. Answers whether it is there with this content: an answer that
    /// was lost on its way makes nobody the second.
    pub async fn create(&self, name: &str, content: &[u8]) -> Result<bool, SharedError> {
        match self.put_with(name, content, PutMode::Create).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                Ok(self.get(name).await?.is_some_and(|(there, _)| there == content))
            }
            Err(error) => Err(self.fault(name, &error)),
        }
    }

    /// Writes an object. Where `known` is given and the store can, only if it still is that version.
    pub async fn put(&self, name: &str, content: &[u8], known: Option<&Version>) -> Result<Version, SharedError> {
        let update =
            |version: &Version| PutMode::Update(UpdateVersion { e_tag: Some(version.0.clone()), version: None });
        let mode = known.filter(|_| self.conditional_update).map_or(PutMode::Overwrite, update);
        match self.put_with(name, content, mode).await {
            Ok(version) => Ok(version),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => match self.get(name).await? {
                // The answer to the same writing was lost.
                Some((there, version)) if there == content => Ok(version),
                _ => Err(SharedError::Conflict(format!(
                    "run store {}: {name}: somebody else has written it meanwhile; refresh, and look again",
                    self.place
                ))),
            },
            Err(error) => Err(self.fault(name, &error)),
        }
    }

    /// Removes an object that needn't be there. Where that isn't allowed (a SAS without the right, a container that keeps
    /// everything) it is emptied, and is as good as not there.
    pub async fn remove(&self, name: &str) -> Result<(), SharedError> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => match self.fault(name, &error) {
                fault @ SharedError::Unreachable { .. } => Err(fault),
                _ => self.put(name, &[], None).await.map(|_| ()),
            },
        }
    }

    /// An object that isn't what it should be; `reason` says what to do.
    pub fn damaged(&self, name: &str, reason: impl std::fmt::Display) -> SharedError {
        let object = self.path(name).to_string();
        SharedError::Damaged { place: self.place.to_string(), object, reason: printable(&reason.to_string()) }
    }

    fn path(&self, name: &str) -> ObjectPath {
        name.split('/').fold(self.root.clone(), |path, part| path.join(part))
    }

    async fn put_with(&self, name: &str, content: &[u8], mode: PutMode) -> Result<Version, Error> {
        let path = self.path(name);
        let file = self.place.folder().map(|folder| (folder, folder.join(path.as_ref())));
        if let Some((folder, file)) = &file {
            share_folders(folder, file).map_err(|source| Error::Generic { store: "folder", source: source.into() })?;
        }
        let options = PutOptions { mode, ..PutOptions::default() };
        let put = self.store.put_opts(&path, content.to_vec().into(), options).await?;
        if let Some((folder, file)) = &file {
            share_file(folder, file);
        }
        Ok(Version(put.e_tag.unwrap_or_default()))
    }

    fn is_missing(&self, error: &Error) -> bool {
        code(error).is_some_and(|code| code == "ContainerNotFound")
            || self.place.folder().is_some_and(|folder| !folder.is_dir())
    }

    /// What an error of the store's means.
    fn fault(&self, name: &str, error: &Error) -> SharedError {
        let place = self.place.to_string();
        if self.is_missing(error) {
            return self.place.missing();
        }
        let text = error.to_string();
        let code = code(error);
        let shown = |text: &str| self.masks.apply(&printable(text.trim()));
        let http = chain(error).any(is_http);
        if let Some((_, words)) = text.split_once("get-access-token' command failed: ") {
            return SharedError::NotSignedIn { place, reason: shown(words.lines().next().unwrap_or(words)) };
        }
        if text.contains("performing token request") || text.contains("federated token file") {
            let refused = AADSTS.as_ref().and_then(|pattern| pattern.find(&text)).map(|found| found.as_str());
            return match refused {
                None if http => SharedError::Unreachable { place, reason: shown(&deepest(error)) },
                None => SharedError::NotSignedIn { place, reason: "no token was given".to_owned() },
                Some(code) => SharedError::NotSignedIn { place, reason: code.to_owned() },
            };
        }
        let denied = chain(error).any(|error| {
            error.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied)
        });
        // A list that is refused comes as an error of no kind.
        let refused = code.as_deref().is_some_and(|code| {
            code.starts_with("Authorization")
                || code.contains("Authentication")
                || code == "InsufficientAccountPermissions"
        });
        if matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) || denied || refused {
            let (reason, next) = match self.place {
                Place::Azure { .. } => (
                    code.unwrap_or_else(|| "no code was given".to_owned()),
                    "whoever plans, approves or applies needs the role Storage Blob Data Contributor on the container, or a key or SAS that is valid",
                ),
                Place::Folder(_) => {
                    (shown(&deepest(error)), "join the group of the folder, or have its permissions changed")
                }
            };
            return SharedError::Unauthorised { place, reason, next };
        }
        if http {
            return SharedError::Unreachable { place, reason: shown(&deepest(error)) };
        }
        // An error's own text may hold a whole request; a code or the system's words say enough.
        let reason = code.unwrap_or_else(|| shown(&deepest(error)));
        SharedError::Failed { place, object: name.to_owned(), reason }
    }
}

/// A code as Azure's identity service gives it.
static AADSTS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"AADSTS\d+").ok());
/// The code in an answer of Azure's storage.
static CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"<Code>([A-Za-z]+)</Code>").ok());

fn code(error: &Error) -> Option<String> {
    let text = error.to_string();
    CODE.as_ref()?.captures(&text).map(|found| found[1].to_owned())
}

fn chain(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}

/// Whether it is one of the way to a store over HTTP.
#[cfg(feature = "cloud")]
fn is_http(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<object_store::client::HttpError>()
}

/// Whether it is one of the way to a store over HTTP: none is reached that way.
#[cfg(not(feature = "cloud"))]
const fn is_http(_: &(dyn std::error::Error + 'static)) -> bool {
    false
}

/// The innermost cause, which is the system's: "Connection refused", "failed to lookup address".
fn deepest(error: &Error) -> String {
    let words = chain(error).last().map_or_else(|| error.to_string(), ToString::to_string);
    words.chars().take(300).collect()
}

/// Makes the folders that `file` needs, with the permissions of the shared folder itself: another's umask mustn't shut
/// the others out.
fn share_folders(shared: &Path, file: &Path) -> std::io::Result<()> {
    let mode = std::fs::metadata(shared)?.permissions().mode() & 0o7777;
    let below = file.parent().unwrap_or(shared);
    let mut missing: Vec<PathBuf> =
        below.ancestors().take_while(|folder| *folder != shared && !folder.is_dir()).map(Path::to_owned).collect();
    while let Some(folder) = missing.pop() {
        match std::fs::DirBuilder::new().mode(mode).create(&folder) {
            Ok(()) => std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode))?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Lets those who may enter the shared folder read the file too. Where somebody has replaced it meanwhile they did it.
fn share_file(shared: &Path, file: &Path) {
    let Ok(mode) = std::fs::metadata(shared).map(|metadata| metadata.permissions().mode() & 0o666) else { return };
    if let Err(error) = std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)) {
        tracing::debug!(target: "provisioning", "{}: {error}", file.display());
    }
}
