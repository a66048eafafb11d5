//! What most commands need: the environment, its settings and folders, the way to write.

#[cfg(any(feature = "agent", feature = "diag"))]
use std::path::Path;

#[cfg(feature = "console")]
use super::args::ConsoleFlags;
use super::args::Global;
#[cfg(any(feature = "_ground", feature = "agent"))]
use super::exit::Exit;
use super::exit::Failure;
use super::output::Output;
#[cfg(feature = "_ground")]
use crate::owner::provisioning::{Provisioner, RunnerCommand};
#[cfg(any(feature = "agent", feature = "diag"))]
use crate::owner::{DeviceDesk, Starting};
#[cfg(any(feature = "agent", feature = "diag", feature = "local"))]
use crate::settings::EnvironmentKind;
use crate::settings::{EnvironmentName, Folders, Layers, Loaded, Roots, load};
#[cfg(any(feature = "agent", feature = "diag"))]
use crate::settings::{ServiceFile, service::SYSTEM_FOLDER};

/// Is there where systemd runs the machine (sd_booted(3)).
#[cfg(any(feature = "agent", feature = "diag"))]
const SYSTEMD: &str = "/run/systemd/system";

/// What most commands need.
#[derive(Debug)]
pub struct Context {
    /// The environment.
    pub environment: EnvironmentName,
    /// The file of the machine's service, where that named it.
    #[cfg(any(feature = "agent", feature = "diag"))]
    pub service: Option<ServiceFile>,
    /// The flags that lead to the same settings and folders, with a space before each, to be copied.
    #[cfg(any(feature = "agent", feature = "diag", feature = "local"))]
    pub copied: String,
    /// Its settings, with origins.
    pub loaded: Loaded,
    /// Where its folders are; they needn't be there.
    pub folders: Folders,
    /// The way to write.
    pub output: Output,
    /// `--speed`, where given: an owner that runs already is told.
    #[cfg(feature = "local")]
    pub speed: Option<u32>,
    /// How often `-v` was given.
    #[cfg(any(feature = "agent", feature = "local"))]
    pub verbose: u8,
    /// Where runs are asked for and looked at.
    #[cfg(feature = "_ground")]
    pub provisioner: Provisioner,
}

impl Context {
    /// From the flags of every command.
    pub fn new(global: &Global) -> Result<Self, Failure> {
        Self::with(global, layers(global), roots(global)?)
    }

    /// From those and the console's.
    #[cfg(feature = "console")]
    pub fn for_console(global: &Global, console: &ConsoleFlags) -> Result<Self, Failure> {
        let mut layers = layers(global);
        if console.read_only {
            layers.flags.push(("--read-only", "console.read_only", "true".to_owned()));
        }
        Self::with(global, layers, roots(global)?)
    }

    /// As [`Context::new`], of the machine's service where there is one and neither flag nor variable names something
    /// else.
    #[cfg(any(feature = "agent", feature = "diag"))]
    pub fn of_device(global: &Global) -> Result<Self, Failure> {
        if global.is_env_named || global.data_dir.is_some() {
            return Self::new(global);
        }
        match ServiceFile::read(Path::new(SYSTEM_FOLDER))? {
            Some(service) => Self::of_service(global, service),
            None => Self::new(global),
        }
    }

    /// Of the service that this process is: where systemd says nothing, as when it is started by hand, its file does.
    #[cfg(feature = "agent")]
    pub fn of_running_service(global: &Global) -> Result<Self, Failure> {
        if global.data_dir.is_some() {
            return Self::new(global);
        }
        if global.is_env_named {
            return Self::with(global, layers(global), Roots::of_service());
        }
        match ServiceFile::read(Path::new(SYSTEM_FOLDER))? {
            Some(service) => Self::of_service(global, service),
            None => Err(Failure::new(Exit::Usage, "agent run --service: no environment is named; give --env NAME")),
        }
    }

    /// Of the service whose file that is: its environment, its settings, its folders.
    #[cfg(any(feature = "agent", feature = "diag"))]
    pub fn of_service(global: &Global, service: ServiceFile) -> Result<Self, Failure> {
        let mut layers = layers(global);
        layers.file = layers.file.or_else(|| service.config());
        // A variable of this process stands before the service's.
        let of_service = service.variables.iter().map(|(name, value)| (name.into(), value.into()));
        layers.variables = of_service.chain(layers.variables).collect();
        let global = Global { env: service.environment.clone(), ..global.clone() };
        let context = Self::with(&global, layers, service.roots()?)?;
        Ok(Self { service: Some(service), ..context })
    }

    /// Whoever is asked about the device.
    #[cfg(any(feature = "agent", feature = "diag"))]
    pub fn desk(&self) -> DeviceDesk {
        let named_by = self.service.as_ref().map(ServiceFile::words);
        let desk = DeviceDesk::new(self.environment.as_str(), &self.loaded.settings, &self.folders);
        desk.named_by(named_by).starting(self.starting())
    }

