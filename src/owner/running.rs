//! Starting and ending an environment: everything that runs in it, in one place.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::agent::{Diagnoser, host};
use super::alarms::Alarms;
use super::answers::Desk;
use super::client::{Ask, OwnerClient};
use super::lock::{FolderLock, LockError, make_private};
use super::log_buffer::LogBuffer;
use super::parts::{Fault, Tasks};
use super::pictures::{Embedded, Pictures};
use super::provisioning::Provisioner;
use super::publisher::Publisher;
use super::sky::OwnCamera;
use super::snapshot::Snapshot;
use super::socket;
use super::stores::{Applied, Stores, forget_old};
use crate::clock::Clock;
use crate::clock::ledger::Ledger;
use crate::database::DatabaseError;
use crate::edge_agent::agent::{Agent, AgentError, AgentSetup};
use crate::edge_agent::uplink::{Credentials, Roots as TrustRoots, UplinkSettings};
use crate::ingestion::batching::{BatchStatus, Batcher};
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::loader::{Loader, LoaderStatus};
use crate::ingestion::pulse::Pulse;
use crate::ingestion::storage::StorageError;
use crate::ingestion::topology::Topology;
use crate::ingestion::verify::Verifier;
use crate::local_cloud::https::HttpsConfig;
use crate::local_cloud::hub::{self, Hub, HubConfig, HubError};
use crate::settings::{EnvironmentKind, EnvironmentName, Folders, LinkTransport, Settings};

/// How long tasks have to end at a shutdown.
const GRACE: Duration = Duration::from_secs(3);

/// Why an environment can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its data folder is owned or unusable.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A folder can't be made.
    #[error("{path}: {reason}; check that it can be written, or name another place with --data-dir")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A database can't be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The containers can't be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The hub can't listen.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The agent can't start.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// A watcher of the cloud can't start.
    #[error("{0}")]
    Watcher(String),
    /// An environment in the cloud, in a build without that.
    #[error(
        "environment {0}: in the cloud, and this build was made without the feature `cloud`; use `--env demo` or `--env local`"
    )]
    Cloud(EnvironmentName),
}

/// A running environment. Dropping it ends what runs without waiting; [`Running::shutdown`] waits.
pub struct Running {
    client: OwnerClient,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
    ready: Option<oneshot::Receiver<Result<(), StartError>>>,
    fault: Fault,
    socket: PathBuf,
    _locks: Vec<FolderLock>,
}

impl Running {
    /// A viewer's handle.
    #[must_use]
    pub fn client(&self) -> OwnerClient {
        self.client.clone()
    }

    /// Waits until everything runs, or says why it can't. May be dropped and called again.
    pub async fn ready(&mut self) -> Result<(), StartError> {
        let Some(ready) = &mut self.ready else { return Ok(()) };
        let outcome = ready.await;
        self.ready = None;
        // A sender that is gone was shut down before it was ready: nothing failed.
        outcome.unwrap_or(Ok(()))
    }

    /// What of it failed and has ended all of it, in words; absent while nothing has.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.fault.words()
    }

    /// Ends everything in order: the agent and the hub first, then what drains them. What is durable stays
    /// where it is and goes on at the next start.
    pub async fn shutdown(mut self) {
        tracing::info!(target: "owner", "ending");
        self.shutdown.cancel();
        let drained = tokio::time::timeout(GRACE, async { while self.tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            self.tasks.shutdown().await;
        }
        // Whoever looks for an owner shall not find the socket of one that has ended.
        drop(std::fs::remove_file(&self.socket));
    }
}

/// Starts `environment`. Answers as soon as its data folder is owned and its socket listens, so that a console
/// can show its first frame; hub, agent, batcher, loader, verification and alarms come up behind it, and
/// [`Running::ready`] tells when they have, or why not.
pub async fn start(
    environment: EnvironmentName,
    settings: Settings,
    folders: Folders,
    log_buffer: LogBuffer,
) -> Result<Running, StartError> {
    start_with(environment, settings, folders, log_buffer, None).await
}

