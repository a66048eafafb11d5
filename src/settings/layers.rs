//! The layers of configuration, laid over each other: a later one wins, and every value keeps its origin.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::{Table, Value};

use super::document;
use super::error::{Place, SettingsError};
use super::keys::{self, KEYS, Key, SENSORS};
use super::{EnvironmentName, LensProjection, Settings, SourceKind, sensors, template};
use crate::station::text::printable;

/// The settings file of a folder that every environment reads; beside it lies one for each environment,
/// `ENV.toml`.
pub const GENERAL_FILE: &str = "skydeck.toml";

/// Variables that steer the command line itself and are no settings.
const RESERVED: [&str; 3] = ["SKYDECK_ENV", "SKYDECK_CONFIG", "SKYDECK_DATA_DIR"];

/// Where settings are looked for. What is absent is skipped, but for `file`.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The machine's folder, `/etc/skydeck`.
    pub system: Option<PathBuf>,
    /// The user's folder, `$XDG_CONFIG_HOME/skydeck`.
    pub user: Option<PathBuf>,
    /// The file given with `--config`, which must be there.
    pub file: Option<PathBuf>,
    /// Environment variables; those that don't begin with `SKYDECK_` are passed over.
    pub variables: Vec<(OsString, OsString)>,
    /// Flags: the flag, the key it sets, its text.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

impl Layers {
    /// The layers of this process, without flags and `--config`.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self {
            system: Some(PathBuf::from(super::service::SYSTEM_FOLDER)),
            user: user_folder(),
            file: None,
            variables: std::env::vars_os().collect(),
            flags: Vec::new(),
        }
    }

    /// Every file that is looked for, in the order in which they are laid over each other.
    #[must_use]
    pub fn files(&self, environment: &EnvironmentName) -> Vec<PathBuf> {
        let folders = [&self.system, &self.user];
        let of_folders = |name: String| folders.into_iter().flatten().map(move |folder| folder.join(&name));
        let general = of_folders(GENERAL_FILE.to_owned());
        let own = of_folders(format!("{environment}.toml"));
        general.chain(own).chain(self.file.clone()).collect()
    }
}

/// The user's settings folder, `$XDG_CONFIG_HOME/skydeck`; `None` where there is no home folder.
#[must_use]
pub fn user_folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    etcetera::choose_base_strategy().ok().map(|strategy| strategy.config_dir().join("skydeck"))
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "from")]
pub enum Origin {
    /// The built-in defaults.
    Default,
    /// The environment's own built-in defaults.
    Environment,
    /// A file.
    File {
        /// Its path.
        file: PathBuf,
        /// From 1.
        line: usize,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
    },
    /// A flag of the command line.
    Flag {
        /// As in `--speed`.
        name: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment => f.write_str("the environment's default"),
            Self::File { file, line } => write!(f, "{}:{line}", printable(&file.to_string_lossy())),
            Self::Variable { name } => f.write_str(name),
            Self::Flag { name } => f.write_str(name),
        }
    }
}

/// Settings with the origin of each value.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    values: Values,
}

impl Loaded {
    /// Every key in the template's order, with its value where it has one, and where that came from.
    pub fn entries(&self) -> impl Iterator<Item = (&'static Key, Option<&Value>, Origin)> {
        KEYS.iter().map(|key| match self.values.get(key.path) {
            Some((value, origin)) => (key, Some(value), origin.clone()),
            None => (key, None, Origin::Default),
        })
    }

    /// Every setting of every sensor, by sensor: its path, `sensors.NAME.key`, its value and where that came from.
    pub fn sensor_entries(&self) -> impl Iterator<Item = (&str, &Value, &Origin)> {
        let of_sensors = self.values.iter().filter(|(path, _)| sensor_key(path).is_some());
        of_sensors.map(|(path, (value, origin))| (path.as_str(), value, origin))
    }
}

