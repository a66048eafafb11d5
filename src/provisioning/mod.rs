//! Terraform: the module it runs, its runs, what they planned and did.
//!
//! Terraform is the engine; nothing of it is made again here. [`run`] and [`status`] are the language: pure values that
//! screens and the command line show. Called by `owner`, which ties it to the emulated providers.

pub mod run; // one run: what was asked, its steps, what it plans and did
pub mod status; // how an environment's provisioning stands: runs, lock, state
pub mod words; // both in words, for screens and the command line alike
