//! The owner of an environment in the cloud: it runs watchers in the pipeline's stead, publishes the same snapshots, raises
//! the same alarms and answers the same requests.
//!
//! `desk` what is answered · `publisher` snapshots and alarms · `view` pipes and stages as viewers see them · `azure` the stages
//! from roof to notice · `storage` containers and queue · `roof` what the feed answers · `pictures` pictures of the sky · `way` a
//! reading's way, `lags` what its hops take. A watcher is anything that runs for good and publishes how its part stands: the feed,
//! the storage account, its pictures and the warehouse have one each. What nobody watches is unknown, in words.

mod azure;
mod desk;
mod lags;
mod pictures;
mod publisher;
mod roof;
mod storage;
mod view;
mod way;

use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::desk::CloudDesk;
use self::lags::LagsOf;
use self::pictures::CloudPictures;
use self::publisher::CloudPublisher;
use self::way::Ways;
use super::alarms::Alarms;
use super::pictures::Pictures;
use super::running::{Beginning, StartError};
use super::sky::OwnCamera;
use crate::clock::Clock;
use crate::ingestion::account::{AccountError, AccountWatcher, AsideNotices, PictureContainer};
use crate::ingestion::events::{Credentials, EventsError, EventsReader};
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::pulse::Pulse;
use crate::ingestion::warehouse::snowflake::{Account, SnowflakeError, Watcher};

/// Opens the watchers and starts everything that runs on them.
pub(super) fn bring_up(beginning: Beginning) -> Result<JoinSet<()>, StartError> {
    let Beginning { environment, settings, data, log_buffer, provisioner, snapshots, asked, mut tasks } = beginning;
    let clock = Clock::wall();
    let warehouse = match Account::of(&settings.snowflake)? {
        Some(account) => Some(Watcher::open(account, &data, clock.clone())?),
        None => None,
    };
    let feed = LiveFeed::default();
    let events = match Credentials::of(&settings.azure)? {
        Some(credentials) => {
            Some(EventsReader::open(&settings.azure, credentials, &data, feed.clone(), clock.clone())?)
        }
        None => None,
    };
    let memory = events.as_ref().map(EventsReader::memory);
    let window_s = settings.ingestion.batch_window_s;
    let account = AccountWatcher::open(&settings.azure, memory.clone(), window_s, clock.clone())?;
    let container = match &account {
        Some(account) => account.pictures(),
        None => PictureContainer::open(&settings.azure, clock.clone())?,
    };
    let pictures = CloudPictures::new(feed.clone(), memory.clone(), container.clone());
    let ways = Ways {
        memory,
        account: account.clone(),
        warehouse: warehouse.clone(),
        window: jiff::SignedDuration::from_secs(i64::from(window_s)),
    };
    let aside = account.as_ref().map(|_| AsideNotices::open(&data)).transpose();
    let aside = aside.map_err(|error| StartError::Watcher(format!("aside.db: {error}")))?;
    let desk = CloudDesk {
        aside,
        feed,
        pictures: Pictures::new(pictures, OwnCamera::of_settings(&settings)),
        ways,
        clock: clock.clone(),
        log_buffer,
        alarms: Arc::new(Mutex::new(Alarms::default())),
        warehouse: warehouse.clone(),
        places: Arc::default(),
        environment,
        provisioner,
        changed: Pulse::default(),
    };
    let lags = LagsOf {
        ways: desk.ways.clone(),
        account: account.as_ref().map(AccountWatcher::status),
        warehouse: warehouse.as_ref().map(Watcher::status),
        lags: watch::Sender::default(),
    };
    let publisher = CloudPublisher {
        lags: lags.lags.subscribe(),
        desk: desk.clone(),
        warehouse: warehouse.as_ref().map(Watcher::status),
        events: events.as_ref().map(EventsReader::status),
        account: account.as_ref().map(AccountWatcher::status),
        pictures: container.as_ref().map(PictureContainer::status),
        station: settings.station,
        settings: settings.snowflake,
        alarms: settings.alarms,
        started_at: clock.now(),
        snapshots,
    };
    if let Some(watcher) = warehouse {
        tasks.spawn(watcher.run());
    }
    if let Some(reader) = events {
        tasks.spawn(reader.run());
    }
    match (account, container) {
        (Some(watcher), _) => tasks.spawn(watcher.run()),
        (None, Some(container)) => tasks.spawn(container.run()),
        (None, None) => {}
    }
    tasks.spawn(lags.run());
    tasks.spawn(publisher.run());
    tasks.spawn_desk(asked, move |request| {
        let desk = desk.clone();
        async move { desk.answer(request).await }
    });
    Ok(tasks.into_running())
}

impl From<EventsError> for StartError {
    fn from(error: EventsError) -> Self {
        Self::Watcher(error.to_string())
    }
}

impl From<AccountError> for StartError {
    fn from(error: AccountError) -> Self {
        Self::Watcher(error.to_string())
    }
}

impl From<SnowflakeError> for StartError {
    fn from(error: SnowflakeError) -> Self {
        Self::Watcher(error.to_string())
    }
}
