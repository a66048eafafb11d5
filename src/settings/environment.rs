//! Environments: their names, kinds and folders.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an environment stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentKind {
    /// Embedded, replaying a real month; disposable.
    Demo,
    /// Embedded, for a real station without a cloud account.
    Local,
    /// Azure and Snowflake.
    Cloud,
}

/// An environment's name: 1 to 20 lower-case letters, digits and `-`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvironmentName(String);

impl EnvironmentName {
    /// The demo environment's.
    #[must_use]
    pub fn demo() -> Self {
        Self("demo".into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the environment stands on: `demo` and `local` are embedded, every other name is in the cloud.
    #[must_use]
    pub fn kind(&self) -> EnvironmentKind {
        match self.0.as_str() {
            "demo" => EnvironmentKind::Demo,
            "local" => EnvironmentKind::Local,
            _ => EnvironmentKind::Cloud,
        }
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EnvironmentName {
    type Err = InvalidEnvironmentName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first_is_letter = text.starts_with(|c: char| c.is_ascii_lowercase());
        let allowed = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if first_is_letter && allowed && text.len() <= 20 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidEnvironmentName(crate::station::text::printable(text)))
        }
    }
}

impl TryFrom<String> for EnvironmentName {
    type Error = InvalidEnvironmentName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EnvironmentName> for String {
    fn from(name: EnvironmentName) -> Self {
        name.0
    }
}

/// A name no environment can have.
#[derive(Debug, thiserror::Error)]
#[error(
    "environment {0:?}: a name has 1 to 20 lower-case letters, digits and '-' and begins with a letter, as in demo, local, staging or prod"
)]
pub struct InvalidEnvironmentName(String);

/// Where an environment keeps what is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folders {
    /// Durable: outbox, hub, containers, warehouse, certificates.
    pub data: PathBuf,
    /// Gone at logout: the owner's socket.
    pub runtime: PathBuf,
    /// The owner's log files.
    pub state: PathBuf,
}

impl Folders {
    /// The owner's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("owner.sock")
    }

    /// The socket of an agent that runs alone. As long a path as the owner's.
    #[must_use]
    pub fn agent_socket(&self) -> PathBuf {
        self.runtime.join("agent.sock")
    }

    /// What has been applied to the emulated cloud.
    #[must_use]
    pub fn cloud(&self) -> PathBuf {
        self.data.join("cloud")
    }
}
