//! What the agent says of itself, for whoever looks: the owner's snapshot, `skydeck agent status`, `diagnose`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::outbox::OutboxStatus;
use super::uplink::UplinkStatus;
use crate::station::{Machine, Variable};

/// The agent's whole report. It changes when something in it does, never by itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentReport {
    /// The device.
    pub device_id: String,
    /// Version of the agent.
    pub version: String,
    /// When it started, by the clock as it is known now.
    pub started_at: Option<Timestamp>,
    /// The source and what was measured.
    pub source: AgentStatus,
    /// The outbox.
    pub outbox: OutboxStatus,
    /// The link.
    pub uplink: UplinkStatus,
    /// The machine's clock.
    pub clock: ClockReport,
    /// The twin.
    pub twin: TwinReport,
    /// The model slot.
    pub model: ModelReport,
    /// The camera; absent where there is none.
    pub camera: Option<CameraReport>,
    /// Methods served, by name.
    pub methods: BTreeMap<String, MethodReport>,
    /// The newest 50 messages to the device, newest last.
    pub received: Vec<Received>,
    /// Outboxes found broken and salvaged, since the first.
    pub salvages: u64,
    /// What the newest salvage saved and lost, in words.
    pub last_salvage: Option<String>,
    /// The machine it runs on, as it was last read; absent before the first reading.
    pub machine: Option<Machine>,
}

/// How the source is, and what was made of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentStatus {
    /// Where readings come from, in words.
    pub source: String,
    /// Whether there is a source at all.
    pub has_source: bool,
    /// Whether it has come to its end.
    pub source_ended: bool,
    /// Readings stored since the start.
    pub measured: u64,
    /// Readings passed over since the start, because they came sooner than was asked for.
    pub passed_over: u64,
    /// When the newest reading was made.
    pub last_measured_at: Option<Timestamp>,
    /// When the newest reading came, and before the first when it began to be waited for, by the wall clock; absent without
    /// a source.
    pub quiet_since: Option<Timestamp>,
    /// The longest of the newest waits between two readings, seconds; absent before the second reading.
    pub gap_s: Option<f64>,
    /// Issue time of the newest nowcast.
    pub last_issue_at: Option<Timestamp>,
    /// The model in the slot.
    pub model_id: Option<String>,
    /// What last went wrong, until it goes well again.
    pub last_error: Option<String>,
    /// The sensors of `source.kind = "sensors"`, by name.
    pub sensors: Vec<SensorReport>,
}

/// One sensor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SensorReport {
    /// Its name in the settings.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The variables it gives.
    pub gives: Vec<Variable>,
    /// Whether it can be read.
    pub state: SensorState,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When it was last read.
    pub last_read_at: Option<Timestamp>,
    /// How often it was read since the start.
    pub reads: u64,
    /// How often something was wrong since the start: it couldn't be read, or what it gave couldn't.
    pub errors: u64,
    /// What was last wrong, printable.
    pub last_error: Option<String>,
    /// When.
    pub last_error_at: Option<Timestamp>,
}

/// Whether a sensor can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SensorState {
    /// It wasn't read yet.
    #[default]
    Waiting,
    /// It is read.
    Read,
    /// It can't be read, and is tried again.
    Absent,
}

/// The machine's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClockReport {
    /// The boot's random id.
    pub boot_id: String,
    /// Whether the clock is set; a replay needs none.
    pub is_set: bool,
    /// Messages given their time after the fact, since the start.
    pub restamped: u64,
    /// Messages that will never have one, since the start.
    pub never_dated: u64,
    /// When the clock was last set, by itself.
    pub last_set_at: Option<Timestamp>,
    /// By how much it last stepped, seconds; negative is back.
    pub last_step_s: Option<f64>,
}

/// The twin as the agent keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TwinReport {
    /// Version of the desired properties; 0 before the first.
    pub version: u64,
    /// The desired properties.
    pub desired: Value,
    /// The reported properties.
    pub reported: Value,
    /// What became of each desired key.
    pub verdicts: BTreeMap<String, Verdict>,
}

