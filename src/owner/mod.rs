//! The process that owns a running environment: its socket, snapshots and commands; and the client that
//! attaches to it.

mod alarms;
mod answers;
pub mod archive;
mod client;
mod lock;
mod log_buffer;
mod protocol;
pub mod provisioning;
mod publisher;
mod rates;
pub mod rehearsal;
pub mod runner;
mod running;
mod snapshot;
mod socket;
mod stages;

use crate::settings::Folders;

pub use client::{Ask, AskError, OwnerClient};
pub use lock::{FolderLock, LockError};
pub use log_buffer::{BufferLayer, LogBuffer};
pub use protocol::{
    Answer, Envelope, LoadedFile, NowcastView, PROTOCOL_VERSION, Point, ReceivedMessage, Reply, Request, Series, Trace,
    TraceHop,
};
pub use running::{Running, StartError, start, start_with};
pub use snapshot::{
    Alarm, Device, Lamp, LogLine, NoticeQueue, Now, OwnerInfo, Pipe, Score, Severity, Snapshot, Stage, StageName,
};
pub use socket::AttachError;

/// Attaches to the owner of the environment in `folders`; `None` where nobody runs it.
pub async fn attach(folders: &Folders) -> Result<Option<OwnerClient>, AttachError> {
    socket::attach(&folders.socket()).await
}
