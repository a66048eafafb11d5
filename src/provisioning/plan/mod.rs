//! A plan, read from Terraform's `show -json`: what it changes and why, without its secrets.
//!
//! [`model`] is what is shown of a plan: pure values that screens, the command line and exports share.

pub mod model; // what is shown of a plan
