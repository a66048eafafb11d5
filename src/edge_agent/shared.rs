//! What the agent's parts share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::camera::newest::Newest;
use super::camera::preview::NewestPicture;
use super::health::Monitor;
use super::history::History;
use super::outbox::{Boot, Outbox, Stamp};
use super::pulse::Pulse;
use super::report::{AgentReport, AgentStatus, ModelReport, Received, SensorReport, SensorState, Verdict};
use super::slot::{Loader, SLOT, Slot, wish};
use super::timekeeping::{MachineClock, Moment};
use super::twin::{self, Abilities, Effective, KeptTwin, reported_settings};
use super::uplink::meter::Meter;
use super::uplink::{UplinkSettings, UplinkStatus};
use crate::clock::Clock;
use crate::database::DatabaseError;
use crate::settings::QualitySettings;
use crate::station::StationMetadata;

/// Wall time before something that couldn't be stored is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// How often a change of the twin is tried to be kept before it is applied without.
const KEEP_TRIES: u32 = 3;

/// Sensors, and characters of an error, that are told the hub: its twins have room for 32 KB.
const MAX_SENSORS: usize = 32;
const MAX_ERROR: usize = 256;

const TWIN: &str = "twin";

/// A line of the agent's log.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// When.
    pub at: Timestamp,
    /// Its level, as in `WARN`.
    pub level: String,
    /// The part that wrote it.
    pub target: String,
    /// What it says, printable.
    pub message: String,
}

/// The newest lines of the log, at most so many, of a level or worse; oldest first.
pub type TailLog = Arc<dyn Fn(usize, Option<&str>) -> Vec<LogEntry> + Send + Sync>;
/// Gives the log another filter; answers in words why it can't.
pub type SetLogFilter = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What the process around the agent does for it.
#[derive(Clone, Default)]
pub struct Host {
    /// Reads the log.
    pub tail_log: Option<TailLog>,
    /// Changes its filter.
    pub set_log_filter: Option<SetLogFilter>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("tail_log", &self.tail_log.is_some())
            .field("set_log_filter", &self.set_log_filter.is_some())
            .finish()
    }
}

/// What the agent's parts share, over its restarts too.
#[derive(Debug)]
pub(super) struct Shared {
    pub device_id: String,
    pub folder: PathBuf,
    pub station: StationMetadata,
    pub quality: QualitySettings,
    pub has_camera: bool,
    pub outbox: Outbox,
    pub history: History,
    pub loader: Loader,
    /// Longest time that a nowcast may take.
    pub max_run: Duration,
    /// Which model makes the nowcasts; the reader changes it.
    pub slot: watch::Sender<Slot>,
    pub machine: MachineClock,
    pub boot: Boot,
    pub clock: Clock,
    /// Whether times come from this machine's clock; a replay's don't.
    pub is_wall: bool,
    pub host: Host,
    pub own: Effective,
    pub effective: watch::Sender<Effective>,
    pub reported: watch::Sender<Value>,
    pub report: watch::Sender<AgentReport>,
    pub status: watch::Sender<AgentStatus>,
    pub uplink: watch::Sender<UplinkStatus>,
    /// The day's count of what is sent, for link and pictures.
    pub meter: Meter,
    pub started: Instant,
    /// Where the link connects to, while there is one.
    link: Mutex<Option<watch::Receiver<UplinkSettings>>>,
    /// Rung to have a link that waits between two attempts try at once.
    pub try_link: Notify,
    /// Rung when there may be a picture to upload.
    pub pictures: Notify,
    /// Whether the reader lives.
    pub pulse: Arc<Pulse>,
    /// What camera and sensors tell each other.
    pub newest: Newest,
    /// The newest picture, small.
    pub preview: NewestPicture,
    /// What is read of the machine.
    pub monitor: Monitor,
    twin: Mutex<KeptTwin>,
}

/// What [`Shared`] is made of.
pub(super) struct Parts {
    pub device_id: String,
    pub folder: PathBuf,
    pub station: StationMetadata,
    pub quality: QualitySettings,
    pub has_camera: bool,
    pub outbox: Outbox,
    pub history: History,
    pub loader: Loader,
    pub max_run: Duration,
    pub machine: MachineClock,
    pub boot: Boot,
    pub clock: Clock,
    pub is_wall: bool,
    pub host: Host,
    pub own: Effective,
    pub status: AgentStatus,
    pub monitor: Monitor,
}

