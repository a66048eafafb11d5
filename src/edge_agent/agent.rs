//! The agent's spine: source → outbox, nowcasts, health, pictures, the link, and what the hub asks through it.
//!
//! A reading, the source's position and the half-collected ten-minute mean become durable in one
//! transaction, so that a crash anywhere loses and doubles nothing: what isn't in the outbox is read again
//! from the source, what is in it is sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::camera::preview::NewestPicture;
use super::camera::{Camera, CameraSource, GIVEN_UP, setup as camera_setup};
use super::history::History;
use super::link_test::LinkTester;
use super::methods::Methods;
use super::outbox::Outbox;
use super::pulse::Pulse;
use super::reader::{POSITION, Reader};
use super::report::{AgentReport, AgentStatus};
use super::sensors::{SensorError, SensorSource, Source};
use super::shared::{Host, Parts, Shared};
use super::sky::SkySetup;
use super::slot::{Deployer, Loader, Store};
use super::spool::Spool;
use super::timekeeping::MachineClock;
use super::twin::Effective;
use super::uplink::{self, UplinkSettings, UplinkStatus};
use super::upload::Uploader;
use super::{health, requests};
use crate::clock::ledger::Ledger;
use crate::clock::{Clock, wall};
use crate::database::DatabaseError;
use crate::settings::sensors::model::SensorSettings;
use crate::settings::{
    AgentSettings, CameraSettings, LinkSettings, ModelSettings, QualitySettings, SkySettings, SourceSettings,
    StationSettings,
};

/// How far a replay's clock runs past its series: the last batches are cut and loaded.
const AFTER_END: SignedDuration = SignedDuration::from_mins(15);

/// How long the agent goes on without a link that failed, before it starts anew.
const LINK_FAILED: Duration = Duration::from_secs(5);

/// Why the agent can't start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its outbox or history can't be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Its source can't be opened.
    #[error(transparent)]
    Source(#[from] SensorError),
    /// The camera's command can't be run.
    #[error(
        "camera.command {0:?} has no {{file}} among its arguments, or a quote that isn't closed; write it as in \
         `rpicam-jpeg -n -o {{file}}`"
    )]
    Camera(String),
    /// The model can't begin.
    #[error("model: {0}; start the agent again")]
    Model(String),
    /// It has no thread.
    #[error("model: no thread: {0}; end something else and start the agent again")]
    Thread(std::io::Error),
    /// What is known of the camera and its sky doesn't hold.
    #[error("{0}")]
    Sky(String),
    /// Its folder can't be made.
    #[error("{path}: {reason}; check that the data folder can be written")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

/// What an agent is made of.
#[derive(Debug)]
pub struct AgentSetup<'a> {
    /// The environment's data folder; the agent's is `agent` in it.
    pub data: &'a Path,
    /// The station.
    pub station: &'a StationSettings,
    /// Where readings come from.
    pub source: &'a SourceSettings,
    /// The sensors, where they come from those.
    pub sensors: &'a BTreeMap<String, SensorSettings>,
    /// Limits of the quality control.
    pub quality: &'a QualitySettings,
    /// The agent.
    pub agent: &'a AgentSettings,
    /// The camera.
    pub camera: &'a CameraSettings,
    /// How it sees the sky.
    pub sky: &'a SkySettings,
    /// The model slot.
    pub model: &'a ModelSettings,
    /// The link, for the values that the twin may overrule.
    pub link: &'a LinkSettings,
    /// The log's filter that the process started with.
    pub log_filter: &'a str,
    /// A replay doesn't begin earlier than this.
    pub not_before: Option<Timestamp>,
    /// What the process does for the agent.
    pub host: Host,
}

/// Why the agent's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentEnd {
    /// The shutdown was asked for.
    Shutdown,
    /// The method `restart` was called, or the link failed: it is to be started again.
    Restart,
}

/// Handles on an agent, for whoever shows how it is; clones share it, and they hold over its restarts.
#[derive(Debug, Clone)]
pub struct AgentHandles {
    /// The outbox.
    pub outbox: Outbox,
    /// The source and what was measured.
    pub status: watch::Receiver<AgentStatus>,
    /// The link.
    pub uplink: watch::Receiver<UplinkStatus>,
    /// The whole report.
    pub report: watch::Receiver<AgentReport>,
    /// The twin's reported properties, as they are told the hub.
    pub reported: watch::Receiver<Value>,
    /// What tries the way to the hub.
    pub link_tester: LinkTester,
    /// The newest picture of its camera.
    pub preview: NewestPicture,
    /// Whether its reader lives.
    pub pulse: Arc<Pulse>,
}