/// The settings of `environment`. The first error ends it; it names file and line, variable or flag.
pub fn load(environment: &EnvironmentName, layers: &Layers) -> Result<Loaded, SettingsError> {
    let mut values = BTreeMap::new();
    lay_built_in(&mut values, template::DEFAULTS, "config/default.toml", &Origin::Default)?;
    if let Some(text) = template::of_environment(environment) {
        let name = format!("config/environments/{environment}.toml");
        lay_built_in(&mut values, text, &name, &Origin::Environment)?;
    }
    for file in layers.files(environment) {
        lay_file(&mut values, &file, layers.file.as_ref() == Some(&file))?;
    }
    lay_variables(&mut values, &layers.variables)?;
    for (flag, key, text) in &layers.flags {
        let value = accept(Place::Flag(flag), key, text)?;
        values.insert(value.0, (value.1, Origin::Flag { name: flag }));
    }
    complete_sensors(&mut values)?;
    let settings = typed(&values)?;
    if let Some((name, words)) = sensors::clash(&settings.sensors) {
        let place = values.get(&format!("{SENSORS}.{name}.kind")).map(|(_, origin)| origin.to_string());
        return Err(SettingsError::Sensor { place: place.unwrap_or_default(), words });
    }
    if settings.source.kind == SourceKind::Sensors && settings.sensors.is_empty() {
        return Err(SettingsError::Together(
            "source.kind is \"sensors\" and there is none; add a section as in [sensors.roof] for each",
        ));
    }
    if settings.source.kind == SourceKind::Lines && settings.source.path.is_none() {
        return Err(SettingsError::Together(
            "source.kind is \"lines\" and source.path is not set; set source.path to the file that is followed",
        ));
    }
    let quality = &settings.quality;
    if quality.temperature_min_c > quality.temperature_max_c {
        return Err(SettingsError::Together(
            "quality.temperature_min_c is above quality.temperature_max_c; no temperature would be plausible",
        ));
    }
    if quality.pressure_min_hpa > quality.pressure_max_hpa {
        return Err(SettingsError::Together(
            "quality.pressure_min_hpa is above quality.pressure_max_hpa; no pressure would be plausible",
        ));
    }
    if settings.sky.projection == Some(LensProjection::Rectilinear) && settings.sky.fov_deg > 170.0 {
        return Err(SettingsError::Together(
            "sky.projection is \"rectilinear\" and sky.fov_deg is over 170; set sky.fov_deg to what the lens sees, or sky.projection to \"equidistant\"",
        ));
    }
    let camera = &settings.camera;
    let named = [camera.command.is_some(), camera.device.is_some(), camera.folder.is_some(), camera.url.is_some()];
    if named.iter().filter(|set| **set).count() > 1 {
        return Err(SettingsError::Together(
            "more than one of camera.command, camera.device, camera.folder and camera.url is set; a station has one camera: keep one",
        ));
    }
    // What is there isn't repeated: it is a secret.
    if camera.url.as_deref().is_some_and(keys::has_user) {
        return Err(SettingsError::Together(
            "camera.url holds a name or a password before its host; take it out, and set camera.user and camera.password, a reference",
        ));
    }
    Ok(Loaded { settings, values })
}

type Values = BTreeMap<String, (Value, Origin)>;

/// The sensor and the key of `sensors.NAME.key`.
fn sensor_key(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(SENSORS)?.strip_prefix('.')?.split_once('.')
}

/// Checks each sensor's section and fills in what it leaves to its kind.
fn complete_sensors(values: &mut Values) -> Result<(), SettingsError> {
    let mut defaults = Vec::new();
    for name in sensors::names(values.keys().map(String::as_str)) {
        let own = values.iter().filter_map(|(path, (value, origin))| {
            sensor_key(path).filter(|(of, _)| *of == name).map(|(_, key)| (key, (value, origin)))
        });
        let found = sensors::complete(name, &own.collect()).map_err(|wrong| SettingsError::Sensor {
            place: wrong.origin.map_or_else(|| format!("{SENSORS}.{name}"), |origin| origin.to_string()),
            words: wrong.words,
        })?;
        defaults.extend(found.into_iter().map(|(key, value)| (format!("{SENSORS}.{name}.{key}"), value)));
    }
    values.extend(defaults.into_iter().map(|(path, value)| (path, (value, Origin::Default))));
    Ok(())
}

fn lay_built_in(values: &mut Values, text: &str, name: &str, origin: &Origin) -> Result<(), SettingsError> {
    for entry in document::parse(text, Path::new(name))? {
        values.insert(entry.key, (entry.value, origin.clone()));
    }
    Ok(())
}

