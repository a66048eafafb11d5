//! The live feed: what the hub took in, decoded, before any batch or table has it.
//!
//! Keeps the newest measurements in a bounded ring so that charts need no table; older history comes from
//! the warehouse.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::error::RecvError;

use super::bins::{Bin, Extreme, Measured, bin, extremes};
use super::enqueued::{EnqueuedLog, EnqueuedMessage};
use super::pulse::Pulse;
use super::warehouse::{MeasurementRow, Warehouse};
use crate::database::DatabaseError;
use crate::station::text::{counted, printable};
use crate::station::{DeviceHealth, Message, PictureTaken, Prediction, QcFlag, Variable, WeatherMeasurement};

/// Measurements the ring holds: a month of minutes, or four days at a reading each 5 s.
const RING: usize = 65_536;
/// Days of the table that the ring is filled from at a start.
const REMEMBERED_DAYS: i32 = 31;
/// Messages kept as received.
const RECENT: usize = 200;
/// Flags kept, and notes of pictures: a note has its row once its batch is loaded.
const FLAGS: usize = 8192;
const PICTURES: usize = 100;
/// How far a device's clock may be ahead of the hub's: what is measured later is no news of now.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);
/// How long the device whose measurements are told as those of now may be silent before another takes its place.
const SILENT: SignedDuration = SignedDuration::from_mins(10);
/// Devices that the log names for what can't be.
const MOST_WARNED: usize = 100;
/// Window of a rate.
const RATE_WINDOW: Duration = Duration::from_secs(60);

/// One measurement in the ring.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at_ms: i64,
    device: u16,
    /// In the order of [`Variable::ALL`]; NaN is absent.
    values: [f32; 8],
}

/// A value that quality control flagged.
#[derive(Debug, Clone, Copy)]
struct Flagged {
    at_ms: i64,
    device: u16,
    variable: Variable,
    flag: QcFlag,
}

/// The feed; clones share it.
#[derive(Clone, Default)]
pub struct LiveFeed {
    state: Arc<Mutex<State>>,
    changed: Pulse,
}

#[derive(Default)]
struct State {
    samples: VecDeque<Sample>,
    /// What was measured before this, Unix ms, isn't all in the ring; absent where everything is.
    complete_from_ms: Option<i64>,
    /// Each device's number in the ring.
    devices: HashMap<String, u16>,
    /// When the hub last took in something of each device, since the start.
    heard: BTreeMap<Arc<str>, Timestamp>,
    /// Devices of which the log says that what they send can't be.
    warned: BTreeSet<String>,
    recent: VecDeque<Arc<EnqueuedMessage>>,
    /// In order of time.
    flagged: VecDeque<Flagged>,
    /// In order of time.
    pictures: VecDeque<PictureTaken>,
    newest: Option<WeatherMeasurement>,
    prediction: Option<Prediction>,
    health: BTreeMap<String, DeviceHealth>,
    received: u64,
    measurements: u64,
    arrivals: VecDeque<(Instant, u32)>,
    /// When the rate was first looked at.
    rate_since: Option<Instant>,
}

/// Why a message isn't on any chart.
enum Unfit {
    /// It isn't one of the pipeline's.
    Unreadable(String),
    /// It is, and can't be what it says.
    Implausible(String),
}

/// What the feed knows of now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeedStatus {
    /// The newest measurement.
    pub newest: Option<WeatherMeasurement>,
    /// The newest prediction.
    pub prediction: Option<Prediction>,
    /// The newest health of each device heard of since the start.
    pub health: BTreeMap<String, DeviceHealth>,
    /// Messages since the start.
    pub received: u64,
    /// Measurements since the start.
    pub measurements: u64,
    /// Messages a wall second over the last minute.
    pub rate_per_s: f64,
}

