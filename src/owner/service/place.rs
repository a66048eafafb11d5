//! Where a service is put: this machine, or the root folder of an image.

use std::path::{Path, PathBuf};

use super::ServiceError;

/// Where a service is put.
#[derive(Debug, Clone)]
pub struct Place {
    root: Option<PathBuf>,
}

impl Place {
    /// This machine, or with `root` what lies there.
    pub fn new(root: Option<&Path>) -> Result<Self, ServiceError> {
        let Some(root) = root else { return Ok(Self { root: None }) };
        let failed = |reason: String| ServiceError::File { path: root.to_owned(), reason };
        let root = std::fs::canonicalize(root).map_err(|error| failed(error.to_string()))?;
        if root.is_dir() { Ok(Self { root: Some(root) }) } else { Err(failed("not a folder".to_owned())) }
    }

    /// Whether it is this machine, on which things can be started.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.root.is_none()
    }

    /// The image's root folder.
    pub(super) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Where the file lies that the installed system sees at `absolute`.
    pub(super) fn path(&self, absolute: impl AsRef<Path>) -> PathBuf {
        let absolute = absolute.as_ref();
        self.root
            .as_ref()
            .map_or_else(|| absolute.to_owned(), |root| root.join(absolute.strip_prefix("/").unwrap_or(absolute)))
    }

    /// Its file's text; `None` where there is none.
    pub(super) fn text(&self, absolute: impl AsRef<Path>) -> Result<Option<String>, ServiceError> {
        let path = self.path(absolute);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ServiceError::File { path, reason: error.to_string() }),
        }
    }

    /// The user's and the group's id of `name`, where both are there.
    pub(super) fn ids(&self, name: &str) -> Option<(u32, u32)> {
        let passwd = self.text("/etc/passwd").ok()??;
        let fields: Vec<&str> =
            passwd.lines().map(|line| line.split(':').collect()).find(|f: &Vec<&str>| f[0] == name)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    }

    /// Of `wanted`, the groups that are there and don't have `user` yet.
    pub(super) fn groups_without(&self, user: &str, wanted: &[&str]) -> Result<Vec<String>, ServiceError> {
        let groups = self.text("/etc/group")?.unwrap_or_default();
        let mut found = Vec::new();
        for line in groups.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, _, members, ..] = fields.as_slice() else { continue };
            if wanted.contains(name) && !members.split(',').any(|member| member == user) {
                found.push((*name).to_owned());
            }
        }
        found.sort();
        Ok(found)
    }
}
