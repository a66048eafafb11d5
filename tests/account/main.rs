//! The storage account as it is watched: at Azurite, Microsoft's own storage, and at servers that answer as the account does
//! when something is wrong.
#![cfg(all(feature = "local", feature = "cloud"))]
#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[allow(dead_code, reason = "what the peer can do, and not every test needs")]
#[path = "../peers/azurite.rs"]
mod azurite;

mod blobs;
mod pictures;
mod place;
mod queue;
mod wrong;
