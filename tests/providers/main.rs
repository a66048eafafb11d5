//! The real Terraform on the emulated providers: what a module author sees.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod changes;
mod every_type;
mod failures;
mod place;
mod refusals;
#[path = "../peers/terraform.rs"]
mod terraform_peer;
mod values;
