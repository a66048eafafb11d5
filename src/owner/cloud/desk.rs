//! What the owner of an environment in the cloud answers.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::pictures::CloudPictures;
use super::way::Ways;
use super::{roof, view};
use crate::clock::Clock;
use crate::ingestion::account::AsideNotices;
use crate::ingestion::events::Minute;
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::lines::Places;
use crate::ingestion::pulse::Pulse;
use crate::ingestion::warehouse::snowflake::{SnowflakeError, Watcher};
use crate::owner::alarms::Alarms;
use crate::owner::answers::{around, extremes, measured_around, points};
use crate::owner::client::AskError;
use crate::owner::loads::shown_line;
use crate::owner::log_buffer::LogBuffer;
use crate::owner::pictures::Pictures;
use crate::owner::protocol::{Answer, Request};
use crate::owner::provisioning::Provisioner;
use crate::owner::views::NowcastView;
use crate::owner::warehouse::WarehouseAsk;
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// Most files or lines one answer holds.
const MOST: usize = 100_000;

/// Everything answers are made from; clones share it.
#[derive(Clone)]
pub(super) struct CloudDesk {
    /// The wall clock.
    pub(super) clock: Clock,
    /// The owner's log.
    pub(super) log_buffer: LogBuffer,
    /// The alarms.
    pub(super) alarms: Arc<Mutex<Alarms>>,
    /// The live feed; empty where none is read.
    pub(super) feed: LiveFeed,
    /// Pictures of the sky.
    pub(super) pictures: Pictures<CloudPictures>,
    /// What follows a reading.
    pub(super) ways: Ways,
    /// The warehouse's watcher; absent without an account.
    pub(super) warehouse: Option<Watcher>,
    /// Notices that were taken off its queue; absent without a storage account.
    pub(super) aside: Option<AsideNotices>,
    /// Where lines begin in the batch that is open.
    pub(super) places: Arc<Places>,
    /// The environment that is owned.
    pub(super) environment: EnvironmentName,
    /// Runs; absent in an owner that was started without them.
    pub(super) provisioner: Option<Provisioner>,
    /// Rung when a command changed something that snapshots show.
    pub(super) changed: Pulse,
}

type Outcome = Result<Answer, AskError>;

impl CloudDesk {
    /// Answers one request. Errors name the thing, the cause and the next step.
    pub(super) async fn answer(&self, request: Request) -> Outcome {
        self.answered(request).await.map_err(|error| match error {
            AskError::Refused(words) => AskError::Refused(commands_here(&words, &self.environment)),
            error => error,
        })
    }

