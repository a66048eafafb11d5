//! Whole journeys of the real binary: the console in a pseudo-terminal, several viewers, no terminal at all.
//!
//! - `place` – folders of a test's own, and commands run in them
//! - `terminal` – a pseudo-terminal: keys in, a screen out
//! - `walk` – the first start, every screen, keys, exports
//! - `failed_file` – a file that can't be loaded, from its alarm to its line
//! - `cloud` – loads on Snowflake, seen and led
//! - `devices` – a device asked from the console; one that runs alone and is led from here
//! - `diag` – what a technician sees on the device, and over SSH
//! - `entra` – a storage account opened by whoever is signed in to Azure
//! - `approving` – a plan read, denied, corrected, approved by name, applied; a secret revealed
//! - `endings` – quit, signals, panics: the terminal is given back
//! - `viewers` – several at one owner; one that only looks
//! - `plans` – plan and apply; an apply goes on without its console
//! - `sky` – pictures by every graphics protocol, decoded and compared; no ghost of any
//! - `plain` – no colours, a tiny terminal, no terminal

#![cfg(all(unix, feature = "console"))]
#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod approving;
#[cfg(feature = "cloud")]
mod cloud;
mod devices;
#[cfg(feature = "diag")]
mod diag;
mod endings;
#[cfg(feature = "cloud")]
mod entra;
mod failed_file;
mod place;
mod plain;
mod plans;
#[path = "../peers/skip.rs"]
mod skipping;
mod sky;
#[cfg(feature = "cloud")]
#[path = "../peers/snowflake/mod.rs"]
mod snowflake_peer;
mod terminal;
#[path = "../peers/terraform.rs"]
mod terraform_peer;
mod viewers;
mod walk;
