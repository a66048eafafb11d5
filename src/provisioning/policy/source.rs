//! The policies' texts: those that skydeck carries, and those of a folder of one's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::station::text::printable;

/// What is carried.
static CARRIED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/config/policies");
/// What one's own policies may import.
pub(super) const LIBRARY: &str = "skydeck:plan.rego";
/// Most files a folder of policies may hold, of any kind, and bytes of one.
const MOST_FILES: usize = 2000;
const MOST_BYTES: u64 = 1024 * 1024;

/// A file of policies, or of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// For people and digests, the same on every machine: `policies/mine.rego`, from the folder's own name on; the
    /// carried ones are `skydeck:tls.rego`.
    pub name: String,
    /// What it says.
    pub text: String,
    /// Whether skydeck carries it.
    pub carried: bool,
}

impl Source {
    /// Whether it holds tests.
    pub fn is_test(&self) -> bool {
        self.name.ends_with("_test.rego")
    }
}

/// The carried files by name, tests among them.
pub(super) fn carried() -> Vec<Source> {
    let mut found = BTreeMap::new();
    for file in CARRIED.files().filter(|file| file.path().extension().is_some_and(|extension| extension == "rego")) {
        let name = format!("skydeck:{}", file.path().display());
        found.insert(name, String::from_utf8_lossy(file.contents()).into_owned());
    }
    found.into_iter().map(|(name, text)| Source { name, text, carried: true }).collect()
}

/// Every `*.rego` below `folder` by name, tests among them, and what couldn't be read, `(file, why and what to do)`.
pub(super) fn own(folder: &Path) -> (Vec<Source>, Vec<(String, String)>) {
    let root = folder.file_name().map_or_else(|| "policies".to_owned(), |name| printable(&name.to_string_lossy()));
    let named = |path: &Path| match path.strip_prefix(folder) {
        Ok(rest) if rest.as_os_str().is_empty() => root.clone(),
        Ok(rest) => format!("{root}/{}", printable(&rest.to_string_lossy())),
        Err(_) => root.clone(),
    };
    let mut found = BTreeMap::new();
    let mut faults = Vec::new();
    let mut seen = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries = match entries(&next) {
            Ok(entries) => entries,
            Err(error) => {
                faults.push((named(&next), format!("{error}; check provisioning.policies")));
                continue;
            }
        };
        for path in entries {
            seen += 1;
            if seen > MOST_FILES {
                let reason =
                    format!("more than {MOST_FILES} files; name the policies' own folder in provisioning.policies");
                faults.push((root.clone(), reason));
                return (listed(found), faults);
            }
            // Links are followed: a policy may lie behind one.
            match std::fs::metadata(&path) {
                Err(error) => faults.push((named(&path), format!("{error}; correct or remove it"))),
                Ok(metadata) if metadata.is_dir() => {
                    if !hidden(&path) {
                        folders.push(path);
                    }
                }
                Ok(metadata) if path.extension().is_some_and(|extension| extension == "rego") => {
                    match text(&path, &metadata) {
                        Ok(text) => drop(found.insert(named(&path), text)),
                        Err(reason) => faults.push((named(&path), reason)),
                    }
                }
                Ok(_) => {}
            }
        }
    }
    if found.is_empty() && faults.is_empty() {
        faults.push((
            root,
            "there is no .rego file in it; name the policies' folder in provisioning.policies".to_owned(),
        ));
    }
    (listed(found), faults)
}

fn listed(found: BTreeMap<String, String>) -> Vec<Source> {
    found.into_iter().map(|(name, text)| Source { name, text, carried: false }).collect()
}

fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

/// Version control and the like.
fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn text(path: &Path, metadata: &std::fs::Metadata) -> Result<String, String> {
    if !metadata.is_file() {
        return Err("is no regular file; remove it".to_owned());
    }
    if metadata.len() > MOST_BYTES {
        return Err(format!("larger than {MOST_BYTES} bytes; split it"));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("{error}; check its permissions"))?;
    String::from_utf8(bytes).map_err(|_| "is no UTF-8 text; write it again as such".to_owned())
}
