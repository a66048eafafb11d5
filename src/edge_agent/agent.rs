//! The agent's spine: source → outbox, a nowcast every ten minutes, its own health, and the link.
//!
//! A reading, the source's position and the half-collected ten-minute mean become durable in one
//! transaction, so that a crash anywhere loses and doubles nothing: what isn't in the outbox is read again
//! from the source, what is in it is sent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::history::History;
use super::outbox::Outbox;
use super::sensors::{Item, SensorError, SensorSource, Source};
use super::uplink::{self, UplinkSettings, UplinkStatus};
use crate::clock::Clock;
use crate::clock::ledger::{Hop, Ledger};
use crate::database::DatabaseError;
use crate::nowcast::{AnomalyPersistence, MODEL_ID, Mean, TenMinuteMeans};
use crate::settings::{AgentSettings, SourceSettings, StationSettings};
use crate::station::{Message, MessageId, Prediction, SCHEMA_VERSION, WeatherMeasurement};

/// Readings made durable together while the agent catches up.
const CHUNK: usize = 1000;
/// Wall time before something that couldn't be stored is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How far a replay's clock runs past its series: the last batches are cut and loaded.
const AFTER_END: SignedDuration = SignedDuration::from_mins(15);

const POSITION: &str = "source.position";
const OPEN_BIN: &str = "means.open";
const LAST_ISSUE: &str = "nowcast.last";
const LAST_MEAN: &str = "means.last";

/// Why the agent can't start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its outbox or history can't be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Its source can't be opened.
    #[error(transparent)]
    Source(#[from] SensorError),
    /// Its folder can't be made.
    #[error("{path}: {reason}; check that the data folder can be written")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

/// How the agent is doing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentStatus {
    /// Where readings come from, in words.
    pub source: String,
    /// Whether there is a source at all.
    pub has_source: bool,
    /// Whether it has come to its end.
    pub source_ended: bool,
    /// Readings stored since the start.
    pub measured: u64,
    /// When the newest reading was made.
    pub last_measured_at: Option<Timestamp>,
    /// Issue time of the newest nowcast.
    pub last_issue_at: Option<Timestamp>,
    /// The model in the slot.
    pub model_id: Option<String>,
    /// What last went wrong, until it goes well again.
    pub last_error: Option<String>,
}

/// The agent.
pub struct Agent {
    device_id: String,
    settings: AgentSettings,
    outbox: Outbox,
    history: History,
    source: Option<Source>,
    model: AnomalyPersistence,
    means: TenMinuteMeans,
    /// End of the newest mean the model has seen.
    last_mean: Timestamp,
    last_issue: Option<Timestamp>,
    folder: PathBuf,
    status: watch::Sender<AgentStatus>,
    uplink: watch::Receiver<UplinkStatus>,
    uplink_sender: watch::Sender<UplinkStatus>,
}

impl Agent {
    /// Opens the agent's stores and source in `data/agent` and makes the environment's clock: a replay's runs
    /// from where it stopped (or from the end of the back-log at the first start), never earlier than
    /// `not_before`; any other source runs on the wall clock.
    pub async fn open(
        data: &Path,
        station: &StationSettings,
        source: &SourceSettings,
        settings: &AgentSettings,
        not_before: Option<Timestamp>,
    ) -> Result<(Self, Clock), AgentError> {
        let folder = data.join("agent");
        std::fs::create_dir_all(&folder)
            .map_err(|error| AgentError::Folder { path: folder.clone(), reason: error.to_string() })?;
        let outbox = Outbox::open(&folder.join("outbox.db"), settings.outbox_max_rows)?;
        let history = History::open(&folder.join("history.db"))?;
        let position = outbox.state(POSITION).await?;
        let (source, clock) = open_source(source, position.as_deref(), not_before)?;
        let last_mean = last_mean(&outbox).await?;
        let model = history.model(&station.metadata(), last_mean).await?;
        let means = outbox.state(OPEN_BIN).await?.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        let last_issue = outbox.state(LAST_ISSUE).await?.and_then(|text| text.parse().ok());
        let uplink_sender = watch::Sender::new(UplinkStatus::default());
        let status = AgentStatus {
            source: source.as_ref().map_or_else(
                || "no source set up: set source.kind and source.path in the settings".to_owned(),
                SensorSource::state,
            ),
            has_source: source.is_some(),
            last_issue_at: last_issue,
            model_id: Some(MODEL_ID.to_owned()),
            ..AgentStatus::default()
        };
        let agent = Self {
            device_id: station.device_id.clone(),
            settings: settings.clone(),
            outbox,
            history,
            source,
            model,
            means,
            last_mean,
            last_issue,
            folder,
            status: watch::Sender::new(status),
            uplink: uplink_sender.subscribe(),
            uplink_sender,
        };
        Ok((agent, clock))
    }