    /// How the device's agent is brought up: as its service where systemd has that, else by hand.
    #[cfg(any(feature = "agent", feature = "diag"))]
    fn starting(&self) -> Starting {
        let (name, copied) = (&self.environment, &self.copied);
        if self.service.is_some() && Path::new(SYSTEMD).is_dir() {
            let systemctl = |verb: &str| format!("systemctl {verb} skydeck-agent");
            return Starting { start: systemctl("start"), restart: systemctl("restart"), has_own_hub: false };
        }
        let link = &self.loaded.settings.link;
        let has_own_hub = cfg!(feature = "local")
            && !matches!(name.kind(), EnvironmentKind::Cloud)
            && link.hub.is_none()
            && link.connection_string.is_none();
        let start = if has_own_hub {
            format!("skydeck{copied} run {name}")
        } else {
            format!("skydeck --env {name}{copied} agent run")
        };
        Starting { restart: format!("end it, then {start}"), start, has_own_hub }
    }

    fn with(global: &Global, layers: Layers, roots: Roots) -> Result<Self, Failure> {
        let loaded = load(&global.env, &layers)?;
        let folders = roots.of(&global.env)?;
        #[cfg(feature = "_ground")]
        let provisioner =
            Provisioner::new(roots, runner_command(global)?, loaded.settings.provisioning.clone(), Some(layers));
        Ok(Self {
            environment: global.env.clone(),
            #[cfg(any(feature = "agent", feature = "diag"))]
            service: None,
            #[cfg(any(feature = "agent", feature = "diag", feature = "local"))]
            copied: global.copied.clone(),
            loaded,
            folders,
            output: Output::new(global.json, global.no_color),
            #[cfg(feature = "local")]
            speed: global.speed,
            #[cfg(any(feature = "agent", feature = "local"))]
            verbose: global.verbose,
            #[cfg(feature = "_ground")]
            provisioner,
        })
    }

    /// Whether colours are forbidden: by `--no-color` or `NO_COLOR`.
    #[cfg(feature = "diag")]
    pub fn no_color(&self) -> bool {
        self.loaded.settings.console.color == crate::settings::ColorMode::Never
            || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
    }

    /// Refuses an environment whose data aren't on this machine.
    #[cfg(feature = "local")]
    pub fn embedded(&self) -> Result<(), Failure> {
        match self.environment.kind() {
            EnvironmentKind::Demo | EnvironmentKind::Local => Ok(()),
            EnvironmentKind::Cloud => {
                let words = format!(
                    "environment {}: its data are in the cloud, not here; use --env demo or --env local",
                    self.environment
                );
                Err(Failure::new(Exit::Usage, words))
            }
        }
    }
}

/// This program, and the flags that lead to the same settings and folders from anywhere.
#[cfg(feature = "_ground")]
fn runner_command(global: &Global) -> Result<RunnerCommand, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("skydeck: {error}; start it by its path"));
    let mut arguments = Vec::new();
    for (flag, path) in [("--config", &global.config), ("--data-dir", &global.data_dir)] {
        if let Some(path) = path {
            arguments.extend([flag.into(), std::path::absolute(path).map_err(failed)?.into_os_string()]);
        }
    }
    Ok(RunnerCommand { program: std::env::current_exe().map_err(failed)?, arguments })
}

/// This program's path as it was started, absolute; absent where it can't be known.
#[cfg(feature = "agent")]
pub fn program() -> Option<std::path::PathBuf> {
    std::env::current_exe().ok().map(|path| {
        // Linux says so of a program that was replaced while it ran: the new one is what is to be started.
        let text = path.to_string_lossy().into_owned();
        text.strip_suffix(" (deleted)").map_or(path, Into::into)
    })
}

fn roots(global: &Global) -> Result<Roots, Failure> {
    Ok(global.data_dir.as_deref().map_or_else(Roots::of_user, Roots::one)?)
}

/// The layers of settings with the flags of every command on top.
pub fn layers(global: &Global) -> Layers {
    let mut layers = Layers { file: global.config.clone(), ..Layers::of_this_process() };
    let flags = &mut layers.flags;
    #[cfg(feature = "console")]
    flags.extend(global.theme.iter().map(|theme| ("--theme", "console.theme", theme.clone())));
    flags.extend(global.speed.iter().map(|speed| ("--speed", "source.speed", speed.to_string())));
    if global.no_color {
        flags.push(("--no-color", "console.color", "never".to_owned()));
    }
    match global.verbose {
        0 => {}
        1 => flags.push(("-v", "log.filter", "debug".to_owned())),
        _ => flags.push(("-vv", "log.filter", "trace".to_owned())),
    }
    layers
}