impl LiveFeed {
    /// A feed that already holds what table and log have of the newest measurements.
    pub async fn open(warehouse: &Warehouse, log: &EnqueuedLog) -> Result<Self, DatabaseError> {
        let feed = Self::default();
        if let Some(newest) = warehouse.newest_measurement().await? {
            feed.remember(warehouse, newest).await?;
        }
        let row = warehouse.find(None).await?;
        let body = row.and_then(|row| serde_json::from_str::<serde_json::Value>(&row.variant).ok());
        if let Some(Ok(Message::WeatherMeasurement(newest))) =
            body.map(|line| Message::from_json(line["Body"].to_string().as_bytes()))
        {
            feed.lock().newest = Some(newest);
        }
        let prediction = warehouse.prediction(None).await?;
        feed.lock().prediction = prediction;
        feed.catch_up(log).await?;
        let waiting = log.newest(RECENT).await?;
        feed.lock().recent.extend(waiting.into_iter().rev().map(Arc::new));
        Ok(feed)
    }

    /// Takes in what waits in the log for a batch; what is known already stays as it is.
    async fn catch_up(&self, log: &EnqueuedLog) -> Result<(), DatabaseError> {
        for container in log.containers().await? {
            let mut after = 0;
            loop {
                let messages = log.messages(&container, after, i64::MAX, RECENT).await?;
                let Some((last, _)) = messages.last() else { break };
                after = *last;
                for (_, message) in messages {
                    drop(self.decode(&message, false));
                }
            }
        }
        Ok(())
    }

    /// Fills the ring from the table, a day at a time so that a long history costs no memory.
    async fn remember(&self, warehouse: &Warehouse, newest: Timestamp) -> Result<(), DatabaseError> {
        let a_day = SignedDuration::from_hours(24);
        for day in (0..REMEMBERED_DAYS).rev() {
            let to = newest - a_day * day;
            let from = to - a_day + SignedDuration::from_millis(1);
            let rows = warehouse.measurements(from, to, RING).await?;
            let mut state = self.lock();
            rows.iter().for_each(|row| state.take_in(row));
        }
        Ok(())
    }

    /// Follows the log for good.
    pub async fn run(self, log: EnqueuedLog) {
        let mut arrivals = log.arrivals();
        loop {
            match arrivals.recv().await {
                Ok(message) => self.take(&message),
                // What a burst was too fast for is in the log still, or in the table already.
                Err(RecvError::Lagged(missed)) => {
                    self.lock().received += missed;
                    if let Err(error) = self.catch_up(&log).await {
                        tracing::warn!(target: "ingestion", "charts lack {missed} messages until the next start: {error}");
                    }
                }
                Err(RecvError::Closed) => return,
            }
            self.changed.ring();
        }
    }

    /// Waits for news.
    pub async fn changed(&self) {
        self.changed.rung().await;
    }

    /// What can't be read is shown as it came.
    fn take(&self, message: &Arc<EnqueuedMessage>) {
        self.keep(message, true, true);
        let Err(Unfit::Implausible(words)) = self.decode(message, true) else { return };
        // A device that sends the same a thousand times is told of once.
        let is_new = {
            let warned = &mut self.lock().warned;
            warned.len() < MOST_WARNED && warned.insert(message.device_id.clone())
        };
        if is_new {
            tracing::warn!(target: "ingestion", "device {}: on no chart: {words}", printable(&message.device_id));
        }
    }

    /// Takes in a message that doesn't come from a log; `is_news` where it wasn't taken in before, in an earlier start.
    /// Answers what it is, or why it can't be read.
    pub fn accept(&self, message: &Arc<EnqueuedMessage>, is_news: bool, now: Timestamp) -> Result<Message, String> {
        // What came while nobody read is no rate of now.
        let is_live = now.duration_since(message.enqueued_at).unsigned_abs() <= RATE_WINDOW;
        self.keep(message, is_news, is_news && is_live);
        let decoded = self.decode(message, is_news);
        self.changed.ring();
        decoded.map_err(|(Unfit::Unreadable(words) | Unfit::Implausible(words))| words)
    }

    fn keep(&self, message: &Arc<EnqueuedMessage>, is_news: bool, counts: bool) {
        let mut state = self.lock();
        state.received += u64::from(is_news);
        if counts {
            state.count_arrival();
        }
        if state.recent.len() == RECENT {
            state.recent.pop_front();
        }
        state.recent.push_back(Arc::clone(message));
        match state.heard.get_mut(message.device_id.as_str()) {
            Some(at) => *at = message.enqueued_at.max(*at),
            None => {
                state.heard.insert(Arc::from(message.device_id.as_str()), message.enqueued_at);
            }
        }
    }