    /// The outbox.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// How the agent is doing.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<AgentStatus> {
        self.status.subscribe()
    }

    /// Starts the link that drains the outbox.
    pub fn connect(
        &self,
        link: UplinkSettings,
        clock: Clock,
        ledger: Ledger,
        shutdown: CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> watch::Receiver<UplinkStatus> {
        let settings = watch::Sender::new(link);
        let (outbox, status) = (self.outbox.clone(), self.uplink_sender.clone());
        tasks.spawn(async move {
            let link = uplink::spawn(outbox, clock, ledger, settings.subscribe(), status, shutdown);
            // The settings' sender lives as long as the link.
            drop(link.await);
            drop(settings);
        });
        self.uplink.clone()
    }

    /// Runs for good: readings and nowcasts, and health beside them.
    pub async fn run(mut self, clock: Clock, ledger: Ledger) {
        let health = super::health::Reporter {
            device_id: self.device_id.clone(),
            folder: self.folder.clone(),
            outbox: self.outbox.clone(),
            every: SignedDuration::from_mins(i64::from(self.settings.health_every_min)),
        };
        tokio::join!(health.run(clock.clone()), self.read(&clock, &ledger));
    }

    async fn read(&mut self, clock: &Clock, ledger: &Ledger) {
        let Some(mut source) = self.source.take() else { return };
        loop {
            let mut items = source.drain_until(clock.now(), CHUNK);
            if items.is_empty() {
                match source.next(clock).await {
                    Some(item) => items.push(item),
                    None => break,
                }
            }
            self.store(items, clock, ledger).await;
            self.status.send_if_modified(|status| {
                let state = source.state();
                let is_new = status.source != state;
                status.source = state;
                is_new
            });
        }
        tracing::info!(target: "agent", "{}", source.state());
        self.status.send_modify(|status| {
            status.source = source.state();
            status.source_ended = true;
        });
    }

    /// Makes a chunk of readings durable, with the nowcasts that fall due within it. Tries again for as long
    /// as it takes: the source waits meanwhile, so nothing is lost.
    async fn store(&mut self, items: Vec<Item>, clock: &Clock, ledger: &Ledger) {
        let mut chunk = Chunk::default();
        for item in items {
            chunk.position = Some(item.position);
            match item.outcome {
                Ok(reading) => {
                    let (measurement, rejected) = WeatherMeasurement::from_reading(&self.device_id, &reading);
                    if !rejected.is_empty() {
                        let reasons: Vec<_> = rejected.iter().map(ToString::to_string).collect();
                        let words = format!("of the reading of {}, the rest of which went on: ", reading.measured_at);
                        chunk.aside.push((format!("{reading:?}"), words + &reasons.join("; ")));
                    }
                    self.take(measurement, &mut chunk);
                }
                Err(rejected) => chunk.aside.push((rejected.raw, rejected.reason)),
            }
        }
        let ids: Vec<String> = chunk.messages.iter().map(|m| m.message_id().as_str().to_owned()).collect();
        self.persist(&chunk, clock).await;
        ledger.stamp(Hop::Measured, ids.iter().map(String::as_str));
        self.status.send_modify(|status| {
            status.measured += chunk.measured;
            status.last_measured_at = chunk.last_measured_at.or(status.last_measured_at);
            status.last_issue_at = self.last_issue;
            status.last_error = None;
        });
    }

    /// Adds a measurement and, where it completes ten minutes, the nowcast they bring.
    fn take(&mut self, measurement: WeatherMeasurement, chunk: &mut Chunk) {
        chunk.measured += 1;
        chunk.last_measured_at = Some(measurement.measured_at);
        if let Some(mean) = self.means.push(&measurement) {
            self.model.observe(&mean);
            self.last_mean = mean.ends_at;
            chunk.means.push(mean);
            chunk.messages.extend(self.nowcast(mean.ends_at).map(Message::Prediction));
        }
        chunk.messages.push(Message::WeatherMeasurement(measurement));
    }

    fn nowcast(&mut self, issued_at: Timestamp) -> Option<Prediction> {
        let every = SignedDuration::from_mins(i64::from(self.settings.nowcast_every_min));
        if self.last_issue.is_some_and(|last| issued_at.duration_since(last) < every) {
            return None;
        }
        let forecasts = self.model.forecast(issued_at);
        if forecasts.is_empty() {
            return None;
        }
        self.last_issue = Some(issued_at);
        Some(Prediction {
            device_id: self.device_id.clone(),
            message_id: MessageId::new(issued_at),
            measured_at: issued_at,
            schema: SCHEMA_VERSION,
            clock: None,
            model_id: MODEL_ID.to_owned(),
            forecasts,
            rain_probability: None,
            cloud_probability: Vec::new(),
        })
    }

    async fn persist(&self, chunk: &Chunk, clock: &Clock) {
        // A mean that is stored twice is the same mean; the readings count once, with their position.
        while let Err(error) = self.history.append(chunk.means.clone()).await {
            self.failed(&error).await;
        }
        for (raw, reason) in &chunk.aside {
            tracing::warn!(target: "agent", "kept aside: {reason}");
            while let Err(error) = self.outbox.set_aside(raw.clone(), reason.clone(), clock.now()).await {
                self.failed(&error).await;
            }
        }
        let mut state = vec![(OPEN_BIN.to_owned(), serde_json::to_string(&self.means).unwrap_or_default())];
        state.push((LAST_MEAN.to_owned(), self.last_mean.to_string()));
        state.extend(chunk.position.clone().map(|position| (POSITION.to_owned(), position)));
        state.extend(self.last_issue.map(|at| (LAST_ISSUE.to_owned(), at.to_string())));
        while let Err(error) = self.outbox.append(chunk.messages.clone(), state.clone()).await {
            self.failed(&error).await;
        }
    }

    async fn failed(&self, error: &DatabaseError) {
        let words = error.to_string();
        if self.status.borrow().last_error.as_deref() != Some(&words) {
            tracing::error!(target: "agent", "readings wait at the source: {words}");
            self.status.send_modify(|status| status.last_error = Some(words));
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// End of the newest mean of the readings that are durable. Means of later ones may be in the history: they were
/// stored just before a crash, and come again with their readings.
async fn last_mean(outbox: &Outbox) -> Result<Timestamp, DatabaseError> {
    let known = outbox.state(LAST_MEAN).await?.and_then(|text| text.parse().ok());
    // Without a note: an outbox of before, whose history counts, or a first start that was cut short.
    let has_begun = outbox.state(OPEN_BIN).await?.is_some();
    Ok(known.unwrap_or(if has_begun { Timestamp::MAX } else { Timestamp::MIN }))
}

/// What becomes durable together.
#[derive(Default)]
struct Chunk {
    messages: Vec<Message>,
    means: Vec<Mean>,
    aside: Vec<(String, String)>,
    position: Option<String>,
    measured: u64,
    last_measured_at: Option<Timestamp>,
}

fn open_source(
    settings: &SourceSettings,
    position: Option<&str>,
    not_before: Option<Timestamp>,
) -> Result<(Option<Source>, Clock), AgentError> {
    let mut source = Source::open(settings)?;
    if let (Some(source), Some(position)) = (&mut source, position) {
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
