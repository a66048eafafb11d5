//! Terraform: the module it runs, its runs, what they planned and did.
//!
//! Terraform is the engine; nothing of it is made again here. [`run`] and [`status`] are the language: pure values that
//! screens and the command line show. [`workspace`] lays out the configuration, [`terraform`] calls the program and
//! understands it, [`runs`] keeps runs in folders, in order, and carries one out. Called by `owner`, which ties it to the
//! emulated providers and starts a process for each run.

pub mod approval; // approvals: bound to one plan, signed, used once
pub mod audit; // who did what, in a trail that shows when it was changed
pub mod error; // what can go wrong, in words
pub mod files; // private files, written whole
pub mod plan; // a plan as it is read
pub mod policy; // policies, and what they say of a plan
pub mod run; // one run: what was asked, its steps, what it plans and did
pub mod runs; // the folder of runs, their queue, the one that is carried out
pub mod shared; // runs that several machines share
pub mod status; // how an environment's provisioning stands: runs, lock, state
pub mod terraform; // the program: found, called, listened to
pub mod words; // runs and status in words, for screens and the command line alike
pub mod workspace; // the configuration as it is laid out for Terraform
