//! The commands about plans, with the real binary and the real Terraform: exit codes, what is written where, JSON.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod endings; // interrupts and closed terminals
mod judging; // policies, approvals, the audit trail
mod leaks; // modules that leak what is sensitive
mod place; // a place of its own for each test
mod refusals; // what can't be planned or applied
#[path = "../peers/terraform.rs"]
mod terraform;
mod way; // from the plan to the end
