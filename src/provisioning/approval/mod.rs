//! Approvals: bound to exactly one plan, signed where that is asked for, used once.
//!
//! [`record`] is what is approved and the approval itself.

pub mod record; // what is approved, and the approval of it
