//! From the source into the outbox: readings, the nowcasts they bring, and what the machine's clock does to both.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::agent::AgentError;
use super::camera::features_last;
use super::outbox::Dated;
use super::pace::{Pace, Taken};
use super::quality::{self, Quality, Timed};
use super::report::SensorState;
use super::sensors::{Item, SensorSource, Source, Stamped};
use super::shared::{RETRY, Shared};
use super::slot::{SLOT, Slot, SlotAsk};
use super::timekeeping::{Moment, Timekeeper};
use crate::clock::ledger::{Hop, Ledger};
use crate::clock::wall::{self, SetAlarm};
use crate::database::DatabaseError;
use crate::nowcast::{Mean, TenMinuteMeans};
use crate::station::{Message, MessageId, Reading, WeatherMeasurement};
use clock::Dating;
use model::{AtWork, Word};

mod clock;
mod model;
#[cfg(test)]
mod tests;

/// Readings made durable together while the agent catches up.
const CHUNK: usize = 1000;
/// Waits between readings that are remembered.
const GAPS: usize = 8;
/// Time between two tellings of the sensors' state.
const TELL_SENSORS: Duration = Duration::from_secs(60);

pub(super) const POSITION: &str = "source.position";
const OPEN_BIN: &str = "means.open";
const LAST_ISSUE: &str = "nowcast.last";
/// Issue time of a nowcast whose readings are durable and that isn't there yet; empty without one.
const DUE: &str = "nowcast.due";
const LAST_MEAN: &str = "means.last";
const BEFORE: &str = "quality.before";

/// The part of the agent that reads.
pub(super) struct Reader {
    shared: Arc<Shared>,
    source: Option<Source>,
    /// When a reading last came, on the clock since the boot, and how long the newest were waited for, seconds.
    heard_at_ns: Option<i64>,
    gaps: VecDeque<f64>,
    /// What was told of the source's trouble.
    trouble: Option<String>,
    /// Whether the source keeps to the interval by itself.
    paces_itself: bool,
    /// When the sensors' states were last told the hub, and which.
    told_sensors: Option<(Instant, Vec<SensorState>)>,
    keeper: Timekeeper,
    /// The offset of the clock while it wasn't set, by which a writer's times of then can be dated, nanoseconds.
    unset_offset_ns: Option<i64>,
    slot: Slot,
    asks: mpsc::Receiver<SlotAsk>,
    at_work: AtWork,
    means: TenMinuteMeans,
    /// End of the newest mean the model has seen.
    last_mean: Timestamp,
    last_issue: Option<Timestamp>,
    pace: Pace,
    quality: Quality,
}

/// What becomes durable together.
#[derive(Default)]
struct Chunk {
    messages: Vec<Dated>,
    means: Vec<Mean>,
    aside: Vec<(String, String)>,
    position: Option<String>,
    measured: u64,
    passed_over: u64,
    last_measured_at: Option<Timestamp>,
}

