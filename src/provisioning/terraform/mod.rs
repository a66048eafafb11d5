//! Terraform itself: found, called, listened to. Nothing of what it does is made again here.
//!
//! [`find`] looks for the program; [`command`] says how it is called (folder, environment, providers); [`process`] runs
//! one call to its end and hands over what it writes, line by line; [`event`] reads those lines; [`secrets`] and
//! [`mask`] keep what is sensitive out of them; [`state`] and [`lock`] read the state and who holds it. Called by `runs`.

pub mod command; // folder, environment, providers of a call
pub mod event; // the JSON lines of init, plan, apply
pub mod find; // where Terraform is, and whether it is new enough
pub mod lock; // who holds the state lock
pub mod mask; // secrets, found by value wherever they turn up
pub mod process; // one call, followed to its end
pub mod secrets; // what a plan says is sensitive
pub mod state; // what a state holds
pub mod text; // its words, made printable
