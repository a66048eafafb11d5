//! Settings: layered configuration, environments and their folders.

mod environment;
mod model;

pub use environment::{EnvironmentKind, EnvironmentName, Folders, InvalidEnvironmentName};
pub use model::{
    AgentSettings, AlarmSettings, ColorMode, ConsoleSettings, HubSettings, IngestionSettings, LogSettings, Settings,
    SourceKind, SourceSettings, StationSettings,
};
