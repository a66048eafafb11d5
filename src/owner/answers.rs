//! What the owner answers: queries from feed, log and warehouse; commands to clock, alarms and pipes.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

use super::agent::Diagnoser;
use super::alarms::Alarms;
use super::client::AskError;
use super::log_buffer::LogBuffer;
use super::pictures::{Embedded, Pictures};
use super::protocol::{Answer, Request};
use super::provisioning::Provisioner;
use super::views::{
    Extremes, FlagMark, NowcastView, Point, ReceivedMessage, RowPlace, RowsFound, Series, Trace, TraceHop,
};
use crate::clock::Clock;
use crate::clock::ledger::{Hop, Ledger};
use crate::edge_agent::outbox::Outbox;
use crate::edge_agent::report::AgentReport;
use crate::ingestion::batching::BatchStatus;
use crate::ingestion::bins::{Bin, Extreme, Measured};
use crate::ingestion::enqueued::{EnqueuedLog, EnqueuedMessage};
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::loader::Loader;
use crate::ingestion::pulse::Pulse;
use crate::ingestion::warehouse::{MeasurementRow, TableRow, Warehouse};
use crate::local_cloud::hub::Hub;
use crate::settings::EnvironmentName;
use crate::station::forecast::MAX_LEAD_MINUTES;
use crate::station::{Prediction, QcFlag, Variable};

/// Most points, messages, files or lines one answer holds.
pub(super) const MOST: usize = 10_000;
/// Most measurements that one answer is made from.
const MOST_ROWS: usize = 1_000_000;
/// Measured history before the issue time that a nowcast is shown with.
const HISTORY: SignedDuration = SignedDuration::from_hours(6);
/// Means of a nowcast's measurements.
const TEN_MINUTES: SignedDuration = SignedDuration::from_mins(10);

/// Everything answers are made from.
#[derive(Clone)]
pub struct Desk {
    /// The environment's clock.
    pub clock: Clock,
    /// Monotonic instants of messages.
    pub ledger: Ledger,
    /// The owner's log.
    pub log_buffer: LogBuffer,
    /// The alarms.
    pub alarms: Arc<Mutex<Alarms>>,
    /// The station's device.
    pub device_id: String,
    /// Its outbox.
    pub outbox: Outbox,
    /// The hub's log.
    pub log: EnqueuedLog,
    /// The live feed.
    pub feed: LiveFeed,
    /// The batcher's state.
    pub batches: watch::Sender<BatchStatus>,
    /// The loader.
    pub loader: Loader,
    /// The warehouse.
    pub warehouse: Warehouse,
    /// Pictures of the sky.
    pub pictures: Pictures<Embedded>,
    /// The local hub.
    pub hub: Hub,
    /// What the agent says of itself.
    pub agent: watch::Receiver<AgentReport>,
    /// What makes diagnoses of it.
    pub diagnoser: Diagnoser,
    /// The environment that is owned.
    pub environment: EnvironmentName,
    /// Runs; absent in an owner that was started without them.
    pub provisioner: Option<Provisioner>,
    /// Rung when a command changed something that snapshots show.
    pub changed: Pulse,
}

pub(super) type Outcome = Result<Answer, AskError>;

