//! What operators command: pause, resume, refresh, validate, and the failing line of a file. One after the other, in the
//! order they came; what runs in the warehouse counts as work of its day.

use std::time::Instant;

use jiff::Timestamp;

use super::copies::FoundRow;
use super::error::SnowflakeError;
use super::history::KnownFile;
use super::pipe::PipeInfo;
use super::session::Row;
use super::statements::{self, Statement};
use super::watcher::{REFRESHED, Watcher};
use crate::station::text::printable;

impl Watcher {
    /// The pipe of that name, in any case.
    fn pipe(&self, name: &str) -> Result<PipeInfo, SnowflakeError> {
        let status = self.status();
        let status = status.borrow();
        let pipes = status.pipes.iter().flatten();
        let found = pipes.clone().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, watched)| watched.info.clone()).ok_or_else(|| {
            let known: Vec<_> = pipes.map(|(known, _)| printable(known)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            SnowflakeError::Settings(format!("pipe {}: not watched; pipes: {known}", printable(name)))
        })
    }

    /// Pauses or resumes a pipe. `false` where somebody had done so before.
    pub async fn pause(&self, name: &str, paused: bool) -> Result<bool, SnowflakeError> {
        let _turn = self.turn.lock().await;
        let pipe = self.pipe(name)?;
        // Another console, or somebody in Snowflake itself, may have been first. Who may not look may act all the same.
        if let Ok(status) = self.status_of(&pipe).await
            && if paused { status.is_paused() } else { status.is_running() }
        {
            self.look_again();
            return Ok(false);
        }
        self.snowflake().ask(&statements::pause(self.snowflake().account(), &pipe, paused)).await?;
        self.look_again();
        Ok(true)
    }

    /// Resumes a pipe that was paused for over 14 days. `false` where somebody had done so before.
    pub async fn force_resume(&self, name: &str) -> Result<bool, SnowflakeError> {
        let _turn = self.turn.lock().await;
        let pipe = self.pipe(name)?;
        if self.status_of(&pipe).await.is_ok_and(|status| status.is_running()) {
            self.look_again();
            return Ok(false);
        }
        self.snowflake().ask(&statements::force_resume(self.snowflake().account(), &pipe)).await?;
        self.look_again();
        Ok(true)
    }

    /// Queues files again that the pipe hasn't seen; answers how many.
    pub async fn refresh(
        &self,
        name: &str,
        prefix: Option<&str>,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<usize, SnowflakeError> {
        if since.is_some_and(|since| now.duration_since(since) > REFRESHED) {
            let words = "since: over 7 days ago; a refresh looks at the last 7 days, load older files with COPY INTO";
            return Err(SnowflakeError::Settings(words.to_owned()));
        }
        let _turn = self.turn.lock().await;
        let pipe = self.pipe(name)?;
        let statement = statements::refresh(self.snowflake().account(), &pipe, prefix, since);
        let queued = self.snowflake().ask(&statement).await?.len();
        self.look_again();
        Ok(queued)
    }

    /// Reads a file of the history as its pipe does, loading nothing; answers its lines.
    pub async fn validate(&self, file: &str, now: Timestamp) -> Result<u64, SnowflakeError> {
        let (known, pipe) = self.file(file).await?;
        let (Some(stage), Some(format)) = (&pipe.stage, &pipe.file_format) else {
            return Err(unreadable_copy(&pipe));
        };
        let statement = statements::validate(self.snowflake().account(), stage, format, &known.copied.file);
        let rows = self.in_the_warehouse(&statement, now).await?;
        let lines = rows.first().and_then(|row| row.whole("LINES"));
        lines.ok_or_else(|| SnowflakeError::Unreadable { what: statement.what, reason: "no count in it".to_owned() })
    }

    /// A line of a file of the history.
    pub async fn line(&self, file: &str, line: u64, now: Timestamp) -> Result<Option<String>, SnowflakeError> {
        let (known, pipe) = self.file(file).await?;
        let Some(stage) = &pipe.stage else { return Err(unreadable_copy(&pipe)) };
        let account = self.snowflake().account();
        self.snowflake().ask(&statements::make_lines_format(account)).await?;
        let rows = self.in_the_warehouse(&statements::line(account, stage, &known.copied.file, line), now).await?;
        Ok(rows.first().and_then(|row| row.first()).map(str::to_owned))
    }

    /// The rows of a message that were loaded at or after `since`. Every table that a pipe loads into is asked, that named `first` in full
    /// before the others, until one has them.
    pub async fn rows_of(
        &self,
        (device, message): (&str, &str),
        first: Option<&str>,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<FoundRow>, SnowflakeError> {
        let known = self.status().borrow().pipes.clone().unwrap_or_default();
        let mut tables: Vec<_> = known.into_values().filter_map(|pipe| pipe.info.table).collect();
        tables.sort_by_key(|table| (Some(table.to_string().as_str()) != first, table.clone()));
        tables.dedup();
        for table in tables {
            let statement = statements::rows_of(self.snowflake().account(), &table, (device, message), since);
            let rows = self.in_the_warehouse(&statement, now).await?;
            if !rows.is_empty() {
                return Ok(rows.iter().filter_map(|row| FoundRow::of(row, &table)).collect());
            }
        }
        Ok(Vec::new())
    }

    /// Asks something that wakes the warehouse, and counts it.
    async fn in_the_warehouse(&self, statement: &Statement, now: Timestamp) -> Result<Vec<Row>, SnowflakeError> {
        let _turn = self.turn.lock().await;
        let began = Instant::now();
        let outcome = self.snowflake().ask(statement).await;
        let has_run = !outcome.as_ref().is_err_and(|error| error.is_of_the_warehouse() || error.is_of_the_account());
        if has_run {
            let cost = self.status().borrow().cost;
            self.history().worked(now, began.elapsed().as_secs_f64(), cost).await?;
            self.look_again();
        }
        outcome
    }

    /// A file that the history names, and its pipe; no other file can be read.
    async fn file(&self, file: &str) -> Result<(KnownFile, PipeInfo), SnowflakeError> {
        let missing = || {
            let what = format!("file {}", printable(file));
            SnowflakeError::Settings(format!(
                "{what}: not in the copy history; `skydeck status loads` has the files that are"
            ))
        };
        let known = self.history().find(file.to_owned()).await?.ok_or_else(missing)?;
        let pipe = self.pipe(&known.pipe)?;
        Ok((known, pipe))
    }
}

fn unreadable_copy(pipe: &PipeInfo) -> SnowflakeError {
    let reason = "its COPY names no stage with a file format that can be used by name".to_owned();
    SnowflakeError::Unreadable { what: pipe.what(), reason }
}
