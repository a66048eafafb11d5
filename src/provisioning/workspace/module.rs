//! The module's files: carried in the binary, or a folder of one's own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde_json::Value;

use super::{hcl, secrets};
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::settings::EnvironmentName;

/// What is carried.
static CARRIED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/config/terraform");
/// Where Terraform puts a state that its backend wouldn't take, in the folder it is called in. Nothing else knows then
/// what an apply has made.
pub const UNSAVED: &str = "errored.tfstate";
/// The folder of a module with its environments' variables.
const ENVIRONMENTS: &str = "environments";
/// Most files a module may have, and bytes of one: what is larger isn't a module.
const MOST_FILES: usize = 2000;
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// A module's files, by their paths in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Where it is from, for people.
    pub place: PathBuf,
    /// Its files.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Module {
    /// The module carried in the binary.
    pub fn carried() -> Result<Self, ProvisioningError> {
        let place = PathBuf::from("config/terraform");
        let mut files = BTreeMap::new();
        let mut folders = vec![&CARRIED];
        while let Some(folder) = folders.pop() {
            folders.extend(folder.dirs());
            for file in folder.files() {
                if is_part(file.path()) {
                    files.insert(file.path().to_owned(), file.contents().to_vec());
                }
            }
        }
        Self::checked(place, files)
    }

    /// The module in `folder`.
    pub fn read(folder: &Path) -> Result<Self, ProvisioningError> {
        let refused = |path: &Path, reason: String| ProvisioningError::Module { path: path.to_owned(), reason };
        let words = |error: std::io::Error| format!("{error}; check provisioning.module");
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(&next).map_err(|error| refused(&next, words(error)))? {
                let path = entry.map_err(|error| refused(&next, words(error)))?.path();
                let name = path.strip_prefix(folder).unwrap_or(&path).to_owned();
                if !is_part(&name) {
                    continue;
                }
                // Links are followed: what lies behind one may be a part of the module.
                let metadata = std::fs::metadata(&path).map_err(|error| refused(&path, words(error)))?;
                if metadata.is_dir() {
                    folders.push(path);
                } else if metadata.len() > MOST_BYTES || files.len() >= MOST_FILES {
                    let reason = format!(
                        "too large for a module (at most {MOST_FILES} files of {MOST_BYTES} bytes); name the module's own folder in provisioning.module"
                    );
                    return Err(refused(&path, reason));
                } else if metadata.is_file() {
                    files.insert(name, std::fs::read(&path).map_err(|error| refused(&path, words(error)))?);
                }
            }
        }
        Self::checked(folder.to_owned(), files)
    }

    fn checked(place: PathBuf, files: BTreeMap<PathBuf, Vec<u8>>) -> Result<Self, ProvisioningError> {
        let module = Self { place, files };
        if module.configuration().next().is_some() {
            return Ok(module);
        }
        let reason = "there is no .tf file in it; name a module's folder in provisioning.module".to_owned();
        Err(ProvisioningError::Module { path: module.place, reason })
    }

    /// Texts of the root module's files.
    fn configuration(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.files.iter().map(|(path, content)| (path.as_path(), content.as_slice())).filter(|(path, _)| {
            let name = path.to_string_lossy();
            path.components().count() == 1 && (name.ends_with(".tf") || name.ends_with(".tf.json"))
        })
    }

    /// Names of the variables that it declares. Terraform warns of a value for any other.
    #[must_use]
    pub fn declared_variables(&self) -> BTreeSet<String> {
        self.variables().into_iter().map(|(name, _)| name).collect()
    }

    /// Names of those that it declares sensitive, or to be kept nowhere.
    #[must_use]
    pub fn sensitive_variables(&self) -> BTreeSet<String> {
        self.variables().into_iter().filter(|(_, sensitive)| *sensitive).map(|(name, _)| name).collect()
    }

    /// Names, and whether they are sensitive or never kept.
    fn variables(&self) -> Vec<(String, bool)> {
        let mut found = Vec::new();
        for (path, content) in self.configuration() {
            let text = String::from_utf8_lossy(content);
            if path.extension().is_some_and(|extension| extension == "json") {
                let value: Value = serde_json::from_str(&text).unwrap_or_default();
                let is = |body: &Value, what: &str| body[what] == Value::Bool(true);
                let variables = value["variable"].as_object().into_iter().flatten();
                found.extend(
                    variables.map(|(name, body)| (name.clone(), is(body, "sensitive") || is(body, "ephemeral"))),
                );
            } else {
                for block in hcl::read(&text).blocks {
                    if let [word, name] = &block.head[..]
                        && word == "variable"
                    {
                        found.push((name.clone(), secrets::is_secret(&block.body)));
                    }
                }
            }
        }
        found
    }
}

/// The environments that a module has variables for (`environments/NAME.tfvars`), sorted: of the module in `folder`, else
/// of the carried one. Where the folder can't be read there are none.
#[must_use]
pub fn environments(folder: Option<&Path>) -> BTreeSet<EnvironmentName> {
    let own = |folder: &Path| {
        let entries = std::fs::read_dir(folder.join(ENVIRONMENTS)).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let carried = || {
        let files = CARRIED.get_dir(ENVIRONMENTS).into_iter().flat_map(Dir::files);
        files.map(|file| file.path().to_owned()).collect()
    };
    let named = |path: PathBuf| path.file_name()?.to_str()?.strip_suffix(".tfvars")?.parse().ok();
    folder.map_or_else(carried, own).into_iter().filter_map(named).collect()
}

/// Whether a file or folder belongs to a module: states, plans, version control and what Terraform keeps for itself
/// don't, its lock file of providers does.
fn is_part(name: &Path) -> bool {
    name.components().all(|part| match part {
        Component::Normal(part) => {
            let part = part.to_string_lossy();
            let is_state = part.contains(".tfstate") || part.ends_with(".tfplan");
            part == ".terraform.lock.hcl" || !(part.starts_with('.') || is_state)
        }
        _ => false,
    })
}

/// Removes what is in `folder` and not `wanted`, but for what Terraform keeps there.
pub(super) fn remove_others(folder: &Path, wanted: &BTreeMap<PathBuf, Vec<u8>>) -> Result<(), ProvisioningError> {
    let failed = |path: &Path, error: &std::io::Error| ProvisioningError::file(path, error);
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).map_err(|error| failed(&next, &error))? {
            let entry = entry.map_err(|error| failed(&next, &error))?;
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap_or(&path);
            let is_terraforms = [".terraform", ".terraform.lock.hcl", UNSAVED].iter().any(|one| name == Path::new(one));
            if is_terraforms || wanted.contains_key(name) {
                continue;
            }
            let is_folder = entry.file_type().map_err(|error| failed(&path, &error))?.is_dir();
            if !is_folder {
                files::remove(&path)?;
            } else if wanted.keys().any(|file| file.starts_with(name)) {
                folders.push(path);
            } else {
                std::fs::remove_dir_all(&path).map_err(|error| failed(&path, &error))?;
            }
        }
    }
    Ok(())
}
