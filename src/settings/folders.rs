//! Where an environment's folders are, and making them so that nobody else can look in.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{EnvironmentName, Folders};

/// Longest path a unix socket can be bound to, bytes (`sun_path` less its closing zero, unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// Folders of the service, under which each environment has its own: StateDirectory, RuntimeDirectory and LogsDirectory of
/// the unit.
pub(super) const SERVICE_DATA: &str = "/var/lib/skydeck";
const SERVICE_RUNTIME: &str = "/run/skydeck";
pub(super) const SERVICE_LOGS: &str = "/var/log/skydeck";

/// Why an environment's folders can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Nowhere to put them.
    #[error("folders: no home folder is known; set HOME, or name a folder with --data-dir")]
    NoHome,
    /// A file stands where the folder should be.
    #[error("{}: is a file where a folder should be; move it away, or name another folder with --data-dir", path.display())]
    NotAFolder {
        /// Its path.
        path: PathBuf,
    },
    /// Can't be made.
    #[error("{}: can't be made: {reason}; check the permissions, or name another folder with --data-dir", path.display())]
    Make {
        /// Its path.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Can't be written to.
    #[error("{}: can't be written to: {reason}; make it writable, or name another folder with --data-dir", path.display())]
    ReadOnly {
        /// Its path.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Somebody else's, where only this user's will do.
    #[error("{}: belongs to somebody else or is open to others; remove it, or set XDG_RUNTIME_DIR", path.display())]
    Foreign {
        /// Its path.
        path: PathBuf,
    },
    /// A socket can't be bound to so long a path.
    #[error(
        "{}: {length} bytes is too long for a unix socket (at most {MAX_SOCKET_PATH}); name a shorter folder with --data-dir or XDG_RUNTIME_DIR",
        path.display()
    )]
    SocketPath {
        /// The socket.
        path: PathBuf,
        /// Its length, bytes.
        length: usize,
    },
}

/// The folders under which environments have theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    base: Base,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Base {
    /// One folder for everything, from `--data-dir`.
    One(PathBuf),
    /// Those that systemd makes for the service.
    Service,
    /// The user's folders by the XDG base directory specification.
    Xdg { data: PathBuf, state: PathBuf, runtime: Option<PathBuf> },
}

impl Roots {
    /// Everything under `folder`: `ENV/data`, `ENV/run` and `ENV/state`.
    pub fn one(folder: &Path) -> Result<Self, FolderError> {
        let make = |error: std::io::Error| FolderError::Make { path: folder.to_owned(), reason: error.to_string() };
        Ok(Self { base: Base::One(std::path::absolute(folder).map_err(make)?) })
    }

    /// The user's: `$XDG_DATA_HOME/skydeck/ENV`, `$XDG_STATE_HOME/skydeck/ENV` and, for what ends with the
    /// login, `$XDG_RUNTIME_DIR/skydeck/ENV` or `skydeck-UID/ENV` in the temporary folder.
    pub fn of_user() -> Result<Self, FolderError> {
        use etcetera::BaseStrategy as _;
        let strategy = etcetera::choose_base_strategy().map_err(|_| FolderError::NoHome)?;
        let data = strategy.data_dir();
        let state = strategy.state_dir().unwrap_or_else(|| data.clone());
        let base = Base::Xdg {
            data: data.join("skydeck"),
            state: state.join("skydeck"),
            runtime: strategy.runtime_dir().map(|folder| folder.join("skydeck")),
        };
        Ok(Self { base })
    }

    /// The service's: `/var/lib/skydeck/ENV`, `/run/skydeck/ENV` and `/var/log/skydeck/ENV`.
    #[must_use]
    pub const fn of_service() -> Self {
        Self { base: Base::Service }
    }

    /// Names of the environments that have a folder here, sorted.
    #[must_use]
    pub fn environments(&self) -> Vec<EnvironmentName> {
        let folder: &Path = match &self.base {
            Base::One(folder) => folder,
            Base::Service => Path::new(SERVICE_DATA),
            Base::Xdg { data, .. } => data,
        };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<EnvironmentName> =
            folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names
    }

