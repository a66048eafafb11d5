//! The publisher: gathers what the parts say, evaluates the alarms, and publishes a snapshot when something
//! has changed, no more than five a second.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::alarms::{AzureInputs, Inputs, LinkInputs, WarehouseInputs};
use super::answers::Desk;
use super::rates::Rate;
use super::rivals::Rivals;
use super::snapshot::{Device, NoticeQueue, Now, Pipe, Snapshot};
use super::stages::{PartRates, Parts, missing, stages};
use crate::clock::second_hand::SecondHand;
use crate::edge_agent::outbox::OutboxStatus;
use crate::edge_agent::report::AgentReport;
use crate::edge_agent::report::AgentStatus;
use crate::edge_agent::uplink::UplinkStatus;
use crate::ingestion::batching::BatchStatus;
use crate::ingestion::loader::{LoaderStatus, PipeStatus};
use crate::ingestion::topology::Ground;
use crate::ingestion::verify::VerificationStatus;
use crate::local_cloud::hub::HubStatus;
use crate::nowcast::solar;
use crate::settings::AlarmSettings;
use crate::station::units::sea_level_pressure_hpa;
use crate::station::{StationMetadata, Variable};

/// Least wall time between two snapshots.
const FLOOR: Duration = Duration::from_millis(200);

/// Gathers and publishes until it is dropped.
pub struct Publisher {
    /// Feed, log, loader, alarms, clock.
    pub desk: Desk,
    /// The agent's state.
    pub agent: watch::Receiver<AgentStatus>,
    /// The outbox's state.
    pub outbox: watch::Receiver<OutboxStatus>,
    /// What the agent says of itself.
    pub report: watch::Receiver<AgentReport>,
    /// The link's state.
    pub uplink: watch::Receiver<UplinkStatus>,
    /// The hub's state.
    pub hub: watch::Receiver<HubStatus>,
    /// The batcher's state.
    pub batch: watch::Receiver<BatchStatus>,
    /// The loader's state.
    pub loader: watch::Receiver<LoaderStatus>,
    /// Verification's state.
    pub verification: watch::Receiver<VerificationStatus>,
    /// Thresholds of the alarms.
    pub alarms: AlarmSettings,
    /// Where the station stands.
    pub station: StationMetadata,
    /// The station's device.
    pub device_id: String,
    /// What the pipeline runs on.
    pub ground: Ground,
    /// Pipeline time of the owner's start.
    pub started_at: Timestamp,
    /// Where snapshots go.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
}

#[derive(Default)]
struct Rates {
    readings: Rate,
    batches: Rate,
    notices: Rate,
    files: Rate,
    rows: Rate,
    rivals: Rivals,
}

impl Publisher {
    /// Runs for good.
    pub async fn run(mut self) {
        let mut rates = Rates::default();
        let mut second_hand = SecondHand::new();
        loop {
            let parts = self.gather(&mut rates);
            self.publish(&parts);
            tokio::select! {
                // News is answered after the floor, so that a burst is one snapshot.
                () = self.news() => tokio::time::sleep(FLOOR).await,
                // What changes with time alone: ages, rates, alarms.
                () = second_hand.strike() => {}
            }
        }
    }

    async fn news(&mut self) {
        // A sender that is gone never changes again; the tick goes on.
        tokio::select! {
            () = self.ground.changed() => {}
            Ok(()) = self.agent.changed() => {}
            Ok(()) = self.outbox.changed() => {}
            Ok(()) = self.report.changed() => {}
            Ok(()) = self.uplink.changed() => {}
            Ok(()) = self.hub.changed() => {}
            Ok(()) = self.batch.changed() => {}
            Ok(()) = self.loader.changed() => {}
            Ok(()) = self.verification.changed() => {}
            () = self.desk.feed.changed() => {}
            () = self.desk.changed.rung() => {}
            else => std::future::pending().await,
        }
    }

