//! Snapshots and alarms of an environment in the cloud: published when something has changed.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::azure::AzureParts;
use super::desk::{CloudDesk, commands_here};
use super::lags::Lags;
use super::{pictures, roof, storage, view};
use crate::clock::second_hand::SecondHand;
use crate::ingestion::account::{AccountStatus, AsideNotice, AsideNotices, PicturesStatus};
use crate::ingestion::events::EventsStatus;
use crate::ingestion::warehouse::snowflake::WarehouseStatus;
use crate::owner::alarms::{Inputs, LinkInputs};
use crate::owner::snapshot::{NoticeQueue, Snapshot};
use crate::owner::storage::StorageView;
use crate::settings::{AlarmSettings, SnowflakeSettings, StationSettings};

/// Least wall time between two snapshots.
const FLOOR: Duration = Duration::from_millis(200);

/// Gathers and publishes until it is dropped.
pub(super) struct CloudPublisher {
    /// Alarms, log, clock.
    pub(super) desk: CloudDesk,
    /// How the warehouse stands; absent where none is watched.
    pub(super) warehouse: Option<watch::Receiver<WarehouseStatus>>,
    /// How the feed stands; absent where none is read.
    pub(super) events: Option<watch::Receiver<EventsStatus>>,
    /// How the storage account stands; absent where none is watched.
    pub(super) account: Option<watch::Receiver<AccountStatus>>,
    /// What the hops behind the hub take.
    pub(super) lags: watch::Receiver<Lags>,
    /// What is seen of pictures; absent where they aren't watched.
    pub(super) pictures: Option<watch::Receiver<PicturesStatus>>,
    /// Where the station stands.
    pub(super) station: StationSettings,
    /// What watching the warehouse may cost.
    pub(super) settings: SnowflakeSettings,
    /// Thresholds of the alarms.
    pub(super) alarms: AlarmSettings,
    /// When the owner started.
    pub(super) started_at: Timestamp,
    /// Where snapshots go.
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
}

impl CloudPublisher {
    /// Runs for good.
    pub(super) async fn run(mut self) {
        let mut second_hand = SecondHand::new();
        loop {
            let status = self.warehouse.as_mut().map(|status| status.borrow_and_update().clone());
            let azure = self.azure();
            self.publish(status.as_ref(), &azure);
            tokio::select! {
                // News is answered after the floor, so that a burst is one snapshot.
                () = self.news() => tokio::time::sleep(FLOOR).await,
                // What changes with time alone: ages and alarms.
                () = second_hand.strike() => {}
            }
        }
    }

    async fn news(&mut self) {
        let Self { warehouse, events, account, lags, pictures, desk, .. } = self;
        tokio::select! {
            () = moved(warehouse) => {}
            () = moved(events) => {}
            () = moved(account) => {}
            Ok(()) = lags.changed() => {}
            () = moved(pictures) => {}
            () = desk.feed.changed() => {}
            () = desk.changed.rung() => {}
        }
    }

    fn azure(&mut self) -> AzureParts {
        let mut feed = self.desk.feed.status();
        feed.rate_per_s = (feed.rate_per_s * 100.0).round() / 100.0;
        AzureParts {
            events: self.events.as_mut().map(|events| events.borrow_and_update().clone()),
            account: self.account.as_mut().map(|account| account.borrow_and_update().clone()),
            pictures: self.pictures.as_mut().map(|status| status.borrow_and_update().clone()),
            feed,
            lags: self.lags.borrow_and_update().clone(),
            heard: self.desk.feed.heard(),
        }
    }

    fn publish(&self, status: Option<&WarehouseStatus>, azure: &AzureParts) {
        let clock = self.desk.clock.reading();
        let now = clock.now();
        let inputs = self.inputs(status, azure, now);
        let mut alarms =
            self.desk.alarms.lock().unwrap_or_else(PoisonError::into_inner).evaluate(&inputs, &self.alarms);
        for alarm in &mut alarms {
            alarm.message = commands_here(&alarm.message, &self.desk.environment);
        }
        self.snapshots.send_if_modified(|current| {
            let mut next = Snapshot {
                stages: view::stages(status, (azure, &self.desk.feed), &alarms, now),
                now: roof::now(&self.desk.feed, &azure.feed, &self.station),
                devices: roof::devices(&azure.heard, &azure.feed, azure.is_read(), now),
                nowcast: azure.feed.prediction.clone(),
                notices: NoticeQueue { set_aside: self.aside().len() as u64, ..azure.notices() },
                roof_to_table_s: azure.lags.roof_to_table_s.clone(),
                storage: azure.account.as_ref().map(|account| self.storage(account, azure.pictures.as_ref(), now)),
                alarms,
                pipes: status.map(|status| view::pipes(status, now)).unwrap_or_default(),
                warehouse: status.map(|status| view::warehouse(status, &self.settings, now)),
                pictures: azure.pictures.as_ref().map(pictures::watch),
                last_log: self.desk.log_buffer.last(),
                warnings: self.desk.log_buffer.warnings(8),
                ..(**current).clone()
            };
            if next == **current {
                return false;
            }
            next.version += 1;
            next.clock = clock;
            next.taken_at = Timestamp::now();
            *current = Arc::new(next);
            true
        });
    }

    fn storage(&self, account: &AccountStatus, pictures: Option<&PicturesStatus>, now: Timestamp) -> StorageView {
        let ends = pictures.and_then(|pictures| pictures.expiry.as_ref());
        storage::view(account, ends, &self.aside(), now)
    }

    /// Notices that were taken off the queue.
    fn aside(&self) -> Arc<[AsideNotice]> {
        self.desk.aside.as_ref().map(AsideNotices::newest).unwrap_or_default()
    }

    fn inputs(&self, status: Option<&WarehouseStatus>, azure: &AzureParts, now: Timestamp) -> Inputs {
        let watched = || status.and_then(|status| status.pipes.as_ref()).into_iter().flat_map(|pipes| pipes.values());
        let statuses = || watched().filter_map(|pipe| pipe.status.as_ref());
        Inputs {
            now,
            started_at: self.started_at,
            // Readings are to be expected once one was heard of.
            expects_readings: azure.feed.received > 0,
            telemetry_at: azure.telemetry_at(),
            batch_at: azure.batch_at(),
            oldest_notice_at: statuses()
                .filter_map(|status| status.oldest_file_timestamp)
                .chain(azure.notices().oldest_at)
                .min(),
            failed_files: watched().filter_map(|pipe| pipe.files.as_ref()).map(|files| files.newly_failed).sum(),
            row_at: None,
            prediction_at: azure.feed.prediction.as_ref().map(|prediction| prediction.measured_at),
            outbox_pct: 0.0,
            missing: view::unwatched(status.is_some(), azure),
            link: LinkInputs::default(),
            azure: azure.alarm_inputs(now),
            warehouse: status.map(|status| view::alarm_inputs(status, &self.settings, now)).unwrap_or_default(),
        }
    }
}

/// Waits until a watcher has news; for good where there is none, and where it is gone: the tick goes on.
pub(super) async fn moved<T>(status: &mut Option<watch::Receiver<T>>) {
    if let Some(status) = status
        && status.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}
