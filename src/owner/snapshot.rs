//! The state of a running environment as viewers see it: owned, serialisable, cheap to share.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ground::TopologySummary;
use super::hub::HubFaults;
use super::lamp::Lamp;
use super::log_buffer::LogLine;
use super::storage::StorageView;
use super::views::PictureWatch;
use super::warehouse::{PipeWatch, WarehouseView};
use crate::clock::ClockReading;
use crate::edge_agent::report::AgentReport;
#[cfg(feature = "local")]
use crate::ingestion::warehouse::ScoreRow;
use crate::provisioning::status::ProvisioningStatus;
use crate::settings::{EnvironmentKind, EnvironmentName};
use crate::station::{DeviceHealth, Prediction, StationMetadata, Variable, WeatherMeasurement};

/// Everything the console's frame and overview show. Long lists are asked for with [`super::Request`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Rises with every change.
    pub version: u64,
    /// Which environment.
    pub environment: EnvironmentName,
    /// What it stands on.
    pub environment_kind: EnvironmentKind,
    /// The process that owns it.
    pub owner: OwnerInfo,
    /// The environment's clock when the snapshot was taken.
    pub clock: ClockReading,
    /// Wall time when the snapshot was taken.
    pub taken_at: Timestamp,
    /// Where the station stands.
    pub station: StationMetadata,
    /// IANA time zone of the station.
    pub time_zone: String,
    /// The pipeline's stages, from roof to nowcast.
    pub stages: Vec<Stage>,
    /// Alarms that are raised, newest first.
    pub alarms: Vec<Alarm>,
    /// What the roof says now.
    pub now: Now,
    /// The pipes.
    pub pipes: Vec<Pipe>,
    /// The notice queue.
    pub notices: NoticeQueue,
    /// The newest nowcast.
    pub nowcast: Option<Prediction>,
    /// Verification so far, one entry a variable and lead.
    pub verification: Vec<Score>,
    /// The devices.
    pub devices: Vec<Device>,
    /// What the station's own agent says of itself; absent until it has started.
    #[serde(default)]
    pub agent: Option<Arc<AgentReport>>,
    /// What the local hub does wrong on purpose.
    #[serde(default)]
    pub hub_faults: HubFaults,
    /// Devices whose identity two seem to have.
    #[serde(default)]
    pub rivals: Vec<String>,
    /// Seconds from roof to table of recent messages, oldest first: by the monotonic clock; in the cloud differences of stamps.
    pub roof_to_table_s: Vec<f64>,
    /// What the pipeline runs on.
    #[serde(default)]
    pub topology: TopologySummary,
    /// How the watched warehouse stands; absent where it is the environment's own, or isn't watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<WarehouseView>,
    /// Pictures as they are watched; absent where they are the environment's own, or aren't watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<PictureWatch>,
    /// How the storage stands; absent where none is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageView>,
    /// How provisioning stands.
    pub provisioning: ProvisioningStatus,
    /// Number of the newest log line.
    pub last_log: u64,
    /// The newest log lines of level WARN or worse, newest first, at most eight.
    pub warnings: Vec<LogLine>,
}

impl Snapshot {
    /// Whether there is more in `newer` than what time alone moves: ages and rates of the stages, alarms, the clock.
    /// Where there isn't, what was asked of the owner would be answered as before.
    #[must_use]
    pub fn is_outdone_by(&self, newer: &Self) -> bool {
        let aged = Self {
            version: newer.version,
            clock: newer.clock,
            taken_at: newer.taken_at,
            stages: newer.stages.clone(),
            alarms: newer.alarms.clone(),
            ..self.clone()
        };
        aged != *newer
    }

    /// The state before anything is known: every stage unknown, every list empty.
    #[must_use]
    pub fn first(
        environment: EnvironmentName,
        owner: OwnerInfo,
        clock: ClockReading,
        station: &crate::settings::StationSettings,
    ) -> Self {
        Self {
            version: 0,
            environment_kind: environment.kind(),
            environment,
            owner,
            clock,
            taken_at: Timestamp::now(),
            time_zone: station.time_zone.clone(),
            station: station.metadata(),
            stages: StageName::ALL
                .into_iter()
                .map(|name| Stage {
                    name,
                    lamp: Lamp::Unknown,
                    headline: "starting".to_owned(),
                    detail: String::new(),
                    rate_per_s: None,
                    lag_s: None,
                    last_error: None,
                    missing: false,
                })
                .collect(),
            alarms: Vec::new(),
            now: Now::default(),
            pipes: Vec::new(),
            notices: NoticeQueue::default(),
            nowcast: None,
            verification: Vec::new(),
            devices: Vec::new(),
            agent: None,
            hub_faults: HubFaults::default(),
            rivals: Vec::new(),
            roof_to_table_s: Vec::new(),
            topology: TopologySummary::default(),
            warehouse: None,
            pictures: None,
            storage: None,
            provisioning: ProvisioningStatus::default(),
            last_log: 0,
            warnings: Vec::new(),
        }
    }
}