    /// Every device heard of since the start, and when the hub last took in something of it.
    #[must_use]
    pub fn heard(&self) -> Vec<(Arc<str>, Timestamp)> {
        self.lock().heard.iter().map(|(device, at)| (Arc::clone(device), *at)).collect()
    }

    /// A message among the newest, by its id.
    #[must_use]
    pub fn find(&self, message_id: &str) -> Option<Arc<EnqueuedMessage>> {
        let state = self.lock();
        state.recent.iter().rev().find(|message| message.message_id.as_deref() == Some(message_id)).cloned()
    }

    fn decode(&self, message: &EnqueuedMessage, live: bool) -> Result<Message, Unfit> {
        if !message.is_json() {
            let words = "its content type isn't application/json in utf-8: no route looks into it";
            return Err(Unfit::Unreadable(words.to_owned()));
        }
        let decoded = Message::from_json(&message.body).map_err(|error| Unfit::Unreadable(error.to_string()))?;
        if decoded.device_id() != message.device_id {
            let words = format!("says that it is of device {}, and came from another", printable(decoded.device_id()));
            return Err(Unfit::Implausible(words));
        }
        let ahead = decoded.measured_at().duration_since(message.enqueued_at);
        if ahead > AHEAD {
            let minutes = counted(ahead.as_mins().unsigned_abs(), "minute");
            return Err(Unfit::Implausible(format!("measured {minutes} after the hub had it; set the device's clock")));
        }
        let mut state = self.lock();
        match &decoded {
            Message::WeatherMeasurement(measurement) => {
                state.take_in(&MeasurementRow::of(measurement));
                state.measurements += u64::from(live);
                if state.newest.as_ref().is_none_or(|newest| takes_over(measurement, newest)) {
                    state.newest = Some(measurement.clone());
                }
            }
            Message::Prediction(prediction)
                if state.prediction.as_ref().is_none_or(|newest| newest.measured_at <= prediction.measured_at) =>
            {
                state.prediction = Some(prediction.clone());
            }
            Message::DeviceHealth(health) => {
                state.health.insert(health.device_id.clone(), health.clone());
            }
            Message::PictureTaken(picture) => state.insert_picture(picture.clone()),
            Message::Prediction(_) => {}
        }
        Ok(decoded)
    }

