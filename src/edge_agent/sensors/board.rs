//! Where the sensors put what they read, until the next measurement takes it.
//!
//! Every sensor has its [`Desk`]. A desk holds the newest value of each variable, the rain since the last measurement,
//! the first few lines that couldn't be read, and how the sensor is: all of it bounded, however much comes in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Rejected, shortened};
use crate::clock::wall;
use crate::edge_agent::report::{SensorReport, SensorState};
use crate::settings::sensors::model::SensorSettings;
use crate::station::text::printable;
use crate::station::{QcFlag, Variable};

/// Lines of one sensor kept aside between two measurements; more are counted.
const MOST_ASIDE: usize = 4;

/// Tells that the state of some sensor changed; what it holds is the newest trouble.
pub(super) type Changes = Arc<watch::Sender<Option<String>>>;

/// One sensor's place.
#[derive(Debug)]
pub(super) struct Desk {
    /// The sensor's name.
    pub name: String,
    /// Its rank: the lowest that gives a variable is taken.
    pub rank: u32,
    gives: Vec<Variable>,
    changes: Changes,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    newest: BTreeMap<Variable, (f64, Option<QcFlag>)>,
    /// Rain that fell since the last measurement, mm, where it comes in amounts.
    amount_mm: Option<f64>,
    /// Rain as a total that grows, in its own unit.
    total: Option<f64>,
    /// The total up to which it is in measurements.
    mark: Option<f64>,
    /// Whether the total stands until it is put anew: who counts is there, and nothing fell.
    stands: bool,
    /// Rain of a unit of the total, mm.
    unit_mm: f64,
    aside: Vec<Rejected>,
    aside_more: u64,
    report: SensorReport,
}

/// What a measurement takes from a desk.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Taken {
    /// The newest values since the last measurement.
    pub values: Vec<(Variable, f64, Option<QcFlag>)>,
    /// What couldn't be read.
    pub aside: Vec<Rejected>,
}

