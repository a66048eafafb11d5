//! The process that owns a running environment: its socket, snapshots and commands; and the client that
//! attaches to it.

pub mod agent;
#[cfg(feature = "local")]
mod alarms;
#[cfg(feature = "local")]
mod answers;
#[cfg(feature = "local")]
pub mod archive;
mod client;
#[cfg(all(feature = "local", feature = "cloud"))]
mod cloud;
#[cfg(feature = "local")]
mod containers;
mod figures;
#[cfg(feature = "_ground")]
mod ground;
#[cfg(feature = "_ground")]
pub mod hub;
mod lamp;
#[cfg(feature = "local")]
mod loads;
mod lock;
mod log_buffer;
#[cfg(feature = "_ground")]
pub mod models;
#[cfg(feature = "local")]
mod parts;
#[cfg(feature = "local")]
mod pictures;
#[cfg(feature = "_ground")]
pub mod policies;
mod protocol;
#[cfg(feature = "_ground")]
pub mod provisioning;
#[cfg(feature = "local")]
mod publisher;
#[cfg(feature = "local")]
mod rates;
#[cfg(feature = "_ground")]
pub mod rehearsal;
#[cfg(feature = "console")]
pub mod remote;
#[cfg(feature = "local")]
mod rivals;
#[cfg(feature = "_ground")]
pub mod runner;
#[cfg(feature = "local")]
mod running;
#[cfg(feature = "agent")]
pub mod service;
#[cfg(feature = "local")]
pub mod sky;
#[cfg(feature = "_ground")]
mod snapshot;
mod socket;
#[cfg(feature = "local")]
mod sockets;
#[cfg(feature = "local")]
mod stages;
#[cfg(feature = "_ground")]
mod storage;
#[cfg(feature = "local")]
mod stores;
#[cfg(feature = "_ground")]
mod views;
#[cfg(feature = "_ground")]
mod warehouse;

#[cfg(feature = "_ground")]
use crate::settings::Folders;

pub use agent::{
    Beside, DeviceFinding, Diagnosis, Fact, Gauge, GaugeKind, NO_CAMERA, agent_facts, agent_troubles, device_findings,
    gauges, machine_facts,
};
#[cfg(any(feature = "agent", feature = "diag"))]
pub use agent::{DeviceDesk, Starting};
#[cfg(feature = "_ground")]
pub use client::OwnerClient;
pub use client::{Ask, AskError};
pub use lamp::Lamp;
pub use lock::{FolderLock, LockError};
pub use log_buffer::{BufferLayer, LogBuffer, LogLine};
pub use protocol::{Answer, Envelope, PROTOCOL_VERSION, Refusal, Reply, Request};
#[cfg(feature = "local")]
pub use running::{Running, StartError, start, start_with};
#[cfg(any(feature = "agent", feature = "local"))]
pub use socket::Access;
pub use socket::{AttachError, ask_within};
#[cfg(feature = "_ground")]
pub use {
    ground::TopologySummary,
    hub::{Fault, HubAnswer, HubAsk, HubDevice, HubFaults, HubPorts, HubTwin, Proof, Standing, TwinLine, twin_lines},
    snapshot::{Alarm, Device, NoticeQueue, Now, OwnerInfo, Pipe, Score, Severity, Snapshot, Stage, StageName},
    storage::{
        BatchLine, BatchView, ContainerView, ExpiryView, GapView, LastPicture, PoisonView, QueueWatch, StorageAnswer,
        StorageAsk, StorageView,
    },
    views::{
        CloudCover, Extremes, FlagMark, KnownBy, LoadedFile, NowcastView, PicturePlace, PictureView, PictureWatch,
        Point, ReceivedMessage, RowPlace, RowsFound, Series, ShownPicture, Trace, TraceHop,
    },
    warehouse::{PipeWatch, WarehouseAsk, WarehouseView},
};

// The languages of the agent and of runs, for those who see the owner only.
pub use crate::edge_agent::report::{AgentReport, FallbackReport, Verdict, VerdictStatus};
pub use crate::edge_agent::uplink::{LinkStep, LinkTest, StepName, StepOutcome};
pub use crate::edge_agent::{PreviewPicture, Pulse};
#[cfg(feature = "_ground")]
pub use crate::provisioning::{
    approval::record::{Approval, ApprovalView, PlanRecord, Signed},
    audit::entry::{AuditEntry, AuditEvent},
    plan::export,
    plan::lines::lines as difference_lines,
    plan::model::{
        ChangeDetail, Container, Content, DiffNode, Difference, PlanCheck, PlanList, PlanOutline, PlanVariable,
        PlannedChange, Shown,
    },
    plan::tree::{ChangeFilter, PlanTree, TreePart},
    policy::finding::{Finding, Severity as FindingSeverity},
    run::{
        ChangeAction, ChangeCounts, Diagnostic, Failure, LogLevel, Operation, Phase, Progress, ResourceChange, Run,
        RunLogLine, RunRequest, StepRecord,
    },
    shared::crypt::make_plan_key,
    status::{
        EnvironmentStatus, LockHolder, OutputValue, ProvisioningStatus, RunSummary, StateResource, StateView,
        TerraformStatus,
    },
    words::{INSTALL, command},
};

/// Attaches to the owner of the environment in `folders`; `None` where nobody runs it.
#[cfg(feature = "_ground")]
pub async fn attach(folders: &Folders) -> Result<Option<OwnerClient>, AttachError> {
    socket::attach(&folders.socket()).await
}
