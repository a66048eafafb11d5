//! The settings themselves: small typed groups, one for each room that has any.
//!
//! Every field has a default, written in `config/default.toml` and held equal to it by a test.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::alarms::AlarmSettings;
use super::azure::AzureSettings;
use super::quality::QualitySettings;
use super::sensors::model::SensorSettings;
use super::sky::SkySettings;
use super::slot::ModelSettings;
use super::snowflake::SnowflakeSettings;
use crate::station::StationMetadata;

/// Everything that can be set. Rooms are given their own group, never the whole.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The station and its device.
    pub station: StationSettings,
    /// Where readings come from.
    pub source: SourceSettings,
    /// The sensors of `source.kind = "sensors"`, by name.
    pub sensors: BTreeMap<String, SensorSettings>,
    /// Limits of the quality control.
    pub quality: QualitySettings,
    /// The edge agent.
    pub agent: AgentSettings,
    /// The camera.
    pub camera: CameraSettings,
    /// How the camera sees the sky, and how that is judged.
    pub sky: SkySettings,
    /// The model slot.
    pub model: ModelSettings,
    /// The link to a hub.
    pub link: LinkSettings,
    /// The local hub.
    pub hub: HubSettings,
    /// Routing and loading.
    pub ingestion: IngestionSettings,
    /// The warehouse of an environment in the cloud.
    pub snowflake: SnowflakeSettings,
    /// Hub, containers and queue of an environment in the cloud.
    pub azure: AzureSettings,
    /// Terraform and its runs.
    pub provisioning: ProvisioningSettings,
    /// Thresholds of the alarms.
    pub alarms: AlarmSettings,
    /// The terminal console.
    pub console: ConsoleSettings,
    /// Logs.
    pub log: LogSettings,
}

/// The station and its device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StationSettings {
    /// The device's id in the hub: 1 to 128 characters of letters, digits and `-._:`.
    pub device_id: String,
    /// Name for people, 1 to 80 characters.
    pub name: String,
    /// Degrees north, −90 to 90.
    pub latitude_deg: f64,
    /// Degrees east, −180 to 180.
    pub longitude_deg: f64,
    /// Metres above mean sea level, −430 to 9000.
    pub altitude_m: f64,
    /// IANA time zone that screens show local time in.
    pub time_zone: String,
}

impl Default for StationSettings {
    fn default() -> Self {
        Self {
            device_id: "roof-01".into(),
            name: "Payerne".into(),
            latitude_deg: 46.815,
            longitude_deg: 6.944,
            altitude_m: 491.0,
            time_zone: "Europe/Zurich".into(),
        }
    }
}

impl StationSettings {
    /// The station's metadata as messages and screens carry them.
    #[must_use]
    pub fn metadata(&self) -> StationMetadata {
        StationMetadata {
            name: self.name.clone(),
            latitude_deg: self.latitude_deg,
            longitude_deg: self.longitude_deg,
            altitude_m: self.altitude_m,
            horizon_deg: Vec::new(),
        }
    }
}

/// Which source readings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// The month of minutes carried by skydeck, or the series at `path`.
    Replay,
    /// A file to which another program appends one JSON reading a line.
    Lines,
    /// The sensors of `[sensors.NAME]`, put together.
    Sensors,
    /// Made-up readings at any rate, for load tests.
    Sim,
    /// No source: the agent only drains its outbox.
    None,
}

/// Where readings come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSettings {
    /// Which source.
    pub kind: SourceKind,
    /// The series (replay; CSV, gzip allowed) or the file that is followed (lines).
    pub path: Option<PathBuf>,
    /// Replay: seconds of the series a second, 1 to 600.
    pub speed: u32,
    /// Replay: days of the series that lie in the outbox at the first start, 0 to 20.
    pub backlog_days: u32,
    /// Sim: readings a second, 0.001 to 100,000.
    pub rate_per_s: f64,
    /// Sim: what its readings are drawn from; the same seed gives the same ones.
    pub seed: u32,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self { kind: SourceKind::Replay, path: None, speed: 60, backlog_days: 7, rate_per_s: 1.0, seed: 1 }
    }
}

