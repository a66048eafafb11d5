//! What a section holds, asked of the owner; as JSON it is the command's machine-readable answer.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::is_healthy;
use super::sky::Sky;
use crate::cli::args::Section;
use crate::cli::exit::{Failure, unexpected};
use crate::clock::ClockReading;
use crate::owner::{
    AgentReport, Alarm, Answer, AskError, Device, Extremes, HubAnswer, HubAsk, HubDevice, HubFaults, HubTwin,
    LoadedFile, LogLine, NoticeQueue, OwnerClient, Pipe, ProvisioningStatus, Request, Score, Snapshot, StorageView,
    WarehouseView,
};
use crate::settings::EnvironmentName;
use crate::station::{Prediction, QcFlag, StationMetadata, Variable};

/// Files of the copy history that are shown.
const FILES: usize = 20;
/// Lines of the log that are shown.
const LINES: usize = 100;

/// A section's content under the environment's head.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The environment.
    pub environment: EnvironmentName,
    /// Its clock.
    pub clock: ClockReading,
    /// Wall time of the snapshot.
    pub taken_at: Timestamp,
    /// No stage has failed and no alarm is raised.
    pub healthy: bool,
    /// The section.
    #[serde(flatten)]
    pub body: Body,
}

/// A section.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "section")]
pub enum Body {
    /// Everything the overview shows.
    Overview {
        /// The whole snapshot.
        snapshot: Box<Snapshot>,
    },
    /// What the roof says.
    Telemetry(Box<Telemetry>),
    /// Terraform and its runs.
    Plans {
        /// How provisioning stands.
        plans: Box<ProvisioningStatus>,
    },
    /// The pictures.
    Sky(Box<Sky>),
    /// Pipes and their files.
    Loads(Box<Loads>),
    /// The forecast and its verification.
    Nowcast(Box<Nowcast>),
    /// The devices.
    Devices(Box<Devices>),
    /// The owner's log.
    Logs {
        /// Oldest first.
        lines: Vec<LogLine>,
    },
    /// Raised alarms.
    Alarms {
        /// Newest first.
        alarms: Vec<Alarm>,
    },
}

/// The devices.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Devices {
    /// One entry a device that the pipeline knows.
    pub devices: Vec<Device>,
    /// One entry a device that is registered with the hub.
    pub registered: Vec<HubDevice>,
    /// What the station's own agent says of itself.
    pub agent: Option<Arc<AgentReport>>,
    /// The twin of the station's own device, as the hub has it.
    pub twin: Option<Box<HubTwin>>,
    /// What the hub does wrong on purpose.
    pub hub_faults: HubFaults,
    /// Devices whose identity two have.
    pub rivals: Vec<String>,
}

/// What the roof says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Telemetry {
    /// Where the station stands.
    pub station: StationMetadata,
    /// When the newest measurement was made.
    pub measured_at: Option<Timestamp>,
    /// Measurements at the hub since the owner started.
    pub received: u64,
    /// One entry a variable.
    pub variables: Vec<Measured>,
    /// Pressure reduced to mean sea level, hPa.
    pub sea_level_pressure_hpa: Option<f64>,
    /// Sun's elevation at the newest measurement, degrees.
    pub sun_elevation_deg: Option<f64>,
}

/// One variable now and over the last day of pipeline time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Which.
    pub variable: Variable,
    /// Its unit.
    pub unit: &'static str,
    /// Newest value; absent without a sensor.
    pub value: Option<f64>,
    /// Change over the last hour, in the unit an hour.
    pub tendency_per_h: Option<f64>,
    /// Least value of the last 24 h.
    pub min_24h: Option<f64>,
    /// Greatest value of the last 24 h.
    pub max_24h: Option<f64>,
    /// The station's day so far: least and greatest value, each with its time.
    pub today: Option<Extremes>,
    /// What quality control said of the newest value.
    pub flag: Option<QcFlag>,
}

/// Pipes and their files.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loads {
    /// One entry a pipe.
    pub pipes: Vec<Pipe>,
    /// The notice queue.
    pub notices: NoticeQueue,
    /// How the watched warehouse stands; absent where it is the environment's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<WarehouseView>,
    /// How the storage stands; absent where none is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageView>,
    /// Seconds from roof to table of recent messages, oldest first (monotonic clock).
    pub roof_to_table_s: Vec<f64>,
    /// The copy history, newest first.
    pub files: Vec<LoadedFile>,
}

/// The forecast and its verification.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Nowcast {
    /// The newest forecast.
    pub nowcast: Option<Prediction>,
    /// One entry a variable and lead.
    pub verification: Vec<Score>,
}

