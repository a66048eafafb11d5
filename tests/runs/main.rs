//! Terraform runs, with the real Terraform and real processes: planned, applied, failed, interrupted, killed.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod failing;
mod full_disk;
mod owners;
mod place;
mod queueing;
mod rehearsal;
mod state;
#[path = "../peers/terraform.rs"]
mod terraform_peer;
mod way;
