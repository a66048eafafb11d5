//! What is to be done so that the service is there, or isn't any more: only what isn't done yet.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Place, ServiceError, Step, UNIT, USER, unit};
use crate::settings::service::{DATA_FOLDER, LOG_FOLDER, SERVICE_FILE, SYSTEM_FOLDER};
use crate::settings::{EnvironmentName, Layers, Loaded, SecretReference, ServiceFile, load};

/// The groups whose devices a station has: chips and lines, serial boards, cameras, microphones.
const DEVICE_GROUPS: [&str; 5] = ["audio", "dialout", "gpio", "i2c", "video"];
/// Folders that the unit's sandbox hides or that end with a login: a program there can't be started.
const HIDDEN: [&str; 6] = ["/home", "/root", "/tmp", "/var/tmp", "/run", "/dev/shm"];
/// What starts it with the machine: what `systemctl enable` links.
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants";

/// How much is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything, and the service is started.
    Service,
    /// What a package's scripts leave to the program: user, groups and folders.
    Package,
}

/// What is to be installed.
#[derive(Debug, Clone)]
pub struct Install {
    /// The environment; else the one of the last time.
    pub environment: Option<EnvironmentName>,
    /// The program as the service sees it.
    pub program: PathBuf,
    /// How much.
    pub scope: Scope,
}

impl Install {
    /// The steps that lead there. Nothing is changed.
    pub fn plan(&self, place: &Place, is_dry: bool) -> Result<Vec<Step>, ServiceError> {
        check_place(place, "install", is_dry, self.scope == Scope::Service)?;
        let mut steps = user(place)?;
        steps.extend(folders(place)?);
        if self.scope == Scope::Package {
            return Ok(steps);
        }
        let file = ServiceFile::read(&place.path(SYSTEM_FOLDER));
        let environment = match (&self.environment, file) {
            (Some(environment), _) => environment.clone(),
            (None, Ok(Some(file))) => file.environment,
            (None, Ok(None)) => return Err(ServiceError::NoEnvironment),
            (None, Err(error)) => return Err(error.into()),
        };
        let layers = Layers { system: Some(place.path(SYSTEM_FOLDER)), ..Layers::default() };
        let loaded = load(&environment, &layers).map_err(Box::new)?;
        steps.extend(secrets(place, &loaded));
        steps.extend(unit_steps(place, &self.program)?);
        steps.extend(environment_file(place, &environment)?);
        let link = &loaded.settings.link;
        if link.connection_string.is_none() && link.hub.is_none() {
            let settings = Path::new(SYSTEM_FOLDER).join(format!("{environment}.toml"));
            steps.push(Step::Note(format!(
                "no hub is set: the agent ends until {} has link.connection_string, or link.hub with its key",
                settings.display()
            )));
        }
        steps.extend(start(place, steps.iter().any(Step::is_change)));
        Ok(steps)
    }
}

/// What is to be removed.
#[derive(Debug, Clone, Copy)]
pub struct Uninstall {
    /// Data, log and user too.
    pub purge: bool,
}

impl Uninstall {
    /// The steps that lead there. Nothing is changed.
    pub fn plan(self, place: &Place, is_dry: bool) -> Result<Vec<Step>, ServiceError> {
        check_place(place, "uninstall", is_dry, false)?;
        let own = unit::installed(place)?.is_some();
        let package = unit::of_package(place)?;
        let mut steps = Vec::new();
        let has_systemd = place.is_live() && is_booted_by_systemd();
        if has_systemd && (own || package.is_some()) {
            steps.push(systemctl("stop it, and start it no more", &["disable", "--now", UNIT]));
        }
        let mut gone = Vec::new();
        if !has_systemd {
            gone.push(place.path(WANTED).join(UNIT));
        }
        if own {
            gone.push(place.path(unit::own_path()));
        }
        gone.push(place.path(SYSTEM_FOLDER).join(SERVICE_FILE));
        let data = [DATA_FOLDER, LOG_FOLDER].map(|folder| place.path(folder));
        if self.purge {
            gone.extend(data.clone());
        }
        steps.extend(gone.into_iter().filter(|path| std::fs::symlink_metadata(path).is_ok()).map(Step::Delete));
        if has_systemd && own {
            steps.push(systemctl("have systemd read its units anew", &["daemon-reload"]));
        }
        if self.purge && place.ids(USER).is_some() {
            steps.push(Step::Run("remove the user and its group", on(place, "--prefix", &["userdel"], &[USER])));
        }
        if let Some((path, _)) = package {
            steps.push(Step::Note(format!("{} is the package's: apt remove skydeck-agent", path.display())));
        }
        if !self.purge && data.iter().any(|folder| folder.exists()) {
            steps
                .push(Step::Note(format!("data and log stay in {DATA_FOLDER} and {LOG_FOLDER}: --purge deletes them")));
        }
        steps.push(Step::Note(format!("settings and secrets stay in {SYSTEM_FOLDER}")));
        Ok(steps)
    }
}