impl Desk {
    pub fn new(name: &str, settings: &SensorSettings, changes: &Changes) -> Self {
        let gives = settings.gives();
        let report = SensorReport {
            name: name.to_owned(),
            kind: settings.kind().to_owned(),
            gives: gives.clone(),
            ..SensorReport::default()
        };
        let state = Mutex::new(State { report, unit_mm: 1.0, ..State::default() });
        Self { name: name.to_owned(), rank: settings.rank, gives, changes: Arc::clone(changes), state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the sensor is.
    pub fn report(&self) -> SensorReport {
        self.state().report.clone()
    }

    /// Puts what was read. Values of variables that aren't wanted are passed over; rain is an amount since the last.
    pub fn put(&self, values: &[(Variable, f64)]) {
        self.put_flagged(values.iter().map(|&(variable, value)| (variable, value, None)));
    }

    /// As [`Desk::put`], with flags.
    pub fn put_flagged(&self, values: impl IntoIterator<Item = (Variable, f64, Option<QcFlag>)>) {
        {
            let mut state = self.state();
            for (variable, value, flag) in values {
                if !self.gives.contains(&variable) {
                    continue;
                }
                // What isn't an amount goes on as it is, to be flagged.
                if variable == Variable::Rain && value.is_finite() && value >= 0.0 {
                    state.amount_mm = Some(state.amount_mm.unwrap_or(0.0) + value);
                } else {
                    state.newest.insert(variable, (value, flag));
                }
            }
        }
        self.was_read();
    }

    /// Puts a total of rain that grows, each of its units being `unit_mm`. One that is lower than before began anew.
    pub fn put_total(&self, total: f64, unit_mm: f64) {
        {
            let mut state = self.state();
            state.unit_mm = unit_mm;
            if let Some(before) = state.total.filter(|before| total < *before) {
                // What was counted before it began anew is kept as an amount.
                let missed = (before - state.mark.unwrap_or(before)).max(0.0) * unit_mm;
                state.amount_mm = Some(state.amount_mm.unwrap_or(0.0) + missed);
                state.mark = Some(0.0);
            }
            state.total = Some(total);
        }
        self.was_read();
    }

    /// The total stands until it is put anew, or the sensor is lost.
    pub fn let_total_stand(&self) {
        self.state().stands = true;
    }

    /// The total up to which rain is in measurements that are stored.
    pub fn set_mark(&self, mark: f64) {
        self.state().mark = Some(mark);
    }

    /// That total, for the source's position.
    pub fn mark(&self) -> Option<f64> {
        self.state().mark
    }

    fn was_read(&self) {
        let is_new = {
            let mut state = self.state();
            state.report.reads += 1;
            state.report.last_read_at = Some(wall::now());
            let is_new = state.report.state != SensorState::Read;
            if is_new {
                state.report.state = SensorState::Read;
                state.report.since = Some(wall::now());
            }
            is_new
        };
        if is_new {
            tracing::info!(target: "agent", "sensors.{}: is read", self.name);
            self.changes.send_modify(|trouble| *trouble = None);
        }
    }

    /// Keeps aside what couldn't be read; the sensor goes on.
    pub fn reject(&self, raw: &[u8], reason: &str) {
        let mut state = self.state();
        let words = format!("sensors.{}: {reason}", self.name);
        state.report.errors += 1;
        state.report.last_error = Some(words.clone());
        state.report.last_error_at = Some(wall::now());
        if state.aside.len() < MOST_ASIDE {
            state.aside.push(Rejected { raw: shortened(&String::from_utf8_lossy(raw)), reason: words });
        } else {
            state.aside_more += 1;
        }
    }

    /// Notes that something went wrong of which nothing can be kept; the sensor goes on.
    pub fn note(&self, words: &str) {
        tracing::warn!(target: "agent", "sensors.{}: {words}", self.name);
        let mut state = self.state();
        state.report.errors += 1;
        state.report.last_error = Some(format!("sensors.{}: {words}", self.name));
        state.report.last_error_at = Some(wall::now());
    }

    /// The sensor can't be read; it is tried again.
    pub fn lost(&self, words: &str) {
        let words = printable(words);
        let is_new = {
            let mut state = self.state();
            state.stands = false;
            let report = &mut state.report;
            report.errors += 1;
            let words = format!("sensors.{}: {words}", self.name);
            let is_new = report.state != SensorState::Absent || report.last_error.as_ref() != Some(&words);
            if report.state != SensorState::Absent {
                report.state = SensorState::Absent;
                report.since = Some(wall::now());
            }
            report.last_error = Some(words);
            report.last_error_at = Some(wall::now());
            is_new
        };
        if is_new {
            tracing::warn!(target: "agent", "sensors.{}: {words}; it is tried again", self.name);
            self.changes.send_modify(|trouble| *trouble = Some(words));
        }
    }

    /// Takes what was read since the last measurement.
    pub fn take(&self) -> Taken {
        let mut state = self.state();
        let newest = std::mem::take(&mut state.newest);
        let mut values: Vec<_> = newest.into_iter().map(|(variable, (value, flag))| (variable, value, flag)).collect();
        let mut rain = state.amount_mm.take();
        let total = if state.stands { state.total } else { state.total.take() };
        if let Some(total) = total {
            let is_known = state.mark.is_some();
            let since = (total - state.mark.unwrap_or(total)).max(0.0) * state.unit_mm;
            state.mark = Some(total);
            // What fell before the first total that was ever seen isn't known.
            if is_known {
                rain = Some(rain.unwrap_or(0.0) + since);
            }
        }
        if let Some(mm) = rain
            && self.gives.contains(&Variable::Rain)
            && !values.iter().any(|(variable, ..)| *variable == Variable::Rain)
        {
            values.push((Variable::Rain, mm, None));
        }
        let mut aside = std::mem::take(&mut state.aside);
        let more = std::mem::take(&mut state.aside_more);
        if let Some(last) = aside.last_mut().filter(|_| more > 0) {
            last.reason.push_str(&format!("; and {more} more since the last measurement, not kept"));
        }
        Taken { values, aside }
    }
}