/// The agent.
pub struct Agent {
    shared: Arc<Shared>,
    source: SourceSettings,
    sensors: BTreeMap<String, SensorSettings>,
    not_before: Option<Timestamp>,
    /// The source of the first run; later ones open it anew.
    opened: Option<Option<Source>>,
    camera: Option<(CameraSource, SkySetup, Arc<Spool>)>,
    max_upload_kib_per_s: Option<u32>,
}

impl Agent {
    /// Opens the agent's stores and source in `data/agent` and makes the environment's clock: a replay's runs
    /// from where it stopped (or from the end of the back-log at the first start), never earlier than
    /// `not_before`; any other source runs on the wall clock.
    pub async fn open(setup: AgentSetup<'_>) -> Result<(Self, Clock), AgentError> {
        let folder = setup.data.join("agent");
        let failed = |path: &Path, error: std::io::Error| AgentError::Folder {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        let outbox = Outbox::open(&folder.join("outbox.db"), setup.agent.outbox_max_rows)?;
        let history = History::open(&folder.join("history.db"))?;
        let models = folder.join("models");
        let store =
            Store::open(models.clone(), usize::from(setup.model.keep)).map_err(|error| failed(&models, error))?;
        let trusted_keys = setup.model.trusted_keys.clone();
        let loader = Loader { store, trusted_keys, station: setup.station.metadata() };
        let (source, clock) = open_source(setup.source, setup.sensors, &outbox, &folder, setup.not_before).await?;
        let machine = MachineClock::new();
        let boot = outbox.enter_boot(machine.boot_id()).await?;
        let is_replay = matches!(source, Some(Source::Replay(_)));
        let sky = camera_setup(setup.station, setup.sky).map_err(AgentError::Sky)?;
        let camera = match CameraSource::new(setup.camera, sky.lens, is_replay)? {
            None => None,
            Some(source) => {
                let pictures = folder.join("pictures");
                let max_bytes = u64::from(setup.camera.spool_mib) * 1024 * 1024;
                let spool = Spool::open(&pictures, max_bytes).map_err(|error| failed(&pictures, error))?;
                Some((source, sky, Arc::new(spool)))
            }
        };
        let mut own = Effective::of(setup.agent, setup.camera, setup.link, setup.log_filter);
        own.capture_every_min =
            own.capture_every_min.or(camera.as_ref().and_then(|(camera, ..)| camera.own_every_min()));
        let status = AgentStatus {
            source: source.as_ref().map_or_else(
                || "no source set up: set source.kind and source.path in the settings".to_owned(),
                SensorSource::state,
            ),
            has_source: source.is_some(),
            quiet_since: source.is_some().then(wall::now),
            ..AgentStatus::default()
        };
        let monitor = health::Monitor::new(Path::new("/"), &folder, setup.agent);
        let parts = Parts {
            monitor,
            device_id: setup.station.device_id.clone(),
            folder,
            station: setup.station.metadata(),
            quality: setup.quality.clone(),
            has_camera: camera.is_some(),
            history,
            loader,
            max_run: Duration::from_secs(u64::from(setup.model.max_run_s)),
            machine,
            boot,
            clock: clock.clone(),
            is_wall: !is_replay,
            host: setup.host,
            own,
            status,
            outbox,
        };
        let shared = Arc::new(Shared::new(parts).await?);
        if let Some((source, _, spool)) = &camera {
            let given_up = shared.outbox.state(GIVEN_UP).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
            let (waiting, waiting_bytes) = spool.size();
            shared.report.send_modify(|report| {
                let camera = report.camera.get_or_insert_default();
                (camera.given_up, camera.waiting, camera.waiting_bytes) = (given_up, waiting, waiting_bytes);
                camera.source = source.words();
            });
        }
        let not_before = setup.not_before;
        let agent = Self {
            shared,
            source: setup.source.clone(),
            sensors: setup.sensors.clone(),
            not_before,
            opened: Some(source),
            camera,
            max_upload_kib_per_s: setup.camera.max_upload_kib_per_s,
        };
        Ok((agent, clock))
    }

    /// Handles to see how it is.
    #[must_use]
    pub fn handles(&self) -> AgentHandles {
        AgentHandles {
            outbox: self.shared.outbox.clone(),
            status: self.shared.status.subscribe(),
            uplink: self.shared.uplink.subscribe(),
            report: self.shared.report.subscribe(),
            reported: self.shared.reported.subscribe(),
            link_tester: LinkTester { shared: Arc::clone(&self.shared) },
            preview: self.shared.preview.clone(),
            pulse: Arc::clone(&self.shared.pulse),
        }
    }

    /// Runs until `shutdown` is cancelled or the hub has it restarted; with `link`, what is measured is sent there.
    /// What it can't store it tries again; what keeps it from beginning is an error.
    pub async fn run(
        mut self,
        link: Option<UplinkSettings>,
        ledger: Ledger,
        shutdown: CancellationToken,
    ) -> Result<AgentEnd, AgentError> {
        let end = self.run_once(link, &ledger, &shutdown).await?;
        if end == AgentEnd::Shutdown {
            self.shared.outbox.note_clean_end();
        }
        Ok(end)
    }

    /// As [`Agent::run`], starting anew in this process when the hub has it restarted.
    pub async fn run_on(
        mut self,
        link: Option<UplinkSettings>,
        ledger: Ledger,
        shutdown: CancellationToken,
    ) -> Result<(), AgentError> {
        while self.run_once(link.clone(), &ledger, &shutdown).await? == AgentEnd::Restart {
            tracing::info!(target: "agent", "starts anew");
        }
        self.shared.outbox.note_clean_end();
        Ok(())
    }

    async fn run_once(
        &mut self,
        link: Option<UplinkSettings>,
        ledger: &Ledger,
        shutdown: &CancellationToken,
    ) -> Result<AgentEnd, AgentError> {
        let shared = Arc::clone(&self.shared);
        let source = match self.opened.take() {
            Some(source) => source,
            None => {
                let opened = open_source(&self.source, &self.sensors, &shared.outbox, &shared.folder, self.not_before);
                opened.await?.0
            }
        };
        let (slot, orders) = mpsc::channel(4);
        let (asks, slot_asks) = mpsc::channel(4);
        let reader = Reader::open(Arc::clone(&shared), source, slot_asks).await?;
        let (captures, capture_asks) = mpsc::channel(4);
        let methods =
            Methods { shared: Arc::clone(&shared), slot, camera: self.camera.is_some().then(|| captures.clone()) };
        let (requests, asked) = mpsc::channel(uplink::REQUESTS);
        let restart = CancellationToken::new();

        let link = link.map(watch::Sender::new);
        shared.note_link(link.as_ref().map(watch::Sender::subscribe));
        let link_ends = CancellationToken::new();
        let mut linked = link.as_ref().map(|link| {
            uplink::spawn(uplink::Wiring {
                outbox: shared.outbox.clone(),
                clock: shared.clock.clone(),
                ledger: ledger.clone(),
                settings: link.subscribe(),
                status: shared.uplink.clone(),
                requests: requests.clone(),
                reported: shared.reported.subscribe(),
                meter: shared.meter.clone(),
                shutdown: link_ends.clone(),
            })
        });
        let deployer =
            Deployer { shared: Arc::clone(&shared), asks, link: link.as_ref().map(watch::Sender::subscribe) };
        let camera = match &self.camera {
            None => None,
            Some((source, sky, spool)) => {
                let camera = Camera::open(Arc::clone(&shared), source.clone(), sky.clone(), Arc::clone(spool)).await?;
                Some((camera, spool))
            }
        };
        let pictures = async {
            let Some((camera, spool)) = camera else { return std::future::pending().await };
            let upload = async {
                let Some(link) = &link else { return std::future::pending().await };
                let (settings, max_kib_per_s) = (link.subscribe(), self.max_upload_kib_per_s);
                Uploader { shared: Arc::clone(&shared), spool: Arc::clone(spool), settings, max_kib_per_s }.run().await;
            };
            tokio::join!(camera.run(capture_asks), upload);
        };
        let parts = async {
            tokio::join!(
                reader.run(ledger),
                deployer.run(orders),
                health::run(Arc::clone(&shared)),
                health::watch(Arc::clone(&shared)),
                pictures,
                requests::serve(methods, asked, restart.clone()),
                keep_report(&shared),
                limit(&shared, link.as_ref()),
            )
        };
        let end = tokio::select! {
            _ = parts => AgentEnd::Shutdown,
            () = shutdown.cancelled() => AgentEnd::Shutdown,
            () = restart.cancelled() => AgentEnd::Restart,
            () = failed(&mut linked, LINK_FAILED) => AgentEnd::Restart,
        };
        link_ends.cancel();
        if let Some(linked) = linked.filter(|linked| !linked.is_finished()) {
            drop(linked.await);
        }
        drop((captures, requests));
        Ok(end)
    }
}

/// Waits until the link has ended, which it does only by a panic while nobody ends it, and for `pause`, so that a fault that
/// comes again and again doesn't fill the log.
async fn failed(link: &mut Option<JoinHandle<()>>, pause: Duration) {
    match link {
        Some(link) => {
            drop(link.await);
            tracing::error!(target: "agent", "the link to the hub failed; the agent starts anew, nothing is lost; report this with the log");
            tokio::time::sleep(pause).await;
        }
        None => std::future::pending().await,
    }
}

/// Brings what others publish into the report, when it changes.
async fn keep_report(shared: &Shared) {
    let mut outbox = shared.outbox.status();
    let (mut status, mut uplink) = (shared.status.subscribe(), shared.uplink.subscribe());
    loop {
        // Each by itself: a lock held while another is waited for could hold up whoever writes to either.
        let outbox_now = outbox.borrow_and_update().clone();
        let status_now = status.borrow_and_update().clone();
        let uplink_now = uplink.borrow_and_update().clone();
        shared.report.send_if_modified(|report| {
            let is_new = (&report.outbox, &report.source, &report.uplink) != (&outbox_now, &status_now, &uplink_now);
            (report.outbox, report.source, report.uplink) = (outbox_now, status_now, uplink_now);
            is_new
        });
        // The senders live as long as `shared`.
        tokio::select! {
            _ = outbox.changed() => {}
            _ = status.changed() => {}
            _ = uplink.changed() => {}
        }
    }
}

/// Gives the link the limits that hold under the twin.
async fn limit(shared: &Shared, link: Option<&watch::Sender<UplinkSettings>>) {
    let Some(link) = link else { return std::future::pending().await };
    let mut effective = shared.effective.subscribe();
    let first = link.borrow().clone();
    loop {
        let now = effective.borrow_and_update().clone();
        link.send_if_modified(|settings| set_limits(settings, &first, &shared.own, &now));
        tokio::select! {
            changed = effective.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            // The same settings anew end a wait between two attempts.
            () = shared.try_link.notified() => link.send_modify(|_| {}),
        }
    }
}

/// What the twin doesn't overrule is as at the `first`; answers whether anything changed.
fn set_limits(settings: &mut UplinkSettings, first: &UplinkSettings, own: &Effective, now: &Effective) -> bool {
    let max_per_s = if now.max_per_s == own.max_per_s { first.max_per_s } else { now.max_per_s };
    let budget = if now.budget_mib_per_day == own.budget_mib_per_day {
        first.budget_bytes_per_day
    } else {
        now.budget_mib_per_day.map(uplink::settings::bytes_of_mib)
    };
    let before = (settings.max_per_s, settings.budget_bytes_per_day);
    (settings.max_per_s, settings.budget_bytes_per_day) = (max_per_s, budget);
    before != (max_per_s, budget)
}

async fn open_source(
    settings: &SourceSettings,
    sensors: &BTreeMap<String, SensorSettings>,
    outbox: &Outbox,
    folder: &Path,
    not_before: Option<Timestamp>,
) -> Result<(Option<Source>, Clock), AgentError> {
    let position = outbox.state(POSITION).await?;
    let mut source = Source::open(settings, sensors, &folder.join("sensors"))?;
    if let (Some(source), Some(position)) = (&mut source, &position) {
        source.resume(position)?;
    }
    let Some(Source::Replay(replay)) = &source else { return Ok((source, Clock::wall())) };
    let back_log = SignedDuration::from_hours(24 * i64::from(settings.backlog_days));
    let reached: Option<Timestamp> = position.and_then(|text| text.split('+').next()?.parse().ok());
    let starts_at = replay.starts_at();
    let end = replay.ends_at() + AFTER_END;
    let from = [Some(starts_at + back_log), reached, not_before].into_iter().flatten().max().unwrap_or(starts_at);
    let clock = Clock::replay(from.min(end), settings.speed, end);
    Ok((source, clock))
}

#[cfg(test)]
mod tests;