impl Reader {
    pub(super) async fn open(
        shared: Arc<Shared>,
        source: Option<Source>,
        asks: mpsc::Receiver<SlotAsk>,
    ) -> Result<Self, AgentError> {
        let outbox = &shared.outbox;
        let kept = Slot::read(outbox.state(SLOT).await?.as_deref());
        let known = outbox.state(LAST_MEAN).await?.and_then(|text| text.parse().ok());
        // Without a note: an outbox of before, whose history counts, or a first start that was cut short. Means of later
        // readings may be in the history: stored just before a crash, they come again with their readings.
        let has_begun = outbox.state(OPEN_BIN).await?.is_some();
        let last_mean = known.unwrap_or(if has_begun { Timestamp::MAX } else { Timestamp::MIN });
        let means = outbox.state(OPEN_BIN).await?.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        let last_issue: Option<Timestamp> = outbox.state(LAST_ISSUE).await?.and_then(|text| text.parse().ok());
        let due: Option<Timestamp> = outbox.state(DUE).await?.and_then(|text| text.parse().ok());
        let mut slot = kept.clone();
        let blank = model::first(&shared.loader, &mut slot, shared.clock.now()).await;
        let at_work = AtWork::new(blank).map_err(AgentError::Thread)?;
        let offset_ns = outbox.boot_offset(&shared.boot.boot_id).await?;
        let quality = Quality::new(shared.quality.clone(), shared.station.latitude_deg, shared.station.longitude_deg);
        let quality = quality.resumed(outbox.state(BEFORE).await?.as_deref());
        let mut reader = Self {
            keeper: Timekeeper::resume(offset_ns),
            unset_offset_ns: None,
            slot,
            asks,
            at_work,
            means,
            last_mean,
            last_issue,
            pace: Pace::default(),
            quality,
            source,
            heard_at_ns: None,
            gaps: VecDeque::new(),
            trouble: None,
            paces_itself: false,
            told_sensors: None,
            shared,
        };
        reader.begin_anew().await.map_err(AgentError::Model)?;
        if reader.slot == kept {
            reader.say_slot();
        } else {
            reader.keep_slot(reader.slot.clone()).await;
        }
        reader.catch_up(due);
        reader.shared.status.send_modify(|status| status.last_issue_at = last_issue);
        if reader.shared.is_wall {
            reader.give_up_earlier_boots().await?;
        }
        Ok(reader)
    }

    /// Reads for good.
    pub(super) async fn run(mut self, ledger: &Ledger) {
        let mut alarm = SetAlarm::new();
        let clock = self.shared.clock.clone();
        let mut troubles = self.source.as_ref().and_then(SensorSource::troubles);
        let mut effective = self.shared.effective.subscribe();
        loop {
            self.shared.pulse.answer();
            let every = effective.borrow_and_update().measure_every_s;
            self.paces_itself = self.source.as_mut().is_some_and(|source| source.pace(every));
            self.follow_clock(self.shared.machine.now()).await;
            self.listen().await;
            let mut items = self.source.as_mut().map_or_else(Vec::new, |source| source.drain_until(clock.now(), CHUNK));
            if items.is_empty() {
                let is_wall = self.shared.is_wall;
                tokio::select! {
                    biased;
                    Some(ask) = self.asks.recv() => self.prime(ask).await,
                    word = self.at_work.word(self.shared.max_run) => self.heard(word).await,
                    () = alarm.rung(), if is_wall => {}
                    () = changed(&mut troubles) => {}
                    () = self.shared.pulse.rung() => {}
                    // Its sender lives as long as what is shared.
                    Ok(()) = effective.changed() => {}
                    item = next(&mut self.source, &clock) => match item {
                        Some(item) => items.push(item),
                        None => self.ended(),
                    },
                }
            }
            if !items.is_empty() {
                // A clock that was set while the reading was waited for is followed before it is stamped.
                let moment = self.shared.machine.now();
                self.follow_clock(moment).await;
                self.store(items, moment, ledger).await;
            }
            self.say_source();
        }
    }

    /// What the models have to say by now.
    async fn listen(&mut self) {
        use futures_util::FutureExt as _;
        while let Ok(ask) = self.asks.try_recv() {
            self.prime(ask).await;
        }
        while let Some(word) = self.at_work.word(self.shared.max_run).now_or_never() {
            self.heard(word).await;
        }
    }

    async fn heard(&mut self, word: Word) {
        match word {
            Word::Primed(primed) => self.primed(primed).await,
            Word::Nowcast(ran) => {
                let mut chunk = Chunk::default();
                self.ran(ran, &mut chunk).await;
                self.persist(&chunk).await;
                self.shared.status.send_modify(|status| status.last_issue_at = self.last_issue);
            }
        }
    }

    fn ended(&mut self) {
        let Some(source) = self.source.take() else { return };
        tracing::info!(target: "agent", "{}", source.state());
        self.shared.status.send_modify(|status| {
            status.source = source.state();
            status.source_ended = true;
        });
    }