    fn gather(&mut self, rates: &mut Rates) -> Parts {
        let now = Instant::now();
        // Each is copied by itself: a lock held while another is waited for could hold up whoever writes to either.
        let agent = self.agent.borrow_and_update().clone();
        let outbox = self.outbox.borrow_and_update().clone();
        let report = Arc::new(self.report.borrow_and_update().clone());
        let uplink = self.uplink.borrow_and_update().clone();
        let hub = self.hub.borrow_and_update().clone();
        let batch = self.batch.borrow_and_update().clone();
        let loader = self.loader.borrow_and_update().clone();
        let mut parts = Parts {
            agent,
            outbox,
            report,
            uplink,
            hub,
            open: self.desk.log.open_batches(),
            topology: self.ground.now(),
            batch,
            queue: self.desk.loader.notices.status(),
            loader,
            feed: self.desk.feed.status(),
            verification: Vec::new(),
            rivals: Vec::new(),
            rates: PartRates::default(),
        };
        let takeovers = parts.hub.takeovers.iter().map(|(device, (count, _))| (device.as_str(), *count));
        parts.rivals = rates.rivals.observe(takeovers, now);
        parts.feed.rate_per_s = (parts.feed.rate_per_s * 100.0).round() / 100.0;
        parts.verification =
            self.verification.borrow_and_update().scores.iter().map(super::snapshot::Score::from).collect();
        parts.rates = PartRates {
            readings: rates.readings.observe(parts.agent.measured, now),
            batches: rates.batches.observe(parts.batch.batches, now),
            notices: rates.notices.observe(parts.queue.received, now),
            files: rates.files.observe(parts.loader.files, now),
            rows: rates.rows.observe(parts.loader.rows, now),
        };
        parts
    }

    fn publish(&self, parts: &Parts) {
        let clock = self.desk.clock.reading();
        let now = clock.now();
        let inputs = self.alarm_inputs(parts, now);
        let alarms = self.desk.alarms.lock().unwrap_or_else(PoisonError::into_inner).evaluate(&inputs, &self.alarms);
        self.snapshots.send_if_modified(|current| {
            let mut next = Snapshot {
                stages: stages(parts, &alarms, &self.desk.ledger, now),
                alarms,
                now: self.now_on_the_roof(parts),
                pipes: parts.loader.pipes.values().map(pipe).collect(),
                notices: NoticeQueue {
                    depth: parts.queue.depth,
                    oldest_at: parts.queue.oldest_at,
                    set_aside: parts.queue.set_aside,
                },
                storage: Some(super::containers::view(parts, self.desk.feed.newest_picture(), now)),
                topology: (&*parts.topology).into(),
                nowcast: parts.feed.prediction.clone(),
                verification: parts.verification.clone(),
                devices: self.devices(parts),
                agent: Some(Arc::clone(&parts.report)),
                hub_faults: super::hub::faults_view(parts.hub.faults),
                rivals: parts.rivals.clone(),
                roof_to_table_s: self.desk.ledger.roof_to_table().iter().map(Duration::as_secs_f64).collect(),
                last_log: self.desk.log_buffer.last(),
                warnings: self.desk.log_buffer.warnings(8),
                ..(**current).clone()
            };
            let mode_changed = !super::snapshot::same_mode(&current.clock, &clock);
            if next == **current && !mode_changed {
                return false;
            }
            next.version += 1;
            next.clock = clock;
            next.taken_at = Timestamp::now();
            *current = Arc::new(next);
            true
        });
    }

    fn alarm_inputs(&self, parts: &Parts, now: Timestamp) -> Inputs {
        let measurements = parts.measurements();
        let counts = || parts.loader.pipes.values().map(|pipe| &pipe.counts);
        let an_hour = SignedDuration::from_hours(1);
        let failed = counts().flat_map(|c| &c.failed_at).filter(|at| now.duration_since(**at) <= an_hour).count();
        let bound = parts.outbox.max_rows.max(1);
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let outbox_pct = parts.outbox.rows as f64 * 100.0 / bound as f64;
        // A notice that waits for a pipe which doesn't exist is nobody's delay.
        let queued = parts.queue.oldest_at.filter(|_| parts.loader.waiting == 0);
        Inputs {
            now,
            started_at: self.started_at,
            expects_readings: !parts.agent.source_ended && (parts.agent.has_source || parts.feed.received > 0),
            telemetry_at: parts.hub.last_seen.values().max().copied(),
            batch_at: parts.batch.last.as_ref().map(|(.., at)| *at),
            oldest_notice_at: counts().filter_map(|c| c.oldest_pending_at).chain(queued).min(),
            failed_files: failed as u64,
            row_at: measurements.and_then(|p| p.counts.newest_row_at),
            prediction_at: parts.feed.prediction.as_ref().map(|p| p.measured_at),
            outbox_pct,
            missing: missing(&parts.topology),
            link: link_inputs(parts),
            azure: AzureInputs::default(),
            warehouse: WarehouseInputs::default(),
        }
    }

