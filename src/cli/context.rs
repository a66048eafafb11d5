//! What most commands need: the environment, its settings and folders, the way to write.

#[cfg(feature = "console")]
use super::args::ConsoleFlags;
use super::args::Global;
#[cfg(feature = "_ground")]
use super::exit::Exit;
use super::exit::Failure;
use super::output::Output;
#[cfg(feature = "_ground")]
use crate::owner::provisioning::{Provisioner, RunnerCommand};
#[cfg(feature = "local")]
use crate::settings::EnvironmentKind;
use crate::settings::{EnvironmentName, Folders, Layers, Loaded, Roots, load};

/// What most commands need.
#[derive(Debug)]
pub struct Context {
    /// The environment.
    pub environment: EnvironmentName,
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
        Self::with(global, layers(global))
    }

    /// From those and the console's.
    #[cfg(feature = "console")]
    pub fn for_console(global: &Global, console: &ConsoleFlags) -> Result<Self, Failure> {
        let mut layers = layers(global);
        if console.read_only {
            layers.flags.push(("--read-only", "console.read_only", "true".to_owned()));
        }
        Self::with(global, layers)
    }

    fn with(global: &Global, layers: Layers) -> Result<Self, Failure> {
        let roots = global.data_dir.as_deref().map_or_else(Roots::of_user, Roots::one)?;
        let loaded = load(&global.env, &layers)?;
        let folders = roots.of(&global.env)?;
        #[cfg(feature = "_ground")]
        let provisioner =
            Provisioner::new(roots, runner_command(global)?, loaded.settings.provisioning.clone(), Some(layers));
        Ok(Self {
            environment: global.env.clone(),
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

    /// This program's path as it was started, absolute; absent where it can't be known.
    #[cfg(feature = "agent")]
    pub fn program(&self) -> Option<std::path::PathBuf> {
        std::env::current_exe().ok().map(|path| {
            // Linux says so of a program that was replaced while it ran: the new one is what is to be started.
            let text = path.to_string_lossy().into_owned();
            text.strip_suffix(" (deleted)").map_or(path, Into::into)
        })
    }

    /// Refuses an environment that doesn't run on this machine.
    #[cfg(feature = "local")]
    pub fn embedded(&self) -> Result<(), Failure> {
        match self.environment.kind() {
            EnvironmentKind::Demo | EnvironmentKind::Local => Ok(()),
            EnvironmentKind::Cloud => {
                let words = format!(
                    "environment {}: only demo and local run in this release; use --env demo or --env local",
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