    fn say_source(&mut self) {
        let Some(state) = self.source.as_ref().map(SensorSource::state) else { return };
        self.shared.status.send_if_modified(|status| {
            let is_new = status.source != state;
            status.source = state;
            is_new
        });
        let sensors = self.source.as_ref().map(SensorSource::sensors).unwrap_or_default();
        self.shared.status.send_if_modified(|status| {
            let is_new = status.sensors != sensors;
            status.sensors = sensors;
            is_new
        });
        self.tell_sensors();
        let trouble = self.source.as_ref().and_then(SensorSource::trouble);
        if trouble != self.trouble {
            self.trouble.clone_from(&trouble);
            self.shared.status.send_modify(|status| status.last_error = trouble);
        }
    }

    /// Tells the hub of sensors that come and go, at most once a minute: one that does so all the time would spend the
    /// day's messages. At the start each is told as soon as it is known.
    fn tell_sensors(&mut self) {
        let states: Vec<_> = self.shared.status.borrow().sensors.iter().map(|sensor| sensor.state).collect();
        let is_due = self.told_sensors.as_ref().is_none_or(|(at, told)| {
            *told != states && (at.elapsed() >= TELL_SENSORS || told.contains(&SensorState::Waiting))
        });
        if is_due && !states.is_empty() {
            self.told_sensors = Some((Instant::now(), states));
            self.shared.publish_reported();
        }
    }

    // Readings.

    /// Makes a chunk of readings durable, with the nowcasts that fall due within it. Tries again for as long
    /// as it takes: the source waits meanwhile, so nothing is lost.
    async fn store(&mut self, items: Vec<Item>, moment: Moment, ledger: &Ledger) {
        let every = self.shared.effective.borrow().measure_every_s.filter(|_| !self.paces_itself);
        let mut chunk = Chunk::default();
        let has_reading = items.iter().any(|item| item.outcome.is_ok());
        for item in items {
            let position = item.position;
            match item.outcome {
                Ok(reading) => {
                    let (reading, dating) = self.date(reading, item.stamped, moment);
                    let at_ns = dating.stamp.map_or_else(|| nanoseconds(reading.measured_at), |stamp| stamp.boot_ns);
                    match self.pace.take(reading, at_ns, every) {
                        Taken::PassedOver => {
                            chunk.passed_over += 1;
                            continue;
                        }
                        Taken::Taken(reading) => {
                            let timed = match (item.stamped, dating.is_known) {
                                (Stamped::InSeries, _) => Timed::InSeries,
                                (_, true) => Timed::Now,
                                (_, false) => Timed::Unset,
                            };
                            self.take(&reading, item.id, (dating, timed), &mut chunk).await;
                        }
                    }
                }
                Err(rejected) => chunk.aside.push((rejected.raw, rejected.reason)),
            }
            // What was passed over stands behind the next that is taken.
            chunk.position = Some(position);
        }
        if chunk.position.is_some() {
            let ids: Vec<String> = chunk.messages.iter().map(|m| m.message.message_id().as_str().to_owned()).collect();
            self.persist(&chunk).await;
            ledger.stamp(Hop::Measured, ids.iter().map(String::as_str));
        }
        if has_reading {
            self.note_gap(moment.boot_ns);
        }
        self.shared.status.send_modify(|status| {
            if has_reading {
                status.quiet_since = Some(wall::now());
                status.gap_s = self.gaps.iter().copied().reduce(f64::max);
            }
            status.measured += chunk.measured;
            status.passed_over += chunk.passed_over;
            status.last_measured_at = chunk.last_measured_at.or(status.last_measured_at);
            status.last_issue_at = self.last_issue;
            // A sensor may still be absent while others are read.
            status.last_error.clone_from(&self.trouble);
        });
    }

    /// Remembers how long a reading was waited for that came at `now_ns`, on the clock since the boot.
    fn note_gap(&mut self, now_ns: i64) {
        if let Some(before_ns) = self.heard_at_ns.replace(now_ns) {
            self.gaps.push_back(((now_ns - before_ns) as f64 / 1e8).round() / 10.0);
            self.gaps.drain(..self.gaps.len().saturating_sub(GAPS));
        }
    }