    /// The folders of `environment`. Nothing is made; fails where its socket's path would be too long.
    pub fn of(&self, environment: &EnvironmentName) -> Result<Folders, FolderError> {
        let name = environment.as_str();
        let folders = match &self.base {
            Base::One(folder) => {
                let own = folder.join(name);
                Folders { data: own.join("data"), runtime: own.join("run"), state: own.join("state") }
            }
            Base::Service => Folders {
                data: Path::new(SERVICE_DATA).join(name),
                runtime: Path::new(SERVICE_RUNTIME).join(name),
                state: Path::new(SERVICE_LOGS).join(name),
            },
            Base::Xdg { data, state, runtime } => Folders {
                data: data.join(name),
                runtime: runtime.clone().unwrap_or_else(temporary).join(name),
                state: state.join(name),
            },
        };
        let path = folders.socket();
        let length = path.as_os_str().len();
        if length > MAX_SOCKET_PATH { Err(FolderError::SocketPath { path, length }) } else { Ok(folders) }
    }
}

impl Folders {
    /// Makes the folders that aren't there, open to this user only, and checks that they can be written to.
    pub fn make(&self) -> Result<(), FolderError> {
        let temporary = temporary();
        if self.runtime.starts_with(&temporary) {
            make(&temporary)?;
            // The temporary folder is everybody's: what lies there may have been put there for us to trust.
            check_own(&temporary)?;
        }
        for folder in [&self.data, &self.state, &self.runtime] {
            make(folder)?;
        }
        Ok(())
    }
}

fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("skydeck-{}", rustix::process::getuid().as_raw()))
}

fn make(folder: &Path) -> Result<(), FolderError> {
    let path = || folder.to_owned();
    match std::fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(FolderError::NotAFolder { path: path() }),
        Err(_) => {
            if let Some(file) = folder.ancestors().find(|ancestor| ancestor.is_file()) {
                return Err(FolderError::NotAFolder { path: file.to_owned() });
            }
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|error| FolderError::Make { path: path(), reason: error.to_string() })?;
        }
    }
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|error| FolderError::ReadOnly { path: path(), reason: error.to_string() })
}

fn check_own(folder: &Path) -> Result<(), FolderError> {
    let foreign = || FolderError::Foreign { path: folder.to_owned() };
    let metadata = std::fs::symlink_metadata(folder).map_err(|_| foreign())?;
    let mine = metadata.is_dir() && metadata.uid() == rustix::process::getuid().as_raw();
    if mine && metadata.permissions().mode() & 0o077 == 0 { Ok(()) } else { Err(foreign()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(folder: &Path) -> Folders {
        Roots::one(folder).expect("absolute").of(&EnvironmentName::demo()).expect("a short path")
    }

    #[test]
    fn folders_are_made_for_this_user_only() {
        let base = tempfile::tempdir().expect("temporary folder");
        let folders = roots(base.path());
        folders.make().expect("made");
        folders.make().expect("made again");
        for folder in [&folders.data, &folders.runtime, &folders.state] {
            assert_eq!(std::fs::metadata(folder).expect("there").permissions().mode() & 0o777, 0o700);
        }
        assert_eq!(folders.data, base.path().join("demo/data"));
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let base = tempfile::tempdir().expect("temporary folder");
        std::fs::write(base.path().join("demo"), "").expect("written");
        let error = roots(base.path()).make().expect_err("a file is in the way");
        assert!(error.to_string().starts_with(&format!("{}: is a file", base.path().join("demo").display())));
    }

    #[test]
    fn what_the_system_refuses_is_said() {
        // Nobody, not even the superuser, makes folders there.
        let error = roots(Path::new("/proc/skydeck-test")).make().expect_err("not to be made");
        assert!(matches!(error, FolderError::Make { .. } | FolderError::ReadOnly { .. }), "{error}");
    }

    #[test]
    fn a_socket_path_has_its_bound() {
        // "/" + 86 letters + "/demo/run/owner.sock" (20) is 107 bytes.
        let fits = Roots::one(Path::new(&format!("/{}", "a".repeat(86)))).expect("absolute");
        assert_eq!(fits.of(&EnvironmentName::demo()).expect("107 bytes").socket().as_os_str().len(), 107);
        let over = Roots::one(Path::new(&format!("/{}", "a".repeat(87)))).expect("absolute");
        let error = over.of(&EnvironmentName::demo()).expect_err("108 bytes");
        assert!(error.to_string().contains("108 bytes"), "{error}");
    }

    #[test]
    fn a_folder_open_to_others_is_not_ours() {
        let base = tempfile::tempdir().expect("temporary folder");
        let folder = base.path().join("open");
        std::fs::create_dir(&folder).expect("made");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).expect("opened");
        assert!(matches!(check_own(&folder), Err(FolderError::Foreign { .. })));
    }
}
