//! The loader: takes notices, loads each file once, keeps the history of every file.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

use super::notices::{BlobCreated, NoticeQueue};
use super::pulse::Pulse;
use super::storage::{Containers, StorageError};
use super::topology::{Ground, MESSAGE_CONTAINERS, PipeTopology, Topology};
use super::trash::Trash;
use super::warehouse::{NewFile, PipeCounts, Warehouse};
use crate::clock::Clock;
use crate::clock::ledger::{Hop, Ledger};
use crate::database::DatabaseError;
use crate::station::text::printable;

/// Notices taken at a time.
const TAKE: u32 = 32;
/// Wall time before something that failed for no fault of the file's is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Why a pipe stands still for no fault of a file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stall {
    /// Its table doesn't exist.
    MissingTable(String),
    /// Its container doesn't exist, or something failed: words.
    Failed(String),
}

impl Stall {
    /// The pipe's state, as Snowflake says it.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::MissingTable(_) => "STOPPED_MISSING_TABLE",
            Self::Failed(_) => "STALLED_EXECUTION_ERROR",
        }
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingTable(table) => {
                write!(f, "table {table}: it doesn't exist; apply it again, the pipe's files wait")
            }
            Self::Failed(words) => f.write_str(words),
        }
    }
}

/// A pipe as the loader sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PipeStatus {
    /// The pipe.
    pub pipe: PipeTopology,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its last attempt failed for no fault of the file's.
    pub stalled: Option<Stall>,
    /// Its counts.
    pub counts: PipeCounts,
}

/// What the loader has done and how its pipes stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoaderStatus {
    /// By pipe name.
    pub pipes: BTreeMap<String, PipeStatus>,
    /// Notices in the queue that wait for a pipe which doesn't exist.
    pub waiting: u64,
    /// Rows stored since the start.
    pub rows: u64,
    /// Files loaded or failed since the start.
    pub files: u64,
}

/// Why a command to a pipe failed.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// No such pipe.
    #[error("pipe {name}: not known; {known}")]
    Unknown {
        /// The name, printable.
        name: String,
        /// Which are, in words.
        known: String,
    },
    /// The pipe's container doesn't exist.
    #[error("container {0}: it doesn't exist; apply it again, its blobs are kept in the trash until then")]
    NoContainer(String),
    /// The warehouse or the queue failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The container failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The loader; clones share it.
#[derive(Clone)]
pub struct Loader {
    /// Where notices come from.
    pub notices: NoticeQueue,
    /// Where files are.
    pub containers: Containers,
    /// Where files are whose container was destroyed after they were noticed.
    pub trash: Trash,
    /// Which pipes there are.
    pub ground: Ground,
    /// Where rows go.
    pub warehouse: Warehouse,
    /// The environment's clock.
    pub clock: Clock,
    /// Where passing messages are noted.
    pub ledger: Ledger,
    /// How it stands.
    pub status: watch::Sender<LoaderStatus>,
    /// Rung when a paused pipe is resumed.
    pub resumed: Pulse,
}

impl Loader {
    /// Runs for good. A changed topology is followed at once.
    pub async fn run(self) {
        let mut ground = self.ground.clone();
        let mut topology = ground.now();
        let mut seen = self.begin(&topology).await;
        loop {
            let done = match self.receive_all(&topology, &mut seen).await {
                Ok(()) => self.load_all(&topology).await,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                tracing::error!(target: "ingestion", "loading stopped, tried again in {} s: {error}", RETRY.as_secs());
                tokio::time::sleep(RETRY).await;
                continue;
            }
            tokio::select! {
                () = self.notices.arrived() => {}
                () = self.resumed.rung() => {}
                () = ground.changed() => {
                    topology = ground.now();
                    seen = self.begin(&topology).await;
                }
            }
        }
    }

