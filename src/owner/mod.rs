//! The process that owns a running environment: its socket, snapshots and commands; and the client that
//! attaches to it.

pub mod agent;
mod alarms;
mod answers;
pub mod archive;
mod client;
mod ground;
pub mod hub;
mod lock;
mod log_buffer;
mod pictures;
pub mod policies;
mod protocol;
pub mod provisioning;
mod publisher;
mod rates;
pub mod rehearsal;
mod rivals;
pub mod runner;
mod running;
pub mod sky;
mod snapshot;
mod socket;
mod sockets;
mod stages;
mod stores;
mod views;

use crate::settings::Folders;

pub use agent::{Fact, agent_facts, agent_troubles};
pub use client::{Ask, AskError, OwnerClient};
pub use ground::TopologySummary;
pub use hub::{Fault, HubAnswer, HubAsk, HubDevice, HubFaults, HubTwin, Proof, Standing, TwinLine, twin_lines};
pub use lock::{FolderLock, LockError};
pub use log_buffer::{BufferLayer, LogBuffer};
pub use protocol::{Answer, Envelope, PROTOCOL_VERSION, Refusal, Reply, Request};
pub use running::{Running, StartError, start, start_with};
pub use snapshot::{
    Alarm, Device, Lamp, LogLine, NoticeQueue, Now, OwnerInfo, Pipe, Score, Severity, Snapshot, Stage, StageName,
};
pub use socket::{AttachError, ask_once};
pub use views::{
    CloudCover, Extremes, FlagMark, LoadedFile, NowcastView, PicturePlace, PictureView, Point, ReceivedMessage, Series,
    ShownPicture, Trace, TraceHop,
};

// The languages of the agent and of runs, for those who see the owner only.
pub use crate::edge_agent::report::{AgentReport, Verdict, VerdictStatus};
pub use crate::provisioning::approval::record::{Approval, ApprovalView, PlanRecord, Signed};
pub use crate::provisioning::audit::entry::{AuditEntry, AuditEvent};
pub use crate::provisioning::plan::export;
pub use crate::provisioning::plan::lines::lines as difference_lines;
pub use crate::provisioning::plan::model::{
    ChangeDetail, Container, Content, DiffNode, Difference, PlanCheck, PlanList, PlanOutline, PlanVariable,
    PlannedChange, Shown,
};
pub use crate::provisioning::plan::tree::{ChangeFilter, PlanTree, TreePart};
pub use crate::provisioning::policy::finding::{Finding, Severity as FindingSeverity};
pub use crate::provisioning::run::{
    ChangeAction, ChangeCounts, Diagnostic, Failure, LogLevel, Operation, Phase, Progress, ResourceChange, Run,
    RunLogLine, RunRequest, StepRecord,
};
pub use crate::provisioning::shared::crypt::make_plan_key;
pub use crate::provisioning::status::{
    EnvironmentStatus, LockHolder, OutputValue, ProvisioningStatus, RunSummary, StateResource, StateView,
    TerraformStatus,
};
pub use crate::provisioning::words::{INSTALL, command};

/// Attaches to the owner of the environment in `folders`; `None` where nobody runs it.
pub async fn attach(folders: &Folders) -> Result<Option<OwnerClient>, AttachError> {
    socket::attach(&folders.socket()).await
}
