//! Where readings come from.
//!
//! - [`replay`]: a carried or named series, played by the environment's clock
//! - [`lines`]: a file to which another program appends one JSON reading a line
//! - [`composed`]: the sensors of `[sensors.NAME]`, put together each interval. `board` is where they put what they read,
//!   `tend` is each one's life; one file a kind: `bme280`, `bh1750`, `tsl2591` (on `i2c`), `sound` (with `weighting`),
//!   `serial`, `command`, `mqtt`, `rain` and `wind` (on `pulses`), `vane`. `intake`, `mapped`, `program`: lines in
//!   bounds, mapped to variables, and programs that write them
//! - [`sim`]: made-up readings at any rate
//! - `series`, `reading`: what replay and lines read: a CSV file's rows, a line of JSON
//!
//! The agent opens one [`Source`] from its settings, goes on from the position it stored with the last message,
//! and takes [`Item`]s: readings, and lines that couldn't be read, to be kept aside with their reason. It stores
//! each item's position in the same transaction as the message made of it, so that a crash neither loses nor
//! doubles a reading. What a source has to say beside that (a file missing, rotated) it logs and has in
//! [`SensorSource::state`].

mod bh1750;
mod bme280;
mod board;
mod command;
pub mod composed;
mod i2c;
pub(super) mod intake;
pub mod lines;
mod mapped;
mod mqtt;
pub(super) mod program;
mod pulses;
mod rain;
mod reading;
pub mod replay;
mod serial;
mod series;
pub mod sim;
mod sound;
mod tend;
mod tsl2591;
mod vane;
mod weighting;
mod wind;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;

use jiff::Timestamp;
use tokio::sync::watch;

use super::report::SensorReport;
use crate::clock::Clock;
use crate::settings::sensors::model::SensorSettings;
use crate::settings::{SourceKind, SourceSettings};
use crate::station::{MessageId, Reading};

pub use composed::Composed;
pub use lines::Lines;
pub use replay::Replay;
pub use sim::Sim;

/// What a source hands over.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where the source stands once this item is dealt with; [`SensorSource::resume`] takes it.
    pub position: String,
    /// A reading, or what couldn't be made one.
    pub outcome: Result<Reading, Rejected>,
    /// Who gave the reading its time.
    pub stamped: Stamped,
    /// The identity of its message, where the source would give the same reading the same one again.
    pub id: Option<MessageId>,
}

/// Who gave a reading its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamped {
    /// This machine's clock, as it was read.
    Here,
    /// A program that wrote it with its time.
    ByWriter,
    /// A recorded series, long ago.
    InSeries,
}

/// Something that isn't a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// What stood there: at most 4,096 characters, as it came, not yet printable.
    pub raw: String,
    /// Where it stood and what is wrong with it, printable.
    pub reason: String,
}

/// Why a source can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    /// The file can't be read.
    #[error("{file}: can't read: {reason}; check source.path")]
    Unreadable {
        /// The file.
        file: String,
        /// The system's words.
        reason: String,
    },
    /// The file isn't a series.
    #[error("{file}, line {line}: {reason}")]
    NotASeries {
        /// The file.
        file: String,
        /// Line, from 1.
        line: u64,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// A stored position isn't one of this source's.
    #[error(
        "{file}: position {position:?} isn't one of this source; was source.kind changed? Remove the agent's state"
    )]
    Position {
        /// The file.
        file: String,
        /// The position, made printable.
        position: String,
    },
    /// The settings lack what the source needs.
    #[error("source.kind = \"lines\" follows a file and needs source.path")]
    NoPath,
}

/// Something readings come from.
pub trait SensorSource: Send {
    /// Goes on after the item whose position this is. To be called before the first item is taken.
    fn resume(&mut self, position: &str) -> Result<(), SensorError>;

    /// The next item, as soon as it is due; `None` once there will never be another. May be dropped while it
    /// waits: nothing is lost.
    fn next(&mut self, clock: &Clock) -> impl Future<Output = Option<Item>> + Send;

    /// What is there already, without waiting: everything measured at or before `until`, at most `limit` items.
    /// Empty once there is no more.
    fn drain_until(&mut self, until: Timestamp, limit: usize) -> Vec<Item>;

    /// What it is and how it is doing, in words, printable.
    fn state(&self) -> String;

    /// Whether it has come to its end.
    fn ended(&self) -> bool;

    /// What keeps it from being read now, and what to do, printable; nothing keeps a source that has it all.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Tells of each change of what [`Self::trouble`] says, also while `next` waits.
    fn troubles(&self) -> Option<watch::Receiver<Option<String>>> {
        None
    }

    /// Asks for a reading every so many seconds; absent is the source's own choice. Answers whether it keeps to that by
    /// itself, so that no reading has to be passed over.
    fn pace(&mut self, _every_s: Option<u32>) -> bool {
        false
    }

    /// How each of its sensors is, by name.
    fn sensors(&self) -> Vec<SensorReport> {
        Vec::new()
    }
}