/// Whether two readings are of a clock that runs alike: only its time has moved on.
#[cfg(feature = "local")]
#[must_use]
pub(super) fn same_mode(one: &ClockReading, other: &ClockReading) -> bool {
    match (one, other) {
        (ClockReading::Wall { .. }, ClockReading::Wall { .. }) => true,
        (ClockReading::Replay { speed: a, ended: b, .. }, ClockReading::Replay { speed: c, ended: d, .. }) => {
            a == c && b == d
        }
        _ => false,
    }
}

#[cfg(feature = "local")]
impl From<&ScoreRow> for Score {
    fn from(row: &ScoreRow) -> Self {
        let sums = &row.sums;
        Self {
            variable: row.variable,
            lead_minutes: row.lead_minutes,
            count: sums.count,
            mae: sums.mae().unwrap_or(0.0),
            rmse: sums.rmse().unwrap_or(0.0),
            bias: sums.bias().unwrap_or(0.0),
            coverage_50: sums.coverage_50().unwrap_or(0.0),
            coverage_90: sums.coverage_90().unwrap_or(0.0),
            persistence_mae: sums.persistence_mae().unwrap_or(0.0),
            skill: sums.skill(),
        }
    }
}

/// The process that owns an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerInfo {
    /// Process id.
    pub pid: u32,
    /// Version of skydeck.
    pub version: String,
    /// Wall time of its start.
    pub started_at: Timestamp,
    /// Its data folder.
    pub data_dir: PathBuf,
    /// `host:port` of the local hub, once it listens.
    pub hub_address: Option<String>,
}

/// A stage of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StageName {
    /// The sensors and the agent's outbox.
    Roof,
    /// The hub.
    Hub,
    /// Routing and batching.
    Route,
    /// The containers.
    Blob,
    /// The notice queue.
    Event,
    /// The loader.
    Pipe,
    /// The tables.
    Table,
    /// The nowcasts.
    Nowcast,
}

impl StageName {
    /// Every stage, in order.
    pub const ALL: [Self; 8] =
        [Self::Roof, Self::Hub, Self::Route, Self::Blob, Self::Event, Self::Pipe, Self::Table, Self::Nowcast];

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Roof => "Roof",
            Self::Hub => "Hub",
            Self::Route => "Route",
            Self::Blob => "Blob",
            Self::Event => "Event",
            Self::Pipe => "Pipe",
            Self::Table => "Table",
            Self::Nowcast => "Nowcast",
        }
    }
}

/// One stage's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Which.
    pub name: StageName,
    /// How it is doing.
    pub lamp: Lamp,
    /// Two to four words that say it: `1.0/s`, `2 routes`, `RUNNING`.
    pub headline: String,
    /// A second figure: `batch 212 s 8.1 KiB`, `0 pending`.
    pub detail: String,
    /// Things a wall second over the last minute; absent where nothing is counted.
    pub rate_per_s: Option<f64>,
    /// Median seconds from the stage before (monotonic clock); absent until seen.
    pub lag_s: Option<f64>,
    /// The last error, with what to do next; absent where there was none since the start.
    pub last_error: Option<String>,
    /// Whether it isn't provisioned: what was applied has no such part.
    #[serde(default)]
    pub missing: bool,
}

/// How bad an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Look at it.
    Warn,
    /// Act.
    Critical,
}

/// A raised alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// The rule's name: `no-telemetry`, `batch-gap`, `notice-age`, `load-errors`, `row-age`,
    /// `prediction-missing`, `outbox-filling`, `certificate-expiring`, `clock-unset`, `same-identity`,
    /// `link-metered-out`, `quota-spent`, `hub-fault`, `warehouse-unreachable`, `pipe-standing`, `rights-missing`,
    /// `watching-spent`, `feed-down`, `partition-down`, `storage-unreachable`, `batch-missing`, `queue-unreachable`,
    /// `notice-poison`, `ends-in-14-days`, `ends-in-3-days`, `ends-in-a-day`.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// The stage it concerns.
    pub stage: StageName,
    /// What is wrong, with figure and limit.
    pub message: String,
    /// When it was raised, pipeline time.
    pub raised_at: Timestamp,
    /// When somebody acknowledged it, pipeline time.
    pub acknowledged_at: Option<Timestamp>,
}