/// Where readings of the machine come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineSource {
    /// The files in which the kernel shows itself.
    Sysfs,
    /// These, and NVIDIA's `tegrastats` for what they lack.
    Tegrastats,
}

/// The edge agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentSettings {
    /// Messages the outbox holds at most, 1,000 to 10,000,000. 518,400 is 30 days at a reading each 5 s.
    pub outbox_max_rows: u64,
    /// Messages sent and not yet acknowledged at most, 1 to 4096.
    pub in_flight: u16,
    /// Least seconds between two measurements, 1 to 3600; absent takes every reading the source has.
    pub measure_every_s: Option<u32>,
    /// Minutes of pipeline time between nowcasts, 10 to 240.
    pub nowcast_every_min: u32,
    /// Minutes of pipeline time between health messages, 1 to 1440.
    pub health_every_min: u32,
    /// Seconds between readings of the machine, 1 to 3600.
    pub machine_every_s: u32,
    /// Where these come from.
    pub machine_source: MachineSource,
    /// The program of [`MachineSource::Tegrastats`] with its arguments.
    pub tegrastats: String,
    /// Longest wait between attempts to reach the hub, wall seconds, 1 to 3600.
    pub max_backoff_s: u64,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            outbox_max_rows: 518_400,
            in_flight: 1024,
            measure_every_s: None,
            nowcast_every_min: 10,
            health_every_min: 10,
            machine_every_s: 10,
            machine_source: MachineSource::Sysfs,
            tegrastats: "tegrastats --interval 10000".into(),
            max_backoff_s: 60,
        }
    }
}

/// The camera: one of a command, a folder and a URL, or a drawn sky.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraSettings {
    /// A program and its arguments that takes one picture and writes it, a JPEG or PNG, to `{file}`.
    pub command: Option<String>,
    /// A USB camera's device (V4L2), whose pictures one of the system's programs takes: `/dev/video0`.
    pub device: Option<PathBuf>,
    /// A folder into which something else puts pictures; the newest whole one is taken.
    pub folder: Option<PathBuf>,
    /// Where a camera in the network answers a GET with one picture, `http` or `https`.
    pub url: Option<String>,
    /// The name with which that camera is signed in to (HTTP's Basic scheme).
    pub user: Option<String>,
    /// The password that goes with it: a reference.
    pub password: Option<String>,
    /// Whether a replay without any of these has its sky drawn.
    pub rendered: bool,
    /// Minutes between pictures, 1 to 1440; absent takes one only when asked, of a folder each new one, and draws one every
    /// 10 minutes of pipeline time.
    pub every_min: Option<u32>,
    /// MiB of pictures kept until they are uploaded, 1 to 100,000.
    pub spool_mib: u32,
    /// KiB of pictures uploaded a second, 8 to 1,000,000; absent is no bound.
    pub max_upload_kib_per_s: Option<u32>,
}

impl Default for CameraSettings {
    fn default() -> Self {
        Self {
            command: None,
            device: None,
            folder: None,
            url: None,
            user: None,
            password: None,
            rendered: true,
            every_min: None,
            spool_mib: 512,
            max_upload_kib_per_s: None,
        }
    }
}

/// By which way the link goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkTransport {
    /// MQTT, and WebSocket where that can't be reached.
    Auto,
    /// MQTT over TLS only.
    Mqtt,
    /// MQTT over WebSocket only.
    Websocket,
}