/// What became of a desired property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The value asked for; `null` where it is too long to be repeated.
    pub value: Value,
    /// The desired properties' version with which it came.
    pub version: u64,
    /// Whether it holds.
    pub status: VerdictStatus,
    /// Why it doesn't, or by what it is overruled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether a desired property holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VerdictStatus {
    /// It holds.
    Applied,
    /// It isn't taken, and changes nothing.
    Refused,
    /// It was taken; the method `set_interval` was called after it.
    Overruled,
    /// It would be taken, and something else has to happen first.
    Waiting,
}

/// The model slot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelReport {
    /// The model in it.
    pub current: String,
    /// Digest of its package, hexadecimal; absent for one that comes with skydeck.
    pub sha256: Option<String>,
    /// The one before, for a rollback.
    pub previous: Option<String>,
    /// When it was put to work; absent for the one it came with.
    pub deployed_at: Option<Timestamp>,
    /// Why the one before was given up, until something is deployed.
    pub fallback: Option<FallbackReport>,
    /// A package that is on its way into the slot, or that failed on it.
    pub deploying: Option<DeployReport>,
    /// Nowcasts it made since the start.
    pub runs: u64,
    /// Milliseconds that the newest took.
    pub last_run_ms: Option<f64>,
    /// The longest since the start.
    pub longest_run_ms: Option<f64>,
    /// Nowcasts of the last seven days that the agent has verified.
    pub verified: u64,
    /// Their skill beside persistence: 1 is perfect, 0 no better; absent with fewer than five days of them.
    pub skill: Option<f64>,
}

/// A model that was given up by the agent itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FallbackReport {
    /// Which.
    pub from: String,
    /// Why, printable.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A package on its way into the slot. The link it is fetched by isn't kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeployReport {
    /// Its model.
    pub model: String,
    /// Its digest, hexadecimal.
    pub sha256: String,
    /// When it was asked for.
    pub asked_at: Option<Timestamp>,
    /// How far it is.
    pub state: DeployState,
    /// Bytes fetched.
    pub done_bytes: u64,
    /// Of how many, once that is known.
    pub total_bytes: Option<u64>,
    /// Why it failed, printable.
    pub error: Option<String>,
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeployState {
    /// It is fetched.
    #[default]
    Fetching,
    /// Its digest, signature and self-test are checked.
    Checking,
    /// It takes in the history.
    Priming,
    /// It isn't put to work.
    Failed,
}

/// The camera and its pictures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CameraReport {
    /// What takes the pictures, in words.
    pub source: String,
    /// Pictures taken since the start.
    pub taken: u64,
    /// Attempts that failed since the start.
    pub failed: u64,
    /// When the newest was taken.
    pub last_taken_at: Option<Timestamp>,
    /// What last went wrong with the camera, until it goes well again.
    pub last_error: Option<String>,
    /// Pictures waiting to be uploaded.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Pictures uploaded since the start.
    pub uploaded: u64,
    /// Pictures given up, thinned out or the oldest, because the spool was over its bound, since the first.
    pub given_up: u64,
    /// What last went wrong with an upload, or what it waits for.
    pub upload_state: Option<String>,
}

/// How often a method was served.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MethodReport {
    /// Calls since the start.
    pub calls: u64,
    /// When the newest came.
    pub last_at: Option<Timestamp>,
    /// Its answer's status.
    pub last_status: u16,
}

/// A message to the device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Received {
    /// When it came.
    pub at: Option<Timestamp>,
    /// Its identity, where the sender gave one; printable.
    pub message_id: Option<String>,
    /// The method it asked for.
    pub command: Option<String>,
    /// Its properties, printable and shortened.
    pub properties: BTreeMap<String, String>,
    /// The beginning of its body, printable.
    pub body: String,
    /// What became of it.
    pub outcome: String,
}