/// Whether it can be done there at all.
fn check_place(place: &Place, what: &'static str, is_dry: bool, is_started: bool) -> Result<(), ServiceError> {
    if !place.is_live() || is_dry {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        return Err(ServiceError::NotRoot(what));
    }
    if is_started && !is_booted_by_systemd() {
        return Err(ServiceError::NoSystemd);
    }
    Ok(())
}

/// As sd_booted(3) finds out.
fn is_booted_by_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// `command`, with the flag that leads it to the image where it is one, and then `rest`.
fn on(place: &Place, flag: &str, command: &[&str], rest: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    if let Some(root) = place.root() {
        words.extend([flag.to_owned(), root.display().to_string()]);
    }
    words.extend(rest.iter().map(|word| (*word).to_owned()));
    words
}

fn systemctl(what: &'static str, words: &[&str]) -> Step {
    Step::Run(what, std::iter::once("systemctl").chain(words.iter().copied()).map(str::to_owned).collect())
}

/// The user, with the groups of the devices that are there.
fn user(place: &Place) -> Result<Vec<Step>, ServiceError> {
    let mut steps = Vec::new();
    if place.text("/etc/passwd")?.is_none() {
        let path = place.path("/etc/passwd");
        return Err(ServiceError::File { path, reason: "not there: a system has one".to_owned() });
    }
    if place.ids(USER).is_none() {
        let make = ["--system", "--user-group", "--home-dir", DATA_FOLDER, "--no-create-home"];
        let rest = [&make[..], &["--shell", "/usr/sbin/nologin", USER]].concat();
        steps.push(Step::Run("make the user and its group", on(place, "--prefix", &["useradd"], &rest)));
    }
    let groups = place.groups_without(USER, &DEVICE_GROUPS)?;
    if !groups.is_empty() {
        let rest = ["--append", "--groups", &groups.join(","), USER];
        steps.push(Step::Run("let it use the station's devices", on(place, "--prefix", &["usermod"], &rest)));
    }
    Ok(steps)
}

fn folders(place: &Place) -> Result<Vec<Step>, ServiceError> {
    let wanted = [(SYSTEM_FOLDER, 0o755, false), (DATA_FOLDER, 0o750, true), (LOG_FOLDER, 0o750, true)];
    let mut steps = Vec::new();
    for (folder, mode, is_own) in wanted {
        let path = place.path(folder);
        let is_there = match std::fs::symlink_metadata(&path) {
            Ok(about) if about.is_dir() => {
                let owner = if is_own { place.ids(USER).map(|(user, _)| user) } else { Some(0) };
                let is_owned = owner == Some(about.uid()) || !rustix::process::geteuid().is_root();
                about.mode() & 0o7777 == mode && is_owned
            }
            Ok(_) => return Err(ServiceError::File { path, reason: "not a folder: move it away".to_owned() }),
            Err(_) => false,
        };
        if !is_there {
            steps.push(Step::Folder { path, mode, is_own });
        }
    }
    Ok(steps)
}