impl Desk {
    /// Answers one request. Errors name the thing, the cause and the next step.
    pub async fn answer(&self, request: Request) -> Outcome {
        match request {
            Request::Subscribe => Err(AskError::Refused("subscribe: only over the owner's socket".into())),
            Request::Series { device, variable, from, to, max_points } => {
                let older = self.older(from, to).await?;
                Ok(Answer::Series(points(&self.feed, &older, device.as_deref(), variable, (from, to), max_points)))
            }
            Request::Messages { limit } => {
                let messages = self.feed.recent(limit.min(MOST)).iter().map(|m| received(m)).collect();
                Ok(Answer::Messages { messages })
            }
            Request::Trace { message_id, rows: _ } => self.trace(message_id).await,
            Request::CopyHistory { failed_only, limit, after } => self.copy_history(failed_only, limit, after).await,
            Request::FileLine { file, line } => self.file_line(&file, line).await,
            Request::Nowcast { at } => self.nowcast(at).await,
            Request::Extremes { device, from, to } => {
                let older = self.older(from, to).await?;
                let found = self.feed.extremes(&older, device.as_deref(), from, to);
                Ok(Answer::Extremes { extremes: extremes(found) })
            }
            Request::Pictures { before, limit } => {
                Ok(Answer::Pictures { pictures: self.pictures.list(before, limit).await? })
            }
            Request::Picture { blob_name, max_px, overlay } => {
                let picture = self.pictures.one(blob_name, max_px, overlay).await?;
                Ok(Answer::Picture(Box::new((*picture).clone())))
            }
            Request::CloudCover { from, to } => {
                Ok(Answer::CloudCover { covers: self.pictures.covers(from, to).await? })
            }
            Request::Logs { after, limit } => Ok(Answer::Logs { lines: self.log_buffer.after(after, limit.min(MOST)) }),
            Request::SetSpeed { speed } => self.set_speed(speed),
            Request::AcknowledgeAlarm { rule } => {
                let answer = acknowledge(&self.alarms, &rule, self.clock.now())?;
                self.changed.ring();
                Ok(answer)
            }
            Request::PausePipe { pipe, paused } => {
                self.loader.set_paused(&pipe, paused).await.map_err(refused)?;
                let word = if paused { "paused" } else { "resumed" };
                self.tell(&format!("pipe {pipe} {word}"));
                Ok(self.done(format!("pipe {pipe} {word}")))
            }
            Request::RefreshPipe { pipe } => self.refresh(&pipe, None, None).await,
            Request::Agent => Ok(Answer::Agent { report: Arc::new(self.agent.borrow().clone()) }),
            Request::Diagnose { wait } => {
                Ok(Answer::Diagnosis { diagnosis: Arc::new(self.diagnoser.diagnose(wait).await) })
            }
            Request::TestLink => Ok(Answer::LinkTest { test: self.diagnoser.test_link().await }),
            Request::Preview { max_px } => Ok(Answer::Preview { picture: self.diagnoser.preview(max_px).await }),
            Request::Hub(ask) => {
                let carried = super::hub::carry_out(&self.hub, ask).await?;
                if let Some(words) = carried.done {
                    self.tell(&words);
                    self.changed.ring();
                }
                carried.answer
            }
            Request::Models(ask) => {
                let (containers, ground) = (&self.loader.containers, &self.loader.ground);
                let means = super::models::Means { hub: &self.hub, containers, ground };
                let carried = super::models::carry_out(means, ask).await?;
                if let Some(words) = carried.done {
                    self.tell(&words);
                    self.changed.ring();
                }
                Ok(carried.answer)
            }
            Request::Warehouse(ask) => self.warehouse_ask(ask).await,
            Request::Storage(ask) => self.storage(ask).await,
            runs => match &self.provisioner {
                Some(provisioner) => provisioner.answer(runs).await,
                None => Err(AskError::Refused("runs: this owner was started without them".into())),
            },
        }
    }

    pub(super) fn done(&self, message: String) -> Answer {
        self.changed.ring();
        Answer::Done { message }
    }

    /// A refresh has found what lay unannounced in the pipe's container.
    pub(super) async fn settle_unannounced(&self, pipe: &str) -> Result<(), AskError> {
        let topology = self.loader.ground.peek();
        let refreshed = topology.pipes.iter().find(|known| known.name.eq_ignore_ascii_case(pipe));
        let Some(container) = refreshed.map(|pipe| &pipe.container) else { return Ok(()) };
        self.log.settle(container).await.map_err(refused)?;
        self.batches.send_if_modified(|status| status.unannounced.remove(container).is_some());
        Ok(())
    }

    /// Writes to the audit trail what was commanded. It is done by then, whether that can be written or not.
    pub(super) fn tell(&self, words: &str) {
        tracing::info!(target: "audit", "{words}");
        if let Some(provisioner) = &self.provisioner
            && let Err(error) = provisioner.note(&self.environment, words)
        {
            tracing::error!(target: "owner", "audit trail: {error}");
        }
    }