impl Shared {
    pub(super) async fn new(parts: Parts) -> Result<Self, DatabaseError> {
        let Parts { device_id, folder, station, quality, has_camera, outbox, history, machine, boot, .. } = parts;
        let slot = Slot::read(outbox.state(SLOT).await?.as_deref());
        let kept = outbox.state(TWIN).await?;
        let twin: KeptTwin = kept.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        let received: Vec<Received> =
            outbox.state(RECEIVED).await?.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        let (salvages, last_salvage) = outbox.salvages().await?;
        let report = AgentReport {
            salvages,
            last_salvage,
            device_id: device_id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source: parts.status.clone(),
            outbox: outbox.status().borrow().clone(),
            received,
            ..AgentReport::default()
        };
        let shared = Self {
            device_id,
            folder,
            station,
            quality,
            has_camera,
            outbox,
            history,
            loader: parts.loader,
            max_run: parts.max_run,
            slot: watch::Sender::new(slot),
            machine,
            boot,
            clock: parts.clock,
            is_wall: parts.is_wall,
            host: parts.host,
            effective: watch::Sender::new(parts.own.clone()),
            own: parts.own,
            reported: watch::Sender::new(Value::Null),
            report: watch::Sender::new(report),
            status: watch::Sender::new(parts.status),
            uplink: watch::Sender::new(UplinkStatus::default()),
            meter: Meter::default(),
            started: Instant::now(),
            link: Mutex::new(None),
            try_link: Notify::new(),
            pictures: Notify::new(),
            pulse: Arc::default(),
            newest: Newest::default(),
            preview: NewestPicture::default(),
            monitor: parts.monitor,
            twin: Mutex::new(twin),
        };
        shared.report.send_modify(|report| {
            report.started_at = Some(shared.started_at());
            report.clock.boot_id.clone_from(&shared.boot.boot_id);
            report.clock.is_set = !shared.is_wall || shared.machine.now().is_set();
        });
        shared.apply_twin();
        Ok(shared)
    }

    /// What a message made at `moment` keeps of it; `None` where times don't come from this machine's clock.
    pub(super) fn stamp(&self, moment: Moment) -> Option<Stamp> {
        self.is_wall.then_some(Stamp { boot: self.boot.id, boot_ns: moment.boot_ns, held: !moment.is_set() })
    }

