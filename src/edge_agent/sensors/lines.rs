//! A file to which another program appends one JSON reading a line.
//!
//! ```json
//! {"measuredAt":"2026-06-01T12:00:00Z","temperatureC":14.2,"humidityPct":61.5}
//! ```
//!
//! The fields are those of a `WeatherMeasurement` that a sensor knows; without `measuredAt` a reading was measured
//! when it is read. Only whole lines are taken. A file that isn't there yet is waited for. One that was replaced
//! (rotated) is read to its end, then the new one from its start; one that got shorter (truncated) is read from its
//! start again. What is read again, because the place up to which it was read got lost, makes messages of the same identity
//! where the line bears its time: the warehouse has each once. The file is looked at once a second while there is nothing new: no notification service reaches
//! every kind of mount a logger writes to.

use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{Item, Rejected, SensorError, SensorSource, Stamped, reading, shortened};
use crate::clock::Clock;
use crate::station::MessageId;
use crate::station::text::printable;

/// Longest line taken, bytes.
const MAX_LINE: usize = 64 * 1024;
/// Time between looks at a file with nothing new.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A followed file.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    open: Option<Followed>,
    /// Which file was read last, and up to which byte its lines were handed over.
    position: Option<Position>,
    /// Why nothing can be read now, in words.
    trouble: watch::Sender<Option<String>>,
}

#[derive(Debug)]
struct Followed {
    reader: BufReader<File>,
    file: FileId,
    /// Where the present line begins.
    offset: u64,
    line: Line,
    /// Whether another file was seen at the path.
    replaced: bool,
}

/// The line being read.
#[derive(Debug, Default)]
struct Line {
    /// Its first bytes, at most [`MAX_LINE`].
    bytes: Vec<u8>,
    /// How long it is so far, with its line break.
    length: u64,
}

/// A file's identity: inode and, where the file system tells it, time of birth, because inodes are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    inode: u64,
    born_ns: u128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    offset: u64,
    file: FileId,
}

impl Lines {
    /// Follows the file at `path`, from its start.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: None, position: None, trouble: watch::Sender::new(None) }
    }

    /// The next whole line, if there is one now. Reads from a local file, a line at a time, without waiting.
    fn poll(&mut self, now: Timestamp) -> Option<Item> {
        loop {
            if self.open.is_none() {
                self.open = Some(self.begin()?);
            }
            let open = self.open.as_mut()?;
            match open.read_line() {
                Ok(true) => {
                    let (line, at) = (std::mem::take(&mut open.line), open.offset);
                    open.offset += line.length;
                    let file = open.file;
                    let position = Position { offset: open.offset, file };
                    self.position = Some(position);
                    if let Some(outcome) = self.judge(&line, at, now) {
                        let (outcome, stamped) = match outcome {
                            Ok((reading, stamped)) => (Ok(reading), stamped),
                            Err(rejected) => (Err(rejected), Stamped::Here),
                        };
                        // Without its own time a line of a file that began anew can be another one's twin.
                        let own = outcome.as_ref().ok().filter(|_| stamped == Stamped::ByWriter);
                        let id = own.map(|reading| identity(reading.measured_at, position, &line));
                        return Some(Item { position: position.to_string(), outcome, stamped, id });
                    }
                }
                Ok(false) => match self.what_became_of_it()? {
                    Fate::Truncated => self.open = None,
                    // Once more to its end: something may have been appended before it was replaced.
                    Fate::Replaced { seen_before: false } => {}
                    Fate::Replaced { seen_before: true } => {
                        if let Some(item) = self.leave_behind() {
                            return Some(item);
                        }
                    }
                },
                Err(error) => {
                    self.open = None;
                    self.note(format!("can't read: {error}"));
                    return None;
                }
            }
        }
    }

    /// Opens the file where it was left, or at its start if it is another one or shorter.
    fn begin(&mut self) -> Option<Followed> {
        match open_at(&self.path, self.position) {
            Ok((open, restarted)) => {
                if let Some(why) = restarted {
                    tracing::warn!("{}: {why}; reading it from its start", self.name());
                }
                if self.is_over_it() {
                    tracing::info!("{}: reading", self.name());
                }
                Some(open)
            }
            Err(trouble) => {
                self.note(trouble);
                None
            }
        }
    }

    /// At the file's end: whether it is still the one at the path and as long as it was. `None` if so, or if
    /// nothing is there now.
    fn what_became_of_it(&mut self) -> Option<Fate> {
        let open = self.open.as_mut()?;
        match std::fs::metadata(&self.path) {
            Ok(found) if FileId::of(&found) != open.file => {
                Some(Fate::Replaced { seen_before: std::mem::replace(&mut open.replaced, true) })
            }
            Ok(found) if found.len() < open.offset + open.line.length => Some(Fate::Truncated),
            Ok(_) => {
                self.is_over_it();
                None
            }
            Err(error) => {
                self.note(format!("can't look at it: {error}"));
                None
            }
        }
    }

    /// Turns away from a file that was replaced and read to its end. An unfinished last line is rejected.
    fn leave_behind(&mut self) -> Option<Item> {
        let open = self.open.take()?;
        if open.line.length == 0 {
            return None;
        }
        let position = Position { offset: open.offset + open.line.length, file: open.file };
        self.position = Some(position);
        let rejected = self.reject(&open.line, open.offset, "unfinished when its file was replaced");
        Some(Item { position: position.to_string(), outcome: Err(rejected), stamped: Stamped::Here, id: None })
    }

    /// What a line is; `None` for an empty one.
    fn judge(&self, line: &Line, at: u64, now: Timestamp) -> Option<Result<(super::Reading, Stamped), Rejected>> {
        if line.length > MAX_LINE as u64 {
            return Some(Err(self.reject(line, at, &format!("{} bytes long, at most 65,536 are taken", line.length))));
        }
        let Ok(text) = std::str::from_utf8(&line.bytes) else {
            return Some(Err(self.reject(line, at, "isn't UTF-8")));
        };
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        Some(reading::parse(text, now).map_err(|reason| self.reject(line, at, &reason)))
    }

    fn reject(&self, line: &Line, at: u64, reason: &str) -> Rejected {
        let raw = shortened(String::from_utf8_lossy(&line.bytes).trim_end_matches(['\r', '\n']));
        Rejected { raw, reason: format!("{}, line at byte {at}: {reason}", self.name()) }
    }

    /// Says what keeps us from reading, once.
    fn note(&mut self, trouble: String) {
        let is_new = self.trouble.borrow().as_ref() != Some(&trouble);
        if is_new {
            tracing::warn!("{}: {trouble}; waiting for it", self.name());
            self.trouble.send_replace(Some(trouble));
        }
    }

    /// Forgets what kept us from reading; answers whether anything did.
    fn is_over_it(&self) -> bool {
        self.trouble.send_if_modified(|trouble| trouble.take().is_some())
    }

    fn name(&self) -> String {
        printable(&self.path.display().to_string())
    }
}