    fn set_speed(&self, speed: u32) -> Outcome {
        if !crate::clock::SPEED_RANGE.contains(&speed) {
            return Err(AskError::Refused(format!("speed {speed}: a replay runs at 1 to 600")));
        }
        if !self.clock.set_speed(speed) {
            return Err(AskError::Refused(
                "speed: this environment runs on the wall clock, only a replay has a speed".into(),
            ));
        }
        tracing::info!(target: "audit", "replay speed set to {speed}");
        Ok(self.done(format!("replay speed ×{speed}")))
    }

    /// What was measured in the part of a window that is before the feed's ring: the table has it.
    async fn older(&self, from: Timestamp, to: Timestamp) -> Result<Vec<MeasurementRow>, AskError> {
        match self.feed.before(from, to) {
            Some((from, to)) => self.warehouse.measurements(from, to, MOST_ROWS).await.map_err(refused),
            None => Ok(Vec::new()),
        }
    }

    async fn nowcast(&self, at: Option<Timestamp>) -> Outcome {
        let newest = self.feed.status().prediction;
        let prediction = match (at, newest) {
            (None, Some(newest)) => Some(newest),
            (Some(at), Some(newest)) if newest.measured_at <= at => Some(newest),
            (at, _) => self.warehouse.prediction(at).await.map_err(refused)?,
        };
        let Some(prediction) = prediction else { return Ok(Answer::Nowcast { nowcast: None }) };
        let (from, to) = around(&prediction);
        let measured = measured_around(&self.feed, &self.older(from, to).await?, &prediction);
        Ok(Answer::Nowcast { nowcast: Some(Box::new(NowcastView { prediction, measured })) })
    }

    async fn trace(&self, message_id: Option<String>) -> Outcome {
        let row = self.warehouse.find(message_id.clone()).await.map_err(refused)?;
        if let Some(row) = row {
            return self.trace_row(&row).map(|trace| Answer::Trace(Box::new(trace)));
        }
        let Some(message_id) = message_id else {
            return Err(AskError::Refused("trace: the table has no measurement yet; ask again in a moment".into()));
        };
        if let Some(message) = self.log.find(&message_id).await.map_err(refused)? {
            let message = received(&message);
            let times =
                [message.measured_at, sent_at(&message.properties), Some(message.enqueued_at), None, None, None];
            let trace = Trace {
                hops: self.hops(&message_id, times, None),
                message_id,
                device_id: message.device_id.clone(),
                message_type: message.message_type.clone(),
                file: None,
                file_line: None,
                table: None,
                rows: None,
                message: Some(message),
            };
            return Ok(Answer::Trace(Box::new(trace)));
        }
        if let Some(row) = self.outbox.find(&message_id).await.map_err(refused)? {
            let trace = Trace {
                hops: self.hops(&message_id, [Some(row.measured_at), None, None, None, None, None], None),
                message_id,
                device_id: self.device_id.clone(),
                message_type: Some(row.kind.name().to_owned()),
                file: None,
                file_line: None,
                table: None,
                rows: None,
                message: None,
            };
            return Ok(Answer::Trace(Box::new(trace)));
        }
        let id = crate::station::text::printable(&message_id);
        Err(AskError::Refused(format!(
            "message {id}: not in the outbox, the hub's log or a table; check its id, `skydeck trace --last` shows one that is"
        )))
    }