/// The secrets that the settings name, which only the service's user may read. Those elsewhere are somebody's own.
fn secrets(place: &Place, loaded: &Loaded) -> Vec<Step> {
    let own = place.ids(USER).map(|(user, _)| user);
    let mut steps = Vec::new();
    for (_, value, _) in loaded.entries() {
        let reference = value.and_then(|value| value.as_str()?.parse().ok());
        let Some(SecretReference::File(absolute)) = reference else { continue };
        let path = place.path(&absolute);
        match std::fs::symlink_metadata(&path) {
            Err(_) => steps.push(Step::Note(format!("the secret {} is not there yet", absolute.display()))),
            Ok(about) if own == Some(about.uid()) && about.mode() & 0o077 == 0 => {}
            Ok(about) if about.is_file() && absolute.parent() == Some(Path::new(SYSTEM_FOLDER)) => {
                steps.push(Step::HandOver(path));
            }
            Ok(_) => steps.push(Step::Note(format!(
                "the secret {} has to be a file of {USER}'s, mode 0600: put it into {SYSTEM_FOLDER}, or hand it over",
                absolute.display()
            ))),
        }
    }
    steps
}

/// The unit, where no package has brought it.
fn unit_steps(place: &Place, program: &Path) -> Result<Vec<Step>, ServiceError> {
    let refused = |reason| Err(ServiceError::Program { path: program.to_owned(), reason });
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+');
    if !program.is_absolute() || !program.to_string_lossy().chars().all(is_plain) {
        return refused("a unit needs an absolute path of letters, digits and . _ - +");
    }
    if HIDDEN.iter().any(|folder| program.starts_with(folder)) {
        return refused("the service doesn't see what lies there");
    }
    let installed = unit::installed(place)?;
    if installed.is_none()
        && let Some((path, of_package)) = unit::of_package(place)?
        && of_package == program
    {
        return Ok(vec![Step::Note(format!("the package has brought {}", path.display()))]);
    }
    let text = unit::text(program);
    let mut steps = Vec::new();
    if !place.is_live() && !place.path(program).exists() {
        steps.push(Step::Note(format!("{} isn't in the image yet: put the program there", program.display())));
    }
    if installed.as_ref() != Some(&text) {
        steps.push(Step::Write { path: place.path(unit::own_path()), text });
    }
    Ok(steps)
}

/// The file that names the environment: what else somebody has written into it stays.
fn environment_file(place: &Place, environment: &EnvironmentName) -> Result<Option<Step>, ServiceError> {
    let absolute = Path::new(SYSTEM_FOLDER).join(SERVICE_FILE);
    let line = format!("SKYDECK_ENV={environment}\n");
    let before = place.text(&absolute)?;
    let text = match &before {
        None => format!(
            "# Which environment {UNIT} runs: its settings are {SYSTEM_FOLDER}/{environment}.toml. `skydeck diag` and\n\
             # `skydeck agent status` read this too, so everybody may: no secrets in here.\n{line}"
        ),
        Some(before) => {
            let is_kept = |kept: &&str| !kept.trim_start().starts_with("SKYDECK_ENV");
            before.lines().filter(is_kept).map(|kept| format!("{kept}\n")).collect::<String>() + &line
        }
    };
    Ok((before.as_ref() != Some(&text)).then(|| Step::Write { path: place.path(absolute), text }))
}

/// Has it start with the machine and, on a live one, now.
fn start(place: &Place, is_changed: bool) -> Vec<Step> {
    if !place.is_live() {
        let path = place.path(WANTED).join(UNIT);
        let is_there = std::fs::symlink_metadata(&path).is_ok();
        return if is_there { Vec::new() } else { vec![Step::Link { path, to: unit::own_path() }] };
    }
    let state = super::UnitState::ask();
    let is_active = state.as_ref().is_some_and(|state| state.active == "active");
    let is_enabled = state.as_ref().is_some_and(|state| state.enabled.as_deref() == Some("enabled"));
    let mut steps = Vec::new();
    if is_changed {
        steps.push(systemctl("have systemd read its units anew", &["daemon-reload"]));
    }
    if !is_enabled {
        steps.push(systemctl("start it with the machine", &["enable", UNIT]));
    }
    if is_changed || !is_active {
        steps.push(systemctl("start it", &["restart", UNIT]));
    }
    steps
}

#[cfg(test)]
mod tests;
