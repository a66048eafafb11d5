//! The agent as a service of the system: its folders, and the file that says which environment it runs.

use std::path::{Path, PathBuf};

use super::{EnvironmentName, FolderError, Roots};
use crate::station::text::printable;

/// The machine's settings folder.
pub const SYSTEM_FOLDER: &str = "/etc/skydeck";
/// Its file that says which environment the service runs, as systemd reads it (`EnvironmentFile=`, systemd.exec(5)).
pub const SERVICE_FILE: &str = "agent.env";
/// Where the service keeps its data, and its log.
pub const DATA_FOLDER: &str = super::folders::SERVICE_DATA;
/// See [`DATA_FOLDER`].
pub const LOG_FOLDER: &str = super::folders::SERVICE_LOGS;
/// The variables in it that say where settings and data are.
const ENVIRONMENT: &str = "SKYDECK_ENV";
const DATA_DIR: &str = "SKYDECK_DATA_DIR";
const CONFIG: &str = "SKYDECK_CONFIG";

/// Why the file of the service can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceFileError {
    /// It can't be read.
    #[error("{}: {reason}; make it readable (sudo chmod 644 {}), or name the environment with --env", path.display(), path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A line isn't understood.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// Its path.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// It names no environment.
    #[error("{}: names no environment; write SKYDECK_ENV=NAME into it, or run: sudo skydeck --env NAME agent install", path.display())]
    NoEnvironment {
        /// Its path.
        path: PathBuf,
    },
}

/// What the file of the service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFile {
    /// Where it is.
    pub path: PathBuf,
    /// The environment that the service runs.
    pub environment: EnvironmentName,
    /// Every variable in it, `SKYDECK_` or not, in its order.
    pub variables: Vec<(String, String)>,
}

impl ServiceFile {
    /// The file in `folder`; `None` where there is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, ServiceFileError> {
        let path = folder.join(SERVICE_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(ServiceFileError::Unreadable { path, reason: error.to_string() }),
        }
    }

    fn parse(path: PathBuf, text: &str) -> Result<Self, ServiceFileError> {
        let mut variables = Vec::new();
        let mut environment = None;
        for (at, line) in text.lines().enumerate() {
            let wrong = |reason: String| ServiceFileError::Line { path: path.clone(), line: at + 1, reason };
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let (name, value) =
                line.split_once('=').ok_or_else(|| wrong("not NAME=VALUE; write # before a comment".to_owned()))?;
            let value = unquoted(value.trim()).ok_or_else(|| {
                wrong("quotes within a value, or one that goes on in the next line: write it plainly".to_owned())
            })?;
            let name = name.trim();
            if name == ENVIRONMENT {
                let parsed = value.parse::<EnvironmentName>().map_err(|error| wrong(error.to_string()))?;
                environment = Some(parsed);
            }
            variables.push((name.to_owned(), value.to_owned()));
        }
        match environment {
            Some(environment) => Ok(Self { path, environment, variables }),
            None => Err(ServiceFileError::NoEnvironment { path }),
        }
    }

    /// Where the service has its folders: its own, or what the file names.
    pub fn roots(&self) -> Result<Roots, FolderError> {
        self.value(DATA_DIR).map_or_else(|| Ok(Roots::of_service()), |folder| Roots::one(Path::new(folder)))
    }

    /// The settings file that it names, as `--config` does.
    #[must_use]
    pub fn config(&self) -> Option<PathBuf> {
        self.value(CONFIG).map(PathBuf::from)
    }

    /// Where the environment's name came from, in words.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} names the environment {}", printable(&self.path.to_string_lossy()), self.environment)
    }

    fn value(&self, name: &str) -> Option<&str> {
        let set = self.variables.iter().rev().find(|(of, _)| of == name);
        set.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// The value without the quotes around it; `None` where it has quotes or a backslash within.
fn unquoted(value: &str) -> Option<&str> {
    let inner = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)))
        .unwrap_or(value);
    (!inner.contains(['"', '\'', '\\'])).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServiceFile, String> {
        ServiceFile::parse("/etc/skydeck/agent.env".into(), text).map_err(|error| error.to_string())
    }

    #[test]
    fn it_names_environment_and_folders_as_systemd_reads_them() {
        let file = read("# a comment\n; another\n\nSKYDECK_ENV = \"roof\"\nPATH=/usr/bin\n").expect("read");
        assert_eq!(file.environment.as_str(), "roof");
        let folders = file.roots().and_then(|roots| roots.of(&file.environment)).expect("folders");
        assert_eq!(folders.data, Path::new("/var/lib/skydeck/roof"));
        assert_eq!(folders.agent_socket(), Path::new("/run/skydeck/roof/agent.sock"));
        assert_eq!(folders.state, Path::new("/var/log/skydeck/roof"));
        assert_eq!((file.config(), file.variables.len()), (None, 2));
        let file = read("SKYDECK_ENV=a\nSKYDECK_ENV=b\nSKYDECK_DATA_DIR='/srv/x'\nSKYDECK_CONFIG=/srv/x.toml\n");
        let file = file.expect("read");
        assert_eq!((file.environment.as_str(), file.config()), ("b", Some("/srv/x.toml".into())), "the last one holds");
        let folders = file.roots().and_then(|roots| roots.of(&file.environment)).expect("folders");
        assert_eq!(folders.data, Path::new("/srv/x/b/data"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, words) in [
            ("SKYDECK_ENV=roof\nnonsense", "/etc/skydeck/agent.env:2: not NAME=VALUE"),
            ("SKYDECK_ENV=Roof", "/etc/skydeck/agent.env:1: environment \"Roof\": a name has 1 to 20"),
            ("SKYDECK_ENV=\"ro\"of", "/etc/skydeck/agent.env:1: quotes within a value"),
            ("A=x\\", "/etc/skydeck/agent.env:1: quotes within a value, or one that goes on"),
            ("", "/etc/skydeck/agent.env: names no environment; write SKYDECK_ENV=NAME"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.starts_with(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_machine_without_the_file_is_none_and_one_that_cannot_be_read_says_how_to_mend_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        assert_eq!(ServiceFile::read(folder.path()), Ok(None));
        assert_eq!(ServiceFile::read(&folder.path().join("no/such")), Ok(None));
        // Nobody, not even the superuser, reads a folder as a file.
        std::fs::create_dir(folder.path().join(SERVICE_FILE)).expect("made");
        let error = ServiceFile::read(folder.path()).expect_err("a folder").to_string();
        assert!(error.contains("sudo chmod 644") && error.contains("--env"), "{error}");
    }
}
