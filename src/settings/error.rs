//! What can be wrong with settings, in words that name the place, the cause and the next step.

use std::fmt;
use std::path::PathBuf;

use super::{keys, sensors};
use crate::station::text::printable;

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file and its line, from 1.
    Line(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line, as in `--speed`.
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(file, line) => write!(f, "{}:{line}", printable(&file.to_string_lossy())),
            Self::Variable(name) => f.write_str(&printable(name)),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Why settings can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A name that is no setting.
    #[error("{place}: unknown key {key:?}; {}", hint(*nearest))]
    Unknown {
        /// Where it stands.
        place: Place,
        /// The name, printable.
        key: String,
        /// The setting that may have been meant, in the spelling of its place.
        nearest: Option<&'static str>,
    },
    /// A value of the wrong type or outside its bounds.
    #[error("{place}: {key} is {found}; it takes {wanted}")]
    Value {
        /// Where it stands.
        place: Place,
        /// The setting.
        key: String,
        /// What was found, printable.
        found: String,
        /// What it takes, with bounds.
        wanted: String,
    },
    /// A variable that looks like a setting and isn't spelt like one.
    #[error("{name}: not a setting's variable; did you mean {meant}? (two underscores between section and key)")]
    Variable {
        /// The variable, printable.
        name: String,
        /// The variable that may have been meant.
        meant: String,
    },
    /// A variable that isn't UTF-8.
    #[error("{name}: its value is not UTF-8; set it again as plain text")]
    VariableText {
        /// The variable, printable.
        name: String,
    },
    /// Not TOML.
    #[error("{}:{line}: not valid TOML: {reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// The parser's words.
        reason: String,
    },
    /// A folder where a file is expected.
    #[error("{}: is a folder where a settings file is expected; move it away, or name a file", file.display())]
    Folder {
        /// Its path.
        file: PathBuf,
    },
    /// A folder named with `--config`.
    #[error("--config {}: is a folder; name a settings file (`skydeck config template` prints one to start from)", file.display())]
    NamedFolder {
        /// Its path.
        file: PathBuf,
    },
    /// A file that is there and can't be read.
    #[error("{}: can't be read: {reason}; check its permissions", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file named with `--config` isn't there.
    #[error("{}: no such file; check the path given with --config (`skydeck config template` prints one to start from)", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// A sensor's section that isn't whole, or two that contradict each other.
    #[error("{place}: {words}")]
    Sensor {
        /// Where it stands: a file's line, a variable.
        place: String,
        /// What is wrong and what to do.
        words: String,
    },
    /// Two settings that don't go together.
    #[error("{0}")]
    Together(&'static str),
    /// The table of keys and the settings' types disagree: a fault of skydeck's.
    #[error("settings: {0}; this is a fault of skydeck's, please report it")]
    Internal(String),
}

impl SettingsError {
    pub(super) fn unknown(place: Place, key: &str) -> Self {
        Self::Unknown { place, key: printable(key), nearest: keys::nearest(key) }
    }
}

impl SettingsError {
    /// The setting `path` of a sensor is unknown, `key` being its last part.
    pub(super) fn unknown_of_sensor(place: Place, path: &str, key: &str) -> Self {
        Self::Unknown { place, key: printable(path), nearest: sensors::nearest(key) }
    }
}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None => "`skydeck config template` lists every key".to_owned(),
    }
}
