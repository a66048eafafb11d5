//! What can be asked of the owner of an environment, and what it answers.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::edge_agent::PreviewPicture;
use crate::edge_agent::report::AgentReport;
use crate::edge_agent::uplink::LinkTest;
use crate::owner::agent::Diagnosis;
use crate::owner::hub::{HubAnswer, HubAsk};
use crate::owner::log_buffer::LogLine;
use crate::owner::models::{ModelAnswer, ModelAsk};
use crate::owner::storage::{StorageAnswer, StorageAsk};
use crate::owner::views::{
    CloudCover, Extremes, LoadedFile, NowcastView, PictureView, ReceivedMessage, Series, ShownPicture, Trace,
};
use crate::owner::warehouse::WarehouseAsk;
use crate::provisioning::audit::entry::AuditEntry;
use crate::provisioning::plan::model::{ChangeDetail, PlanList, PlanOutline};
use crate::provisioning::run::{Run, RunLogLine, RunRequest};
use crate::provisioning::status::{RunSummary, StateView};
use crate::settings::EnvironmentName;
use crate::station::Variable;

/// What a viewer can ask for or command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Request {
    /// Send a snapshot now and at every change.
    Subscribe,
    /// Points of one variable between two instants, thinned to at most `max_points`.
    Series {
        /// The device; absent is every device's.
        device: Option<String>,
        /// What is drawn.
        variable: Variable,
        /// First instant, inclusive.
        from: Timestamp,
        /// Last instant, inclusive.
        to: Timestamp,
        /// Points at most.
        max_points: usize,
    },
    /// The newest messages the hub took in, newest first.
    Messages {
        /// Messages at most.
        limit: usize,
    },
    /// One message's way through the pipeline.
    Trace {
        /// Its identity; absent is the newest measurement that has a row.
        message_id: Option<String>,
        /// Whether its rows are asked for where that wakes a warehouse.
        #[serde(default)]
        rows: bool,
    },
    /// The copy history: the newest files, newest first; or what came and changed after a change, in that order.
    CopyHistory {
        /// Only files whose status isn't `Loaded`; not beside `after`.
        failed_only: bool,
        /// Files at most.
        limit: usize,
        /// The last change that is known; 0 for all from the first on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// One line of a batch file.
    FileLine {
        /// Path in the container, as in the copy history.
        file: String,
        /// Line, from 1.
        line: u64,
    },
    /// The nowcast valid at an instant, with what came: the newest one issued at or before it.
    Nowcast {
        /// Issued at or before; absent is the newest.
        at: Option<Timestamp>,
    },
    /// Least and greatest value of every variable between two instants, each with its time.
    Extremes {
        /// The device; absent is every device's.
        device: Option<String>,
        /// First instant, inclusive.
        from: Timestamp,
        /// Last instant, inclusive.
        to: Timestamp,
    },
    /// Pictures of the sky, newest first.
    Pictures {
        /// Only those taken before this instant; absent is the newest.
        before: Option<Timestamp>,
        /// Pictures at most.
        limit: usize,
    },
    /// One picture, made small enough to be shown.
    Picture {
        /// Its blob, as [`PictureView`] names it.
        blob_name: String,
        /// Pixels of its longer side at most, 16 to 2,048; a smaller picture stays as it is.
        max_px: u32,
        /// Whether the cloud mask is drawn over it.
        overlay: bool,
    },
    /// Cloud cover of the pictures taken between two instants, oldest first.
    CloudCover {
        /// First instant, inclusive.
        from: Timestamp,
        /// Last instant, inclusive.
        to: Timestamp,
    },
    /// Lines of the owner's log after a sequence number, oldest first.
    Logs {
        /// Only lines after this number.
        after: u64,
        /// Lines at most (the newest).
        limit: usize,
    },
    /// Set the replay's speed.
    SetSpeed {
        /// Seconds of the series a second, 1 to 600.
        speed: u32,
    },
    /// Acknowledge an alarm.
    AcknowledgeAlarm {
        /// Its rule's name.
        rule: String,
    },
    /// Pause or resume a pipe.
    PausePipe {
        /// The pipe.
        pipe: String,
        /// Whether it is paused.
        paused: bool,
    },
    /// Queue again the files of the last seven days that a pipe has not loaded.
    RefreshPipe {
        /// The pipe.
        pipe: String,
    },
    /// Make a run: it plans as soon as the runs before it have ended.
    StartRun {
        /// Whose ground.
        environment: EnvironmentName,
        /// What is asked of it.
        run: RunRequest,
    },
    /// Apply a run's plan; embedded environments only.
    ApplyRun {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
    },
    /// Look whether a run may be applied, as far as that can be told without a fresh plan. A refusal is told in the audit
    /// trail: somebody wanted to.
    CheckApply {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
    },
    /// End a run: a queued or planned one is discarded, a working one gets one interrupt and ends by itself.
    CancelRun {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
    },
    /// End a run in the stead of a machine that is gone; whoever asks knows that nobody is at work on it any more.
    EndElsewhere {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
    },
    /// Take the state lock from whoever holds it.
    Unlock {
        /// Whose ground.
        environment: EnvironmentName,
        /// The lock's id, as a confirmation.
        id: String,
    },
    /// Put a state in place that an apply couldn't write where it belongs.
    RecoverState {
        /// Whose ground.
        environment: EnvironmentName,
    },
    /// Runs in a line each, newest first.
    Runs {
        /// Whose ground.
        environment: EnvironmentName,
        /// Only runs before this number.
        before: Option<u32>,
        /// Runs at most; 100 where more are asked for.
        limit: usize,
    },
    /// One run, whole.
    Run {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
    },
    /// Lines of a run's log after a number, oldest first.
    RunLog {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
        /// Only lines after this number.
        after: u64,
        /// Lines at most (the newest).
        limit: usize,
    },
    /// Lines of a run's log after a number, from there on: for whoever reads all of it.
    RunLogPage {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
        /// Only lines after this number.
        after: u64,
        /// Lines at most (the oldest).
        limit: usize,
    },
    /// What the state holds.
    State {
        /// Whose ground.
        environment: EnvironmentName,
    },
    /// One resource of the state, as `terraform state show` writes it.
    StateShow {
        /// Whose ground.
        environment: EnvironmentName,
        /// Its address.
        address: String,
    },
    /// A run's plan, without the differences within its resources.
    Plan {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
    },
    /// The differences within some resources of a run's plan.
    PlanDetails {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
        /// Which list of the plan.
        list: PlanList,
        /// Place of the first one, from 0.
        from: usize,
        /// How many at most.
        count: usize,
    },
    /// The difference within one resource with its secrets in clear, while the plan is still kept. It is audited.
    RevealChange {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
        /// Which list of the plan.
        list: PlanList,
        /// Its place there, from 0.
        index: usize,
    },
    /// Approve a run's plan, signed with this owner's key where one is set.
    Approve {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
        /// Why.
        reason: Option<String>,
        /// Whether what the policies deny is approved too; needs a reason.
        override_denials: bool,
    },
    /// Take in an approval that was made elsewhere.
    ImportApproval {
        /// Whose ground.
        environment: EnvironmentName,
        /// The run.
        number: u32,
        /// The approval's file, whole.
        approval: String,
    },
    /// Lines of an environment's audit trail after a number, oldest first.
    Audit {
        /// Whose ground.
        environment: EnvironmentName,
        /// Only entries after this number.
        after: u64,
        /// Entries at most (the newest).
        limit: usize,
    },
    /// Look whether an environment's audit trail is as it was written.
    VerifyAudit {
        /// Whose ground.
        environment: EnvironmentName,
    },
    /// Look into the environment's shared store of runs now.
    RefreshRuns {
        /// Whose ground.
        environment: EnvironmentName,
    },
    /// Something of the environment's local hub.
    Hub(HubAsk),
    /// Something of the environment's models.
    Models(ModelAsk),
    /// Something of the warehouse that is watched.
    Warehouse(WarehouseAsk),
    /// Something of the storage: containers of batches and the queue.
    Storage(StorageAsk),
    /// How the agent of this process stands.
    Agent,
    /// How the device of this process's agent is, with what to do.
    Diagnose {
        /// Whether to answer only once something has changed, or after a few seconds.
        wait: bool,
    },
    /// Try the agent's way to the hub, step by step. Takes a minute and a half at most.
    TestLink,
    /// The newest picture of the agent's camera, small.
    Preview {
        /// Pixels of its longer side at most, 8 to 320.
        max_px: u32,
    },
}