    async fn answered(&self, request: Request) -> Outcome {
        match request {
            Request::Subscribe => Err(AskError::Refused("subscribe: only over the owner's socket".into())),
            Request::CopyHistory { failed_only, limit, after } => self.copy_history(failed_only, limit, after).await,
            Request::FileLine { file, line } => self.line(&file, line).await,
            Request::Logs { after, limit } => Ok(Answer::Logs { lines: self.log_buffer.after(after, limit.min(MOST)) }),
            Request::AcknowledgeAlarm { rule } => {
                let answer = crate::owner::answers::acknowledge(&self.alarms, &rule, self.clock.now())?;
                self.changed.ring();
                Ok(answer)
            }
            Request::PausePipe { pipe, paused } => {
                let is_new = self.watcher()?.pause(&pipe, paused).await.map_err(|error| refused(&error))?;
                let (done, state) = if paused { ("paused", "paused") } else { ("resumed", "running") };
                Ok(self.done_or_was(&pipe, is_new, done, state))
            }
            Request::RefreshPipe { pipe } => self.refresh(&pipe, None, None).await,
            Request::Warehouse(ask) => self.command(ask).await,
            Request::Storage(ask) => self.storage(ask).await,
            Request::SetSpeed { .. } => Err(AskError::Refused(
                "speed: this environment runs on the wall clock, only a replay has a speed".into(),
            )),
            Request::Trace { message_id, rows } => {
                let mut trace = self.ways.trace(&self.feed, (message_id.as_deref(), rows), self.clock.now()).await?;
                if rows {
                    self.note(&format!("message {}: its rows were asked for", printable(&trace.message_id)));
                }
                for hop in &mut trace.hops {
                    hop.place = commands_here(&hop.place, &self.environment);
                }
                Ok(Answer::Trace(Box::new(trace)))
            }
            Request::Series { .. } | Request::Messages { .. } | Request::Extremes { .. } | Request::Nowcast { .. }
                if self.ways.memory.is_none() =>
            {
                let words = "telemetry: the feed isn't read; set azure.feed and start the owner again";
                Err(AskError::Refused(words.into()))
            }
            Request::Series { device, variable, from, to, max_points } => {
                let older = self.older(device.as_deref(), from, to).await?;
                Ok(Answer::Series(points(&self.feed, &older, device.as_deref(), variable, (from, to), max_points)))
            }
            Request::Messages { limit } => Ok(roof::messages(&self.feed, limit)),
            Request::Extremes { device, from, to } => {
                let older = self.older(device.as_deref(), from, to).await?;
                let found = self.feed.extremes(&older, device.as_deref(), from, to);
                Ok(Answer::Extremes { extremes: extremes(found) })
            }
            Request::Nowcast { .. } => self.nowcast().await,
            Request::Models(_) => Err(self.not_watched("models")),
            Request::Pictures { before, limit } => {
                Ok(Answer::Pictures { pictures: self.pictures.list(before, limit).await? })
            }
            Request::Picture { blob_name, max_px, overlay } => {
                let picture = self.pictures.one(blob_name, max_px, overlay).await?;
                Ok(Answer::Picture(Box::new((*picture).clone())))
            }
            Request::CloudCover { from, to } => {
                Ok(Answer::CloudCover { covers: self.pictures.covers(from, to).await? })
            }
            Request::Agent | Request::Diagnose { .. } | Request::TestLink | Request::Preview { .. } => {
                let words = "agent: none runs in this process; ask it on its device with `skydeck agent status`";
                Err(AskError::Refused(words.into()))
            }
            Request::Hub(_) => Err(AskError::Refused(format!(
                "hub: environment {} has Azure's; its devices are led by `az iot hub`",
                self.environment
            ))),
            runs => match &self.provisioner {
                Some(provisioner) => provisioner.answer(runs).await,
                None => Err(AskError::Refused("runs: this owner was started without them".into())),
            },
        }
    }

