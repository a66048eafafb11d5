//! Runs that several machines share: an author, an approver and a machine of CI, each with a home of its own, on a
//! folder and on Azurite.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod azure;
#[path = "../peers/azurite.rs"]
mod azurite;
mod folder;
mod homes;
#[path = "../peers/proxy.rs"]
#[allow(dead_code, reason = "shared with the tests of uploads")]
mod proxy;
mod scenarios;
