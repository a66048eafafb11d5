//! Plans as Terraform writes them, read: what they change, how it differs, what is kept and handed around.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod broken;
mod differences;
mod fixtures;
mod generator;
mod kept;
mod large;
mod moved;
mod reports;
mod secrets;
mod shown;
#[path = "../peers/terraform.rs"]
mod terraform_peer;