/// What the roof says now.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Now {
    /// The newest measurement at the hub.
    pub measurement: Option<WeatherMeasurement>,
    /// Change over the last hour, in the variable's unit an hour, for each variable that has one.
    pub tendency_per_h: Vec<(Variable, f64)>,
    /// Pressure reduced to mean sea level, hPa.
    pub sea_level_pressure_hpa: Option<f64>,
    /// Sun's elevation, degrees, at the newest measurement.
    pub sun_elevation_deg: Option<f64>,
    /// Measurements at the hub since the owner started. A rise says that charts have news.
    pub received: u64,
}

/// A pipe and what it has done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pipe {
    /// Its name.
    pub name: String,
    /// `RUNNING`, `PAUSED`, `STOPPED_MISSING_TABLE` or `STALLED_EXECUTION_ERROR`, as Snowflake says it.
    pub state: String,
    /// The container it loads from.
    pub container: String,
    /// The table it loads into.
    pub table: String,
    /// Files noticed and not loaded yet.
    pub pending_files: u64,
    /// When the oldest of them was noticed.
    pub oldest_pending_at: Option<Timestamp>,
    /// When the last notice came.
    pub last_received_at: Option<Timestamp>,
    /// When the last file was loaded.
    pub last_loaded_at: Option<Timestamp>,
    /// Rows in the table.
    pub rows: u64,
    /// `measuredAt` of the newest row.
    pub newest_row_at: Option<Timestamp>,
    /// Files loaded.
    pub files_loaded: u64,
    /// Files failed.
    pub files_failed: u64,
    /// Messages that came again and were left out.
    pub duplicates: u64,
    /// The last error.
    pub last_error: Option<String>,
    /// What is known of it where it is watched and not run here; absent where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Box<PipeWatch>>,
}

/// The notice queue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeQueue {
    /// Notices waiting.
    pub depth: u64,
    /// When the oldest came.
    pub oldest_at: Option<Timestamp>,
    /// Notices that couldn't be read and were kept aside.
    pub set_aside: u64,
}

/// Verification of one variable at one lead, over everything verified.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// The variable.
    pub variable: Variable,
    /// Lead, minutes.
    pub lead_minutes: u16,
    /// Forecasts verified.
    pub count: u64,
    /// Mean absolute error of the median.
    pub mae: f64,
    /// Root mean square error of the median.
    pub rmse: f64,
    /// Mean error of the median (forecast minus measured).
    pub bias: f64,
    /// Share of measurements inside the 50 % band, 0 to 1.
    pub coverage_50: f64,
    /// Share of measurements inside the 90 % band, 0 to 1.
    pub coverage_90: f64,
    /// Mean absolute error of persistence.
    pub persistence_mae: f64,
    /// 1 − MAE / MAE of persistence; absent where persistence made no error.
    pub skill: Option<f64>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its id.
    pub id: String,
    /// Whether it is connected to the hub.
    pub connected: bool,
    /// When the hub last heard of it, pipeline time.
    pub last_seen_at: Option<Timestamp>,
    /// Messages in its outbox.
    pub outbox_rows: u64,
    /// Bytes in its outbox.
    pub outbox_bytes: u64,
    /// The outbox's bound, messages.
    pub outbox_max_rows: u64,
    /// Messages given up over the bound.
    pub outbox_given_up: u64,
    /// Values and readings that were rejected and kept aside.
    pub set_aside: u64,
    /// Version of its agent.
    pub agent_version: Option<String>,
    /// The model in its slot.
    pub model_id: Option<String>,
    /// Where its readings come from, in words.
    pub source: String,
    /// Whether that source has come to its end.
    pub source_ended: bool,
    /// The link's last error.
    pub last_error: Option<String>,
    /// What it last said of its own health.
    pub health: Option<DeviceHealth>,
}

#[cfg(feature = "local")]
impl Device {
    /// One whose agent isn't this owner's: what the hub or its feed tells of it.
    pub(super) fn heard_of(id: String, at: Timestamp, connected: bool, health: Option<DeviceHealth>) -> Self {
        Self {
            id,
            connected,
            last_seen_at: Some(at),
            outbox_rows: 0,
            outbox_bytes: 0,
            outbox_max_rows: 0,
            outbox_given_up: 0,
            set_aside: 0,
            agent_version: None,
            model_id: None,
            source: "a device of its own".to_owned(),
            source_ended: false,
            last_error: None,
            health,
        }
    }
}
