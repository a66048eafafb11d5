//! What the owner of an embedded environment answers about loads: the copy history, files, and what is done with pipes.

use std::path::PathBuf;

use jiff::Timestamp;

use super::answers::{Desk, MOST, Outcome, refused};
use super::client::AskError;
use super::protocol::Answer;
use super::views::LoadedFile;
use super::warehouse::WarehouseAsk;
use crate::ingestion::warehouse;
use crate::station::text::printable;

/// Characters of a file's line that are shown.
const LINE_WIDTH: usize = 4096;

/// A line of a file as it is shown: printable, and not longer than a screen has use for.
pub(super) fn shown_line(text: &str) -> String {
    shown(text, LINE_WIDTH)
}

/// A text in at most `width` characters, printable; where something is cut, `…` says so.
pub(super) fn shown(text: &str, width: usize) -> String {
    let text = printable(text);
    let is_long = text.chars().nth(width).is_some();
    if is_long { text.chars().take(width).chain(['…']).collect() } else { text }
}

impl Desk {
    /// Queues files again; what waits unannounced is settled then.
    pub(super) async fn refresh(&self, pipe: &str, prefix: Option<&str>, since: Option<Timestamp>) -> Outcome {
        let queued = self.loader.refresh(pipe, prefix, since).await.map_err(refused)?;
        self.settle_unannounced(pipe).await?;
        self.tell(&format!("pipe {pipe} refreshed, {queued} files queued"));
        Ok(self.done(format!("pipe {pipe}: {queued} files queued; files in the copy history are not loaded again")))
    }

    /// What is asked of a watched warehouse, of the environment's own.
    pub(super) async fn warehouse_ask(&self, ask: WarehouseAsk) -> Outcome {
        match ask {
            WarehouseAsk::Refresh { pipe, prefix, since } => self.refresh(&pipe, prefix.as_deref(), since).await,
            WarehouseAsk::Validate { file } => self.validate(&file).await,
            WarehouseAsk::LookNow => Ok(Answer::Done {
                message: "files and rows are as they are now: this warehouse is the environment's own".into(),
            }),
            WarehouseAsk::ForceResume { pipe } => Err(AskError::Refused(format!(
                "pipe {}: a pipe of this environment is never stale; `skydeck pipe resume` resumes it",
                printable(&pipe)
            ))),
        }
    }

    /// Reads a file of the history as its pipe does, loading nothing.
    async fn validate(&self, file: &str) -> Outcome {
        let name = printable(file);
        let path = self.file_of_history(file).await?;
        let outcome = tokio::task::spawn_blocking(move || warehouse::validate(&path)).await;
        match outcome {
            Ok(Ok(lines)) => {
                Ok(self.done(format!("file {name}: {lines} lines can be read; under a new name it would be loaded")))
            }
            Ok(Err((words, line))) => Err(AskError::Refused(format!("file {name}, line {line}: {words}"))),
            Err(_) => Err(AskError::Refused(format!("file {name}: reading was interrupted; ask again"))),
        }
    }

    /// A part of the copy history.
    pub(super) async fn copy_history(&self, failed_only: bool, limit: usize, after: Option<u64>) -> Outcome {
        let page = self.warehouse.copy_history(failed_only, limit.min(MOST), after).await.map_err(refused)?;
        let files = page
            .files
            .into_iter()
            .map(|file| {
                let (first_error, first_error_line, first_error_column) = match file.error {
                    Some((text, line, column)) => (Some(text), line, column),
                    None => (None, None, None),
                };
                LoadedFile {
                    id: file.id,
                    file: file.file,
                    pipe: file.pipe,
                    table: file.table,
                    loaded_at: file.at,
                    status: file.status,
                    rows_parsed: file.rows.0,
                    rows_loaded: file.rows.1,
                    duplicates: file.rows.2,
                    bytes: file.bytes,
                    first_error,
                    first_error_line,
                    first_error_column,
                }
            })
            .collect();
        Ok(Answer::CopyHistory { files, upto: page.upto, total: page.total })
    }

    /// A line of a file that the copy history names; no other file can be read this way.
    pub(super) async fn file_line(&self, file: &str, line: u64) -> Outcome {
        let missing = |why: &str| AskError::Refused(format!("{}: {why}", printable(file)));
        let path = self.file_of_history(file).await?;
        let text = tokio::task::spawn_blocking(move || nth_line(&path, line)).await;
        match text {
            Ok(Ok(Some(text))) => Ok(Answer::FileLine { text }),
            Ok(Ok(None)) => Err(missing(&format!("has no line {line}"))),
            Ok(Err(error)) => Err(missing(&format!("can't be read: {error}"))),
            Err(_) => Err(missing("reading was interrupted; ask again")),
        }
    }

    /// Where a file is that the copy history names.
    async fn file_of_history(&self, file: &str) -> Result<PathBuf, AskError> {
        let container = self.warehouse.container_of(file.to_owned()).await.map_err(refused)?;
        let missing = || AskError::Refused(format!("{}: not in the copy history", printable(file)));
        Ok(self.loader.containers.file(&container.ok_or_else(missing)?, file))
    }
}

fn nth_line(path: &std::path::Path, line: u64) -> std::io::Result<Option<String>> {
    use std::io::BufRead;
    let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let file = std::io::BufReader::new(std::fs::File::open(path)?);
    let found = file.split(b'\n').nth(index).transpose()?;
    Ok(found.map(|bytes| shown_line(&String::from_utf8_lossy(&bytes))))
}
