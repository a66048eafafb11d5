//! The trail of who did what: only ever appended to, and chained so that a changed line is found.
//!
//! [`entry`] is one line of it.

pub mod entry; // one line of the trail