    fn trace_row(&self, row: &TableRow) -> Result<Trace, AskError> {
        let line: Value = serde_json::from_str(&row.variant).map_err(|error| AskError::Refused(error.to_string()))?;
        let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str);
        let time = |pointer: &str| text(pointer).and_then(|text| text.parse().ok());
        let message_id = row.message_id.clone().unwrap_or_default();
        let enqueued_at = time("/EnqueuedTimeUtc");
        let times = [
            time("/Body/measuredAt"),
            sent_at(&line["Properties"]),
            enqueued_at,
            row.created_at,
            row.received_at,
            row.loaded_at,
        ];
        Ok(Trace {
            hops: self.hops(&message_id, times, Some(row)),
            message_id,
            device_id: row.device_id.clone(),
            message_type: text("/Body/type").map(str::to_owned),
            file: Some(format!("{}/{}", row.container, row.file)),
            file_line: Some(row.line),
            table: Some(row.table.clone()),
            rows: Some(RowsFound {
                rows: vec![RowPlace {
                    table: row.table.clone(),
                    file: row.file.clone(),
                    line: row.line,
                    loaded_at: row.loaded_at,
                }],
                trouble: None,
            }),
            message: Some(ReceivedMessage {
                device_id: row.device_id.clone(),
                message_id: row.message_id.clone(),
                message_type: text("/Body/type").map(str::to_owned),
                enqueued_at: enqueued_at.unwrap_or(Timestamp::UNIX_EPOCH),
                measured_at: times[0],
                body: line["Body"].clone(),
                properties: line["Properties"].clone(),
                system_properties: line["SystemProperties"].clone(),
            }),
        })
    }

    fn hops(&self, message_id: &str, times: [Option<Timestamp>; 6], row: Option<&TableRow>) -> Vec<TraceHop> {
        let place = |hop: Hop| match (hop, row) {
            (Hop::Measured, _) => "roof, outbox".to_owned(),
            (Hop::Sent, _) => "uplink".to_owned(),
            (Hop::Enqueued, _) => "hub".to_owned(),
            (Hop::Batched, Some(row)) => format!("{}/{}", row.container, row.file),
            (Hop::Noticed, Some(row)) => row.pipe.clone().unwrap_or_default(),
            (Hop::Loaded, Some(row)) => row.table.clone(),
            (_, None) => String::new(),
        };
        Hop::ALL
            .into_iter()
            .zip(times)
            .enumerate()
            .map(|(index, (hop, at))| {
                let monotonic = self.ledger.latency(message_id, hop).map(|latency| latency.as_secs_f64());
                let before = index.checked_sub(1).and_then(|i| times[i]);
                let stamps = at.zip(before).map(|(at, before)| at.duration_since(before).as_secs_f64());
                TraceHop { hop, at, latency_s: monotonic.or(stamps), monotonic: monotonic.is_some(), place: place(hop) }
            })
            .collect()
    }
}

/// Acknowledges an alarm that is raised.
pub(super) fn acknowledge(alarms: &Mutex<Alarms>, rule: &str, now: Timestamp) -> Outcome {
    let is_raised = alarms.lock().unwrap_or_else(PoisonError::into_inner).acknowledge(rule, now);
    if !is_raised {
        let rule = crate::station::text::printable(rule);
        return Err(AskError::Refused(format!("alarm {rule}: not raised; `skydeck alarms` lists those that are")));
    }
    tracing::info!(target: "audit", "alarm {rule} acknowledged");
    Ok(Answer::Done { message: format!("alarm {rule} acknowledged") })
}

/// Extremes as viewers see them.
pub(super) fn extremes(found: Vec<Extreme>) -> Vec<Extremes> {
    let shown = |extreme: Extreme| {
        Some(Extremes {
            variable: extreme.variable,
            min: rounded(extreme.min.0),
            min_at: Timestamp::from_millisecond(extreme.min.1).ok()?,
            max: rounded(extreme.max.0),
            max_at: Timestamp::from_millisecond(extreme.max.1).ok()?,
        })
    };
    found.into_iter().filter_map(shown).collect()
}