/// As [`start`]; runs are asked for and shown through `provisioner`.
pub async fn start_with(
    environment: EnvironmentName,
    settings: Settings,
    folders: Folders,
    log_buffer: LogBuffer,
    provisioner: Option<Provisioner>,
) -> Result<Running, StartError> {
    let is_cloud = environment.kind() == EnvironmentKind::Cloud;
    if is_cloud && cfg!(not(feature = "cloud")) {
        return Err(StartError::Cloud(environment));
    }
    let mut locks = vec![FolderLock::take(&folders.data)?];
    if !is_cloud {
        // The agent that runs alone holds this one only: an outbox is never drained by two.
        locks.push(FolderLock::take(&folders.data.join("agent"))?);
    }
    for folder in [&folders.runtime, &folders.state] {
        make_private(folder).map_err(|error| StartError::Folder { path: folder.clone(), reason: error.to_string() })?;
    }
    let owner = super::snapshot::OwnerInfo {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: Timestamp::now(),
        data_dir: folders.data.clone(),
        hub_address: None,
    };
    let first = Snapshot::first(environment.clone(), owner, Clock::wall().reading(), &settings.station);
    let snapshots = watch::Sender::new(Arc::new(first));
    let (asks, asked) = mpsc::channel(64);
    let client = OwnerClient::new(snapshots.subscribe(), asks);
    let socket = folders.socket();
    let listener = socket::listen(&socket, socket::Access::User)
        .map_err(|error| StartError::Folder { path: socket.clone(), reason: error.to_string() })?;
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(shutdown.clone().run_until_cancelled_owned(socket::serve(listener, client.clone())).map(drop));
    if let Some(provisioner) = provisioner.clone() {
        if let Err(error) = provisioner.prepare(&environment) {
            // Everything else runs without; what is asked for there is refused with these words.
            tracing::error!(target: "provisioning", "{error}");
        }
        let following = super::provisioning::follow(provisioner, snapshots.clone());
        tasks.spawn(shutdown.clone().run_until_cancelled_owned(following).map(drop));
    }
    let (ready, is_ready) = oneshot::channel();
    let (ends, fault) = (shutdown.clone(), Fault::default());
    let found = fault.clone();
    let beginning = Beginning {
        environment,
        settings,
        data: folders.data,
        log_buffer,
        provisioner,
        snapshots,
        asked,
        tasks: Tasks::new(shutdown.clone()),
    };
    tasks.spawn(async move {
        #[cfg(feature = "cloud")]
        let brought_up = if is_cloud { super::cloud::bring_up(beginning) } else { bring_up(beginning).await };
        #[cfg(not(feature = "cloud"))]
        let brought_up = bring_up(beginning).await;
        match brought_up {
            Ok(parts) => {
                // Nobody waiting for it is no fault.
                drop(ready.send(Ok(())));
                fault.watch(parts, &ends).await;
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    });
    Ok(Running { client, shutdown, tasks, ready: Some(is_ready), fault: found, socket, _locks: locks })
}

/// What an environment is brought up with, whatever runs in it.
pub(super) struct Beginning {
    pub(super) environment: EnvironmentName,
    pub(super) settings: Settings,
    /// Its data folder.
    pub(super) data: PathBuf,
    pub(super) log_buffer: LogBuffer,
    pub(super) provisioner: Option<Provisioner>,
    /// What viewers see.
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
    /// What they ask.
    pub(super) asked: mpsc::Receiver<Ask>,
    pub(super) tasks: Tasks,
}

/// Opens the stores and starts everything that runs on them.
async fn bring_up(beginning: Beginning) -> Result<JoinSet<()>, StartError> {
    let Beginning { environment, settings, data, log_buffer, provisioner, snapshots, asked, mut tasks } = beginning;
    let (data, shutdown) = (data.as_path(), tasks.shutdown.clone());
    let built_in = Topology::built_in(
        environment.as_str(),
        &settings.hub.name,
        SignedDuration::from_secs(i64::from(settings.ingestion.batch_window_s)),
        u64::from(settings.ingestion.batch_max_mib) * 1024 * 1024,
    );
    let applied = Applied::open(data, built_in).await?;
    let stores = Stores::open(data, applied.ground.clone())?;
    let keeper = stores.keeper();
    if let Err(error) = keeper.keep(&applied.ground.peek()).await {
        // It is tried again while the environment runs.
        tracing::error!(target: "ingestion", "{error}");
    }
    let ledger = Ledger::default();
    let newest = stores.newest_time().await?;
    let setup = AgentSetup {
        data,
        station: &settings.station,
        quality: &settings.quality,
        sensors: &settings.sensors,
        source: &settings.source,
        agent: &settings.agent,
        camera: &settings.camera,
        sky: &settings.sky,
        model: &settings.model,
        link: &settings.link,
        log_filter: &settings.log.filter,
        not_before: newest,
        host: host(&log_buffer),
    };
    let (agent, clock) = Agent::open(setup).await?;
    let handles = agent.handles();
    let started_at = clock.now();
    let feed = LiveFeed::open(&stores.warehouse, &stores.log).await?;

    let hub_config = HubConfig {
        listen: settings.hub.listen,
        port: settings.hub.port,
        host_name: settings.hub.name.clone(),
        folder: data.join("hub"),
    };
    let (ground, log) = (applied.ground.clone(), stores.log.clone());
    let hub = hub::start(hub_config, ground.clone(), log, clock.clone(), ledger.clone(), shutdown.clone()).await?;
    let https = HttpsConfig { port: settings.hub.https_port, containers: stores.containers.clone() };
    let https_port = hub.serve_https(https, ground.clone(), shutdown.clone()).await?.port();
    let key = hub.ensure_device(&settings.station.device_id).await?;
    snapshots.send_modify(|snapshot| {
        let snapshot = Arc::make_mut(snapshot);
        snapshot.owner.hub_address = Some(hub.address().to_string());
        snapshot.clock = clock.reading();
    });

    let loader = Loader {
        notices: stores.notices.clone(),
        containers: stores.containers.clone(),
        trash: stores.trash.clone(),
        ground: ground.clone(),
        warehouse: stores.warehouse.clone(),
        clock: clock.clone(),
        ledger: ledger.clone(),
        status: watch::Sender::new(LoaderStatus::default()),
        resumed: Pulse::default(),
    };
    // What was written without a notice is said again after a restart.
    let unannounced = stores.log.unannounced().await?;
    let batcher = Batcher {
        log: stores.log.clone(),
        containers: stores.containers.clone(),
        trash: stores.trash.clone(),
        notices: stores.notices.clone(),
        ground: ground.clone(),
        clock: clock.clone(),
        ledger: ledger.clone(),
        status: watch::Sender::new(BatchStatus { unannounced, ..BatchStatus::default() }),
    };
    let verifier = Verifier::new(stores.warehouse.clone(), loader.status.subscribe());

    let (warehouse, containers) = (stores.warehouse.clone(), stores.containers.clone());
    let pictures = Embedded::new(warehouse, feed.clone(), containers, ground.clone());
    let diagnoser = Diagnoser::new(environment.as_str(), &handles, &log_buffer);
    let desk = Desk {
        clock: clock.clone(),
        ledger: ledger.clone(),
        log_buffer,
        diagnoser,
        alarms: Arc::new(Mutex::new(Alarms::default())),
        device_id: settings.station.device_id.clone(),
        outbox: handles.outbox.clone(),
        log: stores.log.clone(),
        feed: feed.clone(),
        batches: batcher.status.clone(),
        loader: loader.clone(),
        warehouse: stores.warehouse.clone(),
        pictures: Pictures::new(pictures, OwnCamera::of_settings(&settings)),
        hub: hub.clone(),
        agent: handles.report.clone(),
        environment: environment.clone(),
        provisioner,
        changed: Pulse::default(),
    };
    let (host, port) = (hub.address().ip().to_string(), hub.address().port());
    let link = UplinkSettings::at(host, port, &settings.hub.name, &settings.station.device_id)
        .signed_in(Credentials::Key(key), TrustRoots::Pem(hub.ca_pem()))
        .with_link(&settings.link)
        .with_agent(&settings.agent);
    // Nothing lies between the two that could let only WebSocket through.
    let link = UplinkSettings { transport: LinkTransport::Mqtt, https_port, ..link };
    let publisher = Publisher {
        desk: desk.clone(),
        agent: handles.status,
        outbox: handles.outbox.status(),
        report: handles.report,
        uplink: handles.uplink,
        hub: hub.status(),
        batch: batcher.status.subscribe(),
        loader: loader.status.subscribe(),
        verification: verifier.status.subscribe(),
        alarms: settings.alarms.clone(),
        station: settings.station.metadata(),
        device_id: settings.station.device_id.clone(),
        ground,
        started_at,
        snapshots,
    };
    tasks.spawn(feed.run(stores.log.clone()));
    tasks.spawn(batcher.run());
    tasks.spawn(loader.run());
    tasks.spawn(verifier.run());
    tasks.spawn(publisher.run());
    tasks.spawn_desk(asked, move |request| {
        let desk = desk.clone();
        async move { desk.answer(request).await }
    });
    tasks.spawn(keep_hub(hub));
    tasks.spawn(applied.follower.run());
    tasks.spawn(keeper.run(applied.next, applied.pipeline));
    tasks.spawn(forget_old(stores.warehouse, stores.trash, clock, settings.ingestion.retention_days));
    // It ends by itself, in order, when it is told to.
    let mut running = tasks.into_running();
    running.spawn(async move {
        if let Err(error) = agent.run_on(Some(link), ledger, shutdown).await {
            tracing::error!(target: "agent", "{error}");
        }
    });
    Ok(running)
}

/// The hub runs for as long as its handle is held.
async fn keep_hub(hub: Hub) {
    std::future::pending::<()>().await;
    drop(hub);
}
