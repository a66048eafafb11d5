//! Verification: each nowcast against what was measured once its valid time has come.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::loader::LoaderStatus;
use super::warehouse::{DueNowcast, MeasurementRow, Progress, ScoreRow, VerifiedLead, Warehouse};
use crate::database::DatabaseError;
use crate::nowcast::{TenMinuteMeans, verify};
use crate::station::forecast::{MAX_LEAD_MINUTES, valid_time};
use crate::station::{Prediction, Variable, WeatherMeasurement};

/// Nowcasts verified in one go.
const CHUNK: usize = 144;
const TEN_MINUTES: SignedDuration = SignedDuration::from_mins(10);

/// The scores so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VerificationStatus {
    /// One entry a variable and lead.
    pub scores: Vec<ScoreRow>,
}

/// Verifies whenever rows have come.
pub struct Verifier {
    warehouse: Warehouse,
    loader: watch::Receiver<LoaderStatus>,
    /// The scores so far.
    pub status: watch::Sender<VerificationStatus>,
}

/// Ten-minute means by device and end of the bin.
type Means = BTreeMap<(String, Timestamp), [Option<f64>; 8]>;

impl Verifier {
    /// A verifier that follows the loader.
    #[must_use]
    pub fn new(warehouse: Warehouse, loader: watch::Receiver<LoaderStatus>) -> Self {
        Self { warehouse, loader, status: watch::Sender::new(VerificationStatus::default()) }
    }

    /// Runs for good.
    pub async fn run(mut self) {
        let mut seen = None;
        loop {
            let rows = self.loader.borrow_and_update().rows;
            if seen != Some(rows) {
                match self.verify_due().await {
                    Ok(()) => seen = Some(rows),
                    Err(error) => tracing::error!(target: "ingestion", "verification waits for the next rows: {error}"),
                }
            }
            if self.loader.changed().await.is_err() {
                return;
            }
        }
    }

    /// Verifies every lead whose valid time the table has reached.
    pub async fn verify_due(&self) -> Result<(), DatabaseError> {
        loop {
            let Some(newest) = self.warehouse.newest_measurement().await? else { break };
            // The bin that holds the newest measurement isn't complete.
            let until = Timestamp::from_second(newest.as_second().div_euclid(600) * 600).unwrap_or(newest);
            let due = self.warehouse.due(until, CHUNK).await?;
            if due.is_empty() {
                break;
            }
            let is_last = due.len() < CHUNK;
            let means = self.means(&due, until).await?;
            let (verified, progress) = verify_all(&due, &means, until);
            self.warehouse.record_verified(verified, progress).await?;
            if is_last {
                break;
            }
        }
        let scores = self.warehouse.scores().await?;
        self.status.send_if_modified(|status| {
            let is_new = status.scores != scores;
            status.scores = scores;
            is_new
        });
        Ok(())
    }

    async fn means(&self, due: &[DueNowcast], until: Timestamp) -> Result<Means, DatabaseError> {
        let Some(from) = due.iter().map(|nowcast| nowcast.next_valid).min() else { return Ok(Means::new()) };
        let last = due.iter().map(|nowcast| valid_time(nowcast.prediction.measured_at, MAX_LEAD_MINUTES)).max();
        let to = last.map_or(until, |last| last.min(until));
        let rows = self.warehouse.measurements(from - TEN_MINUTES, to, usize::MAX).await?;
        let mut open: BTreeMap<String, TenMinuteMeans> = BTreeMap::new();
        let mut means = Means::new();
        for MeasurementRow { device_id: device, at_ms, values, .. } in rows {
            let Ok(at) = Timestamp::from_millisecond(at_ms) else { continue };
            let mut measurement = WeatherMeasurement::empty(&device, at);
            for variable in Variable::ALL {
                measurement.set(variable, values[variable.index()]);
            }
            if let Some(mean) = open.entry(device.clone()).or_default().push(&measurement) {
                means.insert((device, mean.ends_at), mean.values);
            }
        }
        for (device, mut bins) in open {
            if let Some(mean) = bins.flush(to) {
                means.insert((device, mean.ends_at), mean.values);
            }
        }
        Ok(means)
    }
}

/// Every lead due by `until` of each nowcast, and when its next lead is valid (`None` once all are done).
/// A lead whose ten minutes hold no measurement is passed over: a gap verifies nothing.
fn verify_all(due: &[DueNowcast], means: &Means, until: Timestamp) -> (Vec<VerifiedLead>, Vec<Progress>) {
    let mut verified = Vec::new();
    let mut progress = Vec::new();
    for nowcast in due {
        let prediction: &Prediction = &nowcast.prediction;
        let mut later: BTreeSet<Timestamp> = BTreeSet::new();
        for forecast in &prediction.forecasts {
            for lead in &forecast.leads {
                let valid = valid_time(prediction.measured_at, lead.lead_minutes);
                if valid > until {
                    later.insert(valid);
                    continue;
                }
                if valid < nowcast.next_valid {
                    continue;
                }
                let measured = means
                    .get(&(prediction.device_id.clone(), valid))
                    .and_then(|values| values[forecast.variable.index()]);
                if let Some(measured) = measured {
                    verified.push(VerifiedLead {
                        device_id: prediction.device_id.clone(),
                        message_id: prediction.message_id.as_str().to_owned(),
                        issued_at: prediction.measured_at,
                        variable: forecast.variable,
                        lead_minutes: lead.lead_minutes,
                        forecast: lead.quantiles.q50,
                        persistence: forecast.persistence,
                        measured,
                        outcome: verify(lead, forecast.persistence, measured),
                    });
                }
            }
        }
        let next = later.first().copied();
        progress.push(Progress {
            device_id: prediction.device_id.clone(),
            message_id: prediction.message_id.as_str().to_owned(),
            next_valid: next,
        });
    }
    (verified, progress)
}
