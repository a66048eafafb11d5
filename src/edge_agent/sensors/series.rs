//! A recorded series as a file: its columns, and its rows as readings.
//!
//! CSV, gzip allowed, with a header line. `time_utc` (RFC 3339, ascending) is required; the other columns are those
//! of [`COLUMNS`]. An empty cell is an absent value.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;

use super::{Rejected, SensorError, shortened};
use crate::station::text::printable;
use crate::station::units::illuminance_lx;
use crate::station::{QcFlag, Reading, Variable};

/// The month skydeck carries; its README has source and acknowledgement.
const CARRIED: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/series/payerne_2016-06_1min.csv.gz"));
/// Its name for people.
pub(super) const CARRIED_NAME: &str = "Payerne, June 2016 (BSRN, MeteoSwiss)";
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

/// Where the series is.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// In skydeck itself.
    Carried,
    /// In a file.
    File(PathBuf),
}

/// The rows of a series, decoded one at a time.
pub(super) struct Rows {
    /// The series' name, printable.
    pub name: String,
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
    /// Opens the series and reads its header.
    pub fn open(origin: &Origin) -> Result<Self, SensorError> {
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
    pub fn span(mut self) -> Result<(Timestamp, Timestamp), SensorError> {
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

    /// The next row; `None` at the end.
    pub fn next_row(&mut self) -> Option<Result<Reading, Rejected>> {
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
