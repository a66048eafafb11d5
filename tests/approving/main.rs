//! Plans judged, approved and applied by people on different machines, with the real binary and the real Terraform.
#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod approvers;
mod azurite_store;
mod holding;
mod leaks;
mod place;
mod policies;
mod sharing;
mod trail;

#[path = "../peers/azurite.rs"]
#[allow(dead_code, reason = "shared with the tests of the store")]
mod azurite;
#[path = "../peers/terraform.rs"]
mod terraform_peer;
