//! Secrets by reference: settings name where a secret is, and it is read when it is needed.

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;

use crate::station::text::printable;

/// Bytes that a secret's file may have.
const MOST_BYTES: u64 = 64 * 1024;

/// Where a secret is: `env:NAME` or `file:/PATH`. It holds no secret itself, and may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretReference {
    /// The value of an environment variable.
    Variable(String),
    /// The content of a file, by its absolute path.
    File(PathBuf),
}

/// Why a secret can't be had. Never holds the secret, nor a text that may be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No reference. What was given isn't repeated: it may be the secret itself.
    #[error("secret: not a reference; write env:NAME or file:/PATH, and keep the secret itself out of settings")]
    NotAReference,
    /// A kind of reference that comes later.
    #[error("secret: {0}: references are not in this release; use env:NAME or file:/PATH")]
    NotYet(&'static str),
    /// The variable isn't set, or isn't UTF-8.
    #[error("secret env:{0}: not set; set the variable {0} for this program")]
    NoVariable(String),
    /// The file can't be used.
    #[error("secret file:{}: {reason}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
}

impl SecretReference {
    /// Reads the secret, without the line break at its end. A file has to be a regular one of this user's or root's,
    /// that nobody else may read, of at most 64 KiB.
    pub fn resolve(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::Variable(name) => std::env::var(name)
                .ok()
                .filter(|text| !text.is_empty())
                .ok_or_else(|| SecretError::NoVariable(name.clone()))?,
            Self::File(path) => read(path).map_err(|reason| SecretError::File { path: path.clone(), reason })?,
        };
        Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
    }
}

impl FromStr for SecretReference {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match text.split_once(':') {
            Some(("env", name)) if is_name(name) => Ok(Self::Variable(name.to_owned())),
            Some(("file", path)) if path.starts_with('/') && printable(path) == path => Ok(Self::File(path.into())),
            Some(("keyvault", _)) => Err(SecretError::NotYet("keyvault")),
            Some(("keyring", _)) => Err(SecretError::NotYet("keyring")),
            _ => Err(SecretError::NotAReference),
        }
    }
}

/// The reference, never what it leads to.
impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{error}; check the path and its permissions");
    // Without waiting: a pipe in the file's place would hold the program up for ever.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut file = std::fs::File::options().read(true).custom_flags(flags).open(path).map_err(failed)?;
    // Of the file that was opened, not of what is at the path by now.
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err("not a regular file; name one".to_owned());
    }
    let own = rustix::process::geteuid().as_raw();
    if about.uid() != own && about.uid() != 0 {
        return Err(format!("belongs to another user (uid {}); take a file of your own", about.uid()));
    }
    if about.mode() & 0o077 != 0 {
        let words = "others may read or write it";
        return Err(format!("{words} (mode {:04o}); run: chmod 600 {}", about.mode() & 0o7777, path.display()));
    }
    let mut text = String::new();
    let read = file.by_ref().take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => "not text; a secret is UTF-8".to_owned(),
        _ => failed(error),
    })?;
    match read as u64 {
        0 => Err("empty; write the secret into it".to_owned()),
        read if read > MOST_BYTES => Err("larger than 64 KiB; is it the right file?".to_owned()),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret as _;

    use super::*;

    fn file(mode: u32, content: &[u8]) -> (tempfile::TempDir, SecretReference) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        (folder, SecretReference::File(path))
    }

    #[test]
    fn a_reference_says_where_and_nothing_else() {
        let reference: SecretReference = "env:PLAN_KEY".parse().expect("a reference");
        assert_eq!(
            (reference.to_string(), format!("{reference:?}")),
            ("env:PLAN_KEY".into(), "Variable(\"PLAN_KEY\")".into())
        );
        assert_eq!("file:/a/b".parse(), Ok(SecretReference::File("/a/b".into())));
        for (text, error) in [
            ("keyvault:plan", SecretError::NotYet("keyvault")),
            ("keyring:plan", SecretError::NotYet("keyring")),
            ("AGE-SECRET-KEY-1QQQ", SecretError::NotAReference),
            ("file:relative", SecretError::NotAReference),
            ("file:/a\u{1b}[2J", SecretError::NotAReference),
            ("env:", SecretError::NotAReference),
            ("env:1A", SecretError::NotAReference),
            ("env:A B", SecretError::NotAReference),
            ("", SecretError::NotAReference),
        ] {
            assert_eq!(text.parse::<SecretReference>(), Err(error), "{text}");
        }
        assert!(!SecretError::NotAReference.to_string().contains("AGE"));
    }

    #[test]
    fn a_file_is_read_when_nobody_else_may() {
        let (_folder, reference) = file(0o600, b"s3cret\n");
        let secret = reference.resolve().expect("read");
        assert_eq!(secret.expose_secret(), "s3cret");
        assert!(!format!("{secret:?}").contains("s3cret"));
        for mode in [0o640, 0o604, 0o620, 0o644] {
            let (_folder, reference) = file(mode, b"s3cret");
            let words = reference.resolve().expect_err("refused").to_string();
            assert!(words.contains("chmod 600") && words.contains(&format!("{mode:04o}")), "{words}");
        }
    }

    #[test]
    fn what_is_no_secret_file_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        let words = |reference: SecretReference| reference.resolve().expect_err("refused").to_string();
        assert!(words(SecretReference::File(pipe)).contains("not a regular file"));
        assert!(words(SecretReference::File(folder.path().join("none"))).contains("No such file"));
        let (_folder, empty) = file(0o600, b"");
        assert!(words(empty).contains("empty"));
        let (_folder, binary) = file(0o600, b"\xff\xfe");
        assert!(words(binary).contains("not text"));
        let (_folder, large) = file(0o600, &[b'a'; 64 * 1024 + 1]);
        assert!(words(large).contains("64 KiB"));
        assert!(words(SecretReference::Variable("SKYDECK_TEST_NOT_SET".into())).contains("not set"));
    }
}
