//! A recorded series, played by the environment's clock.
//!
//! A CSV file, gzip allowed, with a header line. `time_utc` (RFC 3339, ascending) is required; the other columns
//! are those of [`COLUMNS`]. An empty cell is an absent value. Rows are decoded as they are needed, so that a
//! series of any length costs the same memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;

use super::{Item, Rejected, SensorError, SensorSource, shortened};
use crate::clock::Clock;
use crate::station::text::printable;
use crate::station::units::illuminance_lx;
use crate::station::{QcFlag, Reading, Variable};

/// The month skydeck carries; its README has source and acknowledgement.
const CARRIED: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/series/payerne_2016-06_1min.csv.gz"));
/// Its name for people.
const CARRIED_NAME: &str = "Payerne, June 2016 (BSRN, MeteoSwiss)";
/// Relative humidity up to which a reading above 100 % counts as saturation, %. Capacitive hygrometers read a
/// few percent too much in saturated air; what is beyond this is a fault and fails the range check.
const SATURATION_TOLERANCE_PCT: f64 = 105.0;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    Time,
    Value(Variable),
    /// Global horizontal irradiance, W/m²; becomes light.
    Irradiance,
    /// Known, and of no use here.
    Unused,
}

/// The columns a series may have.
const COLUMNS: [(&str, Column); 12] = [
    ("time_utc", Column::Time),
    ("temperature_c", Column::Value(Variable::Temperature)),
    ("humidity_pct", Column::Value(Variable::Humidity)),
    ("pressure_hpa", Column::Value(Variable::Pressure)),
    ("ghi_w_m2", Column::Irradiance),
    ("dhi_w_m2", Column::Unused),
    ("lwd_w_m2", Column::Unused),
    ("illuminance_lx", Column::Value(Variable::Light)),
    ("sound_dba", Column::Value(Variable::Sound)),
    ("rain_mm", Column::Value(Variable::Rain)),
    ("wind_speed_ms", Column::Value(Variable::WindSpeed)),
    ("wind_direction_deg", Column::Value(Variable::WindDirection)),
];

/// A series being played.
#[derive(Debug)]
pub struct Replay {
    origin: Origin,
    rows: Rows,
    starts_at: Timestamp,
    ends_at: Timestamp,
    /// Decoded and not yet due.
    pending: Option<Result<Reading, Rejected>>,
    /// Time of the last reading handed over, and rows rejected since.
    position: (Option<Timestamp>, u32),
    ended: bool,
}

/// Where the series is.
#[derive(Debug, Clone)]
enum Origin {
    Carried,
    File(PathBuf),
}

impl Replay {
    /// The month carried by skydeck.
    pub fn carried() -> Result<Self, SensorError> {
        Self::from_origin(Origin::Carried)
    }

    /// The series in the file at `path`. Reads it once to its end, for its span.
    pub fn open(path: &Path) -> Result<Self, SensorError> {
        Self::from_origin(Origin::File(path.to_owned()))
    }

    fn from_origin(origin: Origin) -> Result<Self, SensorError> {
        let (starts_at, ends_at) = Rows::open(&origin)?.span()?;
        let rows = Rows::open(&origin)?;
        Ok(Self { origin, rows, starts_at, ends_at, pending: None, position: (None, 0), ended: false })
    }

    /// Time of the first reading.
    #[must_use]
    pub const fn starts_at(&self) -> Timestamp {
        self.starts_at
    }

    /// Time of the last reading.
    #[must_use]
    pub const fn ends_at(&self) -> Timestamp {
        self.ends_at
    }

    /// Goes on with the first reading after `instant`.
    pub fn resume_after(&mut self, instant: Timestamp) {
        self.skip(Some(instant), 0);
    }

    fn skip(&mut self, until: Option<Timestamp>, rejected: u32) {
        self.position = (until, rejected);
        let (mut newest, mut skipped) = (None, 0);
        while let Some(row) = self.take_pending() {
            let is_behind = match &row {
                Ok(reading) => {
                    newest = Some(reading.measured_at);
                    newest <= until
                }
                // Between the reading at `until` and the next one only the rows dealt with are skipped.
                Err(_) if newest == until => {
                    skipped += 1;
                    skipped <= rejected
                }
                Err(_) => true,
            };
            if !is_behind {
                self.pending = Some(row);
                return;
            }
        }
    }

