//! The owner's log: the newest lines in memory, for whoever looks.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::station::text::printable;

/// Lines kept.
const LINES: usize = 2000;
/// Characters of a line kept.
const WIDTH: usize = 2000;

/// A line of the owner's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Rises by one a line.
    pub seq: u64,
    /// Wall time.
    pub at: Timestamp,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// The room that says it.
    pub target: String,
    /// What it says, printable.
    pub message: String,
}

/// The log; clones share it.
#[derive(Debug, Clone, Default)]
pub struct LogBuffer(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    newest: VecDeque<LogLine>,
    last: u64,
    /// The file that the log is written to as well.
    file: Option<PathBuf>,
    /// Gives the process's log another filter.
    filter: Option<FilterSetter>,
}

/// Takes a filter's text; answers in words why it can't be taken.
type FilterSetter = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("newest", &self.newest.len()).field("last", &self.last).finish_non_exhaustive()
    }
}

impl LogBuffer {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which file the process's log is written to.
    pub fn written_to(&self, file: PathBuf) {
        self.lock().file = Some(file);
    }

    /// The file that the process's log is written to; absent where there is none.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        self.lock().file.clone()
    }

    /// Says how the process's log is given another filter.
    pub fn filtered_by(&self, set: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) {
        self.lock().filter = Some(Arc::new(set));
    }

    /// Gives the process's log another filter, in the form of `log.filter`.
    pub fn set_filter(&self, text: &str) -> Result<(), String> {
        // Not under the lock: whoever sets it may log.
        let set = self.lock().filter.clone();
        set.map_or_else(|| Err("the log's filter can't be changed in this process".to_owned()), |set| set(text))
    }

    /// A layer that writes events into it.
    #[must_use]
    pub fn layer(&self) -> BufferLayer {
        BufferLayer(self.clone())
    }

    /// Number of the newest line; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.lock().last
    }

    /// The newest `limit` lines after number `after`, oldest first.
    #[must_use]
    pub fn after(&self, after: u64, limit: usize) -> Vec<LogLine> {
        let lines = self.lock();
        let mut found: Vec<_> =
            lines.newest.iter().rev().take_while(|line| line.seq > after).take(limit).cloned().collect();
        found.reverse();
        found
    }

    /// The newest lines of level WARN or worse, newest first.
    #[must_use]
    pub fn warnings(&self, limit: usize) -> Vec<LogLine> {
        let is_warning = |line: &&LogLine| line.level == "WARN" || line.level == "ERROR";
        self.lock().newest.iter().rev().filter(is_warning).take(limit).cloned().collect()
    }

    /// The newest `limit` lines of `level` or worse (all without one), oldest first.
    #[must_use]
    pub fn newest(&self, limit: usize, level: Option<&str>) -> Vec<LogLine> {
        let least = level.and_then(|level| level.parse::<Level>().ok()).unwrap_or(Level::TRACE);
        let is_wanted = |line: &&LogLine| line.level.parse::<Level>().is_ok_and(|level| level <= least);
        let mut found: Vec<_> = self.lock().newest.iter().rev().filter(is_wanted).take(limit).cloned().collect();
        found.reverse();
        found
    }

    fn push(&self, level: Level, target: &str, message: &str) {
        let mut lines = self.lock();
        lines.last += 1;
        let line = LogLine {
            seq: lines.last,
            at: Timestamp::now(),
            level: level.to_string(),
            target: target.strip_prefix("skydeck::").unwrap_or(target).to_owned(),
            message: printable(message).chars().take(WIDTH).collect(),
        };
        if lines.newest.len() == LINES {
            lines.newest.pop_front();
        }
        lines.newest.push_back(line);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes `tracing` events into a [`LogBuffer`].
#[derive(Debug)]
pub struct BufferLayer(LogBuffer);

impl<S: Subscriber> Layer<S> for BufferLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let message = format!("{}{}", text.message, text.fields);
        self.0.push(*event.metadata().level(), event.metadata().target(), &message);
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String has no failing path.
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            let _ = write!(self.fields, " {}={value:?}", field.name());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.fields, " {}={value}", field.name());
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::LogBuffer;

    #[test]
    fn lines_are_numbered_printable_and_bounded() {
        let log = LogBuffer::new();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log.layer()), || {
            tracing::warn!(target: "skydeck::hub", device = "a\u{1b}[31m", "refused");
            for _ in 0..2100 {
                tracing::info!("tick");
            }
        });
        assert_eq!(log.last(), 2101);
        assert_eq!(log.after(0, 5000).len(), 2000);
        assert_eq!(log.after(2099, 10).iter().map(|l| l.seq).collect::<Vec<_>>(), [2100, 2101]);
        assert!(log.warnings(8).is_empty());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log.layer()), || {
            tracing::error!(target: "skydeck::hub", device = "a\u{1b}[31m", "refused");
        });
        let line = &log.warnings(8)[0];
        assert_eq!(log.newest(2, Some("WARN")), log.warnings(1), "the first warning has left");
        assert_eq!(log.newest(2, None).len(), 2);
        assert_eq!((line.target.as_str(), line.message.as_str()), ("hub", "refused device=a[31m"));
    }
}
