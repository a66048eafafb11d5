//! Whose keys count: a file of allowed signers, as `ssh-keygen` reads it.
//!
//! Beyond what `ssh-keygen` asks of it: nobody else may write to it, a line that counts here names a person and not a
//! pattern, and a key has one name. Otherwise two signers couldn't be told apart.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ssh_key::HashAlg;
use ssh_key::public::KeyData;

use super::allowed_signers::{self, Line};
use super::digest;
use super::signature::{APPROVAL, PLAN};
use crate::provisioning::error::ProvisioningError;
use crate::settings::user_folder;

/// The file's name in the user's settings folder and in the system's.
const NAME: &str = "approvers";
/// The system's settings folder.
const SYSTEM: &str = "/etc/skydeck";
/// How large it may be, bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// Whose keys count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvers {
    path: PathBuf,
    digest: String,
    /// With their numbers in the file, from 1.
    lines: Vec<(usize, Line)>,
}

/// Somebody that a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// By which names; the first one is shown. Never empty.
    names: Vec<String>,
    /// The key.
    key: KeyData,
}

impl Person {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Whether it is the same one: by the key, or by a name, great or small letters alike.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let has = |name: &String| other.names.iter().any(|theirs| theirs.to_lowercase() == name.to_lowercase());
        self.key == other.key || self.names.iter().any(has)
    }
}

impl Approvers {
    /// The file that counts: `setting` (`provisioning.approvers`), else `approvers` in the user's settings folder, else
    /// in `/etc/skydeck`; `None` where there is none. One that is set must be there.
    pub fn find(setting: Option<&Path>) -> Result<Option<Self>, ProvisioningError> {
        if let Some(path) = setting {
            return Self::load(path).map(Some);
        }
        let folders = user_folder().into_iter().chain([PathBuf::from(SYSTEM)]);
        let found = folders.map(|folder| folder.join(NAME)).find(|path| path.symlink_metadata().is_ok());
        found.map(|path| Self::load(&path)).transpose()
    }

    /// Reads the file. Fails in words where it can't be read, others may write to it, or a line can't be understood.
    pub fn load(path: &Path) -> Result<Self, ProvisioningError> {
        let refused = |words: String| ProvisioningError::Refused(format!("{}: {words}", path.display()));
        let unreadable = |error: std::io::Error| {
            refused(format!(
                "{error}; write a file of allowed signers there, or set provisioning.approvers to where it is"
            ))
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        guarded(path, &metadata).map_err(refused)?;
        let mut bytes = Vec::new();
        file.by_ref().take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(refused(format!("is larger than {MAX_SIZE} bytes; it isn't a file of allowed signers")));
        }
        let digest = digest::of_bytes(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| refused("isn't UTF-8; write it anew".to_owned()))?;
        let lines = read(&text, &TimeZone::system())
            .map_err(|(line, words)| ProvisioningError::Refused(format!("{}:{line}: {words}", path.display())))?;
        Ok(Self { path: path.to_owned(), digest, lines })
    }

    /// SHA-256 of the file, lower-case hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of whoever may sign with `key` in `namespace` at the time `at`.
    #[must_use]
    pub fn who(&self, namespace: &str, key: &KeyData, at: Timestamp) -> Option<&str> {
        let line = self.lines_of(key).find(|line| line.covers(namespace) && untimely(line, at).is_none())?;
        line.principals.first().map(String::as_str)
    }

    /// Whoever may sign with `key` in `namespace` at the time `at`. Fails with why nobody may, to stand behind the key.
    pub fn person(&self, namespace: &str, key: &KeyData, at: Timestamp) -> Result<Person, String> {
        let shown = self.path.display();
        let mut reason = format!("isn't in {shown}; have its owner added there");
        for line in self.lines_of(key) {
            if !line.covers(namespace) {
                reason =
                    format!("is in {shown}, but not for the namespace {namespace}; have it added to namespaces=\"…\"");
            } else if let Some(words) = untimely(line, at) {
                reason = format!("{words} ({shown}); sign with another one");
            } else {
                return Ok(Person { names: line.principals.clone(), key: key.clone() });
            }
        }
        Err(reason)
    }

    fn lines_of(&self, key: &KeyData) -> impl Iterator<Item = &Line> {
        self.lines.iter().map(|(_, line)| line).filter(move |line| line.key == *key)
    }
}

/// Why `line` doesn't count at the time `at`.
fn untimely(line: &Line, at: Timestamp) -> Option<String> {
    if let Some(after) = line.valid_after.filter(|after| at < *after) {
        return Some(format!("counts only after {after}"));
    }
    line.valid_before.filter(|before| at > *before).map(|before| format!("counts only until {before}"))
}

/// The lines that are no comments, with their numbers. Fails with the number of the one that is wrong, and why.
fn read(text: &str, zone: &TimeZone) -> Result<Vec<(usize, Line)>, (usize, String)> {
    let mut lines: Vec<(usize, Line)> = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        let Some(line) = allowed_signers::read(text, zone).map_err(|words| (number, words))? else { continue };
        let counts = [PLAN, APPROVAL].iter().any(|namespace| line.covers(namespace));
        // A file may be shared with other programs: what doesn't count here needn't keep to what is asked here.
        if !counts {
            continue;
        }
        if let Some(pattern) = line.pattern() {
            let words = format!(
                "principals: {pattern:?} is a pattern and names nobody, so that signers couldn't be told apart; write the person's name, or keep the line to other namespaces"
            );
            return Err((number, words));
        }
        let twin = lines.iter().find(|(_, other)| other.key == line.key && other.principals[0] != line.principals[0]);
        if let Some((other, _)) = twin {
            let fingerprint = line.key.fingerprint(HashAlg::Sha256);
            let words = format!("the key {fingerprint} has another name in line {other}; give each key one name");
            return Err((number, words));
        }
        lines.push((number, line));
    }
    Ok(lines)
}

/// Refuses what isn't a file, and what somebody else may write to: whoever can, approves what they like.
fn guarded(path: &Path, metadata: &Metadata) -> Result<(), String> {
    if !metadata.is_file() {
        return Err("isn't a file; name a file of allowed signers".to_owned());
    }
    let trusted = |metadata: &Metadata| {
        let own = metadata.uid() == 0 || metadata.uid() == rustix::process::geteuid().as_raw();
        own && metadata.mode() & 0o022 == 0
    };
    if !trusted(metadata) {
        return Err(format!(
            "others may write to it, and so could approve in any name; run: chown \"$USER\" {0} && chmod go-w {0}",
            path.display()
        ));
    }
    let path = path.canonicalize().map_err(|error| format!("{error}; check the path"))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let metadata = folder.metadata().map_err(|error| format!("{}: {error}; check the path", folder.display()))?;
    // With the sticky bit a file is its owner's alone to replace.
    if metadata.mode() & 0o022 != 0 && metadata.mode() & 0o1000 == 0 {
        return Err(format!(
            "others may write to its folder, and so could replace it; run: chmod go-w {}",
            folder.display()
        ));
    }
    Ok(())
}