    fn take_pending(&mut self) -> Option<Result<Reading, Rejected>> {
        let row = self.pending.take().or_else(|| self.rows.next_row());
        self.ended = row.is_none();
        row
    }

    fn hand_over(&mut self, outcome: Result<Reading, Rejected>) -> Item {
        match &outcome {
            Ok(reading) => self.position = (Some(reading.measured_at), 0),
            Err(_) => self.position.1 += 1,
        }
        let position = match self.position {
            (Some(at), 0) => at.to_string(),
            (Some(at), rejected) => format!("{at}+{rejected}"),
            (None, rejected) => format!("+{rejected}"),
        };
        Item { position, outcome }
    }
}

impl SensorSource for Replay {
    /// Positions are the time of the last reading, followed by `+N` where `N` rows after it were rejected.
    fn resume(&mut self, position: &str) -> Result<(), SensorError> {
        let (instant, rejected) = position.split_once('+').unwrap_or((position, "0"));
        let instant = if instant.is_empty() { Ok(None) } else { instant.parse().map(Some) };
        let (Ok(instant), Ok(rejected)) = (instant, rejected.parse()) else {
            return Err(SensorError::Position { file: self.rows.name.clone(), position: printable(position) });
        };
        self.skip(instant, rejected);
        Ok(())
    }

    async fn next(&mut self, clock: &Clock) -> Option<Item> {
        let row = self.take_pending()?;
        if let Ok(reading) = &row {
            let due = reading.measured_at;
            self.pending = Some(row);
            clock.sleep_until(due).await;
            let row = self.pending.take()?;
            return Some(self.hand_over(row));
        }
        Some(self.hand_over(row))
    }

    fn drain_until(&mut self, until: Timestamp, limit: usize) -> Vec<Item> {
        let mut items = Vec::new();
        while items.len() < limit
            && let Some(row) = self.take_pending()
        {
            if matches!(&row, Ok(reading) if reading.measured_at > until) {
                self.pending = Some(row);
                break;
            }
            items.push(self.hand_over(row));
        }
        items
    }

    fn state(&self) -> String {
        let ended = if self.ended { ", ended" } else { "" };
        match &self.origin {
            Origin::Carried => format!("replay of {CARRIED_NAME}{ended}"),
            Origin::File(_) => format!("replay of {}{ended}", self.rows.name),
        }
    }

    fn ended(&self) -> bool {
        self.ended
    }
}

/// The rows of a series, decoded one at a time.
struct Rows {
    name: String,
    columns: Vec<Column>,
    reader: csv::Reader<Box<dyn Read + Send + Sync>>,
    record: ByteRecord,
    newest: Option<Timestamp>,
    broken: bool,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("name", &self.name).field("newest", &self.newest).finish_non_exhaustive()
    }
}

impl Rows {
    fn open(origin: &Origin) -> Result<Self, SensorError> {
        let (name, stream): (String, Box<dyn Read + Send + Sync>) = match origin {
            Origin::Carried => (CARRIED_NAME.to_owned(), Box::new(MultiGzDecoder::new(CARRIED))),
            Origin::File(path) => (printable(&path.display().to_string()), open_file(path)?),
        };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(stream);
        let header = reader.byte_headers().map_err(|error| unreadable(&name, &error))?.clone();
        let columns =
            columns(&header).map_err(|reason| SensorError::NotASeries { file: name.clone(), line: 1, reason })?;
        Ok(Self { name, columns, reader, record: ByteRecord::new(), newest: None, broken: false })
    }

    /// First and last time of the series; consumes it.
    fn span(mut self) -> Result<(Timestamp, Timestamp), SensorError> {
        let mut first = None;
        while let Some(row) = self.next_row() {
            if let Ok(reading) = row {
                first.get_or_insert(reading.measured_at);
            }
        }
        first.zip(self.newest).ok_or_else(|| SensorError::NotASeries {
            file: self.name.clone(),
            line: self.reader.position().line(),
            reason: "no row can be read; expected a time and values in each".to_owned(),
        })
    }

