//! Plans judged, approved and applied by people on different machines, with the real binary and the real Terraform.
#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod approvers;
mod holding;
mod place;
mod policies;
mod sharing;
mod trail;

#[path = "../peers/terraform.rs"]
mod terraform_peer;
