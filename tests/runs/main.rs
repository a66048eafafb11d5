//! Terraform runs, with the real Terraform and real processes: planned, applied, failed, interrupted, killed.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod failing;
mod owners;
mod place;
mod queueing;
mod rehearsal;
#[path = "../peers/terraform.rs"]
mod terraform_peer;
mod way;