/// Points of one variable, at most `max_points`; `older` is what was measured before the feed's ring.
pub(super) fn points<M: Measured>(
    feed: &LiveFeed,
    older: &[M],
    device: Option<&str>,
    variable: Variable,
    (from, to): (Timestamp, Timestamp),
    max_points: usize,
) -> Series {
    let span = to.duration_since(from).as_secs().max(1);
    let points = i64::try_from(max_points.clamp(1, MOST)).unwrap_or(1);
    // What was before isn't known finer than its steps.
    let finest = if older.is_empty() { SignedDuration::ZERO } else { M::STEP };
    let width = SignedDuration::from_secs((span + points - 1) / points).max(finest);
    let (bins, typical) = feed.bins(older, device, variable, (from, to), width);
    let mut found = series(variable, &bins, width, typical, width / 2);
    found.flags = marks(&feed.flags(older, device, variable, from, to), width);
    found
}

/// The window that is shown with a nowcast.
pub(super) fn around(prediction: &Prediction) -> (Timestamp, Timestamp) {
    let issued = prediction.measured_at;
    (issued - HISTORY, issued + SignedDuration::from_mins(i64::from(MAX_LEAD_MINUTES)))
}

/// What was measured [around](around) a nowcast; `older` as for [`points`].
pub(super) fn measured_around(feed: &LiveFeed, older: &[impl Measured], prediction: &Prediction) -> Vec<Series> {
    let of = |variable: Variable| {
        let (bins, _) = feed.bins(older, Some(&prediction.device_id), variable, around(prediction), TEN_MINUTES);
        // A mean is labelled by the end of its ten minutes, as forecasts are.
        series(variable, &bins, TEN_MINUTES, Some(TEN_MINUTES), TEN_MINUTES)
    };
    prediction.forecasts.iter().map(|forecast| of(forecast.variable)).collect()
}

fn series(
    variable: Variable,
    bins: &[Bin],
    width: SignedDuration,
    typical: Option<SignedDuration>,
    label_at: SignedDuration,
) -> Series {
    let points = bins
        .iter()
        .filter_map(|bin| {
            let at = Timestamp::from_millisecond(bin.from_ms).ok()? + label_at;
            Some(Point { at, mean: rounded(bin.mean), min: rounded(bin.min), max: rounded(bin.max) })
        })
        .collect();
    let step = typical.unwrap_or(width).max(width);
    Series { variable, points, gap_s: 2.5 * step.as_secs_f64(), flags: Vec::new() }
}

/// Flags in order of time, of each kind at most one in a bin of `width`.
fn marks(flags: &[(i64, QcFlag)], width: SignedDuration) -> Vec<FlagMark> {
    let width = i64::try_from(width.as_millis()).unwrap_or(i64::MAX).max(1);
    let mut marks: Vec<(i64, FlagMark)> = Vec::new();
    for &(at_ms, flag) in flags {
        let bin = at_ms.div_euclid(width);
        let is_told = marks.iter().rev().take_while(|(of, _)| *of == bin).any(|(_, mark)| mark.flag == flag);
        if let (false, Ok(at)) = (is_told, Timestamp::from_millisecond(at_ms)) {
            marks.push((bin, FlagMark { at, flag }));
        }
    }
    marks.into_iter().map(|(_, mark)| mark).collect()
}

/// To a thousandth: finer than any sensor, and without what single precision adds behind it.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

pub(super) fn received(message: &EnqueuedMessage) -> ReceivedMessage {
    let body = message.json();
    let text = |key: &str| body.as_ref().and_then(|body| body.get(key)).and_then(Value::as_str);
    ReceivedMessage {
        device_id: message.device_id.clone(),
        message_id: message.message_id.clone(),
        message_type: text("type").map(str::to_owned),
        enqueued_at: message.enqueued_at,
        measured_at: text("measuredAt").and_then(|time| time.parse().ok()),
        properties: serde_json::to_value(&message.properties).unwrap_or_default(),
        system_properties: serde_json::to_value(&message.system_properties).unwrap_or_default(),
        body: body.unwrap_or_else(|| Value::String(base64_of(&message.body))),
    }
}

fn base64_of(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

pub(super) fn sent_at(properties: &Value) -> Option<Timestamp> {
    properties.get("sentAt")?.as_str()?.parse().ok()
}

pub(super) fn refused(error: impl std::fmt::Display) -> AskError {
    AskError::Refused(error.to_string())
}
