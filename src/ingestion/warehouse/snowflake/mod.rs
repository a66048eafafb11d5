//! Snowflake, watched: pipes, what became of every file, rows and what all of it costs.
//!
//! `account` who signs in · `session` one session, renewed · `clock` why a key may be refused · `statements` every statement
//! there is · `pipe`, `status`, `copies` what is answered · `mends` who has to be allowed · `schedule`, `credits` when the
//! warehouse may be woken, and for how much · `history` what Snowflake forgets · `watcher` all of it together, published as
//! `watched` · `commands` what operators do. Called by the owner of an environment in the cloud.

mod account;
mod clock;
mod commands;
mod copies;
mod credits;
mod error;
mod history;
mod mends;
mod pipe;
mod schedule;
mod session;
pub mod statements;
mod status;
mod watched;
mod watcher;

pub use account::Account;
pub use copies::{Copied, FoundRow, RowFigures};
pub use credits::WarehouseCost;
pub use error::SnowflakeError;
pub use history::{FilePage, History, KnownFile, PipeFiles, Remade, Wakes};
pub use pipe::{Name, PipeInfo};
pub use schedule::Verdict;
pub use session::{Row, Snowflake};
pub use status::PipeStatus;
pub use watched::{FRESH, WarehouseStatus, WatchedPipe};
pub use watcher::{Memory, Watcher};