    /// Where the link connects to; `None` where there is none.
    pub(super) fn link_settings(&self) -> Option<UplinkSettings> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.as_ref().map(|settings| settings.borrow().clone())
    }

    /// Notes where the link of this run connects to.
    pub(super) fn note_link(&self, settings: Option<watch::Receiver<UplinkSettings>>) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    pub(super) fn abilities(&self) -> Abilities {
        Abilities { camera: self.has_camera, log_filter: self.host.set_log_filter.is_some() }
    }

    /// When the agent started, by the clock as it is known now.
    fn started_at(&self) -> Timestamp {
        let ago = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::ZERO);
        let now = if self.is_wall { self.machine.now().wall } else { crate::clock::wall::now() };
        now.checked_sub(ago).unwrap_or(now)
    }

    /// The clock was set: what was said of times by it is said anew.
    pub(super) fn clock_was_set(&self) {
        self.report.send_modify(|report| report.started_at = Some(self.started_at()));
        self.publish_reported();
        self.pictures.notify_one();
    }

    /// Changes the twin: durable, then applied.
    pub(super) async fn change_twin(&self, change: impl FnOnce(&mut KeptTwin)) {
        let kept = {
            let mut twin = self.twin();
            let before = twin.clone();
            change(&mut twin);
            (*twin != before).then(|| json!(*twin).to_string())
        };
        if let Some(kept) = kept {
            for attempt in 1..=KEEP_TRIES {
                match self.outbox.put_state(vec![(TWIN.to_owned(), kept.clone())]).await {
                    Ok(()) => break,
                    Err(error) if attempt == KEEP_TRIES => {
                        tracing::error!(target: "agent", "the twin holds until the next start only: {error}");
                    }
                    Err(_) => tokio::time::sleep(RETRY).await,
                }
            }
        }
        self.apply_twin();
    }

    /// The desired interval between measurements that holds now, seconds.
    pub(super) fn twin(&self) -> MutexGuard<'_, KeptTwin> {
        self.twin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies the twin as it is kept, under the slot as it is.
    pub(super) fn apply_twin(&self) {
        let twin = self.twin().clone();
        let (effective, mut verdicts) = twin.apply(&self.own, self.abilities());
        if let Some(desired) = twin.desired.get(twin::MODEL) {
            verdicts.insert(twin::MODEL.to_owned(), self.judge_model(desired, &twin));
        }
        let filter_before = self.effective.borrow().log_filter.clone();
        if let Some(set) = &self.host.set_log_filter
            && effective.log_filter != filter_before
            && let Err(words) = set(&effective.log_filter)
            && let Some(verdict) = verdicts.get_mut("logFilter")
        {
            (verdict.status, verdict.error) = (super::report::VerdictStatus::Refused, Some(words));
        }
        self.effective.send_if_modified(|before| {
            let is_new = *before != effective;
            *before = effective;
            is_new
        });
        self.report.send_if_modified(|report| {
            let now = (twin.version, Value::Object(twin.desired), verdicts);
            let is_new = (report.twin.version, &report.twin.desired, &report.twin.verdicts) != (now.0, &now.1, &now.2);
            (report.twin.version, report.twin.desired, report.twin.verdicts) = now;
            is_new
        });
        self.publish_reported();
    }

    fn judge_model(&self, desired: &Value, twin: &KeptTwin) -> Verdict {
        let slot = self.slot.borrow().clone();
        let is_kept = desired["sha256"].as_str().is_some_and(|sha256| self.loader.store.has(sha256));
        let (status, error) = wish::verdict(desired, &slot, is_kept);
        // What it is instead: by that the hub sees that it isn't what is desired.
        let value = slot.current.package().map_or_else(|| json!(slot.current.id()), |package| json!(package));
        Verdict { value, version: twin.since.get(twin::MODEL).copied().unwrap_or(twin.version), status, error }
    }

    /// The sensors as the hub is told of them: what changes with every reading is left out. `None` where there are none.
    fn reported_sensors(&self) -> Option<Value> {
        let status = self.status.borrow();
        let one = |sensor: &SensorReport| {
            let error = sensor.last_error.as_ref().filter(|_| sensor.state == SensorState::Absent);
            let error = error.map(|words| words.chars().take(MAX_ERROR).collect::<String>());
            let shown = json!({ "kind": sensor.kind, "state": sensor.state, "since": sensor.since, "error": error });
            (sensor.name.clone(), shown)
        };
        let sensors: serde_json::Map<_, _> = status.sensors.iter().take(MAX_SENSORS).map(one).collect();
        (!sensors.is_empty()).then_some(Value::Object(sensors))
    }

    /// Makes the reported document anew.
    pub(super) fn publish_reported(&self) {
        let sensors = self.reported_sensors();
        let mut document = {
            let report = self.report.borrow();
            json!({
                "agent": {
                    "version": report.version,
                    "startedAt": report.started_at,
                    "bootId": report.clock.boot_id,
                    "model": report.model.current,
                },
                "model": reported_model(&report.model),
                "settings": reported_settings(&report.twin.verdicts),
            })
        };
        if let Some(sensors) = sensors {
            document["sensors"] = sensors;
        }
        let is_new = self.reported.send_if_modified(|before| {
            let is_new = *before != document;
            before.clone_from(&document);
            is_new
        });
        if is_new {
            self.report.send_modify(|report| report.twin.reported = document);
        }
    }
}

/// The slot as the hub is told of it: what changes with every nowcast, and every piece that is fetched, is left out.
fn reported_model(model: &ModelReport) -> Value {
    let short = |words: &str| words.chars().take(MAX_ERROR).collect::<String>();
    let deploying = model.deploying.as_ref().map(|deploying| {
        let percent =
            deploying.total_bytes.filter(|total| *total > 0).map(|total| deploying.done_bytes * 10 / total * 10);
        json!({
            "model": deploying.model,
            "sha256": deploying.sha256,
            "askedAt": deploying.asked_at,
            "state": deploying.state,
            "percent": percent,
            "error": deploying.error.as_deref().map(short),
        })
    });
    let fallback = model.fallback.as_ref();
    json!({
        "current": model.current,
        "sha256": model.sha256,
        "previous": model.previous,
        "deployedAt": model.deployed_at,
        "fallback": fallback.map(|f| json!({ "from": f.from, "reason": short(&f.reason), "at": f.at })),
        "deploying": deploying,
    })
}

/// Where the newest messages to the device are kept.
pub(super) const RECEIVED: &str = "received";
