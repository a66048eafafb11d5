//! What is shown, as files: tables as CSV and JSON, charts as PNG and SVG, a plan as Markdown, HTML and JSON.
//!
//! A screen hands over an [`Exportable`], a value; the console's runner has [`write`] make the file. `table`, `chart` and
//! `plan` make bytes and touch no file; `file` names and writes them, and never overwrites one. The font that drawings
//! are lettered in is carried in `fonts/`, with its licence.

mod chart;
mod file;
mod plan;
mod table;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use file::{ExportError, write};
pub use plan::PlanReport;

/// Something a screen shows and that can be written to a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Exportable {
    /// Rows and columns.
    Table(Table),
    /// Lines and bands over time.
    Chart(Chart),
    /// A plan, whole.
    Plan(PlanReport),
}

impl Exportable {
    /// Name for files and lists: `telemetry-temperature`, `copy-history`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Table(table) => &table.name,
            Self::Chart(chart) => &chart.name,
            Self::Plan(plan) => &plan.name,
        }
    }

    /// The instant in its file's name: a plan is made by the wall clock, everything else by the pipeline's, which may
    /// replay.
    #[must_use]
    pub const fn at(&self, pipeline: Timestamp, wall: Timestamp) -> Timestamp {
        match self {
            Self::Plan(_) => wall,
            Self::Table(_) | Self::Chart(_) => pipeline,
        }
    }

    /// The formats it can be written in.
    #[must_use]
    pub const fn formats(&self) -> &'static [Format] {
        match self {
            Self::Table(_) => &[Format::Csv, Format::Json],
            Self::Chart(_) => &[Format::Png, Format::Svg],
            Self::Plan(_) => &[Format::Markdown, Format::Html, Format::Json],
        }
    }
}

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180), a header line first.
    Csv,
    /// A table's rows as an array of objects; a plan as one object.
    Json,
    /// A bitmap.
    Png,
    /// A vector drawing.
    Svg,
    /// For a pull request's comment.
    Markdown,
    /// One file for a browser.
    Html,
}

impl Format {
    /// The file name's extension.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Markdown => "md",
            Self::Html => "html",
        }
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name for files and lists.
    pub name: String,
    /// Column names, with units where they have any.
    pub columns: Vec<String>,
    /// Rows of as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// A table's cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing is known.
    Absent,
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// An instant, written as RFC 3339 in UTC.
    Time(Timestamp),
}

/// A chart over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Name for files and lists.
    pub name: String,
    /// Title, with the station's name.
    pub title: String,
    /// Label of the y axis: quantity and unit.
    pub y_label: String,
    /// Values that can't be exceeded: the axis stops there.
    pub bounds: (f64, f64),
    /// Least span of the y axis.
    pub min_span: f64,
    /// Zone of the time axis.
    pub zone: TimeZone,
    /// First instant shown.
    pub from: Timestamp,
    /// Last instant shown.
    pub to: Timestamp,
    /// Lines.
    pub lines: Vec<Line>,
    /// Bands behind the lines, widest first.
    pub bands: Vec<Band>,
    /// Instants marked with a vertical line and a label, such as the issue time.
    pub marks: Vec<(Timestamp, String)>,
    /// Values marked with a horizontal line and a label, such as an alarm's limit.
    pub limits: Vec<(f64, String)>,
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// For the legend.
    pub label: String,
    /// Points in order of time.
    pub points: Vec<(Timestamp, f64)>,
    /// Neighbours further apart than this, seconds, aren't joined.
    pub gap_s: f64,
    /// Whether it is dashed, as a forecast is.
    pub dashed: bool,
}

/// A band of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// For the legend.
    pub label: String,
    /// Instant, lower end, upper end; in order of time.
    pub points: Vec<(Timestamp, f64, f64)>,
    /// Neighbours further apart than this, seconds, aren't joined.
    pub gap_s: f64,
}
