//! The storage of an embedded environment: its containers, its queue, and what is asked of them. Nothing is listed for a
//! snapshot: it shows what the pipeline knows of what it wrote.

use jiff::Timestamp;

use super::answers::{Desk, Outcome, refused};
use super::client::AskError;
use super::protocol::Answer;
use super::stages::Parts;
use super::storage::{
    BatchLine, BatchView, ContainerView, LastPicture, PoisonView, QueueWatch, StorageAnswer, StorageAsk, StorageView,
};
use crate::ingestion::batching::BatchError;
use crate::ingestion::lines::{self, BlobLine, Place};
use crate::ingestion::notices::AsideNotice;
use crate::ingestion::routing::UNROUTED;
use crate::ingestion::topology::Topology;
use crate::ingestion::written::{BatchFile, batch_files};
use crate::station::PictureTaken;
use crate::station::text::printable;

/// Batches that an answer holds at most.
pub(super) const MOST_BATCHES: usize = 10_000;
/// Lines that an answer holds at most.
pub(super) const MOST_LINES: usize = 1000;
/// Characters of a batch's line that are shown: a nowcast's has some thousands.
const LINE_WIDTH: usize = 16_384;
/// Characters of a notice that are shown.
const NOTICE_WIDTH: usize = 200;

/// A batch as viewers see it.
pub(super) fn batch(file: BatchFile) -> BatchView {
    BatchView { name: printable(&file.name), bytes: file.bytes, written_at: file.written_at }
}

/// Lines as viewers see them, of one more than `count` that were read.
pub(super) fn shown(mut found: Vec<BlobLine>, count: usize) -> Answer {
    let more = found.len() > count;
    found.truncate(count);
    let line = |line: BlobLine| BatchLine { number: line.number, text: super::loads::shown(&line.text, LINE_WIDTH) };
    Answer::Storage(StorageAnswer::Lines { lines: found.into_iter().map(line).collect(), more })
}

/// The beginning of a notice, printable.
pub(super) fn beginning(content: &str) -> String {
    printable(content).chars().take(NOTICE_WIDTH).collect()
}

/// How the storage stands: what was written over the 24 hours before `now`, to the minute, so that time alone changes it no
/// more often.
pub(super) fn view(parts: &Parts, picture: Option<PictureTaken>, now: Timestamp) -> StorageView {
    let minute = Timestamp::from_second((now.as_second() + 60).div_euclid(60) * 60).unwrap_or(now);
    let picture = picture.map(|note| LastPicture {
        trouble: None,
        newest: Some(BatchView {
            name: printable(&note.blob_name),
            bytes: note.size_bytes,
            written_at: note.measured_at,
        }),
    });
    let queue = parts.topology.announcement.is_some().then(|| QueueWatch {
        trouble: None,
        depth: parts.queue.depth,
        oldest_at: parts.queue.oldest_at,
        of_empty_batches: None,
        poison: Vec::new(),
        aside: parts.queue.aside.iter().map(aside).collect(),
    });
    StorageView {
        own: true,
        looked_at: None,
        containers: names(&parts.topology, parts).into_iter().map(|name| container(name, parts, minute)).collect(),
        picture,
        queue,
        expiries: Vec::new(),
    }
}

/// The containers that batches go to, or lie in.
fn names<'a>(topology: &'a Topology, parts: &'a Parts) -> Vec<&'a str> {
    let endpoints = topology.hub.iter().flat_map(|hub| &hub.endpoints).map(|endpoint| endpoint.container.as_str());
    let mut names: Vec<&str> = Vec::new();
    for name in endpoints.chain(parts.batch.written.keys().map(String::as_str)) {
        if !names.contains(&name)
            && (topology.has_container(name) || name == UNROUTED || parts.batch.missing.contains(name))
        {
            names.push(name);
        }
    }
    names
}

fn container(name: &str, parts: &Parts, now: Timestamp) -> ContainerView {
    let written = parts.batch.written.get(name);
    let day = written.map(|written| written.last_day(now));
    let unannounced = parts.batch.unannounced.get(name).filter(|count| **count > 0);
    let trouble = if parts.batch.missing.contains(name) {
        Some(BatchError::NoContainer(name.to_owned()).to_string())
    } else {
        unannounced.map(|count| {
            format!("{count} batches are announced nowhere; apply the event subscription, then refresh its pipe")
        })
    };
    ContainerView {
        name: printable(name),
        trouble,
        newest: written.and_then(|written| written.newest.clone()).map(batch),
        per_hour: day.as_ref().map_or_else(|| vec![0; 24], |day| day.per_hour.clone()),
        bytes: day.as_ref().map_or(0, |day| day.bytes),
        empty: day.as_ref().map_or(0, |day| day.empty),
        gaps: None,
    }
}

fn aside(notice: &AsideNotice) -> PoisonView {
    PoisonView {
        id: notice.id.to_string(),
        put_at: None,
        aside_at: Some(notice.at),
        reason: printable(&notice.reason),
        content: beginning(&notice.content),
    }
}

impl Desk {
    /// What is asked of the environment's own storage.
    pub(super) async fn storage(&self, ask: StorageAsk) -> Outcome {
        match ask {
            StorageAsk::Batches { container, limit } => {
                self.check_container(&container)?;
                let limit = limit.min(MOST_BATCHES);
                let found = batch_files(&self.log, &self.loader.containers, &container, limit).await;
                let batches = found.map_err(refused)?.into_iter().map(batch).collect();
                Ok(Answer::Storage(StorageAnswer::Batches { batches, since: None }))
            }
            StorageAsk::Lines { container, file, from, count } => {
                self.check_container(&container)?;
                let count = count.clamp(1, MOST_LINES);
                let opened = self.loader.containers.open_range(&container, &file, None).await.map_err(refused)?;
                let missing =
                    || AskError::Refused(format!("{}: not in container {}", printable(&file), printable(&container)));
                let (_, pieces) = opened.ok_or_else(missing)?;
                let (found, _) = lines::lines(pieces, Place::FIRST, from, count + 1).await.map_err(refused)?;
                Ok(shown(found, count))
            }
            StorageAsk::TakePoison { id } => Err(AskError::Refused(format!(
                "notice {}: the loader of this environment keeps what it can't read aside by itself, in notices.db",
                printable(&id)
            ))),
            StorageAsk::LookNow => Ok(Answer::Done {
                message: "containers and queue are as they are now: they are the environment's own".into(),
            }),
        }
    }

    /// Only containers of batches can be looked into.
    fn check_container(&self, name: &str) -> Result<(), AskError> {
        let topology = self.loader.ground.peek();
        let endpoints = topology.hub.iter().flat_map(|hub| &hub.endpoints).map(|endpoint| endpoint.container.as_str());
        let mut known: Vec<&str> = endpoints.filter(|name| topology.has_container(name)).chain([UNROUTED]).collect();
        if known.contains(&name) {
            return Ok(());
        }
        known.dedup();
        Err(AskError::Refused(format!(
            "container {}: none of batches; there are {}",
            printable(name),
            known.join(", ")
        )))
    }
}