/// The link to a hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkSettings {
    /// The hub's host name; absent is the environment's own hub.
    pub hub: Option<String>,
    /// Name or address that is connected to in the hub's stead: a gateway's. Absent is the hub itself.
    pub gateway: Option<String>,
    /// TCP port of MQTT.
    pub port: u16,
    /// TCP port of WebSocket and file upload.
    pub https_port: u16,
    /// By which way.
    pub transport: LinkTransport,
    /// The device's key, base64: a reference.
    pub key: Option<String>,
    /// The device's connection string: a reference. It gives hub, device, key and gateway where they aren't set.
    pub connection_string: Option<String>,
    /// The device's certificate with its chain, PEM, in the key's stead.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key, PEM, readable by the agent alone.
    pub certificate_key: Option<PathBuf>,
    /// Certificates that may sign the hub's, PEM; absent is the system's.
    pub ca: Option<PathBuf>,
    /// Seconds that a SAS token is good for, 10 to 86,400.
    pub token_life_s: u32,
    /// Days before a certificate's end from which it is warned of, 1 to 365.
    pub warn_expiry_days: u32,
    /// Messages a second at most, 1 to 100,000; absent is 100 to an outside hub, and no bound to the local one.
    pub max_per_s: Option<u32>,
    /// Messages a day (UTC) at most, 1 to 1,000,000,000; absent is 400,000 to an outside hub, none to the local one.
    pub max_per_day: Option<u32>,
    /// MiB a day (UTC) that may be sent, 0.1 to 1,000,000; absent is no bound: the link isn't metered.
    pub budget_mib_per_day: Option<f64>,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            hub: None,
            gateway: None,
            port: 8883,
            https_port: 443,
            transport: LinkTransport::Auto,
            key: None,
            connection_string: None,
            certificate: None,
            certificate_key: None,
            ca: None,
            token_life_s: 3600,
            warn_expiry_days: 30,
            max_per_s: None,
            max_per_day: None,
            budget_mib_per_day: None,
        }
    }
}

/// The local hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HubSettings {
    /// Address the hub listens on. Anything but loopback is reachable from the network.
    pub listen: IpAddr,
    /// TCP port of MQTT; 0 takes a free one.
    pub port: u16,
    /// TCP port of HTTPS (service side, WebSocket, file upload); 0 takes a free one.
    pub https_port: u16,
    /// The hub's name in blob names, 3 to 50 characters of letters, digits and `-`.
    pub name: String,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self { listen: IpAddr::from([127, 0, 0, 1]), port: 0, https_port: 0, name: "skydeck-hub".into() }
    }
}

/// Routing and loading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestionSettings {
    /// Seconds of pipeline time a batch is collected at most, 60 to 720.
    pub batch_window_s: u32,
    /// MiB a batch grows to at most, 10 to 500.
    pub batch_max_mib: u32,
    /// Days a table's rows are kept, 1 to 36,500; absent keeps them for good.
    pub retention_days: Option<u32>,
}

impl Default for IngestionSettings {
    fn default() -> Self {
        Self { batch_window_s: 300, batch_max_mib: 100, retention_days: None }
    }
}

/// Terraform and its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProvisioningSettings {
    /// A module of one's own, the folder with its `.tf` files; absent is the one that skydeck carries.
    pub module: Option<PathBuf>,
    /// The program; absent is the first `terraform` on the PATH.
    pub terraform: Option<PathBuf>,
    /// Seconds that a plan or an apply waits for the state lock, 0 to 3600.
    pub lock_timeout_s: u32,
    /// Hours after which a plan can't be applied any more, 1 to 720.
    pub plan_max_age_h: u32,
    /// A folder of one's own policies, asked beside those that skydeck carries.
    pub policies: Option<PathBuf>,
    /// When prod may be changed, as in `Mon-Thu 08:00-16:00 Europe/Zurich`; absent is always.
    pub change_window: Option<String>,
    /// Who may plan and approve with which key: a file of allowed signers as `ssh-keygen` reads it.
    pub approvers: Option<PathBuf>,
    /// The key that plans and approvals are signed with, as `ssh-keygen -Y sign -f` takes it.
    pub signing_key: Option<PathBuf>,
    /// Hours after which an approval is worth nothing, 1 to 720.
    pub approval_max_age_h: u32,
    /// Where runs of an environment in the cloud are shared; absent is a container beside Terraform's state.
    pub run_store: Option<String>,
    /// Whom shared plans are encrypted to: an age recipient.
    pub plan_recipient: Option<String>,
    /// What decrypts them: a reference to an age identity, `env:NAME` or `file:PATH`.
    pub plan_identity: Option<String>,
    /// Where the repository's files are read in a browser: a plan that is handed around links its findings' explanations
    /// below it.
    pub repository_url: Option<String>,
}

