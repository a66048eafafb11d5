//! Settings: layered configuration, environments and their folders.
//!
//! [`keys`] is the table of everything that can be set; [`document`] reads one file against it; [`layers`] lays
//! files, variables and flags over each other and remembers where each value came from; [`folders`] says where
//! an environment keeps what is its own; [`sensors`] is the table of `[sensors.NAME]`; [`service`] is the agent as
//! a service of the system; [`SecretReference`] names where a secret is. Called by `cli`; rooms are handed
//! their own group of [`Settings`].

mod alarms;
mod azure;
mod document;
mod environment;
mod error;
mod folders;
mod keys;
mod layers;
mod model;
mod quality;
mod secret;
pub mod sensors;
pub mod service;
mod sky;
mod slot;
mod snowflake;
pub mod template;
mod window;

pub use alarms::AlarmSettings;
pub use azure::{AzureIdentity, AzureSettings, FeedTransport};
pub use environment::{EnvironmentKind, EnvironmentName, Folders, InvalidEnvironmentName};
pub use error::{Place, SettingsError};
pub use folders::{FolderError, Roots};
pub use keys::{KEYS, Key, Takes, is_host, is_host_name};
pub use layers::{GENERAL_FILE, Layers, Loaded, Origin, load, user_folder, variable_of};
pub use model::{
    AgentSettings, CameraSettings, ColorMode, ConsoleSettings, GraphicsMode, HubSettings, IngestionSettings,
    LinkSettings, LinkTransport, LogSettings, MachineSource, PressureUnit, ProvisioningSettings, Settings, SourceKind,
    SourceSettings, StationSettings, TemperatureUnit, WindUnit,
};
pub use quality::QualitySettings;
pub use secret::{SecretError, SecretReference};
pub use service::{ServiceFile, ServiceFileError};
pub use sky::{CloudRule, LensProjection, SkySettings};
pub use slot::ModelSettings;
pub use snowflake::{SnowflakeAuth, SnowflakeSettings};
pub use window::{ChangeWindow, InvalidChangeWindow};