    fn now_on_the_roof(&self, parts: &Parts) -> Now {
        let measurement = parts.feed.newest.clone();
        let tendency = |variable: Variable| self.desk.feed.tendency_per_h(variable).map(|change| (variable, change));
        let reduced = measurement
            .as_ref()
            .and_then(|m| Some(sea_level_pressure_hpa(m.pressure_hpa?, m.temperature_c?, self.station.altitude_m)));
        let sun = measurement
            .as_ref()
            .map(|m| solar::elevation_deg(m.measured_at, self.station.latitude_deg, self.station.longitude_deg));
        Now {
            tendency_per_h: Variable::ALL.into_iter().filter_map(tendency).collect(),
            sea_level_pressure_hpa: reduced,
            sun_elevation_deg: sun,
            received: parts.feed.measurements,
            measurement,
        }
    }

    /// The station's own device, and any other that the hub has heard of.
    fn devices(&self, parts: &Parts) -> Vec<Device> {
        let own = Device {
            id: self.device_id.clone(),
            connected: parts.hub.connected.contains(&self.device_id),
            last_seen_at: parts.hub.last_seen.get(&self.device_id).copied(),
            outbox_rows: parts.outbox.rows,
            outbox_bytes: parts.outbox.bytes,
            outbox_max_rows: parts.outbox.max_rows,
            outbox_given_up: parts.outbox.given_up,
            set_aside: parts.outbox.set_aside,
            agent_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            model_id: parts.agent.model_id.clone(),
            source: parts.agent.source.clone(),
            source_ended: parts.agent.source_ended,
            last_error: parts.uplink.last_error.clone().or_else(|| parts.agent.last_error.clone()),
            health: parts.feed.health.get(&self.device_id).cloned(),
        };
        let others = parts.hub.last_seen.iter().filter(|(id, _)| **id != self.device_id).map(|(id, at)| {
            let is_connected = parts.hub.connected.contains(id);
            Device::heard_of(id.clone(), *at, is_connected, parts.feed.health.get(id).cloned())
        });
        std::iter::once(own).chain(others).collect()
    }
}

/// What the rules about the link look at.
fn link_inputs(parts: &Parts) -> LinkInputs {
    let (report, link) = (&parts.report, &parts.report.uplink);
    let is_budget = link.metered.as_ref().is_some_and(super::agent::is_spent);
    let is_quota = link.quota.as_ref().is_some_and(super::agent::is_quota_spent);
    LinkInputs {
        certificate_ends_at: link.warning.as_ref().and(link.credential_ends_at),
        // Before the agent has started nothing is known of its clock.
        is_clock_unset: report.started_at.is_some() && !report.clock.is_set,
        held: report.outbox.held,
        rivals: parts.rivals.clone(),
        budget_spent_until: link.waits_until.filter(|_| is_budget),
        quota_spent_until: link.waits_until.filter(|_| is_quota),
        faults: super::hub::faults_view(parts.hub.faults).words(),
    }
}

fn pipe(status: &PipeStatus) -> Pipe {
    let state = match &status.stalled {
        Some(stall) => stall.state(),
        None if status.paused => "PAUSED",
        None => "RUNNING",
    };
    let counts = &status.counts;
    Pipe {
        name: status.pipe.name.clone(),
        state: state.to_owned(),
        container: status.pipe.container.clone(),
        table: status.pipe.table.clone(),
        pending_files: counts.pending,
        oldest_pending_at: counts.oldest_pending_at,
        last_received_at: counts.last_received_at,
        last_loaded_at: counts.last_loaded_at,
        rows: counts.rows,
        newest_row_at: counts.newest_row_at,
        files_loaded: counts.loaded,
        files_failed: counts.failed,
        duplicates: counts.duplicates,
        last_error: status.stalled.as_ref().map(ToString::to_string).or_else(|| counts.last_error.clone()),
        watch: None,
    }
}
