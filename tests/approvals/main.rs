//! Approvals and the audit trail: whose signatures count, what a plan is held against, and how tampering shows.
//!
//! Keys are made from fixed seeds, so that nothing here needs a program; `keygen.rs` holds the same against the real
//! `ssh-keygen`.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod checking;
mod keygen;
mod making;
mod people;
mod properties;
mod signers;
mod trail;