    /// Shows the pipes of `topology` and no others. Every notice is looked at again.
    async fn begin(&self, topology: &Topology) -> i64 {
        self.status.send_modify(|status| {
            status.pipes.retain(|_, status| topology.pipes.contains(&status.pipe));
            status.waiting = 0;
        });
        for pipe in &topology.pipes {
            self.refresh_status(pipe, None).await;
        }
        0
    }

    /// Moves the notices behind number `seen` into their pipes' pending files. What is no notice is kept aside; what
    /// has no pipe now waits in the queue.
    async fn receive_all(&self, topology: &Topology, seen: &mut i64) -> Result<(), DatabaseError> {
        loop {
            let notices = self.notices.peek(*seen, TAKE).await?;
            if notices.is_empty() {
                return Ok(());
            }
            for (id, content) in notices {
                self.receive(topology, id, &content).await?;
                *seen = id;
            }
        }
    }

    async fn receive(&self, topology: &Topology, id: i64, content: &str) -> Result<(), DatabaseError> {
        let now = self.clock.now();
        let reason = match BlobCreated::decode(content) {
            Ok(event) => {
                if let Some(pipe) = topology.pipe_of(&event.container) {
                    if !self.warehouse.receive(pipe.clone(), event, now).await? {
                        tracing::info!(target: "ingestion", pipe = pipe.name, "a file that was noticed before is not loaded again");
                    }
                    return self.notices.remove(id).await;
                }
                if MESSAGE_CONTAINERS.contains(&event.container.as_str()) {
                    self.status.send_modify(|status| status.waiting += 1);
                    return Ok(());
                }
                format!("no pipe loads from container {:?}", printable(&event.container))
            }
            Err(error) => error.to_string(),
        };
        tracing::warn!(target: "ingestion", "a notice was kept aside: {reason}");
        self.notices.set_aside(id, reason, now).await
    }

    async fn load_all(&self, topology: &Topology) -> Result<(), DatabaseError> {
        for pipe in &topology.pipes {
            if self.warehouse.is_paused(&pipe.container).await? {
                self.refresh_status(pipe, None).await;
                continue;
            }
            let mut stalled = self.ground_missing(topology, pipe).await?;
            if stalled.is_none() {
                let pending = self.warehouse.pending(&pipe.container).await?;
                if pending.is_empty() {
                    continue;
                }
                for file in pending {
                    match self.load(pipe, file).await {
                        Ok(true) => {}
                        Ok(false) => {
                            stalled = Some(Stall::MissingTable(pipe.full_table.clone()));
                            break;
                        }
                        Err(error) => {
                            self.refresh_status(pipe, Some(Stall::Failed(error.to_string()))).await;
                            return Err(error);
                        }
                    }
                }
            }
            self.refresh_status(pipe, stalled).await;
        }
        Ok(())
    }

    /// What a pipe needs and isn't there.
    async fn ground_missing(&self, topology: &Topology, pipe: &PipeTopology) -> Result<Option<Stall>, DatabaseError> {
        if !self.warehouse.has_table(pipe.clone()).await? {
            return Ok(Some(Stall::MissingTable(pipe.full_table.clone())));
        }
        if !topology.has_container(&pipe.container) {
            let words =
                format!("container {}: it doesn't exist; apply it again, the pipe's files wait", pipe.container);
            return Ok(Some(Stall::Failed(words)));
        }
        Ok(None)
    }

