//! The storage account in the cloud, watched: containers of batches and pictures, the queue of notices, and when what opens
//! them ends. Nothing is written, and nothing is taken but a notice that somebody takes off the queue.
//!
//! `store` one container, read · `pictures` the container of pictures · `gaps` batches that should be there · `queue` the notices,
//! looked into · `aside` those that were taken off it · `expiry` tokens and certificates that end · `error` what Azure says, with
//! what to do · `watcher` all of it, asked each minute.

mod aside;
mod error;
mod expiry;
mod gaps;
mod pictures;
mod queue;
mod store;
mod watcher;

pub use crate::ingestion::lines::BlobLine;
pub use crate::ingestion::written::BatchFile;
pub use aside::{AsideNotice, AsideNotices};
pub use error::AccountError;
pub use expiry::{Expiry, Urgency, expiries};
pub use gaps::{Gap, gaps};
pub use pictures::{NameTells, PictureBlob, PictureContainer, PicturesStatus, name_tells};
pub use queue::{Notices, PoisonNotice, QueueView};
pub use store::BatchStore;
pub use watcher::{AccountStatus, AccountWatcher, ContainerStatus};