/// Asks for what `section` holds beyond the snapshot.
pub async fn gather(client: &OwnerClient, snapshot: &Snapshot, section: Section) -> Result<Content, Failure> {
    let body = match section {
        Section::Overview => Body::Overview { snapshot: Box::new(snapshot.clone()) },
        Section::Telemetry => Body::Telemetry(Box::new(telemetry(client, snapshot).await?)),
        Section::Plans => Body::Plans { plans: Box::new(snapshot.provisioning.clone()) },
        Section::Sky => Body::Sky(Box::new(super::sky::gather(client, snapshot).await?)),
        Section::Loads => Body::Loads(Box::new(loads(client, snapshot).await?)),
        Section::Nowcast => Body::Nowcast(Box::new(Nowcast {
            nowcast: snapshot.nowcast.clone(),
            verification: snapshot.verification.clone(),
        })),
        Section::Devices => Body::Devices(Box::new(devices(client, snapshot).await?)),
        Section::Logs => match client.ask(Request::Logs { after: 0, limit: LINES }).await? {
            Answer::Logs { lines } => Body::Logs { lines },
            _ => return Err(unexpected()),
        },
        Section::Alarms => Body::Alarms { alarms: snapshot.alarms.clone() },
    };
    Ok(Content {
        environment: snapshot.environment.clone(),
        clock: snapshot.clock,
        taken_at: snapshot.taken_at,
        healthy: is_healthy(snapshot),
        body,
    })
}

async fn telemetry(client: &OwnerClient, snapshot: &Snapshot) -> Result<Telemetry, Failure> {
    let now = &snapshot.now;
    let to = snapshot.clock.now();
    let from = to.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    let zone = TimeZone::get(&snapshot.time_zone).unwrap_or(TimeZone::UTC);
    let day = to.to_zoned(zone).start_of_day().map_or(from, |day| day.timestamp());
    let request = Request::Extremes { device: None, from: day, to };
    let Answer::Extremes { extremes } = client.ask(request).await? else { return Err(unexpected()) };
    let mut variables = Vec::new();
    for variable in Variable::ALL {
        let request = Request::Series { device: None, variable, from, to, max_points: 144 };
        let Answer::Series(series) = client.ask(request).await? else { return Err(unexpected()) };
        variables.push(Measured {
            variable,
            unit: variable.unit(),
            value: now.measurement.as_ref().and_then(|measurement| measurement.get(variable)),
            tendency_per_h: now.tendency_per_h.iter().find(|(of, _)| *of == variable).map(|(_, change)| *change),
            min_24h: series.points.iter().map(|point| point.min).reduce(f64::min),
            max_24h: series.points.iter().map(|point| point.max).reduce(f64::max),
            today: extremes.iter().find(|extremes| extremes.variable == variable).copied(),
            flag: now.measurement.as_ref().and_then(|measurement| measurement.qc.get(&variable).copied()),
        });
    }
    Ok(Telemetry {
        station: snapshot.station.clone(),
        measured_at: now.measurement.as_ref().map(|measurement| measurement.measured_at),
        received: now.received,
        variables,
        sea_level_pressure_hpa: now.sea_level_pressure_hpa,
        sun_elevation_deg: now.sun_elevation_deg,
    })
}

async fn devices(client: &OwnerClient, snapshot: &Snapshot) -> Result<Devices, Failure> {
    let ask = |ask: HubAsk| async move {
        match client.ask(Request::Hub(ask)).await {
            Ok(Answer::Hub(answer)) => Ok(Some(answer)),
            Ok(_) => Err(unexpected()),
            // A hub that is just coming up has nothing to say; the rest is shown all the same.
            Err(AskError::Refused(_) | AskError::Barred { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    let registered = match ask(HubAsk::Devices).await? {
        Some(HubAnswer::Devices { devices }) => devices,
        _ => Vec::new(),
    };
    let own = snapshot.agent.as_ref().map(|agent| agent.device_id.clone());
    let twin = match own {
        Some(id) => match ask(HubAsk::Twin { id }).await? {
            Some(HubAnswer::Twin { twin }) => Some(twin),
            _ => None,
        },
        None => None,
    };
    Ok(Devices {
        devices: snapshot.devices.clone(),
        registered,
        agent: snapshot.agent.clone(),
        twin,
        hub_faults: snapshot.hub_faults,
        rivals: snapshot.rivals.clone(),
    })
}

async fn loads(client: &OwnerClient, snapshot: &Snapshot) -> Result<Loads, Failure> {
    let request = Request::CopyHistory { failed_only: false, limit: FILES, after: None };
    let files = match client.ask(request).await {
        Ok(Answer::CopyHistory { files, .. }) => files,
        // An account that is watched without its warehouse has no copy history, and all the rest.
        Err(AskError::Refused(_)) if snapshot.warehouse.is_none() && snapshot.storage.is_some() => Vec::new(),
        Ok(_) => return Err(unexpected()),
        Err(error) => return Err(error.into()),
    };
    Ok(Loads {
        storage: snapshot.storage.clone(),
        pipes: snapshot.pipes.clone(),
        notices: snapshot.notices.clone(),
        warehouse: snapshot.warehouse.clone(),
        roof_to_table_s: snapshot.roof_to_table_s.clone(),
        files,
    })
}