    /// What was measured in the part of a window that is before the feed's ring, as far as it is remembered.
    async fn older(&self, device: Option<&str>, from: Timestamp, to: Timestamp) -> Result<Vec<Minute>, AskError> {
        match (&self.ways.memory, self.feed.before(from, to)) {
            (Some(memory), Some((from, to))) => {
                let found = memory.minutes(device, from, to).await;
                found.map_err(|error| AskError::Refused(printable(&error.to_string())))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The newest nowcast, with what was measured around it.
    async fn nowcast(&self) -> Outcome {
        let Some(prediction) = self.feed.status().prediction else { return Ok(Answer::Nowcast { nowcast: None }) };
        let (from, to) = around(&prediction);
        let older = self.older(Some(&prediction.device_id), from, to).await?;
        let measured = measured_around(&self.feed, &older, &prediction);
        Ok(Answer::Nowcast { nowcast: Some(Box::new(NowcastView { prediction, measured })) })
    }

    fn not_watched(&self, what: &str) -> AskError {
        AskError::Refused(format!(
            "{what}: not watched in environment {}; its loads are, `skydeck status loads`",
            self.environment
        ))
    }

    fn watcher(&self) -> Result<&Watcher, AskError> {
        let words =
            || AskError::Refused("warehouse: not watched; set snowflake.account and start the owner again".into());
        self.warehouse.as_ref().ok_or_else(words)
    }

    async fn command(&self, ask: WarehouseAsk) -> Outcome {
        let watcher = self.watcher()?;
        match ask {
            WarehouseAsk::LookNow => {
                watcher.want_rows();
                Ok(self.done("files and rows are asked for".to_owned()))
            }
            WarehouseAsk::ForceResume { pipe } => {
                let is_new = watcher.force_resume(&pipe).await.map_err(|error| refused(&error))?;
                Ok(self.done_or_was(&pipe, is_new, "resumed by force", "running"))
            }
            WarehouseAsk::Refresh { pipe, prefix, since } => self.refresh(&pipe, prefix.as_deref(), since).await,
            WarehouseAsk::Validate { file } => {
                let lines = watcher.validate(&file, self.clock.now()).await.map_err(|error| refused(&error))?;
                let name = printable(&file);
                Ok(self.done(format!("file {name}: {lines} lines can be read; under a new name it would be loaded")))
            }
        }
    }

    async fn copy_history(&self, failed_only: bool, limit: usize, after: Option<u64>) -> Outcome {
        let (watcher, limit) = (self.watcher()?, limit.min(MOST));
        watcher.look(self.clock.now());
        let page = match after {
            Some(after) => watcher.history().changed(after, limit).await,
            None => watcher.history().files(failed_only, limit).await,
        };
        let page = page.map_err(|error| refused(&error.into()))?;
        let files = page.files.into_iter().map(view::file).collect();
        Ok(Answer::CopyHistory { files, upto: page.upto, total: page.total })
    }

    async fn refresh(&self, pipe: &str, prefix: Option<&str>, since: Option<Timestamp>) -> Outcome {
        let watcher = self.watcher()?;
        let queued = watcher.refresh(pipe, prefix, since, self.clock.now()).await.map_err(|error| refused(&error))?;
        let name = printable(pipe);
        Ok(self.done(format!("pipe {name} refreshed, {queued} files queued; paths it has seen within 14 days are not")))
    }

    /// A line of a file that the copy history names; no other file can be read this way.
    async fn line(&self, file: &str, line: u64) -> Outcome {
        let found = self.watcher()?.line(file, line, self.clock.now()).await.map_err(|error| refused(&error))?;
        let text = found.ok_or_else(|| AskError::Refused(format!("{}: has no line {line}", printable(file))))?;
        let text = shown_line(&text);
        self.note(&format!("file {}: line {line} was read", printable(file)));
        Ok(Answer::FileLine { text })
    }

    /// What was done to a pipe, or that it stood so before: another console, or somebody in Snowflake, was first.
    fn done_or_was(&self, pipe: &str, is_new: bool, done: &str, state: &str) -> Answer {
        let pipe = printable(pipe);
        self.done(if is_new { format!("pipe {pipe} {done}") } else { format!("pipe {pipe} was {state} already") })
    }

    pub(super) fn done(&self, words: String) -> Answer {
        self.note(&words);
        self.changed.ring();
        Answer::Done { message: words }
    }

    /// Writes to the audit trail what was commanded. It is done by then, whether that can be written or not.
    fn note(&self, words: &str) {
        tracing::info!(target: "audit", "{words}");
        if let Some(provisioner) = &self.provisioner
            && let Err(error) = provisioner.note(&self.environment, words)
        {
            tracing::error!(target: "owner", "audit trail: {error}");
        }
    }
}

/// Words with the commands in them as they are for this environment.
pub(super) fn commands_here(words: &str, environment: &EnvironmentName) -> String {
    if words.contains("--env") {
        return words.to_owned();
    }
    words.replace("`skydeck ", &format!("`skydeck --env {environment} "))
}

fn refused(error: &SnowflakeError) -> AskError {
    AskError::Refused(printable(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_for_the_environment_they_are_about() {
        let staging: EnvironmentName = "staging".parse().expect("a name");
        let words = commands_here("gone; `skydeck trace` shows one, and `skydeck pipe look` asks", &staging);
        assert_eq!(words, "gone; `skydeck --env staging trace` shows one, and `skydeck --env staging pipe look` asks");
        let named = "plan once with `skydeck plan --env staging`";
        assert_eq!(commands_here(named, &staging), named);
    }
}
