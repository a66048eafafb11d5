//! The loader: takes notices, loads each file once, keeps the history of every file.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use super::notices::{BlobCreated, NoticeQueue};
use super::pulse::Pulse;
use super::storage::{Containers, StorageError};
use super::warehouse::{FileLoad, NewFile, PIPES, PipeCounts, PipeDefinition, Warehouse, pipe_for_container};
use crate::clock::Clock;
use crate::clock::ledger::{Hop, Ledger};
use crate::database::DatabaseError;

/// Notices taken at a time.
const TAKE: u32 = 32;
/// Wall time before something that failed for no fault of the file's is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// A pipe as the loader sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PipeStatus {
    /// The pipe.
    pub pipe: &'static PipeDefinition,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its last attempt failed for no fault of the file's.
    pub stalled: Option<String>,
    /// Its counts.
    pub counts: PipeCounts,
}

/// What the loader has done and how its pipes stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoaderStatus {
    /// By pipe name.
    pub pipes: BTreeMap<&'static str, PipeStatus>,
    /// Rows stored since the start.
    pub rows: u64,
    /// Files loaded or failed since the start.
    pub files: u64,
}

/// Why a command to a pipe failed.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// No such pipe.
    #[error("pipe {0}: not known; the pipes are WEATHER_PIPE_DQ, WEATHER_PIPE_PRED_DQ and WEATHER_PIPE_HEALTH_DQ")]
    Unknown(String),
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
    /// Runs for good.
    pub async fn run(self) {
        for pipe in &PIPES {
            self.refresh_status(pipe, None).await;
        }
        loop {
            let done = match self.receive_all().await {
                Ok(()) => self.load_all().await,
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
            }
        }
    }

    /// Moves the notices into their pipes' pending files. What is no notice is kept aside.
    async fn receive_all(&self) -> Result<(), DatabaseError> {
        loop {
            let notices = self.notices.peek(TAKE).await?;
            if notices.is_empty() {
                return Ok(());
            }
            for (id, content) in notices {
                let now = self.clock.now();
                let event = BlobCreated::decode(&content).map_err(|error| error.to_string()).and_then(|event| {
                    let pipe = pipe_for_container(&event.container)
                        .ok_or_else(|| format!("no pipe loads from container {:?}", event.container))?;
                    Ok((pipe, event))
                });
                match event {
                    Ok((pipe, event)) => {
                        if !self.warehouse.receive(pipe, event, now).await? {
                            tracing::info!(target: "ingestion", pipe = pipe.name, "a file that was noticed before is not loaded again");
                        }
                        self.notices.remove(id).await?;
                    }
                    Err(reason) => {
                        tracing::warn!(target: "ingestion", "a notice was kept aside: {reason}");
                        self.notices.set_aside(id, reason, now).await?;
                    }
                }
            }
        }
    }

    async fn load_all(&self) -> Result<(), DatabaseError> {
        for pipe in &PIPES {
            if self.warehouse.is_paused(pipe).await? {
                self.refresh_status(pipe, None).await;
                continue;
            }
            let pending = self.warehouse.pending(pipe).await?;
            if pending.is_empty() {
                continue;
            }
            for file in pending {
                if let Err(error) = self.load(file).await {
                    self.refresh_status(pipe, Some(error.to_string())).await;
                    return Err(error);
                }
            }
            self.refresh_status(pipe, None).await;
        }
        Ok(())
    }

    async fn load(&self, file: NewFile) -> Result<(), DatabaseError> {
        let (pipe, name) = (file.pipe, file.file.clone());
        let path = self.containers.file(pipe.container, &name);
        let noticed = std::time::Instant::now();
        let load: FileLoad = self.warehouse.load(file, path, self.clock.now()).await?;
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
        Ok(())
    }

    async fn refresh_status(&self, pipe: &'static PipeDefinition, stalled: Option<String>) {
        let (counts, paused) = tokio::join!(self.warehouse.counts(pipe), self.warehouse.is_paused(pipe));
        let (Ok(counts), Ok(paused)) = (counts, paused) else { return };
        self.status.send_modify(|status| {
            status.pipes.insert(pipe.name, PipeStatus { pipe, paused, stalled, counts });
        });
    }

    /// Pauses or resumes a pipe by name.
    pub async fn set_paused(&self, name: &str, paused: bool) -> Result<(), PipeError> {
        let pipe = find(name)?;
        self.warehouse.set_paused(pipe, paused).await?;
        self.refresh_status(pipe, None).await;
        if !paused {
            self.resumed.ring();
        }
        Ok(())
    }

    /// Queues again the container's files of the last seven days (wall clock) that aren't in the pipe's copy
    /// history; answers how many. As with Snowflake's `REFRESH`, a file in the history is never loaded again.
    pub async fn refresh(&self, name: &str) -> Result<usize, PipeError> {
        let pipe = find(name)?;
        let oldest = jiff::Timestamp::now().as_second() - 7 * 24 * 3600;
        let mut queued = 0;
        for blob in self.containers.list(pipe.container).await? {
            if blob.modified_s < oldest || self.warehouse.knows(pipe, blob.name.clone()).await? {
                continue;
            }
            let now = self.clock.now();
            let event = BlobCreated {
                event_id: format!("refresh-{}-{}-{}", pipe.name, blob.name, jiff::Timestamp::now()),
                created_at: now,
                container: pipe.container.to_owned(),
                name: blob.name,
                bytes: blob.bytes,
            };
            self.notices.push(&event).await?;
            queued += 1;
        }
        Ok(queued)
    }
}

fn find(name: &str) -> Result<&'static PipeDefinition, PipeError> {
    PIPES
        .iter()
        .find(|pipe| pipe.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| PipeError::Unknown(crate::station::text::printable(name)))
}
