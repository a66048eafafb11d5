//! The sensors of `[sensors.NAME]`, put together: a measurement each interval.
//!
//! A measurement has the newest value of each sensor that was read since the one before; a sensor that wasn't is
//! absent, and its last value isn't repeated. Of two sensors that give the same variable the one of the lower rank is
//! taken, the other where that one is absent or shows what can't be. Rain is the sum since the measurement before.
//!
//! The position is how far the totals of rain are in measurements. A reading that is taken from here is stored before
//! the next is taken; what a crash loses is what was read since: nothing of a gauge's tips or a total, up to one
//! interval of amounts.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::board::{Changes, Desk};
use super::{Item, Rejected, SensorError, SensorSource, Stamped, tend};
use crate::clock::Clock;
use crate::edge_agent::report::{SensorReport, SensorState};
use crate::settings::sensors::model::SensorSettings;
use crate::station::text::printable;
use crate::station::{Reading, Variable};

/// Seconds between measurements where `agent.measure_every_s` isn't set.
pub const EVERY_S: u32 = 5;

/// All sensors as one source.
#[derive(Debug)]
pub struct Composed {
    /// The sensors, those of the lowest rank first.
    sensors: Vec<(Arc<Desk>, SensorSettings)>,
    folder: std::path::PathBuf,
    changes: Changes,
    tasks: JoinSet<()>,
    every: Duration,
    last: Option<Instant>,
    ready: VecDeque<Item>,
}

/// How far totals of rain are in measurements, by sensor.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Position {
    rain: BTreeMap<String, f64>,
}

impl Composed {
    /// The `sensors`, not yet read. What a gauge counted is kept in `folder`.
    #[must_use]
    pub fn new(sensors: &BTreeMap<String, SensorSettings>, folder: &Path) -> Self {
        let changes: Changes = Arc::new(watch::Sender::new(None));
        let desk = |(name, settings): (&String, &SensorSettings)| {
            (Arc::new(Desk::new(name, settings, &changes)), settings.clone())
        };
        let mut sensors: Vec<_> = sensors.iter().map(desk).collect();
        sensors.sort_by_key(|(desk, _)| desk.rank);
        Self {
            sensors,
            folder: folder.to_owned(),
            changes,
            tasks: JoinSet::new(),
            every: Duration::from_secs(u64::from(EVERY_S)),
            last: None,
            ready: VecDeque::new(),
        }
    }

    /// Begins to read, if it hasn't yet. Needs a runtime.
    fn begin(&mut self) -> Instant {
        if self.last.is_none() {
            for (desk, settings) in &self.sensors {
                self.tasks.spawn(tend::tend(settings.clone(), Arc::clone(desk), self.folder.clone()));
            }
        }
        *self.last.get_or_insert_with(Instant::now) + self.every
    }

    /// Puts together what was read since the last time.
    fn compose(&mut self, at: Timestamp) {
        self.last = Some(Instant::now());
        let mut reading = Reading { measured_at: at, values: Vec::new(), qc: BTreeMap::new() };
        let mut aside = Vec::new();
        let mut refused: Vec<(Variable, f64, &str)> = Vec::new();
        for (desk, _) in &self.sensors {
            let taken = desk.take();
            aside.extend(taken.aside);
            for (variable, value, flag) in taken.values {
                if reading.values.iter().any(|(known, _)| *known == variable) {
                    continue;
                }
                let (low, high) = variable.range();
                if !(low..=high).contains(&value) {
                    refused.push((variable, value, &desk.name));
                    continue;
                }
                reading.values.push((variable, value));
                reading.qc.extend(flag.map(|flag| (variable, flag)));
            }
        }
        for (variable, value, name) in refused {
            if reading.values.iter().any(|(known, _)| *known == variable) {
                let reason = format!("sensors.{name}: {variable} {value} can't be; another sensor's value was taken");
                aside.push(Rejected { raw: value.to_string(), reason });
            } else {
                // Nobody else has it: it is flagged and kept aside with its measurement.
                reading.values.push((variable, value));
            }
        }
        reading.values.sort_by_key(|(variable, _)| variable.index());
        let marks = self.sensors.iter().filter_map(|(desk, _)| Some((desk.name.clone(), desk.mark()?)));
        let position = serde_json::to_string(&Position { rain: marks.collect() }).unwrap_or_default();
        // The reading first: its position is that of the rain in it.
        let outcomes =
            (!reading.values.is_empty()).then_some(Ok(reading)).into_iter().chain(aside.into_iter().map(Err));
        let item = |outcome| Item { position: position.clone(), outcome, stamped: Stamped::Here, id: None };
        self.ready.extend(outcomes.map(item));
    }
}

impl SensorSource for Composed {
    /// Positions are JSON. One of another source says nothing about these sensors and is passed over.
    fn resume(&mut self, position: &str) -> Result<(), SensorError> {
        let Ok(position) = serde_json::from_str::<Position>(position) else {
            let shown = printable(position);
            tracing::info!(target: "agent", "the stored position {shown:?} is another source's; rain is counted from now");
            return Ok(());
        };
        for (desk, _) in &self.sensors {
            if let Some(mark) = position.rain.get(&desk.name) {
                desk.set_mark(*mark);
            }
        }
        Ok(())
    }

    async fn next(&mut self, clock: &Clock) -> Option<Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            let due = self.begin();
            tokio::time::sleep_until(due).await;
            self.compose(clock.now());
        }
    }

    fn drain_until(&mut self, until: Timestamp, limit: usize) -> Vec<Item> {
        if self.ready.is_empty() && self.begin() <= Instant::now() {
            self.compose(until);
        }
        let count = self.ready.len().min(limit);
        self.ready.drain(..count).collect()
    }

    fn state(&self) -> String {
        let reports = self.sensors();
        let read = reports.iter().filter(|report| report.state == SensorState::Read).count();
        format!("{read} of {} sensors are read", reports.len())
    }

    fn ended(&self) -> bool {
        false
    }

    fn trouble(&self) -> Option<String> {
        let absent: Vec<_> = self.sensors().into_iter().filter(|report| report.state == SensorState::Absent).collect();
        let first = absent.first()?;
        let more = match absent.len() {
            1 => String::new(),
            count => format!("; and {} more are absent", count - 1),
        };
        Some(format!("{}{more}", first.last_error.as_deref().unwrap_or(&first.name)))
    }

    fn troubles(&self) -> Option<watch::Receiver<Option<String>>> {
        Some(self.changes.subscribe())
    }

    fn pace(&mut self, every_s: Option<u32>) -> bool {
        self.every = Duration::from_secs(u64::from(every_s.unwrap_or(EVERY_S)));
        true
    }

    fn sensors(&self) -> Vec<SensorReport> {
        let mut reports: Vec<_> = self.sensors.iter().map(|(desk, _)| desk.report()).collect();
        reports.sort_by(|a, b| a.name.cmp(&b.name));
        reports
    }
}

#[cfg(test)]
mod tests;