/// What can become of a followed file.
enum Fate {
    Truncated,
    Replaced { seen_before: bool },
}

impl SensorSource for Lines {
    /// Positions are the byte after the last line handed over, `@` and the file's identity.
    fn resume(&mut self, position: &str) -> Result<(), SensorError> {
        let parsed = position.parse();
        self.position =
            Some(parsed.map_err(|()| SensorError::Position { file: self.name(), position: printable(position) })?);
        self.open = None;
        Ok(())
    }

    async fn next(&mut self, clock: &Clock) -> Option<Item> {
        loop {
            if let Some(item) = self.poll(clock.now()) {
                return Some(item);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// All whole lines the file holds now, whatever their time; a reading without one was measured at `until`.
    fn drain_until(&mut self, until: Timestamp, limit: usize) -> Vec<Item> {
        std::iter::from_fn(|| self.poll(until)).take(limit).collect()
    }

    fn state(&self) -> String {
        match &*self.trouble.borrow() {
            Some(trouble) => format!("lines of {} ({trouble}; waiting for it)", self.name()),
            None => format!("lines of {}", self.name()),
        }
    }

    fn ended(&self) -> bool {
        false
    }

    fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.borrow();
        trouble.as_ref().map(|trouble| {
            format!("{}: {trouble}; waiting for it: check source.path, and what writes there", self.name())
        })
    }

    fn troubles(&self) -> Option<watch::Receiver<Option<String>>> {
        Some(self.trouble.subscribe())
    }
}

impl Followed {
    /// Reads on in the present line. `true` once it is whole, `false` at the file's end.
    fn read_line(&mut self) -> std::io::Result<bool> {
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(false);
            }
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(chunk.len(), |end| end + 1);
            let room = MAX_LINE.saturating_sub(self.line.bytes.len());
            self.line.bytes.extend_from_slice(&chunk[..taken.min(room)]);
            self.line.length += taken as u64;
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// The identity of the message made of a line that bears its own time: the same however often it is read.
fn identity(measured_at: Timestamp, position: Position, line: &Line) -> MessageId {
    MessageId::derived(measured_at, &[position.to_string().as_bytes(), b"\n", &line.bytes].concat())
}

/// Opens `path` at `position`. The second part says why it is read from its start though it was read before.
fn open_at(path: &Path, position: Option<Position>) -> Result<(Followed, Option<&'static str>), String> {
    let words = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "isn't there yet".to_owned(),
        _ => printable(&error.to_string()),
    };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(words)?.is_file() {
        return Err("isn't a regular file".to_owned());
    }
    let mut handle = File::open(path).map_err(words)?;
    let found = handle.metadata().map_err(words)?;
    let file = FileId::of(&found);
    let (offset, restarted) = match position {
        None => (0, None),
        Some(position) if position.file != file => (0, Some("was replaced by another file")),
        Some(position) if position.offset > found.len() => (0, Some("was truncated")),
        Some(position) => (position.offset, None),
    };
    handle.seek(SeekFrom::Start(offset)).map_err(words)?;
    Ok((Followed { reader: BufReader::new(handle), file, offset, line: Line::default(), replaced: false }, restarted))
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        let born = metadata.created().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        Self { inode: metadata.ino(), born_ns: born.map_or(0, |since| since.as_nanos()) }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}.{}", self.offset, self.file.inode, self.file.born_ns)
    }
}

impl std::str::FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (offset, file) = text.split_once('@').ok_or(())?;
        let (inode, born_ns) = file.split_once('.').ok_or(())?;
        let file = FileId { inode: inode.parse().map_err(drop)?, born_ns: born_ns.parse().map_err(drop)? };
        Ok(Self { offset: offset.parse().map_err(drop)?, file })
    }
}

#[cfg(test)]
mod tests;