    fn next_row(&mut self) -> Option<Result<Reading, Rejected>> {
        if self.broken {
            return None;
        }
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => Some(self.decode().map_err(|reason| {
                let line = self.record.position().map_or(0, csv::Position::line);
                self.reject(line, &reason)
            })),
            Err(error) => {
                self.broken = true;
                self.record.clear();
                let reason = format!("can't be read on: {error}; the series ends here");
                Some(Err(self.reject(self.reader.position().line(), &reason)))
            }
        }
    }

    fn reject(&self, line: u64, reason: &str) -> Rejected {
        let cells: Vec<_> = self.record.iter().map(String::from_utf8_lossy).collect();
        Rejected {
            raw: shortened(&cells.join(",")),
            reason: format!("{}, line {line}: {}", self.name, printable(reason)),
        }
    }

    fn decode(&mut self) -> Result<Reading, String> {
        if self.record.len() != self.columns.len() {
            return Err(format!("has {} cells, the header {}", self.record.len(), self.columns.len()));
        }
        let mut measured_at = None;
        let mut reading = Reading { measured_at: Timestamp::UNIX_EPOCH, values: Vec::new(), qc: BTreeMap::new() };
        for (column, cell) in self.columns.iter().zip(&self.record) {
            let cell = std::str::from_utf8(cell).map_err(|_| "isn't UTF-8".to_owned())?.trim();
            match column {
                Column::Time => {
                    let instant = cell.parse::<Timestamp>();
                    measured_at = Some(instant.map_err(|_| format!("time_utc: {cell:?} isn't an RFC 3339 instant"))?);
                }
                Column::Unused => {}
                _ if cell.is_empty() => {}
                Column::Value(variable) => put(&mut reading, *variable, number(*column, cell)?),
                Column::Irradiance => {
                    let irradiance = number(*column, cell)?;
                    // A value that isn't finite stays so: `max` would turn it into a dark night.
                    let light = if irradiance.is_finite() { illuminance_lx(irradiance) } else { irradiance };
                    reading.values.push((Variable::Light, light));
                    reading.qc.insert(Variable::Light, QcFlag::Derived);
                }
            }
        }
        let measured_at = measured_at.ok_or("has no time_utc")?;
        if self.newest.is_some_and(|newest| measured_at <= newest) {
            return Err(format!("time_utc: {measured_at} doesn't come after the row before"));
        }
        self.newest = Some(measured_at);
        Ok(Reading { measured_at, ..reading })
    }
}

fn put(reading: &mut Reading, variable: Variable, value: f64) {
    let saturated = variable == Variable::Humidity && value > 100.0 && value <= SATURATION_TOLERANCE_PCT;
    if saturated {
        reading.qc.insert(variable, QcFlag::Clipped);
    }
    reading.values.push((variable, if saturated { 100.0 } else { value }));
}

fn number(column: Column, cell: &str) -> Result<f64, String> {
    cell.parse().map_err(|_| {
        let name = COLUMNS.iter().find(|(_, known)| *known == column).map_or("", |(name, _)| *name);
        format!("{name}: {cell:?} isn't a number")
    })
}

/// What each column of the header holds.
fn columns(header: &ByteRecord) -> Result<Vec<Column>, String> {
    let known = || COLUMNS.map(|(name, _)| name).join(", ");
    let mut columns = Vec::with_capacity(header.len());
    for cell in header {
        let name = String::from_utf8_lossy(cell);
        let name = name.trim_start_matches('\u{feff}').trim();
        let Some((_, column)) = COLUMNS.into_iter().find(|(known, _)| *known == name) else {
            return Err(format!("unknown column {:?}; expected {}", printable(name), known()));
        };
        let light = [Column::Irradiance, Column::Value(Variable::Light)];
        let twice =
            |c: &Column| *c == column && column != Column::Unused || light.contains(c) && light.contains(&column);
        if columns.iter().any(twice) {
            return Err(format!("column {name:?} says again what another column says"));
        }
        columns.push(column);
    }
    if !columns.contains(&Column::Time) {
        return Err(format!("no column time_utc; expected {}", known()));
    }
    Ok(columns)
}

fn open_file(path: &Path) -> Result<Box<dyn Read + Send + Sync>, SensorError> {
    let name = printable(&path.display().to_string());
    let mut stream = File::open(path).map(BufReader::new).map_err(|error| unreadable(&name, &error))?;
    let is_gzip = stream.fill_buf().map_err(|error| unreadable(&name, &error))?.starts_with(&[0x1f, 0x8b]);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(stream)) } else { Box::new(stream) })
}

