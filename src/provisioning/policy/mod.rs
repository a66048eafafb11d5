//! Judging a plan by policies written in Rego.
//!
//! [`finding`] is the language of a judgement.

pub mod finding; // what the policies say of a plan