    /// Loads one file; `false` where its table doesn't exist.
    async fn load(&self, pipe: &PipeTopology, file: NewFile) -> Result<bool, DatabaseError> {
        let name = file.file.clone();
        let mut path = self.containers.file(&pipe.container, &name);
        if !path.exists()
            && let Some(kept) = self.trash.find_blob(&pipe.container, &name)
        {
            tracing::info!(target: "ingestion", pipe = pipe.name, "{name} is loaded from the trash: its container was destroyed before");
            path = kept;
        }
        let noticed = std::time::Instant::now();
        let Some(load) = self.warehouse.load(pipe.clone(), file, path, self.clock.now()).await? else {
            return Ok(false);
        };
        let stored = || load.stored.iter().map(String::as_str);
        self.ledger.stamp_at(Hop::Noticed, stored(), noticed);
        self.ledger.stamp(Hop::Loaded, stored());
        match &load.error {
            Some((text, line, _)) => {
                tracing::warn!(target: "ingestion", pipe = pipe.name, "{name}, line {line}: {text}; the file is kept, nothing of it was loaded");
            }
            None => tracing::info!(target: "ingestion", pipe = pipe.name, rows = load.rows_loaded, "{name} loaded"),
        }
        if let Some((line, reason)) = &load.first_invalid {
            tracing::warn!(target: "ingestion", pipe = pipe.name, "{name}: {} rows are no messages of the current schema, the first in line {line}: {reason}", load.invalid);
        }
        self.status.send_modify(|status| {
            status.rows += load.rows_loaded;
            status.files += 1;
        });
        Ok(true)
    }

    async fn refresh_status(&self, pipe: &PipeTopology, stalled: Option<Stall>) {
        let (counts, paused) =
            tokio::join!(self.warehouse.counts(&pipe.container), self.warehouse.is_paused(&pipe.container));
        let (Ok(counts), Ok(paused)) = (counts, paused) else { return };
        let next = PipeStatus { pipe: pipe.clone(), paused, stalled, counts };
        self.status.send_if_modified(|status| {
            let is_new = status.pipes.get(&pipe.name) != Some(&next);
            status.pipes.insert(pipe.name.clone(), next);
            is_new
        });
    }

    /// Pauses or resumes a pipe by name.
    pub async fn set_paused(&self, name: &str, paused: bool) -> Result<(), PipeError> {
        let pipe = self.find(name)?;
        self.warehouse.set_paused(&pipe.container, paused).await?;
        self.refresh_status(&pipe, None).await;
        if !paused {
            self.resumed.ring();
        }
        Ok(())
    }

    /// Queues again the container's files of the last seven days (wall clock) that aren't in the pipe's copy
    /// history; answers how many. As with Snowflake's `REFRESH`, a file in the history is never loaded again, and a
    /// pipe that was made anew has forgotten its history: its messages are known by their identity then. With a prefix only
    /// paths that begin so, with a time only files changed since (whole seconds, wall clock).
    pub async fn refresh(
        &self,
        name: &str,
        prefix: Option<&str>,
        since: Option<jiff::Timestamp>,
    ) -> Result<usize, PipeError> {
        let pipe = self.find(name)?;
        if !self.ground.peek().has_container(&pipe.container) {
            return Err(PipeError::NoContainer(pipe.container));
        }
        let week = jiff::Timestamp::now().as_second() - 7 * 24 * 3600;
        let oldest = since.map_or(week, |since| since.as_second().max(week));
        let mut queued = 0;
        for blob in self.containers.list(&pipe.container).await? {
            if blob.modified_s < oldest || prefix.is_some_and(|prefix| !blob.name.starts_with(prefix)) {
                continue;
            }
            if self.warehouse.knows(&pipe.container, blob.name.clone()).await? {
                continue;
            }
            let now = self.clock.now();
            let event = BlobCreated {
                event_id: format!("refresh-{}-{}-{}", pipe.name, blob.name, jiff::Timestamp::now()),
                created_at: now,
                container: pipe.container.clone(),
                name: blob.name,
                bytes: blob.bytes,
            };
            self.notices.push(&event).await?;
            queued += 1;
        }
        Ok(queued)
    }

    fn find(&self, name: &str) -> Result<PipeTopology, PipeError> {
        let topology = self.ground.peek();
        let found = topology.pipes.iter().find(|pipe| pipe.name.eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| {
            let names: Vec<_> = topology.pipes.iter().map(|pipe| pipe.name.as_str()).collect();
            let known = match names.as_slice() {
                [] => "there are no pipes, apply some".to_owned(),
                names => format!("the pipes are {}", names.join(", ")),
            };
            PipeError::Unknown { name: printable(name), known }
        })
    }
}