fn lay_file(values: &mut Values, file: &Path, must_exist: bool) -> Result<(), SettingsError> {
    let read = document::read(file).map_err(|error| match error {
        SettingsError::Folder { file } if must_exist => SettingsError::NamedFolder { file },
        other => other,
    });
    let Some(text) = read? else {
        return if must_exist { Err(SettingsError::Missing { file: file.to_owned() }) } else { Ok(()) };
    };
    for entry in document::parse(&text, file)? {
        values.insert(entry.key, (entry.value, Origin::File { file: file.to_owned(), line: entry.line }));
    }
    Ok(())
}

/// `SKYDECK_SECTION__KEY`. Other names that begin with `SKYDECK_` may be somebody else's (a container
/// platform's, say) and are passed over, unless they begin with a section's name or hold the two underscores.
fn lay_variables(values: &mut Values, variables: &[(OsString, OsString)]) -> Result<(), SettingsError> {
    let mut ours: Vec<_> = variables
        .iter()
        .filter_map(|(name, value)| name.to_str().map(|name| (name, value)))
        .filter(|(name, _)| name.starts_with("SKYDECK_") && !RESERVED.contains(name))
        .collect();
    ours.sort();
    for (name, text) in ours {
        let rest = name.strip_prefix("SKYDECK_").unwrap_or(name).to_ascii_lowercase();
        let Some((section, key)) = rest.split_once("__") else {
            refuse_a_near_miss(name, &rest)?;
            continue;
        };
        let text = text.to_str().ok_or_else(|| SettingsError::VariableText { name: printable(name) })?;
        let path = format!("{section}.{}", key.replace("__", "."));
        let (key, value) = accept(Place::Variable(name.to_owned()), &path, text)?;
        values.insert(key, (value, Origin::Variable { name: name.to_owned() }));
    }
    Ok(())
}

/// `SKYDECK_AGENT_IN_FLIGHT` is surely meant for `agent.in_flight`: passing over it would surprise.
fn refuse_a_near_miss(name: &str, rest: &str) -> Result<(), SettingsError> {
    let meant = KEYS.iter().find(|key| key.path.replace('.', "_") == rest);
    meant.map_or(Ok(()), |key| Err(SettingsError::Variable { name: printable(name), meant: variable_of(key) }))
}

/// The environment variable that sets `key`: `SKYDECK_AGENT__IN_FLIGHT`.
#[must_use]
pub fn variable_of(key: &Key) -> String {
    format!("SKYDECK_{}", key.path.replace('.', "__").to_ascii_uppercase())
}

fn accept(place: Place, path: &str, text: &str) -> Result<(String, Value), SettingsError> {
    let takes = match sensor_key(path) {
        Some((name, key)) if sensors::is_name(name) => sensors::find(key)
            .map(|known| known.takes)
            .ok_or_else(|| SettingsError::unknown_of_sensor(place.clone(), path, key))?,
        _ => keys::find(path).map(|key| key.takes).ok_or_else(|| SettingsError::unknown(place.clone(), path))?,
    };
    let value = takes.accept(&takes.read(text)).ok_or_else(|| SettingsError::Value {
        place,
        key: path.to_owned(),
        found: document::shown_for(takes, || document::shown_text(text)),
        wanted: takes.words(),
    })?;
    Ok((path.to_owned(), value))
}

fn typed(values: &Values) -> Result<Settings, SettingsError> {
    let mut root = Table::new();
    for (path, (value, _)) in values {
        let mut table = &mut root;
        let mut rest = path.as_str();
        // A sensor's name is its own; whatever else has a dot in it is a section.
        while let Some((section, below)) = rest.split_once('.') {
            match table.entry(section).or_insert_with(|| Value::Table(Table::new())) {
                Value::Table(inner) => (table, rest) = (inner, below),
                _ => return Err(SettingsError::Internal(format!("{path} lies in a value"))),
            }
        }
        table.insert(rest.to_owned(), value.clone());
    }
    // Every value was checked when it was read, so what fails here is the table of keys itself.
    serde_path_to_error::deserialize(Value::Table(root)).map_err(|error| SettingsError::Internal(error.to_string()))
}