    /// Adds a measurement and, where it completes ten minutes, the nowcast they bring.
    async fn take(
        &mut self,
        reading: &Reading,
        id: Option<MessageId>,
        (dating, timed): (Dating, Timed),
        chunk: &mut Chunk,
    ) {
        let (mut measurement, rejected) = WeatherMeasurement::from_reading(&self.shared.device_id, reading);
        if let Some(id) = id {
            measurement.message_id = id;
        }
        if !rejected.is_empty() {
            let reasons: Vec<_> = rejected.iter().map(ToString::to_string).collect();
            let words = format!("of the reading of {}, the rest of which went on: ", reading.measured_at);
            chunk.aside.push((format!("{reading:?}"), words + &reasons.join("; ")));
        }
        measurement.clock = dating.note;
        self.quality.judge(&mut measurement, timed);
        if dating.is_known {
            let max_age = features_last(self.shared.effective.borrow().capture_every_min);
            measurement.sky = self.shared.newest.sky(measurement.measured_at, max_age);
            if let Some(lx) = measurement.illuminance_lx {
                self.shared.newest.put_light(measurement.measured_at, lx, &self.shared.station);
            }
        }
        chunk.measured += 1;
        chunk.last_measured_at = Some(measurement.measured_at);
        if dating.is_known
            && let Some(mean) = self.means.push(&quality::trusted(&measurement))
        {
            self.nowcast(mean, chunk).await;
        }
        chunk.messages.push(Dated { message: Message::WeatherMeasurement(measurement), stamp: dating.stamp });
    }

    /// Takes in a measurement without a nowcast of it: of a time that is over.
    fn learn(&mut self, measurement: &WeatherMeasurement) -> Option<Mean> {
        let mean = self.means.push(&quality::trusted(measurement))?;
        self.at_work.observe(mean);
        self.last_mean = mean.ends_at;
        Some(mean)
    }

    async fn persist(&self, chunk: &Chunk) {
        // A mean that is stored twice is the same mean; the readings count once, with their position.
        while let Err(error) = self.shared.history.append(chunk.means.clone()).await {
            self.failed(&error).await;
        }
        for (raw, reason) in &chunk.aside {
            tracing::warn!(target: "agent", "kept aside: {reason}");
            let now = self.shared.clock.now();
            while let Err(error) = self.shared.outbox.set_aside(raw.clone(), reason.clone(), now).await {
                self.failed(&error).await;
            }
        }
        let state = self.state(chunk.position.clone());
        while let Err(error) = self.shared.outbox.append_dated(chunk.messages.clone(), state.clone()).await {
            self.failed(&error).await;
        }
    }

    /// What has to be known at the next start beside the messages.
    fn state(&self, position: Option<String>) -> Vec<(String, String)> {
        let mut state = vec![(OPEN_BIN.to_owned(), serde_json::to_string(&self.means).unwrap_or_default())];
        state.push((LAST_MEAN.to_owned(), self.last_mean.to_string()));
        state.push((BEFORE.to_owned(), self.quality.kept()));
        state.extend(position.map(|position| (POSITION.to_owned(), position)));
        state.extend(self.last_issue.map(|at| (LAST_ISSUE.to_owned(), at.to_string())));
        state.push((DUE.to_owned(), self.at_work.due_at().map(|at| at.to_string()).unwrap_or_default()));
        state
    }

    async fn failed(&self, error: &DatabaseError) {
        let words = error.to_string();
        if self.shared.status.borrow().last_error.as_deref() != Some(&words) {
            tracing::error!(target: "agent", "readings wait at the source: {words}");
            self.shared.status.send_modify(|status| status.last_error = Some(words));
        }
        self.shared.pulse.answer();
        tokio::time::sleep(RETRY).await;
    }
}

/// The next item; sleeps for ever without a source.
async fn next(source: &mut Option<Source>, clock: &crate::clock::Clock) -> Option<Item> {
    match source {
        Some(source) => source.next(clock).await,
        None => std::future::pending().await,
    }
}

/// Waits until the source's trouble changes; for ever where there is none to have.
async fn changed(troubles: &mut Option<watch::Receiver<Option<String>>>) {
    if let Some(receiver) = troubles
        && receiver.changed().await.is_ok()
    {
        return;
    }
    // A source that is gone has no trouble any more.
    std::future::pending().await
}

fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}
