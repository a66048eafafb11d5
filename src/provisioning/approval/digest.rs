//! Digests that a plan is bound by: SHA-256 in lower-case hex.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;
use crate::provisioning::workspace::module::UNSAVED;

/// What Terraform keeps in the folder for itself.
const TERRAFORMS: &str = ".terraform";
/// The lock file of providers, which has a digest of its own.
const LOCK_FILE: &str = ".terraform.lock.hcl";

/// Of `bytes`: 64 characters.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

/// Of a file's content, read piece by piece. Fails where it can't be read.
pub fn of_file(path: &Path) -> Result<String, ProvisioningError> {
    let failed = |error: std::io::Error| ProvisioningError::file(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut piece = [0; 16 * 1024];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(hex(hasher)),
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Of the configuration laid out in `folder`: every file's name and content but for what Terraform keeps for itself and
/// the lock file. Fails where something can't be read, or is neither a file nor a folder.
pub fn of_configuration(folder: &Path) -> Result<String, ProvisioningError> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(next) = folders.pop() {
        let path = folder.join(&next);
        let failed = |error: std::io::Error| ProvisioningError::file(&path, &error);
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = next.join(entry.file_name());
            let kind = entry.file_type().map_err(failed)?;
            if [TERRAFORMS, LOCK_FILE, UNSAVED].iter().any(|one| name == Path::new(one)) {
                continue;
            }
            if kind.is_dir() {
                folders.push(name);
            } else if kind.is_file() {
                let content =
                    std::fs::read(entry.path()).map_err(|error| ProvisioningError::file(&entry.path(), &error))?;
                found.insert(name.into_os_string(), content);
            } else {
                let reason =
                    "is neither a file nor a folder, so that what it holds can't be told; plan again".to_owned();
                return Err(ProvisioningError::Module { path: entry.path(), reason });
            }
        }
    }
    Ok(of_named(&found))
}

/// Of the lock file in `folder`; `None` where there is none. Fails where it can't be read.
pub fn of_lock_file(folder: &Path) -> Result<Option<String>, ProvisioningError> {
    let path = folder.join(LOCK_FILE);
    Ok(files::read(&path)?.map(|text| of_bytes(text.as_bytes())))
}

/// Names and contents in order, each with its length before it: no name can pass for a part of a content.
fn of_named(named: &BTreeMap<OsString, Vec<u8>>) -> String {
    let mut hasher = Sha256::new();
    for (name, content) in named {
        for part in [name.as_bytes(), content.as_slice()] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    hex(hasher)
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a text can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, content).expect("written");
        }
        folder
    }

    fn configuration(files: &[(&str, &str)]) -> String {
        of_configuration(folder(files).path()).expect("read")
    }

    #[test]
    fn a_file_has_the_published_digest() {
        assert_eq!(of_bytes(b"abc"), ABC);
        let folder = folder(&[("plan", "abc")]);
        assert_eq!(of_file(&folder.path().join("plan")).expect("read"), ABC);
        let error = of_file(&folder.path().join("none")).expect_err("not there").to_string();
        assert!(error.contains("none: "), "{error}");
    }

    #[test]
    fn a_configuration_is_names_and_contents() {
        let digest = configuration(&[("main.tf", "a"), ("sub/other.tf", "b")]);
        assert_eq!(digest, configuration(&[("sub/other.tf", "b"), ("main.tf", "a")]));
        for other in [
            &[("main.tf", "a"), ("sub/other.tf", "c")][..],
            &[("main.tf", "a"), ("sub/another.tf", "b")],
            &[("main.tf", "a")],
            &[("main.tf", "a"), ("sub/other.tf", "b"), ("extra.auto.tfvars", "")],
            &[("main.tf", "ab"), ("sub/other.tf", "")],
        ] {
            assert_ne!(digest, configuration(other), "{other:?}");
        }
        // By hand: `printf '\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0\2bc' | sha256sum`.
        assert_eq!(configuration(&[("a", "bc")]), of_bytes(b"\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\0\x02bc"));
    }

    #[test]
    fn what_terraform_keeps_is_no_part_of_it() {
        let digest = configuration(&[("main.tf", "a")]);
        let files = [("main.tf", "a"), (".terraform/modules/modules.json", "{}"), (".terraform.lock.hcl", "x")];
        assert_eq!(digest, configuration(&files));
        // Deeper down they are files like any other.
        assert_ne!(digest, configuration(&[("main.tf", "a"), ("sub/.terraform/x.tf", "b")]));
        let laid_out = folder(&files);
        assert_eq!(of_lock_file(laid_out.path()).expect("read"), Some(of_bytes(b"x")));
        assert_eq!(of_lock_file(folder(&[]).path()).expect("read"), None);
    }

    #[test]
    fn a_link_is_refused() {
        let folder = folder(&[("main.tf", "a")]);
        std::os::unix::fs::symlink("main.tf", folder.path().join("link.tf")).expect("linked");
        let error = of_configuration(folder.path()).expect_err("a link").to_string();
        assert!(error.contains("link.tf: is neither a file nor a folder"), "{error}");
    }
}
