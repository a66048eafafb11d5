//! The watcher of one account: asks what needs no warehouse each half minute, wakes the warehouse as `schedule` allows,
//! keeps the history and publishes how everything stands. It also carries out what operators command (`commands`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::account::Account;
use super::copies::{Copied, RowFigures};
use super::credits::{self, WarehouseCost};
use super::error::SnowflakeError;
use super::history::{History, Remade};
use super::mends;
use super::pipe::{Name, PipeInfo};
use super::schedule::{self, Bounds, Situation, Verdict, day};
use super::session::Snowflake;
use super::statements;
use super::status::{Mark, PipeStatus};
use super::watched::{WarehouseStatus, WatchedPipe};
use crate::clock::Clock;
use crate::ingestion::pulse::Pulse;

/// Between two rounds of what needs no warehouse.
const ROUND: Duration = Duration::from_secs(30);
/// Between two looks at which pipes and tables there are.
const LISTING: SignedDuration = SignedDuration::from_mins(5);
/// How far back Snowflake remembers what became of a file.
const REMEMBERED_S: i64 = 14 * 24 * 3600;
/// A copy history is asked for from so long before the last time, because a load is told of late.
const OVERLAP_S: i64 = 3600;
/// How far back a refresh looks.
pub(super) const REFRESHED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Pipes that are asked about at once: one that answers slowly doesn't hold up the others.
const AT_ONCE: usize = 4;

/// What the watcher remembers between rounds.
#[derive(Debug, Default)]
pub struct Memory {
    listed_at: Option<Timestamp>,
    pipes: BTreeMap<String, PipeInfo>,
    table_rows: BTreeMap<Name, u64>,
    cost: Option<WarehouseCost>,
    /// What mends a pipe, asked once between two looks.
    mends: BTreeMap<String, Option<String>>,
    remade: BTreeMap<String, Remade>,
    /// Of each pipe when the warehouse was last woken.
    marks: BTreeMap<String, Mark>,
    rows: BTreeMap<String, RowFigures>,
    rows_trouble: BTreeMap<String, SnowflakeError>,
    /// Why the warehouse didn't run, and when.
    refused: Option<(Timestamp, SnowflakeError)>,
}

/// What a round found of each pipe: its status, or why it can't be had.
type Found = BTreeMap<String, Result<PipeStatus, SnowflakeError>>;

/// What was asked of the watcher meanwhile.
#[derive(Debug, Default)]
struct Asked {
    looked_at: Option<Timestamp>,
    for_rows: bool,
}

/// The watcher; clones share it.
#[derive(Debug, Clone)]
pub struct Watcher {
    snowflake: Snowflake,
    history: History,
    clock: Clock,
    status: watch::Sender<WarehouseStatus>,
    asked: Arc<Mutex<Asked>>,
    bell: Pulse,
    /// Held by what changes the world: one thing at a time, in the order they came.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

impl Watcher {
    /// A watcher of `account` that keeps its history in `folder`.
    pub fn open(account: Account, folder: &Path, clock: Clock) -> Result<Self, SnowflakeError> {
        Ok(Self {
            snowflake: Snowflake::new(account),
            history: History::open(&folder.join("snowflake.db"))?,
            clock,
            status: watch::Sender::new(WarehouseStatus::default()),
            asked: Arc::default(),
            bell: Pulse::default(),
            turn: Arc::default(),
        })
    }

    /// How everything stands.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<WarehouseStatus> {
        self.status.subscribe()
    }

    /// The account.
    #[must_use]
    pub fn snowflake(&self) -> &Snowflake {
        &self.snowflake
    }