/// The source the settings name.
#[derive(Debug)]
pub enum Source {
    /// A series.
    Replay(Box<Replay>),
    /// A followed file.
    Lines(Box<Lines>),
    /// Sensors, put together.
    Composed(Box<Composed>),
    /// Made-up readings.
    Sim(Sim),
}

impl Source {
    /// Opens what the settings name; `None` where they name no source. What sensors count is kept in `folder`.
    pub fn open(
        settings: &SourceSettings,
        sensors: &BTreeMap<String, SensorSettings>,
        folder: &Path,
    ) -> Result<Option<Self>, SensorError> {
        match settings.kind {
            SourceKind::None => Ok(None),
            SourceKind::Replay => {
                let replay = settings.path.as_deref().map_or_else(Replay::carried, Replay::open)?;
                Ok(Some(Self::Replay(Box::new(replay))))
            }
            SourceKind::Lines => {
                let path = settings.path.clone().ok_or(SensorError::NoPath)?;
                Ok(Some(Self::Lines(Box::new(Lines::new(path)))))
            }
            SourceKind::Sensors => Ok(Some(Self::Composed(Box::new(Composed::new(sensors, folder))))),
            SourceKind::Sim => Ok(Some(Self::Sim(Sim::new(settings.seed, settings.rate_per_s)))),
        }
    }
}

impl SensorSource for Source {
    fn resume(&mut self, position: &str) -> Result<(), SensorError> {
        match self {
            Self::Replay(replay) => replay.resume(position),
            Self::Lines(lines) => lines.resume(position),
            Self::Composed(composed) => composed.resume(position),
            Self::Sim(sim) => sim.resume(position),
        }
    }

    async fn next(&mut self, clock: &Clock) -> Option<Item> {
        match self {
            Self::Replay(replay) => replay.next(clock).await,
            Self::Lines(lines) => lines.next(clock).await,
            Self::Composed(composed) => composed.next(clock).await,
            Self::Sim(sim) => sim.next(clock).await,
        }
    }

    fn drain_until(&mut self, until: Timestamp, limit: usize) -> Vec<Item> {
        match self {
            Self::Replay(replay) => replay.drain_until(until, limit),
            Self::Lines(lines) => lines.drain_until(until, limit),
            Self::Composed(composed) => composed.drain_until(until, limit),
            Self::Sim(sim) => sim.drain_until(until, limit),
        }
    }

    fn state(&self) -> String {
        match self {
            Self::Replay(replay) => replay.state(),
            Self::Lines(lines) => lines.state(),
            Self::Composed(composed) => composed.state(),
            Self::Sim(sim) => sim.state(),
        }
    }

    fn ended(&self) -> bool {
        match self {
            Self::Replay(replay) => replay.ended(),
            Self::Lines(lines) => lines.ended(),
            Self::Composed(composed) => composed.ended(),
            Self::Sim(sim) => sim.ended(),
        }
    }

    fn trouble(&self) -> Option<String> {
        match self {
            Self::Replay(replay) => replay.trouble(),
            Self::Lines(lines) => lines.trouble(),
            Self::Composed(composed) => composed.trouble(),
            Self::Sim(sim) => sim.trouble(),
        }
    }

    fn pace(&mut self, every_s: Option<u32>) -> bool {
        match self {
            Self::Composed(composed) => composed.pace(every_s),
            Self::Replay(_) | Self::Lines(_) | Self::Sim(_) => false,
        }
    }

    fn sensors(&self) -> Vec<SensorReport> {
        match self {
            Self::Composed(composed) => composed.sensors(),
            Self::Replay(_) | Self::Lines(_) | Self::Sim(_) => Vec::new(),
        }
    }

    fn troubles(&self) -> Option<watch::Receiver<Option<String>>> {
        match self {
            Self::Replay(replay) => replay.troubles(),
            Self::Lines(lines) => lines.troubles(),
            Self::Composed(composed) => composed.troubles(),
            Self::Sim(sim) => sim.troubles(),
        }
    }
}

/// The first 4,096 characters of what came in.
fn shortened(raw: &str) -> String {
    match raw.char_indices().nth(4096) {
        Some((end, _)) => format!("{}…", &raw[..end]),
        None => raw.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_open_what_they_name() {
        let open = |kind, path: Option<&str>| {
            let settings = SourceSettings { kind, path: path.map(Into::into), ..SourceSettings::default() };
            Source::open(&settings, &BTreeMap::new(), Path::new("/nowhere"))
        };
        assert!(open(SourceKind::None, None).expect("nothing to open").is_none());
        assert!(matches!(open(SourceKind::Replay, None), Ok(Some(Source::Replay(_)))));
        assert!(matches!(open(SourceKind::Lines, Some("/nowhere/readings")), Ok(Some(Source::Lines(_)))));
        assert!(matches!(open(SourceKind::Lines, None), Err(SensorError::NoPath)));
        let missing = open(SourceKind::Replay, Some("/nowhere/series.csv")).expect_err("isn't there");
        assert!(missing.to_string().starts_with("/nowhere/series.csv: can't read: "), "{missing}");
    }
}