fn unreadable(file: &str, error: &dyn std::error::Error) -> SensorError {
    SensorError::Unreadable { file: file.to_owned(), reason: printable(&error.to_string()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a test's timestamp")
    }

    fn series(text: &[u8]) -> (tempfile::TempDir, Result<Replay, SensorError>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("series.csv");
        std::fs::write(&path, text).expect("written");
        let replay = Replay::open(&path);
        (folder, replay)
    }

    fn drain(replay: &mut Replay) -> Vec<Item> {
        replay.drain_until(Timestamp::MAX, usize::MAX)
    }

    #[test]
    fn the_carried_month_is_whole() {
        let mut replay = Replay::carried().expect("carried");
        assert_eq!(replay.starts_at(), at("2016-06-01T00:00:00Z"));
        assert_eq!(replay.ends_at(), at("2016-06-30T23:59:00Z"));
        let items = drain(&mut replay);
        assert_eq!(items.len(), 43_200);
        assert!(items.iter().all(|item| item.outcome.is_ok()));
        let clipped = |item: &&Item| item.outcome.as_ref().is_ok_and(|r| r.qc.contains_key(&Variable::Humidity));
        assert_eq!(items.iter().filter(clipped).count(), 16_167);
        // 2016-06-01T00:00:00Z,9.3,100.5,958.0,,,
        let first = items[0].outcome.as_ref().expect("a reading");
        let values = [(Variable::Temperature, 9.3), (Variable::Humidity, 100.0), (Variable::Pressure, 958.0)];
        assert_eq!(first.values, values, "no irradiance yet, so no light");
        assert_eq!(first.qc, BTreeMap::from([(Variable::Humidity, QcFlag::Clipped)]));
        assert!(replay.ended());
        assert_eq!(replay.state(), "replay of Payerne, June 2016 (BSRN, MeteoSwiss), ended");
    }

    #[test]
    fn irradiance_becomes_derived_light_and_nights_are_dark() {
        let (_folder, replay) = series(
            b"time_utc,ghi_w_m2\n2016-06-01T00:00:00Z,-1.0\n2016-06-01T12:00:00Z,500\n2016-06-01T12:01:00Z,nan\n",
        );
        let items = drain(&mut replay.expect("a series"));
        let light = |i: usize| items[i].outcome.as_ref().expect("a reading").values[0];
        assert_eq!(light(0), (Variable::Light, 0.0));
        assert_eq!(light(1), (Variable::Light, 55_000.0));
        assert!(light(2).1.is_nan(), "left to the check of ranges, which flags it");
        assert_eq!(items[1].outcome.as_ref().expect("a reading").qc[&Variable::Light], QcFlag::Derived);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_handed_over_and_the_series_goes_on() {
        let (_folder, replay) = series(
            b"time_utc,temperature_c,humidity_pct\n2016-06-01T00:00:00Z,1.0,50\nyesterday,1,2\n2016-06-01T00:01:00Z,warm,50\n\
              2016-06-01T00:02:00Z,2.0\n2016-06-01T00:00:00Z,1,1\n2016-06-01T00:03:00Z,\xff,1\n2016-06-01T00:04:00Z,,170\n",
        );
        let items = drain(&mut replay.expect("a series"));
        let reasons: Vec<&str> =
            items.iter().filter_map(|i| i.outcome.as_ref().err()).map(|r| r.reason.as_str()).collect();
        let endings = [
            "line 3: time_utc: \"yesterday\" isn't an RFC 3339 instant",
            "line 4: temperature_c: \"warm\" isn't a number",
            "line 5: has 2 cells, the header 3",
            "line 6: time_utc: 2016-06-01T00:00:00Z doesn't come after the row before",
            "line 7: isn't UTF-8",
        ];
        assert_eq!(reasons.len(), endings.len());
        for (reason, ending) in reasons.iter().zip(endings) {
            assert!(reason.ends_with(ending), "{reason}");
        }
        assert_eq!(items[2].outcome.as_ref().expect_err("rejected").raw, "2016-06-01T00:01:00Z,warm,50");
        // Beyond the tolerance of saturation: not clipped but left to the range check.
        assert_eq!(items[6].outcome.as_ref().expect("a reading").values, [(Variable::Humidity, 170.0)]);
    }

    #[test]
    fn every_position_resumes_with_the_item_after_it() {
        let text = b"time_utc,temperature_c\nx,1\n2016-06-01T00:00:00Z,1\ny,1\nz,1\n2016-06-01T00:01:00Z,2\nw,1\n2016-06-01T00:02:00Z,3\n";
        let (folder, replay) = series(text);
        let items = drain(&mut replay.expect("a series"));
        let positions: Vec<&str> = items.iter().map(|item| item.position.as_str()).collect();
        assert_eq!(positions[..4], ["+1", "2016-06-01T00:00:00Z", "2016-06-01T00:00:00Z+1", "2016-06-01T00:00:00Z+2"]);
        for (index, item) in items.iter().enumerate() {
            let mut replay = Replay::open(&folder.path().join("series.csv")).expect("a series");
            replay.resume(&item.position).expect("its own position");
            assert_eq!(drain(&mut replay), items[index + 1..], "after {}", item.position);
        }
        let mut replay = Replay::open(&folder.path().join("series.csv")).expect("a series");
        assert!(matches!(replay.resume("12345@abc"), Err(SensorError::Position { .. })));
        replay.resume_after(at("2016-06-01T00:00:30Z"));
        assert_eq!(replay.drain_until(at("2016-06-01T00:01:30Z"), 10).len(), 2, "the second minute and the line after");
        assert_eq!(replay.drain_until(Timestamp::MAX, 10).len(), 1);
    }

    #[test]
    fn what_is_not_a_series_is_refused_with_file_and_line() {
        let refusal = |text: &[u8]| {
            let (_folder, replay) = series(text);
            replay.expect_err("refused").to_string()
        };
        assert!(
            refusal(b"time_utc,temp\n").contains("series.csv, line 1: unknown column \"temp\"; expected time_utc, ")
        );
        assert!(refusal(b"temperature_c\n1\n").contains("line 1: no column time_utc"));
        assert!(refusal(b"time_utc,ghi_w_m2,illuminance_lx\n").contains("says again what another column says"));
        assert!(refusal(b"time_utc,temperature_c\nnever,1\n").contains("no row can be read"));
        assert!(refusal(b"").contains("no column time_utc"));
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(Replay::open(folder.path()), Err(SensorError::Unreadable { .. })), "a directory");
    }

    #[test]
    fn a_gzip_file_cut_short_gives_what_it_holds_and_says_where_it_breaks() {
        let mut text = b"time_utc,temperature_c\n".to_vec();
        for minute in 0..60 {
            writeln!(text, "2016-06-01T00:{minute:02}:00Z,{}", f64::from(minute * 7919 % 97) / 3.0).expect("in memory");
        }
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(&text).expect("in memory");
        let whole = encoder.finish().expect("in memory");
        let (_folder, replay) = series(&whole);
        assert_eq!(drain(&mut replay.expect("a series")).len(), 60);
        let (_folder, replay) = series(&whole[..whole.len() / 2]);
        let mut replay = replay.expect("its first half can be read");
        let items = drain(&mut replay);
        let reason = &items.last().expect("items").outcome.as_ref().expect_err("the break").reason;
        assert!(items.len() > 10 && reason.contains("the series ends here"), "{reason}");
        assert!(replay.ended());
    }

    #[tokio::test]
    async fn a_reading_comes_when_the_clock_shows_its_time_and_a_dropped_wait_loses_nothing() {
        let (_folder, replay) = series(b"time_utc,temperature_c\n2016-06-01T00:00:00Z,1\n2016-06-01T01:00:00Z,2\n");
        let mut replay = replay.expect("a series");
        let clock = Clock::replay(at("2016-06-01T00:00:00Z"), 600, at("2016-06-01T01:00:00Z"));
        let first = replay.next(&clock).await.expect("due at once");
        assert_eq!(first.position, "2016-06-01T00:00:00Z");
        let early = tokio::time::timeout(std::time::Duration::from_millis(20), replay.next(&clock)).await;
        assert!(early.is_err(), "an hour lasts six seconds at this speed");
        let second = tokio::time::timeout(std::time::Duration::from_secs(30), replay.next(&clock)).await;
        assert_eq!(second.expect("due").expect("the second").position, "2016-06-01T01:00:00Z");
        assert_eq!(clock.now(), at("2016-06-01T01:00:00Z"));
        assert_eq!(replay.next(&clock).await, None);
        assert!(replay.ended());
    }
}