    /// The history.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Somebody looks at the loads at `now`: the warehouse may be woken more often for a while.
    pub fn look(&self, now: Timestamp) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).looked_at = Some(now);
    }

    /// Somebody wants files and rows as they are now.
    pub fn want_rows(&self) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).for_rows = true;
        self.bell.ring();
    }

    /// Looks again at once: something was commanded.
    pub fn look_again(&self) {
        self.bell.ring();
    }

    /// Runs for good.
    pub async fn run(self) {
        let mut memory = Memory::default();
        loop {
            self.round(&mut memory, self.clock.now()).await;
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                () = self.bell.rung() => {}
            }
        }
    }

    /// One round as of `now`: everything that is free, then a wake where one is due.
    pub async fn round(&self, memory: &mut Memory, now: Timestamp) {
        let trouble = self.look_around(memory, now).await.err();
        if let Some(error) = &trouble
            && self.status.borrow().trouble.as_ref() != Some(error)
        {
            tracing::error!(target: "snowflake", "{error}");
        }
        self.status.send_if_modified(|status| {
            let is_new = status.trouble != trouble;
            status.trouble = trouble;
            is_new
        });
    }

    async fn look_around(&self, memory: &mut Memory, now: Timestamp) -> Result<(), SnowflakeError> {
        if memory.listed_at.is_none_or(|at| now.duration_since(at).abs() >= LISTING) {
            self.list(memory, now).await?;
            memory.listed_at = Some(now);
        }
        let found = self.statuses(memory).await?;
        for (name, status) in &found {
            let Ok(status) = status else { continue };
            if (status.is_deaf() || status.is_shut_out()) && !memory.mends.contains_key(name) {
                let mend = mends::ask(&self.snowflake, &memory.pipes[name], status).await;
                memory.mends.insert(name.clone(), mend);
            }
        }
        self.publish(memory, &found, now).await?;
        let marks: BTreeMap<_, _> =
            found.iter().filter_map(|(name, status)| Some((name.clone(), status.as_ref().ok()?.mark()))).collect();
        let verdict = self.judge(memory, memory.marks != marks, now).await?;
        if verdict == Verdict::Wake && !memory.pipes.is_empty() {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).for_rows = false;
            self.wake(memory, now).await?;
            if memory.refused.is_none() {
                memory.marks.clone_from(&marks);
            }
            self.publish(memory, &found, now).await?;
        }
        let next = self.judge(memory, memory.marks != marks, now).await?;
        self.status.send_if_modified(|status| status.next_wake.replace(next) != Some(next));
        Ok(())
    }

    async fn statuses(&self, memory: &Memory) -> Result<Found, SnowflakeError> {
        let pipes = memory.pipes.clone().into_iter();
        let asked: Vec<_> = pipes
            .map(|(name, info)| {
                let watcher = self.clone();
                async move {
                    let status = watcher.status_of(&info).await;
                    (name, status)
                }
            })
            .collect();
        let found: Found = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        let of_the_account = found.values().find_map(|status| status.as_ref().err().filter(|e| e.is_of_the_account()));
        match of_the_account {
            Some(error) => Err(error.clone()),
            None => Ok(found),
        }
    }

    async fn list(&self, memory: &mut Memory, now: Timestamp) -> Result<(), SnowflakeError> {
        let account = self.snowflake.account();
        let wanted = account.settings.named_pipes();
        let rows = self.snowflake.ask(&statements::show_pipes(account)).await?;
        let pipes = rows.iter().filter_map(|row| PipeInfo::of(row, account));
        memory.pipes = pipes
            .map(|pipe| (pipe.name.last().to_owned(), pipe))
            .filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted.contains(name)))
            .collect();
        let tables = self.snowflake.ask(&statements::show_tables(account)).await?;
        let counted = tables.iter().filter_map(|row| {
            let name = Name::of(row.text("database_name")?, row.text("schema_name")?, row.text("name")?);
            Some((name, row.whole("rows")?))
        });
        memory.table_rows = counted.collect();
        memory.mends.clear();
        memory.remade.clear();
        for (name, pipe) in &memory.pipes {
            if let (None, None, Some(table)) = (memory.rows.get(name), memory.rows_trouble.get(name), &pipe.table) {
                let kept = self.history.figures(table.to_string()).await?;
                memory.rows.extend(kept.map(|figures| (name.clone(), figures)));
            }
            let Some(created_at) = pipe.created_at else { continue };
            let remade = self.history.saw_pipe(name.clone(), created_at, now - REFRESHED).await?;
            memory.remade.extend(remade.map(|remade| (name.clone(), remade)));
        }
        if let (None, Some(warehouse)) = (memory.cost, &account.settings.warehouse) {
            let rows = self.snowflake.ask(&statements::show_warehouse(account, warehouse)).await?;
            let own = rows.iter().find(|row| row.text("name") == Some(warehouse));
            memory.cost = own.and_then(WarehouseCost::of);
        }
        Ok(())
    }

    /// How a pipe stands now.
    pub(super) async fn status_of(&self, info: &PipeInfo) -> Result<PipeStatus, SnowflakeError> {
        let statement = statements::pipe_status(self.snowflake.account(), info);
        let rows = self.snowflake.ask(&statement).await?;
        let json = rows.first().and_then(|row| row.first()).unwrap_or("{}");
        PipeStatus::read(json).map_err(|reason| SnowflakeError::Unreadable { what: statement.what, reason })
    }

    async fn judge(&self, memory: &Memory, has_moved: bool, now: Timestamp) -> Result<Verdict, SnowflakeError> {
        let wakes = self.history.wakes(day(now)).await?;
        let settings = &self.snowflake.account().settings;
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let situation = Situation {
            last_wake: wakes.last,
            wakes_today: wakes.count,
            credits_today: wakes.credits,
            has_moved,
            looked_at: asked.looked_at,
            is_asked: asked.for_rows,
            refused_at: memory.refused.as_ref().map(|(at, _)| *at),
        };
        let bounds = Bounds { wakes: settings.wakes_per_day, credits: settings.credits_per_day };
        Ok(schedule::judge(&situation, &bounds, now))
    }

    /// Files and rows of every table that a pipe loads into, one after the other in one wake.
    async fn wake(&self, memory: &mut Memory, now: Timestamp) -> Result<(), SnowflakeError> {
        let (began, mut outcome) = (Instant::now(), Ok(()));
        memory.refused = None;
        let mut tables: BTreeMap<Name, Vec<String>> = BTreeMap::new();
        for (name, info) in &memory.pipes {
            if let Some(table) = &info.table {
                tables.entry(table.clone()).or_default().push(name.clone());
            }
        }
        for (table, pipes) in tables {
            match self.files_and_rows(&pipes, &table, now).await {
                Ok(rows) => {
                    for name in pipes {
                        memory.rows_trouble.remove(&name);
                        memory.rows.extend(rows.map(|rows| (name, rows)));
                    }
                }
                Err(error) if error.is_of_the_account() => {
                    outcome = Err(error);
                    break;
                }
                Err(error) if error.is_of_the_warehouse() => {
                    tracing::warn!(target: "snowflake", "{error}");
                    memory.refused = Some((now, error));
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(target: "snowflake", "{error}");
                    for name in pipes {
                        memory.rows.remove(&name);
                        memory.rows_trouble.insert(name, error.clone());
                    }
                }
            }
        }
        // What failed on its way may have woken it as well.
        self.history.worked(now, began.elapsed().as_secs_f64(), memory.cost).await?;
        outcome
    }

    /// Of a table that `pipes` load into. A file whose pipe isn't told counts as the first one's.
    async fn files_and_rows(
        &self,
        pipes: &[String],
        table: &Name,
        now: Timestamp,
    ) -> Result<Option<RowFigures>, SnowflakeError> {
        let account = self.snowflake.account();
        let asked_at = self.history.asked_at(table.to_string()).await?;
        let since = asked_at.map_or(REMEMBERED_S, |at| now.duration_since(at).as_secs() + OVERLAP_S);
        let seconds = u64::try_from(since.clamp(OVERLAP_S, REMEMBERED_S)).unwrap_or(OVERLAP_S.unsigned_abs());
        let mut files = Vec::new();
        let copies = statements::copies(account, table, seconds);
        self.snowflake.ask_each(&copies, |row| files.extend(Copied::of(&row))).await?;
        let first = pipes.first().cloned().unwrap_or_default();
        self.history.note((first, table.to_string()), files, now).await?;
        let rows = self.snowflake.ask(&statements::row_figures(account, table)).await?;
        let figures = rows.first().and_then(RowFigures::of);
        if let Some(figures) = figures {
            self.history.keep_figures(table.to_string(), figures).await?;
        }
        Ok(figures)
    }

    async fn publish(&self, memory: &Memory, found: &Found, now: Timestamp) -> Result<(), SnowflakeError> {
        let mut pipes = BTreeMap::new();
        for (name, info) in &memory.pipes {
            pipes.insert(name.clone(), self.watched(memory, name, info, found.get(name), now).await?);
        }
        let wakes = self.history.wakes(day(now)).await?;
        self.status.send_if_modified(|status| {
            let next = WarehouseStatus {
                pipes: Some(pipes),
                trouble: None,
                warehouse_trouble: memory.refused.as_ref().map(|(_, error)| error.clone()),
                asked_at: Some(now),
                cost: memory.cost,
                woke_at: wakes.last,
                wakes_today: wakes.count,
                credits_today: wakes.credits,
                next_wake: status.next_wake,
            };
            let is_new = *status != next;
            *status = next;
            is_new
        });
        Ok(())
    }

    async fn watched(
        &self,
        memory: &Memory,
        name: &str,
        info: &PipeInfo,
        found: Option<&Result<PipeStatus, SnowflakeError>>,
        now: Timestamp,
    ) -> Result<WatchedPipe, SnowflakeError> {
        let asked = match &info.table {
            Some(table) => self.history.asked_at(table.to_string()).await?,
            None => None,
        };
        let files = match asked {
            Some(_) => {
                let hour = now - SignedDuration::from_hours(1);
                Some(self.history.of_pipe(name.to_owned(), hour, day(now)).await?)
            }
            None => None,
        };
        let status = found.and_then(|found| found.as_ref().ok()).cloned();
        let needs_mending = status.as_ref().is_some_and(|status| status.is_deaf() || status.is_shut_out());
        Ok(WatchedPipe {
            status,
            trouble: found.and_then(|found| found.as_ref().err()).cloned(),
            mend: memory.mends.get(name).cloned().flatten().filter(|_| needs_mending),
            rows_trouble: memory.rows_trouble.get(name).cloned(),
            remade: memory.remade.get(name).copied(),
            table_rows: info.table.as_ref().and_then(|table| memory.table_rows.get(table)).copied(),
            rows: memory.rows.get(name).copied(),
            credits_today: files.as_ref().map(|files| credits::of_loading(files.bytes_of_day)),
            files,
            info: info.clone(),
        })
    }
}
