//! What answers hold: series, messages, traces, files, nowcasts, pictures.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::ledger::Hop;
use crate::station::{Prediction, QcFlag, SkyFeatures, Variable};

/// Points of one variable. A gap in the data is a gap between segments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// What it is of.
    pub variable: Variable,
    /// Points in order of time.
    pub points: Vec<Point>,
    /// Longest distance between neighbours that still counts as connected, seconds.
    pub gap_s: f64,
    /// What quality control said of values in it, in order of time, at most one a bin and flag. Values that are only
    /// derived aren't listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagMark>,
}

/// A flag that quality control gave a value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FlagMark {
    /// When the value was measured.
    pub at: Timestamp,
    /// What it was flagged as.
    pub flag: QcFlag,
}

/// The least and the greatest value of one variable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extremes {
    /// Which.
    pub variable: Variable,
    /// Least value, in the variable's unit.
    pub min: f64,
    /// When it was first measured.
    pub min_at: Timestamp,
    /// Greatest value.
    pub max: f64,
    /// When it was first measured.
    pub max_at: Timestamp,
}

/// A picture of the sky, as its note tells of it; without one, as its blob does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PictureView {
    /// Its blob in the pictures' container.
    pub blob_name: String,
    /// The device that took it; empty where nothing tells.
    pub device_id: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// What was seen on it.
    pub analysis: Option<SkyFeatures>,
    /// Where it is.
    pub place: PicturePlace,
    /// By what it is known.
    #[serde(default, skip_serializing_if = "KnownBy::is_note")]
    pub known_by: KnownBy,
}

/// By what a picture is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KnownBy {
    /// By its note.
    #[default]
    Note,
    /// By its blob alone, whose name tells device and time.
    Name,
    /// By its blob alone: the time is when that was written.
    Writing,
}

impl KnownBy {
    /// Whether there is a note.
    #[must_use]
    pub const fn is_note(&self) -> bool {
        matches!(self, Self::Note)
    }
}

/// Where a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PicturePlace {
    /// In the container.
    Uploaded,
    /// Told of, and not in the container: it waits on the device, or was taken away.
    Absent,
}

/// A picture as viewers get it: decoded, turned upright, made small and encoded anew by the owner, so that nobody else
/// has to read what a camera wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownPicture {
    /// Its blob.
    pub blob_name: String,
    /// Width of what is sent, pixels.
    pub width: u32,
    /// Height of what is sent, pixels.
    pub height: u32,
    /// Width of the picture itself, pixels; 0 where only its thumbnail was read and nothing tells.
    pub original_width: u32,
    /// Height of the picture itself, pixels; 0 likewise.
    pub original_height: u32,
    /// A JPEG, base64.
    pub jpeg: String,
    /// What the cloud mask that is drawn over it shows; absent where none was asked for.
    pub mask: Option<String>,
    /// When its file says that it was taken (EXIF; where that tells no offset from UTC, in the station's zone).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
}

/// Pictures in the cloud, as they are watched. Another value says that there is news of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PictureWatch {
    /// Pictures of the last three days in the container.
    pub listed: u64,
    /// The blob that was written last.
    pub newest: Option<String>,
    /// Why the container can't be looked at.
    pub trouble: Option<String>,
}

/// The cloud cover that one picture showed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudCover {
    /// When it was taken.
    pub at: Timestamp,
    /// Share of the visible sky covered by cloud, %.
    pub cover_pct: f64,
    /// The same in eighths, as observers report it; absent where the device didn't tell.
    pub okta: Option<u8>,
}

/// One point of a series: the mean of what falls into its bin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Middle of the bin.
    pub at: Timestamp,
    /// Mean.
    pub mean: f64,
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
}

/// A message as the hub received it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedMessage {
    /// The device that sent it.
    pub device_id: String,
    /// `$.mid`; absent where the sender gave none.
    pub message_id: Option<String>,
    /// `type` of its body; absent where it has none.
    pub message_type: Option<String>,
    /// When the hub made it durable.
    pub enqueued_at: Timestamp,
    /// `measuredAt` of its body.
    pub measured_at: Option<Timestamp>,
    /// The body: JSON, or a base64 string where the sender didn't say it is JSON.
    pub body: Value,
    /// Properties the device set.
    pub properties: Value,
    /// Properties the hub set.
    pub system_properties: Value,
}

/// One message's way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// Its identity.
    pub message_id: String,
    /// The device.
    pub device_id: String,
    /// `type` of its body.
    pub message_type: Option<String>,
    /// One entry a hop, in order; a hop not reached yet has no time.
    pub hops: Vec<TraceHop>,
    /// Batch file it went into.
    pub file: Option<String>,
    /// Line of that file, from 1.
    pub file_line: Option<u64>,
    /// Table its row is in.
    pub table: Option<String>,
    /// Its rows; absent where they weren't asked for, since that wakes a warehouse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowsFound>,
    /// The message as received, where hub or table still have it.
    pub message: Option<ReceivedMessage>,
}

impl Trace {
    /// A hop's time in words where there is none: a message may not have come there yet, or nothing told when it did.
    #[must_use]
    pub fn without_time(&self, hop: Hop) -> &'static str {
        let is_passed = self.hops.iter().any(|later| later.hop > hop && later.at.is_some());
        if is_passed { "not told" } else { "not yet" }
    }
}

/// The rows of a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowsFound {
    /// One, or more where it was loaded more than once; the first loaded first.
    pub rows: Vec<RowPlace>,
    /// Why they can't be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Where a row is and comes from, by the table's own columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowPlace {
    /// The table.
    pub table: String,
    /// The file it was loaded from: its path in the stage.
    pub file: String,
    /// Line of that file, from 1.
    pub line: u64,
    /// When its load began to read the file; embedded: when it was loaded.
    pub loaded_at: Option<Timestamp>,
}

/// One hop of a message's way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceHop {
    /// Which.
    pub hop: Hop,
    /// When, in pipeline time.
    pub at: Option<Timestamp>,
    /// Seconds since the hop before.
    pub latency_s: Option<f64>,
    /// Whether that was read from the monotonic clock; otherwise it is a difference of stamps.
    pub monotonic: bool,
    /// Where: the outbox, the hub, the file, the table.
    pub place: String,
}

/// One file in the copy history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedFile {
    /// Its entry in the history.
    #[serde(default)]
    pub id: u64,
    /// Path in its container.
    pub file: String,
    /// The pipe.
    pub pipe: String,
    /// The table.
    pub table: String,
    /// When the load was done or failed.
    pub loaded_at: Timestamp,
    /// `Loaded`, `Load failed` or `Load skipped`, as Snowflake's copy history says it.
    pub status: String,
    /// Rows parsed.
    pub rows_parsed: u64,
    /// Rows stored.
    pub rows_loaded: u64,
    /// Rows left out because their message was there already.
    pub duplicates: u64,
    /// Size, bytes.
    pub bytes: u64,
    /// First error.
    pub first_error: Option<String>,
    /// Its line, from 1.
    pub first_error_line: Option<u64>,
    /// Its column, from 1.
    pub first_error_column: Option<u64>,
}

/// A nowcast beside what came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NowcastView {
    /// The forecast.
    pub prediction: Prediction,
    /// Measurements from six hours before the issue time to the last valid time, a mean per ten minutes.
    pub measured: Vec<Series>,
}
