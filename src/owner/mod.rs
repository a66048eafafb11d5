//! The process that owns a running environment: its socket, snapshots and commands; and the client that
//! attaches to it.

pub mod archive;
mod client;
mod lock;
mod log_buffer;
mod protocol;
mod snapshot;

pub use client::{Ask, AskError, OwnerClient};
pub use lock::{FolderLock, LockError};
pub use log_buffer::{BufferLayer, LogBuffer};
pub use protocol::{
    Answer, Envelope, LoadedFile, NowcastView, PROTOCOL_VERSION, Point, ReceivedMessage, Reply, Request, Series, Trace,
    TraceHop,
};
pub use snapshot::{
    Alarm, Device, Lamp, LogLine, NoticeQueue, Now, OwnerInfo, Pipe, Score, Severity, Snapshot, Stage, StageName,
};