impl Request {
    /// Whether it changes the world, so that a read-only viewer may not send it.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        if let Self::Hub(ask) = self {
            return ask.is_command();
        }
        if let Self::Models(ask) = self {
            return ask.is_command();
        }
        if let Self::Warehouse(ask) = self {
            return ask.is_command();
        }
        if let Self::Storage(ask) = self {
            return ask.is_command();
        }
        matches!(
            self,
            // What wakes a warehouse costs.
            Self::Trace { rows: true, .. }
                | Self::SetSpeed { .. }
                | Self::AcknowledgeAlarm { .. }
                | Self::PausePipe { .. }
                | Self::RefreshPipe { .. }
                | Self::StartRun { .. }
                | Self::ApplyRun { .. }
                | Self::CheckApply { .. }
                | Self::CancelRun { .. }
                | Self::EndElsewhere { .. }
                | Self::Unlock { .. }
                | Self::RecoverState { .. }
                | Self::RevealChange { .. }
                | Self::Approve { .. }
                | Self::ImportApproval { .. }
        )
    }
}

/// An answer's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "of")]
pub enum Answer {
    /// Done; what was done in words.
    Done {
        /// For people.
        message: String,
    },
    /// To [`Request::Series`].
    Series(Series),
    /// To [`Request::Messages`].
    Messages {
        /// Newest first.
        messages: Vec<ReceivedMessage>,
    },
    /// To [`Request::Trace`].
    Trace(Box<Trace>),
    /// To [`Request::CopyHistory`].
    CopyHistory {
        /// In the order that was asked for.
        files: Vec<LoadedFile>,
        /// The last change in it; none there: the one that was asked about.
        #[serde(default)]
        upto: u64,
        /// Files there are.
        #[serde(default)]
        total: u64,
    },
    /// To [`Request::FileLine`].
    FileLine {
        /// The line, made printable and cut at 4,096 characters.
        text: String,
    },
    /// To [`Request::Nowcast`]; absent before the first.
    Nowcast {
        /// The nowcast and what came.
        nowcast: Option<Box<NowcastView>>,
    },
    /// To [`Request::Extremes`].
    Extremes {
        /// One entry a variable that has values there.
        extremes: Vec<Extremes>,
    },
    /// To [`Request::Pictures`].
    Pictures {
        /// Newest first.
        pictures: Vec<PictureView>,
    },
    /// To [`Request::Picture`].
    Picture(Box<ShownPicture>),
    /// To [`Request::CloudCover`].
    CloudCover {
        /// Oldest first; a picture whose cover couldn't be told is left out.
        covers: Vec<CloudCover>,
    },
    /// To [`Request::Logs`].
    Logs {
        /// Oldest first.
        lines: Vec<LogLine>,
    },
    /// To [`Request::StartRun`].
    RunStarted {
        /// Its number.
        number: u32,
    },
    /// To [`Request::Runs`].
    Runs {
        /// Newest first.
        runs: Vec<RunSummary>,
    },
    /// To [`Request::Run`].
    Run {
        /// The run.
        run: Box<Run>,
    },
    /// To [`Request::RunLog`] and [`Request::RunLogPage`].
    RunLog {
        /// Oldest first.
        lines: Vec<RunLogLine>,
    },
    /// To [`Request::State`].
    State {
        /// What it holds.
        state: StateView,
    },
    /// To [`Request::StateShow`].
    StateShow {
        /// Terraform's words, sensitive values masked.
        text: String,
    },
    /// To [`Request::Plan`].
    Plan {
        /// The plan.
        plan: Arc<PlanOutline>,
    },
    /// To [`Request::PlanDetails`] and [`Request::RevealChange`].
    PlanDetails {
        /// In the plan's order.
        details: Vec<ChangeDetail>,
    },
    /// To [`Request::Approve`].
    Approved {
        /// For people.
        message: String,
        /// The approval's file, whole: it can be handed to whoever applies.
        approval: String,
    },
    /// To [`Request::Audit`].
    Audit {
        /// Oldest first.
        entries: Vec<AuditEntry>,
    },
    /// To [`Request::VerifyAudit`].
    AuditVerdict {
        /// Entries in the trail.
        entries: u64,
        /// What is wrong with it, each naming an entry; empty where it is as it was written.
        faults: Vec<String>,
    },
    /// To [`Request::Hub`].
    Hub(HubAnswer),
    /// To [`Request::Storage`].
    Storage(StorageAnswer),
    /// To [`Request::Models`].
    Models(ModelAnswer),
    /// To [`Request::Agent`].
    Agent {
        /// What it says of itself.
        report: Arc<AgentReport>,
    },
    /// To [`Request::Diagnose`].
    Diagnosis {
        /// How it is.
        diagnosis: Arc<Diagnosis>,
    },
    /// To [`Request::TestLink`].
    LinkTest {
        /// How it went; absent where the agent has no link.
        test: Option<LinkTest>,
    },
    /// To [`Request::Preview`].
    Preview {
        /// The picture; absent before the first since the start.
        picture: Option<PreviewPicture>,
    },
}