impl Default for ProvisioningSettings {
    fn default() -> Self {
        Self {
            module: None,
            terraform: None,
            lock_timeout_s: 10,
            plan_max_age_h: 24,
            policies: None,
            change_window: None,
            approvers: None,
            signing_key: None,
            approval_max_age_h: 24,
            run_store: None,
            plan_recipient: None,
            plan_identity: None,
            repository_url: None,
        }
    }
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorMode {
    /// As the terminal can and `NO_COLOR` allows.
    Auto,
    /// Never.
    Never,
}

/// By which way the console shows pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GraphicsMode {
    /// As the terminal can, which is asked for it.
    Auto,
    /// By kitty's graphics protocol.
    Kitty,
    /// By sixels.
    Sixel,
    /// By iTerm2's inline images.
    Iterm2,
    /// In half blocks; the terminal isn't asked.
    Blocks,
    /// Not at all; what is known of them is said in words.
    Off,
}

/// Unit of temperatures on screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TemperatureUnit {
    /// Degrees Celsius.
    #[serde(rename = "C")]
    Celsius,
    /// Degrees Fahrenheit.
    #[serde(rename = "F")]
    Fahrenheit,
}

/// Unit of pressures on screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PressureUnit {
    /// Hectopascal.
    #[serde(rename = "hPa")]
    Hectopascal,
    /// Inches of mercury at 0 °C.
    #[serde(rename = "inHg")]
    InchOfMercury,
}

/// Unit of wind speeds on screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindUnit {
    /// Metres a second.
    #[serde(rename = "m/s")]
    MetreASecond,
    /// Kilometres an hour.
    #[serde(rename = "km/h")]
    KilometreAnHour,
    /// Knots.
    #[serde(rename = "kn")]
    Knot,
}

/// The terminal console.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleSettings {
    /// Theme: a name in the themes' folders or a path to a file.
    pub theme: String,
    /// Colours.
    pub color: ColorMode,
    /// Whether the mouse is used; off leaves it to the terminal's own selection.
    pub mouse: bool,
    /// Least time between two frames, ms, 8 to 1000.
    pub frame_floor_ms: u64,
    /// By which way pictures are shown.
    pub graphics: GraphicsMode,
    /// Unit of temperatures.
    pub temperature_unit: TemperatureUnit,
    /// Unit of pressures.
    pub pressure_unit: PressureUnit,
    /// Unit of wind speeds.
    pub wind_unit: WindUnit,
    /// A keymap laid over the built-in one.
    pub keymap: Option<PathBuf>,
    /// Folder that exports are written to; absent is the folder skydeck was started in.
    pub export_dir: Option<PathBuf>,
    /// The SSH configuration by which devices are reached; the user's own where absent.
    pub ssh_config: Option<PathBuf>,
    /// Whether the console only looks: commands that change something are off.
    pub read_only: bool,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            theme: "midnight".into(),
            color: ColorMode::Auto,
            mouse: true,
            frame_floor_ms: 33,
            graphics: GraphicsMode::Auto,
            temperature_unit: TemperatureUnit::Celsius,
            pressure_unit: PressureUnit::Hectopascal,
            wind_unit: WindUnit::MetreASecond,
            keymap: None,
            export_dir: None,
            ssh_config: None,
            read_only: false,
        }
    }
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Filter in the form of `tracing`: a level, or `target=level` separated by commas.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { filter: "info".into() }
    }
}