    /// What the feed knows of now.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        let mut state = self.lock();
        FeedStatus {
            rate_per_s: state.rate(Instant::now()),
            newest: state.newest.clone(),
            prediction: state.prediction.clone(),
            health: state.health.clone(),
            received: state.received,
            measurements: state.measurements,
        }
    }

    /// The newest messages as received, newest first.
    #[must_use]
    pub fn recent(&self, limit: usize) -> Vec<Arc<EnqueuedMessage>> {
        self.lock().recent.iter().rev().take(limit).cloned().collect()
    }

    /// Says that what was measured before `start` may not all come in.
    pub fn begins(&self, start: Timestamp) {
        self.lock().complete_from_ms = Some(start.as_millisecond());
    }

    /// The part of a window of which the ring doesn't have everything: what was measured then is read elsewhere.
    #[must_use]
    pub fn before(&self, from: Timestamp, to: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let last = Timestamp::from_millisecond(self.lock().complete_from_ms? - 1).ok()?.min(to);
        (from <= last).then_some((from, last))
    }

    /// Takes a picture's note that didn't come through the log.
    #[cfg(test)]
    pub fn take_note(&self, note: PictureTaken) {
        self.lock().insert_picture(note);
    }

    /// The note of the picture that was taken last, of those that came since the start.
    #[must_use]
    pub fn newest_picture(&self) -> Option<PictureTaken> {
        self.lock().pictures.iter().max_by_key(|picture| picture.measured_at).cloned()
    }

    /// Notes of pictures that came since the start, those taken between two instants (inclusive), newest first; at most
    /// the newest hundred.
    #[must_use]
    pub fn pictures(&self, from: Timestamp, to: Timestamp) -> Vec<PictureTaken> {
        let state = self.lock();
        state.pictures.iter().rev().filter(|p| (from..=to).contains(&p.measured_at)).cloned().collect()
    }

    /// What was flagged between two instants (inclusive), in order of time: when, and as what. `older` is what was measured
    /// in the part of it that [`Self::before`] names. Of the rest the newest 8,192 flags are known; values that are only
    /// derived aren't told.
    #[must_use]
    pub fn flags(
        &self,
        older: &[impl Measured],
        device: Option<&str>,
        variable: Variable,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<(i64, QcFlag)> {
        let state = self.lock();
        let number = device.map(|name| state.devices.get(name).copied());
        let range = state.after(older, from).as_millisecond()..=to.as_millisecond();
        let is_wanted = |f: &&Flagged| {
            f.variable == variable && range.contains(&f.at_ms) && number.is_none_or(|wanted| wanted == Some(f.device))
        };
        let newer = state.flagged.iter().filter(is_wanted).map(|f| (f.at_ms, f.flag));
        let older = older.iter().filter(|measured| measured.is_of(device));
        let flagged = older.filter_map(|measured| measured.qc().get(&variable).map(|flag| (measured.at_ms(), *flag)));
        flagged.filter(|(_, flag)| *flag != QcFlag::Derived).chain(newer).collect()
    }

    /// Least and greatest value of each variable between two instants (inclusive); `older` as for [`Self::flags`].
    #[must_use]
    pub fn extremes(
        &self,
        older: &[impl Measured],
        device: Option<&str>,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<Extreme> {
        let state = self.lock();
        let newer = state
            .between(device, state.after(older, from), to)
            .map(|sample| Variable::ALL.map(|variable| sample.bin(variable)));
        let older = older.iter().filter(|measured| measured.is_of(device));
        extremes(older.map(|measured| Variable::ALL.map(|variable| measured.bin(variable))).chain(newer))
    }

    /// Bins of `width` over `[from, to]`, aligned to multiples of `width`, and the typical time between
    /// measurements in it; `older` as for [`Self::flags`].
    #[must_use]
    pub fn bins(
        &self,
        older: &[impl Measured],
        device: Option<&str>,
        variable: Variable,
        (from, to): (Timestamp, Timestamp),
        width: SignedDuration,
    ) -> (Vec<Bin>, Option<SignedDuration>) {
        let state = self.lock();
        let newer = state.between(device, state.after(older, from), to).filter_map(|sample| sample.bin(variable));
        let older = older.iter().filter(|measured| measured.is_of(device));
        bin(older.filter_map(|measured| measured.bin(variable)).chain(newer), width)
    }

    /// Change of `variable` over the hour before the newest measurement, of the device that made it, in its unit an hour.
    /// An amount of rain and a direction have none.
    #[must_use]
    pub fn tendency_per_h(&self, variable: Variable) -> Option<f64> {
        if matches!(variable, Variable::Rain | Variable::WindDirection) {
            return None;
        }
        let (device, newest) =
            self.lock().newest.as_ref().map(|newest| (newest.device_id.clone(), newest.measured_at))?;
        let ten_minutes = SignedDuration::from_mins(10);
        let mean = |end: Timestamp| {
            let (bins, _) = self.bins(
                &[] as &[MeasurementRow],
                Some(&device),
                variable,
                (end - ten_minutes, end),
                SignedDuration::from_hours(24),
            );
            if bins.is_empty() { None } else { Some(bins.iter().map(|b| b.mean).sum::<f64>() / bins.len() as f64) }
        };
        Some(mean(newest)? - mean(newest - SignedDuration::from_hours(1))?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a measurement is told as that of now in place of another: of the same device the later one; of several devices
/// that of the first by name, unless it is silent.
fn takes_over(measurement: &WeatherMeasurement, newest: &WeatherMeasurement) -> bool {
    let later = measurement.measured_at.duration_since(newest.measured_at);
    match measurement.device_id.cmp(&newest.device_id) {
        Ordering::Equal => !later.is_negative(),
        Ordering::Less => later > -SILENT,
        Ordering::Greater => later > SILENT,
    }
}

impl Sample {
    fn bin(&self, variable: Variable) -> Option<Bin> {
        let value = self.values[variable.index()];
        (!value.is_nan()).then(|| Bin::of(self.at_ms, f64::from(value)))
    }
}

impl State {
    /// From when on the ring's own are taken beside `older` ones.
    fn after(&self, older: &[impl Measured], from: Timestamp) -> Timestamp {
        let complete_from = self.complete_from_ms.filter(|_| !older.is_empty());
        complete_from.and_then(|ms| Timestamp::from_millisecond(ms).ok()).map_or(from, |start| start.max(from))
    }

    /// The measurements of a device, or of all, between two instants (inclusive).
    fn between(&self, device: Option<&str>, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Sample> {
        let device = device.map(|name| self.devices.get(name).copied());
        let (from, to) = (from.as_millisecond(), to.as_millisecond());
        let start = self.samples.partition_point(|s| s.at_ms < from);
        self.samples
            .range(start..)
            .take_while(move |s| s.at_ms <= to)
            .filter(move |s| device.is_none_or(|wanted| wanted == Some(s.device)))
    }

    fn device(&mut self, name: &str) -> u16 {
        if let Some(number) = self.devices.get(name) {
            return *number;
        }
        let number = u16::try_from(self.devices.len()).unwrap_or(u16::MAX);
        self.devices.insert(name.to_owned(), number);
        number
    }

    fn take_in(&mut self, row: &MeasurementRow) {
        let device = self.device(&row.device_id);
        let values = row.values.map(|value| value.map_or(f32::NAN, narrow));
        if self.insert(Sample { at_ms: row.at_ms, device, values }) {
            self.flag(row.at_ms, device, &row.qc);
        }
    }

    /// Keeps the flags of one measurement, but for what is only derived.
    fn flag(&mut self, at_ms: i64, device: u16, qc: &BTreeMap<Variable, QcFlag>) {
        for (&variable, &flag) in qc.iter().filter(|(_, flag)| **flag != QcFlag::Derived) {
            let place = self.flagged.partition_point(|f| f.at_ms <= at_ms);
            self.flagged.insert(place, Flagged { at_ms, device, variable, flag });
            if self.flagged.len() > FLAGS {
                self.flagged.pop_front();
            }
        }
    }

    /// Keeps a picture's note in order of time; the same blob again takes its place.
    fn insert_picture(&mut self, picture: PictureTaken) {
        self.pictures.retain(|known| known.blob_name != picture.blob_name);
        let place = self.pictures.partition_point(|known| known.measured_at <= picture.measured_at);
        self.pictures.insert(place, picture);
        if self.pictures.len() > PICTURES {
            self.pictures.pop_front();
        }
    }

    /// Keeps the ring in order of time; the same device and instant again is left out, which is answered with `false`.
    fn insert(&mut self, sample: Sample) -> bool {
        let place = self.samples.partition_point(|s| s.at_ms <= sample.at_ms);
        let again = self
            .samples
            .range(..place)
            .rev()
            .take_while(|s| s.at_ms == sample.at_ms)
            .any(|s| s.device == sample.device);
        if again {
            return false;
        }
        if place == self.samples.len() {
            self.samples.push_back(sample);
        } else {
            self.samples.insert(place, sample);
        }
        if self.samples.len() > RING
            && let Some(gone) = self.samples.pop_front()
        {
            self.complete_from_ms = self.complete_from_ms.max(Some(gone.at_ms + 1));
        }
        true
    }

    /// Arrivals are counted by the second, so that a burst costs no memory.
    fn count_arrival(&mut self) {
        let now = Instant::now();
        match self.arrivals.back_mut() {
            Some((second, count)) if now.duration_since(*second) < Duration::from_secs(1) => *count += 1,
            _ => self.arrivals.push_back((now, 1)),
        }
    }

    /// Messages a second over the last minute; over the time since the start where that is shorter.
    fn rate(&mut self, now: Instant) -> f64 {
        while self.arrivals.front().is_some_and(|(second, _)| now.duration_since(*second) > RATE_WINDOW) {
            self.arrivals.pop_front();
        }
        let total: u32 = self.arrivals.iter().map(|(_, count)| count).sum();
        // Not since the oldest arrival: a message a minute would be told as one a second, then one in two, ...
        let known = now.duration_since(*self.rate_since.get_or_insert(now));
        f64::from(total) / known.clamp(Duration::from_secs(1), RATE_WINDOW).as_secs_f64()
    }
}

/// Charts and tendencies need no more than a chart's precision.
#[expect(clippy::cast_possible_truncation, reason = "seven digits are more than any sensor has")]
const fn narrow(value: f64) -> f32 {
    value as f32
}
